"""`glirel info`."""

import json

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["info", *map(str, arguments)])


@pytest.fixture
def folder(build_model, tmp_path):
    names = [f"relation [{i}]" for i in range(50)]
    model = build_model("bert", trained_relation_types=names, num_pair_refinement_layers=1, entity_markers=True)
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_it_prints_facts_limits_and_names(folder):
    result = run(folder)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    facts = ("bert, 2 layers of width 32", "128 tokens", "not named in the model card", "0.500")
    for fact in (*facts, "num_pair_refinement_layers=1", "scorer=dot", "entity_markers=True"):
        assert fact in text
    assert "relation [39], and 10 more (--json lists all)" in text
    assert "none: read in windows" in text
    assert "each mention takes two more tokens" in text


def test_json_holds_everything(folder):
    result = run(folder, "--json")
    found = json.loads(result.stdout)
    assert len(found["trained_relation_types"]) == 50
    assert found["max_tokens"] == 128


def test_the_embedded_model_is_the_default(monkeypatch):
    monkeypatch.delenv("GLIREL_MODEL", raising=False)
    result = run()
    assert result.exit_code == 0
    assert "glirel-small" in result.stdout
    assert "finds entities" in result.stdout


def test_errors_are_one_line_with_the_cure(make_original):
    result = run(make_original())
    assert result.exit_code == 1
    assert "glirel convert" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "settings", [{}, {"entity_finder": "token", "max_entity_width": None, "pair_selection": "gcn"}]
)
def test_how_entities_are_found(build_joint, tmp_path, settings):
    build_joint(**settings).save_pretrained(tmp_path / "joint")
    text = " ".join(run(tmp_path / "joint").stdout.split())
    found = json.loads(run(tmp_path / "joint", "--json").stdout)["finds"]
    assert found["max_candidates"] == 200
    assert set(found["markers"]) == {"entity_types", "relations", "end"}
    for part in (f"by {found['entity_finder']}, of", "at most 200 candidates", *found["markers"].values()):
        assert part in text
    assert ("at most 4 words" if not settings else "any number of words") in text
    assert ("all pairs" if not settings else "pairs chosen by gcn") in text
    assert "entity types take room likewise" in text


def test_entities_that_are_given(folder):
    assert json.loads(run(folder, "--json").stdout)["finds"] is None
    assert "finds entities" not in run(folder).stdout
