"""Attention for training on a CPU in bfloat16, where torch's own takes most of its time on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from glirel_transformers.base_glirel import GLiRELModel

_PRODUCTS = "glirel_products"


def attention_of_products(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: object,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention as two products of matrices and a softmax between them.

    In bfloat16 `scaled_dot_product_attention` has no fast backward pass on a CPU: at 140 tokens this one takes 0.37 of
    its time, forward and backward. The softmax is of bfloat16, too: inference does not come here.

    Args:
        module: the layer, which says whether it is in training.
        query, key, value: `(batch, heads, tokens, width)`.
        attention_mask: added to the scores, `(batch, 1, 1 or tokens, tokens)`; or `None`.
        scaling: of the scores; by default `width ** -0.5`.
        dropout: probability with which an attention weight is dropped.

    Returns:
        `(batch, tokens, heads, width)`, and `None` for the weights.
    """
    with torch.autocast(query.device.type, enabled=False):
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        scores = (query * scale).contiguous() @ key.contiguous().transpose(-1, -2)
        if attention_mask is not None:
            # The lowest float32 would be minus infinity here, and a row of these no distribution.
            scores = scores + attention_mask.clamp(min=torch.finfo(scores.dtype).min / 2).to(scores.dtype)
        weights = nn.functional.dropout(scores.softmax(dim=-1), p=dropout, training=module.training)
        return (weights @ value.contiguous()).transpose(1, 2).contiguous(), None


AttentionInterface.register(_PRODUCTS, attention_of_products)
AttentionMaskInterface.register(_PRODUCTS, eager_mask)


@contextmanager
def attention_for_training(model: GLiRELModel, bf16: bool) -> Iterator[None]:
    """A model whose encoders' attention is torch's own computes it as products, inside, in bfloat16 on a CPU."""
    encoders = [model.encoder, getattr(model.label_encoder, "encoder", None)]
    switched = [
        one
        for one in encoders
        if one is not None and bf16 and model.device.type == "cpu" and one.config._attn_implementation == "sdpa"
    ]
    for one in switched:
        one.set_attn_implementation(_PRODUCTS)
    try:
        yield
    finally:
        for one in switched:
            one.set_attn_implementation("sdpa")
