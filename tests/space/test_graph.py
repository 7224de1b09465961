import random
import re
import xml.etree.ElementTree as ElementTree

import pytest
from labelling import graph
from labelling.html import palette
from labelling.values import Span, Triple
from labelling.view import Row

pytestmark = pytest.mark.slow

SVG = re.compile(r"<svg.*</svg>", re.S)


def row(head, relation, tail, score=0.5, head_label="A", tail_label="B"):
    return Row(Triple(Span(0, 1), relation, Span(2, 3)), score, None, None, head, head_label, tail, tail_label)


def draw(rows):
    html = graph.draw(rows, palette(["A", "B"]))
    return ElementTree.fromstring(SVG.search(html)[0])


def groups(svg, name):
    return [group for group in svg.iter("g") if group.get("class") == name]


def node_boxes(svg):
    boxes = []
    for node in groups(svg, "gl-node"):
        x, y, width, height = (float(node.find("rect").get(name)) for name in ("x", "y", "width", "height"))
        boxes.append((x, y, x + width, y + height))
    return boxes


def label_boxes(svg):
    boxes = []
    for edge in groups(svg, "gl-edge"):
        text = edge.find("text")
        x, y, half = float(text.get("x")), float(text.get("y")), graph.LABEL_LETTER * len(text.text) / 2
        boxes.append((x - half, y - 7, x + half, y + 7))
    return boxes


def points(edge):
    """Points along an arrow."""
    path = edge.find("path").get("d")
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", path)]
    start, *rest = [tuple(numbers[i : i + 2]) for i in range(0, len(numbers), 2)]
    if "C" in path:
        one, two, end = rest
        return [
            tuple(
                (1 - t) ** 3 * start[i] + 3 * t * (1 - t) ** 2 * one[i] + 3 * t**2 * (1 - t) * two[i] + t**3 * end[i]
                for i in (0, 1)
            )
            for t in (step / 20 for step in range(21))
        ]
    control, end = rest
    return [
        tuple((1 - t) ** 2 * start[i] + 2 * t * (1 - t) * control[i] + t**2 * end[i] for i in (0, 1))
        for t in (step / 20 for step in range(21))
    ]


def overlap(one, other):
    return graph._overlap(one, other)


def random_rows(seed, edges, nodes):
    rng = random.Random(seed)
    names = [
        f"{rng.choice(['Marie', 'University of', 'The', 'Ö'])} {'x' * rng.randint(1, 14)}{i}" for i in range(nodes)
    ]
    relations = ["spouse", "place of birth", "headquarters location", "part of"]
    return [row(*rng.sample(names, 1), rng.choice(relations), rng.choice(names), rng.random()) for _ in range(edges)]


def is_inside(svg, boxes):
    left, top, width, height = map(float, svg.get("viewBox").split())
    return all(
        x1 >= left - 1 and y1 >= top - 1 and x2 <= left + width + 1 and y2 <= top + height + 1
        for x1, y1, x2, y2 in boxes
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(1, 4))])
@pytest.mark.parametrize(("edges", "nodes"), [(1, 2), (4, 4), (20, 12), (20, 7), (60, 40)])
def test_every_node_and_edge_is_drawn_and_no_nodes_overlap(seed, edges, nodes):
    rows = random_rows(seed, edges, nodes)
    svg = draw(rows)
    drawn = groups(svg, "gl-edge")
    assert len(drawn) == edges
    titles = sorted(edge.find("title").text for edge in drawn)
    assert titles == sorted(f"{r.head_text} → {r.relation} → {r.tail_text}: score {r.score:.3f}" for r in rows)
    surfaces = {r.head_text for r in rows} | {r.tail_text for r in rows}
    boxes = node_boxes(svg)
    assert len(boxes) == len({(r.head_text, "A") for r in rows} | {(r.tail_text, "B") for r in rows}) >= len(surfaces)
    for i, one in enumerate(boxes):
        assert all(overlap(one, other) == 0 for other in boxes[:i])
    assert is_inside(svg, boxes)
    labels = label_boxes(svg)
    assert is_inside(svg, labels)
    assert is_inside(svg, [(x, y, x, y) for edge in drawn for x, y in points(edge)])


@pytest.mark.parametrize(
    "seed", [0, 1, 4, 5, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in (2, 3, *range(6, 12)))]
)
def test_names_of_20_relations_cover_no_node(seed):
    svg = draw(random_rows(seed, 20, 14))
    covered = [overlap(label, node) for label in label_boxes(svg) for node in node_boxes(svg)]
    assert max(covered) < 100  # a corner at most: a node has more than 2,400 square pixels
    assert sum(area > 0 for area in covered) <= 1


def test_several_relations_between_two_nodes_are_apart():
    rows = [row("Ada", name, "Bob") for name in ("spouse", "friend", "colleague")]
    rows += [row("Bob", name, "Ada", head_label="B", tail_label="A") for name in ("spouse", "rival")]
    svg = draw(rows)
    assert len(node_boxes(svg)) == 2
    paths = [edge.find("path").get("d") for edge in groups(svg, "gl-edge")]
    assert len(set(paths)) == 5
    middles = [points(edge)[10] for edge in groups(svg, "gl-edge")]
    for i, (x1, y1) in enumerate(middles):
        assert all(abs(x1 - x2) + abs(y1 - y2) > 20 for x2, y2 in middles[:i])
    labels = label_boxes(svg)
    for i, one in enumerate(labels):
        assert all(overlap(one, other) == 0 for other in labels[:i])


def test_a_relation_between_two_mentions_of_the_same_words_is_a_loop():
    svg = draw([row("Paris", "same as", "Paris", tail_label="A"), row("Paris", "twin of", "Paris", tail_label="A")])
    (box,) = node_boxes(svg)
    for edge in groups(svg, "gl-edge"):
        inside = [box[0] < x < box[2] and box[1] < y < box[3] for x, y in points(edge)]
        assert sum(inside) <= 2
    labels = label_boxes(svg)
    assert all(overlap(label, box) == 0 for label in labels)
    assert overlap(*labels) == 0
    assert is_inside(svg, labels)


def test_any_text_is_drawn():
    nasty = '<b> & "Ada" \']]> {{x}} ${1} 😀 名前 عربى'
    html = graph.draw([row(nasty, nasty, nasty + "!", None, nasty, None)], palette([nasty]))
    assert not re.search(r"[{}$]", html)
    svg = ElementTree.fromstring(SVG.search(html)[0])
    assert groups(svg, "gl-edge")[0].find("title").text == f"{nasty} → {nasty} → {nasty}!: added by hand"
    assert groups(svg, "gl-node")[0].find("title").text == f"{nasty} ({nasty})"


def test_control_characters_cannot_break_the_drawing():
    draw([row("A\x00\x0bb", "r\x1f", "c\ufffe")])


def test_the_same_relations_give_the_same_drawing():
    rows = random_rows(3, 20, 10)
    assert graph.draw(rows, {}) == graph.draw(rows, {})


def test_only_the_strongest_are_drawn():
    html = graph.draw(random_rows(1, 90, 20), {})
    assert html.count('class="gl-edge"') == graph.MAX_EDGES == 60
    assert "The 60 strongest of 90 relations." in html
    assert "gl-empty" in graph.draw([], {})
