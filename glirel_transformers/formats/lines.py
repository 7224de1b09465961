"""JSON lines and CSV, both written record by record."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from .facts import score_of, types_of

_SIDES = ("head", "tail")
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
CSV_COLUMNS = (
    *("id", "source", "line"),
    *("head", "head_label", "head_start", "head_end"),
    "relation",
    *("tail", "tail_label", "tail_start", "tail_end"),
    *("score", "error"),
    *("head_mentions", "tail_mentions"),
)


def to_json(record: object) -> str:
    """The record, or another value, as one line of JSON, without its end.

    Raises:
        ValueError: when a number in it is NaN or infinite, which JSON cannot hold.
    """
    try:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"A record cannot be written as JSON: {error}. Write null in its place.") from error
    try:
        line.encode()
    except UnicodeEncodeError:  # half a surrogate pair in a field that is carried through
        return json.dumps(record)
    return line


def write_jsonl(records: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Writes one JSON object a line, record by record."""
    for record in records:
        file.write(f"{to_json(record)}\n")


def write_csv(
    records: Iterable[Mapping[str, Any]],
    file: TextIO,
    with_text: bool = False,
    spreadsheet_safe: bool = False,
    with_entities: bool = False,
) -> None:
    """Writes one row a relation, record by record; the first row names the columns.

    `head_start` and `head_end` are those of the entity's first mention. Where it has several, `head_mentions` is a
    JSON list of them all, `[{"start": 0, "end": 11, "text": "Marie Curie"}, …]`, and else empty; so for the tail.

    A record with an `error` (one that could not be read, and was kept) is a row with its place and the error.

    Args:
        records: the records.
        file: a text file, opened with `newline=""`.
        with_text: adds the columns `text`, so that a row can be understood without its source, and `exhaustive`:
            whether all relations of the text are there, empty where the record does not say.
        spreadsheet_safe: puts an apostrophe before text that a spreadsheet would run as a formula (text that begins
            with `=`, `+`, `-`, `@`, a tab or a line break), and all text in quotation marks. Texts come from anywhere;
            `=HYPERLINK(…)` in one can send what is in other cells away.
        with_entities: also writes a row for each entity of a record, before its relations: what it is stands where
            the head does, `score` is its own where it was found, and `relation` and the tail are empty. One of
            several types has a row for each.
    """
    columns = (*CSV_COLUMNS, "text", "exhaustive") if with_text else CSV_COLUMNS
    plain = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    quoted = csv.DictWriter(file, columns, restval="", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    plain.writeheader()
    for row in _rows(records, with_text, with_entities):
        if spreadsheet_safe:
            quoted.writerow({name: _as_text(cell) for name, cell in row.items()})
        elif any("\r" in cell for cell in row.values() if isinstance(cell, str)):
            quoted.writerow(row)  # `plain` leaves a carriage return bare, and readers take it for the end of the row
        else:
            plain.writerow(row)


def _rows(records: Iterable[Mapping[str, Any]], with_text: bool, with_entities: bool) -> Iterator[dict[str, object]]:
    """The cells of each relation, and of each record with an error."""
    for record in records:
        place = {name: record[name] for name in ("id", "source", "line", "error") if record.get(name) is not None}
        place |= {"text": record.get("text", ""), "exhaustive": _said(record.get("exhaustive"))} if with_text else {}
        for entity in record.get("entities", ()) if with_entities else ():
            for label, score in types_of(entity).items():
                yield {**place, **_cells_of(entity, "head"), "head_label": label, "score": score}
        for relation in record.get("relations", ()):
            row = {**place, "relation": relation["relation"], "score": score_of(relation)}
            for side in _SIDES:
                row |= _cells_of(relation[side], side)
            yield row
        if "error" in record:
            yield place


def _said(value: object) -> str:
    """A truth value as a cell."""
    return "" if value is None else str(bool(value)).lower()


def _cells_of(entity: Mapping[str, Any], side: str) -> dict[str, object]:
    """The cells of an entity at one side of a relation."""
    row = {side: entity["text"], f"{side}_label": entity.get("label")}
    row |= {f"{side}_{end}": entity.get(end) for end in ("start", "end")}
    if "mentions" in entity:
        row[f"{side}_mentions"] = to_json(entity["mentions"])
    return row


def _as_text(cell: object) -> object:
    """A cell that no spreadsheet runs as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_SIGNS) else cell
