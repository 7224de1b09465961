"""Checkpoints as folders and names: which one is meant, whether it is one, and which files hold its weights.

Imports nothing of this package but what travels to the Hub, so that everything else can import it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import read_json_object

# What a checkpoint of the original package holds and no model here reads; it goes along for the way back.
ORIGINAL_FILE = "original_remainder.safetensors"
EMBEDDED_MODEL = Path(__file__).resolve().parents[1] / "checkpoints" / "glirel-mini"


def model_name(model: str | None = None) -> str:
    """`model`, else `$GLIREL_MODEL`, else the model in this repository.

    Raises:
        OSError: when it is neither a folder nor the name of a Hub repository.
    """
    name = model or os.environ.get("GLIREL_MODEL") or str(EMBEDDED_MODEL)
    if not Path(name).is_dir():
        if name == str(EMBEDDED_MODEL):
            raise OSError(
                "The embedded model comes with the repository only. Name a model with --model or $GLIREL_MODEL."
            )
        if name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise OSError(f"There is no folder {name!r}. Name a folder, or a Hub repository as 'owner/name'.")
    return name


@contextmanager
def naming_the_missing(name: str) -> Iterator[None]:
    """Within it, a Hub repository that cannot be reached is an `OSError` in one line, with the name and the cure."""
    try:
        yield
    except OSError as error:
        if Path(name).is_dir():
            raise
        raise OSError(
            f"There is no folder {name!r}, and no Hub repository of that name can be reached. Check the name; with "
            "HF_HUB_OFFLINE=1 only what was downloaded before is found."
        ) from error


def check_checkpoint(folder: str | os.PathLike[str], name: str | None = None) -> None:
    """Checks that a folder is a checkpoint of this package, before anything is loaded from it.

    Args:
        folder: what is checked.
        name: what errors call it; by default its path.

    Raises:
        ValueError: when it is not; the message says what it is and what to do.
    """
    folder = Path(folder)
    name = name or str(folder)
    file, files = folder / "config.json", weight_files(folder)
    if not file.is_file() and (folder / "glirel_config.json").is_file():
        raise ValueError(
            f"{name!r} is in the original package's format. Convert it once: glirel convert {name} NEW_FOLDER"
        )
    if not files and any(folder.rglob("*.onnx")):
        raise ValueError(
            f"{name!r} is an ONNX export, which extracts relations but cannot be trained, described or exported. Name "
            "the checkpoint that it was exported from."
        )
    if not file.is_file():
        raise ValueError(
            f"{name!r} has no config.json, so it is no checkpoint. Name the folder that `glirel train` or "
            "`save_pretrained` wrote; for a run, that is the `model` in it."
        )
    model_type = read_json_object(file).get("model_type")
    if model_type != "glirel":
        raise ValueError(
            f"{name!r} is a {model_type} model and no GLiREL model. To give an encoder a head, train one: glirel "
            f"train DATA --encoder {name} --output runs/mine"
        )
    if not files:
        raise ValueError(f"{name!r} has a configuration and no weights (*.safetensors). Copy the checkpoint again.")


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of a checkpoint, but what a converted one keeps for the way back."""
    return [file for file in sorted(folder.glob("*.safetensors")) if file.name != ORIGINAL_FILE]


def is_export(name: str) -> bool:
    """Whether a folder or Hub repository has an ONNX model, and no weights that torch reads."""
    if Path(name).is_dir():
        return (Path(name) / "model.onnx").is_file() and not weight_files(Path(name))
    from transformers.utils import cached_file

    files = ("model.safetensors", "model.safetensors.index.json", "model.onnx")
    silent = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    # The first that is there is what will be loaded, so that nothing is fetched in vain.
    found = next((file for file in files if cached_file(name, file, **silent) is not None), None)
    return found == "model.onnx"
