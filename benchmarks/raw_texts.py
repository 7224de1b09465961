"""Workloads of the benchmark against GLiNER-Relex: raw texts, made by rule, in which everything is to be found."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workloads import Text, make_text, relation_names

# Short and long names in turn, as those of relation types.
_ENTITY_TYPES = [
    *("person", "city or town", "organization", "work of art", "company", "scientific instrument", "date"),
    *("body of water", "country", "award given to a person", "university", "military unit", "building"),
]

LEVELS = {"span": "markerV0", "token": "token_level"}  # how entities are found, and the original's name for it


@dataclass(frozen=True)
class Kind:
    """A kind of text.

    Args:
        num_entities: how many entities a text names, and how many candidates are to be found in it on average.
        num_words: the least, the usual and the largest number.
        num_entity_types, num_relations: how many types are asked for.
    """

    num_entities: int
    num_words: tuple[int, int, int]
    num_entity_types: int
    num_relations: int


KINDS = {
    "sentence": Kind(4, (18, 25, 32), 4, 5),
    "paragraph": Kind(20, (130, 150, 170), 10, 10),
}


@dataclass(frozen=True)
class RawWorkload:
    """What is asked in one measurement.

    Args:
        name: how it is called on the command line and in the tables.
        kind: of the texts, a name in `KINDS`.
        level: how the model finds entities, a name in `LEVELS`.
        batch_size: how many texts are read at once.
        num_texts: how many texts one measurement reads.
    """

    name: str
    kind: str
    level: str
    batch_size: int
    num_texts: int


_NUM_TEXTS = {("sentence", 1): 24, ("sentence", 16): 48, ("paragraph", 1): 6, ("paragraph", 16): 16}
WORKLOADS = {
    workload.name: workload
    for workload in (
        RawWorkload(f"{kind}-{level}-b{batch_size}", kind, level, batch_size, num_texts)
        for level in LEVELS
        for (kind, batch_size), num_texts in _NUM_TEXTS.items()
    )
}


def entity_type_names(count: int) -> list[str]:
    """`count` different names of entity types.

    Raises:
        ValueError: when there are not so many.
    """
    if not 0 < count <= len(_ENTITY_TYPES):
        raise ValueError(f"`count` must be from 1 to {len(_ENTITY_TYPES)}, the number of names: got {count}.")
    return _ENTITY_TYPES[:count]


def texts_of(kind: str, count: int) -> list[Text]:
    """`count` different texts of a kind."""
    num_entities, (low, usual, high) = KINDS[kind].num_entities, KINDS[kind].num_words
    generators = [random.Random(f"raw {kind} {index}") for index in range(count)]
    return [make_text(one, num_entities, round(one.triangular(low, high, usual))) for one in generators]


def as_requests(texts: Sequence[Text]) -> list[dict[str, Any]]:
    """Texts in the form in which the workers take them: entities are for them to find."""
    return [{"words": text.words, "text": " ".join(text.words)} for text in texts]


def request_of(workload: RawWorkload, entity_threshold: float | None = None) -> dict[str, Any]:
    """What the workers are to read for a workload."""
    kind = KINDS[workload.kind]
    return {
        "texts": as_requests(texts_of(workload.kind, workload.num_texts)),
        "relation_types": relation_names(kind.num_relations),
        "batch_size": workload.batch_size,
        "entity_types": entity_type_names(kind.num_entity_types),
        "entity_threshold": entity_threshold,
    }
