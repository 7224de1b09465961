"""Marks that are one entity: on the desk, in what the model is asked, in results and in every file."""

import csv
import io
import json
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser

import networkx
import pytest
from labelling import files, graph, groups, html, memory, view
from labelling.desk import Desk
from labelling.session import Session
from labelling.state import State
from labelling.values import ACCEPTED, ADDED, CHANGED, REJECTED, Entity, Span, Triple

from glirel_transformers.data import Document, Mention, Relation

TEXT = "Marie Curie was born in Warsaw. She married Pierre Curie in Paris. Curie won."
NAMES = ("Marie Curie", "Warsaw", "She", "Pierre Curie", "Paris", "Curie won")
MARIE, WARSAW, SHE, PIERRE, PARIS, CURIE = range(6)


def span(surface):
    start = TEXT.index(surface)
    return Span(start, start + len(surface))


def key(surface):
    return "{}-{}".format(*span(surface))


def marked():
    session = Session(text=TEXT)
    for surface in NAMES:
        label = {"Warsaw": "CITY", "Paris": "CITY", "She": None}.get(surface, "PERSON")
        session, position, problem = session.mark(*span(surface), label)
        assert position is not None, problem
    return session


def joined():
    session, _ = marked().join(SHE, MARIE)
    session, _ = session.join(CURIE, SHE)
    return session


def numbers(session):
    return [entity.group for entity in session.entities]


def triples(session):
    return [d.triple for d in session.decisions]


def test_marks_are_made_one_entity_in_any_order():
    session = joined()
    assert numbers(session) == [1, None, 1, None, None, 1]
    assert session.entities[SHE].label == "PERSON"  # as what it was joined to
    other, _ = marked().join(CURIE, SHE)
    other, _ = other.join(MARIE, CURIE)
    assert other.entities == session.entities
    second, _ = session.join(WARSAW, PARIS)
    assert numbers(second) == [1, 2, 1, None, 2, 1]
    both, _ = second.join(PIERRE, WARSAW)  # the whole of it
    assert numbers(both) == [1, 2, 1, 2, 2, 1]
    assert {both.entities[at].label for at in (WARSAW, PIERRE, PARIS)} == {"CITY"}
    same, note = both.join(WARSAW, PARIS)
    assert same is both
    assert note == "They are one entity already."
    assert joined().history == ("one entity: Marie Curie, She", "one entity: Marie Curie, She, Curie won")


def test_a_mark_is_taken_apart_again_and_two_that_are_left_of_three_stay_one():
    session = joined().split(SHE)
    assert numbers(session) == [1, None, None, None, None, 1]
    assert session.history[-1] == "an entity of its own: She"
    assert numbers(session.split(MARIE)) == [None] * 6
    assert session.split(WARSAW) is session
    assert numbers(joined().unmark(MARIE)) == [None, 1, None, None, 1]
    assert numbers(joined().unmark(MARIE).unmark(1)) == [None] * 4


def test_one_type_is_that_of_all_marks_of_an_entity():
    session = joined().relabel(CURIE, "SCIENTIST")
    assert [session.entities[at].label for at in (MARIE, SHE, CURIE, PIERRE)] == ["SCIENTIST"] * 3 + ["PERSON"]
    everywhere = joined().relabel(PIERRE, "HUMAN", everywhere=True)
    assert {everywhere.entities[at].label for at in (MARIE, SHE, CURIE, PIERRE)} == {"HUMAN"}


def test_decisions_follow_their_entities():
    marie, warsaw, she, pierre, paris, curie = map(span, NAMES)
    session = marked()
    for triple, verdict in (
        (Triple(she, "spouse", pierre), ACCEPTED),
        (Triple(marie, "spouse", pierre), REJECTED),
        (Triple(she, "same as", marie), ADDED),
        (Triple(pierre, "lives in", paris), ACCEPTED),
    ):
        session = session.decide(triple, verdict, 0.5)
    session = session.change(Triple(curie, "won", warsaw), Triple(curie, "left", warsaw), 0.5)
    session, _ = session.join(SHE, MARIE)
    assert triples(session) == [  # what became the same is there once, what was within is gone
        Triple(marie, "spouse", pierre),
        Triple(pierre, "lives in", paris),
        Triple(curie, "left", warsaw),
    ]
    assert session.decisions[0].verdict == REJECTED  # the later one
    session, _ = session.join(CURIE, MARIE)
    assert session.decisions[-1].triple == Triple(marie, "left", warsaw)
    assert session.decisions[-1].was == Triple(marie, "won", warsaw)
    assert session.decisions[-1].verdict == CHANGED
    left = session.unmark(MARIE)  # the entity goes on at its next mark
    assert triples(left)[0] == Triple(she, "spouse", pierre)
    assert Triple(pierre, "lives in", paris) in triples(left)
    gone = left.unmark(1).unmark(3)
    assert triples(gone) == [Triple(pierre, "lives in", paris)]


