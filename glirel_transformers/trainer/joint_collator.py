"""Batches for models that find entities: what is right for each mention, next to what is right for each pair."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glirel_transformers.tokenization_glirel import GLiRELTokenizer

from .collator import RelationCollator
from .dataset import Example
from .sampling import EntityTypeSampler, TypeSampler


class JointCollator(RelationCollator):
    r"""Makes batches of documents, with `labels` and `entity_labels`, for [`GLiRELForJointExtraction`].

    Each instance is asked for relation types as [`RelationCollator`] says, and for up to `max_entity_types` entity
    types: those of its mentions, then negatives, drawn from all others of `entity_types`. They are put in random
    order, and with probability `random_drop` a text loses a share of its relation types, drawn between 0 and
    `drop_rate`, and with the same probability one of its entity types, between 0 and `entity_drop_rate`. Mentions of a
    type that is not asked for are still paired.

    Where types are read apart from the texts, all texts of a batch are asked for the entity types of all, as they are
    for relation types; unless a text was annotated for some types alone ([`Document.annotated_entity_types`]): each is
    then asked for its own, and such a text for no other.

    `entity_labels` are 1 where a mention is of a type, and 0 where it is not; −100 for mentions without a type. A text
    that does not say which of its spans are entities ([`Document.knows_entities`]) is asked for no entity types: its
    relations are trained on, and nothing else.

    Args:
        tokenizer: a [`GLiRELTokenizer`] of a model that finds entities.
        relation_types: names of all relation types of the training set; there may be none.
        entity_types: names of all its entity types; a mapping gives each a weight, as for relation types.
        max_entity_types: how many entity types an instance is asked for.
        entity_drop_rate: the largest share of the entity types that a drop takes out; 1 in the paper's package.
        drop_rate: that of the relation types.
        settings: the other arguments of [`RelationCollator`].

    Raises:
        TypeError, ValueError: when an argument does not fit, or a text is too long.
    """

    def __init__(
        self,
        tokenizer: GLiRELTokenizer | None,
        relation_types: Iterable[str] | Mapping[str, float],
        entity_types: Iterable[str] | Mapping[str, float],
        *,
        max_entity_types: int = 25,
        entity_drop_rate: float = 1.0,
        drop_rate: float = 0.3,
        **settings: Any,
    ) -> None:
        if max_entity_types < 1:
            raise ValueError(f"`max_entity_types` must be at least 1: got {max_entity_types}.")
        if not 0 <= entity_drop_rate <= 1:
            raise ValueError(f"`entity_drop_rate` is a share, from 0 to 1: got {entity_drop_rate}.")
        super().__init__(tokenizer, relation_types, drop_rate=drop_rate, **settings)
        self.entity_sampler: TypeSampler = EntityTypeSampler(
            entity_types,
            max_relation_types=max_entity_types,
            random_drop=self.sampler.random_drop,
            stand_ins={},
            stand_in_rate=0.0,
            coreference_label=None,
            max_batch_types=self.sampler.max_batch_types,
            drop_rate=entity_drop_rate,
        )
        self.tokenizer.read_prompt([], self.entity_types)

    @property
    def entity_types(self) -> list[str]:
        """All entity types that instances are asked for."""
        return self.entity_sampler.relation_types

    def for_evaluation(self, relation_types: Sequence[str] | None = None) -> JointCollator:
        """As [`RelationCollator.for_evaluation`]; entity types are drawn once for each instance."""
        other = super().for_evaluation(relation_types)
        assert isinstance(other, JointCollator)  # a copy
        other.entity_sampler = self.entity_sampler.for_evaluation(None)
        return other

    def draw_entity_types(self, example: Example) -> list[str]:
        """The entity types that an instance draws, in order; none where it does not know its entities."""
        if not example.document.knows_entities:
            return []
        if self._reads_types_apart:
            holding, negatives = self.entity_sampler.draw_apart(example.document, self._entity_generator(example))
            return holding + negatives
        return self.entity_sampler.draw(example.document, self._entity_generator(example))

    def _ask_for_entities(self, examples: Sequence[Example]) -> Sequence[list[str] | None]:
        if (
            not self._reads_types_apart
            or self._ignore_epoch
            or any(example.document.annotated_entity_types is not None for example in examples)
        ):
            return super()._ask_for_entities(examples)
        shared = self.entity_sampler.share(
            [
                self.entity_sampler.draw_apart(example.document, self._entity_generator(example))
                for example in examples
                if example.document.knows_entities
            ]
        )
        return [shared if example.document.knows_entities else [] for example in examples]

    def _entity_generator(self, example: Example) -> random.Random:
        """Not the one of relation types, so that what is drawn of the one kind does not change the other."""
        epoch = 0 if self._ignore_epoch else example.epoch
        return random.Random(f"{self.seed}/{epoch}/{example.index}/entities")
