"""Building blocks of GLiREL's head: pooling, feed-forward networks, the word LSTM, refinement, scoring and the loss.

Axes have one name everywhere: `batch, tokens, words, mentions, pairs, relations, hidden`; `items` stands for any of
them. Masks are boolean and True means real.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .configuration_glirel import GLiRELConfig


class Scratch:
    """Memory that every layer writes into anew: fresh pages can cost more than the arithmetic that fills them."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """A tensor of that shape, and of the type and place of `like`; what it holds is anything."""
        size, key = math.prod(shape), (name, like.dtype)
        if key not in self._buffers or len(self._buffers[key]) < size:
            self._buffers[key] = like.new_empty(size)
        return self._buffers[key][:size].view(shape)


def gather_items(states: Tensor, index: Tensor, out: Tensor | None = None) -> Tensor:
    """Rows of `states` `(batch, items, hidden)` at `index` `(batch, n)`: `(batch, n, hidden)`, in `out` if given.

    Raises:
        RuntimeError: when an index is out of range.
    """
    num_batch, num_items = states.shape[:2]
    if torch.compiler.is_compiling() or states.device.type not in ("cpu", "cuda"):
        # Not `take_along_dim`, which wraps an index that is out of range around, without a word.
        return states.gather(1, index.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
    # Faster, but of the rows of the whole batch: an index that is out of range would reach into the next text.
    torch._assert_async(
        ((index >= 0) & (index < num_items)).all(),
        f"An index is out of range: there are {num_items} items. Use the tensors of the model's tokenizer.",
    )
    first = torch.arange(num_batch, device=index.device).unsqueeze(1) * num_items
    out = out if out is None else out.flatten(0, 1)
    return torch.index_select(states.flatten(0, 1), 0, (index + first).flatten(), out=out).unflatten(0, index.shape)


def may_need_gradient(module: nn.Module) -> bool:
    """Whether what `module` computes now may have to be kept for gradients."""
    return torch.is_grad_enabled() and any(parameter.requires_grad for parameter in module.parameters())


def mean_of_spans(states: Tensor, spans: Tensor) -> Tensor:
    """Mean of `states` `(batch, items, hidden)` over half-open `spans` `(batch, n, 2)`; zero for an empty span."""
    position = torch.arange(states.shape[1], device=states.device)
    inside = (position >= spans[..., :1]) & (position < spans[..., 1:])
    weights = inside.to(states.dtype) / inside.sum(-1, keepdim=True).clamp(min=1).to(states.dtype)
    return weights @ states


class FeedForward(nn.Sequential):
    """The paper's two-layer FFN: `(…, input_size)` to `(…, output_size)`."""

    def __init__(
        self,
        config: GLiRELConfig,
        output_size: int | None = None,
        activation: type[nn.Module] = nn.ReLU,
        multiplier: float | None = None,
    ):
        inner_size = int((multiplier or config.feed_forward_multiplier) * config.hidden_size)
        super().__init__(
            nn.Linear(config.hidden_size, inner_size),
            activation(),
            nn.Dropout(config.dropout),
            nn.Linear(inner_size, output_size or config.hidden_size),
        )


class ConcatFeedForward(nn.Module):
    """FFN over a concatenation, `FFN(a ⊗ b)`, without concatenating.

    Its first layer is `W (a ⊗ b) = W_left a + W_right b`: with `left` and `right` before and `inner` after the pairs
    are formed, the cost of the first layer grows with the mentions and not with their pairs. Exact algebra (equations
    2 and 3).
    """

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        inner_size = config.feed_forward_multiplier * config.hidden_size
        self.left = nn.Linear(config.hidden_size, inner_size)
        self.right = nn.Linear(config.hidden_size, inner_size, bias=False)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(inner_size, config.hidden_size)

    def inner(self, left: Tensor, right: Tensor, in_place: bool = False) -> Tensor:
        """What the second layer reads, from the projections of both sides, `(…, inner)` each; may overwrite `left`."""
        if in_place:
            return left.add_(right).relu_()
        return self.dropout(self.activation(left + right))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """From both sides, `(…, hidden)` each, to `(…, hidden)`."""
        return self.output(self.inner(self.left(left), self.right(right)))


