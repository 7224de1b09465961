import json

import pytest

from glirel_transformers.data import Document, Mention, Relation, read_documents, write_documents
from glirel_transformers.data.readers import read_places
from glirel_transformers.data.validation import validate

PAIR = [{"start": 0, "end": 1}, {"start": 1, "end": 2}]


def record(words, *relations, **settings):
    made = [{"head": 0, "tail": 1, "relation_type": name} for name in relations]
    return {"words": words.split(), "mentions": PAIR, "relations": made, **settings}


@pytest.fixture
def write(tmp_path):
    def make(name, *lines):
        file = tmp_path / name
        file.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines))
        return file

    return make


def test_every_malformed_record_is_named_with_its_line(write):
    file = write(
        "a.jsonl",
        record("Ada met Alan", "met"),
        '{"words": ["Ada"',
        record("one"),
        "",
        [1],
        record("a b c", ""),
        {"foo": 1},
        record("x y", "r"),
    )
    found = validate([file])
    assert [message.removeprefix(f"{file}, line ").split(":")[0] for message in found.malformed] == [
        *("2", "3", "5", "6", "7")
    ]
    assert "jq -c ." in found.malformed[0]
    assert "`mentions[1]` is (1, 2) in a text of 1 words" in found.malformed[1]
    assert found.documents == {str(file): 2}


def test_places_are_those_of_what_read_documents_gives(write):
    file = write("a.jsonl", record("Ada met Alan", "met"), "", record("x y", "r"))
    places = list(read_places(file))
    assert [where for where, _ in places] == [f"{file}, line 1", f"{file}, line 3"]
    assert [document for _, document in places] == list(read_documents(file))
    bad = write("b.jsonl", record("x"), record("x y"))
    with pytest.raises(ValueError, match="line 1"):
        list(read_places(bad))


def test_a_file_that_is_damaged_or_no_text_is_one_error(write, tmp_path):
    (tmp_path / "utf16.jsonl").write_text("{}", encoding="utf-16")
    (tmp_path / "cut.jsonl.xz").write_bytes(b"\xfd7zXZ\0")
    array = write(
        "array.json", '[{"sents": [["a"]], "vertexSet": [], "labels": []}, {"sents": 3, "vertexSet": []}, {"se'
    )
    found = validate([tmp_path / "utf16.jsonl", tmp_path / "cut.jsonl.xz", array])
    assert "UTF-16 text" in found.malformed[0]
    assert "damaged or cut off" in found.malformed[1]
    assert "document 2: `sents` must be a list of lists" in found.malformed[2]
    assert found.malformed[3].endswith("What follows it was not read.")
    assert len(found.malformed) == 4


def test_formats_that_are_not_json_go_on_as_well(tmp_path):
    file = tmp_path / "semeval.txt"
    sentence = '"The <e1>fire</e1> and the <e2>storm</e2>."'
    lines = [f"1\t{sentence}", "Cause-Effect(e2,e1)", "", "what is this", "", f"2\t{sentence}", "Nonsense("]
    file.write_text("\n".join([*lines, "", f"3\t{sentence}", "Other", ""]))
    found = validate([file])
    assert [message.split(":")[0] for message in found.malformed] == [f"{file}, line 4", f"{file}, line 6"]
    assert found.documents == {str(file): 2}


def test_duplicates_within_and_between_files(write):
    first = write("a.jsonl", record("Ada met Alan .", "met"), record("ADA met Alan", "met"))
    second = write("b.jsonl", record("Ada met Alan", "knows"), record("Ada met Bob"))
    found = validate([first, second])
    assert [row.kind for row in found.duplicates] == ["same", "same text"]
    assert {row.other for row in found.duplicates} == {f"{first}, line 1"}
    assert not found.leaks
    again = validate([first], [second])
    assert [(row.where, row.kind) for row in again.leaks] == [
        (f"{first}, line 1", "same text"),
        (f"{first}, line 2", "same text"),
    ]


def test_names_that_leak_are_found_and_others_are_not(tmp_path):
    def of(file, *relations):
        documents = [
            Document(["text", str(number)], [Mention(0, 1), Mention(1, 2)], [Relation(0, 1, name, relation_id)])
            for number, (name, relation_id) in enumerate(relations)
        ]
        write_documents(tmp_path / file, documents)
        return tmp_path / file

    test = of("test.jsonl", ("spouse", "P26"), ("part of", "P361"), ("military rank", "P410"), ("crosses", "P177"))
    clean = of("clean.jsonl", ("father", "P22"), ("country", "P17"))
    assert not validate([clean], [test]).leaking_names
    leaking = of(
        "leaking.jsonl",
        *(("Spouse", None), ("married_to", None), ("has part", None), ("Military_Ranks", None), ("spans", "P177")),
        *(("spouse", None), ("traverses", None)),
    )
    found = validate([leaking], [test], groups=[(["crosses", "traverses"], [])])
    assert {(row.name, row.other, row.kind) for row in found.leaking_names} == {
        ("spouse", "spouse", "same"),
        ("spans", "crosses", "same id"),
        ("Spouse", "spouse", "same words"),
        ("Military_Ranks", "military rank", "same words"),
        ("married_to", "spouse", "synonym"),
        ("traverses", "crosses", "synonym"),
        ("has part", "part of", "inverse"),
    }
    assert found.leaking_names[0].kind == "same"
    assert [(row.name, row.other) for row in found.similar_names] == [("spouse", "Spouse")]
    blocked = validate([leaking], block=["married to"])
    assert {row.name for row in blocked.blocked_names} == {"Spouse", "spouse", "married_to"}


def test_runs_of_words_leak(write):
    text = "a b c d e f g h"
    train = write("train.jsonl", record(f"x y {text} z"), record("nothing of it here at all"))
    test = write("test.jsonl", record(f"{text.upper()} other"))
    assert not validate([train], [test]).leaks
    (leak,) = validate([train], [test], run_length=8).leaks
    assert leak == (f"{train}, line 1", f"{test}, line 1", "shared words")
    assert not validate([train], [test], run_length=9).leaks


def test_what_can_be_read_and_is_hardly_meant_is_counted(write):
    file = write(
        "a.jsonl",
        record("a b", "no_relation", "P17", "x ", "x ", "x"),
        {"words": [], "mentions": [], "relations": []},
    )
    notes = validate([file]).notes
    assert sum(notes.values()) == 6
    assert any("no_relation" in note and '{"no_relation": false}' in note for note in notes)
    assert notes["Relations that are listed twice in their document"] == 1


def test_all_of_it_is_json_and_nothing_is_clean(write):
    assert validate([write("a.jsonl", record("a b", "r"))]).is_clean
    found = validate([write("b.jsonl", record("a b", "r"), record("a b", "r", "P1"), "nothing")])
    assert not found.is_clean
    assert json.loads(json.dumps(found.to_dict()))["duplicates"][0]["kind"] == "same text"
    assert len(found.to_dict()["notes"]) == 1


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(OSError, match=r"missing\.jsonl"):
        validate([tmp_path / "missing.jsonl"])


def test_what_readers_leave_out_is_part_of_what_is_found(write, caplog):
    file = write("a.jsonl", {"tokenized_text": ["Ada"], "ner": [[0, 0, "x"], [0, 0, "x"]], "relations": []})
    found = validate([file], options={"reader": "gliner"})
    assert found.readers == [f"{file} lists 1 mentions and 0 relations twice; each was read once."]
    assert found.to_dict()["readers"] == found.readers
    assert not found.is_clean
    assert caplog.text == ""
