"""What `glirel evaluate` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from .console import console, errors, plain
from .evaluate_joint import show_joint
from .evaluate_table import protocol_table
from .tables import averages_table

_ANNOTATED = (
    "In the row 'annotated pairs alone', what is predicted on a pair without a relation is left out, as the original "
    "GLiREL does: compare it with such figures alone."
)

if TYPE_CHECKING:
    from glirel_transformers.evaluation import EvaluationResult


def show_all(results: Sequence[EvaluationResult], report: dict[str, Any], sort: str, top: int | None) -> None:
    """Prints what the protocol has to say, and one table of all models where there are several rows."""
    first = results[0]
    if "triples" in report:
        show_joint(report, sort, top)
    elif "relation_types" in report:
        show(report, sort, top)
    if len(results) > 1 or first.runs or first.beside:
        console.print(protocol_table(results))
    if first.beside:
        errors.print(f"[yellow]note:[/yellow] {_ANNOTATED}")
    for note in dict.fromkeys(note for result in results for note in result.notes):
        errors.print(f"[yellow]note:[/yellow] {plain(note)}")


def show(report: dict[str, Any], sort: str, top: int | None) -> None:
    """Prints the figures: relation types in the order of `sort`, the first `top` of them, and averages."""
    rows = report["relation_types"]
    rows = sorted(rows, key=lambda row: row["relation_type"] if sort == "name" else -row[sort])
    if top != 0:
        table = Table("relation type")
        for name in ("support", "precision", "recall", "F1"):
            table.add_column(name, justify="right")
        for row in rows[:top]:
            figures = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
            table.add_row(plain(row["relation_type"]), f"{row['support']:,}", *figures)
        console.print(table)
    if top is not None and top < len(rows):
        console.print(f"{len(rows) - top:,} more relation types are counted but not shown.")
    console.print(averages_table(report["averages"], f"Entities given (gold). {threshold_in_words(report)}"))
    _show_documents(report)
    for average, fit in report["best_on_these_data"].items():
        console.print(
            f"Best threshold for {average} F1, fitted on the same data: {fit['threshold']:.3f}, which gives "
            f"{fit['f1']:.3f}"
        )
    if "classification" in report:
        found = report["classification"]
        console.print(
            f"Best of {found['candidates']}, {found['num_pairs']:,} pairs given: macro-F1 {found['macro_f1']:.3f}, "
            f"accuracy {found['accuracy']:.3f}"
        )
    of_entities = " of entities" if report["by_entity"] else ""
    console.print(
        f"{report['num_documents']:,} documents, {report['num_pairs']:,} ordered pairs{of_entities}, {len(rows):,} "
        "relation types" + (f" in {report['num_groups']} groups" if report["num_groups"] > 1 else "")
    )


def threshold_in_words(report: dict[str, Any]) -> str:
    """Which thresholds decide."""
    own = report.get("type_thresholds")
    of_types = f", or at that of its own for {len(own):,} relation types" if own else ""
    return f"At the threshold {report['threshold']:.3f}{of_types}"


def _show_documents(report: dict[str, Any]) -> None:
    """Where the threshold comes from, and the scores of facts."""
    if "fitted" in report:
        fit = report["fitted"]
        console.print(
            f"This threshold was fitted on the {fit['num_documents']:,} documents of --fit-on, where micro F1 is "
            f"{fit['f1']:.3f}"
        )
    if "facts" in report:
        facts = report["facts"]
        console.print(
            f"Facts between entities: {facts['num_gold']:,} gold, {facts['num_predicted']:,} predicted, "
            f"{facts['num_right']:,} right: F1 {facts['f1']:.3f}"
        )
    if "ign_f1" in report.get("facts", {}):
        console.print(
            f"Without the {facts['num_right_in_train']:,} right ones that training documents state: Ign F1 "
            f"{facts['ign_f1']:.3f}"
        )

    if "evidence" in report:
        found = report["evidence"]
        console.print(
            f"Evidence: of the {found['num_gold']:,} sentences that annotators chose for gold facts, "
            f"{found['num_right']:,} are among as many that the model weighs most: {found['f1']:.3f}"
        )
