"""From the options of `glirel evaluate` to a protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from .console import console, plain
from .evaluate_options import BASELINE, EvaluateOptions
from .evaluate_protocol_options import ProtocolName, read_numbers
from .reading import read_files

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.evaluation import EvaluationResult
    from glirel_transformers.evaluation.extraction import Reader
    from glirel_transformers.evaluation.protocols import Protocol
    from glirel_transformers.evaluation.results import GivenEntities

# May differ when runs are added to a folder of few-shot runs, or do not change what was done.
_MAY_DIFFER = ("shots", "seeds", "runs", "keep_models", "device", "dtype", "batch_size", "sort", "top", "output")


def read(given: EvaluateOptions, files: Iterable[Path] | None) -> list[Document]:
    """All documents of some files, read as the options say."""
    return read_files(files or (), reader=given.reader, exhaustive=given.exhaustive, alignment=given.alignment)


def load_reader(given: EvaluateOptions) -> Reader:
    """The model of CHECKPOINT, or the baseline that stands in its place."""
    if given.names_baseline:
        return load_baseline(given, given.checkpoint.removeprefix(BASELINE))
    from glirel_transformers.loading import load_pipeline

    return load_pipeline(given.checkpoint, given.device, given.dtype)


def load_baseline(given: EvaluateOptions, name: str) -> Reader:
    """A baseline."""
    from glirel_transformers.evaluation.baselines import make_baseline

    embeddings = given.embeddings if name == "sentence-embeddings" else None
    return make_baseline(name, embeddings=embeddings, device=given.device)


def choose_protocol(given: EvaluateOptions, model: Reader) -> tuple[ProtocolName, GivenEntities]:
    """The protocol that measures, and which entities it gives.

    Raises:
        ValueError: when an option does not fit the model.
    """
    config = None if given.names_baseline else model.model.config  # type: ignore[union-attr]
    source = given.source(getattr(config, "entity_finder", "none") != "none")
    if given.adjacency_threshold is not None and getattr(config, "pair_selection", "all") == "all":
        raise ValueError(
            "--adjacency-threshold is for models with a pair_selection, and this one scores all pairs. Leave it out."
        )
    if source != "gold" and given.baseline:
        raise ValueError("--baseline is for entities that are given: baselines find none. Add --entities gold.")
    named = given.measured_by
    return named or ("extraction" if source == "gold" else "end-to-end"), source


def make_protocol(given: EvaluateOptions, model: Reader, documents: list[Document]) -> Protocol:
    """The protocol that options ask for.

    Raises:
        OSError, ValueError: when an option does not fit, or a file cannot be read.
    """
    name, source = choose_protocol(given, model)
    fit_on = read(given, given.fit_on)
    measure = _measuring(given, name, source, fit_on)
    return measure if given.protocol != "few-shot" else _few_shot(given, measure, documents, fit_on)


def _measuring(given: EvaluateOptions, name: str, source: str, fit_on: list[Document]) -> Protocol:
    from glirel_transformers.evaluation import Classification, DocumentLevel, EndToEnd, Extraction, TrainFacts
    from glirel_transformers.evaluation.zero_shot import read_splits

    adjacency = {} if given.adjacency_threshold is None else {"adjacency_threshold": given.adjacency_threshold}
    asked: dict[str, Any] = {"relation_types": given.relation, "fit_on": fit_on, "batch_size": given.batch_size}
    if name == "classification":
        return Classification(
            unseen=None if given.unseen is None else cast("list[int]", read_numbers(given.unseen, "--unseen", 2)),
            seeds=range(given.seeds),
            splits=() if given.splits is None else read_splits(given.splits),
            candidates=given.candidates,
            **asked,
        )
    asked |= {"threshold": given.threshold, "group_size": given.group_size}
    asked |= {"background": read(given, given.background), "background_cache": given.background_cache}
    if name == "end-to-end":
        named = [part.strip() for value in given.entity_types or () for part in value.split(",") if part.strip()]
        options = {**adjacency, "overlap": given.overlap, "multi_label": given.multi_label}
        return EndToEnd(
            entity_types=named or None,
            source=cast("Any", source),
            entity_threshold=given.entity_threshold,
            options=options,
            **asked,
        )
    asked |= {"pairs": given.pairs, "self_pairs": given.self_pairs, "options": adjacency}
    if name == "extraction":
        return Extraction(**asked)
    return DocumentLevel(
        train_facts=TrainFacts(read(given, given.train_facts)) if given.train_facts else None, **asked
    )


def _few_shot(
    given: EvaluateOptions, measure: Protocol, documents: list[Document], fit_on: list[Document]
) -> Protocol:
    from glirel_transformers.data import count_relation_types
    from glirel_transformers.evaluation import FewShot
    from glirel_transformers.extras import require_extra
    from glirel_transformers.trainer import GLiRELTrainingArguments
    from glirel_transformers.trainer.few_shot import FewShotTraining, check_same_settings
    from glirel_transformers.trainer.run import starting_model

    from .overrides import read_overrides, split_overrides

    require_extra("train", "accelerate")
    assert given.runs is not None  # check() says so
    (arguments,) = read_overrides(split_overrides(given.set or ()), get_type_hints(GLiRELTrainingArguments))
    check_same_settings(given.runs, asdict(given), _MAY_DIFFER)
    train = read(given, given.train)
    known = list(count_relation_types([*train, *fit_on]))
    if getattr(measure, "relation_types", None) is None:
        # Names that occur in DATA only count as missed unless they are asked for, so they are.
        measure = replace(
            cast("Any", measure), relation_types=[*dict.fromkeys([*known, *count_relation_types(documents)])]
        )
    return FewShot(
        measure=measure,
        train=FewShotTraining(
            start=lambda _: starting_model(None, given.checkpoint),
            dev=fit_on,
            relation_types=known,
            folder=given.runs,
            arguments=arguments,
            by_entity=measure.name == "document",
            keep_models=given.keep_models,
        ),
        train_documents=train,
        shots=cast("Any", read_numbers(given.shots, "--shots", 0, ["all"])),
        per=given.per,
        seeds=range(given.seeds),
        folder=given.runs,
        say=lambda text: console.print(plain(text)),
    )


def run_baselines(given: EvaluateOptions, protocol: Protocol, documents: list[Document]) -> list[EvaluationResult]:
    """Every --baseline, measured likewise. A threshold that was given is the model's; theirs are their own."""
    from glirel_transformers.evaluation.background import for_another

    found = []
    for name in dict.fromkeys(given.baseline or ()):
        baseline = load_baseline(given, name)
        found.append(for_another(protocol, baseline)[0].run(baseline, documents))
    return found
