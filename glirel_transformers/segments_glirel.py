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
    segments: list[Segment],
) -> tuple[Tensor, Tensor | None]:
    """Encodes each segment between the special tokens of its text, and joins what comes out.

    A text that is one segment comes out as if it had been read whole; of others, each token has the state and the
    attention that it has in the segment that owns it, and attends to nothing outside of that.

    Args:
        encode: from `input_ids` and `attention_mask` `(batch, tokens)` to states `(batch, tokens, hidden)` and, or
            `None`, attention `(batch, tokens, tokens)`.
        input_ids, attention_mask: of whole texts, `(batch, tokens)`.
        segments: from [`list_segments`].

    Returns:
        States `(batch, tokens, hidden)` and attention `(batch, tokens, tokens)` of the whole texts; special tokens
        have zeros.
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
    ids = pad_sequence(read, batch_first=True)
    mask = pad_sequence([torch.ones_like(tokens) for tokens in read], batch_first=True)
    states, attention = encode(ids, mask)
    num_batch, num_tokens = input_ids.shape
    whole = states.new_zeros(num_batch, num_tokens, states.shape[-1])
    joined = None if attention is None else attention.new_zeros(num_batch, num_tokens, num_tokens)
    for row, one in enumerate(segments):
        shift = opening[one.text] - one.start
        owned = slice(one.owned_start + shift, one.owned_end + shift)
        whole[one.text, one.owned_start : one.owned_end] = states[row, owned]
        if joined is not None and attention is not None:
            seen = slice(one.start + shift, one.end + shift)
            joined[one.text, one.owned_start : one.owned_end, one.start : one.end] = attention[row, owned, seen]
    return whole, joined
