"""Labelled documents as records, so that every format can be written from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glirel_transformers.data import Document


def records_of(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Turns documents into records; an `id` counts them from 1.

    Mentions with the same `entity` are one entity, which has them as `mentions`; any other mention is an entity of its
    own. A relation has no score: a person says that it holds. `self_pairs` and `exhaustive` are there where they are
    not the default, so that the records can be read as documents again.
    """
    from glirel_transformers.mentions_glirel import read_entities  # which needs numpy; the command line starts without

    for number, document in enumerate(documents, start=1):
        text, given, stated = document.to_entities()
        entities = [entity.to_dict() for entity in read_entities(given, text)]
        relations = [
            {"head": entities[r.head], "relation": r.relation_type, "tail": entities[r.tail], "score": None}
            for r in stated
        ]
        said = {
            **({"self_pairs": True} if document.self_pairs else {}),
            **({} if document.exhaustive else {"exhaustive": False}),
        }
        yield {"id": str(number), "text": text, "entities": entities, "relations": relations, **said}
