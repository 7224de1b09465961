"""What makes a saved folder whole: the tokenizer, all code, the pipeline's entry and a model card."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from transformers.utils import logging

from .pipeline_glirel import TASK, RelationExtractionPipeline

logger = logging.get_logger(__name__)

# What a checkpoint of the original package holds and no model here reads; it goes along for the way back.
ORIGINAL_FILE = "original_remainder.safetensors"

_EMPTY_TEMPLATE = "# Model Card for Model ID"  # how the template of transformers begins
_SIGN = "<!-- Written by glirel-transformers; remove this line to keep what you change. -->"
_CARD = """---
library_name: transformers
tags:
- relation-extraction
- zero-shot
- glirel
---

# {name}

{sign}

A [GLiREL](https://arxiv.org/abs/2501.03172) model: given a text, its entities and any relation names, one forward pass
scores every ordered entity pair against every relation.{origin}

| | |
|---|---|
| encoder | {encoder}, {num_layers} layers of width {encoder_size} |
| scorer | {scorer} |
| decision threshold | {threshold} |{trained}

## Usage

```python
from transformers import pipeline

extract = pipeline("relation-extraction", model="{name}", trust_remote_code=True)
extract(
    "Marie Curie was born in Warsaw.",
    entities=[{{"start": 0, "end": 11, "label": "PERSON"}}, {{"start": 24, "end": 30, "label": "CITY"}}],
    relation_types=["place of birth", "spouse"],
)
```

`trust_remote_code=True` runs the `*_glirel.py` files of this repository; no package besides `torch` and `transformers`
is needed.
"""


_ORIGIN = """

Converted from a checkpoint of the original `glirel` package, with the same scores and under that checkpoint's licence.
`glirel convert --reverse` writes the original format again."""


_NAMES_IN_CARD = 10  # how many of the relation types trained on a card names


def declare_pipeline(config: Any) -> None:
    """Names the pipeline in `config`, so that `pipeline("relation-extraction", ...)` finds it in a saved folder."""
    config.custom_pipelines = {
        TASK: {"impl": f"pipeline_glirel.{RelationExtractionPipeline.__name__}", "pt": ["AutoModel"], "type": "text"}
    }


def complete_repository(folder: str | os.PathLike[str], config: Any, tokenizer: Any | None) -> None:
    """Writes beside the weights what `transformers` leaves out: all `*_glirel.py`, the tokenizer, a model card.

    A `README.md` that is there already is kept.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for source in Path(__file__).parent.glob("*_glirel.py"):
        if source.resolve() != (target / source.name).resolve():
            shutil.copyfile(source, target / source.name)
    if config.original_config and config.name_or_path:
        remainder = Path(config.name_or_path) / ORIGINAL_FILE
        if remainder.is_file() and remainder.resolve() != (target / ORIGINAL_FILE).resolve():
            shutil.copyfile(remainder, target / ORIGINAL_FILE)
    if tokenizer is None:
        logger.warning(
            "The model has no tokenizer attached, so %s is not a whole checkpoint. Set `model.tokenizer` before "
            "saving, or save the tokenizer there as well.",
            target,
        )
    else:
        tokenizer.save_pretrained(target)
    complete_card(target, config, target.resolve().name)


def complete_card(folder: str | os.PathLike[str], config: Any, name: str) -> None:
    """Writes a model card with a usage block, unless there is one that somebody wrote."""
    file = Path(folder) / "README.md"
    written = file.read_text(encoding="utf-8") if file.exists() else ""
    if not written or _EMPTY_TEMPLATE in written or _SIGN in written:
        file.write_text(_model_card(name, config), encoding="utf-8")


def _model_card(name: str, config: Any) -> str:
    encoder = config.encoder_config
    return _CARD.format(
        name=name,
        sign=_SIGN,
        origin=_ORIGIN if config.original_config else "",
        encoder=encoder.model_type,
        num_layers=encoder.num_hidden_layers,
        encoder_size=encoder.hidden_size,
        scorer=config.scorer,
        threshold=config.threshold,
        trained=_trained_on(config.trained_relation_types or []),
    )


def _trained_on(names: list[str]) -> str:
    """The row of a card's table that tells which relation types the model was trained on."""
    if not names:
        return ""
    first = ", ".join(" ".join(name.split()).replace("|", "\\|") for name in names[:_NAMES_IN_CARD])
    these = ":" if len(names) <= _NAMES_IN_CARD else ", such as"
    return f"\n| trained on | {len(names):,} relation types{these} {first} |"
