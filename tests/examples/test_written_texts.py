"""Written texts of the default model: what the form says, what is refused, and that all of them are sound."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "default_model"
HEAD = """@field: wards
@entity: physician
@entity: hospital
@entity: city
@relation: works at | physician -> hospital | employed by; is on the staff of | employs; has on its staff
@relation: trained at | physician -> hospital, city | learned the trade in |
@relation: colleague of | physician -> physician | works with | =
"""
TEXT = "Last spring [Dr. Amina Farouk|physician] left [Leeds General|hospital] for [St Luke's|hospital]; "
TEXT += "[Farouk|physician=1] knows [Tom Reyes|physician]."
# Names of FewRel's test relations, and what means the same: nothing of them may be trained on.
FEWREL = {
    "crosses", "original language", "original language of film or tv show", "competition class", "part of",
    "component of", "has part", "sport", "constellation", "position played", "position played on team / speciality",
    "located in or next to body of water", "voice type", "follows", "preceded by", "sequel", "spouse", "husband",
    "wife", "married to", "military rank", "mother", "parent", "member of", "has member", "child", "son", "daughter",
    "main subject", "is about", "topic", "is a component of", "is a member of", "is part of", "employee or member of",
    "couple", "is about topic", "meronym", "parents", "topic of", "previous work", "next higher rank",
}  # fmt: skip


@pytest.fixture(scope="module")
def texts():
    spec = importlib.util.spec_from_file_location("written_texts", FOLDER / "texts.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def read(texts, tmp_path):
    def read(text, head=HEAD):
        file = tmp_path / "wards.txt"
        file.write_text(f"{head}\n{text}\n", encoding="utf-8")
        return texts.read_field(file)

    return read


def facts(one):
    return {(r.head, r.relation_type, r.tail) for r in one.relations}


def test_marks_become_mentions_and_lines_relations_in_both_directions_where_symmetric(read):
    field = read(f"{TEXT}\n1 works at 3\n5 colleague of 1\n\nNobody of [Leeds|city] met [Ann|physician].")
    first, second = field.documents
    assert " ".join(first.words).startswith("Last spring Dr . Amina Farouk left Leeds General for St Luke")
    assert [" ".join(first.words[m.start : m.end]) for m in first.mentions][3:] == ["Farouk", "Tom Reyes"]
    assert [(m.label, m.entity) for m in first.mentions] == [
        ("physician", 0), ("hospital", 1), ("hospital", 2), ("physician", 0), ("physician", 4),
    ]  # fmt: skip
    assert facts(first) == {(0, "works at", 2), (4, "colleague of", 0), (0, "colleague of", 4)}
    assert facts(second) == set()
    assert first.exhaustive
    assert first.source == "written/wards"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[Ann|nurse] and [Bob|physician]", r"wards.txt:9: '\[Ann\|nurse\]' is of a type that no `@entity:`"),
        ("[Ann|physician] and [Bob|physician=2]", "refers to a mark that does not stand before it"),
        ("[Ann|physician] and [Bob", "a bracket or bar that belongs to no mark"),
        (f"{TEXT}\n1 owns 3", "wards.txt:10: `HEAD NAME TAIL` with a name of a `@relation:` expected, got '1 owns 3'"),
        (f"{TEXT}\n1 works at 9", "ends are two of the 5 marks"),
        (f"{TEXT}\n1 works at 1", "ends are two of the 5 marks"),
        (f"{TEXT}\n3 works at 1", "hospital -> physician are not the ends that 'works at' declares"),
        ("Mac[Ann|physician] met [Bob|physician]", "wards.txt:9"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_line(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("@entity: city", "one line `@field: NAME` expected, got 0"),
        ("@field: a\n@thing: b", "`@field:`, `@entity:` or `@relation:` expected"),
        ("@field: a\n@relation: in | city -> city", "HEADS -> TAILS"),
        ("@field: a\n@relation: in | city -> land | |", "'in' has ends of the type 'city', which no `@entity:`"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(read, head, message):
    with pytest.raises(ValueError, match=message):
        read("", head)


def test_a_version_has_one_name_of_each_relation_and_says_what_was_looked_for(texts, read):
    field = read(f"{TEXT}\n1 works at 3\n1 colleague of 5")
    works, employs = {"works at", "employed by", "is on the staff of"}, {"employs", "has on its staff"}
    seen = set()
    for document in texts.versions(field, [], 40, lambda generator: ["orbits", "works with"], seed=0):
        named = {name: {(r.head, r.tail) for r in document.relations if r.relation_type == name} for name in works}
        (name,) = (name for name, pairs in named.items() if pairs)
        assert named[name] == {(0, 2)}
        swapped = [r for r in document.relations if r.relation_type in employs]
        assert [(r.head, r.tail) for r in swapped] in ([], [(2, 0)])
        assert len({r.relation_type for r in document.relations}) == 2 + len(swapped)
        assert set(document.annotated_relation_types) >= {"orbits", *(r.relation_type for r in document.relations)}
        assert len(set(document.annotated_relation_types)) == len(document.annotated_relation_types)
        assert "trained at" in document.annotated_relation_types or "learned the trade in" in (
            document.annotated_relation_types
        )
        assert document.knows_entities
        seen |= {name, *(r.relation_type for r in swapped)}
    assert seen == works | employs
    same = list(texts.versions(field, [], 3, lambda generator: [], seed=0))
    assert same == list(texts.versions(field, [], 3, lambda generator: [], seed=0))


def test_half_of_the_versions_are_asked_for_broader_kinds_which_hold_where_a_relation_of_them_does(texts, read):
    field = read(f"{TEXT}\n1 works at 3\n1 colleague of 5")
    role = texts.Broader(("role", "ROLE"), ("has in a role",), False, frozenset({"works at"}), frozenset({"employs"}))
    social = texts.Broader(("social",), (), True, frozenset({"colleague of"}), frozenset())
    place = texts.Broader(("physical",), (), False, frozenset({"lies in"}), frozenset({"trained at"}))
    asked = 0
    for document in texts.versions(field, [role, social, place], 60, lambda generator: [], seed=0):
        ends = {
            "role": {(0, 2)},
            "ROLE": {(0, 2)},
            "has in a role": {(2, 0)},
            "social": {(0, 4), (4, 0)},
            "physical": set(),
        }
        kinds = ends.keys() & set(document.annotated_relation_types)
        assert len(kinds & {"role", "ROLE", "has in a role"}) <= 1
        for name in ends:
            found = {(r.head, r.tail) for r in document.relations if r.relation_type == name}
            assert found == (ends[name] if name in kinds else set())
        asked += bool(kinds)
    assert 20 < asked < 40


def test_broader_kinds_are_of_relations_that_there_are_and_none_is_of_fewrels_test_set(texts):
    kinds = texts.read_broader(FOLDER / "broader.json")
    fields = [texts.read_field(file) for file in sorted((FOLDER / "texts").glob("*.txt"))]
    known = {relation.name for field in fields for relation in field.relations}
    for kind in kinds:
        assert kind.relations | kind.swapped <= known
        assert not {name.lower() for name in kind.names + kind.inverse} & FEWREL
        assert bool(kind.inverse) != kind.is_symmetric or not kind.inverse


def test_joined_texts_keep_their_relations_and_entities_apart(texts, read):
    field = read(
        f"{TEXT}\n1 works at 3\n\n[Ann|physician] is at [Mercy|hospital] with [Ann|physician=1].\n1 works at 2"
    )
    first, second = field.documents
    both = texts.joined(first, second)
    assert list(both.words) == [*first.words, *second.words]
    assert facts(both) == {(0, "works at", 2), (5, "works at", 6)}
    assert [m.entity for m in both.mentions] == [0, 1, 2, 0, 4, 5, 6, 5]
    assert both.words[both.mentions[6].start] == "Mercy"
    assert texts.may_join(first, second)
    assert not texts.may_join(first, first)


def test_all_texts_are_sound_and_none_has_a_relation_of_fewrels_test_set(texts):
    files = sorted((FOLDER / "texts").glob("*.txt"))
    fields = [texts.read_field(file) for file in files]
    names = {name.lower() for field in fields for name in field.names}
    assert not names & FEWREL
    for field in fields:
        assert len(field.documents) >= 10, field.name
        assert any(not document.relations for document in field.documents), field.name
