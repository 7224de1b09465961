"""doccano, Prodigy and brat."""

import json

import pytest

from glirel_transformers.data import Mention, Relation, read_documents

TEXT = "Marie Curie was born in Warsaw."
WORDS = ["Marie", "Curie", "was", "born", "in", "Warsaw", "."]
MENTIONS = [Mention(0, 2, "PERSON"), Mention(5, 6, "CITY")]
BORN = [Relation(0, 1, "born in")]


def read(tmp_path, *records, **how):
    file = tmp_path / "export.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return list(read_documents(file, **how))


ENTITIES = [
    {"id": 11, "label": "PERSON", "start_offset": 0, "end_offset": 11},
    {"id": 12, "label": "CITY", "start_offset": 24, "end_offset": 30},
]
RELATIONS = [{"id": 1, "from_id": 11, "to_id": 12, "type": "born in"}]


@pytest.mark.parametrize(
    "record",
    [
        {"id": 3, "text": TEXT, "entities": ENTITIES, "relations": RELATIONS, "Comments": []},
        {"id": 3, "data": TEXT, "label": {"entities": ENTITIES, "relations": RELATIONS}},
    ],
)
def test_doccano_is_read(tmp_path, record):
    (document,) = read(tmp_path, record)
    assert (document.mentions, document.relations, document.exhaustive) == (MENTIONS, BORN, True)
    assert dict(document.extra) == {"id": 3}


@pytest.mark.parametrize("name", ["label", "labels"])
def test_older_exports_of_doccano_have_entities_alone(tmp_path, name):
    (document,) = read(tmp_path, {"text": TEXT, name: [[0, 11, "PERSON"], [24, 30, "CITY"]]})
    assert (document.mentions, document.exhaustive, document.knows_entities) == (MENTIONS, False, True)


def test_our_own_records_are_not_doccanos(tmp_path):
    ours = {"text": TEXT, "entities": [{"start": 0, "end": 11, "label": "PERSON"}], "relations": []}
    empty = {"text": TEXT, "entities": [], "relations": [], "Comments": []}
    first, second = read(tmp_path, ours, empty)
    assert (first.mentions, second.mentions) == (MENTIONS[:1], [])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relations": [{"from_id": 11, "to_id": 99, "type": "x"}]}, r"tail of `relations\[0\]` is 99"),
        ({"relations": [{"from_id": 11}]}, r"`relations\[0\]` must have 'from_id'"),
        ({"entities": [ENTITIES[0], {**ENTITIES[1], "id": 11}]}, r"`entities\[1\].id` is 11, which another"),
        ({"entities": [{**ENTITIES[0], "end_offset": 99}]}, r"`entities\[0\]` is \(0, 99\), outside the text"),
        ({"entities": [{**ENTITIES[0], "end_offset": "x"}]}, r"`entities\[0\]` must hold two whole numbers"),
        ({"entities": [{**ENTITIES[0], "end_offset": 9}]}, r"`entities\[0\]` is \(0, 9\).*cuts words"),
        ({"entities": [{**ENTITIES[0], "label": 5}]}, r"`entities\[0\].label` must be of type str"),
    ],
)
def test_what_does_not_fit_in_doccano_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, {"text": TEXT, "entities": ENTITIES, "relations": [], **change})


def tokens(texts, text=TEXT):
    found, position = [], 0
    for index, one in enumerate(texts):
        start = text.index(one, position)
        position = start + len(one)
        found.append({"text": one, "start": start, "end": position, "id": index, "ws": True})
    return found


SPANS = [
    {"start": 0, "end": 11, "token_start": 0, "token_end": 1, "label": "PERSON"},
    {"start": 24, "end": 30, "token_start": 5, "token_end": 5, "label": "CITY"},
]
TASK = {"text": TEXT, "tokens": tokens(WORDS), "spans": SPANS, "answer": "accept", "_input_hash": 1, "meta": {"a": 1}}


