"""brat's standoff files: a text, `doc.txt`, and next to it what is annotated, `doc.ann`; one of them, or a folder.

    T1	PERSON 0 11	Marie Curie
    T2	CITY 24 30	Warsaw
    T3	PERSON 32 35	She
    R1	place_of_birth Arg1:T1 Arg2:T2
    *	Equiv T1 T3

Positions are half-open, in characters. Spans in `Equiv` are mentions of one entity. brat writes a span over a line end
in fragments, `0 5;6 12`: with only white space between them they are one span. Those of a discontinuous span are read
as the span from the first to the last, which is counted and named. A relation to an event is one to its trigger;
events, attributes, normalizations and notes are counted and left out.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from glirel_transformers.data.schema import Document
from glirel_transformers.files import StrPath, read_text
from glirel_transformers.text_glirel import Span

from .format import Format, Reading, Record
from .marked import Annotated, Drawn, Marked, document_of
from .units import CHARACTERS, in_characters

DISCONTINUOUS = "discontinuous spans, read from their first to their last character"
_KINDS = {
    "E": "events (E)",
    "A": "attributes (A)",
    "M": "attributes (M)",
    "N": "normalizations (N)",
    "#": "notes (#)",
    "*": "relations of equivalence that are not Equiv (*)",
}
_SPAN = re.compile(r"\S+ \d+ \d+(;\d+ \d+)*")
_LINE = re.compile(r"(?:[TREMAN#][\w.-]*|\*)\t\S+")


@dataclass
class _Span:
    """A text-bound annotation: what [`in_characters`] reads, and its label."""

    place: str
    offsets: Span
    surface: str | None
    label: str


@dataclass
class _Standoff:
    """What the lines of a file say."""

    spans: dict[str, _Span] = field(default_factory=dict)
    fragments: dict[str, list[Span]] = field(default_factory=dict)
    triggers: dict[str, str] = field(default_factory=dict)  # of each event
    relations: list[tuple[str, str, str, str]] = field(default_factory=list)  # id, type, head, tail
    same: list[list[str]] = field(default_factory=list)


def recognises(path: StrPath, head: str) -> bool:
    """Whether it is a file of annotations, a text beside one, or a folder with them."""
    path = Path(path)
    if path.is_dir():
        return next(path.rglob("*.ann"), None) is not None
    if path.suffix == ".txt":
        return path.with_suffix(".ann").is_file()
    return path.suffix == ".ann" and (path.with_suffix(".txt").is_file() or bool(_LINE.match(head)))


def records(path: StrPath) -> Iterator[tuple[str, Record | ValueError]]:
    """A record for each text, by name: its `text`, its lines of annotations as `lines`, and its name as `id`.

    Raises:
        ValueError: when a folder has no annotations. A file of annotations without a text beside it is yielded as
            one, and so is a single text without annotations.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    names = [path.with_suffix("")]
    if path.is_dir():
        names = sorted({file.with_suffix("") for suffix in ("ann", "txt") for file in path.rglob(f"*.{suffix}")})
        if not any(name.with_name(f"{name.name}.ann").is_file() for name in names):
            raise ValueError(f"{path}: It is a folder without .ann files. Name one that brat wrote, or a file.")
    for name in names:
        annotations, text = (name.with_name(f"{name.name}.{suffix}") for suffix in ("ann", "txt"))
        if not annotations.is_file() and path.is_dir():
            yield str(text), {}
            continue
        if not annotations.is_file():
            yield str(path), ValueError(f"Its annotations, {annotations.name}, are not beside it. Copy them there.")
            continue
        if not text.is_file():
            yield str(annotations), ValueError(f"Its text, {text.name}, is not beside it. Copy it there.")
            continue
        yield (
            str(annotations),
            {
                "text": read_text(text),
                "lines": read_text(annotations).split("\n"),
                "id": name.relative_to(root).as_posix(),
            },
        )


