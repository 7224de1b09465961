"""What an export is given: tensors or numpy arrays, all there, of the types that a graph takes, of sizes that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from transformers.utils import is_torch_available

from glirel_transformers.batches_glirel import AXES

if is_torch_available():
    import torch

# The order in which the model takes them.
_POSITIONAL = (
    "input_ids",
    "attention_mask",
    "word_token_spans",
    "relation_token_spans",
    "mention_word_spans",
    "pair_index",
    "word_mask",
    "relation_mask",
    "mention_mask",
    "pair_mask",
    "position_ids",
)
# An input that may be left out, and the one whose axis it then calls real throughout.
_MASKED = {
    "word_mask": "word_token_spans",
    "relation_mask": "relation_token_spans",
    "mention_mask": "mention_word_spans",
    "pair_mask": "pair_index",
}


def check_inputs(
    positional: Sequence[Any], named: Mapping[str, Any], wanted: Sequence[str], device: Any
) -> dict[str, Any]:
    """The inputs of a graph, by name: all numpy arrays, or all tensors on the device.

    Args:
        positional, named: as the model was called; `None` stands for what is left out.
        wanted: names of the graph's inputs.
        device: for tensors.

    Raises:
        TypeError: for an input that the graph does not have, and for one that is no array.
        ValueError: for one that is missing, or whose size does not fit the others.
    """
    if len(positional) > len(_POSITIONAL):
        raise TypeError(f"The export takes {len(_POSITIONAL)} tensors by position: got {len(positional)}.")
    given = dict(zip(_POSITIONAL, positional, strict=False))
    if twice := sorted(set(given) & set(named)):
        raise TypeError(f"The inputs {twice} are given twice, by position and by name.")
    given |= named
    given = {name: value for name, value in given.items() if value is not None}
    if unknown := sorted(set(given) - set(wanted) - set(_MASKED)):
        advice = " A loss is the business of the model itself." if "labels" in unknown else ""
        raise TypeError(f"The export does not take {unknown}: its inputs are {list(wanted)}.{advice}")
    given = _as_one_kind(given, device)
    for mask, items in _MASKED.items():
        if mask not in given and items in given:
            given[mask] = _all_real(given[items])
    if missing := [name for name in wanted if name not in given]:
        raise ValueError(f"The inputs {missing} are missing. Use the tokenizer saved with the export.")
    _check_sizes({name: tuple(given[name].shape) for name in wanted})
    return given


def _check_sizes(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Checks that each axis has the same size in all inputs."""
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


def _as_one_kind(given: Mapping[str, Any], device: Any) -> dict[str, Any]:
    """Numpy arrays; where one is a tensor, tensors on the device. Of the types that the graph takes."""
    is_tensor = {name: is_torch_available() and isinstance(value, torch.Tensor) for name, value in given.items()}
    for name, value in given.items():
        if not is_tensor[name] and not isinstance(value, np.ndarray):
            raise TypeError(f"`{name}` must be a tensor or a numpy array: got a {type(value).__name__}.")
    if not any(is_tensor.values()):
        return {name: _cast(name, value) for name, value in given.items()}
    return {name: _cast(name, torch.as_tensor(value, device=device)) for name, value in given.items()}


def _cast(name: str, value: Any) -> Any:
    """Masks are boolean in a graph, and all else is of 64 bits."""
    if isinstance(value, np.ndarray):
        return value.astype(np.bool_ if name in _MASKED else np.int64, copy=False)
    return value.to(torch.bool if name in _MASKED else torch.long)


def _all_real(items: Any) -> Any:
    """A mask of the items of an axis, of the same kind as they are."""
    shape = items.shape[:2]
    return np.ones(shape, np.bool_) if isinstance(items, np.ndarray) else items.new_ones(shape, dtype=torch.bool)


__all__ = ["check_inputs"]
