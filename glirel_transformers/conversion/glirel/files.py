"""The two files of an original checkpoint, and what a converted one keeps of them for the way back."""

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

from glirel_transformers.conversion.checkpoints import find_file, find_optional, load_pickled
from glirel_transformers.files import read_json_object, read_text
from glirel_transformers.hub_glirel import ORIGINAL_FILE

WEIGHTS, CONFIG = "pytorch_model.bin", "glirel_config.json"


@dataclass(frozen=True)
class OriginalCheckpoint:
    """A checkpoint of the original package.

    Args:
        config: the content of its `glirel_config.json`.
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


def read_original(source: str) -> OriginalCheckpoint:
    """Reads the original's folder or Hub repository. Nothing but tensors is unpickled.

    Raises:
        ValueError: when a file is missing, truncated, or something else.
    """
    if (Path(source) / "config.json").is_file() and not is_original(source):
        raise ValueError(
            f"{source!r} holds a config.json and no {CONFIG}: it is not in the original package's format. A "
            "checkpoint of this package needs no conversion; `--reverse` writes the original's format."
        )
    config_file, weights_file = (find_file(source, name) for name in (CONFIG, WEIGHTS))
    text, config = read_text(config_file), read_json_object(config_file)
    state = load_pickled(weights_file)
    versions = dict(getattr(state, "_metadata", {})) if isinstance(state, OrderedDict) else None
    return OriginalCheckpoint(dict(config), text, dict(state), versions)


def is_original(source: str) -> bool:
    """Whether a folder is in the original's format."""
    return (Path(source) / CONFIG).is_file()


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