def test_entities_stay_together_when_the_text_is_edited():
    session = joined().decide(Triple(span("Marie Curie"), "spouse", span("Pierre Curie")), ACCEPTED, 0.9)
    longer, note = session.with_text(f"Then {TEXT}")
    assert (numbers(longer), note) == (numbers(session), "")
    without, note = session.with_text(TEXT.replace("Marie Curie was", "Was"))
    assert "Marie Curie" in note
    assert numbers(without) == [None, 1, None, None, 1]
    (decision,) = without.decisions
    assert without.describe_triple(decision.triple) == "She → spouse → Pierre Curie"


def test_the_form_gives_the_type_and_the_entity_in_one_step(tiny_pipeline):
    desk = Desk()
    desk.run(desk.type_text, TEXT)
    for surface in ("Marie Curie", "She", "Warsaw"):
        desk.run(desk.mark, *span(surface))
    desk.run(desk.relabel, key("Marie Curie"), "PERSON", False)
    before = len(desk.workspace.past)
    assert desk.run(desk.relabel, key("She"), "", False, key("Marie Curie")) is None
    assert [(e.label, e.group) for e in desk.session.entities] == [("PERSON", 1), (None, None), ("PERSON", 1)]
    assert len(desk.workspace.past) == before + 1
    desk.run(desk.relabel, key("She"), "HUMAN", False, "")  # taken apart, with a type of its own
    assert [(e.label, e.group) for e in desk.session.entities] == [("PERSON", None), (None, None), ("HUMAN", None)]
    desk.run(desk.relabel, key("She"), "WOMAN", False, key("Marie Curie"))  # what was typed counts for both
    assert [(e.label, e.group) for e in desk.session.entities] == [("WOMAN", 1), (None, None), ("WOMAN", 1)]
    desk.run(desk.undo)
    assert [e.label for e in desk.session.entities] == ["PERSON", None, "HUMAN"]
    desk.run(desk.relabel, key("She"), "HUMAN", False, "5-6")  # a mark that is gone
    assert [e.group for e in desk.session.entities] == [None] * 3


@pytest.fixture
def grouped(tiny_pipeline):
    """A desk with six marks of four entities, extracted."""
    desk = Desk()
    desk.put(joined())
    desk.run(desk.choose, 0.0, 3)
    desk.run_model(desk.extract, desk.revision, TEXT, "place of birth: PERSON -> CITY\nspouse\nworks in")
    assert desk.problem is None
    return desk


def test_the_model_is_asked_for_entities_with_all_their_mentions(grouped, tiny_pipeline):
    marie = {"mentions": [span("Marie Curie"), span("She"), span("Curie won")], "label": "PERSON"}
    others = [
        (*span(name), label) for name, label in (("Warsaw", "CITY"), ("Pierre Curie", "PERSON"), ("Paris", "CITY"))
    ]
    expected = tiny_pipeline.pipeline(
        TEXT,
        entities=[marie, *others],
        relation_types={"place of birth": {"head": ["PERSON"], "tail": ["CITY"]}, "spouse": {}, "works in": {}},
        threshold=0.0,
        top_k=3,
    )
    rows = view.rows(grouped.workspace)
    assert [(r.head_text, r.relation, r.tail_text) for r in rows] == [
        (e["head"]["text"], e["relation"], e["tail"]["text"]) for e in expected
    ]
    assert [r.score for r in rows] == pytest.approx([e["score"] for e in expected])
    assert not view.is_stale(grouped.workspace)
    assert len(grouped.workspace.scores.pair_index) == 4 * 3


