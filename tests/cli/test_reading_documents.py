"""How commands read documents: the format that is named, or guessed and said; what they carry along."""

import json

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.cli.reading import read_files
from glirel_transformers.data import Document, read_documents
from glirel_transformers.trainer.selection import select_documents

SPERT = {
    "tokens": ["Ada", "lived", "in", "London"],
    "entities": [{"type": "Peop", "start": 0, "end": 1}, {"type": "Loc", "start": 3, "end": 4}],
    "relations": [{"type": "residence", "head": 0, "tail": 1}],
    "orig_id": 5,
}


@pytest.fixture
def run(model_folder, tmp_path, monkeypatch):
    """`run("extract", "a.json", ...)` in a folder with a file of SpERT."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.json").write_text(json.dumps([SPERT]))

    def call(command, *arguments):
        model = ["--model", str(model_folder)] if command == "extract" else [str(model_folder)]
        return CliRunner().invoke(app, [command, *model, *map(str, arguments)])

    return call


def told(result):
    return " ".join(result.stderr.split())


def test_the_format_is_said_where_it_is_guessed(run):
    result = run("evaluate", "data.json")
    assert result.exit_code == 0, result.output
    assert "note: data.json: read as spert (it has 'tokens', 'entities' and 'relations')." in told(result)
    assert "Another format: --reader NAME." in told(result)
    named = run("evaluate", "data.json", "--reader", "spert")
    assert named.exit_code == 0
    assert "read as" not in named.stderr
    assert named.stdout == result.stdout


def test_whether_all_relations_are_there_may_be_said(run):
    assert "not exhaustive" not in told(run("evaluate", "data.json", "--exhaustive"))
    assert "1 pairs of documents that are not exhaustive" in told(run("evaluate", "data.json", "--not-exhaustive"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("evaluate", "data.json", "--reader", "spret"), "There is no reader 'spret'. Choose one of"),
        (("evaluate", "data.json", "--reader", "docred"), "data.json, document 1: The field 'sents' is missing"),
        (("extract", "data.json", "--reader", "spert", "-r", "x"), "says how annotated documents are read: add --doc"),
        (("export", "out", "--reader", "spert"), "say how annotated documents are read: add --calibrate DATA"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(command, message, run):
    result = run(*command)
    assert result.exit_code == 1
    assert message in told(result)


def test_what_a_record_says_besides_goes_through_extract(run, tmp_path):
    result = run("extract", "data.json", "--documents", "-r", "residence", "--threshold", 0)
    assert result.exit_code == 0, result.output
    (record,) = map(json.loads, result.stdout.splitlines())
    assert record["orig_id"] == 5
    further = {"id": 7, "meta": {"by": "ann"}}
    given = {"words": ["Ada", "ran"], "mentions": [{"start": 0, "end": 1}], "relations": [], **further}
    by_text = {"text": "Ada ran", "entities": [[0, 3]], "relations": [], **further}
    for name, written in (("words.jsonl", given), ("text.jsonl", by_text)):
        (tmp_path / name).write_text(json.dumps(written))
        for options in ((), ("--documents",)):
            (record,) = map(json.loads, run("extract", name, *options, "-r", "x").stdout.splitlines())
            assert {field: record[field] for field in further} == further
            (tmp_path / "again.jsonl").write_text(json.dumps(record))
            (document,) = read_documents(tmp_path / "again.jsonl")
            assert {field: document.extra[field] for field in further} == further


def test_training_reads_as_it_is_told(tmp_path):
    (tmp_path / "data.json").write_text(json.dumps([SPERT]))
    chosen = select_documents([tmp_path / "data.json"], [tmp_path / "data.json"], reader="spert", exhaustive=False)
    assert [document.exhaustive for document in chosen.train + chosen.evaluation] == [False, False]
    assert chosen.train == read_files([tmp_path / "data.json"], "spert", False)
    with pytest.raises(ValueError, match="The field 'token' is missing"):
        select_documents([tmp_path / "data.json"], reader="tacred")


def test_a_document_of_which_one_pair_is_known_to_have_none_is_trained_on(tmp_path):
    record = {
        "words": ["Ada", "met", "Bob"],
        "mentions": [{"start": 0, "end": 1}, {"start": 2, "end": 3}],
        "relations": [],
        "exhaustive": False,
    }
    documents = [Document.from_dict({**record, "none_pairs": pairs}).to_dict() for pairs in ([[0, 1]], [])]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    chosen = select_documents([tmp_path / "own.jsonl"])
    assert [document.none_pairs for document in chosen.train] == [((0, 1),)]
    assert chosen.left_out == {"nothing is known about any pair": 1}
