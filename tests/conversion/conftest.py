"""Checkpoints in the original package's format, made here: of our own models, written by `revert`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from original_settings import COMMON, SETTINGS

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.conversion import revert

MakeOriginal = Callable[..., Path]


@pytest.fixture
def make_original(
    build_model: Callable[..., GLiRELForRelationClassification],
    encoder_folder: Callable[[str], Path],
    tmp_path: Path,
) -> MakeOriginal:
    """`make_original("both", family="bert")`: a folder in the original's format."""

    def make(setting: str = "base", family: str = "bert") -> Path:
        model = build_model(family, **{**COMMON, **SETTINGS[setting]})
        model.save_pretrained(tmp_path / "trained-here")
        return revert(tmp_path / "trained-here", tmp_path / "original", encoder=encoder_folder(family))

    return make
