import json
import re

import pytest

from glirel_transformers.relation_syntax import read_entity_type_lines, read_relation_lines
from glirel_transformers.requests_glirel import read_entity_types, read_relation_types

LINES = """\
place of birth: PERSON -> CITY
employer: PERSON -> COMPANY, UNIVERSITY

# a remark
spouse: PERSON <-> PERSON
sibling: <->
capital of: -> COUNTRY
author: PERSON ->
part of
per:title
note: the second: A -> B
"""
READ = {
    "place of birth": {"head": ["PERSON"], "tail": ["CITY"]},
    "employer": {"head": ["PERSON"], "tail": ["COMPANY", "UNIVERSITY"]},
    "spouse": {"head": ["PERSON"], "tail": ["PERSON"], "symmetric": True},
    "sibling": {"symmetric": True},
    "capital of": {"tail": ["COUNTRY"]},
    "author": {"head": ["PERSON"]},
    "part of": {},
    "per:title": {},
    "note: the second": {"head": ["A"], "tail": ["B"]},
}


def test_lines_are_read_as_the_pipeline_takes_them():
    assert read_relation_lines(LINES) == READ
    assert [relation.name for relation in read_relation_types(READ)] == list(READ)
    assert read_relation_lines("") == {}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("spouse\na -> b", "Line 2 has an arrow but no"),
        ("place of birth: PERSON", "Line 1 cannot be read as a relation with entity types"),
        ("x: A -> B -> C", "Line 1 cannot be read"),
        (": A -> B", "Line 1 cannot be read"),
        ("spouse\n\nspouse: A -> B", "Line 3 repeats 'spouse' of line 1"),
    ],
)
def test_a_line_that_cannot_be_read_is_an_error_with_its_number(lines, message):
    with pytest.raises(ValueError, match=message):
        read_relation_lines(lines)


@pytest.mark.parametrize(
    "line", ["birth:person→city", "birth: person → city", "birth: person -> city", "birth:person->city"]
)
def test_arrows_of_any_kind_are_read(line):
    assert read_relation_lines(line) == {"birth": {"head": ["person"], "tail": ["city"]}}


@pytest.mark.parametrize("arrow", ["->", "-->", "--->", "=>", "==>", "→", "⇒", "⟶", "–>", "➔", "➡\ufe0f", "->>"])
def test_arrows_to_the_right_are_one(arrow):
    for line in (f"birth: P {arrow} C", f"birth:P{arrow}C", f"birth: P{arrow}C"):
        assert read_relation_lines(line) == {"birth": {"head": ["P"], "tail": ["C"]}}
    with pytest.raises(ValueError, match="Line 1 has an arrow but no"):
        read_relation_lines(f"c {arrow} d")


@pytest.mark.parametrize("arrow", ["<->", "<-->", "<=>", "↔", "⇔", "↔\ufe0f", "⟷"])
def test_arrows_of_both_directions_are_one(arrow):
    assert read_relation_lines(f"a: P {arrow} C") == {"a": {"head": ["P"], "tail": ["C"], "symmetric": True}}


@pytest.mark.parametrize(
    "sides",
    [
        *("P <- C", "P <-- C", "P ← C", "P - > C", "P > C", "P < - > C", "P - C", "P -> - C", "P - -> C", "P -> C ->"),
        *("P ↛ C", "P -> C <- D", "P <<- -> C", "P ↦ C", "P", "P -> C -", "P ⤳ C"),
    ],
)
def test_what_is_like_an_arrow_and_is_none_is_an_error(sides):
    with pytest.raises(ValueError, match="Line 1 cannot be read as a relation with entity types"):
        read_relation_lines(f"a: {sides}")


@pytest.mark.parametrize("name", ["a:", ":heart:", "per:title", "a > b", "GEO-POLITICAL", "<3", "#x", "a <- b"])
def test_a_name_alone_stands_as_it_is(name):
    assert read_relation_lines([name], comments=False) == {name: {}}


@pytest.mark.parametrize("name", ["x -> y", "h: i", "j→k", "a <-> b", "a => b"])
def test_names_that_cannot_be_written_are_quoted_with_the_cure(name):
    with pytest.raises(ValueError, match="in a JSON dictionary") as caught:
        read_relation_lines([name], comments=False)
    assert f"got {name!r}." in str(caught.value)
    assert str(caught.value).endswith(f": {json.dumps({name: {}}, ensure_ascii=False)}.")


def test_types_may_have_strokes_inside():
    assert read_relation_lines("in: GEO-POLITICAL -> LOC-X")["in"] == {"head": ["GEO-POLITICAL"], "tail": ["LOC-X"]}


@pytest.mark.parametrize("lines", [None, 5, b"a", {"a": {}}, [5], ["a", None]])
def test_what_are_no_lines_is_an_error(lines):
    with pytest.raises(TypeError, match=r"The lines must be a string, or a list of strings|Line \d must be a string"):
        read_relation_lines(lines)


def test_both_directions_of_any_kind_are_read():
    assert read_relation_lines("spouse: PERSON ↔ PERSON")["spouse"]["symmetric"] is True


def test_in_a_list_of_names_nothing_is_a_comment():
    assert read_relation_lines(["#x", "y"], comments=False) == {"#x": {}, "y": {}}
    with pytest.raises(ValueError, match="Relation 2 is ' ', an empty name"):
        read_relation_lines(["y", " "], comments=False)


def test_entity_types_in_lines():
    lines = "# types\nperson\n\ncity > 0.4\ndrug: name of a medicine\nkind: of drug: new ≥ 0.25\nper:son\n"
    assert read_entity_type_lines(lines) == {
        "person": {},
        "city": {"threshold": 0.4},
        "drug": {"description": "name of a medicine"},
        "kind": {"description": "of drug: new", "threshold": 0.25},
        "per:son": {},
    }
    read = read_entity_types(read_entity_type_lines(lines))
    assert [(one.name, one.wording, one.threshold) for one in read][2:4] == [
        ("drug", "name of a medicine", None),
        ("kind", "of drug: new", 0.25),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a", "a > 0.3"], "Line 2 repeats the entity type 'a'"),
        ([" > 0.3"], "Entity type 1 is ' > 0.3', an empty name"),
        (["a > b"], "must be a number from 0 to 1: got 'b'"),
        (["a > 2"], "must be a number from 0 to 1: got '2'"),
        (["a >"], "must be a number from 0 to 1: got ''"),
        (["a", 5], "Line 2 must be a string"),
        ([": what"], "an empty name"),
    ],
)
def test_lines_that_are_no_entity_types(lines, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        read_entity_type_lines(lines, comments=False)
