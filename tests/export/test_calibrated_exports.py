"""A calibration goes along with an export, and gives the same probabilities on ONNX Runtime as on torch."""

import copy

import numpy as np
import pytest
from tiny import ENTITIES, EXPORTED, RELATION_TYPES, TEXTS

from glirel_transformers import RelationExtractor
from glirel_transformers.card_glirel import CARD_FILE
from glirel_transformers.configuration_glirel import SYSTEMS, GLiRELConfig
from glirel_transformers.data import Document, Relation
from glirel_transformers.evaluation import fit_calibration
from glirel_transformers.export import ORTModelForRelationClassification, calibrate, export

pytestmark = pytest.mark.slow

FITTED = {"temperature": 2.5, "bias": -0.75, "thresholds": {RELATION_TYPES[0]: 0.05}}
SETTINGS = {"bert": EXPORTED["bert"], "threshold_head": {**SYSTEMS["glidre"], "threshold_head": True}}


def scores_of(extract, **options):
    found = extract(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, return_scores=True, **options)
    return np.concatenate([one.scores for one in found])


@pytest.mark.parametrize("settings", SETTINGS)
def test_probabilities_are_those_of_torch(exported, settings):
    model, folder = exported("bert", **SETTINGS[settings])
    torch_extract = RelationExtractor(model)
    ort_extract = RelationExtractor(ORTModelForRelationClassification.from_pretrained(folder))
    try:
        # Noise scores by the hundred: in the middle of their range, probabilities tell them apart.
        model.config.calibration = {"temperature": 1e3}
        scores = scores_of(torch_extract).astype(np.float64)
        logits = 1e3 * (np.log(scores) - np.log1p(-scores))
        spread = float(logits.std())
        fitted = {**FITTED, "temperature": spread, "bias": -float(logits.mean()) / spread}
        model.config.calibration = ort_extract.model.config.calibration = fitted
        expected = scores_of(torch_extract)
        assert expected.std() > 0.1
        np.testing.assert_allclose(scores_of(ort_extract), expected, atol=1e-5)
        asked = {"entities": ENTITIES[1], "relation_types": RELATION_TYPES}
        expected, got = (
            {(one["head"]["index"], one["relation"], one["tail"]["index"]) for one in extract(TEXTS[1], **asked)}
            for extract in (torch_extract, ort_extract)
        )
        assert got == expected
    finally:
        model.config.calibration = None


def test_it_is_written_next_to_the_graph_and_on_the_card(traced, tmp_path):
    model = copy.deepcopy(traced[0])
    model.config.calibration = FITTED
    export(model, tmp_path / "onnx")
    assert GLiRELConfig.from_pretrained(tmp_path / "onnx").calibration == FITTED
    card = (tmp_path / "onnx" / CARD_FILE).read_text(encoding="utf-8")
    assert "a probability is `sigmoid(logit / 2.5 - 0.75)`" in card
    assert "## Calibration" in card
    expected = scores_of(RelationExtractor(model))
    got = scores_of(RelationExtractor(ORTModelForRelationClassification.from_pretrained(tmp_path / "onnx")))
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_an_export_is_calibrated_and_compared_at_its_own_thresholds(exported):
    model, folder = exported("bert", **EXPORTED["bert"])
    ort_model = ORTModelForRelationClassification.from_pretrained(folder)
    extract = RelationExtractor(ort_model)
    documents = [
        Document.from_text(text, [{"start": start, "end": end, "label": "X"} for start, end in entities], relations)
        for text, entities, relations in zip(
            TEXTS,
            ENTITIES,
            [[Relation(0, 1, RELATION_TYPES[0])], [Relation(0, 1, RELATION_TYPES[1])], []],
            strict=True,
        )
    ]
    report = fit_calibration(extract, documents, RELATION_TYPES, num_folds=3, min_examples=1, by_type=True)
    same = RelationExtractor(copy.deepcopy(model))
    report.apply(ort_model.config)
    report.apply(same.model.config)
    found = calibrate(extract, same, documents, RELATION_TYPES)
    assert found.num_changed_decisions == 0
    assert found.before == found.after
