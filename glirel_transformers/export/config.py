"""What an exported GLiREL takes and gives, as a configuration that Optimum's `TasksManager` finds.

Axes have one name everywhere: `batch, tokens, words, mentions, entities, pairs, relations, types, type_tokens,
entity_types`; all of them are dynamic. A model that finds entities has two graphs: see `tensors.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

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
    ENTITY_TYPE_TENSORS,
    LABEL_TENSORS,
    MASK_OF,
    SEGMENT_TENSORS,
    TYPE_TENSORS,
)
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.pipeline_glirel import TASK

from .graph import DEFAULT_OPSET
from .tensors import ENTITY_TENSORS, INPUT_AXES, STATE_AXES, TYPE_STATES, TYPE_TOKENS, axes_of

_FIXED = ("span", "pair", "width", "hidden")  # two numbers: start and end, head and tail; and widths of states


class GLiRELDummyInputs(DummyInputGenerator):
    """Batches of any sizes, as [`GLiRELTokenizer`] makes them: spans within their axis, padding at the end.

    Args:
        task, normalized_config: as Optimum passes them.
        batch_size, sequence_length (tokens), num_words, num_mentions, num_pairs, num_relations, num_entities,
            num_types, type_length (tokens of a relation type that is read apart), num_entity_types: sizes of the axes.
            The defaults differ from each other, so that no two axes are taken for one; there are no more entities than
            mentions.
        padded: whether all members of the batch but the first are shorter than its axes; the third has no pair.
        seed: of what is drawn.
    """

    SUPPORTED_INPUT_NAMES = tuple(name for name in INPUT_AXES if name not in (*LABEL_TENSORS, *SEGMENT_TENSORS))

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
        num_entities: int = 4,
        num_types: int = 6,
        type_length: int = 9,
        num_entity_types: int = 8,
        padded: bool = True,
        seed: int = 0,
        **_: object,
    ):
        self.task = task
        self.config: GLiRELConfig = normalized_config.config
        self.padded = padded
        self.sizes = {
            "tokens": sequence_length,
            "words": num_words,
            "mentions": num_mentions,
            "entities": min(num_entities, num_mentions),
            "pairs": num_pairs,
            "relations": num_relations,
            "types": num_types,
            "type_tokens": type_length,
            "entity types": num_entity_types,
        }
        self.generator = torch.Generator().manual_seed(seed)
        members = [self._member(place) for place in range(batch_size)]
        self._tensors = {name: torch.stack([member[name] for member in members]) for name in members[0]}
        self._tensors |= self._types()

    def generate(
        self, input_name: str, framework: str = "pt", int_dtype: str = "int64", float_dtype: str = "fp32"
    ) -> Tensor | np.ndarray:
        """The tensor of that name; masks are boolean, states of `float_dtype`, all others of `int_dtype`."""
        tensor = self._tensors[input_name]
        if tensor.dtype is not torch.bool:
            tensor = tensor.to(DTYPE_MAPPER.pt(float_dtype if tensor.is_floating_point() else int_dtype))
        return tensor.numpy() if framework == "np" else tensor

    def _member(self, place: int) -> dict[str, Tensor]:
        """One text: its tensors, without the `batch` axis."""
        real = dict(self.sizes)
        if self.padded and place:
            shared = ("types", "type_tokens")
            real = {
                axis: size if axis in shared else min(size, max(1, size - self._draw(1, max(2, size // 2))))
                for axis, size in real.items()
            }
            real["entities"] = min(real["entities"], real["mentions"])
            if place == 2:
                real.update(mentions=min(1, real["mentions"]), entities=min(1, real["entities"]), pairs=0)
        masks = {axis: torch.arange(size) < real[axis] for axis, size in self.sizes.items()}
        first = min(real["tokens"], 4)  # tokens at positions that others have as well
        positions = (torch.arange(self.sizes["tokens"]) - first).clamp(min=0)
        spans = [name for name in MASK_OF if name.endswith("_spans") and name not in SEGMENT_TENSORS]
        tensors = {
            "input_ids": self._token_ids((self.sizes["tokens"],), masks["tokens"], self.config.encoder_config),
            "attention_mask": masks["tokens"].long(),
            "position_ids": positions * masks["tokens"],
            "pair_index": self._indices((self.sizes["pairs"], 2), real["entities"]) * masks["pairs"].unsqueeze(-1),
            "mention_entity": self._entities_of_mentions(real) * masks["mentions"],
            "entity_mask": masks["entities"],
            "relation_index": self._indices((self.sizes["relations"],), real["types"]) * masks["relations"],
            "entity_type_index": self._indices((self.sizes["entity types"],), real["types"]) * masks["entity types"],
            **{name: self._states(axes) for name, axes in STATE_AXES.items()},
        }
        tensors |= {name: self._spans(AXES[name][0], real, within=ADDRESSES[name]) for name in spans}
        return tensors | {MASK_OF[name]: masks[AXES[name][0]] for name in (*spans, "pair_index")}

    def _states(self, axes: tuple[str, ...]) -> Tensor:
        """What another graph gives: vectors, or attention, which is not negative."""
        shape = [self.sizes.get(axis, self.config.hidden_size) for axis in axes]
        of_vectors = torch.randn if axes[-1] == "hidden" else torch.rand
        return of_vectors(shape, generator=self.generator)

    def _types(self) -> dict[str, Tensor]:
        """Relation types that are read apart: the first is the longest, and each has a token."""
        num_types, length = self.sizes["types"], self.sizes["type_tokens"]
        lengths = length - self._indices((num_types, 1), max(length, 1)) if self.padded else torch.tensor(length)
        mask = (torch.arange(length) < lengths).expand(num_types, length).clone()
        mask[:1] = True
        read_by = self.config.label_encoder_config or self.config.encoder_config
        token_ids = self._token_ids((num_types, length), mask, read_by)
        states = torch.randn(num_types, self.config.type_width, generator=self.generator)
        return dict(zip((*TYPE_TOKENS, TYPE_STATES), (token_ids, mask.long(), states), strict=True))

    def _draw(self, low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=self.generator))

    def _indices(self, shape: tuple[int, ...], high: int) -> Tensor:
        return torch.randint(max(high, 1), shape, generator=self.generator)

    def _entities_of_mentions(self, real: dict[str, int]) -> Tensor:
        """An entity for each mention, in any order; each entity that is real has one."""
        entities = self._indices((self.sizes["mentions"],), real["entities"])
        firsts = torch.randperm(real["mentions"], generator=self.generator)[: real["entities"]]
        entities[firsts] = torch.arange(len(firsts))
        return entities

    def _token_ids(self, shape: tuple[int, ...], mask: Tensor, encoder_config: object) -> Tensor:
        """Padding at the end and nowhere else: encoders of RoBERTa's kind count positions by it."""
        pad: int = getattr(encoder_config, "pad_token_id", None) or 0
        token_ids = self._indices(shape, getattr(encoder_config, "vocab_size") - 1)  # noqa: B009  (of any encoder)
        token_ids += (token_ids >= pad).long()
        return torch.where(mask, token_ids, pad)

    def _spans(self, axis: str, real: dict[str, int], within: str) -> Tensor:
        """Half-open spans of one to three of another axis, `(size, 2)`."""
        start = self._indices((self.sizes[axis],), real[within])
        end = (start + 1 + self._indices(start.shape, 3)).clamp(max=real[within])
        spans = torch.stack((start, end), dim=-1)
        spans[real[axis] :] = 0
        return spans


