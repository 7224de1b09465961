"""What comes out, and relation types with their settings."""

from __future__ import annotations

import itertools
import json

import pytest
import torch
from asked import CITY, MARIE, PERSON, TYPES, found
from tiny import ENTITIES, RELATION_TYPES, TEXTS


def test_the_shape_of_the_result(scripted):
    extract = scripted([[0.97, 0.1], [0.2, 0.4]])
    assert extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.5, top_k=1) == [
        {
            "head": {"start": 0, "end": 11, "text": "Marie Curie", "label": "PERSON", "index": 0},
            "relation": "place of birth",
            "tail": {"start": 24, "end": 30, "text": "Warsaw", "label": "CITY", "index": 1},
            "score": pytest.approx(0.97),
        }
    ]


def test_results_are_sorted_by_score_and_plain(extract):
    relations = extract(TEXTS[1], entities=ENTITIES[1], relation_types=RELATION_TYPES, threshold=0.0)
    assert len(relations) == 6 * 3
    scores = [relation["score"] for relation in relations]
    assert scores == sorted(scores, reverse=True)
    assert len(set(found(relations))) == 18
    assert json.loads(json.dumps(relations)) == relations


def test_scores_are_the_probabilities_of_the_model(extract, shared_model):
    relations = extract(TEXTS[1], entities=ENTITIES[1], relation_types=RELATION_TYPES, threshold=0.0)
    batch = shared_model.tokenizer(TEXTS[1], entities=ENTITIES[1], relation_types=RELATION_TYPES)
    with torch.no_grad():
        probabilities = shared_model(**batch).logits[0].sigmoid()
    by_cell = {cell: relation["score"] for cell, relation in zip(found(relations), relations, strict=True)}
    for row, (head, tail) in enumerate(batch["pair_index"][0].tolist()):
        for column, name in enumerate(RELATION_TYPES):
            assert by_cell[head, name, tail] == pytest.approx(probabilities[row, column].item(), abs=1e-6)


def test_the_threshold_is_the_models_unless_given(scripted, shared_model, monkeypatch):
    extract = scripted([[0.6, 0.3], [0.5, 0.1]])
    arguments = {"entities": [PERSON, CITY], "relation_types": TYPES}
    assert found(extract(MARIE, **arguments)) == [(0, TYPES[0], 1), (1, TYPES[0], 0)]  # 0.5 itself counts
    monkeypatch.setattr(shared_model.config, "threshold", 0.55)
    assert found(extract(MARIE, **arguments)) == [(0, TYPES[0], 1)]
    assert len(extract(MARIE, threshold=0.2, **arguments)) == 3
    assert len(extract(MARIE, threshold=0.0, **arguments)) == 4
    assert extract(MARIE, threshold=1.0, **arguments) == []


# Relation types with settings


def test_constraints_act_before_top_k(scripted):
    """The best type does not fit the entities: the second best must come through."""
    extract = scripted([[0.9, 0.8], [0.7, 0.6]])
    types = {
        "spouse": {"head": ["PERSON"], "tail": ["PERSON"]},
        "place of birth": {"head": "PERSON", "tail": ["CITY"]},
    }
    assert found(extract(MARIE, entities=[PERSON, CITY], relation_types=types, top_k=1)) == [(0, "place of birth", 1)]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [(0, 1), (1, 0)]),
        (None, [(0, 1), (1, 0)]),
        ({"head": ["PERSON"]}, [(0, 1)]),
        ({"tail": ["PERSON"]}, [(1, 0)]),
        ({"head": ["CITY", "PERSON"]}, [(0, 1), (1, 0)]),
        ({"head": "PERSON", "tail": "CITY"}, [(0, 1)]),
        ({"head": None, "tail": ["CITY", "COUNTRY"]}, [(0, 1)]),
        ({"head": ["ANIMAL"]}, []),
        ({"head": ["person"]}, []),
    ],
    ids=str,
)
def test_an_absent_side_admits_any_type(scripted, settings, expected):
    extract = scripted([[0.9], [0.8]])
    relations = extract(MARIE, entities=[PERSON, CITY], relation_types={"spouse": settings})
    assert [(head, tail) for head, _, tail in found(relations)] == expected


def test_what_a_constraint_excludes_is_not_reported_at_threshold_zero(scripted):
    extract = scripted([[0.9], [0.0]])
    types = {"spouse": {"tail": ["CITY"]}}
    assert found(extract(MARIE, entities=[PERSON, CITY], relation_types=types, threshold=0.0)) == [(0, "spouse", 1)]


def test_entities_without_label_fit_no_constraint(scripted):
    extract = scripted([[0.9], [0.9]])
    relations = extract(MARIE, entities=[PERSON, (24, 30)], relation_types={"spouse": {"head": ["PERSON"]}})
    assert found(relations) == [(0, "spouse", 1)]


def test_constraints_without_any_label_are_an_error(extract):
    with pytest.raises(ValueError, match="'spouse' admits certain entity types only, but no entity has a label"):
        extract(MARIE, entities=[(0, 11), (24, 30)], relation_types={"spouse": {"head": ["PERSON"]}})


