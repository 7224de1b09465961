"""Examples from a table with a row for each relation, as the page writes it."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from glirel_transformers.data import Document, Relation
from glirel_transformers.files import StrPath, open_text
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import split_words

from .values import Span, Triple

_SIDES = ("head", "tail")
_COLUMNS = {"text", "relation", *(f"{side}_{end}" for side in _SIDES for end in ("start", "end"))}


def read_table(path: StrPath) -> Iterator[Document]:
    """Yields an example for each text of a CSV file; entities that take part in no relation are not in such a file.

    Raises:
        ValueError: when the file or a row cannot be read. The message names the file, and the row as a spreadsheet
            counts it: the first one names the columns.
    """
    texts: dict[str, _LabelledText] = {}
    for where, row in _rows(path):
        try:
            _check_fields(row)
            if row["text"] not in texts:
                texts[row["text"]] = _LabelledText(row["text"])
            texts[row["text"]].add(row)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    yield from (text.to_document() for text in texts.values())


def _rows(path: StrPath) -> Iterator[tuple[str, dict[str, str]]]:
    """The place of each row, for errors, and its fields by column."""
    name, number = os.fspath(path), 1
    with open_text(path, newline="") as file:
        rows = csv.reader(file)
        try:
            columns = next(rows, [])
            if missing := sorted(_COLUMNS - set(columns)):
                raise ValueError(
                    f"{name}: The columns {missing} are missing. Upload a table from this page, or JSONL."
                )
            number = 2
            for fields in rows:
                if fields:
                    yield f"{name}, row {number}", dict(zip(columns, fields, strict=False))
                number += 1
        except csv.Error as error:
            raise ValueError(f"{name}, row {number}: It is not CSV: {error}.") from error


@dataclass
class _LabelledText:
    """A text, and what the rows say of it."""

    text: str
    labels: dict[Span, str | None] = field(default_factory=dict)
    relations: list[Triple] = field(default_factory=list)

    def __post_init__(self) -> None:
        words = split_words(self.text)
        self._starts, self._ends = {start for start, _ in words}, {end for _, end in words}

    def add(self, row: Mapping[str, str]) -> None:
        head, tail = (self._read_span(row, side) for side in _SIDES)
        if head == tail:
            raise ValueError(f"Head and tail are both at {tuple(head)}. A relation holds between two entities.")
        self.labels.update({head: row.get("head_label") or None, tail: row.get("tail_label") or None})
        self.relations.append(Triple(head, row["relation"], tail))

    def _read_span(self, row: Mapping[str, str], side: str) -> Span:
        fields = row[f"{side}_start"], row[f"{side}_end"]
        if not all(re.fullmatch(r"\s*[0-9]{1,9}\s*", field) for field in fields):
            raise ValueError(
                f"The {side} is at {shortened(fields)}. `{side}_start` and `{side}_end` are whole numbers: the first "
                "character and the one after the last."
            )
        start, end = map(int, fields)
        if not start < end <= len(self.text):
            raise ValueError(
                f"The {side} is at ({start}, {end}), in a text of {len(self.text)} characters. Spans are half-open "
                "and not empty."
            )
        if start not in self._starts or end not in self._ends:
            raise ValueError(
                f"The {side} is at ({start}, {end}), {shortened(self.text[start:end])}, which does not start and end "
                "on word boundaries. Mark whole words."
            )
        return Span(start, end)

    def to_document(self) -> Document:
        spans = sorted(self.labels, key=lambda span: (span.start, -span.end))
        position = {span: index for index, span in enumerate(spans)}
        return Document.from_text(
            self.text,
            [{"start": span.start, "end": span.end, "label": self.labels[span]} for span in spans],
            [Relation(position[r.head], position[r.tail], r.relation) for r in dict.fromkeys(self.relations)],
            source="labelled",
        )


def _check_fields(row: Mapping[str, str]) -> None:
    if empty := sorted(column for column in _COLUMNS if not row.get(column, "").strip()):
        raise ValueError(f"The fields {empty} are empty. Each row is a relation: fill them in, or remove the row.")
