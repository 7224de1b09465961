"""Stage 4, refine: pairs against the words of the text, relation types against the pairs (Section 3.4).

Axes: `batch, items, hidden`, where `items` stands for pairs, relations or words. Masks are boolean (True: real).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from .feed_forward_glirel import FeedForward


class Attention(nn.Module):
    """Multi-head attention of `queries` to `keys`, among which is always a zero vector that can be attended to.

    The zero key lets an item attend to nothing, and keeps the softmax defined where no key is real.

    Args:
        size: width of queries and keys.
        num_heads: divides `size`.
    """

    def __init__(self, size: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.output = nn.Linear(size, size)

    def forward(self, queries: Tensor, keys: Tensor, key_mask: Tensor) -> Tensor:
        """`(batch, items, size)`, `(batch, keys, size)` and `(batch, keys)` to `(batch, items, size)`."""

        def heads(states: Tensor) -> Tensor:
            return states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

        def with_zero(states: Tensor) -> Tensor:
            return functional.pad(states, (0, 0, 0, 1))

        mask = functional.pad(key_mask, (0, 1), value=True)[:, None, None, :]
        attended = functional.scaled_dot_product_attention(
            heads(self.query(queries)), heads(with_zero(self.key(keys))), heads(with_zero(self.value(keys))), mask
        )
        return self.output(attended.transpose(1, 2).flatten(-2))


class RefinementLayer(nn.Module):
    """Equations 4 to 6: `x' = x + CrossAtt(x, y)`, `x'' = x' + SelfAtt(x')`, `x'' + LN(FFN(x''))`.

    Queries are normalised before either attention. `(batch, items, size)` to the same shape.

    Args:
        size, inner_size: widths of an item and of the FFN.
        num_heads: attention heads; divides `size`.
        dropout: probability of dropout in the FFN.
        self_attention: whether items also attend to each other; without, x'' is x'.
    """

    def __init__(self, size: int, inner_size: int, num_heads: int, dropout: float, self_attention: bool = True):
        super().__init__()
        self.cross_norm = nn.LayerNorm(size)
        self.cross_attention = Attention(size, num_heads)
        self.self_norm = nn.LayerNorm(size) if self_attention else None
        self.self_attention = Attention(size, num_heads) if self_attention else None
        self.feed_forward = FeedForward(size, inner_size, size, dropout, activation=nn.GELU)
        self.feed_forward_norm = nn.LayerNorm(size)

    def forward(self, states: Tensor, mask: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        states = states + self.cross_attention(self.cross_norm(states), context, context_mask)
        if self.self_norm is not None and self.self_attention is not None:
            states = states + self.self_attention(self.self_norm(states), states, mask)
        return states + self.feed_forward_norm(self.feed_forward(states))


class Refinement(nn.Module):
    """Refines items against a context in `num_layers` layers; no layer leaves them as they are.

    `states` `(batch, items, size)` with `mask` `(batch, items)`, and `context` with its mask likewise, to the shape of
    `states`. Arguments after `num_layers` are those of [`RefinementLayer`].
    """

    def __init__(
        self,
        num_layers: int,
        size: int,
        inner_size: int,
        num_heads: int,
        dropout: float,
        self_attention: bool = True,
    ):
        super().__init__()
        self.layers = nn.ModuleList(
            RefinementLayer(size, inner_size, num_heads, dropout, self_attention) for _ in range(num_layers)
        )
        self.output = nn.Linear(size, size) if num_layers else nn.Identity()

    def forward(self, states: Tensor, mask: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        for layer in self.layers:
            states = layer(states, mask, context, context_mask)
        return self.output(states)


REFINEMENTS: dict[str, type[Refinement]] = {"attention": Refinement}
