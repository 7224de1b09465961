"""Answers read, mentions found, names cleaned."""

import json

import pytest

from glirel_transformers.synthesis.alignment import Aligner
from glirel_transformers.synthesis.answers import AnswerError, parse_answer
from glirel_transformers.synthesis.building import Builder
from glirel_transformers.synthesis.exclusion import Exclusion
from glirel_transformers.synthesis.names import clean_name, name_key, read_relation_name

ANSWER = {
    "entities": [{"id": 0, "text": "Ada", "type": "person"}, {"id": 1, "text": "London", "type": "city"}],
    "relations": [{"head": 0, "relation": "born in", "tail": 1}],
}
WRITTEN = json.dumps(ANSWER)
BOTH = ("entities", "relations")


@pytest.mark.parametrize(
    "text",
    [
        WRITTEN,
        f"```json\n{WRITTEN}\n```",
        f"Here you are: {WRITTEN} I hope that helps {{!}}.",
        f"<think>Maybe {{'entities': …}} or {json.dumps({'entities': [], 'relations': []})}</think>{WRITTEN}",
        f"thoughts that nobody opened</think>\n{WRITTEN}",
        f"{{not json}} {WRITTEN}",
        WRITTEN.replace("born in", "born\n in"),  # a line break in a string, which JSON does not allow
        WRITTEN.replace('"head": 0', '"head": "0"'),
    ],
)
def test_an_answer_is_found_in_what_stands_around_it(text):
    answer = parse_answer(text, BOTH)
    assert [entity.mentions[0].text for entity in answer.entities] == ["Ada", "London"]
    (relation,) = answer.relations
    assert (relation.head, relation.relation.split(), relation.tail) == ("0", ["born", "in"], "1")


