"""A data set as a file to download, and back."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from glirel_transformers.data import Document, read_documents
from glirel_transformers.files import StrPath, open_text
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


def read(path: StrPath) -> list[Document] | list[str]:
    """The examples of an uploaded file, or its texts, where it has no more; the file is then removed from the server.

    Raises:
        ValueError: when it cannot be read; the message names the file, and the line or row.
        OSError: when it is missing.
    """
    name, reader = Path(path).name, READERS.get(Path(path).suffix.lower())
    try:
        if reader is None:
            raise ValueError(
                f"{name} is not a file of examples or texts. Upload one that ends in {' or '.join(READERS)}; graphs "
                "hold no texts."
            )
        found: list[Any] = list(reader(path))  # of one kind
        if not found:
            raise ValueError(f"{name} holds no examples.")
        return found
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


def _read_paragraphs(path: StrPath) -> Iterator[str]:
    """The texts of a file, between which there are empty lines."""
    with open_text(path) as file:
        yield from (text for text in map(str.strip, re.split(r"\n[^\S\n]*\n", file.read())) if text)


def _read_json_lines(path: StrPath) -> Iterator[Document] | Iterator[str]:
    """Examples in any format that is read, or texts: lines with `text` and nothing that says what is in it."""
    with open_text(path) as file:
        lines = [line for line in file if line.strip()]
    try:
        records = [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return read_documents(path)  # which says what is wrong, and where
    if records and all(isinstance(one, dict) and _is_plain(one) for one in records):
        return (one["text"] for one in records if one["text"].strip())
    return read_documents(path)


def _is_plain(record: Mapping[str, object]) -> bool:
    return isinstance(record.get("text"), str) and not record.keys() & _ANNOTATED


_ANNOTATED = {"words", "mentions", "entities", "relations", "tokens", "spans", "label", "labels", "entity_types"}
READERS: dict[str, Callable[[StrPath], Iterator[Document] | Iterator[str]]] = {
    ".jsonl": _read_json_lines,
    ".csv": read_table,
    ".txt": _read_paragraphs,
}
