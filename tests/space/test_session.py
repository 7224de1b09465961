import json
from dataclasses import replace

import pytest
from labelling import memory
from labelling.session import Session
from labelling.values import ACCEPTED, ADDED, CHANGED, REJECTED, Entity, Span, Triple

from glirel_transformers.data import Document, Mention, Relation

TEXT = "Marie Curie 😀 met Pierre Curie in the University of Warsaw, Warsaw."


def marked(*surfaces, text=TEXT, label=None):
    session = Session(text=text)
    for surface in surfaces:
        start = text.index(surface)
        session, position, problem = session.mark(start, start + len(surface), label)
        assert position is not None, problem
    return session


def surfaces(session):
    return [session.surface(entity) for entity in session.entities]


def triple(session, head, relation, tail):
    return Triple(session.entities[head].span, relation, session.entities[tail].span)


@pytest.mark.parametrize(
    ("dragged", "whole"),
    [("arie Cu", "Marie Curie"), (" met ", "met"), ("urie 😀 m", "Curie 😀 met"), ("aw, W", "Warsaw, Warsaw")],
)
def test_whole_words_are_marked(dragged, whole):
    assert surfaces(marked(dragged)) == [whole]


@pytest.mark.parametrize("span", [(11, 11), (3, 3), (5, 2), (500, 510), (-4, -1)])
def test_where_is_no_word_nothing_is_marked(span):
    session, position, problem = Session(text=TEXT).mark(*span, None)
    assert (session.entities, position, problem) == ((), None, "There is no word to mark.")


def test_marks_lie_inside_each_other_in_any_order():
    one = marked("University of Warsaw", "Warsaw", "University")
    other = marked("Warsaw", "University", "University of Warsaw")
    assert one == other
    assert surfaces(one) == ["University of Warsaw", "University", "Warsaw"]


def test_marks_across_the_end_of_another_are_refused():
    session = marked("Marie Curie")
    for start, end in ((TEXT.index("Curie"), TEXT.index(" met") + 4), (0, 0)):
        same, position, problem = session.mark(start, end, None)
        assert same is session
        assert position is None
        assert problem
    assert "“Curie 😀 met” and “Marie Curie” overlap in part" in session.mark(6, 17, None)[2]


def test_the_same_mark_twice_opens_the_first():
    session, position, problem = marked("Marie Curie", "Warsaw").mark(0, 11, "X")
    assert (len(session.entities), position) == (2, 0)
    assert "is marked already" in problem


def test_a_type_is_given_to_one_or_to_all_of_its_kind():
    session = marked("Marie Curie", "Pierre Curie", "Warsaw", label="NAME").relabel(2, "CITY")
    assert [entity.label for entity in session.relabel(0, "PERSON").entities] == ["PERSON", "NAME", "CITY"]
    everywhere = session.relabel(0, "PERSON", everywhere=True)
    assert [entity.label for entity in everywhere.entities] == ["PERSON", "PERSON", "CITY"]


