"""Parts of stage 1 that some GLiDRE checkpoints hold (arXiv 2508.00757): layers mixed, and types fused with words.

Axes: `batch, tokens, words, relations, layers, hidden`; `items` stands for words, relations or pairs. Masks are
boolean, with True for real.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .choices_glirel import read_schema


class LayerFusion(nn.Module):
    """Mixes the layers of an encoder: `Linear(Σ_k s_k h_k)`, where `s = sigmoid(W2 ReLU(W1 m))`.

    m_k is the mean over the tokens of a linear score of layer k. The embeddings are not a layer.

    Args:
        num_layers: of the encoder.
        size: width of the encoder.
    """

    def __init__(self, num_layers: int, size: int):
        super().__init__()
        self.squeeze = nn.Linear(size, 1)
        inner_size = max(num_layers // 2, 1)
        self.inner = nn.Linear(num_layers, inner_size)
        self.weights = nn.Linear(inner_size, num_layers)
        self.output = nn.Linear(size, size)

    def forward(self, hidden_states: Sequence[Tensor], token_mask: Tensor) -> Tensor:
        """Mixes the layers.

        Args:
            hidden_states: of every layer, `(batch, tokens, size)` each.
            token_mask: which tokens the means are over, `(batch, tokens)`.

        Returns:
            `(batch, tokens, size)`.
        """
        layers = torch.stack(list(hidden_states), dim=1)
        counted = token_mask.to(layers.dtype).unsqueeze(1)
        means = (self.squeeze(layers).squeeze(-1) * counted).sum(-1) / counted.sum(-1)
        weights = torch.sigmoid(self.weights(functional.relu(self.inner(means))))
        return self.output((layers * weights[:, :, None, None]).sum(1))


class AttentionBlock(nn.Module):
    """`LN(n + Att(n, m))` with `n = LN(x)`: a block without an output map and without an FFN.

    Where items attend to each other (`maps_queries`), queries, keys and values have a map before the attention's own;
    else values have.

    Args:
        size: width of queries and keys.
        num_heads: divides `size`.
        maps_queries: whether queries and keys have a map of their own as well.
    """

    def __init__(self, size: int, num_heads: int, maps_queries: bool = False):
        super().__init__()
        self.num_heads = num_heads
        self.input_norm, self.output_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))
        self.query_map, self.key_map = (nn.Linear(size, size) if maps_queries else nn.Identity() for _ in range(2))
        self.value_map = nn.Linear(size, size)

    def forward(self, states: Tensor, context: Tensor | None, context_mask: Tensor) -> Tensor:
        """Lets items attend.

        Args:
            states: what asks, `(batch, items, size)`.
            context: what is read, `(batch, keys, size)`; `None` where the items read each other.
            context_mask: `(batch, keys)`.

        Returns:
            The shape of `states`.
        """

        def heads(projected: Tensor) -> Tensor:
            return projected.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

        def padded(projected: Tensor) -> Tensor:
            return functional.pad(projected, (0, 0, 0, 1)) if is_compiling else projected

        normed = self.input_norm(states)
        keys = normed if context is None else context
        # A member of the batch without anything to read, which is padding, reads what is there: zeros would be NaN.
        is_empty = context_mask.sum(dim=1, keepdim=True) == 0
        # A graph also has something to read where there is nothing at all, which eager attention knows to be zero.
        is_compiling = torch.compiler.is_compiling()
        mask = torch.cat([context_mask, is_empty], dim=1) if is_compiling else context_mask | is_empty
        attended = functional.scaled_dot_product_attention(
            heads(self.query(self.query_map(normed))),
            heads(padded(self.key(self.key_map(keys)))),
            heads(padded(self.value(self.value_map(keys)))),
            mask[:, None, None, :],
        )
        fused: Tensor = self.output_norm(normed + attended.transpose(1, 2).flatten(-2))
        return fused


class CrossFusion(nn.Module):
    """Relation types and words read each other, step by step: `"l2t"` lets types (labels) read the text.

    Args:
        schema: steps, such as `"l2l-l2t-t2t"`, see [`read_schema`].
        num_layers: how often all steps are taken.
        size: width of words and relation types.
        num_heads: divides `size`.
    """

    def __init__(self, schema: str, num_layers: int, size: int, num_heads: int):
        super().__init__()
        self.steps = read_schema(schema)
        blocks = num_layers * self.steps
        self.layers = nn.ModuleList(
            AttentionBlock(size, num_heads, maps_queries=step[0] == step[-1]) for step in blocks
        )

    def forward(self, labels: Tensor, label_mask: Tensor, words: Tensor, word_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Fuses relation types `(batch, relations, size)` and words `(batch, words, size)`, with their masks."""
        for step, block in zip(itertools.cycle(self.steps), self.layers, strict=False):
            if step == "l2l":
                labels = block(labels, None, label_mask)
            elif step == "l2t":
                labels = block(labels, words, word_mask)
            elif step == "t2t":
                words = block(words, None, word_mask)
            else:
                words = block(words, labels, label_mask)
        return labels, words
