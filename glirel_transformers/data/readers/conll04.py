r"""CoNLL04 in columns, as multi-head selection has it: a word a line, a document after each `#doc`.

    #doc 5121
    0	Ada	B-Peop	['Live_In']	[3]
    1	lives	O	['N']	[1]
    2	in	O	['N']	[2]
    3	London	B-Loc	['N']	[3]

The columns are the number of the word, the word, its entity's type (B- where one begins), the relations whose head
ends with this word, and the last words of their tails. `N` is no relation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from glirel_transformers.data.schema import Document
from glirel_transformers.files import StrPath, open_text
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record
from .parts import Parts

NO_RELATION = "N"
BEGUN_INSIDE = "entities that begin with I- in place of B-, and were read as such"
NOT_LAST = "relations of a word that is not the last one of its entity, read as of that entity"
_COLUMNS = "number, word, type, relations and heads, with tabs between them"
_ROW = re.compile(r"\d+\t[^\t]*\t(?:O|[BI]-[^\t]+)\t\[.*\]\t\[.*\]")


def recognises(path: StrPath, head: str) -> bool:
    """Whether a file begins with `#doc` and a row of five columns, or with such a row."""
    lines = [line for line in head.splitlines() if line.strip()]
    row = next((line for line in lines[:2] if not line.startswith("#doc")), "")
    return _ROW.fullmatch(row) is not None


def records(path: StrPath) -> Iterator[tuple[str, Record]]:
    """The documents of a file, each with its rows."""
    record: dict[str, list[str]] = {}
    where = name = ""
    with open_text(path) as file:
        for number, line in enumerate(file, start=1):
            line = line.rstrip("\n")
            is_named = line.startswith("#doc")
            if record and (is_named or line.startswith("0\t")):
                yield where, {"name": name, **record}
                record, name = {}, ""
            if is_named:
                name = line.removeprefix("#doc").strip()
            elif line.strip():
                if not record:
                    record, where = {"rows": []}, f"{path}, line {number}"
                record["rows"].append(line)
    if record:
        yield where, {"name": name, **record}


def matches(record: Record) -> bool:
    """Whether a record is a document of [`records`]."""
    return "rows" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of rows.

    Raises:
        ValueError: when a row does not have these columns, or a relation is of a word that is in no entity.
    """
    rows = [_columns(row, index) for index, row in enumerate(record["rows"])]
    parts = Parts([row[1] for row in rows], reading)
    entity_at: dict[int, int] = {}  # of each word in one
    for start, end, label in entities_of([row[2] for row in rows], reading):
        position = parts.mention((start, end), label, where=f"row {start}")
        entity_at.update(dict.fromkeys(range(start, end), position))

    def entity(word: int, row: int) -> int:
        if word not in entity_at:
            raise ValueError(
                f"Row {row} has a relation between the words {row} and {word}, but word {word} is in no entity."
            )
        reading.noted[NOT_LAST] += parts.mentions[entity_at[word]].end != word + 1
        return entity_at[word]

    for index, (_, _, _, names, tails) in enumerate(rows):
        for name, tail in zip(names, tails, strict=True):
            if name != NO_RELATION:
                parts.relation(entity(index, index), entity(tail, index), name)
    return parts.document(exhaustive=True, extra={"doc": record["name"]} if record.get("name") else {})


def entities_of(tags: list[str], reading: Reading) -> list[tuple[int, int, str]]:
    """The first word, the word after the last one and the type of each entity, from tags in BIO.

    Raises:
        ValueError: when a tag is not O, B-TYPE or I-TYPE.
    """
    entities: list[tuple[int, int, str]] = []
    for index, tag in enumerate(tags):
        kind, _, label = tag.partition("-")
        if tag == "O":
            continue
        if kind not in ("B", "I") or not label:
            raise ValueError(f"Row {index} has the type {tag!r}. Expected is 'O', or a type after 'B-' or 'I-'.")
        goes_on = kind == "I" and bool(entities) and entities[-1][1:] == (index, label)
        if goes_on:
            entities[-1] = (entities[-1][0], index + 1, label)
        else:
            reading.noted[BEGUN_INSIDE] += kind == "I"
            entities.append((index, index + 1, label))
    return entities


def _columns(row: str, index: int) -> tuple[int, str, str, list[str], list[int]]:
    columns = row.split("\t")
    if len(columns) != 5:
        raise ValueError(f"Row {index} has {len(columns)} columns, where {_COLUMNS} are expected: {shortened(row)}.")
    try:
        number, names, tails = (ast.literal_eval(columns[at]) for at in (0, 3, 4))
    except (SyntaxError, ValueError):
        number, names, tails = None, None, None
    is_whole = isinstance(names, list) and isinstance(tails, list) and len(names) == len(tails)
    if number != index or not is_whole:
        raise ValueError(
            f"Row {index} is {shortened(row)}. Expected are {_COLUMNS}, where rows are numbered from 0, and there is "
            "a head for each relation."
        )
    if not all(isinstance(name, str) for name in names) or not all(isinstance(tail, int) for tail in tails):
        raise ValueError(f"Row {index} must have names of relations and numbers of words: got {shortened(row)}.")
    return index, columns[1], columns[2], names, tails


CONLL04 = Format("conll04", "'#doc' and columns of words", matches, read, records=records, recognises=recognises)
