"""What a writer of documents is, and what is lost where a format cannot hold all of a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from glirel_transformers.data.schema import Document

WITHOUT_TYPE = "Entity"
"""The type of mentions without one, where a format needs one."""


def _relations_elsewhere(document: Document) -> int:
    """Ends of relations at another mention of an entity than the first."""
    first_of = {mention: entity[0] for entity in document.entities for mention in entity}
    return sum(first_of[end] != end for relation in document.relations for end in (relation.head, relation.tail))


def _other_types(document: Document) -> int:
    """Mentions with another type than the first of their entity."""
    types = [[document.mentions[mention].label for mention in entity] for entity in document.entities]
    return sum(label != labels[0] for labels in types for label in labels)


OTHER_TYPES = "mentions with another type than the first of their entity"
TEXTS = "texts as they stood before they were split"

# What a document may have besides words, typed mentions and relations, and how often it has it; by what it is called.
PARTS: dict[str, Callable[[Document], int]] = {
    TEXTS: lambda d: d.text is not None,
    "entities of several mentions": lambda d: sum(len(entity) > 1 for entity in d.entities),
    "ends of relations at other mentions than the first of their entity": _relations_elsewhere,
    OTHER_TYPES: _other_types,
    "mentions without a type": lambda d: sum(mention.label is None for mention in d.mentions),
    "other names of mentions": lambda d: sum(bool(mention.names) for mention in d.mentions),
    "ids of relations": lambda d: sum(relation.relation_id is not None for relation in d.relations),
    "evidence of relations": lambda d: sum(bool(relation.evidence) for relation in d.relations),
    "scores": lambda d: sum(s is not None for s in [m.score for m in d.mentions] + [r.score for r in d.relations]),
    "sentences": lambda d: len(d.sentences),
    "titles": lambda d: d.title is not None,
    "sources": lambda d: d.source is not None,
    "histories": lambda d: bool(d.history),
    "texts with relations that are not exhaustive": lambda d: not d.exhaustive and bool(d.relations),
    "texts whose entities are known to be exhaustive or not": lambda d: d.entities_exhaustive is not None,
    "pairs that are known to have no relation": lambda d: len(d.none_pairs),
    "texts whose mentions may relate to themselves": lambda d: d.self_pairs,
    "further fields": lambda d: len(d.extra),
}


def said_of(document: Document, exhaustive: bool = True) -> dict[str, object]:
    """What is known of a whole document, for formats that carry fields: `source`, `title`, and what is exhaustive.

    Args:
        document: the document.
        exhaustive: whether to say that it is not exhaustive where it is not.
    """
    said = {"source": document.source, "title": document.title, "entities_exhaustive": document.entities_exhaustive}
    known = {name: value for name, value in said.items() if value is not None}
    return {**known, **({"exhaustive": False} if exhaustive and not document.exhaustive else {})}


@dataclass(frozen=True)
class Writer:
    """A format in which documents are written.

    Args:
        name: what users call it.
        what: what is written, in a few words.
        write: writes documents to a path, and returns how many there were.
        holds: which of `PARTS` it can hold.
    """

    name: str
    what: str
    write: Callable[[Path, Iterable[Document]], int]
    holds: frozenset[str] = frozenset()
