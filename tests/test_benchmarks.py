"""The benchmarks' texts, and what is made of their timings. Nothing is timed here."""

from __future__ import annotations

import itertools
import random
import re
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from glirel_transformers import GLiRELForJointExtraction
from glirel_transformers.data import Document, Mention, Relation, write_documents
from glirel_transformers.evaluation import Extraction, make_baseline
from glirel_transformers.text_glirel import WORD

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import documents  # noqa: E402 - found through the line above
import extraction  # noqa: E402
import measuring  # noqa: E402
import raw_texts  # noqa: E402
import reporting  # noqa: E402
import reporting_glidre  # noqa: E402
import reporting_relex  # noqa: E402
import workloads  # noqa: E402
from measuring import Measurement  # noqa: E402
from workers.common import Watch, answer_of, entity_rows  # noqa: E402

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
    of_originals = ("against_original", "against_original_cuda", "against_original_glidre", "against_original_relex")
    for name in (*of_originals, "scaling", "runtimes"):
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


def test_documents_have_the_usual_sizes_and_are_always_the_same():
    texts = documents.make_documents(40)
    assert texts == documents.make_documents(40)
    about = documents.describe_documents(texts, "made by rule")
    assert 200 <= about["words"] <= 240
    assert 17 <= about["entities"] <= 20
    assert about["mentions"] > 1.2 * about["entities"]
    for text in texts:
        spans = sorted(span for mentions in text.entities for span in mentions)
        assert all(start < end for start, end in spans)
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
        assert spans[-1][1] <= len(text.words)


def test_requests_name_the_same_words_by_characters():
    for request in documents.as_requests(documents.make_documents(5)):
        assert WORD.findall(request["text"]) == request["words"]
        for of_words, of_chars in zip(request["word_spans"], request["char_spans"], strict=True):
            for (first, last), (start, end) in zip(of_words, of_chars, strict=True):
                assert request["text"][start:end] == " ".join(request["words"][first:last])


def test_documents_of_a_file_are_split_as_the_text_path_splits_them(tmp_path):
    file = tmp_path / "documents.jsonl"
    mentions = (Mention(0, 1, entity=0), Mention(3, 4, entity=1), Mention(2, 4, entity=0), Mention(1, 2))
    read = [Document(["U.S.", "and", "Bob", "co-op"], mentions, ()) for _ in range(5)]
    write_documents(file, read)
    texts = documents.read_texts(file, every=2, count=2)
    assert len(texts) == 2
    assert texts[0].words == WORD.findall("U.S. and Bob co-op")
    assert texts[0].entities == [[(0, 4), (5, 9)], [(6, 9)], [(4, 5)]]
    write_documents(file, [Document(["No", "entity"], (), ())])
    with pytest.raises(ValueError, match="no document with entities"):
        documents.read_texts(file, every=1, count=2)


def test_names_of_document_workloads_are_readable():
    assert reporting_glidre.readable("m95-stream") == "95 types,\na stream"
    assert reporting_glidre.readable("m10-alone-no-context").startswith("10 types, no context")
    assert all(reporting_glidre.readable(name) for name in documents.WORKLOADS)
    with pytest.raises(ValueError, match="named like"):
        reporting_glidre.readable("sentence-m10-b1")


def glidre_results() -> dict:
    """Results as `against_original_glidre.py` saves them."""

    def side(seconds: float, peak: float, ratio: float | None) -> dict:
        parts = dict.fromkeys(reporting_glidre.PARTS, 0.1) | {"encoder": 0.8, "equations 5 and 6": 0.04, "all": 2.0}
        own = {
            "summary": {"seconds": seconds, "noisy": False},
            "memory": {"loaded": 500.0, "peak": peak, "since_start": False},
            "parts": parts,
        }
        return own if ratio is None else {**own, "compared": {"ratio": ratio}, "largest_difference": 2e-6}

    sides = {"original": side(8.0, 1500.0, None), "eager fp32": side(2.0, 600.0, 4.0)}
    workload = asdict(documents.WORKLOADS["m10-stream"])
    version = {"torch": "2", "transformers": "5", "python": "3"}
    return {
        "date": "2026-01-02",
        "machine": {"processor": "a processor", "cores": 2, "device": "cpu"},
        "versions": {"this package": version},
        "sides": {"original": {"baseline": ""}, "eager fp32": {"baseline": "original"}},
        "documents": documents.describe_documents(documents.make_documents(2), "made by rule"),
        "workloads": {"m10-stream": {"default": {**workload, "sides": sides}}},
    }


def test_tables_of_documents_have_seconds_memory_and_what_the_context_costs():
    tables = reporting_glidre.tables_against_glidre(glidre_results())
    assert "| m10-stream | default | 0.800 | 0.200 (4.0 ×) |" in tables
    assert "| m10-stream | default | 10 % |" in tables
    assert "| m10-stream | default | 40.0 % | 40.0 % |" in tables
    assert "| 5.0 % | 17.5 % |" in tables
    assert "2 documents (made by rule)" in tables


