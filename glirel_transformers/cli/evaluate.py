"""`glirel evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glirel_transformers.extras import require_extra
from glirel_transformers.files import check_not_an_input, check_writable

from .background import background_thresholds
from .console import errors_without_traceback
from .evaluate_figures import curve_of, figures_of, write_report
from .evaluate_joint import run_joint, show_joint
from .evaluate_options import EvaluateOptions
from .evaluate_report import show, show_notes
from .options import takes
from .reading import read_files

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.evaluation import Evaluation, GoldPair
    from glirel_transformers.running_glirel import ScoresPairs


@takes(EvaluateOptions)
def evaluate(given: EvaluateOptions) -> None:
    """Score a model on annotated documents.

    Every ordered pair of mentions is asked for every relation type, as `glirel extract` asks, in windows where a text
    is long. A decision is right when its pair and type are. Pairs that cannot be scored count as missed, and are
    counted.

    With --by-entity the pairs are of entities, each with all its mentions, and the facts between them are scored as
    DocRED's own script does: F1, and with --train-facts Ign F1. Files of DocRED and Re-DocRED are read as they are,
    next to their rel_info.json.

    A model that finds entities reads texts alone: triples are scored end to end, strictly (relation, spans and types
    of both ends) and by boundaries alone, and so are entities. --entities gold gives it those of DATA instead.

    For example:

        glirel evaluate runs/mine/model test.jsonl --top 20 --plot f1.png

        glirel evaluate runs/mine/model test.jsonl -r spouse -r employer --threshold 0.4 -o scores.json

        glirel evaluate runs/mine/model test_revised.json --by-entity --fit-on dev_revised.json
    """
    with errors_without_traceback():
        # Before anything is computed, or torch imported.
        if given.output is not None and given.plot is not None and given.output.resolve() == given.plot.resolve():
            raise ValueError(f"--output and --plot are the same file, {str(given.plot)!r}. Name two.")
        given.check()
        for option, file in (("--output", given.output), ("--plot", given.plot)):
            if file is not None:
                check_writable(file, option)
                check_not_an_input(file, [given.checkpoint, *given.data], option)
        if given.plot is not None:
            require_extra("benchmark", "matplotlib")
        result, report = _run(given)
    if result is None:
        show_joint(report, given.sort, given.top)
    else:
        show(report, given.sort, given.top)
        show_notes(result)


def _run(given: EvaluateOptions) -> tuple[Evaluation | None, dict[str, Any]]:
    """The result, `None` where entities were found, and the same as JSON values; writes the files asked for."""
    from transformers.utils.logging import disable_progress_bar

    from glirel_transformers.data import count_relation_types, is_held_out
    from glirel_transformers.evaluation import (
        TrainFacts,
        evaluate_extraction,
        gold_pairs,
        plot_f1_by_threshold,
        sample_candidates,
    )
    from glirel_transformers.loading import load_pipeline

    read = partial(read_files, reader=given.reader, exhaustive=given.exhaustive, alignment=given.alignment)
    documents = read(given.data)
    if given.held_out is not None:
        documents = [document for document in documents if is_held_out(document, given.held_out)]
    documents = documents[: given.limit]
    pairs = gold_pairs(documents)
    candidates = None if given.candidates is None else sample_candidates(pairs, given.candidates)
    train_facts = TrainFacts(read(given.train_facts)) if given.train_facts else None
    to_fit_on = read(given.fit_on or ())
    disable_progress_bar()  # of loading weights
    extract = load_pipeline(given.checkpoint, given.device, given.dtype)
    source = given.source(getattr(extract.model.config, "entity_finder", "none") != "none")
    if source != "gold":
        return None, run_joint(given, extract, documents, to_fit_on, source, read(given.background or ()))
    types = given.relation or list(count_relation_types(documents))
    ask = partial(
        evaluate_extraction,
        extract,
        relation_types=types,
        group_size=given.group_size,
        batch_size=given.batch_size,
        self_pairs=given.self_pairs,
        by_entity=given.by_entity,
    )
    fit = _fit(ask, to_fit_on) if given.fit_on else None
    threshold = given.threshold if fit is None else fit["threshold"]
    if given.background:
        threshold = background_thresholds(extract, read(given.background), types, given)
    result = ask(documents, threshold=threshold, train_facts=train_facts)
    report: dict[str, Any] = {"entities": source, **figures_of(result), **({} if fit is None else {"fitted": fit})}
    if candidates is not None:
        report["classification"] = _classify(extract.model, pairs, candidates, given.batch_size)
    if given.output is not None:
        write_report(given, {**report, "curve": curve_of(result.counts)})
    if given.plot is not None:
        plot_f1_by_threshold(result.counts, given.plot, Path(given.checkpoint).name)
    return result, report


def _fit(ask: Callable[..., Evaluation], documents: list[Document]) -> dict[str, Any]:
    """The threshold with the best micro F1 on other documents, asked for the same relation types.

    Raises:
        ValueError: when none of these types holds there.
    """
    fit = ask(documents).counts.best("micro")
    if fit is None:
        raise ValueError(
            f"No threshold can be fitted: of the relation types that are asked for, none holds in a scored pair of "
            f"the {len(documents)} documents of --fit-on. Give others, or --threshold."
        )
    return {**fit._asdict(), "num_documents": len(documents)}


def _classify(
    model: ScoresPairs, pairs: list[GoldPair], candidates: list[list[str]], batch_size: int
) -> dict[str, Any]:
    """How often the best of several relation types is the right one, for pairs that are given."""
    from glirel_transformers.evaluation import best_candidates, macro_f1, score_gold_pairs

    predictions = best_candidates(candidates, score_gold_pairs(model, pairs, candidates, batch_size, desc="classify"))
    right = sum(pair.relation_type == prediction for pair, prediction in zip(pairs, predictions, strict=True))
    return {
        "candidates": len(candidates[0]),
        "num_pairs": len(pairs),
        "accuracy": right / len(pairs),
        "macro_f1": macro_f1(pairs, predictions),
    }
