import json
import lzma

import pytest

from glirel_transformers.data import Document, Mention, Relation, load_documents, read_documents, write_documents
from glirel_transformers.data.readers import FORMATS
from glirel_transformers.data.readers.format import Reading

WORDS = ["Marie", "Curie", "was", "born", "in", "Warsaw", "."]


def record(ner=((0, 1, "PER", "Marie Curie"), (5, 5, "", "Warsaw")), relations=(((0, 1), (5, 5), "birth"),), **more):
    sides = [
        {
            "head": {"mention": "", "position": list(head), "type": ""},
            "tail": {"mention": "", "position": list(tail), "type": ""},
            "relation_id": "P19",
            "relation_text": name,
        }
        for head, tail, name in relations
    ]
    fields = {"tokenized_text": WORDS, "ner": [list(entry) for entry in ner], "relations": sides, "source": "s"}
    return {**fields, **more}


def from_glirel(record):
    return FORMATS["glirel"].read(record, Reading())


def write(path, records):
    opener = lzma.open if path.suffix == ".xz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in records)
    return path


def test_inclusive_ends_become_half_open():
    document = from_glirel(record())
    assert document.mentions == [Mention(0, 2, "PER"), Mention(5, 6, None)]
    assert document.relations == [Relation(0, 1, "birth", "P19")]
    assert document.exhaustive
    assert document.source == "s"


def test_removed_relations_make_a_document_that_is_not_exhaustive():
    assert not from_glirel(record(blocked_relations=1)).exhaustive
    assert not from_glirel(record(exhaustive=False)).exhaustive
    assert not from_glirel(record(exhaustive=True, blocked_relations=1)).exhaustive
    assert from_glirel(record(exhaustive=True, blocked_relations=0)).exhaustive
    assert from_glirel(record(blocked_relations=0, dataset="d")).source == "d"


def test_a_relation_of_no_mention_is_an_error():
    with pytest.raises(ValueError, match=r"The tail of `relations\[0\]` is at \[4, 5\] \(inclusive\)"):
        from_glirel(record(relations=[((0, 1), (4, 5), "birth")]))


def test_what_is_listed_twice_is_read_once_and_counted(tmp_path, caplog):
    twice = record(
        ner=[(0, 1, "PER", ""), (5, 5, "", ""), (5, 5, "", "")],
        relations=[((0, 1), (5, 5), "birth"), ((0, 1), (5, 5), "birth")],
    )
    path = write(tmp_path / "twice.jsonl", [twice])
    with caplog.at_level("WARNING"):
        (document,) = read_documents(path)
    assert len(document.mentions) == 2
    assert len(document.relations) == 1
    assert "lists 1 mentions and 1 relations twice" in caplog.text


def test_one_span_of_two_entities_stays_two_mentions():
    document = from_glirel(
        record(
            ner=[(0, 1, "PER", ""), (5, 5, "CITY", ""), (5, 5, "GROUP", "")],
            relations=[((0, 1), (5, 5), "birth"), ((0, 1), (5, 5), "birth")],
            clusters=[[0], [1], [2]],
            entity_relations=[[0, 1, "P19"], [0, 2, "P19"]],
        )
    )
    assert [mention.entity for mention in document.mentions] == [0, 1, 2]
    assert [(relation.head, relation.tail) for relation in document.relations] == [(0, 1), (0, 2)]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.xz", ".jsonl.gz"])
def test_our_own_format_is_read_as_it_was_written(tmp_path, suffix):
    documents = [
        Document(WORDS, [Mention(0, 2, "PERSON"), Mention(5, 6, entity=3)], [Relation(0, 1, "born in")], False, "x"),
        Document(WORDS, [], []),
    ]
    path = tmp_path / f"documents{suffix}"
    assert write_documents(path, documents) == 2
    assert list(read_documents(path)) == documents


def test_coreference_is_added_on_request(tmp_path):
    path = write(tmp_path / "clusters.jsonl", [record(clusters=[[0, 1]])])
    (document,) = read_documents(path, coreference_label="SELF")
    assert [relation.relation_type for relation in document.relations] == ["birth", "SELF", "SELF"]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.xz"])
