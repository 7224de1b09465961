"""Stage 5, score: scorers of knowledge-graph triples (head, relation, tail) (GLiNER-Relex, Section 3.6).

They read both ends of a pair as they are, side by side, in place of a network over them: with
`pair_representation="ends"` the states of a pair are `[h ; t]`.

Axes: `batch, pairs, relations, hidden`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .scoring_glirel import SCORERS, Scorer


class TripleScorer(Scorer):
    """Scores of triples: `(batch, pairs, 2 · size)`, `(batch, relations, size)` to `(batch, pairs, relations)`.

    Every one takes the same arguments.

    Args:
        size: width of an entity, and of a relation type.
        dropout: probability of dropout, where there is any.
        distance_limit: what a distance counts at most; `None` means as it is. Only for scorers by distance.
    """

    divisor = 1  # of `size`

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, size, dropout)
        if size % self.divisor:
            raise ValueError(
                f"This scorer divides vectors into {self.divisor} parts: got hidden_size={size}. Choose a multiple of "
                f"{self.divisor}, or another scorer."
            )
        self.size = size

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        heads, tails = pair_states.chunk(2, dim=-1)
        return self.score(heads, relation_states, tails)

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        """Logits, from heads and tails `(batch, pairs, size)` and relations `(batch, relations, size)`."""
        raise NotImplementedError


# Scores that are linear in the relation: one product of what a pair is, with all relations.


class DistMult(TripleScorer):
    """`Σ h r t`; the same in both directions (arXiv 1412.6575)."""

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        return (heads * tails) @ relations.transpose(1, 2)


class SimplE(TripleScorer):
    """`½ (Σ h_f r_f t_b + Σ t_f r_b h_b)` of the halves of each vector (arXiv 1802.04868)."""

    divisor = 2

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        (h_forward, h_backward), (t_forward, t_backward) = heads.chunk(2, -1), tails.chunk(2, -1)
        return torch.cat([h_forward * t_backward, t_forward * h_backward], -1) @ relations.transpose(1, 2) / 2


class ComplEx(TripleScorer):
    """`Re⟨h, r, conj t⟩`; the halves of a vector are real and imaginary parts (arXiv 1606.06357)."""

    divisor = 2

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        (h_real, h_imaginary), (t_real, t_imaginary) = heads.chunk(2, -1), tails.chunk(2, -1)
        real = h_real * t_real + h_imaginary * t_imaginary
        imaginary = h_real * t_imaginary - h_imaginary * t_real
        return torch.cat([real, imaginary], -1) @ relations.transpose(1, 2)


class QuatE(TripleScorer):
    """`(h ⊗ r) · t`, the Hamilton product of quaternions; the quarters of a vector are their parts (1904.10281)."""

    divisor = 4

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        (h0, h1, h2, h3), (t0, t1, t2, t3) = heads.chunk(4, -1), tails.chunk(4, -1)
        parts = [
            h0 * t0 + h1 * t1 + h2 * t2 + h3 * t3,
            h0 * t1 - h1 * t0 + h3 * t2 - h2 * t3,
            h0 * t2 - h3 * t1 - h2 * t0 + h1 * t3,
            h0 * t3 + h2 * t1 - h1 * t2 - h3 * t0,
        ]
        return torch.cat(parts, -1) @ relations.transpose(1, 2)


class HolE(TripleScorer):
    """`(h ⋆ t) · r`, the circular correlation (arXiv 1510.04935).

    By Fourier transforms of each vector once, written as products with cosines and sines, which any runtime has:
    `(1/n) Σ_f Re(conj(H_f) T_f conj(R_f))`.
    """

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        frequency = torch.arange(self.size, device=heads.device)
        # Of the whole part of the angle: a large one in single precision has no accurate cosine.
        angle = (2 * math.pi / self.size) * ((frequency.unsqueeze(1) * frequency) % self.size).float()
        cosine, sine = angle.cos().to(heads.dtype), angle.sin().to(heads.dtype)
        (h_real, h_imaginary), (t_real, t_imaginary) = ((x @ cosine, x @ -sine) for x in (heads, tails))
        real = h_real * t_real + h_imaginary * t_imaginary
        imaginary = h_real * t_imaginary - h_imaginary * t_real
        of_relations = torch.cat([relations @ cosine, relations @ -sine], -1) / self.size
        return torch.cat([real, imaginary], -1) @ of_relations.transpose(1, 2)


class DistMA(TripleScorer):
    """`h·r + h·t + r·t`."""

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        return (heads + tails) @ relations.transpose(1, 2) + (heads * tails).sum(-1, keepdim=True)


# Scores by distance.


class DistanceScorer(TripleScorer):
    """`offset − ‖residual of h, r and t‖`: a small distance is a likely triple.

    The offset, which is learned, is not in the original: without it no score is above one half.
    """

    order = 2.0  # of the norm

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.distance_limit = distance_limit
        # About the distance of two vectors that have nothing to do with each other.
        self.offset = nn.Parameter(torch.full((), math.sqrt(2 * size) if self.order == 2 else float(size)))

    def numbers_per_pair(self, num_relations: int) -> int:
        """The residual of every cell."""
        return num_relations * self.size

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        return self.offset - self.distances(self.residuals(heads, relations, tails))

    def residuals(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        """What is small for a likely triple, `(batch, pairs, relations, size)`."""
        raise NotImplementedError

    def distances(self, residuals: Tensor) -> Tensor:
        """Norms, limited if asked for, `(batch, pairs, relations)`."""
        norms: Tensor = torch.linalg.vector_norm(residuals, ord=self.order, dim=-1)
        return norms if self.distance_limit is None else norms.clamp(max=self.distance_limit)


class UM(DistanceScorer):
    """`‖h − t‖`, whatever the relation."""

    def residuals(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        return (heads - tails).unsqueeze(2).expand(-1, -1, relations.shape[1], -1)


class SE(DistanceScorer):
    """`‖r∘h − r∘t‖`."""

    def residuals(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        return (heads - tails).unsqueeze(2) * relations.unsqueeze(1)


class TransE(DistanceScorer):
    """`‖h + r − t‖₁`."""

    order = 1.0

    def residuals(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        return (heads - tails).unsqueeze(2) + relations.unsqueeze(1)


class TransH(DistanceScorer):
    """`‖h' + W'r − t'‖`, both ends projected on the plane of normal `W r`."""

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.translation, self.normal = nn.Linear(size, size), nn.Linear(size, size)

    def residuals(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        normals = functional.normalize(self.normal(relations), dim=-1)
        differences = heads - tails  # a projection is linear
        along = (differences @ normals.transpose(1, 2)).unsqueeze(-1)
        return differences.unsqueeze(2) - along * normals.unsqueeze(1) + self.translation(relations).unsqueeze(1)


class TransF(DistanceScorer):
    """`‖α∘h + W r − β∘t‖`, α and β linear in r."""

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.translation, self.head_scale, self.tail_scale = (nn.Linear(size, size) for _ in range(3))

    def residuals(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        scaled_heads = heads.unsqueeze(2) * self.head_scale(relations).unsqueeze(1)
        scaled_tails = tails.unsqueeze(2) * self.tail_scale(relations).unsqueeze(1)
        return scaled_heads + self.translation(relations).unsqueeze(1) - scaled_tails


class PairRE(DistanceScorer):
    """`‖α∘h − β∘t‖`, α and β linear in r."""

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.head_scale, self.tail_scale = nn.Linear(size, size), nn.Linear(size, size)

    def residuals(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        scaled_heads = heads.unsqueeze(2) * self.head_scale(relations).unsqueeze(1)
        return scaled_heads - tails.unsqueeze(2) * self.tail_scale(relations).unsqueeze(1)


class TripleRE(TransF):
    """`γ ‖α∘h + δ − β∘t‖`, all of them linear in r, γ a number."""

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.factor = nn.Linear(size, 1)

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        distances = self.distances(self.residuals(heads, relations, tails))
        return self.offset - self.factor(relations).transpose(1, 2) * distances


# Scores by networks.


class ERMLP(TripleScorer):
    """A network over `[h ; r ; t]`, whose first layer is split: nothing but its sum is met per cell."""

    inner_size = 2048

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.head = nn.Linear(size, self.inner_size)
        self.relation = nn.Linear(size, self.inner_size, bias=False)
        self.tail = nn.Linear(size, self.inner_size, bias=False)
        self.output = nn.Linear(self.inner_size, 1)

    def numbers_per_pair(self, num_relations: int) -> int:
        """The inner width of every cell."""
        return num_relations * self.inner_size

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        of_pairs = self.head(heads) + self.tail(tails)
        inner = functional.relu(of_pairs.unsqueeze(2) + self.relation(relations).unsqueeze(1))
        return self.output(inner).squeeze(-1)


class ConvKB(TripleScorer):
    """A network over filters of `(h_i, r_i, t_i)`, one dimension at a time (arXiv 1712.02121)."""

    num_filters = 32

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.filters = nn.Conv1d(3, self.num_filters, 1)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.num_filters * size, 1)

    def numbers_per_pair(self, num_relations: int) -> int:
        """All filters of every cell."""
        return num_relations * self.num_filters * self.size

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        of_head, of_relation, of_tail = self.filters.weight.unbind(1)  # (filters, 1) each
        of_pairs = heads.unsqueeze(-2) * of_head + tails.unsqueeze(-2) * of_tail  # (batch, pairs, filters, size)
        assert self.filters.bias is not None  # it is made with one
        of_relations = relations.unsqueeze(-2) * of_relation + self.filters.bias.unsqueeze(-1)
        filtered = functional.relu(of_pairs.unsqueeze(2) + of_relations.unsqueeze(1)).flatten(-2)
        return self.output(self.dropout(filtered)).squeeze(-1)


class ConvE(TripleScorer):
    """`ReLU(network of filters over the images of h and r) · t` (arXiv 1707.01476). The original cannot build it."""

    num_filters, kernel = 9, 3

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        heights = [n for n in range(2, math.isqrt(size) + 1) if size % n == 0 and size // n >= self.kernel]
        if not heights:
            raise ValueError(
                f"The scorer 'conve' reads vectors as images: got hidden_size={size}, which has no two factors of at "
                "least 2 and 3. Choose another size, or another scorer."
            )
        self.height, self.width = heights[-1], size // heights[-1]
        self.convolution = nn.Conv2d(1, self.num_filters, self.kernel)
        num_places = (2 * self.height - self.kernel + 1) * (self.width - self.kernel + 1)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(self.num_filters * num_places, size)

    def numbers_per_pair(self, num_relations: int) -> int:
        """All filters of every cell."""
        return num_relations * self.output.in_features

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        num_batch, num_pairs, num_relations = *heads.shape[:2], relations.shape[1]
        shape = (num_batch, num_pairs, num_relations, self.height, self.width)
        head_images = heads.view(num_batch, num_pairs, 1, self.height, self.width).expand(shape)
        relation_images = relations.view(num_batch, 1, num_relations, self.height, self.width).expand(shape)
        images = torch.cat([head_images, relation_images], dim=-2).flatten(0, 2).unsqueeze(1)
        filtered = functional.relu(self.convolution(images)).flatten(1)
        expected = functional.relu(self.output(self.dropout(filtered))).view(*shape[:3], self.size)
        return (expected * tails.unsqueeze(2)).sum(-1)


class TuckER(TripleScorer):
    """`Σ W_kij r_k h_i t_j` with a core W of size × size × size (arXiv 1901.09590); ends are normalised by batch.

    The original contracts another axis of the core, and its scores depend on what else is in the batch.
    """

    def __init__(self, size: int, dropout: float, distance_limit: float | None = None):
        super().__init__(size, dropout, distance_limit)
        self.core = nn.Parameter(nn.init.xavier_uniform_(torch.empty(size, size, size)))
        self.head_norm, self.tail_norm = nn.BatchNorm1d(size), nn.BatchNorm1d(size)
        self.dropout = nn.Dropout(dropout)

    def numbers_per_pair(self, num_relations: int) -> int:
        """A vector for every cell."""
        return num_relations * self.size

    def score(self, heads: Tensor, relations: Tensor, tails: Tensor) -> Tensor:
        heads, tails = (
            self.dropout(_normalize(norm, x)) for norm, x in ((self.head_norm, heads), (self.tail_norm, tails))
        )
        matrices = self.dropout((relations @ self.core.flatten(1)).unflatten(-1, (self.size, self.size)))
        return torch.einsum("bpi,brij,bpj->bpr", heads, matrices, tails)


def _normalize(norm: nn.BatchNorm1d, states: Tensor) -> Tensor:
    """What a norm makes of states `(batch, pairs, size)`; of a single one, which has no variance, as in evaluation."""
    rows = states.flatten(0, 1)
    if norm.training and rows.shape[0] < 2:
        normalized = functional.batch_norm(rows, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    else:
        normalized = norm(rows)
    return normalized.view_as(states)


TRIPLE_SCORERS: dict[str, type[TripleScorer]] = {
    "distmult": DistMult,
    "simple": SimplE,
    "complex": ComplEx,
    "quate": QuatE,
    "hole": HolE,
    "distma": DistMA,
    "um": UM,
    "se": SE,
    "transe": TransE,
    "transh": TransH,
    "transf": TransF,
    "pairre": PairRE,
    "triplere": TripleRE,
    "ermlp": ERMLP,
    "convkb": ConvKB,
    "conve": ConvE,
    "tucker": TuckER,
}


def build_scorer(name: str, size: int, inner_size: int, dropout: float, distance_limit: float | None) -> Scorer:
    """The scorer of that name, in `SCORERS` or `TRIPLE_SCORERS`; see these for the arguments."""
    if name in SCORERS:
        return SCORERS[name](size, inner_size, dropout)
    return TRIPLE_SCORERS[name](size, dropout, distance_limit)
