"""What cannot be converted is refused with a message that names it, and on the command line without a traceback."""

from __future__ import annotations

import json
import pickle
import shutil

import pytest
import torch
from original_settings import COMMON
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.conversion import convert, revert


def edit(folder, **settings):
    file = folder / "glirel_config.json"
    config = json.loads(file.read_text(encoding="utf-8")) | settings
    file.write_text(json.dumps({name: value for name, value in config.items() if value != "absent"}), encoding="utf-8")


def truncate(folder):
    file = folder / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def replace_weights(content):
    def replace(folder):
        torch.save(content, folder / "pytorch_model.bin")

    return replace


class Harmful:
    """Does something when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("the pickle was run",))


def plant(folder):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Harmful()}, protocol=2))


def drop(name):
    def change(folder):
        weights = torch.load(folder / "pytorch_model.bin", weights_only=True)
        del weights[name]
        torch.save(weights, folder / "pytorch_model.bin")

    return change


def remove(name):
    return lambda folder: (folder / name).unlink()


def write(name, text):
    return lambda folder: (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "pytorch_model.bin' cannot be read: it is truncated"),
        (write("pytorch_model.bin", "version https://git-lfs.github.com/spec/v1"), "pointer to a large file"),
        (plant, "other things than tensors"),
        (replace_weights([1, 2]), "must hold a dictionary of tensors: got list"),
        (replace_weights({"weight": 1}), "got other values in it"),
        (
            replace_weights({"alien.weight": torch.zeros(2)}),
            r"Missing \(65\): .*; and 45 more\. Unexpected \(1\): alien\.weight",
        ),
        (drop("rnn.lstm.weight_hh_l0"), r"Missing \(1\): rnn\.lstm\.weight_hh_l0\. Give"),
        (remove("pytorch_model.bin"), "has no pytorch_model.bin"),
        (remove("glirel_config.json"), "has no glirel_config.json"),
        (write("glirel_config.json", "hidden_size: 3"), r"glirel_config\.json: It is not JSON"),
        (write("glirel_config.json", "[]"), r"glirel_config\.json: It must hold a JSON object: got a list"),
        (write("glirel_config.json", "[" * 90_000), r"glirel_config\.json: It is nested too deeply"),
        (write("glirel_config.json", "{}\0"), r"glirel_config\.json: Byte 2 is NUL"),
        (lambda folder: edit(folder, scorer="absent"), "lacks scorer"),
        (
            lambda folder: edit(folder, scorer="cosine"),
            "`scorer` in glirel_config.json must be one of 'dot'.*'cosine'",
        ),
        (lambda folder: edit(folder, rel_mode="cat"), "`rel_mode`.*'cat'"),
        (lambda folder: edit(folder, span_marker_mode="markerV0"), "`span_marker_mode`.*'markerV0'"),
        (lambda folder: edit(folder, scorer="dot_norm"), r"Missing \(9\): scorer\.bias"),
        (lambda folder: edit(folder, refine_prompt=True, ffn_mul="absent"), "lacks `ffn_mul`"),
        (lambda folder: edit(folder, model_name=None), "does not name the encoder.*--encoder"),
        (lambda folder: edit(folder, model_name="nobody/knows-it"), "encoder 'nobody/knows-it' cannot be.*--encoder"),
    ],
)
def test_a_damaged_checkpoint(damage, message, make_original, tmp_path):
    original = make_original()
    damage(original)
    with pytest.raises(ValueError, match=message):
        convert(original, tmp_path / "converted")
    assert not (tmp_path / "converted").exists()


def test_a_wrong_encoder(make_original, encoder_folder, tmp_path):
    original = make_original(family="bert")
    with pytest.raises(ValueError, match=r"Missing .*query_proj.*Unexpected .*query\.weight.*--encoder"):
        convert(original, tmp_path / "converted", encoder=encoder_folder("deberta-v2"))
    other = tmp_path / "other"
    shutil.copytree(encoder_folder("bert"), other)
    config = json.loads((other / "config.json").read_text(encoding="utf-8")) | {"intermediate_size": 40}
    (other / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match=r"Of another shape \(6\): .*dense\.weight \(48, 32\), expected \(40, 32\)"):
        convert(original, tmp_path / "converted", encoder=other)


@pytest.mark.parametrize("encoder", ["./nowhere", "/nowhere/at/all", "no/such"])
def test_an_encoder_that_is_not_there(encoder, make_original, tmp_path):
    with pytest.raises(ValueError, match=encoder):
        convert(make_original(), tmp_path / "converted", encoder=encoder)


def test_an_encoder_folder_without_a_tokenizer(make_original, encoder_folder, tmp_path):
    (tmp_path / "bare").mkdir()
    shutil.copy(encoder_folder("bert") / "config.json", tmp_path / "bare")
    with pytest.raises(ValueError, match=r"The tokenizer of the encoder .*bare' cannot be read"):
        convert(make_original(), tmp_path / "converted", encoder=tmp_path / "bare")


def test_a_relative_encoder_is_found_beside_the_checkpoint(make_original, encoder_folder, tmp_path, monkeypatch):
    original = make_original()
    shutil.copytree(encoder_folder("bert"), tmp_path / "backbones" / "bert")
    edit(original, model_name="backbones/bert")
    monkeypatch.chdir("/")
    convert(original, tmp_path / "converted")
    monkeypatch.chdir(tmp_path)
    convert("original", "converted")


def test_source_and_target_must_differ(make_original):
    original = make_original()
    for way in (convert, revert):
        with pytest.raises(ValueError, match=r"DST .* holds the input"):
            way(original, original)


def test_formats_that_are_mixed_up(make_original, tmp_path):
    original = make_original()
    converted = convert(original, tmp_path / "converted")
    with pytest.raises(ValueError, match="not in the original package's format"):
        convert(converted, tmp_path / "more")
    with pytest.raises(ValueError, match="in the original package's format already"):
        revert(original, tmp_path / "more")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subtoken_pooling": "mean"}, "subtoken_pooling='mean'"),
        ({"use_lstm": False}, "use_lstm=False"),
        ({"feed_forward_multiplier": 2}, "feed_forward_multiplier=2"),
        ({"endpoint_projection": False}, "endpoint_projection=False"),
        ({"shared_relation_positions": True}, "shared_relation_positions=True"),
        ({"entity_markers": True}, "marker_placement='nested'"),
        ({"num_pair_refinement_layers": 2}, "num_pair_refinement_layers=2"),
        (
            {"num_relation_refinement_layers": 2, "hidden_size": 64, "num_refinement_heads": 1},
            "refinement_self_attention=True.*relation_refinement_sees_pairs=True",
        ),
    ],
)
def test_settings_without_a_counterpart(settings, message, build_model, encoder_folder, tmp_path):
    build_model("bert", **{**COMMON, **settings}).save_pretrained(tmp_path / "here")
    with pytest.raises(ValueError, match=message):
        revert(tmp_path / "here", tmp_path / "original", encoder=encoder_folder("bert"))


def test_a_model_trained_here_needs_its_encoder(build_model, encoder_folder, tmp_path):
    build_model("bert", **COMMON).save_pretrained(tmp_path / "here")
    with pytest.raises(ValueError, match="--encoder"):
        revert(tmp_path / "here", tmp_path / "original")
    with pytest.raises(ValueError, match=r"another .*model.* than the encoder"):
        revert(tmp_path / "here", tmp_path / "original", encoder=encoder_folder("deberta-v2"))
    with pytest.raises(ValueError, match=r"is not a checkpoint of this package, but of a 'bert' model"):
        revert(encoder_folder("bert"), tmp_path / "original")


def test_a_byte_level_tokenizer_that_adds_no_spaces_has_no_counterpart(build_model, encoder_folder, tmp_path):
    build_model("roberta", **COMMON).save_pretrained(tmp_path / "here")
    with pytest.raises(ValueError, match=r"another pre_tokenizer"):
        revert(tmp_path / "here", tmp_path / "original", encoder=encoder_folder("roberta"))


def test_the_command_converts_both_ways(make_original, tmp_path):
    original, converted, back = make_original(), tmp_path / "converted", tmp_path / "back"
    result = CliRunner().invoke(app, ["convert", str(original), str(converted)])
    assert result.exit_code == 0, result.output
    assert f"Wrote {converted}." in result.output.replace("\n", "")
    result = CliRunner().invoke(app, ["convert", str(converted), str(back), "--reverse"])
    assert result.exit_code == 0, result.output
    assert (back / "glirel_config.json").read_text() == (original / "glirel_config.json").read_text()


def test_the_command_reports_errors_in_a_line(make_original, encoder_folder, tmp_path):
    original = make_original()
    truncate(original)
    arguments = ["convert", str(original), str(tmp_path / "to"), "--encoder", str(encoder_folder("bert"))]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert "truncated" in result.output
    assert "Traceback" not in result.output
