"""Entities in every form that users have them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from asked import CITY, MARIE, PERSON, TYPES, found

from glirel_transformers import RelationExtractionPipeline


@dataclass
class SpacySpan:
    """As `spacy.tokens.Span`: offsets in characters next to those in tokens, and a label with an underscore."""

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
    assert extract({"text": "Other.", "entities": [(0, 5), (5, 6)]}, **options)  # entities take precedence
    assert asked == [MARIE, MARIE, "Other."]


def test_ner_may_be_given_to_the_pipeline(shared_model, extract):
    pipe = RelationExtractionPipeline(shared_model, ner=lambda text: [PERSON, CITY], relation_types=TYPES)
    assert pipe(MARIE, threshold=0.0) == extract(MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0)


def test_ner_that_gives_no_list_is_an_error(extract):
    with pytest.raises(TypeError, match="`entities` must be a list of entities: got None"):
        extract(MARIE, ner=lambda text: None, relation_types=TYPES)
