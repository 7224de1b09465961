"""Which relation types an instance is asked for, and in which words."""

from __future__ import annotations

import copy
import heapq
import math
import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, zip_longest
from typing import NamedTuple

from glirel_transformers.data.schema import Document


class Drawn(NamedTuple):
    """What an instance adds to the types of its batch: those that hold in it, and others."""

    holding: list[str]
    negatives: list[str]


class TypeSampler:
    """Draws the types that an instance is asked for; see [`RelationCollator`], whose arguments it has.

    Raises:
        TypeError, ValueError: when an argument does not fit.
    """

    def __init__(
        self,
        relation_types: Iterable[str] | Mapping[str, float],
        *,
        max_relation_types: int,
        random_drop: float,
        stand_ins: Mapping[str, Sequence[str]],
        stand_in_rate: float,
        coreference_label: str | None,
        max_batch_types: int,
        drop_rate: float = 1.0,
        hard_negatives: Mapping[str, Sequence[str]] | None = None,
        hard_negative_rate: float = 0.5,
    ) -> None:
        for what, number in (("max_relation_types", max_relation_types), ("max_batch_types", max_batch_types)):
            if number < 1:
                raise ValueError(f"`{what}` must be at least 1: got {number}.")
        for name, rate in (
            ("random_drop", random_drop),
            ("stand_in_rate", stand_in_rate),
            ("drop_rate", drop_rate),
            ("hard_negative_rate", hard_negative_rate),
        ):
            if not 0 <= rate <= 1:
                raise ValueError(f"`{name}` is a probability, from 0 to 1: got {rate}.")
        weights = _checked_weights(relation_types)
        self.relation_types = [name for name in weights if name != coreference_label]
        self._weights = weights
        self._cumulative_weights = list(accumulate(weights[name] for name in self.relation_types))
        self.max_relation_types = max_relation_types
        self.random_drop = random_drop
        self.drop_rate = drop_rate
        self.stand_ins = _checked_names(stand_ins, "stand_ins")
        self.stand_in_rate = stand_in_rate
        known = set(self.relation_types)
        self.hard_negatives = {
            name: [one for one in others if one in known]
            for name, others in _checked_names(hard_negatives or {}, "hard_negatives").items()
        }
        self.hard_negative_rate = hard_negative_rate
        self.coreference_label = coreference_label
        self.max_batch_types = max_batch_types
        self._draws, self._evaluates = True, False

    def for_evaluation(self, relation_types: Sequence[str] | None) -> TypeSampler:
        """A copy without drops and stand-ins, which asks for exactly `relation_types` where these are given."""
        other = copy.copy(self)
        other.random_drop, other.stand_ins, other._evaluates = 0.0, {}, True
        if relation_types is not None:
            other._draws, other.relation_types = False, list(relation_types)
        return other

    def draw(self, document: Document, generator: random.Random) -> list[str]:
        """The types that an instance is asked for, in order."""
        if not self._draws:
            return list(self.relation_types)
        fixed = self._coreference(document)
        holding = self._holding(document)
        positives = [name for name in holding if name != self.coreference_label]
        room = max(self.max_relation_types - len(fixed), 0)
        if len(positives) > room:
            positives = generator.sample(positives, room)
        types = fixed + positives + self._draw_negatives(room - len(positives), holding, generator, document)
        types = generator.sample(types, len(types))
        # The share is drawn whether or not it is heeded, so that `random_drop` does not change later draws.
        drops, share = generator.random() < self.random_drop, generator.random()
        if drops and types:
            most = len(types) - 1 - int(share * len(types))  # as many are taken out where `drop_rate` is 1
            keep = set(generator.sample(range(len(types)), len(types) - int(self.drop_rate * most)))
            types = [name for i, name in enumerate(types) if i in keep]
        return types

    def draw_apart(self, document: Document, generator: random.Random) -> Drawn:
        """The types that an instance adds to its batch, where types are read apart from the texts.

        What holds in it is neither limited nor dropped. An evaluation adds all types, if there are not too many.
        """
        if not self._draws:
            return Drawn(list(self.relation_types), [])
        holding = self._holding(document)
        holding |= dict.fromkeys(self._coreference(document))
        if self._evaluates and len(self.relation_types) <= self.max_batch_types:
            annotated = self._annotated(document)
            asked = self.relation_types if annotated is None else [n for n in self.relation_types if n in annotated]
            return Drawn(list(holding), [name for name in asked if name not in holding])
        negatives = self._draw_negatives(max(self.max_relation_types - len(holding), 0), holding, generator, document)
        drops, share = generator.random() < self.random_drop, generator.random()
        most = len(negatives) - int(share * (len(negatives) + 1))
        return Drawn(list(holding), negatives[: len(negatives) - int(self.drop_rate * most)] if drops else negatives)

    def share(self, drawn: Sequence[Drawn]) -> list[str]:
        """The types that all instances of a batch are asked for: what holds in any, then negatives in turn.

        There are at most `max_batch_types` of them, or as many as hold in the batch.
        """
        types = dict.fromkeys(name for one in drawn for name in one.holding)
        for in_turn in zip_longest(*(one.negatives for one in drawn)):
            for name in in_turn:
                if name is not None and len(types) < self.max_batch_types:
                    types[name] = None
        return list(types)

    def _holding(self, document: Document) -> dict[str, None]:
        """The types that are right somewhere in a text, each once."""
        return dict.fromkeys(relation.relation_type for relation in document.relations)

    def _coreference(self, document: Document) -> list[str]:
        """The type that joins mentions of one entity, where the document knows its entities."""
        knows_entities = any(mention.entity is not None for mention in document.mentions)
        return [self.coreference_label] if self.coreference_label is not None and knows_entities else []

    def _annotated(self, document: Document) -> Collection[str] | None:
        """The types that were looked for in a text, where these are not all."""
        return document.annotated_relation_types

    def _draw_negatives(
        self, number: int, holding: Collection[str], generator: random.Random, document: Document
    ) -> list[str]:
        annotated = self._annotated(document)
        if annotated is not None:
            return self._draw_exactly(number, annotated, holding, generator)
        hard = self._draw_hard_negatives(number, holding, generator)
        return hard + self._draw_by_weight(number - len(hard), {*holding, *hard}, generator)

    def _draw_hard_negatives(self, number: int, holding: Collection[str], generator: random.Random) -> list[str]:
        """Types that are easily taken for those that hold, up to their share of `number`."""
        if not self.hard_negatives:
            return []
        near = dict.fromkeys(
            one for name in holding for one in self.hard_negatives.get(name, ()) if one not in holding
        )
        return generator.sample(list(near), min(len(near), round(self.hard_negative_rate * number)))

    def _draw_by_weight(self, number: int, excluded: Collection[str], generator: random.Random) -> list[str]:
        if number >= len(self.relation_types) - sum(name in excluded for name in self.relation_types):
            return [name for name in self.relation_types if name not in excluded]
        chosen: dict[str, None] = {}
        # Drawing again what was drawn before is cheaper than weighing all of a large pool.
        for _ in range(10 * number):
            if len(chosen) == number:
                break
            name = generator.choices(self.relation_types, cum_weights=self._cumulative_weights)[0]
            if name not in excluded:
                chosen[name] = None
        if len(chosen) < number:  # a few types have nearly all the weight
            excluded = {*excluded, *chosen}
            chosen |= dict.fromkeys(self._draw_exactly(number - len(chosen), self.relation_types, excluded, generator))
        return list(chosen)

    def _draw_exactly(
        self, number: int, pool: Iterable[str], excluded: Collection[str], generator: random.Random
    ) -> list[str]:
        """A weighted draw without replacement in one pass over the pool (Efraimidis and Spirakis)."""
        keys = [
            (math.log(1 - generator.random()) / self._weights[name], name)
            for name in pool
            if name in self._weights and name != self.coreference_label and name not in excluded
        ]
        return [name for _, name in heapq.nlargest(number, keys)]

    def word(self, types: Sequence[str], generator: random.Random) -> list[str]:
        """Each type's name or a stand-in for it, all different."""
        used = set(types)
        wordings = []
        for name in types:
            wording = name
            if self.stand_ins.get(name) and generator.random() < self.stand_in_rate:
                wording = generator.choice(self.stand_ins[name])
            wording = name if wording in used else wording
            used.add(wording)
            wordings.append(wording)
        return wordings


