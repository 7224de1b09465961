"""Protocols where relation types have thresholds of their own: cells, figures and thresholds from background texts."""

from __future__ import annotations

import numpy as np
import pytest

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import DocumentLevel, EndToEnd, Extraction, Random
from glirel_transformers.evaluation.background import for_another
from glirel_transformers.evaluation.report import document_counts

NAMES = ["spouse", "place of birth", "employer"]
RULE = {"threshold": 0.4, "weight": 0.5, "quantile": 0.5, "reference_types": NAMES[1:]}


@pytest.fixture(scope="module")
def documents():
    people = ["Ada", "Alan", "Grace", "Marie"]
    return [
        Document(
            [people[n], "met", people[(n + 1) % 4], "in", "Paris", *["again"] * n],
            [Mention(0, 1, "PERSON"), Mention(2, 3, "PERSON"), Mention(4, 5, "CITY")],
            [Relation(n % 3, (n + 1) % 3, NAMES[n % 3])],
        )
        for n in range(4)
    ]


@pytest.fixture
def extract(shared_model, monkeypatch):
    monkeypatch.setattr(shared_model.config, "calibration", None)
    return RelationExtractor(shared_model)


def middle_scores(result):
    """Of each type the median: a threshold that some cells reach, and some do not."""
    return np.nanmedian(np.concatenate([one.probabilities for one in result.documents]), axis=0).tolist()


def decided(result):
    """Right, predicted and gold, of the cells and of the protocol's own counts."""
    return document_counts(result).sum(0).tolist(), result.counts.by_type().tolist()


@pytest.mark.parametrize("protocol", [Extraction, DocumentLevel])
def test_cells_are_predicted_as_the_figures_count(extract, documents, monkeypatch, protocol):
    scores = middle_scores(protocol().run(extract, documents))
    own = {NAMES[0]: scores[0], NAMES[1]: 0.0}
    monkeypatch.setattr(extract.model.config, "calibration", {"thresholds": own})
    monkeypatch.setattr(extract.model.config, "threshold", scores[2])
    result = protocol(pairs="annotated").run(extract, documents)
    assert result.type_thresholds == own
    assert result.threshold == scores[2]
    from_cells, from_counts = decided(result)
    assert from_cells == from_counts
    predicted = {name: row[1] for name, row in zip(result.relation_types, from_cells, strict=True)}
    assert predicted[NAMES[1]] == 24
    assert 0 < predicted[NAMES[0]] < 24
    assert 0 < predicted[NAMES[2]] < 24
    assert sum(predicted.values()) == result.cells().predicted.sum()
    assert result.cells(threshold=0.0).predicted.all()
    beside = result.beside["annotated pairs alone"]
    assert 0 < beside["micro_recall"] == pytest.approx(result.figures["micro_recall"])
    one = protocol(threshold=0.0).run(extract, documents)  # what is said stands above what was calibrated
    assert (one.type_thresholds, one.figures["micro_recall"]) == ({}, 1)
    given = protocol(threshold={NAMES[0]: 0.0}).run(extract, documents)
    assert given.type_thresholds == {**own, NAMES[0]: 0.0}


def test_triples_are_predicted_as_the_figures_count(joint_model, monkeypatch):
    entities = [{"start": 0, "end": 5, "label": "person"}, {"start": 12, "end": 18, "label": "city"}]
    texts = ["Tokyo hosts Warsaw.", "Tokyo found Warsaw again.", "Marie likes Warsaw."]
    documents = [Document.from_text(text, entities, [Relation(0, 1, name)]) for text, name in zip(texts, NAMES)]
    joint, protocol = RelationExtractor(joint_model), EndToEnd(relation_types=NAMES, entity_threshold=0.3)
    scores = middle_scores(protocol.run(joint, documents))
    monkeypatch.setattr(joint_model.config, "calibration", {"thresholds": {NAMES[0]: scores[0], NAMES[1]: 0.99}})
    result = protocol.run(joint, documents)
    assert set(result.type_thresholds) == set(NAMES[:2])
    from_cells, from_counts = decided(result)
    assert from_cells == from_counts
    assert from_cells[0][1] > 0
    assert from_cells[1][1] == 0


def test_a_background_gives_thresholds_to_types_that_were_not_calibrated(extract, documents, monkeypatch, tmp_path):
    calibration = {"thresholds": {NAMES[2]: 0.7}, "background": RULE}
    monkeypatch.setattr(extract.model.config, "calibration", calibration)
    protocol = Extraction(background=documents[:2], background_cache=tmp_path / "cache.json")
    result = protocol.run(extract, documents)
    assert set(result.type_thresholds) == set(NAMES)
    assert result.type_thresholds[NAMES[2]] == 0.7
    assert (tmp_path / "cache.json").is_file()
    from_cells, from_counts = decided(result)
    assert from_cells == from_counts
    for other in ({"threshold": 0.5}, {"fit_on": documents}):
        with pytest.raises(ValueError, match="Give one of them"):
            Extraction(background=documents, **other).run(extract, documents)
    with pytest.raises(ValueError, match="The baseline random has no rule"):
        protocol.run(Random(), documents)


def test_models_without_a_rule_are_compared_at_thresholds_of_their_own(extract, documents, monkeypatch):
    protocol = Extraction(background=documents)
    asked, said = for_another(protocol, extract)
    assert asked.background == ()
    assert "no rule for thresholds" in said
    assert for_another(Extraction(threshold=0.9, background=documents), Random()) == (Extraction(), "")
    monkeypatch.setattr(extract.model.config, "calibration", {"background": RULE})
    assert for_another(protocol, extract) == (protocol, "")
