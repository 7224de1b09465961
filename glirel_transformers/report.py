"""Entities and relations as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table


def relations_table(relations: Sequence[dict[str, Any]], title: str | None = None) -> Table:
    """A table of what `pipeline("relation-extraction")` returns for one text, best first."""
    table = Table("head", "relation", "tail", title=title, title_justify="left", title_style="")
    table.add_column("score", justify="right")
    for relation in relations:
        head, tail = _name(relation["head"]), _name(relation["tail"])
        table.add_row(head, escape(relation["relation"]), tail, f"{relation['score']:.2f}")
    return table


def entities_table(entities: Sequence[dict[str, Any]], title: str | None = None) -> Table:
    """A table of the entities of one text, in their order, with all their types where they have several."""
    table = Table("entity", "type", title=title, title_justify="left", title_style="")
    table.add_column("score", justify="right")
    for entity in entities:
        label = entity.get("label")
        scores = entity.get("scores") or ({label: entity["score"]} if entity.get("score") is not None else {})
        types = [str(name) for name in scores] or ([] if label is None else [str(label)])
        values = "\n".join(f"{score:.2f}" for score in scores.values())
        table.add_row(escape(entity["text"]), escape("\n".join(types)), values)
    return table


def _name(entity: dict[str, Any]) -> str:
    text = escape(entity["text"])
    return text if entity["label"] is None else f"{text} [dim]{escape(entity['label'])}[/dim]"
