import csv
import gzip
import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from interpreters import package_environment
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.cli.extract_run import find_entities

TEXT = "Marie Curie was born in Warsaw."


ENTITIES = ("-e", "Marie Curie=PERSON", "-e", "Warsaw=CITY")
RELATION = ("-r", "born in", "--threshold", "0")


@pytest.fixture
def run(model_folder, tmp_path, monkeypatch):
    """Runs `glirel extract <texts> -m <a tiny model> ...` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, text=TEXT, **options):
        texts = [text] if isinstance(text, str) else text
        return CliRunner().invoke(app, ["extract", *texts, "--model", str(model_folder), *arguments], **options)

    return call


@pytest.fixture
def corpus(tmp_path):
    """`corpus(20, {7: "no JSON"})`: a file of 20 lines, of which the eighth is something else."""

    def write(size, instead=None):
        path = tmp_path / "corpus.jsonl"
        path.write_text("".join(f"{(instead or {}).get(number) or line_of(number)}\n" for number in range(size)))
        return path.name

    return write


def line_of(number):
    text = f"Marie Curie was born in Warsaw{' and found work' * (number % 4)}."
    entities = [{"start": 0, "end": 11, "label": "PERSON"}, {"start": 24, "end": 30, "label": "CITY"}]
    return json.dumps({"id": number, "text": text, "entities": entities})


def records_of(output):
    return [json.loads(line) for line in output.splitlines()]


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


def test_what_looks_like_a_style_is_printed_as_it_stands(run):
    options = ("-e", "[bold] tea=DRINK [x]", "-e", "Bob=[red]", "-r", "drinks [y]", "--threshold", "0")
    result = run(*options, text="Bob drinks [bold] tea.")
    for word in ("[bold] tea", "DRINK [x]", "[red]", "drinks [y]"):
        assert word in result.output


def test_extract_prints_json_lines_and_reads_standard_input(run):
    result = run(*ENTITIES, *RELATION, "--top-k", "1", "--format", "jsonl", text="-", input=f"{TEXT}\n")
    (record,) = records_of(result.stdout)
    assert record["text"] == TEXT
    assert [entity["label"] for entity in record["entities"]] == ["PERSON", "CITY"]
    assert {relation["head"]["text"] for relation in record["relations"]} == {"Marie Curie", "Warsaw"}
    assert all(relation["relation"] == "born in" for relation in record["relations"])
    assert not {"source", "line"} & set(record)


def test_relations_may_have_constraints_and_come_from_a_file(run, tmp_path):
    (tmp_path / "relations.txt").write_text("# people\nspouse: PERSON <-> PERSON\nborn in: PERSON -> CITY\n")
    options = ("--relations", "relations.txt", "-r", "near: CITY -> PERSON", "--threshold", "0", "-f", "jsonl")
    (record,) = records_of(run(*ENTITIES, *options).stdout)
    found = {(relation["head"]["text"], relation["relation"]) for relation in record["relations"]}
    assert found == {("Marie Curie", "born in"), ("Warsaw", "near")}


def test_files_folders_and_packed_files_are_read(run, corpus, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / corpus(3)).rename(tmp_path / "in/b.jsonl")
    (tmp_path / "in/a.txt").write_text(f"{TEXT}\n")
    with gzip.open(tmp_path / "in/c.jsonl.gz", "wt") as file:
        file.write(line_of(9))
    result = run(*RELATION, "--ner", "heuristic", text="in")
    assert result.exit_code == 0, result.output
    places = [(record["source"], record.get("line"), record.get("id")) for record in records_of(result.stdout)]
    assert places == [("in/a.txt", None, None), *(("in/b.jsonl", i + 1, i) for i in range(3)), ("in/c.jsonl.gz", 1, 9)]
    assert "5 texts" in result.stderr


def test_lines_on_standard_input(run):
    result = run(*RELATION, "--input-format", "jsonl", text="-", input=f"{line_of(1)}\n{line_of(2)}\n")
    assert [(record["id"], record["line"]) for record in records_of(result.stdout)] == [(1, 1), (2, 2)]
    result = run(*RELATION, "--ner", "heuristic", "--input-format", "lines", text="-", input=f"{TEXT}\nAda met Bob.\n")
    assert [record["text"] for record in records_of(result.stdout)] == [TEXT, "Ada met Bob."]


@pytest.mark.parametrize("output_format", ["jsonl", "csv", "turtle", "graphml"])
def test_each_format_is_the_same_on_standard_output_and_in_a_file(output_format, run, corpus, tmp_path):
    pytest.importorskip("networkx")
    pytest.importorskip("rdflib")
    name = corpus(5)
    printed = run(*RELATION, "--format", output_format, text=name)
    assert printed.exit_code == 0, printed.output
    suffix = {"turtle": "ttl"}.get(output_format, output_format)
    written = run(*RELATION, "--output", f"out.{suffix}", text=name)
    assert written.exit_code == 0, written.output
    assert "5 texts, 10 relations" in written.stderr
    assert (tmp_path / f"out.{suffix}").read_text() == printed.stdout
    assert printed.stdout.count("born in") >= 1
    beside = [path.name for path in tmp_path.iterdir() if path.name.startswith("out.")]
    assert sorted(beside) == [f"out.{suffix}", *(["out.jsonl.progress.json"] * (output_format == "jsonl"))]


def test_a_run_that_stopped_goes_on_in_any_format(run, corpus, tmp_path):
    options = (*RELATION, "--batch-size", "1", "--output", "out.csv")
    stopped = run(*options, text=corpus(40, {20: "bad"}))
    assert stopped.exit_code == 1
    assert "corpus.jsonl:21: It is not JSON" in stopped.stderr
    assert "out.csv.partial.jsonl holds what comes before, 20 texts, 40 relations." in stopped.stderr
    assert not (tmp_path / "out.csv").exists()
    done = run(*options, text=corpus(40))
    assert done.exit_code == 0, done.output
    assert "Resuming after 16 texts" in done.stderr
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [int(row["id"]) for row in csv.DictReader(file)] == [number // 2 for number in range(80)]
    again = run(*options, text="corpus.jsonl")
    assert again.exit_code == 1
    assert "exists already" in again.stderr


@pytest.mark.parametrize(("on_error", "ids"), [("stop", [0, 1]), ("skip", [0, 1, 3]), ("keep", [0, 1, None, 3])])
def test_malformed_lines_are_counted_and_decided_upon(on_error, ids, run, corpus):
    bad = json.dumps({"text": TEXT, "entities": [[0, 3], [24, 30]]})
    result = run(*RELATION, "--on-error", on_error, text=corpus(4, {2: bad}))
    assert result.exit_code == (1 if on_error == "stop" else 0)
    assert "malformed: corpus.jsonl:3: `entities[0]` is (0, 3)" in result.stderr
    assert "1 malformed" in result.stderr
    records = records_of(result.stdout)
    assert [record.get("id") for record in records] == ids
    if on_error == "keep":
        assert set(records[2]) == {"source", "line", "input", "error"}
        assert records[2]["input"] == bad


def test_a_complete_run_does_nothing_and_other_settings_are_refused(run, corpus):
    name = corpus(3)
    assert run(*RELATION, "-o", "out.jsonl", text=name).exit_code == 0
    again = run(*RELATION, "-o", "out.jsonl", text=name)
    assert again.exit_code == 0
    assert "is complete: 3 texts" in again.stderr
    other = run("-r", "spouse", "-o", "out.jsonl", text=name)
    assert other.exit_code == 1
    assert 'relation_types was {"born in": {}} and is {"spouse": {}}' in other.stderr
    assert run("-r", "spouse", "-o", "out.jsonl", "--overwrite", text=name).exit_code == 0


def command(model_folder, *arguments):
    arguments = ["extract", "corpus.jsonl", "--model", str(model_folder), *RELATION, "--batch-size", "2", *arguments]
    return [sys.executable, "-m", "glirel_transformers.cli", *arguments]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "output"),
    [
        (signal.SIGKILL, "out.csv"),
        pytest.param(signal.SIGINT, "out.jsonl", marks=pytest.mark.sweep),
        pytest.param(signal.SIGKILL, "out.jsonl", marks=pytest.mark.sweep),
    ],
)
def test_a_killed_run_leaves_whole_lines_and_is_resumed_to_the_same_bytes(
    sent, output, model_folder, corpus, run, tmp_path
):
    name = corpus(600)
    whole = run(*RELATION, "--batch-size", "2", "-o", f"whole-{output}", text=name)
    assert whole.exit_code == 0, whole.stderr
    environment = package_environment()
    options = {"cwd": tmp_path, "env": environment, "text": True, "stderr": subprocess.PIPE}
    lines = tmp_path / (output if output.endswith("jsonl") else f"{output}.partial.jsonl")
    options["preexec_fn"] = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # it may be ignored where tests run
    with subprocess.Popen(command(model_folder, "-o", output), **options) as process:
        while process.poll() is None and not (lines.exists() and lines.stat().st_size > 100_000):
            time.sleep(0.01)
        process.send_signal(sent)
        _, told = process.communicate(timeout=60)
    assert process.returncode == (130 if sent == signal.SIGINT else -sent)
    left = lines.read_text()
    assert left.endswith("\n")
    assert 100 < len(records_of(left)) < 600
    if sent == signal.SIGINT:
        assert "Run the same command again to resume." in told
        assert "Traceback" not in told
    resumed = run(*RELATION, "--batch-size", "2", "-o", output, text=name)
    assert resumed.exit_code == 0, resumed.stderr
    assert "Resuming after" in resumed.stderr
    assert (tmp_path / output).read_bytes() == (tmp_path / f"whole-{output}").read_bytes()


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(model_folder, corpus, tmp_path):
    corpus(500)
    environment = package_environment()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command(model_folder), cwd=tmp_path, env=environment, **pipes) as process:
        assert process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == 0
    assert told == b""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-e", "Paris", "-r", "born in"), "does not hold the entity 'Paris'"),
        (("-e", "Mari", "-e", "Warsaw", "-r", "born in"), "as whole words, only within others"),
        (("-e", "Warsaw", "-e", "Marie", "-r", "born in", "-r", "born in"), "repeats 'born in'"),
        (("-e", "Warsaw", "-r", "born in", "--threshold", "7"), "must be a number from 0 to 1"),
        (("-e", "Warsaw", "-r", "born in", "--model", "./nowhere"), "There is no folder './nowhere'"),
        (("-e", "Warsaw"), "name them with -r"),
        (("-r", "born in"), "name them with -e, a recogniser with --ner"),
        (("-r", "born in", "-e", "Warsaw", "--ner", "heuristic"), "leave one of them out"),
        (("-r", "born in: PERSON", "-e", "Warsaw"), "Line 1 cannot be read"),
        (("-r", "born in", "-e", "Warsaw", "--ner-labels", "person"), "name one as `ner`"),
        (("-r", "born in", "-e", "Warsaw", "--workers", "3"), "--engine ray: add that"),
        (("-r", "born in", "-e", "Warsaw", "--engine", "ray"), "--engine ray reads files"),
        (("-r", "born in", "-e", "Warsaw", "-o", "out.txt"), "The format of 'out.txt' is unknown"),
        (("-r", "born in", "-e", "Warsaw", "-o", "out.csv", "-f", "table"), "A table is for reading in a terminal"),
        (("-r", "born in", "-e", "Warsaw", "-o", "nowhere/out.csv"), "nowhere/out.csv"),
        (("-r", "born in", "-e", "Warsaw", "--device", "abacus"), "The device 'abacus' cannot be used"),
        (("-r", "born in", "-e", "Warsaw", "--relations", "none.txt"), "none.txt"),
        (("-r", "born in", "-e", "Warsaw", "--group-size", "many"), "--group-size must be a whole number"),
        (("-r", "born in", "-e", "Warsaw", "--group-size", "0"), "must be a whole number of at least 1"),
        (("-r", "born in", "-e", "Warsaw", "--spreadsheet-safe"), "--spreadsheet-safe is for csv: got table"),
        (("-r", "born in", "-e", "Warsaw", "--once-per-pair", "-f", "jsonl"), "is for turtle and graphml: got jsonl"),
        (("-r", "born in", "-e", "Warsaw", "--text-column", "text"), "no input is a .csv, .tsv, .tab, .psv file"),
    ],
)
def test_errors_are_one_line_and_exit_with_1(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("texts", "arguments", "message"),
    [
        (["corpus.jsonl"], ("-e", "Warsaw"), "-e names the entities of one text"),
        (["One text.", "Two texts."], ("-e", "Warsaw"), "-e names the entities of one text"),
        (["corpus.jsonl"], ("-o", "corpus.jsonl"), "is an input"),
        (["."], ("-o", "out.jsonl"), "is in the input folder"),
        (["nowhere.jsonl"], (), "There is no file or folder 'nowhere.jsonl'"),
        (["table.csv"], (), "--text-column"),
        (["table.csv"], ("--text-column", "text"), "these are 'id', 'body'"),
        (["table.csv"], ("--text-column", "body"), "a recogniser with --ner"),
    ],
)
def test_inputs_that_do_not_fit_are_errors(texts, arguments, message, run, corpus):
    corpus(2)
    Path("table.csv").write_text("id,body\n1,Ada met Bob.\n")
    result = run("-r", "born in", *arguments, text=texts)
    assert result.exit_code == 1
    assert message in result.stderr
    assert records_of((Path("corpus.jsonl")).read_text())[1]["id"] == 1


@pytest.mark.parametrize(
    ("read", "output"),
    [
        ("corpus.jsonl", "linked.jsonl"),
        ("out.ttl.partial.jsonl", "out.ttl"),
        ("out.jsonl.progress.json", "out.jsonl"),
        ("out.csv.partial.jsonl.progress.json", "out.csv"),
    ],
)
def test_no_file_of_a_run_writes_over_its_texts(read, output, run, corpus):
    file = Path(corpus(2)).rename(read)
    Path("linked.jsonl").hardlink_to(file)
    before = file.read_bytes()
    result = run(*RELATION, "--input-format", "jsonl", "-o", output, "--overwrite", text=read)
    assert result.exit_code == 1
    assert "is an input" in result.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize("on_error", ["stop", "skip", "keep"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.encode("utf-16"), "It is UTF-16 text"),
        (TEXT.encode("utf-16-le"), "It is UTF-16 text"),
        (b"caf\xe9 in Warsaw", "Byte 0xe9 is not UTF-8"),
        (b"Ada met\0Bob", "Byte 7 is NUL"),
    ],
    ids=["utf-16", "unmarked", "latin", "binary"],
)
def test_a_file_that_is_not_text_is_named(content, message, on_error, run):
    Path("bad.txt").write_bytes(content)
    result = run(*RELATION, "--ner", "heuristic", "--on-error", on_error, text="bad.txt")
    assert f"bad.txt: {message}" in " ".join(result.stderr.split())
    assert result.exit_code == (1 if on_error == "stop" else 0)
    result = run(*RELATION, "-e", "Warsaw", text="bad.txt")
    assert f"bad.txt: {message}" in " ".join(result.stderr.split())


@pytest.mark.parametrize("output_format", ["jsonl", "csv"])
def test_a_device_is_no_output(output_format, run):
    result = run(*ENTITIES, *RELATION, "-o", "/dev/full", "-f", output_format)
    assert result.exit_code == 1
    assert "--output '/dev/full' cannot be written: it is a device or a pipe" in result.stderr


def test_a_table_on_standard_input_is_refused(run):
    result = run(*RELATION, "--ner", "heuristic", text="-", input="id,text\n1,Ada met Bob.\n2,Bob met Ada.\n")
    assert result.exit_code == 1
    assert "standard input looks like a table" in result.stderr
    options = ("--input-format", "table", "--text-column", "text")
    assert run(*RELATION, "--ner", "heuristic", *options, text="-", input="id,text\n1,Ada met Bob.\n").exit_code == 0


def test_relations_and_the_model_are_inputs_too(run, corpus, model_folder):
    Path("names.txt").write_text("born in\n")
    for file in (Path("names.txt"), model_folder / "config.json"):
        before = file.read_bytes()
        options = ("--relations", "names.txt", "-o", str(file), "-f", "jsonl", "--overwrite")
        result = run(*options, text=corpus(2))
        assert result.exit_code == 1
        assert f"{str(file)!r} is an input" in result.stderr
        assert file.read_bytes() == before


@pytest.mark.parametrize(("output", "package"), [("out.ttl", "rdflib"), ("out.graphml", "networkx")])
def test_what_a_format_needs_is_missed_before_the_work(output, package, run, corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    result = run(*RELATION, "-o", output, text=corpus(2))
    assert result.exit_code == 1
    assert "pip install 'glirel-transformers[graph]'" in result.stderr
    assert not list(Path().glob("out.*"))


def test_a_folder_that_cannot_be_written_is_an_error(run, corpus, tmp_path, monkeypatch):
    name = corpus(2)
    refused = PermissionError(13, "Permission denied", "out.jsonl")
    monkeypatch.setattr("glirel_transformers.jobs.output.ResumableOutput._append", lambda *_: raise_(refused))
    result = run(*RELATION, "-o", "out.jsonl", text=name)
    assert result.exit_code == 1
    assert "Permission denied" in result.stderr


def raise_(error):
    raise error


def test_a_long_text_is_no_path(run):
    text = f"{TEXT} {'found work ' * 40}"
    result = run(*ENTITIES, *RELATION, "-o", "out.jsonl", text=text)
    assert result.exit_code == 0, result.output
    assert records_of(Path("out.jsonl").read_text())[0]["text"] == text


def test_wrong_usage_exits_with_2(run):
    assert run(*ENTITIES, *RELATION, "--format", "xml").exit_code == 2
    assert run(*ENTITIES, *RELATION, "--batch-size", "0").exit_code == 2


def test_help_teaches_every_option():
    result = CliRunner().invoke(app, ["extract", "--help"], env={"COLUMNS": "120", "TERM": "dumb"})
    assert result.exit_code == 0
    for word in ("--on-error", "--engine", "--output", "Exit codes", "corpus.jsonl.gz", "spouse", "--ner-labels"):
        assert word in result.output


def test_the_embedded_model_is_found():
    from glirel_transformers.checkpoints import EMBEDDED_MODEL

    assert Path(__file__).parents[2] / "checkpoints" / "glirel-small" == EMBEDDED_MODEL


def test_constraints_that_no_entity_meets_are_named_once(run, corpus):
    lines = corpus(40)
    wrong = run("-r", "place of birth: person -> CITY", "--batch-size", "1", text=lines)
    assert wrong.exit_code == 0, wrong.output
    assert wrong.stderr.count("admits 'person' as its head") == 1
    assert "'CITY', 'PERSON'" in wrong.stderr
    right = run("-r", "place of birth: PERSON -> CITY", text=lines)
    assert "admits" not in right.stderr


def test_found_entities_that_are_parts_of_one_word_are_counted(run, monkeypatch):
    parts = [{"start": 9, "end": 10, "label": "NUMBER"}, {"start": 10, "end": 12, "label": "UNIT"}]
    monkeypatch.setattr("glirel_transformers.jobs.worker.load_entity_recognizer", lambda *_, **__: lambda text: parts)
    lines = "Bob took 5mg of aspirin.\n" * 3
    result = run(*RELATION, "--ner", "mine", "--input-format", "lines", text="-", input=lines)
    assert result.exit_code == 0, result.output
    assert "3 texts, 6 relations, 3 texts with entities that are parts of one word." in result.stderr
    assert (
        result.stderr.count("note: standard input:1: `entities[0]` ('5') and `entities[1]` ('mg') are parts of") == 1
    )


def test_names_are_found_as_whole_words():
    assert find_entities("Anna met Ann.", ["Ann=PERSON"]) == [{"start": 9, "end": 12, "label": "PERSON"}]


def test_a_table_is_read_by_its_column_and_goes_on(run, tmp_path):
    texts = [f"Marie Curie, born in Warsaw{' and so on' * (number % 3)}." for number in range(40)]
    rows = "".join(f'{number},"{text}",=1+{number}\n' for number, text in enumerate(texts))
    options = (*RELATION, "--ner", "heuristic", "--text-column", "body", "--batch-size", "1", "-o", "out.jsonl")
    (tmp_path / "table.csv").write_text(f"id,body,note\n{rows}".replace("20,", "20,0,", 1))
    stopped = run(*options, text="table.csv")
    assert stopped.exit_code == 1
    assert "malformed: table.csv, row 22: It has 4 cells, but the first row names 3 columns." in stopped.stderr
    (tmp_path / "table.csv").write_text(f"id,body,note\n{rows}")
    done = run(*options, text="table.csv")
    assert "Resuming after 16 texts" in done.stderr
    records = records_of((tmp_path / "out.jsonl").read_text())
    assert [(record["id"], record["note"], record["line"]) for record in records] == [
        (str(number), f"=1+{number}", number + 2) for number in range(40)
    ]
    assert all(record["text"].startswith("Marie Curie, born") and record["relations"] for record in records)
    other = run(*options[:-4], "--text-column", "note", "-o", "out.jsonl", "--batch-size", "1", text="table.csv")
    assert 'text_column was "body" and is "note"' in other.stderr


def test_options_of_the_python_interface(run):
    options = ("-r", "place_of_birth", "-r", "spouse", "--threshold", "0", "-f", "jsonl")
    (plain,) = records_of(run(*ENTITIES, *options).stdout)
    (more,) = records_of(run(*ENTITIES, *options, "--self-pairs", "--readable-names", "--group-size", "1").stdout)
    (auto,) = records_of(run(*ENTITIES, *options, "--group-size", "auto").stdout)
    assert (len(plain["relations"]), len(more["relations"])) == (4, 8)
    assert auto == plain
    assert {relation["relation"] for relation in more["relations"]} == {"place_of_birth", "spouse"}


def test_formulas_in_csv_are_text_on_demand(run):
    options = ("-e", "=1+1=SUM", "-e", "Bob", *RELATION, "-f", "csv")
    for asked, head in (((), "=1+1"), (("--spreadsheet-safe",), "'=1+1")):
        rows = list(csv.DictReader(run(*options, *asked, text="Bob =1+1 Ada").stdout.splitlines()))
        assert {row["head"] for row in rows} == {head, "Bob"}


@pytest.mark.parametrize("suffix", ["ttl", "graphml"])
def test_graphs_have_each_fact_once_on_demand(suffix, run, corpus, tmp_path):
    pytest.importorskip("networkx")
    pytest.importorskip("rdflib")
    name, mark = corpus(5), {"ttl": "rdf:Statement", "graphml": "<edge "}[suffix]
    counts = []
    for asked in ((), ("--once-per-pair",)):
        result = run(*RELATION, *asked, "-o", f"{len(asked)}.{suffix}", text=name)
        assert result.exit_code == 0, result.output
        counts.append((tmp_path / f"{len(asked)}.{suffix}").read_text().count(mark))
    assert counts == [10, 2]
