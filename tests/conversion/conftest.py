"""Fixtures for conversions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from glidre_settings import COMMON
from original_settings import noise

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.conversion import revert


@pytest.fixture
def make_glidre(encoder_folder: Callable[[str], Path], tmp_path: Path) -> Callable[..., Path]:
    """`make_glidre("bert", pair_context="none")`: a folder in GLiDRE's format, with weights that are computed."""

    def make(family: str = "deberta-v2", label_family: str = "bert", **settings: Any) -> Path:
        encoders = {"encoder": encoder_folder(family), "label_encoder": encoder_folder(label_family)}
        model = GLiRELForRelationClassification.from_encoder(**encoders, **{**COMMON, **settings})
        model.save_pretrained(tmp_path / "trained-here")
        folder = revert(tmp_path / "trained-here", tmp_path / "original", **encoders)
        weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
        torch.save(noise(weights), folder / "pytorch_model.bin")
        return folder

    return make
