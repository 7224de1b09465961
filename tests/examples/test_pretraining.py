"""From plain text to an encoder that `glirel train` takes, run as a user runs it."""

import json
from pathlib import Path

import numpy as np
import pytest

SMALL = ("--vocab-size", 400, "--hidden-size", 64, "--num-layers", 1, "--no-bf16", "--no-compile")


@pytest.mark.sweep
def test_it_makes_an_encoder_and_continues_where_it_stopped(corpus, run, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    pytest.importorskip("gensim")
    options = [corpus, "--output", tmp_path, *SMALL, "--sequence-length", 16, "--batch-size", 4, "--held-out", 4]
    for steps in (2, 4):
        result = run("pretraining/pretrain.py", *options, "--max-steps", steps, "--save-steps", 2)
        assert result.returncode == 0, result.stderr[-3000:]
    assert "glirel train DATA --encoder" in result.stdout
    state = json.loads((tmp_path / "checkpoints" / "checkpoint-4" / "trainer_state.json").read_text())
    assert state["global_step"] == 4
    encoder, tokenizer = (c.from_pretrained(tmp_path / "encoder") for c in (AutoModel, AutoTokenizer))
    ids = tokenizer("the city of oslo", return_tensors="pt")["input_ids"]
    assert ids[0, 0] == tokenizer.cls_token_id
    assert encoder(ids).last_hidden_state.shape == (1, ids.shape[1], 64)


@pytest.mark.sweep
def test_too_little_text_is_one_line(run, tmp_path):
    pytest.importorskip("gensim")
    (tmp_path / "text.txt").write_text("Only a line.")
    result = run("pretraining/pretrain.py", tmp_path / "text.txt", "--output", tmp_path / "run", *SMALL)
    assert result.returncode == 1
    assert "nothing is left to train on" in result.stderr
    assert "Traceback" not in result.stderr


def test_texts_are_divided_by_blank_lines_and_every_token_is_kept(corpus, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples" / "pretraining")
    from corpus import encode_corpus, read_texts, train_tokenizer
    from encoder import TokenWindows

    texts = list(read_texts([corpus]))
    assert len(texts) == 80
    assert "\n" not in "".join(texts)
    tokenizer = train_tokenizer(texts, 400)
    tokens = encode_corpus(texts, tokenizer)
    assert (tokens == tokenizer.sep_token_id).sum() == 80
    windows = TokenWindows(tokens, 16, tokenizer.cls_token_id)
    read = np.concatenate([windows[i]["input_ids"][1:] for i in range(len(windows))])
    assert np.array_equal(read, tokens[: len(read)])
    assert len(tokens) - len(read) < 15
