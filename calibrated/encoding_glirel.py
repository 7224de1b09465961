"""Stage 1, encode: words of the text and relation types, from an encoder's tokens (GLiREL, Sections 3.1 and 3.2).

Relation types stand before the text, or are read apart by an encoder of their own (GLiDRE, Section 2.2).

Axes: `batch, tokens, words, relations, types, hidden`; `items` stands for words or relations. `types` are the distinct
relation types of a batch. Spans are half-open.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, PreTrainedModel
from transformers.models.deberta_v2.modeling_deberta_v2 import DebertaV2Model
from transformers.utils import output_capturing

from .deberta_glirel import FastDebertaV2Model
from .fusion_glirel import LayerFusion
from .memory_glirel import gather_items, inside_spans, may_need_gradient, mean_of_spans
from .mpnet_glirel import FastMPNetModel
from .parallel_glirel import compute_both


def _ends(states: Tensor, spans: Tensor, *ends: str) -> Tensor:
    """The first and/or last state of each span, concatenated; zero for an empty span."""
    index = {"first": spans[..., 0], "last": (spans[..., 1] - 1).clamp(min=0)}
    is_real = (spans[..., 1] > spans[..., 0]).unsqueeze(-1)
    return torch.cat([gather_items(states, index[end]) for end in ends], dim=-1) * is_real


def _max(states: Tensor, spans: Tensor) -> Tensor:
    """The largest number of each span in each dimension, of spans that do not overlap; zero for an empty span."""
    inside = inside_spans(spans, states.shape[1])
    num_spans = spans.shape[1]
    place = torch.arange(num_spans, device=spans.device).unsqueeze(-1)
    # One more item, for tokens that are in no span.
    owner = torch.where(inside.any(1), (inside * place).sum(1), num_spans).unsqueeze(-1).expand_as(states)
    lowest = states.new_full((states.shape[0], num_spans + 1, states.shape[2]), torch.finfo(states.dtype).min)
    highest = lowest.scatter_reduce(1, owner, states, "amax")[:, :-1]
    return highest.masked_fill(~inside.any(-1, keepdim=True), 0.0)


# From `(batch, tokens, width)` and token spans `(batch, items, 2)` to `(batch, items, width)`, or twice that width.
POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "first": lambda states, spans: _ends(states, spans, "first"),
    "last": lambda states, spans: _ends(states, spans, "last"),
    "mean": mean_of_spans,
    "sum": lambda states, spans: mean_of_spans(states, spans) * (spans[..., 1:] - spans[..., :1]),
    "max": _max,
    "first_last": lambda states, spans: _ends(states, spans, "first", "last"),
}
# Those that a projection must come before: it does not commute with them.
_AFTER_PROJECTION = ("max",)


class SpanPooling(nn.Module):
    """Pools the sub-tokens of each word, or of each relation type, to one vector (Section 3.1).

    `(batch, tokens, input_size)` and half-open token spans `(batch, items, 2)` to `(batch, items, size)`.

    Args:
        pooling: a name in `POOLINGS`.
        input_size: width of the encoder.
        size: width of what comes out; where it differs, a linear projection follows.
        keeps_zeros: whether a span without a sub-token gives a zero vector; else it is zero before the projection.
    """

    def __init__(self, pooling: str, input_size: int, size: int, keeps_zeros: bool = False):
        super().__init__()
        self.pooling = pooling
        self.keeps_zeros = keeps_zeros and input_size != size
        width = input_size * (2 if pooling == "first_last" else 1)
        self.projection = nn.Linear(width, size) if width != size else nn.Identity()

    def forward(self, token_states: Tensor, token_spans: Tensor) -> Tensor:
        pool = POOLINGS[self.pooling]
        states: Tensor
        if self.pooling in _AFTER_PROJECTION:
            return pool(self.projection(token_states), token_spans)
        states = self.projection(pool(token_states, token_spans))
        if self.keeps_zeros:
            states = states * (token_spans[..., 1:] > token_spans[..., :1])
        return states

    def mean_of(self, token_states: Tensor, token_spans: Sequence[Tensor]) -> Tensor:
        """The mean of what several spans give for each item, as [`RELATIONS`] names them."""
        first, *others = (self(token_states, spans) for spans in token_spans)
        return sum(others, first) / (1 + len(others)) if others else first


class WordLSTM(nn.Module):
    """Bidirectional LSTM over the words of each text: `(batch, words, size)` to the same shape.

    Two one-directional LSTMs over a left-aligned batch; the backward one reads each text reversed within its own
    length. The result is that of a packed bidirectional LSTM, and the graph has static control flow: one extra word is
    always read and then dropped, since an LSTM refuses an empty sequence.

    Args:
        size: width of a word; even.
        num_layers: how many LSTMs read one what the other gives.
    """

    def __init__(self, size: int, num_layers: int = 1):
        super().__init__()
        self.forward_lstm = nn.LSTM(size, size // 2, batch_first=True)
        self.backward_lstm = nn.LSTM(size, size // 2, batch_first=True)
        self.deeper = nn.ModuleList(WordLSTM(size) for _ in range(num_layers - 1))

    def forward(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        num_words = word_mask.sum(dim=1, keepdim=True)
        position = torch.arange(word_states.shape[1], device=word_states.device).unsqueeze(0)
        reversal = torch.where(word_mask, num_words - 1 - position, position)
        reversed_states = gather_items(word_states, reversal)
        forward_states, backward_states = self._read_both(
            functional.pad(word_states, (0, 0, 0, 1)), functional.pad(reversed_states, (0, 0, 0, 1))
        )
        states = torch.cat([forward_states[:, :-1], gather_items(backward_states[:, :-1], reversal)], dim=-1)
        for layer in self.deeper:
            states = layer(states, word_mask)
        return states

    def _read_both(self, states: Tensor, reversed_states: Tensor) -> tuple[Tensor, Tensor]:
        """What either LSTM makes of its states."""

        def one() -> Tensor:
            return self.forward_lstm(states)[0]

        def other() -> Tensor:
            return self.backward_lstm(reversed_states)[0]

        # An LSTM divides a batch among the cores, and nothing else. A thread inherits neither gradients nor autocast.
        needs_gradient = may_need_gradient(self) or (torch.is_grad_enabled() and states.requires_grad)
        is_plain = not (torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu") or needs_gradient)
        if is_plain and states.device.type == "cpu" and states.shape[0] < torch.get_num_threads():
            return compute_both(one, other)
        return one(), other()


def _at_rel_token(spans: Tensor) -> Tensor:
    start = spans[..., :1]
    # Padded spans are (0, 0): the clamp keeps their [REL] inside the input.
    return torch.cat([(start - 1).clamp(min=0), start], dim=-1)


def _at_label_start(spans: Tensor) -> Tensor:
    start = spans[..., :1]
    return torch.cat([start, torch.minimum(start + 1, spans[..., 1:])], dim=-1)


# Where a relation type's vector p of equation 1 is read (Section 3.2): from its token spans `(batch, relations, 2)` to
# those that are pooled; their mean is the vector.
RELATIONS: dict[str, Callable[[Tensor], list[Tensor]]] = {
    "label": lambda spans: [spans],
    "label_start": lambda spans: [_at_label_start(spans)],
    "rel_token": lambda spans: [_at_rel_token(spans)],
    "both": lambda spans: [spans, _at_rel_token(spans)],
}


def pooled_tokens(pooling: str, spans: Tensor, num_tokens: int) -> Tensor:
    """Which tokens a pooling reads, `(batch, tokens)`.

    Args:
        pooling: a name in `POOLINGS`.
        spans: half-open token spans, `(batch, items, 2)`.
        num_tokens: of the input.
    """
    start, end = spans[..., :1], spans[..., 1:]
    first = torch.cat([start, torch.minimum(start + 1, end)], dim=-1)
    last = torch.cat([torch.maximum(end - 1, start), end], dim=-1)
    read = {"first": [first], "last": [last], "first_last": [first, last]}.get(pooling, [spans])
    inside = [inside_spans(some, num_tokens).any(1) for some in read]
    return inside[0] if len(inside) == 1 else inside[0] | inside[1]


# What attends to what where types stand before the text: from the number of the type that attends and of the one that
# it would attend to, where 0 is the text. `None`: each token to every other.
TYPE_ATTENTION: dict[str, Callable[[Tensor, Tensor], Tensor] | None] = {
    "all": None,
    "own": lambda one, other: (one == 0) | (other == 0) | (one == other),
    "one_way": lambda one, other: (other == 0) | (one == other),
}


def mask_between_types(spans: Tensor, token_mask: Tensor, attends: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Which tokens (rows) attend to which (columns).

    Args:
        spans: half-open token spans of types, `(batch, types, 2)`, each with its `[REL]` or `[ENT]` just before it.
        token_mask: which tokens are real, `(batch, tokens)`.
        attends: of `TYPE_ATTENTION`.

    Returns:
        `(batch, 1, tokens, tokens)`, where the axis in the middle stands for heads.
    """
    start, end = spans[..., :1], spans[..., 1:]
    inside = inside_spans(torch.cat([(start - 1).clamp(min=0), end], dim=-1), token_mask.shape[1])
    number = torch.arange(1, spans.shape[1] + 1, device=spans.device).unsqueeze(-1)
    type_of = (inside * number).sum(1)  # 0 for the text
    return (attends(type_of.unsqueeze(2), type_of.unsqueeze(1)) & token_mask.unsqueeze(1)).unsqueeze(1)


