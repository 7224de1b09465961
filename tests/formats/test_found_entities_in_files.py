"""Entities that a model found, with scores and several types, in every format."""

import csv
import io

import pytest

from glirel_transformers.formats import to_networkx, to_rdflib, write_csv, write_graphml, write_turtle

ADA = {"start": 0, "end": 3, "text": "Ada", "label": "person", "index": 0, "score": 0.9}
BOTH = {**ADA, "score": 0.95, "scores": {"person": 0.95, "author": 0.6}}
GIVEN = {"start": 8, "end": 11, "text": "Bob", "label": "person", "index": 1}
CARRIED = {**GIVEN, "text": "Eve", "score": "high"}  # what somebody else said of it
RECORDS = [
    {"entities": [ADA, GIVEN], "relations": [{"head": ADA, "relation": "met", "tail": GIVEN, "score": 0.7}]},
    {"entities": [BOTH, CARRIED], "relations": [], "source": "a.jsonl", "line": 4},
]


def test_cells():
    file = io.StringIO()
    write_csv(RECORDS, file, with_entities=True)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [(row["head"], row["head_label"], row["relation"], row["tail"], row["score"]) for row in rows] == [
        ("Ada", "person", "", "", "0.9"),
        ("Bob", "person", "", "", ""),
        ("Ada", "person", "met", "Bob", "0.7"),
        ("Ada", "person", "", "", "0.95"),
        ("Ada", "author", "", "", "0.6"),
        ("Eve", "person", "", "", ""),
    ]
    assert (rows[3]["source"], rows[3]["line"], rows[3]["head_start"]) == ("a.jsonl", "4", "0")
    plain = io.StringIO()
    write_csv(RECORDS, plain)
    assert len(plain.getvalue().splitlines()) == 2


def test_nodes():
    pytest.importorskip("networkx")
    graph = to_networkx(RECORDS)
    assert graph.nodes["Ada", "person"] == {
        "label": "Ada",
        "type": "person",
        "mentions": 2,
        "score": 0.95,
        "types": {"person": 0.95, "author": 0.6},
    }
    assert graph.nodes["Bob", "person"] == {"label": "Bob", "type": "person", "mentions": 1}
    assert "score" not in graph.nodes["Eve", "person"]
    import networkx

    file = io.StringIO()
    write_graphml(RECORDS, file)
    read = networkx.read_graphml(io.BytesIO(file.getvalue().encode()))
    assert read.nodes["n0"]["types"] == '{"person": 0.95, "author": 0.6}'
    assert read.nodes["n0"]["score"] == 0.95


def test_triples():
    rdflib = pytest.importorskip("rdflib")
    from rdflib.compare import isomorphic

    graph = to_rdflib(RECORDS)
    ada = rdflib.URIRef("urn:glirel:entity:person:Ada")
    types = {str(kind) for kind in graph.objects(ada, rdflib.RDF.type)}
    assert types == {"urn:glirel:type:person", "urn:glirel:type:author"}
    scores = {
        (str(graph.value(statement, rdflib.RDF.object)), float(graph.value(statement, score)))
        for score in [rdflib.URIRef("urn:glirel:vocabulary:score")]
        for statement in graph.subjects(rdflib.RDF.predicate, rdflib.RDF.type)
    }
    assert scores == {
        ("urn:glirel:type:person", 0.9),
        ("urn:glirel:type:person", 0.95),
        ("urn:glirel:type:author", 0.6),
    }
    file = io.StringIO()
    write_turtle(RECORDS, file)
    assert isomorphic(rdflib.Graph().parse(data=file.getvalue()), graph)
