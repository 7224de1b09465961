"""Writers: what is read again is the same, and what a format cannot hold is said."""

import json
from xml.etree import ElementTree

import pytest

from glirel_transformers.data import WRITERS, Document, Mention, Relation, read_documents, write_documents
from glirel_transformers.data.writers import labeling_config

PLAIN = Document.from_text(
    "😀 Marie Curie was born\nin Warsaw, Poland.",
    [(2, 13, "PERSON"), (26, 32, "CITY"), (26, 40, "PLACE"), (18, 32, "SPAN")],
    [Relation(0, 1, "born_in"), Relation(0, 2, "born_in"), Relation(0, 1, "knows"), Relation(1, 0, "of")],
)
WINDOWS = Document.from_text("Ada\r\nLovelace met\r\n\r\nBob.", [(0, 13, "PERSON"), (21, 24, "PERSON")], [])
EMPTY = Document.from_text("Nobody is here.", [], [])
DOCUMENTS = [PLAIN, WINDOWS, EMPTY]

RICH = Document(
    ["Ada", "met", "Bob", ".", "She", "left"],
    [Mention(0, 1, "PERSON", 0, ("Ada L.",)), Mention(2, 3, score=0.5), Mention(4, 5, "PERSON", 0)],
    [Relation(2, 1, "met", "P1", (0,), score=0.75)],
    exhaustive=False,
    source="mine",
    history=("seen",),
    self_pairs=True,
    title="Ada",
    sentences=((0, 4), (4, 6)),
    entities_exhaustive=True,
    none_pairs=((1, 0),),
    extra={"id": "a/b", "page": 3},
)


def in_characters(document):
    text, entities, relations = document.to_entities()
    return text, entities, relations, document.words


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_what_is_written_is_read_as_the_same(tmp_path, name, caplog):
    path = tmp_path / "written"
    assert write_documents(path, iter(DOCUMENTS), name) == len(DOCUMENTS)
    again = list(read_documents(path))
    if name == "gliner":
        assert [one.words for one in again] == [one.words for one in DOCUMENTS]
        assert [one.mentions for one in again] == [one.mentions for one in DOCUMENTS]
        assert [one.relations for one in again] == [one.relations for one in DOCUMENTS]
    else:
        assert list(map(in_characters, again)) == list(map(in_characters, DOCUMENTS))
    assert ("cannot hold" in caplog.text) == (name == "gliner")  # the texts as they stood
    if name in ("own", "text", "label-studio", "doccano"):
        assert again == DOCUMENTS


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_what_a_format_cannot_hold_is_counted(tmp_path, name, caplog):
    path = tmp_path / "written"
    write_documents(path, [RICH, RICH], name)
    first, second = read_documents(path)
    held = WRITERS[name].holds
    for part, is_kept in (
        ("titles", first.title == "Ada"),
        ("sources", first.source == "mine"),
        ("histories", first.history == ("seen",)),
        ("sentences", first.sentences == RICH.sentences),
        ("other names of mentions", bool(first.mentions[0].names)),
        ("mentions without a type", first.mentions[1 if name != "text" else 2].label is None),
        ("ids of relations", first.relations[0].relation_id == "P1"),
        ("evidence of relations", bool(first.relations[0].evidence)),
        ("scores", first.relations[0].score == 0.75),
        ("texts with relations that are not exhaustive", not first.exhaustive),
        ("pairs that are known to have no relation", bool(first.none_pairs)),
        ("entities of several mentions", len(first.entities) == 2),
        ("further fields", first.extra.get("page") == 3),
    ):
        assert (part in held) == is_kept, part
        assert (part in caplog.text) == (not is_kept), part
    assert len(second.mentions) == 3


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_types_that_differ_within_an_entity_are_kept_or_counted(tmp_path, name, caplog):
    mentions = [Mention(0, 1, "PERSON", 0), Mention(1, 2, "ROLE", 0)]
    write_documents(tmp_path / "written", [Document(["Ada", "she"], mentions, [])], name)
    (document,) = read_documents(tmp_path / "written")
    labels = [mention.label for mention in document.mentions]
    assert labels == (["PERSON", "PERSON"] if name == "text" else ["PERSON", "ROLE"])
    assert ("1 mentions with another type than the first of their entity" in caplog.text) == (name == "text")


