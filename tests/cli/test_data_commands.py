"""`glirel data`."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, read_documents, write_documents


def run(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)], env={"COLUMNS": "120"})


def one_line(text):
    return " ".join(text.split())


def document(number, *relations, **settings):
    words = ["Text", "number", str(number), "."]
    return Document(
        words, [Mention(0, 1, "A"), Mention(2, 3, "B [c]")], [Relation(0, 1, name) for name in relations], **settings
    )


@pytest.fixture
def data(tmp_path):
    write_documents(
        tmp_path / "data.jsonl",
        [
            document(1, "place_of_birth", "placeOfBirth", extra={"id": 7}),
            document(2, "Cause-Effect(e2,e1)"),
            document(3, "no_relation"),
            document(4, "x [y]", exhaustive=False),
        ],
    )
    return tmp_path / "data.jsonl"


# convert


def test_convert_puts_names_in_words_and_shows_it(data, tmp_path):
    (tmp_path / "map.json").write_text('{"no_relation": false, "unused": "x"}')
    target = tmp_path / "new.jsonl"
    result = run("convert", data, "--names", "readable", "--map", tmp_path / "map.json", "-o", target)
    assert result.exit_code == 0, result.output
    for text in ("place_of_birth", "place of birth", "causes", "head and tail swapped", "(no relation)"):
        assert text in result.stdout
    assert "4 names changed, 1 as before." in one_line(result.stdout)
    assert "2 names are now one, 'place of birth'" in one_line(result.stderr)
    assert "'unused'" in result.stderr
    new = list(read_documents(target))
    assert [[(r.head, r.relation_type) for r in one.relations] for one in new] == [
        [(0, "place of birth")],
        [(1, "causes")],
        [],
        [(0, "x [y]")],
    ]
    assert [one.exhaustive for one in new] == [True, True, True, False]
    assert new[0].extra == {"id": 7}


def test_convert_joins_files_and_changes_nothing_else(data, tmp_path):
    result = run("convert", data, data, "-o", tmp_path / "both.jsonl.gz")
    assert "8 documents, 10 relations" in one_line(result.stdout)
    assert list(read_documents(tmp_path / "both.jsonl.gz")) == [*read_documents(data)] * 2
    run("convert", data, "--not-exhaustive", "-o", tmp_path / "unknown.jsonl")
    assert not any(one.exhaustive for one in read_documents(tmp_path / "unknown.jsonl"))


@pytest.mark.parametrize("form", ["gliner", "label-studio", "doccano", "text"])
def test_what_is_converted_there_and_back_has_the_same_relations(data, tmp_path, form):
    assert run("convert", data, "--to", form, "-o", tmp_path / "there.json").exit_code == 0
    back = run("convert", tmp_path / "there.json", "--reader", form, "-o", tmp_path / "back.jsonl")
    assert back.exit_code == 0, back.output

    def relations(file):
        return [[(r.head, r.tail, r.relation_type) for r in one.relations] for one in read_documents(file)]

    assert relations(tmp_path / "back.jsonl") == relations(data)


def test_names_of_ids_may_be_given(tmp_path):
    records = [{"sents": [["a", "b"]], "vertexSet": [], "labels": []}]
    sides = [[{"name": name, "sent_id": 0, "pos": [at, at + 1], "type": "X"}] for at, name in enumerate("ab")]
    records[0].update(vertexSet=sides, labels=[{"h": 0, "t": 1, "r": "P1", "evidence": []}])
    (tmp_path / "docred.json").write_text(json.dumps(records))
    (tmp_path / "names.json").write_text('{"P1": ["near", "a description"]}')
    without = run("convert", tmp_path / "docred.json", "-o", tmp_path / "x.jsonl")
    assert without.exit_code == 1
    named = run(
        "convert", tmp_path / "docred.json", "--relation-names", tmp_path / "names.json", "-o", tmp_path / "x.jsonl"
    )
    assert named.exit_code == 0, named.output
    assert next(read_documents(tmp_path / "x.jsonl")).relations[0].relation_type == "near"


def test_convert_refuses_what_it_cannot_do(data, tmp_path):
    (tmp_path / "wrong.json").write_text('{"x": 3}')
    before = data.read_bytes()
    for options, message in [
        (["-o", data], "is an input"),
        (["--to", "nothing", "-o", tmp_path / "x"], "Choose one of own, text"),
        (["--reader", "nothing", "-o", tmp_path / "x"], "There is no reader 'nothing'"),
        (["--map", tmp_path / "wrong.json", "-o", tmp_path / "x"], "The new name of 'x' must be a string"),
        (["-o", tmp_path / "missing" / "x"], "there is no folder"),
    ]:
        result = run("convert", data, *options)
        assert result.exit_code == 1, options
        assert message in one_line(result.stderr)
        assert not (tmp_path / "x").exists()
    assert data.read_bytes() == before


# stats


def test_stats_prints_tables_and_writes_all_as_json(data, tmp_path):
    second = tmp_path / "second.jsonl"
    second.write_bytes(data.read_bytes())
    result = run("stats", data, second, "-o", tmp_path / "stats.json")
    assert result.exit_code == 0, result.output
    for text in ("x [y]", "B [c]", "known to have none", "All files together"):
        assert text in result.stdout
    numbers = json.loads((tmp_path / "stats.json").read_text(encoding="utf-8"))
    assert numbers["all"]["pairs"] == {"total": 16, "related": 8, "none": 6, "unknown": 2}
    assert numbers["files"][str(second)]["pairs"] == {"total": 8, "related": 4, "none": 3, "unknown": 1}
    assert "more relation types not shown" in run("stats", data, "--top", 1).stdout
    (tmp_path / "empty.jsonl").write_text("")
    assert run("stats", tmp_path / "empty.jsonl").exit_code == 0


@pytest.mark.slow  # matplotlib
def test_a_plot_of_numbers_is_drawn_or_its_package_is_named(data, tmp_path):
    result = run("stats", data, "--plot", tmp_path / "stats.png")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        assert result.exit_code == 1
        assert "pip install 'glirel-transformers[benchmark]'" in result.stderr
    else:
        assert result.exit_code == 0, result.output
        assert (tmp_path / "stats.png").stat().st_size > 10_000
    same = run("stats", data, "--plot", tmp_path / "x", "-o", tmp_path / "x")
    assert "are the same file" in one_line(same.stderr)


# validate


def test_validate_names_all_that_is_malformed_and_fails(data, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text(data.read_text() + "[1]\n{\n" + data.read_text())
    result = run("validate", bad, "-o", tmp_path / "found.json")
    assert result.exit_code == 1
    assert f"malformed: {bad}, line 5:" in one_line(result.stderr)
    assert f"malformed: {bad}, line 6:" in one_line(result.stderr)
    assert "in text and annotation: 4" in one_line(result.stderr)
    assert "8 documents read, 2 malformed records." in one_line(result.stdout)
    assert len(json.loads((tmp_path / "found.json").read_text())["malformed"]) == 2


def test_warnings_fail_only_where_that_is_asked_for(data, tmp_path):
    write_documents(tmp_path / "test.jsonl", [document(5, "birth place"), document(1, "other")])
    write_documents(tmp_path / "clean.jsonl", [document(9, "capital")])
    warned = run("validate", data, "--against", tmp_path / "test.jsonl", "--shared-words", 3)
    assert warned.exit_code == 0, warned.output
    assert "resemble one of --against in text, with other annotation: 1" in one_line(warned.stderr)
    assert "a synonym" in one_line(warned.stderr)
    assert run("validate", data, "--against", tmp_path / "test.jsonl", "--strict").exit_code == 1
    clean = run("validate", tmp_path / "clean.jsonl", "--against", tmp_path / "test.jsonl", "--strict")
    assert clean.exit_code == 0, clean.output
    assert "nothing else to say" in clean.stdout


def test_lists_of_names_are_read(data, tmp_path):
    (tmp_path / "block.json").write_text('["X [Y]"]')
    (tmp_path / "synonyms.json").write_text('[["place of birth", "Z [Z]"]]')
    write_documents(tmp_path / "test.jsonl", [document(5, "Z [Z]")])
    options = ["--block", tmp_path / "block.json", "--synonyms", tmp_path / "synonyms.json"]
    result = run("validate", data, "--against", tmp_path / "test.jsonl", *options)
    assert result.exit_code == 0, result.output
    assert "in --block, or resemble one there: 1" in one_line(result.stderr)
    assert "in --against, or resemble one there: 2" in one_line(result.stderr)
    swapped = run("validate", data, "--block", tmp_path / "synonyms.json")
    assert "must hold a JSON list of names" in one_line(swapped.stderr)
    assert "use --block FILE" in one_line(run("validate", data, "--synonyms", tmp_path / "block.json").stderr)


# split


@pytest.fixture
def many(tmp_path):
    write_documents(tmp_path / "many.jsonl", [document(i, f"relation {'abcdefgh'[i % 8]}") for i in range(80)])
    return tmp_path / "many.jsonl"


def test_split_by_types_writes_parts_and_a_manifest(many, tmp_path):
    result = run("split", many, "--unseen", 3, "--dev-unseen", 2, "--seed", 7, "-o", tmp_path / "split")
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "split" / "manifest.json").read_text())
    assert manifest["seed"] == 7
    types = {}
    for part in ("train", "dev", "test"):
        documents = list(read_documents(tmp_path / "split" / f"{part}.jsonl"))
        types[part] = {relation.relation_type for one in documents for relation in one.relations}
        assert manifest["parts"][part]["documents"] == len(documents)
        assert manifest["parts"][part]["relation_types"] == sorted(types[part])
    assert [len(names) for names in types.values()] == [3, 2, 3]
    assert sum(len(names) for names in types.values()) == len(set.union(*types.values()))
    again = run("split", many, "--unseen", 3, "--dev-unseen", 2, "--seed", 7, "-o", tmp_path / "again")
    assert again.exit_code == 0
    for file in (tmp_path / "split").iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_a_published_split_and_one_by_text(many, tmp_path):
    names = [f"relation {letter}" for letter in "abcdefgh"]
    (tmp_path / "rel2id.json").write_text(json.dumps({"train": names[:6], "test": dict.fromkeys(names[6:], 0)}))
    result = run("split", many, "--rel2id", tmp_path / "rel2id.json", "-o", tmp_path / "split")
    assert result.exit_code == 0, result.output
    assert "Unseen, in test alone: relation g, relation h" in result.stdout
    assert not (tmp_path / "split" / "dev.jsonl").exists()
    by_text = run("split", many, "--ratio", "0.5/0.5", "-o", tmp_path / "split")
    assert by_text.exit_code == 0, by_text.output
    assert json.loads((tmp_path / "split" / "manifest.json").read_text())["shares"] == {"train": 0.5, "test": 0.5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "One of --unseen, --rel2id and --ratio says how to split: got none."),
        (["--unseen", 1, "--ratio", "0.5/0.5"], "got --unseen and --ratio"),
        (["--ratio", "0.5/0.5", "--seed", 1], "--seed has no effect with --ratio"),
        (["--ratio", "0.5/0.7"], "sum to 1"),
        (["--unseen", 8], "8 types for test and 0 for dev cannot be drawn"),
    ],
)
def test_a_split_that_is_not_one_is_refused(many, tmp_path, options, message):
    result = run("split", many, *options, "-o", tmp_path / "split")
    assert result.exit_code == 1
    assert message in one_line(result.stderr)
    assert not (tmp_path / "split").exists()


def test_a_split_does_not_write_over_what_it_reads(many, tmp_path):
    result = run("split", many, "--unseen", 1, "-o", tmp_path)
    assert result.exit_code == 1
    assert "holds the input" in one_line(result.stderr)


def test_an_unseen_type_that_resembles_a_seen_one_is_named(tmp_path):
    write_documents(tmp_path / "two.jsonl", [document(1, "part of"), document(2, "has part")])
    result = run("split", tmp_path / "two.jsonl", "--unseen", 1, "-o", tmp_path / "split")
    assert "which is unseen, is the inverse of" in one_line(result.stderr)


def test_the_python_block_of_the_page_runs():
    page = (Path(__file__).parents[2] / "docs" / "data_commands.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(block, "data_commands.md", "exec"), {})
