"""The console script `glirel`: one module for each command, registered here."""

from __future__ import annotations

import typer

from .convert import convert_checkpoint
from .evaluate import evaluate
from .extract import extract
from .info import info
from .pretrain import pretrain
from .train import train

app = typer.Typer(
    help="Zero-shot relation extraction.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(extract)
app.command()(train)
app.command()(evaluate)
app.command()(pretrain)
app.command()(info)
app.command("convert")(convert_checkpoint)

__all__ = ["app"]
