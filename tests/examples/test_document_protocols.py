"""The protocols on documents, run as a user runs them."""

import json

import pytest
import torch
from tiny import make_base_tokenizer, make_encoder_config
from transformers import AutoModel

from glirel_transformers.trainer.few_shot import updates

RELATIONS = {"P19": "place of birth", "P26": "spouse", "P108": "employer"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Documents in DocRED's format, and an encoder."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "rel_info.json").write_text(json.dumps(RELATIONS))
    for name, places in (("train", range(6)), ("dev", range(4, 8)), ("test", range(2, 5))):
        documents = []
        for place in places:
            words = ["Marie", "Curie", "was", "born", "in", "Warsaw", *["and"] * place, "."]
            later = [{"name": "Marie", "sent_id": 1, "pos": [0, 1], "type": "PER"}]
            documents.append(
                {
                    "title": f"{name} {place}",
                    "sents": [words, ["Marie", "married", "Pierre", "."]],
                    "vertexSet": [
                        [{"name": "Marie Curie", "sent_id": 0, "pos": [0, 2], "type": "PER"}, *later],
                        [{"name": "Warsaw", "sent_id": 0, "pos": [5, 6], "type": "LOC"}],
                        [{"name": "Pierre", "sent_id": 1, "pos": [2, 3], "type": "PER"}],
                    ],
                    "labels": [
                        {"h": 0, "t": 1, "r": "P19", "evidence": [0]},
                        {"h": 0, "t": 2, "r": "P26", "evidence": [1]},
                        *([{"h": 2, "t": 0, "r": "P108", "evidence": []}] if place % 2 else []),
                    ],
                }
            )
        (folder / f"{name}.json").write_text(json.dumps(documents))
    torch.manual_seed(0)
    AutoModel.from_config(make_encoder_config("bert")).save_pretrained(folder / "encoder")
    make_base_tokenizer("bert").save_pretrained(folder / "encoder")
    return folder


@pytest.fixture
def options(data):
    files = [argument for name in ("train", "dev", "test") for argument in (f"--{name}", data / f"{name}.json")]
    start = ["--encoder", data / "encoder", "--label-encoder", data / "encoder"]
    return [*files, *start, "--max-steps", 2, "--eval-steps", 1, "--batch-size", 2, "--accumulate", 1, "--no-bf16"]


@pytest.mark.sweep
def test_few_documents_continue_where_they_stopped_and_give_a_table(run, options, tmp_path):
    script = "documents/few_shot.py"
    first = run(script, *options, "-o", tmp_path / "run", "--numbers", 0, 1, "--seeds", 0)
    assert first.returncode == 0, first.stderr[-3000:]
    assert "documents 1, seed 0: 1 documents, f1 0." in first.stdout
    kept = tmp_path / "run" / "1-0" / "result.json"
    assert [path.name for path in kept.parent.iterdir()] == ["result.json"]
    before = kept.stat().st_mtime_ns
    second = run(script, *options, "-o", tmp_path / "run", "--numbers", 0, 1, 3, "--seeds", 0, 1, "--keep-models")
    assert second.returncode == 0, second.stderr[-3000:]
    assert kept.stat().st_mtime_ns == before
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [(run["row"], run["seed"]) for run in results["runs"]] == [("0", 0), ("1", 0), ("1", 1), ("3", 0), ("3", 1)]
    assert all(one["num_gold"] == 3 * 2 + 1 for one in results["runs"])
    assert all(one["ign_f1"] <= one["f1"] for one in results["runs"])
    assert [row["runs"] for row in results["table"]] == [1, 2, 2]
    assert results["table"][0]["f1"]["deviation"] is None
    table = (tmp_path / "run" / "results.md").read_text().splitlines()
    assert table[0].startswith("Entities gold.")
    assert table[2] == "| documents | f1 | ign_f1 | precision | recall | macro_f1 | threshold | runs |"
    assert [line.split("|")[1].strip() for line in table[4:]] == ["0", "1", "3"]
    assert table[2] in second.stdout
    assert (tmp_path / "run" / "3-1" / "model" / "model.safetensors").exists()
    other = run(script, *options, "-o", tmp_path / "run", "--numbers", 1, "--learning-rate", 0.1)
    assert other.returncode == 1
    assert "learning_rate was 0.0001 and is now 0.1" in other.stderr
    assert "Traceback" not in other.stderr


@pytest.mark.sweep
def test_all_documents(run, options, tmp_path):
    result = run("documents/supervised.py", *options, "-o", tmp_path / "run", "--seeds", 0, 1, "--system", "glirel")
    assert result.returncode == 0, result.stderr[-3000:]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [(row["row"], row["runs"]) for row in results["table"]] == [("all", 2)]


@pytest.mark.sweep
def test_more_documents_than_there_are_is_one_line(run, options, tmp_path):
    result = run("documents/few_shot.py", *options, "-o", tmp_path / "run", "--numbers", 7)
    assert result.returncode == 1
    assert "7 documents cannot be drawn from 6" in result.stderr
    assert "Traceback" not in result.stderr


def test_updates_are_those_of_the_original():
    numbers = (1, 5, 10, 50, 100, 500, 1000)
    assert [updates(number, 4, 4) for number in numbers] == [250, 500, 750, 1950, 1875, 1875, 1875]
