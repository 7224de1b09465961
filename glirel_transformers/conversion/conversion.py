"""Which package a checkpoint is of, and its conversion."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeAlias

from transformers.utils import logging

from glirel_transformers.calibration_glirel import ScoreCalibration
from glirel_transformers.configuration_glirel import GLiRELConfig

from . import glidre, glirel, relex
from .checkpoints import find_optional
from .glidre.settings import CONFIG as GLIDRE_CONFIG
from .originals import check_is_ours
from .relex.settings import CONFIG as RELEX_CONFIG

logger = logging.get_logger(__name__)

Name: TypeAlias = "str | os.PathLike[str]"


def convert(
    source: Name,
    target: Name,
    *,
    encoder: Name | None = None,
    label_encoder: Name | None = None,
    empty_words: str = "kept",
) -> Path:
    """Writes a checkpoint of an original package as a complete folder of this package.

    Which package it is of is seen from its files. Scores stay the same.

    Args:
        source: folder or Hub repository with `pytorch_model.bin` or `model.safetensors`, and `glirel_config.json`,
            `glidre_config.json` or `gliner_config.json`.
        target: the folder to write.
        encoder: folder or Hub repository of the encoder, for its tokenizer and, for GLiREL, its configuration. By
            default what the checkpoint holds or names, looked for in the working directory, in the checkpoint's
            folder, next to it, and on the Hub.
        label_encoder: the same of the encoder of relation types, which GLiDRE has.
        empty_words: `"skipped"` keeps GLiNER-Relex's way with words of which the tokenizer keeps nothing, see
            [`GLiRELConfig`].

    Returns:
        `target`.

    Raises:
        ValueError: when the checkpoint is incomplete, damaged, of another package, or does not fit the encoder.
    """
    is_relex = _is_in_format(os.fspath(source), RELEX_CONFIG)
    if not is_relex and empty_words != "kept":
        raise ValueError(
            "`empty_words` is for GLiNER-Relex checkpoints: this one is of another package. Leave it out."
        )
    if _is_in_format(os.fspath(source), GLIDRE_CONFIG):
        return glidre.convert(source, target, encoder=encoder, label_encoder=label_encoder)
    _check_no_label_encoder(label_encoder)
    if is_relex:
        return relex.convert(source, target, encoder=encoder, empty_words=empty_words)
    return glirel.convert(source, target, encoder=encoder)


def revert(source: Name, target: Name, *, encoder: Name | None = None, label_encoder: Name | None = None) -> Path:
    """Writes a checkpoint of this package in the format of an original.

    That is GLiNER's, if it finds entities; GLiDRE's, if relation types are read apart; else GLiREL's.

    Weights and settings of a converted checkpoint come back bit for bit. A model that was trained further keeps the
    settings that it was converted with. One that was trained here can be written where its settings are those of the
    original.

    Args:
        source: folder or Hub repository of this package.
        target: the folder to write.
        encoder: the encoder that the original is to load; by default the one that the checkpoint was converted with.
            Needed for a model that was trained here.
        label_encoder: the same of the encoder of relation types, which GLiDRE has.

    Returns:
        `target`.

    Raises:
        ValueError: when a setting, or the tokenizer, has no counterpart in the original.
    """
    check_is_ours(os.fspath(source), GLIDRE_CONFIG)
    check_is_ours(os.fspath(source), RELEX_CONFIG)
    settings = _settings(os.fspath(source))
    finds_entities = settings.get("entity_finder", "none") != "none"
    if ScoreCalibration.read(settings.get("calibration")).changes_scores:
        logger.warning(
            "The original packages know no calibration: there, scores are as they were before it, and thresholds are "
            "to be fitted again."
        )
    if settings.get("label_encoding") == "separate" and not finds_entities:
        return glidre.revert(source, target, encoder=encoder, label_encoder=label_encoder)
    _check_no_label_encoder(label_encoder)
    if finds_entities:
        return relex.revert(source, target, encoder=encoder)
    return glirel.revert(source, target, encoder=encoder)


def _is_in_format(source: str, config_name: str) -> bool:
    if Path(source).is_dir():
        return (Path(source) / config_name).is_file()
    is_repository = source.count("/") == 1 and not source.startswith((".", "/", "~"))
    return is_repository and find_optional(source, config_name) is not None


def _settings(source: str) -> dict[str, Any]:
    """Those of a checkpoint of this package; none where it is something else, for an error about that."""
    try:
        content, _ = GLiRELConfig.get_config_dict(source)
    except (OSError, ValueError):
        return {}
    return dict(content)


def _check_no_label_encoder(label_encoder: Name | None) -> None:
    if label_encoder is not None:
        raise ValueError(
            "`--label-encoder` is for checkpoints with an encoder of relation types, as GLiDRE's have: this one reads "
            "them in front of the text. Leave it out."
        )