class EntityTypeSampler(TypeSampler):
    """Draws the entity types that an instance is asked for: those of its mentions, and others."""

    def _holding(self, document: Document) -> dict[str, None]:
        return dict.fromkeys(mention.label for mention in document.mentions if mention.label is not None)

    def _annotated(self, document: Document) -> Collection[str] | None:
        return document.annotated_entity_types


def _checked_weights(relation_types: Iterable[str] | Mapping[str, float]) -> dict[str, float]:
    """The weight of each type: how often it is a negative, in proportion."""
    if isinstance(relation_types, str):
        raise TypeError(f"`relation_types` must be a list of names, or a mapping: got {relation_types!r}.")
    if not isinstance(relation_types, Mapping):
        return dict.fromkeys(relation_types, 1.0)
    for name, weight in relation_types.items():
        if not 0 < weight < math.inf:
            raise ValueError(
                f"The weight of {name!r} in `relation_types` must be a finite number above 0: got {weight}."
            )
    return dict(relation_types)


def _checked_names(names: Mapping[str, Sequence[str]], what: str) -> dict[str, list[str]]:
    """For each type a list of names, such as its stand-ins: of a string, single letters would be drawn."""
    if not isinstance(names, Mapping):
        raise TypeError(f"`{what}` must be a dictionary of lists of names: got a {type(names).__name__}.")
    for name, others in names.items():
        if isinstance(others, (str, bytes)) or not isinstance(others, Sequence):
            raise TypeError(f"`{what}[{name!r}]` must be a list of names: got {others!r}. Write [{others!r}].")
        if wrong := [one for one in others if not isinstance(one, str) or not one.strip()]:
            raise ValueError(f"`{what}[{name!r}]` must hold names of relation types: got also {wrong[0]!r}.")
    return {name: list(others) for name, others in names.items()}
