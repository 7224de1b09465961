"""Labelled documents as records, so that every format can be written from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glirel_transformers.data import Document


def records_of(documents: Iterable[Document]) -> Iterator[dict[str, Any]]:
    """Turns documents into records; an `id` counts them from 1.

    Each mention is an entity of its own, and a relation has no score: a person says that it holds.
    """
    for number, document in enumerate(documents, start=1):
        text, mentions = document.to_text()
        entities = [
            {**mention, "text": text[mention["start"] : mention["end"]], "index": index}
            for index, mention in enumerate(mentions)
        ]
        relations = [
            {"head": entities[r.head], "relation": r.relation_type, "tail": entities[r.tail], "score": None}
            for r in document.relations
        ]
        yield {"id": str(number), "text": text, "entities": entities, "relations": relations}
