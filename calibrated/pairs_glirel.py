"""Stage 3, form pairs: ordered pairs of entities (GLiREL, equation 3), formed when somebody reads them.

Axes: `batch, entities, pairs, words, hidden`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .feed_forward_glirel import ConcatFeedForward
from .memory_glirel import Scratch, gather_items


class PairRepresentation(nn.Module):
    """Ordered pairs from entities, equation 3: `κ_uv = FFN(e_u ⊗ e_v)`.

    `(batch, entities, size)` and `pair_index` `(batch, pairs, 2)` to [`Pairs`] of `(batch, pairs, size)`.

    Args:
        size, inner_size: widths of an entity and of the FFN.
        dropout: probability of dropout in the FFN.
    """

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__()
        self.feed_forward = ConcatFeedForward(size, inner_size, dropout)

    def forward(self, entity_states: Tensor, pair_index: Tensor, context: PairContext | None = None) -> Pairs:
        """Pairs of `entity_states`; with a `context`, of what it makes of them for each pair."""
        if context is not None:
            return ContextualPairs(pair_index, self.feed_forward, context)
        heads, tails = self.feed_forward.left(entity_states), self.feed_forward.right(entity_states)
        return EntityPairs(pair_index, self.feed_forward, heads, tails)


class LocalizedContext(nn.Module):
    """What both entities of a pair attend to changes how they are represented (GLiDRE, equations 5 to 8).

    `α = A_h ⊙ A_t`, `c = Σ_i α_i H_i / (Σ_j α_j + 1e-5)`, and `h' = tanh(FFN_h(h ⊗ c))`, `t' = tanh(FFN_t(t ⊗ c))`.
    Each entity is pooled once, and the context of all pairs is one product, of `(pairs, words)` with the words. The
    1e-5, which the paper leaves out, is not negligible: Σ α is about one over the number of words.

    Args:
        size, inner_size: widths of an entity and of the FFNs.
        dropout: probability of dropout in them.
    """

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__()
        self.head = ConcatFeedForward(size, inner_size, dropout)
        self.tail = ConcatFeedForward(size, inner_size, dropout)

    def forward(self, entity_states: Tensor, entity_attention: Tensor, word_states: Tensor) -> PairContext:
        """The context of any pair of entities.

        Args:
            entity_states: `(batch, entities, size)`.
            entity_attention: mean attention of each entity's words to all words, `(batch, entities, words)`.
            word_states: `(batch, words, size)`.
        """
        return PairContext(
            self, self.head.left(entity_states), self.tail.left(entity_states), entity_attention, word_states
        )


@dataclass
class PairContext:
    """What the context of a pair is made of, for [`ContextualPairs`]. See [`LocalizedContext`].

    Args:
        network: equations 7 and 8.
        heads, tails: the entities' part of its first layers, `(batch, entities, inner)` each.
        attention: `(batch, entities, words)`.
        words: `(batch, words, size)`.
    """

    network: LocalizedContext
    heads: Tensor
    tails: Tensor
    attention: Tensor
    words: Tensor

    def weights(self, index: Tensor) -> Tensor:
        """α of some pairs, `(batch, some, words)`: how much each word counts (equations 5 and 6)."""
        joint = gather_items(self.attention, index[..., 0]) * gather_items(self.attention, index[..., 1])
        return joint / (joint.sum(-1, keepdim=True) + 1e-5)

    def ends(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Both entities of some pairs, h' and t', `(batch, some, size)` each."""
        context = self.weights(index) @ self.words
        first, place = self._neighbours(index)
        ends = []
        for side, (network, left) in enumerate(((self.network.head, self.heads), (self.network.tail, self.tails))):
            of_context = network.right(context if first is None else context.flatten(0, 1)[first])
            if place is not None:
                of_context = of_context.index_select(0, place).view(*index.shape[:2], -1)
            ends.append(torch.tanh(network.output(network.inner(gather_items(left, index[..., side]), of_context))))
        return ends[0], ends[1]

    def sort(self, index: Tensor) -> Tensor:
        """An order of pairs in which both directions of a pair are neighbours, `(batch, pairs)`."""
        return self._unordered(index).argsort(dim=1, stable=True)

    def _unordered(self, index: Tensor) -> Tensor:
        """A number for each pair, the same for both directions, `(batch, pairs)`."""
        return index.amin(-1) * self.heads.shape[1] + index.amax(-1)

    def _neighbours(self, index: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The first of neighbours with the same context among all pairs of a batch, and for each pair which it is.

        `None` in a graph, whose sizes may not depend on what is in it.
        """
        if torch.compiler.is_compiling() or not index.shape[1]:
            return None, None
        text = torch.arange(len(index), device=index.device).unsqueeze(1) * self.heads.shape[1] ** 2
        key = (self._unordered(index) + text).flatten()
        starts = torch.cat([key.new_ones(1, dtype=torch.bool), key[1:] != key[:-1]])
        return starts.nonzero().flatten(), starts.cumsum(0) - 1


@dataclass
class Pairs:
    """Pairs that are not formed yet: what they are made of. Their states would grow with the square of the entities.

    Args:
        index: head and tail of each pair on the `entities` axis, `(batch, pairs, 2)`.
    """

    index: Tensor

    @property
    def numbers_per_pair(self) -> int:
        """How many numbers a pair takes while it is formed."""
        raise NotImplementedError

    def order(self) -> Tensor | None:
        """The order in which pairs are best formed, `(batch, pairs)`; `None` where any is as good."""
        return None

    @property
    def last_layer(self) -> nn.Module:
        """What turns [`inner`] into the states of the pairs."""
        raise NotImplementedError

    def inner(self, index: Tensor, scratch: Scratch | None = None) -> Tensor:
        """What the last layer reads, for some rows of `index`: `(batch, some, inner)`, in `scratch` if given."""
        raise NotImplementedError

    def states(self, index: Tensor | None = None, scratch: Scratch | None = None) -> Tensor:
        """κ of all pairs, or of some rows of `index`: `(batch, pairs, hidden)`."""
        inner: Tensor = self.last_layer(self.inner(self.index if index is None else index, scratch))
        return inner


@dataclass
class EntityPairs(Pairs):
    """Pairs of entities that are the same in every pair.

    Args:
        feed_forward: the FFN of equation 3.
        heads, tails: the first layer of the FFN, once for each entity: as head and as tail, `(batch, entities, inner)`
            each.
    """

    feed_forward: ConcatFeedForward
    heads: Tensor
    tails: Tensor

    @property
    def numbers_per_pair(self) -> int:
        return int(self.heads.shape[-1])

    @property
    def last_layer(self) -> nn.Module:
        return self.feed_forward.output

    def sides(self, index: Tensor, scratch: Scratch | None = None) -> tuple[Tensor, Tensor]:
        """The first layer of the head and of the tail of some pairs, `(batch, some, inner)` each."""
        shape = (*index.shape[:2], self.heads.shape[-1])
        left, right = (
            gather_items(
                states,
                index[..., side],
                None if scratch is None else scratch.take(f"side {side}", states, *shape),
            )
            for side, states in enumerate((self.heads, self.tails))
        )
        return left, right

    def inner(self, index: Tensor, scratch: Scratch | None = None) -> Tensor:
        return self.feed_forward.inner(*self.sides(index, scratch), in_place=scratch is not None)


@dataclass
class ContextualPairs(Pairs):
    """Pairs of entities that depend on the pair.

    Args:
        feed_forward: the FFN of equation 3.
        context: what makes the entities of a pair.
    """

    feed_forward: ConcatFeedForward
    context: PairContext

    @property
    def last_layer(self) -> nn.Module:
        return self.feed_forward.output

    @property
    def numbers_per_pair(self) -> int:
        return 3 * self.context.heads.shape[-1] + 2 * self.context.words.shape[1]

    def order(self) -> Tensor | None:
        return self.context.sort(self.index)

    def inner(self, index: Tensor, scratch: Scratch | None = None) -> Tensor:
        head, tail = self.context.ends(index)
        return self.feed_forward.inner(self.feed_forward.left(head), self.feed_forward.right(tail))


@dataclass
class EndPairs(Pairs):
    """Pairs that are their two ends, side by side: `(batch, pairs, 2 · hidden)`, what scorers of triples read.

    Args:
        entities: `(batch, entities, hidden)`.
        context: what makes the ends of a pair, in place of the entities.
    """

    entities: Tensor
    context: PairContext | None

    @property
    def numbers_per_pair(self) -> int:
        return 2 * int(self.entities.shape[-1])

    @property
    def last_layer(self) -> nn.Module:
        return nn.Identity()

    def inner(self, index: Tensor, scratch: Scratch | None = None) -> Tensor:
        if self.context is not None:
            return torch.cat(self.context.ends(index), dim=-1)
        return gather_items(self.entities, index.flatten(1)).view(*index.shape[:2], self.numbers_per_pair)


class PairEnds(nn.Module):
    """Ordered pairs as [`EndPairs`], without a network; arguments and shapes as of [`PairRepresentation`]."""

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__()

    def forward(self, entity_states: Tensor, pair_index: Tensor, context: PairContext | None = None) -> Pairs:
        return EndPairs(pair_index, entity_states, context)


PAIRS: dict[str, type[PairRepresentation] | type[PairEnds]] = {"concat": PairRepresentation, "ends": PairEnds}
