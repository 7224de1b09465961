"""How all commands read annotated documents: the format that is named, or guessed and said aloud."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .console import errors, is_main_process, plain

if TYPE_CHECKING:
    from glirel_transformers.data import Document

_GUESSES = "glirel_transformers.data.readers.guess"  # by name: the command line starts without the readers
PANEL = "How documents are read"

Reader = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="NAME",
        help="Format of all files of documents, such as docred, fewrel or tacred. [default: what each file looks "
        "like, which is said]",
        rich_help_panel=PANEL,
    ),
]
Exhaustive = Annotated[
    bool | None,
    typer.Option(
        "--exhaustive/--not-exhaustive",
        help="Whether a pair without a relation is known to have none. [default: as the format says]",
        rich_help_panel=PANEL,
    ),
]
Alignment = Annotated[
    Literal["strict", "expand"],
    typer.Option(
        help="Spans of characters that cut words: an error, or widened to whole words and counted.",
        rich_help_panel=PANEL,
    ),
]


class _OnStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if is_main_process():
            errors.print(f"[yellow]note:[/yellow] {plain(record.getMessage())} Another format: --reader NAME.")


@contextmanager
def guesses_on_stderr() -> Iterator[None]:
    """Within it, the format that is guessed of a file is printed."""
    logger, handler = logging.getLogger(_GUESSES), _OnStderr()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def read_files(
    files: Iterable[Path], reader: str | None = None, exhaustive: bool | None = None, alignment: str = "strict"
) -> list[Document]:
    """The documents of all files.

    Raises:
        ValueError: when one cannot be read.
    """
    from glirel_transformers.data import read_documents

    return [
        document
        for file in files
        for document in read_documents(file, reader=reader, exhaustive=exhaustive, alignment=alignment)
    ]
