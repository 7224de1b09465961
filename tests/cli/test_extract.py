import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.cli.extract import find_entities

TEXT = "Marie Curie was born in Warsaw."


@pytest.fixture
def run(build_model, tmp_path):
    """Runs `glirel extract TEXT -m <a tiny model> ...`."""
    folder = tmp_path / "model"
    build_model("bert").save_pretrained(folder)

    def call(*arguments, text=TEXT, **options):
        return CliRunner().invoke(app, ["extract", text, "--model", str(folder), *arguments], **options)

    return call


def test_entities_are_found_with_their_types():
    assert find_entities(TEXT, ["Marie Curie=PERSON", "Warsaw"]) == [
        {"start": 0, "end": 11, "label": "PERSON"},
        {"start": 24, "end": 30, "label": None},
    ]


def test_an_entity_given_again_is_its_next_occurrence(capsys):
    found = find_entities("Ada met Ada and Ada.", ["Ada", "Ada"])
    assert [(entity["start"], entity["end"]) for entity in found] == [(0, 3), (8, 11)]
    assert "occurs again" in capsys.readouterr().err


@pytest.mark.parametrize("entity", ["Paris", "=PERSON"])
def test_an_entity_that_is_not_there_is_an_error(entity):
    with pytest.raises(ValueError, match=r"does not hold|has no text"):
        find_entities(TEXT, [entity])


def test_extract_prints_a_table(run):
    result = run("-e", "Marie Curie=PERSON", "-e", "Warsaw=CITY", "-r", "place of birth", "--threshold", "0")
    assert result.exit_code == 0, result.output
    assert "place of birth" in result.output
    assert "Marie Curie" in result.output
    assert "2 relations" in result.output


def test_extract_prints_json_and_reads_standard_input(run):
    options = (
        "-e",
        "Marie Curie=PERSON",
        "-e",
        "Warsaw",
        "-r",
        "born in",
        "--threshold",
        "0",
        "--top-k",
        "1",
        "--json",
    )
    result = run(*options, text="-", input=TEXT)
    relations = json.loads(result.stdout)
    assert {relation["head"]["text"] for relation in relations} == {"Marie Curie", "Warsaw"}
    assert all(relation["relation"] == "born in" for relation in relations)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-e", "Paris", "-r", "born in"), "does not hold the entity 'Paris'"),
        (("-e", "Mari", "-e", "Warsaw", "-r", "born in"), "nearest valid span is (0, 5)"),
        (("-e", "Warsaw", "-e", "Marie", "-r", "born in", "-r", "born in"), "repeats 'born in'"),
        (("-e", "Warsaw", "-r", "born in", "--threshold", "7"), "must be a number from 0 to 1"),
        (("-e", "Warsaw", "-r", "born in", "--model", "./nowhere"), "There is no folder './nowhere'"),
    ],
)
def test_errors_are_one_line_and_exit_with_1(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_the_embedded_model_is_found():
    from glirel_transformers.loading import EMBEDDED_MODEL

    assert Path(__file__).parents[1] / "checkpoints" / "glirel-mini" == EMBEDDED_MODEL