def test_deleting_a_mark_takes_back_what_was_decided_of_it():
    session = marked("Marie Curie", "Pierre Curie", "Warsaw")
    session = session.decide(triple(session, 0, "spouse", 1), ACCEPTED, 0.9)
    session = session.decide(triple(session, 1, "lives in", 2), REJECTED, 0.8)
    left = session.unmark(0)
    assert surfaces(left) == ["Pierre Curie", "Warsaw"]
    assert [decision.triple.relation for decision in left.decisions] == ["lives in"]


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("Marie", "Dr Marie", ["Marie Curie", "Warsaw"]),  # before
        ("Warsaw.", "Warsaw, Poland.", ["Marie Curie", "Warsaw"]),  # behind
        (" met ", " saw ", ["Marie Curie", "Warsaw"]),  # between
        ("Marie Curie", "Marie S. Curie", ["Marie S. Curie", "Warsaw"]),  # within
        ("Curie", "Curies", ["Marie Curies", "Warsaw"]),  # at the end: whole words stay marked
        ("Marie", "MMarie", ["MMarie Curie", "Warsaw"]),
        ("Marie Curie", "Marie Curi", ["Marie Curi", "Warsaw"]),
        ("Marie Curie", "Curie", ["Curie", "Warsaw"]),
        ("Curie 😀 met Ada in", "Curie in", ["Marie Curie", "Warsaw"]),
        ("Curie 😀 met Ada in W", "W", ["Marie", "Warsaw"]),
        ("Marie Curie", "Ada", ["Warsaw"]),  # gone
    ],
)
def test_entities_and_decisions_stay_when_the_text_is_edited(old, new, kept):
    text = "Marie Curie 😀 met Ada in Warsaw."
    session = marked("Marie Curie", "Warsaw", text=text)
    session = session.decide(triple(session, 0, "born in", 1), ACCEPTED, 0.9)
    edited, note = session.with_text(text.replace(old, new))
    assert surfaces(edited) == kept
    if len(kept) == 2:
        assert [edited.describe_triple(d.triple) for d in edited.decisions] == [f"{kept[0]} → born in → {kept[1]}"]
        assert (edited.history, note) == (session.history, "")
    else:
        assert edited.decisions == ()
        assert note == "No longer in the text, so no longer marked: Marie Curie."


@pytest.mark.parametrize(
    ("text", "typed", "place"),
    [
        ("We met Anna Weber in Bern.", "Dr. ", 7),
        ("Anna Weber lives in Bern.", "Yesterday morning ", 0),
        ("We met Anna Weber in Bern.", " and her dog", 17),
    ],
)
def test_typing_beside_a_mark_leaves_it_on_its_words(text, typed, place):
    start = text.index("Anna Weber")
    session, position, _ = Session(text=text).mark(start, start + 10, "PERSON")
    assert position == 0
    for size in range(1, len(typed) + 1):
        session, note = session.with_text(text[:place] + typed[:size] + text[place:])
        assert not note
        (mark,) = session.entities
        assert "Anna Weber" in session.surface(mark)
    assert session.surface(mark) == "Anna Weber"
    assert mark.core is None


def test_typing_letter_by_letter_never_cuts_a_word():
    session = marked("Marie Curie", "Warsaw", text="Marie Curie met Warsaw")
    for size in range(len("Marie Curie met Warsaw"), 4, -1):
        session, _ = session.with_text("Marie Curie met Warsaw"[:size])
        spans = [(entity.start, entity.end) for entity in session.entities]
        Document.from_text(session.text, [{"start": start, "end": end} for start, end in spans], [])
    assert surfaces(session) == ["Marie"]


def test_two_marks_that_grow_together_are_no_longer_two():
    session = marked("Marie", "Curie", text="Marie Curie")
    merged, note = session.with_text("MarieCurie")
    assert surfaces(merged) == ["MarieCurie"]
    assert "Curie" in note


def test_a_decision_said_again_is_taken_back():
    session = marked("Marie Curie", "Pierre Curie")
    spouse = triple(session, 0, "spouse", 1)
    once = session.decide(spouse, ACCEPTED, 0.91)
    assert once.history == ("accepted: Marie Curie → spouse → Pierre Curie (0.91)",)
    twice = once.decide(spouse, ACCEPTED, 0.91)
    assert twice.decisions == ()
    assert twice.history[-1].startswith("took back: ")
    (decision,) = once.decide(spouse, REJECTED, 0.91).decisions
    assert decision.verdict == REJECTED


def test_a_relation_is_changed_and_changed_back():
    session = marked("Marie Curie", "Pierre Curie")
    spouse, friend, other = (triple(session, 0, name, 1) for name in ("spouse", "friend", "sibling"))
    changed = session.change(spouse, friend, 0.9)
    assert [(d.triple, d.verdict, d.was, d.score) for d in changed.decisions] == [(friend, CHANGED, spouse, 0.9)]
    again = changed.change(friend, other, 0.9)
    assert [(d.triple, d.verdict, d.was) for d in again.decisions] == [(other, CHANGED, spouse)]
    back = again.change(other, spouse, 0.9)
    assert back.decisions == ()
    assert back.history[-1] == "changed back: Marie Curie → spouse → Pierre Curie"