@pytest.mark.parametrize(
    ("text", "reason", "told"),
    [
        ("", "empty", "It is empty"),
        ("No.", "not JSON", "no JSON object"),
        ("[1, 2]", "other fields", r"got \[1, 2\]"),
        (WRITTEN[:-4], "not JSON", "no JSON object"),
        (f"<think>{WRITTEN}", "not JSON", "no JSON object"),  # a draft in thoughts that have no end
        ('{"entities": []}', "other fields", "entities"),
        ('{"entities": {}, "relations": []}', "wrong field", "`entities` must be a list"),
        (WRITTEN.replace('"type": "city"', '"type": 3'), "wrong field", r"`entities\[1\].type` must be a text: got 3"),
        (WRITTEN.replace('"id": 1', '"id": 0'), "repeated id", "id 0"),
        (WRITTEN.replace('"tail": 1', '"tail": null'), "wrong field", r"`relations\[0\].tail`"),
        (WRITTEN.replace('"tail": 1', '"tail": NaN'), "not JSON", "no JSON object"),
        (WRITTEN.replace("Ada", "\\ud800"), "not text", "surrogate"),
        ("[" * 100_000, "not JSON", "no JSON object"),
        ("{" * 100_000, "not JSON", "no JSON object"),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(text, reason, told):
    with pytest.raises(AnswerError, match=told) as caught:
        parse_answer(text, BOTH)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("surface", "rule", "found"),
    [
        ("Marie Curie", "exact", ["Marie Curie", "Marie Curie"]),
        ("the  Sorbonne", "spaces", ["the\u00a0Sorbonne"]),
        ("Curie's “Radium”", "characters", ['Curie’s "Radium"']),
        ("ﬁne arts", "characters", ["fine arts"]),
        ("MARIE CURIE", "case", ["Marie Curie", "Marie Curie"]),
        ("The Sorbonne.", "case", []),
        ("an Łódź!", "trimmed", ["Łódź"]),
        ("art", "inside a word", []),
        ("Pierre", "not in the text", []),
        ("", "not in the text", []),
        ("  ", "not in the text", []),
        ("...", "not in the text", []),
    ],
)
def test_mentions_are_found_by_stated_rules(surface, rule, found):
    text = 'Marie Curie left the\u00a0Sorbonne for Łódź. Marie Curie’s "Radium" and the fine arts.'
    aligner = Aligner(text)
    places, by = aligner.find(surface)
    if surface == "The Sorbonne.":
        rule, found = "trimmed", ["Sorbonne"]
    assert (by, [text[start:end] for start, end in places]) == (rule, found)


def test_every_rule_gives_whole_words():
    for text in ("the İstanbul of 東京都庁 and ½ kg", "ẞ ß ﬀ", "a\u0301b a\u0301 b"):
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                for place in Aligner(text).find(text[start:end]).spans:
                    assert Aligner(text).is_whole(place)


def build(text, answer, **settings):
    builder = Builder(text, **settings)
    found = parse_answer(json.dumps(answer), BOTH)
    return builder.document(builder.place(found.entities), found.relations), builder.findings


def entities(*names):
    return [{"id": number, "text": name, "type": "thing"} for number, name in enumerate(names)]


def names_of(document):
    return [(" ".join(document.words[one.start : one.end]), one.entity) for one in document.mentions]


def test_all_occurrences_are_mentions_and_relations_join_the_nearest():
    text = "Ada met Bob. Later Ada left London."
    answer = {"entities": entities("Ada", "London"), "relations": [{"head": 0, "relation": "left", "tail": 1}]}
    document, findings = build(text, answer)
    assert names_of(document) == [("Ada", 0), ("Ada", 0), ("London", None)]
    assert [(one.head, one.tail) for one in document.relations] == [(1, 2)]
    assert (document.exhaustive, document.entities_exhaustive) == (True, True)
    assert findings.aligned == {"exact": 3}
    document, _ = build(text, answer, occurrences="first")
    assert names_of(document) == [("Ada", None), ("London", None)]
    assert (document.exhaustive, document.entities_exhaustive) == (True, False)  # the second Ada is not marked


def test_a_name_within_a_longer_one_is_another_entity():
    document, _ = build("Curie of Marie Curie fame", {"entities": entities("Curie", "Marie Curie"), "relations": []})
    assert names_of(document) == [("Curie", None), ("Marie Curie", None)]
    document, _ = build(
        "The University of Warsaw", {"entities": entities("Warsaw", "University of Warsaw"), "relations": []}
    )
    assert names_of(document) == [("University of Warsaw", None), ("Warsaw", None)]


def test_what_is_dropped_is_counted_and_makes_the_document_incomplete_where_it_matters():
    relations = [
        {"head": 0, "relation": "BORN_IN", "tail": 1},
        {"head": 0, "relation": "born in", "tail": 1},  # the same
        {"head": 0, "relation": "NO_RELATION", "tail": 1},
        {"head": 0, "relation": "knows", "tail": 2},  # who is not in the text
        {"head": 0, "relation": "is", "tail": 0},
        {"head": "Ada", "relation": "lives in", "tail": "London"},  # by name
    ]
    answer = {"entities": entities("Ada", "London", "Nobody"), "relations": relations}
    document, findings = build("Ada of London", answer)
    assert [one.relation_type for one in document.relations] == ["born in", "lives in"]
    assert findings.dropped == {
        "mention: not in the text": 1,
        "relation: repeated": 1,
        "relation: no relation": 1,
        "relation: of an entity that is not there": 1,
        "relation: of an entity to itself": 1,
    }
    assert (document.exhaustive, document.entities_exhaustive) == (True, False)
    for relation in ("a member of", "12", "the place in which somebody was born a long time ago", "friend of London"):
        answer["relations"] = [{"head": 0, "relation": relation, "tail": 1}]
        exclusion = Exclusion()
        exclusion.add_names(["member"])
        document, findings = build("Ada of London", answer, exclusion=exclusion)
        assert not document.relations
        assert not document.exhaustive, relation  # the pair is related, in a way that is not said
        assert findings.dropped.total() == 2
    answer["relations"] = [{"head": 0, "relation": "knows", "tail": 7}]
    assert not build("Ada of London", answer)[0].exhaustive


def test_names_are_made_readable_and_refused():
    assert clean_name(" IS_LOCATED_IN. ") == "is located in"
    assert clean_name("per:placeOfBirth") == "place of birth"
    assert clean_name("Binds to DNA") == "binds to DNA"
    assert read_relation_name("No relation").reason == "no relation"
    assert read_relation_name("“ ”").reason == "empty name"
    assert read_relation_name("friend of Ada", "Ada", "Bob").reason == "names an entity"
    for one, other in (
        ("member of", "is_a_member_of"),
        ("follows", "followed by"),
        ("part of", "Parts"),
        ("band member", "member of band"),
        ("located in or next to body of water", "located in or next to bodies of water"),
    ):
        assert name_key(one) == name_key(other)
    assert name_key("mother") != name_key("father")
    assert name_key("of") != name_key("in")
