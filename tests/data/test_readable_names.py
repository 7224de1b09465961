import pytest

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.data.readable_names import NewName, collisions, read_names, readable_names, rename


def document(*relations, **settings):
    mentions = [Mention(i, i + 1) for i in range(3)]
    return Document(["a", "b", "c"], mentions, [Relation(*relation) for relation in relations], **settings)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("place_of_birth", "place of birth"),
        ("/people/person/place_lived", "place lived"),
        ("Located_In", "located in"),
        ("per:city_of_birth", "city of birth"),
        ("org:stateorprovince_of_headquarters", "state or province of headquarters"),
        ("Work_For", "works for"),
        ("OrgBased_In", "organization based in"),
        ("Component-Whole", "component of"),
        ("USED-FOR", "used for"),
        ("part-of", "part of"),
        ("mother-in-law", "mother-in-law"),
        ("kill", "kill"),
        ("出生地", "出生地"),
        ("_", "_"),
        ("-", "-"),
        ("/", "/"),
    ],
)
def test_names_become_words(name, words):
    assert readable_names([name]) == {name: NewName(words)}


def test_a_reverse_direction_swaps_head_and_tail():
    names = readable_names(["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "next_to (e2, e1)"])
    assert names == {
        "Cause-Effect(e1,e2)": NewName("causes"),
        "Cause-Effect(e2,e1)": NewName("causes", swap=True),
        "next_to (e2, e1)": NewName("next to", swap=True),
    }
    assert not collisions(names)
    renamed = rename(document((0, 1, "Cause-Effect(e1,e2)"), (0, 2, "Cause-Effect(e2,e1)")), names)
    assert [(r.head, r.tail, r.relation_type) for r in renamed.relations] == [(0, 1, "causes"), (2, 0, "causes")]


def test_names_that_would_read_alike_keep_what_stood_before_them():
    names = ["per:parents", "org:parents", "/location/country/capital", "/location/us_state/capital", "capital"]
    new = readable_names(names)
    assert [new[name].name for name in names] == [
        "person parents",
        "organization parents",
        "country capital",
        "us state capital",
        "capital",
    ]
    merged = readable_names(["place_of_birth", "placeOfBirth", "spouse"])
    assert collisions(merged) == {"place of birth": ["place_of_birth", "placeOfBirth"]}


def test_relations_that_become_one_keep_the_evidence_of_both():
    both = Document(
        ["a", "b"],
        [Mention(0, 1), Mention(1, 2)],
        [Relation(0, 1, "born_in", "P19", (1,)), Relation(0, 1, "bornIn", None, (0, 1))],
        sentences=((0, 1), (1, 2)),
    )
    assert rename(both, readable_names(["born_in", "bornIn"])).relations == [Relation(0, 1, "born in", "P19", (1, 0))]


def test_what_is_removed_is_not_known_to_be_none():
    names = read_names({"x": None, "no_relation": False}, "names.json")
    removed = rename(document((0, 1, "x"), (1, 2, "y")), names)
    assert [r.relation_type for r in removed.relations] == ["y"]
    assert not removed.exhaustive
    assert removed.entities_exhaustive is True  # what was known of entities still is
    assert rename(document((0, 1, "no_relation")), names).exhaustive
    unknown = rename(document((0, 1, "no_relation"), (1, 2, "no_relation"), (1, 2, "y"), exhaustive=False), names)
    assert unknown.none_pairs == ((0, 1),)


def test_a_swapped_relation_is_no_longer_said_to_be_none():
    swapped = rename(
        document((0, 1, "r(e2,e1)"), exhaustive=False, none_pairs=((1, 0), (1, 2))), readable_names(["r(e2,e1)"])
    )
    assert swapped.none_pairs == ((1, 2),)
    assert swapped.relations[0].head == 1


def test_documents_without_such_names_are_left_alone():
    one = document((0, 1, "x"))
    assert rename(one, {"y": NewName("z")}) is one


def test_new_names_of_users():
    values = {"a": "x", "b": ["y", "a description"], "c": {"name": "z", "swap": True}}
    assert read_names(values, "n") == {"a": NewName("x"), "b": NewName("y"), "c": NewName("z", swap=True)}


@pytest.mark.parametrize("value", [3, "", "  ", {"nam": "x"}, {"name": "x", "swap": 1}, [], [1]])
def test_new_names_that_are_none_are_refused(value):
    with pytest.raises((TypeError, ValueError), match=r"names\.json: The new name of 'a'"):
        read_names({"a": value}, "names.json")
