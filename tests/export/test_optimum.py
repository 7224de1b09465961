"""Optimum's own look-ups find the configuration of the export, and it says what the model takes and gives."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from optimum.exporters.base import ExporterConfig
from optimum.exporters.tasks import TasksManager
from tiny import EXPORTED
from transformers import AutoModel

from glirel_transformers import GLiRELConfig
from glirel_transformers.batches_glirel import CLUSTER_TENSORS
from glirel_transformers.export.config import GLiRELExporterConfig, exporter_config

TASK = "relation-extraction"


def test_optimum_finds_the_configuration(shared_model):
    constructor = TasksManager.get_exporter_config_constructor(
        "onnx", model_type="glirel", task=TASK, library_name="transformers"
    )
    config = constructor(shared_model.config)
    assert isinstance(config, GLiRELExporterConfig)
    assert isinstance(config, ExporterConfig)
    assert config.task == TASK
    of_model = TasksManager.get_exporter_config_constructor(
        "onnx", model=shared_model, task=TASK, library_name="transformers"
    )
    assert of_model(shared_model.config).inputs == config.inputs


def test_optimum_knows_the_task_and_the_model():
    assert list(TasksManager.get_supported_tasks_for_model_type("glirel", "onnx", library_name="transformers")) == [
        TASK
    ]
    assert "glirel" in TasksManager.get_supported_model_type_for_task(TASK, "onnx")
    assert TASK in TasksManager.get_all_tasks()
    assert TasksManager.get_model_class_for_task(TASK, model_type="glirel") is AutoModel


def test_importing_exports_is_enough(interpreter):
    script = (
        "import glirel_transformers.export\nfrom optimum.exporters.tasks import TasksManager as T\n"
        f"assert T.get_exporter_config_constructor('onnx', model_type='glirel', task={TASK!r}, "
        f"library_name='transformers')\nassert T.get_model_class_for_task({TASK!r}).__name__ == 'AutoModel'\n"
    )
    interpreter.check(script)


def test_all_axes_are_named(shared_model, encode):
    config = exporter_config(shared_model.config)
    batch = encode(shared_model)
    assert set(config.inputs) == {*batch, *CLUSTER_TENSORS}
    batch |= {"mention_entity": batch["mention_mask"].long(), "entity_mask": batch["mention_mask"]}
    for name, axes in config.inputs.items():
        assert axes[0] == "batch"
        assert [size for place, size in enumerate(batch[name].shape) if place not in axes] in ([], [2])
    assert {axis for axes in config.inputs.values() for axis in axes.values()} == {
        "batch", "tokens", "words", "mentions", "entities", "pairs", "relations",
    }  # fmt: skip
    assert config.outputs == {"logits": {0: "batch", 1: "pairs", 2: "relations"}}


def test_inputs_and_outputs_follow_the_settings(build_model, encode):
    model = build_model("bert", shared_relation_positions=True, coreference_classifier=True)
    config = exporter_config(model.config)
    assert set(config.inputs) == {*encode(model), *CLUSTER_TENSORS}
    assert config.inputs["position_ids"] == {0: "batch", 1: "tokens"}
    assert config.outputs["coreference_logits"] == {0: "batch", 1: "pairs"}


def test_the_graph_has_the_axes_of_the_configuration(exported):
    model, folder = exported("bert", **EXPORTED["bert"])
    config = exporter_config(model.config)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    for found, declared in ((session.get_inputs(), config.inputs), (session.get_outputs(), config.outputs)):
        assert [value.name for value in found] == list(declared)
        for value in found:
            axes = declared[value.name]
            assert value.shape == [axes.get(place, 2) for place in range(len(value.shape))]


@pytest.mark.parametrize("padded", [True, False])
def test_dummy_inputs_are_batches_that_the_model_takes(shared_model, padded):
    config = exporter_config(shared_model.config)
    sizes = {"batch_size": 4, "sequence_length": 30, "num_words": 9, "num_mentions": 4, "num_pairs": 6}
    batch = config.generate_dummy_inputs(**sizes, num_relations=5, padded=padded)
    assert batch["input_ids"].shape == (4, 30)
    assert batch["pair_index"].shape == (4, 6, 2)
    for mask, values, within in (
        ("word_mask", "word_token_spans", "attention_mask"),
        ("relation_mask", "relation_token_spans", "attention_mask"),
        ("mention_mask", "mention_word_spans", "word_mask"),
    ):
        limit = batch[within].sum(1)[:, None].expand_as(batch[mask])
        spans, real = batch[values], batch[mask]
        assert (spans[..., 0] < spans[..., 1])[real].all()
        assert (spans[..., 1] <= limit)[real].all()
        assert not spans[~real].any()
    assert bool(batch["pair_mask"].all()) != padded
    for entity, real, mention, count in zip(
        batch["mention_entity"], batch["mention_mask"], batch["entity_mask"], batch["entity_mask"].sum(1), strict=True
    ):
        assert set(entity[real].tolist()) == set(range(int(count)))
        assert mention[:count].all()
    assert (
        (batch["input_ids"] == shared_model.config.encoder_config.pad_token_id) == (batch["attention_mask"] == 0)
    ).all()
    with torch.no_grad():
        assert shared_model(**batch).logits.shape == (4, 6, 5)


def test_dummy_inputs_in_other_types(shared_model):
    config = GLiRELExporterConfig(shared_model.config, TASK, int_dtype="int32")
    batch = config.generate_dummy_inputs(framework="np", seed=3)
    assert isinstance(batch["input_ids"], np.ndarray)
    assert batch["input_ids"].dtype == np.int32
    assert batch["word_mask"].dtype == bool


def test_a_default_configuration_has_an_export():
    assert "position_ids" not in exporter_config(GLiRELConfig()).inputs
