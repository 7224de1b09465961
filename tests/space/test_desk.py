import threading
from copy import deepcopy

import pytest
import torch
from labelling import memory, model, view
from labelling.desk import Desk
from labelling.examples import EXAMPLES
from labelling.session import Session
from labelling.workspace import MAX_UNDO, Workspace

from glirel_transformers.scores_glirel import RelationScores


def row_of(desk, relation, position=0):
    return [row for row in view.rows(desk.workspace) if row.relation == relation][position]


def verdicts(desk):
    return {row.key: row.verdict for row in view.rows(desk.workspace)}


def test_the_rows_are_what_the_pipeline_returns(desk, tiny_pipeline):
    session = desk.session
    entities = [{"start": e.start, "end": e.end, "label": e.label} for e in session.entities]
    for threshold in (0.0, 0.3, 0.5, 0.6, 1.0):
        for top_k in (1, 2, 3, 10):
            desk.run(desk.choose, threshold, top_k)
            expected = tiny_pipeline.pipeline(
                session.text,
                entities=entities,
                relation_types={
                    "place of birth": {"head": ["PERSON"], "tail": ["CITY"]},
                    "spouse": {"head": ["PERSON"], "tail": ["PERSON"], "symmetric": True},
                    "works in": None,
                },
                threshold=threshold,
                top_k=top_k,
            )
            shown = [(r.head_text, r.relation, r.tail_text, r.score) for r in view.rows(desk.workspace)]
            assert [row[:3] for row in shown] == [
                (r["head"]["text"], r["relation"], r["tail"]["text"]) for r in expected
            ]
            assert torch.allclose(
                torch.tensor([row[3] for row in shown]), torch.tensor([r["score"] for r in expected])
            )
            left_out = view.left_out(desk.workspace)
            assert len(shown) + left_out.number == 12 * 3
            assert sum(reason is None for row in left_out.reasons for reason in row) == len(shown)
            scores = [line[3] for line in left_out.strongest]
            assert scores == sorted(scores, reverse=True)
            library = desk.workspace.scores.left_out(threshold, top_k)
            assert [line[:3] for line in left_out.strongest] == [
                [cell["head"]["text"], cell["relation"], cell["tail"]["text"]] for cell in library
            ]
            assert [line[4] for line in left_out.strongest] == [view.REASONS[cell["reason"]] for cell in library]


def test_sliders_and_constraints_do_not_run_the_model(desk, tiny_pipeline):
    calls = tiny_pipeline.calls
    all_rows = len(view.rows(desk.workspace))
    desk.run(desk.choose, 1.0, 1)
    assert view.rows(desk.workspace) == []
    desk.run(desk.choose, 0.0, 10)
    assert len(view.rows(desk.workspace)) == all_rows
    assert (
        desk.run(desk.type_relations, "place of birth: -> CITY\nspouse: CITY <-> CITY\nworks in: CITY -> CITY") is None
    )
    labels = {(row.relation, row.head_label, row.tail_label) for row in view.rows(desk.workspace)}
    assert labels == {
        ("place of birth", "PERSON", "CITY"),
        ("place of birth", "CITY", "CITY"),
        ("spouse", "CITY", "CITY"),
        ("works in", "CITY", "CITY"),
    }
    assert not view.is_stale(desk.workspace)
    assert tiny_pipeline.calls == calls == 1


def test_what_is_out_of_date_is_said(desk):
    assert not any("extract again" in fact for fact in view.facts(desk.workspace, 0))
    for action in (
        (desk.type_relations, "place of birth\nspouse"),
        (desk.relabel, "0-11", "X", False),
        (desk.unmark, "0-11"),
        (desk.type_relations, "place of birth: ->: oops ->"),
    ):
        before = desk.workspace
        assert desk.run(*action) is None
        assert view.facts(desk.workspace, 0)[-1] == "Entities or relations changed: extract again"
        desk.workspace = before
    desk.run(desk.type_text, "Marie Curie was born in Warsaw. She married Pierre Curie in Paris!")
    assert desk.workspace.scores is None
    assert view.facts(desk.workspace, 0) == ["No results yet: mark entities, name relations, then extract."]


