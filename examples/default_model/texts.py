"""Annotated texts in a form that people write: a field, its types, and texts with what holds in them.

    @field: hospital staff and wards
    @entity: physician
    @entity: hospital
    @relation: works at | physician -> hospital | employed by; is on the staff of | employs
    @relation: colleague of | physician -> physician | works with | =

    Last spring [Dr. Amina Farouk|physician] left [Leeds General|hospital] for [St Luke's|hospital], where
    [Farouk|physician=1] had trained.
    1 works at 3

A relation has a name, the entity types of its heads and tails, other names that mean the same, and names of the
relation that holds with head and tail swapped (`=` where it is the same one). Then each text is one line (here it is
two), in which mentions are marked as `[words|entity type]`, or `[words|entity type=1]` where the first mark is another
mention of the same entity; lines with relations follow, whose ends are numbers of marks; and an empty line. All that
holds of the field's relations is given: what is not, is known not to hold.

`broader.json` says which relations are of a broader kind ("affiliation", "cause-effect"), whose names hold as well.

    python examples/default_model/texts.py examples/default_model/texts/*.txt       # checks files and counts
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from glirel_transformers.data import Document, Relation

SOURCE = "written"
BROADER_SHARE = 0.5  # of the versions of a field, that are asked for broader names as well
MAX_BROADER = 4  # kinds of a version
_MARK = re.compile(r"\[([^\[\]|]+)\|([^\[\]|=]+)(?:=(\d+))?\]")
_RELATION = re.compile(r"(\d+) (.+) (\d+)")
# Other names of general entity types: what they are called differs from one data set to the next.
ENTITY_WORDINGS = {
    "person": ("human", "people", "individual", "person name", "PER"),
    "organization": ("organisation", "company or institution", "institution", "group or company", "ORG"),
    "location": ("place", "geographical location", "city, country or place", "LOC"),
    "date": ("time", "point in time", "day, month or year"),
    "event": ("happening", "incident or event"),
    "product": ("commercial product", "manufactured object"),
    "company": ("business", "firm", "corporation"),
    "city": ("town or city", "municipality"),
    "country": ("state", "nation"),
}


@dataclass(frozen=True)
class RelationName:
    """A relation of a field.

    Args:
        name: what the texts call it.
        heads, tails: entity types of its ends.
        wordings: names that mean the same.
        inverse: names of the relation that holds with head and tail swapped.
        is_symmetric: whether that is the same relation.
    """

    name: str
    heads: tuple[str, ...]
    tails: tuple[str, ...]
    wordings: tuple[str, ...] = ()
    inverse: tuple[str, ...] = ()
    is_symmetric: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, of both directions."""
        return (self.name, *self.wordings, *self.inverse)


@dataclass(frozen=True)
class Broader:
    """A broader kind of relation, such as "affiliation".

    Args:
        names, inverse, is_symmetric: as of a [`RelationName`].
        relations: names of relations that are of this kind.
        swapped: names of relations that are of this kind with head and tail swapped.
    """

    names: tuple[str, ...]
    inverse: tuple[str, ...]
    is_symmetric: bool
    relations: frozenset[str]
    swapped: frozenset[str]

    def ends(self, relation: Relation) -> tuple[int, int] | None:
        """Head and tail of this kind, where a relation is of it."""
        if relation.relation_type in self.relations:
            return relation.head, relation.tail
        return (relation.tail, relation.head) if relation.relation_type in self.swapped else None


def read_broader(path: Path) -> list[Broader]:
    """Reads `broader.json`."""
    return [
        Broader(
            tuple(kind["names"]),
            tuple(kind.get("inverse", ())),
            kind.get("symmetric", False),
            frozenset(kind["relations"]),
            frozenset(kind.get("swapped", ())),
        )
        for kind in json.loads(path.read_text(encoding="utf-8")).values()
    ]


@dataclass(frozen=True)
class Field:
    """A field with its types and its texts, in which relations go by their first names."""

    name: str
    entity_types: tuple[str, ...]
    relations: tuple[RelationName, ...]
    documents: tuple[Document, ...] = field(repr=False)

    @property
    def names(self) -> set[str]:
        """All names of its relations."""
        return {name for relation in self.relations for name in relation.names}


def read_field(path: Path) -> Field:
    """Reads a file.

    Raises:
        ValueError: for a line that does not fit; the message names it.
    """
    head: dict[str, list[str]] = {"field": [], "entity": [], "relation": []}
    blocks: list[list[tuple[int, str]]] = [[]]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if line.startswith("@"):
            kind, colon, value = line[1:].partition(":")
            if not colon or kind not in head:
                raise ValueError(f"{path}:{number}: `@field:`, `@entity:` or `@relation:` expected, got {line!r}.")
            head[kind].append(value.strip())
        elif line:
            blocks[-1].append((number, line))
        elif blocks[-1]:
            blocks.append([])
    if len(head["field"]) != 1:
        raise ValueError(f"{path}: one line `@field: NAME` expected, got {len(head['field'])}.")
    relations = [_read_relation(given, head["entity"], path) for given in head["relation"]]
    named = {relation.name: relation for relation in relations}
    documents = [_read_text(block, head["entity"], named, path) for block in blocks if block]
    return Field(head["field"][0], tuple(head["entity"]), tuple(named.values()), tuple(documents))


