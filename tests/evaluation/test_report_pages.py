"""The files of a report: whole, well-formed, and without anything that leads out of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from reported import make_result

from glirel_transformers.evaluation.report import (
    Checkpoint,
    Speed,
    calibration,
    compare_scores,
    document_counts,
    flatten,
    make_report,
    paired_bootstrap,
    write_report,
)
from glirel_transformers.evaluation.report.content import mark
from glirel_transformers.evaluation.report.markdown import escape
from glirel_transformers.report_folder import check_report_folder

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

_VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = '</script><script>alert(1)</script> | "$x^{$"'


class Page(HTMLParser):
    """Which elements a page has, and whether each is closed where it should be."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.words, self.links, self.elements = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        given = dict(attributes)
        assert len(given) == len(attributes), (tag, attributes)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "src", "xlink:href", "action") if name in given]
        assert not any(name.startswith("on") for name in given)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def result():
    return make_result()


@pytest.fixture(scope="module")
def report(result):
    counts = document_counts(result)
    checkpoints = [
        Checkpoint(name, 0.5, {"micro_f1": 0.2}, 0.4, calibration(flatten(result)).error) for name in ("a", HOSTILE)
    ]
    checkpoints[1] = replace(
        checkpoints[1], differences=paired_bootstrap(counts, counts, 20), corrected=[1.0] * 6, speeds=[]
    )
    shift = compare_scores("title case", result, result, [0, 1], example=HOSTILE)
    made = make_report(
        result,
        orders=[shift],
        wordings=[shift],
        num_probed=2,
        checkpoints=checkpoints,
        resamples=20,
        speeds=[Speed("AMD <EPYC>", 10, 100, 4.0)],
        notes=[HOSTILE],
        settings={"limit": None, "data": ["x.jsonl"]},
    )
    return replace(made, name=HOSTILE)


@pytest.fixture(scope="module")
def folder(report, result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glirel_transformers.evaluation.report.plots._DPI", 20)  # faster
        write_report(report, folder, result)
    return folder


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_is_well_formed_and_needs_nothing_else(text):
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text.partition("<script>")[0])
    assert {"img", "link", "iframe", "object"}.isdisjoint(page.elements)
    assert page.elements.count("script") == 1
    assert page.elements.count("svg") == 6
    assert "default-src 'none'" in text


def test_the_page_says_everything_and_runs_nothing_that_it_shows(text):
    said = " ".join(" ".join(Page(text).words).split())
    assert said.count(HOSTILE) >= 4
    for words in ("author", "wrong direction", "<b>|", "AMD <EPYC>", "Dee"):
        assert words in said
    assert "2.5" in said  # texts a second
    assert "prefers-color-scheme: dark" in text
    assert "currentColor" in text
    assert "#010203" not in text


def test_pictures_in_the_page_are_well_formed(text):
    for svg in re.findall(r"<svg\b.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(svg)
        assert "viewBox" in svg


def test_values_are_those_of_the_report(folder, report):
    values = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert values["averages"]["micro_f1"] == pytest.approx(0.2)
    assert values["rows"][0]["relation_type"] == "author"
    assert values["confusion"]["counts"] == report.confusion.counts.tolist()
    assert values["confusion"]["columns"][-1] == "not scored"
    assert values["errors"] == {
        "wrong_type": 1,
        "wrong_direction": 2,
        "spurious": 1,
        "below_threshold": 1,
        "not_scored": 1,
    }
    assert values["speeds"][0]["machine"] == "AMD <EPYC>"
    assert values["settings"] == {"limit": None, "data": ["x.jsonl"]}


def test_all_errors_are_there_with_their_texts(folder):
    lines = (folder / "errors.jsonl").read_text(encoding="utf-8").splitlines()
    errors = [json.loads(line) for line in lines]
    assert len(errors) == 6
    missing = next(one for one in errors if one["kind"] == "below_threshold")
    assert missing["text"] == "Dee Eve <b>| &"
    assert missing["head"]["spans"] == [[8, 12]]
    assert (missing["gold"], missing["predicted"], missing["title"]) == ("author", None, "Text 1")


def test_markdown_has_its_pictures_and_escapes_names(folder):
    text = (folder / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert len(pictures) == 7
    for name in pictures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert escape(HOSTILE) in text
    assert r"**\<b\>\|**ᴴ" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for line, rule in pairwise(rows):
        if set(rule) <= set("|-: "):
            assert len(re.findall(r"(?<!\\)\|", line)) == len(re.findall(r"\|", rule))


def test_a_report_replaces_the_one_before_and_nothing_else(folder, tmp_path):
    assert check_report_folder(folder) == folder
    assert check_report_folder(tmp_path / "z" / "new").is_dir()
    (tmp_path / "z" / "new" / "scores.sqlite").unlink()
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"has files that are not a report's, such as 'notes.txt'"):
        check_report_folder(tmp_path)
    with pytest.raises(OSError, match="is a file"):
        check_report_folder(tmp_path / "notes.txt")
    with pytest.raises(OSError, match="cannot be made"):
        check_report_folder(tmp_path / "notes.txt" / "deeper")


@pytest.mark.slow
def test_a_report_of_nothing_predicted_and_nothing_gold(result, tmp_path):
    empty = make_result(*(replace(one, labels=one.labels * 0, missed=()) for one in result.documents), threshold=0.99)
    report = make_report(empty)
    assert report.errors == {}
    write_report(report, tmp_path / "empty", empty)
    Page((tmp_path / "empty" / "report.html").read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="has no cells"):
        make_report(replace(empty, documents=[]))


def test_spans_of_both_ends_may_overlap_and_long_texts_are_shortened():
    assert mark("New York City", [(0, 8)], [(4, 13)]) == [("New ", "head"), ("York", "both"), (" City", "tail")]
    pieces = mark(f"{'x' * 50}Ann met Bob{'y' * 50}", [(50, 53)], [(58, 61)], around=3)
    assert pieces == [("…", ""), ("xxx", ""), ("Ann", "head"), (" met ", ""), ("Bob", "tail"), ("yyy", ""), ("…", "")]
