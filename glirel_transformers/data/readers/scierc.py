"""The format of SciERC, which DyGIE++, PURE and others use: a document a line. Its ends are INCLUSIVE.

    {"doc_key": "ada", "sentences": [["Ada", "wrote", "a", "program", "."], ["She", "tested", "it", "."]],
     "ner": [[[0, 0, "Person"], [2, 3, "Work"]], []], "relations": [[[0, 0, 2, 3, "Author-of"]], []],
     "clusters": [[[0, 0], [5, 5]], [[2, 3], [7, 7]]]}

Positions of words count from the start of the document. `ner` and `relations` have a list for each sentence, and may
be left out; `clusters`, the mentions of each entity, as well. Relations are annotated within sentences: of pairs of
two sentences nothing is known. What models predicted (`predicted_ner`, …) and events are left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import Any

from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .crossre import read_entity, read_relation
from .format import Format, Reading, Record
from .parts import Parts, inclusive, list_of

NOT_LISTED = "ends of relations and mentions of clusters that are not among the entities, read without a type"


def matches(record: Record) -> bool:
    """Whether a record has its sentences as lists of words, and entities or relations by sentence, or a `doc_key`."""
    sentences = record.get("sentences")
    if not isinstance(sentences, list) or not all(
        isinstance(one, list) and all(isinstance(word, str) for word in one) for one in sentences
    ):
        return False  # the sentences of our own formats are spans
    return "words" not in record and any(name in record for name in ("ner", "relations", "doc_key", "clusters"))


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    Raises:
        TypeError, ValueError: when an entity or a relation does not fit, or a mention is in two clusters.
    """
    sentences = list_of(record["sentences"], list, "sentences")
    parts = Parts([word for sentence in sentences for word in sentence], reading)
    bounds = [0]
    for sentence in sentences:
        bounds.append(bounds[-1] + len(sentence))
    spans = list(pairwise(bounds))
    at: dict[Span, int] = {}
    for where, entity in _by_sentence(record, "ner", len(spans)):
        span, label = read_entity(entity, where)
        position = parts.listed(span, label, where)
        at.setdefault(span, position)
    for where, relation in _by_sentence(record, "relations", len(spans)):
        head, tail, name = read_relation(relation, where)
        parts.relation(_find(head, at, parts, reading, where), _find(tail, at, parts, reading, where), name)
    _read_clusters(record.get("clusters"), at, parts, reading)
    is_known = record.get("relations") is not None
    if is_known and len(spans) > 1:
        for sentence in spans:
            inside = [i for i, one in enumerate(parts.mentions) if sentence[0] <= one.start and one.end <= sentence[1]]
            for pair in permutations(inside, 2):
                parts.none(*pair)
    return parts.document(
        exhaustive=is_known and len(spans) == 1,
        sentences=tuple(spans),
        entities_exhaustive=record.get("ner") is not None,
        extra={name: record[name] for name in ("doc_key", "dataset") if name in record},
    )


def _by_sentence(record: Record, name: str, num_sentences: int) -> list[tuple[str, list[Any]]]:
    """What is listed by sentence, each with its place."""
    given = record.get(name)
    if given is None:
        return []
    lists = list_of(given, list, name)
    if len(lists) != num_sentences:
        raise ValueError(f"`{name}` has {len(lists)} lists, but there are {num_sentences} sentences. Each has one.")
    return [
        (f"{name}[{number}][{index}]", one)
        for number, of_sentence in enumerate(lists)
        for index, one in enumerate(list_of(of_sentence, list, f"{name}[{number}]"))
    ]


def _find(span: Span, at: dict[Span, int], parts: Parts, reading: Reading, where: str) -> int:
    """The first mention at a place; one of no type where there is none."""
    if span not in at:
        at[span] = parts.mention(span, where=where)
        reading.noted[NOT_LISTED] += 1
    return at[span]


def _read_clusters(given: object, at: dict[Span, int], parts: Parts, reading: Reading) -> None:
    entity_of: dict[int, int] = {}
    for number, cluster in enumerate(list_of(given or [], list, "clusters")):
        for index, ends in enumerate(list_of(cluster, list, f"clusters[{number}]")):
            where = f"clusters[{number}][{index}]"
            if len(ends) != 2:
                raise TypeError(f"`{where}` must be the first and the last word of a mention: got {shortened(ends)}.")
            span = inclusive(ends[0], ends[1], where)
            _find(span, at, parts, reading, where)
            for position in _all_at(span, parts):
                if entity_of.setdefault(position, number) != number:
                    raise ValueError(
                        f"`{where}` is {shortened(ends)}, which is also in `clusters[{entity_of[position]}]`. A "
                        "mention is of one entity."
                    )
    parts.join(entity_of)


def _all_at(span: Span, parts: Parts) -> Sequence[int]:
    return [position for position, one in enumerate(parts.mentions) if (one.start, one.end) == span]


SCIERC = Format(
    "scierc",
    "'sentences' with 'ner', 'relations' or 'clusters' by sentence",
    matches,
    read,
    in_arrays=True,
    states="pairs of two sentences are unknown",
)
