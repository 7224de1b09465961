"""The relations as a drawing: entities are nodes, relations are labelled arrows. networkx places the nodes.

The drawing is SVG with the page's own colours, so that it follows the light and the dark theme, and stays sharp.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product

import networkx as nx

from .html import Hues, escape
from .view import Row, full_name

NODE_HEIGHT, LETTER, MAX_LETTERS = 38, 7.6, 26
LABEL_LETTER, LABEL_HEIGHT, KIND_LETTER = 6.4, 16, 7.0
MARGIN = 24
MAX_EDGES = 60
# Where along an arrow its name may be, and how far above or below: the middle is best.
LABEL_PLACES = sorted(
    product((0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82), (0, -11, 11, -20, 20, -30, 30)),
    key=lambda place: abs(place[0] - 0.5) + abs(place[1]) / 100,
)

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom
Curve = tuple[Point, Point, Point]  # quadratic: from the first point to the last
Node = tuple[str, str | None]  # surface and type


@dataclass
class Edge:
    """An arrow between two nodes; `bend` is how far it bows, or how high a loop is, in pixels."""

    tail: Node
    head: Node
    name: str
    score: float | None
    bend: float = 0.0


def draw(rows: Sequence[Row], hues: Hues) -> str:
    """The drawing of these relations; mentions with the same words and type are one node."""
    if not rows:
        return '<p class="gl-empty">The relations appear here as a graph.</p>'
    chosen = sorted(rows, key=lambda row: -(2.0 if row.score is None else row.score))[:MAX_EDGES]
    edges = tuple(
        ((row.head_text, row.head_label), (row.tail_text, row.tail_label), row.relation, row.score) for row in chosen
    )
    note = ""
    if len(rows) > MAX_EDGES:
        note = f'<p class="gl-hint">The {MAX_EDGES} strongest of {len(rows)} relations.</p>'
    labels = {label for (_, head), (_, tail), *_ in edges for label in (head, tail)}
    also = {(row.head_text, row.head_label): row.head_also for row in chosen if row.head_also}
    also |= {(row.tail_text, row.tail_label): row.tail_also for row in chosen if row.tail_also}
    shades = tuple((label, hues.get(label, 220)) for label in sorted(labels, key=str))
    return _draw(edges, shades, tuple(also.items())) + note


@lru_cache(maxsize=32)  # most actions of visitors do not change it
def _draw(
    relations: tuple[tuple[Node, Node, str, float | None], ...],
    hues: tuple[tuple[str | None, int], ...],
    also: tuple[tuple[Node, tuple[str, ...]], ...],
) -> str:
    edges = [Edge(*relation) for relation in relations]
    _bend(edges)
    places = _place(edges)
    boxes = {node: _box(node, place) for node, place in places.items()}
    taken = list(boxes.values())
    passed: list[Point] = []
    arrows = "".join(_arrow(edge, places, boxes, taken, passed) for edge in edges)
    others = dict(also)
    nodes = "".join(_node(node, places[node], dict(hues), others.get(node, ())) for node in places)
    left, top = (min(box[side] for box in (*taken, *passed)) - MARGIN for side in (0, 1))
    right, bottom = (max(box[side - 2] for box in (*(t[2:] for t in taken), *passed)) + MARGIN for side in (2, 3))
    width, height = max(right - left, 320.0), bottom - top
    return (
        f'<div class="gl-scroll gl-graph" tabindex="0"><svg viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" '
        f'style="max-width:{width:.0f}px;min-width:{min(width, 560):.0f}px" role="img" '
        f'aria-label="Graph of {len(edges)} relations between {len(places)} entities">'
        '<defs><marker id="gl-tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z"/></marker></defs>'
        f"{arrows}{nodes}</svg></div>"
        '<p class="gl-hint">Point at an arrow for its score.</p>'
    )


def _bend(edges: Sequence[Edge]) -> None:
    """Arrows that join the same two nodes fan out."""
    between: dict[frozenset[Node], list[Edge]] = defaultdict(list)
    for edge in edges:
        between[frozenset((edge.tail, edge.head))].append(edge)
    for parallel in between.values():
        first = parallel[0]
        for position, edge in enumerate(parallel):
            bow = (position - (len(parallel) - 1) / 2) * 44
            if edge.tail == edge.head:
                edge.bend = 44.0 + 24 * position
            else:
                edge.bend = bow if (edge.tail, edge.head) == (first.tail, first.head) else -bow


def _width(node: Node) -> float:
    return max(64.0, 24 + LETTER * min(len(node[0]), MAX_LETTERS), 16 + KIND_LETTER * len(node[1] or ""))


def _box(node: Node, place: Point) -> Box:
    half = _width(node) / 2
    return place[0] - half, place[1] - NODE_HEIGHT / 2, place[0] + half, place[1] + NODE_HEIGHT / 2


def _place(edges: Sequence[Edge]) -> dict[Node, Point]:
    """Places of the nodes; unconnected parts are below each other."""
    graph = nx.Graph()
    for edge in edges:
        graph.add_nodes_from((edge.tail, edge.head))
        if edge.tail == edge.head:
            continue
        graph.add_edge(edge.tail, edge.head)
        longest = max(graph.edges[edge.tail, edge.head].get("letters", 0), len(edge.name))
        graph.edges[edge.tail, edge.head]["letters"] = longest
    places: dict[Node, Point] = {}
    top = 0.0
    for component in sorted(nx.connected_components(graph), key=len, reverse=True):
        part = graph.subgraph(sorted(component, key=str))
        local = _spread(_layout(part), part)
        bow = max(abs(edge.bend) for edge in edges if edge.tail in component)
        left = min(_box(node, place)[0] for node, place in local.items())
        upper = min(_box(node, place)[1] for node, place in local.items())
        for node, (x, y) in local.items():
            places[node] = (x - left, y - upper + top + bow)
        top = max(_box(node, places[node])[3] for node in local) + 64 + bow
    return places


def _layout(part: nx.Graph) -> dict[Node, Point]:
    """Places in pixels, so that the longest name fits between two nodes; narrow rather than wide, like the column."""
    for one, other, data in part.edges(data=True):
        data["weight"] = (_width(one) + _width(other)) / 2 + LABEL_LETTER * data["letters"] + 48
    if len(part) == 1:
        return dict.fromkeys(part, (0.0, 0.0))
    if len(part) == 2:
        (first, second, data) = next(iter(part.edges(data=True)))
        return {first: (0.0, 0.0), second: (data["weight"], 0.0)}
    raw = {node: (float(x), float(y)) for node, (x, y) in nx.kamada_kawai_layout(part, weight="weight").items()}
    fits = sorted(
        data["weight"] / (math.dist(raw[one], raw[other]) or 1.0) for one, other, data in part.edges(data=True)
    )
    scale = fits[len(fits) // 2] * 0.85
    width = scale * (max(x for x, _ in raw.values()) - min(x for x, _ in raw.values())) or 1.0
    squeeze = min(1.0, 560 / width)
    return {node: (x * scale * squeeze, y * scale * min(1.25, 0.9 / squeeze)) for node, (x, y) in raw.items()}


def _spread(places: dict[Node, Point], part: nx.Graph, gap: float = 46.0) -> dict[Node, Point]:
    """Pushes boxes apart until none overlap and there is room for a name between neighbours."""
    places, widths = dict(places), {node: _width(node) for node in places}
    for _ in range(400):
        moved = False
        for one, other in combinations(places, 2):
            (ax, ay), (bx, by) = places[one], places[other]
            joined = part.get_edge_data(one, other)
            apart = joined["weight"] if joined else (widths[one] + widths[other]) / 2 + gap
            push_x = apart - abs(ax - bx)
            push_y = NODE_HEIGHT + gap - abs(ay - by)
            if push_x <= 0 or push_y <= 0:
                continue
            moved = True
            if push_x < push_y:
                step = math.copysign(push_x / 2 + 0.5, ax - bx or 1)
                places[one], places[other] = (ax + step, ay), (bx - step, by)
            else:
                step = math.copysign(push_y / 2 + 0.5, ay - by or 1)
                places[one], places[other] = (ax, ay + step), (bx, by - step)
        if not moved:
            break
    return places


def _arrow(
    edge: Edge, places: dict[Node, Point], boxes: dict[Node, Box], taken: list[Box], passed: list[Point]
) -> str:
    """A bowed arrow from border to border, with its name where it covers the least.

    Adds the name's box to `taken`, which starts with the boxes of the nodes, and points of the arrow to `passed`.
    """
    if edge.tail == edge.head:
        path, label = _loop(edge, boxes[edge.tail], taken)
    else:
        start, control, end = curve = _bow(edge, places, boxes)
        label = _label_place(edge.name, curve, taken, len(boxes))
        path = f"M{start[0]:.1f} {start[1]:.1f}Q{control[0]:.1f} {control[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
        passed.extend(_on_curve(curve, step / 10) for step in range(11))
    score = "added by hand" if edge.score is None else f"score {edge.score:.3f}"
    title = escape(f"{edge.tail[0]} → {edge.name} → {edge.head[0]}: {score}")
    strength = 1.0 if edge.score is None else 0.35 + 0.65 * edge.score
    return (
        f'<g class="gl-edge" tabindex="0"><title>{title}</title><path class="gl-hit" d="{path}"/>'
        f'<path class="gl-line" d="{path}" style="opacity:{strength:.2f}" marker-end="url(#gl-tip)"/>'
        f'<text x="{label[0]:.1f}" y="{label[1]:.1f}">{escape(edge.name)}</text></g>'
    )


def _bow(edge: Edge, places: dict[Node, Point], boxes: dict[Node, Box]) -> Curve:
    """The bow of an arrow; a larger one where that leads around other nodes."""
    others = [box for node, box in boxes.items() if node not in (edge.tail, edge.head)]

    def crossed(curve: Curve) -> int:
        points = [_on_curve(curve, step / 24) for step in range(1, 24)]
        return sum(left <= x <= right and top <= y <= bottom for x, y in points for left, top, right, bottom in others)

    (x1, y1), (x2, y2) = places[edge.tail], places[edge.head]
    length = math.hypot(x2 - x1, y2 - y1) or 1.0
    curves = []
    for bend in (edge.bend, *(edge.bend + by for by in (64, -64, 120, -120))):
        middle = ((x1 + x2) / 2 - (y2 - y1) / length * bend, (y1 + y2) / 2 + (x2 - x1) / length * bend)
        control = (2 * middle[0] - (x1 + x2) / 2, 2 * middle[1] - (y1 + y2) / 2)
        curves.append((_border(boxes[edge.tail], middle), control, _border(boxes[edge.head], middle)))
    return min(curves, key=crossed)


def _loop(edge: Edge, box: Box, taken: list[Box]) -> tuple[str, Point]:
    """An arrow from a node to itself, above it, and the place of its name."""
    x, y = (box[0] + box[2]) / 2, box[1] - 4
    high = y - edge.bend / 0.75  # a curve reaches three quarters of the way to its control points
    path = f"M{x - 14:.1f} {y:.1f}C{x - 50:.1f} {high:.1f} {x + 50:.1f} {high:.1f} {x + 14:.1f} {y:.1f}"
    half = LABEL_LETTER * len(edge.name) / 2 + 3
    label = (x, y - edge.bend)
    taken.append((x - half, label[1] - LABEL_HEIGHT / 2, x + half, label[1] + LABEL_HEIGHT / 2))
    return path, label


def _on_curve(curve: Curve, t: float) -> Point:
    """A point of a quadratic Bézier curve."""
    (x1, y1), (xc, yc), (x2, y2) = curve
    first, second, third = (1 - t) ** 2, 2 * t * (1 - t), t**2
    return first * x1 + second * xc + third * x2, first * y1 + second * yc + third * y2


def _border(box: Box, towards: Point) -> Point:
    """Where the line from the centre of a box towards a point leaves the box, with a small gap."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    dx, dy = towards[0] - x, towards[1] - y
    scale = min(
        ((right - left) / 2 + 4) / abs(dx) if dx else math.inf, ((bottom - top) / 2 + 4) / abs(dy) if dy else math.inf
    )
    return (x + dx * scale, y + dy * scale) if scale < math.inf else (x, y)


