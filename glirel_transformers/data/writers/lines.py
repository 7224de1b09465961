"""Formats of one JSON object a line: the library's own two, GLiNER's and doccano's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from operator import methodcaller
from pathlib import Path
from typing import Any

from glirel_transformers.data.schema import Document
from glirel_transformers.files import open_to_write
from glirel_transformers.formats.documents import rare_of

from .format import OTHER_TYPES, PARTS, TEXTS, WITHOUT_TYPE, Writer, said_of


def write_lines(to_record: Callable[[Document], dict[str, Any]], path: Path, documents: Iterable[Document]) -> int:
    """Writes a record a line, and returns how many there were."""
    count = 0
    with open_to_write(path) as file:
        for document in documents:
            file.write(json.dumps(to_record(document), ensure_ascii=False) + "\n")
            count += 1
    return count


def to_text(document: Document) -> dict[str, Any]:
    """A record by characters, as `glirel extract` reads them; heads and tails are positions in `entities`."""
    text, entities, relations = document.to_entities()
    scores = [document.mentions[entity[0]].score for entity in document.entities]
    return {
        **document.extra,
        "text": text,
        "entities": [
            {**entity, **({} if score is None else {"score": score})}
            for entity, score in zip(entities, scores, strict=True)
        ],
        "relations": [
            {
                "head": relation.head,
                "relation": relation.relation_type,
                "tail": relation.tail,
                **({} if relation.relation_id is None else {"relation_id": relation.relation_id}),
                **({} if relation.score is None else {"score": relation.score}),
            }
            for relation in relations
        ],
        **({} if document.exhaustive else {"exhaustive": False}),
        **({} if document.source is None else {"source": document.source}),
        **({"history": list(document.history)} if document.history else {}),
        **({"self_pairs": True} if document.self_pairs else {}),
        **({} if document.title is None else {"title": document.title}),
        **({"sentences": document.char_sentences()} if document.sentences else {}),
        **rare_of(document),
    }


def to_gliner(document: Document) -> dict[str, Any]:
    """A record of GLiNER's training files, whose ends are inclusive; without `relations` where pairs are unknown."""
    relations = [[relation.head, relation.tail, relation.relation_type] for relation in document.relations]
    return {
        "tokenized_text": list(document.words),
        "ner": [[mention.start, mention.end - 1, mention.label or ""] for mention in document.mentions],
        **({"relations": relations} if relations or document.exhaustive else {}),
        **({} if document.source is None else {"source": document.source}),
    }


def to_doccano(document: Document) -> dict[str, Any]:
    """A record as doccano imports and exports it."""
    text, mentions = document.to_text()
    return {
        **said_of(document),
        "Comments": [],
        **document.extra,
        "text": text,
        "entities": [
            {
                "id": position,
                "label": mention["label"] or WITHOUT_TYPE,
                "start_offset": mention["start"],
                "end_offset": mention["end"],
            }
            for position, mention in enumerate(mentions)
        ],
        "relations": [
            {"id": position, "from_id": relation.head, "to_id": relation.tail, "type": relation.relation_type}
            for position, relation in enumerate(document.relations)
        ],
    }


OWN = Writer(
    "own", "the library's own format, by words", partial(write_lines, methodcaller("to_dict")), frozenset(PARTS)
)
TEXT = Writer(
    "text",
    "by characters, as glirel extract reads and writes it",
    partial(write_lines, to_text),
    frozenset(
        (
            TEXTS,
            "entities of several mentions",
            "mentions without a type",
            "ids of relations",
            "scores",
            "sentences",
            "titles",
            "sources",
            "histories",
            "texts with relations that are not exhaustive",
            "texts whose entities are known to be exhaustive or not",
            "pairs that are known to have no relation",
            "texts whose mentions may relate to themselves",
            "further fields",
        )
    ),
)
GLINER = Writer(
    "gliner",
    "GLiNER's training files",
    partial(write_lines, to_gliner),
    frozenset(
        (
            OTHER_TYPES,
            "mentions without a type",
            "sources",
            "texts whose entities are known to be exhaustive or not",
        )
    ),
)
DOCCANO = Writer(
    "doccano",
    "doccano's import and export",
    partial(write_lines, to_doccano),
    frozenset(
        (
            TEXTS,
            OTHER_TYPES,
            "sources",
            "titles",
            "texts with relations that are not exhaustive",
            "texts whose entities are known to be exhaustive or not",
            "further fields",
        )
    ),
)
