"""Which format a file is in: named, guessed and said aloud, or asked for."""

import json

import benchmark_samples as samples
import pytest
from interpreters import ROOT

from glirel_transformers.data import Document, read_documents, write_documents
from glirel_transformers.data.readers import FORMATS
from glirel_transformers.data.readers.format import Format

OWN = {"words": ["Ada", "ran"], "mentions": [], "relations": []}
GUESSES = "glirel_transformers.data.readers.guess"


def read(path, **options):
    return list(read_documents(path, **options))


def test_our_own_formats_need_no_saying(tmp_path, caplog):
    text = {"text": "Ada ran", "entities": [], "relations": []}
    (tmp_path / "own.jsonl").write_text(json.dumps(OWN) + "\n" + json.dumps(text) + "\n")
    with caplog.at_level("INFO", GUESSES):
        assert len(read(tmp_path / "own.jsonl")) == 2
    assert caplog.text == ""


def test_a_guess_is_said_once_for_a_file(tmp_path, caplog):
    (tmp_path / "some.json").write_text(samples.array(*[samples.SPERT] * 3))
    with caplog.at_level("INFO", GUESSES):
        read(tmp_path / "some.json")
    (message,) = caplog.messages
    assert message.endswith("some.json: read as spert (it has 'tokens', 'entities' and 'relations').")
    caplog.clear()
    with caplog.at_level("INFO", GUESSES):
        (tmp_path / "pairs.json").write_text(samples.array(*samples.TACRED))
        read(tmp_path / "pairs.json")
    assert "Only the pairs that it names are known" in caplog.text


def test_an_unknown_reader_is_named_with_those_there_are(tmp_path):
    (tmp_path / "own.jsonl").write_text(json.dumps(OWN))
    with pytest.raises(ValueError, match=r"There is no reader 'docret'\. Choose one of .*docred, fewrel,"):
        read(tmp_path / "own.jsonl", reader="docret")


def test_what_may_be_in_two_formats_is_asked_for(tmp_path, monkeypatch):
    twin = Format("twin", "'tokens'", lambda record: "tokens" in record, FORMATS["spert"].read)
    monkeypatch.setitem(FORMATS, "twin", twin)
    (tmp_path / "some.jsonl").write_text(json.dumps(samples.SPERT))
    with pytest.raises(ValueError, match=r"line 1: It may be in the format spert or twin\. Choose one with --reader"):
        read(tmp_path / "some.jsonl")
    assert len(read(tmp_path / "some.jsonl", reader="twin")) == 1
    like_columns = Format("columns", "x", twin.matches, twin.read, records=twin.read, recognises=lambda *_: True)
    monkeypatch.setitem(FORMATS, "columns", like_columns)
    (tmp_path / "train.txt").write_text(samples.CONLL04)
    with pytest.raises(ValueError, match=r"train\.txt: It may be in the format conll04 or columns\."):
        read(tmp_path / "train.txt")


def test_a_record_that_fits_no_format_says_which_the_last_was_in(tmp_path):
    (tmp_path / "some.jsonl").write_text(samples.lines(samples.SPERT, {"tokens": [], "entities": []}))
    with pytest.raises(ValueError, match=r"line 2: The fields .* The record before it is in the format spert\."):
        read(tmp_path / "some.jsonl")
    with pytest.raises(ValueError, match="line 2: The field 'relations' is missing"):
        read(tmp_path / "some.jsonl", reader="spert")


@pytest.mark.parametrize("text", ["Ada lived in London.\n", "a\tb\tc\n", "<xml/>"])
def test_what_is_in_no_format_says_so(tmp_path, text):
    (tmp_path / "some.txt").write_text(text)
    with pytest.raises(ValueError, match=r"some\.txt, line 1: It is not JSON.* in no other format that is known"):
        read(tmp_path / "some.txt")
    (tmp_path / "empty.txt").write_text("\n\n")
    assert read(tmp_path / "empty.txt") == []


def test_another_reader_than_the_right_one_is_refused(tmp_path):
    (tmp_path / "train.txt").write_text(samples.CONLL04)
    for name, form in FORMATS.items():
        if name != "conll04" and form.recognises is None:
            with pytest.raises(ValueError, match="It is not JSON"):
                read(tmp_path / "train.txt", reader=name)


def test_what_a_format_cannot_say_may_be_said(tmp_path):
    (tmp_path / "some.json").write_text(samples.array(*samples.TACRED))
    assert [document.exhaustive for document in read(tmp_path / "some.json")] == [False, False]
    assert all(document.exhaustive for document in read(tmp_path / "some.json", exhaustive=True))
    (tmp_path / "own.jsonl").write_text(json.dumps(OWN))
    assert not read(tmp_path / "own.jsonl", exhaustive=False)[0].exhaustive


@pytest.mark.parametrize("name", [name for name in samples.FILES if name not in ("fewrel", "wiki-zsl", "opennre")])
def test_what_was_read_is_written_as_our_own_and_read_again(tmp_path, name):
    file, text = samples.FILES[name]
    (tmp_path / file).write_text(text, encoding="utf-8")
    documents = read(tmp_path / file)
    write_documents(tmp_path / "own.jsonl", documents)
    assert read(tmp_path / "own.jsonl") == documents


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"none_pairs": [[0, 2]]}, r"`none_pairs\[0\]` is \(0, 2\), but there are 2 mentions"),
        ({"none_pairs": [[0, 1]]}, r"`none_pairs\[0\]` is \(0, 1\), but a relation joins these two"),
        ({"none_pairs": [[0]]}, "`none_pairs` must be a list of heads and tails"),
        ({"none_pairs": 3}, "`none_pairs` must be a list: got 3"),
        ({"none_pair": [[0, 1]]}, "the field 'none_pair', which looks like 'none_pairs'"),
    ],
)
def test_pairs_without_a_relation_must_fit(tmp_path, fields, message):
    record = {
        "words": ["Ada", "met", "Bob"],
        "mentions": [{"start": 0, "end": 1}, {"start": 2, "end": 3}],
        "relations": [{"head": 0, "tail": 1, "relation_type": "met"}],
    }
    (tmp_path / "own.jsonl").write_text(json.dumps({**record, **fields}))
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "own.jsonl")


def test_further_fields_are_kept_and_never_take_the_place_of_ours():
    record = {**OWN, "id": 7, "meta": {"by": "ann"}, "extra": 1}
    document = Document.from_dict(record)
    assert document.extra == {"id": 7, "meta": {"by": "ann"}, "extra": 1}
    assert {name: value for name, value in document.to_dict().items() if name in record} == record
    with pytest.raises(ValueError, match="`extra` has 'title', which is a field of documents"):
        Document(["A"], [], [], extra={"title": "x"})


def test_every_format_is_in_the_docs():
    docs = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "docs").glob("*.md"))
    assert not [name for name in FORMATS if f"| `{name}` |" not in docs]
