"""The folder of an export is whole: it can be moved, and used without this package."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path

import onnx
import pytest
import torch
from huggingface_hub import ModelCard
from tiny import ENTITIES, EXPORTED, RELATION_TYPES, TEXTS
from typer.testing import CliRunner

import glirel_transformers.export.graph as graph_module
from glirel_transformers import __version__
from glirel_transformers.card_glirel import export_card
from glirel_transformers.checkpoints import check_checkpoint
from glirel_transformers.cli import app
from glirel_transformers.export import export
from glirel_transformers.export.folder import find_output, written_whole
from glirel_transformers.export.reference import load_reference

PACKAGE = Path(__file__).resolve().parents[2] / "glirel_transformers"

SCRIPT = """
import json, sys
import numpy as np
import onnxruntime
from transformers import AutoConfig, AutoTokenizer
given = json.loads(sys.argv[1])
try:
    import glirel_transformers
except ImportError:
    pass
else:
    raise SystemExit("the package is there")
config = AutoConfig.from_pretrained(given["folder"], trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(given["folder"], trust_remote_code=True)
session = onnxruntime.InferenceSession(given["folder"] + "/model.onnx")
batch = tokenizer(
    given["texts"], entities=given["entities"], relation_types=given["types"], padding=True, return_tensors="np"
)
batch = {**batch, "mention_entity": np.indices(batch["mention_mask"].shape)[1], "entity_mask": batch["mention_mask"]}
(logits,) = session.run(["logits"], batch)
print(json.dumps({"config": type(config).__name__, "scorer": config.scorer, "logits": logits.tolist()}))
"""


def test_the_folder_is_whole(exported):
    _, folder = exported("bert", **EXPORTED["bert"])
    code = {path.name for path in PACKAGE.glob("*_glirel.py")}
    others = {"model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "README.md"}
    assert {path.name for path in folder.iterdir()} == code | others
    config = json.loads((folder / "config.json").read_text())
    assert set(config["auto_map"]) == {"AutoConfig", "AutoModel"}
    assert config["dtype"] == "float32"
    assert str(folder.parent) not in (folder / "config.json").read_text()
    assert folder.stat().st_mode & 0o777 == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_moved_it_works_without_the_package(exported, tmp_path, interpreter_without_package):
    model, folder = exported("bert", **EXPORTED["bert"])
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(folder, moved)
    given = {"folder": str(moved), "texts": TEXTS, "entities": ENTITIES, "types": RELATION_TYPES}
    found = json.loads(interpreter_without_package.check(SCRIPT, json.dumps(given), cwd=tmp_path).splitlines()[-1])
    assert (found["config"], found["scorer"]) == ("GLiRELConfig", "dot_norm")
    batch = model.tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    with torch.no_grad():
        expected = model(**batch).logits
    torch.testing.assert_close(torch.tensor(found["logits"]), expected, rtol=1e-4, atol=1e-4)


def test_the_card_tells_what_is_exported_and_how_it_compares(exported):
    _, folder = exported("bert", **EXPORTED["bert"])
    card = ModelCard.load(folder / "README.md")
    assert card.data.library_name == "onnxruntime"
    assert "relation-extraction" in card.data.tags
    assert "`pair_index` | (batch, pairs, 2)" in card.content
    assert "1 everywhere | 1 | 1 | 1 | 1 | 1 | 1 |" in card.content


def test_the_graph_says_how_it_was_made(exported):
    _, folder = exported("bert", **EXPORTED["bert"])
    graph = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(graph)
    assert {entry.key: entry.value for entry in graph.metadata_props} == {
        "dtype": "float32",
        "optimized": "false",
        "glirel_transformers": __version__,
    }
    assert [entry.version for entry in graph.opset_import if entry.domain == ""] == [20]
    # The operator reads any number of words in both directions; an unrolled LSTM would be many products.
    assert [node.op_type for node in graph.graph.node].count("LSTM") == 1


def test_an_export_is_no_checkpoint(exported):
    _, folder = exported("bert", **EXPORTED["bert"])
    with pytest.raises(ValueError, match="is an ONNX export"):
        check_checkpoint(folder)
    with pytest.raises(ValueError, match="is an ONNX export"):
        export(folder, folder.parent / "again")


# What is refused, before anything is computed


def test_a_folder_that_holds_something_is_not_overwritten(shared_model, tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OSError, match=r"is not empty.*--overwrite"):
        export(shared_model, tmp_path)
    with pytest.raises(OSError, match="something other than an export"):
        export(shared_model, tmp_path, overwrite=True)
    with pytest.raises(OSError, match="is a file"):
        export(shared_model, tmp_path / "note.txt", overwrite=True)
    assert (tmp_path / "note.txt").read_text() == "mine"


def test_a_checkpoint_beside_an_export_is_not_overwritten(exported, build_model, tmp_path):
    _, folder = exported("bert", **EXPORTED["bert"])
    build_model("bert").save_pretrained(tmp_path / "both")
    shutil.copy(folder / "model.onnx", tmp_path / "both")
    with pytest.raises(OSError, match="something other than an export"):
        export(tmp_path / "both", tmp_path / "both", overwrite=True)
    assert (tmp_path / "both" / "model.safetensors").is_file()


def test_what_cannot_be_written_is_said_at_once(shared_model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file/out cannot be written: .*Name another folder"):
        export(shared_model, tmp_path / "file" / "out")


def test_an_empty_folder_is_filled_and_a_link_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    before = (tmp_path / "real").stat().st_ino
    target = find_output(tmp_path / "link", overwrite=False)
    with written_whole(target) as folder:
        (folder / "model.onnx").write_text("new")
    assert (tmp_path / "real").stat().st_ino == before
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link" / "model.onnx").read_text() == "new"


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        (b"---\nlicense: 'other: mine'\nbase_model: a/b\n---\n", ("other: mine", "a/b")),
        (b"---\nlicense: 7\nbase_model: [a/b, c/d]\n---\n", (None, None)),
        (b"---\nfoo: [\n---\n", (None, None)),
        (b"---\n- 1\n---\n", (None, None)),
        ("---\nlicense: m\xefne\n---\n".encode("latin-1"), (None, None)),
        (b"no front matter", (None, None)),
    ],
)
def test_a_checkpoints_card_is_read_as_far_as_it_can_be(tmp_path, shared_model, readme, expected):
    (tmp_path / "README.md").write_bytes(readme)
    config = copy.deepcopy(shared_model.config)
    config.name_or_path = str(tmp_path)
    card = export_card("x", config, facts={}, graphs={}, columns=[], differences=[], bound=1e-4)
    assert (card.data.license, card.data.base_model) == expected
    assert f"exported from `{tmp_path.name}`" in card.text


@pytest.mark.slow
def test_an_encoder_that_torch_cannot_export_is_named(build_model, tmp_path, monkeypatch):
    model = build_model("bert")
    monkeypatch.setattr(model.glirel.encoder, "forward", lambda **inputs: print(int(inputs["input_ids"].sum())))
    with pytest.raises(ValueError, match=r"The encoder 'bert' cannot be exported: torch.export fails on its code"):
        export(model, tmp_path / "onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_export_is_overwritten_when_asked_for_and_large_weights_lie_next_to_the_graph(
    traced, tmp_path, monkeypatch
):
    monkeypatch.setattr(graph_module, "_LARGEST_FILE", 1000)
    model, folder = traced
    target = tmp_path / "onnx"
    shutil.copytree(folder, target)
    (target / "old.txt").write_text("old")
    export(model, target, overwrite=True)
    assert list(tmp_path.iterdir()) == [target]
    assert not (target / "old.txt").exists()
    assert (target / "model.onnx.data").stat().st_size > 10_000
    assert (target / "model.onnx").stat().st_size < (folder / "model.onnx").stat().st_size


def test_the_command_writes_a_folder_and_prints_the_comparison(traced, tmp_path):
    traced[0].save_pretrained(tmp_path / "model")

    def run():
        return CliRunner().invoke(
            app, ["export", str(tmp_path / "model"), str(tmp_path / "onnx")], env={"COLUMNS": "80"}
        )

    result = run()
    assert result.exit_code == 0, result.output
    assert "1 everywhere" in result.stdout
    assert "1 × 1 × 1 × 1 × 1 × 1" in result.stdout
    assert "at most 0.0001" in " ".join(result.stdout.split())
    assert f"Wrote {tmp_path / 'onnx'} (" in result.stdout
    assert (tmp_path / "onnx" / "model.onnx").is_file()
    again = run()
    assert again.exit_code == 1
    assert "is not empty" in again.stderr


@pytest.mark.parametrize("opset", [17, 23, 99])
def test_an_opset_that_is_not_supported_is_an_error(shared_model, tmp_path, opset):
    with pytest.raises(ValueError, match=f"`opset` must be from 18 to 22 .*: got {opset}"):
        export(shared_model, tmp_path / "onnx", opset=opset)


def test_a_precision_that_is_not_supported_is_an_error(shared_model, tmp_path):
    with pytest.raises(ValueError, match="`dtype` must be one of 'float32', 'float16': got 'bfloat16'"):
        export(shared_model, tmp_path / "onnx", dtype="bfloat16")


def test_what_is_no_such_model_is_an_error(shared_model, build_model, tmp_path):
    for wrong in (shared_model.glirel, torch.nn.Linear(2, 2), 7):
        with pytest.raises(TypeError, match="must be a GLiRELForRelationClassification"):
            load_reference(wrong)
    with pytest.raises(OSError, match="There is no folder"):
        load_reference(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="optimized model cannot be exported"):
        load_reference(build_model("bert").optimize_for_inference())
    model = build_model("bert")
    model.tokenizer = None
    with pytest.raises(ValueError, match="has no tokenizer"):
        load_reference(model)


def test_the_model_given_stays_as_it_is(build_model):
    model = build_model("bert", use_lstm=True).to(torch.bfloat16).train()
    before = copy.deepcopy(model.state_dict())
    reference = load_reference(model)
    assert not reference.training
    assert {parameter.dtype for parameter in reference.parameters()} == {torch.float32}
    assert model.training
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_packages_that_are_missing_are_named(shared_model, tmp_path, monkeypatch):
    import glirel_transformers.extras as extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnxscript" else object())
    with pytest.raises(ImportError, match=r"needs onnxscript.*pip install 'glirel-transformers\[onnx\]'"):
        export(shared_model, tmp_path / "onnx")
