"""Options and inputs that cannot be read, and those of which there is nothing to extract."""

from __future__ import annotations

import pytest
from asked import CITY, MARIE, PERSON, TYPES, found
from tiny import ENTITIES, TEXTS

from glirel_transformers import RelationExtractionPipeline


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"threshold": 1.5}, ValueError, "`threshold` must be a number from 0 to 1: got 1.5"),
        ({"threshold": "high"}, ValueError, "`threshold` must be a number from 0 to 1: got 'high'"),
        ({"top_k": 0}, ValueError, "`top_k` must be a whole number of at least 1, or None for all: got 0"),
        ({"top_k": 1.0}, ValueError, "`top_k` must be a whole number"),
        ({"top_k": True}, ValueError, "`top_k` must be a whole number"),
        ({"truncation": True}, ValueError, "`truncation` must be 'error' or 'window': got True"),
        ({"truncation": "longest"}, ValueError, "`truncation` must be 'error' or 'window': got 'longest'"),
        ({"alignment": "nearest"}, ValueError, "`alignment` must be 'strict' or 'expand': got 'nearest'"),
        ({"ner": "dslim/bert-base-NER"}, TypeError, "`ner` must be callable"),
        ({"relations": []}, TypeError, "relations"),
        ({"relation_types": None}, ValueError, r"No `relation_types`: pass the names"),
        ({"entities": None}, ValueError, "No `entities`: pass the entities of the text, or `ner=`"),
    ],
)
def test_wrong_options(extract, options, kind, message):
    with pytest.raises(kind, match=message):
        extract(MARIE, **{"entities": [PERSON, CITY], "relation_types": TYPES, **options})


@pytest.mark.parametrize(
    ("inputs", "kind", "message"),
    [
        (None, TypeError, "reads texts, dictionaries or iterables of these: got None"),
        (5, TypeError, "got 5"),
        (b"bytes", TypeError, "got b'bytes'"),
        ([None], TypeError, "A text must be a string, alone or as 'text' of a dictionary: got None"),
        ([["a", "b"]], TypeError, "A text must be a string"),
        ({"entities": []}, TypeError, "A text must be a string"),
        ({"text": MARIE, "entites": []}, ValueError, r"has the key 'entites'\. Did you mean 'entities'\?"),
    ],
)
def test_wrong_inputs(extract, inputs, kind, message):
    with pytest.raises(kind, match=message):
        extract(inputs, relation_types=TYPES)


def test_entities_given_twice_are_an_error(extract):
    with pytest.raises(ValueError, match="entities are given twice"):
        extract({"text": MARIE, "entities": []}, entities=[PERSON], relation_types=TYPES)


@pytest.mark.parametrize("lists", [1, 3])
def test_as_many_lists_of_entities_as_texts(extract, lists):
    with pytest.raises(ValueError, match=f"`entities` has {lists} lists for 2 texts"):
        extract(TEXTS[:2], entities=ENTITIES[:1] * lists, relation_types=TYPES)


# Nothing to extract


@pytest.mark.parametrize(
    ("text", "entities", "types"),
    [
        ("", [], TYPES),
        ("", [], []),
        ("  \n", [], TYPES),
        (MARIE, [], TYPES),
        (MARIE, [PERSON], TYPES),
        (MARIE, [PERSON, CITY], []),
        (MARIE, [PERSON, CITY], {}),
        (MARIE, [], {"spouse": {"head": ["PERSON"]}}),
    ],
)
def test_nothing_gives_an_empty_list(extract, text, entities, types):
    assert extract(text, entities=entities, relation_types=types) == []
    assert extract({"text": text, "entities": entities}, relation_types=types) == []
    assert extract([text, text], entities=[entities] * 2, relation_types=types) == [[], []]


def test_an_empty_list_gives_an_empty_list(extract):
    assert extract([], relation_types=TYPES) == []
    assert extract([], entities=[], relation_types=TYPES) == []
    assert list(extract(iter([]), relation_types=TYPES)) == []


def test_what_is_wrong_is_an_error_although_nothing_could_be_extracted(extract):
    with pytest.raises(ValueError, match="outside the text"):
        extract("", entities=[(0, 3)], relation_types=TYPES)
    with pytest.raises(ValueError, match="repeats"):
        extract(MARIE, entities=[], relation_types=["a", "a"])


def test_pairs_beyond_the_maximum_distance_give_nothing(build_model):
    extract = RelationExtractionPipeline(build_model("bert", max_pair_distance=2))
    assert extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0) == []
    near = extract(MARIE, entities=[(0, 5), (6, 11), CITY], relation_types=TYPES, threshold=0.0)
    assert {(head, tail) for head, _, tail in found(near)} == {(0, 1), (1, 0)}
