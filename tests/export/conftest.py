"""What the tests of exports share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glirel_transformers.export import export


@pytest.fixture(scope="session")
def exported(build_model, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Any, Path]]:
    """`exported("bert", scorer="dot_norm")`: a tiny model and the folder of its export, made once a session."""
    done: dict[str, tuple[Any, Path]] = {}

    def make(family: str = "bert", **settings: Any) -> tuple[Any, Path]:
        key = repr((family, settings))
        if key not in done:
            model = build_model(family, **settings)
            done[key] = model, export(model, tmp_path_factory.mktemp("exports") / "onnx")
        return done[key]

    return make
