"""GLiDRE checkpoints there and back: every tensor, its name, place and type, every setting; and what is refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from glidre_settings import CASES, COMMON, SETTINGS
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging
from typer.testing import CliRunner

from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification
from glirel_transformers.cli import app
from glirel_transformers.conversion import convert, revert
from glirel_transformers.conversion.glidre.rules import renaming_for
from glirel_transformers.conversion.glidre.settings import original_from, report, settings_from
from glirel_transformers.hub_glirel import ORIGINAL_FILE

LSTM = "rnn.lstm.weight_ih_l0"
POOLERS = [f"token_rep_layer.{encoder}.model.pooler.dense.weight" for encoder in ("bert_layer", "labels_encoder")]


TINY = {"model_type": "bert", "hidden_size": 32, "num_attention_heads": 4}


def config_of(**settings):
    return GLiRELConfig(encoder_config=TINY, **{**COMMON, **settings})


def read(folder):
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    return weights, (folder / "glidre_config.json").read_text(encoding="utf-8")


def assert_same(one, other):
    (weights, text), (others, other_text) = read(one), read(other)
    assert text == other_text
    assert list(weights) == list(others)
    for name, tensor in weights.items():
        assert tensor.dtype == others[name].dtype, name
        assert torch.equal(tensor, others[name]), name


def change_weights(folder, change):
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(change(weights), folder / "pytorch_model.bin")


def edit(folder, **settings):
    file = folder / "glidre_config.json"
    config = json.loads(file.read_text(encoding="utf-8")) | settings
    file.write_text(json.dumps({name: value for name, value in config.items() if value != "absent"}), encoding="utf-8")


@pytest.fixture
def said(monkeypatch):
    """What the conversion says."""
    lines = []
    for module in ("original", "settings"):
        logger = logging.get_logger(f"glirel_transformers.conversion.glidre.{module}")
        monkeypatch.setattr(logger, "warning", lambda text, *values: lines.append(text % values))
    return lines


@pytest.fixture
def with_extras(make_glidre):
    """A checkpoint with tensors and settings that no model here has, in an order of its own."""
    original = make_glidre()

    def add(weights):
        extras = {name: torch.randn(4, 4) for name in (LSTM, *POOLERS)}
        return {**dict(reversed(weights.items())), **extras}

    change_weights(original, add)
    edit(original, zzz=[1, {"b": 2, "a": 1}], has_rnn=True, max_width=12)
    return original


@pytest.mark.parametrize("setting", CASES)
def test_a_converted_checkpoint_comes_back_bit_for_bit(setting, make_glidre, tmp_path):
    original = make_glidre(**SETTINGS[setting])
    assert_same(original, revert(convert(original, tmp_path / "converted"), tmp_path / "back"))


def test_what_is_left_over_is_said_once_and_comes_back(with_extras, said, tmp_path):
    converted = convert(with_extras, tmp_path / "converted")
    assert [line for line in said if "never reads" in line] == [
        "The original package never reads these tensors, and no model here has them: 1 of an LSTM that is never "
        "applied, 2 of poolers. They are kept in original_remainder.safetensors, for `--reverse`."
    ]
    assert [line for line in said if "zzz" in line] == [
        "These settings of glidre_config.json are not known and are not read: zzz."
    ]
    model = AutoModel.from_pretrained(converted)
    assert not any("pooler" in name or "lstm" in name for name in model.state_dict())
    assert_same(with_extras, revert(converted, tmp_path / "back"))
    model.save_pretrained(tmp_path / "again")
    assert (tmp_path / "again" / ORIGINAL_FILE).is_file()
    assert_same(with_extras, revert(tmp_path / "again", tmp_path / "back-again"))


@pytest.mark.parametrize("dtype", [torch.float16, "mixed"])
def test_types_of_weights_are_kept(dtype, make_glidre, tmp_path):
    original = make_glidre()

    def cast(weights):
        low = {name: name.startswith("token") or dtype != "mixed" for name in weights}
        return {name: tensor.to(torch.float16 if low[name] else torch.float32) for name, tensor in weights.items()}

    change_weights(original, cast)
    converted = convert(original, tmp_path / "converted")
    assert AutoModel.from_pretrained(converted).dtype == (torch.float32 if dtype == "mixed" else dtype)
    assert_same(original, revert(converted, tmp_path / "back"))


def test_a_model_that_was_trained_further_keeps_its_settings(with_extras, tmp_path):
    model = AutoModel.from_pretrained(convert(with_extras, tmp_path / "converted"))
    with torch.no_grad():
        model.glirel.pair_context.tail.right.weight.fill_(0.5)
    model.config.dropout, model.config.focal_alpha = 0.3, 0.7
    model.save_pretrained(tmp_path / "tuned")
    (before, text), (after, new_text) = read(with_extras), read(revert(tmp_path / "tuned", tmp_path / "back"))
    assert list(before) == list(after)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"span_rep_layer.tail_extractor.0.weight"}
    assert after["span_rep_layer.tail_extractor.0.weight"][:, 24:].eq(0.5).all()
    old, new = json.loads(text), json.loads(new_text)
    assert {name for name in old if old[name] != new[name]} == {"dropout", "alpha"}
    assert (new["dropout"], new["alpha"]) == (0.3, 0.7)


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_translated_in_both_directions(setting):
    config = config_of(**SETTINGS[setting])
    settings = settings_from(original_from(config, "some/encoder", "another/encoder"))
    assert GLiRELConfig(encoder_config=TINY, **settings).to_dict() == config.to_dict()


@pytest.mark.parametrize("setting", ["everything", "base", "no_projection"])
def test_every_weight_has_one_rule(setting, make_glidre, tmp_path):
    model = AutoModel.from_pretrained(convert(make_glidre(**SETTINGS[setting]), tmp_path / "converted"))
    weights, renaming = model.state_dict(), renaming_for(model.config)
    original = renaming.to_original(weights)
    for name in original:
        assert sum(rule.names_of(name) is not None for rule in renaming.rules) == 1, name
    again, unused = renaming.to_ours(original, {name: tensor.shape for name, tensor in weights.items()})
    assert not unused
    assert all(torch.equal(again[name], weights[name]) for name in weights)


def test_the_original_s_defaults(said):
    settings = settings_from({})
    assert {name: settings[name] for name in ("hidden_size", "dropout", "max_words", "focal_alpha")} == {
        "hidden_size": 512,
        "dropout": 0.4,
        "max_words": 512,
        "focal_alpha": 0.25,
    }
    assert (settings["focal_gamma"], settings["loss_reduction"], settings["loss_function"]) == (2.0, "mean", "focal")
    assert (settings["pair_context"], settings["shared_words"], settings["fusion_schema"]) == (
        "localized",
        "kept",
        None,
    )
    report({})
    assert not said


@pytest.mark.parametrize(
    ("original", "expected", "line"),
    [
        ({"loss": "atloss"}, {"loss_function": "atloss", "threshold_head": True}, None),
        (
            {"loss": "afloss"},
            {"loss_function": "focal", "threshold_head": True},
            "does not train the pairs' thresholds",
        ),
        ({"loss": "f1"}, {"loss_function": "focal", "threshold_head": False}, "replaces by the focal loss"),
        ({"loss": "both"}, {"loss_function": "focal", "threshold_head": False}, "replaces by the focal loss"),
        ({"loss": None}, {"loss_function": "focal", "threshold_head": False}, None),
        ({"alpha": -1}, {"focal_alpha": 0.5, "positive_weight": 2.0, "negative_weight": 2.0}, None),
        ({"reduction": "none"}, {"loss_reduction": "sum"}, None),
        ({"num_post_fusion_layers": 1, "post_fusion_schema": "l2t"}, {"num_fusion_layers": 3}, None),
        ({"weights": [1.0, 2.0]}, {}, "`weights`"),
    ],
)
def test_settings_mean_what_the_original_does(original, expected, line, said):
    settings = settings_from(original)
    report(original)
    assert {name: settings[name] for name in expected} == expected
    assert (line is None and not said) or line in said[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda folder: edit(folder, pooling="max"),
            r"`pooling` in glidre_config.json must be one of 'mean', .*'max'",
        ),
        (lambda folder: edit(folder, loss="hinge"), r"`loss` in glidre_config.json must be one of .*'hinge'"),
        (lambda folder: edit(folder, post_fusion_schema="l2x"), r"`fusion_schema` must be steps"),
        (lambda folder: edit(folder, labels_encoder=None), r"`labels_encoder` is None.*--label-encoder"),
        (lambda folder: edit(folder, labels_encoder="nobody/knows"), r"encoder 'nobody/knows' cannot be read"),
        (
            lambda folder: edit(folder, labels_encoder_config={"model_type": "new", "hidden_size": 768}),
            r"`labels_encoder_config` in glidre_config.json is of the type 'new'.*cannot be converted",
        ),
        (lambda folder: edit(folder, loss="atloss"), r"Missing \(4\): threshold_layer\.0\.weight"),
        (lambda folder: edit(folder, atlop=False), r"Unexpected \(8\): span_rep_layer\.head_extractor"),
        (lambda folder: edit(folder, hidden_size=48), r"Of another shape .*glidre_config\.json"),
        (
            lambda folder: change_weights(folder, lambda weights: weights | {"alien": torch.zeros(2)}),
            r"Unexpected \(1\): alien\.",
        ),
        (lambda folder: (folder / "pytorch_model.bin").unlink(), r"has no pytorch_model\.bin"),
        (lambda folder: (folder / "glidre_config.json").write_text("[]"), r"must hold a JSON object"),
    ],
)
def test_a_damaged_checkpoint(damage, message, make_glidre, tmp_path):
    original = make_glidre()
    damage(original)
    with pytest.raises(ValueError, match=message):
        convert(original, tmp_path / "converted")
    assert not (tmp_path / "converted").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mention_representation": "endpoints"}, r"mention_representation='endpoints'"),
        ({"label_pooling": "cls"}, r"label_pooling='cls'"),
        ({"shared_words": "removed"}, r"shared_words='removed'"),
        ({"layer_fusion": "masked"}, r"layer_fusion='masked'"),
        ({"fusion_schema": "l2t", "num_fusion_layers": 1}, r"num_fusion_layers=1"),
        ({"loss_function": "bce"}, r"loss_function='bce'"),
        ({"use_lstm": True, "scorer": "dot_norm"}, r"scorer='dot_norm'.*use_lstm=True"),
    ],
)
def test_settings_without_a_counterpart(settings, message):
    with pytest.raises(ValueError, match=message):
        original_from(config_of(**settings), "some/encoder", "another/encoder")


def test_a_model_trained_here_needs_its_encoders(build_model, encoder_folder, tmp_path):
    build_model("bert", **COMMON).save_pretrained(tmp_path / "shared")
    with pytest.raises(ValueError, match=r"an encoder for each"):
        revert(tmp_path / "shared", tmp_path / "original", encoder="a/b", label_encoder="c/d")
    model = build_model("bert", label_encoder=encoder_folder("bert"), **COMMON)
    model.save_pretrained(tmp_path / "here")
    with pytest.raises(ValueError, match=r"--encoder.*--label-encoder"):
        revert(tmp_path / "here", tmp_path / "original", encoder="a/b")


def test_which_package_a_checkpoint_is_of(make_glidre, make_original, encoder_folder, tmp_path):
    converted = convert(make_glidre(), tmp_path / "converted")
    with pytest.raises(ValueError, match="not in the original package's format"):
        convert(converted, tmp_path / "more")
    with pytest.raises(ValueError, match=r"holds a glidre_config\.json\. Leave out `--reverse`"):
        revert(tmp_path / "original", tmp_path / "more")
    shutil.rmtree(tmp_path / "original")
    with pytest.raises(ValueError, match=r"reads them in front of the text"):
        convert(make_original(), tmp_path / "more", label_encoder=encoder_folder("bert"))


def test_encoders_are_found_next_to_the_checkpoint_or_given(make_glidre, encoder_folder, tmp_path):
    original = make_glidre()
    shutil.copytree(encoder_folder("bert"), tmp_path / "backbones" / "bert")
    edit(original, model_name="no/where", labels_encoder="backbones/bert")
    convert(original, tmp_path / "converted")
    edit(original, labels_encoder="no/where")
    given = convert(original, tmp_path / "given", label_encoder=encoder_folder("bert"))
    assert (given / "label_tokenizer.json").is_file()
    for file in original.glob("*token*"):
        file.unlink()
    with pytest.raises(ValueError, match=r"encoder 'no/where' cannot be read"):
        convert(original, tmp_path / "more", label_encoder=encoder_folder("bert"))
    encoders = {"encoder": encoder_folder("deberta-v2"), "label_encoder": encoder_folder("bert")}
    edit(original, encoder_config=None, labels_encoder_config=None)
    model = GLiRELForRelationClassification.from_pretrained(convert(original, tmp_path / "all", **encoders))
    assert model.config.encoder_config.model_type == "deberta-v2"


def test_tokenizers_of_a_converted_checkpoint(make_glidre, tmp_path):
    original = make_glidre()
    tokenizer = AutoTokenizer.from_pretrained(convert(original, tmp_path / "converted"))
    assert (tokenizer.label_encoding, tokenizer.max_words) == ("separate", 40)
    assert tokenizer.init_kwargs["label_max_length"] == 128
    reads = tokenizer.read_words([["born", "\u00ad", "in"]])[0]
    assert reads.token_starts[1] < reads.token_starts[2]  # a soft hyphen is read, as there
    settings = json.loads((original / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_the_command_converts_both_ways(make_glidre, tmp_path):
    original, converted, back = make_glidre(), tmp_path / "converted", tmp_path / "back"
    result = CliRunner().invoke(app, ["info", str(original)])
    assert "Convert it once: glirel convert" in " ".join(result.output.split())
    result = CliRunner().invoke(app, ["convert", str(original), str(converted)])
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["convert", str(converted), str(back), "--reverse"])
    assert result.exit_code == 0, result.output
    assert_same(original, back)
