r"""The original format of CoNLL04, of Roth and Yih (`conll04.corp`): an entity or a word a line, then relations.

    19	Peop	0	O	NNP/NNP	Ada/Lovelace	O	O	O
    19	O	1	O	VBZ	lives	O	O	O
    19	O	2	O	IN	in	O	O	O
    19	Loc	3	O	NNP	London	O	O	O

    0	3	Live_In

The columns are the number of the sentence, the type of the entity, the number of the row, one that is not used, parts
of speech, and words; the words of an entity have `/` between them, and `COMMA` stands for a comma. Relations have the
rows of head and tail. Empty lines are after the words and after the relations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from glirel_transformers.data.schema import Document
from glirel_transformers.files import StrPath, open_text
from glirel_transformers.mentions_glirel import shortened

from .format import Format, Reading, Record
from .parts import Parts

UNCLEAR_SLASH = "rows with another number of words than of parts of speech, divided at each /"
_ROW = re.compile(r"\d+\t\S+\t\d+\t\S+\t\S+\t\S+(?:\t\S+){3}")
_RELATION = re.compile(r"\d+\t\d+\t\S+")


def recognises(path: StrPath, head: str) -> bool:
    """Whether the first line of a file is a row of nine columns."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return _ROW.fullmatch(first.strip()) is not None


def records(path: StrPath) -> Iterator[tuple[str, Record | ValueError]]:
    """The sentences of a file, each with its rows and its relations; an error for a line that is neither."""
    rows: list[list[str]] = []
    relations: list[list[str]] = []
    is_open, where = False, ""  # whether rows may follow
    with open_text(path) as file:
        for number, line in enumerate(map(str.strip, file), start=1):
            place = f"{path}, line {number}"
            if not line:
                is_open = False
            elif _ROW.fullmatch(line):
                columns = line.split("\t")
                if rows and (not is_open or columns[0] != rows[-1][0]):
                    yield where, {"rows": rows, "relations": relations}
                    rows, relations = [], []
                where = where if rows else place
                rows.append(columns)
                is_open = True
            elif rows and _RELATION.fullmatch(line):
                relations.append(line.split("\t"))
                is_open = False
            else:
                yield (
                    place,
                    ValueError(
                        f"It is {shortened(line)}, where a row of nine columns, or a relation with the rows of its "
                        "head and its tail, is expected, with tabs between columns."
                    ),
                )
    if rows:
        yield where, {"rows": rows, "relations": relations}


def matches(record: Record) -> bool:
    """Whether a record is a sentence of [`records`]."""
    return "rows" in record and "relations" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a sentence.

    Raises:
        ValueError: when a relation is of a row that has no entity.
    """
    rows = record["rows"]
    words: list[str] = []
    spans: list[tuple[int, int]] = []
    for row in rows:
        start = len(words)
        words += _words_of(row, reading)
        spans.append((start, len(words)))
    parts = Parts(words, reading)
    entity_at = {
        row[2]: parts.mention(span, row[1], where=f"row {row[2]}")
        for row, span in zip(rows, spans, strict=True)
        if row[1] != "O"
    }
    for head, tail, name in record["relations"]:
        for row in (head, tail):
            if row not in entity_at:
                raise ValueError(f"The relation {name} of the rows {head} and {tail} needs an entity in row {row}.")
        parts.relation(entity_at[head], entity_at[tail], name)
    return parts.document(exhaustive=True, extra={"sentence": rows[0][0]})


def _words_of(row: Sequence[str], reading: Reading) -> list[str]:
    """The words of a row. One with a slash in it, such as `9/16`, has one part of speech."""
    tags, given = row[4].split("/"), row[5].split("/")
    if len(given) > 1 and row[1] == "O" and len(tags) == 1:
        given = [row[5]]
    elif len(given) != len(tags):
        reading.noted[UNCLEAR_SLASH] += 1
    return [word.replace("COMMA", ",") for word in given if word] or [row[5]]


ROTH = Format("roth", "rows of nine columns, then relations", matches, read, records=records, recognises=recognises)
