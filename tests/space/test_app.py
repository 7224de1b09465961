import importlib.util
from pathlib import Path

import gradio as gr
import pytest
from labelling.desk import Desk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page():
    spec = importlib.util.spec_from_file_location("space_page", ROOT / "space" / "app.py")
    app = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(app)
    return app.Page()


def sent(page, values):
    """The components that get something new."""
    return {component for component, value in zip(page.shown, values, strict=True) if value != gr.skip()}


def test_only_what_is_new_is_sent(page, desk):
    assert sent(page, page._show(desk)) == set(page.shown)
    assert sent(page, page._show(desk)) == set()
    desk.run(desk.choose, 0.99, 1)
    moved = sent(page, page._show(desk))
    assert {page.table, page.review, page.memory} <= moved
    assert not moved & {page.annotator, page.head, page.relation, page.tail, page.data_set}
    desk.run(desk.complete, True)
    desk.run(desk.save)
    assert {page.data_set, page.counter, page.examples, page.saved_actions} <= sent(page, page._show(desk))
    desk.run(desk.mark, 0, 11)  # marked already: its form opens all the same, and again
    assert page.annotator in sent(page, page._show(desk))
    desk.run(desk.mark, 0, 11)
    assert page.annotator in sent(page, page._show(desk))


def test_the_types_of_the_entities_are_shown_next_to_the_relations_that_admit_none(page, desk):
    shown = dict(zip(page.shown, page._show(desk), strict=True))
    assert shown[page.constraints]["visible"] is False
    desk.run(desk.type_relations, "place of birth: PERSN -> CITY\nspouse\nworks in")
    shown = dict(zip(page.shown, page._show(desk), strict=True))
    assert shown[page.constraints]["visible"] is True
    assert "place of birth: PERSN as the head" in shown[page.constraints]["value"]
    assert "Types in the text: CITY, PERSON." in shown[page.constraints]["value"]


def test_problems_are_shown_in_place(page, desk):
    problem = desk.run(Desk.add, desk, None, None, None)
    status = page._show(desk, problem)[list(page.shown).index(page.status)]
    assert "Choose a head, a relation and a tail." in status


def test_events_are_private(page):
    for event in page.blocks.fns.values():
        assert event.api_visibility == ("public" if event.api_name else "private")
