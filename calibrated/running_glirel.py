"""What an extractor runs: any model that scores pairs, on torch or on numpy, loaded by name or given.

Axes have one name everywhere: `batch, pairs, relations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from transformers import AutoModel, BatchEncoding
from transformers.utils import is_torch_available

from .calibration_glirel import calibration_of
from .configuration_glirel import GLiRELConfig
from .encoded_types_glirel import TypeCache, of_batch
from .mentions_glirel import listed
from .outputs_glirel import GLiRELRelationClassificationOutput
from .prompts_glirel import Prompt
from .tokenization_glirel import GLiRELTokenizer

if is_torch_available():
    import torch

    from .inputs_glirel import Inputs

PRECISIONS = ("auto", "float32", "bfloat16", "float16", "float64")
Features = dict[str, np.ndarray]


class Scored(NamedTuple):
    """What a batch's scores are: probabilities, and what the entities attend to where the model says so."""

    probabilities: np.ndarray  # (batch, pairs, relations)
    entity_attention: np.ndarray | None  # (batch, entities, words)
    pair_index: np.ndarray | None = None  # (batch, pairs, 2), of a model that finds entities
    pair_mask: np.ndarray | None = None  # (batch, pairs), likewise


class Decodes(Protocol):
    """What a model that finds entities asks in the middle of its pass, see [`BatchDecoder`]."""

    def __call__(self, entity_logits: np.ndarray) -> dict[str, np.ndarray]:
        """Tensors of mentions and pairs, from logits of entities."""


class ScoreFunction(Protocol):
    """Takes the features of texts, and the prompt of each; for a model that finds entities also what decodes them."""

    def __call__(
        self,
        features: Sequence[Features],
        prompts: Sequence[Prompt],
        decode: Decodes | None = None,
        adjacency_threshold: float | None = None,
    ) -> Scored:
        """The scores of a batch."""


class ScoresPairs(Protocol):
    """What an extractor runs: a model on torch, or one that takes numpy arrays, such as an export."""

    @property
    def config(self) -> GLiRELConfig:
        """Its configuration."""

    @property
    def tokenizer(self) -> GLiRELTokenizer | None:
        """The tokenizer that came with it, if any."""

    @property
    def name_or_path(self) -> str:
        """What it was loaded from."""

    @property
    def device(self) -> object:
        """Where it runs: `str` of it is `"cpu"` or names an accelerator."""

    def __call__(self, *args: Any, **kwargs: Any) -> GLiRELRelationClassificationOutput:
        """An output with `logits` of shape `(batch, pairs, relations)`, for the tensors that the tokenizer makes."""


ModelLoader = Callable[[str, object, object], ScoresPairs]
"""Takes a folder or Hub repository, a device and a type of numbers, and gives the model."""


def score_function(model: ScoresPairs, tokenizer: GLiRELTokenizer, types: TypeCache | None) -> ScoreFunction:
    """What turns the features of a batch into probabilities `(batch, pairs, relations)`, calibrated; padding has 0.

    Args:
        model: of either kind.
        tokenizer: its own.
        types: what the model made of relation types that it reads apart from the texts, if it does.
    """
    if is_torch_available() and isinstance(model, torch.nn.Module):
        return _TorchScores(model, tokenizer, types)
    return _ArrayScores(model, tokenizer, types)


@dataclass
class _Scores:
    """How the batch of a model is made, whatever it runs on."""

    model: ScoresPairs
    tokenizer: GLiRELTokenizer
    types: TypeCache | None

    def _batch(self, features: Sequence[Features], prompts: Sequence[Prompt]) -> dict[str, Any]:
        """Everything that the model takes, as numpy arrays."""
        if self.types is None:
            return dict(self.tokenizer.pad(features, return_tensors="np"))
        states, of_texts = of_batch(self.types, prompts)
        read_again = ("types", "entity_types")
        known = [
            {**{name: value for name, value in one.items() if name not in read_again}, **of_text}
            for one, of_text in zip(features, of_texts, strict=True)
        ]
        return {**self.tokenizer.pad(known, return_tensors="np"), "type_states": states}


@dataclass
class _ArrayScores(_Scores):
    """Scores of a model that takes numpy arrays."""

    def __call__(
        self,
        features: Sequence[Features],
        prompts: Sequence[Prompt],
        decode: Decodes | None = None,
        adjacency_threshold: float | None = None,
    ) -> Scored:
        found = {} if decode is None else {"select": decode, "adjacency_threshold": adjacency_threshold}
        output = _checked(self.model(**self._batch(features, prompts), **found), self.model)
        with np.errstate(over="ignore"):  # the lowest number stands for padding, and becomes 0
            logits = calibration_of(self.model.config).apply(cast("np.ndarray", output.decision_logits))
            scores = 1 / (1 + np.exp(-logits))
        attention = cast("np.ndarray | None", output.entity_attention)
        if decode is None:
            return Scored(scores, attention)
        pairs = (cast("np.ndarray", getattr(output, name)) for name in ("pair_index", "pair_mask"))
        return Scored(scores, attention, *pairs)


