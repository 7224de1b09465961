import csv
import io
import json
import math
from dataclasses import replace

import networkx
import pytest
from labelling import files
from labelling.desk import Desk
from labelling.session import Session
from labelling.values import ADDED, Triple
from typer.testing import CliRunner

from glirel_transformers.cli import app
from glirel_transformers.data import Document, Mention, Relation, load_documents
from glirel_transformers.trainer import GLiRELTrainer, GLiRELTrainingArguments, RelationCollator

TEXT = 'Marie  "Curie" 😀,\nborn in Warsaw; she married Pierre é Curie.'


def document(exhaustive=True):
    session = Session(text=TEXT)
    for surface, label in (('Marie  "Curie', "PERSON"), ("Warsaw", None), ("Pierre é Curie", "PERSON, <b>")):
        start = TEXT.index(surface)
        session, position, _ = session.mark(start, start + len(surface), label)
        assert position is not None
    marie, warsaw, pierre = (entity.span for entity in session.entities)
    session = session.decide(Triple(marie, 'born, "in"', warsaw), ADDED, None)
    session = session.decide(Triple(pierre, "spouse\u00a0😀", marie), ADDED, None)
    return replace(session, complete=exhaustive).to_document([])


def plain():
    return Document(
        ["Ada", "met", "Bob"], [Mention(0, 1, "P", 3), Mention(2, 3)], [Relation(0, 1, "met", "P1")], False
    )


