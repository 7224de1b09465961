"""Entities by name, under other keys, of several mentions; and surfaces that are compared with the text."""

from __future__ import annotations

import time
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from asked import MARIE

from glirel_transformers.ner import find_capitalized_spans
from glirel_transformers.requests_glirel import Entity, Mention, check_surface, read_entities
from glirel_transformers.sources_glirel import read_inputs

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


@pytest.mark.parametrize(
    "fields",
    [
        {"rdf:type": "PERSON"},
        {"role": "PERSON"},
        {"annotation": "PERSON"},
        {"ontology": "http://example.org/Person"},
        {"@types": ["PERSON"]},
        {"hypernym": ["PERSON", "AGENT"]},
        {"annotation": {"type": "PERSON"}},
        {"annotations": [{"label": "PERSON"}]},
        {"label": None, "entity_class": "PERSON"},
    ],
)
def test_a_key_that_may_hold_a_type_is_refused(fields):
    for entity in ({"start": 0, "end": 11, **fields}, {"mentions": [{"start": 0, "end": 11, **fields}]}):
        with pytest.raises(ValueError, match=r"which looks like its type and is not read\. Call it 'label'"):
            read_entities([entity], MARIE)
        entity["label"] = "PERSON"
        assert read_entities([entity], MARIE)[0].label == "PERSON"


@pytest.mark.parametrize(
    "fields",
    [
        {"label": None, "role": "subject"},
        {"labels": [], "annotation": "x"},
        {"wiki": "Q7186", "id": "T1", "entity_id": "E", "url": "http://x", "note": "the physicist"},
        {"canonicalName": "Maria Skłodowska", "score": 0.9, "checked": True, "meta": {"by": "Ann"}, "token_start": 0},
    ],
)
def test_a_key_that_is_known_not_to_be_a_type_is_left_alone(fields):
    assert read_entities([{"start": 0, "end": 11, **fields}], MARIE)[0].label is None


def test_types_of_mentions_are_those_of_their_entity():
    for mention in (
        {"start": 0, "end": 11, "label": "PERSON"},
        {"start": 0, "end": 11, "entity_group": "PERSON"},
        (0, 11, "PERSON"),
        ("Marie Curie", "PERSON"),
        SimpleNamespace(start_char=0, end_char=11, label_="PERSON", text="Marie Curie"),
        SimpleNamespace(start_char=0, end_char=11, label="PERSON"),
    ):
        for given in ([mention], [mention, (24, 30)], [(24, 30), mention]):
            assert read_entities([{"mentions": given}], MARIE)[0].label == "PERSON"
            assert read_entities([{"mentions": given, "label": "PERSON"}], MARIE)[0].label == "PERSON"
            with pytest.raises(ValueError, match=r"different types in its keys: .*'ORG'.*'PERSON'"):
                read_entities([{"mentions": given, "label": "ORG"}], MARIE)
    with pytest.raises(ValueError, match=r"'mentions\[0\]\.label': 'A', 'mentions\[1\]\.label': 'B'"):
        read_entities([{"mentions": [(0, 11, "A"), (24, 30, "B")]}], MARIE)


def test_named_tuples_are_read_by_their_names():
    row = namedtuple("Row", "Index start end label")(3, 0, 11, "PERSON")
    (entity,) = read_entities([row], MARIE)
    assert (entity.start, entity.end, entity.label) == (0, 11, "PERSON")
    assert read_entities([{"mentions": entity.mentions, "label": "PERSON"}], MARIE) == [entity]


def test_tables_are_refused_with_the_cure():
    pandas = pytest.importorskip("pandas")
    text = "They start at the end of label ."
    table = pandas.DataFrame({"start": [0, 5], "end": [4, 10], "label": ["A", "B"]})
    for given, inputs in ((table, text), ([table], [text]), (table, [text])):
        with pytest.raises(TypeError, match=r"A DataFrame is not a list of .*table\.to_dict\('records'\)"):
            [read_entities(one["entities"], one["text"]) for one in map(dict, _listed(inputs, given))]
    assert [entity.label for entity in read_entities(table.to_dict("records"), text)] == ["A", "B"]
    assert [entity.label for entity in read_entities(table.itertuples(), text)] == ["A", "B"]


