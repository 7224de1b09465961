"""Texts that are longer than an encoder reads: read in overlapping segments, and put together again (stage 1).

Everything after the encoder then sees the text as one: every pair of its entities is scored once, with all mentions.

Axes: `batch, segments, tokens, hidden`. Spans are half-open.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

_SEGMENTS_AT_ONCE = 16


class Segment(NamedTuple):
    """A part of a text. Positions count from the start of the whole input.

    Args:
        text: the member of the batch.
        start, end: the tokens that are read.
        owned_start, owned_end: of these, those whose states are kept: the tokens that no other segment reads with as
            much text on either side.
    """

    text: int
    start: int
    end: int
    owned_start: int
    owned_end: int


def list_segments(spans: Tensor, mask: Tensor) -> list[Segment]:
    """The segments of a batch, from their token spans `(batch, segments, 2)` and a mask `(batch, segments)`."""
    segments = []
    for text, (of_text, real) in enumerate(zip(spans.tolist(), mask.tolist(), strict=True)):
        places = [place for place, is_real in zip(of_text, real, strict=True) if is_real]
        # Where two segments overlap, each keeps its half.
        cuts = [(following[0] + one[1]) // 2 for one, following in pairwise(places)]
        for (start, end), owned_start, owned_end in zip(
            places, [places[0][0], *cuts], [*cuts, places[-1][1]], strict=True
        ):
            segments.append(Segment(text, start, end, owned_start, owned_end))
    return segments


def read_in_segments(
    encode: Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]],
    input_ids: Tensor,
    attention_mask: Tensor,
    word_token_spans: Tensor,
    segments: list[Segment],
) -> tuple[Tensor, Tensor | None]:
    """Encodes each segment between the special tokens of its text, and joins what comes out.

    A text that is one segment comes out as if it had been read whole; of others, each token has the state, and each
    word the attention, that it has in the segment that owns it, and attends to nothing outside of that.

    Args:
        encode: from `input_ids` and `attention_mask` `(batch, tokens)` to states `(batch, tokens, hidden)` and, or
            `None`, attention `(batch, tokens, tokens)`.
        input_ids, attention_mask: of whole texts, `(batch, tokens)`.
        word_token_spans: of whole texts, `(batch, words, 2)`.
        segments: from [`list_segments`].

    Returns:
        States `(batch, tokens, hidden)` of the whole texts, zeros for special tokens; and attention between words at
        the first sub-token of each, `(batch, words, words)`.
    """
    lengths = attention_mask.sum(1).tolist()
    opening = {text: min(s.start for s in segments if s.text == text) for text in {s.text for s in segments}}
    last = {text: max(s.end for s in segments if s.text == text) for text in opening}
    read = [
        torch.cat(
            [
                input_ids[one.text, : opening[one.text]],
                input_ids[one.text, one.start : one.end],
                input_ids[one.text, last[one.text] : lengths[one.text]],
            ]
        )
        for one in segments
    ]
    num_batch, num_tokens = input_ids.shape
    num_words = word_token_spans.shape[1]
    first, ends = word_token_spans.unbind(-1)
    states: Tensor | None = None
    joined: Tensor | None = None
    # A few at a time: the attention of all would be larger than what is kept of it.
    for start in range(0, len(segments), _SEGMENTS_AT_ONCE):
        some = slice(start, start + _SEGMENTS_AT_ONCE)
        ids = pad_sequence(read[some], batch_first=True)
        mask = pad_sequence([torch.ones_like(tokens) for tokens in read[some]], batch_first=True)
        of_segments, attention = encode(ids, mask)
        if states is None:
            states = of_segments.new_zeros(num_batch, num_tokens, of_segments.shape[-1])
            joined = None if attention is None else attention.new_zeros(num_batch, num_words, num_words)
        for row, one in enumerate(segments[some]):
            shift = opening[one.text] - one.start
            owned = slice(one.owned_start + shift, one.owned_end + shift)
            states[one.text, one.owned_start : one.owned_end] = of_segments[row, owned]
            if joined is not None and attention is not None:
                starts = first[one.text]
                is_word = starts < ends[one.text]
                seen = (is_word & (starts >= one.start) & (starts < one.end)).nonzero().flatten()
                own = (is_word & (starts >= one.owned_start) & (starts < one.owned_end)).nonzero().flatten()
                between = attention[row][starts[own] + shift][:, starts[seen] + shift]
                joined[one.text, own.unsqueeze(1), seen] = between
    if states is None:  # no text has a word
        states, _ = encode(input_ids, attention_mask)
        joined = states.new_zeros(num_batch, num_words, num_words)
    return states, joined