def test_documents_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    reporting_glidre.plot_against_glidre(glidre_results(), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_raw_texts_have_the_stated_sizes_and_the_same_words_as_strings():
    for name, kind in raw_texts.KINDS.items():
        low, usual, high = kind.num_words
        texts = raw_texts.texts_of(name, 40)
        assert texts[:3] == raw_texts.texts_of(name, 3)
        assert all(low <= len(text.words) <= high and len(text.entities) == kind.num_entities for text in texts)
        assert abs(sum(len(text.words) for text in texts) / len(texts) - usual) < 5
        assert any(end - start > 1 for text in texts for start, end in text.entities)
        for request in raw_texts.as_requests(texts):
            assert WORD.findall(request["text"]) == request["words"]


def test_raw_workloads_ask_for_types_of_both_kinds():
    for name, workload in raw_texts.WORKLOADS.items():
        request = raw_texts.request_of(workload, 0.25)
        kind = raw_texts.KINDS[workload.kind]
        assert len(set(request["entity_types"])) == kind.num_entity_types
        assert len(set(request["relation_types"])) == kind.num_relations
        assert len(request["texts"]) == workload.num_texts
        assert (request["batch_size"], request["entity_threshold"]) == (workload.batch_size, 0.25)
        assert workload.level in reporting_relex.readable(name)
    with pytest.raises(ValueError, match="from 1 to"):
        raw_texts.entity_type_names(100)
    with pytest.raises(ValueError, match="named like"):
        reporting_relex.readable("sentence-m10-b1")


def test_logits_of_entities_are_rows_without_padding():
    logits = torch.arange(3 * 2 * 2.0).view(3, 2, 2)  # (words, widths, types), or (words, types, parts)
    of_spans = entity_rows(logits, 2, are_spans=True)
    assert [row[:3] for row in of_spans] == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1]]
    assert [row[3] for row in of_spans] == [0, 1, 2, 3, 4, 5]
    assert [row[3] for row in entity_rows(logits, 2, are_spans=False)] == list(range(8))


def test_answers_are_compared_without_what_only_the_original_gives():
    one, two = ({"start": start, "end": start + 3, "label": "person"} for start in (0, 8))
    spouse, itself = ({"head": one, "tail": tail, "relation": "spouse", "score": 0.5} for tail in (two, one))
    assert answer_of([two, one], [spouse, itself, spouse]) == answer_of([one, two], [spouse])
    assert answer_of([one, two], [spouse]) != answer_of([one, two], [])
    assert answer_of([one, two], []) != answer_of([one], [])


def relex_results() -> dict:
    """Results as `against_original_relex.py` saves them."""

    def side(seconds: float, peak: float, ratio: float | None) -> dict:
        names = reporting_relex.PARTS if ratio else ("encoder",)
        own = {
            "summary": {"seconds": seconds, "noisy": False},
            "memory": {"loaded": 500.0, "peak": peak, "since_start": False},
            "latency": {"p50": 0.25, "p95": 0.5},
            "parts": dict.fromkeys(names, 0.24) | {"encoder": 1.5, "all": 2.0},
        }
        return own if ratio is None else {**own, "compared": {"ratio": ratio}, "largest_difference": 2e-6}

    sides = {"original": side(12.0, 1500.0, None), "eager fp32": side(3.0, 700.0, 4.0)}
    workload = asdict(raw_texts.WORKLOADS["paragraph-span-b1"])
    version = {"torch": "2", "transformers": "5", "python": "3"}
    return {
        "date": "2026-01-02",
        "machine": {"processor": "a processor", "cores": 2, "device": "cpu"},
        "versions": {"this package": version},
        "sides": {"original": {"baseline": ""}, "eager fp32": {"baseline": "original"}},
        "workloads": {"paragraph-span-b1": {"default": {**workload, "sides": sides}}},
    }


def test_tables_of_raw_texts_have_speed_memory_and_what_is_outside_the_encoder():
    tables = reporting_relex.tables_against_relex(relex_results())
    assert "| paragraph-span-b1 | default | 0.50 | 2.00 (4.0 ×) |" in tables
    assert "| paragraph-span-b1 | default | 25.0 % | 25.0 % |" in tables
    assert "| paragraph-span-b1 | default | 20 % |" in tables
    assert "| paragraph-span-b1 | default | eager fp32 | 250 | 40.0 | 40.0 | 40.0 | 40.0 | 40.0 |" in tables


