"""Parts of the page that Gradio has no component for, as HTML. Everything that a visitor wrote is escaped here."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from glirel_transformers import RelationScores
from glirel_transformers.data import Document
from glirel_transformers.mentions_glirel import listed
from glirel_transformers.scores_glirel import UnmetConstraint

from . import groups, memory, model
from .session import Session
from .values import ACCEPTED, ADDED, CHANGED, REJECTED, Entity
from .view import REASONS, Row, read_full_name

Hues = Mapping[str | None, int]
COMMON_LABELS = ("PERSON", "ORGANIZATION", "CITY", "COUNTRY", "LOCATION", "DATE", "WORK")
MAX_HEAT_MAP_PAIRS = 200
MAX_SHOWN_EXAMPLES = 100
MAX_SHOWN_CONSTRAINTS = 8
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
KEYS = (
    "Text with entities. Arrow keys choose a word, Shift with arrow keys chooses several, and Enter marks them. On a "
    "mark, Enter changes it and Delete removes it."
)
_HUES = (215, 150, 28, 330, 265, 190, 95, 0, 48, 300, 120, 240)


def escape(text: object) -> str:
    """`text` for use in HTML, as many characters as before, so that offsets in it stay what they are.

    Braces and dollar signs are escaped too, since the component's template would read them; control characters become
    U+FFFD, since browsers drop some of them.
    """
    plain = _NOT_IN_XML.sub("\ufffd", str(text))
    return html.escape(plain).translate({ord(sign): f"&#{ord(sign)};" for sign in "{}$\r"})


def palette(labels: Iterable[str | None]) -> dict[str | None, int]:
    """A hue for each entity type: common types always have the same one, others get those that are free."""
    hues: dict[str | None, int] = {label: _HUES[i] for i, label in enumerate(COMMON_LABELS)}
    present = {label for label in labels if label}
    others = sorted(present - set(hues))
    taken = {hues[label] for label in present if label in hues}
    free = [hue for hue in _HUES[::-1] if hue not in taken] or list(_HUES)
    hues |= {label: free[i % len(free)] for i, label in enumerate(others)}
    return hues | {None: 220}


def annotator(session: Session, hues: Hues, open_at: int | None = None, note: str = "", turn: int = 0) -> str:
    """The text with its marks; `open_at` is the entity whose form opens, again at each `turn`."""
    labels = [entity.label for entity in session.entities if entity.label]
    labels += [*(label for label in model.read_entity_lines(session.entity_lines)), *COMMON_LABELS]
    if not session.text.strip():
        body = '<p class="gl-empty">Your text appears here, for marking.</p>'
    else:
        opened = "" if open_at is None else f' data-open="{open_at}" data-turn="{turn}"'
        names = escape(json.dumps(list(dict.fromkeys(labels))[:12]))
        body = (
            f'<div class="gl-text" dir="auto" tabindex="0" role="application" aria-label="{KEYS}" '
            f'data-labels="{names}"{opened}>{_marked(session.text, session.entities, hues)}</div>'
        )
    if note:
        body += f'<p class="gl-note" role="status">{escape(note)}</p>'
    return f'<div class="gl-annotator">{body}</div>'


def _marked(text: str, entities: Sequence[Entity], hues: Hues) -> str:
    """`text` with nested `mark` elements; entities lie next to or inside each other."""
    opens: dict[int, list[tuple[int, Entity]]] = {}
    closes: dict[int, int] = {}
    for position, entity in enumerate(entities):
        opens.setdefault(entity.start, []).append((position, entity))
        closes[entity.end] = closes.get(entity.end, 0) + 1
    parts, last = [], 0
    for place in sorted({*opens, *closes}):
        parts.append(escape(text[last:place]))
        parts.append("</mark>" * closes.get(place, 0))
        for position, entity in sorted(opens.get(place, ()), key=lambda item: -item[1].end):
            parts.append(_opening(position, entity, groups.marks_of(entities, entity), hues))
        last = place
    return "".join([*parts, escape(text[last:])])


def _opening(position: int, entity: Entity, own: Sequence[Entity], hues: Hues) -> str:
    """The tag that opens a mark; `own` are all marks of its entity."""
    shown = entity.label or "no type"
    if entity.is_found:
        shown = " · ".join(f"{label} {score:.2f}" for label, score in entity.scores)
    known = [shown]
    known += ["found by the model"] if entity.is_found else []
    known += [f"{len(own)} mentions of one entity"] if len(own) > 1 else []
    group = f' data-group="{entity.group}"' if len(own) > 1 else ""
    found = ' class="gl-found"' if entity.is_found else ""
    return (
        f'<mark tabindex="0"{found} data-position="{position}" data-span="{entity.start}-{entity.end}"{group} '
        f'data-label="{escape(entity.label or "")}" data-shown="{escape(shown)}" '
        f'style="--hue:{hues.get(entity.label, 220)}" title="{escape(", ".join(known))}: click to change">'
    )


def entity_chip(text: str, label: str | None, hues: Hues, also: Sequence[str] = ()) -> str:
    """An entity in running text; `also` is what else the text calls it."""
    shown = f"<small>{escape(label)}</small>" if label else ""
    others = f' <i class="gl-also">also {escape(", ".join(also))}</i>' if also else ""
    return f'<span class="gl-entity" style="--hue:{hues.get(label, 220)}">{escape(text)}{others}{shown}</span>'


def review(rows: Sequence[Row], names: Sequence[str], hues: Hues) -> str:
    """The list in which each relation is accepted, rejected or changed."""
    if not rows:
        return (
            '<p class="gl-empty">Nothing to review yet. Extract relations, lower the threshold, or add a missing '
            "relation below.</p>"
        )
    listed = "".join(_review_row(row, names, hues) for row in rows)
    keys = (
        '<p class="gl-hint">Keys, on a row: <kbd>A</kbd> accept, <kbd>R</kbd> reject, <kbd>S</kbd> swap, <kbd>↑</kbd> '
        "<kbd>↓</kbd> go. A and R go on to the next that is open.</p>"
    )
    return f'<ul class="gl-review">{listed}</ul>{keys}'


def _review_row(row: Row, names: Sequence[str], hues: Hues) -> str:
    verdict = row.verdict or ""
    options = "".join(
        f"<option{' selected' if name == row.relation else ''}>{escape(name)}</option>"
        for name in dict.fromkeys([*names, row.relation])
    )
    score = "added" if row.score is None and verdict == ADDED else "" if row.score is None else f"{row.score:.2f}"
    words, key = escape(f"{row.head_text} {row.relation} {row.tail_text}"), escape(row.key)

    def button(action: str, sign: str, name: str, pressed: bool | None = None) -> str:
        state = "" if pressed is None else f' aria-pressed="{str(pressed).lower()}"'
        return (
            f'<button type="button" data-action="{action}" data-row="{key}"{state} title="{name}" '
            f'aria-label="{name}: {words}">{sign}<span>{name}</span></button>'
        )

    was = f'<small class="gl-was">was {escape(row.was)}</small>' if row.was else ""
    accept = button("accept", "✓", "Accept", verdict in (ACCEPTED, ADDED, CHANGED))
    reject = button("reject", "✗", "Remove" if verdict == ADDED else "Reject", verdict == REJECTED)
    return (
        f'<li class="gl-row gl-{verdict or "open"}"><div class="gl-triple">'
        f"{entity_chip(row.head_text, row.head_label, hues, row.head_also)}"
        f'<span class="gl-arrow">→</span><select data-row="{key}" aria-label="Relation: {words}">{options}</select>'
        f'<span class="gl-arrow">→</span>{entity_chip(row.tail_text, row.tail_label, hues, row.tail_also)}'
        f'<span class="gl-score">{score}</span>{was}</div>'
        f'<div class="gl-actions">{accept}{reject}{button("swap", "⇄", "Swap")}</div></li>'
    )


def heat_map(scores: RelationScores | None, reasons: Sequence[Sequence[str | None]]) -> str:
    """All scores, a row for each ordered pair; relations are framed, and the other cells say why they are not."""
    if scores is None or not len(scores.pair_index) or not scores.relation_types:
        return '<p class="gl-empty">The scores of every pair and relation appear here.</p>'
    best = np.argsort(-scores.scores.max(axis=1), kind="stable").tolist()
    head = "".join(f'<th scope="col"><span>{escape(r.name)}</span></th>' for r in scores.relation_types)
    body = []
    for row in best[:MAX_HEAT_MAP_PAIRS]:
        pair = [read_full_name(scores.entities[int(i)]) for i in scores.pair_index[row]]
        cells = "".join(
            _cell(float(score), reason, f"{pair[0]} → {relation.name} → {pair[1]}")
            for score, reason, relation in zip(scores.scores[row], reasons[row], scores.relation_types, strict=True)
        )
        body.append(f'<tr><th scope="row">{escape(pair[0])} <i>→</i> {escape(pair[1])}</th>{cells}</tr>')
    note = ""
    if len(best) > MAX_HEAT_MAP_PAIRS:
        note = f'<p class="gl-hint">The {MAX_HEAT_MAP_PAIRS} pairs with the highest scores, of {len(best)}.</p>'
    return (
        f'<div class="gl-scroll" tabindex="0"><table class="gl-heat"><thead><tr><th scope="col">head → tail</th>{head}'
        f'</tr></thead><tbody>{"".join(body)}</tbody></table></div><p class="gl-hint">A frame marks what counts as a '
        f"relation; paler, crossed cells are excluded by the entity types. Point at a cell for its score.</p>{note}"
    )


def _cell(score: float, reason: str | None, words: str) -> str:
    why = "counts as a relation" if reason is None else REASONS[reason]
    kind = "gl-yes" if reason is None else f"gl-{reason}"
    return (
        f'<td class="{kind}" style="--p:{100 * score:.1f}%" title="{escape(words)}: {score:.3f}, {why}">'
        f"{score:.2f}</td>"
    )


def examples_list(session: Session) -> str:
    """The data set so far, the newest first."""
    if not session.examples:
        return '<p class="gl-empty">No example saved yet.</p>'
    items = []
    for number, document in list(enumerate(session.examples))[-MAX_SHOWN_EXAMPLES:][::-1]:
        text, _ = document.to_text()
        relations = "".join(
            f"<li>{escape(_words(document, r.head))} → {escape(r.relation_type)} → "
            f"{escape(_words(document, r.tail))}</li>"
            for r in document.relations
        )
        several = "".join(
            f"<li>{escape(' = '.join(_words(document, mention) for mention in entity))}</li>"
            for entity in document.entities
            if len(entity) > 1
        )
        history = "".join(f"<li>{escape(line)}</li>" for line in document.history)
        items.append(
            f"<details><summary><b>{number + 1}</b> {escape(text[:90])}{'…' if len(text) > 90 else ''} "
            f"<small>{_count(len(document.entities), 'entity', 'entities')}, "
            f"{_count(len(document.relations), 'relation')}, {'' if document.exhaustive else 'not '}complete"
            f"</small></summary><div><h4>Relations</h4><ul>{relations}"
            f"</ul>{'<h4>One entity</h4><ul>' + several + '</ul>' if several else ''}"
            f"{'<h4>History</h4><ol>' + history + '</ol>' if history else ''}</div></details>"
        )
    hidden = len(session.examples) - len(items)
    note = f'<p class="gl-hint">The newest {len(items)}; {hidden} more are in the data set.</p>' if hidden else ""
    return f'<div class="gl-examples">{"".join(items)}</div>{note}'


def counter(session: Session) -> str:
    """The size of the data set."""
    number, used = len(session.examples), memory.used(session)
    warning = ""
    if used > 0.7:
        warning = (
            f'<p class="gl-note" role="alert">{min(100, round(100 * used))}% of what a browser can remember is in '
            "use. Download the data set as JSONL soon, then remove its examples here and start another.</p>"
        )
    relations = sum(len(document.relations) for document in session.examples)
    return (
        f'<p class="gl-counter" role="status"><b>{number}</b> {"example" if number == 1 else "examples"} saved, '
        f"{_count(relations, 'relation')}</p>{warning}"
    )


def queue(session: Session) -> str:
    """How many texts wait, and how the next one begins."""
    if not session.queue:
        return ""
    text = " ".join(session.queue[0].split())
    begins = f"{text[:70]}{'…' if len(text) > 70 else ''}"
    number = len(session.queue)
    return (
        f'<p class="gl-counter" role="status"><b>{number}</b> {"text waits" if number == 1 else "texts wait"}; next: '
        f"{escape(begins)}</p>"
    )


def _words(document: Document, mention: int) -> str:
    span = document.mentions[mention]
    return " ".join(document.words[span.start : span.end])


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def about_model(name: str, parameters: int | None, link: str | None) -> str:
    """The line that names the model, with its number of parameters where that is known."""
    size = "" if parameters is None else f", {parameters / 1e6:.1f} million parameters"
    named = f'<a href="{escape(link)}" target="_blank" rel="noopener">{escape(name)}</a>' if link else escape(name)
    return (
        f'<p class="gl-hint" id="model">Model: <b>{named}</b>{size}. A score is how '
        "likely the model holds a relation to be, from 0 to 1; it errs, so review what it says.</p>"
    )


def status(parts: Iterable[str]) -> str:
    """A quiet line of facts."""
    return f'<p class="gl-status" role="status">{" · ".join(escape(part) for part in parts)}</p>'


def unmet_constraints(unmet: Sequence[UnmetConstraint]) -> str:
    """Which relations ask for entity types that no entity has, and which types there are."""
    if not unmet:
        return ""
    items = "".join(
        f"<li>{escape(constraint.relation)}: {escape(listed(constraint.asked))} as the {constraint.side}</li>"
        for constraint in unmet[:MAX_SHOWN_CONSTRAINTS]
    )
    hidden = len(unmet) - MAX_SHOWN_CONSTRAINTS
    return (
        '<div class="gl-note" role="status"><p>No entity has a type that these relations ask for, so they cannot be '
        f"found:</p><ul>{items}</ul>{f'<p>… and {hidden} more.</p>' if hidden > 0 else ''}"
        f"<p>Types in the text: {escape(listed(unmet[0].seen))}. Types are compared letter by letter.</p></div>"
    )