def read(record: Record, reading: Reading) -> Document | None:
    """The document of a record of [`records`], `None` for a text without annotations.

    Raises:
        ValueError: when a line cannot be read, or does not fit the text.
    """
    if not record:
        reading.left_out["texts without an .ann file beside them"] += 1
        return None
    text = record["text"]
    said = _Standoff()
    for number, line in enumerate(record["lines"], start=1):
        if line.strip():
            _read_line(line.rstrip(), said, f"Line {number}", reading)
    for name, span in said.spans.items():
        if _is_discontinuous(text, said.fragments[name]):
            reading.notes(DISCONTINUOUS, f"{name} of {record['id']}")
            span.surface = None  # brat leaves out what is between
    entity_of = _entities(said)
    marked: dict[Hashable, Marked] = {}
    places = in_characters(text, list(said.spans.values()), reading, likeliest=CHARACTERS)
    for (name, span), (start, end) in zip(said.spans.items(), places, strict=True):
        marked[name] = Marked(start, end, (span.label,), name, entity_of.get(name))
    drawn = [
        Drawn(said.triggers.get(head, head), said.triggers.get(tail, tail), kind, name)
        for name, kind, head, tail in said.relations
    ]
    return document_of(Annotated(text, marked, drawn, fields={"extra": {"id": record["id"]}}), reading)


def _read_line(line: str, said: _Standoff, where: str, reading: Reading) -> None:
    name, tab, rest = line.partition("\t")
    kind = name[:1] if tab else ""
    if kind == "T":
        _read_span(name, rest, said, where)
    elif kind == "R":
        said.relations.append(_read_relation(name, rest, where))
    elif name == "*" and rest.startswith("Equiv "):
        said.same.append(rest.split()[1:])
    elif kind in _KINDS and rest:
        if kind == "E":
            said.triggers[name] = rest.split()[0].partition(":")[2]
        reading.left_out[_KINDS[kind]] += 1
    else:
        raise ValueError(
            f"{where} is {line[:80]!r}, which is none that brat writes. It begins with an identifier, such as T1 or "
            "R1, and a tab."
        )


def _read_span(name: str, rest: str, said: _Standoff, where: str) -> None:
    place, _, surface = rest.partition("\t")
    if not _SPAN.fullmatch(place):
        raise ValueError(
            f"{where} is {name} with {place[:80]!r}, where there must be a type, a start and an end, as in 'PERSON 0 "
            "11', or several, as in 'PERSON 0 5;12 17'."
        )
    if name in said.spans:
        raise ValueError(f"{where} is {name} again. Each annotation has an identifier of its own.")
    label, _, given = place.partition(" ")
    fragments = sorted(tuple(map(int, fragment.split())) for fragment in given.split(";"))
    said.fragments[name] = [(start, end) for start, end in fragments]
    first, last = fragments[0][0], fragments[-1][1]
    said.spans[name] = _Span(name, (first, last), surface or None, label)


def _read_relation(name: str, rest: str, where: str) -> tuple[str, str, str, str]:
    kind, *arguments = rest.split()
    ends = [argument.partition(":")[2] for argument in arguments]
    if len(ends) != 2 or not all(ends):
        raise ValueError(
            f"{where} is {name} with {rest[:80]!r}, where there must be a type and two arguments, as in 'born_in "
            "Arg1:T1 Arg2:T2'."
        )
    return name, kind, ends[0], ends[1]


def _entities(said: _Standoff) -> dict[str, int]:
    """The number of the entity of each span that is the same as others."""
    entity_of: dict[str, int] = {}
    for number, names in enumerate(said.same):
        if missing := [name for name in names if name not in said.spans]:
            raise ValueError(f"`Equiv` names {missing[0]!r}, which is none of the spans. Mark it, or remove it.")
        joined = {entity_of[name] for name in names if name in entity_of}
        entity_of |= dict.fromkeys([name for name in entity_of if entity_of[name] in joined], number)
        entity_of |= dict.fromkeys(names, number)
    numbers = {entity: number for number, entity in enumerate(dict.fromkeys(entity_of.values()))}
    return {name: numbers[entity] for name, entity in entity_of.items()}


def _is_discontinuous(text: str, fragments: Sequence[Span]) -> bool:
    """Whether anything but white space is between the fragments of a span."""
    return any(text[end:start].strip() for (_, end), (start, _) in pairwise(fragments))


BRAT = Format(
    "brat",
    "an .ann file beside a .txt file",
    lambda record: False,
    read,
    records=records,
    recognises=recognises,
    states="pairs without a relation are read as having none",
)
