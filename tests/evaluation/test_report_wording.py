"""Other names for relation types: mechanical changes, and paraphrases from a file."""

from __future__ import annotations

import json

import pytest

from glirel_transformers.evaluation.report import make_wordings, read_paraphrases


def test_mechanical_changes():
    found = make_wordings(["place of birth", "Employer"])
    assert {title: list(names.values()) for title, names in found.names.items()} == {
        "lower case": ["place of birth", "employer"],
        "upper case": ["PLACE OF BIRTH", "EMPLOYER"],
        "title case": ["Place Of Birth", "Employer"],
        "underscores": ["place_of_birth", "Employer"],
        "article": ["a place of birth", "an Employer"],
    }
    assert found.notes() == []


def test_changes_without_an_effect_are_left_out_and_said():
    found = make_wordings(["spouse"])
    assert list(found.names) == ["upper case", "title case", "article"]
    assert found.notes() == ["Left out, as it changes no name: lower case, underscores."]


def test_names_that_would_be_equal_stay_as_they_are():
    found = make_wordings(["Spouse", "spouse", "employer"])
    assert found.names["upper case"] == {"Spouse": "Spouse", "spouse": "spouse", "employer": "EMPLOYER"}
    assert "Names that a change makes equal to another stay as they are: Spouse (lower case), " in " ".join(
        found.notes()
    )


def test_paraphrases_are_tried_in_turn_and_what_is_missing_is_said():
    found = make_wordings(
        ["spouse", "employer", "mother"],
        {"spouse": ["married to", "wife of"], "employer": ["works for"], "son": ["x"]},
    )
    assert found.names["paraphrase 1"] == {"spouse": "married to", "employer": "works for", "mother": "mother"}
    assert found.names["paraphrase 2"] == {"spouse": "wife of", "employer": "employer", "mother": "mother"}
    assert "Paraphrases of 1 names that are not relation types here were left out: son." in found.notes()
    assert "Without a paraphrase, and with their own names throughout: mother." in found.notes()


def test_two_types_by_one_name_are_refused():
    with pytest.raises(ValueError, match="Paraphrase 1 of 'mother' and of 'father' is the same, 'parent'"):
        make_wordings(["mother", "father"], {"mother": ["parent"], "father": ["parent"]})
    with pytest.raises(ValueError, match="of 'spouse' and of 'partner' is the same, 'partner'"):
        make_wordings(["spouse", "partner"], {"spouse": ["partner"]})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", json.dumps({"spouse": ["married to", "wife of"], "employer": "works for"})),
        ("p.tsv", "spouse\tmarried to\twife of\nemployer\tworks for\n"),
        ("p.txt", "0\tspouse\tmarried to\twife of\t\n\n1\temployer\tworks for\t\t\n"),
    ],
)
def test_files(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_paraphrases(tmp_path / name) == {"spouse": ["married to", "wife of"], "employer": ["works for"]}


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        (
            "p.json",
            '{"spouse": [1]}',
            r"p.json: The paraphrases of 'spouse' must be a list of names, not empty: got \[1\]",
        ),
        ("p.json", '{"spouse": [" "]}', "must be a list of names"),
        ("p.json", "{}", "There is no paraphrase in it"),
        ("p.json", "[]", "must hold a JSON object"),
        ("p.txt", "", "There is no paraphrase in it"),
        ("p.txt", "spouse\tmarried to\nemployer\n", "p.txt, line 2: It must be a name and its paraphrases"),
        ("p.txt", "spouse\tmarried to\nspouse\twife of\n", "p.txt, line 2: 'spouse' was there before"),
    ],
)
def test_files_of_another_form(tmp_path, name, text, error):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=error):
        read_paraphrases(tmp_path / name)
