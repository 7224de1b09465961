"""Pipelines on tiny models, and one whose scores are given."""

from __future__ import annotations

import numpy as np
import pytest

from glirel_transformers import RelationExtractionPipeline, RelationExtractor
from glirel_transformers.running_glirel import Scored


@pytest.fixture(scope="module")
def extract(shared_model) -> RelationExtractionPipeline:
    return RelationExtractionPipeline(shared_model)


@pytest.fixture(scope="module")
def extractor(shared_model) -> RelationExtractor:
    return RelationExtractor(shared_model)


@pytest.fixture(scope="module")
def marked(build_model) -> RelationExtractionPipeline:
    return RelationExtractionPipeline(build_model("bert", entity_markers=True))


@pytest.fixture
def scripted(shared_model, monkeypatch):
    """`scripted(scores)`: a pipeline whose model gives these probabilities, `(pairs, relations)`, pairs row-major."""

    def make(scores, **options) -> RelationExtractionPipeline:
        pipe = RelationExtractionPipeline(shared_model, **options)
        scored = Scored(np.array([scores], dtype=np.float32), None)
        monkeypatch.setattr(pipe.extractor, "_score", lambda features, prompts: scored)
        return pipe

    return make
