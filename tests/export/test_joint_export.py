"""Exports of models that find entities: two graphs, between which they are chosen, compute what the model computes."""

from __future__ import annotations

import re
import shutil
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from tiny import EXPORTED, REFINED, RELATION_TYPES, TEXTS
from transformers import BertConfig

from glirel_transformers import GLiRELConfig, GLiRELForJointExtraction
from glirel_transformers.configuration_glirel import SYSTEMS
from glirel_transformers.export import (
    ORTModelForJointExtraction,
    ORTModelForRelationClassification,
    export_program,
    quantize,
    validate,
)
from glirel_transformers.export.candidates import select_candidates
from glirel_transformers.export.config import exporter_config
from glirel_transformers.export.inputs import check_inputs
from glirel_transformers.export.reference import load_reference
from glirel_transformers.finder_glirel import FINDERS, CandidateSelection
from glirel_transformers.inputs_glirel import Inputs
from glirel_transformers.loading import load_model

ENTITY_TYPES = ["city", "engine of a friend", "head"]
RELEX: dict[str, Any] = {**SYSTEMS["relex"], "max_entity_width": 4}
TOKEN = {**RELEX, "entity_finder": "token", "pair_selection": "mlp", "num_lstm_layers": 2}
GCN = {**RELEX, "pair_selection": "gcn"}
APART = {
    **RELEX,
    "label_encoding": "separate",
    "pair_context": "localized",
    "threshold_head": True,
    "pair_label_attention": True,
}
for _name in ("relation_representation", "entity_type_representation"):
    APART.pop(_name)
TRIPLES = {**RELEX, "pair_representation": "ends", "use_lstm": False}
CASES = [
    pytest.param("bert", GCN, id="gcn"),
    pytest.param("bert", TOKEN, id="token, mlp", marks=pytest.mark.sweep),
    pytest.param("bert", APART, id="apart, localized", marks=pytest.mark.sweep),
    pytest.param("bert", {**RELEX, "pair_context": "attention"}, id="attention"),
    pytest.param("deberta-v2", {**TRIPLES, "scorer": "transe"}, id="transe", marks=pytest.mark.sweep),
    pytest.param(
        "bert",
        {**TRIPLES, "scorer": "hole", "pair_selection": "attention"},
        id="hole, attention",
        marks=pytest.mark.sweep,
    ),
    # What is left out of the pairs must not be read when they, or the types, are refined.
    pytest.param("bert", {**GCN, **REFINED}, id="gcn, refined", marks=pytest.mark.sweep),
]


def load(exported, family="bert", **settings: Any) -> tuple[GLiRELForJointExtraction, ORTModelForJointExtraction]:
    model, folder = exported(family, **(settings or GCN))
    ort_model = ORTModelForRelationClassification.from_pretrained(folder, num_threads=1)
    assert type(ort_model) is ORTModelForJointExtraction
    return model, ort_model


def batch_of(model, **options: Any) -> dict[str, Any]:
    options = {"relation_types": RELATION_TYPES, "entity_types": ENTITY_TYPES, "padding": True, **options}
    return dict(model.tokenizer(options.pop("texts", TEXTS), **options))


def cells_of(output) -> list[dict[Any, Any]]:
    """What is said of each pair of words that is scored, text by text."""
    found = []
    for spans, index, mask, logits in zip(
        *map(np.asarray, (output.mention_word_spans, output.pair_index, output.pair_mask, output.decision_logits)),
        strict=True,
    ):
        rows = [(tuple(spans[head]), tuple(spans[tail]), row) for (head, tail), row in zip(index, logits, strict=True)]
        found.append(
            {
                (tuple(map(int, one)), tuple(map(int, other))): row
                for real, (one, other, row) in zip(mask, rows, strict=True)
                if real
            }
        )
    return found


def assert_same(model, ort_model, batch, **options):
    with torch.no_grad():
        expected = model(**batch, **options)
    got = ort_model(**batch, **options)
    for name in ("relation_mask", "entity_type_mask", "word_mask", "mention_word_spans", "mention_mask"):
        assert torch.equal(getattr(got, name), getattr(expected, name)), name
    for name in ("num_candidates", "adjacency", "entity_attention"):
        wanted, found = getattr(expected, name), getattr(got, name)
        assert (found is None) == (wanted is None)
        if wanted is not None:
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert_same_entities(model, expected, got)
    before, after = cells_of(expected), cells_of(got)
    for one, other in zip(before, after, strict=True):
        assert one.keys() == other.keys()
        for pair, row in one.items():
            np.testing.assert_allclose(other[pair], row, rtol=1e-4, atol=1e-4)
    return got


