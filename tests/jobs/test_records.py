import json

import pytest

from glirel_transformers.jobs.records import in_options, read_request
from glirel_transformers.jobs.sources import Item
from glirel_transformers.requests_glirel import read_entities, read_relation_types


def request_of(record, kind="jsonl"):
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    return read_request(Item(kind, "in.jsonl", 3, 0, raw, len(raw)))


def record_of(request, relations=()):
    """The output's record, with the entities as the extractor reads them."""
    return request.to_record(read_entities(request.entities, request.text), relations)


def test_all_fields_are_carried_through():
    record = {
        "id": "a",
        "text": "Ada met Bob.",
        "entities": [{"start": 0, "end": 3, "label": "PERSON", "wiki": "Q7259"}, [8, 11]],
        "relations": ["gold"],
        "source": "a book",
        "relation_types": ["spouse"],
    }
    relation = {"head": {}, "relation": "spouse", "tail": {}, "score": 0.12345678}
    assert record_of(request_of(record), [relation]) == {
        "id": "a",
        "input_relations": ["gold"],
        "input_source": "a book",
        "relation_types": ["spouse"],
        "text": "Ada met Bob.",
        "entities": [
            {"start": 0, "end": 3, "text": "Ada", "label": "PERSON", "index": 0, "wiki": "Q7259"},
            {"start": 8, "end": 11, "text": "Bob", "label": None, "index": 1},
        ],
        "relations": [{**relation, "score": 0.123457}],
        "source": "in.jsonl",
        "line": 3,
    }


def test_the_training_format_is_read():
    record = {
        "words": ["Ada", "Lovelace", "met", "Bob", "."],
        "mentions": [{"start": 0, "end": 2, "label": "PERSON"}, {"start": 3, "end": 4}],
        "relations": [],
    }
    request = request_of(record)
    assert request.text == "Ada Lovelace met Bob ."
    assert [(entity["text"], entity["label"]) for entity in record_of(request)["entities"]] == [
        ("Ada Lovelace", "PERSON"),
        ("Bob", None),
    ]


MENTIONS = [{"start": 0, "end": 2, "label": "PERSON", "entity": None}, {"start": 3, "end": 4, "label": None}]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("Ada  Lovelace\nmet Bob.", [(0, 13), (18, 21)]),
        ("Ada Lovelace met Bob .", [(0, 12), (17, 20)]),
        (None, [(0, 12), (17, 20)]),
    ],
)
def test_documents_are_read_with_and_without_their_text(text, spans):
    record = {"words": ["Ada", "Lovelace", "met", "Bob", "."], "mentions": MENTIONS, "relations": [], "text": text}
    found = record_of(request_of(record))
    assert found["text"] == (text or "Ada Lovelace met Bob .")
    assert [(entity["start"], entity["end"]) for entity in found["entities"]] == spans
    assert found["text"][slice(*spans[0])] == found["entities"][0]["text"]
    assert (found["words"], found["mentions"], found["input_relations"]) == (record["words"], MENTIONS, [])
    assert request_of({**record, "words": [], "mentions": [], "text": text and " "}).entities == []


@pytest.mark.parametrize(
    ("others", "entities"),
    [({"entities": [[0, 3]], "mentions": MENTIONS}, [[0, 3]]), ({}, None), ({"mentions": None}, None)],
)
def test_words_beside_a_text_count_only_with_mentions_and_without_entities(others, entities):
    request = request_of({"text": "Ada met Bob.", "words": ["something", "else"], **others})
    assert (request.text, request.entities) == ("Ada met Bob.", entities)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (
            "spouse\nplace of birth: PERSON -> CITY",
            {"spouse": {}, "place of birth": {"head": ["PERSON"], "tail": ["CITY"]}},
        ),
        ("spouse\nplace of birth", {"spouse": {}, "place of birth": {}}),
        ({"spouse": {"symmetric": True}}, {"spouse": {"symmetric": True}}),
        (None, None),
    ],
)
def test_relation_types_are_names_lines_or_settings(given, read):
    assert request_of({"text": "a b", "entities": [], "relation_types": given}).relation_types == read


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"{'text': 1}", r"It is not JSON: Expecting property name .* at character 2"),
        (b'{"text": "\xff"}', "^Byte 0xff is not UTF-8"),
        (b'{"text": "a\0b"}', "^Byte 11 is NUL"),
        ('{"text": "Ada"}'.encode("utf-16"), "^It is UTF-16 text"),
        (b'{"text": "a", "entities": [], "n": 1e999}', "It has the number 1e999, which is too large"),
        (b"[" * 100_000, "nested too deeply"),
        ([1, 2], "must be a JSON object"),
        ({"entities": []}, r"'text' must be a string: got None. The record has \['entities'\]"),
        ({"text": "half \ud83d", "entities": []}, "half a surrogate pair at character 5"),
        (
            {"words": ["Ada"], "mentions": [{"start": 0, "end": 2}]},
            r"`mentions\[0\]` must have .* of which there are 1",
        ),
        ({"words": ["Ada"]}, "needs 'mentions'"),
        ({"words": ["Ada"], "text": None}, "needs 'mentions'"),
        ({"words": "Ada", "mentions": []}, "list of words"),
        ({"words": ["half \ud83d"], "mentions": []}, "half a surrogate pair at character 5"),
        ({"words": ["Ada"], "mentions": [], "text": 5}, "'text' must be a string: got 5"),
        ({"words": ["Ada"], "mentions": [], "text": "Bob"}, r"`words\[0\]` is 'Ada', where the text has 'Bob'"),
        ({"words": ["Ada"], "mentions": [], "text": "Ada met Bob"}, "continues after the last word: 'met Bob'"),
        ({"text": "a b", "relation_types": "x -> y"}, "has an arrow"),
    ],
)
def test_what_cannot_be_understood_is_said(record, message):
    with pytest.raises((ValueError, TypeError), match=message):
        request_of(record)


