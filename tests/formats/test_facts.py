import io

import pytest

from glirel_transformers.formats import once_per_pair, to_networkx, to_rdflib, write_graphml, write_turtle

CURIE, WARSAW = ("Marie Curie", "PERSON"), ("Warsaw", "CITY")


@pytest.fixture
def repeated(records):
    """The records, with a third mention of one fact, and one that a person added."""
    (best, *_), place = records[0]["relations"], {"source": "b.jsonl", "line": 9}
    return [
        *records,
        {"text": "…", "entities": [], "relations": [{**best, "score": 0.99}, {**best, "score": None}], **place},
    ]


def test_a_fact_has_the_number_of_its_mentions_and_the_best_of_them(repeated):
    facts = [record for record in once_per_pair(iter(repeated)) if "relations" in record]
    assert [len(fact["relations"]) for fact in facts] == [1, 1, 1]
    assert [(fact["relations"][0]["score"], fact["relations"][0]["mentions"]) for fact in facts] == [
        (0.99, 4),
        (0.1, 1),
        (None, 1),
    ]
    assert (facts[0]["source"], facts[0]["line"]) == ("b.jsonl", 9)
    assert repeated[0]["relations"][0]["score"] == 0.97  # what was given is left alone
    assert "mentions" not in repeated[0]["relations"][0]


def test_names_of_relations_types_and_directions_are_facts_of_their_own():
    ada, bob, place = ({"text": text, "label": label} for text, label in [("Ada", "P"), ("Bob", "P"), ("Bob", "CITY")])
    triples = [(ada, "knows", bob), (bob, "knows", ada), (ada, "knows", place), (ada, "likes", bob)]
    relations = [{"head": head, "relation": name, "tail": tail, "score": 0.5} for head, name, tail in triples]
    assert len(list(once_per_pair([{"relations": relations}, {"relations": relations}]))) == 2 + 4


def test_a_graph_has_one_edge_for_a_fact(repeated):
    pytest.importorskip("networkx")
    every, once = to_networkx(repeated), to_networkx(once_per_pair(repeated))
    assert dict(once.nodes(data=True)) == dict(every.nodes(data=True))
    assert (every.number_of_edges(CURIE, WARSAW), once.number_of_edges(CURIE, WARSAW)) == (4, 1)
    (edge,) = once.get_edge_data(CURIE, WARSAW).values()
    assert edge == {
        "label": "place of birth",
        "relation": "place of birth",
        "score": 0.99,
        "mentions": 4,
        "source": "b.jsonl",
        "line": 9,
    }


def test_graphml_and_turtle_hold_the_same_facts(repeated):
    networkx, rdflib = pytest.importorskip("networkx"), pytest.importorskip("rdflib")
    from rdflib.compare import isomorphic

    graphml, turtle = io.StringIO(), io.StringIO()
    write_graphml(once_per_pair(repeated), graphml)
    write_turtle(once_per_pair(repeated), turtle)
    read = networkx.parse_graphml(graphml.getvalue().split("\n", 1)[1], force_multigraph=True)
    in_graphml = sorted((edge["relation"], edge["mentions"]) for _, _, edge in read.edges(data=True))
    graph = rdflib.Graph().parse(data=turtle.getvalue(), format="turtle")
    assert isomorphic(graph, to_rdflib(once_per_pair(repeated)))
    mentions = rdflib.URIRef("urn:glirel:vocabulary:mentions")
    in_turtle = sorted(
        (str(graph.value(graph.value(statement, rdflib.RDF.predicate), rdflib.RDFS.label)), count.toPython())
        for statement, count in graph.subject_objects(mentions)
    )
    assert in_graphml == in_turtle == [('is "in"', 1), ("place of birth", 4), ("spouse", 1)]
    assert len(list(graph.subjects(rdflib.RDF.type, rdflib.RDF.Statement))) == 3
