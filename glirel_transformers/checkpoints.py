"""Checkpoints as folders and names: which one is meant, whether it is one, and which files hold its weights.

Imports nothing of this package but what travels to the Hub, so that everything else can import it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import read_json_object

EMBEDDED_MODEL = Path(__file__).resolve().parents[1] / "checkpoints" / "glirel-small"


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


# The configuration files of the original packages' checkpoints.
ORIGINAL_CONFIGS = {"glirel": "glirel_config.json", "glidre": "glidre_config.json", "relex": "gliner_config.json"}


def check_checkpoint(folder: str | os.PathLike[str], name: str | None = None) -> None:
    """Checks that a folder is a whole checkpoint of this package, before anything is loaded from it.

    Args:
        folder: what is checked.
        name: what errors call it; by default its path.

    Raises:
        ValueError: when it is not; the message says what it is and what to do.
    """
    folder = Path(folder)
    name = name or str(folder)
    file, files = folder / "config.json", weight_files(folder)
    if not file.is_file() and any((folder / original).is_file() for original in ORIGINAL_CONFIGS.values()):
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
            f"{name!r} has no config.json, so it is not a checkpoint. Name the folder that `glirel train` or "
            "`save_pretrained` wrote; for a run, that is the `model` in it."
        )
    model_type = read_json_object(file).get("model_type")
    if model_type != "glirel":
        what = "names no model_type" if model_type is None else f"is of the type {model_type!r}"
        raise ValueError(
            f"{name!r} is not a GLiREL model: its config.json {what}. To give an encoder a head, train one: glirel "
            f"train DATA --encoder {name} --output runs/mine"
        )
    if not files:
        raise ValueError(f"{name!r} has a configuration and no weights (*.safetensors). Copy the checkpoint again.")
    _check_fields(file)
    _check_tokenizer(folder, name)
    for weights in files:
        _check_header(weights)


def _check_tokenizer(folder: Path, name: str) -> None:
    """Checks that the files of a tokenizer are there, are JSON, and have a limit that is a number."""
    from .prompts_glirel import check_limit  # which needs numpy: the command line answers before that is imported

    for part in ("tokenizer_config.json", "tokenizer.json"):
        if not (folder / part).is_file():
            raise ValueError(f"{name!r} has no {part}, without which no text can be read. Copy the checkpoint again.")
        check_limit(read_json_object(folder / part).get("model_max_length", 1), str(folder / part))


def _check_fields(file: Path) -> None:
    """Checks the values in a `config.json`, whose errors name their field, and not the file."""
    from huggingface_hub.errors import StrictDataclassError

    from .configuration_glirel import GLiRELConfig

    try:
        GLiRELConfig.from_pretrained(file.parent)
    except (ValueError, TypeError, AttributeError, OSError, StrictDataclassError) as error:
        raise ValueError(f"{file}: {_shortened(error)} Copy the checkpoint again, or correct the field.") from error


def _check_header(file: Path) -> None:
    """Checks that a file of weights is one, and whole: its header says how long it is."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy"):
            pass
    except SafetensorError as error:
        raise ValueError(
            f"{file}: It cannot be read ({_shortened(error)}). It is cut off, or the pointer to a large file that was "
            "not fetched. Copy the checkpoint again."
        ) from error


def _shortened(error: object, at_most: int = 200) -> str:
    """An error in one line that ends in a full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{text[:at_most]}…" if len(text) > at_most else f"{text.removesuffix('.')}."


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of a checkpoint, as transformers names them, in one part or in several."""
    return sorted(folder.glob("model*.safetensors"))


def is_export(name: str) -> bool:
    """Whether a folder or Hub repository has an ONNX model, and no weights that torch reads."""
    if Path(name).is_dir():
        return (Path(name) / "model.onnx").is_file() and not weight_files(Path(name))
    from transformers.utils import cached_file

    files = ("model.safetensors", "model.safetensors.index.json", "model.onnx")
    silent = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    # The first that is there is what will be loaded, so that nothing is fetched needlessly.
    found = next((file for file in files if cached_file(name, file, **silent) is not None), None)
    return found == "model.onnx"


def check_new_folder(target: Path, checkpoint: str) -> None:
    """Checks, before anything is computed, that a changed copy of a checkpoint can be written to a folder.

    Raises:
        OSError: when it is a file, is not empty, or is in the checkpoint.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "is not empty" if target.is_dir() else "is a file"
        raise OSError(f"--output {str(target)!r} {what}. Name a new folder; nothing is written over.")
    if Path(checkpoint).is_dir() and Path(checkpoint).resolve() in target.resolve().parents:
        raise OSError(f"--output {str(target)!r} is in the checkpoint {checkpoint!r}. Name a folder outside of it.")


def check_changeable(checkpoint: str) -> None:
    """Checks, before anything is computed, that the settings of a checkpoint can be changed where it is.

    Raises:
        OSError: when it is not a folder, or may not be written to.
    """
    if not Path(checkpoint).is_dir():
        raise OSError(
            f"--in-place changes a folder, and {checkpoint!r} is none. Name a folder to write: --output FOLDER."
        )
    if not os.access(checkpoint, os.W_OK) or not os.access(Path(checkpoint) / "config.json", os.W_OK):
        raise OSError(f"--in-place: {checkpoint!r} cannot be written. Name a folder to write: --output FOLDER.")
