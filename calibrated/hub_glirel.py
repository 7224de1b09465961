"""What makes a saved folder whole: the tokenizer, all code, the pipeline's entry and a model card.

A model needs this module, and so the pipeline, although it runs neither: the Hub's loader copies the files that the
model's module reaches through its imports, and a model that was loaded from the Hub could not save its pipeline
otherwise.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from transformers.utils import logging

from .card_glirel import checkpoint_card, write_card
from .pipeline_glirel import TASK, RelationExtractionPipeline

if TYPE_CHECKING:
    from .configuration_glirel import GLiRELConfig
    from .tokenization_glirel import GLiRELTokenizer

logger = logging.get_logger(__name__)

# What a checkpoint of the original package holds and no model here reads; it goes along for the way back.
ORIGINAL_FILE = "original_remainder.safetensors"


def declare_pipeline(config: GLiRELConfig) -> None:
    """Names the pipeline in `config`, so that `pipeline("relation-extraction", ...)` finds it in a saved folder."""
    config.custom_pipelines = {
        TASK: {"impl": f"pipeline_glirel.{RelationExtractionPipeline.__name__}", "pt": ["AutoModel"], "type": "text"}
    }


def copy_code(folder: str | os.PathLike[str]) -> None:
    """Writes all `*_glirel.py`, as they are here, into a folder."""
    target = Path(folder)
    for source in Path(__file__).parent.glob("*_glirel.py"):
        if source.resolve() != (target / source.name).resolve():
            shutil.copyfile(source, target / source.name)


def complete_repository(
    folder: str | os.PathLike[str], config: GLiRELConfig, tokenizer: GLiRELTokenizer | None
) -> None:
    """Writes next to the weights what `transformers` leaves out: all `*_glirel.py`, the tokenizer, a model card.

    A `README.md` that is there already is kept.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    copy_code(target)
    if config.original_config and config.name_or_path:
        remainder = Path(config.name_or_path) / ORIGINAL_FILE
        if remainder.is_file() and remainder.resolve() != (target / ORIGINAL_FILE).resolve():
            shutil.copyfile(remainder, target / ORIGINAL_FILE)
    if tokenizer is None:
        logger.warning(
            "The model has no tokenizer attached, so %s is not a complete checkpoint. Set `model.tokenizer` before "
            "saving, or save the tokenizer there as well.",
            target,
        )
    else:
        tokenizer.save_pretrained(target)
    write_card(target, checkpoint_card(target.resolve().name, config))
