"""Which options of `glirel evaluate` fit its protocols."""

from __future__ import annotations

from .evaluate_options import BASELINE, EvaluateOptions
from .evaluate_protocol_options import BASELINE_NAMES

_GIVEN = ("extraction", "document")
_PROTOCOLS_OF = {
    "splits": ("classification",),
    "unseen": ("classification",),
    "candidates": ("classification", *_GIVEN),
    "pairs": _GIVEN,
    "self_pairs": _GIVEN,
    "threshold": (*_GIVEN, "end-to-end"),
    "group_size": (*_GIVEN, "end-to-end"),
    "sort": (*_GIVEN, "end-to-end"),
    "top": (*_GIVEN, "end-to-end"),
    "plot": (*_GIVEN, "end-to-end"),
    "background": (*_GIVEN, "end-to-end"),
    "background_cache": (*_GIVEN, "end-to-end"),
    "train_facts": ("document",),
    "by_entity": ("document",),
    "entity_types": ("end-to-end",),
    "entity_threshold": ("end-to-end",),
    "overlap": ("end-to-end",),
    "multi_label": ("end-to-end",),
    "adjacency_threshold": (*_GIVEN, "end-to-end"),
}
"""Which protocols an option is for; all others are for all."""
_FEW_SHOT = ("train", "shots", "per", "measure", "runs", "keep_models", "set")


def check_protocol(given: EvaluateOptions) -> None:
    """Checks that options are for the protocol that is named.

    Raises:
        ValueError: when one is for another, or one that it needs is missing.
    """
    changed = given.changed

    def spelled(name: str) -> str:
        return f"--{name.replace('_', '-')}"

    for name in _FEW_SHOT:
        if name in changed and given.protocol != "few-shot":
            raise ValueError(
                f"{spelled(name)} is for the protocol few-shot. Add --protocol few-shot, or leave it out."
            )
    named = given.measured_by
    if given.train_facts and named != "document":
        raise ValueError("--train-facts gives Ign F1, which is of facts between entities. Add --by-entity.")
    if named is not None:
        for name, protocols in _PROTOCOLS_OF.items():
            if name in changed and named not in protocols:
                fitting = " and ".join(protocols)
                raise ValueError(f"{spelled(name)} is for {fitting}, not for the protocol {named}. Leave it out.")
    elif wrong := next((name for name in ("splits", "unseen") if name in changed), None):
        raise ValueError(f"{spelled(wrong)} is for the protocol classification. Add --protocol classification.")
    if sum(name in changed for name in ("splits", "unseen", "candidates")) > 1:
        raise ValueError("--splits, --unseen and --candidates say in different ways what competes. Choose one.")
    if "seeds" in changed and given.protocol != "few-shot" and (named != "classification" or given.splits):
        raise ValueError(
            "--seeds is for what is drawn: for --protocol few-shot, and for classification without --splits. Leave it "
            "out."
        )
    if given.protocol == "few-shot":
        _check_few_shot(given, "plot" in changed)
    _check_baselines(given)


def _check_few_shot(given: EvaluateOptions, plots: bool) -> None:
    if not given.train:
        raise ValueError("The protocol few-shot needs documents to draw samples from. Add --train FILE.")
    if given.runs is None:
        raise ValueError("The protocol few-shot needs a folder for its runs. Add --runs FOLDER.")
    if given.background:
        raise ValueError(
            "--background is for a model that was calibrated, and the protocol few-shot trains others. Leave it out."
        )
    if plots:
        raise ValueError("--plot draws one evaluation, and the protocol few-shot makes several. Leave it out.")
    if trained := next((file for file in given.train if any(map(file.samefile, given.files))), None):
        raise ValueError(
            f"--train {str(trained)!r} is one of DATA: a model would be measured on what it was trained on. Draw "
            "samples from other documents."
        )


def _check_baselines(given: EvaluateOptions) -> None:
    named = [*([given.checkpoint.removeprefix(BASELINE)] if given.names_baseline else []), *(given.baseline or ())]
    if wrong := next((name for name in named if name not in BASELINE_NAMES), None):
        raise ValueError(f"There is no baseline {wrong!r}. Name one of {', '.join(BASELINE_NAMES)}.")
    if given.names_baseline and given.background:
        raise ValueError("--background is for a model that was calibrated, and baselines are not. Leave it out.")
    if "sentence-embeddings" not in named:
        if given.embeddings is not None:
            raise ValueError("--embeddings is for sentence-embeddings. Add --baseline sentence-embeddings.")
    elif given.embeddings is None:
        raise ValueError(
            "The baseline sentence-embeddings needs an encoder of sentences. Add --embeddings with its folder or Hub "
            "repository, such as sentence-transformers/all-MiniLM-L6-v2."
        )
    if named and (given.measured_by == "end-to-end" or given.protocol == "few-shot"):
        raise ValueError(
            "Baselines find no entities and are not trained: they are for classification, extraction and document."
        )
