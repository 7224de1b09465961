"""GLiNER-Relex checkpoints there and back: every tensor and every setting; and what is refused."""

from __future__ import annotations

import json

import pytest
import torch
from original_settings import noise
from relex_settings import CASES, COMMON, SETTINGS, TOKEN
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging
from typer.testing import CliRunner

from glirel_transformers import GLiRELConfig, GLiRELForJointExtraction
from glirel_transformers.cli import app
from glirel_transformers.conversion import convert, revert
from glirel_transformers.conversion.relex.rules import OFFSET
from glirel_transformers.conversion.relex.settings import original_from, settings_from

pytestmark = pytest.mark.slow

CONFIG = "gliner_config.json"
TINY = {"model_type": "bert", "hidden_size": 32, "num_attention_heads": 4}
TEXT = "Marie Curie was born in War\u00adsaw \u00ad and lived in London."
TYPES = {"entity_types": ["person", "city"], "relation_types": ["place of birth", "spouse"]}


@pytest.fixture
def make_relex(encoder_folder, tmp_path):
    """`make_relex("bert", scorer="um")`: a folder in the original's format, with weights that are computed."""

    def make(family="deberta-v2", **settings):
        model = GLiRELForJointExtraction.from_encoder(encoder_folder(family), **{**COMMON, **settings})
        if hasattr(model.scorer, "offset"):
            model.scorer.offset.data.zero_()  # which the original does not have
        model.save_pretrained(tmp_path / "trained-here")
        folder = revert(tmp_path / "trained-here", tmp_path / "original", encoder=encoder_folder(family))
        change_weights(folder, _noise)
        return folder

    return make


def _noise(weights):
    return {
        name: tensor.abs() + 0.5 if name.endswith("running_var") else tensor for name, tensor in noise(weights).items()
    }


def read(folder):
    return torch.load(folder / "pytorch_model.bin", weights_only=True), (folder / CONFIG).read_text(encoding="utf-8")


def change_weights(folder, change):
    weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(change(weights), folder / "pytorch_model.bin")


def edit(folder, **settings):
    file = folder / CONFIG
    config = json.loads(file.read_text(encoding="utf-8")) | settings
    file.write_text(json.dumps(config), encoding="utf-8")


def assert_same(one, other):
    (weights, text), (others, other_text) = read(one), read(other)
    assert text == other_text
    assert list(weights) == list(others)
    for name, tensor in weights.items():
        assert tensor.dtype == others[name].dtype, name
        assert torch.equal(tensor, others[name]), name


def config_of(**settings):
    return GLiRELConfig(encoder_config=TINY, **{**COMMON, **settings})


@pytest.mark.parametrize(
    "setting", [name if name in CASES else pytest.param(name, marks=pytest.mark.sweep) for name in SETTINGS]
)
def test_a_converted_checkpoint_comes_back_bit_for_bit(setting, make_relex, tmp_path):
    original = make_relex(**SETTINGS[setting])
    converted = convert(original, tmp_path / "converted")
    assert_same(original, revert(converted, tmp_path / "back"))
    model = AutoModel.from_pretrained(converted)
    assert type(model) is GLiRELForJointExtraction
    with torch.no_grad():
        assert model.eval()(**model.tokenizer(TEXT, **TYPES)).entity_logits.isfinite().all()


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_translated_in_both_directions(setting):
    config = config_of(**SETTINGS[setting])
    settings = settings_from(original_from(config, "some/encoder"))
    assert GLiRELConfig(encoder_config=TINY, **settings).to_dict() == config.to_dict()


def test_weights_are_read_from_either_file(make_relex, tmp_path):
    original = make_relex("bert")
    from_pickled = convert(original, tmp_path / "one")
    weights, text = read(original)
    save_file(weights, original / "model.safetensors", {"format": "pt"})
    torch.save({}, original / "pytorch_model.bin")  # the other wins where both are there
    from_safe = convert(original, tmp_path / "two")
    one, two = (load_file(folder / "model.safetensors") for folder in (from_pickled, from_safe))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    back = revert(from_safe, tmp_path / "back")
    assert not (back / "pytorch_model.bin").exists()
    again = load_file(back / "model.safetensors")
    assert all(torch.equal(again[name], tensor) for name, tensor in weights.items())
    assert (back / CONFIG).read_text(encoding="utf-8") == text


def test_what_the_original_never_reads_is_kept(make_relex, monkeypatch, tmp_path):
    said = []
    logger = logging.get_logger("glirel_transformers.conversion.relex.settings")
    monkeypatch.setattr(logger, "warning", lambda text, *values: said.append(text % values))
    original = make_relex("bert")
    names = ["token_rep_layer.bert_layer.model.pooler.dense.weight", "cross_fuser.layers.0.weight"]
    change_weights(original, lambda weights: {**weights, **{name: torch.randn(3, 3) for name in names}})
    edit(original, zzz=1)
    converted = convert(original, tmp_path / "converted")
    assert said == [f"These settings of {CONFIG} are not known and are not read: zzz."]
    assert not any("fuser" in name or "pooler" in name for name in AutoModel.from_pretrained(converted).state_dict())
    assert_same(original, revert(converted, tmp_path / "back"))


