"""The Space in a real browser, as a person uses it: `make test-browser`.

Screenshots of every state go to the folder `$GLIREL_SCREENSHOTS`, for people to look at.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_joint import ENTITY_TYPES, JOINT_ENTITIES, JOINT_TEXT, make_joint_model

from glirel_transformers import RelationExtractor

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: `make test-browser` installs it"),
]

ROOT = Path(__file__).resolve().parents[2]
# Quiet: a browser that looks nothing up by itself.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWPORTS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 400, "height": 850}}
TEXT = "Ada Lovelace 😀 was born in London. Charles Babbage {x} taught at the University of Cambridge, she wrote."
RELATIONS = "place of birth: PERSON -> CITY\neducated at: PERSON -> ORGANIZATION\nspouse: PERSON <-> PERSON"
# The rectangle of the first occurrence of some words within one text node.
RECTANGLE = """([selector, words]) => {
  const walker = document.createTreeWalker(document.querySelector(selector), NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const start = node.textContent.indexOf(words);
    if (start < 0) continue;
    const range = document.createRange();
    range.setStart(node, start);
    range.setEnd(node, start + words.length);
    const all = range.getClientRects();
    const [first, last] = [all[0], all[all.length - 1]];
    return [first.left, first.top + first.height / 2, last.right, last.top + last.height / 2];
  }
}"""


@contextmanager
def page_of(log: Path, **variables: str) -> Iterator[str]:
    """The address of the page, started as the README says."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "OMP_NUM_THREADS": "1", **variables}
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "space" / "app.py")], env=environment, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(url, timeout=2).read()
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.5)
        else:
            pytest.fail(f"The page did not start: {log.read_text()}")
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with a model that scores relations of entities that are marked."""
    mini = str(ROOT / "checkpoints" / "glirel-mini")
    with page_of(tmp_path_factory.mktemp("space") / "log", GLIREL_MODEL=mini) as url:
        yield url


@pytest.fixture(scope="module")
def joint_folder(encoder_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds the entities of `JOINT_TEXT`."""
    folder = tmp_path_factory.mktemp("joint")
    make_joint_model(encoder_folder("bert")).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def joint_address(joint_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page with that model."""
    with page_of(tmp_path_factory.mktemp("space") / "log", GLIREL_MODEL=str(joint_folder)) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as runner:
        chromium = runner.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


class Visitor:
    """A person at the page."""

    def __init__(self, page: Any, name: str) -> None:
        self.page, self.name, self.shots = page, name, 0

    def open(self, url: str) -> Visitor:
        self.page.goto(url)
        self.wait_for("#status .gl-status")
        return self

    def wait_for(self, selector: str, text: str | None = None) -> None:
        place = self.page.locator(selector)
        (place.filter(has_text=text) if text else place).first.wait_for(timeout=20_000)

    def shoot(self, state: str) -> None:
        folder = Path(os.environ.get("GLIREL_SCREENSHOTS", ""))
        if folder.name:
            folder.mkdir(parents=True, exist_ok=True)
            self.shots += 1
            self.page.wait_for_timeout(250)  # for animations
            self.page.screenshot(path=folder / f"{self.name}-{self.shots:02}-{state}.png", full_page=True)

    def drag(self, words: str, selector: str = ".gl-text") -> None:
        """Drags the mouse over these words."""
        self.page.locator(selector).first.scroll_into_view_if_needed()
        left, top, right, bottom = self.page.evaluate(RECTANGLE, [selector, words])
        mouse = self.page.mouse
        mouse.move(left + 1, top)
        mouse.down()
        mouse.move((left + right) / 2, (top + bottom) / 2, steps=4)
        mouse.move(right - 1, bottom, steps=4)
        mouse.up()

    def mark(self, words: str, label: str) -> None:
        """Marks these words, and types their type."""
        self.drag(words)
        self.wait_for(".gl-form input[name=label]")
        self.page.keyboard.type(label)
        self.page.keyboard.press("Enter")
        self.wait_for(f'.gl-text mark[data-label="{label}"]', words)

    def marks(self) -> list[tuple[str, str]]:
        return [(mark.inner_text(), mark.get_attribute("data-label")) for mark in self.page.locator("mark").all()]

    def extract(self) -> None:
        self.page.click("#extract")
        self.wait_for("#status", "left out")

    def rows(self) -> list[str]:
        return [row.inner_text() for row in self.page.locator("#review li").all()]

    def download(self, kind: str, folder: Path) -> Path:
        with self.page.expect_download() as download:
            self.page.click(f"#download-{kind}")
        target = folder / download.value.suggested_filename
        download.value.save_as(target)
        return target

    def upload(self, file: Path) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.page.click("#upload")
        chooser.value.set_files(file)


@pytest.fixture
def visit(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visitor]]:
    """`visit("phone")`: a new visitor at the page. Nothing may go wrong in the console or leave this machine."""
    yield from visits(browser, address, request)


@pytest.fixture
def visit_joint(browser: Any, joint_address: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visitor]]:
    """As `visit`, at the page whose model finds entities."""
    yield from visits(browser, joint_address, request)


LEFT = "AbortError: signal is aborted"  # Gradio's own word for what it still waited for when a page was left


def visits(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visitor]]:
    contexts: list[Any] = []
    troubles: list[str] = []

    def listen(message: Any) -> None:
        if message.type == "error":
            troubles.append(message.text)

    def fail(error: Any) -> None:
        if not str(error).startswith(LEFT):
            troubles.append(str(error))

    def check(asked: Any) -> None:
        if not asked.url.startswith((address, address.replace("http", "ws"), "blob:", "data:")):
            troubles.append(f"a request left the machine: {asked.url}")

    def make(viewport: str = "desktop", theme: str = "light", **options: Any) -> Visitor:
        context = browser.new_context(viewport=VIEWPORTS[viewport], accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", listen)
        page.on("pageerror", fail)
        page.on("request", check)
        name = request.node.originalname.removeprefix("test_")
        return Visitor(page, f"{name}-{viewport}-{theme}").open(f"{address}/?__theme={theme}")

    yield make
    for context in contexts:
        context.close()
    assert not troubles


@pytest.mark.parametrize("viewport", VIEWPORTS)
def test_mark_extract_correct_collect(visit, viewport, tmp_path):
    person = visit(viewport)
    page = person.page
    person.shoot("empty")
    page.fill("#text textarea", TEXT)
    person.wait_for(".gl-text", "Ada Lovelace")
    person.drag("Ada Lovelace")
    person.wait_for(".gl-form input[name=label]")
    person.shoot("marking")
    page.keyboard.type("PERSON")
    page.keyboard.press("Enter")
    person.wait_for('mark[data-label="PERSON"]')
    person.mark("London", "CITY")
    person.mark("arles Babb", "PERSON")  # whole words are marked
    person.mark("University of Cambridge", "ORGANIZATION")
    expected = [("Ada Lovelace", "PERSON"), ("London", "CITY"), ("Charles Babbage", "PERSON")]
    assert person.marks() == [*expected, ("University of Cambridge", "ORGANIZATION")]
    assert page.inner_text(".gl-text").strip() == TEXT

    page.fill("#relations textarea", RELATIONS)
    page.wait_for_timeout(300)
    person.extract()
    person.shoot("extracted")
    before = len(person.rows())
    page.locator("#threshold input[type=number]").fill("0.95")
    page.keyboard.press("Tab")
    page.wait_for_function(f"document.querySelectorAll('#review li').length < {max(before, 1)}")
    page.locator("#threshold input[type=number]").fill("0.05")
    page.keyboard.press("Tab")
    page.wait_for_function(f"document.querySelectorAll('#review li').length >= {max(before, 1)}")
    for tab in ("Graph", "Heat map", "Left out"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(400)
        person.shoot(tab.lower().replace(" ", "-"))
    page.get_by_role("tab", name="Table").click()

    page.locator("#review [data-action=reject]").first.click()
    person.wait_for("#review .gl-rejected")
    rejected = page.locator("#review .gl-rejected .gl-entity").first.inner_text()
    page.locator("#review li:not(.gl-rejected) select").first.select_option("spouse")
    person.wait_for("#review .gl-changed", "was")
    person.page.wait_for_timeout(300)
    assert page.locator("#review .gl-changed select").input_value() == "spouse"
    page.get_by_text("Add a missing relation").first.click()
    for side, position in (("head", 0), ("tail", 2)):
        page.locator(f"#add-{side} input").click()
        page.locator("ul[role=listbox] li").nth(position).click()
    page.locator("#add-relation input").fill("colleague of")
    page.keyboard.press("Enter")
    page.click("#add-relation-button")
    person.wait_for("#review .gl-added", "colleague of")
    person.shoot("corrected")
    page.click("#save")
    person.wait_for("#counter", "1 example saved")
    person.shoot("saved")

    saved = person.download("jsonl", tmp_path)
    (document,) = [json.loads(line) for line in saved.read_text(encoding="utf-8").splitlines()]
    assert document["text"] == TEXT
    assert {"spouse", "colleague of"} <= {relation["relation_type"] for relation in document["relations"]}
    assert any(line.startswith("rejected: ") for line in document["history"])
    for kind, sign in (("csv", "colleague of"), ("graphml", "<graphml"), ("turtle", "@prefix")):
        assert sign in person.download(kind, tmp_path).read_text(encoding="utf-8")

    rows = person.rows()
    page.reload()
    person.wait_for("#counter", "1 example saved")
    person.wait_for("#status", "left out")  # the scores are computed again
    assert page.input_value("#text textarea") == TEXT
    assert page.input_value("#relations textarea") == RELATIONS
    assert person.marks()[:3] == expected
    assert person.rows() == rows
    assert rejected in page.locator("#review .gl-rejected .gl-entity").first.inner_text()
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= VIEWPORTS[viewport]["width"]

    other = visit(viewport)  # another visitor sees nothing of it, until the file is uploaded
    assert "0 examples" in other.page.inner_text("#counter")
    assert other.page.input_value("#text textarea") == ""
    other.upload(saved)
    other.wait_for("#counter", "1 example saved")
    other.wait_for(".gl-text", "Ada Lovelace")
    assert other.page.input_value("#text textarea") == TEXT
    assert other.marks()[:3] == expected
    other.shoot("uploaded")
    assert (
        other.download("jsonl", tmp_path).read_text(encoding="utf-8")
        == json.dumps(document, ensure_ascii=False) + "\n"
    )


def test_only_what_is_reviewed_is_saved_and_complete_belongs_to_the_example(visit, tmp_path):
    person = visit()
    page = person.page
    page.fill("#text textarea", TEXT)
    person.wait_for(".gl-text", "Ada Lovelace")
    for words, label in (("Ada Lovelace", "PERSON"), ("London", "CITY"), ("Charles Babbage", "PERSON")):
        person.mark(words, label)
    page.fill("#relations textarea", RELATIONS)
    page.locator("#threshold input[type=number]").fill("0.01")
    page.keyboard.press("Tab")
    page.wait_for_timeout(300)
    person.extract()
    person.wait_for("#review li")
    number = len(person.rows())
    assert number > 2
    person.wait_for("#save", f"Save 0 relations, leave out {number} not reviewed")
    assert not page.is_checked("#exhaustive input")

    page.check("#exhaustive input")
    page.wait_for_timeout(300)
    page.click("#save")
    person.wait_for(".toast-body", "not reviewed, so the list is not complete yet")
    assert "0 examples" in page.inner_text("#counter")
    page.locator("#review li button").first.focus()
    for place in range(number):  # each key goes on to the next that is open
        page.keyboard.press("a" if place % 2 == 0 else "r")
        person.wait_for("#status", f"{place + 1} of {number} reviewed")
        page.wait_for_timeout(100)
    person.shoot("reviewed")
    accepted = (number + 1) // 2
    person.wait_for("#save", f"Save example: {accepted} relation")
    page.click("#save")
    person.wait_for("#counter", "1 example saved")
    (document,) = [json.loads(line) for line in person.download("jsonl", tmp_path).read_text("utf-8").splitlines()]
    assert len(document["relations"]) == accepted
    assert document.get("exhaustive", True)

    page.reload()
    person.wait_for("#counter", "1 example saved")
    page.wait_for_function("document.querySelector('#exhaustive input').checked")
    page.uncheck("#exhaustive input")
    page.wait_for_timeout(300)
    page.click("#open-example")
    page.wait_for_function("document.querySelector('#exhaustive input').checked")
    page.click("#remove-all")
    person.wait_for("#remove-all", "Really remove all 1")
    page.click("#remove-all")
    person.wait_for("#counter", "0 examples saved")


def test_words_at_the_start_of_a_mark_can_be_marked_inside_it(visit):
    person = visit()
    page = person.page
    page.fill("#text textarea", "Anna Weber moved to New York City.")
    person.mark("New York City", "CITY")
    person.drag("New York")
    person.wait_for(".gl-form input[name=label]")
    page.keyboard.type("STATE")
    page.keyboard.press("Enter")
    person.wait_for('mark[data-label="STATE"]')
    assert person.marks() == [("New York City", "CITY"), ("New York", "STATE")]


def test_marks_are_nested_renamed_and_deleted(visit):
    person = visit()
    page = person.page
    page.fill("#text textarea", "The University of Warsaw lies in Warsaw.")
    person.wait_for(".gl-text", "University")
    person.mark("University of Warsaw", "ORGANIZATION")
    person.mark("Warsaw", "CITY")  # within the university
    assert person.marks() == [("University of Warsaw", "ORGANIZATION"), ("Warsaw", "CITY")]
    assert page.locator("mark mark").inner_text() == "Warsaw"
    page.locator("mark mark").click()
    page.fill(".gl-form input[name=label]", "TOWN")
    page.keyboard.press("Enter")
    person.wait_for('mark[data-label="TOWN"]')
    person.shoot("nested")
    page.locator("mark mark").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_function("document.querySelectorAll('mark').length === 1")
    page.click("#undo")
    person.wait_for('mark[data-label="TOWN"]')
    mark = page.locator("mark").first
    mark.focus()
    page.keyboard.press("Delete")
    page.wait_for_function("document.querySelectorAll('mark').length === 1")


def test_a_mark_across_the_end_of_another_is_refused_in_words(visit):
    person = visit()
    page = person.page
    page.fill("#text textarea", "Marie Curie Sklodowska worked.")
    person.wait_for(".gl-text", "Marie")
    person.mark("Marie Curie", "PERSON")
    box = page.locator("mark").first.bounding_box()
    *_, right, bottom = page.evaluate(RECTANGLE, [".gl-text", "Sklodowska"])
    page.mouse.move(box["x"] + 60, box["y"] + 12)
    page.mouse.down()
    page.mouse.move(right - 1, bottom, steps=6)
    page.mouse.up()
    person.wait_for(".gl-note", "overlap in part")
    person.shoot("overlap")
    assert person.marks() == [("Marie Curie", "PERSON")]


def test_messages_say_what_is_missing(visit):
    person = visit()
    page = person.page
    page.click("#extract")
    person.wait_for("#status", "There is no text")
    page.fill("#text textarea", "Marie Curie was born in Warsaw.")
    page.click("#extract")
    person.wait_for("#status", "mark at least two")
    page.click("#find")
    person.wait_for('mark[data-label="NAME"]', "Warsaw")
    page.fill("#relations textarea", "place of birth PERSON -> CITY")
    page.click("#extract")
    person.wait_for("#status", "Line 1 has an arrow but no")
    person.shoot("message")
    page.fill("#relations textarea", "place of birth: PERSON -> CITY")
    page.click("#extract")
    person.wait_for("#constraints", "PERSON as the head")
    person.wait_for("#constraints", "Types in the text: NAME")
    person.wait_for("#status", "1 relation type admits no entity")
    person.shoot("constraints")
    page.fill("#relations textarea", "place of birth: NAME -> NAME")
    page.locator("#constraints").wait_for(state="hidden")
    page.click("#download-jsonl")
    page.get_by_text("There is nothing to download yet").first.wait_for()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", VIEWPORTS)
def test_every_example_is_shown_as_table_graph_and_heat_map(visit, viewport, theme):
    person = visit(viewport, theme)
    page = person.page
    for name in page.locator("#examples label").all_inner_texts():
        page.locator("#examples").get_by_text(name).click()
        person.wait_for("#status", "No results yet")
        person.extract()
        page.get_by_role("tab", name="Graph").click()
        page.wait_for_function(
            "document.querySelectorAll('#graph .gl-edge').length === document.querySelectorAll('#review li').length"
        )
        person.shoot(name.lower().replace(" ", "-"))
        shown = len(person.rows())
        assert shown >= 1  # what a newcomer sees first
        page.get_by_role("tab", name="Heat map").click()
        page.wait_for_function(f"document.querySelectorAll('#heat-map .gl-yes').length === {shown}")
        assert page.locator("#heat-map td").count() >= 4 * 30
        assert page.evaluate("document.documentElement.scrollWidth") <= VIEWPORTS[viewport]["width"]


def test_a_finger_marks_too(visit):
    person = visit("phone", has_touch=True, is_mobile=True)
    page = person.page
    page.fill("#text textarea", "Marie Curie was born in Warsaw.")
    person.wait_for(".gl-text", "Marie")
    page.locator(".gl-text").tap()
    page.evaluate(
        """() => {  // what the handles of a selection do
          const range = document.createRange();
          range.setStart(document.querySelector(".gl-text").firstChild, 24);
          range.setEnd(document.querySelector(".gl-text").firstChild, 30);
          const selection = window.getSelection();
          selection.removeAllRanges();
          selection.addRange(range);
        }"""
    )
    person.wait_for(".gl-form input[name=label]")
    person.shoot("touch")
    page.locator(".gl-choices button", has_text="CITY").tap()
    person.wait_for('mark[data-label="CITY"]', "Warsaw")


PRONOUNS = "Marie Curie was born in Warsaw. She married Pierre Curie in Paris. Curie, a chemist, won."
NAMED = (("Marie Curie", "PERSON"), ("Warsaw", "CITY"), ("Pierre Curie", "PERSON"), ("Paris", "CITY"))


def entities_of(person: Visitor) -> dict[str, list[str]]:
    """The words of the marks of each entity, by its number."""
    grouped: dict[str, list[str]] = {}
    for mark in person.page.locator("mark[data-group]").all():
        grouped.setdefault(mark.get_attribute("data-group"), []).append(mark.inner_text())
    return grouped


def say_same(person: Visitor, words: str, other: str) -> None:
    """Marks words and says, in their form, which entity they are."""
    person.drag(words)
    person.wait_for(".gl-form input[name=label]")
    person.page.locator(".gl-form select").select_option(label=other)
    person.page.locator(".gl-form .gl-primary").click()
    person.wait_for("mark[data-group]", words)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", VIEWPORTS)
def test_two_marks_are_one_entity(visit, viewport, theme, tmp_path):
    person = visit(viewport, theme)
    page = person.page
    page.fill("#text textarea", PRONOUNS)
    person.wait_for(".gl-text", "Marie Curie")
    for words, label in NAMED:
        person.mark(words, label)
    say_same(person, "She", "Marie Curie")
    assert entities_of(person) == {"1": ["Marie Curie", "She"]}
    person.drag("a chemist")
    person.wait_for(".gl-form input[name=label]")
    person.shoot("form")
    assert page.locator(".gl-form select option").all_inner_texts() == [
        *("no other mark", "1: Marie Curie, She", "Warsaw", "Pierre Curie", "Paris")
    ]
    box = page.locator(".gl-form").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= VIEWPORTS[viewport]["width"]
    page.locator(".gl-form select").select_option(label="1: Marie Curie, She")
    page.locator(".gl-form .gl-primary").click()
    person.wait_for("mark[data-group]", "a chemist")
    assert entities_of(person) == {"1": ["Marie Curie", "She", "a chemist"]}
    assert person.marks()[2] == ("She", "PERSON")  # as the others of the entity
    page.locator("mark[data-group]").first.hover()
    assert page.locator("mark.gl-same").count() == 3
    person.shoot("one-entity")

    page.fill("#relations textarea", "place of birth: PERSON -> CITY\nspouse: PERSON <-> PERSON")
    page.locator("#threshold input[type=number]").fill("0.05")
    page.keyboard.press("Tab")
    page.wait_for_timeout(300)
    person.extract()
    person.wait_for("#review li", "Marie Curie also She, a chemist")
    heads = page.locator("#review li .gl-entity:first-child").all_inner_texts()
    assert not [head for head in heads if head.startswith(("She", "a chemist"))]
    person.shoot("extracted")
    page.get_by_role("tab", name="Heat map").click()
    assert page.locator("#heat-map tbody tr").count() == 4 * 3  # entities, not marks
    page.click("#accept-all")
    person.wait_for("#review .gl-accepted")
    page.click("#save")
    person.wait_for("#counter", "1 example saved")
    (document,) = [json.loads(line) for line in person.download("jsonl", tmp_path).read_text("utf-8").splitlines()]
    groups = [mention["entity"] for mention in document["mentions"]]
    assert [group is not None for group in groups] == [True, False, True, False, False, True]
    assert len(set(groups)) == 2
    table = person.download("csv", tmp_path)

    page.reload()
    person.wait_for("mark[data-group]", "a chemist")
    assert entities_of(person) == {"1": ["Marie Curie", "She", "a chemist"]}
    page.locator("mark", has_text="She").click()
    page.locator(".gl-form select").select_option(label="no other: take it apart")
    page.locator(".gl-form .gl-primary").click()
    page.wait_for_function("document.querySelectorAll('mark[data-group]').length === 2")
    assert entities_of(person) == {"1": ["Marie Curie", "a chemist"]}
    person.wait_for("#status", "extract again")
    page.click("#undo")
    page.wait_for_function("document.querySelectorAll('mark[data-group]').length === 3")
    assert page.evaluate("document.documentElement.scrollWidth") <= VIEWPORTS[viewport]["width"]

    other = visit(viewport, theme)
    other.upload(table)
    other.wait_for("mark[data-group]", "a chemist")
    assert entities_of(other) == {"1": ["Marie Curie", "She", "a chemist"]}


def test_the_keyboard_alone_makes_marks_one_entity(visit):
    person = visit()
    page = person.page
    keys = page.keyboard
    page.fill("#text textarea", "Ada wrote. She won.")
    person.wait_for(".gl-text", "Ada")
    for number, label in ((1, "PERSON"), (3, "")):  # the first word, and the third
        page.locator(".gl-text").focus()
        for _ in range(number):
            keys.press("ArrowRight")
        keys.press("Enter")
        person.wait_for(".gl-form input[name=label]")
        keys.type(label)
        if label:
            keys.press("Enter")
            person.wait_for('mark[data-label="PERSON"]')
    while not page.evaluate("document.activeElement.matches('.gl-form select')"):
        keys.press("Tab")
    keys.type("Ada")
    keys.press("Tab")  # Done
    keys.press("Enter")
    person.wait_for("mark[data-group]", "She")
    assert entities_of(person) == {"1": ["Ada", "She"]}
    page.wait_for_function("document.activeElement.textContent === 'She'")  # and goes on from there


@pytest.fixture(scope="module")
def extract_joint(joint_folder):
    return RelationExtractor(str(joint_folder), device="cpu")


def shown_entities(person: Visitor) -> list[tuple[str, str]]:
    """The words of each mark, and what is written at it."""
    return [(mark.inner_text(), mark.get_attribute("data-shown")) for mark in person.page.locator("mark").all()]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", VIEWPORTS)
def test_a_text_and_two_lists_of_names_give_a_graph_with_one_click(visit_joint, extract_joint, viewport, theme):
    person = visit_joint(viewport, theme)
    page = person.page
    assert "This model finds entities" in page.inner_text("#about-entities")
    person.shoot("empty")
    page.fill("#text textarea", JOINT_TEXT)
    page.fill("#entity-types textarea", "PERSON, CITY")
    page.fill("#relations textarea", "place of birth: PERSON -> CITY\nspouse: PERSON <-> PERSON")
    person.extract()
    person.wait_for("#status", "4 entities found")
    asked = {"entity_types": ENTITY_TYPES, "relation_types": ["place of birth", "spouse"], "return_entities": True}
    answer = extract_joint(JOINT_TEXT, **asked)
    assert [(e["text"], e["label"]) for e in answer["entities"]] == list(JOINT_ENTITIES)
    assert shown_entities(person) == [(e["text"], f"{e['label']} {e['score']:.2f}") for e in answer["entities"]]
    assert page.locator("mark.gl-found").count() == 4
    rows = page.locator("#review li").all()
    triples = {tuple(row.locator(".gl-entity").all_inner_texts()) for row in rows}
    assert ("Marie CuriePERSON", "WarsawCITY") in triples
    assert len(triples) == 2  # and one direction of the marriage
    page.get_by_role("tab", name="Graph").click()
    page.wait_for_function("document.querySelectorAll('#graph .gl-edge').length === 2")
    person.shoot("found")
    assert page.evaluate("document.documentElement.scrollWidth") <= VIEWPORTS[viewport]["width"]

    page.locator("#entity-threshold input[type=number]").fill("1")
    page.keyboard.press("Tab")
    person.wait_for("#status", "0 entities found")
    assert person.marks() == []
    page.locator("#entity-threshold input[type=number]").fill("0.5")
    page.keyboard.press("Tab")
    person.wait_for("#status", "4 entities found")
    page.get_by_text("How entities are found").click()
    page.get_by_label("An entity may have several types").check()
    page.get_by_label("also inside each other").check()
    page.locator("#entity-threshold input[type=number]").fill("0")
    page.keyboard.press("Tab")
    expected = extract_joint(JOINT_TEXT, **asked, entity_threshold=0.0, overlap="nested", multi_label=True)
    outermost = sorted(expected["entities"], key=lambda entity: (entity["start"], -entity["end"]))  # as marks nest
    page.wait_for_function(f"document.querySelectorAll('mark').length === {len(outermost)}")
    shown = [" · ".join(f"{label} {score:.2f}" for label, score in entity["scores"].items()) for entity in outermost]
    assert [label for _, label in shown_entities(person)] == shown
    person.shoot("nested")


def test_marks_by_hand_are_kept_among_those_that_are_found(visit_joint, tmp_path):
    person = visit_joint()
    page = person.page
    page.fill("#text textarea", JOINT_TEXT)
    page.fill("#entity-types textarea", "PERSON\nCITY")
    person.wait_for(".gl-text", "Marie")
    person.mark("Marie Curie", "SCIENTIST")
    say_same(person, "She", "Marie Curie")
    page.fill("#relations textarea", "place of birth\nspouse")
    person.extract()
    person.wait_for("#status", "3 entities found")
    marks = dict(person.marks())
    assert (marks["Marie Curie"], marks["She"], marks["Warsaw"]) == ("SCIENTIST", "SCIENTIST", "CITY")
    assert page.locator("mark:not(.gl-found)").all_inner_texts() == ["Marie Curie", "She"]
    page.locator("mark", has_text="Paris").first.focus()
    page.keyboard.press("Delete")
    page.wait_for_function("document.querySelectorAll('mark').length === 4")
    page.locator("mark", has_text="Warsaw").click()
    person.wait_for(".gl-form input[name=label]")
    page.keyboard.press("Enter")  # confirmed as it is
    page.wait_for_function("document.querySelectorAll('mark.gl-found').length === 1")
    page.click("#extract")
    page.wait_for_timeout(1500)
    assert "Paris" not in dict(person.marks())
    person.shoot("mixed")
    page.locator("#threshold input[type=number]").fill("1")
    page.keyboard.press("Tab")
    page.wait_for_function("!document.querySelector('#review li')")
    page.check("#exhaustive input")
    page.wait_for_timeout(300)
    page.click("#save")
    person.wait_for("#counter", "1 example saved")
    (document,) = [json.loads(line) for line in person.download("jsonl", tmp_path).read_text("utf-8").splitlines()]
    unreviewed = [line for line in document["history"] if line.startswith("found, unreviewed")]
    assert [line.split(" PERSON")[0] for line in unreviewed] == ["found, unreviewed: Pierre Curie"]
    page.reload()
    person.wait_for("#status", "found")
    assert dict(person.marks())["She"] == "SCIENTIST"
    assert page.input_value("#entity-types textarea") == "PERSON\nCITY"


def test_the_page_says_that_its_model_finds_no_entities(visit):
    page = visit().page
    assert "This model does not find entities" in page.inner_text("#about-entities")
    for selector in ("#entity-types", "#entity-threshold", "#finding", "#overlap", "#multi-label"):
        assert not page.locator(selector).is_visible()
    assert page.inner_text("#extract") == "Extract relations"