def _read_relation(given: str, entity_types: Sequence[str], path: Path) -> RelationName:
    parts = [part.strip() for part in given.split("|")]
    ends = parts[1].split("->") if len(parts) == 4 else []
    if len(ends) != 2:
        raise ValueError(
            f"{path}: `@relation: NAME | HEADS -> TAILS | OTHER NAMES | INVERSE NAMES` expected, got {given!r}."
        )
    heads, tails = (_split(end, ",") for end in ends)
    if unknown := [one for one in (*heads, *tails) if one not in entity_types]:
        raise ValueError(f"{path}: {parts[0]!r} has ends of the type {unknown[0]!r}, which no `@entity:` declares.")
    is_symmetric = parts[3] == "="
    inverse = () if is_symmetric else _split(parts[3], ";")
    return RelationName(parts[0], heads, tails, _split(parts[2], ";"), inverse, is_symmetric)


def _split(text: str, separator: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(separator) if part.strip()))


def _read_text(
    block: Sequence[tuple[int, str]], entity_types: Sequence[str], relations: dict[str, RelationName], path: Path
) -> Document:
    number, line = block[0]
    text, entities, entity_of, end = "", [], [], 0
    for mark in _MARK.finditer(line):
        text += line[end : mark.start()]
        words, label, same = mark.groups()
        if label not in entity_types:
            raise ValueError(f"{path}:{number}: {mark[0]!r} is of a type that no `@entity:` declares.")
        if same is not None and not 1 <= int(same) <= len(entities):
            raise ValueError(f"{path}:{number}: {mark[0]!r} refers to a mark that does not stand before it.")
        entity_of.append(len(entities) if same is None else entity_of[int(same) - 1])
        entities.append({"start": len(text), "end": len(text) + len(words), "label": label})
        text += words
        end = mark.end()
    text += line[end:]
    if any(character in text for character in "[]|"):
        raise ValueError(f"{path}:{number}: a bracket or bar that belongs to no mark, in {text!r}.")
    found: dict[tuple[int, int, str], Relation] = {}
    for place, relation_line in block[1:]:
        for one in _read_ends(relation_line, entities, relations, f"{path}:{place}"):
            found[one.head, one.tail, one.relation_type] = one
    try:
        document = Document.from_text(text, entities, list(found.values()), source=f"{SOURCE}/{path.stem}")
    except ValueError as error:
        raise ValueError(f"{path}:{number}: {error}") from error
    mentions = [replace(one, entity=entity) for one, entity in zip(document.mentions, entity_of, strict=True)]
    return replace(document, mentions=mentions, text=None)


def _read_ends(
    line: str, entities: Sequence[dict[str, object]], relations: dict[str, RelationName], where: str
) -> Iterator[Relation]:
    matched = _RELATION.fullmatch(line)
    if matched is None or matched[2] not in relations:
        raise ValueError(f"{where}: `HEAD NAME TAIL` with a name of a `@relation:` expected, got {line!r}.")
    relation, head, tail = relations[matched[2]], int(matched[1]) - 1, int(matched[3]) - 1
    if head == tail or not (0 <= head < len(entities) and 0 <= tail < len(entities)):
        raise ValueError(f"{where}: ends are two of the {len(entities)} marks, got {line!r}.")
    labels = entities[head]["label"], entities[tail]["label"]
    fits = labels[0] in relation.heads and labels[1] in relation.tails
    if not (fits or (relation.is_symmetric and labels[1] in relation.heads and labels[0] in relation.tails)):
        raise ValueError(f"{where}: {labels[0]} -> {labels[1]} are not the ends that {relation.name!r} declares.")
    yield Relation(head, tail, relation.name)
    if relation.is_symmetric:
        yield Relation(tail, head, relation.name)


