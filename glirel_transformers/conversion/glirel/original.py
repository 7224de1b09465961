"""From the original package's checkpoints to this package's, and back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from torch import Tensor
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.checkpoints import (
    check_different,
    complete_state,
    keep_widest_type,
    read_ours,
    without_weights,
)
from glirel_transformers.conversion.encoders import (
    EncoderSource,
    find_encoder,
    read_encoder_config,
    read_tokenizer,
    reads_any_length,
)
from glirel_transformers.conversion.originals import (
    OriginalCheckpoint,
    Remainder,
    check_is_ours,
    config_text,
    in_order,
    read_original,
    read_remainder,
    write_original,
    write_remainder,
)
from glirel_transformers.modeling_glirel import _input_limit
from glirel_transformers.tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer

from .rules import ENCODER, RENAMING
from .settings import CONFIG, NEW_TOKENS, original_from, settings_from

_ENCODER_SOURCE = EncoderSource(CONFIG, "model_name", "--encoder")
_WORD_LIMIT = 100_000  # where the model here has none: the original needs one


def convert(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, encoder: str | os.PathLike[str] | None = None
) -> Path:
    """Writes a checkpoint of the original package as a complete folder of this package.

    Scores stay the same. The encoder's configuration and tokenizer are not in an original checkpoint and are read
    from the encoder; its weights are not needed.

    Args:
        source: folder or Hub repository with `pytorch_model.bin` and `glirel_config.json`.
        target: the folder to write.
        encoder: folder or Hub repository of the encoder. By default what the checkpoint names, looked for in the
            working directory, in the checkpoint's folder, next to it, and on the Hub.

    Returns:
        `target`.

    Raises:
        ValueError: when the checkpoint is incomplete, damaged, of another package, or does not fit the encoder.
    """
    source, target = os.fspath(source), Path(target)
    check_different(source, target)
    original = read_original(source, CONFIG)
    settings = settings_from(original.config)
    given = None if encoder is None else os.fspath(encoder)
    encoder = find_encoder(original.config.get("model_name"), given, source, _ENCODER_SOURCE)
    encoder_config = read_encoder_config(encoder)
    tokenizer = GLiRELTokenizer.from_base(
        read_tokenizer(encoder),
        new_tokens=NEW_TOKENS,
        prefix_space=False,
        **{name: settings[name] for name in SHARED_SETTINGS if name in settings},
    )
    encoder_config.vocab_size = len(tokenizer)
    config = GLiRELConfig(encoder_config=encoder_config, original_config=original.config, **settings)
    model = without_weights(config)
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    state, unused = RENAMING.to_ours(original.state, shapes)
    model.load_state_dict(state, assign=True)
    any_length = reads_any_length(model.glirel.encoder)
    tokenizer.model_max_length = VERY_LARGE_INTEGER if any_length else _input_limit(encoder_config, VERY_LARGE_INTEGER)
    model.tokenizer = tokenizer
    model.save_pretrained(target)
    write_remainder(target, original, unused)
    keep_widest_type(target, state)
    return target


def revert(
    source: str | os.PathLike[str], target: str | os.PathLike[str], *, encoder: str | os.PathLike[str] | None = None
) -> Path:
    """Writes a checkpoint of this package in the format of the original.

    A converted checkpoint comes back bit for bit: names, order, types and values of its tensors, and its settings. A
    model that was trained further keeps the settings that it was converted with. One that was trained here can be
    written where its settings are those of the original.

    Args:
        source: folder or Hub repository of this package.
        target: the folder to write.
        encoder: the encoder that the original is to load; by default the one that the checkpoint was converted with.
            Needed for a model that was trained here: its tokenizer decides the order of the vocabulary.

    Returns:
        `target`.

    Raises:
        ValueError: when a setting, or the tokenizer, has no counterpart in the original.
    """
    source, target = os.fspath(source), Path(target)
    check_different(source, target)
    check_is_ours(source, CONFIG)
    checkpoint = read_ours(source)
    config = checkpoint.config
    encoder = None if encoder is None else os.fspath(encoder)
    settings = original_from(config, encoder)
    state = RENAMING.to_original(complete_state(checkpoint))
    remainder = Remainder()
    if config.original_config is not None:
        remainder = read_remainder(source)
        state = in_order(state | remainder.unused, remainder.names)
    else:
        if encoder is None:
            raise ValueError(
                "The model was trained here, so that nothing says which encoder the original package should load. "
                "Name it with `--encoder`, a folder or a Hub repository."
            )
        settings["max_len"] = settings["max_len"] or _WORD_LIMIT
        name = f"{ENCODER}{_embedding_name(config)}"
        state[name] = _embeddingsin_order(state[name], checkpoint.tokenizer, encoder)
    text = config_text(settings, remainder.config_text)
    write_original(target, OriginalCheckpoint(settings, text, state, remainder.versions), CONFIG)
    return target


def _embedding_name(config: GLiRELConfig) -> str:
    encoder = without_weights(config).glirel.encoder
    embedding = encoder.get_input_embeddings()
    return next(f"{name}.weight" for name, module in encoder.named_modules() if module is embedding)


def _embeddingsin_order(weight: Tensor, tokenizer: GLiRELTokenizer, encoder: str) -> Tensor:
    """Rows of the word embeddings in the order in which the original numbers the tokens.

    Raises:
        ValueError: when the tokenizer is not that of `encoder`.
    """
    original = GLiRELTokenizer.from_base(read_tokenizer(encoder), new_tokens=NEW_TOKENS, prefix_space=False)
    rules, original_rules = (
        {part: rule for part, rule in json.loads(one.backend_tokenizer.to_str()).items() if part != "added_tokens"}
        for one in (tokenizer, original)
    )
    if different := [part for part, rule in rules.items() if rule != original_rules[part]]:
        raise ValueError(
            f"The model's tokenizer has another {', '.join(different)} than the encoder {encoder!r}, and the original "
            "package reads the encoder's. Name the encoder that the model was built on; a byte-level tokenizer that "
            "does not put a space before every word has no counterpart."
        )
    vocabulary = original.get_vocab()
    rows = weight.new_zeros(len(original), weight.shape[1])
    ours = tokenizer.get_vocab()
    if lost := sorted(set(vocabulary) - set(ours) - set(NEW_TOKENS)):
        raise ValueError(f"The encoder {encoder!r} has tokens that the model's tokenizer has not: {lost[:5]}.")
    shared = [(place, ours[token]) for token, place in vocabulary.items() if token in ours and place < len(rows)]
    there, here = torch.tensor(shared).T
    rows[there] = weight[here]
    return rows
