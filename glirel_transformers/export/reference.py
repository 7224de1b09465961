"""The model that is exported, and that exports are compared with."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import torch

from glirel_transformers.checkpoints import check_checkpoint, model_name
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.heads_glirel import GLiRELHead
from glirel_transformers.modeling_glirel import head_for


def load_reference(
    model: GLiRELHead | str | os.PathLike[str],
) -> GLiRELHead:
    """The model to export and to compare with: on a CPU, in float32, in evaluation mode; a copy where it was not.

    Args:
        model: as [`export`] takes it.

    Raises:
        OSError: when there is no such folder.
        TypeError: when `model` is not a [`GLiRELForRelationClassification`] or [`GLiRELForJointExtraction`].
        ValueError: when it cannot be exported as it is.
    """
    if isinstance(model, str | os.PathLike):
        name = model_name(os.fspath(model))
        if Path(name).is_dir():
            check_checkpoint(name)
        head = head_for(GLiRELConfig.from_pretrained(name))
        loaded: GLiRELHead = head.from_pretrained(name, dtype=torch.float32).eval()
    else:
        loaded = _in_float32(model)
    if loaded.tokenizer is None:
        raise ValueError(
            "The model has no tokenizer, without which an export is of no use. Set `model.tokenizer`, or copy the "
            "checkpoint's tokenizer.json and tokenizer_config.json next to its weights."
        )
    return loaded


def longest_input(model: GLiRELHead, at_most: int) -> int:
    """How many tokens the model reads, or `at_most`."""
    limits = [at_most]
    if (positions := getattr(model.config.encoder_config, "max_position_embeddings", None)) is not None:
        limits.append(positions)
    if model.tokenizer is not None:
        limits.append(model.tokenizer.model_max_length)
    return min(limits)


def longest_type(model: GLiRELHead, at_most: int) -> int:
    """How many tokens of a relation type a model reads that reads them apart from texts, or `at_most`."""
    config = model.config.label_encoder_config
    if config is None:
        return longest_input(model, at_most)
    positions: int = getattr(config, "max_position_embeddings", None) or at_most
    # Models of RoBERTa's kind keep their first positions for padding.
    return min(at_most, positions - (config.pad_token_id or 0) - 1)


def _in_float32(model: GLiRELHead) -> GLiRELHead:
    # Not by class alone: a model that came with `trust_remote_code` has a class of its own.
    model_type = getattr(getattr(model, "config", None), "model_type", None)
    is_ours = model_type == GLiRELConfig.model_type and hasattr(model, "save_pretrained")
    if not is_ours or not hasattr(model, "scorer"):
        raise TypeError(
            "What is exported must be a GLiRELForRelationClassification or GLiRELForJointExtraction, or a folder with "
            f"one: got {type(model).__name__}. Merge adapters first (merge_and_unload), and pass a pipeline's `model`."
        )
    if model.is_optimized:
        raise ValueError("An optimized model cannot be exported. Load it again without optimize_for_inference.")
    states = {(tensor.device.type, tensor.dtype) for tensor in model.parameters()}
    is_ready = states == {("cpu", torch.float32)} and not model.training
    if is_ready and model.config._attn_implementation in (None, "eager", "sdpa"):
        return model
    copied = copy.deepcopy(model).to(device="cpu", dtype=torch.float32).eval().requires_grad_(False)
    if copied.config._attn_implementation not in (None, "eager", "sdpa"):
        copied.set_attn_implementation("sdpa")
    return copied