def _listed(inputs, entities):
    read = read_inputs(inputs, entities)
    return read if isinstance(read, list) else [read]


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
        (MARIE, {"mentions": [{"start": 0, "end": 5, "text": "Curie"}]}, r"mentions\[0\]` says .* is 'Curie'"),
        (MARIE, SimpleNamespace(start_char=0, end_char=11, label_="X", text="Warsaw"), "its text is 'Warsaw'"),
    ],
)  # fmt: skip
def test_a_surface_that_is_not_at_its_span_is_an_error_that_says_why(text, entity, reason):
    with pytest.raises(ValueError, match=reason):
        read_entities([entity], text)


SURFACE_KEYS = [
    *("text", "entity_text", "span_text", "coveredText", "token", "tokens", "string", "phrase", "content", "chunk"),
    *("surface_form", "mention_text", "matched-text", "exact", "span", "literal", "EntityString"),
]


@pytest.mark.parametrize("key", SURFACE_KEYS)
def test_surfaces_under_other_keys_are_compared(key):
    with pytest.raises(ValueError, match=r"its text is 'Al', but the characters .* are 'Bo'. These are UTF-8 byte"):
        read_entities([{"start": 5, "end": 7, key: "Al"}], EMOJI)
    with pytest.raises(ValueError, match="says that its text is 'Ada'"):
        read_entities([{"start": 5, "end": 7, key: "Ada"}], EMOJI)
    assert spans_of(read_entities([{"start": 5, "end": 7, key: "Bo"}], EMOJI)) == [(5, 7)]
    assert spans_of(read_entities([{key: "Bo"}], EMOJI)) == [(5, 7)]


def test_every_surface_that_is_given_is_compared():
    with pytest.raises(ValueError, match="says that its text is 'Al'"):
        read_entities([{"start": 5, "end": 7, "text": "Bo", "word": "Al"}], EMOJI)


@pytest.mark.parametrize("key", ["name", "value", "canonical_name", "title", "whatever"])
def test_other_names_show_wrong_offsets_and_may_differ_otherwise(key):
    for text, span, name in (
        (EMOJI, (5, 7), "Al"),
        (EMOJI, (3, 5), "Al"),
        (MARIE, (0, 10), "Marie Curie"),
        ("Al met\nBo and Cy.", (8, 10), "Bo"),  # of a text with other line ends
    ):
        given = {"start": span[0], "end": span[1], "label": "X", key: name}
        with pytest.raises(ValueError, match=rf"says that its '{key}' is '{name}', but the characters"):
            read_entities([given], text)
    for name in ("Maria Skłodowska-Curie", "Marie Curie", "Warsaw", "curie"):
        given = {"start": 6, "end": 11, "label": "X", key: name}
        assert spans_of(read_entities([given], MARIE)) == [(6, 11)]
    cluster = {"mentions": [(0, 3), (15, 18)], "label": "X", key: "Ada Lovelace"}
    assert read_entities([cluster], "Ada was young. She met Bob.")[0].mentions[1].text == "She"


def test_a_surface_next_to_mentions_is_one_of_theirs():
    text = "Marie Curie was born in Warsaw. She left it."
    for surface in ("Marie Curie", "She", "marie curie"):
        assert read_entities([{"mentions": [(0, 11), (32, 35)], "text": surface}], text)
    for key in ("text", "word", "surface"):
        with pytest.raises(
            ValueError, match=r"text is 'Albert Einstein', but its mentions are \['Marie Curie', 'She'"
        ):
            read_entities([{"mentions": [(0, 11), (32, 35)], key: "Albert Einstein"}], text)


def test_errors_name_the_mention():
    for mention, message in (
        ((24, 99), r"`entities\[1\]\.mentions\[1\]` is \(24, 99\), outside"),
        ("Paris", r"`entities\[1\]\.mentions\[1\]` is 'Paris', but the text does not hold"),
        (5, r"`entities\[1\]\.mentions\[1\]` must be"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            read_entities([(0, 11), {"mentions": [(24, 30), mention]}], MARIE)


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
