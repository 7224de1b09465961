"""`glirel calibrate`, and what is made of its result."""

import json
import shutil

import pytest
from tiny import TEXTS
from typer.testing import CliRunner

from glirel_transformers import GLiRELConfig, RelationExtractor
from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, write_documents

TYPES = ["place of birth", "spouse", "works for"]


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    """Seven texts of six names each, with two relations of each type."""
    words = ["marie", "curie", "ada", "met", "warsaw", "sony", "tokyo"]
    documents = []
    for number in range(7):
        order = words[number:] + words[:number]
        relations = [Relation((number + 2 * k) % 6, (number + k + 3) % 6, TYPES[k]) for k in range(3)]
        relations = [one for one in relations if one.head != one.tail] + [Relation(0, 5, TYPES[number % 3])]
        mentions = [Mention(place, place + 1, "X") for place in range(6)]
        documents.append(Document(order, mentions, sorted(set(relations), key=str)))
    folder = tmp_path_factory.mktemp("dev")
    write_documents(folder / "dev.jsonl", documents)
    write_documents(folder / "background.jsonl", documents[:3])
    return folder / "dev.jsonl"


@pytest.fixture
def model(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})


def test_figures_alone_change_nothing(model, dev, tmp_path):
    before = (model / "config.json").read_bytes()
    result = run("calibrate", model, dev, "--report", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    for text in ("expected calibration error", "one threshold", "unseen types", "Temperature", "Nothing was saved"):
        assert text in result.stdout
    assert (model / "config.json").read_bytes() == before
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["num_documents"] == 7
    assert report["settings"]["metric"] == "micro"
    assert sum(count for count, _, _ in report["after"]["bins"]) == report["num_cells"] == 7 * 30 * 3
    assert sorted(row["relation_type"] for row in report["relation_types"]) == sorted(TYPES)


def test_a_copy_is_calibrated_and_used(model, dev, tmp_path):
    target = tmp_path / "calibrated"
    options = ("--min-examples", 2, "--by-type", "--method", "temperature+bias", "-o", target)
    result = run("calibrate", model, dev, *options)
    assert result.exit_code == 0, result.output
    config = GLiRELConfig.from_pretrained(target)
    assert set(config.calibration["thresholds"]) == set(TYPES)
    assert config.calibration["measured"]["ece_after"] >= 0
    old, new = (json.loads((folder / "config.json").read_text(encoding="utf-8")) for folder in (model, target))
    assert {key for key in new if old.get(key) != new[key]} == {"calibration", "threshold"}
    assert (target / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    card = (target / "README.md").read_text(encoding="utf-8")
    assert "## Calibration" in card
    assert "| place of birth |" in card
    assert f"| decision threshold | {config.threshold:.4g} |" in card
    asked = {"entities": [(0, 11), (24, 30)], "relation_types": TYPES, "threshold": 0.0}
    scores = RelationExtractor(target)(TEXTS[0], **asked)
    assert scores != RelationExtractor(model)(TEXTS[0], **asked)
    evaluated = run("evaluate", target, dev)
    assert "or at that of its own for 3 relation types" in evaluated.stdout, evaluated.output
    assert "thresholds: " in run("info", target).stdout
    extracted = run("extract", TEXTS[0], "-m", target, "-e", "Marie Curie", "-e", "Warsaw", "-r", TYPES[0])
    assert extracted.exit_code == 0, extracted.output


@pytest.mark.slow
def test_in_place_replaces_the_calibration_and_its_section(model, dev):
    (model / "README.md").write_text("# Mine\n\n## Calibration\n\nold\n\n## More\n\nkept\n", encoding="utf-8")
    (model / "scores_glirel.py").write_text("# of an older version\n", encoding="utf-8")
    for method in ("none", "temperature"):
        result = run("calibrate", model, dev, "--in-place", "--method", method, "--one-threshold")
        assert result.exit_code == 0, result.output
    calibration = GLiRELConfig.from_pretrained(model).calibration
    assert (calibration["bias"], calibration["thresholds"]) == (0, {})
    assert calibration["temperature"] != 1
    card = (model / "README.md").read_text(encoding="utf-8")
    assert card.count("## Calibration") == 1
    assert "old" not in card.replace("threshold", "")
    assert "## More\n\nkept\n" in card
    assert "RelationScores" in (model / "scores_glirel.py").read_text(encoding="utf-8")
    assert not list(model.glob("*.new"))


def test_nothing_is_written_over(model, dev, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine", encoding="utf-8")
    for target, message in (
        (tmp_path / "full", "is not empty. Name a new folder"),
        (model, "is not empty. Name a new folder"),
        (dev, "is a file"),
        (model / "inside", "is in the checkpoint"),
    ):
        result = run("calibrate", model, dev, "-o", target)
        assert result.exit_code == 1
        assert message in " ".join(result.stderr.split())
    for option in ("--plot", "--report"):
        assert "is an input" in run("calibrate", model, dev, option, dev).stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-o", "new", "--in-place"), "Choose one of the two"),
        (("--entities", "found"), "this one does not"),
        (("--entities", "gold", "--overlap", "flat"), "are for entities that are found"),
        (("--entity-types", "person"), "are for models that find entities"),
        (("--entities", "found", "--by-entity"), "add --entities gold"),
        (("--relation", "never"), "Give documents with relations that hold"),
        (("-r", "spouse", "-r", "works for", "--background", "DEV"), "at least 3 types, got 2"),
    ],
)
def test_what_does_not_fit_is_one_line(model, dev, options, message):
    result = run("calibrate", model, dev, *(dev if option == "DEV" else option for option in options))
    assert result.exit_code == 1, result.output
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert GLiRELConfig.from_pretrained(model).calibration is None


def test_a_repository_cannot_be_changed_in_place(dev):
    result = run("calibrate", "owner/name", dev, "--in-place")
    assert "--in-place changes a folder, and 'owner/name' is none" in " ".join(result.stderr.split())


@pytest.fixture
def with_rule(model):
    """A model that has a rule for unseen types."""
    file = model / "config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    rule = {"threshold": 0.4, "weight": 0.5, "quantile": 0.5, "reference_types": TYPES[1:]}
    file.write_text(json.dumps({**settings, "calibration": {"background": rule}}), encoding="utf-8")
    return model


def test_thresholds_from_background_texts_are_used_to_extract_and_to_evaluate(with_rule, dev, tmp_path):
    background, cache = dev.parent / "background.jsonl", tmp_path / "cache.json"
    asked = ("-m", with_rule, "-e", "Marie Curie", "-e", "Warsaw", "-r", TYPES[0], "--format", "jsonl")
    result = run("extract", TEXTS[0], *asked, "--background", background, "--background-cache", cache)
    assert result.exit_code == 0, result.output
    ((found,),) = [of.values() for of in json.loads(cache.read_text(encoding="utf-8"))["thresholds"].values()]
    scored = json.loads(run("extract", TEXTS[0], *asked, "--threshold", 0).stdout)["relations"]
    expected = sum(relation["score"] >= found for relation in scored)
    assert len(json.loads(result.stdout)["relations"]) == expected
    result = run("evaluate", with_rule, dev, "--background", background, "-o", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    thresholds = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["type_thresholds"]
    assert set(thresholds) == set(TYPES)


def test_what_a_background_does_not_go_with(with_rule, model_folder, dev, tmp_path):
    background = ("--background", dev.parent / "background.jsonl")
    one = ("extract", TEXTS[0], "-m", with_rule, "-e", "Marie Curie", "-e", "Warsaw")
    for command, message in (
        ((*one, "-r", "x", "--threshold", 0.5, *background), "--threshold gives one"),
        ((*one, "-r", "x", "--background-cache", tmp_path / "c.json"), "add that, or leave it out"),
        (("extract", dev, "-m", with_rule, *background), "name them with -r"),
        ((*one, "-r", "x", "--background", tmp_path / "empty.jsonl"), "have no pair of entities"),
        (("evaluate", with_rule, dev, "--threshold", 0.5, *background), "--threshold one for all"),
        (("evaluate", with_rule, dev, "--fit-on", dev, *background), "--fit-on one for all"),
        (
            ("evaluate", with_rule, dev, "--protocol", "classification", *background),
            "not for the protocol classification",
        ),
        (
            ("evaluate", with_rule, dev, "--protocol", "few-shot", "--train", dev, "--runs", "r", *background),
            "trains others",
        ),
        (("evaluate", "baseline:random", dev, *background), "calibrated, and baselines are not"),
        (("evaluate", with_rule, dev, "--background-cache", tmp_path / "c.json"), "add that, or leave it out"),
        (("evaluate", with_rule, dev, *background, "--background-cache", dev), "is an input"),
        (("evaluate", with_rule, dev, *background, "-o", background[1]), "is an input"),
        (("evaluate", model_folder, dev, "--protocol", "document", *background), "has no rule for thresholds"),
    ):
        (tmp_path / "empty.jsonl").write_text("", encoding="utf-8")
        result = run(*command)
        assert result.exit_code == 1, result.output
        assert message in " ".join(result.stderr.split())


@pytest.mark.slow
def test_a_model_that_finds_entities_is_calibrated_on_what_it_finds(joint_folder, tmp_path):
    extract = RelationExtractor(joint_folder)
    documents = []
    for text in [*TEXTS, "Ada Lovelace was born in London.", "Sony was found in Tokyo and Marie was in Warsaw."]:
        found = extract(text, entity_types=["person", "city"], relation_types=TYPES, return_entities=True, top_k=1)
        entities = [{key: one[key] for key in ("start", "end", "label")} for one in found["entities"]]
        relations = {Relation(i, j, TYPES[(i + j) % 3]) for i in range(len(entities)) for j in range(i)}
        documents.append(Document.from_text(text, entities, sorted(relations, key=str)))
    file, target = tmp_path / "joint.jsonl", tmp_path / "calibrated"
    write_documents(file, documents)
    result = run("calibrate", joint_folder, file, "--background", file, "--folds", 2, "-o", target)
    assert result.exit_code == 0, result.output
    settings = json.loads((target / "config.json").read_text(encoding="utf-8"))
    rule = {"threshold": 0.4, "weight": 0.5, "quantile": 0.5, "reference_types": TYPES[1:]}
    settings["calibration"] |= {"background": rule, "thresholds": {}}
    (target / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    result = run("evaluate", target, file, "--background", file)
    assert result.exit_code == 0, result.output
    assert "or those of types" in result.stdout
    asked = ("--entity-types", "person,city", "-r", TYPES[0], "--background", tmp_path / "texts.txt")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    result = run("extract", TEXTS[0], "-m", target, *asked)
    assert result.exit_code == 0, result.output