class EncoderOutput(NamedTuple):
    """What an encoder gives of a batch.

    Args:
        states: `(batch, tokens, encoder hidden)`, of the last layer or of all, mixed.
        attention: probabilities of the last layer, mean over its heads, `(batch, tokens, tokens)`, or between words,
            see [`attention_of_words`], `(batch, words, words)`; if asked for.
        hidden_states, attentions: of all layers, if asked for.
    """

    states: Tensor
    attention: Tensor | None
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


def run_encoder(
    encoder: nn.Module,
    fusion: LayerFusion | None,
    fused_mask: Tensor | None,
    *,
    wants_attention: bool = False,
    output_hidden_states: bool | None = None,
    output_attentions: bool | None = None,
    read_mask: Callable[[], Tensor] | None = None,
    **inputs: Tensor,
) -> EncoderOutput:
    """Runs an encoder, and keeps no more of its layers than somebody reads.

    Args:
        encoder: any encoder of transformers.
        fusion: what mixes its layers, if anything does.
        fused_mask: tokens that its means are over, `(batch, tokens)`; by default those that are real.
        wants_attention: whether the last layer's attention is read; see [`keep_last_attention`].
        output_hidden_states, output_attentions: whether to return those of all layers.
        read_mask: gives the tokens whose states somebody reads, `(batch, tokens)`; an encoder that is optimized for
            inference leaves out others where it can.
        inputs: `input_ids`, `attention_mask` and, if the encoder is given them, `position_ids`.
    """
    kept: list[Tensor] = []
    is_deberta = wants_attention and _returns_last_attention(encoder)
    if read_mask is not None and getattr(encoder, "skips_unread_tokens", False):
        inputs["read_mask"] = read_mask()
    output = encoder(
        **inputs,
        output_hidden_states=True if fusion is not None else output_hidden_states,
        output_attentions=True if is_deberta else output_attentions,
        return_dict=True,
        **({_KEPT: kept} if wants_attention and not is_deberta else {}),
    )
    states = output.last_hidden_state
    if fusion is not None:
        states = fusion(
            output.hidden_states[1:], inputs["attention_mask"].bool() if fused_mask is None else fused_mask
        )
    return EncoderOutput(
        states,
        (output.attentions if is_deberta else kept)[-1].mean(1) if wants_attention else None,
        output.hidden_states if output_hidden_states else None,
        output.attentions if output_attentions else None,
    )


