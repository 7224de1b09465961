"""A document made of what a model found: mentions aligned, names cleaned, and all that is dropped counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.text_glirel import Span

from .alignment import Aligner, Found
from .answers import Answer, FoundEntity, FoundMention, FoundRelation
from .exclusion import Exclusion
from .names import read_entity_type, read_relation_name

Occurrences = Literal["all", "first"]
_MOST_EXAMPLES = 5


@dataclass
class Findings:
    """What became of what models found. Counters are by reason, or by name.

    Args:
        aligned: mentions, by the rule that found them in the text ([`glirel_transformers.synthesis.alignment`]).
        dropped: what was left out, such as `mention: not in the text` or `relation: no relation`.
        examples: the first few of each reason in `dropped`.
        groups: relations by semantic group.
        corrected: what correction passes changed, such as `relations taken out`.
    """

    aligned: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    groups: Counter[str] = field(default_factory=Counter)
    corrected: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, example: str) -> None:
        """Counts something that was left out."""
        self.dropped[reason] += 1
        self.examples.setdefault(reason, []).append(example)

    def add(self, other: Findings) -> None:
        """Adds what was found in another text."""
        for name in ("aligned", "dropped", "groups", "corrected"):
            getattr(self, name).update(getattr(other, name))
        for reason, examples in other.examples.items():
            known = self.examples.setdefault(reason, [])
            known += examples[: _MOST_EXAMPLES - len(known)] if len(known) < _MOST_EXAMPLES else []


@dataclass(frozen=True)
class PlacedEntity:
    """An entity and where the text names it.

    Args:
        id: the number that relations call it by, as text.
        type: its type.
        spans: its mentions, half-open in characters, in order.
        is_cluster: whether its mentions are known to be of one entity.
    """

    id: str
    type: str | None
    spans: tuple[Span, ...]
    is_cluster: bool = False


@dataclass
class Builder:
    """Makes a document of a text.

    Args:
        text: the text.
        sentences: half-open character spans of its sentences, where mentions are told apart by them.
        occurrences: which occurrences of a name are mentions, where the model does not say: `all`, or the `first`.
        exclusion: the relation names that are kept out.

    Attributes:
        findings: what became of what the model found.
    """

    text: str
    sentences: Sequence[Span] = ()
    occurrences: Occurrences = "all"
    exclusion: Exclusion = field(default_factory=Exclusion)
    findings: Findings = field(default_factory=Findings)
    _misses_entities: bool = False  # an entity that the text has is not marked, as far as is known
    _misses_relations: bool = False  # two marked entities are related in a way that is left out
    _unplaced: set[str] = field(default_factory=set)  # ids of entities that the text does not have

    def __post_init__(self) -> None:
        self._aligner = Aligner(self.text)

    def place(self, entities: Iterable[FoundEntity]) -> list[PlacedEntity]:
        """The entities that the text has, with their mentions.

        Longer names are placed first: "Curie" is not looked for within "Marie Curie", unless it is nowhere else.
        Entities with the same mentions are one.
        """
        taken: set[Span] = set()
        placed: dict[str, PlacedEntity] = {}
        found = list(entities)
        for entity in sorted(found, key=lambda one: -max((len(mention.text) for mention in one.mentions), default=0)):
            spans = self._spans_of(entity, taken)
            taken.update(spans)
            if spans:
                is_cluster = bool(self.sentences) or len(spans) > 1
                name = read_entity_type(entity.type)
                if name is None:
                    self.findings.drop("entity type: not a name", entity.type)
                placed[entity.id] = PlacedEntity(entity.id, name, tuple(spans), is_cluster)
            else:
                self._misses_entities = True
                self._unplaced.add(entity.id)
        return [placed[entity.id] for entity in found if entity.id in placed]

    def _spans_of(self, entity: FoundEntity, taken: set[Span]) -> list[Span]:
        spans: list[Span] = []
        for mention in entity.mentions:
            places, rule = self._places(mention)
            chosen = self._choose([place for place in places if place not in spans], taken)
            if chosen:
                self.findings.aligned[rule] += len(chosen)
                spans += chosen
            else:
                self.findings.drop(f"mention: {'repeated' if places else rule}", mention.text)
        return sorted(spans)

    def _choose(self, places: list[Span], taken: set[Span]) -> list[Span]:
        """Which occurrences of a mention are meant: those that no other entity has, and not within its names."""
        free = [place for place in places if place not in taken]
        if not free and not self.sentences:
            free = places  # two entities of one name, which are merged
        apart = [place for place in free if not any(_is_within(place, other) for other in taken)] or free
        if self.sentences:
            return apart[:1]
        if self.occurrences == "first":
            self._misses_entities |= len(apart) > 1
            return apart[:1]
        return apart

    def _places(self, mention: FoundMention) -> Found:
        """Where the text has a mention: in its sentence, or in the one place elsewhere."""
        sentence = self._sentence(mention)
        found = self._aligner.find(mention.text, sentence)
        if found.spans or sentence is None:
            return found
        places, rule = self._aligner.find(mention.text)
        if len(places) == 1:
            return Found(places, f"{rule}, in another sentence")
        return Found([], "not in its sentence" if places else rule)

    def _sentence(self, mention: FoundMention) -> Span | None:
        """The span of a mention's sentence, if it has one."""
        number = mention.sentence
        is_known = number is not None and 0 <= number < len(self.sentences)
        return self.sentences[number] if is_known and number is not None else None

    def document(
        self,
        entities: Sequence[PlacedEntity],
        relations: Iterable[FoundRelation],
        *,
        entities_exhaustive: bool | None = None,
        source: str | None = None,
        title: str | None = None,
        history: Sequence[str] = (),
    ) -> Document:
        """The document.

        A relation joins the mentions of its entities that are nearest to each other. The document is exhaustive unless
        a relation between two of its entities had to be left out.

        Args:
            entities: with their places.
            relations: between them.
            entities_exhaustive: whether all entities are there; by default whether all that the model found are.
            source: where the document comes from.
            title: what the text is called.
            history: what was done to it.
        """
        entities = self._merged(entities)
        mentions: list[Mention] = []
        positions: dict[Span, int] = {}
        clusters = {entity.id: number for number, entity in enumerate(entities) if entity.is_cluster}
        labelled = [(span, entity) for entity in entities for span in entity.spans]
        for span, entity in sorted(labelled, key=lambda item: item[0]):
            positions.setdefault(span, len(mentions))
            mentions.append(Mention(*self._aligner.words_of(span), entity.type, clusters.get(entity.id)))
        kept = self._relations(entities, relations, positions)
        starts = [start for start, _ in self._aligner.word_spans]
        misses = self._misses_entities
        return Document(
            words=[self.text[start:end] for start, end in self._aligner.word_spans],
            mentions=mentions,
            relations=kept,
            exhaustive=not self._misses_relations,
            source=source,
            text=self.text,
            history=tuple(history),
            title=title,
            sentences=tuple(_words_in(span, starts) for span in self.sentences),
            entities_exhaustive=not misses if entities_exhaustive is None else entities_exhaustive,
        )

    def _merged(self, entities: Sequence[PlacedEntity]) -> list[PlacedEntity]:
        """The entities, without those whose places another has already; the first one's type counts."""
        self._same: dict[str, str] = {}
        by_place: dict[Span, PlacedEntity] = {}
        merged: list[PlacedEntity] = []
        for entity in entities:
            before = next((by_place[span] for span in entity.spans if span in by_place), None)
            if before is not None and set(entity.spans) <= set(before.spans):
                self._same[entity.id] = before.id
                self.findings.drop("entity: the same as another", self._name(entity))
                continue
            own = tuple(span for span in entity.spans if span not in by_place)
            one = PlacedEntity(entity.id, entity.type, own, entity.is_cluster)
            by_place.update(dict.fromkeys(own, one))
            merged.append(one)
        return merged

    def _relations(
        self, entities: Sequence[PlacedEntity], relations: Iterable[FoundRelation], positions: dict[Span, int]
    ) -> list[Relation]:
        known = {entity.id: entity for entity in entities}
        by_name: dict[str, list[PlacedEntity]] = {}
        for entity in entities:
            by_name.setdefault(self._name(entity).casefold(), []).append(entity)
        kept: dict[tuple[int, int, str], Relation] = {}
        for found in relations:
            head, tail = (self._side(side, known, by_name) for side in (found.head, found.tail))
            if head is None or tail is None:
                self.findings.drop("relation: of an entity that is not there", _shown(found))
                self._misses_relations |= not self._unplaced & {found.head, found.tail}
                continue
            relation = self._relation(found, head, tail, positions)
            if relation is None:
                continue
            key = relation.head, relation.tail, relation.relation_type
            if key in kept:
                self.findings.drop("relation: repeated", _shown(found))
                continue
            kept[key] = relation
            if found.group is not None:
                self.findings.groups[found.group.strip().lower()] += 1
        return list(kept.values())

    def _side(
        self, given: str, known: dict[str, PlacedEntity], by_name: dict[str, list[PlacedEntity]]
    ) -> PlacedEntity | None:
        """The entity of a head or tail, by its number, or by its name if one alone has it."""
        entity = known.get(self._same.get(given, given))
        named = by_name.get(given.casefold(), [])
        return entity if entity is not None or len(named) != 1 else named[0]

    def _relation(
        self, found: FoundRelation, head: PlacedEntity, tail: PlacedEntity, positions: dict[Span, int]
    ) -> Relation | None:
        """The relation, unless it is none or must be left out."""
        names = self._name(head), self._name(tail)
        if head is tail:
            self.findings.drop("relation: of an entity to itself", f"{names[0]} - {found.relation}")
            return None
        name = read_relation_name(found.relation, *names)
        shown = f"{names[0]} - {found.relation} - {names[1]}"
        if not name.text:
            self.findings.drop(f"relation: {name.reason}", shown)
            self._misses_relations |= name.reason != "no relation"
            return None
        if self.exclusion.excludes_name(name.text):
            self.findings.drop("relation: excluded name", shown)
            self._misses_relations = True
            return None
        near = min(
            ((one, other) for one in head.spans for other in tail.spans), key=lambda pair: abs(pair[0][0] - pair[1][0])
        )
        evidence = tuple(dict.fromkeys(n for n in found.evidence if 0 <= n < len(self.sentences)))
        if len(evidence) < len(set(found.evidence)):
            self.findings.drop("evidence: no such sentence", str(list(found.evidence)))
        return Relation(positions[near[0]], positions[near[1]], name.text, None, evidence)

    def _name(self, entity: PlacedEntity) -> str:
        start, end = max(entity.spans, key=lambda span: span[1] - span[0])
        return self.text[start:end]


