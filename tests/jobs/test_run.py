import json

import pytest

from glirel_transformers.jobs import (
    Counts,
    ResumableOutput,
    find_sources,
    read_chunks,
    stream_records,
    write_resumably,
)

SIZE = 8


@pytest.fixture
def run(tmp_path, observer):
    """`run(corpus, engine)`: writes `out.jsonl` in chunks of 8 lines."""

    def call(corpus, engine, on_error="stop", name="out.jsonl", overwrite=False):
        output = ResumableOutput(tmp_path / name, {"on_error": on_error}, SIZE, overwrite)
        return write_resumably(find_sources([str(corpus)]), lambda: engine, output, on_error, observer)

    return call


def ids(path):
    return [json.loads(line).get("id") for line in path.read_text().splitlines()]


@pytest.mark.parametrize("num_chunks", [0, 1, 3, 6])
def test_a_run_that_was_broken_off_goes_on_to_the_same_bytes(num_chunks, run, write_corpus, make_engine, tmp_path):
    corpus = write_corpus(50)
    run(corpus, make_engine(), name="whole.jsonl")
    with pytest.raises(KeyboardInterrupt):
        run(corpus, make_engine(break_off_after=num_chunks))
    assert ids(tmp_path / "out.jsonl") == list(range(SIZE * num_chunks))
    engine = make_engine()
    outcome = run(corpus, engine)
    assert engine.num_chunks == 7 - num_chunks
    assert outcome.counts == Counts(50, 50)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_complete_run_loads_nothing_until_the_input_grows(run, write_corpus, make_engine, tmp_path):
    for before, after in ((20, 21), (21, 40), (40, 41)):
        run(write_corpus(before), make_engine())
        again = run(write_corpus(before), None)  # no engine is made
        assert again.was_complete
        assert again.counts.texts == before
        outcome = run(write_corpus(after), make_engine())
        assert (outcome.was_complete, outcome.counts.texts) == (False, after)
        run(write_corpus(after), make_engine(), name="whole.jsonl", overwrite=True)
        assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize("change", [{3: '{"id": "new"}'}, None])
def test_another_input_is_refused(change, run, write_corpus, make_engine, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(write_corpus(50), make_engine(break_off_after=3))
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(ValueError, match="first 24 texts are not those"):
        run(write_corpus(50 if change else 20, change), make_engine())
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_malformed_lines_end_the_run_and_the_mended_input_goes_on(run, write_corpus, make_engine, tmp_path, observer):
    outcome = run(write_corpus(30, {12: "bad", 13: "bad"}), make_engine())
    assert outcome.stopped.item.line == 13
    assert outcome.counts == Counts(12, 12, 1)
    assert observer.met_items == [f"{tmp_path}/corpus.jsonl:13: no JSON"]
    assert ids(tmp_path / "out.jsonl") == list(range(12))
    engine = make_engine()
    assert run(write_corpus(30), engine).counts == Counts(30, 30)
    assert engine.num_chunks == 3  # from the chunk with the malformed line, so that batches are as ever
    assert ids(tmp_path / "out.jsonl") == list(range(30))


@pytest.mark.parametrize(("on_error", "kept"), [("skip", []), ("keep", [None])])
def test_malformed_lines_are_left_out_or_kept(on_error, kept, run, write_corpus, make_engine, tmp_path, observer):
    outcome = run(write_corpus(30, {0: "bad", 12: "bad", 29: "bad"}), make_engine(), on_error)
    assert outcome.stopped is None
    assert outcome.counts == Counts(27, 27, 3)
    assert len(observer.met_items) == 3
    assert ids(tmp_path / "out.jsonl") == [*kept, *range(1, 12), *kept, *range(13, 29), *kept]
    if on_error == "keep":
        first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
        assert first == {"source": f"{tmp_path}/corpus.jsonl", "line": 1, "input": "bad", "error": "no JSON"}


def test_a_stream_reads_one_chunk_at_a_time(write_corpus, make_engine, observer):
    engine = make_engine()
    records = stream_records(read_chunks(find_sources([str(write_corpus(50))]), SIZE), engine, "stop", observer)
    stream = iter(records)
    assert [next(stream)["id"] for _ in range(SIZE)] == list(range(SIZE))
    assert engine.num_chunks == 1
    assert [record["id"] for record in stream] == list(range(SIZE, 50))
    assert records.outcome.counts == Counts(50, 50)
    assert observer.num_texts == 50


def test_a_stream_ends_before_a_malformed_line(write_corpus, make_engine, observer):
    sources = find_sources([str(write_corpus(30, {9: "bad"}))])
    records = stream_records(read_chunks(sources, SIZE), make_engine(), "stop", observer)
    assert [record["id"] for record in records] == list(range(9))
    assert records.outcome.stopped.item.line == 10
