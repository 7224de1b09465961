"""What a model reads: the tensors of a batch, their shapes and ranges checked once, at the boundary.

Axes: `batch, tokens, words, mentions, entities, pairs, relations, types, segments`. Spans are half-open; masks are
boolean, with True for real.
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
    "segment": "segment_token_spans",
    "entity_type": "entity_type_token_spans",
}


class Inputs(NamedTuple):
    """The tensors of a batch that fit together; every mask is there. See [`GLiRELModel.forward`] for each."""

    input_ids: Tensor
    attention_mask: Tensor
    word_token_spans: Tensor
    relation_token_spans: Tensor | None
    mention_word_spans: Tensor
    pair_index: Tensor
    word_mask: Tensor
    relation_mask: Tensor
    mention_mask: Tensor
    pair_mask: Tensor
    position_ids: Tensor | None
    mention_entity: Tensor | None
    entity_mask: Tensor
    types: Types
    segment_token_spans: Tensor | None
    segment_mask: Tensor | None
    entity_type_token_spans: Tensor | None
    entity_type_mask: Tensor


class Types(NamedTuple):
    """Relation types that are read apart from the text; see [`GLiRELModel.forward`] for each."""

    input_ids: Tensor | None = None
    attention_mask: Tensor | None = None
    states: Tensor | None = None
    relation_index: Tensor | None = None
    entity_type_index: Tensor | None = None

    @property
    def number(self) -> int | None:
        """How many there are; `None` where there are none of this kind."""
        given = self.input_ids if self.states is None else self.states
        return None if given is None else given.shape[0]


def check_inputs(
    *,
    input_ids: Tensor,
    attention_mask: Tensor,
    spans: dict[str, tuple[Tensor | None, Tensor | None]],
    position_ids: Tensor | None,
    mention_entity: Tensor | None,
    entity_mask: Tensor | None,
    types: Types,
) -> Inputs:
    """Checks the tensors of a batch, and adds the masks that were left out.

    Args:
        input_ids, attention_mask, position_ids, mention_entity, entity_mask: as [`GLiRELModel.forward`] takes them.
        spans: spans or indices `(batch, n, 2)` and the mask `(batch, n)` of `word`, `relation`, `mention`, `pair`,
            `segment` and `entity_type`; those of relations, segments and entity types may be absent.
        types: what is read apart from the text.

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
    _check_integers(
        {
            "input_ids": input_ids,
            "position_ids": position_ids,
            "mention_entity": mention_entity,
            "type_input_ids": types.input_ids,
            "relation_index": types.relation_index,
            "entity_type_index": types.entity_type_index,
        }
    )
    given = {name: (items, mask) for name, (items, mask) in spans.items() if items is not None}
    _check_integers({INDICES_OF[name]: items for name, (items, _) in given.items()})
    given = {name: (items.long(), mask) for name, (items, mask) in given.items()}
    mention_entity = None if mention_entity is None else mention_entity.long()
    masks = {name: _mask_for(name, items, mask, num_batch) for name, (items, mask) in given.items()}
    if "relation" not in given:
        masks["relation"] = _relation_mask(types, spans["relation"][1], num_batch, input_ids.device)
    if "entity_type" not in given:
        masks["entity_type"] = _entity_type_mask(types, spans["entity_type"][1], num_batch, input_ids.device)
    words, mentions, pairs = (given[name][0] for name in ("word", "mention", "pair"))
    relations, segments, entity_types = (
        given[name][0] if name in given else None for name in ("relation", "segment", "entity_type")
    )
    entity_mask = _entity_mask(masks["mention"], mention_entity, entity_mask)
    if not torch.compiler.is_compiling():
        num_words, num_entities = words.shape[1], entity_mask.shape[1]
        _check_range("word_token_spans", words, masks["word"], num_tokens)
        if relations is not None:
            _check_range("relation_token_spans", relations, masks["relation"], num_tokens)
        if segments is not None:
            _check_range("segment_token_spans", segments, masks["segment"], num_tokens)
        if entity_types is not None:
            _check_range("entity_type_token_spans", entity_types, masks["entity_type"], num_tokens)
        if types.relation_index is not None:
            _check_range("relation_index", types.relation_index, masks["relation"], types.number or 0)
        if types.entity_type_index is not None:
            _check_range("entity_type_index", types.entity_type_index, masks["entity_type"], types.number or 0)
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
        types=types,
        segment_token_spans=segments,
        segment_mask=masks.get("segment"),
        entity_type_token_spans=entity_types,
        entity_type_mask=masks["entity_type"],
    )


def _relation_mask(types: Types, mask: Tensor | None, num_batch: int, device: torch.device) -> Tensor:
    """The mask `(batch, relations)` where relation types are read apart: without an index, every text asks for all."""
    if (types.input_ids is None) == (types.states is None):
        raise ValueError(
            "This model reads relation types apart from the text: pass either `type_input_ids` with "
            "`type_attention_mask`, which its tokenizer makes, or `type_states`, from encode_relation_types."
        )
    if types.input_ids is not None and (
        types.attention_mask is None or types.attention_mask.shape != types.input_ids.shape
    ):
        raise ValueError(
            f"`type_attention_mask` must have the shape of `type_input_ids`, {tuple(types.input_ids.shape)}."
        )
    shape = (num_batch, types.number) if types.relation_index is None else tuple(types.relation_index.shape)
    return _mask_of_index("relation", shape, mask, num_batch, device)


def _entity_type_mask(types: Types, mask: Tensor | None, num_batch: int, device: torch.device) -> Tensor:
    """The mask `(batch, entity types)` where they are read apart from the text, or where there are none."""
    shape = (num_batch, 0) if types.entity_type_index is None else tuple(types.entity_type_index.shape)
    return _mask_of_index("entity_type", shape, mask, num_batch, device)


def _mask_of_index(
    name: str, shape: tuple[int | None, ...], mask: Tensor | None, num_batch: int, device: torch.device
) -> Tensor:
    """Checks the shape of an index into types that are read apart, and returns its mask, of the same shape."""
    if len(shape) != 2 or shape[0] != num_batch:
        raise ValueError(f"`{name}_index` must have the shape (batch, {name}s) with batch = {num_batch}: got {shape}.")
    if mask is None:
        return torch.ones(shape, dtype=torch.bool, device=device)  # type: ignore[arg-type]  # the number is known
    if tuple(mask.shape) != shape:
        raise ValueError(f"`{name}_mask` must have the shape (batch, {name}s) = {shape}: got {tuple(mask.shape)}.")
    return mask.bool()


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
