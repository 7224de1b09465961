"""Encoders: built without weights, or loaded with them and their tokenizer."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from .configuration_glirel import GLiRELConfig
from .deberta_glirel import FastDebertaV2Model
from .mpnet_glirel import FastMPNetModel


class PretrainedEncoder(NamedTuple):
    """A pre-trained encoder: its configuration without a name, its weights and its tokenizer."""

    config: PreTrainedConfig
    weights: dict[str, Tensor]
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls, name: str | os.PathLike[str], options: dict[str, Any]) -> PretrainedEncoder:
        """Loads one by its name; `options` say from where.

        Raises:
            ValueError: when it is no encoder.
        """
        config = AutoConfig.from_pretrained(name, **options)
        _check_encoder(name, config)
        pretrained = AutoModel.from_pretrained(name, dtype=torch.float32, **options)
        config.name_or_path = ""
        config.dtype = torch.float32
        weights = {key: w for key, w in pretrained.state_dict().items() if not key.startswith("pooler.")}
        return cls(config, weights, AutoTokenizer.from_pretrained(name, **options))


def build_encoder(encoder_config: PreTrainedConfig, attn_implementation: str | None) -> PreTrainedModel:
    """An encoder without weights; MPNet and, unless "eager" is asked for, DeBERTa-v2 and v3 with fast attention."""
    if encoder_config.model_type == "mpnet":
        return FastMPNetModel(encoder_config)
    is_fast = encoder_config.model_type == "deberta-v2" and attn_implementation != "eager"
    encoder = FastDebertaV2Model(encoder_config) if is_fast else AutoModel.from_config(encoder_config)
    if hasattr(encoder, "pooler"):
        encoder.pooler = None  # never used, and a parameter without gradient stops distributed training
    return encoder


def _check_encoder(name: str | os.PathLike[str], encoder_config: PreTrainedConfig) -> None:
    if encoder_config.model_type == GLiRELConfig.model_type:
        raise ValueError(
            f"{os.fspath(name)!r} is a GLiREL model already, not an encoder: load it with from_pretrained."
        )
    if encoder_config.is_encoder_decoder:
        raise ValueError(
            f"{os.fspath(name)!r} is a {encoder_config.model_type} model, with an encoder and a decoder. GLiREL needs "
            "a bidirectional encoder alone, such as DeBERTa, BERT, RoBERTa, ELECTRA, MPNet or ModernBERT."
        )


def input_limit(encoder_config: PreTrainedConfig, tokenizer_limit: int) -> int:
    """Tokens that the encoder reads. Models of RoBERTa's kind keep their first positions for padding."""
    limit = getattr(encoder_config, "max_position_embeddings", None) or tokenizer_limit
    if "roberta" in encoder_config.model_type or encoder_config.model_type in ("camembert", "mpnet"):
        limit -= (encoder_config.pad_token_id or 0) + 1
    return min(limit, tokenizer_limit)
