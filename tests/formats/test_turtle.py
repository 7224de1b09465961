import io
import sys

import pytest

from glirel_transformers.formats import to_rdflib, write_turtle

rdflib = pytest.importorskip("rdflib")
RDF, RDFS = rdflib.RDF, rdflib.RDFS
SCORE = rdflib.URIRef("urn:glirel:vocabulary:score")


def written(records, **options):
    file = io.StringIO()
    write_turtle(records, file, **options)
    return file.getvalue()


def test_turtle_is_read_again_as_the_same_graph(records):
    from rdflib.compare import isomorphic

    text = written(iter(records))
    read = rdflib.Graph().parse(data=text, format="turtle")
    assert isomorphic(read, to_rdflib(records))
    assert text == written(records)


def test_entities_and_relations_have_names_and_labels(records):
    graph = to_rdflib(records)
    curie = rdflib.URIRef("urn:glirel:entity:PERSON:Marie%20Curie")
    warsaw = rdflib.URIRef("urn:glirel:entity:CITY:Warsaw")
    birth = rdflib.URIRef("urn:glirel:relation:place%20of%20birth")
    assert (curie, birth, warsaw) in graph
    assert (curie, RDF.type, rdflib.URIRef("urn:glirel:type:PERSON")) in graph
    assert graph.value(curie, RDFS.label) == rdflib.Literal("Marie Curie")
    assert graph.value(birth, RDFS.label) == rdflib.Literal("place of birth")
    labels = {str(label) for label in graph.objects(None, RDFS.label)}
    assert records[3]["entities"][1]["text"] in labels
    assert (None, RDF.type, rdflib.URIRef("urn:glirel:type:PLACE%3A%20old")) in graph


def test_each_relation_is_a_statement_with_score_and_place(records):
    graph = to_rdflib(records)
    statements = list(graph.subjects(RDF.type, RDF.Statement))
    assert len(statements) == 4
    assert sorted(float(score) for score in graph.objects(None, SCORE)) == [0.1, 0.5, 0.97]
    (first,) = graph.subjects(SCORE, rdflib.Literal("0.970000", datatype=rdflib.XSD.decimal))
    assert graph.value(first, rdflib.DCTERMS.source) == rdflib.Literal("a.jsonl")
    assert graph.value(first, rdflib.URIRef("urn:glirel:vocabulary:line")).toPython() == 1
    assert graph.value(first, rdflib.DCTERMS.identifier).toPython() == 7


def test_different_entities_never_share_a_name():
    pairs = [("a", "b:c"), ("a:b", "c"), ("a%3Ab", "c"), (None, "c"), ("", "a b"), ("", "a_b"), ("", "a%20b")]
    entities = [{"text": text, "label": label} for label, text in pairs]
    graph = to_rdflib([{"entities": entities}])
    assert len(set(graph.subjects(RDFS.label))) == len(pairs)


def test_the_base_can_be_chosen(records):
    assert "<https://example.org/kg/entity:CITY:Warsaw>" in written(records, base="https://example.org/kg/")
    assert "urn:glirel" not in written(records, base="https://example.org/kg/")


def test_memory_is_bounded_and_nothing_is_lost(records, monkeypatch):
    from rdflib.compare import isomorphic

    once = to_rdflib(records)
    monkeypatch.setattr("glirel_transformers.formats.turtle._MAX_DESCRIBED", 1)
    text = written(records)
    assert text.count('rdfs:label "Marie Curie"') > 1
    assert isomorphic(rdflib.Graph().parse(data=text, format="turtle"), once)


def test_it_is_written_as_records_come(records):
    file, lengths = io.StringIO(), []

    def stream():
        for record in records:
            yield record
            lengths.append(len(file.getvalue()))

    write_turtle(stream(), file)
    assert lengths[0] < lengths[-1]


def test_without_rdflib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdflib", None)
    with pytest.raises(ImportError, match=r"pip install 'glirel-transformers\[graph\]'"):
        write_turtle([], io.StringIO())


@pytest.mark.parametrize(
    "name", ["rd.", "a..", ".", "per:born", "1st", "a-b", "tab\there", 'say "x"', "a<b>", "100%", "née", "🙂", "x'\\"]
)
def test_hostile_names_are_read_back(name):
    head, tail = ({"start": 0, "end": 1, "text": text, "label": name} for text in (f"{name} A", "B."))
    records = [{"text": "x", "entities": [head, tail], "relations": [{"head": head, "relation": name, "tail": tail}]}]
    file = io.StringIO()
    write_turtle(records, file)
    graph = rdflib.Graph().parse(data=file.getvalue(), format="turtle")
    labels = {str(label) for label in graph.objects(None, rdflib.RDFS.label)}
    assert labels == {f"{name} A", "B.", name}
    assert len(graph) == len(to_rdflib(records))
