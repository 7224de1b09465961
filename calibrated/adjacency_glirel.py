"""Stage 3, form pairs: which entities are related at all, as a matrix (GLiNER-Relex, Section 3.5).

Axes: `batch, entities, hidden`. A matrix `(batch, entities, entities)` holds, for head and tail, a number from 0 to 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_HEADS = 8  # of the attention, as the original has them


class Adjacency(nn.Module):
    """How likely two entities are related: `(batch, entities, size)` to `(batch, entities, entities)`.

    Every one takes the same arguments, and gives 0 for entities that are not real.

    Args:
        size: width of an entity, and of whatever is inside.
    """

    def __init__(self, size: int):
        super().__init__()

    def forward(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        real = entity_mask.unsqueeze(2) & entity_mask.unsqueeze(1)
        return self.probabilities(entity_states, entity_mask).masked_fill(~real, 0.0)

    def probabilities(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        """The matrix, with anything where entities are not real."""
        raise NotImplementedError


def _similarities(states: Tensor) -> Tensor:
    return torch.sigmoid(states @ states.transpose(1, 2))


class DotAdjacency(Adjacency):
    """`σ(x_i · x_j)`; the same in both directions."""

    def probabilities(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        return _similarities(entity_states)


class BilinearAdjacency(Adjacency):
    """`σ(z_i · z_j)`, z linear in x; the same in both directions."""

    def __init__(self, size: int):
        super().__init__(size)
        self.projection = nn.Linear(size, size)

    def probabilities(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        return _similarities(self.projection(entity_states))


class MLPAdjacency(Adjacency):
    """A network over `[x_i ; x_j]`, its first layer once for each entity: it tells i → j from j → i."""

    def __init__(self, size: int):
        super().__init__(size)
        self.head, self.tail = nn.Linear(size, size), nn.Linear(size, size, bias=False)
        self.output = nn.Linear(size, 1)

    def probabilities(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        inner = self.head(entity_states).unsqueeze(2) + self.tail(entity_states).unsqueeze(1)
        scores: Tensor = self.output(functional.relu(inner)).squeeze(-1)
        return scores.sigmoid()


class _SelfAttention(nn.Module):
    """Multi-head attention of entities to each other, with the parameters of `nn.MultiheadAttention`."""

    def __init__(self, size: int):
        super().__init__()
        self.projection, self.output = nn.Linear(size, 3 * size), nn.Linear(size, size)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What each attends to, `(batch, entities, size)`; the heads' mean weights, `(batch, entities, entities)`."""
        queries, keys, values = (
            part.unflatten(-1, (_HEADS, -1)).transpose(1, 2) for part in self.projection(states).chunk(3, dim=-1)
        )
        scores = queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5
        # The lowest number, not −∞: of a text without an entity, nothing at all is real.
        scores = scores.masked_fill(~mask[:, None, None], torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1)
        return self.output((weights @ values).transpose(1, 2).flatten(2)), weights.mean(1)


class AttentionAdjacency(Adjacency):
    """The weights of an attention of entities to each other: those of a head sum to 1 over all tails."""

    def __init__(self, size: int):
        super().__init__(size)
        self.attention = _SelfAttention(size)

    def probabilities(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        weights: Tensor = self.attention(entity_states, entity_mask)[1]
        return weights


class GCNAdjacency(Adjacency):
    """`σ(p_i · p_j)`, P linear in a graph convolution, `ReLU(Linear(D^-½ Â D^-½ X))` over [`DotAdjacency`] and I."""

    def __init__(self, size: int):
        super().__init__(size)
        self.convolution, self.projection = nn.Linear(size, size), nn.Linear(size, size)

    def probabilities(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        real = entity_mask.to(entity_states.dtype)
        edges = _similarities(entity_states) * real.unsqueeze(2) * real.unsqueeze(1) + torch.diag_embed(real)
        scale = edges.sum(-1, keepdim=True).clamp(min=1e-6) ** -0.5
        convolved = scale * (edges @ (scale * entity_states))
        return _similarities(self.projection(functional.relu(self.convolution(convolved))))


class GATAdjacency(Adjacency):
    """`σ(z_i · z_j)`, Z linear in what entities attend to."""

    def __init__(self, size: int):
        super().__init__(size)
        self.attention, self.projection = _SelfAttention(size), nn.Linear(size, size)

    def probabilities(self, entity_states: Tensor, entity_mask: Tensor) -> Tensor:
        return _similarities(self.projection(self.attention(entity_states, entity_mask)[0]))


ADJACENCY: dict[str, type[Adjacency] | None] = {
    "all": None,
    "dot": DotAdjacency,
    "bilinear": BilinearAdjacency,
    "mlp": MLPAdjacency,
    "attention": AttentionAdjacency,
    "gcn": GCNAdjacency,
    "gat": GATAdjacency,
}
