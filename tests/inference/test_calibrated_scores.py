"""What a model was calibrated for is used wherever relations are selected, unless the call says otherwise."""

import json
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from tiny import ENTITIES, RELATION_TYPES, TEXTS

from glirel_transformers import RelationExtractor

FIRST, SECOND, THIRD = RELATION_TYPES
RULE = {"threshold": 0.4, "weight": 0.5, "quantile": 0.5, "reference_types": [SECOND, THIRD]}


@contextmanager
def calibrated(extract, **settings):
    extract.model.config.calibration = settings
    try:
        yield
    finally:
        extract.model.config.calibration = None


def scores_of(extract, **options):
    found = extract(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, return_scores=True, **options)
    return np.concatenate([one.scores for one in found])


def logit(probabilities):
    return np.log(probabilities.astype(np.float64)) - np.log1p(-probabilities.astype(np.float64))


def test_probabilities_are_those_of_the_scaled_logits_in_the_same_order(extractor):
    plain = scores_of(extractor)
    with calibrated(extractor, temperature=2.5, bias=-0.75):
        scaled = scores_of(extractor)
        in_batches = scores_of(extractor, batch_size=2)
    np.testing.assert_allclose(logit(scaled), logit(plain) / 2.5 - 0.75, atol=1e-4)
    np.testing.assert_allclose(in_batches, scaled, atol=1e-5)
    order = np.argsort(plain, axis=None, kind="stable")
    assert (np.diff(scaled.flatten()[order]) >= 0).all()


def test_a_temperature_of_one_leaves_every_bit(extractor):
    plain = scores_of(extractor)
    with calibrated(extractor, temperature=1.0, thresholds={FIRST: 0.2}):
        assert np.array_equal(scores_of(extractor), plain)


def test_the_pipeline_scores_alike(extract, extractor):
    with calibrated(extractor, temperature=0.5, bias=0.2):
        assert np.array_equal(scores_of(extract), scores_of(extractor))


def test_a_threshold_of_each_pair_is_taken_off_before(build_model):
    extract = RelationExtractor(build_model("bert", threshold_head=True))
    plain = scores_of(extract)
    with calibrated(extract, temperature=3.0, bias=0.5):
        np.testing.assert_allclose(logit(scores_of(extract)), logit(plain) / 3 + 0.5, atol=1e-4)


def test_entities_that_are_found_keep_their_probabilities(joint_model):
    extract = RelationExtractor(joint_model)
    asked = {"entity_types": ["person", "city"], "relation_types": ["spouse"], "entity_threshold": 0.3}
    before = extract(TEXTS[0], return_entities=True, threshold=0.0, **asked)
    with calibrated(extract, temperature=4.0):
        after = extract(TEXTS[0], return_entities=True, threshold=0.0, **asked)
    assert after["entities"] == before["entities"]
    assert [one["score"] for one in after["relations"]] != [one["score"] for one in before["relations"]]


# The first three pairs of the three mentions of a text, and the others alike.
SCRIPTED = [[0.6, 0.6, 0.6]] * 6


def names(relations):
    return {relation["relation"] for relation in relations}


@pytest.mark.parametrize(
    ("asked", "options", "expected"),
    [
        (RELATION_TYPES, {}, {SECOND, THIRD}),  # the first has 0.7, the third 0.55, and the second the common 0.5
        (RELATION_TYPES, {"threshold": 0.59}, set(RELATION_TYPES)),  # the call stands above the model
        ({FIRST: {"threshold": 0.1}, SECOND: None, THIRD: {"threshold": 0.9}}, {}, {FIRST, SECOND}),  # types above it
        ({"named otherwise": {"description": FIRST}, SECOND: None}, {}, {SECOND}),  # by the words that are read
        ({FIRST: {"description": "any words"}}, {}, {FIRST}),
    ],
)
def test_which_threshold_decides(scripted, asked, options, expected):
    pipe = scripted([row[: len(asked)] for row in SCRIPTED])
    with calibrated(pipe, thresholds={FIRST: 0.7, THIRD: 0.55}):
        assert names(pipe(TEXTS[1], entities=ENTITIES[1], relation_types=asked, **options)) == expected
        scores = pipe(TEXTS[1], entities=ENTITIES[1], relation_types=asked, return_scores=True)
        assert names(scores.select(**options)) == expected
        assert {one["relation"] for one in scores.left_out(**options)} == set(asked) - expected