def assert_same_entities(model, expected, got):
    assert (got.entity_logits is None) == (expected.entity_logits is None)
    if got.entity_logits is None:
        return
    sizes = zip(expected.word_mask.sum(1), expected.entity_type_mask.sum(1), strict=True)
    for place, (words, types) in enumerate(sizes):
        one, other = (output.entity_logits[place] for output in (expected, got))
        if model.config.entity_finder == "token":
            torch.testing.assert_close(other[:words, :types], one[:words, :types], rtol=1e-4, atol=1e-4)
            continue
        for width in range(one.shape[1]):
            end = max(int(words) - width, 0)
            torch.testing.assert_close(other[:end, width, :types], one[:end, width, :types], rtol=1e-4, atol=1e-4)


def between(values: torch.Tensor, share: float) -> float:
    """A number that no value is near, with about that share of the values above it."""
    ordered = values.unique().sort(descending=True).values
    place = int(share * (len(ordered) - 1))
    some = ordered[max(place - len(ordered) // 6, 0) : place + len(ordered) // 6 + 2]
    widest = int((some[:-1] - some[1:]).argmax())
    return float(some[widest : widest + 2].mean())


def thresholds_of(model, batch) -> list[tuple[float, float]]:
    """Of entities and of the adjacency: for nothing, for one span, for some, and for many."""
    with torch.no_grad():
        found = model(**batch, entity_threshold=0.0, adjacency_threshold=0.0)
        likely = model.glirel.entity_finder.probabilities(found.entity_logits)
    best = likely[found.word_mask].amax(-1).flatten().unique().sort(descending=True).values
    edges = torch.tensor([0.5]) if found.adjacency is None else found.adjacency[found.adjacency > 0]
    edge = 0.5 if len(edges.unique()) < 3 else between(edges, 0.5)
    return [(1.0, edge), (float(best[:2].mean()), edge), (between(best, 0.2), edge), (between(best, 0.5), 0.0)]


@pytest.mark.parametrize(("family", "settings"), CASES)
def test_it_finds_and_scores_as_the_model_does(exported, family, settings):
    model, ort_model = load(exported, family, **settings)
    numbers = []
    for texts, types in ((TEXTS, RELATION_TYPES), (TEXTS[1:2], RELATION_TYPES[:1]), ([*TEXTS, TEXTS[0]], ["in"])):
        batch = batch_of(model, texts=texts, relation_types=types)
        for entities, edges in thresholds_of(model, batch):
            got = assert_same(model, ort_model, batch, entity_threshold=entities, adjacency_threshold=edges)
            numbers.append((int(got.num_candidates.sum()), int(got.pair_mask.sum()), got.pair_mask.numel()))
    assert {0, 1} <= {min(candidates, 2) for candidates, _, _ in numbers}
    assert max(candidates for candidates, _, _ in numbers) > 8
    assert any(0 < pairs < rows for _, pairs, rows in numbers)


def as_arrays(batch) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in batch.items()}


def choose(logits: np.ndarray) -> dict[str, np.ndarray]:
    """Two entities for each text, one of two mentions, and one pair."""
    assert isinstance(logits, np.ndarray)
    num_batch = len(logits)
    return {
        "mention_word_spans": np.tile([[0, 1], [2, 3], [1, 2]], (num_batch, 1, 1)),
        "mention_mask": np.ones((num_batch, 3), dtype=bool),
        "mention_entity": np.tile([0, 1, 0], (num_batch, 1)),
        "entity_mask": np.ones((num_batch, 2), dtype=bool),
        "pair_index": np.tile([[1, 0]], (num_batch, 1, 1)),
        "pair_mask": np.ones((num_batch, 1), dtype=bool),
    }


def test_entities_can_be_chosen(exported):
    model, ort_model = load(exported)
    batch = batch_of(model)

    def select(logits: torch.Tensor, inputs: Inputs) -> Inputs:
        return inputs._replace(**{name: torch.from_numpy(one) for name, one in choose(logits.numpy()).items()})

    with torch.no_grad():
        expected = model(**batch, select=select, adjacency_threshold=0.0)
    for given in (batch, as_arrays(batch)):
        got = ort_model(**given, select=choose, adjacency_threshold=0.0)
        assert isinstance(got.logits, type(given["input_ids"]))
        assert isinstance(got.adjacency, type(given["input_ids"]))
        assert got.num_candidates is None
        np.testing.assert_allclose(got.logits, expected.logits, rtol=1e-4, atol=1e-4)
        assert np.array_equal(got.mention_word_spans, expected.mention_word_spans)
    above = ort_model(**batch, select=choose, adjacency_threshold=1.0)
    assert above.logits.shape == expected.logits.shape
    assert not above.pair_mask.any()
    assert not above.logits.sigmoid().any()
    # The function stands in for entities that are given, as in the model.
    told = {**batch, "mention_word_spans": torch.zeros(3, 0, 2).long(), "pair_index": torch.zeros(3, 0, 2).long()}
    assert torch.equal(ort_model(**told, select=choose, adjacency_threshold=0.0).logits, torch.tensor(got.logits))


def test_entities_can_be_given(exported):
    model, ort_model = load(exported)
    spans = [[(0, 11), (24, 30)], [[(0, 12), (55, 70)], (86, 92)], []]
    for types in ({}, {"entity_types": []}, {"entity_types": ENTITY_TYPES}):
        batch = dict(model.tokenizer(TEXTS, entities=spans, relation_types=RELATION_TYPES, padding=True, **types))
        if not types:
            batch = {name: tensor for name, tensor in batch.items() if not name.startswith("entity_type")}
        got = assert_same(model, ort_model, batch, adjacency_threshold=0.0)
        assert (got.entity_logits is None) == (not types)
        assert got.logits.shape == (3, 2, 3)
    alone = {name: tensor for name, tensor in batch.items() if not name.startswith("pair")}
    assert ort_model(**alone).logits.shape == (3, 0, 3)


@pytest.mark.parametrize("relation_types", [[], ["in"]])
@pytest.mark.parametrize("entity_types", [[], ["city"]])
def test_there_may_be_no_types(exported, entity_types, relation_types):
    model, ort_model = load(exported)
    batch = batch_of(model, entity_types=entity_types, relation_types=relation_types)
    got = assert_same(model, ort_model, batch, adjacency_threshold=0.0)
    assert got.logits.shape[2] == len(relation_types)
    assert bool(got.pair_mask.numel()) == bool(entity_types)


def test_what_it_cannot_take_is_named(exported):
    model, ort_model = load(exported)
    batch = batch_of(model)
    with pytest.raises(ValueError, match="Neither entities nor entity types are given: pass `mention_word_spans` or"):
        ort_model(**{name: tensor for name, tensor in batch.items() if not name.startswith("entity_type")})
    with pytest.raises(TypeError, match=r"does not take \['entity_labels'\]"):
        ort_model(**batch, entity_labels=torch.zeros(1))
    with pytest.raises(ValueError, match=r"\['pair_mask'\] are missing|`pair_mask`"):
        ort_model(**batch, select=lambda logits: {**choose(logits), "pair_mask": np.ones((1, 1), dtype=bool)})
    with pytest.raises(ValueError, match="`mention_word_spans` must hold half-open spans within 0 and"):
        ort_model(**batch, select=lambda logits: {**choose(logits), "mention_word_spans": np.full((3, 3, 2), 99)})
    with pytest.raises(ValueError, match="scores only"):
        ort_model(**batch, output_attentions=True)


def test_bound_to_torch_memory_both_graphs_give_the_same(exported):
    model, ort_model = load(exported)
    given = check_inputs(batch_of(model), ort_model._inputs, "cpu")
    found = ort_model._graph.run_bound(given, "cpu")
    torch.testing.assert_close(found, ort_model._graph.run_on_host(given))
    found.pop("entity_logits")
    entities = {name: torch.from_numpy(array) for name, array in choose(given["input_ids"].numpy()).items()}
    pairs = {**found, **entities, "word_mask": given["word_mask"], "relation_mask": given["relation_mask"]}
    graph = ort_model._pair_graph
    torch.testing.assert_close(graph.run_bound(pairs, "cpu"), graph.run_on_host(pairs))


def test_the_folder_is_whole(exported, tmp_path):
    model, folder = exported("bert", **GCN)
    assert {file.name for file in folder.glob("*.onnx")} == {"model.onnx", "relations.onnx"}
    for file in ("model.onnx", "relations.onnx"):
        operators = {node.op_type for node in onnx.load(folder / file).graph.node}
        assert not operators & {"TopK", "ArgMax", "NonZero", "Sequence", "If", "Loop"}
    assert validate(model, folder).columns[-1] == "entity types"
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert type(load_model(str(moved))) is ORTModelForJointExtraction
    assert type(ORTModelForJointExtraction.from_pretrained(moved)) is ORTModelForJointExtraction
    with pytest.raises(ValueError, match=r"model that does not find entities\. Load it with ORTModelForRelation"):
        ORTModelForJointExtraction.from_pretrained(exported("bert", **EXPORTED["bert"])[1])
    graph = onnx.load(moved / "relations.onnx")
    onnx.helper.set_model_props(graph, {"states_digest": "another"})
    onnx.save(graph, moved / "relations.onnx")
    with pytest.raises(ValueError, match=r"model\.onnx and relations\.onnx of .* were not exported together"):
        ORTModelForRelationClassification.from_pretrained(moved)
    shutil.copy(moved / "relations.onnx", moved / "model.onnx")
    with pytest.raises(ValueError, match=r"model\.onnx' is an ONNX model, but not an export"):
        ORTModelForRelationClassification.from_pretrained(moved)
    (moved / "relations.onnx").unlink()
    shutil.copy(folder / "model.onnx", moved / "model.onnx")
    with pytest.raises(ValueError, match=r"has no relations\.onnx"):
        ORTModelForRelationClassification.from_pretrained(moved)


@pytest.mark.parametrize(
    ("settings", "number"),
    [
        (GCN, "two"),
        pytest.param(TOKEN, "two", marks=pytest.mark.sweep),
        pytest.param(APART, "three", marks=pytest.mark.sweep),
    ],
)
def test_the_card_shows_how_the_graphs_are_run(exported, monkeypatch, settings, number):
    _, folder = exported("bert", **settings)
    card = (folder / "README.md").read_text()
    assert f"as {number} ONNX graphs" in card
    assert "| input of `relations.onnx` | shape |\n|---|---|\n| `word_states` | (batch, words, 32) |" in card
    code = re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)[-1]
    monkeypatch.chdir(folder.parent)
    run: dict[str, Any] = {}
    exec(code.replace("= 0.5", "= 0").replace("> 0.5", "> 0.3"), run)
    assert run["spans"]
    assert run["logits"].shape == (1, run["number"] * (run["number"] - 1), 2)


