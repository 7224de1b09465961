"""From the original package's checkpoints to this package's, and back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from transformers import PreTrainedConfig, PreTrainedTokenizerFast
from transformers.utils import logging

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.conversion.checkpoints import (
    complete_state,
    keep_widest_type,
    read_ours,
    without_weights,
)
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
from glirel_transformers.conversion.tokenizers import has_tokenizer, label_limit, text_limit, write_tokenizer
from glirel_transformers.files import check_not_an_input
from glirel_transformers.hub_glirel import ORIGINAL_FILE
from glirel_transformers.modeling_glirel import GLiRELForRelationClassification
from glirel_transformers.tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer

from .rules import UNUSED, renaming_for
from .settings import CONFIG, original_from, report, settings_from

logger = logging.get_logger(__name__)

_TEXT = EncoderSource(CONFIG, "model_name", "--encoder")
_LABELS = EncoderSource(CONFIG, "labels_encoder", "--label-encoder")
_WORD_LIMIT = 100_000  # where the model here has none: the original needs one


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    encoder: str | os.PathLike[str] | None = None,
    label_encoder: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes a checkpoint of the original package as a complete folder of this package.

    Scores are those that the original gives to a document on its own; in a batch it gets all but the last one wrong.
    Both encoders' configurations are in the checkpoint, and so is the tokenizer of documents. That of relation types
    is read from their encoder, whose weights are not needed.

    Args:
        source: folder or Hub repository with `pytorch_model.bin` and `glidre_config.json`.
        target: the folder to write.
        encoder: folder or Hub repository to read the tokenizer of documents from, in place of the checkpoint's own.
        label_encoder: the same of the encoder of relation types. By default what the checkpoint names, looked for in
            the working directory, in the checkpoint's folder, next to it, and on the Hub.

    Returns:
        `target`.

    Raises:
        ValueError: when the checkpoint is incomplete, damaged, of another package, or of other encoders than it says.
    """
    source, target = os.fspath(source), Path(target)
    check_not_an_input(target, [source, encoder, label_encoder], "DST")
    original = read_original(source, CONFIG)
    settings = settings_from(original.config)
    report(original.config)
    text = _read_encoder(original.config, "encoder_config", _TEXT, encoder, source)
    labels = _read_encoder(original.config, "labels_encoder_config", _LABELS, label_encoder, source)
    config = GLiRELConfig(
        encoder_config=text.config, label_encoder_config=labels.config, original_config=original.config, **settings
    )
    model = without_weights(config)
    shapes = {name: weight.shape for name, weight in model.state_dict().items()}
    state, unused = renaming_for(config).to_ours(original.state, shapes)
    model.load_state_dict(state, assign=True)
    model.tokenizer = _tokenizer(model, text, labels)
    model.save_pretrained(target)
    write_remainder(target, original, unused)
    keep_widest_type(target, state)
    _report_unused(unused)
    return target


class _Encoder(NamedTuple):
    """An encoder's configuration and its tokenizer, and whether that was saved with the checkpoint."""

    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerFast
    is_own: bool


def _read_encoder(
    settings: dict[str, Any],
    key: str,
    place: EncoderSource,
    given: str | os.PathLike[str] | None,
    checkpoint: str,
) -> _Encoder:
    """An encoder that a checkpoint names in `place`, with its configuration under `key`."""
    is_own = place is _TEXT and given is None and has_tokenizer(checkpoint)
    content, name = settings.get(key), checkpoint
    if not is_own or not isinstance(content, dict):
        name = find_encoder(
            settings.get(place.setting), None if given is None else os.fspath(given), checkpoint, place
        )
    if isinstance(content, dict):
        config = encoder_config_from(content, EncoderSource(CONFIG, key, place.option))
    else:
        config = read_encoder_config(name)
    return _Encoder(config, read_tokenizer(checkpoint if is_own else name), is_own)


def _tokenizer(model: GLiRELForRelationClassification, text: _Encoder, labels: _Encoder) -> GLiRELTokenizer:
    """The tokenizer of documents and of relation types; every word of a document is read as after a space."""
    names = ("glirel.encoder", "glirel.label_encoder.encoder")
    any_length, any_label_length = (reads_any_length(model.get_submodule(name)) for name in names)
    labels.tokenizer.model_max_length = label_limit(labels.tokenizer, labels.config, any_label_length)
    return GLiRELTokenizer.from_base(
        text.tokenizer,
        label_tokenizer=labels.tokenizer,
        model_max_length=text_limit(text.tokenizer, text.config, any_length),
        prefix_space=not text.is_own,
        reads_format_characters=True,
        **{name: getattr(model.config, name) for name in SHARED_SETTINGS},
    )


def _report_unused(names: Iterable[str]) -> None:
    """Says once what the original stores and never reads."""
    names = list(names)
    counts = {what: sum(bool(pattern.fullmatch(name)) for name in names) for what, pattern in UNUSED.items()}
    if found := [f"{count} {what}" for what, count in counts.items() if count]:
        logger.warning(
            "The original package never reads these tensors, and no model here has them: %s. They are kept in %s, for "
            "`--reverse`.",
            ", ".join(found),
            ORIGINAL_FILE,
        )


def revert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    encoder: str | os.PathLike[str] | None = None,
    label_encoder: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes a checkpoint of this package in the format of the original.

    The weights and settings of a converted checkpoint come back bit for bit. A model that was trained further keeps
    the settings that it was converted with. One that was trained here can be written where its settings are those of
    the original.

    Args:
        source: folder or Hub repository of this package.
        target: the folder to write.
        encoder, label_encoder: the encoders that the original is to load; by default those that the checkpoint was
            converted with. Needed for a model that was trained here.

    Returns:
        `target`.

    Raises:
        ValueError: when a setting has no counterpart in the original.
    """
    source, target = os.fspath(source), Path(target)
    check_not_an_input(target, [source, encoder, label_encoder], "DST")
    check_is_ours(source, CONFIG)
    checkpoint = read_ours(source)
    config = checkpoint.config
    encoder, label_encoder = (None if name is None else os.fspath(name) for name in (encoder, label_encoder))
    if config.label_encoder_config is None:
        raise ValueError(
            "The model reads relation types with the encoder of the text, and the original package has an encoder for "
            "each. Only models with a `label_encoder_config` can be written in its format."
        )
    settings = original_from(config, encoder, label_encoder)
    state = renaming_for(config).to_original(complete_state(checkpoint))
    remainder = Remainder()
    if config.original_config is not None:
        remainder = read_remainder(source)
        state = in_order(state | remainder.unused, remainder.names)
    else:
        if encoder is None or label_encoder is None:
            raise ValueError(
                "The model was trained here, so that nothing says which encoders the original package should load. "
                "Name them with `--encoder` and `--label-encoder`, folders or Hub repositories."
            )
        settings["max_len"] = settings["max_len"] or _WORD_LIMIT
    text = config_text(settings, remainder.config_text)
    write_original(target, OriginalCheckpoint(settings, text, state, remainder.versions), CONFIG)
    write_tokenizer(checkpoint.tokenizer, target)
    return target
