"""Files of DocRED and Re-DocRED: one array, ids of relations, mentions within sentences, evidence."""

import copy
import json
from itertools import chain

import pytest

from glirel_transformers.data import Document, Mention, Relation, load_documents, read_documents, write_documents

SENTS = [
    ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
    ["She", "left", "Warsaw", "on", "May", "5", ",", "1891"],
]
RECORD = {
    "title": "Marie Curie",
    "sents": SENTS,
    "vertexSet": [
        [
            {"name": "Marie Curie", "sent_id": 0, "pos": [0, 2], "type": "PER"},
            {"name": "She", "sent_id": 1, "pos": [0, 1], "type": "PER"},
        ],
        [
            {"name": "Warsaw", "sent_id": 1, "pos": [2, 3], "type": "LOC", "global_pos": [9, 9], "index": "1_0"},
            {"name": "Warsaw", "sent_id": 0, "pos": [5, 6], "type": "LOC"},
        ],
        [{"name": "May 5, 1891", "sent_id": 1, "pos": [4, 8], "type": "TIME"}],
    ],
    "labels": [
        {"h": 0, "t": 1, "r": "P19", "evidence": [0]},
        {"h": 0, "t": 1, "r": "P937", "evidence": [1, 0]},
        {"h": 1, "t": 2, "r": "P585", "evidence": []},
    ],
}
DOCUMENT = Document(
    words=list(chain(*SENTS)),
    mentions=[
        Mention(0, 2, "PER", 0),
        Mention(7, 8, "PER", 0),
        Mention(9, 10, "LOC", 1),
        Mention(5, 6, "LOC", 1),
        Mention(11, 15, "TIME", 2, ("May 5, 1891",)),
    ],
    relations=[
        Relation(0, 2, "place of birth", "P19", (0,)),
        Relation(0, 2, "work location", "P937", (1, 0)),
        Relation(2, 4, "point in time", "P585"),
    ],
    title="Marie Curie",
    sentences=((0, 7), (7, 15)),
)
NAMES = {"P19": "place of birth", "P937": "work location", "P585": "point in time"}


def changed(path, value):
    """The record with one value changed, at a path such as ("labels", 0, "h")."""
    record = copy.deepcopy(RECORD)
    inner = record
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return record


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rel_info.json").write_text(json.dumps(NAMES))
    return tmp_path


@pytest.fixture
def read(folder):
    """Reads records as one array."""

    def call(*records, **options):
        (folder / "dev.json").write_text(json.dumps(records))
        return list(read_documents(folder / "dev.json", **options))

    return call


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda records: json.dumps(records, indent=2),
        lambda records: "\n \n" + json.dumps(records) + "\n\n",
        lambda records: "".join(json.dumps(record) + "\n" for record in records),
    ],
    ids=["one line", "indented", "empty lines", "a record a line"],
)
def test_a_file_is_an_array_or_has_a_record_a_line(folder, write):
    (folder / "dev.json").write_text(write([RECORD, RECORD]))
    assert list(read_documents(folder / "dev.json")) == [DOCUMENT, DOCUMENT]


def test_mentions_of_an_entity_stay_together(read):
    (document,) = read(RECORD)
    assert document.entities == [[0, 1], [2, 3], [4]]
    _, entities, relations = document.to_entities()
    assert [len(entity["mentions"]) for entity in entities] == [2, 2, 1]
    assert [(r.head, r.tail, r.relation_id, r.evidence) for r in relations] == [
        (0, 1, "P19", (0,)),
        (0, 1, "P937", (1, 0)),
        (1, 2, "P585", ()),
    ]


def test_names_that_are_not_the_words_are_kept(read):
    (document,) = read(RECORD)
    assert document.mention_names() == [("Marie Curie",), ("She",), ("Warsaw",), ("Warsaw",), ("May 5, 1891",)]


def test_what_is_listed_twice_is_read_once_and_counted(read, caplog):
    record = copy.deepcopy(RECORD)
    record["vertexSet"][2].append({"name": "May 5 , 1891", "sent_id": 1, "pos": [4, 8], "type": "TIME"})
    record["labels"].append({"h": 0, "t": 1, "r": "P19", "evidence": [1, 0]})
    with caplog.at_level("WARNING"):
        (document,) = read(record)
    assert "lists 1 mentions and 1 relations twice" in caplog.text
    assert document.mentions[4].names == ("May 5, 1891", "May 5 , 1891")
    assert document.relations[0].evidence == (0, 1)
    assert (len(document.mentions), len(document.relations)) == (5, 3)


def test_one_place_may_be_of_two_entities(read):
    (document,) = read(changed(("vertexSet", 2, 0), {"name": "Warsaw", "sent_id": 0, "pos": [5, 6], "type": "ORG"}))
    assert [mention.entity for mention in document.mentions if mention.start == 5] == [1, 2]


def test_a_document_without_labels_is_not_exhaustive(read):
    unlabelled = {key: value for key, value in RECORD.items() if key != "labels"}
    (document,) = read(unlabelled)
    assert (document.relations, document.exhaustive) == ([], False)
    (document,) = read(changed(("labels",), []))
    assert document.exhaustive


def test_an_entity_that_relates_to_itself_is_paired_with_itself(read):
    (document,) = read(changed(("labels", 0, "t"), 0))
    assert document.self_pairs
    assert (document.relations[0].head, document.relations[0].tail) == (0, 0)


