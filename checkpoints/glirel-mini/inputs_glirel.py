"""What a model reads: the tensors of a batch, their shapes and ranges checked once, at the boundary.

Axes: `batch, tokens, words, mentions, entities, pairs, relations`. Spans are half-open; masks are boolean, with True
for real.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .batches_glirel import describe_misfit, fits_axis, misfit_error

# The spans or indices of each axis.
INDICES_OF = {
    "word": "word_token_spans",
    "relation": "relation_token_spans",
    "mention": "mention_word_spans",
    "pair": "pair_index",
}


class Inputs(NamedTuple):
    """The tensors of a batch that fit together; every mask is there. See [`GLiRELModel.forward`] for each."""

    input_ids: Tensor
    attention_mask: Tensor
    word_token_spans: Tensor
    relation_token_spans: Tensor
    mention_word_spans: Tensor
    pair_index: Tensor
    word_mask: Tensor
    relation_mask: Tensor
    mention_mask: Tensor
    pair_mask: Tensor
    position_ids: Tensor | None
    mention_entity: Tensor | None
    entity_mask: Tensor


def check_inputs(
    *,
    input_ids: Tensor,
    attention_mask: Tensor,
    spans: dict[str, tuple[Tensor, Tensor | None]],
    position_ids: Tensor | None,
    mention_entity: Tensor | None,
    entity_mask: Tensor | None,
) -> Inputs:
    """Checks the tensors of a batch, and adds the masks that were left out.

    Args:
        input_ids, attention_mask, position_ids, mention_entity, entity_mask: as [`GLiRELModel.forward`] takes them.
        spans: spans or indices `(batch, n, 2)` and the mask `(batch, n)` of `word`, `relation`, `mention` and `pair`.

    Raises:
        TypeError: when spans, indices or numbers of tokens are not integers.
        ValueError: when a shape does not fit, or a span or an index is out of range; the message names the tensor.
    """
    if attention_mask.shape != input_ids.shape:
        raise ValueError(
            f"`attention_mask` must have the shape of `input_ids`, {tuple(input_ids.shape)}: got "
            f"{tuple(attention_mask.shape)}."
        )
    num_batch, num_tokens = input_ids.shape
    _check_integers({"input_ids": input_ids, "position_ids": position_ids, "mention_entity": mention_entity})
    _check_integers({INDICES_OF[name]: items for name, (items, _) in spans.items()})
    spans = {name: (items.long(), mask) for name, (items, mask) in spans.items()}
    mention_entity = None if mention_entity is None else mention_entity.long()
    masks = {name: _mask_for(name, items, mask, num_batch) for name, (items, mask) in spans.items()}
    (words, _), (relations, _), (mentions, _), (pairs, _) = (
        spans[name] for name in ("word", "relation", "mention", "pair")
    )
    entity_mask = _entity_mask(masks["mention"], mention_entity, entity_mask)
    if not torch.compiler.is_compiling():
        num_words, num_entities = words.shape[1], entity_mask.shape[1]
        _check_range("word_token_spans", words, masks["word"], num_tokens)
        _check_range("relation_token_spans", relations, masks["relation"], num_tokens)
        _check_range("mention_word_spans", mentions, masks["mention"], num_words)
        _check_range("pair_index", pairs, masks["pair"], num_entities)
        if mention_entity is not None:
            _check_range("mention_entity", mention_entity, masks["mention"], num_entities)
    heads, tails = pairs.clamp(min=0, max=max(entity_mask.shape[1] - 1, 0)).unbind(-1)
    pair_mask = masks["pair"] & entity_mask.gather(1, heads) & entity_mask.gather(1, tails)
    return Inputs(
        input_ids=input_ids,
        attention_mask=attention_mask,
        word_token_spans=words,
        relation_token_spans=relations,
        mention_word_spans=mentions,
        pair_index=pairs,
        word_mask=masks["word"],
        relation_mask=masks["relation"],
        mention_mask=masks["mention"],
        pair_mask=pair_mask,
        position_ids=position_ids,
        mention_entity=mention_entity,
        entity_mask=entity_mask,
    )


def _check_integers(tensors: dict[str, Tensor | None]) -> None:
    """Checks what addresses an axis, or rows of a table: between two positions there is none."""
    for name, values in tensors.items():
        if values is not None and values.dtype not in (torch.int32, torch.int64):
            raise TypeError(
                f"`{name}` must hold whole numbers (torch.long): got {values.dtype}. Use the tensors of its tokenizer."
            )


def _mask_for(name: str, items: Tensor, mask: Tensor | None, num_batch: int) -> Tensor:
    """Checks the shape of the spans or indices `(batch, n, 2)` of an axis, and returns its mask `(batch, n)`."""
    if items.ndim != 3 or items.shape[2] != 2 or items.shape[0] != num_batch:
        raise ValueError(
            f"The tensor of {name}s must have the shape (batch, {name}s, 2) with batch = {num_batch}: got "
            f"{tuple(items.shape)}."
        )
    if mask is None:
        return items.new_ones(items.shape[:2], dtype=torch.bool)
    if mask.shape != items.shape[:2]:
        raise ValueError(
            f"`{name}_mask` must have the shape (batch, {name}s) = {tuple(items.shape[:2])}: got {tuple(mask.shape)}."
        )
    return mask.bool()


def _entity_mask(mention_mask: Tensor, mention_entity: Tensor | None, entity_mask: Tensor | None) -> Tensor:
    """The mask `(batch, entities)`: that of the mentions, where each is an entity of its own."""
    if mention_entity is None and entity_mask is None:
        return mention_mask
    if mention_entity is None or entity_mask is None:
        missing = "mention_entity" if mention_entity is None else "entity_mask"
        raise ValueError(f"`mention_entity` and `entity_mask` go together: `{missing}` is missing. Pass both.")
    if mention_entity.shape != mention_mask.shape:
        raise ValueError(
            f"`mention_entity` must have the shape (batch, mentions) = {tuple(mention_mask.shape)}: got "
            f"{tuple(mention_entity.shape)}."
        )
    if entity_mask.ndim != 2 or entity_mask.shape[0] != mention_mask.shape[0]:
        raise ValueError(
            f"`entity_mask` must have the shape (batch, entities) with batch = {mention_mask.shape[0]}: got "
            f"{tuple(entity_mask.shape)}."
        )
    return entity_mask.bool()


def _check_range(name: str, values: Tensor, mask: Tensor, size: int) -> None:
    """Checks that what is real in a tensor of spans or indices fits the axis that it addresses."""
    fits = fits_axis(name, values, size) | ~mask
    if fits.device.type != "cpu":  # asking would make the host wait for the device
        torch._assert_async(fits.all(), f"{describe_misfit(name, size)}. Use the tensors of its tokenizer.")
    elif not fits.all():
        raise misfit_error(name, values, fits, size)
