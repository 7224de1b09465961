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

from glirel_transformers.hub_glirel import ORIGINAL_FILE

from .checkpoints import find_file, find_optional, load_pickled

WEIGHTS = "pytorch_model.bin"


@dataclass(frozen=True)
class OriginalCheckpoint:
    """A checkpoint of an original package.

    Args:
        config: the content of its configuration file.
        config_text: the same, verbatim.
        state: its tensors, in order.
        versions: what a PyTorch state dictionary notes of its modules; `None` for an ordinary dictionary.
    """

    config: dict[str, Any]
    config_text: str
    state: dict[str, Tensor]
    versions: dict[str, Any] | None = field(default_factory=dict)


@dataclass(frozen=True)
class Remainder:
    """What a converted checkpoint keeps of the original, for the way back; empty for a model that was trained here.

    Args:
        unused: tensors without a counterpart here.
        names: of all the original's tensors, in order.
        versions: as in [`OriginalCheckpoint`].
        config_text: as in [`OriginalCheckpoint`].
    """

    unused: dict[str, Tensor] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    versions: dict[str, Any] | None = field(default_factory=dict)
    config_text: str = "{}"


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
    config_file, weights_file = (find_file(source, name) for name in (config_name, WEIGHTS))
    text = config_file.read_text(encoding="utf-8")
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{config_name} of {source!r} is not JSON: {error}. Copy the checkpoint again.") from error
    if not isinstance(config, dict):
        raise ValueError(f"{config_name} of {source!r} must hold an object: got a {type(config).__name__}.")
    state = load_pickled(weights_file)
    versions = dict(getattr(state, "_metadata", {})) if isinstance(state, OrderedDict) else None
    return OriginalCheckpoint(config, text, dict(state), versions)


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
    if checkpoint.versions is not None:
        state = OrderedDict(state)
        if checkpoint.versions:
            state._metadata = OrderedDict(checkpoint.versions)  # type: ignore[attr-defined]
    torch.save(state, target / WEIGHTS)
    (target / config_name).write_text(checkpoint.config_text, encoding="utf-8")


def write_remainder(target: Path, checkpoint: OriginalCheckpoint, unused: Mapping[str, Tensor]) -> None:
    """Keeps next to a converted checkpoint what only the way back needs."""
    metadata = {
        "names": json.dumps(list(checkpoint.state)),
        "versions": json.dumps(checkpoint.versions),
        "config": checkpoint.config_text,
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
    return Remainder(unused, json.loads(notes["names"]), json.loads(notes["versions"]), notes["config"])


def in_order(state: dict[str, Tensor], names: list[str]) -> dict[str, Tensor]:
    """The tensors in the order of `names`, where these are all of them."""
    return {name: state[name] for name in names} if set(names) == set(state) else state


def config_text(settings: dict[str, Any], before: str) -> str:
    """A configuration file: as it was `before`, verbatim, where it says the same, otherwise in the same order."""
    old = json.loads(before)
    if old == settings:
        return before
    return json.dumps({name: settings[name] for name in old if name in settings} | settings, indent=2)
