"""Stage 5, score: every pair against every relation type (equations 7 and 8), in memory that does not grow with them.

Axes: `batch, pairs, relations, hidden`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .feed_forward_glirel import FeedForward
from .memory_glirel import Scratch, gather_items, normalized
from .pairs_glirel import Pairs

# How many numbers a chunk of pairs may hold at once: what stays in a processor's cache, or what keeps a GPU busy. When
# gradients are wanted a chunk is computed twice, so there are few.
CHUNK_IN_CACHE, CHUNK = 2**21, 2**25


class Scorer(nn.Module):
    """Scores of pairs against relation types: `(batch, pairs, size)`, `(batch, relations, size)` to logits.

    Every scorer takes the same arguments.

    Args:
        size: width of pairs and relation types.
        inner_size: width of its FFNs.
        dropout: probability of dropout in them.
    """

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__()

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        """Logits `(batch, pairs, relations)`."""
        raise NotImplementedError

    def numbers_per_pair(self, num_relations: int) -> int:
        """How many numbers a pair takes while it is scored."""
        return num_relations


class LinearScorer(Scorer):
    """A score linear in the pair, `κᵀw_t + c_t`.

    The last layer of whatever makes the pairs can then be folded into the relation types, see [`fold`].
    """

    def weigh(self, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        """Weights w `(batch, relations, size)` and offsets c `(batch, relations)`."""
        raise NotImplementedError

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        return score_linearly(pair_states, *self.weigh(relation_states))

    def fold(self, layer: nn.Linear, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and offsets for pairs before `layer`: `(Wx + b)ᵀw + c = xᵀ(Wᵀw) + bᵀw + c`. Exact algebra.

        Returns:
            Weights `(batch, relations, inner)` and offsets `(batch, relations)`.
        """
        weights, offsets = self.weigh(relation_states)
        # A column, not a vector: ONNX Runtime does not multiply the rows of no relation type with a vector.
        return weights @ layer.weight, offsets + (weights @ layer.bias.unsqueeze(1)).squeeze(2)


