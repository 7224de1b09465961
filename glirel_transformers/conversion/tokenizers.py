"""The tokenizers of originals' checkpoints: that of texts in their folder, that of labels with their encoder."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from glirel_transformers.encoders_glirel import input_limit
from glirel_transformers.tokenization_glirel import GLiRELTokenizer

from .checkpoints import find_optional

_TOKENIZERS = ("tokenizer.json", "spm.model", "vocab.txt", "vocab.json", "sentencepiece.bpe.model")
_LABEL_LIMIT = 512  # at which the original cuts a relation type, whatever reads it
_SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def has_tokenizer(source: str) -> bool:
    """Whether a folder or a Hub repository holds a tokenizer."""
    return any(find_optional(source, name) for name in _TOKENIZERS)


def text_limit(tokenizer: PreTrainedTokenizerFast, config: PreTrainedConfig, any_length: bool) -> int:
    """How many tokens of a document are read: what the tokenizer says, as far as the encoder has positions."""
    limit = int(tokenizer.model_max_length)
    return limit if any_length else min(limit, input_limit(config, VERY_LARGE_INTEGER))


def label_limit(tokenizer: PreTrainedTokenizerFast, config: PreTrainedConfig, any_length: bool) -> int:
    """How many tokens of a relation type are read."""
    return min(text_limit(tokenizer, config, any_length), _LABEL_LIMIT)


def write_tokenizer(tokenizer: GLiRELTokenizer, target: Path) -> None:
    """Writes the tokenizer of documents so that transformers 4, where the original runs, reads it."""
    names = {name: getattr(tokenizer, name) for name in _SPECIAL_TOKENS if getattr(tokenizer, name, None) is not None}
    backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    backend.no_padding()
    plain = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=tokenizer.model_max_length, **names)
    plain.save_pretrained(target)
    file = target / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": True}
    file.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
