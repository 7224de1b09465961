"""Converted GLiDRE checkpoints score what a plain implementation of the original's formulas does."""

from __future__ import annotations

import pytest
import torch
from glidre_documents import Document, features_of
from glidre_naive import NaiveGLiDRE
from glidre_settings import CASES, SETTINGS

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.conversion import convert

TEXT = "Ada Lovelace wrote the first program for Charles Babbage , born in London \u200b of Sony work ."
WORDS = TEXT.split()
TYPES = ["place of birth", "spouse", "SPOUSE_OF", "headquartered in the city"]
DOCUMENTS = {
    "clusters": Document(WORDS, [[(0, 1)], [(7, 8), (3, 5)], [(12, 12)], [(15, 15), (12, 12), (0, 0)]], [], TYPES, []),
    # One within another, one twice, one alike, one without a mention.
    "odd": Document(
        WORDS, [[(0, 3), (3, 3), (5, 5), (5, 5)], [(0, 3), (16, 16)], [(0, 0)], [], [(16, 16)]], [], TYPES[:2], []
    ),
    # Past the limit of 40 words: a first mention, a whole entity, and the end of a mention.
    "long": Document(WORDS * 4, [[(50, 51), (0, 1)], [(60, 61)], [(38, 42), (0, 0)], [(7, 7), (0, 1)]], [], TYPES, []),
    "single": Document(WORDS[15:], [[(0, 0)]], [], TYPES[:1], []),
}
FAMILIES = [("deberta-v2", "bert"), ("bert", "deberta-v2"), ("roberta", "electra"), ("modernbert", "bert")]


def columns_of(model, features):
    """All columns of a batch, the thresholds first where there are any."""
    with torch.inference_mode():
        output = model(**model.tokenizer.pad(features))
    thresholds = output.threshold_logits
    return torch.cat([*([] if thresholds is None else [thresholds.unsqueeze(-1)]), output.logits], dim=-1)


def compare(original, tmp_path):
    naive = NaiveGLiDRE(original)
    model = GLiRELForRelationClassification.from_pretrained(convert(original, tmp_path / "converted")).eval()
    features = {name: features_of(model.tokenizer, document) for name, document in DOCUMENTS.items()}
    for name, document in DOCUMENTS.items():
        expected = naive.of_features(features[name], document)
        assert expected.numel() == 1 or expected.std() > 0.05, "the weights make all scores alike"
        torch.testing.assert_close(columns_of(model, [features[name]])[0], expected, rtol=1e-4, atol=1e-4, msg=name)
    if model.config.layer_fusion == "none":  # which reads the padding of types
        together = columns_of(model, list(features.values()))
        has_thresholds = int(model.config.threshold_head)
        for place, document in enumerate(DOCUMENTS.values()):
            alone = columns_of(model, [features_of(model.tokenizer, document)])[0]
            ours = together[place, : len(alone), : len(document.labels) + has_thresholds]
            torch.testing.assert_close(ours, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("setting", CASES)
def test_scores_of_a_setting(setting, make_glidre, tmp_path):
    compare(make_glidre(**SETTINGS[setting]), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("setting", [pytest.param("base", marks=pytest.mark.sweep), "everything"])
@pytest.mark.parametrize(("text", "labels"), FAMILIES)
def test_scores_with_other_encoders(text, labels, setting, make_glidre, tmp_path):
    compare(make_glidre(text, labels, **SETTINGS[setting]), tmp_path)


def test_tokens_past_the_encoder_s_limit_leave_words_without_a_vector(make_glidre, tmp_path):
    original = make_glidre("bert", max_words=400)
    naive = NaiveGLiDRE(original)
    model = GLiRELForRelationClassification.from_pretrained(convert(original, tmp_path / "converted")).eval()
    document = Document(WORDS * 10, [[(0, 1), (150, 151)], [(90, 91)], [(12, 12)]], [], TYPES, [])
    features = features_of(model.tokenizer, document)
    assert len(features["input_ids"]) == model.tokenizer.model_max_length
    assert (features["word_token_spans"][150:152] == 0).all()
    expected = naive.of_features(features, document)
    torch.testing.assert_close(columns_of(model, [features])[0], expected, rtol=1e-4, atol=1e-4)
