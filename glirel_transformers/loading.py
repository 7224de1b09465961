"""The pipeline of a model: what the command line, the demo and the Space share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .checkpoints import check_checkpoint, is_export, model_name, naming_the_missing


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