def _label_place(name: str, curve: Curve, taken: list[Box], num_nodes: int) -> Point:
    """The place along the arrow where its name covers the least of what is there; nodes count most."""
    half = LABEL_LETTER * len(name) / 2 + 3
    best: tuple[float, Point, Box] | None = None
    for t, lift in LABEL_PLACES:
        x, y = _on_curve(curve, t)
        box = (x - half, y + lift - LABEL_HEIGHT / 2, x + half, y + lift + LABEL_HEIGHT / 2)
        covered = sum(
            _overlap(box, other) * (4 if position < num_nodes else 1) for position, other in enumerate(taken)
        )
        if best is None or covered < best[0]:
            best = covered, (x, y + lift), box
        if not covered:
            break
    assert best is not None
    taken.append(best[2])
    return best[1]


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _node(node: Node, place: Point, hues: Hues, also: Sequence[str]) -> str:
    surface, label = node
    shown = surface if len(surface) <= MAX_LETTERS else f"{surface[: MAX_LETTERS - 1]}…"
    left, top, right, _ = _box(node, place)
    kind = f'<text class="gl-kind" x="{place[0]:.1f}" y="{place[1] + 13:.1f}">{escape(label)}</text>' if label else ""
    called = full_name(surface, also)
    title = escape(f"{called} ({label})" if label else called)
    return (
        f'<g class="gl-node" style="--hue:{hues.get(label, 220)}"><title>{title}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{NODE_HEIGHT}" rx="9"/>'
        f'<text x="{place[0]:.1f}" y="{place[1] + (-2 if label else 4):.1f}">{escape(shown)}</text>{kind}</g>'
    )
