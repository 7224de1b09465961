"""From an item to a record: a text, its entities, what is asked of it, and whatever else the input says about it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from glirel_transformers.data import Document, Mention
from glirel_transformers.files import decode_text, parse_json
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.options_glirel import ExtractionOptions
from glirel_transformers.relation_syntax import read_entity_type_lines, read_relation_lines
from glirel_transformers.requests_glirel import Entity, list_entities

from .sources import Item

Record = dict[str, Any]

_OUTPUT_FIELDS = ("relations", "none_pairs", "source", "line", "error")
"""Fields that the output needs for itself. Those of the input are renamed to `input_relations`, and so on."""


@dataclass(frozen=True)
class Malformed:
    """An item that cannot be processed.

    Args:
        item: the item.
        error: what is wrong with it.
    """

    item: Item
    error: str

    def to_record(self) -> Record:
        """The record that replaces it in the output, if it is kept: its place, its line (or text) and the error."""
        raw = self.item.raw.decode("utf-8", errors="replace")
        return {**place_of(self.item), "input": raw, "error": self.error}

    def __str__(self) -> str:
        return f"{self.item.place}: {self.error}"


@dataclass(frozen=True)
class TextRequest:
    """What is asked of one text.

    Args:
        item: the item that it was read from.
        fields: what the record carries through from there.
        text: the text.
        entities: its entities, as they are given; `None` leaves them to the recogniser.
        relation_types: what is asked of this text alone; `None` asks for what is asked of all.
        entity_types: which entities are to be found in this text alone, likewise.
    """

    item: Item
    fields: Record
    text: str
    entities: object = None
    relation_types: object = None
    entity_types: object = None

    def to_input(self) -> dict[str, object]:
        """The text as [`RelationExtractor`] takes it."""
        # Of a text that is given in words, sentences are in words as well: it is divided by its marks.
        sentences = None if "words" in self.fields else self.fields.get("sentences")
        return {
            "text": self.text,
            "entities": self.entities,
            "relation_types": self.relation_types,
            "entity_types": self.entity_types,
            "sentences": sentences,
        }

    @property
    def num_given(self) -> int:
        """How many entities the input names; those that are found follow them."""
        return 0 if self.entities is None else len(list_entities(self.entities))

    def to_record(
        self, entities: Sequence[Entity], relations: Sequence[Mapping[str, Any]], self_pairs: bool = False
    ) -> Record:
        """The output's record: the input's own fields, text, entities, relations and place.

        Args:
            entities: the entities as they were read, then those that were found; whatever else the input says about
                them is kept.
            relations: the relations between them.
            self_pairs: whether an entity could relate to itself, which readers of the record need to know.
        """
        given = [] if self.entities is None else list_entities(self.entities)
        given += [None] * (len(entities) - len(given))
        return {
            **self.fields,
            "text": self.text,
            "entities": [
                {**(one if isinstance(one, Mapping) else {}), **_rounded(entity.to_dict())}
                for one, entity in zip(given, entities, strict=True)
            ],
            "relations": [
                {**_rounded(relation), **{side: _rounded(relation[side]) for side in ("head", "tail")}}
                for relation in relations
            ],
            **({"self_pairs": True} if self_pairs else {}),
            **place_of(self.item),
        }


def _rounded(found: Mapping[str, Any]) -> dict[str, Any]:
    """An entity or a relation with scores of six digits."""
    rounded = dict(found)
    if "score" in rounded:
        rounded["score"] = round(rounded["score"], 6)
    if "scores" in rounded:
        rounded["scores"] = {name: round(score, 6) for name, score in rounded["scores"].items()}
    return rounded


def in_options(message: str) -> str:
    """An error message of the extractor, with options of the command line where it names arguments of Python.

    Examples:
        >>> in_options("It is too long. Pass truncation='window' to the pipeline.")
        'It is too long. Pass --truncation window.'
    """
    names = "|".join(option.name for option in fields(ExtractionOptions))
    return re.sub(
        rf"\b({names})=(['\"]?)(\w+)\2(?: to\s+the\s+pipeline)?",
        lambda found: f"--{found[1].replace('_', '-')} {found[3]}",
        message,
    )


def place_of(item: Item) -> Record:
    """Where a record comes from: its `source`, and its `line` where there are lines."""
    place: Record = {} if item.source is None else {"source": item.source}
    return place if item.line is None else {**place, "line": item.line}


def read_request(item: Item) -> TextRequest:
    """Understands an item.

    A row of a table has its text in the column that was named; its other cells are carried through.

    A JSON line has `text`, `entities` (with half-open character spans) and optionally `relation_types` and
    `entity_types`: a list of names, each as it stands, or a dictionary with settings; or a string of lines in the
    simple syntax. The library's
    training format, `words` and `mentions` with word spans, is read as well if there are no `entities`: its text is
    `text`, in which the words follow each other with only white space between them, or else the words joined by
    spaces; mentions with the same number as `entity` are one entity.

    Raises:
        ValueError, TypeError: when it cannot be understood.
    """
    text = decode_text(item.raw)
    if item.header is not None:
        text, cells = item.header.read_row(text)
        return TextRequest(item, _carried(cells, ("text", "entities", *_OUTPUT_FIELDS)), text)
    if item.kind not in ("jsonl", "documents"):
        return TextRequest(item, {}, text)
    record = parse_json(text)
    if not isinstance(record, dict):
        raise TypeError(f"It must be a JSON object with 'text' and 'entities': got {shortened(record)}.")
    fields = _carried({name: value for name, value in record.items() if name not in ("text", "entities")})
    asked, to_find = record.get("relation_types"), record.get("entity_types")
    text, entities = _read_text(record)
    return TextRequest(
        item,
        fields,
        text,
        entities,
        read_relation_lines(asked) if isinstance(asked, str) else asked,
        read_entity_type_lines(to_find) if isinstance(to_find, str) else to_find,
    )


def _carried(fields: Mapping[str, object], taken: Collection[str] = _OUTPUT_FIELDS) -> Record:
    """What a record carries through, renamed where the output needs the name."""
    return {f"input_{name}" if name in taken else name: value for name, value in fields.items()}


def _read_text(record: Mapping[str, Any]) -> tuple[str, object]:
    """The text, and its entities as they are given, in characters."""
    text, entities = record.get("text"), record.get("entities")
    is_in_words = "words" in record and (text is None or (entities is None and record.get("mentions") is not None))
    if is_in_words and isinstance(text, str | None):
        text, entities = _read_words(record)
    if not isinstance(text, str):
        raise TypeError(f"'text' must be a string: got {shortened(text)}. The record has {list(record)}.")
    return text, entities


def _read_words(record: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The text that was split into words, or else the words joined by spaces, and the entities given in words."""
    words, mentions = record["words"], record.get("mentions")
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise TypeError(f"'words' must be a list of words: got {shortened(words)}.")
    if not isinstance(mentions, list) or not all(isinstance(mention, Mapping) for mention in mentions):
        raise TypeError(f"A record with 'words' needs 'mentions', a list of objects: got {shortened(mentions)}.")
    spans = []
    for position, mention in enumerate(mentions):
        start, end = mention.get("start"), mention.get("end")
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(words)):
            raise ValueError(
                f"`mentions[{position}]` must have 'start' and 'end', half-open and in words, of which there are "
                f"{len(words)}: got {shortened(dict(mention))}."
            )
        spans.append(Mention(start, end, mention.get("label"), _entity_number(mention, position)))
    document = Document(words, spans, [], text=record.get("text"))
    text, placed = document.to_text()
    return text, [
        placed[entity[0]] if len(entity) == 1 else {"mentions": [placed[position] for position in entity]}
        for entity in document.entities
    ]


def _entity_number(mention: Mapping[str, Any], position: int) -> int | None:
    number = mention.get("entity")
    if number is None or (isinstance(number, int) and not isinstance(number, bool)):
        return number
    raise TypeError(f"`mentions[{position}].entity` must be a whole number: got {shortened(number)}.")
