"""What an exported GLiREL takes and gives, as a configuration that Optimum's `TasksManager` finds.

Axes have one name everywhere: `batch, tokens, words, mentions, pairs, relations`; all of them are dynamic.
"""

from __future__ import annotations

import numpy as np
import torch
from optimum.exporters.base import ExporterConfig
from optimum.exporters.tasks import TasksManager
from optimum.utils import NormalizedConfig
from optimum.utils.input_generators import DTYPE_MAPPER, DummyInputGenerator
from torch import Tensor

from glirel_transformers.batches_glirel import (
    ADDRESSES,
    AXES,
    CLUSTER_TENSORS,
    MASK_OF,
    SEGMENT_TENSORS,
    TYPE_TENSORS,
)
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.pipeline_glirel import TASK

from .graph import DEFAULT_OPSET

# In a graph, each mention is an entity.
_INPUTS = tuple(name for name in AXES if name not in ("labels", *CLUSTER_TENSORS, *TYPE_TENSORS, *SEGMENT_TENSORS))
_FIXED = ("span", "pair")  # axes of two numbers: start and end, head and tail


class GLiRELDummyInputs(DummyInputGenerator):
    """Batches of any sizes, as [`GLiRELTokenizer`] makes them: spans within their axis, padding at the end.

    Args:
        task, normalized_config: as Optimum passes them.
        batch_size, sequence_length (tokens), num_words, num_mentions, num_pairs, num_relations: sizes of the axes. The
            defaults differ from each other, so that no two axes are taken for one.
        padded: whether all members of the batch but the first are shorter than its axes; the third has no pair.
        seed: of what is drawn.
    """

    SUPPORTED_INPUT_NAMES = _INPUTS

    def __init__(
        self,
        task: str,
        normalized_config: NormalizedConfig,
        batch_size: int = 2,
        sequence_length: int = 23,
        num_words: int = 11,
        num_mentions: int = 5,
        num_pairs: int = 7,
        num_relations: int = 3,
        padded: bool = True,
        seed: int = 0,
        **_: object,
    ):
        self.task = task
        self.encoder_config = normalized_config.config.encoder_config
        self.padded = padded
        self.sizes = {
            "tokens": sequence_length,
            "words": num_words,
            "mentions": num_mentions,
            "pairs": num_pairs,
            "relations": num_relations,
        }
        self.generator = torch.Generator().manual_seed(seed)
        members = [self._member(place) for place in range(batch_size)]
        self._tensors = {name: torch.stack([member[name] for member in members]) for name in members[0]}

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Tensor | np.ndarray:
        """The tensor of that name; masks are boolean, all others of `int_dtype`."""
        tensor = self._tensors[input_name]
        if tensor.dtype is not torch.bool:
            tensor = tensor.to(DTYPE_MAPPER.pt(int_dtype))
        return tensor.numpy() if framework == "np" else tensor

    def _member(self, place: int) -> dict[str, Tensor]:
        """One text: its tensors, without the `batch` axis."""
        real = dict(self.sizes)
        if self.padded and place:
            real = {axis: max(1, size - self._draw(1, max(2, size // 2))) for axis, size in real.items()}
            if place == 2:
                real.update(mentions=1, pairs=0)
        masks = {axis: torch.arange(size) < real[axis] for axis, size in self.sizes.items()}
        shared = min(real["tokens"], 4)  # tokens at positions that others have as well
        positions = (torch.arange(self.sizes["tokens"]) - shared).clamp(min=0)
        tensors = {
            "input_ids": self._token_ids(real["tokens"]),
            "attention_mask": masks["tokens"].long(),
            "position_ids": positions * masks["tokens"],
            "pair_index": self._indices((self.sizes["pairs"], 2), real["mentions"]) * masks["pairs"].unsqueeze(-1),
        }
        spans = [name for name in _INPUTS if name.endswith("_spans")]
        tensors |= {name: self._spans(AXES[name][0], real, within=ADDRESSES[name]) for name in spans}
        return tensors | {MASK_OF[name]: masks[AXES[name][0]] for name in (*spans, "pair_index")}

    def _draw(self, low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=self.generator))

    def _indices(self, shape: tuple[int, ...], high: int) -> Tensor:
        return torch.randint(high, shape, generator=self.generator)

    def _token_ids(self, num_real: int) -> Tensor:
        """Padding at the end and nowhere else: encoders of RoBERTa's kind count positions by it."""
        pad = self.encoder_config.pad_token_id or 0
        token_ids = self._indices((self.sizes["tokens"],), self.encoder_config.vocab_size - 1)
        token_ids += (token_ids >= pad).long()
        token_ids[num_real:] = pad
        return token_ids

    def _spans(self, axis: str, real: dict[str, int], within: str) -> Tensor:
        """Half-open spans of one to three of another axis, `(size, 2)`."""
        start = self._indices((self.sizes[axis],), real[within])
        end = (start + 1 + self._indices(start.shape, 3)).clamp(max=real[within])
        spans = torch.stack((start, end), dim=-1)
        spans[real[axis] :] = 0
        return spans


class GLiRELExporterConfig(ExporterConfig):
    """Inputs and outputs of an exported [`GLiRELForRelationClassification`], and which of their axes are dynamic."""

    NORMALIZED_CONFIG_CLASS = NormalizedConfig
    DUMMY_INPUT_GENERATOR_CLASSES = (GLiRELDummyInputs,)
    ATOL_FOR_VALIDATION = 1e-4
    DEFAULT_ONNX_OPSET = DEFAULT_OPSET

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """The tokenizer's tensors; `position_ids` only with `shared_relation_positions`."""
        names = list(_INPUTS)
        if not self._config.shared_relation_positions:
            names.remove("position_ids")
        return {
            name: {0: "batch", **{i: axis for i, axis in enumerate(AXES[name], start=1) if axis not in _FIXED}}
            for name in names
        }

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """`logits`, padding at the lowest number; with `coreference_classifier`, `coreference_logits` as well."""
        outputs = {"logits": {0: "batch", 1: "pairs", 2: "relations"}}
        if self._config.coreference_classifier:
            outputs["coreference_logits"] = {0: "batch", 1: "pairs"}
        return outputs

    @property
    def shapes(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The axes of each input and of each output, to be read."""
        inputs = {name: ["batch", *("2" if axis in _FIXED else axis for axis in AXES[name])] for name in self.inputs}
        return inputs, {name: list(axes.values()) for name, axes in self.outputs.items()}


def register_with_optimum() -> None:
    """Makes Optimum find [`GLiRELExporterConfig`] for the model type "glirel" and the task "relation-extraction"."""
    # Tasks that Optimum does not know become known with a class for them; there is no function for that.
    TasksManager._CUSTOM_CLASSES[("pt", GLiRELConfig.model_type, TASK)] = (
        "glirel_transformers",
        "GLiRELForRelationClassification",
    )
    loaders = TasksManager._LIBRARY_TO_TASKS_TO_MODEL_LOADER_MAP["transformers"]
    loaders.setdefault(TASK, "AutoModel")
    register = TasksManager.create_register("onnx", overwrite_existing=True)
    register(GLiRELConfig.model_type, TASK)(GLiRELExporterConfig)


def exporter_config(config: GLiRELConfig) -> GLiRELExporterConfig:
    """The configuration of a model's export, as Optimum finds it."""
    constructor: type[GLiRELExporterConfig] = TasksManager.get_exporter_config_constructor(
        "onnx", model_type=config.model_type, task=TASK, library_name="transformers"
    )
    return constructor(config)


register_with_optimum()
