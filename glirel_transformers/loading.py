"""Which model is loaded where none is named, and how: what the command line, the demo and the Space share."""

from __future__ import annotations

import os
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


def load_pipeline(model: str | None = None, device: str | None = None, dtype: str | None = None) -> Any:
    """The pipeline of `model`, else of `$GLIREL_MODEL`, else of the model in this repository.

    Args:
        model: folder or Hub repository.
        device: where it runs, such as `"cuda:0"`; by default the first accelerator there is, else the CPU.
        dtype: `"float32"`, `"bfloat16"` or `"float16"`; by default as the checkpoint says.

    Raises:
        OSError: when there is no such model.
    """
    from transformers.utils import logging

    from .modeling_glirel import GLiRELForRelationClassification
    from .pipeline_glirel import RelationExtractionPipeline

    logging.disable_progress_bar()
    settings = {} if dtype is None else {"dtype": dtype}
    model_object = GLiRELForRelationClassification.from_pretrained(model_name(model), **settings)
    return RelationExtractionPipeline(model_object, **({} if device is None else {"device": device}))
