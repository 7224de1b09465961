"""`glirel evaluate`."""

import json

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, read_documents, text_hash, write_documents


@pytest.fixture
def data(tmp_path):
    documents = [
        Document(
            ["Marie", "Curie", "was", "born", "in", "Warsaw"],
            [Mention(0, 2), Mention(5, 6)],
            [Relation(0, 1, "place of birth"), Relation(0, 1, "city [of birth]")],
        ),
        Document(["Ada", "met", "Alan"], [Mention(0, 1), Mention(2, 3)], [Relation(0, 1, "met")], exhaustive=False),
    ]
    write_documents(tmp_path / "test.jsonl", documents * 3)
    return tmp_path / "test.jsonl"


@pytest.fixture
def run(build_model, data, tmp_path):
    """Runs `glirel evaluate <a tiny model> DATA ...`."""
    build_model("bert").save_pretrained(tmp_path / "model")

    def call(*arguments, file=data):
        return CliRunner().invoke(app, ["evaluate", str(tmp_path / "model"), str(file), *map(str, arguments)])

    return call


def test_folders_of_brat_are_read_and_spans_that_cut_words_are_widened_on_request(run, tmp_path):
    (tmp_path / "brat").mkdir()
    (tmp_path / "brat" / "a.txt").write_text("Maries home is Warsaw.")
    (tmp_path / "brat" / "a.ann").write_text("T1\tPER 0 5\tMarie\nT2\tLOC 15 21\tWarsaw\nR1\thome Arg1:T1 Arg2:T2\n")
    strict, expand = run(file=tmp_path / "brat"), run("--alignment", "expand", file=tmp_path / "brat")
    assert (strict.exit_code, expand.exit_code) == (1, 0)
    assert "--alignment expand" in " ".join(strict.stderr.split())
    assert "read as brat" in " ".join(expand.stderr.split())


def test_it_prints_tables_and_writes_all_as_json(run, tmp_path):
    result = run("--output", tmp_path / "scores.json", "--threshold", 0.4)
    assert result.exit_code == 0, result.output
    for text in ("place of birth", "city [of birth]", "micro", "macro", "At the threshold 0.400", "6 documents"):
        assert text in result.stdout
    assert "fitted on the same data" in result.stdout
    assert "3 pairs of documents that are not exhaustive have no relation" in " ".join(result.stderr.split())
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert scores["threshold"] == 0.4
    assert {row["relation_type"]: row["support"] for row in scores["relation_types"]} == {
        "place of birth": 3,
        "city [of birth]": 3,
        "met": 3,
    }
    assert len(scores["curve"]["threshold"]) == len(scores["curve"]["micro"]) == 99
    assert scores["best_on_these_data"]["micro"]["f1"] >= scores["averages"]["micro_f1"]


@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_what_is_read_is_not_written_over(option, run, data, tmp_path):
    for file in (data, tmp_path / "model" / "config.json"):
        before = file.read_bytes()
        result = run(option, file)
        assert result.exit_code == 1
        assert f"{option} {str(file)!r} is an input" in result.stderr
        assert file.read_bytes() == before


def test_rows_are_sorted_and_those_not_shown_are_counted(run):
    by_name = run("--sort", "name", "--top", 1)
    assert "city [of birth]" in by_name.stdout
    assert "place of birth" not in by_name.stdout
    assert "2 more relation types are counted but not shown" in by_name.stdout
    assert run("--sort", "f1").exit_code == 0


def test_chosen_types_in_groups(run):
    result = run("-r", "met", "-r", "spouse", "--group-size", 1)
    assert result.exit_code == 0, result.output
    assert "2 relation types in 2 groups" in result.stdout
    assert "6 relations are of types that were not asked for" in " ".join(result.stderr.split())


def test_only_what_training_held_out_is_read(run, data):
    _, larger = sorted({text_hash(document) for document in read_documents(data)})
    assert "3 documents" in run("--held-out", larger).stdout
    assert "nothing to evaluate on: got 0 documents" in run("--held-out", 0).stderr


def test_classification_of_given_pairs(run):
    pytest.importorskip("sklearn")
    result = run("--candidates", 3)
    assert result.exit_code == 0, result.output
    assert "Best of 3, 9 pairs given: macro-F1" in result.stdout


def test_a_plot_is_drawn_or_its_package_is_named(run, tmp_path):
    result = run("--plot", tmp_path / "f1.png")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        assert result.exit_code == 1
        assert "pip install 'glirel-transformers[benchmark]'" in result.stderr
    else:
        assert result.exit_code == 0, result.output
        assert (tmp_path / "f1.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--candidates", "9"], 1, "9 candidates cannot be drawn from 3 relation types. Choose 2 to 3."),
        (["-r", "met", "-r", "met"], 1, "repeats 'met'"),
        (["--threshold", "2"], 2, "less than or equal to 1"),
        (["--sort", "size"], 2, "size"),
    ],
)
def test_errors_are_one_line(run, options, code, message):
    result = run(*options)
    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_what_is_no_checkpoint_is_told_what_it_is(encoder_folder, data, tmp_path):
    result = CliRunner().invoke(app, ["evaluate", str(encoder_folder("bert")), str(data)])
    assert result.exit_code == 1
    assert "is not a GLiREL model: its config.json is of the type 'bert'" in result.stderr
    assert "Traceback" not in result.output


