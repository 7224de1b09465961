"""`glirel evaluate --protocol …`: what it prints and writes, and which options fit."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, write_documents


def a_document(number):
    words = [f"Ann{number}", "met", f"Bob{number}", "."]
    relation = Relation(0, 1, f"type {number % 3}", relation_id=f"P{number % 3}")
    return Document(words, [Mention(0, 1), Mention(2, 3)], [relation])


@pytest.fixture
def data(tmp_path):
    for name, numbers in {"test": range(6), "dev": range(6, 9), "train": range(9, 18)}.items():
        write_documents(tmp_path / f"mine.{name}.jsonl", list(map(a_document, numbers)))
    (tmp_path / "splits").mkdir()
    for name, test in {"2_ori": ["P0", "P2"], "2_40": ["P0", "P7"], "3_ori": ["P0", "P1", "P2"]}.items():
        (tmp_path / "splits" / f"mine_{name}.json").write_text(json.dumps({"test": test}))
    return tmp_path


@pytest.fixture
def run(build_model, data):
    build_model("bert").save_pretrained(data / "model")

    def call(*arguments, code=0, model=None, file="mine.test.jsonl"):
        files = [] if file is None else [data / file]
        given = ["evaluate", model or data / "model", *files, *arguments]
        result = CliRunner().invoke(app, list(map(str, given)))
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    return call


def words_of(text):
    return " ".join(text.split())


def test_classification_by_published_splits_next_to_baselines(run, data):
    out = data / "scores.json"
    result = run(
        *("--protocol", "classification", "--splits", data / "splits", "--baseline", "majority", "--baseline"),
        *("random", "-o", out),
    )
    assert "Protocol classification; entities given (gold)" in result.stdout
    assert result.stdout.count("m = 2") == result.stdout.count("m = 3") == 3
    assert "1 of the 3 splits are left out" in words_of(result.stderr)
    assert "counted relation types in the data that it is measured on" in words_of(result.stderr)
    scores = json.loads(out.read_text(encoding="utf-8"))
    assert (scores["protocol"], scores["entities"], scores["decision"]) == ("classification", "gold", "best")
    assert [(row["model"], row["row"]) for row in scores["table"][2:]] == [
        ("baseline:majority", "m = 2"),
        ("baseline:majority", "m = 3"),
        ("baseline:random", "m = 2"),
        ("baseline:random", "m = 3"),
    ]
    majority = scores["table"][2]["figures"]
    assert majority["accuracy"] == {"mean": 1 / 2, "deviation": None, "runs": 1}
    assert majority["macro_f1"]["mean"] == pytest.approx(1 / 3)
    assert [run["run"] for run in scores["runs"]] == ["split ori", "split ori"]


def test_types_are_drawn_by_several_seeds(run, data):
    result = run("--protocol", "classification", "--unseen", "2", "--seeds", 3)
    assert "m = 2" in result.stdout
    assert "±" in result.stdout
    each = run("--protocol", "classification", "--candidates", 2, "--seeds", 2)
    assert "best of 2" in each.stdout


def test_a_baseline_alone(run):
    result = run("--pairs", "annotated", model="baseline:random")
    printed = words_of(result.stdout)
    assert "Protocol extraction; entities given (gold)" in printed
    assert "baseline:random" in printed
    assert "annotated pairs alone" in printed
    assert "left out, as the original GLiREL does" in words_of(result.stderr)


def test_both_figures_are_written(run, data):
    run("--pairs", "annotated", "-o", data / "scores.json")
    scores = json.loads((data / "scores.json").read_text(encoding="utf-8"))
    assert [row["row"] for row in scores["table"]] == ["", "annotated pairs alone"]
    assert scores["beside"]["annotated pairs alone"]["micro_recall"] == pytest.approx(
        scores["averages"]["micro_recall"]
    )
    assert scores["table"][0]["figures"]["micro_f1"]["mean"] == pytest.approx(scores["averages"]["micro_f1"])
    assert scores["table"][0]["best_on_these_data"]["f1"] == pytest.approx(scores["best_on_these_data"]["micro"]["f1"])


def test_by_entity_is_short_for_documents(run):
    assert run("--by-entity").stdout == run("--protocol", "document").stdout


def test_data_sets_by_name(run, data):
    named = run("--dataset", "mine.test", "--data-dir", data, file=None)
    assert named.stdout == run().stdout
    both = run("--dataset", data / "mine.dev.jsonl")
    assert "9 documents" in both.stdout
    for options, message in (
        (("--dataset", "mine", "--data-dir", data), "fits several files"),
        (("--dataset", "other", "--data-dir", data), "fits no file"),
        (("--dataset", "other"), "is not a file. Give its path, or --data-dir"),
        ((), "There are no DATA."),
    ):
        assert message in words_of(run(*options, file=None, code=1).stderr)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--splits", "splits"), "--splits is for the protocol classification"),
        (("--unseen", "2"), "--unseen is for the protocol classification"),
        (("--protocol", "classification", "--threshold", "0.5"), "--threshold is for extraction and document"),
        (("--protocol", "classification", "--plot", "f1.png"), "--plot is for extraction"),
        (("--protocol", "classification", "--unseen", "2", "--candidates", "2"), "Choose one."),
        (("--protocol", "classification", "--unseen", "2,x"), "--unseen is '2,x'. Write numbers of at least 2"),
        (("--protocol", "classification", "--unseen", "4"), "4 relation types cannot be drawn from 3"),
        (("--protocol", "extraction", "--by-entity"), "--by-entity is for document"),
        (("--protocol", "end-to-end"), "--protocol end-to-end needs a model that finds entities"),
        (("--protocol", "few-shot"), "Add --train FILE"),
        (("--protocol", "few-shot", "--train", "mine.train.jsonl"), "Add --runs FOLDER"),
        (("--shots", "3"), "--shots is for the protocol few-shot"),
        (("--baseline", "best"), "There is no baseline 'best'"),
        (("--baseline", "sentence-embeddings"), "Add --embeddings"),
        (("--embeddings", "x"), "--embeddings is for sentence-embeddings"),
        (("--baseline", "sentence-embeddings", "--embeddings", "nowhere"), "There is no folder 'nowhere'"),
        (("--adjacency-threshold", "0.5"), "this one scores all pairs"),
        (("--multi-label",), "--multi-label is for entities that the model finds"),
        (("--protocol", "classification", "--top", "1"), "--top is for extraction and document and end-to-end"),
        (("--seeds", "3"), "--seeds is for what is drawn"),
        (("--protocol", "classification", "--splits", "splits", "--seeds", "3"), "--seeds is for what is drawn"),
        (("mine.test.jsonl",), "is twice among DATA"),
        (("--dataset", "mine.test.jsonl"), "is twice among DATA"),
        (("--protocol", "few-shot", "--train", "mine.test.jsonl", "--runs", "x"), "is one of DATA: a model would be"),
    ],
)
def test_options_that_do_not_fit(run, data, options, message):
    given = [data / part if part == "splits" or part.endswith(".jsonl") else part for part in options]
    assert message in words_of(run(*given, code=1).stderr)


def test_a_baseline_that_is_none(run):
    assert "There is no baseline 'best'" in run(model="baseline:best", code=1).stderr
    assert "Baselines find no entities" in run("--protocol", "end-to-end", model="baseline:random", code=1).stderr


@pytest.mark.slow
@pytest.mark.parametrize("per", ["document", pytest.param("type", marks=pytest.mark.sweep)])
def test_few_shot_trains_measures_and_continues(run, data, per):
    out = data / "scores.json"
    options = [
        *("--protocol", "few-shot", "--train", data / "mine.train.jsonl", "--fit-on", data / "mine.dev.jsonl"),
        *("--per", per, "--set", "max_steps=2", "--runs", data / "runs", "-o", out),
    ]
    first = run(*options, "--shots", "0,1", "--seeds", 1)
    assert "Protocol few-shot, measured by extraction; entities given (gold)" in words_of(first.stdout)
    kept = data / "runs" / "1-0" / "result.json"
    assert [path.name for path in kept.parent.iterdir()] == ["result.json"]
    assert json.loads(kept.read_text())["documents"] == (1 if per == "document" else 3)
    before = kept.stat().st_mtime_ns
    run(*options, "--shots", "0,1,all", "--seeds", 2)
    assert kept.stat().st_mtime_ns == before
    scores = json.loads(out.read_text(encoding="utf-8"))
    assert [(row["row"], row["figures"]["micro_f1"]["runs"]) for row in scores["table"]] == [
        ("0", 1),
        ("1", 2),
        ("all", 2),
    ]
    other = run(*options, "--shots", "1", "--set", "learning_rate=0.5", code=1)
    assert "holds runs with other settings: set was" in words_of(other.stderr)
    for measure in ("classification", "document"):
        folder = data / f"runs-{measure}"
        more = ("--measure", measure, "--shots", "1", "--seeds", 1, "--runs", folder)
        result = run(*options[:-4], *more)
        assert f"measured by {measure}" in words_of(result.stdout)
