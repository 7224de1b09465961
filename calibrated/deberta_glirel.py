"""DeBERTa-v2 and v3 with an exact, faster attention; parameters, checkpoints and results are those of transformers.

The disentangled attention of DeBERTa (arXiv 2006.03654, equation 4) adds to each score `Q_iᵀK_j` two terms that
depend on the distance δ = i − j alone: `Q_iᵀ K'_δ` (content to position) and `K_jᵀ Q'_δ` (position to content), where
K' and Q' are projections of a table of relative positions. Here that table is projected only where an input reaches
it, one matrix product gives each term for all distances, and the scores are read out of it through strided views.

Axes have one name everywhere: `batch, tokens, heads, distances, hidden`; `width` is the width of one head.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedConfig
from transformers.modeling_outputs import BaseModelOutput
from transformers.models.deberta_v2.modeling_deberta_v2 import (
    DebertaV2Layer,
    DebertaV2Model,
    DisentangledSelfAttention,
)

from .memory_glirel import Scratch, may_need_gradient

# Longer inputs are processed in blocks of this many tokens, by bytes of a number. A block meets `tokens + block` of
# the `2 · tokens` distances, and what it makes stays in the processor's cache.
_BLOCKS = {4: 32, 2: 128}
# As many heads are processed at once as keep their scores there, too: this many numbers.
_SCORES_IN_CACHE = 2**20


class Distances(NamedTuple):
    """Where an input reads the table of relative positions.

    Args:
        key_rows (`torch.LongTensor` of shape `(distances,)`): row of K' for the distances tokens − 1, …, −tokens.
        query_rows (`torch.LongTensor` of shape `(distances,)`): row of Q' for the distances 1 − tokens, …, tokens.
        first, last: the half-open range of rows that occur.
        scratch: memory that the layers share, on a CPU; `None` where gradients or a graph are wanted.
    """

    key_rows: Tensor
    query_rows: Tensor
    first: int
    last: int
    scratch: Scratch | None


class DisentangledAttention(nn.Module):
    """Takes the place, and the parameters, of a `DisentangledSelfAttention` of transformers.

    Once optimized for inference it holds instead `joined_projection`, one product for queries, keys and values, and
    `positions`, the projected table (see `inference_glirel.py`).
    """

    query_proj: nn.Linear
    key_proj: nn.Linear
    value_proj: nn.Linear
    dropout: nn.Dropout
    pos_dropout: nn.Dropout

    def __init__(self, replaced: DisentangledSelfAttention):
        super().__init__()
        for name, child in replaced.named_children():
            setattr(self, name, child)
        self.num_heads: int = replaced.num_attention_heads
        terms = [term for term in ("c2p", "p2c") if term in replaced.pos_att_type]
        self.scale = (replaced.attention_head_size * (1 + len(terms))) ** -0.5
        self.position_terms = terms if replaced.relative_attention else []
        self.shares_projections: bool = replaced.share_att_key
        self.joined_projection: nn.Module | None = None
        self.positions: tuple[Tensor, ...] | None = None

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None,
        output_attentions: bool = False,
        query_states: None = None,
        relative_pos: Distances | None = None,
        rel_embeddings: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attention of the tokens to each other, with the signature that transformers' layers call.

        Args:
            hidden_states (`torch.FloatTensor` of shape `(batch, tokens, hidden)`): what asks and is read.
            attention_mask (`torch.BoolTensor` of shape `(batch, 1, tokens, tokens)`): True where a token must not
                look; `None` when all is real.
            output_attentions: whether to return the probabilities as well.
            query_states: always `None`.
            relative_pos, rel_embeddings (`torch.FloatTensor` of shape `(rows, hidden)`): where this length reads the
                table, and the table.

        Returns:
            `(batch, tokens, hidden)`, and the probabilities `(batch, heads, tokens, tokens)` or None.
        """
        queries, keys, values = self._project(hidden_states)
        positions, scratch = {}, None
        if relative_pos is not None and rel_embeddings is not None:
            positions, scratch = self._read_table(relative_pos, rel_embeddings), relative_pos.scratch
        if not positions or scratch is None or self.training:
            context, probabilities = self._attend(queries, keys, values, attention_mask, positions)
            return context.flatten(2), probabilities if output_attentions else None
        if output_attentions:
            context, probabilities = _attend_in_place(queries, keys, values, attention_mask, positions, scratch)
            return context.flatten(2), probabilities
        num_batch, num_tokens = hidden_states.shape[:2]
        num_groups = math.ceil(self.num_heads * num_batch * num_tokens**2 / _SCORES_IN_CACHE)
        group = math.ceil(self.num_heads / min(max(num_groups, 1), self.num_heads))  # of equal size
        context = queries.new_empty(queries.shape)
        for heads in (slice(start, start + group) for start in range(0, self.num_heads, group)):
            of_heads = {term: of_distances[heads] for term, of_distances in positions.items()}
            of_queries, of_keys, of_values = (states[:, :, heads] for states in (queries, keys, values))
            context[:, :, heads], _ = self._attend(of_queries, of_keys, of_values, attention_mask, of_heads, scratch)
        return context.flatten(2), None

    def project_positions(self, table: Tensor) -> tuple[Tensor, ...]:
        """The table as K' and as scaled Q', `(rows, hidden)` each, as far as the model uses them."""
        prefix = "" if self.shares_projections else "pos_"
        names = {"c2p": f"{prefix}key_proj", "p2c": f"{prefix}query_proj"}
        scales = {"c2p": 1.0, "p2c": self.scale}
        return tuple(self.get_submodule(names[term])(table) * scales[term] for term in self.position_terms)

    def _project(self, hidden_states: Tensor) -> tuple[Tensor, ...]:
        """Scaled queries, keys and values, `(batch, tokens, heads, width)` each."""
        if self.joined_projection is not None:
            projected = self.joined_projection(hidden_states).chunk(3, dim=-1)
        else:
            queries = self.query_proj(hidden_states) * self.scale
            projected = queries, self.key_proj(hidden_states), self.value_proj(hidden_states)
        return tuple(states.unflatten(-1, (self.num_heads, -1)) for states in projected)

    def _read_table(self, distances: Distances, table: Tensor) -> dict[str, Tensor]:
        """K' and Q' for every distance, `(heads, distances, width)` each."""
        first, positions = 0, self.positions
        if positions is None:
            first = distances.first
            positions = self.project_positions(self.pos_dropout(table)[first : distances.last])
        rows = {"c2p": distances.key_rows, "p2c": distances.query_rows}
        return {
            term: of_rows.index_select(0, rows[term] - first).unflatten(-1, (self.num_heads, -1)).transpose(0, 1)
            for term, of_rows in zip(self.position_terms, positions, strict=True)
        }

    def _attend(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        hidden: Tensor | None,
        positions: dict[str, Tensor],
        scratch: Scratch | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Attention of some heads, `(batch, tokens, heads, width)`, and its probabilities where they were needed."""
        bias = _position_scores(queries, keys, positions, scratch) if positions else None
        lowest = torch.finfo(queries.dtype).min  # not −inf: a padded token asks as well, and all of its row is hidden
        queries, keys, values = (states.transpose(1, 2) for states in (queries, keys, values))
        if scratch is None:
            scores = queries @ keys.transpose(-1, -2)
            scores = scores if bias is None else scores + bias
            scores = scores if hidden is None else scores.masked_fill(hidden, lowest)
            probabilities = self.dropout(scores.softmax(-1))
            return (probabilities @ values).transpose(1, 2), probabilities
        if hidden is not None and bias is not None:
            bias.masked_fill_(hidden, lowest / 2)  # half of it, because the scores are added to it
        context = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=bias, scale=1.0)
        return context.transpose(1, 2), None


class FastDebertaV2Model(DebertaV2Model):
    """[`DebertaV2Model`] with [`DisentangledAttention`]: the same parameters, and hidden states equal within 1e-5."""

    keeps_last_attention_only = False  # of the attentions that are asked for
    skips_unread_tokens = False  # whether the last layer may leave out tokens that nobody reads

    def __init__(self, config: PreTrainedConfig):
        super().__init__(config)
        for layer in self.encoder.layer:
            layer.attention.self = DisentangledAttention(layer.attention.self)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        read_mask: Tensor | None = None,
        **kwargs: object,
    ) -> BaseModelOutput | tuple[Tensor, ...]:
        """As [`DebertaV2Model.forward`].

        Where `skips_unread_tokens` is set and no hidden states are asked for, `last_hidden_state` is zero for all
        tokens but those of `read_mask` (`torch.BoolTensor` of shape `(batch, tokens)`): what follows the last layer's
        attention is computed for these alone.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Pass `input_ids` or `inputs_embeds`, and not both.")
        wants = {
            name: getattr(self.config, name) if value is None else value
            for name, value in (
                ("output_hidden_states", output_hidden_states),
                ("output_attentions", output_attentions),
                ("return_dict", return_dict),
            )
        }
        given: Any = input_ids if inputs_embeds is None else inputs_embeds
        mask = given.new_ones(given.shape[:2], dtype=torch.long) if attention_mask is None else attention_mask
        if position_ids is None:  # transformers' own end at `max_position_embeddings`, which relative ones do not need
            position_ids = torch.arange(given.shape[1], device=given.device).unsqueeze(0)
        embedded = self.embeddings(
            input_ids=input_ids,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            mask=mask,
            inputs_embeds=inputs_embeds,
        )
        states: list[Tensor] | None = [embedded] if wants["output_hidden_states"] else None
        attentions: list[Tensor] | None = [] if wants["output_attentions"] else None
        output = BaseModelOutput(
            last_hidden_state=self._run_layers(embedded, mask, read_mask, states, attentions),
            hidden_states=None if states is None else tuple(states),
            attentions=None if attentions is None else tuple(attentions),
        )
        return output if wants["return_dict"] else output.to_tuple()

    def _run_layers(
        self,
        embedded: Tensor,
        mask: Tensor,
        read_mask: Tensor | None,
        states: list[Tensor] | None,
        attentions: list[Tensor] | None,
    ) -> Tensor:
        """The last layer's states `(batch, tokens, hidden)`; those of every layer are appended to lists, if given."""
        # Where all is known to be real, nothing is hidden; a graph, and other devices, need not be asked.
        is_whole = mask.device.type == "cpu" and not torch.compiler.is_compiling() and bool(mask.all())
        hidden = None if is_whole else ~self.encoder.get_attention_mask(mask).bool()
        table = self.encoder.get_rel_embedding()
        distances = None if table is None else self._distances(embedded.shape[1], embedded.device)
        hidden_states = embedded
        last = len(self.encoder.layer) - 1
        can_skip = states is None and (last > 0 or self.encoder.conv is None) and not torch.compiler.is_compiling()
        read = read_mask if can_skip and self.skips_unread_tokens else None
        for depth, layer in enumerate(self.encoder.layer):
            is_read = attentions is not None and (depth == last or not self.keeps_last_attention_only)
            run: Any = partial(_run_where_read, layer, read) if depth == last and read is not None else layer
            hidden_states, attention = run(
                hidden_states,
                hidden,
                relative_pos=distances,
                rel_embeddings=table,
                output_attentions=is_read,
            )
            if depth == 0 and self.encoder.conv is not None:
                hidden_states = self.encoder.conv(embedded, hidden_states, mask)
            if states is not None:
                states.append(hidden_states)
            if attentions is not None and is_read:
                attentions.append(attention)
        return hidden_states

    def _distances(self, num_tokens: int, device: torch.device) -> Distances:
        """Rows of the table for every distance, in the order in which [`_by_distance`] wants them."""
        encoder = self.encoder
        is_tracing = torch.compiler.is_compiling()
        buckets = encoder.position_buckets if encoder.position_buckets > 0 else 0
        span = buckets or encoder.max_relative_positions
        # On the CPU while nothing is traced: the range of rows must be known to slice the table.
        distance = torch.arange(num_tokens - 1, -num_tokens - 1, -1, device=device if is_tracing else "cpu")
        if buckets:
            distance = bucket_distance(distance, buckets, encoder.max_relative_positions)
        key_rows = (span + distance).clamp(0, 2 * span - 1)
        query_rows = (span - distance).clamp(0, 2 * span - 1)
        if is_tracing:
            return Distances(key_rows, query_rows, 0, 2 * span, None)
        first = int(min(key_rows.min(), query_rows.min()))
        last = int(max(key_rows.max(), query_rows.max())) + 1
        scratch = Scratch() if device.type == "cpu" and not may_need_gradient(self) else None
        return Distances(key_rows.to(device), query_rows.to(device), first, last, scratch)


def _run_where_read(
    layer: DebertaV2Layer, read_mask: Tensor, hidden_states: Tensor, *mask: Tensor | None, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """A layer whose FFN computes the tokens of `read_mask` `(batch, tokens)` alone; the states of others are zero."""
    attended, attention = layer.attention.self(hidden_states, *mask, **options)
    rows = read_mask.flatten().nonzero().squeeze(1)
    states = layer.attention.output(*(full.flatten(0, 1).index_select(0, rows) for full in (attended, hidden_states)))
    states = layer.output(layer.intermediate(states), states)
    all_states = torch.zeros_like(hidden_states)
    all_states.flatten(0, 1).index_copy_(0, rows, states)
    return all_states, attention


def bucket_distance(distance: Tensor, num_buckets: int, max_distance: int) -> Tensor:
    """Distances as the table counts them: exact up to half of the buckets, then on a logarithmic scale, either sign.

    As DeBERTa-v2 does; in single precision throughout, because a ceiling is taken.
    """
    exact = num_buckets // 2
    far = distance.abs().clamp(min=exact - 1).float() / exact
    scale = torch.tensor((max_distance - 1) / exact, device=distance.device).log()
    bucket = (far.log() / scale * (exact - 1)).ceil().long() + exact
    return torch.where(distance.abs() <= exact, distance, bucket * distance.sign())


def _by_distance(states: Tensor, positions: Tensor, scratch: Scratch | None = None) -> Tensor:
    """Products of each of n neighbouring tokens with the position of every token: a view `(heads, batch, n, tokens)`.

    Args:
        states: `(batch, n, heads, width)`.
        positions: `(heads, tokens + n, width)`; column n − 1 − i + j belongs to token i of the n and token j of all.
        scratch: where to write the products.
    """
    num_batch, num_rows, num_heads, _ = states.shape
    num_columns = positions.shape[1]
    out = None
    if scratch is not None:
        out = scratch.take("products", states, num_heads, num_batch * num_rows, num_columns)
    products = torch.bmm(states.flatten(0, 1).transpose(0, 1), positions.transpose(1, 2), out=out)
    # Row i is to be read from column n − 1 − i on. Read as rows that are one column shorter, these columns lie below
    # each other.
    flat = products.unflatten(1, (num_batch, num_rows)).flatten(-2)
    wanted = flat[..., num_rows - 1 : num_rows - 1 + num_rows * (num_columns - 1)]
    return wanted.unflatten(-1, (num_rows, num_columns - 1))[..., : num_columns - num_rows]


def _position_scores(queries: Tensor, keys: Tensor, positions: dict[str, Tensor], scratch: Scratch | None) -> Tensor:
    """What the distance of two tokens adds to their score, `(batch, heads, tokens, tokens)`."""
    if scratch is not None and len(positions) == 2:
        return _sum_in_blocks(queries, positions["c2p"], keys, positions["p2c"], scratch).transpose(0, 1)
    scores = [_by_distance(queries, positions["c2p"])] if "c2p" in positions else []
    if "p2c" in positions:
        scores.append(_by_distance(keys, positions["p2c"]).transpose(-1, -2))
    return sum(scores[1:], scores[0]).transpose(0, 1)


def _attend_in_place(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    hidden: Tensor | None,
    positions: dict[str, Tensor],
    scratch: Scratch,
) -> tuple[Tensor, Tensor]:
    """Attention `(batch, tokens, heads, width)` and its probabilities; scores are added to those of positions."""
    scores = _position_scores(queries, keys, positions, scratch).transpose(0, 1)
    shape = scores.shape
    if hidden is not None:
        scores = scores.masked_fill_(hidden.squeeze(1), torch.finfo(scores.dtype).min / 2)
    queries, keys, values = (states.permute(2, 0, 1, 3).flatten(0, 1) for states in (queries, keys, values))
    probabilities = scores.flatten(0, 1).baddbmm_(queries, keys.transpose(1, 2)).softmax(-1)
    context = (probabilities @ values).unflatten(0, shape[:2])
    return context.permute(1, 2, 0, 3), probabilities.view(shape).transpose(0, 1)


def _sum_in_blocks(queries: Tensor, of_keys: Tensor, keys: Tensor, of_queries: Tensor, scratch: Scratch) -> Tensor:
    """Both terms of the positions, `(heads, batch, tokens, tokens)`, made and added block by block in `scratch`."""
    num_batch, num_tokens, num_heads, _ = queries.shape
    block = _BLOCKS.get(queries.dtype.itemsize, _BLOCKS[4])
    blocks = [(start, min(start + block, num_tokens)) for start in range(0, num_tokens, block)]
    scores = scratch.take("scores", queries, num_heads, num_batch, num_tokens, num_tokens)
    for start, end in blocks:
        positions = of_queries[:, num_tokens - end : 2 * num_tokens - start]
        scores[..., start:end] = _by_distance(keys[:, start:end], positions, scratch).transpose(-1, -2)
    for start, end in blocks:
        positions = of_keys[:, num_tokens - end : 2 * num_tokens - start]
        scores[:, :, start:end] += _by_distance(queries[:, start:end], positions, scratch)
    return scores
