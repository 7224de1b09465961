"""What every reader gives: a document of words, mentions and relations. All spans are half-open, in words.

The same as JSON, one document a line, is the library's own file format:

    {"words": ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
     "mentions": [{"start": 0, "end": 2, "label": "PERSON"}, {"start": 5, "end": 6, "label": "CITY"}],
     "relations": [{"head": 0, "tail": 1, "relation_type": "place of birth"}],
     "exhaustive": true, "source": "example", "text": "Marie Curie was born in Warsaw.",
     "history": ["accepted: Marie Curie → place of birth → Warsaw (0.97)"]}

`label`, `entity`, `relation_id`, `exhaustive`, `source`, `text` and `history` may be left out; so may
`entities_exhaustive`, whether all entities are there: unless it is said, that is as `exhaustive`. What is known of
whole documents has fields of its own: `title`, `sentences` (half-open word spans, `[[0, 7], [7, 12]]`), the `names` of
a mention that are not its words, and the `evidence` of a relation, numbers of sentences. What a model found may have a
`score`:

    {"title": "Marie Curie", "sentences": [[0, 7]],
     "mentions": [{"start": 0, "end": 2, "names": ["Marie\u00a0Curie"]}, {"start": 5, "end": 6}],
     "relations": [{"head": 0, "tail": 1, "relation_type": "place of birth", "evidence": [0]}], …}

`none_pairs`, pairs of positions in `mentions` such as `[[1, 0]]`, are known to have no relation in a document that
is not exhaustive. `annotated_entity_types` and `annotated_relation_types` are the types that were looked for, where
data sets with different ones are put together. A document may have further fields, such as `id`: they are kept as
`extra`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import permutations
from typing import Any

from glirel_transformers.mentions_glirel import list_entities, shortened
from glirel_transformers.text_glirel import Span

from .alignment import WordText, find_words
from .fields import check_fields, check_own_fields, check_types, required_fields, score_of, with_tuple, without_unset
from .pairs import Pair, check_none_pairs
from .sentences import check_evidence, check_sentences


@dataclass(frozen=True)
class Mention:
    """Where a text names an entity.

    Args:
        start: first word.
        end: the word after the last one.
        label: the entity's type, such as `"PERSON"`.
        entity: number of the entity within the document; mentions of one entity share it (coreference).
        names: what the annotation calls it, where that is not its words joined by spaces; Ign F1 compares names.
        score: how sure a model was of it, where one found it. It is no part of what is annotated: mentions that differ
            in it alone are equal.
    """

    start: int
    end: int
    label: str | None = None
    entity: int | None = None
    names: tuple[str, ...] = ()
    score: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Relation:
    """A relation between two mentions.

    Args:
        head: position of the head in the document's `mentions`.
        tail: position of the tail.
        relation_type: the relation's name.
        relation_id: its identifier in a knowledge base, such as `"P19"`.
        evidence: numbers of the sentences that show that it holds; empty where they are not known.
        score: how sure a model was of it, as for a [`Mention`].
    """

    head: int
    tail: int
    relation_type: str
    relation_id: str | None = None
    evidence: tuple[int, ...] = ()
    score: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Document:
    """A text with its mentions and relations.

    Args:
        words: the text.
        mentions: where it names entities.
        relations: what holds between them. Several may hold between the same two mentions.
        exhaustive: whether a pair of mentions without a relation is known to have none. If not, it is unknown, and
            no training signal is taken from it.
        source: where the document comes from.
        text: the text as it stood before it was split, of which the words follow each other with nothing but white
            space between them; training does not read it.
        history: what annotators did to it, in their words, oldest first; training does not read it.
        self_pairs: whether a mention may relate to itself, and is paired with itself.
        title: what the text is called.
        sentences: half-open word spans of its sentences, in order; empty where they are not known.
        entities_exhaustive: whether a span that is not a mention is known to be no entity. If not, it is unknown, and
            no training signal is taken from it. `None` means as `exhaustive`.
        none_pairs: pairs of a head and a tail that are known to have no relation, for documents that are not
            exhaustive; where entities are known, they are of entities, as relations are.
        annotated_entity_types: names of the entity types that were looked for. Whether a span is of any other type is
            unknown, and training does not ask for it. `None` means all types of the data.
        annotated_relation_types: the same for relation types.
        extra: other fields of the record that it was read from, which [`to_dict`] writes again.

    Raises:
        TypeError, ValueError: when a span or a position does not fit; the message names it.
    """

    words: Sequence[str]
    mentions: Sequence[Mention]
    relations: Sequence[Relation]
    exhaustive: bool = True
    source: str | None = None
    text: str | None = None
    history: tuple[str, ...] = ()
    self_pairs: bool = False
    title: str | None = None
    sentences: tuple[Span, ...] = ()
    entities_exhaustive: bool | None = None
    none_pairs: tuple[Pair, ...] = ()
    annotated_entity_types: tuple[str, ...] | None = None
    annotated_relation_types: tuple[str, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.words, str) or not all(isinstance(word, str) for word in self.words):
            raise TypeError(f"`words` must be a list of strings: got {shortened(self.words)}.")
        for index, mention in enumerate(self.mentions):
            if not 0 <= mention.start < mention.end <= len(self.words):
                raise ValueError(
                    f"`mentions[{index}]` is ({mention.start}, {mention.end}) in a text of {len(self.words)} words. "
                    "Spans are half-open and not empty: 0 ≤ start < end ≤ number of words."
                )
        check_sentences(self.sentences, len(self.words))
        for index, relation in enumerate(self.relations):
            self._check_relation(relation, index)
            check_evidence(relation.evidence, len(self.sentences), f"relations[{index}]")
        check_none_pairs(self.none_pairs, {(r.head, r.tail) for r in self.relations}, len(self.mentions))
        self._check_annotated_types()
        if taken := sorted(_DOCUMENT_FIELDS.intersection(self.extra)):
            raise ValueError(f"`extra` has {taken[0]!r}, which is a field of documents. Rename it.")
        if self.text is not None:
            find_words(self.words, self.text)

    def _check_annotated_types(self) -> None:
        labels = [mention.label for mention in self.mentions]
        _check_annotated(labels, "mentions", self.annotated_entity_types, "annotated_entity_types")
        names = [relation.relation_type for relation in self.relations]
        _check_annotated(names, "relations", self.annotated_relation_types, "annotated_relation_types")

    def _check_relation(self, relation: Relation, index: int) -> None:
        for side, position in (("head", relation.head), ("tail", relation.tail)):
            if not 0 <= position < len(self.mentions):
                raise ValueError(
                    f"The {side} of `relations[{index}]` is {position}, but there are {len(self.mentions)} mentions. "
                    "Heads and tails are positions in `mentions`."
                )
        if relation.head == relation.tail and not self.self_pairs:
            raise ValueError(
                f"`relations[{index}]` joins mention {relation.head} to itself. Pairs are of two different mentions; "
                "give each its own entry in `mentions`, or set `self_pairs`."
            )
        if not isinstance(relation.relation_type, str) or not relation.relation_type.strip():
            raise ValueError(
                f"The type of `relations[{index}]` is {relation.relation_type!r}. Name it with a non-empty string."
            )

    @classmethod
    def from_text(
        cls,
        text: str,
        entities: object,
        relations: Sequence[Relation],
        *,
        exhaustive: bool = True,
        source: str | None = None,
        history: Sequence[str] = (),
        self_pairs: bool = False,
        title: str | None = None,
        sentences: Sequence[Span] = (),
        entities_exhaustive: bool | None = None,
        none_pairs: Sequence[Pair] = (),
        annotated_entity_types: Sequence[str] | None = None,
        annotated_relation_types: Sequence[str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Document:
        """The document of a text, split into words as the tokenizer splits it.

        Args:
            text: the text.
            entities: in any form that the pipeline takes, such as dictionaries with `start` and `end`, half-open in
                characters and at the bounds of words, and `label`; they become the mentions, in order. An entity with
                several mentions has `mentions`, a list of such spans or dictionaries, in their place.
            relations: what holds between them, by their positions in `entities`.
            exhaustive: as for the class.
            source: as for the class.
            history: as for the class.
            self_pairs: as for the class.
            title: as for the class.
            sentences: half-open character spans of the sentences, in order.
            entities_exhaustive: as for the class.
            none_pairs: as for the class, by positions in `entities`.
            annotated_entity_types: as for the class.
            annotated_relation_types: as for the class.
            extra: as for the class.

        Raises:
            ValueError: when an entity or a sentence cuts a word.
        """
        split = WordText(text)
        mentions: list[Mention] = []
        place_of: list[int] = []  # of each entity, its first mention
        for index, entity in enumerate(list_entities(entities)):
            place_of.append(len(mentions))
            score = score_of(entity)
            mentions += [Mention(*placed, score=score) for placed in split.place(entity, index)]
        placed = [
            replace(relation, head=place_of[relation.head], tail=place_of[relation.tail]) for relation in relations
        ]
        return cls(
            words=split.words,
            mentions=mentions,
            relations=placed,
            exhaustive=exhaustive,
            source=source,
            text=text,
            history=tuple(history),
            self_pairs=self_pairs,
            title=title,
            sentences=tuple(split.words_in(span, f"sentences[{i}]") for i, span in enumerate(sentences)),
            entities_exhaustive=entities_exhaustive,
            none_pairs=tuple((place_of[head], place_of[tail]) for head, tail in none_pairs),
            annotated_entity_types=_as_tuple(annotated_entity_types),
            annotated_relation_types=_as_tuple(annotated_relation_types),
            extra=extra or {},
        )

    def to_text(self) -> tuple[str, list[dict[str, Any]]]:
        """The text and its mentions, as the pipeline takes entities; an unknown text is the words joined by spaces.

        Mentions are dictionaries with `start`, `end` (half-open, in characters) and `label`, in order. See
        [`to_entities`] for those of one entity together.
        """
        text = " ".join(self.words) if self.text is None else self.text
        spans = find_words(self.words, text)
        return text, [
            {"start": spans[mention.start][0], "end": spans[mention.end - 1][1], "label": mention.label}
            for mention in self.mentions
        ]

    def mention_names(self) -> list[tuple[str, ...]]:
        """What each mention is called: its `names`, else what the text has there, else its words joined by spaces."""
        text, places = self.to_text()
        return [
            mention.names or (text[place["start"] : place["end"]],)
            for mention, place in zip(self.mentions, places, strict=True)
        ]

    def char_sentences(self) -> list[Span] | None:
        """The sentences as half-open character spans of [`to_text`]; `None` where they are not known."""
        if not self.sentences:
            return None
        spans = find_words(self.words, " ".join(self.words) if self.text is None else self.text)
        sentences: list[Span] = []
        for start, end in self.sentences:
            last = sentences[-1][1] if sentences else 0  # an empty sentence is empty there
            sentences.append((spans[start][0], spans[end - 1][1]) if start < end else (last, last))
        return sentences

    @property
    def knows_entities(self) -> bool:
        """Whether it says which spans are entities of which types: all are there, and some type is named."""
        is_whole = self.exhaustive if self.entities_exhaustive is None else self.entities_exhaustive
        return is_whole and (not self.mentions or any(mention.label is not None for mention in self.mentions))

    @property
    def stated_pairs(self) -> set[Pair]:
        """Pairs whose relations are all known, whether or not the document is exhaustive: with any, or with none."""
        return {(relation.head, relation.tail) for relation in self.relations}.union(self.none_pairs)

    @property
    def entities(self) -> list[list[int]]:
        """The mentions of each entity, as positions in `mentions`, by the first; one of an unknown entity is alone."""
        positions: dict[tuple[str, int], list[int]] = {}
        for position, mention in enumerate(self.mentions):
            key = ("mention", position) if mention.entity is None else ("entity", mention.entity)
            positions.setdefault(key, []).append(position)
        return list(positions.values())

    def to_entities(self) -> tuple[str, list[dict[str, Any]], list[Relation]]:
        """The text, its entities with all their mentions, and the relations by positions in them.

        An entity that is known has `mentions`, `{"mentions": [(0, 11), (30, 33)], "label": "PERSON"}`; a mention of an
        unknown one has `start` and `end`. [`from_text`] reads both, and gives the same entities.
        """
        text, mentions = self.to_text()
        entity_of = {position: number for number, entity in enumerate(self.entities) for position in entity}
        entities = [
            mentions[entity[0]]
            if self.mentions[entity[0]].entity is None
            else {
                "mentions": [(mentions[m]["start"], mentions[m]["end"]) for m in entity],
                "label": mentions[entity[0]]["label"],
            }
            for entity in self.entities
        ]
        relations = [replace(r, head=entity_of[r.head], tail=entity_of[r.tail]) for r in self.relations]
        return text, entities, list(dict.fromkeys(relations))

    def with_coreference(self, relation_type: str) -> Document:
        """A copy in which `relation_type` joins all mentions of one entity, both ways (GLiREL, Appendix A.7)."""
        present = {(relation.head, relation.tail, relation.relation_type) for relation in self.relations}
        added = [
            Relation(head, tail, relation_type)
            for same_entity in self.entities
            for head, tail in permutations(same_entity, 2)
            if (head, tail, relation_type) not in present
        ]
        joined = {(relation.head, relation.tail) for relation in added}
        none_pairs = tuple(pair for pair in self.none_pairs if pair not in joined)
        return replace(self, relations=[*self.relations, *added], none_pairs=none_pairs) if added else self

    def within(self, window: tuple[int, int], by_entity: bool = False) -> Document:
        """A copy with the mentions that lie wholly in a window, a half-open word span, and the relations between them.

        Word spans still count from the start of the text.

        Args:
            window: the words.
            by_entity: whether relations are between entities: one is then kept where both of its entities have a
                mention in the window, and joins the first of these if its own is outside.
        """
        inside = [i for i, m in enumerate(self.mentions) if window[0] <= m.start and m.end <= window[1]]
        position = {old: new for new, old in enumerate(inside)}
        for entity in self.entities if by_entity else ():
            first = next((position[mention] for mention in entity if mention in position), None)
            if first is not None:
                position.update({mention: first for mention in entity if mention not in position})
        relations = [
            replace(relation, head=position[relation.head], tail=position[relation.tail])
            for relation in self.relations
            if relation.head in position and relation.tail in position
        ]
        joins_itself = any(relation.head == relation.tail for relation in relations)
        none_pairs = [(position[a], position[b]) for a, b in self.none_pairs if a in position and b in position]
        return replace(
            self,
            mentions=[self.mentions[i] for i in inside],
            relations=relations,
            self_pairs=self.self_pairs or joins_itself,
            none_pairs=tuple(none_pairs),
        )

    def to_dict(self) -> dict[str, Any]:
        """The document as JSON values, in the format that this module documents; rare fields where they are set.

        `extra` stands among the others, as it did in the record that it comes from.
        """
        return {
            "words": list(self.words),
            "mentions": [without_unset(asdict(mention), "names") for mention in self.mentions],
            "relations": [without_unset(asdict(relation), "evidence") for relation in self.relations],
            "exhaustive": self.exhaustive,
            "source": self.source,
            "text": self.text,
            "history": list(self.history),
            **({"self_pairs": True} if self.self_pairs else {}),
            **({} if self.title is None else {"title": self.title}),
            **({"sentences": list(map(list, self.sentences))} if self.sentences else {}),
            **({} if self.entities_exhaustive is None else {"entities_exhaustive": self.entities_exhaustive}),
            **({"none_pairs": list(map(list, self.none_pairs))} if self.none_pairs else {}),
            **{
                name: list(types)
                for name in ("annotated_entity_types", "annotated_relation_types")
                if (types := getattr(self, name)) is not None
            },
            **self.extra,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Document:
        """The document of a record in the format that this module documents.

        Other fields of a document, such as `id`, are its `extra`.

        Raises:
            TypeError, ValueError: when a field is missing, misspelt, unknown in a mention or a relation, or does not
                fit.
        """
        check_own_fields("document", record, required=("words", "mentions", "relations"), allowed=_DOCUMENT_FIELDS)
        check_types("", record)
        for kind, allowed, required in (
            ("mentions", _MENTION_FIELDS, required_fields(Mention)),
            ("relations", _RELATION_FIELDS, required_fields(Relation)),
        ):
            for position, given in enumerate(record[kind]):
                check_fields(f"{kind}[{position}]", given, required, allowed)
                check_types(f"{kind}[{position}].", given)
        exhaustive = record.get("exhaustive")
        return cls(
            words=list(record["words"]),
            mentions=[Mention(**with_tuple(given, "names")) for given in record["mentions"]],
            relations=[Relation(**with_tuple(given, "evidence")) for given in record["relations"]],
            exhaustive=True if exhaustive is None else exhaustive,
            source=record.get("source"),
            text=record.get("text"),
            history=tuple(record.get("history") or ()),
            self_pairs=bool(record.get("self_pairs")),
            title=record.get("title"),
            sentences=tuple((start, end) for start, end in record.get("sentences") or ()),
            entities_exhaustive=record.get("entities_exhaustive"),
            none_pairs=tuple((head, tail) for head, tail in record.get("none_pairs") or ()),
            annotated_entity_types=_as_tuple(record.get("annotated_entity_types")),
            annotated_relation_types=_as_tuple(record.get("annotated_relation_types")),
            extra={name: value for name, value in record.items() if name not in _DOCUMENT_FIELDS},
        )


def _check_annotated(given: Sequence[str | None], what: str, types: Sequence[str] | None, field: str) -> None:
    for index, name in enumerate(given):
        if types is not None and name is not None and name not in types:
            raise ValueError(
                f"`{what}[{index}]` is of the type {name!r}, which is not among the `{field}`: "
                f"{shortened(list(types))}. Add it there."
            )


def _as_tuple(types: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if types is None else tuple(types)


_DOCUMENT_FIELDS = set(Document.__dataclass_fields__) - {"extra"}
_MENTION_FIELDS = set(Mention.__dataclass_fields__)
_RELATION_FIELDS = set(Relation.__dataclass_fields__)
