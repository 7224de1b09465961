"""A checkpoint that is not whole is an error that names what is wrong, never a model with random weights."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, pipeline

from glirel_transformers import GLiRELForRelationClassification, GLiRELModel, RelationExtractor

State = dict[str, torch.Tensor]


@pytest.fixture
def broken(build_model, tmp_path) -> Callable[[Callable[[State], State]], Path]:
    """`broken(change)`: a saved checkpoint, whose weights were changed."""

    def make(change: Callable[[State], State]) -> Path:
        build_model("bert", use_lstm=True).save_pretrained(tmp_path)
        file = tmp_path / "model.safetensors"
        save_file(change(load_file(file)), file, metadata={"format": "pt"})
        return tmp_path

    return make


def without(*names: str) -> Callable[[State], State]:
    return lambda state: {name: tensor for name, tensor in state.items() if not name.startswith(names)}


def renamed(before: str, after: str) -> Callable[[State], State]:
    return lambda state: {name.replace(before, after): tensor for name, tensor in state.items()}


LOADERS = [
    GLiRELForRelationClassification.from_pretrained,
    AutoModel.from_pretrained,
    lambda folder: pipeline("relation-extraction", model=str(folder), trust_remote_code=True),
]


@pytest.mark.parametrize("load", LOADERS, ids=["class", "auto", "pipeline"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("glirel.lstm."), r"8 missing \(glirel\.lstm\.backward_lstm\.bias_hh_l0, .* and 3 more\)"),
        (without("glirel.encoder.embeddings.word"), r"1 missing \(glirel\.encoder\.embeddings\.word_embeddings"),
        (without(""), r"\d+ missing \(glirel\."),
        (renamed("lstm", "rnn"), r"8 missing \(glirel\.lstm.*; 8 left over \(glirel\.rnn\."),
        (renamed("glirel.", "model."), r"missing \(glirel.*left over \(model"),
        (lambda state: {**state, "extra": torch.zeros(2)}, r"1 left over \(extra\)"),
        (
            lambda state: {**state, "glirel.relation_feed_forward.0.bias": torch.zeros(3)},
            r"1 of another shape \(glirel\.relation_feed_forward\.0\.bias \(3,\) for \(128,\)\)",
        ),
    ],
    ids=["lstm", "embeddings", "empty", "renamed", "older layout", "left over", "shape"],
)
def test_weights_that_are_not_the_configurations_are_named(broken, load, change, message):
    with pytest.raises(ValueError, match=message):
        load(broken(change))


def test_other_shapes_can_be_asked_for(broken):
    folder = broken(lambda state: {**state, "glirel.relation_feed_forward.0.bias": torch.zeros(3)})
    model = GLiRELForRelationClassification.from_pretrained(folder, ignore_mismatched_sizes=True)
    assert model.glirel.relation_feed_forward[0].bias.shape == (128,)


def test_the_bare_model_loads_from_a_whole_checkpoint(build_model, tmp_path):
    build_model("bert", scorer="dot_norm", coreference_classifier=True).save_pretrained(tmp_path)
    model, info = GLiRELModel.from_pretrained(tmp_path, output_loading_info=True)
    assert isinstance(model, GLiRELModel)
    assert not info["missing_keys"]


def test_a_head_does_not_load_from_a_bare_model(build_model, tmp_path):
    build_model("bert", scorer="dot_norm").glirel.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"missing \(scorer\.bias"):
        GLiRELForRelationClassification.from_pretrained(tmp_path)


def test_a_folder_without_a_configuration_is_not_a_checkpoint(build_model, tmp_path):
    build_model("bert").save_pretrained(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(OSError, match=r"has no config\.json, so it is not a checkpoint"):
        GLiRELForRelationClassification.from_pretrained(tmp_path)


@pytest.mark.parametrize("text", ["[1, 2]", "{", '"glirel"', "[" * 100_000], ids=["list", "cut", "string", "deep"])
def test_a_configuration_that_is_not_an_object_is_an_error(build_model, tmp_path, text):
    build_model("bert").save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises((OSError, ValueError), match=r"config\.json"):
        GLiRELForRelationClassification.from_pretrained(tmp_path)


def test_a_limit_that_is_text_is_an_error(build_model, tmp_path):
    build_model("bert").save_pretrained(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_max_length": "2048"}))
    with pytest.raises(ValueError, match=r"`model_max_length` must be a whole number of at least 1: got '2048'"):
        GLiRELForRelationClassification.from_pretrained(tmp_path)


def test_an_optimized_model_has_no_state_dictionary(build_model):
    model = build_model("bert").optimize_for_inference()
    with pytest.raises(ValueError, match="An optimized model has no state dictionary"):
        model.state_dict()
    with pytest.raises(ValueError, match="An optimized model has no state dictionary"):
        model.glirel.state_dict()


@pytest.mark.parametrize("keep", [copy.copy, copy.deepcopy, pickle.dumps], ids=["copy", "deepcopy", "pickle"])
def test_an_optimized_model_is_not_copied(build_model, keep):
    model = build_model("bert")
    keep(model)
    model.optimize_for_inference()
    for part in (model, model.glirel, RelationExtractor(model)):
        if keep is copy.copy and part is not model:
            continue
        with pytest.raises(ValueError, match="An optimized model cannot be pickled or copied"):
            keep(part)