def test_a_text_is_itself():
    request = request_of("Łódź".encode(), "lines")
    assert (request.text, request.entities) == ("Łódź", None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (r'{"text": "A B", "entities": [], "id": "x\ud83d"}', "The field 'id' has half a surrogate pair"),
        (r'{"text": "A B", "entities": [], "m": {"k": ["\udc00"]}}', r"The field 'm\.k\[0\]' has half a surrogate"),
        (r'{"text": "A B", "entities": [], "\ud83d": 1}', "The name of a field has half a surrogate pair"),
        (r'{"text": "A B", "entities": [[0, 1, "P\ud83d"]]}', "half a surrogate pair"),
        ('{"text": "A B", "entities": [], "score": NaN}', "the value NaN, which JSON does not have"),
        ('{"text": "A B", "entities": [], "score": -Infinity}', "the value -Infinity"),
    ],
)
def test_what_no_output_can_hold_is_refused_where_it_is(line, message):
    with pytest.raises(ValueError, match=message):
        read_request(Item("jsonl", "x.jsonl", 1, 0, line.encode(), len(line)))


def test_names_of_a_list_that_begin_with_a_number_sign_are_names():
    line = '{"text": "A B", "entities": [], "relation_types": ["#1 hit", "y"]}'
    assert list(read_request(Item("jsonl", None, 1, 0, line.encode(), len(line))).relation_types) == ["#1 hit", "y"]


def test_names_of_a_list_stand_as_they_are():
    names = ["a:", " y ", ":heart:", "c -> d", "h: i", "j→k", "p: A -> B", "#x", "a: P --> C", "k\nl"]
    assert request_of({"text": "A B", "entities": [], "relation_types": names}).relation_types == names
    for given in (names, {name: {} for name in names}):
        asked = request_of({"text": "A B", "entities": [], "relation_types": given}).relation_types
        assert [relation.name for relation in read_relation_types(asked)] == names


def test_mentions_of_one_entity_stay_together():
    record = {
        "words": ["Ada", "Lovelace", "met", "Bob", ".", "She", "left", "."],
        "mentions": [
            {"start": 0, "end": 2, "label": "PERSON", "entity": 7},
            {"start": 3, "end": 4, "entity": 2},
            {"start": 5, "end": 6, "label": None, "entity": 7},
        ],
        "relations": [],
    }
    ada, bob = record_of(request_of(record))["entities"]
    assert (bob["text"], bob["label"], "mentions" in bob) == ("Bob", None, False)
    assert (ada["text"], ada["label"]) == ("Ada Lovelace", "PERSON")
    assert [mention["text"] for mention in ada["mentions"]] == ["Ada Lovelace", "She"]
    record["mentions"][2]["label"] = "ORG"
    with pytest.raises(ValueError, match=r"different types in its keys: .*'PERSON'.*'ORG'"):
        record_of(request_of(record))
    record["mentions"][2]["entity"] = "7"
    with pytest.raises(TypeError, match=r"`mentions\[2\]\.entity` must be a whole number: got '7'"):
        request_of(record)


def test_records_say_that_entities_may_relate_to_themselves():
    request = request_of({"text": "Ada met Bob.", "entities": [[0, 3], [8, 11]]})
    entities = read_entities(request.entities, request.text)
    assert request.to_record(entities, [], self_pairs=True)["self_pairs"] is True
    assert "self_pairs" not in request.to_record(entities, [])


@pytest.mark.parametrize("line", ["{", "[", '{"text": "A B",', '  {"a": [', "[{", '{"text":'])
def test_a_value_that_goes_on_in_the_next_line_is_told_the_cure(line):
    with pytest.raises(ValueError, match=r"It is not JSON: Expecting .*on a line of its own: jq -c \. FILE, or for a"):
        request_of(line.encode())


@pytest.mark.parametrize("line", ["x", "{'text': 1}", '{"a": 1} {"b": 2}', '{"text": "A'])
def test_other_lines_are_not_told_that_they_go_on(line):
    with pytest.raises(ValueError, match="It is not JSON") as caught:
        request_of(line.encode())
    assert "jq" not in str(caught.value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Pass truncation='window' to the pipeline, or fewer.", "Pass --truncation window, or fewer."),
        ("alignment='expand' takes it.", "--alignment expand takes it."),
        ("Pass group_size=5.", "Pass --group-size 5."),
        ("'threshold=5'", "'--threshold 5'"),
        ("the text says a=b", "the text says a=b"),
    ],
)
def test_errors_name_the_options_of_the_command_line(message, expected):
    assert in_options(message) == expected