class SpanPooling(nn.Module):
    """Pools the sub-tokens of each word, or of each relation type, to one vector (Section 3.1).

    `(batch, tokens, encoder hidden)` and half-open token spans `(batch, items, 2)` to `(batch, items, hidden)`. A span
    without a sub-token gives a zero vector before the projection.
    """

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.pooling = config.subtoken_pooling
        width = config.encoder_config.hidden_size * (2 if self.pooling == "first_last" else 1)
        self.projection = nn.Linear(width, config.hidden_size) if width != config.hidden_size else nn.Identity()

    def forward(self, token_states: Tensor, token_spans: Tensor) -> Tensor:
        if self.pooling in ("mean", "sum"):
            pooled = mean_of_spans(token_states, token_spans)
            if self.pooling == "sum":
                pooled = pooled * (token_spans[..., 1:] - token_spans[..., :1])
            return self.projection(pooled)
        first, last = token_spans[..., 0], (token_spans[..., 1] - 1).clamp(min=0)
        is_real = (token_spans[..., 1] > token_spans[..., 0]).unsqueeze(-1)
        index = {"first": [first], "last": [last], "first_last": [first, last]}[self.pooling]
        pooled = torch.cat([gather_items(token_states, i) for i in index], dim=-1)
        return self.projection(pooled * is_real)