def test_names_of_relations_are_next_to_the_file_or_given(folder, read):
    given = {relation_id: relation_id.lower() for relation_id in NAMES}
    assert [r.relation_type for r in read(RECORD, relation_names=given)[0].relations] == ["p19", "p937", "p585"]
    with pytest.raises(ValueError, match=r"document 1: The relation 'P19' has no name in relation_names\. Add it"):
        read(RECORD, relation_names={"P20": "place of death"})
    (folder / "rel_info.json").write_text('{"P19": "place of birth"}')
    with pytest.raises(ValueError, match=r"The relation 'P937' has no name in .*rel_info\.json\. Add it there, or"):
        read(RECORD)
    (folder / "rel_info.json").unlink()
    with pytest.raises(ValueError, match=r"names are in .*rel_info\.json or pid2name\.json, but there is no such"):
        read(RECORD)
    assert read(changed(("labels",), []))[0].relations == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("sents",), "A B", "`sents` must be a list of lists: got 'A B'"),
        (("sents", 0, 0), 3, "`words` must be a list of strings"),
        (("vertexSet",), {}, "`vertexSet` must be a list of lists"),
        (("vertexSet", 1), [], r"`vertexSet\[1\]` has no mentions"),
        (("vertexSet", 1, 0), [2, 3], r"`vertexSet\[1\]` must be a list of objects"),
        (("vertexSet", 1, 0), {"name": "Warsaw"}, "The field 'sent_id' is missing"),
        (
            ("vertexSet", 0, 1, "sent_id"),
            2,
            r"`vertexSet\[0\]\[1\]` is in sentence 2, but there are 2, counted from 0",
        ),
        (("vertexSet", 0, 1, "sent_id"), -1, r"is in sentence -1"),
        (("vertexSet", 0, 1, "pos"), [1], r"`vertexSet\[0\]\[1\]` must have a sentence number"),
        (("vertexSet", 0, 1, "pos"), [0, True], r"`vertexSet\[0\]\[1\]` must have a sentence number"),
        (("vertexSet", 0, 1, "pos"), [1, 1], r"is at \[1, 1\] in sentence 1, which has 8 words"),
        (("vertexSet", 0, 1, "pos"), [7, 9], r"is at \[7, 9\] in sentence 1, which has 8 words"),
        (("vertexSet", 0, 1, "pos"), [-1, 1], r"is at \[-1, 1\]"),
        (("vertexSet", 0, 1, "type"), 3, r"`vertexSet\[0\]\[1\]\.label` must be of type str"),
        (("labels",), [[0, 1]], "`labels` must be a list of objects"),
        (("labels", 1, "h"), 3, r"`labels\[1\]\.h` is 3, but there are 3 entities"),
        (("labels", 1, "t"), -1, r"`labels\[1\]\.t` is -1"),
        (("labels", 1, "t"), "0", r"`labels\[1\]\.tail` must be of type int"),
        (("labels", 1, "evidence"), [2], r"`relations\[1\]` has the evidence \[2\].*counted from 0 to 1"),
        (("labels", 1, "evidence"), ["0"], r"`labels\[1\]\.evidence` must be a list of sentence numbers"),
        (("title",), 5, "`title` must be of type str"),
    ],
)
def test_what_does_not_fit_is_named(read, path, value, message):
    with pytest.raises(ValueError, match=rf"dev\.json, document 2: .*{message}"):
        read(RECORD, changed(path, value))


def test_arrays_of_other_formats_are_refused_as_before(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps([DOCUMENT.to_dict()]))
    with pytest.raises(ValueError, match=r"own\.json, line 1: .* Where one list holds all records, write each on"):
        list(read_documents(tmp_path / "own.json"))
    (tmp_path / "mixed.json").write_text(json.dumps([RECORD, 3]))
    with pytest.raises(ValueError, match=r"mixed\.json, document 2: A line must be a JSON object: got 3"):
        list(read_documents(tmp_path / "mixed.json", relation_names=NAMES))
    (tmp_path / "cut.json").write_text(json.dumps([RECORD])[:-1])
    with pytest.raises(ValueError, match=r"cut\.json, line 1: It is not JSON"):
        list(read_documents(tmp_path / "cut.json", relation_names=NAMES))


def test_nothing_is_lost_in_our_own_format(tmp_path, read):
    documents = read(RECORD, changed(("vertexSet", 2, 0, "name"), "May 5 , 1891"))
    write_documents(tmp_path / "own.jsonl", documents)
    assert list(read_documents(tmp_path / "own.jsonl")) == documents
    assert "names" not in documents[1].to_dict()["mentions"][4]


def test_rows_of_a_dataset_keep_everything(folder, read):
    documents = read(RECORD)
    (folder / "plain.jsonl").write_text('{"words": ["A"], "mentions": [], "relations": []}\n')
    assert [Document.from_dict(row) for row in load_documents(folder / "dev.json")] == documents
    (row,) = load_documents(folder / "plain.jsonl")
    assert Document.from_dict(row) == Document(["A"], [], [])


def test_a_part_of_a_document_keeps_its_sentences(read):
    part = read(RECORD)[0].within((7, 15))
    assert [(m.start, m.entity) for m in part.mentions] == [(7, 0), (9, 1), (11, 2)]
    assert part.relations == [Relation(1, 2, "point in time", "P585")]
    assert part.sentences == DOCUMENT.sentences
