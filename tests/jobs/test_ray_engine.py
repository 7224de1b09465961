import gzip
import os
import signal
import threading
from dataclasses import replace

import pytest

from glirel_transformers.jobs import (
    ExtractionSettings,
    ResumableOutput,
    Source,
    find_sources,
    local_engine,
    read_chunks,
    write_resumably,
)
from glirel_transformers.jobs.ray_engine import parts_of, ray_engine


@pytest.fixture
def settings(model_folder):
    return ExtractionSettings({"place of birth": {}, "spouse": {}}, str(model_folder), threshold=0.0, batch_size=1)


def test_parts_of_chunks_are_the_items_again(write_corpus, tmp_path):
    write_corpus(30, {4: "", 9: "bad"}, name="a.jsonl")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write(write_corpus(10, name="c.jsonl").read_text())
    (tmp_path / "d.txt").write_text("Ada met Bob.\n")
    (tmp_path / "e.txt").write_text("Bob met Ada.\n")
    chunks = list(read_chunks(find_sources([str(tmp_path)]), 7))
    assert len(chunks) == 8
    for chunk in chunks:
        assert [item for part in parts_of(chunk) for item in part.read()] == chunk.items
    assert sum(len(parts_of(chunk)) for chunk in chunks) <= len(chunks) + 5


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_parts_of_tables_are_the_rows_again(tmp_path, name):
    rows = [f'{number},"Ada met{chr(10) * (number % 3)} Bob."\r\n' for number in range(20)]
    with (gzip.open if name.endswith(".gz") else open)(tmp_path / name, "wb") as file:
        file.write("".join(["id,text\r\n", *rows[:8], "\r\n", *rows[8:]]).encode())
    for chunk in read_chunks(find_sources([str(tmp_path)], text_column="text"), 7):
        (part,) = parts_of(chunk)
        assert list(part.read()) == chunk.items


def test_what_workers_cannot_read_is_an_error():
    (chunk,) = read_chunks([Source("text", text="Ada met Bob.")], 4)
    with pytest.raises(ValueError, match="--engine ray reads files"):
        parts_of(chunk)


@pytest.fixture
def write(settings, observer, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(path, sources, engine):
        output = ResumableOutput(path, settings.shaping(), settings.chunk_size)
        return write_resumably(sources, lambda: engine, output, "keep", observer)

    return call


@pytest.mark.sweep
def test_what_a_worker_cannot_do_is_said_as_in_one_process(settings, write_corpus, tmp_path, capfd):
    pytest.importorskip("ray")
    chunks = read_chunks(find_sources([str(write_corpus(20))]), 16)
    with pytest.raises(OSError, match=r"There is no folder '\./nowhere'"):
        list(ray_engine(replace(settings, model="./nowhere"), 1)(chunks))
    assert "Traceback" not in capfd.readouterr().err


def workers():
    """The processes of Ray's in which our model runs, started by this one."""
    psutil = pytest.importorskip("psutil")
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "MapWorker" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            pass
    return found


@pytest.mark.sweep
def test_two_workers_go_on_with_the_work_of_one_process_though_one_is_killed(settings, write, write_corpus, tmp_path):
    ray = pytest.importorskip("ray")
    sources = find_sources([str(write_corpus(1500, {20: "bad", 1450: "bad"}))])
    write(tmp_path / "one.jsonl", sources, local_engine(settings))
    path, killed = tmp_path / "both.jsonl", []

    def broken_off(chunks):
        for position, worked in enumerate(local_engine(settings)(chunks)):
            if position == 5:
                raise KeyboardInterrupt
            yield worked

    with pytest.raises(KeyboardInterrupt):
        write(path, sources, broken_off)
    size_before = path.stat().st_size
    assert 0 < size_before < (tmp_path / "one.jsonl").stat().st_size

    finished = threading.Event()

    def kill_one():
        while not killed and not finished.wait(0.02):
            if path.stat().st_size > size_before and (pids := workers()):
                os.kill(pids[0], signal.SIGKILL)
                killed.append(path.stat().st_size)

    thread = threading.Thread(target=kill_one)
    thread.start()
    try:
        outcome = write(path, sources, ray_engine(settings, 2))
    finally:
        finished.set()
        thread.join()
    (size_then,) = killed
    assert size_then < path.stat().st_size  # it was killed while there was work
    assert path.read_bytes() == (tmp_path / "one.jsonl").read_bytes()
    assert (outcome.counts.texts, outcome.counts.malformed) == (1498, 2)
    assert not ray.is_initialized()