class WordLSTM(nn.Module):
    """Bidirectional LSTM over the words of each text: `(batch, words, hidden)` to the same shape.

    Two one-directional LSTMs over a left-aligned batch; the backward one reads each text reversed within its own
    length. The result is that of a packed bidirectional LSTM, and the graph has static control flow: one more word is
    always read, and dropped, since an LSTM refuses a sequence without any.
    """

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.forward_lstm = nn.LSTM(config.hidden_size, config.hidden_size // 2, batch_first=True)
        self.backward_lstm = nn.LSTM(config.hidden_size, config.hidden_size // 2, batch_first=True)

    def forward(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        num_words = word_mask.sum(dim=1, keepdim=True)
        position = torch.arange(word_states.shape[1], device=word_states.device).unsqueeze(0)
        reversal = torch.where(word_mask, num_words - 1 - position, position)
        reversed_states = gather_items(word_states, reversal)
        forward_states, _ = self.forward_lstm(functional.pad(word_states, (0, 0, 0, 1)))
        backward_states, _ = self.backward_lstm(functional.pad(reversed_states, (0, 0, 0, 1)))
        return torch.cat([forward_states[:, :-1], gather_items(backward_states[:, :-1], reversal)], dim=-1)


class MentionRepresentation(nn.Module):
    """Mentions `(batch, mentions, hidden)` from words `(batch, words, hidden)`, equation 2.

    `e_ij = FFN(h_i ⊗ h_j)` of the first and the last word; with `endpoint_projection`, of
    `ReLU(FFN_start(h_i) ⊗ FFN_end(h_j))`; with `mention_representation="mean"`, FFN of the mean word. The networks
    are applied at the mentions only, never to every word.
    """

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.is_mean = config.mention_representation == "mean"
        self.feed_forward = FeedForward(config) if self.is_mean else ConcatFeedForward(config)
        self.start_projection, self.end_projection = (
            nn.Sequential(FeedForward(config), nn.ReLU()) if config.endpoint_projection else nn.Identity()
            for _ in range(2)
        )

    def forward(self, word_states: Tensor, mention_word_spans: Tensor) -> Tensor:
        if self.is_mean:
            return self.feed_forward(mean_of_spans(word_states, mention_word_spans))
        first = gather_items(word_states, mention_word_spans[..., 0])
        last = gather_items(word_states, (mention_word_spans[..., 1] - 1).clamp(min=0))
        return self.feed_forward(self.start_projection(first), self.end_projection(last))


class PairRepresentation(nn.Module):
    """Ordered pairs from mentions, equation 3: `κ_uv = FFN(e_u ⊗ e_v)`, `(batch, pairs, hidden)`."""

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.feed_forward = ConcatFeedForward(config)

    def project(self, mention_states: Tensor) -> tuple[Tensor, Tensor]:
        """First layer of the FFN, once for each mention: as head and as tail, `(batch, mentions, inner)` each."""
        return self.feed_forward.left(mention_states), self.feed_forward.right(mention_states)

    def inner(self, heads: Tensor, tails: Tensor, pair_index: Tensor, scratch: Scratch | None = None) -> Tensor:
        """What the second layer reads, `(batch, pairs, inner)`; in `scratch` if given."""
        shape = (*pair_index.shape[:2], heads.shape[-1])
        left, right = (
            gather_items(
                states,
                pair_index[..., side],
                None if scratch is None else scratch.take(f"side {side}", states, *shape),
            )
            for side, states in enumerate((heads, tails))
        )
        return self.feed_forward.inner(left, right, in_place=scratch is not None)

    def forward(self, mention_states: Tensor, pair_index: Tensor) -> Tensor:
        return self.feed_forward.output(self.inner(*self.project(mention_states), pair_index))


class Attention(nn.Module):
    """Multi-head attention of `queries` to `keys`, among which is always a zero vector that can be attended to.

    The zero key lets an item attend to nothing, and keeps the softmax defined where no key is real.
    """

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.num_heads = config.num_refinement_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, queries: Tensor, keys: Tensor, key_mask: Tensor) -> Tensor:
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

    Queries are normalised before either attention. Without `refinement_self_attention`, x'' is x'.
    `(batch, items, hidden)` to the same shape.
    """

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.cross_norm = nn.LayerNorm(config.hidden_size)
        self.cross_attention = Attention(config)
        self.self_norm = nn.LayerNorm(config.hidden_size) if config.refinement_self_attention else None
        self.self_attention = Attention(config) if config.refinement_self_attention else None
        self.feed_forward = FeedForward(
            config, activation=nn.GELU, multiplier=config.refinement_feed_forward_multiplier
        )
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size)

    def forward(self, states: Tensor, mask: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        states = states + self.cross_attention(self.cross_norm(states), context, context_mask)
        if self.self_norm is not None and self.self_attention is not None:
            states = states + self.self_attention(self.self_norm(states), states, mask)
        return states + self.feed_forward_norm(self.feed_forward(states))


class Refinement(nn.Module):
    """Refines `states` against `context` in `num_layers` layers (Section 3.4); none leave `states` as they are."""

    def __init__(self, config: GLiRELConfig, num_layers: int):
        super().__init__()
        self.layers = nn.ModuleList(RefinementLayer(config) for _ in range(num_layers))
        self.output = nn.Linear(config.hidden_size, config.hidden_size) if num_layers else nn.Identity()

    def forward(self, states: Tensor, mask: Tensor, context: Tensor, context_mask: Tensor) -> Tensor:
        for layer in self.layers:
            states = layer(states, mask, context, context_mask)
        return self.output(states)


class CoreferenceClassifier(nn.Sequential):
    """FFN that scores pairs as coreferent: `(batch, pairs, hidden)` to logits `(batch, pairs)`.

    It comes with converted checkpoints and is frozen: the loss does not train it.
    """

    def __init__(self, config: GLiRELConfig):
        super().__init__(
            nn.Linear(config.hidden_size, config.hidden_size),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden_size, 1),
            nn.Flatten(start_dim=-2),
        )
        self.requires_grad_(False)


class LinearScorer(nn.Module):
    """A score linear in the pair, `κᵀw_t + c_t`: `(batch, pairs, hidden)`, `(batch, relations, hidden)` to logits.

    The last layer of whatever makes the pairs can then be folded into the relation types, see [`fold`].
    """

    def weigh(self, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        """Weights w `(batch, relations, hidden)` and offsets c `(batch, relations)`."""
        raise NotImplementedError

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        return score_linearly(pair_states, *self.weigh(relation_states))

    def fold(self, layer: nn.Linear, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and offsets for pairs before `layer`: `(Wx + b)ᵀw + c = xᵀ(Wᵀw) + bᵀw + c`. Exact algebra."""
        weights, offsets = self.weigh(relation_states)
        # A column, not a vector: ONNX Runtime does not multiply the rows of no relation type with a vector.
        return weights @ layer.weight, offsets + (weights @ layer.bias.unsqueeze(1)).squeeze(2)


def score_linearly(pair_states: Tensor, weights: Tensor, offsets: Tensor) -> Tensor:
    """Scores `(batch, pairs, relations)`."""
    return torch.baddbmm(offsets.unsqueeze(1), pair_states, weights.transpose(1, 2))


class DotScorer(LinearScorer):
    """Equation 8 before the sigmoid, `κᵀq`."""

    def __init__(self, config: GLiRELConfig):
        super().__init__()

    def weigh(self, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        return relation_states, relation_states.new_zeros(relation_states.shape[:2])


class DotThreshScorer(LinearScorer):
    """`softplus(α_t) · (κᵀ FFN(q_t) + β_t)`, where `(α_t, β_t) = FFN(q_t)`: each type has its scale and offset."""

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.scale_and_offset = FeedForward(config, output_size=2)
        self.relation_projection = FeedForward(config)

    def weigh(self, relation_states: Tensor) -> tuple[Tensor, Tensor]:
        scale, offset = self.scale_and_offset(relation_states).unbind(-1)
        scale = functional.softplus(scale)
        return self.relation_projection(relation_states) * scale.unsqueeze(-1), offset * scale


class DotNormScorer(nn.Module):
    """`κᵀq_t + b + FFN(q_t) + FFN(κ)`: a constant offset, one of each type, and one of each pair."""

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))
        self.relation_bias = FeedForward(config, output_size=1)
        self.pair_bias = FeedForward(config, output_size=1)

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        scores = pair_states @ relation_states.transpose(1, 2)
        return scores + self.bias + self.relation_bias(relation_states).transpose(1, 2) + self.pair_bias(pair_states)


class ConcatProjScorer(nn.Module):
    """`FFN([κ ∘ q ; κ − q ; κ ; q])` for each cell; the first layer is split, so that only `κ ∘ q` is met per cell."""

    def __init__(self, config: GLiRELConfig):
        super().__init__()
        inner_size = 4 * config.hidden_size
        self.product = nn.Linear(config.hidden_size, inner_size)
        self.difference = nn.Linear(config.hidden_size, inner_size, bias=False)
        self.pair = nn.Linear(config.hidden_size, inner_size, bias=False)
        self.relation = nn.Linear(config.hidden_size, inner_size, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(inner_size, 1)

    def forward(self, pair_states: Tensor, relation_states: Tensor) -> Tensor:
        of_pair = self.difference(pair_states) + self.pair(pair_states)
        of_relation = self.relation(relation_states) - self.difference(relation_states)
        product = self.product(pair_states.unsqueeze(2) * relation_states.unsqueeze(1))
        inner = functional.relu(product + of_pair.unsqueeze(2) + of_relation.unsqueeze(1))
        return self.output(self.dropout(inner)).squeeze(-1)

    def numbers_per_pair(self, num_relations: int) -> int:
        """How many numbers a pair takes while it is scored."""
        return num_relations * self.product.out_features


# How many numbers a chunk of pairs may hold at once: what stays in a processor's cache, or what keeps a GPU busy. When
# gradients are wanted a chunk is computed twice, so there are few.
_CHUNK_IN_CACHE, _CHUNK = 2**21, 2**25


def score_in_chunks(
    score: Callable[[Tensor], Tensor], pairs: Tensor, numbers_per_pair: int, needs_gradient: bool
) -> Tensor:
    """Scores some pairs at a time, so that memory does not grow with their number.

    Args:
        score: from some rows of `pairs` to logits `(batch, some, relations)`.
        pairs: `(batch, pairs, …)`.
        numbers_per_pair: how many numbers `score` holds on the way, for each pair.
        needs_gradient: whether a chunk is to be computed again for the gradients, and not kept.
    """
    # A graph has no chunks: their number would be frozen in it.
    if torch.compiler.is_compiling():
        return score(pairs)
    budget = _CHUNK_IN_CACHE if pairs.device.type == "cpu" and not needs_gradient else _CHUNK
    size = max(1, budget // max(1, len(pairs) * numbers_per_pair))
    if pairs.shape[1] <= size:
        return score(pairs)
    chunks = pairs.split(size, dim=1)
    if needs_gradient:
        return torch.cat([checkpoint(score, chunk, use_reentrant=False) for chunk in chunks], dim=1)
    return torch.cat([score(chunk) for chunk in chunks], dim=1)


SCORERS = {
    "dot": DotScorer,
    "dot_thresh": DotThreshScorer,
    "dot_norm": DotNormScorer,
    "concat_proj": ConcatProjScorer,
}

IGNORED_LABEL = -100


def relation_loss(config: GLiRELConfig, logits: Tensor, labels: Tensor, cell_mask: Tensor) -> Tensor:
    """Mean loss over the real cells (Section 3.5), so that it does not scale with pairs × relations.

    Args:
        logits: scores before the sigmoid, `(batch, pairs, relations)`.
        labels: 1 where the pair has the relation, 0 where it has not, −100 where that is unknown; several types may
            be right for one pair. Same shape.
        cell_mask: True where both the pair and the relation type are real. Same shape.
    """
    cell_mask = cell_mask & (labels != IGNORED_LABEL)
    logits = logits.float().masked_fill(~cell_mask, 0.0)
    labels = labels.to(logits.dtype).masked_fill(~cell_mask, 0.0)
    losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    if config.loss_function == "focal":
        probability = torch.sigmoid(logits)
        missed = labels * (1 - probability) + (1 - labels) * probability
        alpha = labels * config.focal_alpha + (1 - labels) * (1 - config.focal_alpha)
        losses = alpha * missed**config.focal_gamma * losses
    weights = labels * config.positive_weight + (1 - labels) * config.negative_weight
    return (losses * weights * cell_mask).sum() / cell_mask.sum().clamp(min=1)
