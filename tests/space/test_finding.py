"""A desk with a model that finds entities."""

import json

import pytest
from labelling import html, memory, model, view
from labelling.desk import Desk
from labelling.examples import EXAMPLES, RELATION_SETS
from labelling.session import Session
from labelling.values import Entity, Span
from tiny_joint import JOINT_TEXT as TEXT

TYPES = ["PERSON", "CITY"]
LINES = "place of birth: -> CITY\nspouse: CITY <-> CITY\nworks in"


@pytest.fixture
def finding(joint_pipeline, monkeypatch):
    """A desk with a text and two lists of names, and one click."""
    monkeypatch.setattr(view, "MAX_LISTED", 1000)
    desk = Desk()
    desk.run(desk.type_text, TEXT)
    desk.run(desk.choose, 0.0, 3)
    desk.find_again(desk.revision, 0.3, "flat", False)
    assert joint_pipeline.calls == 0  # there is nothing yet to find again
    desk.run_model(desk.extract, desk.revision, TEXT, LINES, "PERSON, CITY")
    assert desk.problem is None
    return desk


def found(desk):
    return [mark for mark in desk.session.entities if mark.is_found]


def expected(pipeline, given=(), **options):
    return pipeline.pipeline(
        TEXT,
        entities=list(given),
        entity_types=TYPES,
        relation_types=["place of birth", "spouse", "works in"],
        return_entities=True,
        **{"entity_threshold": 0.3, "threshold": 0.0, "top_k": 3, **options},
    )


def test_the_page_says_whether_the_model_finds_entities(desk, joint_pipeline):
    assert model.finds_entities()
    assert view.facts(Desk().workspace, 0) == ["No results yet: name entity types and relations, then extract."]


def test_what_is_found_is_marked_with_type_and_score(finding, joint_pipeline):
    answer = expected(joint_pipeline)
    assert [(m.start, m.end, m.label, m.scores[0][1]) for m in found(finding)] == [
        (e["start"], e["end"], e["label"], pytest.approx(e["score"])) for e in answer["entities"]
    ]
    assert len(found(finding)) > 3
    rows = view.rows(finding.workspace)
    wanted = [r for r in answer["relations"] if r["relation"] == "works in"]
    assert [(r.head_text, r.tail_text, r.score) for r in rows if r.relation == "works in"] == [
        (r["head"]["text"], r["tail"]["text"], pytest.approx(r["score"])) for r in wanted
    ]
    assert f"{len(found(finding))} entities found" in view.facts(finding.workspace, 0)
    assert not view.is_stale(finding.workspace)
    mark = found(finding)[0]
    shown = html.annotator(finding.session, html.palette(TYPES))
    assert f'class="gl-found" data-position="0" data-span="{mark.start}-{mark.end}" data-label="{mark.label}"' in shown
    assert f'data-shown="{mark.label} {mark.scores[0][1]:.2f}"' in shown
    assert "found by the model: click to change" in shown


def test_constraints_act_without_another_run(finding, joint_pipeline):
    calls = joint_pipeline.calls
    for lines in ("place of birth: PERSON ->\nspouse\nworks in", LINES):
        finding.run(finding.type_relations, lines)
        shown = {row.relation for row in view.rows(finding.workspace)}
        assert ("place of birth" in shown) == (lines == LINES)
        assert not view.is_stale(finding.workspace)
    finding.run(finding.type_entity_types, "PERSON")
    assert view.is_stale(finding.workspace)
    assert joint_pipeline.calls == calls


def test_marks_by_hand_win(finding, joint_pipeline):
    by_hand = found(finding)[1]
    finding.run(finding.relabel, f"{by_hand.start}-{by_hand.end}", "EVENT", False)
    assert view.is_stale(finding.workspace)
    finding.run_model(finding.extract, finding.revision, TEXT, LINES, "PERSON, CITY")
    answer = expected(joint_pipeline, [(by_hand.start, by_hand.end, "EVENT")])
    marks = {(m.start, m.end, m.label, m.is_found) for m in finding.session.entities}
    assert marks == {(e["start"], e["end"], e["label"], "score" in e) for e in answer["entities"]}
    assert (by_hand.start, by_hand.end, "EVENT", False) in marks
    assert not view.is_stale(finding.workspace)


def test_marks_by_hand_of_one_entity_are_given_together(finding, joint_pipeline):
    first, second = found(finding)[:2]
    same = f"{first.start}-{first.end}"
    finding.run(finding.relabel, f"{second.start}-{second.end}", second.label, False, same)
    finding.run_model(finding.extract, finding.revision, TEXT, LINES, "PERSON, CITY")
    answer = expected(joint_pipeline, [{"mentions": [first.span, second.span], "label": first.label}])
    assert (
        len(view.rows(finding.workspace))
        == len(answer["relations"]) - sum(r["relation"] == "spouse" for r in answer["relations"]) // 2
    )
    assert [e.group for e in finding.session.entities[:2]] == [1, 1]
    assert all(e.is_found for e in finding.session.entities[2:])