def score_linearly(pair_states: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Scores `(batch, pairs, relations)`, of weights and offsets as [`LinearScorer.weigh`] gives them."""
    return torch.baddbmm(offsets.unsqueeze(1), pair_states, weights.transpose(1, 2))


class DotScorer(LinearScorer):
    """Equation 8 before the sigmoid, `κᵀq`."""

    def weigh(self, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        """As they are, and zeros."""
        return relation_states, relation_states.new_zeros(relation_states.shape[:2])


class DotThreshScorer(LinearScorer):
    """`softplus(α_t) · (κᵀ FFN(q_t) + β_t)`, where `(α_t, β_t) = FFN(q_t)`: each type has its scale and offset."""

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__(size, inner_size, dropout)
        self.scale_and_offset = FeedForward(size, inner_size, 2, dropout)
        self.relation_projection = FeedForward(size, inner_size, size, dropout)

    def weigh(self, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        """`softplus(α) FFN(q)` `(batch, relations, size)`, and `softplus(α) β` `(batch, relations)`."""
        scale, offset = self.scale_and_offset(relation_states).unbind(-1)
        scale = functional.softplus(scale)
        return self.relation_projection(relation_states) * scale.unsqueeze(-1), offset * scale


class DotNormScorer(Scorer):
    """`κᵀq_t + b + FFN(q_t) + FFN(κ)`: a constant offset, one for each type, and one for each pair."""

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__(size, inner_size, dropout)
        self.inner_size = inner_size
        self.bias = nn.Parameter(torch.zeros(()))
        self.relation_bias = FeedForward(size, inner_size, 1, dropout)
        self.pair_bias = FeedForward(size, inner_size, 1, dropout)

    def numbers_per_pair(self, num_relations: int) -> int:
        """The inner width of the FFN over a pair, or its scores."""
        return max(num_relations, self.inner_size)

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        scores = pair_states @ relation_states.transpose(1, 2)
        return scores + self.bias + self.relation_bias(relation_states).transpose(1, 2) + self.pair_bias(pair_states)


class ConcatProjScorer(Scorer):
    """`FFN([κ ∘ q ; κ − q ; κ ; q])` for each cell; the first layer is split, so that only `κ ∘ q` is met per cell."""

    def __init__(self, size: int, inner_size: int, dropout: float):
        super().__init__(size, inner_size, dropout)
        inner_size = 4 * size  # as the original package has it, whatever the other FFNs are
        self.product = nn.Linear(size, inner_size)
        self.difference = nn.Linear(size, inner_size, bias=False)
        self.pair = nn.Linear(size, inner_size, bias=False)
        self.relation = nn.Linear(size, inner_size, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(inner_size, 1)

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        of_pair = self.difference(pair_states) + self.pair(pair_states)
        of_relation = self.relation(relation_states) - self.difference(relation_states)
        product = self.product(pair_states.unsqueeze(2) * relation_states.unsqueeze(1))
        inner = functional.relu(product + of_pair.unsqueeze(2) + of_relation.unsqueeze(1))
        return self.output(self.dropout(inner)).squeeze(-1)

    def numbers_per_pair(self, num_relations: int) -> int:
        """The inner width of every cell."""
        return num_relations * self.product.out_features


SCORERS: dict[str, type[Scorer]] = {
    "dot": DotScorer,
    "dot_thresh": DotThreshScorer,
    "dot_norm": DotNormScorer,
    "concat_proj": ConcatProjScorer,
}


class CoreferenceClassifier(nn.Sequential):
    """FFN that scores pairs as coreferent: `(batch, pairs, size)` to logits `(batch, pairs)`.

    It comes with converted checkpoints and is frozen: the loss does not train it.
    """

    def __init__(self, size: int, dropout: float):
        super().__init__(
            nn.Linear(size, size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(size, 1),
            nn.Flatten(start_dim=-2),
        )
        self.requires_grad_(False)


class ThresholdHead(nn.Module):
    """The score that a relation of a pair must exceed, from the pair and the types asked for (GLiDRE, Section 3.4.3).

    `FFN([mean of the relation types ; κ])`: `(batch, pairs, size)` to `(batch, pairs)`. It depends on which types are
    asked for together; their own scores do not.

    Args:
        size: width of pairs and relation types, and of the FFN.
        dropout: probability of dropout in it.
    """

    def __init__(self, size: int, dropout: float):
        super().__init__()
        self.relations = nn.Linear(size, size)
        self.pair = nn.Linear(size, size, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(size, 1)

    def forward(self, pair_states: Tensor, mean_relation: Tensor) -> Tensor:
        """Thresholds of pairs, for the mean of the relation types `(batch, size)`."""
        inner = functional.relu(self.relations(mean_relation).unsqueeze(1) + self.pair(pair_states))
        thresholds: Tensor = self.output(self.dropout(inner)).squeeze(-1)
        return thresholds


class Scores(NamedTuple):
    """Logits of relation types `(batch, pairs, relations)`, and of whatever else scores pairs `(batch, pairs)`."""

    relations: Tensor | None = None
    coreference: Tensor | None = None
    thresholds: Tensor | None = None


@dataclass
class PairScorer:
    """Scores pairs chunk by chunk: they are formed (equation 3) when they are scored, and then forgotten.

    Where nothing but a linear score reads the pairs, their last layer is folded into the relation types; and where no
    gradient is wanted, all chunks share one piece of memory. None of this changes a score.

    Args:
        scorer: one of `SCORERS`.
        coreference: what also scores pairs as coreferent, if anything does.
        needs_gradient: whether chunks are computed again for the gradients, rather than kept.
        threshold: what gives each pair a threshold, if anything does.
    """

    scorer: Scorer
    coreference: nn.Module | None
    needs_gradient: bool
    threshold: ThresholdHead | None = None

    def __call__(self, pairs: Pairs | Tensor, relation_states: Tensor, relation_mask: Tensor | None = None) -> Scores:
        """The scores of all pairs.

        Args:
            pairs: to be formed, or the states of pairs that were formed already, `(batch, pairs, hidden)`.
            relation_states: `(batch, relations, hidden)`.
            relation_mask: True where a relation type is real, `(batch, relations)`; by default all are.
        """
        heads = list(self._other_heads(relation_states, relation_mask))
        rows = pairs if isinstance(pairs, Tensor) else pairs.index
        score = (
            (lambda states: self._score(states, relation_states, heads))
            if isinstance(pairs, Tensor)
            else self._forming(pairs, relation_states, heads)
        )
        if torch.compiler.is_compiling():  # a graph has no chunks: their number would be frozen in it
            scores = score(rows)
        else:
            of_pair = pairs.shape[-1] if isinstance(pairs, Tensor) else pairs.numbers_per_pair
            numbers_per_pair = max(self.scorer.numbers_per_pair(relation_states.shape[1]), of_pair)
            order = None if isinstance(pairs, Tensor) else pairs.order()
            if order is None:
                scores = self._in_chunks(score, rows, numbers_per_pair)
            else:
                scores = self._in_chunks(score, rows.take_along_dim(order.unsqueeze(-1), dim=1), numbers_per_pair)
                scores = gather_items(scores, order.argsort(dim=1))
        if not heads:
            return Scores(scores)
        of_heads = iter(scores[..., scores.shape[-1] - len(heads) :].unbind(-1))
        return Scores(
            scores[..., : -len(heads)],
            None if self.coreference is None else next(of_heads),
            None if self.threshold is None else next(of_heads),
        )

    def _other_heads(
        self, relation_states: Tensor, relation_mask: Tensor | None
    ) -> Iterator[Callable[[Tensor], Tensor]]:
        """What else scores a pair: from pairs `(batch, some, hidden)` to `(batch, some)`."""
        if self.coreference is not None:
            yield self.coreference
        if self.threshold is not None:
            real = relation_states.new_ones(relation_states.shape[:2]) if relation_mask is None else relation_mask
            weights = normalized(real.to(relation_states.dtype)).unsqueeze(1)
            mean = (weights @ relation_states).squeeze(1)
            yield partial(self.threshold, mean_relation=mean)

    def folding(self, layer: nn.Module) -> Callable[[Tensor], tuple[Tensor, Tensor]] | None:
        """What folds the pairs' last layer into relation types, by reading its weights in place of calling it.

        `None` where something else reads the pairs; where another module has taken the layer's place, such as one with
        an adapter; or where its weights come only when it is called, as offloaded ones do.
        """
        if self.coreference is not None or self.threshold is not None or not isinstance(self.scorer, LinearScorer):
            return None
        if type(layer) is not nn.Linear or layer.weight.device.type == "meta":
            return None
        return partial(self.scorer.fold, layer)

    def _score(
        self, pair_states: Tensor, relation_states: Tensor, heads: Sequence[Callable[[Tensor], Tensor]]
    ) -> Tensor:
        scores: Tensor = self.scorer(pair_states, relation_states)
        return torch.cat([scores, *(head(pair_states).unsqueeze(-1) for head in heads)], dim=-1) if heads else scores

    def _forming(
        self, pairs: Pairs, relation_states: Tensor, heads: Sequence[Callable[[Tensor], Tensor]]
    ) -> Callable[[Tensor], Tensor]:
        """What forms and scores some rows of `pairs.index`."""
        is_compiling = torch.compiler.is_compiling()
        scratch = None if self.needs_gradient or is_compiling else Scratch()
        # Folding costs as much as the layer itself for as many pairs as there are relation types. A graph, in which
        # both numbers are open, always folds.
        is_worthwhile = is_compiling or pairs.index.shape[1] > relation_states.shape[1]
        if is_worthwhile and (fold := self.folding(pairs.last_layer)) is not None:
            folded = fold(relation_states)
            return lambda index: score_linearly(pairs.inner(index, scratch), *folded)
        return lambda index: self._score(pairs.states(index, scratch), relation_states, heads)

    def _in_chunks(self, score: Callable[[Tensor], Tensor], pairs: Tensor, numbers_per_pair: int) -> Tensor:
        """Scores some rows of `pairs` `(batch, pairs, …)` at a time."""
        budget = CHUNK_IN_CACHE if pairs.device.type == "cpu" and not self.needs_gradient else CHUNK
        size = max(1, budget // max(1, len(pairs) * numbers_per_pair))
        if pairs.shape[1] <= size:
            return score(pairs)
        chunks = pairs.split(size, dim=1)
        if self.needs_gradient:
            return torch.cat([checkpoint(score, chunk, use_reentrant=False) for chunk in chunks], dim=1)
        return torch.cat([score(chunk) for chunk in chunks], dim=1)