def reworded(
    given: Field, broader: Sequence[Broader], far_names: Sequence[str], generator: random.Random
) -> Iterator[Document]:
    """Texts of a field in which each relation goes by one of its names, and some by their inverse as well.

    All have the same names, half of the time some of broader kinds as well. They are annotated for these and for
    `far_names`, none of which holds.
    """
    names, inverses = _draw_names(given, generator)
    kinds = _draw_broader(given, broader, {*names, *names.values(), *inverses.values()}, generator)
    labels = {
        label: generator.choice(ENTITY_WORDINGS[label])
        for label in given.entity_types
        if label in ENTITY_WORDINGS and generator.random() < 0.3
    }
    labels = {label: other for label, other in labels.items() if other not in given.entity_types}
    used = dict.fromkeys((*names.values(), *inverses.values(), *(name for name, _ in kinds)))
    relation_types = (*used, *(name for name in far_names if name not in used))
    entity_types = tuple(labels.get(label, label) for label in given.entity_types)
    for document in given.documents:
        relations = [replace(one, relation_type=names[one.relation_type]) for one in document.relations]
        relations += [
            Relation(one.tail, one.head, inverses[one.relation_type])
            for one in document.relations
            if one.relation_type in inverses
        ]
        relations += dict.fromkeys(
            Relation(*ends, name)
            for name, kind in kinds
            for one in document.relations
            if (found := kind.ends(one)) is not None
            for ends in (
                [found, found[::-1]] if kind.is_symmetric else [found[::-1] if name in kind.inverse else found]
            )
        )
        yield replace(
            document,
            mentions=[replace(one, label=one.label and labels.get(one.label, one.label)) for one in document.mentions],
            relations=relations,
            entities_exhaustive=True,
            annotated_entity_types=entity_types,
            annotated_relation_types=relation_types,
        )


def _draw_names(given: Field, generator: random.Random) -> tuple[dict[str, str], dict[str, str]]:
    """A name of each relation, and one of the inverse of most of those that have one; all are different."""
    own = {relation.name for relation in given.relations}
    names, inverses, used = {}, {}, set(own)
    for relation in given.relations:
        others = [name for name in relation.wordings if name not in used]
        names[relation.name] = generator.choice(others) if others and generator.random() < 0.5 else relation.name
        used.add(names[relation.name])
    for relation in given.relations:
        others = [name for name in relation.inverse if name not in used]
        if others and generator.random() < 0.7:
            inverses[relation.name] = generator.choice(others)
            used.add(inverses[relation.name])
    return names, inverses


def _draw_broader(
    given: Field, broader: Sequence[Broader], used: set[str], generator: random.Random
) -> list[tuple[str, Broader]]:
    """In half of the cases some of the kinds that relations of a field are of, each by one of its names."""
    own = {relation.name for relation in given.relations}
    fitting = [kind for kind in broader if own & (kind.relations | kind.swapped)]
    if generator.random() >= BROADER_SHARE:
        return []
    drawn = []
    for kind in generator.sample(fitting, min(len(fitting), MAX_BROADER)):
        names = kind.inverse if kind.inverse and generator.random() < 0.25 else kind.names
        if free := [name for name in names if name not in used]:
            drawn.append((generator.choice(free), kind))
            used.add(drawn[-1][0])
    return drawn


def joined(first: Document, second: Document) -> Document:
    """Two texts of a field as one passage. Nothing holds between the entities of the one and those of the other."""
    words, mentions = len(first.words), len(first.mentions)
    return replace(
        first,
        words=[*first.words, *second.words],
        mentions=[
            *first.mentions,
            # The entities of a text are numbered by their mentions.
            *(
                replace(one, start=one.start + words, end=one.end + words, entity=(one.entity or 0) + mentions)
                for one in second.mentions
            ),
        ],
        relations=[
            *first.relations,
            *(replace(one, head=one.head + mentions, tail=one.tail + mentions) for one in second.relations),
        ],
    )


def may_join(first: Document, second: Document) -> bool:
    """Whether two texts name nothing alike."""

    def named(document: Document) -> set[str]:
        return {
            word.lower() for one in document.mentions for word in document.words[one.start : one.end] if len(word) > 2
        }

    return not named(first) & named(second)


def versions(
    given: Field,
    broader: Sequence[Broader],
    number: int,
    draw_far: Callable[[random.Random], Sequence[str]],
    seed: int,
) -> Iterator[Document]:
    """All texts of a field `number` times, each time in other names; a fifth of them joined with another text."""
    for version in range(number):
        generator = random.Random(f"{seed}/{given.name}/{version}")
        whole = list(reworded(given, broader, draw_far(generator), generator))
        for document in whole:
            if generator.random() < 0.2 and may_join(document, other := generator.choice(whole)):
                document = joined(document, other)
            yield document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    fields, failed = [], []
    for path in parser.parse_args().files:
        try:
            fields.append(read_field(path))
        except ValueError as error:
            failed.append(str(error))
    documents = [document for one in fields for document in one.documents]
    table = Table("fields", "texts", "words", "mentions", "entity types", "relations", "relation types", "all names")
    table.add_row(
        *(
            f"{number:,}"
            for number in (
                len(fields),
                len(documents),
                sum(len(document.words) for document in documents),
                sum(len(document.mentions) for document in documents),
                len({name for one in fields for name in one.entity_types}),
                sum(len(document.relations) for document in documents),
                len({relation.name for one in fields for relation in one.relations}),
                len({name for one in fields for name in one.names}),
            )
        )
    )
    Console().print(table)
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
