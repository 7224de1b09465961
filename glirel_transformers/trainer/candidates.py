"""A model's own candidates next to the entities that are given: what it wrongly finds has no relation with anything.

Axes: `batch, words, spans, mentions, entities, pairs, types`; spans are half-open, in words.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from glirel_transformers.finder_glirel import CandidateSelection
from glirel_transformers.inputs_glirel import Inputs


@dataclass
class AddedCandidates(CandidateSelection):
    """Adds the likeliest spans that are not among the given mentions, as [`GLiRELForJointExtraction`]'s `select`.

    A text that is asked for no entity types gets none. Arguments are those of [`CandidateSelection`].
    """

    def __call__(self, logits: Tensor, inputs: Inputs) -> Inputs:
        """The inputs with the candidates after the mentions, and their pairs after the pairs."""
        found = super().__call__(logits.detach(), inputs)
        return with_mentions(inputs, found.mention_word_spans, found.mention_mask)

    def best(self, logits: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """As [`CandidateSelection.best`], with −1 for the mentions that are given."""
        scores, spans = super().best(logits, inputs)
        num_widths = scores.shape[1] // max(inputs.word_mask.shape[1], 1)
        is_given = are_mentions(inputs.mention_word_spans, inputs.mention_mask, scores.shape[1], num_widths)
        return scores.masked_fill(is_given, -1.0), spans


def are_mentions(mentions: Tensor, mask: Tensor, num_spans: int, num_widths: int) -> Tensor:
    """Which of all spans are mentions, `(batch, spans)`; spans go by first word, then by width.

    Args:
        mentions, mask: word spans `(batch, mentions, 2)`, and which of them are real `(batch, mentions)`.
        num_spans, num_widths: how many spans there are of all words, and of each.
    """
    start, end = mentions.unbind(-1)
    fits = mask & (end - start <= num_widths)
    place = torch.where(fits, start * num_widths + end - start - 1, num_spans)  # one more, for those of no span
    found = torch.zeros(len(mentions), num_spans + 1, dtype=torch.bool, device=mentions.device)
    return found.scatter(1, place, True)[:, :-1]


def with_mentions(inputs: Inputs, mentions: Tensor, mask: Tensor) -> Inputs:
    """Adds mentions, each an entity of its own, and all ordered pairs that they are in, behind what is there.

    Args:
        inputs: of a model.
        mentions, mask: word spans `(batch, added, 2)`, and which of them are real `(batch, added)`.
    """
    num_before, num_added = inputs.entity_mask.shape[1], mask.shape[1]
    entity_mask = torch.cat([inputs.entity_mask, mask], dim=1)
    mention_entity = inputs.mention_entity
    if mention_entity is not None:
        added = torch.arange(num_before, num_before + num_added, device=mask.device).expand(len(mask), -1)
        mention_entity = torch.cat([mention_entity, added], dim=1)
    entities = torch.arange(num_before + num_added, device=mask.device)
    pairs = torch.cartesian_prod(entities, entities)
    is_new = (pairs >= num_before).any(1) & (pairs[:, 0] != pairs[:, 1])
    pairs = pairs[is_new].expand(len(mask), -1, -1)
    pair_mask = entity_mask.gather(1, pairs[..., 0]) & entity_mask.gather(1, pairs[..., 1])
    return inputs._replace(
        mention_word_spans=torch.cat([inputs.mention_word_spans, mentions], dim=1),
        mention_mask=torch.cat([inputs.mention_mask, mask], dim=1),
        mention_entity=mention_entity,
        entity_mask=entity_mask,
        pair_index=torch.cat([inputs.pair_index, pairs], dim=1),
        pair_mask=torch.cat([inputs.pair_mask, pair_mask], dim=1),
    )
