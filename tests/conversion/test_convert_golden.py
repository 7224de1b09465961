"""Scores that the original package computes, for each of its settings, with weights that are computed too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from original_settings import SETTINGS, noise

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.conversion import convert

# Scores of glirel 1.2.1 (transformers 4.57.6, torch 2.13.0): by setting and encoder, for the pairs Charles Babbage →
# "London of Sony" and Sony → "London of Sony", of each relation type; then, where there is one, of coreference.
GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))
PAIRS = [(0, 2), (3, 2)]
TEXTS = [
    "Ada Lovelace wrote the first program … for Charles Babbage , born in London of Sony work .",
    "Tokyo hosts Sony .",
]
WORDS = [text.split() for text in TEXTS]
MENTIONS = [[(8, 10), (0, 2), (13, 16), (15, 16)], [(0, 1), (2, 3)]]  # unsorted, and one within another
RELATION_TYPES = ["place of birth", "spouse", "headquartered in"]


@pytest.mark.slow
@pytest.mark.parametrize("family", [pytest.param("bert", marks=pytest.mark.sweep), "deberta-v2"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_scores_are_those_of_the_original(setting, family, make_original, tmp_path):
    original = make_original(family, **SETTINGS[setting])
    weights = torch.load(original / "pytorch_model.bin", weights_only=True)
    torch.save(noise(weights), original / "pytorch_model.bin")
    model = GLiRELForRelationClassification.from_pretrained(convert(original, tmp_path / "converted")).eval()
    batch = model.tokenizer(
        WORDS, entities=MENTIONS, relation_types=RELATION_TYPES, is_split_into_words=True, padding=True
    )
    with torch.inference_mode():
        output = model(**batch)
    pairs = [tuple(pair) for pair in batch["pair_index"][0].tolist()]
    for pair, expected in zip(PAIRS, GOLDEN[setting][family], strict=True):
        place = pairs.index(pair)
        scores = output.logits[0, place].tolist()
        if output.coreference_logits is not None:
            scores.append(output.coreference_logits[0, place].item())
        assert scores == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_every_setting_has_golden_scores():
    assert set(GOLDEN) == set(SETTINGS)
    different = {json.dumps(scores) for name, scores in GOLDEN.items() if name not in ("distance", "focal")}
    assert len(different) == len(GOLDEN) - 2
