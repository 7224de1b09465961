"""`glirel convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import console, errors_without_traceback, plain


def convert_checkpoint(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Folder or Hub repository to read.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write.")],
    encoder: Annotated[
        str | None,
        typer.Option(help="Folder or Hub repository of the encoder. [default: what the checkpoint names]"),
    ] = None,
    label_encoder: Annotated[
        str | None,
        typer.Option(
            help="Folder or Hub repository of the encoder of relation types, which GLiDRE has. [default: what the "
            "checkpoint names]"
        ),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Write the original package's format instead.")] = False,
) -> None:
    """Convert a checkpoint of the original glirel or glidre package, or write one.

    For example:

        glirel convert jackboyla/glirel-large-v0 glirel-large

        glirel convert cea-list-ia/glidre_large glidre-large

        glirel convert glirel-large glirel-original --reverse
    """
    with errors_without_traceback():
        from transformers.utils import logging

        logging.disable_progress_bar()
        from glirel_transformers.conversion import convert, revert

        (revert if reverse else convert)(source, target, encoder=encoder, label_encoder=label_encoder)
    console.print(plain(f"Wrote {target}."))
