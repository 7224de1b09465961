import errno
import json
import multiprocessing

import pytest

from glirel_transformers.jobs import Counts, ResumableOutput
from glirel_transformers.jobs.sources import Chunk

SETTINGS = {"model": "a", "relation_types": {"x": {}, "y": {}}, "on_error": "stop"}
SIZE = 4


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.jsonl"


def chunk(end, size=SIZE):
    return Chunk([None] * size, size, end, 0, f"digest of {end}")


def write(output, end, size=SIZE, malformed=0, **options):
    records = [{"number": number} for number in range(end - size, end)]
    output.write(chunk(end, size), records, Counts(size, 0, malformed), **options)


def numbers(path):
    return [json.loads(line)["number"] for line in path.read_text().splitlines()]


def test_a_run_goes_on_at_the_end_of_the_last_whole_chunk(path):
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
        write(output, 4)
        write(output, 8)
    with path.open("a") as file:
        file.write('{"number": 8}\n{"half a li')  # what a run that was killed may leave
    output = ResumableOutput(path, SETTINGS, SIZE)
    assert (output.reached.items, output.reached.counts.texts, output.finished) == (8, 8, None)
    with output:
        output.begin()
        assert numbers(path) == list(range(8))
        write(output, 10, size=2)
        output.finish()
    assert numbers(path) == list(range(10))


def test_a_finished_run_is_complete_unless_the_input_has_grown(path):
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
        write(output, 4)
        write(output, 6, size=2)
        output.finish()
    output = ResumableOutput(path, SETTINGS, SIZE)
    assert output.is_complete(chunk(6, 2))
    assert not output.is_complete(chunk(7, 3))
    assert not output.is_complete(None)
    with output:
        output.begin()  # the last chunk was not whole: it is worked on again, with what has come since
        assert numbers(path) == [0, 1, 2, 3]
        write(output, 8)
        output.finish()
    output = ResumableOutput(path, SETTINGS, SIZE)
    assert output.is_complete(None)
    assert not output.is_complete(chunk(9, 1))


def test_a_chunk_that_is_not_whole_is_worked_on_again(path):
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
        write(output, 4)
        write(output, 8, is_whole=False)
    assert numbers(path) == list(range(8))
    output = ResumableOutput(path, SETTINGS, SIZE)
    assert (output.reached.items, output.finished) == (4, None)


def test_other_settings_are_refused_and_named(path):
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
    other = {**SETTINGS, "model": "b", "relation_types": {"y": {}, "x": {}}}
    with pytest.raises(ValueError, match=r'model was "a" and is "b"; relation_types was .*--overwrite'):
        ResumableOutput(path, other, SIZE)
    with ResumableOutput(path, other, SIZE, overwrite=True) as output:
        output.begin()
    assert ResumableOutput(path, other, SIZE).settings == other


def test_what_to_do_on_errors_may_change_until_there_was_one(path):
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
        write(output, 4)
    skipping = {**SETTINGS, "on_error": "skip"}
    with ResumableOutput(path, skipping, SIZE) as output:
        output.begin()
        write(output, 8, malformed=1)
    with pytest.raises(ValueError, match='on_error was "skip" and is "keep"'):
        ResumableOutput(path, {**SETTINGS, "on_error": "keep"}, SIZE)


def test_a_file_that_is_no_output_of_ours_is_left_alone(path):
    path.write_text("mine\n")
    with pytest.raises(ValueError, match="exists already"):
        ResumableOutput(path, SETTINGS, SIZE)
    assert path.read_text() == "mine\n"
    path.with_name("out.jsonl.progress.json").write_text("{}")
    with pytest.raises(ValueError, match="is not the journal of a run"):
        ResumableOutput(path, SETTINGS, SIZE)
    with ResumableOutput(path, SETTINGS, SIZE, overwrite=True) as output:
        output.begin()
    assert path.read_text() == ""


@pytest.mark.parametrize("change", [lambda path: path.write_text("{}\n"), lambda path: path.unlink()])
def test_an_output_that_was_changed_is_not_continued(path, change):
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
        write(output, 4)
    change(path)
    with pytest.raises(ValueError, match="it has changed since"):
        ResumableOutput(path, SETTINGS, SIZE)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_no_half_line_stays_when_a_write_breaks_off(path, error):
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
        write(output, 4)
        whole = output._append

        def half(data):
            whole(data[: len(data) // 2])
            raise error

        output._append = half
        with pytest.raises(type(error), match="run the same command again" if isinstance(error, OSError) else None):
            write(output, 8)
    assert numbers(path) == [0, 1, 2, 3]
    assert ResumableOutput(path, SETTINGS, SIZE).reached.items == 4


def _try_to_write(path, queue):
    try:
        with ResumableOutput(path, SETTINGS, SIZE, overwrite=True):
            queue.put("written")
    except OSError as error:
        queue.put(str(error))


def test_two_runs_do_not_write_one_file(path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with ResumableOutput(path, SETTINGS, SIZE) as output:
        output.begin()
        write(output, 4)
        process = context.Process(target=_try_to_write, args=(path, queue))
        process.start()
        assert "Another run is writing" in queue.get(timeout=60)
        process.join()
    assert numbers(path) == [0, 1, 2, 3]
