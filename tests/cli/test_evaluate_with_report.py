"""`glirel evaluate --report`: its options, what it prints, and runs that are killed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, write_documents

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

NAMES = ["spouse", "place of birth", "employer"]


def make_documents(number):
    people = ["Ada", "Alan", "Grace", "Marie", "Pierre", "Sofia"]
    return [
        Document(
            [people[n % 6], "met", people[(n + 1) % 6], "in", "Paris", *["again"] * (n % 5), f"{n}"],
            [Mention(0, 1, "PERSON"), Mention(2, 3, "PERSON"), Mention(4, 5, "CITY")],
            [Relation(n % 3, (n + 1) % 3, NAMES[n % 3])],
        )
        for n in range(number)
    ]


@pytest.fixture
def run(model_folder, tmp_path, monkeypatch):
    """Runs `glirel evaluate <a tiny model> DATA ...`; pictures, which take longest, are tested elsewhere."""
    write_documents(tmp_path / "data.jsonl", make_documents(8))
    monkeypatch.setattr("glirel_transformers.evaluation.report.plots.draw_all", lambda report: {})

    def call(*arguments, model=model_folder):
        line = ["evaluate", str(model), str(tmp_path / "data.jsonl"), "--device", "cpu", *map(str, arguments)]
        return CliRunner().invoke(app, line)

    return call


def test_a_report_with_a_comparison(run, tmp_path):
    (tmp_path / "names.json").write_text(json.dumps({"spouse": "married to"}), encoding="utf-8")
    options = ["--report", tmp_path / "r", "--probe", 4, "--orders", 1, "--paraphrases", tmp_path / "names.json"]
    options += ["--compare", "baseline:random", "--baseline", "majority", "--resamples", 50]
    result = run(*options)
    assert result.exit_code == 0, result.output
    assert "Checkpoints on 8 documents, entities given (gold)" in result.stdout
    assert result.stdout.index("average") < result.stdout.index("Differences from the first, 50 resamples")
    assert f"Report: {tmp_path / 'r' / 'report.html'}" in " ".join(result.stderr.split())
    values = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in values["checkpoints"]][1:] == ["baseline:random", "baseline:majority"]
    assert values["settings"]["resamples"] == 50
    assert [one["name"] for one in values["orders"]] == ["reversed"]
    assert values["wordings"][-1]["example"] == "married to"
    again = run(*options)
    assert "8 of 8 texts were scored by an earlier run" in " ".join(again.stderr.split())
    figures = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    assert figures == values


def test_the_report_of_a_calibrated_model_counts_what_the_table_does(run, tmp_path, model_folder):
    model = shutil.copytree(model_folder, tmp_path / "calibrated")
    settings = json.loads((model / "config.json").read_text(encoding="utf-8"))
    rule = {"threshold": 0.5, "weight": 0.5, "quantile": 0.5, "reference_types": NAMES[1:]}
    settings["calibration"] = {"temperature": 2.0, "thresholds": {NAMES[0]: 0.0, NAMES[1]: 1.0}, "background": rule}
    (model / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    options = ["--report", tmp_path / "r", "-o", tmp_path / "out.json", "--probe", 0, "--background-cache"]
    options += [tmp_path / "cache.json", "--background", tmp_path / "data.jsonl", "--baseline", "random"]
    result = run(*options, model=model)
    assert result.exit_code == 0, result.output
    table, report = (
        json.loads(file.read_text("utf-8")) for file in (tmp_path / "out.json", tmp_path / "r/report.json")
    )
    assert table["type_thresholds"] == report["type_thresholds"] == table["table"][0]["type_thresholds"]
    assert set(report["type_thresholds"]) == set(NAMES)
    assert report["averages"] == pytest.approx(table["averages"])
    assert sorted((row["relation_type"], row["predicted"]) for row in report["rows"]) == sorted(
        (row["relation_type"], row["predicted"]) for row in table["relation_types"]
    )
    predicted = {row["relation_type"]: row["predicted"] for row in report["rows"]}
    assert (predicted[NAMES[0]], predicted[NAMES[1]]) == (8 * 6, 0)
    assert [one["num_type_thresholds"] for one in report["checkpoints"]] == [3, 0]
    assert "or at that of its own for 3 relation types" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--compare", "a/b"], "--compare is for a report. Add --report FOLDER."),
        (["--paraphrases", "DATA"], "--paraphrases is for a report"),
        (["--resamples", "9"], "--resamples is for a report"),
        (["--probe", "3"], "--probe is for a report"),
        (["--orders", "1"], "--orders is for a report"),
        (["--report", "r", "--resamples", "9"], "--resamples is for a comparison"),
        (["--report", "."], "holds the input"),
        (["--report", "notes"], "has files that are not a report's"),
        (["--report", "DATA"], "is a file. A report is a folder"),
        (["--report", "r", "--compare", "nowhere"], "There is no folder 'nowhere'"),
        (["--report", "r", "--compare", "MODEL"], "which is there already"),
        (["--report", "r", "--paraphrases", "DATA"], "It must be a name and its paraphrases, separated by tabs"),
        (["--report", "r", "--protocol", "few-shot", "--train", "TRAIN", "--runs", "x"], "--report is of one model"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_scored(options, error, run, tmp_path, model_folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr("glirel_transformers.RelationExtractor.iterate", lambda *_, **__: pytest.fail("it was scored"))
    shutil.copy("data.jsonl", "train.jsonl")
    names = {"DATA": "data.jsonl", "TRAIN": "train.jsonl", "MODEL": str(model_folder)}
    result = run(*(names.get(option, option) for option in options))
    assert result.exit_code == 1, result.output
    assert error in " ".join(result.stderr.split())


def test_it_says_which_extra_is_missing(run, tmp_path, monkeypatch):
    monkeypatch.setattr("glirel_transformers.extras.find_spec", lambda name: None if name == "jinja2" else name)
    result = run("--report", tmp_path / "r")
    assert result.exit_code == 1
    assert "pip install 'glirel-transformers[benchmark]'" in result.stderr


def count_kept(path):
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path)) as file:
            return file.execute("SELECT COUNT(*) FROM scores").fetchone()[0]
    except sqlite3.OperationalError:  # before the table is there
        return 0


@pytest.mark.sweep
def test_a_killed_run_goes_on_and_ends_in_the_same_figures(model_folder, tmp_path, monkeypatch):
    write_documents(tmp_path / "data.jsonl", make_documents(200))

    def command(folder):
        options = ["--report", str(folder), "--probe", "0", "--batch-size", "1", "--device", "cpu"]
        line = ["evaluate", str(model_folder), str(tmp_path / "data.jsonl"), *options]
        return [sys.executable, "-m", "glirel_transformers.cli", *line]

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    process = subprocess.Popen(command(killed), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    limit = time.monotonic() + 120
    while count_kept(killed / "scores.sqlite") < 20:
        assert process.poll() is None, process.stdout.read().decode()
        assert time.monotonic() < limit
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert 20 <= count_kept(killed / "scores.sqlite") < 200
    assert not (killed / "report.json").exists()
    again = subprocess.run(command(killed), capture_output=True, text=True, check=True)
    assert "texts were scored by an earlier run" in " ".join(again.stderr.split())
    subprocess.run(command(whole), capture_output=True, check=True)
    values = [json.loads((folder / "report.json").read_text(encoding="utf-8")) for folder in (killed, whole)]
    for one in values:
        assert one.pop("speeds")[0]["num_texts"] == 200
        one["settings"].pop("report")
    assert values[0] == values[1]
    errors = [(folder / "errors.jsonl").read_bytes() for folder in (killed, whole)]
    assert errors[0] == errors[1]
