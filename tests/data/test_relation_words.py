import pytest

from glirel_transformers.data.relation_words import Resemblance, read_synonyms, words_of

RESEMBLANCE = Resemblance()


@pytest.mark.parametrize(
    ("name", "other", "kind"),
    [
        ("part of", "part of", "same"),
        ("Part_Of", "part of", "same words"),
        ("military ranks", "military rank", "same words"),
        ("founded", "founding", "same words"),
        ("stops", "stopped", "same words"),
        ("studies", "study", "same words"),
        ("Résidence", "residence", "same words"),
        ("married_to", "spouse", "synonym"),
        ("has part", "part of", "inverse"),
        ("mother", "child", "inverse"),
        ("crossed by", "crosses", "alike"),
        ("genre of", "genre", "alike"),
        ("father", "mother", None),
        ("place of birth", "place of death", None),
        ("is", "of", None),
        ("#", "%", None),
        ("出生地", "国", None),
    ],
)
def test_how_names_resemble_each_other(name, other, kind):
    assert RESEMBLANCE.kind(name, other) == kind
    assert RESEMBLANCE.kind(other, name) == kind
    assert RESEMBLANCE.pairs([name], [other]) == ([] if kind is None else [(name, other, kind)])


def test_lists_of_users_are_added():
    groups = read_synonyms({"treats": {"synonyms": ["cures"], "inverses": ["treated with"]}, "x": ["y"]}, "f")
    mine = Resemblance([*groups, *read_synonyms([["located_at", "found in"]], "f")])
    assert mine.kind("cures", "Treated-With") == "inverse"
    assert mine.kind("y", "x") == "synonym"
    assert mine.kind("found in", "located at") == "synonym"
    assert mine.kind("spouse", "married to") == "synonym"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["spouse", "child"], "--block"),
        ("spouse", "object or a list of lists"),
        ({"a": {"inverse": []}}, "may have 'synonyms' and 'inverses'"),
        ({"a": [1]}, "list of names"),
        ([["a"], 3], "list of names"),
    ],
)
def test_other_lists_are_refused(values, message):
    with pytest.raises((TypeError, ValueError), match=message):
        read_synonyms(values, "synonyms.json")


def test_words_of_nothing():
    assert words_of("") == words_of("#") == ()
