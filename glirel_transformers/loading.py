"""Models by name: what the command line, the demo and the Space share, and what [`RelationExtractor`] loads by.

A folder or Hub repository is a checkpoint, which runs on torch, or an export, which runs on ONNX Runtime.
"""

from __future__ import annotations

from pathlib import Path

from .checkpoints import check_checkpoint, is_export, model_name, naming_the_missing
from .extractor_glirel import RelationExtractor
from .running_glirel import ScoresPairs, load_checkpoint


def load_pipeline(model: str | None = None, device: str | None = None, dtype: str | None = None) -> RelationExtractor:
    """The extractor of `model`, else of `$GLIREL_MODEL`, else of the model in this repository.

    Args:
        model: folder or Hub repository.
        device: where it runs, such as `"cuda:0"`; by default the first accelerator there is, else the CPU.
        dtype: `"float32"`, `"bfloat16"` or `"float16"`; by default as the checkpoint says. An export has its own.

    Raises:
        ImportError: when it needs torch or ONNX Runtime, which is not installed.
        OSError: when there is no such model.
        ValueError: when the folder is not a checkpoint or an export of this package, or the device cannot be used.
    """
    return RelationExtractor(model_name(model), device=device, dtype=dtype)


def load_model(name: str, device: object = None, dtype: object = None) -> ScoresPairs:
    """The model of a folder or Hub repository, as [`load_pipeline`] describes it."""
    model_name(name)  # says what is wrong with a name that cannot be one
    if is_export(name):
        return _load_export(name, device, dtype)
    if Path(name).is_dir():
        check_checkpoint(name)
    with naming_the_missing(name):
        return load_checkpoint(name, device, dtype)


def _load_export(name: str, device: object, dtype: object) -> ScoresPairs:
    from .extras import require_extra

    require_extra("onnx", "onnxruntime")
    from .export.runtime import ORTModelForRelationClassification
    from .export.sessions import provider_for_device

    where = None if device is None else str(device)
    model = ORTModelForRelationClassification.from_pretrained(name, **provider_for_device(where))
    precision = None if dtype is None else str(dtype).removeprefix("torch.")
    if precision not in (None, model.precision):
        raise ValueError(
            f"{name!r} was exported in {model.precision} and cannot run in {precision}. Leave the precision out, or "
            "export the checkpoint again."
        )
    return model


RelationExtractor.load_model = staticmethod(load_model)

__all__ = ["RelationExtractor", "load_model", "load_pipeline"]
