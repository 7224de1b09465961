"""Selecting relations from scores that are kept, and the reasons for what is left out."""

from dataclasses import replace

import numpy as np
import pytest
from tiny import ENTITIES, RELATION_TYPES, TEXTS

from glirel_transformers import RelationExtractionPipeline
from glirel_transformers.requests_glirel import read_entities, read_relation_types
from glirel_transformers.scores_glirel import RelationScores

TYPED = [(start, end, label) for (start, end), label in zip(ENTITIES[1], ["PERSON", "PERSON", "CITY"], strict=True)]
CONSTRAINED = {
    "place of birth": {"head": ["PERSON"], "tail": ["CITY"]},
    "spouse": {"symmetric": True},
    "headquartered in": {"threshold": 0.3},
}


@pytest.fixture(scope="module")
def extract(shared_model):
    return RelationExtractionPipeline(shared_model)


@pytest.fixture(scope="module")
def scores(extract):
    return extract(TEXTS[1], entities=TYPED, relation_types=CONSTRAINED, return_scores=True)


@pytest.mark.parametrize("threshold", [None, 0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("top_k", [None, 1, 2, 3])
def test_kept_scores_give_what_the_pipeline_gives(extract, scores, threshold, top_k):
    options = {name: value for name, value in (("threshold", threshold), ("top_k", top_k)) if value is not None}
    assert scores.select(**options) == extract(TEXTS[1], entities=TYPED, relation_types=CONSTRAINED, **options)


@pytest.mark.parametrize("top_k", [None, 1])
def test_every_cell_is_a_relation_or_has_a_reason(scores, top_k):
    selected, left_out = scores.select(0.4, top_k), scores.left_out(0.4, top_k)
    cells = {(r["head"]["index"], r["relation"], r["tail"]["index"]) for r in [*selected, *left_out]}
    assert len(cells) == len(selected) + len(left_out) == scores.scores.size == 18
    for cell in left_out:
        types = (cell["head"]["label"], cell["tail"]["label"])
        settings = CONSTRAINED[cell["relation"]]
        if cell["reason"] == "constraint":
            assert cell["relation"] == "place of birth"
            assert types != ("PERSON", "CITY")
        elif cell["reason"] == "direction":
            assert cell["relation"] == "spouse"
        elif cell["reason"] == "threshold":
            assert cell["score"] < settings.get("threshold", 0.4)
        else:
            assert cell["reason"] == "top_k"
            assert top_k == 1
    reasons = scores.reasons(0.4, top_k)
    assert sum(reason is None for row in reasons for reason in row) == len(selected)
    assert {cell["reason"] for cell in left_out} >= {"constraint", "direction"}


def test_constraints_can_be_changed_without_the_model(extract, scores):
    asked = extract(TEXTS[1], entities=TYPED, relation_types=RELATION_TYPES, threshold=0.0)
    free = replace(scores, relation_types=read_relation_types(RELATION_TYPES))
    assert free.select(0.0) == asked
    assert len(asked) == 18


def test_without_pairs_there_are_empty_scores(extract):
    for text, entities in (("", []), (TEXTS[0], ENTITIES[0][:1])):
        empty = extract(text, entities=entities, relation_types=RELATION_TYPES, return_scores=True)
        assert empty.scores.shape == (0, 3)
        assert empty.select() == empty.left_out() == empty.reasons() == []
    none = extract(TEXTS[0], entities=ENTITIES[0], relation_types=[], return_scores=True)
    assert none.select() == []


def test_pairs_that_no_window_holds_are_counted(extract):
    text = f"{TEXTS[0]} {'The city was old. ' * 40}{TEXTS[2]}"
    entities = [(0, 11), (24, 30), (len(text) - len(TEXTS[2]), len(text) - len(TEXTS[2]) + 5)]
    windowed = extract(text, entities=entities, relation_types=["spouse"], truncation="window", return_scores=True)
    assert windowed.num_unscored_pairs == 4
    assert len(windowed.pair_index) == 2


def test_a_score_that_is_no_number_is_no_relation(scores):
    broken = replace(scores, scores=np.full_like(scores.scores, np.nan))
    assert broken.select(0.0) == []


@pytest.mark.parametrize(("options", "name"), [({"threshold": 1.5}, "threshold"), ({"top_k": 0}, "top_k")])
def test_what_cannot_be_selected_by_is_an_error(scores, options, name):
    for call in (scores.select, scores.left_out, scores.reasons):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            call(**options)


def test_a_direction_that_was_not_scored_never_wins():
    """Where entities are found, pairs whose types fit no relation type are not scored."""
    entities = read_entities([(0, 3, "PERSON"), (8, 11, "CITY"), (12, 15, "CITY")], "Ada met Bob Eve")
    types = read_relation_types({"near": {"head": ["PERSON"], "tail": ["CITY"], "symmetric": True}})
    scores = RelationScores(
        "Ada met Bob Eve", entities, types, np.array([[0, 1], [0, 2]]), np.array([[0.4], [0.9]], np.float32), 0.5
    )
    assert scores.reasons(0.0) == [[None], [None]]
    assert [relation["tail"]["text"] for relation in scores.select()] == ["Eve"]
