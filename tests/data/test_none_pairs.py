"""Pairs that are known to have no relation, in documents of which not every pair is known."""

from dataclasses import replace

import pytest
import torch

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.data.labels import has_negative, make_labels
from glirel_transformers.data.readers import FORMATS
from glirel_transformers.data.readers.format import Reading
from glirel_transformers.evaluation.facts import entity_document
from glirel_transformers.evaluation.joint import Gold
from glirel_transformers.formats import records_of

# Ada and "she" are one entity; London is another.
DOCUMENT = Document(
    ["Ada", "left", "London", "and", "she", "ran"],
    [Mention(0, 1, entity=0), Mention(2, 3, entity=1), Mention(4, 5, entity=0)],
    [Relation(0, 1, "left")],
    exhaustive=False,
    none_pairs=((1, 0), (2, 1)),
)
PAIRS = torch.tensor([(0, 1), (1, 0), (1, 2), (2, 1)])


def test_they_are_negative_and_others_are_unknown():
    assert make_labels(DOCUMENT, ["left", "born in"], PAIRS).tolist() == [[1, 0], [0, 0], [-100, -100], [-100, 0]]
    assert has_negative(replace(DOCUMENT, relations=[]), ["left"])
    assert DOCUMENT.stated_pairs == {(0, 1), (1, 0), (2, 1)}


def test_of_entities_one_relation_is_enough():
    document = entity_document(DOCUMENT)
    assert ([(r.head, r.tail) for r in document.relations], document.none_pairs) == ([(0, 1)], ((1, 0),))
    (record,) = records_of([DOCUMENT])
    assert record["none_pairs"] == [[1, 0]]
    again = FORMATS["text"].read(record, Reading())
    assert (again.none_pairs, again.exhaustive) == (((2, 0),), False)  # mentions stand by entity


def test_parts_of_documents_keep_theirs():
    assert DOCUMENT.within((0, 3)).none_pairs == ((1, 0),)
    assert DOCUMENT.within((2, 6)).none_pairs == ((1, 0),)
    joined = replace(DOCUMENT, none_pairs=((0, 2), (1, 0))).with_coreference("SELF")
    assert joined.none_pairs == ((1, 0),)


def test_end_to_end_they_count():
    (ada, london) = (((0, 3), None), ((9, 15), None))
    assert Gold.of(DOCUMENT, "strict").none_pairs == {(london, ada), (ada, london)}


def test_they_are_written_and_read_again():
    assert Document.from_dict(DOCUMENT.to_dict()) == DOCUMENT
    assert "none_pairs" not in replace(DOCUMENT, none_pairs=()).to_dict()
    with pytest.raises(ValueError, match="a relation joins these two"):
        replace(DOCUMENT, none_pairs=((0, 1),))