@pytest.mark.sweep
@pytest.mark.parametrize("method", ["int8", "int8-weights"])
def test_all_graphs_are_quantized(exported, tmp_path, method):
    model, folder = exported("bert", **GCN)
    small = ORTModelForRelationClassification.from_pretrained(quantize(folder, tmp_path / "small", method))
    batch = batch_of(model)
    for file in ("model.onnx", "relations.onnx"):
        operators = {node.op_type for node in onnx.load(tmp_path / "small" / file).graph.node}
        assert operators & {"MatMulNBits", "MatMulInteger"}
    with torch.no_grad():
        expected = model(**batch, entity_threshold=0.0, adjacency_threshold=0.0)
    got = small(**batch, entity_threshold=0.0, adjacency_threshold=0.0)
    cells = got.pair_mask[..., None] & got.relation_mask[:, None]
    assert torch.equal(got.mention_word_spans, expected.mention_word_spans)
    assert 0 < (got.logits.sigmoid() - expected.logits.sigmoid())[cells].abs().mean() < 0.1


@pytest.mark.sweep
@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"optimize": True}])
def test_all_graphs_are_fused_and_halved(exported, options):
    pytest.importorskip("transformers.exporters.onnxruntime_fusions")
    model, folder = exported("bert", options, **GCN)
    ort_model = ORTModelForRelationClassification.from_pretrained(folder)
    assert validate(model, folder).passed
    assert ort_model(**batch_of(model)).logits.dtype == torch.float32


