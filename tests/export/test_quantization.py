"""Quantized exports: smaller, near to the model, and measured on annotated documents before they are written."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from tiny import ENTITIES, EXPORTED, RELATION_TYPES, TEXTS
from typer.testing import CliRunner

from glirel_transformers import RelationExtractionPipeline, RelationExtractor
from glirel_transformers.cli import app
from glirel_transformers.cli.export import ExportOptions
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.export import (
    Calibration,
    ORTModelForRelationClassification,
    calibrate,
    export_quantized,
    quantization,
    quantized_graph,
)
from glirel_transformers.export.calibration import AccuracyLossError
from glirel_transformers.export.exporter import export_with_report
from glirel_transformers.export.quantization import METHODS, quantize

MARIE = Document(
    ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
    [Mention(0, 2), Mention(5, 6)],
    [Relation(0, 1, "place of birth")],
)
TOKYO = Document(["Tokyo", "hosts", "Sony", "."], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "hosts")])


@pytest.fixture
def small_tables(monkeypatch):
    """The vocabularies of tiny models count as large."""
    monkeypatch.setattr(quantized_graph, "_SMALLEST_TABLE", 1000)


def scores(model):
    extract = RelationExtractionPipeline(model)
    found = extract(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, return_scores=True, batch_size=3)
    return torch.from_numpy(np.concatenate([one.scores for one in found]))


@pytest.mark.parametrize("method", METHODS)
def test_quantized_exports_are_near_and_small(exported, tmp_path, method, small_tables):
    model, folder = exported("bert", **EXPORTED["bert"])
    target = quantize(folder, tmp_path / "small", method)
    graph = onnx.load(target / "model.onnx")
    operators = {node.op_type for node in graph.graph.node}
    assert "MatMulNBits" in operators
    assert ("MatMulInteger" in operators) == (method == "int8")
    tables = [value for value in graph.graph.initializer if value.name.endswith("_rows")]
    assert tables
    assert all(table.data_type == onnx.TensorProto.INT8 for table in tables)
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    assert metadata["quantization"] == method
    assert {file.name for file in target.iterdir()} == {file.name for file in folder.iterdir()}
    assert f"| precision | {method} |" in (target / "README.md").read_text()
    assert (target / "model.onnx").stat().st_size < (folder / "model.onnx").stat().st_size
    changes = (scores(ORTModelForRelationClassification.from_pretrained(target)) - scores(model)).abs()
    assert 0 < changes.max() < (0.5 if method == "int4-weights" else 0.15)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["deberta-v2", pytest.param("modernbert", marks=pytest.mark.sweep)])
@pytest.mark.parametrize("method", METHODS)
def test_other_families_are_quantized(exported, tmp_path, family, method):
    model, folder = exported(family, **EXPORTED[family])
    found = ORTModelForRelationClassification.from_pretrained(quantize(folder, tmp_path / "small", method))
    assert (scores(found) - scores(model)).abs().mean() < 0.1


def test_scores_by_blocks_do_not_depend_on_the_batch(exported, tmp_path, encode):
    model, folder = exported("bert", **EXPORTED["bert"])
    small = ORTModelForRelationClassification.from_pretrained(quantize(folder, tmp_path / "small", "int8-weights"))
    together = small(**encode(model)).logits
    for place in range(3):
        alone = small(**encode(model, members=(place,))).logits[0]
        torch.testing.assert_close(together[place, : alone.shape[0]], alone, atol=1e-3, rtol=1e-3)


def test_what_cannot_be_quantized_is_named(exported, tmp_path):
    _, folder = exported("bert", **EXPORTED["bert"])
    with pytest.raises(ValueError, match="'int8', 'int8-weights', 'int4-weights': got 'int2'"):
        quantize(folder, tmp_path / "small", "int2")
    with pytest.raises(OSError, match=r"has no model.onnx"):
        quantize(tmp_path, tmp_path / "small")
    with pytest.raises(ValueError, match="the export itself"):
        quantize(folder, folder, overwrite=True)
    quantize(folder, tmp_path / "small")
    with pytest.raises(OSError, match="not empty"):
        quantize(folder, tmp_path / "small")
    with pytest.raises(ValueError, match="is in int8 already"):
        quantize(tmp_path / "small", tmp_path / "smaller")


def test_calibration_compares_every_score(exported):
    model, folder = exported("bert", **EXPORTED["bert"])
    same = calibrate(model, ORTModelForRelationClassification.from_pretrained(folder), [MARIE, TOKYO])
    assert same.num_documents == 2
    assert same.num_scores == 2 * 2 * 2  # documents, pairs, relation types
    assert same.threshold == model.config.threshold
    assert same.largest_change < 1e-4
    assert same.before == same.after
    assert same.loss == same.num_changed_decisions == 0
    same.check(0.0)


def test_changes_and_decisions_are_counted(exported, monkeypatch):
    model, _ = exported("bert", **EXPORTED["bert"])
    before, after = (RelationExtractor(model) for _ in range(2))
    score = after._score

    def opposite(features, prompts):
        scored = score(features, prompts)
        return scored._replace(probabilities=1 - scored.probabilities)

    monkeypatch.setattr(after, "_score", opposite)
    found = calibrate(before, after, [MARIE])
    (kept,) = before(
        [MARIE.to_text()[0]],
        entities=[MARIE.to_text()[1]],
        relation_types=["place of birth"],
        return_scores=True,
    )
    changes = np.abs(1 - 2 * kept.scores)
    assert found.largest_change == pytest.approx(float(changes.max()))
    assert found.mean_change == pytest.approx(float(changes.mean()))
    assert found.num_changed_decisions == int(((kept.scores >= 0.5) != (1 - kept.scores >= 0.5)).sum())


def test_too_great_a_loss_is_an_error():
    figures = {"macro_f1": 0.5, "micro_f1": 0.6}
    found = Calibration(figures, {**figures, "macro_f1": 0.48}, 0.5, 0.3, 0.01, 7, 100, 2)
    found.check(0.03)
    with pytest.raises(ValueError, match=r"from 0.5000 to 0.4800 on 7 documents, by 0.0200 where 0.01 is allowed"):
        found.check()
    dataclasses.replace(found, after={**figures, "macro_f1": 0.6}).check()


def test_the_command_measures_before_it_writes(traced, tmp_path):
    traced[0].save_pretrained(tmp_path / "model")
    data = tmp_path / "data.jsonl"
    data.write_text("".join(f"{json.dumps(document.to_dict())}\n" for document in (MARIE, TOKYO)))

    def run(*options):
        command = ["export", str(tmp_path / "model"), str(tmp_path / "out"), *options]
        return CliRunner().invoke(app, command, env={"COLUMNS": "200"})

    for option in (["--limit", "3"], ["--max-loss", "0"], ["--force"]):
        assert "need annotated documents: --calibrate DATA" in run("--quantize", "int8", *option).stderr
    assert "leave --dtype float16 out" in run("--quantize", "int8", "--dtype", "float16").stderr
    quantizing = ("--quantize", "int8", "--calibrate", str(data))
    refused = run(*quantizing, "--max-loss", "-2")
    assert refused.exit_code == 1
    assert "is allowed. Nothing was written. Of smaller exports --quantize int8-weights" in refused.stderr
    assert "the largest change is" in refused.stdout
    assert not (tmp_path / "out").exists()
    written = run(*quantizing, "--max-loss", "-2", "--force")
    assert written.exit_code == 0, written.stderr
    assert "macro-F1" in written.stdout
    assert "the largest change is" in written.stdout
    card = (tmp_path / "out" / "README.md").read_text()
    assert "## What int8 costs" in card
    assert "**Before it was quantized to int8**" in card
    assert ORTModelForRelationClassification.from_pretrained(tmp_path / "out").tokenizer is not None


@pytest.mark.sweep
def test_what_half_precision_costs_is_measured_as_well(exported, tmp_path):
    model, _ = exported("bert", **EXPORTED["bert"])
    _, _, found = export_with_report(model, tmp_path / "half", dtype="float16", documents=[MARIE, TOKYO])
    assert 0 < found.largest_change < 0.05
    assert "## What float16 costs" in (tmp_path / "half" / "README.md").read_text()
    with pytest.raises(AccuracyLossError, match="Nothing was written"):
        export_with_report(model, tmp_path / "whole", documents=[MARIE], max_loss=-2)
    assert [path.name for path in tmp_path.iterdir()] == ["half"]


@pytest.mark.parametrize("documents", [[], [Document(["Marie"], [], [])]])
def test_documents_without_relations_are_refused_before_anything_is_done(tmp_path, documents):
    for write in (export_with_report, export_quantized):
        with pytest.raises(ValueError, match="nothing to measure on"):
            write("nowhere", tmp_path / "out", documents=documents)


def test_the_card_of_a_quantized_export_names_it(exported, tmp_path):
    _, folder = exported("bert", **EXPORTED["bert"])
    card = (quantize(folder, tmp_path / "small", "int4-weights") / "README.md").read_text()
    assert "\n# small\n" in card
    assert "| precision | int4-weights |" in card
    assert '"small/model.onnx"' in card
    assert card.count('from_pretrained("small"') == 2
    assert f'"{folder.name}' not in card


def test_a_damaged_export_is_not_quantized(exported, tmp_path):
    shutil.copytree(exported("bert", **EXPORTED["bert"])[1], tmp_path / "damaged")
    (tmp_path / "damaged" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"model.onnx' is damaged"):
        quantize(tmp_path / "damaged", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_large_exports_are_quantized(exported, tmp_path, monkeypatch, method):
    _, folder = exported("bert", **EXPORTED["bert"])
    expected = scores(ORTModelForRelationClassification.from_pretrained(quantize(folder, tmp_path / "one", method)))
    monkeypatch.setattr(quantized_graph, "_LARGEST_FILE", 1000)
    target = quantize(folder, tmp_path / "two", method)
    assert (target / "model.onnx.data").is_file()
    assert torch.equal(scores(ORTModelForRelationClassification.from_pretrained(target)), expected)


def test_a_limit_takes_documents_from_all_of_the_data(tmp_path):
    for name, words in (("a", "one two three four"), ("b", "five six")):
        documents = [Document([word], [], []) for word in words.split()]
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(one.to_dict())}\n" for one in documents))
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for limit, expected in ((3, "one three five"), (None, "one two three four five six")):
        given = ExportOptions("model", tmp_path, calibrate=files, limit=limit)
        assert [document.words[0] for document in given.documents()] == expected.split()


def test_without_documents_nothing_is_measured(exported, tmp_path, monkeypatch):
    model, folder = exported("bert", **EXPORTED["bert"])

    def copy_of_it(_, output, **__):
        return shutil.copytree(folder, output), None, None

    monkeypatch.setattr(quantization, "export_with_report", copy_of_it)
    target, report, found = export_quantized(model, tmp_path / "out", "int8-weights")
    assert (report, found) == (None, None)
    assert (target / "model.onnx").is_file()
