"""What an evaluation found, as JSON values."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glirel_transformers.evaluation import Evaluation


def figures_of(result: Evaluation) -> dict[str, Any]:
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
        "by_entity": result.by_entity,
        "num_groups": len(result.groups),
        "threshold": result.counts.threshold,
        "averages": result.counts.averages(),
        **({"facts": result.facts()} if result.by_entity else {}),
        **({} if result.evidence is None else {"evidence": result.evidence._asdict()}),
        "best_on_these_data": _fits(result),
        "relation_types": per_type,
    }


def _fits(result: Evaluation) -> dict[str, dict[str, float]]:
    """The best threshold for each average; none where no gold relation was scored."""
    fits = {"micro": result.counts.best("micro"), "macro": result.counts.best("macro")}
    return {average: fit._asdict() for average, fit in fits.items() if fit is not None}


def curve_of(result: Evaluation) -> dict[str, list[float]]:
    """F1 at 0.01, 0.02, … 0.99."""
    from glirel_transformers.evaluation.thresholds import THRESHOLDS

    thresholds, counts = THRESHOLDS[9::10], result.counts
    micro, macro = counts.curve("micro", thresholds), counts.curve("macro", thresholds)
    return {"threshold": thresholds.tolist(), "micro": micro.tolist(), "macro": macro.tolist()}