def test_damaged_weights_are_one_line(run, tmp_path):
    (tmp_path / "model" / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    result = run()
    assert result.exit_code == 1
    assert "model.safetensors: It cannot be read" in result.stderr


def test_a_line_that_cannot_be_read_is_named(run, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"words": 3}\n')
    result = run(file=tmp_path / "bad.jsonl")
    assert result.exit_code == 1
    assert "bad.jsonl, line 1" in result.stderr


@pytest.fixture
def docred(tmp_path):
    """Files of DocRED: the test, one to fit on, and one of training that states one of the two facts of the test."""

    def document(person, labels):
        sents = [[person, "met", "Alan", "."], ["She", "met", "Rome", "."]]
        entities = [[(person, 0, 0), ("She", 1, 0)], [("Alan", 0, 2)], [("Rome", 1, 2)]]
        vertex_set = [
            [{"name": name, "sent_id": sent, "pos": [word, word + 1], "type": "X"} for name, sent, word in entity]
            for entity in entities
        ]
        labels = [{"h": h, "t": t, "r": r, "evidence": [0]} for h, t, r in labels]
        return {"title": person, "sents": sents, "vertexSet": vertex_set, "labels": labels}

    records = {
        "test": [document("Ada", [(0, 1, "P1"), (0, 2, "P2")])],
        "dev": [document("Marie", [(0, 1, "P1")]), document("Ada", [(2, 0, "P2")])],
        "train": [document("Ada", [(0, 1, "P1")])],
        "bare": [document("Ada", [])],
    }
    for name, listed in records.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(listed))
    (tmp_path / "rel_info.json").write_text(json.dumps({"P1": "met", "P2": "visited"}))
    return tmp_path


def test_documents_are_scored_by_entity(run, docred, tmp_path):
    options = ["--by-entity", "--threshold", 0, "--train-facts", docred / "train.json", "-o", tmp_path / "scores.json"]
    result = run(*options, file=docred / "test.json")
    assert result.exit_code == 0, result.output
    printed = " ".join(result.stdout.split())
    # 6 pairs of entities and 2 types: 12 predicted, of which 2 are right; 1 of them is stated by the training file.
    assert "Facts between entities: 2 gold, 12 predicted, 2 right: F1 0.286" in printed
    assert "Without the 1 right ones that training documents state: Ign F1 0.167" in printed
    assert "1 documents, 6 ordered pairs of entities, 2 relation types" in printed
    scores = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert scores["by_entity"]
    assert scores["facts"] == pytest.approx(
        {
            "precision": 2 / 12,
            "recall": 1.0,
            "f1": 2 / 7,
            "ign_precision": 1 / 11,
            "ign_f1": 1 / 6,
            "num_right": 2,
            "num_predicted": 12,
            "num_gold": 2,
            "num_right_in_train": 1,
        }
    )
    assert scores["num_train_facts"] == 2  # Ada and She met Alan


@pytest.mark.parametrize("by_entity", [[], ["--by-entity"]])
def test_the_threshold_is_fitted_on_other_documents(run, docred, tmp_path, by_entity):
    def scores(file, *options):
        result = run(*by_entity, *options, "-o", tmp_path / "scores.json", file=docred / file)
        assert result.exit_code == 0, result.output
        return result.stdout, json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))

    _, dev = scores("dev.json")
    printed, test = scores("test.json", "--fit-on", docred / "dev.json")
    best = dev["best_on_these_data"]["micro"]
    assert test["fitted"] == {**best, "num_documents": 2}
    assert test["threshold"] == best["threshold"]
    assert "This threshold was fitted on the 2 documents of --fit-on" in " ".join(printed.split())
    assert ("facts" in test) == bool(by_entity)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train-facts", "train.json"], "--train-facts gives Ign F1, which is of facts between entities. Add --by"),
        (["--fit-on", "dev.json", "--threshold", "0.5"], "--fit-on finds the threshold, and --threshold gives it"),
        (["--fit-on", "test.json"], "is one of DATA"),
        (
            ["--fit-on", "bare.json"],
            "No threshold can be fitted: of the relation types that are asked for, none holds",
        ),
    ],
)
def test_options_of_documents_that_do_not_fit(run, docred, options, message):
    result = run(*(docred / part if part.endswith(".json") else part for part in options), file=docred / "test.json")
    assert result.exit_code == 1, result.output
    assert message in " ".join(result.stderr.split())


def test_scores_and_the_picture_are_two_files(tmp_path):
    (tmp_path / "data.jsonl").write_text("{}\n")
    arguments = ["model", str(tmp_path / "data.jsonl"), "-o", str(tmp_path / "x"), "--plot", str(tmp_path / "." / "x")]
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == 1
    assert "are the same file" in result.stderr