def test_what_a_person_judged_is_kept_by_another_run(finding):
    row = next(row for row in view.rows(finding.workspace) if row.relation == "works in")
    finding.run(finding.decide, row.key, "accept")
    finding.find_again(finding.revision, 1.0, "flat", False)
    assert {mark.span for mark in finding.session.entities} == {row.triple.head, row.triple.tail}
    assert [r.verdict for r in view.rows(finding.workspace) if r.key == row.key] == ["accepted"]


def test_the_entity_threshold_finds_again(finding, joint_pipeline):
    before, calls = finding.session.entities, joint_pipeline.calls
    finding.find_again(finding.revision, 0.3, "flat", False)  # nothing new
    finding.find_again(finding.revision + 1, 0.9, "flat", False)  # of a page that is out of date
    assert joint_pipeline.calls == calls
    finding.find_again(finding.revision, 0.9, "flat", False)
    assert finding.session.entities == ()
    assert view.facts(finding.workspace, 0)[:3] == ["0 relations", "0 left out", "0 entities found"]
    finding.find_again(finding.revision, 0.3, "flat", False)
    assert finding.session.entities == before
    assert joint_pipeline.calls == calls + 2


def test_nested_entities_and_several_types_are_settings(finding, joint_pipeline):
    finding.find_again(finding.revision, 0.3, "nested", True)
    answer = expected(joint_pipeline, overlap="nested", multi_label=True)
    assert {(m.start, m.end): dict(m.scores) for m in found(finding)} == {
        (e["start"], e["end"]): pytest.approx(e["scores"]) for e in answer["entities"]
    }
    spans = [mark.span for mark in found(finding)]
    assert any(a != b and a.start <= b.start and b.end <= a.end for a in spans for b in spans)
    both = " · ".join(f"{label} {score:.2f}" for label, score in found(finding)[0].scores)
    assert both in html.annotator(finding.session, html.palette(TYPES))


def test_a_deleted_mark_does_not_come_back_unless_a_person_marks_it(finding):
    gone = found(finding)[0]
    finding.run(finding.unmark, f"{gone.start}-{gone.end}")
    assert not view.is_stale(finding.workspace)  # the other scores are what they were
    assert gone.span not in {place for row in view.rows(finding.workspace) for place in row.triple[::2]}
    finding.run_model(finding.extract, finding.revision, TEXT, LINES, "PERSON, CITY")
    assert gone.span not in [mark.span for mark in finding.session.entities]
    finding.run(finding.mark, gone.start, gone.end)
    assert gone.span in [mark.span for mark in finding.session.entities]
    finding.run(finding.undo)
    finding.run(finding.type_text, f"So {TEXT}")
    assert finding.session.removed == (Span(gone.start + 3, gone.end + 3),)
    finding.run(finding.take_example, EXAMPLES["Sport"])
    assert finding.session.removed == ()


def test_entities_alone_are_found_without_relations(finding):
    finding.run_model(finding.extract, finding.revision, TEXT, "", "CITY")
    assert finding.problem is None
    assert found(finding)
    assert view.rows(finding.workspace) == []
    assert html.heat_map(finding.workspace.scores, view.left_out(finding.workspace).reasons)


def test_without_entity_types_only_marks_count(finding):
    marks = finding.session.entities
    finding.run_model(finding.extract, finding.revision, TEXT, LINES, "")
    assert finding.session.entities == marks
    assert not view.is_stale(finding.workspace)
    finding.run_model(finding.extract, finding.revision, "Ada met Bob.", LINES, "# none")
    assert "mark at least two" in finding.problem
    finding.run_model(finding.extract, finding.revision, TEXT, LINES, "CITY, CITY")
    assert "repeats 'CITY'" in finding.problem


def test_finding_is_a_step_that_can_be_undone(finding):
    marks = finding.session.entities
    finding.run(finding.mark, marks[0].start, marks[-1].end)
    finding.find_again(finding.revision, 0.9, "flat", False)
    finding.find_again(finding.revision, 0.95, "flat", False)
    assert len(finding.session.entities) == 1
    finding.run(finding.undo)
    assert len(finding.session.entities) == len(marks) + 1
    assert finding.session.entity_threshold == 0.95  # sliders stay
    finding.run(finding.undo)
    finding.run(finding.undo)
    assert finding.session.entities == ()


