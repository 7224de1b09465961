import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.data import Document, Mention, write_documents

ROOT = Path(__file__).parents[2]


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "examples" / "train.py"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_the_script_trains_resumes_and_continues(encoder_folder, documents, tmp_path):
    many = [
        Document([*one.words, f"r{i % 10}", f"r{i // 10}"], one.mentions, one.relations, source=f"set{i % 2}")
        for i in range(25)
        for one in documents
    ]
    silent = Document(["Ada", "Alan"], [Mention(0, 1), Mention(1, 2)], [], exhaustive=False)
    write_documents(tmp_path / "train.jsonl.xz", [*many, silent])
    data = ["--train", tmp_path / "train.jsonl.xz", "--output", tmp_path / "run", "--held-out", "0.2"]
    options = [*data, "--eval-steps", "2", "--max-per-relation", "20", "--repeat", "set0=2", "set1=0.5", "--no-bf16"]
    fresh = ["--encoder", encoder_folder, "--scorer", "dot_norm", "--hidden-size", "16"]
    first = run(*fresh, *options, "--max-steps", "2")
    assert first.returncode == 0, first.stderr[-3000:]
    assert "1 documents left out: without any known pair" in first.stdout
    assert "relations of 5 types to train on" in first.stdout
    second = run(*fresh, *options, "--max-steps", "4")
    assert second.returncode == 0, second.stderr[-3000:]
    state = json.loads((tmp_path / "run" / "checkpoints" / "checkpoint-4" / "trainer_state.json").read_text())
    assert [entry["step"] for entry in state["log_history"] if "eval_loss" in entry] == [2, 4]
    model = GLiRELForRelationClassification.from_pretrained(tmp_path / "run" / "model")
    assert (model.config.scorer, model.config.hidden_size) == ("dot_norm", 16)
    assert model.config.threshold != 0.5
    refused = run("--model", tmp_path / "run" / "model", "--scorer", "dot", *data)
    assert refused.returncode == 1
    assert "--model keeps its own settings; leave out scorer" in refused.stderr


def test_documents_of_a_source_are_repeated_or_thinned():
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        from train import number_of_copies
    finally:
        sys.path.pop(0)
    texts = [Document([f"text{i}"], [Mention(0, 1)], [], source="fewrel.train") for i in range(400)]
    assert {number_of_copies(text, {}) for text in texts} == {1}
    assert {number_of_copies(text, {"fewrel": 2.0}) for text in texts} == {2}
    assert {number_of_copies(text, {"other": 2.0}) for text in texts} == {1}
    assert 60 < sum(number_of_copies(text, {"fewrel": 0.25}) for text in texts) < 140
