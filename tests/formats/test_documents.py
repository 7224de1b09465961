import csv
import io
import json

import pytest

from glirel_transformers.data import Document, Mention, Relation, read_documents
from glirel_transformers.formats import (
    records_of,
    to_networkx,
    write_csv,
    write_graphml,
    write_jsonl,
    write_turtle,
)


def test_documents_become_records():
    document = Document(
        ["Ada", "met", "Bob", "."], [Mention(0, 1, "PERSON"), Mention(2, 3)], [Relation(1, 0, "met")], source="corpus"
    )
    (record,) = records_of([document])
    ada = {"start": 0, "end": 3, "label": "PERSON", "text": "Ada", "index": 0}
    bob = {"start": 8, "end": 11, "label": None, "text": "Bob", "index": 1}
    assert record == {
        "id": "1",
        "text": "Ada met Bob .",
        "entities": [ada, bob],
        "relations": [{"head": bob, "relation": "met", "tail": ada, "score": None}],
    }
    file = io.StringIO(newline="")
    write_csv(records_of([document, document]), file)
    assert [line.split(",")[0] for line in file.getvalue().splitlines()] == ["id", "1", "2"]


TEXT = "Ada met Bob . She left him ."
CLUSTERS = Document(
    TEXT.split(),
    [Mention(0, 1, "PERSON", 0), Mention(2, 3, None, 1), Mention(4, 5, "PERSON", 0), Mention(6, 7, None, 1)],
    [Relation(2, 1, "met"), Relation(0, 3, "met"), Relation(0, 2, "self")],
    exhaustive=False,
    self_pairs=True,
)


def test_entities_of_several_mentions_stay_together():
    (record,) = records_of([CLUSTERS])
    ada, bob = record["entities"]
    assert [mention["text"] for mention in ada["mentions"]] == ["Ada", "She"]
    assert [mention["text"] for mention in bob["mentions"]] == ["Bob", "him"]
    assert [(r["head"]["text"], r["relation"], r["tail"]["text"]) for r in record["relations"]] == [
        ("Ada", "met", "Bob"),
        ("Ada", "self", "Ada"),
    ]
    assert (record["self_pairs"], record["exhaustive"]) == (True, False)


def test_records_of_documents_are_documents_again(tmp_path):
    with (tmp_path / "r.jsonl").open("w", encoding="utf-8") as file:
        write_jsonl(records_of([CLUSTERS]), file)
    (again,) = read_documents(tmp_path / "r.jsonl")
    assert again.to_entities()[1:] == CLUSTERS.to_entities()[1:]
    assert (again.exhaustive, again.self_pairs) == (False, True)


def test_further_mentions_are_in_every_format():
    (record,) = records_of([CLUSTERS])
    file = io.StringIO(newline="")
    write_csv([record], file)
    met, _ = csv.DictReader(io.StringIO(file.getvalue(), newline=""))
    assert json.loads(met["head_mentions"]) == [
        {"start": 0, "end": 3, "text": "Ada"},
        {"start": 14, "end": 17, "text": "She"},
    ]
    assert [mention["text"] for mention in json.loads(met["tail_mentions"])] == ["Bob", "him"]


def test_graphs_have_other_names_of_entities():
    pytest.importorskip("networkx")
    rdflib = pytest.importorskip("rdflib")
    (record,) = records_of([CLUSTERS])
    ada = record["entities"][0]
    again = {"entities": [{**ada, "mentions": [*ada["mentions"], {"start": 0, "end": 3, "text": "Countess"}]}]}
    graph = to_networkx([record, again, record])
    assert graph.nodes["Ada", "PERSON"] == {
        "label": "Ada",
        "type": "PERSON",
        "mentions": 7,
        "aliases": ["She", "Countess"],
    }
    file = io.StringIO()
    write_graphml([record, again], file)
    networkx = pytest.importorskip("networkx")
    nodes = networkx.parse_graphml(file.getvalue().split("\n", 1)[1]).nodes(data=True)
    assert json.loads(nodes["n0"]["aliases"]) == ["She", "Countess"]
    triples = io.StringIO()
    write_turtle([record, again, record], triples)
    read = rdflib.Graph().parse(data=triples.getvalue(), format="turtle")
    names = read.objects(rdflib.URIRef("urn:glirel:entity:PERSON:Ada"), rdflib.SKOS.altLabel)
    assert sorted(map(str, names)) == ["Countess", "She"]
    assert triples.getvalue().count("altLabel") == 3  # Ada twice, Bob once
