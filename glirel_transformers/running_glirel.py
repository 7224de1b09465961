"""What an extractor runs: any model that scores pairs, on torch or on numpy, loaded by name or given.

Axes have one name everywhere: `batch, pairs, relations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from transformers import AutoModel
from transformers.utils import is_torch_available

from .configuration_glirel import GLiRELConfig
from .mentions_glirel import listed
from .outputs_glirel import GLiRELRelationClassificationOutput
from .tokenization_glirel import GLiRELTokenizer

if is_torch_available():
    import torch
    from torch import Tensor

PRECISIONS = ("auto", "float32", "bfloat16", "float16", "float64")
Features = dict[str, np.ndarray]
ScoreFunction = Callable[[Sequence[Features]], np.ndarray]


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


def score_function(model: ScoresPairs, tokenizer: GLiRELTokenizer) -> ScoreFunction:
    """What turns the features of a batch into probabilities `(batch, pairs, relations)`; padding has 0."""
    if is_torch_available() and isinstance(model, torch.nn.Module):
        return _TorchScores(model, tokenizer)
    return _ArrayScores(model, tokenizer)


@dataclass
class _ArrayScores:
    """Scores of a model that takes numpy arrays."""

    model: ScoresPairs
    tokenizer: GLiRELTokenizer

    def __call__(self, features: Sequence[Features]) -> np.ndarray:
        logits = cast("np.ndarray", _logits(self.model, self.tokenizer.pad(features, return_tensors="np")))
        with np.errstate(over="ignore"):  # the lowest number stands for padding, and becomes 0
            scores: np.ndarray = 1 / (1 + np.exp(-logits))
        return scores


@dataclass
class _TorchScores:
    """Scores of a model on torch, wherever it is. It is run as in inference, and left as it was."""

    model: ScoresPairs
    tokenizer: GLiRELTokenizer

    def __call__(self, features: Sequence[Features]) -> np.ndarray:
        device = self.model.device
        with torch.no_grad(), _current(device), _evaluating(self.model):
            logits = cast("Tensor", _logits(self.model, self.tokenizer.pad(features).to(device)))
            scores: np.ndarray = logits.float().sigmoid().cpu().numpy()
        return scores


def _logits(model: ScoresPairs, batch: Mapping[str, object]) -> object:
    logits = getattr(model(**batch), "logits", None)
    if logits is None:
        raise TypeError(
            f"RelationExtractor needs a model with a head, such as GLiRELForRelationClassification: a "
            f"{type(model).__name__} gives no logits."
        )
    return logits


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
