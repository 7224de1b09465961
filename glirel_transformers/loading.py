"""Which model is loaded where none is named, and how: what the command line, the demo and the Space share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    model_type = json.loads(file.read_text(encoding="utf-8")).get("model_type")
    if model_type != "glirel":
        raise ValueError(
            f"{name!r} is a {model_type} model and no GLiREL model. To give an encoder a head, train one: glirel "
            f"train DATA --encoder {name} --output runs/mine"
        )
    if not files:
        raise ValueError(f"{name!r} has a configuration and no weights (*.safetensors). Copy the checkpoint again.")


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights of a checkpoint, but what a converted one keeps for the way back."""
    from .hub_glirel import ORIGINAL_FILE

    return [file for file in sorted(folder.glob("*.safetensors")) if file.name != ORIGINAL_FILE]


def load_pipeline(model: str | None = None, device: str | None = None, dtype: str | None = None) -> Any:
    """The pipeline of `model`, else of `$GLIREL_MODEL`, else of the model in this repository.

    An export, which has `model.onnx` and no weights that torch reads, runs on ONNX Runtime, behind a
    [`RelationExtractor`], which is called as a pipeline is and needs no torch.

    Args:
        model: folder or Hub repository.
        device: where it runs, such as `"cuda:0"`; by default the first accelerator there is, else the CPU.
        dtype: `"float32"`, `"bfloat16"` or `"float16"`; by default as the checkpoint says. An export has its own.

    Raises:
        ImportError: when it needs torch or ONNX Runtime, which is not installed.
        OSError: when there is no such model.
        ValueError: when the folder is no checkpoint of this package.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()
    settings = {} if dtype is None else {"dtype": dtype}
    name = model_name(model)
    if is_export(name):
        return _load_export(name, device, dtype)
    from . import GLiRELForRelationClassification, RelationExtractionPipeline

    if Path(name).is_dir():
        check_checkpoint(name)
    with naming_the_missing(name):
        model_object = GLiRELForRelationClassification.from_pretrained(name, **settings)
    return RelationExtractionPipeline(model_object, **({} if device is None else {"device": device}))


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


def _load_export(name: str, device: str | None, dtype: str | None) -> Any:
    from .extras import require_extra

    require_extra("onnx", "onnxruntime")
    from .export.runtime import ORTModelForRelationClassification
    from .export.sessions import provider_for_device
    from .extractor_glirel import RelationExtractor

    model = ORTModelForRelationClassification.from_pretrained(name, **provider_for_device(device))
    if dtype not in (None, model.precision):
        raise ValueError(
            f"{name!r} was exported in {model.precision} and cannot run in {dtype}. Leave the precision out, or "
            "export the checkpoint again."
        )
    return RelationExtractor(model)
