"""`glirel evaluate` of models that find entities."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from rich.table import Table

from .console import console, plain
from .evaluate_figures import rows_of, type_thresholds

if TYPE_CHECKING:
    from glirel_transformers.evaluation import JointEvaluation, ThresholdCounts

    from .evaluate_options import EvaluateOptions

_SOURCES = {
    "data": "all that occur in DATA",
    "given": "those of --entity-types",
    "each text": "for each text, those of its own gold entities",
}
_MATCHES = {"strict": "by spans and types", "boundaries": "by boundaries alone"}


def types_from(given: EvaluateOptions, source: str) -> str:
    """Where the entity types come from that are asked for, as a key of `_SOURCES`."""
    return "each text" if source == "prompted" else "given" if given.entity_types else "data"


def joint_figures(result: JointEvaluation) -> dict[str, Any]:
    """All results, as JSON values."""

    def of(counts: ThresholdCounts, types: list[str], what: str) -> dict[str, Any]:
        right, predicted, gold = map(int, counts.by_type().sum(0).tolist())
        numbers = {"num_right": right, "num_predicted": predicted, "num_gold": gold}
        rows = {f"{what}s": rows_of(counts, types, what)} if counts.num_types == len(types) else {}
        return {**numbers, "averages": counts.averages(), **rows}

    best = result.triples["strict"].best("micro")
    return {
        **{one.name: getattr(result, one.name) for one in fields(result) if one.name.startswith("num_")},
        "entity_types": result.entity_types,
        "entity_threshold": result.entity_threshold,
        "threshold": result.triples["strict"].threshold,
        **type_thresholds(result.triples["strict"], result.relation_types),
        "triples": {
            match: of(counts, result.relation_types, "relation_type") for match, counts in result.triples.items()
        },
        "found_entities": {
            match: of(counts, result.entity_types if match == "strict" else [], "entity_type")
            for match, counts in result.entities.items()
        },
        "best_on_these_data": {} if best is None else {"micro": best._asdict()},
    }


def show_joint(report: dict[str, Any], sort: str, top: int | None) -> None:
    """Prints the figures: types in the order of `sort`, the first `top` of them, and averages."""
    source = report["entities"]
    for what, key in (("relation type", "triples"), ("entity type", "found_entities")):
        _show_types(report[key]["strict"][f"{what.replace(' ', '_')}s"], what, source, sort, top)
    table = Table(
        "end to end",
        "average",
        title=f"Entities {source}, at the thresholds {report['entity_threshold']:.3f} (entities) and "
        f"{report['threshold']:.3f} (relations{', or those of types' if 'type_thresholds' in report else ''})",
        title_justify="left",
        title_style="",
    )
    for name in ("precision", "recall", "F1"):
        table.add_column(name, justify="right")
    counts = []
    for name, key in (("triples", "triples"), ("entities", "found_entities")):
        for match, figures in report[key].items():
            for average in ("micro", "macro") if match == "strict" or key == "triples" else ("micro",):
                values = (f"{figures['averages'][f'{average}_{one}']:.3f}" for one in ("precision", "recall", "f1"))
                table.add_row(f"{name}, {match}", average, *values)
            counts.append(
                f"{name.capitalize()}, {_MATCHES[match]}: {figures['num_gold']:,} gold, "
                f"{figures['num_predicted']:,} predicted, {figures['num_right']:,} right"
            )
    console.print(table)
    console.print("\n".join(counts))
    types = plain(", ".join(report["entity_types"]))
    console.print(f"Entity types asked for: {_SOURCES[report['entity_types_from']]}: {types}")
    _show_thresholds(report)
    console.print(f"{report['num_documents']:,} documents, {report['num_found']:,} entities {source}")


def _show_types(rows: list[dict[str, Any]], what: str, source: str, sort: str, top: int | None) -> None:
    key = what.replace(" ", "_")
    rows = sorted(rows, key=lambda row: row[key] if sort == "name" else -row[sort])
    if top != 0:
        table = Table(what, title=f"Strictly, entities {source}", title_justify="left", title_style="")
        for name in ("support", "precision", "recall", "F1"):
            table.add_column(name, justify="right")
        for row in rows[:top]:
            figures = (f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))
            table.add_row(plain(row[key]), f"{row['support']:,}", *figures)
        console.print(table)
    if top is not None and top < len(rows):
        console.print(f"{len(rows) - top:,} more {what}s are counted but not shown.")


def _show_thresholds(report: dict[str, Any]) -> None:
    if "fitted" in report:
        fit = report["fitted"]
        console.print(
            f"These thresholds were fitted on the {fit['num_documents']:,} documents of --fit-on, where strict micro "
            f"F1 is {fit['entities']['f1']:.3f} for entities and {fit['relations']['f1']:.3f} for triples"
        )
    for average, fit in report["best_on_these_data"].items():
        console.print(
            f"Best threshold of relations for {average} F1, fitted on the same data: {fit['threshold']:.3f}, which "
            f"gives {fit['f1']:.3f}"
        )
