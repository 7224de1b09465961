"""`glirel evaluate`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from glirel_transformers.extras import require_extra
from glirel_transformers.files import check_not_an_input, check_writable

from .console import errors_without_traceback
from .evaluate_report import show, show_notes
from .options import takes

if TYPE_CHECKING:
    from glirel_transformers.evaluation import Evaluation, GoldPair
    from glirel_transformers.running_glirel import ScoresPairs

_ASK, _SHOW = "What is asked", "What is shown"

Checkpoint = Annotated[str, typer.Argument(metavar="CHECKPOINT", help="Folder or Hub repository of the model.")]
Data = Annotated[
    list[Path],
    typer.Argument(metavar="DATA", exists=True, dir_okay=False, help="Files of annotated documents."),
]
RelationTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--relation",
        "-r",
        help="A relation type to ask for. Repeatable. [default: all that occur in DATA]",
        rich_help_panel=_ASK,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option("--threshold", min=0, max=1, help="Least probability. [default: the model's]", rich_help_panel=_ASK),
]
GroupSize = Annotated[
    int | None,
    typer.Option(
        "--group-size",
        min=1,
        help="Relation types asked for at once, the others in further passes. [default: as many as take half of the "
        "tokens that the model reads]",
        rich_help_panel=_ASK,
    ),
]
Candidates = Annotated[
    int | None,
    typer.Option(
        "--candidates",
        min=2,
        help="Also classify: the pair is given, and its relation type competes with others of DATA, n in all.",
        rich_help_panel=_ASK,
    ),
]
HeldOut = Annotated[
    float | None,
    typer.Option(
        "--held-out",
        min=0,
        max=1,
        help="Read only the share of DATA that `glirel train` holds out with the same number, such as its 0.05.",
        rich_help_panel=_ASK,
    ),
]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="Read the first documents only, for a quick look.", rich_help_panel=_ASK),
]
SelfPairs = Annotated[
    bool,
    typer.Option(
        "--self-pairs",
        help="Also pair each mention with itself.",
        rich_help_panel=_ASK,
    ),
]
BatchSize = Annotated[int, typer.Option("--batch-size", "-b", min=1, help="Texts read at once.", rich_help_panel=_ASK)]
Device = Annotated[
    str | None,
    typer.Option("--device", help="Such as cuda:0 or cpu. [default: an accelerator, if any]", rich_help_panel=_ASK),
]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option("--dtype", help="Precision. [default: the model's]", rich_help_panel=_ASK),
]
Sort = Annotated[
    Literal["support", "f1", "name"],
    typer.Option("--sort", help="Order of the relation types.", rich_help_panel=_SHOW),
]
Top = Annotated[
    int | None,
    typer.Option("--top", min=0, help="Show the first n relation types. [default: all]", rich_help_panel=_SHOW),
]
Plot = Annotated[
    Path | None,
    typer.Option(
        "--plot", dir_okay=False, help="Draw F1 against the threshold, such as f1.png.", rich_help_panel=_SHOW
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", dir_okay=False, help="Write everything as JSON as well.", rich_help_panel=_SHOW),
]


@dataclass(frozen=True)
class EvaluateOptions:
    """What `glirel evaluate` is given."""

    checkpoint: Checkpoint
    data: Data
    relation: RelationTypes = None
    threshold: Threshold = None
    group_size: GroupSize = None
    candidates: Candidates = None
    held_out: HeldOut = None
    limit: Limit = None
    self_pairs: SelfPairs = False
    batch_size: BatchSize = 8
    device: Device = None
    dtype: Dtype = None
    sort: Sort = "support"
    top: Top = None
    plot: Plot = None
    output: Output = None


@takes(EvaluateOptions)
def evaluate(given: EvaluateOptions) -> None:
    """Score a model on annotated documents.

    Every ordered pair of mentions is asked for every relation type, as `glirel extract` asks, in windows where a text
    is long. A decision is right when its pair and type are. Pairs that cannot be scored count as missed, and are
    counted.

    For example:

        glirel evaluate runs/mine/model test.jsonl --top 20 --plot f1.png

        glirel evaluate runs/mine/model test.jsonl -r spouse -r employer --threshold 0.4 -o scores.json
    """
    with errors_without_traceback():
        # Before anything is computed, or torch imported.
        for option, file in (("--output", given.output), ("--plot", given.plot)):
            if file is not None:
                check_writable(file, option)
                check_not_an_input(file, [given.checkpoint, *given.data], option)
        if given.plot is not None:
            require_extra("benchmark", "matplotlib")
        result, report = _run(given)
    show(report, given.sort, given.top)
    show_notes(result)


def _run(given: EvaluateOptions) -> tuple[Evaluation, dict[str, Any]]:
    """The result, and the same as JSON values; writes the files that were asked for."""
    from transformers.utils.logging import disable_progress_bar

    from glirel_transformers.data import is_held_out, read_documents
    from glirel_transformers.evaluation import (
        evaluate_extraction,
        gold_pairs,
        plot_f1_by_threshold,
        sample_candidates,
    )
    from glirel_transformers.loading import load_pipeline

    documents = [document for file in given.data for document in read_documents(file)]
    if given.held_out is not None:
        documents = [document for document in documents if is_held_out(document, given.held_out)]
    documents = documents[: given.limit]
    pairs = gold_pairs(documents)
    candidates = None if given.candidates is None else sample_candidates(pairs, given.candidates)
    disable_progress_bar()  # of loading weights
    extract = load_pipeline(given.checkpoint, given.device, given.dtype)
    result = evaluate_extraction(
        extract,
        documents,
        given.relation or None,
        threshold=given.threshold,
        group_size=given.group_size,
        batch_size=given.batch_size,
        self_pairs=given.self_pairs,
    )
    report = _figures(result)
    if candidates is not None:
        report["classification"] = _classify(extract.model, pairs, candidates, given.batch_size)
    if given.output is not None:
        everything = {"settings": asdict(given), **report, "curve": _curve(result)}
        text = json.dumps(everything, indent=2, ensure_ascii=False, default=str)
        given.output.write_text(f"{text}\n", encoding="utf-8")
    if given.plot is not None:
        plot_f1_by_threshold(result.counts, given.plot, Path(given.checkpoint).name)
    return result, report


def _figures(result: Evaluation) -> dict[str, Any]:
    """All results, as JSON values."""
    from glirel_transformers.evaluation.counts import precision_recall_f1

    counts = result.counts.by_type()
    scores = precision_recall_f1(counts).tolist()
    per_type = [
        {
            "relation_type": name,
            "support": int(row[2]),
            "predicted": int(row[1]),
            "precision": p,
            "recall": r,
            "f1": f1,
        }
        for name, row, (p, r, f1) in zip(result.relation_types, counts, scores, strict=True)
    ]
    numbers = {field.name: getattr(result, field.name) for field in fields(result) if field.name.startswith("num_")}
    return {
        **numbers,
        "num_groups": len(result.groups),
        "threshold": result.counts.threshold,
        "averages": result.counts.averages(),
        "best_on_these_data": _fits(result),
        "relation_types": per_type,
    }


def _fits(result: Evaluation) -> dict[str, dict[str, float]]:
    """The best threshold for each average; none where no gold relation was scored."""
    fits = {"micro": result.counts.best("micro"), "macro": result.counts.best("macro")}
    return {average: fit._asdict() for average, fit in fits.items() if fit is not None}


def _curve(result: Evaluation) -> dict[str, list[float]]:
    """F1 at 0.01, 0.02, … 0.99."""
    from glirel_transformers.evaluation.thresholds import THRESHOLDS

    thresholds, counts = THRESHOLDS[9::10], result.counts
    micro, macro = counts.curve("micro", thresholds), counts.curve("macro", thresholds)
    return {"threshold": thresholds.tolist(), "micro": micro.tolist(), "macro": macro.tolist()}


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
