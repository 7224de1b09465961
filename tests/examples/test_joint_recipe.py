"""The recipe in two stages, run as a user runs it."""

import json

import pytest
import torch
from tiny import make_base_tokenizer, make_encoder_config
from transformers import AutoModel

from glirel_transformers import GLiRELConfig

RECORDS = [
    {
        "tokenized_text": ["Marie", "was", "born", "in", place, *["and"] * number],
        "ner": [[0, 0, "friend"], [4, 4, "city"]],
        "relations": [[0, 1, "place of birth"]],
    }
    for number, place in enumerate(["Warsaw", "London", "Tokyo", "Warsaw"])
]


@pytest.mark.sweep
def test_both_stages_and_again(run, tmp_path):
    for name in ("pretraining", "fine", "dev"):
        (tmp_path / f"{name}.json").write_text(json.dumps(RECORDS))
    torch.manual_seed(0)
    AutoModel.from_config(make_encoder_config("bert")).save_pretrained(tmp_path / "encoder")
    make_base_tokenizer("bert").save_pretrained(tmp_path / "encoder")
    options = ["--pretraining", tmp_path / "pretraining.json", "--fine-tuning", tmp_path / "fine.json"]
    options += ["--dev", tmp_path / "dev.json", "--encoder", tmp_path / "encoder", "-o", tmp_path / "run"]
    options += ["--max-steps", 2, "--eval-steps", 2, "--no-bf16", "--set", "max_entity_width=3"]
    first = run("joint/two_stages.py", *options)
    assert first.returncode == 0, first.stderr[-3000:]
    assert first.stdout.count("8 entities of 2 types to find") == 2
    for stage, rates in (("pretraining", (5e-5, 1e-5)), ("fine-tuning", (5e-6, 3e-6))):
        noted = json.loads((tmp_path / "run" / stage / "run.json").read_text())
        assert (noted["learning_rate"], noted["encoder_learning_rate"]) == rates
        config = GLiRELConfig.from_pretrained(tmp_path / "run" / stage / "model")
        assert (config.focal_alpha, config.focal_gamma, config.max_entity_width) == (0.75, 0.0, 3)
    again = run("joint/two_stages.py", *options)
    assert again.returncode == 0, again.stderr[-3000:]
    assert again.stderr.count("nothing was trained now") == 2
    other = run("joint/two_stages.py", *options, "--seed", 1)
    assert other.returncode == 1
    assert "seed was 0 and is now 1" in other.stderr
    assert "Traceback" not in other.stderr
