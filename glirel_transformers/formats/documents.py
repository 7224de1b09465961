"""Labelled documents as records, so that every format can be written from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glirel_transformers.data import Document


def records_of(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Turns documents into records; an `id` counts them from 1.

    Mentions with the same `entity` are one entity, which has them as `mentions`; any other mention is an entity of its
    own. A relation without a score is one that a person says to hold. `self_pairs` and `exhaustive` are there where
    they are not the default, so that the records can be read as documents again; `title` and `sentences` (half-open
    spans of characters) where they are known; and the documents' `extra`, of which `id` takes the place of the count.
    """
    from glirel_transformers.mentions_glirel import read_entities  # which needs numpy; the command line starts without

    for number, document in enumerate(documents, start=1):
        text, given, stated = document.to_entities()
        entities = [entity.to_dict() for entity in read_entities(given, text)]
        relations = [
            {"head": entities[r.head], "relation": r.relation_type, "tail": entities[r.tail], "score": r.score}
            for r in stated
        ]
        said = {
            **({"self_pairs": True} if document.self_pairs else {}),
            **({} if document.exhaustive else {"exhaustive": False}),
            **({} if document.title is None else {"title": document.title}),
            **({"sentences": document.char_sentences()} if document.sentences else {}),
            **rare_of(document),
        }
        written: dict[str, Any] = {"text": text, "entities": entities, "relations": relations, **said}
        extra = {f"input_{name}" if name in written else name: value for name, value in document.extra.items()}
        yield {"id": str(number), **extra, **written}


def rare_of(document: Document) -> dict[str, Any]:
    """What is said of few documents."""
    from glirel_transformers.data.pairs import entity_none_pairs

    none_pairs = list(map(list, entity_none_pairs(document)))
    return {
        **({} if document.entities_exhaustive is None else {"entities_exhaustive": document.entities_exhaustive}),
        **({"none_pairs": none_pairs} if none_pairs else {}),
    }
