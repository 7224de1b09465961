"""pipeline("relation-extraction"): what goes in, what comes out, streaming, windows and every error."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import dataclass

import datasets
import numpy as np
import pytest
import torch
from tiny import ENTITIES, RELATION_TYPES, TEXTS, make_base_tokenizer
from transformers import pipeline
from transformers.pipelines import PIPELINE_REGISTRY
from transformers.pipelines.pt_utils import KeyDataset

from glirel_transformers import GLiRELTokenizer, RelationExtractionPipeline, RelationExtractor
from glirel_transformers import extractor_glirel as extractor_module
from glirel_transformers.windows_glirel import split_windows

MARIE = TEXTS[0]
PERSON = {"start": 0, "end": 11, "label": "PERSON"}
CITY = {"start": 24, "end": 30, "label": "CITY"}
TYPES = ["place of birth", "spouse"]


@pytest.fixture(scope="module")
def extract(shared_model) -> RelationExtractionPipeline:
    return RelationExtractionPipeline(shared_model)


@pytest.fixture(scope="module")
def marked(build_model) -> RelationExtractionPipeline:
    return RelationExtractionPipeline(build_model("bert", entity_markers=True))


@pytest.fixture
def scripted(shared_model, monkeypatch):
    """`scripted(scores)`: a pipeline whose model gives these probabilities, `(pairs, relations)`, pairs row-major."""

    def make(scores, **options) -> RelationExtractionPipeline:
        pipe = RelationExtractionPipeline(shared_model, **options)
        monkeypatch.setattr(pipe.extractor, "_score", lambda features: np.array([scores], dtype=np.float32))
        return pipe

    return make


def found(relations) -> list[tuple[int, str, int]]:
    return [(relation["head"]["index"], relation["relation"], relation["tail"]["index"]) for relation in relations]


# What comes out


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


# Entities in every form


@dataclass
class SpacySpan:
    """As `spacy.tokens.Span`: offsets in characters besides those in tokens, and a label with an underscore."""

    start_char: int
    end_char: int
    label_: str
    start: int = 3
    end: int = 5
    label: int = 380

    def __len__(self) -> int:
        return self.end - self.start


@pytest.mark.parametrize(
    ("entities", "labels"),
    [
        ([(0, 11), (24, 30)], [None, None]),
        ([[0, 11], [24, 30]], [None, None]),
        ([(0, 11, "PERSON"), (24, 30, "CITY")], ["PERSON", "CITY"]),
        ([(0, 11, "PERSON"), (24, 30)], ["PERSON", None]),
        ([PERSON, CITY], ["PERSON", "CITY"]),
        ([{"start": 0, "end": 11}, {"start": 24, "end": 30, "label": None}], [None, None]),
        (
            [
                {"entity_group": "PER", "score": np.float32(0.9), "word": "Marie Curie", "start": 0, "end": 11},
                {"entity_group": "LOC", "score": np.float32(0.9), "word": "Warsaw", "start": 24, "end": 30},
            ],
            ["PER", "LOC"],
        ),
        (
            [
                {"start": 0, "end": 11, "text": "Marie Curie", "label": "person", "score": 0.98},
                {"start": 24, "end": 30, "text": "Warsaw", "label": "city", "score": 0.97},
            ],
            ["person", "city"],
        ),
        ((SpacySpan(0, 11, "PERSON"), SpacySpan(24, 30, "GPE")), ["PERSON", "GPE"]),
        (iter([SpacySpan(0, 11, ""), SpacySpan(24, 30, "")]), [None, None]),
        ([(np.int64(0), np.int64(11)), (torch.tensor(24), torch.tensor(30))], [None, None]),
    ],
    ids=[
        "pairs",
        "lists",
        "triples",
        "mixed",
        "dicts",
        "no-label",
        "hf",
        "gliner",
        "spacy",
        "spacy-iterator",
        "arrays",
    ],
)
def test_entities_in_every_form(extract, entities, labels):
    expected = extract(MARIE, entities=[(0, 11), (24, 30)], relation_types=TYPES, threshold=0.0)
    relations = extract(MARIE, entities=entities, relation_types=TYPES, threshold=0.0)
    assert found(relations) == found(expected)
    assert [r["score"] for r in relations] == pytest.approx([r["score"] for r in expected])
    head = next(r["head"] for r in relations if r["head"]["index"] == 0)
    tail = next(r["tail"] for r in relations if r["tail"]["index"] == 1)
    assert head == {"start": 0, "end": 11, "text": "Marie Curie", "label": labels[0], "index": 0}
    assert tail == {"start": 24, "end": 30, "text": "Warsaw", "label": labels[1], "index": 1}
    assert json.dumps(relations)


def test_what_comes_out_goes_in(extract):
    (first, *_) = extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0)
    again = extract(MARIE, entities=[first["head"], first["tail"]], relation_types=TYPES, threshold=0.0)
    assert {r["head"]["text"] for r in again} == {"Marie Curie", "Warsaw"}


@pytest.mark.parametrize(
    ("entities", "kind", "message"),
    [
        (
            [{"entity": "B-PER", "score": 0.9, "index": 1, "word": "Marie", "start": 0, "end": 5}],
            ValueError,
            r"`entities\[0\]` is a single sub-token.*aggregation_strategy='simple'",
        ),
        ([(0, 11), {"start": 3}], ValueError, r"`entities\[1\]` needs 'start' and 'end'"),
        (
            [{"start": None, "end": None, "entity_group": "PER"}],
            ValueError,
            r"`entities\[0\]` needs 'start' and 'end'",
        ),
        ([(0, 11), (24, 24)], ValueError, r"`entities\[1\]` is \(24, 24\), an empty span"),
        ([(0, 11), (24, 99)], ValueError, r"`entities\[1\]` is \(24, 99\), outside the text"),
        ([(0, 11), (30, 24)], ValueError, r"`entities\[1\]` is \(30, 24\), which ends before it starts"),
        (
            [(0, 11), (24, 29)],
            ValueError,
            r"`entities\[1\]` is \(24, 29\).*nearest valid span is \(24, 30\), 'Warsaw'",
        ),
        ([(0.0, 11.0)], TypeError, r"`entities\[0\]` must hold two whole numbers"),
        ([5], TypeError, r"`entities\[0\]` must be \(start, end\).*got 5"),
        ([(0, 11, "PERSON", 0.9)], TypeError, r"`entities\[0\]` must be \(start, end\)"),
        ([(0, 11, 7)], TypeError, r"The label of `entities\[0\]` must be a string: got 7"),
        ("Marie Curie", TypeError, "`entities` must be a list of entities: got 'Marie Curie'"),
        (PERSON, TypeError, "`entities` must be a list of entities"),
        (5, TypeError, "`entities` must be a list of entities: got 5"),
    ],
)
def test_wrong_entities(extract, entities, kind, message):
    with pytest.raises(kind, match=message):
        extract(MARIE, entities=entities, relation_types=TYPES)


def test_expand_reads_whole_words_and_reports_what_was_given(extract):
    whole = extract(MARIE, entities=[(0, 11), (24, 30)], relation_types=TYPES, threshold=0.0)
    cut = extract(MARIE, entities=[(0, 8), (25, 30)], relation_types=TYPES, threshold=0.0, alignment="expand")
    assert [r["score"] for r in cut] == [r["score"] for r in whole]
    assert {(e["start"], e["end"], e["text"]) for r in cut for e in (r["head"], r["tail"])} == {
        (0, 8, "Marie Cu"),
        (25, 30, "arsaw"),
    }


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
    # It goes before that of the call, which serves the others.
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


# A recogniser instead of entities


def test_ner_finds_the_entities(extract):
    asked = []

    def ner(text):
        asked.append(text)
        return [PERSON, CITY] if text == MARIE else []

    expected = extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0)
    options = {"ner": ner, "relation_types": TYPES, "threshold": 0.0}
    assert extract(MARIE, **options) == expected
    assert extract([MARIE, "", "Other."], **options) == [expected, [], []]
    assert extract({"text": "Other.", "entities": [(0, 5), (5, 6)]}, **options)  # entities go before it
    assert asked == [MARIE, MARIE, "Other."]


def test_ner_may_be_given_to_the_pipeline(shared_model, extract):
    pipe = RelationExtractionPipeline(shared_model, ner=lambda text: [PERSON, CITY], relation_types=TYPES)
    assert pipe(MARIE, threshold=0.0) == extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0)


def test_ner_that_gives_no_list_is_an_error(extract):
    with pytest.raises(TypeError, match="`entities` must be a list of entities: got None"):
        extract(MARIE, ner=lambda text: None, relation_types=TYPES)


# Lists, generators, datasets

MANY_TEXTS = [TEXTS[i % 3] for i in range(11)] + ["", "Lone word"]
MANY_ENTITIES = [ENTITIES[i % 3] for i in range(11)] + [[], [(0, 4)]]


@pytest.fixture(scope="module")
def one_by_one(extract):
    return [
        extract(text, entities=entities, relation_types=RELATION_TYPES, threshold=0.0)
        for text, entities in zip(MANY_TEXTS, MANY_ENTITIES, strict=True)
    ]


def rows() -> list[dict]:
    return [{"text": t, "entities": e} for t, e in zip(MANY_TEXTS, MANY_ENTITIES, strict=True)]


class MapDataset(torch.utils.data.Dataset):
    """As most datasets of torch: no `__iter__`, and no `IndexError` that would end one."""

    def __len__(self) -> int:
        return len(MANY_TEXTS)

    def __getitem__(self, position: int) -> dict:
        return rows()[position % len(self)]


class StreamDataset(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(rows())


def hugging_face_dataset() -> datasets.Dataset:
    as_dicts = [
        {"text": row["text"], "entities": [{"start": start, "end": end} for start, end in row["entities"]]}
        for row in rows()
    ]
    return datasets.Dataset.from_list(as_dicts)


def assert_same_results(results, expected) -> None:
    assert len(results) == len(expected)
    for ours, theirs in zip(results, expected, strict=True):
        assert sorted(found(ours)) == sorted(found(theirs))
        of = {cell: relation["score"] for cell, relation in zip(found(theirs), theirs, strict=True)}
        assert all(abs(of[cell] - relation["score"]) < 1e-5 for cell, relation in zip(found(ours), ours, strict=True))


@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (rows, list),
        (lambda: tuple(rows()), list),
        (lambda: (row for row in rows()), "stream"),
        (lambda: iter(rows()), "stream"),
        (MapDataset, "stream"),
        (StreamDataset, "stream"),
        (hugging_face_dataset, "stream"),
        (lambda: hugging_face_dataset().to_iterable_dataset(), "stream"),
    ],
    ids=["list", "tuple", "generator", "iterator", "torch-map", "torch-stream", "datasets", "datasets-stream"],
)
def test_many_give_the_same_as_one_by_one(extract, one_by_one, make, kind, batch_size):
    results = extract(make(), relation_types=RELATION_TYPES, threshold=0.0, batch_size=batch_size)
    assert isinstance(results, list) == (kind is list)
    assert_same_results(list(results), one_by_one)


def test_texts_and_entities_side_by_side(extract, one_by_one):
    options = {"relation_types": RELATION_TYPES, "threshold": 0.0, "batch_size": 3}
    assert_same_results(extract(MANY_TEXTS, entities=MANY_ENTITIES, **options), one_by_one)
    assert_same_results(list(extract(iter(MANY_TEXTS), entities=iter(MANY_ENTITIES), **options)), one_by_one)
    column = KeyDataset(hugging_face_dataset(), "text")
    assert_same_results(list(extract(column, entities=MANY_ENTITIES, **options)), one_by_one)


@pytest.mark.parametrize("lists", [2, 4])
def test_streams_of_unequal_length_are_an_error(extract, lists):
    results = extract(iter(TEXTS), entities=iter((ENTITIES * 2)[:lists]), relation_types=TYPES)
    with pytest.raises(ValueError, match="`entities` has"):
        list(results)


def test_each_text_may_have_its_own_types(extract):
    inputs = [
        {"text": MARIE, "entities": [PERSON, CITY], "relation_types": ["film"]},
        {"text": MARIE, "entities": [PERSON, CITY], "relation_types": {"a": {"head": ["CITY"]}, "b": None}},
        {"text": MARIE, "entities": [PERSON, CITY]},
    ]
    results = extract(inputs, relation_types=TYPES, threshold=0.0, batch_size=3)
    names = [{relation["relation"] for relation in relations} for relations in results]
    assert names == [{"film"}, {"a", "b"}, set(TYPES)]
    assert [len(relations) for relations in results] == [2, 3, 4]
    for item, relations in zip(inputs, results, strict=True):
        assert_same_results([relations], [extract(item, relation_types=TYPES, threshold=0.0)])


def test_batches_hold_texts_of_similar_length(extract):
    shapes = []
    with extract.model.register_forward_pre_hook(
        lambda module, args, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    ):
        list(extract(rows(), relation_types=TYPES, batch_size=4))
    assert [batch for batch, _ in shapes] == [4, 4, 3]  # the two texts without a pair are never read
    lengths = [length for _, length in shapes]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_generators_are_read_as_results_are_taken(extract, batch_size):
    read = []

    def texts():
        for number in itertools.count():  # has no end
            read.append(number)
            yield {"text": MARIE, "entities": [PERSON, CITY]}

    results = extract(texts(), relation_types=TYPES, batch_size=batch_size)
    assert len(read) <= 1  # transformers looks at the first
    assert len(list(itertools.islice(results, 3))) == 3
    assert len(read) <= (3 if batch_size == 1 else 100)


def test_an_error_in_a_stream_comes_when_its_text_is_read(extract):
    stream = iter([{"text": MARIE, "entities": [PERSON, CITY]}, {"text": MARIE, "entities": [(0, 3)]}])
    results = extract(stream, relation_types=TYPES)
    assert isinstance(next(results), list)
    with pytest.raises(ValueError, match="word boundaries"):
        next(results)


def test_texts_are_read_ahead_by_the_caller_and_tokenized_in_a_thread(extract, monkeypatch):
    """The second group is read before the results of the first are taken, and no third."""
    readers, tokenizers = [], []
    group = extractor_module.BATCHES_SORTED_TOGETHER * 2
    read_words = extract.tokenizer.read_words

    def texts():
        while True:
            readers.append(threading.current_thread())
            yield {"text": MARIE, "entities": [PERSON, CITY]}

    def tokenize(texts):
        tokenizers.append(threading.current_thread().name)
        return read_words(texts)

    monkeypatch.setattr(RelationExtractor, "_tokenizes_ahead", True)  # as beside an accelerator
    monkeypatch.setattr(extract.tokenizer, "read_words", tokenize)
    results = extract(texts(), relation_types=TYPES, batch_size=2)
    next(results)
    assert set(readers) == {threading.current_thread()}  # files, databases and the like belong to their thread
    assert len(readers) == 2 * group
    results.close()
    assert all(name.startswith("glirel-tokenizer") for name in tokenizers)


def test_no_thread_beside_a_model_on_a_cpu(extract, monkeypatch):
    monkeypatch.setattr(extractor_module, "ahead", None)
    texts = [{"text": MARIE, "entities": [PERSON, CITY]}] * 40
    assert len(extract(texts, relation_types=TYPES, batch_size=2)) == 40


def test_the_order_of_a_dictionary_of_types_is_kept(extract):
    for names in (["spouse", "place of birth"], ["place of birth", "spouse"]):
        types = dict.fromkeys(names)
        of_dict = extract(MARIE, entities=[PERSON, CITY], relation_types=types, threshold=0.0)
        assert of_dict == extract(MARIE, entities=[PERSON, CITY], relation_types=names, threshold=0.0)


@pytest.mark.parametrize("ahead", [False, True])
def test_an_error_in_a_text_comes_after_the_results_before_it(extract, monkeypatch, ahead):
    monkeypatch.setattr(RelationExtractor, "_tokenizes_ahead", ahead)
    group = extractor_module.BATCHES_SORTED_TOGETHER * 2
    good = {"text": MARIE, "entities": [PERSON, CITY]}
    results = extract(
        iter([good] * group + [{"text": MARIE, "entities": [(0, 3)]}]), relation_types=TYPES, batch_size=2
    )
    for _ in range(group):
        assert isinstance(next(results), list)
    with pytest.raises(ValueError, match=f"Text {group}: .*word boundaries"):
        next(results)


def test_batches_on_a_cpu_hold_a_bounded_number_of_tokens(extract, monkeypatch):
    texts = rows() * 4
    expected = extract(texts, relation_types=TYPES, batch_size=16, threshold=0.0)
    monkeypatch.setattr(extractor_module, "_TOKENS_ON_CPU", 60)
    shapes = []
    with extract.model.register_forward_pre_hook(
        lambda module, args, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    ):
        bounded = extract(texts, relation_types=TYPES, batch_size=16, threshold=0.0)
    assert all(batch == 1 or batch * length <= 60 for batch, length in shapes)
    assert any(batch > 1 for batch, _ in shapes)
    assert [[r["relation"] for r in one] for one in bounded] == [[r["relation"] for r in one] for one in expected]


def test_relation_types_that_change_between_texts_are_read_again(extract):
    types = {"spouse": {"head": ["PERSON"], "tail": ["PERSON"]}}
    asked = {"entities": [PERSON, CITY], "threshold": 0.0}
    assert extract(MARIE, relation_types=types, **asked) == []
    types["spouse"]["tail"].append("CITY")
    assert len(extract(MARIE, relation_types=types, **asked)) == 1


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_an_error(extract, batch_size):
    with pytest.raises(ValueError, match=f"`batch_size` must be a whole number of at least 1: got {batch_size}"):
        extract(rows(), relation_types=TYPES, batch_size=batch_size)


def test_settings_of_the_pipeline_serve_every_call(shared_model, extract):
    pipe = RelationExtractionPipeline(shared_model, relation_types=TYPES, threshold=0.0, top_k=1, batch_size=2)
    assert pipe(MARIE, entities=[PERSON, CITY]) == extract(
        MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0, top_k=1
    )
    assert len(pipe(MARIE, entities=[PERSON, CITY], top_k=2)) == 4
    assert len(pipe(MARIE, entities=[PERSON, CITY], relation_types=["film"])) == 2


# Windows


def long_text(num_fillers: int) -> tuple[str, list[tuple[int, int]]]:
    """Names among many words, so that neighbours fit into a window and the first and the last do not."""
    words, entities, position = [], [], 0
    for number in range(num_fillers):
        word = (
            ("Marie", "Warsaw", "London")[number // 12 % 3] if number % 12 == 5 else ("of", "the", "work")[number % 3]
        )
        if number % 12 == 5:
            entities.append((position, position + len(word)))
        words.append(word)
        position += len(word) + 1
    return " ".join(words), entities


@pytest.fixture
def warnings_of_windows(caplog):
    name = extractor_module.__name__
    return lambda: [record.getMessage() for record in caplog.records if record.name == name]


def test_too_long_a_text_is_an_error_by_default(extract):
    text, entities = long_text(200)
    for options in ({}, {"truncation": "error"}):
        with pytest.raises(ValueError, match="The text and 2 relation types need 209 tokens but the model reads 128"):
            extract(text, entities=entities, relation_types=TYPES, **options)


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
def test_windows_of_a_text_that_fits_change_nothing(request, pipe_name):
    pipe = request.getfixturevalue(pipe_name)
    text, entities = long_text(60)
    options = {"entities": entities, "relation_types": TYPES, "threshold": 0.0}
    assert pipe(text, truncation="window", **options) == pipe(text, **options)


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
def test_windows_keep_the_offsets_of_the_whole_text_and_count_what_they_miss(request, pipe_name, warnings_of_windows):
    pipe = request.getfixturevalue(pipe_name)
    text, entities = long_text(300)
    relations = pipe(text, entities=entities, relation_types=TYPES, threshold=0.0, truncation="window")
    for relation in relations:
        for side in (relation["head"], relation["tail"]):
            assert (side["start"], side["end"]) == entities[side["index"]]
            assert text[side["start"] : side["end"]] == side["text"]
    cells = found(relations)
    assert len(set(cells)) == len(cells)
    pairs = {(head, tail) for head, _, tail in cells}
    total = len(entities) * (len(entities) - 1)
    assert pairs >= {(i, i + 1) for i in range(len(entities) - 1)}  # neighbours lie in some window
    assert (0, len(entities) - 1) not in pairs
    (message,) = warnings_of_windows()
    assert message.startswith(f"{total - len(pairs)} of {total} ordered pairs are in no window of 128 tokens")


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
def test_each_pair_has_the_score_of_its_best_window(request, pipe_name):
    """Against windows that are read by hand, as texts of their own."""
    pipe = request.getfixturevalue(pipe_name)
    tokenizer = pipe.tokenizer
    text, entities = long_text(200)
    (words,) = tokenizer.read_words([text])
    spans = tokenizer.align(text, words, entities)
    prompt = tokenizer.read_prompt(TYPES)
    best: dict[tuple[int, str, int], float] = {}
    windows = split_windows(words, [start for start, _ in spans], prompt, tokenizer.room(prompt))
    assert len(windows) > 1
    for begin, end in windows:
        left, right = words.char_spans[begin][0], words.char_spans[end - 1][1]
        inside = [i for i, (start, stop) in enumerate(entities) if left <= start and stop <= right]
        if len(inside) < 2:
            continue
        moved = [(entities[i][0] - left, entities[i][1] - left) for i in inside]
        for relation in pipe(text[left:right], entities=moved, relation_types=TYPES, threshold=0.0):
            (cell,) = found([relation])
            key = (inside[cell[0]], cell[1], inside[cell[2]])
            best[key] = max(best.get(key, 0.0), relation["score"])
    relations = pipe(text, entities=entities, relation_types=TYPES, threshold=0.0, truncation="window", batch_size=3)
    assert set(found(relations)) == set(best)
    for cell, relation in zip(found(relations), relations, strict=True):
        assert relation["score"] == pytest.approx(best[cell], abs=1e-5)


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
@pytest.mark.parametrize("num_words", [118, 121, 150, 333])
def test_windows_cover_the_text_overlap_and_fit(request, pipe_name, num_words):
    pipe = request.getfixturevalue(pipe_name)
    tokenizer = pipe.tokenizer
    text, entities = long_text(num_words)
    (words,) = tokenizer.read_words([text])
    spans, prompt = tokenizer.align(text, words, entities), tokenizer.read_prompt(TYPES)
    windows = split_windows(words, [start for start, _ in spans], prompt, tokenizer.room(prompt))
    assert windows[0][0] == 0
    assert windows[-1][1] == num_words
    for begin, end in windows:
        inside = [(start, stop) for start, stop in spans if begin <= start and stop <= end]
        assert tokenizer.build(prompt, words, inside, (begin, end))["input_ids"].size <= 128
    for (begin, end), (next_begin, next_end) in itertools.pairwise(windows):
        assert begin < next_begin <= end - (end - begin) // 3
        assert end < next_end


def test_windows_of_a_fitting_text_warn_of_nothing(extract, warnings_of_windows):
    text, entities = long_text(60)
    extract(text, entities=entities, relation_types=TYPES, truncation="window")
    assert warnings_of_windows() == []


def test_texts_of_many_lengths_are_windowed_in_one_batch(extract):
    texts, entities = zip(*(long_text(n) for n in (30, 200, 60, 300)), strict=True)
    options = {"relation_types": TYPES, "threshold": 0.0, "truncation": "window"}
    one_by_one = [extract(t, entities=e, **options) for t, e in zip(texts, entities, strict=True)]
    assert_same_results(extract(list(texts), entities=list(entities), batch_size=5, **options), one_by_one)


def test_relation_types_that_leave_no_room_are_an_error(extract):
    types = [f"{word} of {other}" for word in ("place", "birth", "spouse", "work", "film") for other in "abcdefgh"]
    text, entities = long_text(30)
    with pytest.raises(
        ValueError, match=r"40 relation types take .* leave no room for the word.*fewer relation types"
    ):
        extract(text, entities=entities, relation_types=types, truncation="window")


def test_a_mention_longer_than_a_window_is_counted_as_missed(extract, warnings_of_windows):
    text, _ = long_text(200)
    relations = extract(
        text, entities=[(0, len(text)), (0, 2)], relation_types=TYPES, truncation="window", threshold=0.0
    )
    assert relations == []
    (message,) = warnings_of_windows()
    assert message.startswith("2 of 2 ordered pairs")


# Building


def test_the_task_is_registered():
    assert "relation-extraction" in PIPELINE_REGISTRY.get_supported_tasks()


@pytest.mark.parametrize("as_text", [str, lambda path: path], ids=["str", "path"])
def test_pipeline_of_a_folder_with_remote_code(shared_model, extract, tmp_path, as_text):
    shared_model.save_pretrained(tmp_path)
    pipe = pipeline("relation-extraction", model=as_text(tmp_path), trust_remote_code=True)
    assert type(pipe).__name__ == "RelationExtractionPipeline"
    options = {"entities": ENTITIES[1], "relation_types": RELATION_TYPES, "threshold": 0.0}
    assert_same_results([pipe(TEXTS[1], **options)], [extract(TEXTS[1], **options)])


def test_the_task_is_found_in_the_folder(shared_model, tmp_path):
    shared_model.save_pretrained(tmp_path)
    assert pipeline(model=str(tmp_path), trust_remote_code=True).task == "relation-extraction"


def test_pipeline_of_a_folder_without_trust_names_the_cure(shared_model, tmp_path):
    shared_model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="trust_remote_code=True"):
        pipeline("relation-extraction", model=str(tmp_path), trust_remote_code=False)


def test_pipeline_of_a_folder_with_the_installed_code(shared_model, extract, tmp_path):
    shared_model.save_pretrained(tmp_path)
    pipe = pipeline("relation-extraction", model=str(tmp_path), pipeline_class=RelationExtractionPipeline)
    assert type(pipe) is RelationExtractionPipeline
    assert type(pipe.tokenizer).__name__ == GLiRELTokenizer.__name__
    options = {"entities": [PERSON, CITY], "relation_types": TYPES, "threshold": 0.0}
    assert_same_results([pipe(MARIE, **options)], [extract(MARIE, **options)])


def test_pipeline_of_a_model_and_its_tokenizer(shared_model, extract):
    pipe = pipeline("relation-extraction", model=shared_model, tokenizer=shared_model.tokenizer)
    options = {"entities": [PERSON, CITY], "relation_types": TYPES, "threshold": 0.0}
    assert pipe(MARIE, **options) == extract(MARIE, **options)


def test_the_tokenizer_comes_with_the_model_or_from_a_folder(shared_model, tmp_path):
    shared_model.save_pretrained(tmp_path)
    for tokenizer in (None, str(tmp_path), shared_model.tokenizer):
        extract = pipeline("relation-extraction", model=shared_model, tokenizer=tokenizer)
        assert extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0)


def test_another_tokenizer_is_refused(shared_model, build_model, tmp_path):
    with pytest.raises(TypeError, match="needs the model's GLiRELTokenizer: got "):
        RelationExtractionPipeline(shared_model, tokenizer=make_base_tokenizer("bert"))
    with pytest.raises(OSError, match="nowhere"):
        pipeline("relation-extraction", model=shared_model, tokenizer=str(tmp_path / "nowhere"))
    other = build_model("bert", entity_markers=True).tokenizer
    with pytest.raises(ValueError, match="entity_markers=True but the model was built with False"):
        RelationExtractionPipeline(shared_model, tokenizer=other)
    other = build_model("bert", max_pair_distance=3).tokenizer
    with pytest.raises(ValueError, match="max_pair_distance=3 but the model was built with None"):
        RelationExtractionPipeline(shared_model, tokenizer=other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(build_model, extract, dtype):
    pipe = RelationExtractionPipeline(build_model("bert").to(dtype))
    options = {"entities": [PERSON, CITY], "relation_types": TYPES, "threshold": 0.0}
    expected = dict(zip(found(extract(MARIE, **options)), extract(MARIE, **options), strict=True))
    for relation in pipe(MARIE, **options):
        (cell,) = found([relation])
        assert relation["score"] == pytest.approx(expected[cell]["score"], abs=0.05)


def test_nothing_is_left_to_differentiate(extract):
    extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES)
    assert all(parameter.grad is None for parameter in extract.model.parameters())
    assert not extract.model.training


@pytest.mark.slow
def test_two_hundred_entities_and_fifty_types(build_model):
    """39,800 pairs, each against 50 types."""
    words = ["Marie" if i % 2 else "of" for i in range(400)]
    text = " ".join(words)
    starts = np.cumsum([0] + [len(word) + 1 for word in words[:-1]])
    entities = [(int(s), int(s) + 5) for s, word in zip(starts, words, strict=True) if word == "Marie"]
    types = [f"spouse {letter}{other}" for letter in "abcde" for other in "fghijklmno"]
    model = build_model("bert")
    model.glirel.encoder.embeddings.position_embeddings = torch.nn.Embedding(1024, 32)
    model.glirel.encoder.embeddings.position_ids = torch.arange(1024)[None]
    model.glirel.encoder.embeddings.token_type_ids = torch.zeros(1, 1024, dtype=torch.long)
    model.tokenizer.model_max_length = 1024
    relations = RelationExtractionPipeline(model)(
        text, entities=entities, relation_types=types, threshold=0.0, top_k=1
    )
    assert len(entities) == 200
    assert len(relations) == 39_800
