"""Stage 1, encode: words of the text and relation types, from the encoder's tokens (Sections 3.1 and 3.2).

Axes: `batch, tokens, words, relations, hidden`; `items` stands for words or relations. Spans are half-open.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .memory_glirel import gather_items, mean_of_spans


def _ends(states: Tensor, spans: Tensor, *ends: str) -> Tensor:
    """The first and/or last state of each span, concatenated; zero for an empty span."""
    index = {"first": spans[..., 0], "last": (spans[..., 1] - 1).clamp(min=0)}
    is_real = (spans[..., 1] > spans[..., 0]).unsqueeze(-1)
    return torch.cat([gather_items(states, index[end]) for end in ends], dim=-1) * is_real


# From `(batch, tokens, width)` and token spans `(batch, items, 2)` to `(batch, items, width)`, or twice that width.
POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "first": lambda states, spans: _ends(states, spans, "first"),
    "last": lambda states, spans: _ends(states, spans, "last"),
    "mean": mean_of_spans,
    "sum": lambda states, spans: mean_of_spans(states, spans) * (spans[..., 1:] - spans[..., :1]),
    "first_last": lambda states, spans: _ends(states, spans, "first", "last"),
}


class SpanPooling(nn.Module):
    """Pools the sub-tokens of each word, or of each relation type, to one vector (Section 3.1).

    `(batch, tokens, input_size)` and half-open token spans `(batch, items, 2)` to `(batch, items, size)`. A span
    without a sub-token gives a zero vector before the projection.

    Args:
        pooling: a name in `POOLINGS`.
        input_size: width of the encoder.
        size: width of what comes out; where it differs, a linear projection follows.
    """

    def __init__(self, pooling: str, input_size: int, size: int):
        super().__init__()
        self.pooling = pooling
        width = input_size * (2 if pooling == "first_last" else 1)
        self.projection = nn.Linear(width, size) if width != size else nn.Identity()

    def forward(self, token_states: Tensor, token_spans: Tensor) -> Tensor:
        return self.projection(POOLINGS[self.pooling](token_states, token_spans))


class WordLSTM(nn.Module):
    """Bidirectional LSTM over the words of each text: `(batch, words, size)` to the same shape.

    Two one-directional LSTMs over a left-aligned batch; the backward one reads each text reversed within its own
    length. The result is that of a packed bidirectional LSTM, and the graph has static control flow: one extra word is
    always read and then dropped, since an LSTM refuses an empty sequence.

    Args:
        size: width of a word; even.
    """

    def __init__(self, size: int):
        super().__init__()
        self.forward_lstm = nn.LSTM(size, size // 2, batch_first=True)
        self.backward_lstm = nn.LSTM(size, size // 2, batch_first=True)

    def forward(self, word_states: Tensor, word_mask: Tensor) -> Tensor:
        num_words = word_mask.sum(dim=1, keepdim=True)
        position = torch.arange(word_states.shape[1], device=word_states.device).unsqueeze(0)
        reversal = torch.where(word_mask, num_words - 1 - position, position)
        reversed_states = gather_items(word_states, reversal)
        forward_states, _ = self.forward_lstm(functional.pad(word_states, (0, 0, 0, 1)))
        backward_states, _ = self.backward_lstm(functional.pad(reversed_states, (0, 0, 0, 1)))
        return torch.cat([forward_states[:, :-1], gather_items(backward_states[:, :-1], reversal)], dim=-1)


def _at_rel_token(pool: SpanPooling, token_states: Tensor, spans: Tensor) -> Tensor:
    start = spans[..., :1]
    # Padded spans are (0, 0): the clamp keeps their [REL] inside the input.
    return pool(token_states, torch.cat([(start - 1).clamp(min=0), start], dim=-1))


def _at_label(pool: SpanPooling, token_states: Tensor, spans: Tensor) -> Tensor:
    return pool(token_states, spans)


def _at_both(pool: SpanPooling, token_states: Tensor, spans: Tensor) -> Tensor:
    return (_at_label(pool, token_states, spans) + _at_rel_token(pool, token_states, spans)) / 2


# Where a relation type's vector p of equation 1 is read (Section 3.2): from the pooling, `(batch, tokens, hidden)` and
# token spans `(batch, relations, 2)` to `(batch, relations, hidden)`.
RELATIONS: dict[str, Callable[[SpanPooling, Tensor, Tensor], Tensor]] = {
    "label": _at_label,
    "rel_token": _at_rel_token,
    "both": _at_both,
}
