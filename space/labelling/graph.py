"""The relations as a drawing: entities are nodes, relations are labelled arrows. networkx places the nodes.

The drawing is SVG with the page's own colours, so that it follows the light and the dark theme, and stays sharp.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import networkx as nx

from .pages import Hues, escape
from .view import Row

NODE_HEIGHT, LETTER, MAX_LETTERS = 38, 7.6, 26
LABEL_LETTER, LABEL_HEIGHT = 6.4, 16
MARGIN = 24
MAX_EDGES = 60

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom
Node = tuple[str, str | None]  # surface and type


@dataclass
class Edge:
    """An arrow between two nodes; `bend` is how far it bows, in pixels."""

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
    edges = [
        Edge((row.head_text, row.head_label), (row.tail_text, row.tail_label), row.relation, row.score)
        for row in chosen
    ]
    _bend(edges)
    places, width, height = _place(edges)
    boxes = {node: _box(node, place) for node, place in places.items()}
    taken = list(boxes.values())
    arrows = "".join(_arrow(edge, places, boxes, taken) for edge in edges)
    nodes = "".join(_node(node, places[node], hues) for node in places)
    note = ""
    if len(rows) > MAX_EDGES:
        note = f'<p class="gl-hint">The {MAX_EDGES} strongest of {len(rows)} relations.</p>'
    return (
        f'<div class="gl-scroll gl-graph" tabindex="0"><svg viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{width:.0f}px;min-width:{min(width, 560):.0f}px" role="img" '
        f'aria-label="Graph of {len(edges)} relations between {len(places)} entities">'
        '<defs><marker id="gl-tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z"/></marker></defs>'
        f"{arrows}{nodes}</svg></div>"
        f'<p class="gl-hint">Point at an arrow for its score.</p>{note}'
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
            edge.bend = bow if (edge.tail, edge.head) == (first.tail, first.head) else -bow


def _width(node: Node) -> float:
    return max(64.0, 24 + LETTER * min(len(node[0]), MAX_LETTERS))


def _box(node: Node, place: Point) -> Box:
    half = _width(node) / 2
    return place[0] - half, place[1] - NODE_HEIGHT / 2, place[0] + half, place[1] + NODE_HEIGHT / 2


def _place(edges: Iterable[Edge]) -> tuple[dict[Node, Point], float, float]:
    """Where the nodes stand, and the size of the drawing; unconnected parts stand below each other."""
    graph = nx.Graph()
    for edge in edges:
        graph.add_edge(edge.tail, edge.head)
        longest = max(graph.edges[edge.tail, edge.head].get("letters", 0), len(edge.name))
        graph.edges[edge.tail, edge.head]["letters"] = longest
    places: dict[Node, Point] = {}
    top, width = float(MARGIN), 0.0
    for component in sorted(nx.connected_components(graph), key=len, reverse=True):
        part = graph.subgraph(sorted(component, key=str))
        local = _spread(_layout(part))
        left = min(_box(node, place)[0] for node, place in local.items())
        upper = min(_box(node, place)[1] for node, place in local.items())
        for node, (x, y) in local.items():
            places[node] = (x - left + MARGIN, y - upper + top)
        top = max(_box(node, places[node])[3] for node in local) + 64
        width = max(width, max(_box(node, places[node])[2] for node in local) + MARGIN)
    return places, max(width, 320.0), top - 64 + MARGIN


def _layout(part: nx.Graph) -> dict[Node, Point]:
    """Places in pixels, so that the longest name fits between two nodes; narrow rather than wide, as columns are."""
    for one, other, data in part.edges(data=True):
        data["weight"] = (_width(one) + _width(other)) / 2 + LABEL_LETTER * data["letters"] + 48
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


def _spread(places: dict[Node, Point], gap: float = 46.0) -> dict[Node, Point]:
    """Pushes boxes apart until none overlap."""
    places = dict(places)
    for _ in range(200):
        moved = False
        for one, other in combinations(places, 2):
            (ax, ay), (bx, by) = places[one], places[other]
            push_x = (_width(one) + _width(other)) / 2 + gap - abs(ax - bx)
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


def _arrow(edge: Edge, places: dict[Node, Point], boxes: dict[Node, Box], taken: list[Box]) -> str:
    """A bowed arrow from border to border, and its name where it hides the least."""
    others = [box for node, box in boxes.items() if node not in (edge.tail, edge.head)]

    def curve(bend: float) -> tuple[Point, Point, Point]:
        (x1, y1), (x2, y2) = places[edge.tail], places[edge.head]
        length = math.hypot(x2 - x1, y2 - y1) or 1.0
        middle = ((x1 + x2) / 2 - (y2 - y1) / length * bend, (y1 + y2) / 2 + (x2 - x1) / length * bend)
        control = (2 * middle[0] - (x1 + x2) / 2, 2 * middle[1] - (y1 + y2) / 2)
        return _border(boxes[edge.tail], middle), control, _border(boxes[edge.head], middle)

    def crossed(bend: float) -> int:
        points = [_on_curve(curve(bend), step / 24) for step in range(1, 24)]
        return sum(left <= x <= right and top <= y <= bottom for x, y in points for left, top, right, bottom in others)

    # Around other nodes, where a larger bow leads around them.
    start, control, end = curve(min((edge.bend, *(edge.bend + by for by in (45, -45, 85, -85))), key=crossed))
    label = _label_place(edge.name, (start, control, end), taken)
    score = "added by hand" if edge.score is None else f"score {edge.score:.3f}"
    title = escape(f"{edge.tail[0]} → {edge.name} → {edge.head[0]}: {score}")
    strength = 1.0 if edge.score is None else 0.35 + 0.65 * edge.score
    path = f"M{start[0]:.1f} {start[1]:.1f}Q{control[0]:.1f} {control[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    return (
        f'<g class="gl-edge" tabindex="0"><title>{title}</title><path class="gl-hit" d="{path}"/>'
        f'<path class="gl-line" d="{path}" style="opacity:{strength:.2f}" marker-end="url(#gl-tip)"/>'
        f'<text x="{label[0]:.1f}" y="{label[1]:.1f}">{escape(edge.name)}</text></g>'
    )


def _on_curve(curve: tuple[Point, Point, Point], t: float) -> Point:
    """A point of a quadratic Bézier curve."""
    (x1, y1), (xc, yc), (x2, y2) = curve
    before, beside, after = (1 - t) ** 2, 2 * t * (1 - t), t**2
    return before * x1 + beside * xc + after * x2, before * y1 + beside * yc + after * y2


def _border(box: Box, towards: Point) -> Point:
    """Where the line from the centre of a box towards a point leaves it, with a little air."""
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    dx, dy = towards[0] - x, towards[1] - y
    scale = min(
        ((right - left) / 2 + 4) / abs(dx) if dx else math.inf, ((bottom - top) / 2 + 4) / abs(dy) if dy else math.inf
    )
    return (x + dx * scale, y + dy * scale) if scale < math.inf else (x, y)


def _label_place(name: str, curve: tuple[Point, Point, Point], taken: list[Box]) -> Point:
    """The place along the arrow where its name covers least of what is there already."""
    width = LABEL_LETTER * len(name) + 6
    best: tuple[float, Point, Box] | None = None
    for t in (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74):
        x, y = _on_curve(curve, t)
        for lift in (0, -11, 11):
            box = (x - width / 2, y + lift - LABEL_HEIGHT / 2, x + width / 2, y + lift + LABEL_HEIGHT / 2)
            covered = sum(_overlap(box, other) for other in taken) + abs(t - 0.5) + abs(lift) / 100
            if best is None or covered < best[0]:
                best = covered, (x, y + lift), box
    assert best is not None
    taken.append(best[2])
    return best[1]


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def _node(node: Node, place: Point, hues: Hues) -> str:
    surface, label = node
    shown = surface if len(surface) <= MAX_LETTERS else f"{surface[: MAX_LETTERS - 1]}…"
    left, top, right, _ = _box(node, place)
    kind = f'<text class="gl-kind" x="{place[0]:.1f}" y="{place[1] + 13:.1f}">{escape(label)}</text>' if label else ""
    title = escape(f"{surface} ({label})" if label else surface)
    return (
        f'<g class="gl-node" style="--hue:{hues.get(label, 220)}"><title>{title}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{NODE_HEIGHT}" rx="9"/>'
        f'<text x="{place[0]:.1f}" y="{place[1] + (-2 if label else 4):.1f}">{escape(shown)}</text>{kind}</g>'
    )
