"""Which package a checkpoint is of, and its conversion."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from glirel_transformers.configuration_glirel import GLiRELConfig

from . import glidre, glirel
from .checkpoints import find_optional
from .glidre.settings import CONFIG as GLIDRE_CONFIG
from .originals import check_is_ours

Name: TypeAlias = "str | os.PathLike[str]"


def convert(source: Name, target: Name, *, encoder: Name | None = None, label_encoder: Name | None = None) -> Path:
    """Writes a checkpoint of an original package as a complete folder of this package.

    Which package it is of is seen from its files. Scores stay the same.

    Args:
        source: folder or Hub repository with `pytorch_model.bin` and `glirel_config.json` or `glidre_config.json`.
        target: the folder to write.
        encoder: folder or Hub repository of the encoder, for its tokenizer and, for GLiREL, its configuration. By
            default what the checkpoint holds or names, looked for in the working directory, in the checkpoint's
            folder, next to it, and on the Hub.
        label_encoder: the same of the encoder of relation types, which GLiDRE has.

    Returns:
        `target`.

    Raises:
        ValueError: when the checkpoint is incomplete, damaged, of another package, or does not fit the encoder.
    """
    if _is_in_glidre_format(os.fspath(source)):
        return glidre.convert(source, target, encoder=encoder, label_encoder=label_encoder)
    _check_no_label_encoder(label_encoder)
    return glirel.convert(source, target, encoder=encoder)


def revert(source: Name, target: Name, *, encoder: Name | None = None, label_encoder: Name | None = None) -> Path:
    """Writes a checkpoint of this package in the format of an original: GLiDRE's, if relation types are read apart.

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
    if _reads_labels_apart(os.fspath(source)):
        return glidre.revert(source, target, encoder=encoder, label_encoder=label_encoder)
    _check_no_label_encoder(label_encoder)
    return glirel.revert(source, target, encoder=encoder)


def _is_in_glidre_format(source: str) -> bool:
    if Path(source).is_dir():
        return (Path(source) / GLIDRE_CONFIG).is_file()
    is_repository = source.count("/") == 1 and not source.startswith((".", "/", "~"))
    return is_repository and find_optional(source, GLIDRE_CONFIG) is not None


def _reads_labels_apart(source: str) -> bool:
    """Whether a checkpoint of this package does; `False` where it is something else, for an error about that."""
    try:
        content, _ = GLiRELConfig.get_config_dict(source)
    except (OSError, ValueError):
        return False
    return content.get("label_encoding") == "separate"


def _check_no_label_encoder(label_encoder: Name | None) -> None:
    if label_encoder is not None:
        raise ValueError(
            "`--label-encoder` is for checkpoints with an encoder of relation types, as GLiDRE's have: this one reads "
            "them in front of the text. Leave it out."
        )
