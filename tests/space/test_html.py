import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from labelling import html, memory, view
from labelling.examples import EXAMPLES, RELATION_SETS
from labelling.session import Session
from labelling.values import ACCEPTED, Span, Triple
from labelling.view import Row

from glirel_transformers.data import Document
from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.requests_glirel import read_relation_types
from glirel_transformers.scores_glirel import find_unmet_constraints

NASTY = "<script>alert(1)</script> \"Ada\" & 'Bob' {{x}} ${1} `q` </mark> &amp; 😀 {y} \\n"
VOID = {"input", "br"}


class Reader(HTMLParser):
    """Reads HTML strictly: every element is closed, in order."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), len(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    assert not re.search(r"[{}$]", page), "templates read these"
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert "script" not in {tag for tag, *_ in reader.elements}
    return reader


def nasty_session():
    session = Session(text=NASTY)
    for surface, label in (("Ada", '"><i>'), ("Bob", "{{z}}"), ("Ada\" & 'Bob", "${2}"), ("script>alert", None)):
        start = NASTY.index(surface)
        session, position, problem = session.mark(start, start + len(surface), label)
        assert position is not None, problem
    return session


def test_the_text_is_shown_as_it_is_with_nested_marks():
    session = nasty_session()
    reader = read(html.annotator(session, html.palette(e.label for e in session.entities), 1, NASTY, 7))
    shown = "".join(reader.text)
    assert shown == NASTY * 2  # the text and the note
    marks = [
        (attrs["data-position"], attrs["data-label"], depth) for tag, attrs, depth in reader.elements if tag == "mark"
    ]
    assert [mark[:2] for mark in marks] == [(str(i), e.label or "") for i, e in enumerate(session.entities)]
    depths = {label: depth for _, label, depth in marks}
    assert depths['"><i>'] == depths["${2}"] + 1
    assert [tag for tag, *_ in reader.elements if tag == "i"] == []
    (text,) = (attrs for _, attrs, _ in reader.elements if attrs.get("class") == "gl-text")
    assert (text["data-open"], text["data-turn"]) == ("1", "7")


def test_marks_that_begin_or_end_together_are_well_formed():
    text = "a b c d"
    session = Session(text=text)
    for start, end in ((0, 7), (0, 3), (0, 1), (4, 7), (6, 7), (2, 3)):
        session, position, _ = session.mark(start, end, None)
        assert position is not None
    reader = read(html.annotator(session, html.palette([])))
    assert "".join(reader.text) == text
    assert [depth for tag, _, depth in reader.elements if tag == "mark"] == [2, 3, 4, 4, 3, 4]


@pytest.mark.parametrize(
    ("part", "cure"),
    [
        (html.annotator(Session(), html.palette([])), "Your text appears here"),
        (html.review([], [], {}), "Extract relations, lower the threshold, or add a missing relation below."),
        (html.heat_map(None, []), "The scores of every pair and relation appear here."),
        (html.examples_list(Session()), "No example saved yet."),
    ],
)
def test_an_empty_text_and_empty_lists_say_what_to_do(part, cure):
    reader = read(part)
    assert [attrs["class"] for tag, attrs, _ in reader.elements if tag == "p"] == ["gl-empty"]
    assert cure in "".join(reader.text)


def test_constraints_that_no_entity_meets_are_listed_with_the_types_that_there_are():
    asked = {
        NASTY: {"head": [NASTY], "tail": ["CITY"]},
        "spouse": {"head": ["PERSN"], "tail": ["PERSON"]},
        "free": None,
    }
    unmet = find_unmet_constraints(read_relation_types(asked), ["PERSON", "CITY", "{{z}}", None])
    reader = read(html.unmet_constraints(unmet))
    items = "".join(reader.text)
    assert f"{NASTY}: {NASTY} as the head" in items
    assert "spouse: PERSN as the head" in items
    assert "Types in the text: CITY, PERSON, {{z}}." in items
    assert sum(tag == "li" for tag, *_ in reader.elements) == 2
    many = read(html.unmet_constraints(unmet * 10))
    assert sum(tag == "li" for tag, *_ in many.elements) == html.MAX_SHOWN_CONSTRAINTS
    assert "and 12 more" in "".join(many.text)
    assert html.unmet_constraints([]) == ""


def test_reviewed_relations_are_escaped():
    row = Row(Triple(Span(0, 1), NASTY, Span(2, 3)), 0.5, "changed", NASTY, NASTY, NASTY, NASTY, "")
    reader = read(html.review([row], ["a", NASTY], html.palette([NASTY])))
    options = [(attrs.get("selected", "no")) for tag, attrs, _ in reader.elements if tag == "option"]
    assert options == ["no", None]
    keys = {attrs["data-row"] for _, attrs, _ in reader.elements if "data-row" in attrs}
    assert keys == {row.key}
    pressed = [attrs.get("aria-pressed") for tag, attrs, _ in reader.elements if tag == "button"]
    assert pressed == ["true", "false", None]


def test_the_heat_map_has_a_cell_for_each_score(desk):
    desk.run(desk.choose, 0.5, 1)
    left_out = view.left_out(desk.workspace)
    reader = read(html.heat_map(desk.workspace.scores, left_out.reasons))
    cells = [attrs for tag, attrs, _ in reader.elements if tag == "td"]
    assert len(cells) == 12 * 3
    assert sum(cell["class"] == "gl-yes" for cell in cells) == len(view.rows(desk.workspace))
    assert all(re.search(r": \d\.\d{3}, ", cell["title"]) for cell in cells)


def test_saved_examples_are_escaped_and_counted(monkeypatch):
    session = nasty_session()
    spans = [entity.span for entity in session.entities]
    session = session.decide(Triple(spans[0], NASTY, spans[-1]), ACCEPTED, 0.5)
    session = session.save(replace(session, complete=True).to_document([]))
    reader = read(html.examples_list(session))
    assert NASTY in "".join(reader.text)
    assert "1</b> example saved, 1 relation<" in html.counter(session)
    assert "gl-note" not in html.counter(session)
    monkeypatch.setattr(memory, "MAX_BYTES", 1000)
    assert "Download the data set as JSONL soon" in html.counter(session)
    monkeypatch.setattr(html, "MAX_SHOWN_EXAMPLES", 1)
    assert "1 more are in the data set" in html.examples_list(session.merge([Document(["a", "b"], [], [])]))


def test_types_have_hues_of_their_own():
    hues = html.palette(["PERSON", "a", "b", None, ""])
    assert len({hues[label] for label in ("PERSON", "a", "b")}) == 3
    assert hues == html.palette(["b", "a", "PERSON"])
    many = html.palette(map(str, range(40)))
    assert {str(number) for number in range(40)} < set(many)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_ready_to_extract(name):
    example = EXAMPLES[name]
    entities = [{"start": e.start, "end": e.end, "label": e.label} for e in example.entities]
    document = Document.from_text(example.text, entities, [])  # which checks the bounds of words
    assert 6 <= len(document.mentions) <= 10
    labels = {entity.label for entity in example.entities}
    for relation in read_relation_types(read_relation_lines(example.relation_lines)):
        for side in (relation.head, relation.tail):
            assert side is None or side & labels, f"{relation.name} admits nothing of this text"


@pytest.mark.parametrize("name", RELATION_SETS)
def test_relation_sets_can_be_read(name):
    assert len(read_relation_types(read_relation_lines(RELATION_SETS[name]))) >= 5
