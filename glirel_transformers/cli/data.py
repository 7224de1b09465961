"""`glirel data`: commands for files of documents, registered here."""

from __future__ import annotations

import typer

from .data_convert import convert
from .data_split import split
from .data_stats import stats
from .data_validate import validate

data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", context_settings={"help_option_names": ["-h", "--help"]}
)


@data_app.callback()
def data() -> None:
    """Convert, count, check and split files of annotated documents.

    For example:

        glirel data stats train.jsonl

        glirel data validate train.jsonl --against test.jsonl
    """


data_app.command()(convert)
data_app.command()(stats)
data_app.command()(validate)
data_app.command()(split)
