"""Model cards: of a checkpoint, of an export, and what training and quantizing add to them.

One head for all of them, and the sections of each below it; `huggingface_hub.ModelCard` reads and writes the files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub import ModelCard, ModelCardData
from transformers.utils import logging
from yaml import YAMLError

from .calibration_glirel import ScoreCalibration, calibration_of

if TYPE_CHECKING:
    from .configuration_glirel import GLiRELConfig

logger = logging.get_logger(__name__)

CARD_FILE = "README.md"
_TAGS = ("relation-extraction", "zero-shot", "glirel")
_STOCK_TITLE = "# Model Card for Model ID"  # how the empty card of transformers begins
_STOCK_TRAINING = "## Training procedure"  # where the card that transformers' Trainer writes turns to the training
_SIGN = "<!-- Written by glirel-transformers; remove this line to keep what you change. -->"
_NAMES_IN_CARD = 10  # types trained on that a card names
_NUMBERS = ("an ONNX graph", "two ONNX graphs", "three ONNX graphs")
_THRESHOLD = "decision threshold"
_CALIBRATION = "## Calibration"
_COMPARED = "## Compared with the model in PyTorch"

_HEAD = """---
{{ card_data }}
---

# {{ name }}
{% if sign %}
{{ sign }}
{% endif %}
{% if finds_entities -%}
A [GLiNER-Relex](https://arxiv.org/abs/2605.10108) model{{ made }}: given a text, names of entity types and names of
relations, one forward pass finds the entities and scores their pairs against every relation.
{%- else -%}
A [GLiREL](https://arxiv.org/abs/2501.03172) model{{ made }}: given a text, its entities and any relation names, one
forward pass scores every ordered entity pair against every relation.
{%- endif %}
{% if converted %}
Converted from a checkpoint of the original `{{ converted }}` package, with the same scores and under that checkpoint's
licence.
`glirel convert --reverse` writes the original format again.
{% endif %}
| | |
|---|---|
{% for fact, value in facts.items() -%}
| {{ fact }} | {{ value }} |
{% endfor %}
"""

_CHECKPOINT = """## Usage

```python
from transformers import pipeline

extract = pipeline("relation-extraction", model="{{ name }}", trust_remote_code=True)
extract(
    "Marie Curie was born in Warsaw.",
    {%- if finds_entities %}
    entity_types=["person", "city"],
    relation_types=["place of birth", "spouse"],
    return_entities=True,
    {%- else %}
    entities=[{"start": 0, "end": 11, "label": "PERSON"}, {"start": 24, "end": 30, "label": "CITY"}],
    relation_types=["place of birth", "spouse"],
    {%- endif %}
)
```

`trust_remote_code=True` runs the `*_glirel.py` files of this repository; no package besides `torch` and `transformers`
is needed.
"""

_EXPORT = """## Inputs and outputs

All axes are dynamic. No threshold is in the graph. The tokenizer in this folder makes the inputs
{%- if apart %}; `labels.onnx` reads relation types, once for any number of texts, and makes `type_states`, and
`relation_index`{% if finder %} and `entity_type_index` say{% else %} says{% endif %} which of them each text is asked
for{% endif %}. `mention_entity` is the entity of each mention.
{%- if finder %}
`model.onnx` reads a text and gives `entity_logits`, of which you choose entities and pairs; `relations.onnx` scores
them, and takes everything else that `model.onnx` gives.
{%- endif %}
{% for file, (inputs, outputs) in graphs.items() %}
| input of `{{ file }}` | shape |
|---|---|
{% for tensor, shape in inputs.items() -%}
| `{{ tensor }}` | ({{ shape | join(", ") }}) |
{% endfor %}
| output of `{{ file }}` | shape |
|---|---|
{% for tensor, shape in outputs.items() -%}
| `{{ tensor }}` | ({{ shape | join(", ") }}) |
{% endfor %}
{%- endfor %}
Outputs are in float32; logits are scores before the sigmoid. Where `pair_mask` or `relation_mask` is false, the
probability of `logits` is 0.
{%- if scaling %} The model was calibrated: a probability is `{{ scaling }}`, which `RelationExtractor` computes.
{%- endif %}

## Usage

With `pip install glirel-transformers onnxruntime`:

```python
from glirel_transformers import RelationExtractor
from glirel_transformers.export import ORTModelForRelationClassification

extract = RelationExtractor(ORTModelForRelationClassification.from_pretrained("{{ name }}"))
{%- if finder %}
extract(
    "Marie Curie was born in Warsaw.", entity_types=["person", "city"], relation_types=["place of birth", "spouse"]
)
{%- else %}
extract(
    "Marie Curie was born in Warsaw.", entities=[(0, 11), (24, 30)], relation_types=["place of birth", "spouse"]
)
{%- endif %}
```

Neither this nor the following needs torch, which `pip install --no-deps` leaves out. With transformers and ONNX
Runtime alone:

```python
import numpy as np
import onnxruntime
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{{ name }}", trust_remote_code=True)
session = onnxruntime.InferenceSession("{{ name }}/model.onnx")
batch = dict(
    tokenizer(
        ["Marie Curie was born in Warsaw."],
        {% if finder %}entity_types=["person", "city"]{% else %}entities=[[(0, 11), (24, 30)]]{% endif %},
        relation_types=["place of birth", "spouse"],
        return_tensors="np",
    )
)
{%- if not finder %}
# Each mention is an entity of its own, unless the tokenizer was given entities of several mentions.
batch.setdefault("mention_entity", np.indices(batch["mention_mask"].shape)[1])
batch.setdefault("entity_mask", batch["mention_mask"])
{%- endif %}
{%- if apart %}
labels = onnxruntime.InferenceSession("{{ name }}/labels.onnx")
tokens = {name: batch.pop(name) for name in ("type_input_ids", "type_attention_mask")}
(batch["type_states"],) = labels.run(["type_states"], tokens)
{%- endif %}
{%- if finder %}
found = dict(zip([output.name for output in session.get_outputs()], session.run(None, batch)))
scores = 1 / (1 + np.exp(-found.pop("entity_logits")[0]))
{%- if finder == "span" %}
spans = [
    (first, first + width + 1)  # half-open, in words
    for first, width in np.argwhere(scores.max(-1, initial=0) > {{ entity_threshold }})
    if first + width < len(scores)
]
{%- else %}
starts, ends, inside = np.moveaxis(scores > {{ entity_threshold }}, -1, 0)
spans = [
    (first, last + 1)  # half-open, in words
    for first in range(len(scores))
    for last in range(first, {{ last_word }})
    if (starts[first] & ends[last] & inside[first : last + 1].all(0)).any()
]
{%- endif %}
number = len(spans)
real = np.ones((1, number), dtype=bool)
pairs = np.array([(head, tail) for head in range(number) for tail in range(number) if head != tail])
relations = onnxruntime.InferenceSession("{{ name }}/relations.onnx")
(logits,) = relations.run(
    ["logits"],
    {
        **found,
        "word_mask": batch["word_mask"],
        "relation_mask": batch["relation_mask"],
        "mention_word_spans": np.array(spans, dtype=np.int64).reshape(1, -1, 2),
        "mention_mask": real,
        "mention_entity": np.arange(number)[None],
        "entity_mask": real,
        "pair_index": pairs.astype(np.int64).reshape(1, -1, 2),
        "pair_mask": np.ones((1, len(pairs)), dtype=bool),
    },
)
{%- else %}
(logits,) = session.run(["logits"], batch)
{%- endif %}
```

{{ compared }}

ONNX Runtime on a CPU against eager mode in float32. The first column of differences is `|Δ| / max(1, |score|)`, of
which at most {{ bound }} was allowed; the last is that of probabilities.

| shape | {{ columns | join(" | ") }} | difference | of probabilities |
|---|{% for _ in columns %}---|{% endfor %}---|---|
{% for row in differences -%}
| {{ row | join(" | ") }} |
{% endfor -%}
"""

_CALIBRATED = """
{%- if calibration %}
{{ calibration }}
{%- endif %}
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


def checkpoint_card(name: str, config: GLiRELConfig) -> ModelCard:
    """The card of a checkpoint, with a block of code that uses it.

    Args:
        name: of the repository or the folder.
        config: of the model.
    """
    facts = _facts(config) | {_THRESHOLD: str(config.threshold)}
    if config.finds_entities:
        facts["threshold of entities"] = str(config.entity_threshold)
    if config.trained_relation_types:
        facts["trained on"] = _trained_on(config.trained_relation_types, "relation types")
    if config.trained_entity_types:
        facts["trained to find"] = _trained_on(config.trained_entity_types, "entity types")
    return ModelCard.from_template(
        ModelCardData(library_name="transformers", tags=list(_TAGS)),
        template_str=_HEAD + _CHECKPOINT + _CALIBRATED,
        calibration=calibration_section(config),
        name=name,
        sign=_SIGN,
        made="",
        converted=_original_package(config),
        finds_entities=config.finds_entities,
        facts=facts,
    )


def export_card(
    name: str,
    config: GLiRELConfig,
    *,
    facts: Mapping[str, str],
    graphs: Mapping[str, tuple[Mapping[str, Sequence[str]], Mapping[str, Sequence[str]]]],
    columns: Sequence[str],
    differences: Sequence[Sequence[str]],
    bound: float,
) -> ModelCard:
    """The card of an export to ONNX; licence and base model are those that the checkpoint's card names.

    Args:
        name: of the export.
        config: of the model that was exported.
        facts: about the graphs, such as their precision.
        graphs: for each file the axes of each input, and of each output.
        columns: what was compared: the names of axes.
        differences: rows of the comparison with the model in PyTorch.
        bound: the largest difference that was allowed.
    """
    source = str(config.name_or_path or "")
    origin = f"`{Path(source).name if Path(source).is_dir() else source}`" if source else "a model in memory"
    licence, base_model = _origin_of(source)
    number, widest = _NUMBERS[len(graphs) - 1], config.max_entity_width
    return ModelCard.from_template(
        ModelCardData(library_name="onnxruntime", tags=[*_TAGS, "onnx"], license=licence, base_model=base_model),
        template_str=_HEAD + _EXPORT + _CALIBRATED,
        name=name,
        made=f" as {number}, exported from {origin}",
        facts={**facts, **_facts(config), _THRESHOLD: f"{config.threshold:.4g}"},
        scaling=_scaling(config),
        calibration=calibration_section(config),
        graphs=graphs,
        apart=config.reads_labels_apart,
        finds_entities=config.finds_entities,
        finder=config.entity_finder if config.finds_entities else "",
        entity_threshold=config.entity_threshold,
        last_word="len(scores)" if widest is None else f"min(first + {widest}, len(scores))",
        columns=columns,
        compared=_COMPARED,
        bound=f"{bound:g}",
        differences=differences,
    )


def write_card(folder: str | os.PathLike[str], card: ModelCard) -> None:
    """Writes a card into a folder, unless there is one that somebody wrote by hand."""
    file = Path(folder) / CARD_FILE
    written = file.read_text(encoding="utf-8") if file.exists() else ""
    if not written or _STOCK_TITLE in written or _SIGN in written:
        card.save(file)


def add_training(card: ModelCard, stock: ModelCard, name: str, hub_name: str | None) -> ModelCard:
    """A card with what the card of transformers' `Trainer` tells about training; its usage stays.

    Args:
        card: of the checkpoint, as [`checkpoint_card`] or somebody wrote it.
        stock: what [`Trainer.create_model_card`] wrote.
        name: of the checkpoint in `card`.
        hub_name: of the repository on the Hub that it goes to, where it goes to one.
    """
    text = card.text.partition(_STOCK_TRAINING)[0].rstrip()
    if hub_name is not None:
        text = text.replace(f'model="{name}"', f'model="{hub_name}"')
    metadata = card.data.to_dict()
    for key, value in stock.data.to_dict().items():
        if key == "tags":
            value = list(dict.fromkeys([*(metadata.get(key) or []), *value]))
        if value:
            metadata[key] = value
    training = "".join(stock.text.partition(_STOCK_TRAINING)[1:])
    return ModelCard(f"---\n{ModelCardData(**metadata).to_yaml()}\n---\n{text}\n\n{training}")


def mark_quantized(folder: str | os.PathLike[str], method: str, before: str) -> None:
    """Writes the method and the folder's own name on the card of an export that was quantized, where it has one.

    Args:
        folder: of the quantized export, with the card of the one in float32.
        method: of quantizing.
        before: name of the export in float32.
    """
    path = Path(folder) / CARD_FILE
    if not path.is_file():
        return
    card, name = ModelCard.load(path, ignore_metadata_errors=True), Path(folder).name
    for old, new in (
        (f"\n# {before}\n", f"\n# {name}\n"),
        (f'"{before}"', f'"{name}"'),
        (f'"{before}/', f'"{name}/'),
        ("\n| precision | float32 |", f"\n| precision | {method} |"),
        (_COMPARED, f"{_COMPARED}\n\n**Before it was quantized to {method}**, which changes scores by more."),
    ):
        card.text = card.text.replace(old, new)
    card.save(path)


def add_cost(folder: str | os.PathLike[str], dtype: str, figures: Mapping[str, object]) -> None:
    """Adds to an export's card what it costs.

    Args:
        folder: of the export.
        dtype: its numbers, or the method of quantizing.
        figures: of a `Calibration`.
    """
    path = Path(folder) / CARD_FILE
    card = ModelCard.load(path, ignore_metadata_errors=True)
    card.text = card.text.rstrip() + "\n" + _COST.format(**figures, dtype=dtype)
    card.save(path)


def calibration_section(config: GLiRELConfig) -> str:
    """What was fitted to the scores of a model, as a section; empty where nothing was."""
    found = calibration_of(config)
    if getattr(config, "calibration", None) is None:
        return ""
    types = "".join(f"| {_escaped(name)} | {value:.4f} |\n" for name, value in found.thresholds.items())
    rule = found.background
    parts = [
        f"{_CALIBRATION}\n",
        f"A probability is `{_scaling(config) or 'sigmoid(logit)'}`. A relation counts as predicted from "
        f"{config.threshold:.4f} on{', or from that of its type' if types else ''}.\n",
    ]
    if types:
        parts.append(f"| relation type | threshold |\n|---|---|\n{types}")
    if rule is not None:
        parts.append(
            f"Other types get a threshold from texts of yours: `extract.background(texts, relation_types)`. It is "
            f"{rule.threshold:.4f} for a type that scores there as these do at the quantile {rule.quantile:g}, and "
            f"follows {rule.weight:g} of the difference: {', '.join(map(_escaped, rule.reference_types))}.\n"
        )
    if rows := _measured(found):
        about = {"num_documents": "{:,.0f} documents", "num_folds": "{:.0f} parts"}
        said = [words.format(found.measured[name]) for name, words in about.items() if name in found.measured]
        parts.append(
            f"Measured by cross-validation ({', '.join(said)}), for the scores as they were before and after.\n\n"
            f"| | before | after |\n|---|---|---|\n{rows}"
        )
    return "\n".join(parts)


def _measured(calibration: ScoreCalibration) -> str:
    names = {
        "ece": "expected calibration error",
        "brier": "Brier score",
        "nll": "negative log-likelihood",
        "micro_f1": "micro F1",
        "macro_f1": "macro F1",
    }
    found = calibration.measured
    return "".join(
        f"| {words} | {found[f'{name}_before']:.4f} | {found[f'{name}_after']:.4f} |\n"
        for name, words in names.items()
        if f"{name}_before" in found and f"{name}_after" in found
    )


def _scaling(config: GLiRELConfig) -> str:
    """How a probability comes from a logit, where it is not its sigmoid."""
    found = calibration_of(config)
    if not found.changes_scores:
        return ""
    logit = "(logit - threshold_logit)" if config.threshold_head else "logit"
    bias = "" if not found.bias else f" {'-' if found.bias < 0 else '+'} {abs(found.bias):.6g}"
    return f"sigmoid({logit} / {found.temperature:.6g}{bias})"


def add_calibration(folder: str | os.PathLike[str], config: GLiRELConfig) -> None:
    """Writes the section about the calibration into the card of a folder, in place of one that is there.

    The row of the threshold is brought up to date; nothing else is changed, whoever wrote the card.
    """
    path = Path(folder) / CARD_FILE
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    text = re.sub(rf"^{_CALIBRATION}\n.*?(?=^## |\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(rf"^\| {_THRESHOLD} \|.*$", f"| {_THRESHOLD} | {config.threshold:.4g} |", text, flags=re.MULTILINE)
    section = calibration_section(config)
    path.write_text(text.rstrip() + "\n" + (f"\n{section}" if section else ""), encoding="utf-8", newline="\n")


def _escaped(name: str) -> str:
    return " ".join(name.split()).replace("|", "\\|")


def _original_package(config: GLiRELConfig) -> str | None:
    """The package whose checkpoint a model was converted from, if it was."""
    if not config.original_config:
        return None
    if config.finds_entities:
        return "gliner"
    return "glidre" if config.reads_labels_apart else "glirel"


def _facts(config: GLiRELConfig) -> dict[str, str]:
    encoders = {"encoder": config.encoder_config, "encoder of relation types": config.label_encoder_config}
    of_encoders = {
        name: f"{encoder.model_type}, {encoder.num_hidden_layers} layers of width {encoder.hidden_size}"
        for name, encoder in encoders.items()
        if encoder is not None
    }
    finder = {"finds entities by": config.entity_finder} if config.finds_entities else {}
    return {**of_encoders, **finder, "scorer": config.scorer}


def _trained_on(names: Sequence[str], what: str) -> str:
    """How many types, and the first of them."""
    first = ", ".join(map(_escaped, names[:_NAMES_IN_CARD]))
    these = ":" if len(names) <= _NAMES_IN_CARD else ", such as"
    return f"{len(names):,} {what}{these} {first}"


def _origin_of(source: str) -> tuple[str | None, str | None]:
    """Licence and base model of a checkpoint, as far as its card names them."""
    file = Path(source) / CARD_FILE
    data: dict[str, object] = {}
    if source and file.is_file():
        try:
            data = ModelCard.load(file).data.to_dict()
        except (ValueError, YAMLError) as error:
            message = " ".join(str(error).split())
            logger.warning("%s cannot be read, so the card names neither licence nor base model: %s", file, message)
    elif source.count("/") == 1 and not source.startswith((".", "/", "~")):
        data = {"base_model": source}
    licence, base_model = (
        value if isinstance(value, str) else None for value in map(data.get, ("license", "base_model"))
    )
    return licence, base_model
