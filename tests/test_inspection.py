"""`describe_checkpoint`: facts about a checkpoint, without its weights."""

import pytest

from glirel_transformers.checkpoints import EMBEDDED_MODEL
from glirel_transformers.inspection import SAMPLE_TEXT, TYPICAL_NAMES, describe_checkpoint


def test_the_embedded_model():
    found = describe_checkpoint(str(EMBEDDED_MODEL))
    assert found.encoder["model_type"] == "bert"
    assert found.licence == "apache-2.0"
    assert 29_000_000 < sum(found.num_parameters.values()) < 30_500_000
    assert set(found.stored_types) == {"F16"}
    assert found.dtype == "float32"
    assert {"person", "disease", "river"} < set(found.trained_entity_types)
    assert {"place of birth", "treats"} < set(found.trained_relation_types)


def test_glirel_mini():
    found = describe_checkpoint(str(EMBEDDED_MODEL.parent / "glirel-mini"))
    assert found.encoder["model_type"] == "modernbert"
    assert found.licence == "apache-2.0"
    assert 11_000_000 < sum(found.num_parameters.values()) < 12_000_000
    assert set(found.stored_types) == {"F16"}
    assert found.dtype == "float32"
    assert found.max_tokens == 2048
    assert len(found.trained_relation_types) == 366
    assert found.trained_relation_types[3] == "place of birth"
    assert list(found.capacity.values()) == sorted(found.capacity.values(), reverse=True)


def test_parameters_are_those_of_the_model(build_model, tmp_path):
    model = build_model("deberta-v2", scorer="concat_proj", use_lstm=True)
    model.save_pretrained(tmp_path)
    found = describe_checkpoint(str(tmp_path))
    assert found.num_parameters["encoder"] == sum(p.numel() for p in model.glirel.encoder.parameters())
    assert sum(found.num_parameters.values()) == sum(p.numel() for p in model.parameters())
    assert found.head["use_lstm"] is True
    assert found.trained_relation_types is None


@pytest.mark.parametrize("num_words", [25, 50])
def test_so_many_types_fit_and_not_many_more(build_model, tmp_path, num_words):
    names = [f"type {chr(97 + i)}" for i in range(26)]
    model = build_model("bert", trained_relation_types=names)
    model.tokenizer.model_max_length = 300
    model.save_pretrained(tmp_path)
    found = describe_checkpoint(str(tmp_path))
    tokenizer = model.tokenizer
    (sample,) = tokenizer.read_words([" ".join(SAMPLE_TEXT.split())])
    tokens = round(num_words * found.tokens_per_word)
    assert found.tokens_per_word == len(sample.token_ids) / len(sample.char_spans)
    number = found.capacity[num_words]
    needed = 3 + number * found.tokens_per_name + tokens  # [CLS], [SEP] and [SEP]
    assert needed <= 300 < needed + 2 * found.tokens_per_name + 1


def test_limits_on_words_and_pairs_are_told(build_model, tmp_path):
    build_model("bert", max_words=60, max_pair_distance=9).save_pretrained(tmp_path)
    found = describe_checkpoint(str(tmp_path))
    assert (found.max_words, found.max_pair_distance) == (60, 9)
    assert list(found.capacity) == [25, 50]


def test_typical_names_are_all_different():
    assert len(set(TYPICAL_NAMES)) == 20


def test_what_is_no_checkpoint_is_told_what_it_is(build_model, encoder_folder, make_original, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"has no config.json, so it is not a checkpoint"):
        describe_checkpoint(str(tmp_path / "empty"))
    with pytest.raises(
        ValueError, match=r"is not a GLiREL model: its config\.json is of the type .bert.*glirel train DATA --encoder"
    ):
        describe_checkpoint(str(encoder_folder("bert")))
    with pytest.raises(ValueError, match=r"original package's format. Convert it once: glirel convert"):
        describe_checkpoint(str(make_original()))
    with pytest.raises(OSError, match="There is no folder"):
        describe_checkpoint("./nowhere")
    build_model("bert").save_pretrained(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="a configuration and no weights"):
        describe_checkpoint(str(tmp_path / "broken"))
    (tmp_path / "broken" / "model.onnx").touch()
    with pytest.raises(ValueError, match="is an ONNX export"):
        describe_checkpoint(str(tmp_path / "broken"))


def test_relation_types_that_are_read_apart_take_no_room(build_model, encoder_folder, tmp_path):
    settings = {"label_encoding": "separate", "label_encoder": encoder_folder("bert")}
    model = build_model("bert", **settings)
    model.save_pretrained(tmp_path / "apart")
    found = describe_checkpoint(str(tmp_path / "apart"))
    assert found.label_encoder["model_type"] == "bert"
    assert sum(found.num_parameters.values()) == model.num_parameters()
    assert found.num_parameters["label_encoder"] > 0
    assert found.tokens_per_name > 3  # with [CLS] and [SEP]
    assert found.capacity[25] is None
    assert found.capacity[1600] == 0
