"""What `glirel extract` writes is what `glirel evaluate` and `glirel train` read."""

import json

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app

TEXTS = [
    {"id": 7, "text": "Marie Curie was born in Warsaw.", "entities": [[0, 11, "PERSON"], [24, 30, "CITY"]]},
    {"id": 8, "text": "Ada met Bob.", "entities": [[0, 3], [8, 11]], "meta": {"by": "ann"}},
]


def run(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def extracted(model_folder, tmp_path):
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, TEXTS)))
    options = ("-m", model_folder, "-r", "place of birth", "-r", "friend", "-o", tmp_path / "found.jsonl")
    run("extract", tmp_path / "texts.jsonl", *options, "--threshold", 0.5)
    return tmp_path / "found.jsonl"


def test_a_model_agrees_with_itself(model_folder, extracted, tmp_path):
    found = [json.loads(line) for line in extracted.read_text().splitlines()]
    number = sum(len(record["relations"]) for record in found)
    assert number, "the model must find something for this test to mean anything"
    run(
        "evaluate",
        model_folder,
        extracted,
        "--threshold",
        0.5,
        "-r",
        "place of birth",
        "-r",
        "friend",
        "-o",
        tmp_path / "f1.json",
    )
    report = json.loads((tmp_path / "f1.json").read_text())
    assert sum(row["support"] for row in report["relation_types"]) == number
    assert report["averages"]["micro_f1"] == 1.0


def test_a_model_is_trained_on_it(model_folder, extracted, tmp_path):
    text = run("train", extracted, "-m", model_folder, "-o", tmp_path / "run", "--max-steps", 1, "--batch-size", 2)
    assert "2 documents" in text
