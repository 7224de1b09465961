"""The page of a report in a real browser: offline, on a desktop and a phone, light and dark; tables are sorted."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import EvaluationResult, ScoredDocument
from glirel_transformers.evaluation.report import Speed, make_report, write_report
from glirel_transformers.mentions_glirel import Entity

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("matplotlib")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: `make test-browser` installs it"),
]
VIEWPORTS = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 400, "height": 850}}
NAMES = ["place of birth", "employer", "located in the administrative territorial entity", "<script>alert(1)</script>"]


def make_result():
    generator = np.random.default_rng(0)
    words = ["Ada", "met", "Bob", "in", "Rome"]
    spans = [(0, 1), (2, 3), (4, 5)]
    pairs = np.array([(head, tail) for head in range(3) for tail in range(3) if head != tail])
    documents = []
    for position in range(30):
        labels = (generator.random((6, 4)) < [0.3, 0.1, 0.2, 0.05]).astype(np.int8)
        probabilities = np.clip(generator.normal(0.25 + 0.4 * labels, 0.2), 0, 1).astype(np.float32)
        relations = [Relation(*pairs[row].tolist(), NAMES[column]) for row, column in np.argwhere(labels).tolist()]
        document = Document(words, [Mention(*span) for span in spans], relations)
        text, mentions = document.to_text()
        entities = [
            Entity(one["start"], one["end"], text[one["start"] : one["end"]], "X", place)
            for place, one in enumerate(mentions)
        ]
        documents.append(ScoredDocument(document, text, entities, pairs, probabilities, labels, position=position))
    return EvaluationResult("extraction", "gold", "some/model", NAMES, {}, threshold=0.5, documents=documents)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports") / "mine"
    result = make_result()
    write_report(make_report(result, speeds=[Speed("a machine", 30, 180, 2.0)]), folder, result)
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", VIEWPORTS)
def test_the_page_fits_and_asks_for_nothing(viewport, scheme, browser, page_file):
    page = browser.new_page(viewport=VIEWPORTS[viewport], color_scheme=scheme)
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(page_file.as_uri())
    assert asked == [page_file.as_uri()]
    assert said == []
    assert page.evaluate("document.documentElement.scrollWidth") == VIEWPORTS[viewport]["width"]
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light == (scheme == "light")
    if folder := os.environ.get("GLIREL_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"report-{viewport}-{scheme}.png", full_page=True)
    page.close()


def test_a_click_sorts_a_table(browser, page_file):
    page = browser.new_page(viewport=VIEWPORTS["desktop"])
    page.goto(page_file.as_uri())

    def column(number):
        return page.locator(f"#types tbody td:nth-child({number})").all_inner_texts()

    page.locator("#types th:nth-child(6) button").click()
    values = [float(text) for text in column(6)]
    assert values == sorted(values, reverse=True)
    assert page.locator("#types th:nth-child(6)").get_attribute("aria-sort") == "descending"
    page.locator("#types th:nth-child(6) button").click()
    assert [float(text) for text in column(6)] == values[::-1]
    page.locator("#types th:nth-child(1) button").click()
    assert set(column(1)) == set(NAMES)
    assert column(1)[1:] == sorted(NAMES)[1:]
    page.close()
