"""Documents by characters, as `glirel extract` reads and writes them."""

import json
from dataclasses import replace

import pytest

from glirel_transformers.data import Document, Mention, Relation, read_documents
from glirel_transformers.data.readers import FORMATS
from glirel_transformers.data.readers.format import Reading
from glirel_transformers.mentions_glirel import read_entities

TEXT = "Marie Curie was born in Warsaw."
MARIE = {"start": 0, "end": 11, "text": "Marie Curie", "label": "PERSON", "index": 0}
WARSAW = {"start": 24, "end": 30, "text": "Warsaw", "label": "CITY", "index": 1}
RECORD = {
    "text": TEXT,
    "entities": [MARIE, WARSAW],
    "relations": [{"head": MARIE, "relation": "place of birth", "tail": WARSAW, "score": 0.9}],
}
DOCUMENT = Document(
    ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
    [Mention(0, 2, "PERSON"), Mention(5, 6, "CITY")],
    [Relation(0, 1, "place of birth")],
    text=TEXT,
)


def read(**changes):
    return FORMATS["text"].read({**RECORD, **changes}, Reading())


def relation(head, tail, **more):
    return [{"head": head, "relation": "place of birth", "tail": tail, **more}]


@pytest.mark.parametrize(
    "relations",
    [
        relation(MARIE, WARSAW),
        relation(0, 1),
        relation({"start": 0, "end": 11}, {"start": 24, "end": 30, "label": "CITY"}),
        relation({"index": 0}, 1),
        [{"head": 0, "relation_type": "place of birth", "tail": 1}],
    ],
)
def test_heads_and_tails_are_positions_or_entities(relations):
    assert read(relations=relations) == DOCUMENT


@pytest.mark.parametrize(
    "entities",
    [[(0, 11, "PERSON"), (24, 30, "CITY")], {"PERSON": ["Marie Curie"], "CITY": ["Warsaw"]}],
)
def test_entities_are_read_in_any_form(entities):
    assert read(entities=entities) == DOCUMENT


def test_fields_of_other_tools_do_not_disturb(tmp_path):
    file = tmp_path / "labelled.jsonl"
    further = {"id": 7, "meta": {"by": "ann"}, "line": 3, "relation_types": ["spouse"], "source": "in.txt"}
    own = {**DOCUMENT.to_dict(), "id": 8, "meta": None}
    file.write_text("\n".join(map(json.dumps, [RECORD | further, own])))
    first, second = read_documents(file)
    assert (first.mentions, first.relations, first.source) == (DOCUMENT.mentions, DOCUMENT.relations, "in.txt")
    assert first.extra == {name: value for name, value in further.items() if name != "source"}
    assert second == replace(DOCUMENT, extra={"id": 8, "meta": None})
    assert second.to_dict() == own


def test_what_extract_makes_of_a_document_for_training_is_read_by_characters():
    record = {**DOCUMENT.to_dict(), **RECORD, "input_relations": DOCUMENT.to_dict()["relations"]}
    form = next(form for form in FORMATS.values() if form.matches(record))
    assert form.name == "text"
    extra = {"input_relations": record["input_relations"]}
    assert form.read(record, Reading()) == replace(DOCUMENT, extra=extra)


def test_entities_of_several_mentions_keep_them():
    text = "Marie Curie met Pierre. She left Pierre."
    entities = [{"mentions": [[0, 11], [24, 27]], "label": "PERSON"}, {"start": 16, "end": 22, "label": None}]
    document = read(text=text, entities=entities, relations=relation(0, 1))
    assert [mention.entity for mention in document.mentions] == [0, 0, None]
    assert document.relations == [Relation(0, 2, "place of birth")]


def test_an_entity_that_relates_to_itself_needs_self_pairs():
    with pytest.raises(ValueError, match=r"joins mention 0 to itself.*or set `self_pairs`"):
        read(relations=relation(0, 0))
    assert read(relations=relation(0, 0), self_pairs=True).self_pairs


