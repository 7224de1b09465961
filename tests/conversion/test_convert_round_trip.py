"""There and back: every tensor, its name, place and type, and every setting."""

from __future__ import annotations

import json

import pytest
import torch
from original_settings import CASES, COMMON, SETTINGS
from tiny import FAMILIES
from transformers import AutoModel

from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification
from glirel_transformers.conversion import convert, revert
from glirel_transformers.conversion.glirel.rules import RENAMING
from glirel_transformers.conversion.glirel.settings import original_from, settings_from
from glirel_transformers.hub_glirel import ORIGINAL_FILE

POOLER = "token_rep_layer.bert_layer.model.pooler.dense.weight"
POSITIONS = "token_rep_layer.bert_layer.model.embeddings.position_ids"


def read(folder):
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    return weights, (folder / "glirel_config.json").read_text(encoding="utf-8")


def assert_same(one, other):
    (weights, text), (others, other_text) = read(one), read(other)
    assert text == other_text
    assert type(weights) is type(others)
    assert list(weights) == list(others)
    for name, tensor in weights.items():
        assert tensor.dtype == others[name].dtype, name
        assert torch.equal(tensor, others[name]), name


@pytest.mark.slow
@pytest.mark.parametrize("setting", CASES)
def test_a_converted_checkpoint_comes_back_bit_for_bit(setting, make_original, tmp_path):
    original = make_original(**SETTINGS[setting])
    converted = convert(original, tmp_path / "converted")
    assert_same(original, revert(converted, tmp_path / "back"))


def change_weights(folder, change):
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(change(weights), folder / "pytorch_model.bin")


@pytest.fixture
def with_extras(make_original):
    """A checkpoint with tensors and settings that no model here has, in an order of its own."""
    original = make_original()

    def add(weights):
        extras = {POOLER: torch.randn(32, 32), POSITIONS: torch.arange(128).unsqueeze(0)}
        return {**dict(reversed(weights.items())), **extras}

    change_weights(original, add)
    config = json.loads(read(original)[1]) | {"zzz": [1, {"b": 2, "a": 1}], "aaa": None, "positive_weight": 2}
    (original / "glirel_config.json").write_text(json.dumps(config, indent=4), encoding="utf-8")
    return original


def test_what_the_original_has_in_addition_comes_back_too(with_extras, tmp_path):
    converted = convert(with_extras, tmp_path / "converted")
    assert POOLER not in AutoModel.from_pretrained(converted).state_dict()
    assert_same(with_extras, revert(converted, tmp_path / "back"))


def test_saving_a_loaded_model_keeps_the_way_back(with_extras, tmp_path):
    model = AutoModel.from_pretrained(convert(with_extras, tmp_path / "converted"))
    model.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / ORIGINAL_FILE).is_file()
    assert_same(with_extras, revert(tmp_path / "again", tmp_path / "back"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, "mixed"])
def test_types_of_weights_are_kept(dtype, make_original, tmp_path):
    original = make_original(**SETTINGS["dot_norm"])

    def cast(weights):
        return {
            name: tensor.to(
                (torch.float16 if name.startswith("token") else torch.float32) if dtype == "mixed" else dtype
            )
            for name, tensor in weights.items()
        }

    change_weights(original, cast)
    converted = convert(original, tmp_path / "converted")
    assert AutoModel.from_pretrained(converted).dtype == (torch.float32 if dtype == "mixed" else dtype)
    assert_same(original, revert(converted, tmp_path / "back"))


def test_a_model_that_was_trained_further_keeps_its_settings(with_extras, tmp_path):
    model = AutoModel.from_pretrained(convert(with_extras, tmp_path / "converted"))
    with torch.no_grad():
        model.glirel.lstm.backward_lstm.bias_hh_l0.fill_(0.25)
        model.glirel.pair_representation.feed_forward.right.weight.fill_(0.5)
    model.config.dropout = 0.3
    model.config.loss_function = "focal"
    model.save_pretrained(tmp_path / "tuned")
    back = revert(tmp_path / "tuned", tmp_path / "back")
    (before, text), (after, new_text) = read(with_extras), read(back)
    assert list(before) == list(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"rnn.lstm.bias_hh_l0_reverse", "span_rep_layer.rel_rep_layer.out_project.0.weight"}
    assert after["span_rep_layer.rel_rep_layer.out_project.0.weight"][:, 32:].eq(0.5).all()
    old, new = json.loads(text), json.loads(new_text)
    assert {name for name in old if old[name] != new[name]} == {"dropout", "loss_func"}
    assert list(old) == list(new)
    assert (new["dropout"], new["loss_func"]) == (0.3, "focal_loss")


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_translated_in_both_directions(setting):
    config = GLiRELConfig(**{**COMMON, **SETTINGS[setting]})
    settings = settings_from(original_from(config, "some/encoder"))
    fields = set(settings) | set(COMMON) | set(SETTINGS[setting])
    assert GLiRELConfig(**settings).to_dict() == config.to_dict()
    assert fields <= set(GLiRELConfig.__dataclass_fields__)


def test_the_original_s_defaults():
    required = {
        "hidden_size": 768,
        "subtoken_pooling": "mean",
        "label_embed_strategy": "label",
        "span_marker_mode": "markerv1",
        "scorer": "dot",
        "dropout": 0.4,
    }
    settings = settings_from(required)
    assert settings["subtoken_pooling"] == "sum"  # which is what it computes
    assert (settings["positive_weight"], settings["negative_weight"]) == (2.0, 1.0)
    assert settings["max_words"] is None
    refined = settings_from({**required, "refine_prompt": True, "ffn_mul": 2})
    assert refined["num_refinement_heads"] == 12
    assert not refined["relation_refinement_sees_pairs"]
    assert settings_from({**required, "coreference_label": ["SELF"]})["coreference_label"] == "SELF"


@pytest.mark.parametrize(
    ("family", "setting"),
    [
        *((family, "everything") for family in FAMILIES),
        *(("bert", setting) for setting in ("base", "dot_norm", "dot_thresh")),
    ],
)
def test_every_weight_has_one_rule(setting, family, build_model):
    model = build_model(family, **{**COMMON, **SETTINGS[setting]})
    weights = model.state_dict()
    original = RENAMING.to_original(weights)
    assert list(original) == list(RENAMING.originals(weights))
    for name in original:
        assert sum(rule.names_of(name) is not None for rule in RENAMING.rules) == 1, name
    again, unused = RENAMING.to_ours(original, {name: tensor.shape for name, tensor in weights.items()})
    assert not unused
    assert set(again) == set(weights)
    assert all(torch.equal(again[name], weights[name]) for name in weights)


def test_a_model_trained_here_scores_the_same_after_both_ways(build_model, encode, make_original, tmp_path):
    """Its new tokens have other numbers than the original gives them."""
    model = build_model("bert", **{**COMMON, "entity_markers": True, "marker_placement": "sequential"})
    original = make_original(**SETTINGS["markers"])
    converted = GLiRELForRelationClassification.from_pretrained(convert(original, tmp_path / "converted")).eval()
    assert converted.tokenizer.get_vocab() != model.tokenizer.get_vocab()
    with torch.inference_mode():
        before, after = model(**encode(model)).logits, converted(**encode(converted)).logits
    torch.testing.assert_close(before, after)