@dataclass
class _TorchScores(_Scores):
    """Scores of a model on torch, wherever it is. It is run as in inference, and left as it was."""

    def __call__(
        self,
        features: Sequence[Features],
        prompts: Sequence[Prompt],
        decode: Decodes | None = None,
        adjacency_threshold: float | None = None,
    ) -> Scored:
        device = self.model.device
        found: dict[str, object] = {}
        if decode is not None:
            found = {"select": _TorchDecoder(decode), "adjacency_threshold": adjacency_threshold}
        with torch.no_grad(), _current(device), _evaluating(self.model):
            arrays = self._batch(features, prompts)
            batch = BatchEncoding({name: torch.from_numpy(array) for name, array in arrays.items()}).to(device)
            if "type_states" in batch:
                weights = next(cast("torch.nn.Module", self.model).parameters())
                batch["type_states"] = batch["type_states"].to(weights.dtype)
            output = _checked(self.model(**batch, **found), self.model)
            logits = calibration_of(self.model.config).apply(output.decision_logits.float())
            scores = logits.sigmoid().cpu().numpy()
            attention = None if output.entity_attention is None else output.entity_attention.float().cpu().numpy()
            if decode is None:
                return Scored(scores, attention)
            pairs = (getattr(output, name).cpu().numpy() for name in ("pair_index", "pair_mask"))
        return Scored(scores, attention, *pairs)


@dataclass
class _TorchDecoder:
    """Lets a model on torch ask what works on numpy arrays."""

    decode: Decodes

    def __call__(self, entity_logits: torch.Tensor, inputs: Inputs) -> Inputs:
        arrays = self.decode(entity_logits.float().cpu().numpy())
        tensors = {name: torch.from_numpy(array).to(entity_logits.device) for name, array in arrays.items()}
        changed: dict[str, Any] = {"mention_entity": None, "entity_mask": tensors["mention_mask"], **tensors}
        return inputs._replace(**changed)


def _checked(output: object, model: ScoresPairs) -> GLiRELRelationClassificationOutput:
    if getattr(output, "logits", None) is None:
        raise TypeError(
            f"RelationExtractor needs a model with a head, such as GLiRELForRelationClassification: a "
            f"{type(model).__name__} gives no logits."
        )
    return output  # type: ignore[return-value]  # it has what is read of one


@contextmanager
def _current(device: object) -> Iterator[None]:
    """Makes `device` the current one, which kernels of some libraries run on."""
    with torch.cuda.device(device) if str(device).startswith("cuda") else nullcontext():
        yield


@contextmanager
def _evaluating(model: ScoresPairs) -> Iterator[None]:
    """In evaluation mode: with dropout, every call would score otherwise."""
    module = cast("torch.nn.Module", model)
    was_training = module.training
    if was_training:
        module.eval()
    try:
        yield
    finally:
        if was_training:
            module.train()


def load_checkpoint(name: str, device: object = None, dtype: object = None) -> ScoresPairs:
    """The model of a checkpoint, on a device.

    Args:
        name: folder or Hub repository.
        device: by default the first accelerator there is, else the CPU.
        dtype: by default as the checkpoint says.

    Raises:
        ImportError: when torch is not installed.
        OSError: when there is no such model.
        ValueError: when it is an export, or the device cannot be used.
    """
    if not is_torch_available():
        raise ImportError(
            "GLiRELForRelationClassification needs torch, which is not installed: pip install torch. An export needs "
            f"none: got {name!r}, which is not one."
        )
    precision = str(dtype).removeprefix("torch.")
    if dtype is not None and precision not in PRECISIONS:
        raise ValueError(f"`dtype` must be one of {', '.join(PRECISIONS)}: got {dtype!r}.")
    model: ScoresPairs = AutoModel.from_pretrained(name, **({} if dtype is None else {"dtype": precision}))
    return place(model, first_device() if device is None else device)


def check_vocabulary(tokenizer: GLiRELTokenizer, config: GLiRELConfig, name: object) -> None:
    """Checks that a model has a vector for every token of its tokenizer.

    Args:
        tokenizer: of the model.
        config: of the model.
        name: what errors call the place of the tokenizer.

    Raises:
        ValueError: when it has numbers that are beyond the model's vocabulary.
    """
    size = config.encoder_config.vocab_size
    beyond = [f"{token!r} ({number})" for token, number in tokenizer.get_vocab().items() if number >= size]
    if beyond:
        raise ValueError(
            f"tokenizer.json of {str(name)!r} has tokens that the model does not: it has {size:,}, from 0 to "
            f"{size - 1}, and these are {listed(beyond)}. Copy the whole checkpoint again: the file is damaged or of "
            "another model."
        )


def first_device() -> object:
    """The first accelerator there is, else the CPU."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator or torch.device("cpu")


def place(model: ScoresPairs, device: object) -> ScoresPairs:
    """Moves a model to a device.

    Raises:
        ValueError: when that cannot be.
    """
    move = getattr(model, "to", None)
    if move is None:
        raise ValueError(f"A {type(model).__name__} cannot be moved to {device}. Leave `device` out.")
    try:
        move(device)
    except (RuntimeError, AssertionError) as error:  # what torch raises for a device that it does not have
        raise ValueError(f"The device {str(device)!r} cannot be used: {str(error).splitlines()[0]}") from error
    return model


__all__ = ["ScoresPairs"]
