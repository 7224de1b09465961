"""GLiNER's training files: inclusive ends, relations between positions in `ner`."""

import json

import pytest

from glirel_transformers.data import Mention, Relation, load_documents, read_documents

WORDS = ["Marie", "Curie", "was", "born", "in", "Warsaw"]


def write(path, records, as_array=False):
    path.write_text(json.dumps(records) if as_array else "\n".join(map(json.dumps, records)))
    return path


@pytest.mark.parametrize("as_array", [False, True])
def test_a_file_is_read(tmp_path, as_array):
    records = [
        {
            "tokenized_text": WORDS,
            "ner": [[5, 5, "city"], [0, 1, "person"]],
            "relations": [[1, 0, "place of birth"]],
            "ner_negatives": ["product"],
        },
        {"tokenized_text": WORDS, "ner": [[0, 1, "person"]], "source": "news"},
        {"tokenized_text": WORDS, "ner": [[0, 1, ""]], "relations": []},
        {"tokenized_text": WORDS, "ner": []},
    ]
    path = write(tmp_path / "train.json", records, as_array)
    first, second, third, fourth = documents = list(read_documents(path))
    assert first.mentions == [Mention(5, 6, "city"), Mention(0, 2, "person")]
    assert first.relations == [Relation(1, 0, "place of birth")]
    assert [one.exhaustive for one in documents] == [True, False, True, False]  # of pairs
    assert [one.knows_entities for one in documents] == [True, True, False, True]
    assert (second.source, third.mentions[0].label, fourth.mentions) == ("news", None, [])
    rows = load_documents(path)
    assert [type(first).from_dict(row) for row in rows] == documents
    assert [type(first).from_dict(one.to_dict()) for one in documents] == documents


def test_what_is_listed_twice_is_read_once_but_for_words_of_several_types(tmp_path, caplog):
    record = {
        "tokenized_text": WORDS,
        "ner": [[0, 1, "person"], [0, 1, "scientist"], [5, 5, "city"], [0, 1, "person"]],
        "relations": [[0, 2, "born in"], [3, 2, "born in"], [1, 2, "lived in"]],
    }
    with caplog.at_level("WARNING"):
        (document,) = read_documents(write(tmp_path / "twice.jsonl", [record]))
    assert document.mentions == [Mention(0, 2, "person"), Mention(0, 2, "scientist"), Mention(5, 6, "city")]
    assert document.relations == [Relation(0, 2, "born in"), Relation(1, 2, "lived in")]
    assert "lists 1 mentions and 1 relations twice" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ner": [[0, 6, "x"]]}, r"`ner\[0\]` is \[0, 6, 'x'\] in a text of 6 words\. Its ends are inclusive"),
        ({"ner": [[1, 0, "x"]]}, r"`ner\[0\]` is \[1, 0, 'x'\]"),
        ({"ner": [[0, "1", "x"]]}, r"`ner\[0\]` must be a list of first word, last word and type"),
        ({"ner": [[0, 1, None]]}, r"`ner\[0\]` must be a list of first word"),
        ({"ner": [0]}, r"`ner\[0\]` must be a list of first word, last word and type: got 0"),
        ({"ner": 5}, r"`ner` must be a list: got 5"),
        ({"relations": [[0, 2, "r"]]}, r"tail of `relations\[0\]` is 2, but `ner` has 2 entities.*counted from 0"),
        ({"relations": [[0, 1]]}, r"`relations\[0\]` must be a list of head, tail and type"),
        ({"relations": [[0, 1, " "]]}, r"`relations\[0\]` must be a list of head, tail and type"),
        ({"relations": [[0, True, "r"]]}, r"`relations\[0\]` must be a list"),
        ({"relations": [[0, 1, "r"], {"head": 0}]}, r"`relations\[1\]` must be a list"),
        ({"relations": [[0, 0, "r"]]}, r"`relations\[0\]` joins mention 0 to itself"),
        ({"tokenized_text": "Marie"}, r"`tokenized_text` must be a list: got 'Marie'"),
    ],
)
def test_malformed_records_are_named_with_file_and_line(tmp_path, change, message):
    right = {"tokenized_text": WORDS, "ner": [[0, 1, "person"], [5, 5, "city"]], "relations": [[0, 1, "born in"]]}
    path = write(tmp_path / "bad.jsonl", [right, {**right, **change}])
    with pytest.raises(ValueError, match=rf"bad\.jsonl, line 2: .*{message}"):
        list(read_documents(path))
