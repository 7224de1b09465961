"""A data set as a file to take away, and back."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from glirel_transformers.data import Document, Relation, read_documents
from glirel_transformers.formats import write_csv, write_graphml, write_jsonl, write_turtle


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


def read(path: str | os.PathLike[str]) -> list[Document]:
    """The examples of an uploaded file, which is then removed from the server.

    Raises:
        ValueError: when it cannot be read; the message names the line.
    """
    reader = READERS.get(Path(path).suffix.lower())
    try:
        if reader is None:
            raise ValueError(
                f"{Path(path).name} is of no kind that holds examples: upload a file that ends in "
                f"{' or '.join(READERS)}. Graphs hold no texts."
            )
        try:
            documents = list(reader(path))
        except UnicodeDecodeError as error:
            raise ValueError(f"{Path(path).name} is no text in UTF-8.") from error
        except ValueError as error:
            raise ValueError(str(error).replace(os.fspath(path), Path(path).name)) from error
        except (AttributeError, csv.Error, RecursionError) as error:
            raise ValueError(f"{Path(path).name} cannot be read as examples: {error}") from error
        if not documents:
            raise ValueError(f"{Path(path).name} holds no examples.")
        return documents
    finally:
        Path(path).unlink(missing_ok=True)


def to_records(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Documents in the form of what the library extracts, for its writers of tables and graphs."""
    for number, document in enumerate(documents, start=1):
        text, entities = document.to_text()
        full = [
            {**entity, "text": text[entity["start"] : entity["end"]], "index": index}
            for index, entity in enumerate(entities)
        ]
        relations = [
            {"head": full[r.head], "relation": r.relation_type, "tail": full[r.tail], "score": None}
            for r in document.relations
        ]
        yield {"id": str(number), "text": text, "entities": full, "relations": relations}


def _write_jsonl(documents: Iterable[Document], file: Any) -> None:
    write_jsonl((document.to_dict() for document in documents), file)


def _with_records(writer: Callable[..., Any]) -> Callable[[Iterable[Document], Any], None]:
    def write_them(documents: Iterable[Document], file: Any) -> None:
        writer(to_records(documents), file)

    return write_them


WRITERS: dict[str, tuple[str, str, Callable[[Iterable[Document], Any], None]]] = {
    "JSONL": ("jsonl", "application/jsonl", _write_jsonl),
    "CSV": ("csv", "text/csv", _with_records(partial(write_csv, with_text=True))),
    "GraphML": ("graphml", "application/graphml+xml", _with_records(write_graphml)),
    "Turtle": ("ttl", "text/turtle", _with_records(write_turtle)),
}


def _read_csv(path: str | os.PathLike[str]) -> Iterator[Document]:
    """Examples from rows of relations; entities that take part in none are not in such a file."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if missing := _CSV_COLUMNS - set(rows.fieldnames or ()):
            raise ValueError(
                f"The CSV file lacks the columns {sorted(missing)}. Upload one that was downloaded here, or JSONL."
            )
        of_texts: dict[str, list[tuple[Span, str, Span]]] = {}
        labels: dict[str, dict[Span, str | None]] = {}
        for number, row in enumerate(rows, start=1):
            if not all(row[column] for column in _CSV_COLUMNS):
                raise ValueError(f"Relation {number} of the CSV file has an empty field: got {row}.")
            text = row["text"]
            head, tail = (_read_span(row, side, number) for side in _SIDES)
            of_texts.setdefault(text, []).append((head, row["relation"], tail))
            labels.setdefault(text, {}).update(
                {head: row.get("head_label") or None, tail: row.get("tail_label") or None}
            )
    for text, relations in of_texts.items():
        order = {span: index for index, span in enumerate(sorted(labels[text], key=lambda span: (span[0], -span[1])))}
        yield Document.from_text(
            text,
            [{"start": start, "end": end, "label": labels[text][start, end]} for start, end in order],
            [Relation(order[head], order[tail], relation) for head, relation, tail in dict.fromkeys(relations)],
            source="labelled",
        )


def _read_span(row: Mapping[str, str], side: str, number: int) -> Span:
    fields = row[f"{side}_start"], row[f"{side}_end"]
    if not all(field.strip().isdecimal() for field in fields):
        raise ValueError(
            f"The {side} of relation {number} of the CSV file is at {fields}. `{side}_start` and `{side}_end` are "
            "whole numbers: the first character and the one after the last."
        )
    start, end = map(int, fields)
    if not start < end <= len(row["text"]):
        raise ValueError(
            f"The {side} of relation {number} of the CSV file is at ({start}, {end}), in a text of "
            f"{len(row['text'])} characters. Spans are half-open and not empty."
        )
    return start, end


Span = tuple[int, int]  # in characters
_SIDES = ("head", "tail")
_CSV_COLUMNS = {"text", "relation", *(f"{side}_{end}" for side in _SIDES for end in ("start", "end"))}
READERS: dict[str, Callable[[str | os.PathLike[str]], Iterator[Document]]] = {
    ".jsonl": read_documents,
    ".csv": _read_csv,
}
