"""Relations as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table


def relations_table(relations: Sequence[dict[str, Any]], title: str | None = None) -> Table:
    """A table of what `pipeline("relation-extraction")` returns for one text, best first."""
    table = Table("head", "relation", "tail", title=title, title_justify="left", title_style="")
    table.add_column("score", justify="right")
    for relation in relations:
        table.add_row(
            _name(relation["head"]), relation["relation"], _name(relation["tail"]), f"{relation['score']:.2f}"
        )
    return table


def _name(entity: dict[str, Any]) -> str:
    return entity["text"] if entity["label"] is None else f"{entity['text']} [dim]{entity['label']}[/dim]"
