"""From documents to a report: what is asked, kept, asked otherwise and compared; and runs that are killed."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from interpreters import ROOT
from tiny import TEXTS

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import Classification, EndToEnd, Extraction
from glirel_transformers.evaluation.baselines import make_baseline
from glirel_transformers.evaluation.report import ReportSettings, decide, evaluate_with_report

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

NAMES = ["spouse", "place of birth", "employer"]


def make_documents(number):
    people = ["Ada", "Alan", "Grace", "Marie", "Pierre", "Sofia"]
    return [
        Document(
            [people[n % 6], "met", people[(n + 1 + n // 6) % 6], "in", "Paris", *["again"] * (n % 5), f"{n}"],
            [Mention(0, 1, "PERSON"), Mention(2, 3, "PERSON"), Mention(4, 5, "CITY")],
            [Relation(n % 3, (n + 1) % 3, NAMES[n % 3])],
            title=f"Text {n}",
        )
        for n in range(number)
    ]


@pytest.fixture(scope="module")
def drawn():
    """No pictures, which other tests look at: drawing takes longer than all the rest."""
    patch = pytest.MonkeyPatch()
    patch.setattr("glirel_transformers.evaluation.report.plots.draw_all", lambda report: {})
    yield
    patch.undo()


@pytest.fixture(scope="module")
def extract(shared_model):
    return RelationExtractor(shared_model)


@pytest.fixture(scope="module")
def reported(extract, build_model, tmp_path_factory, drawn):
    folder = tmp_path_factory.mktemp("reports") / "mine"
    said = []
    other = RelationExtractor(build_model("bert", scorer="dot_norm"))
    arguments = (
        Extraction(threshold=0.5, batch_size=4),
        extract,
        make_documents(12),
        folder,
        ReportSettings(paraphrases={"spouse": ["married to"]}, num_probed=6, resamples=50, num_orders=2),
        {"itself": lambda: extract, "another": lambda: other},
    )
    return arguments, evaluate_with_report(*arguments, say=said.append), said


def test_everything_is_asked_and_written(reported):
    (_, _, _, folder, _, _), found, said = reported
    report = found.report
    assert said == ["itself: 12 of 12 texts were scored by an earlier run, and were not scored again."]
    assert {file.name for file in folder.iterdir()} >= {"report.json", "report.md", "report.html", "errors.jsonl"}
    assert [one.name for one in report.orders] == ["reversed", "shuffled 1"]
    assert [one.name for one in report.wordings] == [
        "upper case",
        "title case",
        "underscores",
        "article",
        "paraphrase 1",
    ]
    assert report.num_probed == 6
    assert report.wordings[-1].example == "married to"
    assert all(0 < one.num_cells == 6 * 6 * 3 for one in (*report.orders, *report.wordings))
    assert report.averages["micro_f1"] == pytest.approx(found.result.figures["micro_f1"])
    assert report.averages["macro_f1"] == pytest.approx(found.result.figures["macro_f1"])
    assert sum(row.support for row in report.rows) == 12
    assert report.speeds[0].num_texts == 12
    assert any("without a paraphrase" in note.lower() for note in report.notes)


def test_a_model_does_not_differ_from_itself(reported):
    itself, another = reported[1].report.checkpoints[1:]
    assert itself.name == "itself"
    assert all((one.difference, one.low, one.high, one.p) == (0, 0, 0, 1) for one in itself.differences)
    assert itself.corrected == [1] * 6
    assert another.figures["micro_f1"] == pytest.approx(
        reported[1].report.averages["micro_f1"] + another.differences[2].difference
    )


def test_the_same_again_scores_nothing(reported, extract, monkeypatch):
    arguments, found, _ = reported
    said = []
    monkeypatch.setattr(RelationExtractor, "iterate", lambda *_, **__: pytest.fail("it was scored again"))
    again = evaluate_with_report(*arguments, say=said.append)
    assert again.report.to_dict() == found.report.to_dict()
    assert said[0] == "12 of 12 texts were scored by an earlier run, and were not scored again."


def test_nothing_is_probed_where_nothing_is_asked_for(extract, tmp_path, drawn):
    found = evaluate_with_report(
        Extraction(), extract, make_documents(3), tmp_path / "r", ReportSettings(num_probed=0, num_examples=0)
    )
    assert (found.report.orders, found.report.wordings, found.report.examples) == ([], [], [])
    assert "Order and wording" not in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


def test_pairs_that_are_classified(extract, tmp_path, drawn, monkeypatch):
    documents = make_documents(9)
    documents.append(replace(documents[0], relations=[Relation(0, 1, name) for name in NAMES[:2]], title="Both hold"))
    arguments = Classification(unseen=[2], seeds=[0, 1]), extract, documents, tmp_path / "r"
    compared = {"the same": lambda: extract}
    found = evaluate_with_report(*arguments, ReportSettings(resamples=20), compared)
    assert [run.figures["macro_f1"] for run in found.result.runs] == [
        run.figures["macro_f1"] for run in arguments[0].run(extract, documents).runs
    ]
    report = found.report
    assert (report.decision, report.threshold, report.orders, report.thresholds) == ("best", None, [], None)
    assert report.run == "m = 2, seed 0"
    assert report.summary["m = 2"]["macro_f1"].runs == 2
    assert sum(row.support for row in report.rows) == sum(row.predicted for row in report.rows)
    assert set(report.errors) <= {"wrong_type"}
    assert report.checkpoints[1].differences[2].p == 1
    text = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "All that follows is of the run m = 2, seed 0" in text
    monkeypatch.setattr("glirel_transformers.evaluation.report.keeping.score_gold_pairs", None)
    assert evaluate_with_report(*arguments, ReportSettings()).report.rows == report.rows


def test_a_baseline_is_compared_at_its_own_threshold(extract, tmp_path, drawn):
    found = evaluate_with_report(
        Extraction(threshold=0.9),
        extract,
        make_documents(6),
        tmp_path / "r",
        ReportSettings(num_probed=0, resamples=20),
        {"baseline:random": lambda: make_baseline("random")},
    )
    assert [one.threshold for one in found.report.checkpoints] == [0.9, 0.5]
    assert [one.model for one in found.others] == ["baseline:random"]


def test_thresholds_of_types_decide_in_every_section(build_model, tmp_path, drawn):
    extract = RelationExtractor(build_model("bert"))
    documents = make_documents(8)
    plain = Extraction().run(extract, documents)
    scores = np.median(np.concatenate([one.probabilities for one in plain.documents]), axis=0).tolist()
    own = {plain.relation_types[0]: scores[0], plain.relation_types[1]: 0.0}
    extract.model.config.calibration = {"thresholds": own}
    extract.model.config.threshold = 1.0
    settings = ReportSettings(num_orders=1, resamples=20)
    other = RelationExtractor(build_model("bert", scorer="dot_norm"))
    found = evaluate_with_report(
        Extraction(),
        extract,
        documents,
        tmp_path / "r",
        settings,
        {"another": lambda: other},
    )
    report = found.report
    averages = found.result.counts.averages()
    assert report.averages == pytest.approx(averages)
    assert report.checkpoints[0].figures == pytest.approx(averages)
    assert report.probed_micro_f1 == pytest.approx(averages["micro_f1"])
    assert averages != pytest.approx(found.result.counts.averages(1.0))
    rows = {row.relation_type: row.predicted for row in report.rows}
    assert (rows[plain.relation_types[1]], rows[plain.relation_types[2]]) == (8 * 6, 0)
    assert 0 < rows[plain.relation_types[0]] < 8 * 6
    # A type that is always predicted still is, in whichever order and by whatever name it is asked for.
    row = next(row for row in report.rows if row.relation_type == plain.relation_types[1])
    always = 2 * row.support / (8 * 6 + row.support)
    assert all(one.f1[1] == pytest.approx(always) for one in (*report.orders, *report.wordings))
    assert [one.num_type_thresholds for one in report.checkpoints] == [2, 0]
    text = (tmp_path / "r" / "report.md").read_text(encoding="utf-8")
    assert "threshold 1.000, or that of its own for 2 relation types" in text
    assert "| support | predicted | threshold |" in text
    assert "that of its own for 2 relation types" in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


def test_models_that_are_given_other_entities_do_not_compare(extract, joint_model, tmp_path, drawn):
    documents = [
        Document(["Ann", "met", "Bob"], [Mention(0, 1, "X"), Mention(2, 3, "X")], [Relation(0, 1, "met")])
    ] * 2

    class Either(Extraction):
        def run(self, model, documents):
            protocol = EndToEnd() if model.model.config.finds_entities else Extraction()
            return protocol.run(model, documents)

    with pytest.raises(ValueError, match="has gold entities and 'joint' found ones: their figures do not compare"):
        evaluate_with_report(
            Either(),
            extract,
            documents,
            tmp_path / "r",
            ReportSettings(num_probed=0),
            {"joint": lambda: RelationExtractor(joint_model)},
        )


def test_entities_that_are_found(joint_model, tmp_path, drawn):
    documents = [
        Document.from_text(
            text,
            [
                {"start": 0, "end": 5, "label": "person"},
                {"start": len(text) - 7, "end": len(text) - 1, "label": "city"},
            ],
            [Relation(0, 1, "place of birth")],
        )
        for text in (TEXTS[0], "Tokyo hosts Warsaw.")
    ]
    joint = RelationExtractor(joint_model)
    protocol = EndToEnd(entity_threshold=0.3, threshold=0.3)
    found = evaluate_with_report(protocol, joint, documents, tmp_path / "r", ReportSettings(num_orders=1))
    assert found.report.entities == "found"
    assert "found by the model" in (tmp_path / "r" / "report.md").read_text(encoding="utf-8")
    right = sum(row.right for row in found.report.rows)
    told = sum(found.report.errors.get(kind, 0) for kind in ("entity_missed", "not_scored", "below_threshold"))
    taken = sum(one.gold is not None for one in decide(found.result) if one.kind and one.predicted is not None)
    assert right + told + taken == 2
    assert found.report.wordings


def test_settings_out_of_range():
    with pytest.raises(ValueError, match="`resamples` must be at least 1: got 0"):
        ReportSettings(resamples=0)
    with pytest.raises(ValueError, match="`num_probed` must be at least 0: got -1"):
        ReportSettings(num_probed=-1)


@pytest.mark.slow
def test_the_block_in_the_documentation_runs(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    _, block = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").symlink_to(ROOT / "checkpoints")
    exec(block, {})
    assert (tmp_path / "reports" / "one" / "report.html").is_file()
