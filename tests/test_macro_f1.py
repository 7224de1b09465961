"""The `evaluate` module: agreement with scikit-learn, multi-label cases counted by hand, loading, and its errors."""

from __future__ import annotations

import doctest
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("HF_EVALUATE_OFFLINE", "1")
evaluate = pytest.importorskip("evaluate")
ROOT = Path(__file__).resolve().parents[1]
NAMES = ("precision", "recall", "f1")


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    return lambda *args: evaluate.load(str(ROOT / "macro_f1"), *args, cache_dir=str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int", "str"])
@pytest.mark.parametrize("zero_division", [0.0, 1.0, math.nan])
@pytest.mark.parametrize("subset", [False, True])
def test_agrees_with_scikit_learn_on_single_label(load, kind, zero_division, subset):
    metrics = pytest.importorskip("sklearn.metrics")
    for seed in range(5):
        generator = np.random.default_rng(seed)
        references, predictions = generator.integers(0, 9, 40), generator.integers(2, 12, 40)
        labels = np.array([3, 0, 11, 20]) if subset else np.union1d(references, predictions)
        if kind == "str":
            references, predictions, labels = (
                np.char.add("r", x.astype(str)) for x in (references, predictions, labels)
            )
        got = load().compute(
            predictions=predictions,
            references=references,
            zero_division=zero_division,
            **({"labels": labels} if subset else {}),
        )
        for average in ("macro", "micro"):
            expected = metrics.precision_recall_fscore_support(
                references, predictions, labels=labels, average=average, zero_division=zero_division
            )
            assert [got[f"{average}_{name}"] for name in NAMES] == pytest.approx(expected[:3], abs=1e-12, nan_ok=True)
        expected = metrics.precision_recall_fscore_support(
            references, predictions, labels=labels, average=None, zero_division=zero_division
        )
        assert set(got["per_relation"]) == set(labels.tolist())
        for column, name in enumerate((*NAMES, "support")):
            values = [got["per_relation"][label][name] for label in labels.tolist()]
            assert values == pytest.approx(expected[column].tolist(), abs=1e-12, nan_ok=True)


def test_agrees_with_scikit_learn_on_multi_label(load):
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(0)
    references, predictions = generator.random((50, 6)) < 0.3, generator.random((50, 6)) < 0.3
    got = load("multilabel").compute(
        predictions=[np.flatnonzero(row) for row in predictions],
        references=[np.flatnonzero(row) for row in references],
    )
    for average in ("macro", "micro"):
        expected = metrics.precision_recall_fscore_support(references, predictions, average=average)[:3]
        assert [got[f"{average}_{name}"] for name in NAMES] == pytest.approx(expected, abs=1e-12)


def test_multi_label_by_hand(load):
    #       predicted   true        a    b    c
    #       {a, b}      {a}         tp   fp
    #       {}          {b}              fn
    #       {}          {}
    #       {a}         {a, c}      tp        fn
    #       {c, a}      {}          fp        fp
    got = load("multilabel").compute(
        predictions=[["a", "b"], [], [], ["a"], ["c", "a"]], references=[["a"], ["b"], [], ["a", "c"], []]
    )
    assert got["per_relation"]["a"] == pytest.approx({"precision": 2 / 3, "recall": 1.0, "f1": 4 / 5, "support": 2})
    assert got["per_relation"]["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert got["per_relation"]["c"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert got["macro_precision"] == pytest.approx(2 / 9)
    assert got["macro_recall"] == pytest.approx(1 / 3)
    assert got["macro_f1"] == pytest.approx(4 / 15)
    assert (got["micro_precision"], got["micro_recall"]) == pytest.approx((2 / 5, 2 / 4))
    assert got["micro_f1"] == pytest.approx(4 / 9)


def test_multi_label_with_selected_labels_by_hand(load):
    got = load("multilabel").compute(predictions=[[7, 1], [7]], references=[[1], [2]], labels=[2, 1])
    assert list(got["per_relation"]) == [2, 1]
    assert got["per_relation"][1] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    assert (got["macro_f1"], got["micro_precision"], got["micro_recall"]) == (0.5, 1.0, 0.5)


@pytest.mark.parametrize(("zero_division", "expected"), [(0.0, 0.0), (1.0, 1.0), (math.nan, math.nan)])
def test_all_sets_empty(load, zero_division, expected):
    got = load("multilabel").compute(
        predictions=[[], []], references=[[], []], labels=["spouse"], zero_division=zero_division
    )
    assert [got["macro_f1"], got["micro_f1"], got["per_relation"]["spouse"]["f1"]] == pytest.approx(
        [expected] * 3, nan_ok=True
    )
    got = load("multilabel").compute(predictions=[[], []], references=[[], []], zero_division=zero_division)
    assert got["per_relation"] == {}
    assert got["macro_f1"] == pytest.approx(expected, nan_ok=True)


def test_keys_are_in_reading_order(load):
    got = load().compute(predictions=["b", "a"], references=["a", "a"])
    assert list(got) == [*(f"macro_{name}" for name in NAMES), *(f"micro_{name}" for name in NAMES), "per_relation"]
    assert list(got["per_relation"]) == ["a", "b"]


def test_labels_keep_their_kind(load):
    assert list(load().compute(predictions=["1"], references=["1"])["per_relation"]) == ["1"]
    assert list(load().compute(predictions=[np.int64(1)], references=[1])["per_relation"]) == [1]
    # An empty first example says nothing of the kind of those that follow.
    got = load("multilabel").compute(predictions=[[], [3]], references=[[], [3]])
    assert list(got["per_relation"]) == [3]


@pytest.mark.parametrize("keep_in_memory", [False, True])
def test_batches_single_examples_and_one_call_agree(tmp_path, keep_in_memory):
    predictions, references = [["a"], [], ["b", "c"], ["a"]], [["a"], ["b"], ["c"], []]

    def load() -> Any:
        path = str(ROOT / "macro_f1")
        return evaluate.load(path, "multilabel", cache_dir=str(tmp_path), keep_in_memory=keep_in_memory)

    whole = load().compute(predictions=predictions, references=references)
    batched = load()
    batched.add_batch(predictions=predictions[:3], references=references[:3])
    batched.add_batch(predictions=predictions[3:], references=references[3:])
    assert batched.compute() == whole
    single = load()
    for prediction, reference in zip(predictions, references, strict=True):
        single.add(prediction=prediction, reference=reference)
    assert single.compute() == whole
    # The same instance starts afresh after `compute`.
    assert single.compute(predictions=predictions, references=references) == whole


def test_takes_tensors(load):
    torch = pytest.importorskip("torch")
    got = load().compute(predictions=torch.tensor([0, 1]), references=torch.tensor([0, 0]))
    assert got["micro_f1"] == 0.5
    assert set(got["per_relation"]) == {0, 1}


@pytest.mark.parametrize(
    ("config", "arguments", "error", "message"),
    [
        ("default", {"predictions": [1, 2], "references": [1]}, ValueError, "2 predictions but 1 references"),
        ("multilabel", {"predictions": [[1]], "references": [[1], []]}, ValueError, "is an empty list"),
        ("default", {"predictions": [], "references": []}, ValueError, "at least one example"),
        ("default", {"predictions": None, "references": [1]}, TypeError, "`predictions` is None"),
        ("default", {"predictions": "ab", "references": ["a", "b"]}, TypeError, "`predictions` is 'ab'"),
        ("default", {"predictions": [["a"]], "references": [["a"]]}, TypeError, '"multilabel"'),
        ("multilabel", {"predictions": ["a"], "references": [["a"]]}, TypeError, r"`predictions\[0\]` is 'a'"),
        ("multilabel", {"predictions": [[0, 1, 0]], "references": [[2]]}, ValueError, "flatnonzero"),
        ("default", {"predictions": [1], "references": [None]}, TypeError, r"`references\[0\]` is None"),
        ("default", {"predictions": [0.9], "references": [1]}, TypeError, r"`predictions\[0\]` is 0.9 \(float\)"),
        ("default", {"predictions": [True], "references": [1]}, TypeError, r"is True \(bool\)"),
        ("default", {"predictions": ["1"], "references": [1]}, TypeError, "integers and strings at once"),
        (
            "default",
            {"predictions": ["a"], "references": ["a"], "labels": ["a", "b", "a"]},
            ValueError,
            r"`labels` repeats 'a' \(positions 0 and 2\)",
        ),
        ("default", {"predictions": ["a"], "references": ["a"], "labels": []}, ValueError, "`labels` is empty"),
        ("default", {"predictions": ["a"], "references": ["a"], "labels": "a"}, TypeError, "`labels` is 'a'"),
        ("default", {"predictions": ["a"], "references": ["a"], "labels": [0]}, TypeError, "can never match"),
        (
            "default",
            {"predictions": ["a"], "references": ["a"], "zero_division": "warn"},
            ValueError,
            "zero_division is 'warn'",
        ),
        ("default", {"predictions": ["a"], "references": ["a"], "zero_division": 0.5}, ValueError, "0.0, 1.0"),
    ],
)
def test_errors_name_the_value_and_the_cure(load, config, arguments, error, message):
    with pytest.raises(error, match=message):
        load(config).compute(**arguments)


def test_unknown_configuration(load):
    with pytest.raises(ValueError, match=r"no configuration 'micro'.*'multilabel'"):
        load("micro")


def test_a_refused_batch_leaves_nothing_behind(load):
    metric = load()
    metric.add_batch(predictions=["a"], references=["a"])
    with pytest.raises(TypeError):
        metric.add_batch(predictions=["b", None], references=["a", "a"])
    assert metric.compute()["micro_f1"] == 1.0


@pytest.mark.parametrize("from_root", [True, False])
def test_loads_in_a_fresh_process(tmp_path, interpreter_without_package, from_root):
    path = "macro_f1" if from_root else str(ROOT / "macro_f1")
    code = (
        f"import evaluate; m = evaluate.load({path!r}); "
        "print(m.name, m.compute(predictions=['a', 'b'], references=['a', 'b'])['macro_f1'])"
    )
    printed = interpreter_without_package.check(code, cwd=ROOT if from_root else tmp_path)
    assert printed.split() == ["macro_f1", "1.0"]


def test_usable_after_a_failed_compute(load):
    metric = load()
    with pytest.raises(ValueError, match="`labels` is empty"):
        metric.compute(predictions=["a"], references=["a"], labels=[])
    assert metric.compute(predictions=["b"], references=["a"])["micro_f1"] == 0.0


def test_examples_in_the_readme(monkeypatch):
    monkeypatch.chdir(ROOT)
    result = doctest.testfile(str(ROOT / "macro_f1" / "README.md"), module_relative=False, encoding="utf-8")
    assert result.attempted > 0
    assert result.failed == 0


def test_examples_in_the_description_of_inputs(monkeypatch, load):
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(load().inputs_description, {}, "inputs", None, None)
    assert len(test.examples) > 0
    assert doctest.DocTestRunner().run(test).failed == 0
