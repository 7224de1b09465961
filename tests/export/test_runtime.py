"""An export on ONNX Runtime stands for the model: the same call, the same scores, and errors that say what to do."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import ENTITIES, EXPORTED, RELATION_TYPES, TEXTS
from transformers import pipeline

from glirel_transformers import GLiRELForRelationClassification, RelationExtractionPipeline, RelationExtractor
from glirel_transformers.checkpoints import EMBEDDED_MODEL, is_export
from glirel_transformers.export import ORTModelForRelationClassification, export, validate
from glirel_transformers.export.inputs import check_inputs
from glirel_transformers.loading import load_pipeline

MINI = EMBEDDED_MODEL.parent / "glirel-mini"
LONG = " ".join(f"{TEXTS[i % 2]}" for i in range(12))


@pytest.fixture(scope="module")
def pair(exported):
    """A model, and its export on ONNX Runtime."""
    model, folder = exported("bert", **EXPORTED["bert"])
    return model, ORTModelForRelationClassification.from_pretrained(folder)


def all_scores(extract, texts=TEXTS, entities=ENTITIES, **options):
    options = {"relation_types": RELATION_TYPES, "return_scores": True, **options}
    return [found.scores for found in extract(texts, entities=entities, **options)]


def assert_same(expected, got):
    for left, right in zip(expected, got, strict=True):
        np.testing.assert_allclose(right, left, atol=1e-4, rtol=0)


def test_the_same_call_gives_the_same_output(pair, encode):
    model, ort_model = pair
    batch = encode(model)
    with torch.inference_mode():
        expected = model(**batch)
    got = ort_model(**batch)
    assert type(got).__name__ == type(expected).__name__
    torch.testing.assert_close(got.logits, expected.logits, atol=1e-4, rtol=1e-4)
    assert torch.equal(got.pair_mask, expected.pair_mask)
    assert torch.equal(got.relation_mask, expected.relation_mask)
    assert got.loss is None


def test_it_is_called_in_every_way_in_which_the_model_is(pair, encode):
    model, ort_model = pair
    batch = encode(model)
    expected = ort_model(**batch).logits
    order = list(inspect.signature(model.forward).parameters)
    in_order = [batch.get(name) for name in order[: order.index("labels")]]
    assert torch.equal(ort_model(*in_order[:6], **dict(zip(order[6:], in_order[6:], strict=False))).logits, expected)
    assert torch.equal(ort_model(*in_order).logits, expected)
    assert torch.equal(ort_model(**batch, return_dict=False, output_hidden_states=False)[0], expected)
    other_types = {name: tensor.int() if "mask" not in name else tensor.float() for name, tensor in batch.items()}
    assert torch.equal(ort_model(**other_types).logits, expected)
    arrays = {name: tensor.numpy() for name, tensor in batch.items()}
    assert isinstance(ort_model(**arrays).logits, np.ndarray)
    assert isinstance(ort_model(**{**arrays, "input_ids": batch["input_ids"]}).logits, torch.Tensor)
    with pytest.raises(ValueError, match="scores only"):
        ort_model(**batch, output_hidden_states=True)
    with pytest.raises(TypeError, match=r"\['input_ids'\] are given twice"):
        ort_model(batch["input_ids"], **batch)
    with pytest.raises(TypeError, match="takes 11 tensors by position: got 12"):
        ort_model(*in_order, None)


@pytest.mark.parametrize("family", ["bert", "deberta-v2"])  # with the scorers dot_norm and dot_thresh
@pytest.mark.parametrize(("entities", "types"), [([(0, 3), (8, 11)], []), ([(0, 3)], ["knows"]), ([], [])])
def test_without_a_pair_or_a_relation_type_there_is_no_score(exported, family, entities, types):
    model, folder = exported(family, **EXPORTED[family])
    ort_model = ORTModelForRelationClassification.from_pretrained(folder)
    batch = dict(model.tokenizer("Ada met Bob.", entities=entities, relation_types=types))
    with torch.inference_mode():
        expected = model(**batch).logits
    assert ort_model(**batch).logits.shape == expected.shape
    assert (
        ort_model._graph.run_bound(check_inputs(batch, ort_model._inputs, "cpu"), "cpu")["logits"].shape
        == expected.shape
    )


def test_masks_may_be_left_out(pair, encode):
    model, ort_model = pair
    batch = encode(model, members=(0,))
    alone = {name: tensor for name, tensor in batch.items() if not name.endswith("_mask") or "attention" in name}
    torch.testing.assert_close(ort_model(**alone).logits, ort_model(**batch).logits)


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_pipelines_give_the_same(pair, batch_size):
    model, ort_model = pair
    eager = RelationExtractionPipeline(model)
    extract = pipeline("relation-extraction", model=ort_model)
    assert_same(
        all_scores(eager, TEXTS * 3, ENTITIES * 3, batch_size=batch_size),
        all_scores(extract, TEXTS * 3, ENTITIES * 3, batch_size=batch_size),
    )
    assert "ORTModelForRelationClassification" in repr(extract)


def test_windows_give_the_same(pair):
    model, ort_model = pair
    entities = [[(0, 11), (24, 30), (LONG.rindex("London"), LONG.rindex("London") + 6)]]
    results = [
        all_scores(RelationExtractionPipeline(one), [LONG], entities, truncation="window", batch_size=2)
        for one in (model, ort_model)
    ]
    assert_same(*results)


@pytest.mark.slow
@pytest.mark.parametrize(
    "family",
    ["deberta-v2", *(pytest.param(name, marks=pytest.mark.sweep) for name in ("roberta", "electra", "modernbert"))],
)
def test_every_family_gives_the_same(exported, family):
    model, folder = exported(family, **EXPORTED[family])
    ort_model = ORTModelForRelationClassification.from_pretrained(folder, num_threads=1)
    pipelines = RelationExtractionPipeline(model), RelationExtractionPipeline(ort_model)
    assert_same(*(all_scores(extract, batch_size=3) for extract in pipelines))
    batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    assert (ort_model(**batch).coreference_logits is None) == (family != "roberta")


@pytest.mark.sweep
def test_glirel_mini_gives_the_same(tmp_path):
    model = GLiRELForRelationClassification.from_pretrained(MINI).eval()
    pytest.importorskip("transformers.exporters.onnxruntime_fusions")
    folder = export(MINI, tmp_path / "onnx", optimize=True)
    assert validate(model, folder).difference < 1e-4
    assert (folder / "model.onnx").stat().st_size < 50_000_000
    shutil.move(folder, tmp_path / "elsewhere")
    extract = load_pipeline(str(tmp_path / "elsewhere"))
    assert type(extract.model) is ORTModelForRelationClassification
    texts, entities = [*TEXTS, LONG], [*ENTITIES, [(0, 11), (24, 30)]]
    for batch_size in (1, 4):
        assert_same(
            all_scores(RelationExtractionPipeline(model), texts, entities, batch_size=batch_size),
            all_scores(extract, texts, entities, batch_size=batch_size),
        )


def test_a_folder_loads_by_its_name(exported, pair):
    _, folder = exported("bert", **EXPORTED["bert"])
    assert is_export(str(folder))
    extract = load_pipeline(str(folder), device="cpu")
    assert extract.model.name_or_path == str(folder)
    assert_same(all_scores(RelationExtractionPipeline(pair[0])), all_scores(extract))
    with pytest.raises(ValueError, match="exported in float32 and cannot run in bfloat16"):
        load_pipeline(str(folder), dtype="bfloat16")
    with pytest.raises(ValueError, match="runs on 'cpu' or 'cuda'"):
        load_pipeline(str(folder), device="mps")


def test_saving_copies_the_folder(pair, tmp_path):
    RelationExtractionPipeline(pair[1]).save_pretrained(tmp_path / "copy")
    again = ORTModelForRelationClassification.from_pretrained(tmp_path / "copy")
    assert_same(all_scores(RelationExtractionPipeline(pair[1])), all_scores(RelationExtractionPipeline(again)))


def test_sessions_are_set_as_asked(exported):
    onnxruntime = pytest.importorskip("onnxruntime")
    _, folder = exported("bert", **EXPORTED["bert"])
    load = ORTModelForRelationClassification.from_pretrained
    assert load(folder, num_threads=2).session.get_session_options().intra_op_num_threads == 2
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    used = load(folder, session_options=options, providers=["CPUExecutionProvider"]).session.get_session_options()
    assert used.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with pytest.raises(ValueError, match="intra_op_num_threads"):
        load(folder, session_options=options, num_threads=2)
    arena = {"arena_extend_strategy": "kSameAsRequested"}
    assert load(folder, provider="CPUExecutionProvider", provider_options=arena).device.type == "cpu"
    with pytest.raises(ValueError, match="options of each provider"):
        load(folder, providers=["CPUExecutionProvider"], provider_options=[{}, {}])
    used = load(folder, providers=[("CPUExecutionProvider", arena)]).session.get_provider_options()
    assert list(used) == ["CPUExecutionProvider"]
    with pytest.raises(ValueError, match="given twice"):
        load(folder, providers=[("CPUExecutionProvider", arena)], provider_options=[arena])
    with pytest.raises(ValueError, match=r"no provider 'NoSuch'"):
        load(folder, providers=[("NoSuch", {})])
    with pytest.raises(TypeError, match=r"must be onnxruntime.SessionOptions: got a dict"):
        load(folder, session_options={"a": 1})
    with pytest.raises(ValueError, match=r"`num_threads` must be at least 1, .*: got -3"):
        load(folder, num_threads=-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"provider": "CUDAExecutionProvider"}, r"no provider 'CUDAExecutionProvider'. It has .*onnxruntime-gpu"),
        ({"provider": "cpu"}, "Did you mean 'CPUExecutionProvider'"),
        ({"provider": "CPUExecutionProvider", "providers": ["CPUExecutionProvider"]}, "Both"),
    ],
)
def test_unknown_providers_are_named(exported, options, message):
    onnxruntime = pytest.importorskip("onnxruntime")
    if "CUDA" in options["provider"] and options["provider"] in onnxruntime.get_available_providers():
        pytest.skip("it is there")
    _, folder = exported("bert", **EXPORTED["bert"])
    with pytest.raises(ValueError, match=message):
        ORTModelForRelationClassification.from_pretrained(folder, **options)


def test_unknown_arguments_are_errors(exported):
    with pytest.raises(TypeError, match=r"does not take \['dtype'\]"):
        ORTModelForRelationClassification.from_pretrained(
            exported("bert", **EXPORTED["bert"])[1], dtype=torch.bfloat16
        )


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", None])
def test_damaged_files_are_named(exported, tmp_path, content):
    shutil.copytree(exported("bert", **EXPORTED["bert"])[1], tmp_path / "damaged")
    file = tmp_path / "damaged" / "model.onnx"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if content is None else content)
    with pytest.raises(ValueError, match=r"model.onnx' cannot be loaded: .*glirel export"):
        ORTModelForRelationClassification.from_pretrained(tmp_path / "damaged")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("model.onnx", "glirel export"),
        ("tokenizer.json", "the whole of"),
        ("tokenizer_config.json", "the whole of"),
        ("config.json", "the whole of"),
    ],
)
def test_folders_that_are_not_whole_are_named(exported, tmp_path, missing, message):
    shutil.copytree(exported("bert", **EXPORTED["bert"])[1], tmp_path / "part")
    (tmp_path / "part" / missing).unlink()
    with pytest.raises(ValueError, match=rf"has no {missing}.*{message}"):
        ORTModelForRelationClassification.from_pretrained(tmp_path / "part")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"{", r"config\.json: It is not JSON: Expecting .* Copy the whole export again"),
        ("config.json", b'{"model_type": "bert"}', "is that of a 'bert' model"),
        ("tokenizer.json", b"", r"tokenizer\.json: It is not JSON"),
        ("tokenizer_config.json", b"[1]", r"tokenizer_config\.json: It must hold a JSON object: got a list"),
        ("tokenizer_config.json", b"\xff", r"tokenizer_config\.json: Byte 0xff is not UTF-8"),
    ],
)
def test_other_files_that_are_damaged_are_named(exported, tmp_path, file, content, message):
    shutil.copytree(exported("bert", **EXPORTED["bert"])[1], tmp_path / "damaged")
    (tmp_path / "damaged" / file).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        ORTModelForRelationClassification.from_pretrained(tmp_path / "damaged")


def test_what_it_is_loaded_by_is_named(exported):
    _, folder = exported("bert", **EXPORTED["bert"])
    with pytest.raises(ValueError, match=r"is a file\. Name the folder that it is in"):
        ORTModelForRelationClassification.from_pretrained(folder / "model.onnx")
    with pytest.raises(ValueError, match=r"is an ONNX export\. Load it with ORTModelForRelationClassification"):
        GLiRELForRelationClassification.from_pretrained(folder)
    with pytest.raises(TypeError, match=r"needs the name of a model, or a model, such as .*: got a int"):
        RelationExtractor(5)


def test_the_extractor_takes_every_model(exported):
    model, folder = exported("bert", **EXPORTED["bert"])
    expected = all_scores(RelationExtractionPipeline(model))
    for one in (model, ORTModelForRelationClassification.from_pretrained(folder), str(folder), folder):
        assert_same(expected, all_scores(RelationExtractor(one)))


def test_the_extractor_takes_settings_and_a_tokenizer_by_name(pair, exported):
    _, ort_model = pair
    settings = {"relation_types": RELATION_TYPES, "threshold": np.float32(0.25), "top_k": np.int64(1)}
    extract = RelationExtractor(ort_model, str(ort_model.folder), batch_size=2, **settings)
    expected = RelationExtractor(ort_model)(TEXTS, entities=ENTITIES, batch_size=2, **settings)
    assert extract(TEXTS, entities=ENTITIES) == expected
    assert extract(TEXTS[0], entities=ENTITIES[0], threshold=1.0) == []
    for batch_size in (0, 2.5, "4", True):
        with pytest.raises(ValueError, match="`batch_size` must be a whole number of at least 1"):
            extract(TEXTS, entities=ENTITIES, batch_size=batch_size)


@pytest.mark.parametrize("name", ["nowhere", "./nowhere", "owner/nowhere"])
def test_what_is_not_there_is_named(name):
    with pytest.raises(OSError, match=f"There is no folder '{name}'"):
        ORTModelForRelationClassification.from_pretrained(name)


def test_it_is_saved_wherever_one_is(exported, tmp_path, monkeypatch):
    shutil.copytree(exported("bert", **EXPORTED["bert"])[1], tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    ort_model = ORTModelForRelationClassification.from_pretrained("moved")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    ort_model.save_pretrained("copy")
    assert {path.name for path in Path("copy").iterdir()} == {path.name for path in (tmp_path / "moved").iterdir()}
    with pytest.raises(ValueError, match="upload_folder"):
        ort_model.save_pretrained("copy", push_to_hub=True)


def test_another_model_is_no_export(exported, tmp_path):
    onnx = pytest.importorskip("onnx")
    shutil.copytree(exported("bert", **EXPORTED["bert"])[1], tmp_path / "other")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n"])
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n"])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "other", [value], [output])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, tmp_path / "other" / "model.onnx")
    with pytest.raises(ValueError, match=r"takes \['x'\] and gives \['y'\]"):
        ORTModelForRelationClassification.from_pretrained(tmp_path / "other")


def test_what_it_cannot_take_is_named(pair, encode):
    model, ort_model = pair
    batch = dict(encode(model))
    with pytest.raises(TypeError, match=r"does not take \['labels'\].*a loss"):
        ort_model(**batch, labels=torch.zeros(1))
    with pytest.raises(ValueError, match=r"\['pair_index', 'pair_mask'\] are missing"):
        ort_model(**{name: tensor for name, tensor in batch.items() if not name.startswith("pair")})
    with pytest.raises(ValueError, match=r"`pair_index` must have the shape .* here \(3, pairs, 2\): got \(1"):
        ort_model(**{**batch, "pair_index": batch["pair_index"][:1]})
    with pytest.raises(ValueError, match=r"`attention_mask` must have the shape \(batch, tokens\), .*: got \(3, 5\)"):
        ort_model(**{**batch, "attention_mask": batch["attention_mask"][:, :5]})
    with pytest.raises(ValueError, match=r"`pair_mask` must have the shape .*, here \(3, 6\): got \(3, 1\)"):
        ort_model(**{**batch, "pair_mask": batch["pair_mask"][:, :1]})
    for name, message in (
        ("pair_index", r"`pair_index` must address 3 entities: got .*\[-?\d+, -?\d+\] at position"),
        ("mention_word_spans", r"`mention_word_spans` must hold half-open spans within 0 and \d+: got"),
        ("word_token_spans", r"`word_token_spans` must hold half-open spans within 0 and \d+: got"),
        ("relation_token_spans", r"`relation_token_spans` must hold half-open spans within 0 and \d+: got"),
    ):
        for moved in (batch[name] - 1000, batch[name] + 1000):
            with pytest.raises(ValueError, match=message):
                ort_model(**{**batch, name: moved})
            with pytest.raises(ValueError, match=message):
                ort_model(**{key: value.numpy() for key, value in {**batch, name: moved}.items()})
    with pytest.raises(TypeError, match=r"`input_ids` must be a tensor or a numpy array: got a list"):
        ort_model(**{**batch, "input_ids": [[1]]})


def test_it_stays_where_it_is(pair):
    _, ort_model = pair
    assert ort_model.to("cpu") is ort_model.to(torch.float32) is ort_model.eval() is ort_model
    assert (ort_model.dtype, ort_model.can_generate()) == (torch.float32, False)
    with pytest.raises(ValueError, match="cannot move to cuda"):
        pipeline("relation-extraction", model=ort_model, tokenizer=ort_model.tokenizer, device="cuda:0")
    with pytest.raises(ValueError, match="cannot become"):
        ort_model.to(torch.float16)


def test_bound_to_torch_memory_it_gives_the_same(pair, encode):
    """What a GPU does; here both sides of the binding are the CPU."""
    model, ort_model = pair
    batch = dict(encode(model))
    given = check_inputs(batch, ort_model._inputs, ort_model.device)
    torch.testing.assert_close(ort_model._graph.run_bound(given, "cpu"), ort_model._graph.run_on_host(given))


@pytest.mark.parametrize("name", ["word_token_spans", "relation_token_spans", "mention_word_spans", "pair_index"])
def test_what_is_between_two_positions_is_refused(pair, encode, name):
    model, ort_model = pair
    batch = dict(encode(model))
    for run in (model, ort_model):
        with pytest.raises(TypeError, match=f"`{name}` must hold whole numbers"):
            run(**{**batch, name: batch[name] + 0.5})
        run(**{**batch, name: batch[name].int()})
    arrays = {name: tensor.numpy() for name, tensor in batch.items()}
    with pytest.raises(TypeError, match=f"`{name}` must hold whole numbers"):
        ort_model(**{**arrays, name: arrays[name] + 0.5})
