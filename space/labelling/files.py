"""A data set as a file to download, and back."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from glirel_transformers.data import Document, read_documents
from glirel_transformers.files import StrPath
from glirel_transformers.formats import Writer, records_of, write_csv, write_graphml, write_jsonl, write_turtle

from .tables import read_table


def write(kind: str, documents: Sequence[Document]) -> dict[str, str]:
    """A file for the browser: its `name`, its media `type` and its `content`.

    Raises:
        ValueError: when there is nothing to write.
    """
    if not documents:
        raise ValueError("There is nothing to download yet. Save an example first.")
    suffix, media_type, writer = WRITERS[kind]
    file = io.StringIO()
    writer(documents, file)
    return {"name": f"relations.{suffix}", "type": media_type, "content": file.getvalue()}


def read(path: StrPath) -> list[Document]:
    """The examples of an uploaded file, which is then removed from the server.

    Raises:
        ValueError: when it cannot be read; the message names the file, and the line or row.
        OSError: when it is missing.
    """
    name, reader = Path(path).name, READERS.get(Path(path).suffix.lower())
    try:
        if reader is None:
            raise ValueError(
                f"{name} is not a file of examples. Upload one that ends in {' or '.join(READERS)}; graphs hold no "
                "texts."
            )
        documents = list(reader(path))
        if not documents:
            raise ValueError(f"{name} holds no examples.")
        return documents
    except ValueError as error:
        raise ValueError(str(error).replace(os.fspath(path), name)) from error
    finally:
        Path(path).unlink(missing_ok=True)


DocumentWriter = Callable[[Iterable[Document], TextIO], None]


def _write_jsonl(documents: Iterable[Document], file: TextIO) -> None:
    write_jsonl((document.to_dict() for document in documents), file)


def _of_records(writer: Writer) -> DocumentWriter:
    def write_them(documents: Iterable[Document], file: TextIO) -> None:
        known = list(documents)
        records = zip(records_of(known), known, strict=True)
        writer(({**record, "exhaustive": document.exhaustive} for record, document in records), file)

    return write_them


WRITERS: dict[str, tuple[str, str, DocumentWriter]] = {
    "JSONL": ("jsonl", "application/jsonl", _write_jsonl),
    "CSV": ("csv", "text/csv", _of_records(partial(write_csv, with_text=True, with_entities=True))),
    "GraphML": ("graphml", "application/graphml+xml", _of_records(write_graphml)),
    "Turtle": ("ttl", "text/turtle", _of_records(write_turtle)),
}
READERS: dict[str, Callable[[StrPath], Iterator[Document]]] = {".jsonl": read_documents, ".csv": read_table}