_WITH_PROBABILITIES = "glirel_probabilities"  # an attention backend of transformers
_KEPT = "glirel_kept"  # an argument that transformers' encoders hand down to it: the list that probabilities go to


def _attend_with_probabilities(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    glirel_kept: list[Tensor] | None = None,
    **_: object,
) -> tuple[Tensor, Tensor]:
    """Attention in the open: as transformers' eager one, for masks of either kind, boolean and added."""
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if attention_mask is not None and attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, torch.finfo(scores.dtype).min)
    elif attention_mask is not None:
        scores = scores + attention_mask
    probabilities = scores.softmax(-1, dtype=torch.float32).to(query.dtype)
    if glirel_kept is not None:
        glirel_kept.append(probabilities)
    attended = functional.dropout(probabilities, dropout, module.training) @ value
    return attended.transpose(1, 2).contiguous(), probabilities


AttentionInterface.register(_WITH_PROBABILITIES, _attend_with_probabilities)


def keep_last_attention(encoder: PreTrainedModel) -> None:
    """Has an encoder give the attention of its last layer to [`run_encoder`], whatever backend the others use.

    These give none: `(batch, heads, tokens, tokens)` of every layer would be gigabytes that nobody reads.

    Raises:
        ValueError: when the encoder gives no attentions.
    """
    if isinstance(encoder, FastDebertaV2Model | FastMPNetModel):
        encoder.keeps_last_attention_only = True
        return
    if _returns_last_attention(encoder):
        return
    recorded = (getattr(encoder, "_can_record_outputs", None) or {}).get("attentions")
    kind = getattr(recorded, "target_class", recorded)
    layers = [module for module in encoder.modules() if isinstance(kind, type) and isinstance(module, kind)]
    if not layers or not hasattr(layers[-1], "config"):
        raise ValueError(
            f"pair_context='localized' reads the attention of the encoder's last layer, and encoders of the type "
            f"{encoder.config.model_type!r} do not give it. Use DeBERTa-v2 or v3, BERT, RoBERTa, ELECTRA, MPNet or "
            "ModernBERT, or pair_context='none'."
        )
    layers[-1].config = copy.copy(layers[-1].config)
    layers[-1].config._attn_implementation_internal = _WITH_PROBABILITIES