def test_decisions_of_every_kind_and_undo(desk):
    states = [desk.session]

    def step(*action):
        assert desk.run(*action) is None
        states.append(desk.session)

    born = row_of(desk, "place of birth")
    step(desk.decide, born.key, "accept")
    assert verdicts(desk)[born.key] == "accepted"
    step(desk.decide, born.key, "accept")  # taken back
    assert verdicts(desk)[born.key] is None
    step(desk.decide, born.key, "reject")
    assert verdicts(desk)[born.key] == "rejected"
    spouse = row_of(desk, "spouse")
    step(desk.decide, spouse.key, "change", "sibling")
    changed = row_of(desk, "sibling")
    assert (changed.verdict, changed.score) == ("changed", None)
    assert changed.was == f"{spouse.head_text} → spouse → {spouse.tail_text} ({spouse.score:.2f})"
    step(desk.decide, changed.key, "swap")
    swapped = row_of(desk, "sibling")
    assert (swapped.head_text, swapped.tail_text) == (spouse.tail_text, spouse.head_text)
    step(desk.decide, swapped.key, "reject")  # neither the change nor what it was holds
    assert verdicts(desk)[spouse.key] == "rejected"
    step(desk.add, 0, " rival of ", 3)
    added = row_of(desk, "rival of")
    assert (added.verdict, added.score) == ("added", None)
    step(desk.decide, added.key, "change", "friend of")
    step(desk.decide, row_of(desk, "friend of").key, "reject")
    assert "friend of" not in [row.relation for row in view.rows(desk.workspace)]
    step(desk.accept_all)
    assert set(verdicts(desk).values()) == {"accepted", "rejected"}
    step(desk.save)
    step(desk.relabel, "0-11", "SCIENTIST", True)
    step(desk.unmark, "0-11")
    step(desk.take_example, EXAMPLES["Sport"])
    step(desk.take_relations, "a\nb")
    step(desk.open_example, 1)
    step(desk.remove_example, 1)
    for state in reversed(states[:-1]):
        desk.run(desk.undo)
        assert desk.session.examples == state.examples
        assert (desk.session.text, desk.session.entities, desk.session.decisions, desk.session.relation_lines) == (
            state.text,
            state.entities,
            state.decisions,
            state.relation_lines,
        )


def test_undo_leaves_the_sliders_and_takes_typing_as_one_step(desk):
    desk.run(desk.accept_all)
    desk.run(desk.choose, 0.77, 2)
    for lines in ("s", "sp", "spouse"):
        desk.run(desk.type_relations, lines)
    desk.run(desk.undo)
    assert desk.session.relation_lines.startswith("place of birth: PERSON")
    assert desk.session.decisions
    assert not view.is_stale(desk.workspace)
    desk.run(desk.undo)
    assert desk.session.decisions == ()
    assert (desk.session.threshold, desk.session.top_k) == (0.77, 2)


def test_undo_brings_back_the_constraints_too(desk):
    before = [row.key for row in view.rows(desk.workspace)]
    desk.run(desk.take_relations, "place of birth: CITY -> PERSON\nspouse\nworks in: X -> Y")
    assert [row.key for row in view.rows(desk.workspace)] != before
    desk.run(desk.undo)
    assert [row.key for row in view.rows(desk.workspace)] == before


def test_undo_ends(desk):
    for number in range(MAX_UNDO + 20):
        desk.run(desk.relabel, "0-11", f"TYPE {number}", False)
    assert len(desk.workspace.past) == MAX_UNDO
    for _ in range(MAX_UNDO + 20):
        desk.run(desk.undo)
    assert desk.workspace.past == ()
    assert Workspace().undo() == Workspace()


def test_what_a_person_says_survives_another_run(desk):
    key = row_of(desk, "works in").key
    desk.run(desk.decide, key, "accept")
    desk.run(desk.choose, 1.0, 1)
    assert verdicts(desk) == {key: "accepted"}
    desk.run_model(desk.extract, desk.revision, desk.session.text, "spouse")
    assert verdicts(desk)[key] == "accepted"


def test_a_relation_without_a_score_can_be_changed_too(desk):
    desk.run(desk.accept_all)
    desk.run(desk.complete, True)
    desk.run(desk.save)
    desk.run(desk.open_example, 1)
    born = row_of(desk, "place of birth")
    assert desk.run(desk.decide, born.key, "change", "place of death") is None
    assert row_of(desk, "place of death").was == f"{born.head_text} → place of birth → {born.tail_text}"


def test_a_click_on_a_row_or_mark_that_is_gone_does_nothing(desk):
    before = desk.workspace
    for action in ((desk.decide, "9-9 1-1 x", "accept"), (desk.unmark, "5-6"), (desk.relabel, "5-6", "X", True)):
        assert desk.run(*action) is None
    assert desk.workspace == before