class _Part(ExporterConfig):
    """What one graph of an export takes and gives."""

    NORMALIZED_CONFIG_CLASS = NormalizedConfig
    DUMMY_INPUT_GENERATOR_CLASSES = (GLiRELDummyInputs,)
    ATOL_FOR_VALIDATION = 1e-4
    DEFAULT_ONNX_OPSET = DEFAULT_OPSET

    @property
    def output_axes(self) -> dict[str, tuple[str, ...]]:
        """The axes of each output; of those that are fixed, their size."""
        raise NotImplementedError

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        """What comes out, and the dynamic axes of each."""
        return {
            name: {place: axis for place, axis in enumerate(axes) if not axis.isdecimal()}
            for name, axes in self.output_axes.items()
        }

    @property
    def shapes(self) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
        """The axes of each input and of each output, to be read."""
        inputs = {name: list(self._sized(name)) for name in self.inputs}
        return inputs, {name: list(axes) for name, axes in self.output_axes.items()}

    def _sized(self, name: str) -> tuple[str, ...]:
        """The axes of a tensor; of those that are fixed, their size."""
        config = self._config
        sizes = {"span": "2", "pair": "2", "width": str(config.type_width), "hidden": str(config.hidden_size)}
        return tuple(sizes.get(axis, axis) for axis in axes_of(name))

    def _scores(self) -> dict[str, tuple[str, ...]]:
        """The axes of everything that is said of pairs and entities."""
        config = self._config
        outputs: dict[str, tuple[str, ...]] = {"logits": ("batch", "pairs", "relations")}
        if config.coreference_classifier:
            outputs["coreference_logits"] = ("batch", "pairs")
        if config.threshold_head:
            outputs["threshold_logits"] = ("batch", "pairs")
        if config.reads_attention and config.shared_words == "kept":
            outputs["entity_attention"] = ("batch", "entities", "words")
        if config.pair_selection != "all":
            outputs["adjacency"] = ("batch", "entities", "entities")
        return outputs