@pytest.mark.parametrize(
    "relation",
    [
        {"head": 1, "child": 5, "label": "born in"},
        {"head": 0, "child": 5, "label": "born in"},
        {"head": 1, "child": 5, "head_span": SPANS[0], "child_span": SPANS[1], "label": "born in"},
        {"head": 1, "child": 5, "head_span": {**SPANS[0], "label": None}, "child_span": SPANS[1], "label": "born in"},
    ],
)
def test_prodigy_is_read(tmp_path, relation):
    (document,) = read(tmp_path, {**TASK, "relations": [relation]})
    assert (document.words, document.mentions, document.relations) == (WORDS, MENTIONS, BORN)
    assert (document.text, document.exhaustive, dict(document.extra)) == (TEXT, True, {"meta": {"a": 1}})


def test_tokens_of_white_space_are_no_words_and_single_tokens_are_mentions(tmp_path):
    text = "Marie \n\n met 😀Pierre"
    task = {
        "text": text,
        "tokens": tokens(["Marie", "\n\n ", "met", "😀", "Pierre"], text),
        "spans": [{"start": 0, "end": 5, "label": "PERSON"}],
        "relations": [{"head": 0, "child": 4, "label": "met"}, {"head": 4, "child": 4, "label": "self"}],
    }
    (document,) = read(tmp_path, task)
    assert document.words == ["Marie", "met", "😀", "Pierre"]
    assert document.mentions == [Mention(0, 1, "PERSON"), Mention(3, 4)]
    assert document.relations == [Relation(0, 1, "met"), Relation(1, 1, "self")]
    assert document.self_pairs


def test_what_was_not_accepted_is_counted(tmp_path, caplog):
    answers = ["accept", "reject", "ignore", "reject"]
    documents = read(tmp_path, *({**TASK, "relations": [], "answer": answer} for answer in answers))
    assert len(documents) == 1
    assert "left out: tasks whose answer is 'reject': 2" in caplog.text
    assert "left out: tasks whose answer is 'ignore': 1" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"relations": [{"head": 1, "child": 9, "label": "x"}]}, r"`relations\[0\].child` is 9, which is not one of"),
        ({"spans": [{"start": 1, "end": 5}]}, r"`spans\[0\]` must have 'token_start' and 'token_end'"),
        ({"spans": [{**SPANS[0], "token_end": 7}]}, r"`spans\[0\]` must have 'token_start'"),
        ({"spans": [*SPANS, {**SPANS[0], "token_start": 1}], "relations": [{"head": 1, "child": 5}]}, "is in 2 spans"),
        ({"tokens": [{"start": 0}]}, r"`tokens\[0\]` must be an object with 'text'"),
        ({"spans": 5}, "`spans` must be a list of objects"),
    ],
)
def test_what_does_not_fit_in_prodigy_is_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, {**TASK, "relations": [], **change})


def brat(folder, text, *lines, name="doc"):
    (folder / f"{name}.txt").write_bytes(text.encode())
    (folder / f"{name}.ann").write_text("".join(f"{line}\n" for line in lines))
    return folder / f"{name}.ann"


STANDOFF = ("T1\tPERSON 0 11\tMarie Curie", "T2\tCITY 24 30\tWarsaw", "R1\tborn_in Arg1:T1 Arg2:T2")


@pytest.mark.parametrize("path", ["doc.ann", "doc.txt", "."])
def test_brat_is_read_from_either_file_or_the_folder(tmp_path, path):
    brat(tmp_path, TEXT, *STANDOFF)
    (document,) = read_documents(tmp_path / path)
    assert (document.mentions, document.relations) == (MENTIONS, [Relation(0, 1, "born_in")])
    assert (document.text, dict(document.extra)) == (TEXT, {"id": "doc"})


def test_folders_are_read_with_those_within_and_texts_without_annotations_are_counted(tmp_path, caplog):
    (tmp_path / "b").mkdir()
    brat(tmp_path / "b", TEXT, *STANDOFF, name="second.one")
    brat(tmp_path, TEXT, name="first")
    (tmp_path / "new.txt").write_text(TEXT)
    documents = list(read_documents(tmp_path))
    assert [document.extra["id"] for document in documents] == ["b/second.one", "first"]
    assert "left out: texts without an .ann file beside them: 1" in caplog.text


def test_fragments_over_a_line_end_are_one_span_and_discontinuous_ones_are_named(tmp_path, caplog):
    text = "😀 North\nAmerica and South America"
    file = brat(tmp_path, text, "T1\tLOC 2 7;8 15\tNorth America", "T2\tLOC 2 7;26 33\tNorth America")
    (document,) = read_documents(file)
    assert document.mentions == [Mention(1, 3, "LOC"), Mention(1, 6, "LOC")]
    assert "discontinuous spans, read from their first to their last character: 1 (the first: T2 of doc)" in (
        caplog.text
    )


