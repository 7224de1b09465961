"""What `glirel calibrate` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from .console import console, errors, plain

if TYPE_CHECKING:
    from glirel_transformers.evaluation.calibration import CalibrationReport
    from glirel_transformers.evaluation.reliability import Reliability

_MEASURES = {"ece": "expected calibration error", "brier": "Brier score", "nll": "negative log-likelihood"}
_DECISIONS = {
    "before": "before",
    "one threshold": "one threshold",
    "by type": "thresholds by type",
    "unseen": "unseen types",
    "unseen, background": "unseen, by background",
}


def figures_of(report: CalibrationReport) -> dict[str, Any]:
    """All results, as JSON values."""

    def reliability(found: Reliability) -> dict[str, Any]:
        return {**found._asdict(), "bins": found.bins.tolist()}

    numbers = {name: value for name, value in vars(report).items() if name.startswith("num_")}
    return {
        **numbers,
        "method": report.method,
        "average": report.average,
        "threshold": report.threshold,
        "calibration": report.calibration.to_dict(),
        "nll_by_method": report.nll_by_method,
        "before": reliability(report.before),
        "after": reliability(report.after),
        "after_unseen": None if report.after_unseen is None else reliability(report.after_unseen),
        "predicted_before": reliability(report.predicted_before),
        "predicted_after": reliability(report.predicted_after),
        "decisions": report.decisions,
        "relation_types": _rows(report),
        "notes": report.notes,
    }


def _rows(report: CalibrationReport) -> list[dict[str, Any]]:
    from glirel_transformers.evaluation.counts import precision_recall_f1

    before, after = (precision_recall_f1(counts).tolist() for counts in (report.counts_before, report.counts_after))
    names = ("precision", "recall", "f1")
    return [
        {
            "relation_type": name,
            "support": int(counts[2]),
            "threshold": report.calibration.thresholds.get(name, report.threshold),
            "own_threshold": name in report.calibration.thresholds,
            "before": dict(zip(names, old, strict=True)),
            "after": dict(zip(names, new, strict=True)),
        }
        for name, counts, old, new in zip(report.relation_types, report.counts_before, before, after, strict=True)
    ]


def show_calibration(report: CalibrationReport) -> None:
    """Prints what was fitted, and what it is worth."""
    console.print(_thresholds(report))
    console.print(_reliability(report))
    console.print(_decisions(report))
    found = report.calibration
    bias = "" if not found.bias else f", bias {found.bias:+.4f}"
    tried = ", ".join(f"{plain(name)} {value:.5f}" for name, value in report.nll_by_method.items())
    console.print(f"Temperature {found.temperature:.4f}{bias} ({report.method}); negative log-likelihoods: {tried}")
    console.print(f"Threshold {report.threshold:.4f}, of {len(found.thresholds):,} types their own")
    if (rule := found.background) is not None:
        console.print(
            f"Types that are not in DEV: {rule.threshold:.4f}, moved by {rule.weight:g} of the difference of their "
            f"background scores (quantile {rule.quantile:g}) from those of {len(rule.reference_types):,} types; "
            f"{report.num_background_pairs:,} pairs of background"
        )
    console.print(
        f"{report.num_documents:,} documents in {report.num_folds} parts, {report.num_cells:,} pairs with types, of "
        f"which {report.num_gold:,} hold"
    )
    for note in report.notes:
        errors.print(f"[yellow]note:[/yellow] {plain(note)}")


def _thresholds(report: CalibrationReport) -> Table:
    table = _table("relation type", "Thresholds; F1 before, and cross-validated after")
    for name in ("support", "threshold", "F1 before", "F1 after"):
        table.add_column(name, justify="right")
    for row in _rows(report):
        mark = "" if row["own_threshold"] else " (of all)"
        values = (f"{row[when]['f1']:.3f}" for when in ("before", "after"))
        table.add_row(plain(row["relation_type"]), f"{row['support']:,}", f"{row['threshold']:.4f}{mark}", *values)
    return table


def _reliability(report: CalibrationReport) -> Table:
    table = _table("probabilities", "Calibration; after is cross-validated")
    for name in ("before", "after"):
        table.add_column(name, justify="right")
    for name, words in _MEASURES.items():
        table.add_row(words, *(f"{getattr(one, name):.5f}" for one in (report.before, report.after)))
    if report.after_unseen is not None:
        table.add_row("calibration error of types left out", "", f"{report.after_unseen.ece:.5f}")
    of_predicted = (report.predicted_before, report.predicted_after)
    shown = (f"{one.ece:.5f}" if one.num_cells else "–" for one in of_predicted)
    table.add_row("calibration error of predicted relations", *shown)
    table.add_row("predicted relations", *(f"{one.num_cells:,}" for one in of_predicted))
    return table


def _decisions(report: CalibrationReport) -> Table:
    table = _table("decisions", "All but before is cross-validated; unseen types by what was fitted to the others")
    for average in ("micro", "macro"):
        for name in ("P", "R", "F1"):
            table.add_column(f"{average} {name}", justify="right")
    for name, averages in report.decisions.items():
        keys = (f"{a}_{b}" for a in ("micro", "macro") for b in ("precision", "recall", "f1"))
        table.add_row(_DECISIONS[name], *(f"{averages[key]:.3f}" for key in keys))
    return table


def _table(first: str, title: str) -> Table:
    return Table(first, title=title, title_justify="left", title_style="")
