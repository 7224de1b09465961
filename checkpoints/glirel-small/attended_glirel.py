"""What each pair of entities reads in the text, learned: attention of both entities to its words.

Axes: `batch, entities, mentions, pairs, words, heads, hidden`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import initialization as init

from .configuration_glirel import GLiRELConfig
from .feed_forward_glirel import ConcatFeedForward
from .inputs_glirel import Inputs
from .memory_glirel import Scratch, gather_items
from .pairs_glirel import EntityPairs, LocalizedContext

NUM_DISTANCES = 8  # 0 words, 1, 2 to 3, 4 to 7, …, 64 and more
_NUM_SIDES = 3  # before, in and after an entity
_BETWEEN, _BETWEEN_SWAPPED = 2 * _NUM_SIDES, 2  # after the head and before the tail, and the other way round
_SLOPES, _BONUS = (0.0, 0.25, 0.5, 1.0), 1.5  # what attention begins with
_RATE = 8  # an optimizer moves all weights alike, and those of places are logits: they must move by units


class ZeroLinear(nn.Linear):
    """A linear layer whose weights begin at 0."""


class Places(nn.Module):
    """Logits of words by where they are: how far from head and tail, and before, in or after each.

    They begin with what is likely: near words count more, in some heads by far, and in some those between the two.

    Args:
        num_heads: each has its own.
    """

    def __init__(self, num_heads: int):
        super().__init__()
        self.head_distance = nn.Parameter(torch.empty(2 * NUM_DISTANCES - 1, num_heads))
        self.tail_distance = nn.Parameter(torch.empty(2 * NUM_DISTANCES - 1, num_heads))
        self.side = nn.Parameter(torch.empty(_NUM_SIDES**2, num_heads))

    def initialize(self) -> None:
        """Sets the weights to what they begin with."""
        head = torch.arange(self.side.shape[1])
        steps = (torch.arange(2 * NUM_DISTANCES - 1) - NUM_DISTANCES + 1).abs()
        falls = torch.tensor(_SLOPES)[head % len(_SLOPES)]
        prefers = (head // len(_SLOPES) % 2).float()
        for weight in (self.head_distance, self.tail_distance):
            init.copy_(weight, -steps.unsqueeze(1) * falls / _RATE)
        between = torch.zeros(_NUM_SIDES**2, 1)
        between[[_BETWEEN, _BETWEEN_SWAPPED]] = _BONUS / _RATE
        init.copy_(self.side, between * prefers)

    def of_distances(self, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """From offsets `(batch, entities, words)`, as head and as tail: `(batch, entities, heads, words)` each."""
        bucket = (torch.log2(offsets.abs() + 0.5).floor() + 1).clamp(0, NUM_DISTANCES - 1).long()
        bucket = bucket * offsets.sign() + NUM_DISTANCES - 1
        head, tail = (
            functional.embedding(bucket, weight).transpose(-1, -2) * _RATE
            for weight in (self.head_distance, self.tail_distance)
        )
        return head, tail

    def of_sides(self, heads: Tensor, tails: Tensor) -> Tensor:
        """From the sides of both, `(batch, pairs, words)` each: `(batch, pairs, heads, words)`."""
        sides = functional.one_hot(heads * _NUM_SIDES + tails, _NUM_SIDES**2).to(self.side.dtype)
        return (sides @ self.side).transpose(-1, -2) * _RATE


class AttendedContext(nn.Module):
    """What a pair of entities attends to: `c = Softmax_w(h·k_w + t·k_w + b(w, h) + b(w, t) + r(w, h, t)) v_w`.

    A learned form of localized context (GLiDRE, Section 2.4), whose product of two attentions is a sum of logits here.
    `b` depends on how far before or after an entity a word is, `r` on whether it is before, in or after each: "between
    them" is one of its nine places. Logits of an entity are computed once, and added for each of its pairs; `c` is
    added to the first layer of the pair's FFN (equation 3), with weights that begin at 0.

    Args:
        size, inner_size: widths of an entity, and between the layers of the FFN.
        num_heads: divides `size`.
    """

    def __init__(self, size: int, inner_size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.head_query, self.tail_query = nn.Linear(size, size), nn.Linear(size, size)
        self.key, self.value = nn.Linear(size, size), nn.Linear(size, size)
        self.places = Places(num_heads)
        self.output = ZeroLinear(size, inner_size, bias=False)

    def forward(self, entity_states: Tensor, offsets: Tensor, word_states: Tensor, word_mask: Tensor) -> Attended:
        """The context of any pair of entities.

        Args:
            entity_states: `(batch, entities, size)`.
            offsets: of words from entities, as [`offsets_from_entities`] gives them, `(batch, entities, words)`.
            word_states, word_mask: `(batch, words, size)`, and which are real, `(batch, words)`.
        """
        as_head, as_tail = self.places.of_distances(offsets)
        key, unseen = self._split(self.key(word_states)), torch.finfo(word_states.dtype).min / 4

        def logits(query: nn.Linear, of_distances: Tensor) -> Tensor:
            of_words = self._split(query(entity_states)) @ key.transpose(-1, -2) * key.shape[-1] ** -0.5
            of_words = of_words.transpose(1, 2) + of_distances
            masked: Tensor = of_words.masked_fill(~word_mask[:, None, None], unseen)
            return masked

        return Attended(
            self,
            logits(self.head_query, as_head),
            logits(self.tail_query, as_tail),
            offsets.sign() + 1,
            self._split(self.value(word_states)),
        )

    def _split(self, states: Tensor) -> Tensor:
        """`(batch, items, size)` as `(batch, heads, items, size / heads)`."""
        return states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


@dataclass
class Attended:
    """What the context of a pair is made of. See [`AttendedContext`].

    Args:
        network: its weights.
        heads, tails: logits of each entity, as head and as tail, `(batch, entities, heads, words)`.
        sides: of each word: 0 before an entity, 1 in it, 2 after it, `(batch, entities, words)`.
        values: `(batch, heads, words, hidden / heads)`.
    """

    network: AttendedContext
    heads: Tensor
    tails: Tensor
    sides: Tensor
    values: Tensor

    @property
    def numbers_per_pair(self) -> int:
        """How many numbers a pair takes while its context is formed."""
        return int(self.heads.shape[2] + _NUM_SIDES) * int(3 * self.heads.shape[3])

    def pairs(self, entity_states: Tensor, index: Tensor, feed_forward: ConcatFeedForward) -> AttendedPairs:
        """Pairs of entities in this context."""
        heads, tails = feed_forward.left(entity_states), feed_forward.right(entity_states)
        return AttendedPairs(index, feed_forward, heads, tails, self)

    def weights(self, index: Tensor) -> Tensor:
        """How much each word counts for some pairs, `(batch, some, heads, words)`."""
        head, tail = index.unbind(-1)
        shape = (*index.shape[:2], *self.heads.shape[2:])
        logits = (gather_items(self.heads.flatten(2), head) + gather_items(self.tails.flatten(2), tail)).view(shape)
        sides = gather_items(self.sides, head), gather_items(self.sides, tail)
        return (logits + self.network.places.of_sides(*sides)).softmax(-1)

    def inner(self, index: Tensor) -> Tensor:
        """What is added to the first layer of the FFN of some pairs, `(batch, some, inner)`."""
        context = self.weights(index).transpose(1, 2) @ self.values
        inner: Tensor = self.network.output(context.transpose(1, 2).flatten(2))
        return inner


@dataclass
class AttendedPairs(EntityPairs):
    """Pairs of entities, each with what it attends to.

    Args:
        context: what that is.
    """

    context: Attended

    @property
    def numbers_per_pair(self) -> int:
        return super().numbers_per_pair + self.context.numbers_per_pair

    def inner(self, index: Tensor, scratch: Scratch | None = None) -> Tensor:
        left, right = self.sides(index, scratch)
        left = left + self.context.inner(index) if scratch is None else left.add_(self.context.inner(index))
        return self.feed_forward.inner(left, right, in_place=scratch is not None)


def offsets_from_entities(inputs: Inputs, num_words: int) -> Tensor:
    """How many words each word is before (below 0), in (0) or after an entity, `(batch, entities, words)`.

    Of an entity with several mentions the nearest counts, and the one before where two are as near.
    """
    position = torch.arange(num_words, device=inputs.mention_word_spans.device)
    start, end = inputs.mention_word_spans[..., :1], inputs.mention_word_spans[..., 1:]
    offsets = (position - start).clamp(max=0) + (position - end + 1).clamp(min=0)
    if inputs.mention_entity is None:
        return offsets
    far = 2 * num_words + 2
    ranked = (2 * offsets.abs() + (offsets > 0)).masked_fill(~inputs.mention_mask.unsqueeze(-1), far)
    nearest = ranked.new_full((ranked.shape[0], inputs.entity_mask.shape[1], num_words), far)
    entity = inputs.mention_entity.unsqueeze(-1).expand_as(ranked)
    nearest = nearest.scatter_reduce(1, entity, ranked, "amin")
    return torch.where(nearest % 2 == 1, nearest // 2, -(nearest // 2))


CONTEXTS: dict[str, Callable[[GLiRELConfig], LocalizedContext | AttendedContext | None]] = {
    "none": lambda config: None,
    "localized": lambda config: LocalizedContext(config.hidden_size, config.inner_size, config.dropout),
    "attention": lambda config: AttendedContext(
        config.hidden_size, config.inner_size, config.encoder_config.num_attention_heads
    ),
}
"""What makes the context of pairs, from a configuration."""
