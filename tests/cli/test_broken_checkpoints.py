"""Folders that are not whole: one line that names the file and the cure, in Python and on the command line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glirel_transformers import GLiRELForRelationClassification, RelationExtractor
from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, write_documents

Change = Callable[[Path], object]


def config(**fields: object) -> Change:
    return edited("config.json", **fields)


def tokenizer_config(**fields: object) -> Change:
    return edited("tokenizer_config.json", **fields)


def edited(name: str, **fields: object) -> Change:
    def change(folder: Path) -> None:
        file = folder / name
        file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))

    return change


def holding(name: str, content: str | bytes) -> Change:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data)


def without(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


CASES: dict[str, tuple[Change, str]] = {
    "config that is missing": (without("config.json"), "has no config.json, so it is not a checkpoint"),
    "config that is a list": (holding("config.json", "[1]"), "config.json: It must hold a JSON object: got a list"),
    "config that is cut": (holding("config.json", '{"a": '), "config.json: It is not JSON"),
    "config that is deep": (holding("config.json", '{"a":' * 100_000), "config.json: It is nested too deeply"),
    "config in UTF-16": (holding("config.json", "{}".encode("utf-16")), "config.json: It is UTF-16 text"),
    "config of nothing": (holding("config.json", "{}"), "its config.json names no model_type"),
    "config of another model": (config(model_type="bert"), "is of the type 'bert'"),
    "width as text": (config(hidden_size="32"), "config.json: `hidden_size` must be a whole number"),
    "unknown scorer": (config(scorer="dots"), "config.json: `scorer` must be one of"),
    "encoder that is a list": (config(encoder_config=[1]), "config.json: `encoder_config` must be"),
    "unknown encoder": (config(encoder_config={"model_type": "x"}), "config.json: Unrecognized model"),
    "encoder's width as text": (
        config(encoder_config={"model_type": "bert", "hidden_size": "32"}),
        "config.json: Validation error for field 'hidden_size'",
    ),
    "no tokenizer": (without("tokenizer.json"), "has no tokenizer.json, without which no text can be read"),
    "no tokenizer's settings": (without("tokenizer_config.json"), "has no tokenizer_config.json"),
    "tokenizer that is a list": (holding("tokenizer.json", "[]"), "tokenizer.json: It must hold a JSON object"),
    "tokenizer's settings cut": (holding("tokenizer_config.json", "{"), "tokenizer_config.json: It is not JSON"),
    "limit as text": (tokenizer_config(model_max_length="2048"), "`model_max_length` must be a whole number"),
    "limit below 1": (tokenizer_config(model_max_length=-3), "`model_max_length` must be a whole number"),
    "limit of many words": (tokenizer_config(model_max_length="x" * 9999), "`model_max_length` must be"),
    "no weights": (without("model.safetensors"), "has a configuration and no weights"),
    "weights that are empty": (holding("model.safetensors", b""), "model.safetensors: It cannot be read"),
    "weights that are cut": (cut, "model.safetensors: It cannot be read"),
    "weights that are a pointer": (
        holding("model.safetensors", "version https://git-lfs.github.com/spec/v1\n"),
        "the pointer to a large file that was not fetched",
    ),
}


@pytest.fixture(params=CASES)
def broken(request, model_folder, tmp_path) -> tuple[Path, str]:
    """A checkpoint with something wrong, and what the error says."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in model_folder.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    change, message = CASES[request.param]
    change(folder)
    return folder, message


def test_the_extractor_says_what_is_wrong(broken):
    folder, message = broken
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        RelationExtractor(str(folder))
    assert len(str(caught.value)) < 500


def test_every_command_says_what_is_wrong_in_one_line(broken, tmp_path):
    folder, message = broken
    data = tmp_path / "data.jsonl"
    write_documents(data, [Document(["Ada", "met", "Bob"], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "met")])])
    for line in (
        ["info", folder],
        ["extract", "Ada met Bob.", "-e", "Ada", "-e", "Bob", "-r", "met", "-m", folder],
        ["evaluate", folder, data],
        ["train", data, "-m", folder, "-o", tmp_path / "run", "--max-steps", 1, "--no-bf16"],
        ["export", folder, tmp_path / "out"],
    ):
        result = CliRunner().invoke(app, [str(word) for word in line])
        assert result.exit_code == 1, (line, result.output)
        assert message in result.stderr, line
        assert result.stderr.count("\n") == 1, result.stderr
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
@pytest.mark.parametrize("content", ["[]", "{", "[" * 100_000], ids=["list", "cut", "deep"])
def test_from_pretrained_names_a_file_that_is_not_an_object(build_model, tmp_path, name, content):
    build_model("bert").save_pretrained(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        GLiRELForRelationClassification.from_pretrained(tmp_path)


@pytest.mark.parametrize("part", ["vocab", "added_tokens"])
def test_tokens_beyond_the_vocabulary_are_named_when_the_model_is_loaded(part, model_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    content = json.loads((folder / "tokenizer.json").read_text())
    if part == "vocab":
        content["model"]["vocab"]["zzzzq"] = 5000
    else:
        content["added_tokens"].append({**content["added_tokens"][-1], "content": "zzzzq", "id": 5000})
    (folder / "tokenizer.json").write_text(json.dumps(content))
    line = ["extract", "Ada met zzzzq.", "-e", "Ada", "-e", "zzzzq", "-r", "met", "-m", str(folder)]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 1
    assert f"tokenizer.json of {str(folder)!r} has tokens that the model does not" in result.stderr
    assert re.search(r"'zzzzq' \(\d+\)", result.stderr)
    with pytest.raises(ValueError, match=r"tokenizer\.json of .*'zzzzq' \(\d+\)"):
        RelationExtractor(GLiRELForRelationClassification.from_pretrained(model_folder), tokenizer=str(folder))