def test_coreference_has_the_threshold_of_its_type(scripted):
    pipe = scripted(SCRIPTED)
    with calibrated(pipe, thresholds={FIRST: 0.7}):
        scores = pipe(TEXTS[1], entities=ENTITIES[1], relation_types=RELATION_TYPES, return_scores=True)
    assert len(scores.merge_coreferent(FIRST).entities) == 3
    assert len(scores.merge_coreferent(SECOND).entities) == 1
    assert len(scores.merge_coreferent(FIRST, threshold=0.5).entities) == 1


BACKGROUND = [{"text": text, "entities": entities} for text, entities in zip(TEXTS, ENTITIES, strict=True)]


def test_thresholds_from_background_texts_counted_by_hand(extractor):
    with calibrated(extractor, temperature=2.0, bias=-1.0, background=RULE):
        found = extractor.background(BACKGROUND, [FIRST])
        logits = logit(scores_of(extractor))
    level, *others = np.median(logits, axis=0)
    expected = np.log(0.4 / 0.6) + 0.5 * (level - np.mean(others))
    assert list(found) == [FIRST]
    assert logit(np.array(found[FIRST]["threshold"])) == pytest.approx(expected, abs=1e-4)


def test_only_types_without_a_threshold_get_one_and_settings_stay(extractor):
    asked = {
        FIRST: {"head": ["PERSON"], "symmetric": True, "description": "where somebody was born"},
        SECOND: {"threshold": 0.9},
        THIRD: None,
    }
    with calibrated(extractor, background=RULE, thresholds={THIRD: 0.2}):
        found = extractor.background(BACKGROUND, asked)
        relations = extractor(TEXTS[0], entities=ENTITIES[0], relation_types=RELATION_TYPES)
    assert isinstance(relations, list)
    assert found[SECOND] == {"threshold": 0.9}
    assert found[THIRD] == {}
    assert 0 < found[FIRST].pop("threshold") < 1
    assert found[FIRST] == {"head": ["PERSON"], "symmetric": True, "description": "where somebody was born"}


def test_the_same_question_is_answered_from_the_cache(build_model, tmp_path, monkeypatch):
    model = build_model("bert")
    extract = RelationExtractor(model)
    cache = tmp_path / "thresholds.json"
    with calibrated(extract, background=RULE):
        first = extract.background(BACKGROUND, [FIRST], cache=cache)
        monkeypatch.setattr(extract, "iterate", lambda *_, **__: pytest.fail("It was measured again."))
        assert extract.background(BACKGROUND, [FIRST]) == first
        other = RelationExtractor(model)
        monkeypatch.setattr(other, "iterate", lambda *_, **__: pytest.fail("It was measured again."))
        assert other.background(BACKGROUND, [FIRST], cache=cache) == first
        monkeypatch.undo()
        other.background(BACKGROUND[:2], [FIRST], cache=cache)
        assert len(json.loads(cache.read_text(encoding="utf-8"))["thresholds"]) == 2
        with torch.no_grad():
            next(model.parameters()).add_(0.1)  # another model, of which nothing is known
        RelationExtractor(model).background(BACKGROUND, [FIRST], cache=cache)
        assert len(json.loads(cache.read_text(encoding="utf-8"))["thresholds"]) == 3
        cache.write_text("[]", encoding="utf-8")
        with pytest.raises(ValueError, match="does not hold thresholds from background texts"):
            other.background(BACKGROUND, [FIRST], cache=cache)


def test_what_a_background_needs_is_said(extractor, caplog):
    with pytest.raises(ValueError, match="has no rule for thresholds from background texts"):
        extractor.background(BACKGROUND, [FIRST])
    with calibrated(extractor, background=RULE):
        with pytest.raises(ValueError, match="The 1 background texts have no pair of entities"):
            extractor.background([{"text": "Alone.", "entities": []}], [FIRST])
        with pytest.raises(TypeError, match="no option 'thresold'"):
            extractor.background(BACKGROUND, [FIRST], thresold=1)
        assert extractor.background("Marie met Ada.", {FIRST: {"threshold": 0.3}}) == {FIRST: {"threshold": 0.3}}
