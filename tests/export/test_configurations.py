"""Every configuration exports, and computes on ONNX Runtime what it computes in PyTorch, for any sizes.

`export` itself compares over fourteen shapes, and raises; here batches of the tokenizer are compared as well.
"""

from __future__ import annotations

import onnxruntime
import pytest
import torch
from tiny import FAMILIES, SETTINGS, TEXTS, fill_with_noise

from glirel_transformers.export import export, export_program, validate
from glirel_transformers.export.config import exporter_config

REFINED = {"num_pair_refinement_layers": 1, "num_relation_refinement_layers": 2, "num_refinement_heads": 4}
GROUPS = {
    **SETTINGS,
    # What converted checkpoints of the original package have.
    "converted": {
        **REFINED,
        "use_lstm": True,
        "endpoint_projection": True,
        "entity_markers": True,
        "marker_placement": "sequential",
        "refinement_self_attention": False,
        "refinement_feed_forward_multiplier": 1.5,
        "relation_refinement_sees_pairs": False,
        "subtoken_pooling": "sum",
        "coreference_classifier": True,
        "max_words": 60,
    },
}
SINGLE = [
    {"scorer": "dot_thresh"},
    {"scorer": "dot_norm", "shared_relation_positions": True},
    {"scorer": "concat_proj", **REFINED},
    {"num_pair_refinement_layers": 2, "num_refinement_heads": 2, "coreference_classifier": True},
    {"num_relation_refinement_layers": 1, "num_refinement_heads": 4, "use_lstm": True, "hidden_size": 48},
    {"use_lstm": True, "coreference_classifier": True, "scorer": "concat_proj"},
    {"attn_implementation": "eager"},
]
QUICK = [("bert", "lstm")]
SWEEP = [
    pytest.param(family, group, marks=[] if (family, group) in QUICK else pytest.mark.slow)
    for family in FAMILIES
    for group in GROUPS
]


def run_onnx(folder, batch):
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    outputs = session.run(names, {name: tensor.numpy() for name, tensor in batch.items()})
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
def test_every_family_exports_with_every_group_of_settings(build_model, encode, tmp_path, family, group):
    model = build_model(family, **GROUPS[group])
    fill_with_noise(model)
    folder = export(model, tmp_path / "onnx")
    compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))


@pytest.mark.slow
@pytest.mark.parametrize("settings", SINGLE, ids=lambda settings: "-".join(map(str, settings.values())))
def test_other_settings_export(build_model, encode, tmp_path, settings):
    family = "deberta-v2" if "attn_implementation" in settings else "bert"
    model = build_model(family, **settings)
    folder = export(model, tmp_path / "onnx")
    compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "dtype"),
    [*((family, "float32") for family in FAMILIES), ("bert", "float16"), ("deberta-v2", "float16")],
)
def test_fused_graphs_compute_the_same(build_model, encode, tmp_path, family, dtype):
    pytest.importorskip("transformers.exporters.onnxruntime_fusions")
    model = build_model(family, **GROUPS["refined"], use_lstm=family == "bert")
    folder = export(model, tmp_path / "onnx", dtype=dtype, optimize=True)
    if dtype == "float32":
        compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))
    else:
        batch = encode(model)
        with torch.no_grad():
            expected = model(**batch).logits
        outputs = run_onnx(folder, batch)["logits"]
        assert outputs.dtype == torch.float32
        torch.testing.assert_close(outputs.sigmoid(), expected.sigmoid(), rtol=0, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [18, 22])  # the lowest and the highest
def test_every_opset_computes_the_same(build_model, encode, tmp_path, opset):
    model = build_model("modernbert", **GROUPS["lstm"])
    folder = export(model, tmp_path / "onnx", opset=opset)
    compare_on_texts(model, encode, lambda batch: run_onnx(folder, batch))


@pytest.mark.slow
def test_sizes_that_nobody_chose_compute_the_same(exported):
    model, folder = exported("deberta-v2", **GROUPS["refined"], use_lstm=True)
    config = exporter_config(model.config)
    names = ("batch_size", "sequence_length", "num_words", "num_mentions", "num_pairs", "num_relations")
    generator = torch.Generator().manual_seed(5)
    for seed in range(20):
        sizes = [int(torch.randint(1, high, (), generator=generator)) for high in (6, 128, 70, 20, 90, 40)]
        batch = config.generate_dummy_inputs(**dict(zip(names, sizes, strict=True)), seed=100 + seed)
        with torch.no_grad():
            expected = model(**batch).logits
        torch.testing.assert_close(run_onnx(folder, batch)["logits"], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_padded_batch_scores_as_its_members_alone(exported):
    model, folder = exported("deberta-v2", **GROUPS["refined"], use_lstm=True)
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


@pytest.mark.slow
@pytest.mark.parametrize("group", ["plain", "lstm", "converted"])
def test_programs_of_torch_compute_the_same(build_model, encode, tmp_path, group):
    model = build_model("bert", **GROUPS[group])
    torch.export.save(export_program(model), tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2").module()

    def run(batch):
        with torch.no_grad():
            return program(**batch)

    compare_on_texts(model, encode, run)


@pytest.mark.slow
def test_the_embedded_model_exports(tmp_path):
    pytest.importorskip("transformers.exporters.onnxruntime_fusions")
    from glirel_transformers import GLiRELForRelationClassification
    from glirel_transformers.checkpoints import EMBEDDED_MODEL

    folder = export(EMBEDDED_MODEL, tmp_path / "onnx", optimize=True)
    model = GLiRELForRelationClassification.from_pretrained(EMBEDDED_MODEL).eval()
    assert validate(model, folder).difference < 1e-4
    assert (folder / "model.onnx").stat().st_size < 50_000_000