def test_results_name_an_entity_by_all_its_mentions(grouped):
    also = ("She", "Curie won")
    named = "Marie Curie (also She, Curie won)"
    rows = view.rows(grouped.workspace)
    assert {row.head_also for row in rows if row.head_text == "Marie Curie"} == {also}
    assert {row.tail_also for row in rows if row.tail_text != "Marie Curie"} == {()}
    assert named in [view.cells(row)[0] for row in rows]
    hues = html.palette(["PERSON"])
    for part in (
        html.review(rows, [], hues),
        graph.draw(rows, hues),
        html.heat_map(grouped.workspace.scores, view.left_out(grouped.workspace).reasons),
    ):
        assert "also She, Curie won" in part
    grouped.run(grouped.choose, 1.0, 3)
    assert named in [line[0] for line in view.left_out(grouped.workspace).strongest]
    names = [name for name, _ in State.of(grouped, None).entities]
    assert names == [f"{named} (PERSON)", "Warsaw (CITY)", "Pierre Curie (PERSON)", "Paris (CITY)"]
    positions = [position for _, position in State.of(grouped, None).entities]
    assert grouped.run(grouped.add, positions[0], "rival of", positions[2]) is None
    assert grouped.session.decisions[-1].triple == Triple(span("Marie Curie"), "rival of", span("Pierre Curie"))


def test_what_was_scored_before_marks_were_joined_is_shown_once_until_it_is_scored_again(grouped):
    apart = deepcopy(grouped)
    apart.run(apart.relabel, key("She"), "PERSON", False, "")
    assert view.is_stale(apart.workspace)
    apart.run_model(apart.extract, apart.revision, TEXT, apart.session.relation_lines)
    scores = {row.triple: row.score for row in view.rows(apart.workspace)}
    apart.run(apart.relabel, key("She"), "PERSON", False, key("Marie Curie"))
    assert view.facts(apart.workspace, 0)[-1] == "Entities or relations changed: extract again"
    shown = {row.triple: row.score for row in view.rows(apart.workspace)}
    assert span("She") not in {place for triple in shown for place in (triple.head, triple.tail)}
    warsaw = span("Warsaw")
    of_both = [scores[Triple(span(name), "works in", warsaw)] for name in ("Marie Curie", "She")]
    assert shown[Triple(span("Marie Curie"), "works in", warsaw)] == max(of_both)


def test_the_marks_of_an_entity_carry_its_number():
    class Marks(HTMLParser):
        found = []

        def handle_starttag(self, tag, attrs):
            if tag == "mark":
                self.found.append(dict(attrs))

    reader = Marks()
    reader.feed(html.annotator(joined(), html.palette([])))
    assert [mark.get("data-group") for mark in reader.found] == ["1", None, "1", None, None, "1"]
    assert reader.found[SHE]["title"] == "PERSON, 3 mentions of one entity: click to change"


def example():
    return joined().decide(Triple(span("Marie Curie"), "spouse", span("Pierre Curie")), ADDED, None)


def test_an_example_is_saved_and_opened_with_its_entities():
    session = example()
    document = replace(session, complete=True).to_document([])
    assert [mention.entity for mention in document.mentions] == [1, None, 1, None, None, 1]
    assert document.relations == [Relation(MARIE, PIERRE, "spouse")]
    opened = session.save(document).open(0)
    assert (opened.entities, triples(opened)) == (session.entities, triples(session))
    again = opened.save(replace(opened, complete=True).to_document([]))
    assert again.examples == session.save(document).examples
    shown = html.examples_list(again)
    assert "4 entities, 1 relation" in shown
    assert "Marie Curie = She = Curie won" in shown


def test_the_browser_remembers_entities():
    session = example()
    values = json.loads(json.dumps(memory.to_dict(session)))
    assert memory.from_dict(values) == (session, [])
    values["entities"][0]["group"] = "x"
    read, problems = memory.from_dict(values)
    assert len(problems) == 2  # and the decisions on them
    assert read.text == TEXT


@pytest.mark.parametrize("kind", ["JSONL", "CSV"])
def test_files_keep_the_mentions_of_an_entity(tmp_path, kind):
    session = example().decide(Triple(span("Warsaw"), "home of", span("Marie Curie")), ADDED, None)
    file = files.write(kind, [replace(session, complete=True).to_document([])])
    path = tmp_path / file["name"]
    path.write_text(file["content"], encoding="utf-8")
    (read,) = files.read(path)
    opened = Session().merge([read]).open(0)
    assert opened.entities == session.entities
    assert set(triples(opened)) == set(triples(session))


