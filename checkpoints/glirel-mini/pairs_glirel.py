"""Stage 3, form pairs: ordered pairs of entities (equation 3), formed when somebody reads them.

Axes: `batch, entities, pairs, hidden`.
"""

from __future__ import annotations

from dataclasses import dataclass

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

    def forward(self, entity_states: Tensor, pair_index: Tensor) -> Pairs:
        heads, tails = self.feed_forward.left(entity_states), self.feed_forward.right(entity_states)
        return Pairs(self.feed_forward, heads, tails, pair_index)


@dataclass
class Pairs:
    """Pairs that are not formed yet: what they are made of. Their states would grow with the square of the entities.

    Args:
        feed_forward: the FFN of equation 3.
        heads, tails: its first layer, once for each entity: as head and as tail, `(batch, entities, inner)` each.
        index: head and tail of each pair on the `entities` axis, `(batch, pairs, 2)`.
    """

    feed_forward: ConcatFeedForward
    heads: Tensor
    tails: Tensor
    index: Tensor

    @property
    def numbers_per_pair(self) -> int:
        """How many numbers a pair takes while it is formed."""
        return int(self.heads.shape[-1])

    @property
    def last_layer(self) -> nn.Module:
        """What turns [`inner`] into the states of the pairs."""
        return self.feed_forward.output

    def inner(self, index: Tensor, scratch: Scratch | None = None) -> Tensor:
        """What the last layer reads, for some rows of `index`: `(batch, some, inner)`, in `scratch` if given."""
        shape = (*index.shape[:2], self.numbers_per_pair)
        left, right = (
            gather_items(
                states,
                index[..., side],
                None if scratch is None else scratch.take(f"side {side}", states, *shape),
            )
            for side, states in enumerate((self.heads, self.tails))
        )
        return self.feed_forward.inner(left, right, in_place=scratch is not None)

    def states(self, index: Tensor | None = None, scratch: Scratch | None = None) -> Tensor:
        """κ of all pairs, or of some rows of `index`: `(batch, pairs, hidden)`."""
        inner: Tensor = self.last_layer(self.inner(self.index if index is None else index, scratch))
        return inner


PAIRS: dict[str, type[PairRepresentation]] = {"concat": PairRepresentation}
