"""`glirel export`."""

import copy
import inspect

import pytest
import torch
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.cli.export import export_checkpoint
from glirel_transformers.export import exporter
from glirel_transformers.export.graph import to_onnx


def run(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)], env={"COLUMNS": "80"})


@pytest.mark.sweep
def test_an_export_that_is_wrong_fails(model_folder, tmp_path, monkeypatch):
    def wrong(model, config, opset):
        model = copy.deepcopy(model)
        with torch.no_grad():
            model.glirel.relation_feed_forward[0].bias += 0.5
        return to_onnx(model, config, opset)

    monkeypatch.setattr(exporter, "to_onnx", wrong)
    result = run(model_folder, tmp_path / "onnx")
    assert result.exit_code == 1
    assert "error: The export computes other scores than the model" in result.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_read_is_not_replaced(model_folder, tmp_path):
    (tmp_path / "onnx").mkdir()
    for name in ("model.onnx", "test.jsonl"):
        (tmp_path / "onnx" / name).write_text("content")
    result = run(model_folder, tmp_path / "onnx", "--overwrite", "--calibrate", tmp_path / "onnx" / "test.jsonl")
    assert result.exit_code == 1
    assert "holds the input" in result.stderr
    assert (tmp_path / "onnx" / "test.jsonl").read_text() == "content"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--opset", "3"], "`opset` must be from 18"),
        (["--dtype", "int4"], "float16"),
        (["--optimise"], "No such option"),
    ],
)
def test_what_is_wrong_is_said(model_folder, tmp_path, words, message):
    result = run(model_folder, tmp_path / "onnx", *words)
    assert result.exit_code in (1, 2)
    assert message in result.stderr


def test_defaults_are_those_of_the_function():
    command = inspect.signature(export_checkpoint).parameters
    for name, parameter in inspect.signature(exporter.export).parameters.items():
        if name not in ("model", "output"):
            assert command[name].default == parameter.default, name


def test_a_checkpoint_that_is_not_there_is_an_error(tmp_path):
    result = run(tmp_path / "nowhere", tmp_path / "onnx")
    assert result.exit_code == 1
    assert "There is no folder" in result.stderr


@pytest.mark.sweep
def test_all_options_together(model_folder, tmp_path):
    pytest.importorskip("transformers.exporters.onnxruntime_fusions")
    result = run(model_folder, tmp_path / "onnx", "--dtype", "float16", "--optimize", "--opset", "21")
    assert result.exit_code == 0, result.output
    result = run(model_folder, tmp_path / "onnx", "--overwrite")
    assert result.exit_code == 0, result.output
