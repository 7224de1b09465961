"""Examples from a table with a row for each relation, as the page writes it."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from glirel_transformers.data import Document, Relation
from glirel_transformers.files import StrPath, open_text
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import split_words

from . import groups
from .documents import with_groups
from .values import Entity, Span

_SIDES = ("head", "tail")
Places = tuple[Span, ...]  # all mentions of an entity, in the order of the text
_OF_RELATIONS = {"relation", "tail_start", "tail_end"}
_COLUMNS = {"text", "head_start", "head_end", *_OF_RELATIONS}


def read_table(path: StrPath) -> Iterator[Document]:
    """Yields an example for each text of a CSV file.

    A row without a relation and a tail is an entity. A text is complete where the column `exhaustive` of all its rows
    says `true`; a table without that column says of no text that all its relations are there.

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
    labels: dict[Places, str | None] = field(default_factory=dict)
    relations: list[tuple[Places, Places, str]] = field(default_factory=list)
    is_complete: bool = True

    def __post_init__(self) -> None:
        words = split_words(self.text)
        self._starts, self._ends = {start for start, _ in words}, {end for _, end in words}

    def add(self, row: Mapping[str, str]) -> None:
        self.is_complete &= row.get("exhaustive", "").strip().lower() == "true"
        head = self._read_places(row, "head")
        if not row["relation"].strip():
            self.labels[head] = row.get("head_label") or None
            return
        tail = self._read_places(row, "tail")
        if head == tail:
            raise ValueError(f"Head and tail are both at {tuple(head[0])}. A relation holds between two entities.")
        self.labels.update({head: row.get("head_label") or None, tail: row.get("tail_label") or None})
        self.relations.append((head, tail, row["relation"]))

    def _read_places(self, row: Mapping[str, str], side: str) -> Places:
        """All mentions of an entity."""
        first = self._read_span((row[f"{side}_start"], row[f"{side}_end"]), side)
        listed = (row.get(f"{side}_mentions") or "").strip()
        places = {first, *(self._read_span(span, side) for span in _read_mentions(listed, side))}
        read = tuple(sorted(places, key=lambda span: (span.start, -span.end)))
        for other in self.labels:
            if other != read and places & set(other):
                raise ValueError(
                    f"The {side} has the mentions {shortened(list(map(tuple, read)))}, and an entity of another row "
                    f"has {shortened(list(map(tuple, other)))}. A mention is of one entity: list all of them in "
                    f"`{side}_mentions` wherever it stands."
                )
        return read

    def _read_span(self, fields: tuple[object, object], side: str) -> Span:
        if not all(re.fullmatch(r"\s*[0-9]{1,9}\s*", str(field)) for field in fields):
            raise ValueError(
                f"The {side} is at {shortened(fields)}. `{side}_start` and `{side}_end` are whole numbers: the first "
                "character and the one after the last."
            )
        start, end = (int(str(field)) for field in fields)
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
        several = [places for places in self.labels if len(places) > 1]
        marks = groups.ordered(
            Entity(*span, label, several.index(places) + 1 if len(places) > 1 else None)
            for places, label in self.labels.items()
            for span in places
        )
        position = {mark.span: index for index, mark in enumerate(marks)}
        document = Document.from_text(
            self.text,
            [{"start": mark.start, "end": mark.end, "label": mark.label} for mark in marks],
            [
                Relation(position[head[0]], position[tail[0]], name)
                for head, tail, name in dict.fromkeys(self.relations)
            ],
            exhaustive=self.is_complete,
            source="labelled",
        )
        return with_groups(document, marks)


def _read_mentions(listed: str, side: str) -> list[tuple[object, object]]:
    """Starts and ends of the mentions in a cell, a JSON list of `{"start": 0, "end": 11}`."""
    if not listed:
        return []
    try:
        read = json.loads(listed)
        return [(mention["start"], mention["end"]) for mention in read]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(
            f"`{side}_mentions` is {shortened(listed)}. It is empty, or a JSON list such as "
            '[{"start": 0, "end": 11}, {"start": 30, "end": 33}].'
        ) from error


def _check_fields(row: Mapping[str, str]) -> None:
    empty = {column for column in _COLUMNS if not row.get(column, "").strip()}
    if empty and empty != _OF_RELATIONS:
        raise ValueError(
            f"The fields {sorted(empty)} are empty. Each row is a relation, or an entity without `relation` and tail: "
            "fill them in, or remove the row."
        )