@pytest.mark.parametrize("shift", [0, 1])
def test_windows_line_ends_count_as_one_or_two(tmp_path, shift):
    text = "Marie\r\nmet Pierre."
    file = brat(tmp_path, text, f"T1\tPERSON {11 - shift} {17 - shift}\tPierre", "T2\tPERSON 0 5\tMarie")
    (document,) = read_documents(file)
    assert document.mentions == [Mention(2, 3, "PERSON"), Mention(0, 1, "PERSON")]


def test_equivalent_spans_are_one_entity_and_relations_to_events_go_to_their_triggers(tmp_path, caplog):
    file = brat(
        tmp_path,
        "Ada met Bob. She liked him, Bob.",
        "T1\tPERSON 0 3\tAda",
        "T2\tPERSON 13 16\tShe",
        "T3\tPERSON 8 11\tBob",
        "T4\tPERSON 23 26\thim",
        "T5\tPERSON 28 31\tBob",
        "T6\tMeet 4 7\tmet",
        "*\tEquiv T1 T2",
        "*\tEquiv T3 T4",
        "*\tEquiv T5 T4",
        "*\tOther T1 T3",
        "E1\tMeet:T6 Who:T1",
        "R1\tcauses Arg1:E1 Arg2:T3",
        "A1\tNegation E1",
        "N1\tReference T1 Wikidata:Q7259\tAda",
        "#1\tAnnotatorNotes T1\twho?",
    )
    (document,) = read_documents(file)
    assert document.entities == [[0, 1], [2, 3, 4], [5]]
    assert document.relations == [Relation(5, 2, "causes")]
    for kind in ("events (E)", "attributes (A)", "normalizations (N)", "notes (#)", "that are not Equiv (*)"):
        assert f"{kind}: 1" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("T3\tPERSON 0 x\tMarie", "Line 4 is T3 with 'PERSON 0 x', where there must be a type"),
        ("T1\tPERSON 0 5\tMarie", "Line 4 is T1 again"),
        ("T3\tPERSON 0 5\tPierre", "`T3` says that its text is 'Pierre'"),
        ("T3\tPERSON 0 3\tMar", r"`T3` is \(0, 3\), 'Mar', which cuts words"),
        ("T3\tPERSON 0 99", r"`T3` is \(0, 99\), outside the text"),
        ("R2\tborn_in Arg1:T1", "Line 4 is R2 with 'born_in Arg1:T1', where there must be a type and two arguments"),
        ("R2\tborn_in Arg1:T1 Arg2:T9", "The tail of `R2` is 'T9', which is none of the marked spans"),
        ("*\tEquiv T1 T9", "`Equiv` names 'T9'"),
        ("hello", "Line 4 is 'hello', which is none that brat writes"),
        ("T3 PERSON 0 5 Marie", "Line 4 is 'T3 PERSON 0 5 Marie', which is none .* and a tab"),
    ],
)
def test_what_does_not_fit_in_brat_is_refused(tmp_path, line, message):
    file = brat(tmp_path, TEXT, *STANDOFF, line)
    with pytest.raises(ValueError, match=rf"doc\.ann: .*{message}"):
        list(read_documents(file))


def test_missing_files_of_brat_are_named(tmp_path):
    brat(tmp_path, TEXT, *STANDOFF)
    (tmp_path / "doc.txt").unlink()
    with pytest.raises(ValueError, match=r"Its text, doc\.txt, is not beside it"):
        list(read_documents(tmp_path / "doc.ann"))
    (tmp_path / "doc.ann").unlink()
    (tmp_path / "doc.txt").write_text(TEXT)
    with pytest.raises(ValueError, match=r"doc\.txt: Its annotations, doc\.ann, are not beside it"):
        list(read_documents(tmp_path / "doc.txt", reader="brat"))
    with pytest.raises(ValueError, match=r"without \.ann files"):
        list(read_documents(tmp_path, reader="brat"))


def test_a_folder_without_annotations_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"It is a folder without \.ann files. Name a file"):
        list(read_documents(tmp_path))
