"""What an evaluation found, as JSON values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from .evaluate_table import table_rows

if TYPE_CHECKING:
    from glirel_transformers.evaluation import Evaluation, EvaluationResult, ThresholdCounts

    from .evaluate_options import EvaluateOptions


def report_of(
    results: Sequence[EvaluationResult], given: EvaluateOptions, classified: EvaluationResult | None
) -> dict[str, Any]:
    """Everything as JSON values.

    Args:
        results: the model's, and those of baselines.
        given: the options.
        classified: what --candidates found next to the protocol.
    """
    from glirel_transformers.evaluation import Evaluation, JointEvaluation

    from .evaluate_joint import joint_figures, types_from

    first = results[0]
    report: dict[str, Any] = {"protocol": first.protocol, "model": first.model, "entities": first.entities}
    report |= {"decision": first.decision, "notes": first.notes, "table": table_rows(results)}
    fitted = {what: fit._asdict() for what, fit in first.fitted.items()}
    if isinstance(first.details, Evaluation):
        report |= figures_of(first.details)
        fitted = fitted.get("relations", {})  # as it was before there were protocols
    elif isinstance(first.details, JointEvaluation):
        report |= {"entity_types_from": types_from(given, first.entities), **joint_figures(first.details)}
    else:
        report["runs"] = [
            {"row": run.row, "run": run.run, "threshold": run.threshold, "figures": run.figures}
            for run in first.walk()
        ]
    if fitted:
        report["fitted"] = {**fitted, "num_documents": first.num_fitted_on}
    if first.beside:
        report["beside"] = first.beside
    if classified is not None:
        report["classification"] = {
            "candidates": given.candidates,
            "num_pairs": int(classified.figures["pairs"]),
            **{name: classified.figures[name] for name in ("accuracy", "macro_f1")},
        }
    return report


def figures_of(result: Evaluation) -> dict[str, Any]:
    """All results, as JSON values."""
    per_type = rows_of(result.counts, result.relation_types, "relation_type")
    numbers = {field.name: getattr(result, field.name) for field in fields(result) if field.name.startswith("num_")}
    return {
        **numbers,
        "by_entity": result.by_entity,
        "num_groups": len(result.groups),
        "threshold": result.counts.threshold,
        **type_thresholds(result.counts, result.relation_types),
        "averages": result.counts.averages(),
        **({"facts": result.facts()} if result.by_entity else {}),
        **({} if result.evidence is None else {"evidence": result.evidence._asdict()}),
        "best_on_these_data": _fits(result),
        "relation_types": per_type,
    }


def type_thresholds(counts: ThresholdCounts, types: Sequence[str]) -> dict[str, dict[str, float]]:
    """Those of types that have their own, if any does."""
    own = counts.by_name(types)
    return {"type_thresholds": own} if own else {}


def rows_of(counts: ThresholdCounts, types: Sequence[str], what: str) -> list[dict[str, Any]]:
    """The figures of each type at the threshold in use; `what` is the key of its name."""
    from glirel_transformers.evaluation.counts import precision_recall_f1

    table = counts.by_type()
    scores = precision_recall_f1(table).tolist()
    return [
        {what: name, "support": int(row[2]), "predicted": int(row[1]), "precision": p, "recall": r, "f1": f1}
        for name, row, (p, r, f1) in zip(types, table, scores, strict=True)
    ]


def _fits(result: Evaluation) -> dict[str, dict[str, float]]:
    """The best threshold for each average; none where no gold relation was scored."""
    fits = {"micro": result.counts.best("micro"), "macro": result.counts.best("macro")}
    return {average: fit._asdict() for average, fit in fits.items() if fit is not None}


def write_report(given: EvaluateOptions, report: dict[str, Any], counts: ThresholdCounts | None) -> None:
    """Writes everything as JSON to the file that was asked for, with a curve where a threshold decides."""
    assert given.output is not None  # the callers check
    curve = {} if counts is None else {"curve": curve_of(counts)}
    text = json.dumps({"settings": asdict(given), **report, **curve}, indent=2, ensure_ascii=False, default=str)
    given.output.write_text(f"{text}\n", encoding="utf-8")


def curve_of(counts: ThresholdCounts) -> dict[str, list[float]]:
    """F1 at 0.01, 0.02, … 0.99."""
    from glirel_transformers.evaluation.thresholds import THRESHOLDS

    thresholds = THRESHOLDS[9::10]
    micro, macro = counts.curve("micro", thresholds), counts.curve("macro", thresholds)
    return {"threshold": thresholds.tolist(), "micro": micro.tolist(), "macro": macro.tolist()}
