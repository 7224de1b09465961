import pytest

from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.requests_glirel import read_relation_types

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


def test_both_directions_of_any_kind_are_read():
    assert read_relation_lines("spouse: PERSON ↔ PERSON")["spouse"]["symmetric"] is True


def test_in_a_list_of_names_nothing_is_a_comment():
    assert read_relation_lines(["#x", "y"], comments=False) == {"#x": {}, "y": {}}
    with pytest.raises(ValueError, match="Relation 2 is ' ', an empty name"):
        read_relation_lines(["y", " "], comments=False)
