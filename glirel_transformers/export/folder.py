"""The folder of an export: whole, so that it can be moved and loaded anywhere, and written whole or not at all."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from transformers.dynamic_module_utils import custom_object_save
from transformers.utils import logging
from yaml import YAMLError

from glirel_transformers.checkpoints import is_export
from glirel_transformers.hub_glirel import complete_repository, declare_pipeline

from .calibration import Calibration
from .sessions import ONNX_FILE
from .validation import Validation

logger = logging.get_logger(__name__)

COMPARED = "## Compared with the model in PyTorch"

_CARD = """---
library_name: onnxruntime
tags:
- relation-extraction
- zero-shot
- glirel
- onnx
{metadata}---

# {name}

A [GLiREL](https://arxiv.org/abs/2501.03172) model as an ONNX graph, exported from {source}: given a text, its entities
and any relation names, one forward pass scores every ordered entity pair against every relation.

| | |
|---|---|
| precision | {dtype} |
| ONNX operators | version {opset}{optimized} |
| encoder | {encoder} |
| scorer | {scorer} |
| decision threshold | {threshold} |

## Inputs and outputs

All axes are dynamic. No threshold is in the graph. The tokenizer in this folder makes the inputs.

| input | shape |
|---|---|
{inputs}

| output | shape |
|---|---|
{outputs}

Outputs are scores before the sigmoid, in float32. Where `pair_mask` or `relation_mask` is false, the probability of
`logits` is 0.

## Usage

With `pip install glirel-transformers onnxruntime`:

```python
from glirel_transformers import RelationExtractor
from glirel_transformers.export import ORTModelForRelationClassification

extract = RelationExtractor(ORTModelForRelationClassification.from_pretrained("{name}"))
extract(
    "Marie Curie was born in Warsaw.", entities=[(0, 11), (24, 30)], relation_types=["place of birth", "spouse"]
)
```

Neither this nor the following needs torch, which `pip install --no-deps` leaves out. With transformers and ONNX
Runtime alone:

```python
import onnxruntime
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{name}", trust_remote_code=True)
session = onnxruntime.InferenceSession("{name}/{file}")
batch = tokenizer(
    ["Marie Curie was born in Warsaw."],
    entities=[[(0, 11), (24, 30)]],
    relation_types=["place of birth", "spouse"],
    return_tensors="np",
)
(logits,) = session.run(["logits"], dict(batch))
```

{compared}

ONNX Runtime on a CPU against eager mode in float32. The first column of differences is `|Δ| / max(1, |score|)`, of
which at most {bound:g} was allowed; the last is that of probabilities.

| shape | batch | tokens | words | mentions | pairs | relations | difference | of probabilities |
|---|---|---|---|---|---|---|---|---|
{differences}
"""

_COST = """
## What {dtype} costs

On {num_documents:,} annotated documents, at the threshold {threshold:.3f}:

| | before | {dtype} |
|---|---|---|
| macro-F1 | {before[macro_f1]:.4f} | {after[macro_f1]:.4f} |
| micro-F1 | {before[micro_f1]:.4f} | {after[micro_f1]:.4f} |

Of {num_scores:,} probabilities the largest change is {largest_change:.3f}, the mean {mean_change:.5f}, and
{num_changed_decisions:,} are on the other side of the threshold.
"""


def find_output(output: str | os.PathLike[str], overwrite: bool) -> Path:
    """The folder to write, as an absolute path, checked before anything is computed.

    Raises:
        OSError: when it cannot be written, is a file, or holds something that is no export or not to be overwritten.
    """
    target = Path(output).expanduser().resolve()
    if target.exists() and not target.is_dir():
        raise OSError(f"{target} is a file. Name a folder.")
    try:
        with _beside(target):
            pass
    except OSError as error:
        raise OSError(f"{target} cannot be written: {error.strerror or error}. Name another folder.") from error
    if not target.is_dir() or not any(target.iterdir()):
        return target
    if not overwrite:
        raise OSError(f"{target} is not empty. Name another folder, or pass --overwrite (overwrite=True).")
    if not is_export(str(target)):
        raise OSError(
            f"{target} holds something else than an export, which is never overwritten. Name another folder, or "
            "remove it."
        )
    return target


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """A folder beside `output` to write into, which takes its place in the end; after an error nothing has changed."""
    with _beside(output) as beside:
        folder, replaced = beside / output.name, beside / "replaced"
        folder.mkdir()
        yield folder
        if output.is_dir() and not any(output.iterdir()):  # it may be the one that a shell is in
            for file in folder.iterdir():
                os.replace(file, output / file.name)
            return
        if output.exists():
            os.replace(output, replaced)
        try:
            os.replace(folder, output)
        except OSError:
            if replaced.exists():
                os.replace(replaced, output)
            raise


@contextmanager
def _beside(output: Path) -> Iterator[Path]:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
        yield Path(folder)


def write_sidecars(folder: Path, model: Any, dtype: str) -> None:
    """Writes configuration, tokenizer and all code beside the graph, and a card that `write_card` replaces."""
    config = copy.deepcopy(model.config)
    config.name_or_path = ""  # nothing of the checkpoint's folder is needed any more
    config.architectures = [type(model).__name__]
    config.dtype = dtype
    declare_pipeline(config)
    complete_repository(folder, config, model.tokenizer)
    custom_object_save(model, folder, config=config)
    config.save_pretrained(folder)


def write_card(
    folder: Path, model: Any, name: str, axes: tuple[Any, Any], settings: dict[str, Any], validation: Validation
) -> None:
    """Writes the model card.

    Args:
        folder: of the export.
        model: that was exported.
        name: of the export.
        axes: the `inputs` and `outputs` of the export's configuration.
        settings: `dtype`, `opset` and `is_optimized`.
        validation: what the comparison gave.
    """
    config, source = model.config, str(model.config.name_or_path or "")
    encoder = config.encoder_config
    card = _CARD.format(
        name=name,
        file=ONNX_FILE,
        metadata=_metadata(source),
        source=f"`{Path(source).name if Path(source).is_dir() else source}`" if source else "a model in memory",
        dtype=settings["dtype"],
        opset=settings["opset"],
        optimized=", fused for ONNX Runtime" if settings["is_optimized"] else "",
        encoder=f"{encoder.model_type}, {encoder.num_hidden_layers} layers of width {encoder.hidden_size}",
        scorer=config.scorer,
        threshold=f"{config.threshold:.4g}",
        inputs=_rows(axes[0]),
        outputs=_rows(axes[1]),
        compared=COMPARED,
        bound=validation.bound,
        differences="\n".join(
            f"| {shape.name} | {' | '.join(str(size) for size in shape.sizes.values())} | {shape.difference:.1e} | "
            f"{shape.probability_difference:.1e} |"
            for shape in validation.shapes
        ),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def write_cost(folder: Path, dtype: str, found: Calibration) -> None:
    """Adds to an export's card what it costs."""
    with (folder / "README.md").open("a", encoding="utf-8") as card:
        card.write(_COST.format(**vars(found), dtype=dtype))


def _rows(axes: dict[str, dict[int, str]]) -> str:
    """A table's rows, with each tensor's shape; spans and pairs are of two numbers."""
    rows = []
    for name, of_tensor in axes.items():
        shape = [*of_tensor.values(), *(["2"] if name.endswith(("_spans", "_index")) else [])]
        rows.append(f"| `{name}` | ({', '.join(shape)}) |")
    return "\n".join(rows)


def _metadata(source: str) -> str:
    """Licence and origin for the head of a card, as far as they are known."""
    card, data = Path(source) / "README.md", {}
    if source and card.is_file():
        try:
            data = ModelCard.load(card).data.to_dict()
        except (ValueError, YAMLError) as error:
            message = " ".join(str(error).split())
            logger.warning("%s cannot be read, so the card names neither licence nor base model: %s", card, message)
    elif source.count("/") == 1 and not source.startswith((".", "/", "~")):
        data = {"base_model": source}
    # What JSON writes, YAML reads.
    known = {key: data[key] for key in ("license", "base_model") if isinstance(data.get(key), str)}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in known.items())
