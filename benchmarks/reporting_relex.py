"""Tables and the figure of the comparison with GLiNER-Relex, from saved results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from reporting import (
    Cell,
    Row,
    difference_cell,
    latency_cell,
    lay_out,
    memory_cell,
    memory_share_cell,
    outside_cell,
    parts_table,
    plot_against_original,
    rows_of,
    speed_cell,
)

# What `workers/raw_texts.py` tells, in the order of the table.
PARTS = ("encoder", "words and types", "spans and scores", "decoding", "pairs and scores", "around the model")


def tables_against_relex(results: dict[str, Any]) -> str:
    """All tables of the comparison, as Markdown."""
    rows = rows_of(results)
    sides = list(results["sides"])
    ours = [side for side in sides if results["sides"][side]["baseline"]]
    single = [row for row in rows if row[2]["batch_size"] == 1]
    tables: list[tuple[str, list[Row], list[str], Cell]] = [
        ("Texts per second, and in brackets how many times the original's:", rows, sides, speed_cell),
        ("Latency in ms for one text: half of the texts are faster (in brackets 95 %):", single, sides, latency_cell),
        ("Share of the time outside the encoder:", rows, sides, outside_cell),
        ("Peak memory in MiB above what the loaded model takes (in brackets with it):", rows, sides, memory_cell),
        ("That memory as a share of the original's:", rows, ours, memory_share_cell),
        (
            "Largest difference from the original's logit of an entity, or score of a relation:",
            rows,
            ours,
            difference_cell,
        ),
    ]
    parts = parts_table(rows, ours, PARTS)
    return "\n".join([lay_out(results, tables), "", "Our ms for a text, part by part:", "", parts])


def plot_against_relex(results: dict[str, Any], path: Path) -> None:
    """Bars of the speed ratios by workload."""
    title = "Entities and relations: speed against GLiNER-Relex, same weights, end to end"
    plot_against_original(results, path, title, readable)


def readable(name: str) -> str:
    """A workload's name in words."""
    match = re.fullmatch(r"([a-z]+)-([a-z]+)-b(\d+)", name)
    if not match:
        raise ValueError(f"A workload is named like 'sentence-span-b1': got {name!r}. Rename it.")
    kind, level, batch = match.groups()
    return f"{kind}, by {level},\nbatch {batch}"
