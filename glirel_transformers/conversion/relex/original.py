"""From GLiNER-Relex checkpoints of the package `gliner` to this package's, and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.checkpoints import complete_state, keep_widest_type, read_ours, without_weights
from glirel_transformers.conversion.encoders import (
    EncoderSource,
    encoder_config_from,
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
from glirel_transformers.conversion.tokenizers import has_tokenizer, text_limit, write_tokenizer
from glirel_transformers.files import check_not_an_input
from glirel_transformers.tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer

from .rules import OFFSET, renaming_for
from .settings import CONFIG, original_from, report_unknown, settings_from

_ENCODER = EncoderSource(CONFIG, "model_name", "--encoder")
# The markers of the original's prompt, by the part here: its setting, and what that is by default.
_MARKERS = {
    "entity_types": ("ent_token", "<<ENT>>"),
    "end": ("sep_token", "<<SEP>>"),
    "relations": ("rel_token", "<<REL>>"),
}


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    encoder: str | os.PathLike[str] | None = None,
    empty_words: str = "kept",
) -> Path:
    """Writes a GLiNER-Relex checkpoint as a complete folder of this package.

    Args:
        source: folder or Hub repository with `gliner_config.json`, a tokenizer, and `model.safetensors` or
            `pytorch_model.bin`.
        target: the folder to write.
        encoder: folder or Hub repository to read the tokenizer from, in place of the checkpoint's own.
        empty_words: `"skipped"` reads words of which the tokenizer keeps nothing as the original does: all later words
            take the vector of the next one.

    Returns:
        `target`.

    Raises:
        ValueError: when the checkpoint is incomplete, damaged, of another package, or of other markers than it says.
    """
    source, target = os.fspath(source), Path(target)
    check_not_an_input(target, [source, encoder], "DST")
    original = read_original(source, CONFIG)
    settings = {**settings_from(original.config), "empty_words": empty_words}
    report_unknown(original.config)
    tokenizer, config = _read_encoder(
        original.config, source, None if encoder is None else os.fspath(encoder), settings
    )
    model = without_weights(config)
    shapes = {name: weight.shape for name, weight in model.state_dict().items() if name != OFFSET}
    state, unused = renaming_for(config).to_ours(original.state, shapes)
    if hasattr(model.scorer, "offset"):
        state[OFFSET] = torch.zeros(())
    model.load_state_dict(state, assign=True)
    prompt_tokens = {part: str(original.config.get(key, token)) for part, (key, token) in _MARKERS.items()}
    model.tokenizer = GLiRELTokenizer.from_base(
        tokenizer,
        model_max_length=text_limit(tokenizer, config.encoder_config, reads_any_length(model.glirel.encoder)),
        prompt_tokens=prompt_tokens,
        new_tokens=[prompt_tokens[part] for part in _MARKERS],
        prefix_space=False,
        reads_format_characters=True,
        **{name: getattr(config, name) for name in SHARED_SETTINGS},
    )
    _check_markers(model.tokenizer, original.config, config)
    model.save_pretrained(target)
    write_remainder(target, original, unused)
    keep_widest_type(target, state)
    return target


def _read_encoder(
    original: dict[str, Any], source: str, encoder: str | None, settings: dict[str, Any]
) -> tuple[PreTrainedTokenizerFast, GLiRELConfig]:
    """The tokenizer, and the configuration with that of the encoder, both of which a checkpoint holds."""
    is_own = encoder is None and has_tokenizer(source)
    name = source if is_own else find_encoder(original.get("model_name"), encoder, source, _ENCODER)
    content = original.get("encoder_config")
    if isinstance(content, dict):
        encoder_config = encoder_config_from(content, EncoderSource(CONFIG, "encoder_config", _ENCODER.option))
    else:
        encoder_config = read_encoder_config(name)
    return read_tokenizer(name), GLiRELConfig(encoder_config=encoder_config, original_config=original, **settings)


def _check_markers(tokenizer: GLiRELTokenizer, original: dict[str, Any], config: GLiRELConfig) -> None:
    """Checks that the tokens which the original reads as markers are those that its tokenizer writes.

    Raises:
        ValueError: when they are not: the original would then read other tokens as types.
    """
    for part, key in (("entity_types", "class_token_index"), ("relations", "rel_token_index")):
        token = tokenizer.prompt_tokens[part]
        number = tokenizer.convert_tokens_to_ids(token)
        if original.get(key, number) != number:
            raise ValueError(
                f"`{key}` in {CONFIG} is {original[key]}, but {token!r} is {number} in the tokenizer. Copy the whole "
                "checkpoint again: one of the two files is of another model."
            )
    if len(tokenizer) > config.encoder_config.vocab_size:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} tokens but the model {config.encoder_config.vocab_size}. Copy the "
            "whole checkpoint again: one of its files is of another model."
        )


def revert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    encoder: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes a checkpoint of this package in the format of the package `gliner`.

    The weights and settings of a converted checkpoint come back bit for bit.

    Args:
        source: folder or Hub repository of this package.
        target: the folder to write.
        encoder: the encoder that the original is to name; needed for a model that was trained here.

    Returns:
        `target`.

    Raises:
        ValueError: when a setting has no counterpart in the original.
    """
    source, target = os.fspath(source), Path(target)
    check_not_an_input(target, [source, encoder], "DST")
    check_is_ours(source, CONFIG)
    checkpoint = read_ours(source)
    config = checkpoint.config
    encoder = None if encoder is None else os.fspath(encoder)
    settings = original_from(config, encoder)
    state = complete_state(checkpoint)
    _check_offset(state.pop(OFFSET, None))
    state = renaming_for(config).to_original(state)
    remainder = Remainder()
    tokens = checkpoint.tokenizer.prompt_tokens
    if config.original_config is not None:
        remainder = read_remainder(source)
        state = in_order(state | remainder.unused, remainder.names)
    else:
        if encoder is None:
            raise ValueError(
                "The model was trained here, so that nothing says which encoder the original package should name. "
                "Name it with `--encoder`, a folder or a Hub repository."
            )
        settings |= {key: tokens[part] for part, (key, _) in _MARKERS.items()}
        numbers = checkpoint.tokenizer.convert_tokens_to_ids([tokens["entity_types"], tokens["relations"]])
        settings |= dict(zip(("class_token_index", "rel_token_index"), numbers, strict=True))
        settings["vocab_size"] = config.encoder_config.vocab_size
    text = config_text(settings, remainder.config_text)
    write_original(target, OriginalCheckpoint(settings, text, state, remainder.versions, remainder.is_safe), CONFIG)
    write_tokenizer(checkpoint.tokenizer, target)
    return target


def _check_offset(offset: Tensor | None) -> None:
    if offset is not None and float(offset) != 0.0:
        raise ValueError(
            f"The scorer's offset of {float(offset):.4g} has no counterpart in the original package, whose distances "
            "have none. Only a model with an offset of 0 can be written in its format."
        )