def put(tmp_path, content, name="relations.jsonl"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_jsonl_loses_nothing(tmp_path):
    documents = [document(), document(exhaustive=False), plain()]
    file = files.write("JSONL", documents)
    assert (file["name"], file["type"]) == ("relations.jsonl", "application/jsonl")
    path = put(tmp_path, file["content"])
    assert files.read(path) == documents
    assert not path.exists()


def test_csv_keeps_every_relation(tmp_path):
    first = document()
    file = files.write("CSV", [first, plain()])
    rows = list(csv.DictReader(io.StringIO(file["content"], newline="")))
    assert len([row for row in rows if row["relation"]]) == 3
    one, other = files.read(put(tmp_path, file["content"], "relations.csv"))
    assert (one.text, list(one.mentions)) == (TEXT, list(first.mentions))
    assert set(one.relations) == set(first.relations)
    assert (other.text, other.relations) == ("Ada met Bob", [Relation(0, 1, "met")])


@pytest.mark.parametrize("exhaustive", [True, False])
def test_csv_keeps_entities_without_a_relation_and_whether_the_list_is_complete(tmp_path, exhaustive):
    one = replace(document(exhaustive), relations=document().relations[:1])
    (back,) = files.read(put(tmp_path, files.write("CSV", [one])["content"], "relations.csv"))
    assert back.exhaustive is exhaustive
    assert list(back.mentions) == list(one.mentions)
    assert len(back.relations) == 1


def test_a_table_that_does_not_say_that_it_is_complete_is_not(tmp_path):
    (back,) = files.read(put(tmp_path, CSV + GOOD, "relations.csv"))
    assert not back.exhaustive


def test_graphs_are_read_by_others(tmp_path):
    rdflib = pytest.importorskip("rdflib")
    graph = networkx.read_graphml(put(tmp_path, files.write("GraphML", [document(), plain()])["content"], "g.graphml"))
    assert {data["label"] for _, data in graph.nodes(data=True)} == {
        'Marie  "Curie',
        "Warsaw",
        "Pierre é Curie",
        "Ada",
        "Bob",
    }
    assert sorted(data["relation"] for *_, data in graph.edges(data=True)) == ['born, "in"', "met", "spouse\u00a0😀"]
    triples = rdflib.Graph().parse(data=files.write("Turtle", [document(), plain()])["content"], format="turtle")
    assert {"Warsaw", "Pierre é Curie", "Bob"} <= {str(value) for value in triples.objects()}


@pytest.mark.parametrize("kind", files.WRITERS)
def test_nothing_is_downloaded_before_something_is_saved(kind):
    with pytest.raises(ValueError, match="Save an example first"):
        files.write(kind, [])


CSV = "text,relation,head_start,head_end,tail_start,tail_end\n"
GOOD = "Ada met Bob,met,0,3,8,11\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", "", "a.jsonl holds no examples"),
        ("a.jsonl", "\n\n", "a.jsonl holds no examples"),
        ("a.jsonl", "hello", "a.jsonl, line 1: It is not JSON: Expecting value"),
        ("a.jsonl", "5", "a.jsonl, line 1"),
        ("a.jsonl", "[]", "a.jsonl holds no examples"),
        ("a.jsonl", '{"words": ["a"]}', "a.jsonl, line 1: `document` lacks"),
        ("a.jsonl", json.dumps(plain().to_dict()) + '\n{"words": 5}', "a.jsonl, line 2"),
        ("a.jsonl", json.dumps({**plain().to_dict(), "text": 5}), "a.jsonl"),
        ("a.jsonl", json.dumps({**plain().to_dict(), "mentions": 5}), "a.jsonl"),
        ("a.jsonl", json.dumps({**plain().to_dict(), "text": "else"}), "does not hold the words"),
        ("a.jsonl", b"\xff\xfe\x00", "a.jsonl: It is UTF-16 text"),
        ("a.jsonl", "[" * 100_000, "a.jsonl"),
        ("a.jsonl", "\ufeff5", r"a\.jsonl, line 1: A line must be a JSON object: got 5"),
        ("a.jsonl", '{"words": NaN}', r"a\.jsonl, line 1: It has the value NaN"),
        ("a.jsonl", f"[{'9' * 5000}]", r"a\.jsonl, line 1: .* limit"),
        ("a.jsonl", "\x00\x01\x02", r"a\.jsonl: Byte 0 is NUL"),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n", r"a\.jsonl: Byte 0x89 is not UTF-8"),
        ("a.csv", "", r"a\.csv: The columns .* are missing"),
        ("a.csv", "a,b\n1,2\n", r"a\.csv: The columns .* are missing"),
        ("a.csv", CSV, "a.csv holds no examples"),
        ("a.csv", CSV + "Ada met Bob,met,0,3,8\n", r"a\.csv, row 2: The fields \['tail_end'\] are empty"),
        ("a.csv", CSV + "\nAda met Bob,met,0,x,8,11\n", r"a\.csv, row 3: The head .* whole numbers"),
        ("a.csv", CSV + GOOD + "Ada met Bob,met,0,3,8,12\n", r"a\.csv, row 3: .* at \(8, 12\), in a text of 11"),
        ("a.csv", CSV + "Ada met Bob,met,3,3,8,11\n", r"a\.csv, row 2: .* half-open"),
        ("a.csv", CSV + f"Ada met Bob,met,{'9' * 5000},3,8,11\n", r"a\.csv, row 2: .* whole numbers"),
        ("a.csv", CSV + "Ada met Bob,met,0,2,8,11\n", r"a\.csv, row 2: .* 'Ad', .* word boundaries"),
        ("a.csv", CSV + "Ada met Bob,met,0,3,0,3\n", r"a\.csv, row 2: Head and tail are both at \(0, 3\)"),
        ("a.csv", CSV + "Ada met Bob, ,0,3,8,11\n", r"a\.csv, row 2: The fields \['relation'\] are empty"),
        (
            "a.csv",
            CSV + GOOD + '"' + "x" * 200_000 + '",met,0,3,8,11\n',
            r"a\.csv, row 3: It is not CSV: field larger",
        ),
        ("a.csv", CSV.encode("utf-16"), r"a\.csv: It is UTF-16 text\. Save it as UTF-8"),
        ("a.csv", (CSV + GOOD).encode() + b"Zo\xeb met Bob,met,0,3,8,11\n", r"a\.csv: Byte 0xeb is not UTF-8"),
        ("a.ttl", "x", r"a\.ttl is not a file of examples or texts"),
        ("a.jsonl.gz", "x", r"a\.jsonl\.gz is not a file of examples"),
        ("a", "x", r"Upload one that ends in \.jsonl or \.csv or \.txt"),
    ],
)
def test_files_that_cannot_be_read_say_why_and_are_removed(tmp_path, name, content, message):
    path = put(tmp_path, content, name)
    with pytest.raises((ValueError, TypeError), match=message) as error:
        files.read(path)
    assert str(tmp_path) not in str(error.value)
    assert not path.exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"mentions": [{"start": 0.5, "end": 1}, {"start": 2, "end": 3}]},
        {"mentions": [{"start": 0, "end": 1, "label": 5}, {"start": 2, "end": 3}]},
        {"history": [5]},
        {"history": "x"},
        {"source": 5},
        {"exhaustive": "yes"},
        {"words": [5, "met", "Bob"]},
    ],
)
def test_wrong_types_do_not_reach_the_page(tmp_path, fields):
    path = put(tmp_path, json.dumps({**plain().to_dict(), **fields}))
    with pytest.raises(ValueError, match=r"relations\.jsonl, line 1"):
        files.read(path)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"text": "\ud83d"}, "The field 'text'"),
        ({"words": ["Ada", "met\ud83d", "Bob"]}, r"The field 'words\[1\]'"),
        ({"mentions": [{"start": 0, "end": 1, "label": "\udc00"}]}, r"The field 'mentions\[0\]\.label'"),
        (
            {"relations": [{"head": 0, "tail": 1, "relation_type": "a\ud83d"}]},
            r"The field 'relations\[0\]\.relation_type'",
        ),
        ({"history": ["accepted", "\ud83d"]}, r"The field 'history\[1\]'"),
        ({"source": "\ud83d"}, "The field 'source'"),
        ({"\ud83d": 1}, "The name of a field"),
    ],
)
def test_half_a_surrogate_pair_is_refused_wherever_it_is(tmp_path, fields, place):
    lines = [json.dumps(plain().to_dict()), json.dumps({**plain().to_dict(), **fields})]
    with pytest.raises(ValueError, match=rf"^relations\.jsonl, line 2: {place}.* has half a surrogate pair"):
        files.read(put(tmp_path, "\n".join(lines)))


