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
    empty_words: Annotated[
        str,
        typer.Option(
            help="'kept', or 'skipped': words of which the tokenizer keeps nothing, such as a soft hyphen, are read "
            "as by the original GLiNER-Relex, where they shift all later words."
        ),
    ] = "kept",
    reverse: Annotated[bool, typer.Option("--reverse", help="Write the original package's format instead.")] = False,
) -> None:
    """Convert a checkpoint of the original glirel, glidre or gliner package (GLiNER-Relex), or write one.

    For example:

        glirel convert jackboyla/glirel-large-v0 glirel-large

        glirel convert cea-list-ia/glidre_large glidre-large

        glirel convert knowledgator/gliner-relex-large-v1.0 relex-large

        glirel convert glirel-large glirel-original --reverse
    """
    with errors_without_traceback():
        from transformers.utils import logging

        logging.disable_progress_bar()
        from glirel_transformers.conversion import convert, revert

        encoders = {"encoder": encoder, "label_encoder": label_encoder}
        if not reverse:
            convert(source, target, **encoders, empty_words=empty_words)
        elif empty_words != "kept":
            raise ValueError("`--empty-words` is for the conversion to this package. Leave it out with `--reverse`.")
        else:
            revert(source, target, **encoders)
    console.print(plain(f"Wrote {target}."))
