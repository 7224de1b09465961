"""Exports read entities of several mentions; and relation types apart from texts, by a second graph."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from tiny import ENTITIES, EXPORTED, FAMILIES, REFINED, RELATION_TYPES, TEXTS

from glirel_transformers import RelationExtractor
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.encoded_types_glirel import EncodedTypes
from glirel_transformers.export import ORTModelForRelationClassification, export, export_program, quantize, validate
from glirel_transformers.export.config import GLiRELExporterConfig, exporter_config
from glirel_transformers.loading import load_pipeline

CLUSTERS: list[list[Any]] = [
    [[(0, 5), (6, 11)], (24, 30)],
    [(0, 12), [(55, 70), (72, 75), (0, 3)], (86, 92)],
    [(0, 5), (12, 16)],
]
ONE_ENTITY: list[list[Any]] = [[[(0, 11), (24, 30)]], [[(0, 12), (55, 70), (86, 92)]], [(0, 5)]]
APART: dict[str, Any] = {**SYSTEMS["glidre"], "threshold_head": True}
OTHERS = {
    "pooled smoothly, without shared words": {"entity_pooling": "logsumexp", "shared_words": "removed"},
    "without shared words by position": {"shared_words": "removed_by_position"},
    "fused": {
        "fusion_schema": "l2l-l2t-t2t-t2l",
        "num_fusion_layers": 1,
        "layer_fusion": "masked",
        "pair_label_attention": True,
        "threshold_head": True,
    },
    "mentions, refined": {
        **REFINED,
        "mention_representation": "endpoints",
        "pair_context": "none",
        "entity_pooling": "logsumexp",
        "label_pooling": "cls",
        "scorer": "dot_thresh",
        "use_lstm": True,
        "entity_markers": True,
        "coreference_classifier": True,
        "hidden_size": 24,
    },
}
CASES = [
    *(pytest.param(family, {}, id=family) for family in FAMILIES),
    *(pytest.param("deberta-v2", settings, id=name) for name, settings in OTHERS.items()),
]


def load(exported, family="bert", **settings: Any) -> tuple[Any, ORTModelForRelationClassification]:
    model, folder = exported(family, **(settings or APART))
    return model, ORTModelForRelationClassification.from_pretrained(folder, num_threads=1)


def batch_of(model, entities, **options: Any) -> dict[str, Any]:
    options = {"relation_types": RELATION_TYPES, "padding": True, **options}
    return dict(model.tokenizer(TEXTS, entities=entities, **options))


def assert_same(model, ort_model, batch):
    with torch.no_grad():
        expected = model(**batch)
    got = ort_model(**batch)
    torch.testing.assert_close(got.logits, expected.logits, rtol=1e-4, atol=1e-4)
    assert torch.equal(got.pair_mask, expected.pair_mask)
    assert torch.equal(got.relation_mask, expected.relation_mask)
    for name in ("threshold_logits", "coreference_logits", "entity_attention"):
        wanted, found = getattr(expected, name), getattr(got, name)
        assert (found is None) == (wanted is None)
        if wanted is not None:
            real = slice(None) if name == "entity_attention" else expected.pair_mask
            torch.testing.assert_close(found[real], wanted[real], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["bert", pytest.param("deberta-v2", marks=pytest.mark.sweep)])
@pytest.mark.parametrize(("entities", "self_pairs"), [(CLUSTERS, False), (ONE_ENTITY, True), (ONE_ENTITY, False)])
def test_entities_of_several_mentions_score_as_in_torch(exported, family, entities, self_pairs):
    model, ort_model = load(exported, family, **EXPORTED[family])
    assert ort_model.takes_clusters
    batch = batch_of(model, entities)
    if self_pairs:
        batch["pair_index"], batch["pair_mask"] = torch.zeros(3, 1, 2).long(), torch.ones(3, 1).bool()
    assert_same(model, ort_model, batch)
    texts = [{"text": text, "entities": [_as_entity(one) for one in own]} for text, own in zip(TEXTS, entities)]
    extract, expected = (RelationExtractor(one, relation_types=RELATION_TYPES) for one in (ort_model, model))
    for found, wanted in zip(extract(texts, return_scores=True), expected(texts, return_scores=True), strict=True):
        np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-4)


def _as_entity(spans):
    return {"mentions": spans} if isinstance(spans, list) else spans


def test_identity_is_what_is_left_out(exported):
    model, ort_model = load(exported, "bert", **EXPORTED["bert"])
    batch = batch_of(model, ENTITIES)
    mask = batch["mention_mask"]
    told = {**batch, "mention_entity": torch.arange(mask.shape[1]).expand_as(mask), "entity_mask": mask}
    assert torch.equal(ort_model(**told).logits, ort_model(**batch).logits)
    unreal = {**told, "entity_mask": mask & (torch.arange(mask.shape[1]) != 1)}
    assert_same(model, ort_model, unreal)
    with pytest.raises(ValueError, match="`mention_entity` and `entity_mask` go together: `entity_mask` is missing"):
        ort_model(**{name: value for name, value in told.items() if name != "entity_mask"})
    with pytest.raises(ValueError, match="`mention_entity` must address 3 entities"):
        ort_model(**{**told, "mention_entity": told["mention_entity"] + 3})


@pytest.mark.sweep
def test_exports_that_were_made_before_refuse_clusters(exported, tmp_path, monkeypatch):
    model, _ = exported("bert", **EXPORTED["bert"])
    inputs = GLiRELExporterConfig.inputs.fget
    clusters = ("mention_entity", "entity_mask")
    monkeypatch.setattr(
        GLiRELExporterConfig,
        "inputs",
        property(lambda self: {name: axes for name, axes in inputs(self).items() if name not in clusters}),
    )
    old = ORTModelForRelationClassification.from_pretrained(export(model, tmp_path / "old"))
    assert not old.takes_clusters
    batch = batch_of(model, ENTITIES)
    assert_same(model, old, batch)
    bound = {**batch, "pair_mask": batch["pair_mask"]}
    assert old._graph.run_bound(bound, "cpu")["logits"].shape == old(**batch).logits.shape
    with pytest.raises(TypeError, match=r"each mention is an entity: export the checkpoint again"):
        old(**batch_of(model, CLUSTERS))
    extract = RelationExtractor(old, relation_types=RELATION_TYPES)
    good, bad = ({"text": TEXTS[0], "entities": list(map(_as_entity, own))} for own in (ENTITIES[0], CLUSTERS[0]))
    failed, found = extract.iterate([bad, good], on_error="return", batch_size=2)
    assert "`entities[0]` has 2 mentions, but in this export each mention is an entity" in failed.message
    assert isinstance(found, list)


# Relation types apart from texts


def test_the_folder_has_two_graphs(exported):
    model, folder = exported("bert", **APART)
    assert {file.name for file in folder.glob("*.onnx")} == {"model.onnx", "labels.onnx"}
    card = (folder / "README.md").read_text()
    assert "as two ONNX graphs" in card
    assert "| output of `labels.onnx` | shape |\n|---|---|\n| `type_states` | (types, 32) |" in card
    assert "relations | types | type tokens | difference" in card
    for file in ("model.onnx", "labels.onnx"):
        metadata = {entry.key: entry.value for entry in onnx.load(folder / file).metadata_props}
        assert metadata["types_digest"] == model.types_digest()
    report = validate(model, folder)
    assert report.difference < 1e-4
    assert report.columns[-2:] == ["types", "type tokens"]


def test_the_configurations_name_both(shared_model, build_model):
    assert exporter_config(shared_model.config).types is None
    config = exporter_config(build_model("bert", **APART).config)
    assert "relation_token_spans" not in config.inputs
    assert config.inputs["relation_index"] == {0: "batch", 1: "relations"}
    assert config.inputs["type_states"] == {0: "types"}
    assert config.types.inputs["type_input_ids"] == {0: "types", 1: "type_tokens"}
    assert config.types.outputs == {"type_states": {0: "types"}}
    assert list(config.outputs) == ["logits", "threshold_logits", "entity_attention"]


@pytest.mark.parametrize("entities", [ENTITIES, CLUSTERS, ONE_ENTITY], ids=["mentions", "clusters", "one entity"])
def test_it_is_called_as_the_model_is(exported, entities):
    model, ort_model = load(exported)
    batch = batch_of(model, entities)
    assert_same(model, ort_model, batch)
    states = model.encode_relation_types(RELATION_TYPES).states
    kept = {name: value for name, value in batch.items() if not name.startswith(("type", "relation"))}
    assert_same(model, ort_model, {**kept, "type_states": torch.from_numpy(states)})
    assert_same(model, ort_model, batch_of(model, entities, relation_types=[["spouse"], ["film", "spouse"], ["in"]]))
    arrays = {name: value.numpy() for name, value in kept.items()}
    assert isinstance(ort_model(**arrays, type_states=states).logits, np.ndarray)


def test_what_it_is_told_of_types_must_fit(exported):
    model, ort_model = load(exported)
    batch = batch_of(model, ENTITIES)
    states = torch.zeros(3, 32)
    without = {name: value for name, value in batch.items() if not name.startswith("type")}
    for wrong in (without, {**batch, "type_states": states}, {**without, "type_input_ids": batch["type_input_ids"]}):
        with pytest.raises(ValueError, match=r"ass either `type_input_ids` with `type_attention_mask`"):
            ort_model(**wrong)
    with pytest.raises(ValueError, match=r"`type_states` must have the shape \(types, width\), here \(types, 32\)"):
        ort_model(**without, type_states=states[:, :30])
    with pytest.raises(ValueError, match="`relation_index` must address 2 types"):
        ort_model(**without, type_states=states[:2])
    with pytest.raises(TypeError, match="Only the model itself reads segments"):
        ort_model(**batch, segment_mask=torch.ones(3, 1).bool())


@pytest.mark.parametrize(("entities", "types"), [([(0, 3), (8, 11)], []), ([(0, 3)], ["knows"]), ([], [])])
def test_there_may_be_nothing(exported, entities, types):
    model, ort_model = load(exported)
    batch = dict(model.tokenizer("Ada met Bob.", entities=entities, relation_types=types))
    with torch.no_grad():
        assert ort_model(**batch).logits.shape == model(**batch).logits.shape


def test_bound_to_torch_memory_every_output_is_the_same(exported):
    from glirel_transformers.export.inputs import check_inputs

    model, ort_model = load(exported)
    given = check_inputs(ort_model._with_states(batch_of(model, CLUSTERS)), ort_model._inputs, ort_model.device)
    torch.testing.assert_close(ort_model._graph.run_bound(given, "cpu"), ort_model._graph.run_on_host(given))


def test_encoded_types_go_both_ways(exported, tmp_path):
    model, ort_model = load(exported)
    ours, theirs = (one.encode_relation_types(RELATION_TYPES) for one in (ort_model, model))
    np.testing.assert_allclose(ours.states, theirs.states, rtol=1e-4, atol=1e-4)
    assert ours.model_digest == theirs.model_digest == ort_model.types_version()
    ours.save(tmp_path / "types.safetensors")
    asked = {"entities": ENTITIES, "relation_types": RELATION_TYPES, "return_scores": True}
    results = [
        RelationExtractor(one, encoded_types=encoded)(TEXTS, **asked)
        for one in (model, ort_model)
        for encoded in (None, EncodedTypes.load(tmp_path / "types.safetensors"), theirs)
    ]
    for found in zip(*results, strict=True):
        for one in found[1:]:
            np.testing.assert_allclose(one.scores, found[0].scores, atol=1e-4)
    with pytest.raises(ValueError, match="come from another model"):
        RelationExtractor(ort_model, encoded_types=EncodedTypes(("x",), np.zeros((1, 32), np.float32), "other"))
    assert ort_model.encode_relation_types([]).states.shape == (0, 32)
    many = [f"type {number}" for number in range(5)]
    states = [ort_model.encode_relation_types(many, batch_size=size).states for size in (2, 64)]
    np.testing.assert_allclose(*states, rtol=1e-4, atol=1e-5)


def test_an_export_with_types_before_texts_encodes_none(exported):
    _, ort_model = load(exported, "bert", **EXPORTED["bert"])
    with pytest.raises(ValueError, match="has no graph that reads relation types by themselves"):
        ort_model.encode_relation_types(["x"])


def test_relation_types_are_read_once(exported, monkeypatch):
    _, folder = exported("bert", **APART)
    extract = load_pipeline(str(folder))
    calls: list[int] = []
    read = extract.model._read_types
    monkeypatch.setattr(extract.model, "_read_types", lambda ids, mask: calls.append(len(ids)) or read(ids, mask))
    for _ in range(2):
        extract(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, batch_size=2)
    assert calls == [3]


def test_long_texts_are_read_in_windows(exported):
    """Where the model itself reads segments; pairs that are in one window score as that text alone."""
    model, ort_model = load(exported)
    text = " ".join(TEXTS[number % 2] for number in range(12))
    far = text.rindex("London")
    entities = [(0, 11), {"mentions": [(24, 30), (far, far + 6)]}]
    asked = {"entities": entities, "relation_types": RELATION_TYPES, "truncation": "window", "return_scores": True}
    found = RelationExtractor(ort_model)(text, **asked)
    assert found.scores.shape == (2, 3)
    assert found.num_unscored_pairs == 0
    # What a joint model does, and the model itself where it is kept from reading segments.
    monkey = RelationExtractor(_WithoutSegments(model))(text, **asked)
    np.testing.assert_allclose(found.scores, monkey.scores, atol=1e-4)


class _WithoutSegments:
    """A model that takes numpy arrays and reads no segments."""

    reads_segments, device = False, "cpu"

    def __init__(self, model):
        self.model, self.config, self.tokenizer = model, model.config, model.tokenizer
        self.encode_relation_types, self.types_digest = model.encode_relation_types, model.types_digest

    def __call__(self, **batch):
        with torch.no_grad():
            output = self.model(**{name: torch.from_numpy(array) for name, array in batch.items()})
        return type(output)(**{name: value.numpy() for name, value in output.items()})


def test_quantized_types_have_a_digest_of_their_own(exported, tmp_path):
    model, folder = exported("bert", **APART)
    small = ORTModelForRelationClassification.from_pretrained(quantize(folder, tmp_path / "small", "int8-weights"))
    assert small.types_digest() not in ("", model.types_digest())
    for file in ("model.onnx", "labels.onnx"):
        operators = [node.op_type for node in onnx.load(tmp_path / "small" / file).graph.node]
        assert "MatMulNBits" in operators
        assert "Gemm" not in operators
    encoded = small.encode_relation_types(RELATION_TYPES)
    difference = np.abs(encoded.states - model.encode_relation_types(RELATION_TYPES).states)
    assert 0 < difference.max() < 0.2
    with pytest.raises(ValueError, match="come from another model"):
        RelationExtractor(model, encoded_types=encoded)
    shutil.copy(folder / "labels.onnx", tmp_path / "small")
    with pytest.raises(ValueError, match="were not exported together"):
        ORTModelForRelationClassification.from_pretrained(tmp_path / "small")
    (tmp_path / "small" / "labels.onnx").unlink()
    with pytest.raises(ValueError, match=r"has no labels\.onnx"):
        ORTModelForRelationClassification.from_pretrained(tmp_path / "small")


@pytest.mark.sweep
@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"optimize": True}, {"dtype": "float16", "optimize": True}])
def test_both_graphs_are_fused_and_halved(exported, options):
    pytest.importorskip("transformers.exporters.onnxruntime_fusions")
    model, folder = exported("bert", options, **APART)
    ort_model = ORTModelForRelationClassification.from_pretrained(folder)
    assert (ort_model.types_digest() == model.types_digest()) == ("dtype" not in options)
    encoded = ort_model.encode_relation_types(RELATION_TYPES)
    assert encoded.states.dtype == np.float32
    np.testing.assert_allclose(encoded.states, model.encode_relation_types(RELATION_TYPES).states, atol=0.02)


@pytest.mark.sweep
@pytest.mark.parametrize(("family", "settings"), CASES)
def test_every_setting_exports(exported, family, settings):
    model, ort_model = load(exported, family, **{**APART, "threshold_head": False, **settings})
    for entities in (ENTITIES, CLUSTERS, ONE_ENTITY):
        assert_same(model, ort_model, batch_of(model, entities))


@pytest.mark.sweep
@pytest.mark.parametrize("layer_fusion", ["none", "padded"])
def test_an_encoder_of_their_own_exports(exported, encoder_folder, layer_fusion):
    settings = {**APART, "label_encoder": encoder_folder("roberta"), "layer_fusion": layer_fusion}
    model, ort_model = load(exported, "deberta-v2", **settings)
    assert_same(model, ort_model, batch_of(model, CLUSTERS))


@pytest.mark.sweep
def test_there_is_a_program_for_either(exported):
    model, _ = exported("bert", **APART)
    batch = batch_of(model, CLUSTERS)
    tokens = {name: batch.pop(name) for name in ("type_input_ids", "type_attention_mask")}
    states = export_program(model, labels=True).module()(**tokens)["type_states"]
    with torch.no_grad():
        expected = model(**batch, **tokens)
        torch.testing.assert_close(states, model.glirel.encode_types(*tokens.values()), rtol=1e-4, atol=1e-4)
    found = export_program(model).module()(**batch, type_states=states)
    torch.testing.assert_close(found["logits"], expected.logits, rtol=1e-4, atol=1e-4)


def test_a_program_of_types_needs_types_apart(shared_model):
    with pytest.raises(ValueError, match="reads relation types before each text"):
        export_program(shared_model, labels=True)


def test_it_can_be_moved(exported, tmp_path: Path):
    _, ort_model = load(exported)
    ort_model.save_pretrained(tmp_path / "copy")
    again = ORTModelForRelationClassification.from_pretrained(tmp_path / "copy")
    assert again.types_digest() == ort_model.types_digest()
