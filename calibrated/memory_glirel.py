"""Reading rows of states, and memory that is used again: what the encoder and every stage share.

Axes have one name everywhere; `items` stands for any of `tokens, words, mentions, entities`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Scratch:
    """Memory that layers use again and again: fresh pages can cost more than the arithmetic that fills them."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[str, torch.dtype], Tensor] = {}

    def take(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """An uninitialised tensor of that shape, with the type and device of `like`.

        It shares its memory with every earlier tensor of the same `name` and type.
        """
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
        # Not `take_along_dim`, which silently wraps an index that is out of range.
        return states.gather(1, index.unsqueeze(-1).expand(-1, -1, states.shape[-1]))
    # Faster, but it reads the rows of the whole batch: an index out of range would reach into the next text.
    torch._assert_async(
        ((index >= 0) & (index < num_items)).all(),
        f"An index is out of range: there are {num_items} items. Use the tensors of the model's tokenizer.",
    )
    first = torch.arange(num_batch, device=index.device).unsqueeze(1) * num_items
    out = out if out is None else out.flatten(0, 1)
    return torch.index_select(states.flatten(0, 1), 0, (index + first).flatten(), out=out).unflatten(0, index.shape)


def normalized(counts: Tensor) -> Tensor:
    """Counts `(…, items)` as weights that sum to 1; zeros where nothing is counted."""
    return counts / counts.sum(-1, keepdim=True).clamp(min=1)


def inside_spans(spans: Tensor, num_items: int) -> Tensor:
    """Whether each of `num_items` items lies in half-open `spans` `(batch, n, 2)`: booleans `(batch, n, items)`."""
    position = torch.arange(num_items, device=spans.device)
    return (position >= spans[..., :1]) & (position < spans[..., 1:])


def mean_of_spans(states: Tensor, spans: Tensor) -> Tensor:
    """Mean of `states` `(batch, items, hidden)` over half-open `spans` `(batch, n, 2)`; zero for an empty span."""
    return normalized(inside_spans(spans, states.shape[1]).to(states.dtype)) @ states


def may_need_gradient(module: nn.Module) -> bool:
    """Whether what `module` computes now may have to be kept for gradients."""
    return torch.is_grad_enabled() and any(parameter.requires_grad for parameter in module.parameters())
