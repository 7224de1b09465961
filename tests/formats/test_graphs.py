import io
import sys

import pytest

from glirel_transformers.formats import to_networkx, write_graphml

networkx = pytest.importorskip("networkx")


def test_entities_are_merged_by_text_and_type(records):
    graph = to_networkx(iter(records))
    assert set(graph) == {
        ("Marie Curie", "PERSON"),
        ("Warsaw", "CITY"),
        ("Paris", "CITY"),
        ("Warsaw", None),
        (records[3]["entities"][1]["text"], "PLACE: old"),
    }
    assert graph.nodes["Marie Curie", "PERSON"] == {"label": "Marie Curie", "type": "PERSON", "mentions": 2}
    assert graph.nodes["Warsaw", None] == {"label": "Warsaw", "mentions": 1}
    assert graph.degree[("Paris", "CITY")] == 0
    births = graph.get_edge_data(("Marie Curie", "PERSON"), ("Warsaw", "CITY"))
    named = {"label": "place of birth", "relation": "place of birth"}
    assert list(births.values()) == [
        {**named, "score": 0.97, "text_id": 7, "source": "a.jsonl", "line": 1},
        {**named, "score": 0.5},
    ]
    ((_, _, by_hand),) = graph.in_edges(("Warsaw", None), data=True)
    assert "score" not in by_hand


def test_graphml_can_be_read_again(records, tmp_path):
    records[3]["relations"][1]["head"] = {"text": "a\x00\x0b<&>", "label": None}
    records[3]["id"] = "x"  # where another record has a number
    file = io.StringIO()
    write_graphml(records, file)
    (tmp_path / "g.graphml").write_text(file.getvalue(), encoding="utf-8")
    read = networkx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    expected = to_networkx(records)
    assert [data.get("label") for _, data in read.nodes(data=True)] == [
        text.replace("\x00", "�").replace("\x0b", "�") for text, _ in expected
    ]
    scores = [data.get("score") for _, _, data in read.edges(data=True)]
    assert scores == [data.get("score") for _, _, data in expected.edges(data=True)]
    assert {data.get("text_id") for _, _, data in read.edges(data=True)} == {"7", "x"}
    assert len({key for _, _, key in read.edges(keys=True)}) == len(scores) == 4


def test_no_records_are_an_empty_graph():
    file = io.StringIO()
    write_graphml([], file)
    assert len(networkx.parse_graphml(file.getvalue().split("\n", 1)[1])) == 0


def test_without_networkx_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(ImportError, match=r"pip install 'glirel-transformers\[graph\]'"):
        write_graphml([], io.StringIO())
