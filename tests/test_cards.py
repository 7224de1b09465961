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
