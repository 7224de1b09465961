"""The files of an export, in a folder or in a Hub repository: found, checked and read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from transformers.utils import cached_file

from glirel_transformers.checkpoints import model_name, naming_the_missing
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.files import Json, read_json_object
from glirel_transformers.tokenization_glirel import GLiRELTokenizer

from .sessions import ONNX_FILE

HubOptions: TypeAlias = Mapping[str, object]

# What exporters add to the names of files with the weights of models over 2 GiB. ONNX Runtime finds them by the name
# that the graph holds.
_WEIGHTS = (".data", "_data")


def find_model(name: str, hub_options: HubOptions) -> Path:
    """The ONNX file of a folder or of a Hub repository, whose other files are fetched with it.

    Raises:
        OSError: when there is no such folder or repository.
        ValueError: when it is not an export.
    """
    if Path(name).is_file():
        raise ValueError(f"{name!r} is a file. Name the folder that it is in, {str(Path(name).parent)!r}.")
    if Path(model_name(name)).is_dir():
        folder = Path(name) / str(hub_options.get("subfolder") or "")
        if (folder / ONNX_FILE).is_file():
            return folder / ONNX_FILE
        others = sorted(file.name for file in folder.glob("*.onnx") if file.is_file())
        here = f" It holds {', '.join(others)}: rename the one that you mean." if others else ""
        raise ValueError(
            f"{str(folder)!r} has no {ONNX_FILE}, so it is not an export.{here} Make one: glirel export CHECKPOINT "
            "NEW_FOLDER"
        )
    with naming_the_missing(name):
        cached_file(name, "config.json", **hub_options)  # an error where there is no such repository
    file = _find(name, ONNX_FILE, hub_options)
    if file is None:
        raise ValueError(
            f"The repository {name!r} has no {ONNX_FILE}, so it is not an export. Make one: glirel export {name} "
            "NEW_FOLDER"
        )
    _fetch_weights(name, ONNX_FILE, hub_options)
    return file


def find_part(name: str, file: str, hub_options: HubOptions) -> Path:
    """Another ONNX file of an export, of a model that needs more than one.

    Raises:
        ValueError: when it is missing.
    """
    found = _require(name, file, hub_options)
    if not Path(model_name(name)).is_dir():
        _fetch_weights(name, file, hub_options)
    return found


def _fetch_weights(name: str, file: str, hub_options: HubOptions) -> None:
    for ending in _WEIGHTS:
        _find(name, file + ending, {**hub_options, "_raise_exceptions_for_connection_errors": False})


def load_config(name: str, hub_options: HubOptions) -> GLiRELConfig:
    """The configuration of the model that was exported.

    Raises:
        ValueError: when it is missing, damaged, or of another model.
    """
    model_type = _read_json(name, "config.json", hub_options).get("model_type")
    if model_type != GLiRELConfig.model_type:
        raise ValueError(
            f"The config.json of {name!r} is that of a {model_type!r} model, not of a GLiREL model. Copy the whole "
            "export again."
        )
    config: GLiRELConfig = GLiRELConfig.from_pretrained(name, **hub_options)
    return config


def load_tokenizer(name: str, hub_options: HubOptions) -> GLiRELTokenizer:
    """The tokenizer of the model that was exported.

    Raises:
        ValueError: when a file of it is missing or damaged.
    """
    _read_json(name, "tokenizer_config.json", hub_options)
    _require(name, "tokenizer.json", hub_options)
    try:
        tokenizer: GLiRELTokenizer = GLiRELTokenizer.from_pretrained(name, **hub_options)
    except ValueError:
        _read_json(name, "tokenizer.json", hub_options)  # which says what is wrong with it; it is large
        raise
    return tokenizer


def _find(name: str, file: str, hub_options: HubOptions) -> Path | None:
    found = cached_file(name, file, **{**hub_options, "_raise_exceptions_for_missing_entries": False})
    return None if found is None else Path(found)


def _require(name: str, file: str, hub_options: HubOptions) -> Path:
    found = _find(name, file, hub_options)
    if found is None:
        raise ValueError(
            f"{name!r} has no {file}. An export is a folder that holds all it needs: copy the whole of it, or export "
            "the checkpoint again."
        )
    return found


def _read_json(name: str, file: str, hub_options: HubOptions) -> dict[str, Json]:
    found = _require(name, file, hub_options)
    try:
        return read_json_object(found)
    except ValueError as error:
        raise ValueError(f"{error} Copy the whole export again, or export the checkpoint again.") from error


__all__ = ["find_model", "find_part", "load_config", "load_tokenizer"]
