"""SemEval-2010 task 8: sentences with two marked nominals, one relation each.

    1	"The <e1>burst</e1> has been caused by water hammer <e2>pressure</e2>."
    Cause-Effect(e2,e1)
    Comment: a remark of the annotators

The name says the direction: the head is the nominal that stands first in it. `Other` is none of the nine relations. A
file of tests without relations, or without comments, is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from glirel_transformers.data.schema import Document, Mention, Relation
from glirel_transformers.files import StrPath, open_text
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .format import Format, Reading, Record
from .parts import split_at

NO_RELATION = "Other"
UNKNOWN = "sentences without a relation in the line after them, whose pairs are unknown"
_SENTENCE = re.compile(r"(\d+)\s+(.*)")
_MARK = re.compile(r"</?e[12]>")
_DIRECTED = re.compile(r"(?P<name>.+)\((?P<head>e[12]),\s*(?P<tail>e[12])\)")
_BEGINNING = re.compile(r"\d+\s.*<e[12]>")


def recognises(path: StrPath, head: str) -> bool:
    """Whether the first line of a file is a number and a sentence with two marked nominals."""
    first = next((line for line in head.splitlines() if line.strip()), "")
    return _BEGINNING.match(first) is not None


def records(path: StrPath) -> Iterator[tuple[str, Record | ValueError]]:
    """The sentences of a file, each with the line after it; an error for a line that is none of it, or a comment."""
    record: dict[str, object] = {}
    where = ""
    with open_text(path) as file:
        for number, line in enumerate(map(str.strip, file), start=1):
            place = f"{path}, line {number}"
            if not line or line.startswith("Comment"):
                continue
            if sentence := _SENTENCE.fullmatch(line):
                if record:
                    yield where, record
                record, where = {"id": sentence[1], "sentence": sentence[2]}, place
            elif record and "relation" not in record:
                record["relation"] = line
            else:
                yield (
                    place,
                    ValueError(
                        f"It is {shortened(line)}, where a number and a sentence, its relation, or 'Comment:' is "
                        "expected."
                    ),
                )
    if record:
        yield where, record


def matches(record: Record) -> bool:
    """Whether a record is a sentence of [`records`]."""
    return isinstance(record.get("sentence"), str) and "<e1>" in record["sentence"]


def read(record: Record, reading: Reading) -> Document:
    """The document of a sentence.

    Raises:
        ValueError: when it does not have two marked nominals, or the relation has no direction.
    """
    text, nominals = unmarked(record["sentence"])
    words, spans = split_at(text, nominals, reading)
    relation = record.get("relation")
    if relation is None:
        reading.notes(UNKNOWN, f"number {record.get('id')}")
    relations = []
    if relation is not None and relation != NO_RELATION:
        directed = directed_name(relation)
        if directed is None:
            raise ValueError(
                f"The relation is {relation!r}. Expected is a name with its direction, such as 'Cause-Effect(e1,e2)', "
                f"or {NO_RELATION!r}."
            )
        name, is_forward = directed
        head, tail = (0, 1) if is_forward else (1, 0)
        relations = [Relation(head, tail, name)]
    return Document(
        words=words,
        mentions=[Mention(*span) for span in spans],
        relations=relations,
        exhaustive=relation is not None,
        text=text,
        entities_exhaustive=False,
        extra={"id": record["id"]} if "id" in record else {},
    )


def unmarked(sentence: str) -> tuple[str, list[Span]]:
    """The text of a sentence, without its marks and the quotes around it, and the character spans of both nominals.

    Raises:
        ValueError: when each of the four marks is not there once, the beginning before the end.
    """
    if len(sentence) > 1 and sentence[0] == sentence[-1] == '"':
        sentence = sentence[1:-1]
    at: dict[str, int] = {}
    pieces: list[str] = []
    end = length = 0
    found = list(_MARK.finditer(sentence))
    for mark in found:
        pieces.append(sentence[end : mark.start()])
        length += len(pieces[-1])
        end = mark.end()
        at[mark[0]] = length
    if len(found) != 4 or len(at) != 4 or any(at[f"<e{n}>"] >= at[f"</e{n}>"] for n in "12"):
        raise ValueError(f"It must have one <e1>…</e1> and one <e2>…</e2>: got {shortened(sentence)}.")
    return "".join([*pieces, sentence[end:]]), [(at[f"<e{n}>"], at[f"</e{n}>"]) for n in "12"]


def directed_name(relation: str) -> tuple[str, bool] | None:
    """The name of a relation such as `Cause-Effect(e2,e1)`, and whether its head is e1; `None` without a direction."""
    found = _DIRECTED.fullmatch(relation)
    if found is None or found["head"] == found["tail"]:
        return None
    return found["name"], found["head"] == "e1"


SEMEVAL = Format(
    "semeval",
    "numbered sentences with <e1> and <e2>",
    matches,
    read,
    records=records,
    recognises=recognises,
    states="'Other' is read as no relation, though it may be one without a name here; entities have no types",
)
