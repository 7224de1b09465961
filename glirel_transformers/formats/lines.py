"""JSON lines and CSV, both written record by record."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

_SIDES = ("head", "tail")
CSV_COLUMNS = (
    *("id", "source", "line"),
    *("head", "head_label", "head_start", "head_end"),
    "relation",
    *("tail", "tail_label", "tail_start", "tail_end"),
    *("score", "error"),
)


def to_json(record: Mapping[str, Any]) -> str:
    """The record as one line of JSON, without its end."""
    line = json.dumps(record, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:  # half a surrogate pair, in a field that is carried through
        return json.dumps(record)
    return line


def write_jsonl(records: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Writes one JSON object a line, record by record."""
    for record in records:
        file.write(f"{to_json(record)}\n")


def write_csv(records: Iterable[Mapping[str, Any]], file: TextIO, with_text: bool = False) -> None:
    """Writes one row a relation, record by record; the first row names the columns.

    A record with an `error` (one that could not be read, and was kept) is a row with its place and the error.

    Args:
        records: the records.
        file: a text file, opened with `newline=""`.
        with_text: adds the column `text`, so that a row can be understood without its source.
    """
    columns = (*CSV_COLUMNS, "text") if with_text else CSV_COLUMNS
    writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for record in records:
        place = {name: record[name] for name in ("id", "source", "line", "error") if record.get(name) is not None}
        place |= {"text": record.get("text", "")} if with_text else {}
        for relation in record.get("relations", ()):
            row = {**place, "relation": relation["relation"], "score": relation.get("score")}
            for side in _SIDES:
                entity = relation[side]
                row |= {side: entity["text"], f"{side}_label": entity.get("label")}
                row |= {f"{side}_{end}": entity.get(end) for end in ("start", "end")}
            writer.writerow(row)
        if "error" in record:
            writer.writerow(place)
