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
    MASK_OF,
    SEGMENT_TENSORS,
    TYPE_TENSORS,
    fits_axis,
    misfit_error,
)

if is_torch_available():
    import torch
if TYPE_CHECKING:
    from torch import Tensor

    from .sessions import Device

_Array = TypeVar("_Array", np.ndarray, "Tensor")

# An input that may be left out, and the one whose axis it then calls real throughout.
_SPECIAL = (*CLUSTER_TENSORS, *TYPE_TENSORS, *SEGMENT_TENSORS)
_MASKED = {mask: items for items, mask in MASK_OF.items() if items not in _SPECIAL}
# What addresses an axis, or rows of a table.
_INTEGERS = (*ADDRESSES, "input_ids", "position_ids")
# The order in which the model takes them: what it must have, then what it may have.
_POSITIONAL = (
    *(name for name in AXES if name not in (*_MASKED, *_SPECIAL, "position_ids", "labels")),
    *_MASKED,
    "position_ids",
)


def check_inputs(
    positional: Sequence[object], named: Mapping[str, object], wanted: Sequence[str], device: Device
) -> dict[str, np.ndarray] | dict[str, Tensor]:
    """The inputs of a graph, by name: all numpy arrays, or all tensors on the device.

    Args:
        positional, named: as the model was called; `None` stands for what is left out.
        wanted: names of the graph's inputs.
        device: for tensors.

    Raises:
        TypeError: for an input that the graph does not have, for one that is not an array, and for spans, indices or
            numbers of tokens that are not integers.
        ValueError: for one that is missing, whose size does not fit the others, or whose spans or indices are out of
            range.
    """
    if len(positional) > len(_POSITIONAL):
        raise TypeError(f"The export takes {len(_POSITIONAL)} tensors by position: got {len(positional)}.")
    given = dict(zip(_POSITIONAL, positional, strict=False))
    if twice := sorted(set(given) & set(named)):
        raise TypeError(f"The inputs {twice} are given twice, by position and by name.")
    given |= named
    given = {name: value for name, value in given.items() if value is not None}
    if unknown := sorted(set(given) - set(wanted) - set(_MASKED)):
        advice = " Only the model itself computes a loss." if "labels" in unknown else ""
        raise TypeError(f"The export does not take {unknown}: its inputs are {list(wanted)}.{advice}")
    arrays, tensors = _by_kind(given)
    if not tensors:
        return _complete({name: _cast_array(name, value) for name, value in arrays.items()}, wanted)
    on_device = {name: torch.as_tensor(value, device=device) for name, value in {**arrays, **tensors}.items()}
    return _complete({name: _cast_tensor(name, value) for name, value in on_device.items()}, wanted)


def _complete(given: dict[str, _Array], wanted: Sequence[str]) -> dict[str, _Array]:
    """Adds the masks that were left out, and checks that the inputs fit together."""
    for mask, items in _MASKED.items():
        if mask not in given and items in given:
            given[mask] = _all_real(given[items])
    if missing := [name for name in wanted if name not in given]:
        raise ValueError(f"The inputs {missing} are missing. Use the tokenizer saved with the export.")
    sizes = _check_sizes({name: tuple(given[name].shape) for name in wanted})
    for name, axis in ADDRESSES.items():
        if name in wanted:
            fits = fits_axis(name, given[name], sizes[axis]) | ~given[MASK_OF[name]]
            if not fits.all():
                raise misfit_error(name, given[name], fits, sizes[axis])
    return given


def _check_sizes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """Checks that each axis has the same size in all inputs, and returns the sizes."""
    sizes = {"span": 2, "pair": 2}
    for name, shape in shapes.items():
        axes = ("batch", *AXES[name])
        expected = [sizes.get(axis) for axis in axes]
        fits = len(shape) == len(axes) and all(size in (None, own) for size, own in zip(expected, shape, strict=True))
        if not fits:
            known = [axis if size is None else str(size) for axis, size in zip(axes, expected, strict=True)]
            raise ValueError(
                f"`{name}` must have the shape ({', '.join(axes)}), here ({', '.join(known)}): got {shape}."
            )
        sizes.update(zip(axes, shape, strict=True))
    sizes.setdefault("entities", sizes["mentions"])  # without clusters, each mention is an entity
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
    """Masks are boolean in a graph, and all else is of 64 bits."""
    if name in _INTEGERS and not np.issubdtype(value.dtype, np.integer):
        raise _not_integers(name, value.dtype)
    return value.astype(np.bool_ if name in _MASKED else np.int64, copy=False)


def _cast_tensor(name: str, value: Tensor) -> Tensor:
    if name in _INTEGERS and (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool):
        raise _not_integers(name, value.dtype)
    return value.to(torch.bool if name in _MASKED else torch.long)


def _not_integers(name: str, dtype: object) -> TypeError:
    return TypeError(f"`{name}` must hold whole numbers: got {dtype}. Use the tensors of its tokenizer.")


def _all_real(items: _Array) -> _Array:
    """A mask of the items of an axis, of the same kind as they are."""
    if isinstance(items, np.ndarray):
        return np.ones(items.shape[:2], np.bool_)
    return items.new_ones(items.shape[:2], dtype=torch.bool)


__all__ = ["check_inputs"]