def test_an_added_relation_that_is_renamed_stays_an_added_one_and_its_history_is_true():
    session = marked("Marie Curie", "Pierre Curie")
    spouse, friend = (triple(session, 0, name, 1) for name in ("spouse", "friend"))
    renamed = session.decide(spouse, ADDED, None).change(spouse, friend, None)
    assert [(d.triple, d.verdict, d.was) for d in renamed.decisions] == [(friend, ADDED, None)]
    assert [line.partition(":")[0] for line in renamed.history] == ["added", "took back", "added"]


def test_a_document_holds_what_is_not_rejected():
    session = marked("Marie Curie", "Pierre Curie", "University of Warsaw")
    predicted = [(triple(session, 0, name, 1), 0.9) for name in ("spouse", "sibling", "friend", "rival")]
    session = session.decide(predicted[0][0], ACCEPTED, 0.9).decide(predicted[1][0], REJECTED, 0.9)
    session = session.change(predicted[2][0], triple(session, 0, "colleague", 1), 0.9)
    session = session.decide(triple(session, 0, "works at", 2), ADDED, None)
    document = session.to_document(predicted, ["spouse", "born in"])
    assert [relation.relation_type for relation in document.relations] == ["spouse", "colleague", "works at"]
    assert not document.exhaustive
    assert document.annotated_relation_types == ("spouse", "born in", "colleague", "works at")
    assert document.text == TEXT
    assert document.history[-1] == "left out, unreviewed: Marie Curie → rival → Pierre Curie"


def test_a_list_is_complete_only_when_every_relation_of_it_is_reviewed():
    session = replace(marked("Marie Curie", "Pierre Curie"), complete=True)
    first, other = ((triple(session, 0, name, 1), 0.9) for name in ("spouse", "rival"))
    session = session.decide(first[0], ACCEPTED, 0.9)
    with pytest.raises(ValueError, match="1 relation is not reviewed, so the list is not complete yet"):
        session.to_document([first, other])
    document = session.decide(other[0], REJECTED, 0.9).to_document([first, other])
    assert document.exhaustive
    assert [relation.relation_type for relation in document.relations] == ["spouse"]


def test_an_example_keeps_whether_it_is_complete_and_what_was_asked():
    session = replace(marked("Marie Curie", "Pierre Curie"), relation_lines="spouse: PERSON <-> PERSON\nrival")
    for complete in (True, False):
        session = session.decide(triple(session, 0, "spouse", 1), ADDED, None) if not session.decisions else session
        saved = replace(session, complete=complete)
        saved = saved.save(saved.to_document([], ["spouse", "rival"]))
        opened = replace(saved, complete=not complete).open(0)
        assert opened.complete is complete
        assert opened.relation_lines == session.relation_lines
        assert replace(saved, relation_lines="other").open(0).relation_lines == "spouse\nrival"


def test_an_example_needs_entities_and_something_to_learn():
    with pytest.raises(ValueError, match="at least two entities"):
        replace(marked("Marie Curie"), complete=True).to_document([])
    session = marked("Marie Curie", "Pierre Curie")
    with pytest.raises(ValueError, match="There is no relation to save"):
        session.to_document([])
    assert replace(session, complete=True).to_document([]).relations == []


def test_a_corrected_example_takes_the_place_of_the_old_one():
    session = marked("Marie Curie", "Pierre Curie")
    other = Session(text="Ada met Bob.", entities=(Entity(0, 3), Entity(8, 11)))
    session = session.save(replace(session, complete=True).to_document([])).save(
        replace(other, complete=True).to_document([])
    )
    corrected = session.open(0).relabel(0, "PERSON")
    saved = corrected.save(replace(corrected, complete=True).to_document([]))
    assert [document.mentions[0].label for document in saved.examples] == ["PERSON", None]
    wider, _, _ = corrected.mark(TEXT.index("University"), TEXT.index("University") + 3, "X")
    assert [
        len(document.mentions) for document in wider.save(replace(wider, complete=True).to_document([])).examples
    ] == [3, 2]