def test_csv_files_of_programs_with_entities_are_read_and_faults_are_named(tmp_path):
    session = example()
    content = files.write("CSV", [replace(session, complete=True).to_document([])])["content"]
    rows = [row for row in csv.DictReader(io.StringIO(content)) if row["relation"]]

    def read(**cells):
        path = tmp_path / "a.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows([rows[0], {**rows[0], **cells}])
        return files.read(path)

    start, end = span("Paris")
    mentions = [{"start": start, "end": end}, {"start": 24, "end": 30}]
    (document,) = read(relation="x", tail_start=start, tail_end=end, tail_mentions=json.dumps(mentions))
    assert sorted(len(entity) for entity in document.entities) == [1, 2, 3]
    for message, cells in (
        (r"a\.csv, row 3: `head_mentions` is 'x'\. It is empty, or a JSON list", {"head_mentions": "x"}),
        (r"a\.csv, row 3: `head_mentions` is '5'", {"head_mentions": "5"}),
        (r"a\.csv, row 3: `head_mentions` is '\[\{\}\]'", {"head_mentions": "[{}]"}),
        (r"a\.csv, row 3: The head is at \(0, 900\)", {"head_mentions": '[{"start": 0, "end": 900}]'}),
        (r"a\.csv, row 3: The head is at .*whole numbers", {"head_mentions": '[{"start": 0.5, "end": 3}]'}),
        (r"a\.csv, row 3: The head has the mentions .* A mention is of one entity", {"head_mentions": ""}),
    ):
        with pytest.raises(ValueError, match=message):
            read(**cells)


def test_graphs_have_one_node_for_an_entity(tmp_path):
    rdflib = pytest.importorskip("rdflib")
    document = replace(example(), complete=True).to_document([])
    path = tmp_path / "g.graphml"
    path.write_text(files.write("GraphML", [document])["content"], encoding="utf-8")
    labels = sorted(data["label"] for _, data in networkx.read_graphml(path).nodes(data=True))
    assert labels == ["Marie Curie", "Paris", "Pierre Curie", "Warsaw"]
    triples = rdflib.Graph().parse(data=files.write("Turtle", [document])["content"], format="turtle")
    assert {"She", "Curie won"} <= {str(value) for value in triples.objects()}


WORDS = ["Ada", "met", "her", "friend", "Bob"]


@pytest.mark.parametrize(
    "mentions",
    [
        [Mention(0, 1, "P", 7, ("A. L.",)), Mention(2, 3, "P", 7), Mention(4, 5, "P", 3)],
        [Mention(0, 1, "P", 0), Mention(2, 3, "P", 0), Mention(4, 5, "P")],
        [Mention(0, 1, "P", 5), Mention(2, 3, "P", 6), Mention(4, 5, "P", 7)],
    ],
)
def test_what_is_opened_and_saved_unchanged_is_unchanged(mentions):
    relations = [
        Relation(2, 1, "met", "P9"),  # of the second mention
        Relation(0, 1, "called", None, (0,)),  # within the entity, in the first cases
        Relation(0, 0, "likes"),
    ]
    old = Document(WORDS, mentions, relations, sentences=((0, 5),), self_pairs=True)
    session = Session().merge([old]).open(0)
    (saved,) = session.save(replace(session, complete=True).to_document([])).examples
    assert (list(saved.mentions), list(saved.relations)) == (list(old.mentions), list(old.relations))
    assert (saved.sentences, saved.self_pairs) == (old.sentences, old.self_pairs)


def test_entities_that_were_taken_apart_or_joined_have_numbers_of_their_own():
    old = Document(WORDS, [Mention(0, 1, "P", 7), Mention(2, 3, "P", 7), Mention(4, 5, "P", 8)], [])
    session = Session().merge([old]).open(0).split(0)
    (apart,) = session.save(replace(session, complete=True).to_document([])).examples
    assert [mention.entity for mention in apart.mentions] == [7, None, 8]
    session, _ = Session().merge([apart]).open(0).join(1, 2)
    (other,) = session.save(replace(session, complete=True).to_document([])).examples
    assert [mention.entity for mention in other.mentions] == [7, 8, 8]


def test_marks_at_the_same_place_of_different_entities_are_no_error():
    """As other tools annotate, with two types."""
    old = Document(WORDS, [Mention(0, 1, "P", 1), Mention(0, 1, "Q", 2), Mention(2, 3, "P", 1)], [])
    session = Session().merge([old]).open(0)
    assert len(session.entities) == 3
    assert html.annotator(session, html.palette([]))
    assert groups.ordered([Entity(0, 3, "P", 4)]) == (Entity(0, 3, "P"),)
