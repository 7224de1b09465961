"""What happens on the page: each event does something on the visitor's desk, and shows what is new there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from . import api, files, graph, html, memory, view
from .desk import Desk
from .examples import EXAMPLES, RELATION_SETS
from .layout import Layout
from .session import Session
from .state import State
from .values import REJECTED

# The browser makes the file itself, so that nobody's data are stored on the server.
DOWNLOAD = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.content], { type: file.type }));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}"""


# What the button begins may be out of sight: above it on a small screen, beside a long text on a large one.
SHOW_RESULTS = """() => document.querySelector("#results")?.scrollIntoView({ behavior: "smooth", block: "nearest" })"""


class Page(Layout):
    """The components, and what each event does to them.

    Attributes:
        shown: what most events bring up to date: what each component shows of a [`State`].
        search: the settings of entities that are found.
        boxes: what a visitor fills in.
        everything: all of these.
    """

    def __init__(self, finds_entities: bool = False) -> None:
        super().__init__(finds_entities)
        self.shown = self._what_is_shown()
        self.search = [self.entity_threshold, self.overlap, self.multi_label]
        self.boxes = [self.text, self.relations, self.threshold, self.top_k, self.entity_types, self.complete]
        self.boxes += self.search
        self.everything = [self.revision, *self.boxes, *self.shown]
        with self.blocks:
            self._connect()
            api.register(self.blocks)

    def _what_is_shown(self) -> dict[Component, Callable[[State], object]]:
        return {
            self.annotator: lambda now: html.annotator(
                now.session, now.hues, now.desk.open_at, now.desk.note, now.desk.turn
            ),
            self.status: lambda now: html.status(now.facts),
            self.constraints: lambda now: gr.update(
                value=html.unmet_constraints(now.unmet_constraints), visible=bool(now.unmet_constraints)
            ),
            self.table: lambda now: [view.cells(row) for row in now.rows],
            self.graph: lambda now: graph.draw([row for row in now.rows if row.verdict != REJECTED], now.hues),
            self.heat_map: lambda now: html.heat_map(now.workspace.scores, now.left_out.reasons),
            self.left_out: lambda now: now.left_out.strongest,
            self.review: lambda now: html.review(now.rows, view.relation_names(now.workspace), now.hues),
            self.head: lambda now: gr.update(choices=now.entities, value=None),
            self.relation: lambda now: gr.update(choices=view.relation_names(now.workspace)),
            self.tail: lambda now: gr.update(choices=now.entities, value=None),
            self.counter: lambda now: now.collected["counter"],
            self.examples: lambda now: now.collected["examples"],
            self.queue: lambda now: now.collected["queue"],
            self.queue_actions: lambda now: gr.update(visible=bool(now.session.queue)),
            self.data_set: lambda now: now.collected["memory"],
            self.saved_actions: lambda now: gr.update(visible=bool(now.session.examples)),
            self.clear: lambda now: gr.update(interactive=bool(now.session.entities)),
            self.undo: lambda now: gr.update(interactive=bool(now.workspace.past)),
            self.save: lambda now: gr.update(value=view.save_words(now.rows)),
            self.remove_all: lambda now: gr.update(
                value=f"Really remove all {len(now.session.examples)}" if now.desk.asks_to_remove else "Remove all",
                variant="stop" if now.desk.asks_to_remove else "secondary",
            ),
            self.memory: lambda now: memory.desk_to_dict(now.session),
        }

    # What is connected

    def _connect(self) -> None:
        bind, does, resets, everything = self._bind, self._does, self._resets, self.everything
        restored = bind(self.blocks.load, resets(Desk.restore), [self.memory, self.data_set], everything)
        self._bind_model(restored.then, Desk.extract_again)
        # `change` and not `input`, which a paste by the mouse does not raise.
        for typed, action, known in (
            ([self.text], Desk.type_text, lambda session: (session.text,)),
            ([self.relations], Desk.type_relations, lambda session: (session.relation_lines,)),
            ([self.entity_types], Desk.type_entity_types, lambda session: (session.entity_lines,)),
            ([self.threshold, self.top_k], Desk.choose, lambda session: (session.threshold, session.top_k)),
            ([self.complete], Desk.complete, lambda session: (session.complete,)),
        ):
            for component in typed:
                inputs = [self.revision, *typed]
                bind(component.change, self._takes_over(action, known), inputs, trigger_mode="always_last")
        bind(self.example.input, resets(_take_example), [self.example], everything)
        bind(self.relation_set.input, resets(_take_relations), [self.relation_set], everything)
        bind(self.annotator.mark, self._on_mark, trigger_mode="multiple")
        bind(self.annotator.relabel, self._on_relabel, trigger_mode="multiple")
        bind(self.annotator.unmark, self._on_unmark, trigger_mode="multiple")
        bind(self.review.decide, self._on_decide, trigger_mode="multiple")
        bind(self.accept_all.click, does(Desk.accept_all))
        bind(self.add.click, does(Desk.add), [self.head, self.relation, self.tail])
        bind(self.save.click, does(Desk.save))
        for button, takes_next in ((self.save_and_next, Desk.save_and_next), (self.skip, Desk.skip)):
            taken = bind(button.click, resets(takes_next), outputs=everything)
            self._bind_model(taken.then, Desk.extract_next)
        bind(self.undo.click, resets(Desk.undo), outputs=everything, trigger_mode="multiple")
        bind(self.open.click, resets(Desk.open_example), [self.number], everything)
        bind(self.remove.click, does(Desk.remove_example), [self.number])
        bind(self.remove_all.click, does(Desk.remove_all))
        bind(self.upload.upload, resets(Desk.upload), [self.upload], everything)
        asked = [self.revision, self.text, self.relations, self.entity_types]
        self.extract.click(None, js=SHOW_RESULTS, api_visibility="private")
        self._bind_model(self.extract.click, Desk.extract, asked)
        for component in self.search:
            self._bind_model(
                component.change, Desk.find_again, [self.revision, *self.search], trigger_mode="always_last"
            )
        self._bind_model(self.find.click, Desk.find_entities, [self.revision, self.text, self.recognizer])
        bind(self.clear.click, does(Desk.clear_marks))
        for kind, button in self.downloads.items():
            bind(button.click, self._writes(kind), outputs=[self.file]).then(
                None, self.file, None, js=DOWNLOAD, api_visibility="private"
            )

    def _bind(
        self,
        event: Callable[..., Dependency],
        action: Callable[..., object],
        inputs: Sequence[Component] = (),
        outputs: Sequence[Component] | None = None,
        **options: Any,
    ) -> Dependency:
        """Has an event do `action`, on the desk and with the values of `inputs`."""
        return event(
            action,
            [self.desk, *inputs],
            list(self.shown) if outputs is None else outputs,
            show_progress="hidden",
            api_visibility="private",
            concurrency_id="desk",  # one after the other, so that what the page gets last is the latest
            concurrency_limit=1,
            **options,
        )

    def _bind_model(
        self,
        event: Callable[..., Dependency],
        work: Callable[..., None],
        inputs: Sequence[Component] = (),
        **options: Any,
    ) -> Dependency:
        """As [`_bind`], for what runs a model: it leaves the desk free meanwhile, and then shows what is new."""
        asked = event(
            lambda desk, *arguments: desk.run_model(work, desk, *arguments),
            [self.desk, *inputs],
            None,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=[self.status],
            concurrency_id="model",
            concurrency_limit=1,
            **options,
        )
        return self._bind(asked.then, lambda desk: self._after(desk, desk.problem))

    # What happens

    def _does(self, action: Callable[..., None]) -> Callable[..., list[object]]:
        """An event that does something on the desk and shows it."""

        def event(desk: Desk, *arguments: Any) -> list[object]:
            return self._after(desk, desk.run(action, desk, *arguments))

        return event

    def _resets(self, action: Callable[..., None]) -> Callable[..., list[object]]:
        """As [`_does`], for what changes the boxes as well."""

        def event(desk: Desk, *arguments: Any) -> list[object]:
            return self._everything(desk, desk.run(action, desk, *arguments))

        return event

    def _takes_over(
        self, action: Callable[..., None], known: Callable[[Session], tuple[object, ...]]
    ) -> Callable[..., object]:
        """As [`_does`], but does nothing where the box has what the desk has, or what it had before a change."""

        def event(desk: Desk, revision: float, *values: Any) -> object:
            if revision != desk.revision or values == known(desk.session):
                return gr.skip()
            return self._after(desk, desk.run(action, desk, *values))

        return event

    def _after(self, desk: Desk, problem: str | None) -> list[object]:
        if problem:
            _warn(problem)
        return self._show(desk, problem)

    def _on_mark(self, desk: Desk, event: gr.EventData) -> list[object]:
        return self._after(desk, desk.run(desk.mark, int(event.start), int(event.end)))

    def _on_relabel(self, desk: Desk, event: gr.EventData) -> list[object]:
        same = event._data.get("same")
        chosen = str(event.span), str(event.label)[:60], bool(event.everywhere), None if same is None else str(same)
        return self._after(desk, desk.run(desk.relabel, *chosen))

    def _on_unmark(self, desk: Desk, event: gr.EventData) -> list[object]:
        return self._after(desk, desk.run(desk.unmark, str(event.span)))

    def _on_decide(self, desk: Desk, event: gr.EventData) -> list[object]:
        relation = event._data.get("relation") if event.action == "change" else None
        return self._after(desk, desk.run(desk.decide, str(event.row), str(event.action), relation))

    def _writes(self, kind: str) -> Callable[[Desk], dict[str, str] | None]:
        def event(desk: Desk) -> dict[str, str] | None:
            try:
                return files.write(kind, desk.session.examples)
            except ValueError as error:
                _warn(str(error))
                return None

        return event

    # What is shown

    def _everything(self, desk: Desk, problem: str | None) -> list[object]:
        shown = self._after(desk, problem)
        with desk.lock:
            desk.revision += 1
            now = desk.session
            boxes = [now.text, now.relation_lines, now.threshold, now.top_k, now.entity_lines, now.complete]
            return [desk.revision, *boxes, now.entity_threshold, now.overlap, now.multi_label, *shown]

    def _show(self, desk: Desk, problem: str | None = None) -> list[object]:
        """A value for each of `self.shown`. What the page shows already is not sent again: it would undo a choice."""
        with desk.lock:
            now = State.of(desk, problem)
            values = [show(now) for show in self.shown.values()]
            before, desk.shown = desk.shown or [None] * len(values), values
        return [gr.skip() if value == old else value for value, old in zip(values, before, strict=True)]


def _warn(problem: str) -> None:
    """Shows a message for a few seconds; Gradio takes it for HTML."""
    gr.Warning(html.escape(problem), duration=8, title="Please check")


def _take_example(desk: Desk, name: str) -> None:
    desk.take_example(EXAMPLES[name])


def _take_relations(desk: Desk, name: str) -> None:
    desk.take_relations(RELATION_SETS[name])