@pytest.mark.sweep
def test_there_is_a_program_for_either(exported):
    model, _ = exported("bert", **GCN)
    batch = batch_of(model)
    found = export_program(model).module()(**batch)
    entities = {name: torch.from_numpy(array) for name, array in choose(batch["input_ids"].numpy()).items()}
    states = {name: found[name] for name in ("word_states", "relation_states")}
    masks = {name: batch[name] for name in ("word_mask", "relation_mask")}
    scored = export_program(model, relations=True).module()(**states, **masks, **entities)
    with torch.no_grad():
        expected = model(**batch, **entities, adjacency_threshold=0.0)
    torch.testing.assert_close(scored["logits"], expected.logits, rtol=1e-4, atol=1e-4)


# Without an export


def test_a_program_of_pairs_needs_a_model_that_finds_entities(shared_model):
    with pytest.raises(ValueError, match="does not find entities, and has one program"):
        export_program(shared_model, relations=True)


def config_of(**settings: Any) -> GLiRELConfig:
    small = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=32)
    return GLiRELConfig(encoder_config=small, **settings)


def test_the_configurations_name_every_graph():
    config = exporter_config(config_of(**GCN))
    assert config.types is None
    assert not {"mention_word_spans", "pair_index", "entity_type_index", "type_states"} & set(config.inputs)
    assert config.inputs["entity_type_token_spans"] == {0: "batch", 1: "entity_types"}
    assert config.outputs["entity_logits"] == {0: "batch", 1: "words", 3: "entity_types"}
    assert list(config.outputs) == ["entity_logits", "word_states", "relation_states"]
    assert config.relations.outputs["adjacency"] == {0: "batch", 1: "entities", 2: "entities"}
    assert config.relations.inputs["word_states"] == {0: "batch", 1: "words"}
    assert exporter_config(config_of(**TOKEN)).outputs["entity_logits"] == {0: "batch", 1: "words", 2: "entity_types"}
    apart = exporter_config(config_of(**APART))
    assert {"type_states", "relation_index", "entity_type_index"} <= set(apart.inputs)
    assert not {"relation_token_spans", "entity_type_token_spans"} & set(apart.inputs)
    assert list(apart.outputs) == ["entity_logits", "word_states", "relation_states", "label_states", "word_attention"]
    assert list(apart.relations.outputs) == ["logits", "threshold_logits", "entity_attention"]
    assert exporter_config(config_of()).relations is None


