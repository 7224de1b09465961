import pytest

from glirel_transformers.relation_syntax import read_relation_lines, write_relation_lines
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


def test_what_is_written_is_read_again():
    assert read_relation_lines(write_relation_lines(READ)) == READ
    assert write_relation_lines(["part of", "spouse"]) == "part of\nspouse"


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


def test_a_threshold_cannot_be_written():
    with pytest.raises(ValueError, match="threshold of relation type 'spouse'"):
        write_relation_lines({"spouse": {"threshold": 0.4}})
