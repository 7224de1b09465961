"""Texts that wait to be labelled: how they come, in what order they are taken, and what a reload keeps."""

from __future__ import annotations

import json

import pytest
from labelling import files, memory
from labelling.desk import Desk
from labelling.session import Session

from glirel_transformers.data import Document, Mention, Relation

TEXTS = ["Ada met Bob.", "Bob left\nLondon.", "Eve knows Ada."]


def write(folder, name, content):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def texts(tmp_path):
    return write(tmp_path, "texts.txt", "\n\n".join([*TEXTS[:2], "", TEXTS[2]]) + "\n")


@pytest.fixture
def queued(tiny_pipeline, texts):
    """A desk that was empty when three texts were uploaded."""
    desk = Desk()
    assert desk.run(desk.upload, texts) is None
    return desk


def test_texts_of_a_file_wait_and_the_first_is_taken(queued):
    assert queued.session.text == TEXTS[0]
    assert queued.session.queue == tuple(TEXTS[1:])
    assert queued.note == "3 texts uploaded."
    queued.run(queued.undo)
    assert (queued.session.text, queued.session.queue) == ("", ())


@pytest.mark.parametrize(
    "lines",
    [
        [{"text": text} for text in TEXTS],
        [{"id": number, "text": text, "source": "me"} for number, text in enumerate(TEXTS)],
    ],
)
def test_lines_of_json_with_a_text_alone_are_texts(tmp_path, lines):
    path = write(tmp_path, "texts.jsonl", "\n".join(map(json.dumps, lines)))
    assert files.read(path) == TEXTS
    assert not path.exists()


def test_annotated_lines_are_examples(tmp_path):
    document = Document(["Ada", "met", "Bob"], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "met")])
    assert files.read(write(tmp_path, "a.jsonl", json.dumps(document.to_dict()))) == [document]


def test_saving_goes_on_to_the_next_text_and_keeps_what_is_asked(queued):
    queued.run(queued.type_relations, "met")
    queued.run(queued.mark, 0, 3)
    queued.run(queued.mark, 8, 11)
    assert "There is no relation to save" in queued.run(queued.save_and_next)
    assert queued.session.text == TEXTS[0]  # nothing is lost where it cannot be saved
    queued.run(queued.add, 0, "met", 1)
    assert queued.run(queued.save_and_next) is None
    (example,) = queued.session.examples
    assert example.text == TEXTS[0]
    now = queued.session
    assert (now.text, now.queue, now.entities, now.decisions) == (TEXTS[1], (TEXTS[2],), (), ())
    assert now.relation_lines == "met"
    queued.run(queued.undo)
    assert queued.session.text == TEXTS[0]


def test_a_text_that_is_skipped_comes_again_at_the_end(queued):
    for text in (TEXTS[1], TEXTS[2], TEXTS[0]):
        assert queued.run(queued.skip) is None
        assert queued.session.text == text
    assert len(queued.session.queue) == 2


def test_a_text_waits_once_and_not_where_it_is_an_example_already():
    session = Session(text=TEXTS[0]).wait([TEXTS[1], TEXTS[0], f" {TEXTS[1]} ", ""])
    assert session.queue == (TEXTS[1],)
    example = Document.from_text(TEXTS[2], [], [])
    assert Session(examples=(example,)).wait(TEXTS).queue == tuple(TEXTS[:2])


def test_without_a_text_that_waits_there_is_no_next(tiny_pipeline):
    desk = Desk()
    assert "No text waits. Upload a file of texts" in desk.run(desk.skip)


def test_a_reload_keeps_the_queue(queued):
    remembered = json.loads(json.dumps(memory.desk_to_dict(queued.session)))
    data_set = json.loads(json.dumps(memory.data_set_to_dict(queued.session)))
    fresh = Desk()
    assert fresh.run(fresh.restore, remembered, data_set) is None
    assert fresh.session.queue == queued.session.queue
    assert fresh.session.text == queued.session.text
    assert fresh.run(fresh.restore, remembered, []) is None  # as an earlier version remembers it
    assert fresh.session.queue == ()


def test_a_text_that_is_too_long_is_named(tiny_pipeline, tmp_path):
    desk, path = Desk(), write(tmp_path, "t.txt", "Ada met Bob.\n\n" + "word " * 3000)
    assert desk.run(desk.upload, path).startswith("Text 2 of 2: The text has")
    assert desk.session.queue == ()
