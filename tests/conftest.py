"""Fixtures for every test; what they are made of is in tiny.py."""

# ruff: noqa: E402  (transformers reads the environment when it is imported)
from __future__ import annotations

import os
import subprocess
import sys

for _name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_EVALUATE_OFFLINE"):
    os.environ.setdefault(_name, "1")  # a cache miss fails at once, instead of after a time-out
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from interpreters import ROOT, Interpreter
from tiny import ENTITIES, FAMILIES, RELATION_TYPES, TEXTS, make_base_tokenizer, make_encoder_config, spread_scores
from transformers import AutoModel

from glirel_transformers import GLiRELForJointExtraction, GLiRELForRelationClassification, GLiRELTokenizer
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.conversion import revert

torch.set_num_threads(1)

_LIBRARIES = """import torch; torch.set_num_threads(1)
import transformers
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedModel, Trainer, pipeline
"""


_SLOW_FIXTURES = {"exported", "interpreter", "interpreter_without_package"}
# Whose tests run commands on checkpoints, convert or export them, talk to a server or the page, or save and load them.
# The folders are those that `make test-fast` does not even collect.
_SLOW_PLACES = {"cli", "conversion", "export", "space", "synthesis", "test_hub.py", "test_loading.py"}
# One with absolute positions, one with relative ones.
_FAST_FAMILIES = {"bert", "deberta-v2"}


def _is_slow(item: pytest.Item) -> bool:
    if _SLOW_FIXTURES & set(getattr(item, "fixturenames", ())) or _SLOW_PLACES & {
        item.path.parent.name,
        item.path.name,
    }:
        return True
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return parameters.get("family") in set(FAMILIES) - _FAST_FAMILIES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What exports, has an interpreter started, or works on whole checkpoints is slow, and so are further encoders."""
    for item in items:
        if _is_slow(item):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _only_slow_tests_start_interpreters(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the fast tests fast: one that starts a Python, or exports a graph, must be marked as slow."""
    if any(request.node.get_closest_marker(name) for name in ("slow", "sweep", "browser")):
        return

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("A test that exports or starts an interpreter is slow: mark it with pytest.mark.slow.")

    start = subprocess.Popen.__init__

    def start_others(self: subprocess.Popen[Any], args: Any, *rest: Any, **options: Any) -> None:
        program = args if isinstance(args, str) else os.fspath(args[0])
        if program == sys.executable:
            refuse()
        start(self, args, *rest, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", start_others)
    monkeypatch.setattr(torch.export, "export", refuse)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders of pre-trained encoders: `encoder_folder("bert")` is one, with its tokenizer."""
    root = tmp_path_factory.mktemp("encoders")

    def folder(family: str) -> Path:
        target = root / f"tiny-{family}"
        if not target.exists():
            torch.manual_seed(FAMILIES.index(family))
            AutoModel.from_config(make_encoder_config(family)).save_pretrained(target)
            make_base_tokenizer(family).save_pretrained(target)
        return target

    return folder


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    """An interpreter that finds the package, and in which neither it nor transformers has been imported yet."""
    server = Interpreter(tmp_path_factory.mktemp("home"), _LIBRARIES, purge="transformers", path=[ROOT])
    yield server
    server.close()


@pytest.fixture(scope="session")
def interpreter_without_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    """An interpreter with transformers that does not find this package, works in an empty folder and is offline."""
    server = Interpreter(tmp_path_factory.mktemp("home"), _LIBRARIES + "import evaluate, onnxruntime")
    yield server
    server.close()


BuildModel = Callable[..., GLiRELForRelationClassification]


@pytest.fixture(scope="session")
def build_model(encoder_folder: Callable[[str], Path]) -> BuildModel:
    """`build_model("bert", scorer="dot_norm")`: a model in evaluation mode, with its tokenizer attached."""

    def build(family: str = "bert", **settings: Any) -> GLiRELForRelationClassification:
        folder = encoder_folder(family)
        torch.manual_seed(17)
        return GLiRELForRelationClassification.from_encoder(folder, **settings).eval()

    return build


@pytest.fixture(scope="session")
def build_joint(encoder_folder: Callable[[str], Path]) -> Callable[..., GLiRELForJointExtraction]:
    """`build_joint("bert", entity_finder="token")`: a model that finds entities, with the choices of GLiNER-Relex."""

    def build(family: str = "bert", **settings: Any) -> GLiRELForJointExtraction:
        folder = encoder_folder(family)
        torch.manual_seed(17)
        chosen = {**SYSTEMS["relex"], "max_entity_width": 4, **settings}
        model = GLiRELForJointExtraction.from_encoder(folder, **chosen).eval()
        spread_scores(model)
        return model

    return build


@pytest.fixture(scope="session")
def joint_model(build_joint: Callable[..., GLiRELForJointExtraction]) -> GLiRELForJointExtraction:
    """One such BERT model for tests that only read it."""
    return build_joint("bert")


@pytest.fixture(scope="session")
def shared_model(build_model: BuildModel) -> GLiRELForRelationClassification:
    """One BERT model for tests that only read it."""
    return build_model("bert")


@pytest.fixture(scope="session")
def tokenizer(shared_model: GLiRELForRelationClassification) -> GLiRELTokenizer:
    """The WordPiece tokenizer of `shared_model`, to be left as it is."""
    assert shared_model.tokenizer is not None
    return shared_model.tokenizer


@pytest.fixture
def make_original(
    build_model: BuildModel, encoder_folder: Callable[[str], Path], tmp_path: Path
) -> Callable[..., Path]:
    """`make_original("bert", scorer="dot_norm")`: a folder in the original package's format, written by `revert`."""

    def make(family: str = "bert", **settings: Any) -> Path:
        model = build_model(family, **{"use_lstm": True, "endpoint_projection": True, "max_words": 60, **settings})
        model.save_pretrained(tmp_path / "trained-here")
        return revert(tmp_path / "trained-here", tmp_path / "original", encoder=encoder_folder(family))

    return make


@pytest.fixture
def encode() -> Callable[..., Any]:
    """The three texts (or those chosen) as one batch for a model."""

    def make(model: GLiRELForRelationClassification, members: tuple[int, ...] = (0, 1, 2), **options: Any) -> Any:
        assert model.tokenizer is not None
        return model.tokenizer(
            [TEXTS[i] for i in members],
            entities=[ENTITIES[i] for i in members],
            relation_types=options.pop("relation_types", RELATION_TYPES),
            padding=True,
            **options,
        )

    return make