def compare(before: Answer, after: Answer, findings: Findings) -> None:
    """Counts what a correction pass changed."""
    for kind, one, other in (
        ("entities", _entity_facts(before), _entity_facts(after)),
        ("relations", _relation_facts(before), _relation_facts(after)),
    ):
        findings.corrected[f"{kind} kept"] += len(one & other)
        findings.corrected[f"{kind} taken out"] += len(one - other)
        findings.corrected[f"{kind} added"] += len(other - one)


def _entity_facts(answer: Answer) -> set[tuple[str, ...]]:
    return {(entity.mentions[0].text, entity.type) for entity in answer.entities or () if entity.mentions}


def _relation_facts(answer: Answer) -> set[tuple[str, ...]]:
    names = {entity.id: entity.mentions[0].text for entity in answer.entities or () if entity.mentions}
    return {
        (names.get(one.head, one.head), one.relation, names.get(one.tail, one.tail)) for one in answer.relations or ()
    }


def _shown(found: FoundRelation) -> str:
    return f"{found.head} - {found.relation} - {found.tail}"


def _is_within(span: Span, other: Span) -> bool:
    return other[0] <= span[0] and span[1] <= other[1]


def _words_in(span: Span, starts: Sequence[int]) -> Span:
    """The half-open word span of a sentence."""
    first = sum(start < span[0] for start in starts)
    return first, sum(start < span[1] for start in starts)
