"""Entities by name, under other keys, of several mentions; and surfaces that are compared with the text."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from asked import MARIE

from glirel_transformers.ner import find_capitalized_spans
from glirel_transformers.requests_glirel import Entity, Mention, check_surface, read_entities

SPANS = [(0, 11), (24, 30)]


def spans_of(entities: list[Entity]) -> list[tuple[int, int]]:
    return [(entity.start, entity.end) for entity in entities]


# By name


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        (["Marie Curie", "Warsaw"], [None, None]),
        ([("Marie Curie", "PERSON"), "Warsaw"], ["PERSON", None]),
        ({"PERSON": ["Marie Curie"], "CITY": ["Warsaw"]}, ["PERSON", "CITY"]),
        ({"PERSON": "Marie Curie", "CITY": ("Warsaw",)}, ["PERSON", "CITY"]),
        ({"PERSON": [(0, 11)], "CITY": [[24, 30]]}, ["PERSON", "CITY"]),
        ([{"text": "Marie Curie", "type": "PERSON"}, {"word": "Warsaw"}], ["PERSON", None]),
        (iter(["Marie Curie", "Warsaw"]), [None, None]),
    ],
    ids=["names", "pairs", "by type", "by type, one", "spans by type", "dicts", "iterator"],
)
def test_entities_by_name(given, labels):
    entities = read_entities(given, MARIE)
    assert spans_of(entities) == SPANS
    assert [entity.label for entity in entities] == labels


def test_a_name_that_is_repeated_is_its_next_place():
    assert spans_of(read_entities(["Ada", "Bob", "Ada"], "Ada met Bob and Ada.")) == [(0, 3), (8, 11), (16, 19)]
    with pytest.raises(ValueError, match="'Ada' again after character 3"):
        read_entities(["Ada", "Ada"], "Ada met Bob.")


@pytest.mark.parametrize(
    ("text", "name", "span"),
    [
        ("Anna met Ann.", "Ann", (9, 12)),
        ("Joanna met Ann-Marie.", "Ann", (11, 14)),
        ("The USA and the US.", "US", (16, 18)),
        ("Ann's friend", "Ann", (0, 3)),
        ("東京大学は東京にある", "東京", (0, 2)),
        ("un thé à Orléans", "Orléans", (9, 16)),
    ],
)
def test_names_are_found_as_whole_words(text, name, span):
    assert spans_of(read_entities([name], text)) == [span]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Paris", "does not hold the entity 'Paris': it must stand there letter by letter"),
        ("warsaw", "does not hold the entity 'warsaw'"),
        ("Cur", "as whole words, only within others: 'Marie Curie was bor'"),
        (" Warsaw", "must begin and end with a word"),
        ("", "must begin and end with a word"),
    ],
)
def test_a_name_that_is_not_there_is_an_error(name, message):
    with pytest.raises(ValueError, match=message):
        read_entities(["Marie Curie", name], MARIE)


@pytest.mark.parametrize("given", [{"PERSON": [{"start": 0}]}, {"PERSON": 5}, {"start": 0, "end": 11}, {1: ["Marie"]}])
def test_a_dictionary_that_is_not_one_of_names_is_an_error(given):
    with pytest.raises(TypeError, match=r"dictionary of names by type|must be a list of names"):
        read_entities(given, MARIE)


# Keys of spans and types


@pytest.mark.parametrize(
    "keys",
    [
        ("start", "end"),
        ("start_char", "end_char"),
        ("char_start", "char_end"),
        ("start_offset", "end_offset"),
        ("startOffset", "endOffset"),
        ("BeginOffset", "EndOffset"),
        ("start_pos", "end_pos"),
        ("begin", "end"),
    ],
)
def test_spans_under_other_keys(keys):
    assert spans_of(read_entities([dict(zip(keys, span)) for span in SPANS], MARIE)) == SPANS


def test_spans_in_other_forms():
    for given in (
        np.array(SPANS),
        torch.tensor(SPANS),
        [{"span": [0, 11]}, {"offset": 24, "length": 6}],
        [{"start": 0, "end": 2, "start_char": 0, "end_char": 11}, (24, 30)],  # tokens and characters
        SimpleNamespace(ents=[SimpleNamespace(start_char=start, end_char=end, label_="") for start, end in SPANS]),
        read_entities(SPANS, MARIE),
    ):
        assert spans_of(read_entities(given, MARIE)) == SPANS


@pytest.mark.parametrize(
    "key", ["label", "type", "Type", "labels", "label_", "entity_type", "entity_group", "ent_type", "ner", "tag"]
)
def test_the_type_under_other_keys(key):
    (entity,) = read_entities([{"start": 0, "end": 11, key: "PERSON", "score": 0.9, "id": "Q7186"}], MARIE)
    assert entity.label == "PERSON"


def test_labels_may_be_a_list_of_one():
    (entity,) = read_entities([{"start": 0, "end": 11, "labels": ["PERSON"], "label": None}], MARIE)
    assert entity.label == "PERSON"
    (entity,) = read_entities([{"start": 0, "end": 11, "labels": []}], MARIE)
    assert entity.label is None
    with pytest.raises(ValueError, match=r"several types: \['PERSON', 'AUTHOR'\]"):
        read_entities([{"start": 0, "end": 11, "labels": ["PERSON", "AUTHOR"]}], MARIE)


def test_types_that_disagree_are_an_error():
    with pytest.raises(ValueError, match=r"different types in its keys: {'label': 'PERSON', 'type': 'ORG'}"):
        read_entities([{"start": 0, "end": 11, "label": "PERSON", "type": "ORG"}], MARIE)
    (entity,) = read_entities([{"start": 0, "end": 11, "label": "PERSON", "type": "PERSON"}], MARIE)
    assert entity.label == "PERSON"


@pytest.mark.parametrize(
    "key", ["class", "category", "Class", "entity_class", "lable", "typ", "etype", "kind", "entity"]
)
def test_a_key_that_looks_like_a_type_is_refused_by_name(key):
    with pytest.raises(ValueError, match=f"has the key '{key}', which"):
        read_entities([{"start": 0, "end": 11, key: "PERSON"}], MARIE)


def test_other_keys_are_left_alone():
    given = {"start": 0, "end": 11, "label": "PERSON", "category": "noun", "score": 0.5, "id": 3, "entity": 7}
    (entity,) = read_entities([given], MARIE)
    assert entity.to_dict() == {"start": 0, "end": 11, "text": "Marie Curie", "label": "PERSON", "index": 0}


@pytest.mark.parametrize("given", [b"ab", 5, None, (1, 2, 3, 4), [], (b"a", b"b")])
def test_what_is_not_an_entity_is_an_error(given):
    with pytest.raises(TypeError, match=r"`entities\[0\]` must"):
        read_entities([given], MARIE)


def test_half_a_surrogate_pair_in_a_label_is_an_error():
    with pytest.raises(ValueError, match=r"The label of `entities\[0\]` has half a surrogate pair at character 3"):
        read_entities([(0, 11, "PER\ud83d")], MARIE)


# Surfaces

EMOJI = "😀 Al Bo Cy was born in Oslo Rome Bern ."


@pytest.mark.parametrize(
    ("text", "entity", "reason"),
    [
        (EMOJI, {"start": 3, "end": 5, "text": "Al"}, "UTF-16 offsets"),
        (EMOJI, {"start": 5, "end": 7, "text": "Al"}, "UTF-8 byte offsets"),
        ("😀😀 Al", {"start": 5, "end": 7, "text": "Al"}, "outside the text.*UTF-16 offsets"),
        ("Zoë met Bob", {"start": 9, "end": 12, "word": "Bob"}, "outside the text.*UTF-8 byte offsets"),
        (MARIE, {"start": 0, "end": 10, "text": "Marie Curie"}, r"Its end is inclusive.*\(0, 11\)"),
        (MARIE, {"start": 1, "end": 12, "text": "Marie Curie"}, r"stands at \(0, 11\): the offsets are off by 1,"),
        (MARIE, {"start": 124, "end": 130, "text": "Warsaw"}, r"off by 100, and may be offsets of another text"),
        (MARIE, {"start": 0, "end": 12, "text": "Ada Lovelace"}, "offsets of another text"),
        (MARIE, {"start": 0, "end": 11, "text": ""}, "says that its text is ''"),
        (MARIE, {"start": 0, "end": 11, "surface": "Warsaw"}, "says that its text is 'Warsaw', but .* 'Marie Curie'"),
        (MARIE, {"start": 0, "end": 11, "entity": "Warsaw", "label": "X"}, "says that its text is 'Warsaw'"),
        (MARIE, {"mentions": [{"start": 0, "end": 5, "text": "Curie"}]}, "A mention of .* its text is 'Curie'"),
        (MARIE, SimpleNamespace(start_char=0, end_char=11, label_="X", text="Warsaw"), "its text is 'Warsaw'"),
    ],
)  # fmt: skip
def test_a_surface_that_is_not_at_its_span_is_an_error_that_says_why(text, entity, reason):
    with pytest.raises(ValueError, match=reason):
        read_entities([entity], text)


@pytest.mark.parametrize(
    ("text", "surface"),
    [
        ("Marie Curie", "marie curie"),
        ("Marie Curie", "▁Marie▁Curie"),
        ("Marie Curie", "Mar ##ie Cu ##rie"),
        ("U.S.A.", "U. S. A."),
        ("Zoë", "zoe"),
        ("Marie Skłodowska", "Marie [UNK]"),
        ("Marie\nCurie", "Marie Curie"),
    ],
)
def test_surfaces_as_tokenizers_leave_them_are_the_same(text, surface):
    check_surface(text, (0, len(text)), surface, "It")
    with pytest.raises(ValueError, match="says that its text is"):
        check_surface(text, (0, len(text)), f"{surface}x", "It")


def test_messages_stay_short():
    with pytest.raises(ValueError, match="says that its text is") as caught:
        check_surface("a" * 100_000, (0, 100_000), "b" * 100_000, "It")
    assert len(str(caught.value)) < 500


# Several mentions


def test_an_entity_of_several_mentions_is_read_and_written_without_loss():
    text = "Marie Curie was born in Warsaw. She left it."
    given = {"mentions": [(0, 11), {"start": 32, "end": 35, "text": "She"}], "label": "PERSON"}
    (entity,) = read_entities([given], text)
    assert entity.mentions == (Mention(0, 11, "Marie Curie"), Mention(32, 35, "She"))
    written = entity.to_dict()
    assert written == {
        "start": 0,
        "end": 11,
        "text": "Marie Curie",
        "label": "PERSON",
        "index": 0,
        "mentions": [{"start": 0, "end": 11, "text": "Marie Curie"}, {"start": 32, "end": 35, "text": "She"}],
    }
    assert read_entities([written], text) == [entity]
    assert read_entities([{"mentions": ["Marie Curie", "She"], "label": "PERSON"}], text) == [entity]


@pytest.mark.parametrize(
    ("entity", "kind", "message"),
    [
        ({"mentions": []}, ValueError, "has no mentions"),
        ({"mentions": [(0, 11), (0, 11)]}, ValueError, r"has the mention \(0, 11\) twice"),
        ({"mentions": [(0, 11), (24, 99)]}, ValueError, r"\(24, 99\), outside the text"),
        ({"mentions": [(0, 11)], "start": 24, "end": 30}, ValueError, r"span \(24, 30\), which is not one of its"),
        ({"mentions": [(0, 11)], "start": 0, "end": 11, "text": "Ada"}, ValueError, "says that its text is 'Ada'"),
        ({"mentions": {"start": 0}}, TypeError, "must be a list of spans"),
    ],
)
def test_mentions_that_do_not_fit_are_an_error(entity, kind, message):
    with pytest.raises(kind, match=message):
        read_entities([entity], MARIE)


# The recogniser by rules


def test_the_heuristic_takes_linear_time():
    sentence = "In 1903 Marie Curie of Warsaw met Pierre, 7 friends and Ada. "

    def seconds(number: int) -> float:
        start = time.process_time()
        assert len(find_capitalized_spans(sentence * number)) == 5 * number
        return time.process_time() - start

    seconds(100)
    assert seconds(8000) < 40 * seconds(800)  # a quadratic one takes 100 times as long
