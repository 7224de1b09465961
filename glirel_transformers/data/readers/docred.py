"""DocRED's format, and that of Re-DocRED: documents with entities of several mentions, and evidence.

A file is one JSON array, or has one such object a line:

    {"title": "Marie Curie", "sents": [["Marie", "Curie", "was", "born", "in", "Warsaw", "."]],
     "vertexSet": [[{"name": "Marie Curie", "sent_id": 0, "pos": [0, 2], "type": "PER"}],
                   [{"name": "Warsaw", "sent_id": 0, "pos": [5, 6], "type": "LOC"}]],
     "labels": [{"h": 0, "t": 1, "r": "P19", "evidence": [0]}]}

`pos` is half-open, in words of the sentence. `h` and `t` are entities; here they are their first mentions. `r` is an
id of Wikidata, whose name is in `rel_info.json`. A document without `labels`, as in DocRED's test set, is one of which
no relation is known: it is not exhaustive. Where an entity relates to itself, the document has `self_pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from glirel_transformers.data.fields import check_types, is_whole
from glirel_transformers.data.schema import Document, Mention, Relation
from glirel_transformers.mentions_glirel import shortened
from glirel_transformers.text_glirel import Span

from .format import Format, Reading, Record
from .names import named


def matches(record: Record) -> bool:
    """Whether a record has its sentences as `sents` and its entities as `vertexSet`."""
    return "sents" in record and "vertexSet" in record


def read(record: Record, reading: Reading) -> Document:
    """The document of a record.

    A mention that is listed twice for one entity becomes one, with both names; a relation that is listed twice becomes
    one, with the evidence of both.

    Raises:
        TypeError, ValueError: when a mention or a relation does not fit.
    """
    check_types("", {"title": record.get("title")})
    sentences = _list_of(record["sents"], list, "sents")
    words = [word for sentence in sentences for word in sentence]
    bounds = [0]
    for sentence in sentences:
        bounds.append(bounds[-1] + len(sentence))
    spans = list(pairwise(bounds))
    mentions: list[Mention] = []
    first_of: list[int] = []  # of each entity, its first mention
    for entity, given in enumerate(_list_of(record["vertexSet"], list, "vertexSet")):
        first_of.append(len(mentions))
        mentions += _read_entity(given, entity, spans, words, reading)
    relations = _read_relations(_list_of(record.get("labels") or [], Mapping, "labels"), first_of, reading)
    return Document(
        words=words,
        mentions=mentions,
        relations=relations,
        exhaustive=record.get("labels") is not None,
        self_pairs=any(relation.head == relation.tail for relation in relations),
        title=record.get("title"),
        sentences=tuple(spans),
    )


def _read_entity(
    given: Sequence[object], entity: int, sentences: Sequence[Span], words: Sequence[str], reading: Reading
) -> list[Mention]:
    """The mentions of an entity, each once, in the given order."""
    where = f"vertexSet[{entity}]"
    if not given:
        raise ValueError(f"`{where}` has no mentions. Give the entity at least one, or leave it out.")
    mentions: dict[Span, Mention] = {}
    names: dict[Span, list[object]] = {}
    for index, fields in enumerate(_list_of(given, Mapping, where)):
        span = _place(fields, f"{where}[{index}]", sentences)
        reading.twice["mentions"] += span in mentions
        mentions.setdefault(span, Mention(*span, fields.get("type") or None, entity))
        names.setdefault(span, []).append(fields.get("name"))
    return [named(mention, names[span], words) for span, mention in mentions.items()]


def _place(fields: Record, where: str, sentences: Sequence[Span]) -> Span:
    """The word span of a mention in the document."""
    number, pos = fields["sent_id"], fields["pos"]
    if not is_whole(number) or not isinstance(pos, list) or len(pos) != 2 or not all(map(is_whole, pos)):
        raise TypeError(
            f"`{where}` must have a sentence number as `sent_id`, and as `pos` its first word and the word after its "
            f"last one: got {shortened({'sent_id': number, 'pos': pos})}."
        )
    check_types(f"{where}.", {"label": fields.get("type")})
    if not 0 <= number < len(sentences):
        raise ValueError(f"`{where}` is in sentence {number}, but there are {len(sentences)}, counted from 0.")
    start, end = sentences[number]
    if not 0 <= pos[0] < pos[1] <= end - start:
        raise ValueError(
            f"`{where}` is at {pos} in sentence {number}, which has {end - start} words. `pos` is half-open, not "
            "empty, and counts from the start of the sentence."
        )
    return start + pos[0], start + pos[1]


def _read_relations(labels: Sequence[Record], first_of: Sequence[int], reading: Reading) -> list[Relation]:
    """Relations between the first mentions of entities, each once."""
    evidence_of: dict[tuple[int, int, str], dict[int, None]] = {}
    for index, label in enumerate(labels):
        head, tail, relation_id, evidence = label["h"], label["t"], label["r"], label.get("evidence") or []
        check_types(
            f"labels[{index}].", {"head": head, "tail": tail, "relation_id": relation_id, "evidence": evidence}
        )
        for side, entity in (("h", head), ("t", tail)):
            if not 0 <= entity < len(first_of):
                raise ValueError(
                    f"`labels[{index}].{side}` is {entity}, but there are {len(first_of)} entities. Heads and tails "
                    "are positions in `vertexSet`."
                )
        fact = (first_of[head], first_of[tail], relation_id)
        reading.twice["relations"] += fact in evidence_of
        evidence_of.setdefault(fact, {}).update(dict.fromkeys(evidence))
    return [
        Relation(head, tail, reading.name_of(relation_id), relation_id, tuple(evidence))
        for (head, tail, relation_id), evidence in evidence_of.items()
    ]


def _list_of(values: object, kind: type, where: str) -> list:
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        what = "lists" if kind is list else "objects"
        raise TypeError(f"`{where}` must be a list of {what}: got {shortened(values)}.")
    return values


DOCRED = Format(
    "docred",
    "'sents' and 'vertexSet'",
    matches,
    read,
    in_arrays=True,
    states="pairs without a relation are taken to have none, as in Re-DocRED; DocRED misses many: --not-exhaustive",
)
