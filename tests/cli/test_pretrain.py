"""`glirel pretrain`: from plain text to an encoder that `glirel train` takes."""

import json
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.pretraining import TokenWindows, encode_corpus, read_texts, train_tokenizer

PARAGRAPHS = """\
The city of Oslo lies in Norway. The painter Edvard Munch lived in Oslo, where he painted The Scream for many years.
In 1903 the physicist Marie Curie received a prize in Stockholm. Her husband Pierre Curie worked with her in Paris.

The river Danube rises in Germany and flows through the city of Vienna. The composer Franz Schubert was born in Vienna.
"""


def run(*arguments):
    return CliRunner().invoke(app, ["pretrain", *map(str, arguments)])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    file = tmp_path_factory.mktemp("corpus") / "text.txt"
    file.write_text("\n".join([PARAGRAPHS] * 40), encoding="utf-8")
    return file


@pytest.mark.slow
def test_it_makes_an_encoder_and_goes_on_where_it_stopped(corpus, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    pytest.importorskip("gensim")
    options = [corpus, "--output", tmp_path, "--vocab-size", 400, "--hidden-size", 64, "--num-layers", 1]
    options += ["--sequence-length", 16, "--batch-size", 4, "--no-bf16", "--no-compile", "--held-out", 4]
    for steps in (2, 4):
        result = run(*options, "--max-steps", steps, "--save-steps", 2)
        assert result.exit_code == 0, result.output
    assert "glirel train DATA --encoder" in result.stdout
    state = json.loads((tmp_path / "checkpoints" / "checkpoint-4" / "trainer_state.json").read_text())
    assert state["global_step"] == 4
    encoder, tokenizer = (c.from_pretrained(tmp_path / "encoder") for c in (AutoModel, AutoTokenizer))
    ids = tokenizer("the city of oslo", return_tensors="pt")["input_ids"]
    assert ids[0, 0] == tokenizer.cls_token_id
    assert encoder(ids).last_hidden_state.shape == (1, ids.shape[1], 64)


def test_a_missing_package_names_the_extra(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim", None)
    monkeypatch.setattr("glirel_transformers.extras.find_spec", lambda name: None if name == "gensim" else object())
    result = run(corpus, "--output", tmp_path)
    assert result.exit_code == 1
    assert "gensim, which is not installed. Run: pip install 'glirel-transformers[pretrain]'" in result.stderr


def test_too_little_text_is_one_line(tmp_path):
    pytest.importorskip("gensim")
    (tmp_path / "text.txt").write_text("Only a line.")
    result = run(tmp_path / "text.txt", "--output", tmp_path / "run", "--vocab-size", 100, "--no-compile", "--no-bf16")
    assert result.exit_code == 1
    assert "nothing is left to train on" in result.stderr
    assert "Traceback" not in result.output


def test_texts_are_divided_by_blank_lines_and_every_token_is_kept(corpus):
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
