"""A graph of entities and relations, for networkx and everything that reads GraphML (Gephi, Cytoscape, yEd)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from glirel_transformers.extras import require_extra

from .facts import found_types, node_of, other_names, score_of
from .lines import to_json

if TYPE_CHECKING:
    import networkx

_PLACE = {"id": "text_id", "source": "source", "line": "line"}  # readers take `id` for the edge's own
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_networkx(records: Iterable[Mapping[str, Any]]) -> networkx.MultiDiGraph:
    """A directed graph: entities are nodes, merged by text and type over all records; each relation is an edge.

    A node is `(text, type)`, with the attributes `label` (its text), `type` (absent where it is unknown), `mentions`
    (how often it was named), `aliases` (a list of what else it was called, where entities have several mentions;
    absent where there is nothing), `score` (of its best mention, where a model found it) and `types` (a dictionary of
    all its types with their best scores, where it has several). An edge has `label` and `relation` (the relation's
    name), `score` (absent where a person added it), and where it comes from: `text_id` (the record's `id`), `source`
    and `line`, if the record has them. With records of [`once_per_pair`], it also has `mentions`.

    The graph is held in memory.

    Raises:
        ImportError: without networkx.
    """
    require_extra("graph", "networkx")
    import networkx

    graph = networkx.MultiDiGraph()
    for record in records:
        for entity in record.get("entities", ()):
            node = node_of(entity)
            graph.add_node(node, **_known(label=entity["text"], type=entity.get("label")))
            known = graph.nodes[node]
            known["mentions"] = known.get("mentions", 0) + len(entity.get("mentions", [entity]))
            _add_scores(known, entity)
            if others := other_names(entity):
                known["aliases"] = list(dict.fromkeys([*known.get("aliases", ()), *others]))
        place = {name: record.get(field) for field, name in _PLACE.items()}
        for relation in record.get("relations", ()):
            head, tail = node_of(relation["head"]), node_of(relation["tail"])
            for node in (head, tail):
                if "label" not in graph.nodes.get(node, {}):  # not among the record's entities
                    graph.add_node(node, **_known(label=node[0], type=node[1]), mentions=0)
            name = relation["relation"]
            said = _known(score=score_of(relation), mentions=relation.get("mentions"), **place)
            graph.add_edge(head, tail, label=name, relation=name, **said)
    return graph


def _add_scores(known: dict[str, Any], entity: Mapping[str, Any]) -> None:
    """The best score of an entity that was found, and of all its types where it has several."""
    scores = found_types(entity)
    label = entity.get("label")
    if label in scores:
        known["score"] = max(scores[label], known.get("score", 0.0))
    if len(scores) > 1:
        before = known.get("types", {})
        best = {name: max(score, before.get(name, 0.0)) for name, score in {**before, **scores}.items()}
        known["types"] = dict(sorted(best.items(), key=lambda typed: (typed[0] != label, -typed[1])))


def write_graphml(records: Iterable[Mapping[str, Any]], file: TextIO) -> None:
    """Writes the graph of [`to_networkx`] as GraphML, with nodes `n0`, `n1`, … and edges `e0`, `e1`, … in their order.

    The graph is held in memory. GraphML has no lists: `aliases` are a JSON list, `types` a JSON object. Control
    characters, which XML cannot hold, are written as U+FFFD.

    Raises:
        ImportError: without networkx.
    """
    graph = to_networkx(records)
    import networkx

    written = networkx.MultiDiGraph()
    names = {node: f"n{position}" for position, node in enumerate(graph)}
    written.add_nodes_from((names[node], _for_xml(attributes)) for node, attributes in graph.nodes(data=True))
    for position, (head, tail, attributes) in enumerate(graph.edges(data=True)):
        written.add_edge(names[head], names[tail], key=f"e{position}", **_for_xml(attributes))
    file.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    for line in networkx.generate_graphml(written):
        file.write(f"{line}\n")


def _known(**attributes: object) -> dict[str, object]:
    return {name: value for name, value in attributes.items() if value is not None}


def _for_xml(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that GraphML can hold: `text_id` is text, as one record may have a number and another a name."""
    plain = {name: str(value) if name == "text_id" else value for name, value in attributes.items()}
    plain |= {name: to_json(value) for name, value in plain.items() if isinstance(value, (list, dict))}
    return {name: _NOT_IN_XML.sub("�", value) if isinstance(value, str) else value for name, value in plain.items()}
