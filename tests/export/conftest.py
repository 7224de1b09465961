"""What the tests of exports share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_ir
import pytest
import torch
from filelock import FileLock
from tiny import EXPORTED, fill_with_noise

from glirel_transformers import GLiRELForJointExtraction
from glirel_transformers.export import export, exporter


def _calm(model: Any) -> None:
    """Noise would make every probability of an entity 0 or 1."""
    finder = getattr(model.glirel, "entity_finder", None)
    layers = [] if finder is None else [getattr(finder, "output", model.glirel.entity_type_feed_forward[-1])]
    with torch.no_grad():
        for parameter in (parameter for layer in layers for parameter in layer.parameters()):
            parameter *= 0.1


@pytest.fixture(scope="session")
def exported(build_model, encoder_folder, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Any, Path]]:
    """`exported("bert", scorer="dot_norm")`: a tiny model full of noise and its export, which is not to be changed.

    Each is made once, by whichever of the processes that share the tests needs it first. `options` are those of
    `export`.
    """
    root = tmp_path_factory.getbasetemp()
    root = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "exports"
    models: dict[str, Any] = {}

    def make(family: str = "bert", options: dict[str, Any] | None = None, **settings: Any) -> tuple[Any, Path]:
        model_key = repr((family, sorted(settings.items())))
        if model_key not in models:
            if settings.get("entity_finder", "none") == "none":
                models[model_key] = build_model(family, **settings)
            else:
                models[model_key] = GLiRELForJointExtraction.from_encoder(encoder_folder(family), **settings).eval()
            fill_with_noise(models[model_key])
            _calm(models[model_key])
        model = models[model_key]
        folder = root / hashlib.sha256(repr((model_key, options)).encode()).hexdigest()[:16] / "onnx"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                export(model, folder, **(options or {}))
        return model, folder

    return make


@pytest.fixture
def traced(exported, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Path]:
    """A model and its export, and whatever is exported in this test has that graph, so that none is traced again."""
    model, folder = exported("bert", **EXPORTED["bert"])
    monkeypatch.setattr(exporter, "to_onnx", lambda *_: onnx_ir.load(folder / "model.onnx"))
    return model, folder
