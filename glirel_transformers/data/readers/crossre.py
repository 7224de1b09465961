"""CrossRE's format: a sentence a line, with entities and relations by words. Its ends are INCLUSIVE.

    {"doc_key": "news-dev-7", "sentence": ["Ada", "lives", "in", "London"],
     "ner": [[0, 0, "person"], [3, 3, "location"]], "relations": [[0, 0, 3, 3, "physical", "lives", false, false]]}

A relation is the ends of its head, those of its tail, its type, and what annotators said of it: an explanation, and
whether they were uncertain of its type or of the syntax. The last three are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .format import Format, Reading, Record
from .parts import Parts, inclusive, list_of, text_of


def matches(record: Record) -> bool:
    """Whether a record has words as `sentence`, and entities and relations as lists."""
    return isinstance(record.get("sentence"), list) and "ner" in record and "relations" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a sentence.

    Raises:
        TypeError, ValueError: when an entity or a relation is not such a list, or is out of range.
    """
    parts = Parts(record["sentence"], reading)
    at: dict[Span, int] = {}
    for index, entity in enumerate(list_of(record["ner"], list, "ner")):
        span, label = read_entity(entity, f"ner[{index}]")
        position = parts.listed(span, label, f"ner[{index}]")
        at.setdefault(span, position)
    for index, relation in enumerate(list_of(record["relations"], list, "relations")):
        head, tail, name = read_relation(relation, f"relations[{index}]")
        for span in (head, tail):
            if span not in at:
                raise ValueError(
                    f"`relations[{index}]` is {shortened(relation)}, but there is no entity at "
                    f"{[span[0], span[1] - 1]} (inclusive). Add it to `ner`."
                )
        parts.relation(at[head], at[tail], name)
    extra = {"doc_key": record["doc_key"]} if "doc_key" in record else {}
    return parts.document(exhaustive=True, extra=extra)


def read_entity(entity: Sequence[object], where: str) -> tuple[Span, str]:
    """The span and the type of `[first word, last word, type]`.

    Raises:
        TypeError, ValueError: when it is not that.
    """
    if len(entity) < 3:
        raise TypeError(f"`{where}` must be a list of first word, last word and type: got {shortened(entity)}.")
    return inclusive(entity[0], entity[1], where), text_of(entity[2], where)


def read_relation(relation: Sequence[object], where: str) -> tuple[Span, Span, str]:
    """The head, the tail and the type of `[first, last, first, last, type]`.

    Raises:
        TypeError, ValueError: when it is not that.
    """
    if len(relation) < 5:
        raise TypeError(
            f"`{where}` must be a list of the head's first and last word, those of the tail, and the type: got "
            f"{shortened(relation)}."
        )
    head, tail = inclusive(relation[0], relation[1], where), inclusive(relation[2], relation[3], where)
    return head, tail, text_of(relation[4], where)


CROSSRE = Format(
    "crossre",
    "'sentence', 'ner' and 'relations'",
    matches,
    read,
    in_arrays=True,
    states="explanations and doubts of annotators are left alone",
)
