"""What every reader gives: a document of words, mentions and relations. All spans are half-open, in words.

The same as JSON, one document a line, is the library's own file format:

    {"words": ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
     "mentions": [{"start": 0, "end": 2, "label": "PERSON"}, {"start": 5, "end": 6, "label": "CITY"}],
     "relations": [{"head": 0, "tail": 1, "relation_type": "place of birth"}],
     "exhaustive": true, "source": "example"}

`label`, `entity`, `relation_id`, `exhaustive` and `source` may be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import permutations
from typing import Any


@dataclass(frozen=True)
class Mention:
    """Where a text names an entity.

    Args:
        start: first word.
        end: the word after the last one.
        label: the entity's type, such as `"PERSON"`.
        entity: number of the entity within the document; mentions of one entity share it (coreference).
    """

    start: int
    end: int
    label: str | None = None
    entity: int | None = None


@dataclass(frozen=True)
class Relation:
    """A relation between two mentions.

    Args:
        head: position of the head in the document's `mentions`.
        tail: position of the tail.
        relation_type: the relation's name.
        relation_id: its identifier in a knowledge base, such as `"P19"`.
    """

    head: int
    tail: int
    relation_type: str
    relation_id: str | None = None


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

    Raises:
        TypeError, ValueError: when a span or a position does not fit; the message names it.
    """

    words: Sequence[str]
    mentions: Sequence[Mention]
    relations: Sequence[Relation]
    exhaustive: bool = True
    source: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.words, str) or not all(isinstance(word, str) for word in self.words):
            raise TypeError(f"`words` must be a list of strings: got {self.words!r}.")
        for index, mention in enumerate(self.mentions):
            if not 0 <= mention.start < mention.end <= len(self.words):
                raise ValueError(
                    f"`mentions[{index}]` is ({mention.start}, {mention.end}) in a text of {len(self.words)} words. "
                    "Spans are half-open and not empty: 0 ≤ start < end ≤ number of words."
                )
        for index, relation in enumerate(self.relations):
            for side, position in (("head", relation.head), ("tail", relation.tail)):
                if not 0 <= position < len(self.mentions):
                    raise ValueError(
                        f"The {side} of `relations[{index}]` is {position}, but there are {len(self.mentions)} "
                        "mentions. Heads and tails are positions in `mentions`."
                    )
            if relation.head == relation.tail:
                raise ValueError(
                    f"`relations[{index}]` joins mention {relation.head} to itself. Pairs are of two different "
                    "mentions; give each its own entry in `mentions`."
                )
            if not isinstance(relation.relation_type, str) or not relation.relation_type.strip():
                raise ValueError(
                    f"The type of `relations[{index}]` is {relation.relation_type!r}. Name it with a non-empty string."
                )

    @property
    def relation_ids(self) -> list[str | None]:
        """Identifier of each relation, in order."""
        return [relation.relation_id for relation in self.relations]

    def with_coreference(self, relation_type: str) -> Document:
        """A copy in which `relation_type` joins all mentions of one entity, both ways (GLiREL, Appendix A.7)."""
        present = {(relation.head, relation.tail, relation.relation_type) for relation in self.relations}
        positions: dict[int, list[int]] = {}
        for position, mention in enumerate(self.mentions):
            if mention.entity is not None:
                positions.setdefault(mention.entity, []).append(position)
        added = [
            Relation(head, tail, relation_type)
            for same_entity in positions.values()
            for head, tail in permutations(same_entity, 2)
            if (head, tail, relation_type) not in present
        ]
        return replace(self, relations=[*self.relations, *added]) if added else self

    def to_dict(self) -> dict[str, Any]:
        """The document as JSON values, in the format that this module documents."""
        return {
            "words": list(self.words),
            "mentions": [asdict(mention) for mention in self.mentions],
            "relations": [asdict(relation) for relation in self.relations],
            "exhaustive": self.exhaustive,
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Document:
        """The document of a record in the format that this module documents.

        Raises:
            ValueError: when a field is missing, unknown or does not fit.
        """
        _check_fields("document", record, required={"words", "mentions", "relations"}, allowed=_DOCUMENT_FIELDS)
        for kind, allowed in (("mentions", _MENTION_FIELDS), ("relations", _RELATION_FIELDS)):
            required = allowed - {"label", "entity", "relation_id"}
            for position, fields in enumerate(record[kind]):
                _check_fields(f"{kind}[{position}]", fields, required, allowed)
        exhaustive = record.get("exhaustive")
        return cls(
            words=list(record["words"]),
            mentions=[Mention(**fields) for fields in record["mentions"]],
            relations=[Relation(**fields) for fields in record["relations"]],
            exhaustive=True if exhaustive is None else exhaustive,
            source=record.get("source"),
        )


_DOCUMENT_FIELDS = set(Document.__dataclass_fields__)
_MENTION_FIELDS = set(Mention.__dataclass_fields__)
_RELATION_FIELDS = set(Relation.__dataclass_fields__)


def _check_fields(where: str, record: Mapping[str, Any], required: set[str], allowed: set[str]) -> None:
    if not isinstance(record, Mapping):
        raise TypeError(f"`{where}` must be an object with the fields {sorted(allowed)}: got {record!r}.")
    missing, unknown = required - set(record), set(record) - allowed
    if missing or unknown:
        problem = f"lacks {sorted(missing)}" if missing else f"has the unknown fields {sorted(unknown)}"
        raise ValueError(
            f"`{where}` {problem}. Its fields are {sorted(allowed)}, of which {sorted(required)} must be."
        )