@pytest.mark.parametrize("name", ["prompt_rep_layer.0.weight", "span_rep_layer.span_rep_layer.out_project.3.bias"])
def test_a_tensor_that_is_missing_is_named(make_relex, tmp_path, name):
    original = make_relex("bert")
    change_weights(original, lambda weights: {key: weights[key] for key in weights if key != name})
    with pytest.raises(ValueError, match=rf"Missing \(1\): {name}"):
        convert(original, tmp_path / "converted")


def test_a_tensor_that_is_left_over_is_named(make_relex, tmp_path):
    original = make_relex("bert")
    change_weights(original, lambda weights: {**weights, "scorer.proj_token.weight": torch.zeros(2, 2)})
    with pytest.raises(ValueError, match=r"Unexpected \(1\): scorer\.proj_token\.weight"):
        convert(original, tmp_path / "converted")


@pytest.mark.parametrize("key", ["class_token_index", "rel_token_index"])
def test_markers_of_another_model_are_refused(make_relex, tmp_path, key):
    original = make_relex("bert", **TOKEN)
    edit(original, **{key: 7})
    with pytest.raises(
        ValueError, match=rf"`{key}` in gliner_config\.json is 7, but '\[\w+\]' is \d+ in the tokenizer"
    ):
        convert(original, tmp_path / "converted")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"relations_layer": None}, r"finds entities and extracts no relations"),
        ({"relations_layer": "tree"}, r"`relations_layer` in gliner_config\.json must be one of"),
        ({"triples_layer": "transe"}, r"`triples_layer` in gliner_config\.json must be one of .*: got 'transe'"),
        ({"span_mode": "markerV9"}, r"`span_mode` in gliner_config\.json must be one of .*: got 'markerV9'"),
        ({"labels_encoder": "some/encoder"}, r"`labels_encoder` .* models with one cannot be converted"),
        ({"words_splitter_type": "spacy"}, r"`words_splitter_type` .* must be 'whitespace': got 'spacy'"),
        ({"subtoken_pooling": "median"}, r"`subtoken_pooling`"),
    ],
)
def test_settings_that_cannot_be_converted_are_refused(make_relex, tmp_path, settings, message):
    original = make_relex("bert")
    edit(original, **settings)
    with pytest.raises(ValueError, match=message):
        convert(original, tmp_path / "converted")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"word_splitting": "unicode"}, "word_splitting"),
        ({"prompt_separators": "last"}, "prompt_separators"),
        ({"relation_projection": True}, "relation_projection"),
        ({"mention_representation": "mean", "endpoint_projection": False}, "mention_representation"),
        ({"endpoint_projection": False}, "endpoint_projection"),
        ({"scorer": "transe", "pair_representation": "ends"}, "distance_limit"),
        ({"label_encoding": "separate"}, "label_encoding"),
        ({"scorer": "dot_norm"}, "scorer"),
    ],
)
def test_what_the_original_does_not_have_cannot_be_written(settings, field):
    with pytest.raises(ValueError, match=rf"`?{field}`?"):
        original_from(config_of(**settings), "some/encoder")


def test_an_offset_cannot_be_written(make_relex, tmp_path):
    original = make_relex("bert", **SETTINGS["scored by transe"])
    model = AutoModel.from_pretrained(convert(original, tmp_path / "converted"))
    assert model.state_dict()[OFFSET] == 0
    model.scorer.offset.data.fill_(1.5)
    model.save_pretrained(tmp_path / "tuned")
    with pytest.raises(ValueError, match=r"The scorer's offset of 1\.5 has no counterpart"):
        revert(tmp_path / "tuned", tmp_path / "back")


@pytest.mark.parametrize("empty_words", ["kept", "skipped"])
def test_words_without_a_token_are_read_as_asked_for(make_relex, tmp_path, empty_words):
    """At their own place, or as the original reads them: with all later words in place of the next ones."""
    original = make_relex("bert")  # whose tokenizer drops a soft hyphen
    options = [] if empty_words == "kept" else ["--empty-words", empty_words]
    result = CliRunner().invoke(app, ["convert", str(original), str(tmp_path / "converted"), *options])
    assert result.exit_code == 0, result.output
    model, tokenizer = (kind.from_pretrained(tmp_path / "converted") for kind in (AutoModel, AutoTokenizer))
    assert tokenizer.empty_words == model.config.empty_words == empty_words
    words = ["marie", "\u00ad", "was", "born"]
    spans = tokenizer(words, **TYPES, is_split_into_words=True)["word_token_spans"][0]
    has_tokens = (spans[:, 1] > spans[:, 0]).tolist()
    assert has_tokens == ([True, False, True, True] if empty_words == "kept" else [True, True, True, False])


def test_empty_words_are_of_one_direction(make_relex, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(app, ["convert", *map(str, arguments)])

    original = make_relex("bert")
    converted = convert(original, tmp_path / "converted")
    result = run(converted, tmp_path / "back", "--reverse", "--empty-words", "skipped")
    assert result.exit_code == 1
    assert "Leave it out with `--reverse`" in " ".join(result.stderr.split())
    result = run(original, tmp_path / "other", "--empty-words", "lost")
    assert result.exit_code == 1
    assert "`empty_words` must be one of 'kept', 'skipped': got 'lost'" in " ".join(result.stderr.split())


def test_empty_words_of_a_glirel_checkpoint_are_refused(make_original, tmp_path):
    with pytest.raises(ValueError, match=r"`empty_words` is for GLiNER-Relex checkpoints"):
        convert(make_original(), tmp_path / "converted", empty_words="skipped")
