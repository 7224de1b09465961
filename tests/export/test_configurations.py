"""Every configuration exports, and computes on ONNX Runtime what it computes in PyTorch, for any sizes.

`export` itself compares over fourteen shapes, and raises; here batches of the tokenizer are compared as well.
"""

from __future__ import annotations

import onnxruntime
import pytest
import torch
from tiny import EXPORTED, FAMILIES, GROUPS, REFINED, TEXTS

from glirel_transformers.export import export_program
from glirel_transformers.export.config import exporter_config

pytestmark = pytest.mark.slow

# Two pairs of a family and a group on every push, and all of their combinations in the sweep.
ON_EVERY_PUSH = ("bert", "deberta-v2")
SWEEP = [
    pytest.param(
        family,
        group,
        marks=() if family in ON_EVERY_PUSH and EXPORTED[family] is GROUPS[group] else pytest.mark.sweep,
    )
    for family in FAMILIES
    for group in GROUPS
]
SINGLE = [
    pytest.param(
        {"scorer": "dot_norm", "shared_relation_positions": True}, id="shared positions", marks=pytest.mark.sweep
    ),
    pytest.param({"scorer": "concat_proj", **REFINED}, id="concat_proj refined", marks=pytest.mark.sweep),
    pytest.param({"scorer": "dot_thresh"}, id="dot_thresh", marks=pytest.mark.sweep),
    pytest.param(
        {"num_pair_refinement_layers": 2, "num_refinement_heads": 2, "coreference_classifier": True},
        id="pairs refined",
        marks=pytest.mark.sweep,
    ),
    pytest.param(
        {"num_relation_refinement_layers": 1, "num_refinement_heads": 4, "use_lstm": True, "hidden_size": 48},
        id="relations refined",
        marks=pytest.mark.sweep,
    ),
    pytest.param(
        {"use_lstm": True, "coreference_classifier": True, "scorer": "concat_proj"},
        id="lstm concat_proj",
        marks=pytest.mark.sweep,
    ),
]
FUSED = [*((family, "float32") for family in FAMILIES), ("bert", "float16"), ("deberta-v2", "float16")]


def complete(batch):
    """With an entity for each mention, which graphs are always told."""
    batch.setdefault("mention_entity", torch.arange(batch["mention_mask"].shape[1]).expand_as(batch["mention_mask"]))
    batch.setdefault("entity_mask", batch["mention_mask"])
    return batch


def run_onnx(folder, batch):
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs = session.run(names, {name: tensor.numpy() for name, tensor in complete(dict(batch)).items()})
    return dict(zip(names, map(torch.from_numpy, outputs), strict=True))


def compare_on_texts(model, encode, run):
    types = ["spouse", "friend of", "founded in", "place of birth", "film"]
    for members, names in (((0, 1, 2), types[:3]), ((1, 0), types), ((2, 1, 0, 0), types[:1])):
        batch = encode(model, members, relation_types=names)
        with torch.no_grad():
            expected = model(**batch)
        outputs = run(dict(batch))
        torch.testing.assert_close(outputs["logits"], expected.logits, rtol=1e-4, atol=1e-4)
        assert ("coreference_logits" in outputs) == model.config.coreference_classifier
        if model.config.coreference_classifier:
            real = expected.pair_mask
            torch.testing.assert_close(
                outputs["coreference_logits"][real], expected.coreference_logits[real], rtol=1e-4, atol=1e-4
            )


@pytest.mark.parametrize(("family", "group"), SWEEP)
def test_every_family_exports_with_every_group_of_settings(exported, encode, family, group):
    model, folder = exported(family, **GROUPS[group])
    compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))


@pytest.mark.parametrize("settings", SINGLE)
def test_other_settings_export(exported, encode, settings):
    model, folder = exported("bert", **settings)
    compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))


@pytest.mark.sweep
def test_attention_of_any_implementation_exports(exported, encode):
    model, folder = exported("deberta-v2", attn_implementation="eager")
    compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("family", "dtype"),
    FUSED,
)
def test_fused_graphs_compute_the_same(exported, encode, family, dtype):
    pytest.importorskip("transformers.exporters.onnxruntime_fusions")
    options = {"dtype": dtype, "optimize": True}
    model, folder = exported(family, options, **GROUPS["refined"], use_lstm=family == "bert")
    if dtype == "float32":
        compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))
    else:
        batch = encode(model)
        with torch.no_grad():
            expected = model(**batch).logits
        outputs = run_onnx(folder, batch)["logits"]
        assert outputs.dtype == torch.float32
        torch.testing.assert_close(outputs.sigmoid(), expected.sigmoid(), rtol=0, atol=0.02)


@pytest.mark.sweep
@pytest.mark.parametrize("opset", [18, 22])  # the lowest and the highest
def test_every_opset_computes_the_same(exported, encode, opset):
    model, folder = exported("modernbert", {"opset": opset}, **GROUPS["lstm"])
    compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))


def test_sizes_that_nobody_chose_compute_the_same(exported):
    model, folder = exported("deberta-v2", **EXPORTED["deberta-v2"])
    config = exporter_config(model.config)
    names = ("batch_size", "sequence_length", "num_words", "num_mentions", "num_pairs", "num_relations")
    generator = torch.Generator().manual_seed(5)
    for seed in range(20):
        sizes = [int(torch.randint(1, high, (), generator=generator)) for high in (6, 128, 70, 20, 90, 40)]
        batch = config.generate_dummy_inputs(**dict(zip(names, sizes, strict=True)), seed=100 + seed)
        with torch.no_grad():
            expected = model(**batch).logits
        torch.testing.assert_close(run_onnx(folder, batch)["logits"], expected, rtol=1e-4, atol=1e-4)


def test_a_padded_batch_scores_as_its_members_alone(exported):
    model, folder = exported("deberta-v2", **EXPORTED["deberta-v2"])
    config = exporter_config(model.config)
    assert config.inputs
    texts = [(TEXTS[1], [(0, 12), (55, 70), (86, 92)]), (TEXTS[2], [(0, 5), (12, 16)])]
    together = model.tokenizer(
        [text for text, _ in texts],
        entities=[spans for _, spans in texts],
        relation_types=[["spouse", "founded in"], ["friend of"]],
        padding=True,
    )
    logits = run_onnx(folder, together)["logits"]
    alone = model.tokenizer(texts[1][0], entities=texts[1][1], relation_types=["friend of"])
    torch.testing.assert_close(run_onnx(folder, alone)["logits"][0], logits[1, :2, :1], rtol=1e-4, atol=1e-4)
    assert not logits[1, 2:].sigmoid().any()
    assert not logits[1, :, 1:].sigmoid().any()


@pytest.mark.sweep
@pytest.mark.parametrize("group", ["converted", "plain", "lstm"])
def test_programs_of_torch_compute_the_same(build_model, encode, tmp_path, group):
    model = build_model("bert", **GROUPS[group])
    torch.export.save(export_program(model), tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2").module()

    def run(batch):
        with torch.no_grad():
            return program(**complete(batch))

    compare_on_texts(model, encode, run)