def test_raw_texts_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    reporting_relex.plot_against_relex(relex_results(), tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_a_watch_counts_and_leaves_everything_as_it_was():
    ticks = itertools.count()

    class Owner:
        def double(self, number: int) -> int:
            return 2 * number

    owner, seen = Owner(), []
    watch = Watch(lambda: next(ticks))
    watch.over(owner, "double", "doubling", seen.append)
    assert [owner.double(2), owner.double(5)] == seen == [4, 10]
    watch.end()
    assert watch.seconds == {"doubling": 2}
    assert not vars(owner)
    assert owner.double(1) == 2
    assert watch.seconds == {"doubling": 2}


@pytest.mark.sweep
def test_the_worker_of_documents_scores_alike_in_every_setting_and_knows_its_parts(
    tmp_path, build_model, encoder_folder
):
    from workers.documents import DocumentWorker

    settings = {"mention_representation": "words", "pair_context": "localized", "hidden_size": 24}
    label_encoder = encoder_folder("bert")
    model = build_model("deberta-v2", label_encoder=label_encoder, label_encoding="separate", **settings)
    model.tokenizer.model_max_length = 4096
    model.save_pretrained(tmp_path)
    worker = DocumentWorker({"checkpoint": str(tmp_path), "device": "cpu", "variant": "eager fp32"})
    worker.warm_up()
    texts, types = documents.as_requests(documents.make_documents(3)), workloads.relation_names(4)
    found = []
    for batch_size, keeps_types in ((1, False), (1, True), (8, True)):
        worker.prepare(texts, types, batch_size, keeps_types)
        found.append(worker.compare(0.0)["predictions"])
        seconds = worker.parts(0.5)["seconds"]
        assert set(seconds) == {*reporting_glidre.PARTS, "all"}
        assert seconds["all"] == pytest.approx(sum(seconds[part] for part in reporting_glidre.PARTS))
        assert all(own >= 0 for own in seconds.values())
        assert (seconds["types"] > 0) == (not keeps_types)
    for other in found[1:]:
        assert measuring.compare_predictions(found[0], other, 0.0)[0] < 1e-4
    assert [len(cells) for cells in found[0]] == [len(text["word_spans"]) ** 2 * 4 for text in texts]


@pytest.mark.sweep
@pytest.mark.parametrize("level", raw_texts.LEVELS)
def test_the_worker_of_raw_texts_answers_alike_in_every_setting_and_knows_its_parts(tmp_path, encoder_folder, level):
    from workers.raw_texts import RawTextWorker

    settings = {"entity_finder": level, "max_entity_width": 4, "hidden_size": 24, "use_lstm": True}
    model = GLiRELForJointExtraction.from_encoder(encoder_folder("deberta-v2"), endpoint_projection=True, **settings)
    model.tokenizer.model_max_length = 4096
    model.save_pretrained(tmp_path)
    candidates = [[[0, 1], [3, 6]], [[1, 2], [2, 3]], [[0, 2], [9, 10], [11, 12]]]
    found = []
    for variant, batch_size in (("eager fp32", 1), ("eager fp32", 3), ("optimized fp32", 3)):
        worker = RawTextWorker({"checkpoint": str(tmp_path), "device": "cpu", "variant": variant})
        worker.warm_up()
        workload = replace(raw_texts.WORKLOADS[f"sentence-{level}-b1"], num_texts=3, batch_size=batch_size)
        worker.prepare(**raw_texts.request_of(workload, 0.5))
        found.append(worker.compare(0.0, candidates))
        seconds = worker.parts(0.5)["seconds"]
        assert set(seconds) == {*reporting_relex.PARTS, "all"}
        assert seconds["all"] == pytest.approx(sum(seconds[part] for part in reporting_relex.PARTS))
        assert all(own >= 0 for own in seconds.values())
        assert worker.run(0.5)["relations"] > 0
    for other in found[1:]:
        assert other["answers"] == found[0]["answers"]
        assert measuring.compare_predictions(found[0]["predictions"], other["predictions"], 0.0)[0] < 1e-4
    num_related = [sum(isinstance(row[0], list) for row in rows) for rows in found[0]["predictions"]]
    assert num_related == [2 * 5, 2 * 5, 6 * 5]


def test_kinds_of_what_does_not_hold_are_told_apart():
    words = ["Ada", "met", "Bob", "in", "Oslo"]
    people = [Mention(0, 1, "PERSON"), Mention(2, 3, "PERSON"), Mention(4, 5, "CITY")]
    document = Document(words, people, [Relation(0, 2, "lives in"), Relation(0, 1, "met")])
    elsewhere = Document(words, people, [])
    result = Extraction().run(make_baseline("random"), [document, elsewhere])
    cells = result.cells()
    names = list(extraction.KINDS)
    kind_of = {
        (d, h, result.relation_types[r], t): names[k] if k >= 0 else "holds"
        for d, h, t, r, k in zip(*cells[:4], extraction.kinds_of(result, cells), strict=True)
    }
    assert kind_of[0, 0, "lives in", 2] == kind_of[0, 0, "met", 1] == "holds"
    assert kind_of[0, 2, "lives in", 0] == "swapped"
    assert kind_of[0, 0, "met", 2] == "another type"
    assert kind_of[0, 1, "lives in", 2] == "same tail"
    assert kind_of[0, 1, "lives in", 0] == kind_of[0, 2, "lives in", 1] == "elsewhere"
    assert kind_of[1, 1, "lives in", 2] == "fitting labels"
    assert kind_of[1, 0, "lives in", 1] == "unrelated"
    figures = extraction.analyse(result)
    assert (figures["cells"], figures["holding"]) == (24, 2)
    assert sum(one["share"] for one in figures["kinds"].values()) == pytest.approx(1)
    assert figures["own_f1"] <= figures["best_f1"] <= 1
