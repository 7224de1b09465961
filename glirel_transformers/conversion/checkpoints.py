"""Files of checkpoints, of this package and of others, in a folder or a Hub repository."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.utils import cached_file

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.files import read_json_object
from glirel_transformers.heads_glirel import GLiRELHead
from glirel_transformers.modeling_glirel import head_for
from glirel_transformers.tokenization_glirel import GLiRELTokenizer

# What `torch.load` raises on files that are truncated or something else.
_DAMAGED = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    struct.error,
)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of this package, its tensors with the types that they have in the file."""

    config: GLiRELConfig
    tokenizer: GLiRELTokenizer
    state: dict[str, Tensor]


def read_ours(source: str) -> Checkpoint:
    """Reads a folder or a Hub repository of this package.

    Raises:
        ValueError: when it is something else, or incomplete.
    """
    try:
        content, _ = GLiRELConfig.get_config_dict(source)
        if (model_type := content.get("model_type")) != GLiRELConfig.model_type:
            raise ValueError(f"{source!r} is not a checkpoint of this package, but of a {model_type!r} model.")
        config = GLiRELConfig.from_pretrained(source)
        tokenizer = GLiRELTokenizer.from_pretrained(source)
        state = _read_safetensors(source)
    except (OSError, SafetensorError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{source!r} is not a complete checkpoint of this package: {reason}") from error
    return Checkpoint(config, tokenizer, state)


def _read_safetensors(source: str) -> dict[str, Tensor]:
    """The tensors of `model.safetensors`, or of the files that its index names."""
    names = ["model.safetensors"]
    if index := find_optional(source, "model.safetensors.index.json"):
        weights: Any = read_json_object(index)["weight_map"]
        names = sorted(set(weights.values()))
    state: dict[str, Tensor] = {}
    for name in names:
        with safe_open(cached_file(source, name), "pt") as tensors:
            state |= {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
    return state


def read_safetensors(file: Path) -> dict[str, Tensor]:
    """The tensors of one file.

    Raises:
        ValueError: when it is damaged, or something else.
    """
    try:
        with safe_open(file, "pt") as tensors:
            return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{str(file)!r} cannot be read: {error}. Copy the checkpoint again.") from error


def find_file(source: str, name: str) -> Path:
    """A file of another package's checkpoint.

    Raises:
        ValueError: when there is no such folder or repository, or it has no such file.
    """
    missing = f"{source!r} has no {name}. Name a folder or a Hub repository that the original package saved."
    if Path(source).is_dir():
        if not (Path(source) / name).is_file():
            raise ValueError(missing)
        return Path(source) / name
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise ValueError(f"There is no folder {source!r}. Name a folder, or a Hub repository as 'owner/name'.")
    try:
        return Path(cached_file(source, name))
    except OSError as error:
        raise ValueError(f"{missing} ({str(error).strip().splitlines()[0]})") from error


def find_optional(source: str, name: str) -> Path | None:
    """A file of a folder or a Hub repository; `None` where it is not there or cannot be reached."""
    file = cached_file(
        source,
        name,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return None if file is None else Path(file)


def load_pickled(file: Path) -> Mapping[str, Tensor]:
    """The state dictionary of a file that `torch.save` wrote. Nothing but tensors is unpickled.

    Raises:
        ValueError: when the file is truncated, or holds something else.
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise ValueError(
            f"{str(file)!r} cannot be read: it is truncated, is the pointer to a large file that was not fetched, or "
            "holds other things than tensors, which are never loaded. Copy the checkpoint again."
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ValueError(
            f"{str(file)!r} must hold a dictionary of tensors: got "
            f"{'other values in it' if isinstance(state, Mapping) else type(state).__name__}. It is not what the "
            "original package saves."
        )
    return state


def without_weights(config: GLiRELConfig) -> GLiRELHead:
    """The model that `config` describes, of which only names and shapes are there."""
    with torch.device("meta"):
        return head_for(config)(config)


def complete_state(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """All tensors of a checkpoint, in the model's order.

    Raises:
        ValueError: when some are missing or left over.
    """
    state, expected = checkpoint.state, without_weights(checkpoint.config).state_dict()
    missing, unexpected = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or unexpected:
        raise ValueError(
            f"The checkpoint's weights are not those of its configuration. Missing: {missing}. Unexpected: "
            f"{unexpected}."
        )
    return {name: state[name] for name in expected}


def keep_widest_type(target: Path, state: Mapping[str, Tensor]) -> None:
    """Notes in `config.json` a type that holds every weight exactly; transformers notes that of the first one."""
    types = {tensor.dtype for tensor in state.values() if tensor.is_floating_point()}
    if len(types) < 2:
        return
    widest = torch.float32
    for dtype in types:
        widest = torch.promote_types(widest, dtype)
    file = target / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for part in (config, config["encoder_config"], config.get("label_encoder_config") or {}):
        part["dtype"] = str(widest).removeprefix("torch.")
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
