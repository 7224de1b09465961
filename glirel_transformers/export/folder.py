"""The folder of an export: whole, so that it can be moved and loaded anywhere, and written whole or not at all."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard
from transformers.dynamic_module_utils import custom_object_save

from glirel_transformers.hub_glirel import complete_repository, declare_pipeline

from .sessions import ONNX_FILE
from .validation import Validation

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

```python
from glirel_transformers import RelationExtractor
from glirel_transformers.export import ORTModelForRelationClassification

extract = RelationExtractor(ORTModelForRelationClassification.from_pretrained("{name}"))
extract(
    "Marie Curie was born in Warsaw.", entities=[(0, 11), (24, 30)], relation_types=["place of birth", "spouse"]
)
```

Neither this nor the following needs torch. With transformers and ONNX Runtime alone:

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

## Compared with the model in PyTorch

ONNX Runtime on a CPU against eager mode in float32. The first column of differences is `|Δ| / max(1, |score|)`, of
which at most {bound:g} was allowed; the last is that of probabilities.

| shape | batch | tokens | words | mentions | pairs | relations | difference | of probabilities |
|---|---|---|---|---|---|---|---|---|
{differences}
"""


def check_output(output: Path, overwrite: bool) -> None:
    """Checks that a folder can be written, before anything is computed.

    Raises:
        OSError: when it is a file, or holds something and is not to be overwritten, or is no export.
    """
    if output.exists() and not output.is_dir():
        raise OSError(f"{output} is a file. Name a folder.")
    if not output.is_dir() or not any(output.iterdir()):
        return
    if not overwrite:
        raise OSError(f"{output} is not empty. Name another folder, or pass --overwrite (overwrite=True).")
    if not (output / ONNX_FILE).is_file():
        raise OSError(
            f"{output} holds something else than an export, which is never overwritten. Name another folder, or "
            "remove it."
        )


@contextmanager
def written_whole(output: Path) -> Iterator[Path]:
    """A folder beside `output` to write into, which takes its place in the end; after an error nothing has changed."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as beside:
        folder, replaced = Path(beside) / output.name, Path(beside) / "replaced"
        folder.mkdir()
        yield folder
        if output.exists():
            os.replace(output, replaced)
        try:
            os.replace(folder, output)
        except OSError:
            if replaced.exists():
                os.replace(replaced, output)
            raise


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
        threshold=config.threshold,
        inputs=_rows(axes[0]),
        outputs=_rows(axes[1]),
        bound=validation.bound,
        differences="\n".join(
            f"| {shape.name} | {' | '.join(str(size) for size in shape.sizes.values())} | {shape.difference:.1e} | "
            f"{shape.probability_difference:.1e} |"
            for shape in validation.shapes
        ),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def _rows(axes: dict[str, dict[int, str]]) -> str:
    """A table's rows, with each tensor's shape; spans and pairs are of two numbers."""
    rows = []
    for name, of_tensor in axes.items():
        shape = [*of_tensor.values(), *(["2"] if name.endswith(("_spans", "_index")) else [])]
        rows.append(f"| `{name}` | ({', '.join(shape)}) |")
    return "\n".join(rows)


def _metadata(source: str) -> str:
    """Licence and origin for the head of a card, as far as they are known."""
    lines = []
    card = Path(source) / "README.md"
    if source and card.is_file():
        data = ModelCard.load(card).data
        lines += [f"{key}: {value}\n" for key in ("license", "base_model") if isinstance(value := data.get(key), str)]
    elif source.count("/") == 1 and not source.startswith((".", "/", "~")):
        lines.append(f"base_model: {source}\n")
    return "".join(lines)