def test_examples_without_a_text_are_told_apart_by_their_words():
    documents = [Document([word, "met", "Bob"], [Mention(0, 1), Mention(2, 3)], []) for word in ("Ada", "Eve")]
    session = Session().merge(documents).merge(documents)
    assert len(session.examples) == 2
    assert session.open(1).text == "Eve met Bob"


def test_what_the_page_does_not_show_of_an_example_is_kept():
    old = Document(
        ["Ada", "met", "her"],
        [Mention(0, 1, "P", 7, ("Ada Lovelace",)), Mention(2, 3, "P", 7)],
        [Relation(0, 1, "same as", "P31", (0,))],
        source="corpus",
        title="Ada",
        sentences=((0, 3),),
    )
    session = Session().merge([old]).open(0)
    (saved,) = session.save(replace(session, complete=True).to_document([])).examples
    assert saved.mentions == old.mentions
    assert saved.relations == old.relations
    assert (saved.source, saved.title, saved.sentences) == ("corpus", "Ada", ((0, 3),))


def full_session():
    session = marked("Marie Curie", "Pierre Curie", "Warsaw,", label="P<é>")
    session = session.decide(triple(session, 0, "spouse 😀", 1), ACCEPTED, 0.9)
    session = session.decide(triple(session, 1, "lives in", 2), REJECTED, None)
    session = session.change(triple(session, 0, "lives in", 2), triple(session, 2, "lives in", 0), 0.8)
    return session.save(replace(session, complete=True).to_document([]))


def test_the_memory_gives_back_what_was_put_in():
    session = full_session()
    assert memory.from_dict(json.loads(json.dumps(memory.to_dict(session)))) == (session, [])
    assert memory.from_dict({}) == (Session(), [])
    assert 0 < memory.used(session) < 0.01


def test_the_memory_of_another_version_is_read():
    session = full_session()
    values = json.loads(json.dumps(memory.to_dict(session)))
    values |= {"new": 1}
    del values["history"], values["top_k"]
    values["entities"][0]["colour"] = values["examples"][0]["rating"] = 5
    values["decisions"][0]["by"] = "Ada"
    read, problems = memory.from_dict(values)
    assert problems == []
    assert (read.entities, read.decisions, read.examples) == (session.entities, session.decisions, session.examples)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 5),
        ("text", "half \ud83d"),
        ("relation_lines", "half \ud83d"),
        ("entities", [{"start": 3, "end": 900, "label": 5}]),
        ("entities", [{"start": 900, "end": 905}]),
        ("entities", 7),
        ("entities", [None]),
        ("decisions", [{"triple": [[0, 3], "x", [4, 9]], "verdict": "accepted"}]),
        ("decisions", [{"triple": None, "verdict": "accepted"}]),
        ("threshold", "high"),
        ("top_k", None),
        ("history", [1]),
        ("relation_lines", None),
        ("examples", [{"words": 5}, None]),
        ("examples", [{"words": ["\ud83d"], "mentions": [], "relations": []}]),
    ],
)
def test_broken_memory_costs_only_what_is_broken(name, value):
    session = full_session()
    values = json.loads(json.dumps(memory.to_dict(session)))
    good = values["examples"]
    values[name] = [*value, *good] if name == "examples" else value
    read, problems = memory.from_dict(values)
    assert problems
    assert read.examples == session.examples
    assert memory.from_dict(memory.to_dict(read)) == (read, [])


def test_spans_are_named_by_their_place():
    assert Span(0, 3) == (0, 3)
    assert Entity(0, 3).span == (0, 3)