def test_a_checkpoint_is_loaded_by_its_own_class(encoder_folder, tmp_path):
    GLiRELForJointExtraction.from_encoder(encoder_folder("bert"), **GCN).save_pretrained(tmp_path)
    assert type(load_reference(tmp_path)).__name__ == "GLiRELForJointExtraction"


@pytest.mark.parametrize("limit", [1, 7, 200])
@pytest.mark.parametrize(("finder", "width"), [("span", 4), ("token", 4), ("token", None)])
def test_candidates_are_those_of_the_model(finder, width, limit):
    config = config_of(entity_finder=finder, max_entity_width=width, max_candidates=limit)
    selection = CandidateSelection(FINDERS[finder](32, 0.0, width), 0.0, limit)
    generator = torch.Generator().manual_seed(3)
    words = torch.arange(9) < torch.tensor([[9], [2], [0]])
    for num_types in (0, 1, 3):
        types = torch.arange(num_types) < torch.tensor([[3], [1], [2]])
        shape = (3, 9, 4, num_types) if finder == "span" else (3, 9, num_types, 3)
        logits = torch.randn(shape, generator=generator)
        inputs = Inputs(**{**dict.fromkeys(Inputs._fields), "word_mask": words, "entity_type_mask": types})
        for selection.threshold in (0.3, 0.6, 0.999):
            expected = selection(logits, inputs)
            arrays = logits.numpy(), words.numpy(), types.numpy()
            chosen, num_candidates = select_candidates(*arrays, config, selection.threshold)
            assert np.array_equal(num_candidates, selection.num_candidates)
            for name, array in chosen.items():
                wanted = getattr(expected, name).numpy()
                assert array.dtype == wanted.dtype
                assert np.array_equal(array, wanted), name