def test_a_datasets_dataset_holds_the_same_documents(tmp_path, suffix):
    path = write(tmp_path / f"normalised{suffix}", [record(), record(relations=[])])
    rows = load_documents(path)
    assert [Document.from_dict(row) for row in rows] == list(read_documents(path))
    rows = load_documents(path, reader="glirel", exhaustive=False)
    assert [row["exhaustive"] for row in rows] == [False, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            {"text": "a"},
            r"line 2: The fields \['text'\] are not those of a known format.*'text' and 'entities'",
        ),
        ([1], "line 2: A line must be a JSON object"),
        (record(ner=[(0, 9, "", "")], relations=[]), r"line 2: `mentions\[0\]` is \(0, 10\)"),
    ],
)
def test_an_error_names_the_line(tmp_path, line, message):
    path = write(tmp_path / "bad.jsonl", [record(), line])
    with pytest.raises(ValueError, match=message):
        list(read_documents(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('[{"words": ["A"]}]', r"got a list\. Where one list holds all records"),
        ('{"words": ["A"], "mentions": []}', "relations"),
        ('{"tokenized_text": ["A"], "ner": [], "clusters": []}', "The field 'relations' is missing"),
        ('{"tokenized_text": ["A"], "relations": []}', "The field 'ner' is missing"),
        ('{"words": NaN}', "the value NaN, which JSON does not have"),
        ("[" * 100_000, "nested too deeply"),
        ('{"words": "A B", "mentions": [], "relations": []}', "`words` must be a list: got 'A B'"),
        ('{"words": ["A"], "mentions": 5, "relations": []}', "`mentions` must be a list: got 5"),
        ('{"words": ["A"], "mentions": [], "relations": {}}', "`relations` must be a list: got {}"),
        ('{"words": ["A"], "mentions": [], "relations": [], "history": "x"}', "`history` must be a list: got 'x'"),
        ('{"words": ["A"], "mentions": [], "relations": [], "history": [1]}', "`history` must be a list of strings"),
        ('{"text": "A", "entities": [], "relations": 5}', "`relations` must be a list: got 5"),
        ('{"tokenized_text": "A", "ner": [], "relations": []}', "`tokenized_text` must be a list: got 'A'"),
        ('{"tokenized_text": ["A"], "ner": 5, "relations": []}', "`ner` must be a list: got 5"),
        (
            '{"tokenized_text": ["A"], "ner": [[0, 0]], "relations": []}',
            r"`ner\[0\]` must be a list of first",
        ),
        ('{"tokenized_text": ["A"], "ner": [["0", "0", "X"]], "relations": []}', r"`ner\[0\]` must be a"),
        (
            '{"tokenized_text": ["A"], "ner": [], "relations": [{"head": 1}]}',
            r"head of `relations\[0\]` must be an object",
        ),
        ('{"x": "' + "y" * 10_000 + '"}', "are not those of a known format"),
    ],
)
def test_records_of_other_tools_are_named_in_a_short_line(tmp_path, line, message):
    path = tmp_path / "some.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match=message) as raised:
        list(read_documents(path))
    assert "some.jsonl, line 1" in str(raised.value)
    assert len(str(raised.value)) < 500 + len(str(path))


def test_a_byte_order_mark_is_read_and_a_damaged_file_is_named(tmp_path):
    document = '{"words": ["A"], "mentions": [], "relations": []}\n'
    (tmp_path / "marked.jsonl").write_text(document, encoding="utf-8-sig")
    assert [found.words for found in read_documents(tmp_path / "marked.jsonl")] == [["A"]]
    (tmp_path / "cut.jsonl.gz").write_bytes(document.encode())
    with pytest.raises(ValueError, match=r"cut\.jsonl\.gz: It is not what its suffix says"):
        list(read_documents(tmp_path / "cut.jsonl.gz"))


def test_clusters_become_entities_and_titles_and_names_are_kept():
    document = from_glirel(
        record(
            ner=[(0, 1, "PER", "Marie Curie"), (5, 5, "CITY", "Warszawa"), (5, 5, "CITY", "Warsaw"), (2, 2, "X")],
            clusters=[[0, 3], [1, 2]],
            entity_relations=[[0, 1, "P19"]],
            doc="Marie Curie",
        )
    )
    assert document.mentions == [
        Mention(0, 2, "PER", 0),
        Mention(5, 6, "CITY", 1, ("Warszawa", "Warsaw")),
        Mention(2, 3, "X", 0),
    ]
    assert document.entities == [[0, 2], [1]]
    assert document.relations == [Relation(0, 1, "birth", "P19")]
    assert document.title == "Marie Curie"


@pytest.mark.parametrize("clusters", [[[0], [2]], [[0], [0, 1]], [[-1]]])
def test_clusters_of_other_mentions_are_refused(clusters):
    with pytest.raises(ValueError, match=r"`clusters\[[01]\]` has -?\d, which is not a mention, or one of another"):
        from_glirel(record(clusters=clusters))


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.xz"])
def test_documents_may_be_written_over_what_they_are_read_from(tmp_path, name):
    documents = [Document(["Ada", "met", "Bob"], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "met")])] * 3
    write_documents(tmp_path / name, documents)
    assert write_documents(tmp_path / name, read_documents(tmp_path / name)) == 3
    assert list(read_documents(tmp_path / name)) == documents
    with pytest.raises(AttributeError, match="to_dict"):
        write_documents(tmp_path / name, [documents[0], None])
    assert list(read_documents(tmp_path / name)) == documents
    assert [file.name for file in tmp_path.iterdir()] == [name]
