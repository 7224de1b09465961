"""What a set of documents holds, in numbers: lengths, entities, mentions, pairs, types, and what is not known."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from .schema import Document, Mention

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
KINDS_OF_DOCUMENTS = (
    "exhaustive",
    "without relations, known to have none",
    "without relations, unknown",
    "without a pair",
    "with coreference",
    "with overlapping mentions",
    "with sentences",
    "with the text as it stood",
)


class Distribution(Counter[int]):
    """How often each whole number occurred."""

    def quantile(self, share: float) -> int:
        """The least number that is not below `share` of all; 0 where there are none."""
        values = sorted(self)
        if not values:
            return 0
        below = list(accumulate(self[value] for value in values))
        return values[min(bisect_left(below, share * below[-1]), len(values) - 1)]

    @property
    def mean(self) -> float:
        """The mean; 0 where there are none."""
        return self.sum / self.total() if self else 0.0

    @property
    def sum(self) -> int:
        """All numbers together."""
        return sum(value * count for value, count in self.items())

    def to_dict(self) -> dict[str, Any]:
        """The sum, the mean, quantiles, and how often each number occurred."""
        return {
            "sum": self.sum,
            "mean": round(self.mean, 3),
            "min": min(self, default=0),
            **{f"p{round(share * 100)}": self.quantile(share) for share in QUANTILES},
            "max": max(self, default=0),
            "counts": {str(value): self[value] for value in sorted(self)},
        }


@dataclass
class Pairs:
    """Ordered pairs of mentions, or of entities.

    Args:
        total: how many there are. A mention is paired with itself only in a document with `self_pairs`.
        related: with a relation.
        none: known to have none.
        unknown: of which neither is known: without a relation in a document that is not exhaustive, or of other
            mentions of two entities that are related.
    """

    total: int = 0
    related: int = 0
    none: int = 0
    unknown: int = 0

    def add(self, total: int, related: int, none: int) -> None:
        """Adds those of a document; the others are unknown."""
        self.total += total
        self.related += related
        self.none += none
        self.unknown += total - related - none


@dataclass
class TypeCount:
    """How often a relation type occurs.

    Args:
        relations: how many.
        documents: in how many documents.
        ids: its identifiers.
        ends: types of head and tail.
    """

    relations: int = 0
    documents: int = 0
    ids: Counter[str] = field(default_factory=Counter)
    ends: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)


@dataclass
class Statistics:
    """Numbers of some documents, which [`add`] adds one after the other.

    Args:
        documents: how many: `all`, and of each of `KINDS_OF_DOCUMENTS`.
        words: of a document.
        mentions: of a document.
        entities: of a document, each once.
        mentions_per_entity: of entities that are known.
        mention_words: of a mention.
        relations: of a document.
        distance: words between the mentions that a relation joins; 0 where they touch or overlap.
        pairs: of mentions.
        entity_pairs: of entities.
        relation_types: by name.
        entity_types: mentions of each; `None` are those without a type.
        overlaps: pairs of mentions that share words: `nested`, `crossing`, `same words`.
        extra_relations: `several types` (pairs with more than one), `both ways`, `to itself`, `with evidence`,
            `overlapping ends`.
        sources: documents of each; `None` are those that do not name it.
    """

    documents: Counter[str] = field(default_factory=Counter)
    words: Distribution = field(default_factory=Distribution)
    mentions: Distribution = field(default_factory=Distribution)
    entities: Distribution = field(default_factory=Distribution)
    mentions_per_entity: Distribution = field(default_factory=Distribution)
    mention_words: Distribution = field(default_factory=Distribution)
    relations: Distribution = field(default_factory=Distribution)
    distance: Distribution = field(default_factory=Distribution)
    pairs: Pairs = field(default_factory=Pairs)
    entity_pairs: Pairs = field(default_factory=Pairs)
    relation_types: dict[str, TypeCount] = field(default_factory=dict)
    entity_types: Counter[str | None] = field(default_factory=Counter)
    overlaps: Counter[str] = field(default_factory=Counter)
    extra_relations: Counter[str] = field(default_factory=Counter)
    sources: Counter[str | None] = field(default_factory=Counter)

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Statistics:
        """The numbers of some documents."""
        numbers = cls()
        for document in documents:
            numbers.add(document)
        return numbers

    def add(self, document: Document) -> None:
        """Adds a document."""
        entities = document.entities
        overlaps = count_overlaps(document.mentions)
        self.documents["all"] += 1
        holds = (
            document.exhaustive,
            not document.relations and document.exhaustive,
            not document.relations and not document.exhaustive,
            len(document.mentions) < 2,
            len(entities) < len(document.mentions),
            bool(overlaps),
            bool(document.sentences),
            document.text is not None,
        )
        self.documents.update(dict(zip(KINDS_OF_DOCUMENTS, map(int, holds), strict=True)))
        self.words[len(document.words)] += 1
        self.mentions[len(document.mentions)] += 1
        self.entities[len(entities)] += 1
        self.relations[len(document.relations)] += 1
        self.overlaps += overlaps
        self.sources[document.source] += 1
        for mention in document.mentions:
            self.mention_words[mention.end - mention.start] += 1
            self.entity_types[mention.label] += 1
        for entity in entities:
            if document.mentions[entity[0]].entity is not None:
                self.mentions_per_entity[len(entity)] += 1
        self._add_relations(document)
        self._add_pairs(document, entities)

    def _add_relations(self, document: Document) -> None:
        types_of: dict[tuple[int, int], set[str]] = {}
        for relation in document.relations:
            head, tail = document.mentions[relation.head], document.mentions[relation.tail]
            types_of.setdefault((relation.head, relation.tail), set()).add(relation.relation_type)
            counted = self.relation_types.setdefault(relation.relation_type, TypeCount())
            counted.relations += 1
            counted.ends[head.label, tail.label] += 1
            if relation.relation_id is not None:
                counted.ids[relation.relation_id] += 1
            self.distance[max(head.start - tail.end, tail.start - head.end, 0)] += 1
            self.extra_relations["with evidence"] += bool(relation.evidence)
            self.extra_relations["to itself"] += relation.head == relation.tail
            self.extra_relations["overlapping ends"] += (
                relation.head != relation.tail and head.start < tail.end and tail.start < head.end
            )
        for name in {relation.relation_type for relation in document.relations}:
            self.relation_types[name].documents += 1
        self.extra_relations["several types"] += sum(len(types) > 1 for types in types_of.values())
        self.extra_relations["both ways"] += sum(
            head < tail and bool(types & types_of.get((tail, head), set())) for (head, tail), types in types_of.items()
        )

    def _add_pairs(self, document: Document, entities: Sequence[Sequence[int]]) -> None:
        entity_of = {mention: number for number, entity in enumerate(entities) for mention in entity}
        related = {(relation.head, relation.tail) for relation in document.relations}
        # As training labels them: other mentions of two related entities, or of the same words, are left out.
        keys = [m.entity if m.entity is not None else (m.start, m.end) for m in document.mentions]
        sizes = Counter(keys)
        joined_keys = {(keys[head], keys[tail]) for head, tail in related if keys[head] != keys[tail]}
        between = sum(sizes[head] * sizes[tail] for head, tail in joined_keys)
        elsewhere = between - sum(keys[head] != keys[tail] for head, tail in related)
        total = _ordered(len(document.mentions), document.self_pairs)
        rest = total - len(related) - elsewhere
        self.pairs.add(total, len(related), rest if document.exhaustive else len(document.none_pairs))
        # A relation between two mentions of one entity joins it to itself, and is in no pair of two.
        ends = {(entity_of[head], entity_of[tail]) for head, tail in related}
        joined = {(head, tail) for head, tail in ends if head != tail or document.self_pairs}
        none = {(entity_of[head], entity_of[tail]) for head, tail in document.none_pairs} - joined
        total = _ordered(len(entities), document.self_pairs)
        self.entity_pairs.add(total, len(joined), total - len(joined) if document.exhaustive else len(none))

    def to_dict(self) -> dict[str, Any]:
        """All numbers, as JSON values; types with the most frequent first."""
        names = sorted(self.relation_types, key=lambda name: (-self.relation_types[name].relations, name))
        distributions = (
            "words",
            "mentions",
            "entities",
            "mentions_per_entity",
            "mention_words",
            "relations",
            "distance",
        )
        return {
            "documents": dict(self.documents),
            **{name: getattr(self, name).to_dict() for name in distributions},
            "pairs": vars(self.pairs),
            "entity_pairs": vars(self.entity_pairs),
            "relation_types": [
                {
                    "name": name,
                    "relations": counted.relations,
                    "documents": counted.documents,
                    "ids": list(counted.ids),
                    "ends": [[*ends, count] for ends, count in counted.ends.most_common(5)],
                }
                for name, counted in ((name, self.relation_types[name]) for name in names)
            ],
            "entity_types": [{"name": name, "mentions": count} for name, count in self.entity_types.most_common()],
            "overlaps": dict(self.overlaps),
            "extra_relations": dict(self.extra_relations),
            "sources": [{"name": name, "documents": count} for name, count in self.sources.most_common()],
        }


def _ordered(number: int, with_itself: bool) -> int:
    return number * (number if with_itself else number - 1)


def count_overlaps(mentions: Sequence[Mention]) -> Counter[str]:
    """How many pairs of mentions share words: `same words`, `nested`, or `crossing`."""
    ordered = sorted(((mention.start, mention.end) for mention in mentions), key=lambda span: (span[0], -span[1]))
    found: Counter[str] = Counter()
    for position, (start, end) in enumerate(ordered):
        for other_start, other_end in ordered[position + 1 :]:
            if other_start >= end:
                break
            same = (other_start, other_end) == (start, end)
            found["same words" if same else "nested" if other_end <= end else "crossing"] += 1
    return found
