"""RDF: each relation as a triple, and a statement with its score and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from glirel_transformers.extras import require_extra

from .facts import found_types, node_of, other_names, score_of

if TYPE_CHECKING:
    import rdflib
    from rdflib.namespace import NamespaceManager
    from rdflib.term import Node as Term

BASE = "urn:glirel:"
_MAX_DESCRIBED = 100_000  # entities and relations known to be described already; bounds the memory


class _Block(NamedTuple):
    subject: Term
    properties: list[tuple[Term, Term]]


def write_turtle(records: Iterable[Mapping[str, Any]], file: TextIO, base: str = BASE) -> None:
    """Writes Turtle, record by record and in constant memory.

    An entity is `<urn:glirel:entity:PERSON:Marie%20Curie>`, one for each text and type, with `rdfs:label`, its type as
    `rdf:type` and, where it has several mentions, what else they call it as `skos:altLabel`. A relation is the triple
    itself, and an `rdf:Statement` with `glirel:score` (absent where a person added it), `dcterms:source`,
    `glirel:line` and `dcterms:identifier`, if the record has them. An entity that a model found has such a statement
    for each of its types too, and every type as `rdf:type`. With records of [`once_per_pair`], it also has
    `glirel:mentions`.

    Args:
        records: the records.
        file: a text file.
        base: what all names of entities, types and relations begin with.

    Raises:
        ImportError: without rdflib.
    """
    prefixes, blocks = _describe(records, base)
    names = _namespaces(prefixes)
    for prefix, namespace in prefixes.items():
        file.write(f"@prefix {prefix}: <{namespace}> .\n")
    for subject, properties in blocks:
        written = " ;\n    ".join(f"{_n3(name, names)} {_n3(value, names)}" for name, value in properties)
        file.write(f"\n{_n3(subject, names)} {written} .\n")


def _n3(node: Term, names: NamespaceManager) -> str:
    """A node in Turtle: shortened by a prefix if the rest is a plain word, else whole.

    rdflib also shortens names that end in a full stop or hold other signs, and its own parser then cannot read them.
    """
    written = node.n3(names)
    is_plain = written.startswith(('"', "<", "_:")) or re.fullmatch(r"\w+:\w+", written)
    return written if is_plain else node.n3()


def to_rdflib(records: Iterable[Mapping[str, Any]], base: str = BASE) -> rdflib.Graph:
    """The triples that [`write_turtle`] writes, as a graph in memory.

    Raises:
        ImportError: without rdflib.
    """
    prefixes, blocks = _describe(records, base)
    graph = _namespaces(prefixes).graph
    for subject, properties in blocks:
        for name, value in properties:
            graph.add((subject, name, value))
    return graph


def _namespaces(prefixes: Mapping[str, str]) -> NamespaceManager:
    from rdflib import Graph

    manager = Graph(bind_namespaces="none").namespace_manager
    for prefix, namespace in prefixes.items():
        manager.bind(prefix, namespace)
    return manager


def _describe(records: Iterable[Mapping[str, Any]], base: str) -> tuple[dict[str, str], Iterator[_Block]]:
    """Namespaces by prefix, and what is said about each subject."""
    require_extra("graph", "rdflib")
    from rdflib import DCTERMS, RDF, RDFS, SKOS, XSD

    known = {"rdf": RDF, "rdfs": RDFS, "xsd": XSD, "dcterms": DCTERMS, "skos": SKOS}
    prefixes = {prefix: str(namespace) for prefix, namespace in known.items()}
    prefixes |= {name: f"{base}{name}:" for name in ("entity", "type", "relation")}
    return {**prefixes, "glirel": f"{base}vocabulary:"}, _blocks(records, base)


def _blocks(records: Iterable[Mapping[str, Any]], base: str) -> Iterator[_Block]:
    from rdflib import RDF, RDFS, SKOS, Literal, URIRef

    described: set[object] = set()
    numbers = count()

    def is_new(said: object) -> bool:
        if said in described:
            return False
        if len(described) == _MAX_DESCRIBED:
            described.clear()  # describing something again adds nothing new
        described.add(said)
        return True

    def describe(name: Term, label: str, kind: Term | None) -> Iterator[_Block]:
        if is_new(name):
            types: list[tuple[Term, Term]] = [] if kind is None else [(RDF.type, kind)]
            yield _Block(name, [*types, (RDFS.label, Literal(label))])

    for record in records:
        for mention in record.get("entities", ()):
            known = _entity(mention, base)
            yield from describe(*known)
            if others := [name for name in other_names(mention) if is_new((known[0], name))]:
                yield _Block(known[0], [(SKOS.altLabel, Literal(name)) for name in others])
            for label, score in found_types(mention).items():
                triple = known[0], RDF.type, URIRef(f"{base}type:{_escaped(label)}")
                if label != mention.get("label") and is_new(triple):
                    yield _Block(known[0], [triple[1:]])
                about = _about(record, {"relation": label, "score": score}, base)
                yield _statement(next(numbers), triple, about)
        for found in record.get("relations", ()):
            head, tail = _entity(found["head"], base), _entity(found["tail"], base)
            yield from describe(*head)
            yield from describe(*tail)
            relation = URIRef(f"{base}relation:{_escaped(found['relation'])}")
            yield from describe(relation, found["relation"], RDF.Property)
            yield _Block(head[0], [(relation, tail[0])])
            yield _statement(next(numbers), (head[0], relation, tail[0]), _about(record, found, base))


def _entity(mention: Mapping[str, Any], base: str) -> tuple[Term, str, Term | None]:
    """The name of an entity, its text and its type."""
    from rdflib import URIRef

    text, label = node_of(mention)
    kind = None if label is None else URIRef(f"{base}type:{_escaped(label)}")
    return URIRef(f"{base}entity:{_escaped(label or '')}:{_escaped(text)}"), text, kind


def _statement(number: int, triple: tuple[Term, Term, Term], about: Iterable[tuple[Term, Term]]) -> _Block:
    """What is said about a triple."""
    from rdflib import RDF, BNode

    said = list(zip((RDF.subject, RDF.predicate, RDF.object), triple, strict=True))
    return _Block(BNode(f"s{number}"), [(RDF.type, RDF.Statement), *said, *about])


def _about(record: Mapping[str, Any], found: Mapping[str, Any], base: str) -> Iterator[tuple[Term, Term]]:
    """The score of a relation, how often it was found, and where it comes from."""
    from rdflib import DCTERMS, XSD, Literal, URIRef

    if (score := score_of(found)) is not None:
        yield URIRef(f"{base}vocabulary:score"), Literal(f"{score:.6f}", datatype=XSD.decimal)
    said = {
        URIRef(f"{base}vocabulary:mentions"): found.get("mentions"),
        DCTERMS.source: record.get("source"),
        URIRef(f"{base}vocabulary:line"): record.get("line"),
        DCTERMS.identifier: record.get("id"),
    }
    for name, value in said.items():
        if value is not None:
            yield name, Literal(value)


def _escaped(name: str) -> str:
    """`name` as part of an IRI: letters of all scripts stay, everything else but `-._~` is percent-encoded."""
    return re.sub(
        r"[^\w.~-]", lambda sign: "".join(f"%{byte:02X}" for byte in sign[0].encode("utf-8", "replace")), name
    )
