"""The Space's own modules, and a desk with a tiny model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "space"))

from labelling import model
from labelling.desk import Desk
from tiny_joint import make_joint_model

from glirel_transformers.pipeline_glirel import RelationExtractionPipeline


class CountingPipeline:
    """A pipeline that counts how often it runs."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline, self.model, self.calls = pipeline, pipeline.model, 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        return self.pipeline(*arguments, **options)


@pytest.fixture
def tiny_pipeline(shared_model: Any, monkeypatch: pytest.MonkeyPatch) -> CountingPipeline:
    """The pipeline of the page, for this test: a tiny model of random weights."""
    counting = CountingPipeline(RelationExtractionPipeline(shared_model, device="cpu"))
    monkeypatch.setattr(model, "pipeline", lambda: counting)
    return counting


TEXT = "Marie Curie was born in Warsaw. She married Pierre Curie in Paris."
MARKS = (("Marie Curie", "PERSON"), ("Warsaw", "CITY"), ("Pierre Curie", "PERSON"), ("Paris", "CITY"))
LINES = "place of birth: PERSON -> CITY\nspouse: PERSON <-> PERSON\nworks in"


@pytest.fixture
def desk(tiny_pipeline: CountingPipeline) -> Desk:
    """A desk with a text, four entities and three relations, extracted; everything but what is constrained counts."""
    desk = Desk()
    assert desk.run(desk.type_text, TEXT) is None
    for surface, label in MARKS:
        start = TEXT.index(surface)
        desk.run(desk.mark, start, start + len(surface))
        desk.run(desk.relabel, f"{start}-{start + len(surface)}", label, False)
    desk.run(desk.choose, 0.0, 3)
    desk.run_model(desk.extract, desk.revision, TEXT, LINES)
    assert desk.problem is None
    return desk


@pytest.fixture(scope="session")
def joint_model(encoder_folder: Callable[[str], Path]) -> Any:
    """A model that finds entities, of random weights: every type scores somewhat below 0.5 everywhere."""
    return make_joint_model(encoder_folder("bert"), num_steps=0)


@pytest.fixture
def joint_pipeline(joint_model: Any, monkeypatch: pytest.MonkeyPatch) -> CountingPipeline:
    """The pipeline of the page, for this test: a tiny model that finds entities."""
    counting = CountingPipeline(RelationExtractionPipeline(joint_model, device="cpu"))
    monkeypatch.setattr(model, "pipeline", lambda: counting)
    return counting