def test_what_is_listed_twice_is_counted():
    reading = Reading()
    FORMATS["text"].read({**RECORD, "relations": [*relation(0, 1), *relation(MARIE, WARSAW)]}, reading)
    assert reading.twice == {"relations": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"relations": [[0, 1, "x"]]}, r"`relations\[0\]` must be an object with 'head', 'relation' and 'tail'"),
        ({"relations": [{"head": 0, "tail": 1}]}, r"`relations\[0\]` must be an object with"),
        ({"relations": relation(0, 2)}, r"`relations\[0\]\.tail` is 2, which is not one of the 2 `entities`"),
        ({"relations": relation(-1, 0)}, r"`relations\[0\]\.head` is -1"),
        ({"relations": relation(True, 0)}, r"`relations\[0\]\.head` is True"),
        ({"relations": relation({**MARIE, "index": 1}, WARSAW)}, r"`relations\[0\]\.head` is .*not one of the 2"),
        ({"relations": relation({"start": 3, "end": 11}, 1)}, r"`relations\[0\]\.head` is .*not one of the 2"),
        ({"relations": relation({"name": "Marie"}, 1)}, r"`relations\[0\]\.head` is .*not one of the 2"),
        ({"relations": relation(0, 1, relation_id=19)}, r"`relations\[0\]\.relation_id` must be of type str"),
        ({"entities": [{**MARIE, "text": "Pierre"}]}, "Pierre"),
        (
            {"entities": [{**MARIE, "entity": 0}, WARSAW]},
            r"`entities\[0\]` has 'entity': 0, as mentions have in the format",
        ),
        (
            {"entities": [(0, 3), (24, 30)], "relations": []},
            r"`entities\[0\]` is \(0, 3\), 'Mar', which does not start and end on word",
        ),
        ({"text": None}, r"lacks \['text'\]"),
        ({"text": 7}, "`text` must be of type str: got 7"),
        ({"exhaustiv": False}, "has the field 'exhaustiv', which looks like 'exhaustive'"),
        ({"exhaustive": "no"}, "`exhaustive` must be of type bool: got 'no'"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read(**changes)


def test_relations_must_be_there():
    with pytest.raises(ValueError, match=r"lacks \['relations'\]"):
        FORMATS["text"].read({"text": TEXT, "entities": []}, Reading())


NAMED = {"text": "Marie Curie was born in Warsaw. She died in Passy."}


@pytest.mark.parametrize(
    ("entities", "head", "tail"),
    [
        (["Marie Curie", "Warsaw"], "Marie Curie", "Warsaw"),
        ([["Marie Curie", "PERSON"], ["Warsaw", "CITY"]], "Marie Curie", ["Warsaw", "CITY"]),
        ({"PERSON": ["Marie Curie"], "CITY": ["Warsaw"]}, "Marie Curie", "Warsaw"),
        ([[0, 11], [24, 30, "CITY"]], [0, 11], [24, 30, "CITY"]),
        ([{"start": 0, "end": 11}, {"text": "Warsaw"}], {"start": 0, "end": 11}, {"text": "Warsaw"}),
        ([{"mentions": [[0, 11], [32, 35]]}, "Warsaw"], "She", 1),
        ([{"mentions": [[0, 11], [32, 35]]}, "Warsaw"], {"mentions": [[0, 11], [32, 35]]}, {"text": "Warsaw"}),
    ],
)
def test_heads_and_tails_are_entities_as_they_are_written(entities, head, tail):
    relation = {"head": head, "relation": "place of birth", "tail": tail}
    document = FORMATS["text"].read({**NAMED, "entities": entities, "relations": [relation]}, Reading())
    _, read, (stated,) = document.to_entities()
    assert (stated.head, stated.tail) == (0, 1)
    assert len(read) == 2


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("Ada", r"`relations\[0\]\.head` is 'Ada', which is said of the entities \[0, 1\]. Give the position"),
        ("Eve", r"`relations\[0\]\.head` is 'Eve', which is not one of the 3 `entities`"),
    ],
)
def test_names_of_no_entity_or_of_several_are_an_error(head, message):
    record = {
        "text": "Ada met Ada and Bob.",
        "entities": ["Ada", "Ada", "Bob"],
        "relations": [{"head": head, "relation": "met", "tail": "Bob"}],
    }
    with pytest.raises(ValueError, match=message):
        FORMATS["text"].read(record, Reading())


@pytest.mark.parametrize(
    "entities",
    [
        [(0, 11), (24, 30)],
        [(0, 11, "PERSON"), [24, 30, None]],
        ["Marie Curie", ("Warsaw", "CITY")],
        [{"start_char": 0, "end_char": 11, "type": "PERSON"}, {"text": "Warsaw"}],
        read_entities([(0, 11), (24, 30)], NAMED["text"]),
    ],
)
def test_documents_take_entities_in_every_form(entities):
    document = Document.from_text(NAMED["text"], entities, [Relation(0, 1, "place of birth")])
    assert [(mention.start, mention.end) for mention in document.mentions] == [(0, 2), (5, 6)]
    labels = [entity.label for entity in read_entities(entities, NAMED["text"])]
    assert [mention.label for mention in document.mentions] == labels
