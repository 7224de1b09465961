"""Model cards say what a model is, and hold a call that fits it."""

from __future__ import annotations

import pytest
from transformers import BertConfig

from glirel_transformers import GLiRELConfig
from glirel_transformers.card_glirel import checkpoint_card
from glirel_transformers.configuration_glirel import SYSTEMS


def card_of(**settings):
    encoder = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    return checkpoint_card("a-model", GLiRELConfig(encoder_config=encoder, **settings)).text


def test_a_model_that_finds_entities_is_asked_for_their_types():
    text = card_of(**SYSTEMS["relex"], entity_threshold=0.3)
    assert "GLiNER-Relex" in text
    assert 'entity_types=["person", "city"]' in text
    assert "    entities=" not in text
    assert "| finds entities by | span |" in text
    assert "| threshold of entities | 0.3 |" in text


def test_a_model_that_does_not_is_given_them():
    text = card_of()
    assert "entity_types" not in text
    assert "    entities=" in text


@pytest.mark.parametrize(
    ("settings", "package"),
    [({}, "glirel"), (SYSTEMS["glidre"], "glidre"), (SYSTEMS["relex"], "gliner")],
    ids=["glirel", "glidre", "relex"],
)
def test_the_package_that_a_checkpoint_is_from_is_named(settings, package):
    assert f"original `{package}` package" in card_of(**settings, original_config={"name": "x"})
    assert "original" not in card_of(**settings)


def test_a_calibration_has_a_section_and_without_one_nothing_is_said():
    rule = {"threshold": 0.3, "weight": 0.5, "quantile": 0.9, "reference_types": ["a|b"]}
    fitted = {"temperature": 2.0, "thresholds": {"a|b": 0.25}, "background": rule}
    measured = {"ece_before": 0.1, "ece_after": 0.0123, "num_documents": 1200, "num_folds": 5}
    text = card_of(calibration={**fitted, "measured": measured}, threshold=0.4)
    assert "A probability is `sigmoid(logit / 2)`. A relation counts as predicted from 0.4000 on, or from" in text
    assert "| a\\|b | 0.2500 |" in text
    assert "| expected calibration error | 0.1000 | 0.0123 |" in text
    assert "(1,200 documents, 5 parts)" in text
    assert "at the quantile 0.9, and follows 0.5 of the difference: a\\|b." in text
    assert "sigmoid((logit - threshold_logit) / 2)" in card_of(calibration=fitted, threshold_head=True)
    assert "alibrat" not in card_of()
