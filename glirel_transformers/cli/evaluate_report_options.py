"""The options of `glirel evaluate --report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Report"

Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FOLDER",
        help="Write a report: report.html (one page, opens offline), report.md, report.json, errors.jsonl and plots. "
        "Scores are kept there as they come: the same command goes on where it was stopped.",
        rich_help_panel=_PANEL,
    ),
]
Compare = Annotated[
    list[str] | None,
    typer.Option(
        "--compare",
        metavar="CHECKPOINT",
        help="Put another checkpoint next to this one, with a paired bootstrap over documents. Repeatable.",
        rich_help_panel=_PANEL,
    ),
]
Resamples = Annotated[
    int, typer.Option("--resamples", min=1, help="How often the bootstrap draws.", rich_help_panel=_PANEL)
]
Probe = Annotated[
    int,
    typer.Option(
        "--probe",
        min=0,
        metavar="N",
        help="Documents on which other orders and other names of the relation types are tried; 0 tries none.",
        rich_help_panel=_PANEL,
    ),
]
Orders = Annotated[
    int, typer.Option("--orders", min=0, help="Orders of the relation types to try.", rich_help_panel=_PANEL)
]
Paraphrases = Annotated[
    Path | None,
    typer.Option(
        "--paraphrases",
        exists=True,
        dir_okay=False,
        help='Other names to try: JSON, {"place of birth": ["birthplace"]}, or lines of a name and its paraphrases, '
        "separated by tabs. Case, underscores and an article are tried in any case.",
        rich_help_panel=_PANEL,
    ),
]
