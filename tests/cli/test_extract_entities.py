"""`glirel extract --entity-types`: entities found in texts, alone and with their relations."""

import csv
import io
import json

import pytest
from tiny import TEXTS
from typer.testing import CliRunner

from glirel_transformers import RelationExtractor
from glirel_transformers.cli import app
from glirel_transformers.data import read_documents
from glirel_transformers.encoded_types_glirel import EncodedTypes

TYPES = ("--entity-types", "person,city", "--entity-threshold", "0.4")
BORN = ("-r", "place of birth", "--threshold", "0")


@pytest.fixture
def run(joint_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments, model=joint_folder, code=0):
        result = CliRunner().invoke(app, ["extract", *map(str, arguments), "--model", str(model)])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def expected(joint_model):
    def of(text, **options):
        chosen = {"entity_types": ["person", "city"], "relation_types": ["place of birth"], "entity_threshold": 0.4}
        return RelationExtractor(joint_model)(
            text, return_entities=True, threshold=0.0, batch_size=32, **{**chosen, **options}
        )

    return of


@pytest.fixture
def texts(tmp_path):
    lines = [{"id": 1, "text": TEXTS[1]}, {"id": 2, "text": TEXTS[0], "entities": [[0, 11, "PERSON"]]}]
    lines += [{"id": 3, "text": "Ada"}, {"id": 4, "text": ""}, {"id": 5, "text": TEXTS[0], "entity_types": "film > 0"}]
    (tmp_path / "texts.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return "texts.jsonl"


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def same_entities(ours, theirs):
    assert [(one["start"], one["end"], one["label"], one["index"]) for one in ours] == [
        (one["start"], one["end"], one["label"], one["index"]) for one in theirs
    ]
    for mine, yours in zip(ours, theirs, strict=True):
        assert mine.get("score", 0) == pytest.approx(yours.get("score", 0), abs=2e-5)


def test_records_have_entities_and_relations(run, texts, expected):
    result = run(texts, *TYPES, *BORN)
    records = lines_of(result.stdout)
    wanted = [
        expected(TEXTS[1]),
        expected(TEXTS[0], entities=[(0, 11, "PERSON")]),
        expected("Ada"),
        expected(""),
        expected(TEXTS[0], entity_types={"film": {"threshold": 0}}),
    ]
    for record, one in zip(records, wanted, strict=True):
        same_entities(record["entities"], one["entities"])
        assert len(record["relations"]) == len(one["relations"])
        for relation in record["relations"]:
            assert relation["head"] == record["entities"][relation["head"]["index"]]
    found = sum("score" in entity for one in wanted for entity in one["entities"])
    relations = sum(len(one["relations"]) for one in wanted)
    assert found > 5
    assert f"5 texts, {found} entities found, {relations} relations." in result.stderr
    assert records[4]["entity_types"] == "film > 0"  # carried through


def test_entities_alone_as_a_table_lines_and_cells(run, texts, expected):
    alone = expected(TEXTS[1], relation_types=None)["entities"]
    table = run(TEXTS[1], *TYPES)
    assert all(entity["text"].split()[0] in table.stdout for entity in alone)
    assert f"{len(alone)} entit" in table.stdout
    assert "relation" not in table.stdout
    (record,) = lines_of(run(TEXTS[1], *TYPES, "-f", "jsonl").stdout)
    same_entities(record["entities"], alone)
    assert record["relations"] == []
    rows = list(csv.DictReader(io.StringIO(run(TEXTS[1], *TYPES, "-f", "csv").stdout)))
    assert [(row["head"], row["head_label"], row["relation"], row["tail"]) for row in rows] == [
        (entity["text"], entity["label"], "", "") for entity in alone
    ]
    assert float(rows[0]["score"]) == pytest.approx(alone[0]["score"], abs=1e-5)


def test_entities_next_to_relations_where_they_are_asked_for(run, expected):
    wanted = expected(TEXTS[1])
    plain = list(csv.DictReader(io.StringIO(run(TEXTS[1], *TYPES, *BORN, "-f", "csv").stdout)))
    assert len(plain) == len(wanted["relations"]) > 0
    both = list(csv.DictReader(io.StringIO(run(TEXTS[1], *TYPES, *BORN, "-f", "csv", "--return-entities").stdout)))
    assert len(both) == len(wanted["relations"]) + len(wanted["entities"])
    table = run(TEXTS[1], *TYPES, *BORN, "--return-entities").stdout
    assert "entity" in table
    assert "tail" in table


def test_types_in_a_file_with_descriptions_and_thresholds(run, tmp_path, joint_model):
    (tmp_path / "types.txt").write_text("# what we look for\nPER: person > 0.2\n\nLOC: city\n")
    (record,) = lines_of(
        run(TEXTS[1], "--entity-types-file", "types.txt", "--entity-threshold", 0.9, "-f", "jsonl").stdout
    )
    types = {"PER": {"description": "person", "threshold": 0.2}, "LOC": {"description": "city"}}
    wanted = RelationExtractor(joint_model)(TEXTS[1], entity_types=types, entity_threshold=0.9)
    assert {entity["label"] for entity in wanted} == {"PER"}
    same_entities(record["entities"], wanted)
    (again,) = lines_of(
        run(
            TEXTS[1], "--entity-types", "PER: person > 0.2", "--entity-types", "LOC: city", "--entity-threshold", 0.9,
            "-f", "jsonl",
        ).stdout
    )  # fmt: skip
    assert again == record


def test_nested_entities_of_several_types(run, expected):
    options = ("--overlap", "nested", "--multi-label", "--entity-types", "person,city", "--entity-threshold", 0.2)
    (record,) = lines_of(run(TEXTS[1], *options, "-f", "jsonl").stdout)
    wanted = expected(TEXTS[1], relation_types=None, overlap="nested", multi_label=True, entity_threshold=0.2)
    same_entities(record["entities"], wanted["entities"])
    several = [entity for entity in record["entities"] if "scores" in entity]
    assert several
    rows = list(csv.DictReader(io.StringIO(run(TEXTS[1], *options, "-f", "csv").stdout)))
    assert len(rows) == len(record["entities"]) + len(several)


def test_constraints_of_found_types(run, expected):
    (record,) = lines_of(run(TEXTS[1], *TYPES, "-r", "born: person -> city", "--threshold", 0, "-f", "jsonl").stdout)
    labels = {(one["head"]["label"], one["tail"]["label"]) for one in record["relations"]}
    assert labels == {("person", "city")}
    noted = run(TEXTS[1], *TYPES, "-r", "born: film -> city").stderr
    assert "admits 'film' as its head, but no entity is of that type" in " ".join(noted.split())


@pytest.mark.parametrize("name", ["found.ttl", "found.graphml"])
def test_graphs_have_found_types(run, texts, name, tmp_path):
    pytest.importorskip("rdflib" if name.endswith("ttl") else "networkx")
    run(texts, *TYPES, *BORN, "--overlap", "nested", "--multi-label", "-o", name)
    written = (tmp_path / name).read_text()
    if name.endswith("ttl"):
        assert "a type:person" in written or "rdf:type type:person" in written
        assert "glirel:score" in written
    else:
        assert ">city</data>" in written
        assert 'attr.name="score"' in written


def test_what_is_written_is_read_again(run, texts, joint_folder, tmp_path):
    run(texts, *TYPES, *BORN, "--multi-label", "-o", "found.jsonl")
    before = lines_of((tmp_path / "found.jsonl").read_text())
    assert any("scores" in entity for record in before for entity in record["entities"])
    again = lines_of(run("found.jsonl", *BORN, "--alignment", "expand", "-f", "jsonl").stdout)
    for one, other in zip(before[:4], again[:4], strict=True):
        assert [entity["text"] for entity in other["entities"]] == [entity["text"] for entity in one["entities"]]
        assert [entity.get("scores") for entity in other["entities"]] == [
            entity.get("scores") for entity in one["entities"]
        ]
    documents = list(read_documents(tmp_path / "found.jsonl"))
    assert [len(document.mentions) for document in documents] == [len(record["entities"]) for record in before]
    assert [len(document.relations) for document in documents] == [len(record["relations"]) for record in before]


def test_a_run_is_resumed_with_the_same_settings_only(run, texts, tmp_path):
    run(texts, *TYPES, *BORN, "-o", "out.jsonl", "--batch-size", 1)
    whole = (tmp_path / "out.jsonl").read_bytes()
    done = run(texts, *TYPES, *BORN, "-o", "out.jsonl", "--batch-size", 1)
    assert "is complete" in done.stderr
    assert "entities found" in done.stderr
    other = run(texts, "--entity-types", "person", *BORN, "-o", "out.jsonl", "--batch-size", 1, code=1)
    assert "was started with other settings" in other.stderr
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_a_model_that_finds_entities_for_another(run, joint_folder, model_folder, joint_model):
    (record,) = lines_of(
        run(TEXTS[1], *BORN, "--ner", joint_folder, *TYPES[:3], 0.1, "-f", "jsonl", model=model_folder).stdout
    )
    wanted = RelationExtractor(joint_model)(TEXTS[1], entity_types=["person", "city"], entity_threshold=0.1)
    assert [(one["start"], one["end"], one["label"]) for one in record["entities"]] == [
        (one["start"], one["end"], one["label"]) for one in wanted
    ]
    assert len(record["relations"]) == len(wanted) * (len(wanted) - 1) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (TEXTS[0], "--entity-threshold", "0.3", "-e", "Warsaw", "-r", "a"),
            "--entity-threshold is for entities that",
        ),
        ((TEXTS[0], "--entity-types", "person,person"), "repeats the entity type 'person'"),
        ((TEXTS[0], "--entity-types", "person,"), "an empty name"),
        ((TEXTS[0], "--entity-types", "person > high"), "must be a number from 0 to 1: got 'high'"),
        ((TEXTS[0], "--entity-types", "person", "--ner", "heuristic", "-r", "a"), "Only GLiNER is asked for"),
        (
            (TEXTS[0], "--entity-types", "a", "--ner", "gliner:b/c", "--ner-labels", "d", "-r", "a"),
            "leave --ner-labels",
        ),
        ((TEXTS[0], "-r", "a"), "their types with --entity-types"),
    ],
)
def test_errors_are_one_line(run, arguments, message):
    result = run(*arguments, code=1)
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_a_model_that_finds_no_entities_says_so(run, model_folder):
    result = run(TEXTS[0], *TYPES, *BORN, model=model_folder, code=1)
    assert "--entity-types are for models that find entities" in " ".join(result.stderr.split())
    record = run(TEXTS[0], *BORN, "--ner", model_folder, *TYPES, code=1)
    assert "relates entities and does not find them" in " ".join(record.stderr.split())


def test_types_of_both_kinds_are_kept_in_a_file(run, build_joint, texts, tmp_path):
    settings = {
        "label_encoding": "separate",
        "relation_representation": "label",
        "entity_type_representation": "label",
    }
    build_joint(**settings).save_pretrained(tmp_path / "apart")
    asked = (texts, *TYPES, *BORN)
    plain = lines_of(run(*asked, model=tmp_path / "apart").stdout)
    assert any(record["entities"] for record in plain)
    for _ in range(2):  # written, then read
        kept = lines_of(run(*asked, "--encoded-types", "types.safetensors", model=tmp_path / "apart").stdout)
        for one, other in zip(kept, plain, strict=True):
            same_entities(one.get("entities", []), other.get("entities", []))
            assert len(one.get("relations", [])) == len(other.get("relations", []))
    names = EncodedTypes.load("types.safetensors").names
    assert set(names) == {"person", "city", "place of birth"}  # the record's own "film" is read with its text
