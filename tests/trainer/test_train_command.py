"""`glirel train`, as a user runs it: through the command, in a process of its own where that matters."""

import json
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from interpreters import package_environment
from typer.testing import CliRunner

from glirel_transformers import GLiRELConfig, GLiRELForRelationClassification
from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, write_documents
from glirel_transformers.trainer.run import last_step

pytestmark = pytest.mark.slow


def command(*arguments):
    return [sys.executable, "-m", "glirel_transformers.cli", "train", *map(str, arguments)]


def run_apart(*arguments):
    return subprocess.run(command(*arguments), env=package_environment(), capture_output=True, text=True, timeout=300)


def run(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def labelled(documents, tmp_path):
    """A file of four labelled documents."""
    write_documents(tmp_path / "labelled.jsonl", documents)
    return tmp_path / "labelled.jsonl"


@pytest.fixture
def checkpoint(make_model, tmp_path):
    make_model(scorer="dot_norm", trained_relation_types=["author"]).save_pretrained(tmp_path / "before")
    return tmp_path / "before"


@pytest.mark.slow
def test_it_trains_resumes_and_continues(encoder_folder, documents, tmp_path):
    many = [
        Document([*one.words, f"r{i % 10}", f"r{i // 10}"], one.mentions, one.relations, source=f"set{i % 2}")
        for i in range(25)
        for one in documents
    ]
    silent = Document(["Ada", "Alan"], [Mention(0, 1), Mention(1, 2)], [], exhaustive=False)
    write_documents(tmp_path / "train.jsonl.xz", [*many, silent])
    data = [tmp_path / "train.jsonl.xz", "--output", tmp_path / "run", "--held-out", "0.2"]
    options = [*data, "--eval-steps", "2", "--max-per-relation", "20", "--repeat", "set0=2", "--repeat", "set1=0.5"]
    fresh = ["--encoder", encoder_folder, "--scorer", "dot_norm", "--hidden-size", "16", "--no-bf16"]
    first = run(*fresh, *options, "--max-steps", "2")
    assert first.exit_code == 0, first.stderr[-3000:]
    assert "1 document left out: nothing is known about any pair" in first.stderr
    assert "relations of 5 types to train on" in first.stdout
    second = run_apart(*fresh, *options, "--max-steps", "4")
    assert second.returncode == 0, second.stderr[-3000:]
    assert "(4 updates, threshold 0." in second.stdout
    assert "glirel evaluate" in second.stdout
    state = json.loads((tmp_path / "run" / "checkpoints" / "checkpoint-4" / "trainer_state.json").read_text())
    assert [entry["step"] for entry in state["log_history"] if "eval_loss" in entry] == [2, 4]
    model = GLiRELForRelationClassification.from_pretrained(tmp_path / "run" / "model")
    assert (model.config.scorer, model.config.hidden_size) == ("dot_norm", 16)
    assert model.config.threshold != 0.5
    other = run(*fresh, *options, "--max-steps", "4", "--seed", "1")
    assert other.exit_code == 1
    assert "seed was 0 and is now 1" in other.stderr


def test_a_few_labelled_examples_continue_a_model(labelled, checkpoint, tmp_path):
    result = run(
        labelled, "--model", checkpoint, "-o", tmp_path / "run", "--max-steps", 2, "--no-bf16", "--held-out", 0
    )
    assert result.exit_code == 0, result.output
    assert "nothing is evaluated and no threshold is fitted" in result.stderr
    assert "glirel extract" in result.stdout
    config = GLiRELConfig.from_pretrained(tmp_path / "run" / "model")
    assert (config.scorer, config.threshold) == ("dot_norm", 0.5)
    expected = ["author", "employer", "spouse", "capital", "colleague", "place of birth"]
    assert config.trained_relation_types == expected


def test_more_examples_in_the_same_file_are_another_run(labelled, checkpoint, tmp_path):
    command = [labelled, "--model", checkpoint, "-o", tmp_path / "run", "--max-steps", 1, "--no-bf16", "--held-out", 0]
    assert run(*command).exit_code == 0
    again = run(*command)
    assert again.exit_code == 0
    assert "finished before, and nothing was trained now" in again.stderr
    lines = labelled.read_text(encoding="utf-8")
    labelled.write_text(lines + lines.splitlines()[0] + "\n", encoding="utf-8")
    more = run(*command)
    assert more.exit_code == 1
    assert "the files have changed" in more.stderr


def test_epochs_and_a_file_to_evaluate_on(labelled, checkpoint, tmp_path):
    options = ["--epochs", 2, "--batch-size", 2, "--no-bf16", "--eval", labelled, "--no-record-types"]
    result = run(labelled, "-m", checkpoint, "-o", tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    assert "(4 updates, threshold 0." in result.stdout
    assert "macro" in result.stdout
    assert "4 of the documents to evaluate on are also trained on" in result.stderr
    assert GLiRELConfig.from_pretrained(tmp_path / "run" / "model").trained_relation_types == ["author"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--scorer", "dot"], 1, "keeps its own settings; leave out scorer, or give an encoder"),
        (["--encoder", "somewhere"], 1, "--encoder starts a fresh model and --model continues one"),
        (["--repeat", "fewrel"], 1, "--repeat is 'fewrel'. Write SOURCE=FACTOR"),
        (["--held-out", "1"], 1, "There is no document to train on"),
        (["--scorer", "dots"], 2, "dots"),
        (["--batch-size", "0"], 2, "greater than or"),
    ],
)
def test_wrong_options_are_one_line(labelled, checkpoint, tmp_path, options, code, message):
    result = run(labelled, "--model", checkpoint, "--output", tmp_path / "run", *options)
    assert result.exit_code == code, result.output
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_wrong_data_are_one_line_that_names_the_line(checkpoint, tmp_path):
    (tmp_path / "bad.jsonl").write_text('{"words": ["a"], "mentions": [], "relations": []}\n{"words": []}\n')
    result = run(tmp_path / "bad.jsonl", "--model", checkpoint, "--output", tmp_path / "run")
    assert result.exit_code == 1
    assert "bad.jsonl, line 2" in result.stderr


def test_a_model_that_is_not_there_is_one_line(labelled, tmp_path):
    for kind in ("--model", "--encoder"):
        result = run(labelled, kind, "./nowhere", "--output", tmp_path / "run")
        assert result.exit_code == 1
        assert "./nowhere" in result.stderr
        assert "Traceback" not in result.output


@pytest.mark.sweep
def test_a_stopped_run_says_how_to_go_on_and_does(labelled, checkpoint, tmp_path):
    options = [labelled, "--model", checkpoint, "--output", tmp_path / "run", "--no-bf16", "--eval-steps", 5]
    process = subprocess.Popen(
        command(*options, "--max-steps", 100_000),
        env=package_environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # it may be ignored where tests run
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "checkpoints" / "checkpoint-10").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "same command resumes from there" in stderr
    assert "Traceback" not in stderr
    saved = last_step(tmp_path / "run")
    assert f"saved after update {saved:,}" in stderr
    again = run_apart(*options, "--max-steps", saved + 5)
    assert again.returncode == 0, again.stderr
    assert f"({saved + 5:,} updates" in again.stdout


DOCUMENTS = [
    {
        "title": f"document {place}",
        "sents": [["Marie", "Curie", "was", "born", "in", "Warsaw", *["and"] * place], ["Marie", "married", "Pierre"]],
        "vertexSet": [
            [{"name": "Marie Curie", "sent_id": 0, "pos": [0, 2]}, {"name": "Marie", "sent_id": 1, "pos": [0, 1]}],
            [{"name": "Warsaw", "sent_id": 0, "pos": [5, 6]}],
            [{"name": "Pierre", "sent_id": 1, "pos": [2, 3]}],
        ],
        "labels": [{"h": 0, "t": 1, "r": "P19", "evidence": [0]}, {"h": 0, "t": 2, "r": "P26", "evidence": [1]}],
    }
    for place in range(4)
]


@pytest.mark.parametrize("options", [[], ["--by-mention"], ["--set", "by_entity=false"]])
def test_documents_train_a_system_of_two_encoders(encoder_folder, tmp_path, options):
    (tmp_path / "rel_info.json").write_text(json.dumps({"P19": "place of birth", "P26": "spouse"}))
    for name in ("train", "dev"):
        (tmp_path / f"{name}.json").write_text(json.dumps(DOCUMENTS[:3] if name == "train" else DOCUMENTS[3:]))
    start = [
        "--system",
        "glidre",
        "--encoder",
        encoder_folder,
        "--label-encoder",
        encoder_folder,
        "--set",
        "dropout=0",
    ]
    data = [tmp_path / "train.json", "--eval", tmp_path / "dev.json", "-o", tmp_path / "run", "--no-bf16"]
    result = run(*data, *start, *options, "--max-steps", 2)
    assert result.exit_code == 0, result.output
    assert ("in pairs of entities" in result.stdout) is (options == [])
    config = GLiRELConfig.from_pretrained(tmp_path / "run" / "model")
    assert (config.label_encoding, config.pair_context, config.dropout) == ("separate", "localized", 0)
    assert config.label_encoder_config is not None
    measured = CliRunner().invoke(
        app, ["evaluate", str(tmp_path / "run" / "model"), str(tmp_path / "dev.json"), "--by-entity"]
    )
    assert measured.exit_code == 0, measured.output


def test_a_system_is_for_fresh_models(labelled, checkpoint, tmp_path):
    result = run(labelled, "--model", checkpoint, "-o", tmp_path / "run", "--system", "glidre")
    assert result.exit_code == 1
    assert "keeps its own settings; leave out system" in " ".join(result.stderr.split())


@pytest.mark.parametrize("read", ["model", "data"])
def test_what_is_read_is_not_written_over(read, labelled, checkpoint, tmp_path):
    (tmp_path / "run").mkdir()
    if read == "model":
        checkpoint = checkpoint.rename(tmp_path / "run" / "model")
    else:
        labelled = labelled.rename(tmp_path / "run" / "run.json")
    content = labelled.read_bytes()
    result = run(labelled, "-m", checkpoint, "-o", tmp_path / "run", "--max-steps", "1")
    assert result.exit_code == 1
    assert "input" in result.stderr
    assert labelled.read_bytes() == content
