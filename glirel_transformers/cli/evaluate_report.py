"""What `glirel evaluate` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from .console import console, errors, plain
from .tables import averages_table

if TYPE_CHECKING:
    from glirel_transformers.evaluation import Evaluation


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


def show_notes(result: Evaluation) -> None:
    """Says what is not counted, or counted as missed without being seen."""
    one = "an entity" if result.by_entity else "a mention"
    notes = {
        f"{result.num_unscored_pairs:,} pairs are too far apart or in no window; {result.num_missed_relations:,} "
        "relations between such pairs count as missed.": result.num_unscored_pairs,
        f"{result.num_self_relations:,} relations join {one} to itself and count as missed; --self-pairs asks for "
        "such pairs.": result.num_self_relations,
        f"{result.num_unasked_relations:,} relations are of types that were not asked for, and are not counted.": (
            result.num_unasked_relations
        ),
        f"{result.num_unknown_pairs:,} pairs of documents that are not exhaustive have no relation; whether one holds "
        "is unknown, and they are not counted.": result.num_unknown_pairs,
    }
    for text, count in notes.items():
        if count:
            errors.print(f"[yellow]note:[/yellow] {text}")
