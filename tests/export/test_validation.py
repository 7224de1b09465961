"""The comparison finds what is wrong with an export, and nothing is written then."""

from __future__ import annotations

import copy
import math
import shutil

import numpy as np
import onnx
import pytest
import torch
from tiny import EXPORTED

from glirel_transformers.export import Validation, exporter, validate
from glirel_transformers.export.graph import to_onnx
from glirel_transformers.export.validation import ShapeResult, _compare


def test_at_least_ten_shapes_differ_in_every_axis(exported):
    model, folder = exported("bert", **EXPORTED["bert"])
    report = validate(model, folder)
    assert report.passed
    assert report.difference < 1e-4
    report.check()
    assert len(report.shapes) >= 10
    for axis in report.shapes[0].sizes:
        sizes = [shape.sizes[axis] for shape in report.shapes]
        traced = next(shape.sizes[axis] for shape in report.shapes if shape.name == "as traced")
        assert 1 in sizes
        assert max(sizes) > traced
    assert any(set(shape.sizes.values()) == {1} for shape in report.shapes)
    assert max(shape.sizes["sequence_length"] for shape in report.shapes) == model.tokenizer.model_max_length


def test_another_model_s_export_is_found(exported, build_model):
    _, folder = exported("bert", **EXPORTED["bert"])
    other = build_model("bert")
    with torch.no_grad():
        other.glirel.pair_representation.feed_forward.left.bias += 0.1
    report = validate(other, folder)
    assert not report.passed
    with pytest.raises(ValueError, match=r"computes other scores than the model: they differ by .* at most 0.0001"):
        report.check()


def break_exports(monkeypatch):
    def broken(model, config, opset):
        model = copy.deepcopy(model)
        with torch.no_grad():
            model.glirel.relation_feed_forward[0].bias += 0.5
        return to_onnx(model, config, opset)

    monkeypatch.setattr(exporter, "to_onnx", broken)


def test_a_wrong_export_is_not_written(traced, tmp_path):
    model = copy.deepcopy(traced[0])
    with torch.no_grad():
        model.glirel.relation_feed_forward[0].bias += 0.5
    with pytest.raises(ValueError, match="Nothing was written"):
        exporter.export(model, tmp_path / "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.sweep
def test_a_wrong_export_leaves_the_one_that_is_there(build_model, exported, tmp_path, monkeypatch):
    _, folder = exported("bert", **EXPORTED["bert"])
    target = tmp_path / "onnx"
    shutil.copytree(folder, target)
    break_exports(monkeypatch)
    with pytest.raises(ValueError, match="Nothing was written"):
        exporter.export(build_model("bert"), target, overwrite=True)
    assert list(tmp_path.iterdir()) == [target]
    assert (target / "model.onnx").read_bytes() == (folder / "model.onnx").read_bytes()


def results(**differences):
    return [ShapeResult(name, {}, value, value, value) for name, value in differences.items()]


def test_what_is_no_number_does_not_pass():
    report = Validation(results(good=1e-6, bad=math.nan, large=2.0), "float32", 1e-4)
    assert math.isnan(report.difference)
    assert not report.passed
    with pytest.raises(ValueError, match="'bad'"):
        report.check()


def test_the_worst_shape_is_named():
    with pytest.raises(ValueError, match=r"differ by 2 .* 'large'"):
        Validation(results(good=1e-6, bad=1e-3, large=2.0), "float32", 1e-4).check()


def test_differences_are_in_proportion_to_large_scores():
    expected = np.array([[100.0, 0.5]], dtype=np.float32)
    result = _compare("x", {}, [(expected, expected + np.float32(0.01))])
    assert result.difference == pytest.approx(0.01, rel=1e-3)
    assert result.absolute_difference == pytest.approx(0.01, rel=1e-2)
    result = _compare("x", {}, [(expected[:, :1], expected[:, :1] + np.float32(0.01))])
    assert result.difference == pytest.approx(1e-4, rel=1e-2)


def test_padding_must_be_padding():
    lowest = np.finfo(np.float32).min
    expected = np.array([[lowest, 1.0]], dtype=np.float32)
    assert _compare("x", {}, [(expected, np.array([[-65504.0, 1.0]], dtype=np.float32))]).difference == 0
    assert _compare("x", {}, [(expected, np.array([[-3.0, 1.0]], dtype=np.float32))]).difference == math.inf
    assert _compare("x", {}, [(expected, np.array([[lowest, lowest]], dtype=np.float32))]).difference == math.inf
    with pytest.raises(ValueError, match="gives scores of shape"):
        _compare("x", {}, [(expected, expected[:, :1])])


def test_a_damaged_or_missing_file_is_an_error(exported, shared_model, tmp_path):
    _, folder = exported("bert", **EXPORTED["bert"])
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes((folder / "model.onnx").read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"model\.onnx' cannot be loaded: .*damaged"):
        validate(shared_model, tmp_path)
    with pytest.raises(OSError, match=r"There is no .*nowhere"):
        validate(shared_model, tmp_path / "nowhere")


def test_a_graph_with_other_inputs_is_an_error(exported, build_model):
    _, folder = exported("bert", **EXPORTED["bert"])
    with pytest.raises(ValueError, match="The export's inputs are"):
        validate(build_model("bert", shared_relation_positions=True), folder)


def test_neither_a_threshold_nor_a_choice_is_in_the_graph(exported):
    _, folder = exported("bert", **EXPORTED["bert"])
    operators = {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}
    assert not operators & {"TopK", "Sigmoid", "ArgMax", "NonZero", "Sequence", "If", "Loop"}
