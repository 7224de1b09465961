"""Files of both formats: what is read from a folder or a Hub repository, and what is written to a folder."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers.utils import cached_file

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.hub_glirel import ORIGINAL_FILE
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

WEIGHTS, CONFIG = "pytorch_model.bin", "glirel_config.json"


@dataclass(frozen=True)
class OriginalCheckpoint:
    """A checkpoint of the original package.

    Args:
        config: the content of its `glirel_config.json`.
        config_text: the same, letter by letter.
        state: its tensors, in order.
        versions: what a PyTorch state dictionary notes of its modules; `None` for an ordinary dictionary.
    """

    config: dict[str, Any]
    config_text: str
    state: dict[str, Tensor]
    versions: dict[str, Any] | None = field(default_factory=dict)


def read_original(source: str) -> OriginalCheckpoint:
    """Reads the original's folder or Hub repository. Nothing but tensors is unpickled.

    Raises:
        ValueError: when a file is missing, truncated, or something else.
    """
    if (Path(source) / "config.json").is_file() and not (Path(source) / CONFIG).is_file():
        raise ValueError(
            f"{source!r} holds a config.json and no {CONFIG}: it is not in the original package's format. A "
            "checkpoint of this package needs no conversion; `--reverse` writes the original's format."
        )
    config_file, weights_file = (_find(source, name) for name in (CONFIG, WEIGHTS))
    text = config_file.read_text(encoding="utf-8")
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{CONFIG} of {source!r} is not JSON: {error}. Copy the checkpoint again.") from error
    if not isinstance(config, dict):
        raise ValueError(f"{CONFIG} of {source!r} must hold an object: got a {type(config).__name__}.")
    state = _load_weights(weights_file)
    versions = dict(getattr(state, "_metadata", {})) if isinstance(state, OrderedDict) else None
    return OriginalCheckpoint(config, text, dict(state), versions)


def _find(source: str, name: str) -> Path:
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


def _load_weights(file: Path) -> Mapping[str, Tensor]:
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


def write_original(target: Path, checkpoint: OriginalCheckpoint) -> None:
    """Writes the original's two files."""
    target.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in checkpoint.state.items()}
    if checkpoint.versions is not None:
        state = OrderedDict(state)
        if checkpoint.versions:
            state._metadata = OrderedDict(checkpoint.versions)  # type: ignore[attr-defined]
    torch.save(state, target / WEIGHTS)
    (target / CONFIG).write_text(checkpoint.config_text, encoding="utf-8")


def write_remainder(target: Path, checkpoint: OriginalCheckpoint, unused: Mapping[str, Tensor]) -> None:
    """Keeps beside a converted checkpoint what only the way back needs: unused tensors, the order of all, the text."""
    metadata = {
        "names": json.dumps(list(checkpoint.state)),
        "versions": json.dumps(checkpoint.versions),
        "config": checkpoint.config_text,
    }
    save_file({name: tensor.contiguous() for name, tensor in unused.items()}, target / ORIGINAL_FILE, metadata)


def read_remainder(source: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The reverse of [`write_remainder`]: the tensors, and `names`, `versions` and `config`; both may be empty."""
    file = cached_file(
        source,
        ORIGINAL_FILE,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    if file is None:
        return {}, {}
    with safe_open(file, "pt") as tensors:
        notes = tensors.metadata()
        unused = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    return unused, {
        "names": json.loads(notes["names"]),
        "versions": json.loads(notes["versions"]),
        "config": notes["config"],
    }


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
    if (Path(source) / CONFIG).is_file():
        raise ValueError(
            f"{source!r} is in the original package's format already: it holds a {CONFIG}. Leave out `--reverse` to "
            "convert it."
        )
    try:
        content, _ = GLiRELConfig.get_config_dict(source)
        if (model_type := content.get("model_type")) != GLiRELConfig.model_type:
            raise ValueError(f"{source!r} is no checkpoint of this package, but of a {model_type!r} model.")
        config = GLiRELConfig.from_pretrained(source)
        tokenizer = GLiRELTokenizer.from_pretrained(source)
        index = cached_file(source, "model.safetensors.index.json", _raise_exceptions_for_missing_entries=False)
        if index is None:
            names = ["model.safetensors"]
        else:
            names = sorted(set(json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"].values()))
        state: dict[str, Tensor] = {}
        for name in names:
            with safe_open(cached_file(source, name), "pt") as tensors:
                state |= {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{source!r} is no complete checkpoint of this package: {reason}") from error
    return Checkpoint(config, tokenizer, state)


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
    config["dtype"] = config["encoder_config"]["dtype"] = str(widest).removeprefix("torch.")
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def same_folder(one: str, other: str | os.PathLike[str]) -> bool:
    """Whether both name the same folder."""
    return Path(one).is_dir() and Path(one).resolve() == Path(other).resolve()
