import json
import logging

import pytest

from glirel_transformers.jobs import ExtractionSettings, Extractor, Malformed
from glirel_transformers.jobs.sources import Item

RELATIONS = {"place of birth": {"head": ["PERSON"], "tail": ["CITY"]}, "spouse": {}}


def items_of(records):
    raws = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return [Item("jsonl", "in.jsonl", line, 0, raw, len(raw)) for line, raw in enumerate(raws, start=1)]


@pytest.fixture
def build(model_folder):
    return lambda **settings: Extractor(
        ExtractionSettings(model=str(model_folder), **{"relation_types": RELATIONS, "threshold": 0.0, **settings})
    )


@pytest.fixture
def records(write_corpus):
    return [json.loads(line) for line in write_corpus(20).read_text().splitlines()]


def rounded(relations):
    return [{**relation, "score": round(relation["score"], 6)} for relation in relations]


def test_it_gives_what_the_pipeline_gives(build, records):
    extract = build(batch_size=4)
    found = extract(items_of(records)).records
    texts = [{"text": record["text"], "entities": record["entities"]} for record in records]
    expected = extract._extractor(texts, relation_types=RELATIONS, threshold=0.0, batch_size=4)
    assert [record["relations"] for record in found] == [rounded(relations) for relations in expected]
    assert [record["id"] for record in found] == list(range(20))
    assert sum(len(record["relations"]) for record in found) > 20


BAD = {
    2: b"no json",
    5: {"text": "Marie Curie", "entities": [[0, 3, "PERSON"]]},
    9: {"text": "word " * 500 + "Ada met Bob.", "entities": [[0, 4, "PERSON"], [5, 9, "CITY"]]},
    14: {"text": "Ada met Bob.", "entities": [{"start": 0, "end": 3, "text": "Bob"}]},
    19: {"text": "Marie Curie", "entities": [{"start": 0, "end": 99}]},
}


def test_malformed_items_leave_the_others_as_they_are(build, records):
    extract = build(batch_size=4)
    good = [record for number, record in enumerate(records) if number not in BAD]
    expected = extract(items_of(good)).records
    found = extract(items_of([BAD.get(number, record) for number, record in enumerate(records)])).records
    malformed = {number: record for number, record in enumerate(found) if isinstance(record, Malformed)}
    assert {number: record.item.line - 1 for number, record in malformed.items()} == {number: number for number in BAD}
    assert "word boundaries" in malformed[5].error
    assert "the model reads" in malformed[9].error
    assert "says that its text is 'Bob', but the characters (0, 3) are 'Ada'" in malformed[14].error
    assert "`entities[0]`" in malformed[19].error
    assert not any(record.error.startswith("Text ") for record in malformed.values())
    assert str(malformed[2]).startswith("in.jsonl:3: It is not JSON")
    for place, (one, other) in enumerate(zip([r for r in found if not isinstance(r, Malformed)], expected)):
        assert one["id"] == other["id"], place
        assert one["relations"] == other["relations"]


def test_an_error_that_no_item_is_to_blame_for_is_raised(build, records, monkeypatch):
    extract = build()
    monkeypatch.setattr(extract._extractor, "_select", lambda *_, **__: int("a bug"))
    with pytest.raises(ValueError, match="invalid literal"):
        extract(items_of(records))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 7}, "must be a number from 0 to 1"),
        ({"top_k": 0}, "at least 1"),
        ({"relation_types": {"spouse": {"head": []}}}, "must list the entity types"),
        ({"batch_size": 0}, "at least 1"),
        ({"group_size": 0}, "`group_size` must be a whole number"),
        ({"ner_labels": ["person"]}, "name one as `ner`"),
        ({"device": "nowhere"}, "The device 'nowhere' cannot be used"),
    ],
)
def test_settings_are_checked_before_any_text_is_read(build, settings, message):
    with pytest.raises(ValueError, match=message):
        build(**settings)


def test_pairs_that_no_window_holds_are_counted_instead_of_warned_of(build, caplog):
    extract = build(truncation="window", relation_types={"spouse": {}})
    text = "Ada met " + "word " * 500 + "Bob."
    far = {"text": text, "entities": [[0, 3], [len(text) - 4, len(text) - 1]]}
    with caplog.at_level(logging.WARNING):
        result = extract(items_of([far, far]))
    assert result.num_unscored_pairs == 4
    assert [record["relations"] for record in result.records] == [[], []]
    assert extract(items_of([far, BAD[5], far])).num_unscored_pairs == 4  # once each, although the chunk was run twice
    assert not caplog.records


