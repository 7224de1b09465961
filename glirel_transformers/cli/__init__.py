"""The console script `glirel`: one module for each command, registered here."""

from __future__ import annotations

from typing import Annotated

import typer

from glirel_transformers._version import __version__

from .calibrate import calibrate
from .convert import convert_checkpoint
from .data import data_app
from .evaluate import evaluate
from .export import export_checkpoint
from .extract import extract
from .info import info
from .reading import guesses_on_stderr
from .synthesize import synthesize
from .train import train
from .train_options import TrainCommand

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"glirel-transformers {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Zero-shot relation extraction: between the entities of a text, for any relation names.

    Try it:

        glirel extract "Marie Curie was born in Warsaw." -e "Marie Curie=PERSON" -e Warsaw=CITY -r "place of birth"

    Each command explains itself: `glirel extract --help`. An error is one line; `GLIREL_DEBUG=1` adds its traceback.
    """
    context.with_resource(guesses_on_stderr())


app.command()(extract)
app.command(cls=TrainCommand)(train)
app.command()(evaluate)
app.command()(calibrate)
app.command()(info)
app.command("convert")(convert_checkpoint)
app.command("export")(export_checkpoint)
app.command()(synthesize)
app.add_typer(data_app, name="data")

__all__ = ["app"]
