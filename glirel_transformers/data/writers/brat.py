"""brat's standoff files: a folder with `doc.txt` and `doc.ann` for each document, and the types in `annotation.conf`.

A document has the name of its `id` (a field of its `extra`), else its number. Types have no spaces there: they become
underscores, which is counted. A span over a line end is written in fragments, as brat needs it, and a score as a note,
which annotators see.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from glirel_transformers.data.schema import Document
from glirel_transformers.files import open_to_write

from .format import OTHER_TYPES, TEXTS, WITHOUT_TYPE, Writer

logger = logging.getLogger(__name__)

CONFIGURATION = "annotation.conf"


def to_standoff(document: Document) -> tuple[str, list[str]]:
    """The text of a document, and the lines of its annotations."""
    text, mentions = document.to_text()
    lines = [
        f"T{number}\t{as_type(mention['label'] or WITHOUT_TYPE)} {_span(text, mention)}"
        for number, mention in enumerate(mentions, start=1)
    ]
    lines += [
        f"R{number}\t{as_type(relation.relation_type)} Arg1:T{relation.head + 1} Arg2:T{relation.tail + 1}"
        for number, relation in enumerate(document.relations, start=1)
    ]
    for entity in document.entities:
        if len(entity) > 1:
            lines.append(f"*\tEquiv {' '.join(f'T{mention + 1}' for mention in entity)}")
    scored = {f"T{number}": mention.score for number, mention in enumerate(document.mentions, start=1)}
    scored |= {f"R{number}": relation.score for number, relation in enumerate(document.relations, start=1)}
    known = [(name, score) for name, score in scored.items() if score is not None]
    lines += [f"#{number}\tAnnotatorNotes {name}\tscore {score:g}" for number, (name, score) in enumerate(known, 1)]
    return text, lines


def as_type(name: str) -> str:
    """A name as brat takes it: with underscores for white space."""
    return re.sub(r"\s+", "_", name.strip())


def _span(text: str, mention: Mapping[str, int]) -> str:
    """The positions of a mention, in fragments that have no line end in them, and its text."""
    fragments = [
        (mention["start"] + found.start(), mention["start"] + found.end())
        for found in re.finditer(r"[^\s](?:[^\r\n]*[^\s])?", text[mention["start"] : mention["end"]])
    ]
    places = ";".join(f"{start} {end}" for start, end in fragments)
    surface = " ".join(text[start:end] for start, end in fragments)
    return f"{places}\t{surface}"


def _write(path: Path, documents: Iterable[Document]) -> int:
    """Writes a folder of texts and annotations, and returns how many texts there were.

    Raises:
        FileExistsError: when a file is there already: annotations of a person must not be lost.
    """
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path} is a file. brat's format is a folder: name one, which is created.")
    path.mkdir(parents=True, exist_ok=True)
    types: dict[str, set[str]] = {"entities": set(), "relations": set()}
    count = 0
    for name, document in _named(documents):
        count += 1
        text, lines = to_standoff(document)
        files = {path / f"{name}.txt": text, path / f"{name}.ann": "".join(f"{line}\n" for line in lines)}
        for file, content in files.items():
            if file.exists():
                raise FileExistsError(f"{file} is there already. Name an empty folder, so that nothing is lost.")
            file.parent.mkdir(parents=True, exist_ok=True)
            with open_to_write(file) as opened:
                opened.write(content)
        types["entities"] |= {mention.label or WITHOUT_TYPE for mention in document.mentions}
        types["relations"] |= {relation.relation_type for relation in document.relations}
    _configure(path / CONFIGURATION, types)
    changed = sorted(name for names in types.values() for name in names if as_type(name) != name)
    if changed:
        logger.warning(
            "%s: types have no spaces in brat: %d names were written with underscores, such as %r.",
            path,
            len(changed),
            as_type(changed[0]),
        )
    return count


def _named(documents: Iterable[Document]) -> Iterator[tuple[str, Document]]:
    """Documents with names for files, each of its own."""
    taken: set[str] = set()
    for number, document in enumerate(documents, start=1):
        given = document.extra.get("id")
        parts = [re.sub(r"[^\w.-]+", "_", part).strip(".") for part in str(given).split("/")] if given else []
        name = "/".join(filter(None, parts)) or f"{number:05d}"
        if name in taken:
            name = f"{name}-{number}"
        taken.add(name)
        yield name, document


def _configure(file: Path, types: Mapping[str, Iterable[str]]) -> None:
    """Writes the types, without which brat shows nothing, unless somebody has written them."""
    if file.exists():
        return
    entities, relations = (sorted(set(map(as_type, types[kind]))) for kind in ("entities", "relations"))
    ends = "Arg1:<ENTITY>, Arg2:<ENTITY>"
    lines = ["[entities]", *entities, "", "[relations]", *(f"{name}\t{ends}" for name in relations)]
    with open_to_write(file) as opened:
        opened.write("\n".join([*lines, "", "[events]", "", "[attributes]", ""]))


BRAT = Writer(
    "brat",
    "brat's standoff files, in a folder",
    _write,
    frozenset(
        (
            TEXTS,
            OTHER_TYPES,
            "entities of several mentions",
            "ends of relations at other mentions than the first of their entity",
        )
    ),
)
