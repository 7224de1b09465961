"""Tables that several commands print."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table


def averages_table(metrics: Mapping[str, float], title: str | None = None) -> Table:
    """Micro and macro precision, recall and F1, by the names that `summarize` gives them."""
    table = Table("average", title=title, title_justify="left", title_style="")
    for name in ("precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for average in ("micro", "macro"):
        table.add_row(average, *(f"{metrics[f'{average}_{name}']:.3f}" for name in ("precision", "recall", "f1")))
    return table
