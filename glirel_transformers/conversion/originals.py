"""The two files of an original package's checkpoint, and what a converted one keeps of them for the way back."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from glirel_transformers.files import read_json_object, read_text
from glirel_transformers.hub_glirel import ORIGINAL_FILE

from .checkpoints import find_file, find_optional, load_pickled, read_safetensors

WEIGHTS, SAFE_WEIGHTS = "pytorch_model.bin", "model.safetensors"


@dataclass(frozen=True)
class OriginalCheckpoint:
    """A checkpoint of an original package.

    Args:
        config: the content of its configuration file.
        config_text: the same, verbatim.
        state: its tensors, in order.
        versions: what a PyTorch state dictionary notes of its modules; `None` for an ordinary dictionary.
        is_safe: whether its weights are in a safetensors file, in place of a pickled one.
    """

    config: dict[str, Any]
    config_text: str
    state: dict[str, Tensor]
    versions: dict[str, Any] | None = field(default_factory=dict)
    is_safe: bool = False


@dataclass(frozen=True)
class Remainder:
    """What a converted checkpoint keeps of the original, for the way back; empty for a model that was trained here.

    Args:
        unused: tensors without a counterpart here.
        names: of all the original's tensors, in order.
        versions: as in [`OriginalCheckpoint`].
        config_text, is_safe: as in [`OriginalCheckpoint`].
    """

    unused: dict[str, Tensor] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    versions: dict[str, Any] | None = field(default_factory=dict)
    config_text: str = "{}"
    is_safe: bool = False


def read_original(source: str, config_name: str) -> OriginalCheckpoint:
    """Reads an original's folder or Hub repository. Nothing but tensors is unpickled.

    Args:
        source: the folder, or the repository.
        config_name: the name of its configuration file.

    Raises:
        ValueError: when a file is missing, truncated, or something else.
    """
    if (Path(source) / "config.json").is_file() and not (Path(source) / config_name).is_file():
        raise ValueError(
            f"{source!r} holds a config.json and no {config_name}: it is not in the original package's format. A "
            "checkpoint of this package needs no conversion; `--reverse` writes the original's format."
        )
    config_file = find_file(source, config_name)
    text, config = read_text(config_file), read_json_object(config_file)
    if (safe := find_optional(source, SAFE_WEIGHTS)) is not None:
        return OriginalCheckpoint(dict(config), text, read_safetensors(safe), None, is_safe=True)
    state = load_pickled(find_file(source, WEIGHTS))
    versions = dict(getattr(state, "_metadata", {})) if isinstance(state, OrderedDict) else None
    return OriginalCheckpoint(dict(config), text, dict(state), versions)


def check_is_ours(source: str, config_name: str) -> None:
    """Checks that a folder is not in an original's format.

    Raises:
        ValueError: when it is, by its configuration file `config_name`.
    """
    if (Path(source) / config_name).is_file():
        raise ValueError(
            f"{source!r} is in the original package's format already: it holds a {config_name}. Leave out `--reverse` "
            "to convert it."
        )


def write_original(target: Path, checkpoint: OriginalCheckpoint, config_name: str) -> None:
    """Writes an original's two files."""
    target.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous() for name, tensor in checkpoint.state.items()}
    (target / config_name).write_text(checkpoint.config_text, encoding="utf-8")
    if checkpoint.is_safe:
        save_file(state, target / SAFE_WEIGHTS, {"format": "pt"})
        return
    if checkpoint.versions is not None:
        state = OrderedDict(state)
        if checkpoint.versions:
            state._metadata = OrderedDict(checkpoint.versions)  # type: ignore[attr-defined]
    torch.save(state, target / WEIGHTS)


def write_remainder(target: Path, checkpoint: OriginalCheckpoint, unused: Mapping[str, Tensor]) -> None:
    """Keeps next to a converted checkpoint what only the way back needs."""
    metadata = {
        "names": json.dumps(list(checkpoint.state)),
        "versions": json.dumps(checkpoint.versions),
        "config": checkpoint.config_text,
        "is_safe": json.dumps(checkpoint.is_safe),
    }
    save_file({name: tensor.contiguous() for name, tensor in unused.items()}, target / ORIGINAL_FILE, metadata)


def read_remainder(source: str) -> Remainder:
    """The reverse of [`write_remainder`]."""
    file = find_optional(source, ORIGINAL_FILE)
    if file is None:
        return Remainder()
    with safe_open(file, "pt") as tensors:
        notes = tensors.metadata()
        unused = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    is_safe = json.loads(notes.get("is_safe", "false"))
    return Remainder(unused, json.loads(notes["names"]), json.loads(notes["versions"]), notes["config"], is_safe)


def in_order(state: dict[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The tensors in the order of `names`, where these are all of them."""
    return {name: state[name] for name in names} if set(names) == set(state) else state


def config_text(settings: dict[str, Any], before: str) -> str:
    """A configuration file: as it was `before`, verbatim, where it says the same, otherwise in the same order."""
    old = json.loads(before)
    if old == settings:
        return before
    return json.dumps({name: settings[name] for name in old if name in settings} | settings, indent=2)