def test_marks_made_while_the_model_runs_are_kept(finding, monkeypatch):
    scores, mark = finding.workspace.scores, found(finding)[0]
    finding.run(finding.unmark, f"{mark.start}-{mark.end}")

    def slow(*_):
        finding.mark(mark.start, mark.end)
        return scores

    monkeypatch.setattr(model, "score", slow)
    finding.run_model(finding.extract, finding.revision, TEXT, LINES, "PERSON, CITY")
    assert [e.is_found for e in finding.session.entities if e.span == mark.span] == [False]
    assert sum(e.is_found for e in finding.session.entities) == len(scores.entities) - 1


def test_a_reload_brings_everything_back(finding):
    gone = found(finding)[0]
    finding.run(finding.unmark, f"{gone.start}-{gone.end}")
    finding.find_again(finding.revision, 0.4, "nested", True)
    remembered = json.loads(json.dumps(memory.desk_to_dict(finding.session)))
    other = Desk()
    assert other.run(other.restore, remembered, []) is None
    assert other.session == finding.session
    other.run_model(Desk.extract_again, other)
    assert (other.session, view.rows(other.workspace)) == (finding.session, view.rows(finding.workspace))
    fresh = Desk()
    fresh.run(fresh.restore, None, None)
    assert fresh.session.entity_threshold == 0.5
    for broken in ({"entity_threshold": "x"}, {"removed": [1]}, {"entity_lines": 5}):
        assert "was left out" in fresh.run(fresh.restore, {**remembered, **broken}, [])


def test_saved_examples_say_what_nobody_confirmed(finding):
    confirmed, other = found(finding)[:2]
    finding.run(finding.relabel, f"{confirmed.start}-{confirmed.end}", confirmed.label, False)
    finding.run(finding.choose, 1.0, 1)
    finding.run(finding.complete, True)
    assert finding.run(finding.save) is None
    (document,) = finding.session.examples
    assert len(document.mentions) == len(finding.session.entities)
    unreviewed = [line for line in document.history if line.startswith("found, unreviewed: ")]
    assert len(unreviewed) == len(document.mentions) - 1
    words = finding.session.surface(other)
    assert f"found, unreviewed: {words} {other.label} ({other.scores[0][1]:.2f})" in unreviewed


def test_examples_and_sets_bring_the_names_of_entity_types(finding):
    finding.run(finding.take_example, EXAMPLES["Biography"])
    assert finding.session.entities == ()
    assert finding.session.entity_lines.splitlines() == ["PERSON", "CITY", "ORGANIZATION", "DATE", "SUBSTANCE"]
    finding.run(finding.take_relations, RELATION_SETS["Places"])
    assert finding.session.entity_lines.splitlines() == ["COUNTRY", "CITY", "LOCATION", "RIVER"]


def test_a_model_that_finds_no_entities_is_not_asked_to(desk, tiny_pipeline):
    before = desk.session.entities
    desk.run(desk.type_entity_types, "PERSON")  # as a browser remembers it of another model
    desk.run_model(desk.extract, desk.revision, desk.session.text, desk.session.relation_lines, "PERSON")
    assert (desk.problem, desk.session.entities) == (None, before)
    assert not view.is_stale(desk.workspace)
    desk.run(desk.take_relations, RELATION_SETS["Places"])
    assert desk.session.entity_lines == "PERSON"
    desk.run(desk.take_example, EXAMPLES["Biography"])
    assert desk.session.entities == EXAMPLES["Biography"].entities


def test_names_are_read_from_lines_and_commas():
    assert model.read_entity_lines("person, city\n\n# none\n film ,,\n") == ["person", "city", "film"]


def test_limits_are_those_of_relations(joint_pipeline, monkeypatch):
    monkeypatch.setattr(model, "MAX_RELATION_TYPES", 2)
    with pytest.raises(ValueError, match="At most 2 entity types at once: got 3"):
        model.score(TEXT, None, [], "a, b, c")
    with pytest.raises(TypeError, match="The entity types must be names in a list"):
        model.score(TEXT, None, [], 5)
    with pytest.raises(ValueError, match="at least one relation"):
        model.score(TEXT, None, [], "")


def test_found_marks_give_way_where_they_would_cross():
    session = Session(text=TEXT, overlap="nested", entities=(Entity(0, 11, "PERSON"),))
    marks = [Entity(0, 5, "X", scores=(("X", 0.9),)), Entity(6, 15, "Y", scores=(("Y", 0.8),))]
    assert [mark.label for mark in session.with_found(marks).entities] == ["PERSON", "X"]


def test_a_model_that_finds_entities_reads_the_next_text_by_itself(finding):
    finding.run(finding.type_relations, "spouse")
    finding.put(finding.session.wait(["Marie Curie married Pierre Curie in Paris."]))
    finding.run(finding.skip)
    finding.run_model(finding.extract_next)
    assert finding.problem is None
    assert finding.workspace.scores is not None
    assert finding.session.has_results
