import json

import pytest

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.data.labels import make_labels
from glirel_transformers.data.statistics import Distribution, Statistics, count_overlaps
from glirel_transformers.text_glirel import ordered_pairs

CURIE = Document(
    ["Marie", "Curie", "was", "born", "in", "Warsaw", ",", "she", "said"],
    [Mention(0, 2, "PERSON", 0), Mention(5, 6, "CITY", 1), Mention(7, 8, "PERSON", 0)],
    [Relation(0, 1, "born in", "P19"), Relation(0, 1, "knows")],
)
UNKNOWN = Document(
    ["a", "b", "c"],
    [Mention(0, 2), Mention(1, 3), Mention(0, 1, "x")],
    [Relation(0, 1, "r"), Relation(1, 0, "r")],
    exhaustive=False,
    none_pairs=((0, 2),),
)


def test_a_document_that_can_be_counted_by_hand():
    numbers = Statistics.of([CURIE])
    assert vars(numbers.pairs) == {"total": 6, "related": 1, "none": 4, "unknown": 1}
    assert vars(numbers.entity_pairs) == {"total": 2, "related": 1, "none": 1, "unknown": 0}
    assert numbers.mentions_per_entity == {2: 1, 1: 1}
    assert numbers.distance == {3: 2}
    assert numbers.extra_relations["several types"] == 1
    assert numbers.entity_types == {"PERSON": 2, "CITY": 1}
    assert numbers.documents["with coreference"] == 1
    assert numbers.to_dict()["relation_types"][0] == {
        **{"name": "born in", "relations": 1, "documents": 1, "ids": ["P19"]},
        "ends": [["PERSON", "CITY", 1]],
    }


def test_what_is_not_exhaustive_is_unknown_but_for_what_is_said():
    numbers = Statistics.of([UNKNOWN])
    assert vars(numbers.pairs) == {"total": 6, "related": 2, "none": 1, "unknown": 3}
    assert numbers.extra_relations["both ways"] == 1
    assert numbers.extra_relations["overlapping ends"] == 2
    assert numbers.overlaps == {"crossing": 1, "nested": 1}
    assert numbers.entity_types[None] == 2


@pytest.mark.parametrize("document", [CURIE, UNKNOWN, Document(["a"], [], []), Document([], [], [])])
def test_pairs_known_to_have_none_are_those_that_training_takes_as_negative(document):
    pairs = ordered_pairs([[mention.start] for mention in document.mentions], None, document.self_pairs)
    related = {(relation.head, relation.tail) for relation in document.relations}
    names = sorted({relation.relation_type for relation in document.relations}) or ["r"]
    labels = make_labels(document, names, pairs)
    negative = sum(
        bool((row == 0).all()) for pair, row in zip(map(tuple, pairs.tolist()), labels) if pair not in related
    )
    assert Statistics.of([document]).pairs.none == negative


def test_overlaps_by_kind():
    spans = [(0, 4), (0, 4), (1, 2), (3, 6), (6, 7)]
    assert count_overlaps([Mention(*span) for span in spans]) == {"same words": 1, "nested": 2, "crossing": 2}


def test_quantiles():
    values = Distribution([1] * 90 + [5] * 9 + [100])
    assert [values.quantile(share) for share in (0, 0.5, 0.9, 0.95, 1)] == [1, 1, 1, 5, 100]
    assert (Distribution().quantile(0.5), Distribution().mean) == (0, 0.0)


def test_the_sum_of_two_files_is_that_of_their_documents():
    both = Statistics.of([CURIE, UNKNOWN]).to_dict()
    json.dumps(both)
    assert both["pairs"] == {"total": 12, "related": 3, "none": 5, "unknown": 4}
    assert both["words"]["sum"] == 12
    assert Statistics().to_dict()["words"]["max"] == 0