def test_each_type_has_its_threshold(scripted):
    extract = scripted([[0.45, 0.45], [0.35, 0.95]])
    types = {"place of birth": {"threshold": 0.4}, "spouse": {"threshold": 0.9}}
    expected = [(1, "spouse", 0), (0, "place of birth", 1)]
    assert found(extract(MARIE, entities=[PERSON, CITY], relation_types=types)) == expected
    # It takes precedence over that of the call, which serves the others.
    types["spouse"] = {}
    assert found(extract(MARIE, entities=[PERSON, CITY], relation_types=types, threshold=0.99)) == expected[1:]


def test_symmetric_types_are_reported_once_in_the_better_direction(scripted):
    extract = scripted([[0.6, 0.6], [0.9, 0.9]])
    types = {"spouse": {"symmetric": True}, "place of birth": {"symmetric": False}}
    relations = extract(MARIE, entities=[PERSON, CITY], relation_types=types)
    assert sorted(found(relations)) == [(0, "place of birth", 1), (1, "place of birth", 0), (1, "spouse", 0)]


def test_equal_directions_of_a_symmetric_type_give_the_earlier_entity(scripted):
    extract = scripted([[0.6], [0.6]])
    relations = extract(MARIE, entities=[PERSON, CITY], relation_types={"spouse": {"symmetric": True}})
    assert found(relations) == [(0, "spouse", 1)]


def test_symmetric_with_constraints_gives_the_direction_that_fits(scripted):
    extract = scripted([[0.6], [0.9]])
    types = {"spouse": {"symmetric": True, "head": ["PERSON"]}}
    assert found(extract(MARIE, entities=[PERSON, CITY], relation_types=types)) == [(0, "spouse", 1)]


def test_symmetric_before_top_k(scripted):
    extract = scripted([[0.8, 0.7], [0.9, 0.6]])
    types = {"spouse": {"symmetric": True}, "place of birth": {}}
    relations = extract(MARIE, entities=[PERSON, CITY], relation_types=types, top_k=1)
    assert found(relations) == [(1, "spouse", 0), (0, "place of birth", 1)]


def test_symmetric_over_many_pairs(scripted):
    """Row-major pairs of three entities: 01 02 10 12 20 21."""
    extract = scripted([[0.6], [0.7], [0.9], [0.8], [0.75], [0.55]])
    relations = extract(TEXTS[1], entities=ENTITIES[1], relation_types={"friend": {"symmetric": True}})
    assert [(head, tail) for head, _, tail in found(relations)] == [(1, 0), (1, 2), (2, 0)]


@pytest.mark.parametrize(
    ("top_k", "expected"),
    [
        (1, {(0, "b", 1), (1, "c", 0)}),
        (2, {(0, "b", 1), (0, "a", 1), (1, "c", 0), (1, "b", 0)}),
        (3, None),
        (99, None),
        (None, None),
    ],
)
def test_top_k_is_for_each_ordered_pair(scripted, top_k, expected):
    extract = scripted([[0.7, 0.8, 0.6], [0.5, 0.6, 0.9]])
    relations = extract(MARIE, entities=[PERSON, CITY], relation_types=["a", "b", "c"], top_k=top_k)
    assert set(found(relations)) == (expected or set(itertools.product((0,), "abc", (1,))) | {
        (1, "a", 0), (1, "b", 0), (1, "c", 0)})  # fmt: skip


def test_a_list_is_a_dictionary_without_settings(extract):
    arguments = {"entities": ENTITIES[1], "threshold": 0.0}
    as_dict = dict.fromkeys(RELATION_TYPES)
    assert extract(TEXTS[1], relation_types=as_dict, **arguments) == extract(
        TEXTS[1], relation_types=RELATION_TYPES, **arguments
    )


@pytest.mark.parametrize(
    ("types", "kind", "message"),
    [
        (["a", "a"], ValueError, r"repeats 'a' \(positions 0 and 1\)"),
        (["a", ""], ValueError, r"relation_types\[1\] is '', an empty name"),
        ([3], TypeError, r"relation_types\[0\] must be a string: got 3"),
        ({3: {}}, TypeError, r"relation_types\[0\] must be a string: got 3"),
        ({" ": {}}, ValueError, "an empty name"),
        ("spouse", TypeError, "`relation_types` must be a list of strings: got 'spouse'"),
        ({"a", "b"}, TypeError, "`relation_types` must be a list of strings"),
        ({"a": ["PERSON"]}, TypeError, r"The settings of relation type 'a' must be a dictionary: got \['PERSON'\]"),
        ({"a": {"heads": ["PERSON"]}}, ValueError, r"'a' has unknown settings \['heads'\]; known are \['head',"),
        ({"a": {"head": []}}, ValueError, r"`head` of relation type 'a' must list the entity types.*got \[\]"),
        ({"a": {"tail": [1]}}, ValueError, r"`tail` of relation type 'a' must list the entity types.*got \[1\]"),
        (
            {"a": {"threshold": 2}},
            ValueError,
            "The threshold of relation type 'a' must be a number from 0 to 1: got 2",
        ),
        ({"a": {"threshold": "0.5"}}, ValueError, "The threshold of relation type 'a' must be"),
        ({"a": {"symmetric": "yes"}}, TypeError, "`symmetric` of relation type 'a' must be True or False: got 'yes'"),
    ],
)
def test_wrong_relation_types(extract, types, kind, message):
    with pytest.raises(kind, match=message):
        extract(MARIE, entities=[PERSON, CITY], relation_types=types)
