"""Tables and the figure of the comparison with GLiDRE, from saved results."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from reporting import (
    Cell,
    Row,
    difference_cell,
    lay_out,
    memory_cell,
    memory_share_cell,
    parts_table,
    plot_against_original,
    rows_of,
)

# What `workers/documents.py` tells, in the order of the table.
PARTS = (
    "encoder",
    "types",
    "words and entities",
    "equations 5 and 6",
    "equations 7 and 8",
    "pairs and scores",
    "around the model",
)
SETTINGS = {"alone": "one a call, types read each time", "kept": "one a call, types kept", "stream": "a stream"}


def tables_against_glidre(results: dict[str, Any]) -> str:
    """All tables of the comparison, as Markdown."""
    rows = rows_of(results)
    sides = list(results["sides"])
    ours = [side for side in sides if results["sides"][side]["baseline"]]
    tables: list[tuple[str, list[Row], list[str], Cell]] = [
        ("Seconds for a document, and in brackets how many times faster than the original:", rows, sides, _seconds),
        ("Peak memory in MiB above what the loaded model takes (in brackets with it):", rows, sides, memory_cell),
        ("That memory as a share of the original's:", rows, ours, memory_share_cell),
        ("Share of the time in the encoder of documents:", rows, sides, _share_of_encoder),
        ("Largest difference of a score from the original's:", rows, ours, difference_cell),
    ]
    documents = results["documents"]
    about = (
        f"{documents['count']} documents ({documents['source']}), on average {documents['words']:.0f} words, "
        f"{documents['entities']:.1f} entities with {documents['mentions']:.1f} mentions, "
        f"{documents['pairs']:.0f} pairs."
    )
    title = "Our ms for a document, part by part, and localized context as a share of the encoder's time:"
    parts = parts_table(rows, ours, PARTS, _context_cells, ["5–6 / encoder", "5–8 / encoder"])
    return "\n".join([lay_out(results, tables), "", title, "", parts, "", about])


def _seconds(entry: dict[str, Any], side: str) -> str:
    own = entry["sides"][side]
    mark = "*" if own["summary"]["noisy"] else ""
    seconds = f"{own['summary']['seconds'] / entry['num_texts']:.3f}{mark}"
    return f"{seconds} ({own['compared']['ratio']:.1f} ×)" if "compared" in own else seconds


def _share_of_encoder(entry: dict[str, Any], side: str) -> str:
    parts = entry["sides"][side]["parts"]
    return f"{100 * parts['encoder'] / parts['all']:.1f} %"


def context_shares(parts: dict[str, float]) -> tuple[float, float]:
    """What localized context costs as a share of the encoder's time: equations 5 and 6 alone, and with 7 and 8."""
    weights, both = parts["equations 5 and 6"], parts["equations 5 and 6"] + parts["equations 7 and 8"]
    return weights / parts["encoder"], both / parts["encoder"]


def _context_cells(entry: dict[str, Any], parts: dict[str, float]) -> list[str]:
    """What the context costs."""
    if not entry["has_context"]:
        return ["—", "—"]
    return [f"{100 * share:.1f} %" for share in context_shares(parts)]


def plot_against_glidre(results: dict[str, Any], path: Path) -> None:
    """Bars of the speed ratios by workload."""
    plot_against_original(results, path, "Documents: speed against GLiDRE, same weights, end to end", readable)


def readable(name: str) -> str:
    """A workload's name in words."""
    match = re.fullmatch(r"m(\d+)-([a-z]+)(-no-context)?", name)
    if not match:
        raise ValueError(f"A workload is named like 'm10-stream': got {name!r}. Rename it.")
    relations, setting, without = match.groups()
    return f"{relations} types{', no context' if without else ''},\n{SETTINGS[setting]}"