def keep_all_layers(encoder: PreTrainedModel) -> None:
    """Prepares an encoder to give the states of all its layers.

    It would prepare itself when it is first asked for them, under a lock, which `torch.compile` cannot trace.
    """
    output_capturing.maybe_install_capturing_hooks(encoder)


def _returns_last_attention(encoder: nn.Module) -> bool:
    """Whether attention is among what an encoder returns: DeBERTa and our MPNet have no backends."""
    return isinstance(encoder, DebertaV2Model | FastMPNetModel)


def attention_of_words(attention: Tensor, word_token_spans: Tensor) -> Tensor:
    """Attention between words, at the first sub-token of each, `(batch, words, words)`.

    Rows are not normalised again: what a word gives to other tokens is lost to it (GLiDRE, Section 2.4). A word
    without a sub-token attends to nothing, and nothing to it.

    Args:
        attention: `(batch, tokens, tokens)`.
        word_token_spans: `(batch, words, 2)`.
    """
    first = word_token_spans[..., 0].clamp(max=max(attention.shape[1] - 1, 0))
    is_real = word_token_spans[..., 1] > word_token_spans[..., 0]
    rows = gather_items(attention, first)
    of_words = gather_items(rows.transpose(1, 2), first).transpose(1, 2)
    return of_words * (is_real.unsqueeze(1) & is_real.unsqueeze(2))


def _mean_of_tokens(states: Tensor, attention_mask: Tensor) -> Tensor:
    weights = attention_mask.to(states.dtype)
    return (weights.unsqueeze(1) @ states).squeeze(1) / weights.sum(-1, keepdim=True)


# How the tokens of a name become one vector: from `(types, tokens, hidden)` and `(types, tokens)` to `(types,
# hidden)`.
LABEL_POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": _mean_of_tokens,
    "cls": lambda states, attention_mask: states[:, 0],
}


class LabelEncoder(nn.Module):
    """Reads relation types apart from the text: each name alone, with its own [CLS] and [SEP] (GLiDRE, Section 2.2).

    Args:
        encoder: reads names and nothing else; `None` where the text's encoder reads them as well.
        input_size: width of the encoder that reads names.
        size: width of what comes out; where it differs, a linear projection follows.
        pooling: a name in `LABEL_POOLINGS`; the mean is over all tokens, with [CLS] and [SEP].
        fusion: what mixes the encoder's layers, if anything does.
        fuses_padding: whether the means of `fusion` are over the padding as well, so that a name's vector depends on
            the longest name next to it; for converted checkpoints.
    """

    def __init__(
        self,
        encoder: nn.Module | None,
        input_size: int,
        size: int,
        pooling: str,
        fusion: LayerFusion | None = None,
        fuses_padding: bool = False,
    ):
        super().__init__()
        self.encoder = encoder
        self.projection = nn.Linear(input_size, size) if input_size != size else nn.Identity()
        self.pooling = pooling
        self.fusion = fusion
        self.fuses_padding = fuses_padding

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, text_encoder: nn.Module, text_fusion: LayerFusion | None
    ) -> Tensor:
        """Vectors of names.

        Args:
            input_ids, attention_mask: `(types, tokens)`.
            text_encoder, text_fusion: what reads the names where this has no encoder of its own.

        Returns:
            `(types, size)`.
        """
        encoder, fusion = (text_encoder, text_fusion) if self.encoder is None else (self.encoder, self.fusion)
        fused_mask = torch.ones_like(attention_mask, dtype=torch.bool) if self.fuses_padding else None
        output = run_encoder(encoder, fusion, fused_mask, input_ids=input_ids, attention_mask=attention_mask)
        pooled: Tensor = self.projection(LABEL_POOLINGS[self.pooling](output.states, attention_mask))
        return pooled
