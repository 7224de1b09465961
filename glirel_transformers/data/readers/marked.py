"""Documents of tools for annotation, which mark spans of characters in a text and draw relations between them.

[`document_of`] brings them to words, in one place for all tools: white space at the ends of a span is left out, a span
that cuts a word is an error that names it, or with `alignment="expand"` is widened to whole words and counted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from glirel_transformers.data.alignment import WordText
from glirel_transformers.data.fields import check_types
from glirel_transformers.data.schema import Document, Mention, Relation

from .format import Reading

_FIELDS = {"source": str, "title": str, "exhaustive": bool, "entities_exhaustive": bool}
_OWN_FIELDS = {one.name for one in fields(Document)}
WIDENED = "spans that cut words, widened to whole words"
SAME_WORDS = "relations between parts of the same words"
UNTYPED = "relations without a type, whose documents are therefore not exhaustive"


@dataclass(frozen=True)
class Marked:
    """A span that was marked.

    Args:
        start, end: half-open, in characters of the text.
        labels: its types, in order; a mention is made of each, and relations hold between the first of them.
        where: what errors call it, such as `"T3"` or `"annotations[0].result[2]"`.
        entity: number of its entity, where that is known.
        score: how sure a model was of it.
    """

    start: object
    end: object
    labels: tuple[str, ...]
    where: str
    entity: int | None = None
    score: float | None = None


@dataclass(frozen=True)
class Drawn:
    """A relation that was drawn.

    Args:
        head, tail: keys of marked spans.
        relation_type: its name; empty where it has none.
        where: what errors call it.
        score: how sure a model was of it.
    """

    head: Hashable
    tail: Hashable
    relation_type: str
    where: str
    score: float | None = None


@dataclass
class Annotated:
    """A text as a tool gives it.

    Args:
        text: the text.
        spans: what was marked, by the keys that relations name.
        relations: what was drawn between them.
        exhaustive: as for a [`Document`].
        fields: further fields of the [`Document`].
    """

    text: str
    spans: Mapping[Hashable, Marked]
    relations: Iterable[Drawn] = ()
    exhaustive: bool = True
    fields: Mapping[str, Any] = field(default_factory=dict)


def document_fields(given: Mapping[str, object]) -> dict[str, Any]:
    """Fields of a [`Document`] from the further fields of a record: those that it may have, and `extra`, all others.

    Of the others, those that are called as a field of a document are renamed to `input_…`.
    """
    known = {name: given[name] for name, kind in _FIELDS.items() if isinstance(given.get(name), kind)}
    rest = {name: value for name, value in given.items() if name not in known}
    extra = {f"input_{name}" if name in _OWN_FIELDS else name: value for name, value in rest.items()}
    return {**known, "extra": extra}


def document_of(given: Annotated, reading: Reading) -> Document:
    """The document of an annotated text. What is listed twice is read once, and counted.

    Raises:
        TypeError, ValueError: when a span is outside the text or cuts a word, or a relation names none.
    """
    check_types("", {"text": given.text})
    split = WordText(given.text)
    mentions: list[Mention] = []
    position_of: dict[tuple[int, int, str | None, int | None], int] = {}
    place_of: dict[Hashable, int] = {}  # of each span, its first mention
    for key, marked in given.spans.items():
        words, is_widened = split.align((marked.start, marked.end), marked.where, reading.alignment)
        if is_widened:
            reading.notes(WIDENED, marked.where)
        for label in marked.labels or (None,):
            same = (*words, label, marked.entity)
            if same in position_of:
                reading.twice["mentions"] += 1
            else:
                position_of[same] = len(mentions)
                mentions.append(Mention(*words, label, marked.entity, score=marked.score))
            place_of.setdefault(key, position_of[same])
    relations, is_whole = _relations(given, place_of, reading)
    return Document(
        words=split.words,
        mentions=mentions,
        relations=relations,
        exhaustive=given.exhaustive and is_whole,
        text=given.text,
        self_pairs=any(relation.head == relation.tail for relation in relations),
        **given.fields,
    )


def _relations(given: Annotated, place_of: Mapping[Hashable, int], reading: Reading) -> tuple[list[Relation], bool]:
    """The relations between mentions, each once, and whether all that were drawn are among them."""
    relations: dict[Relation, None] = {}
    is_whole = True
    for drawn in given.relations:
        for side, key in (("head", drawn.head), ("tail", drawn.tail)):
            if key not in place_of:
                raise ValueError(
                    f"The {side} of `{drawn.where}` is {key!r}, which is none of the marked spans: "
                    f"{sorted(map(str, place_of))[:10]}. Mark it, or remove the relation."
                )
        head, tail = place_of[drawn.head], place_of[drawn.tail]
        if not drawn.relation_type.strip():
            reading.left_out[UNTYPED] += 1
            is_whole = False
            continue
        if head == tail and drawn.head != drawn.tail and not _same_span(given, drawn):
            reading.left_out[SAME_WORDS] += 1
            continue
        relation = Relation(head, tail, drawn.relation_type, score=drawn.score)
        reading.twice["relations"] += relation in relations
        relations.setdefault(relation)
    return list(relations), is_whole


def _same_span(given: Annotated, drawn: Drawn) -> bool:
    """Whether a relation joins two spans that were marked at the same place."""
    head, tail = given.spans[drawn.head], given.spans[drawn.tail]
    return (head.start, head.end) == (tail.start, tail.end)
