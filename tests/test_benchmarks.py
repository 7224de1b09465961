"""The benchmarks' texts, and what is made of their timings. Nothing is timed here."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from glirel_transformers.text_glirel import WORD

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import measuring  # noqa: E402 - found through the line above
import reporting  # noqa: E402
import workloads  # noqa: E402
from measuring import Measurement  # noqa: E402

KINDS = {workload.kind: replace(workload, num_texts=64) for workload in workloads.WORKLOADS.values()}


@pytest.mark.parametrize("workload", KINDS.values(), ids=KINDS)
def test_texts_have_the_stated_sizes(workload):
    num_entities, (low, _, high) = workloads.KINDS[workload.kind]
    texts = workloads.texts_of(workload)
    assert len(texts) == 64
    for text in texts:
        assert len(text.entities) == len(set(text.entities)) == num_entities
        assert low <= len(text.words) <= high
    assert len({" ".join(text.words) for text in texts}) == 64


def test_sentences_are_as_long_as_those_of_fewrel():
    lengths = [len(text.words) for text in workloads.texts_of(KINDS["sentence"])]
    assert 23 <= sum(lengths) / len(lengths) <= 27
    assert max(lengths) - min(lengths) > 15


@pytest.mark.parametrize("workload", KINDS.values(), ids=KINDS)
def test_joined_words_split_into_the_same_words_and_spans(workload):
    for text in workloads.texts_of(workload):
        joined = " ".join(text.words)
        assert WORD.findall(joined) == text.words
        for (start, end), (first, last) in zip(workloads.char_spans(text), text.entities, strict=True):
            assert joined[start:end] == " ".join(text.words[first:last])
            assert joined[start:end].strip(" .") == joined[start:end]


def test_entities_do_not_overlap_and_are_in_order():
    for kind in KINDS.values():
        for text in workloads.texts_of(kind):
            bounds = [bound for span in text.entities for bound in span]
            assert bounds == sorted(bounds)
            assert all(start < end for start, end in text.entities)
            assert text.words[-1] == "."


@pytest.mark.slow
def test_texts_and_names_are_the_same_in_every_process():
    code = (
        "import workloads; print([workloads.texts_of(w)[-1] for w in workloads.WORKLOADS.values()], "
        "workloads.relation_names(100))"
    )
    results = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=BENCHMARKS,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(results) == 1


def test_relation_names_are_different_and_short():
    names = workloads.relation_names(200)
    assert len(set(names)) == 200
    assert {len(name.split()) for name in names} == {1, 2, 3, 4, 5}
    assert workloads.relation_names(10) == names[:10]
    with pytest.raises(ValueError, match="from 1 to"):
        workloads.relation_names(10_000)


@pytest.mark.parametrize(("entities", "words"), [(2, 12), (2, 2048), (400, 800), (1, 2), (100, 205)])
def test_made_texts_have_exactly_as_many_words_as_asked(entities, words):
    text = workloads.make_text(random.Random(0), entities, words)
    assert (len(text.entities), len(text.words)) == (entities, words)


def test_a_text_without_room_for_its_entities_is_an_error():
    with pytest.raises(ValueError, match="need 20 words or more"):
        workloads.make_text(random.Random(0), 10, 19)


def test_slow_calibrations_are_left_out():
    fast, slow = Measurement(2.0, 0.10, 0.11), Measurement(4.0, 0.10, 0.20)
    reference = measuring.fastest_calibration([fast, slow])
    assert reference == 0.10
    assert measuring.is_clean(fast, reference)
    assert not measuring.is_clean(slow, reference)
    summary = measuring.summarise([fast, slow, fast], reference, needed=2)
    assert summary == {"seconds": 2.0, "low": 2.0, "high": 2.0, "clean": 2, "measured": 3, "noisy": False}


def test_without_clean_measurements_enough_the_least_disturbed_are_taken_as_they_are():
    measurements = [Measurement(9.0, 0.1, 0.5), Measurement(4.0, 0.2, 0.1), Measurement(6.0, 0.3, 0.3)]
    summary = measuring.summarise(measurements, 0.1, needed=2)
    assert summary == {"seconds": 5.0, "low": 4.0, "high": 6.0, "clean": 0, "measured": 3, "noisy": True}
    with pytest.raises(ValueError, match="no measurement"):
        measuring.summarise([], 0.1, needed=1)


def test_ratios_come_from_medians_and_from_clean_pairs():
    original = [Measurement(8.0, 0.1, 0.1), Measurement(99.0, 0.1, 0.3), Measurement(10.0, 0.1, 0.1)]
    ours = [Measurement(2.0, 0.1, 0.1), Measurement(2.0, 0.1, 0.1), Measurement(2.0, 0.1, 0.1)]
    assert measuring.compare(original, ours, 0.1, needed=2) == {"ratio": 4.5, "low": 4.0, "high": 5.0}


def test_percentiles_are_interpolated():
    assert measuring.percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert measuring.percentile([0.0, 1.0], 0.95) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="fraction from 0 to 1"):
        measuring.percentile([], 0.5)


def test_predictions_are_compared_relation_by_relation():
    expected = [[[[0, 1], [2, 3], "spouse", 0.9], [[2, 3], [0, 1], "spouse", 0.5001]]]
    got = [[[[0, 1], [2, 3], "spouse", 0.8]]]
    difference, worst = measuring.compare_predictions(expected, got, threshold=0.5)
    assert difference == pytest.approx(0.1)
    assert "spouse" in worst[0]
    assert measuring.compare_predictions(expected, expected, 0.5)[0] == 0.0
    with pytest.raises(ValueError, match="same texts"):
        measuring.compare_predictions(expected, [], 0.5)


def test_tables_go_between_their_markers(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- one: begin -->\nold\n<!-- one: end -->\nafter\n")
    reporting.replace_between_markers(page, "one", "new \\1\n")
    assert page.read_text() == "before\n<!-- one: begin -->\nnew \\1\n<!-- one: end -->\nafter\n"
    with pytest.raises(ValueError, match="once each"):
        reporting.replace_between_markers(page, "two", "new")


def test_the_page_has_the_markers_of_all_tables():
    page = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    for name in ("against_original", "against_original_cuda", "against_original_glidre", "scaling", "runtimes"):
        assert len(re.findall(f"<!-- {name}: (?:begin|end) -->", page)) == 2


def runtimes_results() -> dict:
    """Results as `runtimes.py` saves them, with speeds that are easy to tell apart."""

    def entry(seconds: float, ratio: float, texts: int) -> dict:
        return {
            "num_texts": texts,
            "summary": {"seconds": seconds, "noisy": ratio > 2},
            "compared": {"ratio": ratio, "low": ratio, "high": ratio},
            "latency": {"p50": seconds / texts, "p95": 2 * seconds / texts},
            "memory": {"peak": 500.0 + texts},
            "load": 0.25,
            "first_call": 1.5,
            "bytes": 12_300_000,
        }

    batches = {
        f"batch {batch}": {"eager fp32": entry(2.0, 1.0, 10 * batch), "ORT int8": entry(0.8, 2.5, 10 * batch)}
        for batch in (1, 32)
    }
    version = {"torch": "2", "transformers": "5", "python": "3"}
    return {
        "date": "2026-01-02",
        "machine": {"processor": "a processor", "cores": 2},
        "versions": {"this package": version},
        "baseline": "eager fp32",
        "groups": {"mini, 1 thread": batches, "mini, 2 threads": batches},
    }


def test_tables_of_runtimes_have_speed_latency_memory_and_size():
    tables = reporting.tables_of_runtimes(runtimes_results())
    assert "Mini, 1 thread:" in tables
    assert "Mini, 2 threads:" in tables
    assert "| ORT int8 | 12.5* (2.50 ×) | 80.0 (160) | 400* (2.50 ×) | 820 |" in tables
    assert tables.count("| mini | ORT int8 | 12.3 | 0.25 | 1.50 |") == 1


def test_runtimes_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    reporting.plot_runtimes(runtimes_results(), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_every_runtime_has_a_worker_with_its_threads(tmp_path):
    import runtimes

    exports = {name: tmp_path / name for name in ("float32", "fused", "int8", "int8-weights")}
    sides = runtimes.sides_of(tmp_path / "checkpoint", exports, 2, list(runtimes.RUNTIMES))
    assert [side.variant.rsplit(" ", 1) for side in sides] == [[name, "2"] for name in runtimes.RUNTIMES]
    loaded = {side.name.rsplit(" ", 1)[0]: side.checkpoint.name for side in sides}
    assert loaded["eager fp32"] == loaded["compiled fp32"] == "checkpoint"
    assert (loaded["ORT fp32"], loaded["ORT int8"]) == ("float32", "int8")
    assert [side.baseline for side in sides].count("") == 1