def test_what_is_wrong_is_said(desk, tmp_path):
    born, works = row_of(desk, "place of birth"), row_of(desk, "works in")
    twin = next(r for r in view.rows(desk.workspace) if r.relation == "works in" and r.triple[::2] == born.triple[::2])
    for problem, *action in (
        ("Choose a head, a relation and a tail.", desk.add, 0, " ", 1),
        ("Choose a head, a relation and a tail.", desk.add, None, "spouse", 1),
        ("Head and tail are the same entity.", desk.add, 1, "spouse", 1),
        ("in the list already", desk.decide, twin.key, "change", "place of birth"),
        ("There is no example 3: the data set has 0.", desk.open_example, 3),
        ("There is no example None", desk.remove_example, None),
        ("is not a file of examples", desk.upload, str(tmp_path / "x.ttl")),
        ("No such file", desk.upload, str(tmp_path / "x.jsonl")),
    ):
        assert problem in desk.run(*action)
    assert verdicts(desk)[works.key] is None
    for problem, text, lines in (
        ("There is no text", "", "a"),
        ("mark at least two", "New text", "a"),
        ("at least one relation", desk.session.text, "# nothing"),
        ("Line 1 has an arrow", desk.session.text, "a PERSON -> CITY"),
    ):
        other = deepcopy(desk)
        other.run_model(other.extract, other.revision, text, lines)
        assert problem in other.problem


def test_limits_of_the_page(desk, monkeypatch):
    monkeypatch.setattr(model, "MAX_CHARACTERS", 60)
    monkeypatch.setattr(model, "MAX_ENTITIES", 3)
    monkeypatch.setattr(model, "MAX_RELATION_TYPES", 2)
    text, pair = "Ada met Bob.", [(0, 3), (8, 11)]
    with pytest.raises(ValueError, match="66 characters; at most 60 are read"):
        model.find_entities(desk.session.text)
    with pytest.raises(ValueError, match="At most 3 entities at once: got 4"):
        model.score(text, [*pair, *pair], ["a"])
    with pytest.raises(ValueError, match="At most 2 relations at once: got 3"):
        model.score(text, pair, "a\nb\nc")
    with pytest.raises(ValueError, match=r"no recogniser 'magic' here. Choose one of .*'heuristic'"):
        model.find_entities(text, "magic")
    with pytest.raises(TypeError, match="The entities must be a list: got 'Ada'"):
        model.score(text, "Ada", ["a"])
    for nothing in ("", [], {}, None):
        with pytest.raises(ValueError, match="at least one relation"):
            model.score(text, pair, nothing)
    for nothing in ("", " \n", None):
        with pytest.raises(ValueError, match="There is no text"):
            model.check_text(nothing)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("type_text", ("Ada \ud83d",)),
        ("type_relations", ("a \ud83d",)),
        ("relabel", ("0-11", "\ud83d", False)),
        ("add", (0, "a \ud83d", 1)),
        ("decide", (None, "change", "a \ud83d")),
    ],
)
def test_half_a_surrogate_pair_does_not_get_onto_the_desk(desk, name, arguments):
    before = desk.workspace
    key = row_of(desk, "spouse").key
    problem = desk.run(getattr(desk, name), *(key if argument is None else argument for argument in arguments))
    assert "has half a surrogate pair at character" in problem
    assert desk.workspace == before


def test_constraints_that_admit_no_entity_are_told_with_the_results(desk):
    assert view.unmet_constraints(desk.workspace) == []
    desk.run(desk.type_relations, "place of birth: PERSN -> TOWN\nspouse: PERSON <-> PERSON\nworks in")
    unmet = view.unmet_constraints(desk.workspace)
    assert [(c.relation, c.side, c.asked, c.seen) for c in unmet] == [
        ("place of birth", "head", ("PERSN",), ("CITY", "PERSON")),
        ("place of birth", "tail", ("TOWN",), ("CITY", "PERSON")),
    ]
    assert "1 relation type admits no entity" in view.facts(desk.workspace, 0)
    desk.run(desk.type_relations, "place of birth: PERSON -> CITY\nspouse: PERSON <-> PERSON\nworks in")
    assert view.unmet_constraints(desk.workspace) == []


def test_an_entity_that_is_gone_cannot_be_chosen(desk):
    desk.run(desk.unmark, "0-11")
    assert desk.run(desk.add, 0, "rival of", 3) == "Choose a head, a relation and a tail."


def test_all_marks_go_at_once_and_come_back(desk):
    before = desk.session
    desk.run(desk.accept_all)
    desk.run(desk.clear_marks)
    assert (desk.session.entities, desk.session.decisions) == ((), ())
    desk.run(desk.undo)
    assert desk.session.entities == before.entities


def test_no_more_is_kept_than_a_browser_remembers(desk, monkeypatch):
    desk.run(desk.accept_all)
    desk.run(desk.save)
    monkeypatch.setattr(memory, "MAX_BYTES", 100)
    before = desk.workspace
    desk.run(desk.type_text, "Ada met Bob.")
    desk.run(desk.find_entities, desk.revision, "Ada met Bob.", "heuristic")
    desk.run(desk.complete, True)
    assert "Download the data set as JSONL" in desk.run(desk.save)
    assert desk.session.examples == before.session.examples
    assert desk.run(desk.remove_all) is None
    assert desk.session.examples == before.session.examples  # it asks first
    desk.run(desk.choose, 0.5, 1)
    assert desk.run(desk.remove_all) is None
    assert desk.session.examples == before.session.examples  # only the very next click counts
    assert desk.run(desk.remove_all) is None
    assert desk.session.examples == ()