def test_a_recogniser_finds_entities_where_there_are_none(build):
    extract = build(ner="heuristic", relation_types={"spouse": {}})
    own = {"text": "Ada met Bob.", "entities": [[4, 7]]}
    found = extract(items_of([{"text": "Ada met Bob."}, own, {"text": ""}])).records
    assert [[entity["text"] for entity in record["entities"]] for record in found] == [["Ada", "Bob"], ["met"], []]
    assert len(found[0]["relations"]) == 2


def test_found_entities_that_cut_a_word_are_the_whole_word(build, monkeypatch):
    monkeypatch.setattr(
        "glirel_transformers.jobs.worker.load_entity_recognizer",
        lambda *_, **__: (
            lambda text: [{"start": 0, "end": 2, "label": "PERSON"}, {"start": 8, "end": 11, "label": "PERSON"}]
        ),
    )
    (record,) = build(ner="mine")(items_of([{"text": "Ada met Bob."}])).records
    assert record["relations"]
    (record,) = build(ner="mine", alignment="strict")(items_of([{"text": "Ada met Bob."}])).records
    assert "nearest valid span" in record.error


def test_what_a_record_lacks_is_named_with_the_cure(build):
    (lacking,) = build()(items_of([{"text": "Ada met Bob."}])).records
    assert "--ner" in lacking.error
    (lacking,) = build(relation_types=None)(
        items_of([{"text": "Ada met Bob.", "entities": [[0, 3], [8, 11]]}])
    ).records
    assert "'relation_types'" in lacking.error
    own = {"text": "Ada met Bob.", "entities": [[0, 3], [8, 11]], "relation_types": "spouse: <->"}
    (record,) = build(relation_types=None)(items_of([own])).records
    assert len(record["relations"]) == 1


DOSE = "Bob took 5mg of aspirin."
PARTS = [{"start": 9, "end": 10, "label": "NUMBER"}, {"start": 10, "end": 12, "label": "UNIT"}]


def test_found_entities_that_are_parts_of_one_word_are_noted_and_given_ones_refused(build, monkeypatch, caplog):
    monkeypatch.setattr("glirel_transformers.jobs.worker.load_entity_recognizer", lambda *_, **__: lambda text: PARTS)
    extract = build(ner="mine", relation_types={"dose": {}})
    with caplog.at_level(logging.WARNING):
        result = extract(items_of([{"text": "A fine text."}, {"text": DOSE}, {"text": DOSE, "entities": PARTS}]))
    bad_span, found, given = result.records
    assert isinstance(bad_span, dict)  # its entities cut words, and are these words
    assert [entity["text"] for entity in found["entities"]] == ["5", "mg"]
    assert len(found["relations"]) == 2
    assert "`entities[0]` ('5') and `entities[1]` ('mg') are parts of the same words, '5mg'" in given.error
    assert [note for note in result.collapses if note.startswith("in.jsonl:2: `entities[0]` ('5')")]
    assert not caplog.records


def test_a_recogniser_that_fails_makes_its_text_malformed(build, monkeypatch):
    def fail(text):
        raise RuntimeError("out of order")

    monkeypatch.setattr("glirel_transformers.jobs.worker.load_entity_recognizer", lambda *_, **__: fail)
    failed, good = build(ner="mine", relation_types={"spouse": {}})(
        items_of([{"text": "Ada met Bob."}, {"text": "Ada met Bob.", "entities": [[0, 3], [8, 11]]}])
    ).records
    assert failed.error == "`ner` raised RuntimeError: out of order"
    assert good["relations"]


def test_options_are_those_of_the_extractor(build, records):
    options = {"self_pairs": True, "readable_names": True, "group_size": 1}
    extract = build(relation_types={"place_of_birth": {}, "spouse": {}}, **options)
    texts = [{"text": record["text"], "entities": record["entities"]} for record in records]
    expected = extract._extractor(
        texts, relation_types={"place_of_birth": {}, "spouse": {}}, threshold=0.0, batch_size=32, **options
    )
    found = extract(items_of(records)).records
    assert [record["relations"] for record in found] == [rounded(relations) for relations in expected]
    assert len(found[0]["relations"]) == 8
    assert found[0]["relations"] != build(relation_types=["place_of_birth", "spouse"])(items_of(records)).records[0]


def test_what_is_not_asked_for_shapes_nothing():
    shaping = ExtractionSettings(["spouse"], "owner/model").shaping()
    assert set(shaping) == {"relation_types", "model", "truncation", "batch_size"}
    assert ExtractionSettings(["spouse"], "owner/model", self_pairs=True).shaping() == {**shaping, "self_pairs": True}