@pytest.mark.parametrize("kind", ["JSONL", "CSV"])
def test_a_byte_order_mark_is_not_part_of_a_file(tmp_path, kind):
    file = files.write(kind, [document()])
    (read,) = files.read(put(tmp_path, file["content"].encode("utf-8-sig"), file["name"]))
    assert (read.text, read.mentions) == (document().text, document().mentions)


def test_line_ends_within_a_cell_are_kept(tmp_path):
    """Offsets count them."""
    content = CSV.strip() + '\r\n"Ada\r\nmet Bob",met,0,3,9,12\r\n'
    (read,) = files.read(put(tmp_path, content, "a.csv"))
    assert (read.text, list(read.words)) == ("Ada\r\nmet Bob", ["Ada", "met", "Bob"])


def test_an_upload_is_merged_and_opened(desk, tmp_path):
    empty = Desk()
    content = files.write("JSONL", [document(), plain()])["content"]
    assert empty.run(empty.upload, str(put(tmp_path, content))) is None
    assert empty.note == "2 examples uploaded."
    assert (empty.session.text, len(empty.session.examples)) == ("Ada met Bob", 2)
    assert empty.run(empty.upload, str(put(tmp_path, content))) is None
    assert len(empty.session.examples) == 2
    text = desk.session.text
    assert desk.run(desk.upload, str(put(tmp_path, content))) is None
    assert (desk.session.text, len(desk.session.examples)) == (text, 2)
    assert desk.workspace.scores is not None


def test_line_ends_of_other_systems_cost_no_mark():
    text = "Ada\r\nmet\r\nBob"
    session = Session().merge([Document.from_text(text, [{"start": 0, "end": 3}, {"start": 10, "end": 13}], [])])
    opened = session.open(0)
    assert opened.text == "Ada\nmet\nBob"
    assert [opened.surface(entity) for entity in opened.entities] == ["Ada", "Bob"]


def test_the_download_is_extracted_from(desk, shared_model, tmp_path):
    """`glirel extract` reads what the page writes: offsets are in the text that was labelled."""
    desk.run(desk.accept_all)
    desk.run(desk.save)
    path = put(tmp_path, files.write("JSONL", [*desk.session.examples, document(), plain()])["content"])
    shared_model.save_pretrained(tmp_path / "model")
    options = ("-m", str(tmp_path / "model"), "-r", "place of birth", "--threshold", "0")
    result = CliRunner().invoke(app, ["extract", str(path), *options])
    assert result.exit_code == 0, result.output
    of_desk, of_session, of_words = map(json.loads, result.stdout.splitlines())
    assert (of_desk["text"], of_session["text"], of_words["text"]) == (desk.session.text, TEXT, "Ada met Bob")
    marked = [(entity.start, entity.end, entity.label) for entity in desk.session.entities]
    assert [(entity["start"], entity["end"], entity["label"]) for entity in of_desk["entities"]] == marked
    assert len(of_desk["relations"]) == 12
    assert [entity["text"] for entity in of_session["entities"]] == ['Marie  "Curie', "Warsaw", "Pierre é Curie"]
    for record in (of_desk, of_session, of_words):
        for relation in record["relations"]:
            head = relation["head"]
            assert record["text"][head["start"] : head["end"]] == head["text"]
    assert of_desk["input_source"] == "labelled"
    assert of_words["input_relations"] == plain().to_dict()["relations"]


@pytest.mark.slow
def test_the_download_trains_a_model(desk, build_model, tmp_path):
    """Label, download, train."""
    desk.run(desk.accept_all)
    desk.run(desk.complete, True)
    desk.run(desk.save)
    desk.run(desk.type_text, "Ada met Bob in London.")
    for start, end in ((0, 3), (8, 11), (15, 21)):
        desk.run(desk.mark, start, end)
    desk.run(desk.add, 0, "spouse", 1)
    desk.run(desk.accept_all)
    desk.run(desk.save)
    path = put(tmp_path, files.write("JSONL", desk.session.examples)["content"])
    dataset = load_documents(path)
    assert len(dataset) == 2
    model = build_model("bert", dropout=0.0, scorer="dot_norm")
    settings = {"report_to": [], "save_strategy": "no", "logging_steps": 10, "disable_tqdm": True, "use_cpu": True}
    arguments = GLiRELTrainingArguments(
        str(tmp_path / "out"), max_steps=60, learning_rate=3e-3, encoder_learning_rate=3e-3, **settings
    )
    collator = RelationCollator(model.tokenizer, ["capital of"], random_drop=0.0, max_relation_types=8)
    trainer = GLiRELTrainer(model, arguments, collator, train_dataset=dataset)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < 0.8 * losses[0]
