"""What is the same entity, and what is the same fact, over many texts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Node = tuple[str, str | None]


def node_of(entity: Mapping[str, Any]) -> Node:
    """What makes two mentions one entity: the same text and the same type."""
    return entity["text"], entity.get("label")


def score_of(relation: Mapping[str, Any]) -> float | None:
    """The score of a relation; `None` where a person added it.

    Raises:
        ValueError: when it is NaN or infinite, for which no format has a number.
    """
    score = relation.get("score")
    if score is not None and not math.isfinite(score):
        raise ValueError(
            f"The score of {relation['relation']!r} between {relation['head']['text']!r} and "
            f"{relation['tail']['text']!r} is {score}, which is not a number. Leave the score out, or the relation."
        )
    return score


def types_of(entity: Mapping[str, Any]) -> dict[str | None, float | None]:
    """The types of an entity with their scores, the likeliest first; a score is `None` where it was not found."""
    scores = entity.get("scores")
    found = scores if isinstance(scores, Mapping) and scores else {entity.get("label"): entity.get("score")}
    return {label: score if isinstance(score, (int, float)) else None for label, score in found.items()}


def found_types(entity: Mapping[str, Any]) -> dict[str, float]:
    """The types that a model found an entity to be of, with their scores."""
    return {label: score for label, score in types_of(entity).items() if label is not None and score is not None}


def other_names(entity: Mapping[str, Any]) -> list[str]:
    """What else an entity is called, where it has several mentions: their texts but that of the first, each once."""
    texts = dict.fromkeys(mention["text"] for mention in entity.get("mentions", ()))
    return [text for text in texts if text != entity["text"]]


def once_per_pair(records: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Records for a graph with one edge for each fact: for each relation between two entities, by text and type.

    First come all records without their relations, then a record for each fact, in the order in which the facts were
    found. Its only relation has the number of its `mentions`; its score and the place of the record (`id`, `source`,
    `line`) are those of the mention with the best score. Facts are held in memory.

    Examples:
        >>> place = {"source": "a.txt", "entities": []}
        >>> ada, bob = {"text": "Ada", "label": "PERSON"}, {"text": "Bob", "label": "PERSON"}
        >>> found = [{"head": ada, "relation": "spouse", "tail": bob, "score": score} for score in (0.6, 0.9)]
        >>> *_, fact = once_per_pair([{**place, "relations": found}])
        >>> fact["relations"][0]["score"], fact["relations"][0]["mentions"]
        (0.9, 2)
    """
    facts: dict[tuple[Node, str, Node], dict[str, Any]] = {}
    for record in records:
        place = {name: record[name] for name in ("id", "source", "line") if name in record}
        for relation in record.get("relations", ()):
            key = node_of(relation["head"]), relation["relation"], node_of(relation["tail"])
            known = facts.get(key)
            num_mentions = 1 if known is None else known["relations"][0]["mentions"] + 1
            if known is None or _score(relation) > _score(known["relations"][0]):
                known = facts[key] = {**place, "relations": [dict(relation)]}
            known["relations"][0]["mentions"] = num_mentions
        yield {name: value for name, value in record.items() if name != "relations"}
    yield from facts.values()


def _score(relation: Mapping[str, Any]) -> float:
    """The score, or less than any where a person added the relation."""
    score = score_of(relation)
    return -1.0 if score is None else float(score)
