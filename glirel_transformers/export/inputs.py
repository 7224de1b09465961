"""What an export is given: tensors or numpy arrays, all there, of the types that a graph takes, of sizes that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from transformers.utils import is_torch_available

from glirel_transformers.batches_glirel import (
    ADDRESSES,
    AXES,
    CLUSTER_TENSORS,
    ENTITY_TYPE_TENSORS,
    LABEL_TENSORS,
    MASK_OF,
    SEGMENT_TENSORS,
    TYPE_TENSORS,
    WITHOUT_BATCH,
    fits_axis,
    misfit_error,
)

from .tensors import FLOATS, INPUT_AXES, TYPE_STATES, TYPE_TOKENS

if is_torch_available():
    import torch
if TYPE_CHECKING:
    from torch import Tensor

    from .sessions import Device

_Array = TypeVar("_Array", np.ndarray, "Tensor")

_SPECIAL = (*CLUSTER_TENSORS, *TYPE_TENSORS, *SEGMENT_TENSORS, *ENTITY_TYPE_TENSORS)
_MASKS = {*MASK_OF.values(), "entity_mask"}
# Masks of what is read apart, or not at all, may be given.
_IGNORED = _MASKS - {"entity_mask", "segment_mask", "entity_type_mask"}
# What addresses an axis, or rows of a table.
_INTEGERS = (*ADDRESSES, TYPE_TOKENS[0], "input_ids", "position_ids")
# The order in which the model takes them: what it must have, then what it may have.
_POSITIONAL = (
    *(name for name in AXES if name not in (*_MASKS, *_SPECIAL, "position_ids", *LABEL_TENSORS)),
    *(mask for items, mask in MASK_OF.items() if items not in _SPECIAL),
    "position_ids",
)


def by_name(positional: Sequence[object], named: Mapping[str, object]) -> dict[str, object]:
    """The inputs of a call by name, without those that are `None`.

    Raises:
        TypeError: for one that is given twice, and for too many.
    """
    if len(positional) > len(_POSITIONAL):
        raise TypeError(f"The export takes {len(_POSITIONAL)} tensors by position: got {len(positional)}.")
    given = dict(zip(_POSITIONAL, positional, strict=False))
    if twice := sorted(set(given) & set(named)):
        raise TypeError(f"The inputs {twice} are given twice, by position and by name.")
    return {name: value for name, value in {**given, **named}.items() if value is not None}


def check_inputs(
    given: Mapping[str, object], wanted: Sequence[str], device: Device, width: int | None = None
) -> dict[str, np.ndarray] | dict[str, Tensor]:
    """The inputs of a graph, by name: all numpy arrays, or all tensors on the device.

    Args:
        given: what the model was called with.
        wanted: names of the graph's inputs.
        device: for tensors.
        width: of the relation types that the graph takes, if it does.

    Raises:
        TypeError: for an input that the graph does not have, for one that is not an array, and for spans, indices or
            numbers of tokens that are not integers.
        ValueError: for one that is missing, whose size does not fit the others, or whose spans or indices are out of
            range.
    """
    if unknown := sorted(set(given) - set(wanted) - _IGNORED):
        raise TypeError(f"The export does not take {unknown}: its inputs are {list(wanted)}.{_advice(unknown)}")
    arrays, tensors = _by_kind(given)
    if not tensors:
        return _complete({name: _cast_array(name, value) for name, value in arrays.items()}, wanted, width)
    on_device = {name: torch.as_tensor(value, device=device) for name, value in {**arrays, **tensors}.items()}
    return _complete({name: _cast_tensor(name, value) for name, value in on_device.items()}, wanted, width)


def _advice(unknown: Sequence[str]) -> str:
    if "labels" in unknown:
        return " Only the model itself computes a loss."
    if set(unknown) & set(CLUSTER_TENSORS):
        return " In this export each mention is an entity: export the checkpoint again."
    if set(unknown) & set(ENTITY_TYPE_TENSORS):
        return " Its model does not find entities: pass them, and no entity types."
    return " Only the model itself reads segments." if set(unknown) & set(SEGMENT_TENSORS) else ""


def _complete(given: dict[str, _Array], wanted: Sequence[str], width: int | None) -> dict[str, _Array]:
    """Adds what was left out, and checks that the inputs fit together."""
    if "relation_index" in wanted:
        _fill_relations(given)
    for items, mask in MASK_OF.items():
        if mask not in given and items in given and items in wanted and mask in wanted:
            given[mask] = _all_real(given[items])
    if "mention_entity" in wanted:
        _fill_entities(given)
    if missing := [name for name in wanted if name not in given]:
        raise ValueError(f"The inputs {missing} are missing. Use the tokenizer saved with the export.")
    sizes = _check_sizes({name: tuple(given[name].shape) for name in wanted}, width)
    for name, axis in ADDRESSES.items():
        if name in wanted:
            fits = fits_axis(name, given[name], sizes[axis]) | ~given[MASK_OF[name]]
            if not fits.all():
                raise misfit_error(name, given[name], fits, sizes[axis])
    if sizes.get("entities") and "pair_mask" in wanted:
        given["pair_mask"] = _real_pairs(given)
    return given


def _fill_relations(given: dict[str, _Array]) -> None:
    """Without `relation_index`, every text asks for all relation types."""
    if TYPE_STATES not in given:
        raise ValueError(
            "This export reads relation types apart from the text: pass either `type_input_ids` with "
            "`type_attention_mask`, which its tokenizer makes, or `type_states`, from encode_relation_types."
        )
    if "relation_index" not in given and "input_ids" in given:
        num_batch, states = len(given["input_ids"]), given[TYPE_STATES]
        given["relation_index"] = _numbers(given["input_ids"], num_batch, states.shape[0])


def _fill_entities(given: dict[str, _Array]) -> None:
    """Without clusters, each mention is an entity."""
    missing = [name for name in CLUSTER_TENSORS if name not in given]
    if len(missing) == 1:
        raise ValueError(f"`mention_entity` and `entity_mask` go together: `{missing[0]}` is missing. Pass both.")
    if missing and "mention_mask" in given:
        mask = given["mention_mask"]
        given["mention_entity"], given["entity_mask"] = _numbers(mask, *mask.shape[:2]), mask


def nothing(like: _Array, *shape: int) -> _Array:
    """Whole numbers of a shape, of the same kind as `like`: of an axis that has none, or for what is not given."""
    if isinstance(like, np.ndarray):
        return np.zeros(shape, dtype=np.int64)
    return torch.zeros(shape, dtype=torch.long, device=like.device)


def _numbers(like: _Array, num_batch: int, size: int) -> _Array:
    """0, 1, … for each member of a batch, of the same kind as `like`."""
    if isinstance(like, np.ndarray):
        return np.tile(np.arange(size, dtype=np.int64), (num_batch, 1))
    return torch.arange(size, device=like.device).repeat(num_batch, 1)


def _real_pairs(given: Mapping[str, _Array]) -> _Array:
    """The mask of pairs: as for the model, a pair of an entity that is not real is not real either."""
    entities = given["entity_mask"] if "entity_mask" in given else given["mention_mask"]
    index, mask, last = given["pair_index"], given["pair_mask"], entities.shape[1] - 1
    if isinstance(index, np.ndarray):
        real = np.take_along_axis(entities, index.clip(0, last).reshape(len(index), -1), 1)
    else:
        real = entities.gather(1, index.clamp(0, last).flatten(1))
    return mask & real.reshape(index.shape).all(-1)


def _check_sizes(shapes: Mapping[str, tuple[int, ...]], width: int | None) -> dict[str, int]:
    """Checks that each axis has the same size in all inputs, and returns the sizes."""
    sizes = {"span": 2, "pair": 2, **({} if width is None else {"width": width})}
    for name, shape in shapes.items():
        axes = INPUT_AXES[name] if name in WITHOUT_BATCH else ("batch", *INPUT_AXES[name])
        expected = [sizes.get(axis) for axis in axes]
        fits = len(shape) == len(axes) and all(size in (None, own) for size, own in zip(expected, shape, strict=True))
        if not fits:
            known = [axis if size is None else str(size) for axis, size in zip(axes, expected, strict=True)]
            raise ValueError(
                f"`{name}` must have the shape ({', '.join(axes)}), here ({', '.join(known)}): got {shape}."
            )
        sizes.update(zip(axes, shape, strict=True))
    if "mentions" in sizes:  # in exports without clusters, each mention is an entity
        sizes.setdefault("entities", sizes["mentions"])
    return sizes


def _by_kind(given: Mapping[str, object]) -> tuple[dict[str, np.ndarray], dict[str, Tensor]]:
    """The inputs that are numpy arrays, and those that are tensors."""
    arrays: dict[str, np.ndarray] = {}
    tensors: dict[str, Tensor] = {}
    for name, value in given.items():
        if is_torch_available() and isinstance(value, torch.Tensor):
            tensors[name] = value
        elif isinstance(value, np.ndarray):
            arrays[name] = value
        else:
            raise TypeError(f"`{name}` must be a tensor or a numpy array: got a {type(value).__name__}.")
    return arrays, tensors


def _cast_array(name: str, value: np.ndarray) -> np.ndarray:
    """Masks are boolean in a graph, states of 32 bits, and all else is of 64."""
    if name in _INTEGERS and not np.issubdtype(value.dtype, np.integer):
        raise _not_integers(name, value.dtype)
    kind = np.bool_ if name in _MASKS else np.float32 if name in FLOATS else np.int64
    return value.astype(kind, copy=False)


def _cast_tensor(name: str, value: Tensor) -> Tensor:
    if name in _INTEGERS and (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool):
        raise _not_integers(name, value.dtype)
    return value.to(torch.bool if name in _MASKS else torch.float32 if name in FLOATS else torch.long)


def _not_integers(name: str, dtype: object) -> TypeError:
    return TypeError(f"`{name}` must hold whole numbers: got {dtype}. Use the tensors of its tokenizer.")


def _all_real(items: _Array) -> _Array:
    """A mask of the items of an axis, of the same kind as they are."""
    if isinstance(items, np.ndarray):
        return np.ones(items.shape[:2], np.bool_)
    return items.new_ones(items.shape[:2], dtype=torch.bool)


__all__ = ["by_name", "check_inputs", "nothing"]