def _dynamic(names: Sequence[str]) -> dict[str, dict[int, str]]:
    return {name: {i: axis for i, axis in enumerate(axes_of(name)) if axis not in _FIXED} for name in names}


def _states_between(config: GLiRELConfig) -> tuple[str, ...]:
    """What the graph that finds entities gives to the one that scores their pairs: what something there reads."""
    read = {"word_states", "relation_states"}
    read |= {"label_states"} if config.pair_label_attention else set()
    read |= {"word_attention"} if config.reads_attention else set()
    return tuple(name for name in STATE_AXES if name in read)


class GLiRELTypesExporterConfig(_Part):
    """The graph that reads relation types apart from texts, of a model with `label_encoding="separate"`."""

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """The tokens of relation types, and which of them are real."""
        return _dynamic(TYPE_TOKENS)

    @property
    def output_axes(self) -> dict[str, tuple[str, ...]]:
        """`type_states`, which the other graph takes."""
        return {TYPE_STATES: self._sized(TYPE_STATES)}


class GLiRELRelationsExporterConfig(_Part):
    """The graph that scores pairs of entities, of a model that finds them."""

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """What the first graph gives, the masks of it, and the entities and pairs that were chosen."""
        return _dynamic([*_states_between(self._config), "word_mask", "relation_mask", *ENTITY_TENSORS])

    @property
    def output_axes(self) -> dict[str, tuple[str, ...]]:
        """As of [`GLiRELExporterConfig`], and with `pair_selection` `adjacency`."""
        return self._scores()


class GLiRELExporterConfig(_Part):
    """Inputs and outputs of an exported GLiREL model, and which of their axes are dynamic.

    Of a model that finds entities, they are those of the graph that finds them; `relations` has the others.
    """

    @property
    def inputs(self) -> dict[str, dict[int, str]]:
        """The tokenizer's tensors; what was made of relation types that are read apart stands for these."""
        config = self._config
        left_out = {*LABEL_TENSORS, *SEGMENT_TENSORS, *TYPE_TOKENS}
        left_out |= set(ENTITY_TENSORS if config.finds_entities else ENTITY_TYPE_TENSORS)
        apart = {"relation_token_spans", "entity_type_token_spans"}
        left_out |= apart if config.reads_labels_apart else set(TYPE_TENSORS)
        if not config.shared_relation_positions:
            left_out.add("position_ids")
        return _dynamic([name for name in AXES if name not in left_out])

    @property
    def output_axes(self) -> dict[str, tuple[str, ...]]:
        """`logits`, padding at the lowest number, and whatever else the model gives.

        With `coreference_classifier` `coreference_logits`, with `threshold_head` `threshold_logits`, and with
        `pair_context="localized"` `entity_attention`, unless entities differ from pair to pair. Of a model that finds
        entities `entity_logits`, and the states that `relations` takes.
        """
        config = self._config
        if not config.finds_entities:
            return self._scores()
        words = {"span": (str(config.max_entity_width), "entity_types"), "token": ("entity_types", "3")}
        found = {"entity_logits": ("batch", "words", *words[config.entity_finder])}
        return found | {name: self._sized(name) for name in _states_between(config)}

    @property
    def types(self) -> GLiRELTypesExporterConfig | None:
        """The configuration of the graph that reads relation types, where they are read apart."""
        return GLiRELTypesExporterConfig(self._config, self.task) if self._config.reads_labels_apart else None

    @property
    def relations(self) -> GLiRELRelationsExporterConfig | None:
        """The configuration of the graph that scores the pairs, where entities are found."""
        return GLiRELRelationsExporterConfig(self._config, self.task) if self._config.finds_entities else None


def register_with_optimum() -> None:
    """Makes Optimum find [`GLiRELExporterConfig`] for the model type "glirel" and the task "relation-extraction"."""
    # Tasks that Optimum does not know become known with a class for them; there is no function for that.
    # AutoModel takes the head that a checkpoint names.
    TasksManager._CUSTOM_CLASSES[("pt", GLiRELConfig.model_type, TASK)] = ("transformers", "AutoModel")
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