def test_two_desks_share_nothing(desk, tiny_pipeline):
    first, second = Desk(), Desk()
    assert deepcopy(first) is not first
    first.run(first.type_text, "Ada met Bob.")
    assert second.session == Session()
    assert deepcopy(first).lock is not first.lock
    copy = deepcopy(desk)
    copy.run(copy.accept_all)
    assert desk.session.decisions == ()
    assert copy.session.decisions


def test_a_reload_brings_everything_back(desk):
    desk.run(desk.decide, row_of(desk, "spouse").key, "accept")
    desk.run(desk.save)
    remembered = memory.desk_to_dict(desk.session), memory.data_set_to_dict(desk.session)
    other = Desk()
    assert other.run(other.restore, *remembered) is None
    assert other.session == desk.session
    other.run_model(Desk.extract_again, other)
    assert (other.problem, view.rows(other.workspace)) == (None, view.rows(desk.workspace))
    fresh = Desk()
    assert fresh.run(fresh.restore, None, None) is None
    assert fresh.session.threshold == round(model.pipeline().model.config.threshold, 2)
    for broken in ({"entities": 5}, {"decisions": [1]}, {"text": 7}):
        assert "was left out" in fresh.run(fresh.restore, broken, remembered[1])
        assert fresh.session.examples == desk.session.examples


def test_overlapping_events_lose_nothing(desk):
    keys = [row.key for row in view.rows(desk.workspace)]
    threads = [threading.Thread(target=desk.run, args=(desk.decide, key, "accept")) for key in keys]
    threads.append(
        threading.Thread(
            target=desk.run_model, args=(desk.extract, desk.revision, desk.session.text, "spouse\nworks in")
        )
    )
    threads += [threading.Thread(target=desk.run, args=(desk.choose, value / 10, 5)) for value in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {decision.verdict for decision in desk.session.decisions} == {"accepted"}
    assert len(desk.session.decisions) == len(keys)
    assert [relation.name for relation in desk.workspace.scores.relation_types] == ["spouse", "works in"]


def test_scores_of_an_older_text_are_dropped(desk, monkeypatch):
    def slow(text, *_):
        desk.type_text("Ada met Bob.")
        return scores

    scores = desk.workspace.scores
    monkeypatch.setattr(model, "score", slow)
    desk.run_model(desk.extract, desk.revision, desk.session.text, desk.session.relation_lines)
    assert desk.session.text == "Ada met Bob."
    assert desk.workspace.scores is None


def test_what_is_listed_can_be_looked_through(desk, monkeypatch):
    monkeypatch.setattr(view, "MAX_LISTED", 5)
    everything = view.predicted(desk.workspace)
    assert len(everything) == 5
    assert view.facts(desk.workspace, 0)[0].startswith("the 5 strongest relations")
    desk.run(desk.accept_all)
    desk.run(desk.save)
    assert len(desk.session.examples[0].relations) == 5


def test_relations_are_selected_once_for_each_state_of_the_desk(desk, monkeypatch):
    calls = []
    select = RelationScores.select
    monkeypatch.setattr(RelationScores, "select", lambda *arguments: calls.append(1) or select(*arguments))
    desk.run(desk.choose, 0.1, 2)
    for _ in range(2):
        shown = view.rows(desk.workspace)
        assert view.facts(desk.workspace, 0)[0].startswith(str(len(shown)))
    assert len(calls) == 1
    desk.run(desk.choose, 1.0, 2)
    assert view.rows(desk.workspace) == []
    assert len(calls) == 2


def test_menus_tell_entities_and_relations_apart(desk):
    text = "Ada met Ada."
    session, *_ = Session(text=text).mark(0, 3, "P")[0].mark(8, 11, None)
    assert [view.entity_name(session, entity) for entity in session.entities] == ["Ada #1 (P)", "Ada #2"]
    desk.run(desk.add, 0, "rival of", 1)
    assert view.relation_names(desk.workspace) == ["place of birth", "spouse", "works in", "rival of"]


def test_boxes_that_do_not_show_the_latest_are_passed_over(desk):
    """A click may come before the page shows the example that was picked before."""
    shown = desk.revision
    desk.run(desk.take_example, EXAMPLES["Biography"])
    desk.revision += 1  # as the page does when it sends the text
    desk.run_model(desk.extract, shown, "", "")
    assert desk.session.text == EXAMPLES["Biography"].text
    assert desk.session.has_results
    desk.run(desk.find_entities, shown, "", "heuristic")
    assert desk.session.text == EXAMPLES["Biography"].text
    desk.run_model(desk.extract, desk.revision, "Typed since.", "spouse")
    assert desk.session.text == "Typed since."