def test_own_and_text_are_read_as_they_were(tmp_path):
    for name in ("own", "text"):
        write_documents(tmp_path / name, [RICH], name)
    (own,), (text,) = read_documents(tmp_path / "own"), read_documents(tmp_path / "text")
    assert own.to_dict() == RICH.to_dict()
    assert (text.relations[0].score, text.none_pairs, dict(text.extra)) == (0.75, ((2, 0),), dict(RICH.extra))


def test_a_models_output_becomes_predictions_with_scores(tmp_path):
    text = "😀 Ada met Bob."
    ada, bob = (
        {"start": 2, "end": 5, "text": "Ada", "label": "PERSON", "index": 0, "score": 0.9},
        {"start": 10, "end": 13, "text": "Bob", "label": None, "index": 1},
    )
    found = {"text": text, "entities": [ada, bob], "source": "in.txt", "line": 4}
    found |= {"relations": [{"head": ada, "relation": "met", "tail": bob, "score": score} for score in (0.75,)]}
    (tmp_path / "found.jsonl").write_text(json.dumps(found))
    write_documents(tmp_path / "tasks.json", read_documents(tmp_path / "found.jsonl"), "label-studio-predictions")
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    (prediction,) = task["predictions"]
    marked, _, drawn = prediction["result"]
    assert task["data"] == {"line": 4, "text": text, "source": "in.txt"}
    assert "annotations" not in task
    assert (prediction["score"], marked["score"], drawn["score"]) == (0.75, 0.9, 0.75)
    assert marked["value"] == {"start": 3, "end": 6, "text": "Ada", "labels": ["PERSON"]}  # in UTF-16 code units
    (again,) = read_documents(tmp_path / "tasks.json")
    assert ([one.score for one in again.mentions], again.relations[0].score) == ([0.9, None], 0.75)


def test_brat_has_files_by_name_types_without_spaces_and_scores_as_notes(tmp_path, caplog):
    document = Document.from_text(
        "Ada\nLovelace met Bob.",
        [(0, 12, "a person"), (17, 20)],
        [Relation(0, 1, "has met", score=0.5)],
        extra={"id": "../b c/ä.1"},
    )
    folder = tmp_path / "new" / "brat"
    assert write_documents(folder, [document, document, PLAIN], "brat") == 3
    assert sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.*")) == [
        *("00003.ann", "00003.txt", "annotation.conf"),
        *("b_c/ä.1-2.ann", "b_c/ä.1-2.txt", "b_c/ä.1.ann", "b_c/ä.1.txt"),
    ]
    assert (folder / "b_c" / "ä.1.ann").read_text().splitlines() == [
        "T1\ta_person 0 3;4 12\tAda Lovelace",
        "T2\tEntity 17 20\tBob",
        "R1\thas_met Arg1:T1 Arg2:T2",
        "#1\tAnnotatorNotes R1\tscore 0.5",
    ]
    assert "has_met\tArg1:<ENTITY>, Arg2:<ENTITY>" in (folder / "annotation.conf").read_text()
    assert "2 names were written with underscores, such as 'a_person'" in caplog.text
    with pytest.raises(FileExistsError, match="is there already"):
        write_documents(folder, [PLAIN, PLAIN, PLAIN], "brat")
    with pytest.raises(FileExistsError, match=r"is a file\. brat"):
        write_documents(folder / "annotation.conf", [PLAIN], "brat")


def test_the_labelling_interface_has_all_types_escaped():
    view = ElementTree.fromstring(labeling_config(['"a" & b', "c"], ["<P>", "<P>"]))
    assert [one.get("value") for one in view.iter("Relation")] == ['"a" & b', "c"]
    assert [one.get("value") for one in view.iter("Label")] == ["<P>"]


def test_writers_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no writer 'x'\. Choose one of brat, doccano"):
        write_documents(tmp_path / "a", [], "x")


def test_no_documents_are_an_empty_array(tmp_path):
    assert write_documents(tmp_path / "a.json.gz", [], "label-studio") == 0
    assert list(read_documents(tmp_path / "a.json.gz")) == []
