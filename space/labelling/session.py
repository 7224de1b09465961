"""What one visitor is working on, as values that never change: every action gives a new session.

A relation is told by the character spans of its head and tail and by its name, so that what a person decided survives
another run of the model, other thresholds and entities that are added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from glirel_transformers.data import Document, Relation
from glirel_transformers.tokenization_glirel import split_words

ACCEPTED, REJECTED, ADDED, CHANGED = "accepted", "rejected", "added", "changed"
MAX_UNDO = 100


class Span(NamedTuple):
    """Half-open, in characters."""

    start: int
    end: int


@dataclass(frozen=True)
class Entity:
    """A marked entity."""

    start: int
    end: int
    label: str | None = None

    @property
    def span(self) -> Span:
        return Span(self.start, self.end)


class Triple(NamedTuple):
    """A relation between two spans."""

    head: Span
    relation: str
    tail: Span


@dataclass(frozen=True)
class Decision:
    """What a person said of a relation.

    Args:
        triple: the relation as it stands now.
        verdict: accepted, rejected, added or changed.
        score: what the model gave it; `None` where it was not asked.
        was: for one that was changed, the relation that the model had predicted.
    """

    triple: Triple
    verdict: str
    score: float | None = None
    was: Triple | None = None


@dataclass(frozen=True)
class Session:
    """Everything of one visitor that a reload of the page must not lose."""

    text: str = ""
    entities: tuple[Entity, ...] = ()
    relation_lines: str = ""
    threshold: float = 0.5
    top_k: int = 1
    has_results: bool = False
    decisions: tuple[Decision, ...] = ()
    history: tuple[str, ...] = ()
    examples: tuple[Document, ...] = ()

    # The text and its entities

    def with_text(self, text: str) -> tuple[Session, str]:
        """Another text; entities stay where the text around them only moved. Returns also what is to be said."""
        if text == self.text:
            return self, ""
        kept, lost = [], []
        shift = _shift(self.text, text)
        for entity in self.entities:
            start = shift(entity.start, entity.end)
            if start is None:
                lost.append(self.text[entity.start : entity.end])
            else:
                kept.append(replace(entity, start=start, end=start + entity.end - entity.start))
        session = replace(self, text=text, entities=tuple(kept), decisions=(), history=(), has_results=False)
        note = f"No longer in the text, so no longer marked: {', '.join(lost)}." if lost and kept else ""
        return session, note

    def mark(self, start: int, end: int, label: str | None) -> tuple[Session, int | None, str]:
        """Marks the whole words that `[start, end)` touches.

        Returns:
            The session, the position of the new entity in it, and what is to be said to the visitor.
        """
        words = [span for span in split_words(self.text) if span[0] < end and start < span[1]]
        if not words:
            return self, None, "There is no word to mark."
        new = Entity(words[0][0], words[-1][1], label)
        for position, old in enumerate(self.entities):
            if old.span == new.span:
                return self, position, f"“{self.surface(old)}” is marked already: click it to change its type."
            if old.start < new.start < old.end < new.end or new.start < old.start < new.end < old.end:
                return (
                    self,
                    None,
                    f"“{self.surface(new)}” and “{self.surface(old)}” overlap in part. One may lie inside the other, "
                    "but not across its end: mark less, or more.",
                )
        entities = tuple(sorted([*self.entities, new], key=lambda entity: (entity.start, -entity.end)))
        return replace(self, entities=entities), entities.index(new), ""

    def relabel(self, position: int, label: str | None, everywhere: bool = False) -> Session:
        """Gives an entity another type, or all that have the same type."""
        chosen = self.entities[position]
        return replace(
            self,
            entities=tuple(
                replace(entity, label=label)
                if at == position or (everywhere and entity.label == chosen.label)
                else entity
                for at, entity in enumerate(self.entities)
            ),
        )

    def unmark(self, position: int) -> Session:
        """Deletes an entity, and what was decided of its relations."""
        gone = self.entities[position].span
        return replace(
            self,
            entities=self.entities[:position] + self.entities[position + 1 :],
            decisions=tuple(d for d in self.decisions if gone not in (d.triple.head, d.triple.tail)),
        )

    def with_entities(self, entities: Iterable[Mapping[str, Any]]) -> tuple[Session, str]:
        """Adds entities that a recogniser found, where none is marked yet."""
        session, added = self, 0
        for entity in entities:
            start, end = entity["start"], entity["end"]
            if any(old.start < end and start < old.end for old in session.entities):
                continue
            session, position, _ = session.mark(start, end, entity["label"])
            added += position is not None
        return session, f"{added} entities found." if added else "No further entities found."

    def surface(self, item: Entity | Span) -> str:
        """The text of an entity or a span."""
        start, end = (item.start, item.end)
        return self.text[start:end]

    # What a person says of the relations

    def decide(self, triple: Triple, verdict: str, score: float | None, was: Triple | None = None) -> Session:
        """Takes down what a person says of a relation; said again, it is taken back."""
        same = Decision(triple, verdict, score, was)
        others = tuple(d for d in self.decisions if d.triple != triple and d.was != triple)
        if same in self.decisions:
            return replace(self, decisions=others, history=(*self.history, f"took back: {self.describe(same)}"))
        return replace(self, decisions=(*others, same), history=(*self.history, f"{verdict}: {self.describe(same)}"))

    def change(self, triple: Triple, new: Triple, score: float | None) -> Session:
        """Puts another relation, or the other direction, in the place of one."""
        before = next((d for d in self.decisions if d.triple == triple), None)
        if before is not None and before.verdict == ADDED:
            session = replace(self, decisions=tuple(d for d in self.decisions if d is not before))
            return session.decide(new, ADDED, None)
        origin = triple if before is None or before.was is None else before.was
        session = replace(self, decisions=tuple(d for d in self.decisions if d.triple not in (triple, new)))
        return session if new == origin else session.decide(new, CHANGED, score, origin)

    def describe_triple(self, triple: Triple) -> str:
        """A relation in words."""
        return f"{self.surface(triple.head)} → {triple.relation} → {self.surface(triple.tail)}"

    def describe(self, decision: Decision) -> str:
        """A decision as a line of its history."""
        was = f", was {self.describe_triple(decision.was)}" if decision.was else ""
        score = "" if decision.score is None else f" ({decision.score:.2f})"
        return f"{self.describe_triple(decision.triple)}{was}{score}"

    # The data set

    def to_document(self, predicted: Iterable[tuple[Triple, float]], exhaustive: bool) -> Document:
        """The text with its entities and the relations that hold: predicted and not rejected, changed, or added.

        Raises:
            ValueError: when there is nothing to learn from.
        """
        if len(self.entities) < 2:
            raise ValueError("An example needs at least two entities. Mark them in the text.")
        position = {entity.span: index for index, entity in enumerate(self.entities)}
        judged = {d.triple for d in self.decisions} | {d.was for d in self.decisions if d.was}
        unreviewed = [
            Decision(triple, "kept unreviewed", score) for triple, score in predicted if triple not in judged
        ]
        right = [d for d in self.decisions if d.verdict != REJECTED] + unreviewed
        triples = [d.triple for d in right if d.triple.head in position and d.triple.tail in position]
        if not triples and not exhaustive:
            raise ValueError(
                "There is no relation to save. Accept or add one, or say that the list is complete: then the example "
                "teaches that nothing holds."
            )
        relations = [Relation(position[t.head], position[t.tail], t.relation) for t in dict.fromkeys(triples)]
        history = (*self.history, *(f"{d.verdict}: {self.describe(d)}" for d in unreviewed))
        return Document.from_text(
            self.text,
            [asdict(entity) for entity in self.entities],
            relations,
            exhaustive=exhaustive,
            source="labelled",
            history=history,
        )

    def save(self, document: Document) -> Session:
        """Adds an example to the data set; one of the same text and entities is replaced."""
        others = tuple(e for e in self.examples if (e.text, e.mentions) != (document.text, document.mentions))
        return replace(self, examples=(*others, document))

    def open(self, number: int) -> Session:
        """An example of the data set, to look at it or go on with it; its relations count as accepted."""
        document = self.examples[number]
        text, entities = document.to_text()
        spans = [Span(entity["start"], entity["end"]) for entity in entities]
        decisions = tuple(
            Decision(Triple(spans[r.head], r.relation_type, spans[r.tail]), ACCEPTED) for r in document.relations
        )
        marked = tuple(sorted((Entity(**entity) for entity in entities), key=lambda e: (e.start, -e.end)))
        return replace(
            self, text=text, entities=marked, decisions=decisions, history=tuple(document.history), has_results=False
        )

    # To the browser's memory and back

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        fields = asdict(replace(self, examples=()))
        return {**fields, "examples": [document.to_dict() for document in self.examples]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Session:
        """The session that [`to_dict`] wrote."""

        def triple(fields: Any) -> Triple | None:
            return fields and Triple(Span(*fields[0]), fields[1], Span(*fields[2]))

        return cls(
            **{
                **values,
                "entities": tuple(Entity(**fields) for fields in values["entities"]),
                "decisions": tuple(
                    Decision(**{**fields, "triple": triple(fields["triple"]), "was": triple(fields["was"])})
                    for fields in values["decisions"]
                ),
                "history": tuple(values["history"]),
                "examples": tuple(Document.from_dict(fields) for fields in values["examples"]),
            }
        )


@dataclass(frozen=True)
class Workspace:
    """A session, the sessions before it, and the scores of the last run, which a reload may lose."""

    session: Session = field(default_factory=Session)
    past: tuple[Session, ...] = ()
    scores: Any = None  # RelationScores

    def then(self, session: Session, **changes: Any) -> Workspace:
        """The next step, which can be undone."""
        if session == self.session:
            return replace(self, **changes)
        return replace(self, session=session, past=(*self.past, self.session)[-MAX_UNDO:], **changes)

    def undo(self) -> Workspace:
        """The step before; the scores stay where they still fit."""
        if not self.past:
            return self
        return replace(self, session=self.past[-1], past=self.past[:-1])


def _shift(old: str, new: str) -> Any:
    """Where a span of `old` starts in `new`: before or behind what was changed, if it is wholly there."""
    limit = min(len(old), len(new))
    prefix = next((i for i in range(limit) if old[i] != new[i]), limit)
    suffix = next((i for i in range(limit - prefix) if old[-1 - i] != new[-1 - i]), limit - prefix)

    def start_of(start: int, end: int) -> int | None:
        if end <= prefix:
            return start
        return start + len(new) - len(old) if start >= len(old) - suffix else None

    return start_of
