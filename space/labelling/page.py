"""What happens on the page: each event does something on the visitor's desk, and shows what is new there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from . import api, files, graph, memory, pages, view
from .desk import Desk
from .examples import EXAMPLES, RELATION_SETS
from .layout import Layout
from .session import Session

# The page makes the file itself, so that nobody's data lie on the server.
DOWNLOAD = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.content], { type: file.type }));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}"""


class Page(Layout):
    """The components, and what each event does to them."""

    def __init__(self) -> None:
        super().__init__()
        self._name_outputs()
        with self.blocks:
            self._connect()
            api.register(self.blocks)

    # What is connected

    def _name_outputs(self) -> None:
        """Sets `shown`, where most events show what is new; `updates`, what each of these takes; and `everything`."""
        self.shown = [
            self.annotator,
            self.status,
            self.table,
            self.graph,
            self.heat_map,
            self.left_out,
            self.review,
            self.head,
            self.relation,
            self.tail,
            self.counter,
            self.examples,
            self.data_set,
            self.saved_actions,
            self.undo,
            self.memory,
        ]
        special: dict[Any, Callable[[Any], Any]] = {
            self.head: lambda choices: gr.update(choices=choices, value=None),
            self.relation: lambda choices: gr.update(choices=choices),
            self.tail: lambda choices: gr.update(choices=choices, value=None),
            self.saved_actions: lambda visible: gr.update(visible=visible),
            self.undo: lambda interactive: gr.update(interactive=interactive),
        }
        self.updates = [special.get(component, lambda value: value) for component in self.shown]
        self.everything = [self.revision, self.text, self.relations, self.threshold, self.top_k, *self.shown]

    def _connect(self) -> None:
        bind, does, resets, everything = self._bind, self._does, self._resets, self.everything
        restored = bind(self.blocks.load, resets(Desk.restore), [self.memory, self.data_set], everything)
        self._bind_model(restored.then, Desk.extract_again)
        # `change` and not `input`, which a paste by the mouse does not raise.
        for typed, action, known in (
            ([self.text], Desk.type_text, lambda session: (session.text,)),
            ([self.relations], Desk.type_relations, lambda session: (session.relation_lines,)),
            ([self.threshold, self.top_k], Desk.choose, lambda session: (session.threshold, session.top_k)),
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
        bind(self.save.click, does(Desk.save), [self.exhaustive])
        bind(self.undo.click, resets(Desk.undo), outputs=everything, trigger_mode="multiple")
        bind(self.open.click, resets(Desk.open_example), [self.number], everything)
        bind(self.remove.click, does(Desk.remove_example), [self.number])
        bind(self.remove_all.click, does(Desk.remove_all))
        bind(self.upload.upload, resets(Desk.upload), [self.upload], everything)
        self._bind_model(self.extract.click, Desk.extract, [self.revision, self.text, self.relations])
        self._bind_model(self.find.click, Desk.find_entities, [self.revision, self.text, self.recognizer])
        for kind, button in self.downloads.items():
            bind(button.click, self._writes(kind), outputs=[self.file]).then(
                None, self.file, None, js=DOWNLOAD, api_visibility="private"
            )

    def _bind(
        self, event: Any, action: Callable[..., Any], inputs: Any = (), outputs: Any = None, **options: Any
    ) -> Any:
        """Has an event do `action`, on the desk and with the values of `inputs`."""
        return event(
            action,
            [self.desk, *inputs],
            self.shown if outputs is None else outputs,
            show_progress="hidden",
            api_visibility="private",
            concurrency_id="desk",  # one after the other, so that what the page gets last is the latest
            concurrency_limit=1,
            **options,
        )

    def _bind_model(self, event: Any, work: Callable[..., None], inputs: Any = ()) -> Any:
        """As [`_bind`], for what runs a model, which leaves the desk free meanwhile, and then shows what is new."""
        asked = event(
            lambda desk, *arguments: desk.run_model(work, desk, *arguments),
            [self.desk, *inputs],
            None,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=[self.status],
            concurrency_id="model",
            concurrency_limit=1,
        )
        return self._bind(asked.then, lambda desk: self._after(desk, desk.problem))

    # What happens

    def _does(self, action: Callable[..., None]) -> Callable[..., list[Any]]:
        """An event that does something on the desk and shows it."""

        def event(desk: Desk, *arguments: Any) -> list[Any]:
            return self._after(desk, desk.run(action, desk, *arguments))

        return event

    def _resets(self, action: Callable[..., None]) -> Callable[..., list[Any]]:
        """As [`_does`], for what changes the boxes as well."""

        def event(desk: Desk, *arguments: Any) -> list[Any]:
            return self._everything(desk, desk.run(action, desk, *arguments))

        return event

    def _takes_over(
        self, action: Callable[..., None], known: Callable[[Session], tuple[Any, ...]]
    ) -> Callable[..., Any]:
        """As [`_does`], but nothing where the page shows what the desk has, or what it had before it was changed."""

        def event(desk: Desk, revision: float, *values: Any) -> Any:
            if revision != desk.revision or values == known(desk.session):
                return gr.skip()
            return self._after(desk, desk.run(action, desk, *values))

        return event

    def _after(self, desk: Desk, problem: str | None) -> list[Any]:
        if problem:
            gr.Warning(problem, duration=8, title="Not so")
        return self._show(desk, problem)

    def _on_mark(self, desk: Desk, event: gr.EventData) -> list[Any]:
        return self._after(desk, desk.run(desk.mark, int(event.start), int(event.end)))

    def _on_relabel(self, desk: Desk, event: gr.EventData) -> list[Any]:
        return self._after(
            desk, desk.run(desk.relabel, str(event.span), str(event.label)[:60], bool(event.everywhere))
        )

    def _on_unmark(self, desk: Desk, event: gr.EventData) -> list[Any]:
        return self._after(desk, desk.run(desk.unmark, str(event.span)))

    def _on_decide(self, desk: Desk, event: gr.EventData) -> list[Any]:
        relation = event._data.get("relation") if event.action == "change" else None
        return self._after(desk, desk.run(desk.decide, str(event.row), str(event.action), relation))

    def _writes(self, kind: str) -> Callable[[Desk], Any]:
        def event(desk: Desk) -> Any:
            try:
                return files.write(kind, desk.session.examples)
            except ValueError as error:
                gr.Warning(str(error), duration=8, title="Not so")
                return None

        return event

    # What is shown

    def _everything(self, desk: Desk, problem: str | None) -> list[Any]:
        shown = self._after(desk, problem)
        with desk.lock:
            desk.revision += 1
            session = desk.session
            return [desk.revision, session.text, session.relation_lines, session.threshold, session.top_k, *shown]

    def _show(self, desk: Desk, problem: str | None = None) -> list[Any]:
        """Values of `self.shown`; what the page shows already is not sent again, which would wipe a choice begun."""
        with desk.lock:
            workspace, session = desk.workspace, desk.session
            listed = view.rows(workspace)
            held = [row for row in listed if row.verdict != "rejected"]
            left_out = view.left_out(workspace)
            names = view.relation_names(workspace)
            hues = pages.palette(entity.label for entity in session.entities)
            entities = [(view.entity_name(session, entity), i) for i, entity in enumerate(session.entities)]
            values = [
                pages.annotator(session, hues, desk.open_at, desk.note, desk.turn),
                pages.status([problem] if problem else view.facts(workspace, left_out.number)),
                [view.cells(row) for row in listed],
                graph.draw(held, hues),
                pages.heat_map(workspace.scores, left_out.reasons),
                left_out.strongest,
                pages.review(listed, names, hues),
                entities,
                names,
                entities,
                *self._collected(desk),
                bool(session.examples),
                bool(workspace.past),
                memory.desk_to_dict(session),
            ]
            before, desk.shown = desk.shown or [None] * len(values), values
        return [
            gr.skip() if value == old else update(value)
            for value, old, update in zip(values, before, self.updates, strict=True)
        ]

    def _collected(self, desk: Desk) -> tuple[Any, ...]:
        """The parts that show the data set, made anew only when it has changed."""
        session = desk.session
        if desk.collected is None or desk.collected[0] is not session.examples:
            shown = (pages.counter(session), pages.examples_list(session), memory.examples_to_list(session))
            desk.collected = (session.examples, shown)
        return desk.collected[1]


def _take_example(desk: Desk, name: str) -> None:
    desk.take_example(EXAMPLES[name])


def _take_relations(desk: Desk, name: str) -> None:
    desk.take_relations(RELATION_SETS[name])
