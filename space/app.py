"""A page on which people label relations: mark entities, ask for any relations, correct what the model says, collect.

    python space/app.py        # or `make space`

Settings are environment variables; space/README.md lists them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
sys.path.insert(0, str(Path(__file__).resolve().parent))  # for `labelling`, wherever this file is started from

import gradio as gr
from labelling import api, files, graph, memory, model, pages, view
from labelling.desk import Desk
from labelling.examples import EXAMPLES, RELATION_SETS
from labelling.session import Session

HERE = Path(__file__).resolve().parent / "labelling"
MAX_TOP_K = 10
SYNTAX = (
    "One relation a line, in any words. To admit certain entity types only, put them after a colon: "
    "`place of birth: PERSON -> CITY`. Several types: `PERSON, ORGANIZATION`; a side left empty admits any; `<->` "
    "holds in both directions alike."
)
TABLE = ["Head", "Relation", "Tail", "Score", "Decision"]
LEFT_OUT = ["Head", "Relation", "Tail", "Score", "Why"]
# The page makes the file itself, so that nobody's data lie on the server.
DOWNLOAD = """(file) => {
  if (!file) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([file.content], { type: file.type }));
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}"""

THEME = gr.themes.Base(
    primary_hue="teal",
    neutral_hue="slate",
    font=["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "Liberation Mono", "monospace"],
)


class Page:
    """The components, and what each event does to them. Every event shows the desk anew, as a whole."""

    def __init__(self) -> None:
        with gr.Blocks(title="Relations in your text", delete_cache=(3600, 3600)) as self.blocks:
            self.desk = gr.State(Desk())
            # Two, so that the data set, which may be large, is written only when it changes.
            self.memory = gr.BrowserState(None, storage_key="glirel-labelling", secret="glirel-labelling")
            self.data_set = gr.BrowserState(None, storage_key="glirel-labelling-examples", secret="glirel-labelling")
            gr.HTML(
                '<header class="gl-header"><h1>Relations in your text</h1><p>Mark entities, name <b>any</b> '
                "relations, and see what holds between them. Correct it, and take the data away for training.</p>"
                "</header>",
                js_on_load=(HERE / "tabs.js").read_text(encoding="utf-8"),
            )
            with gr.Row(equal_height=False, elem_classes="gl-columns"):
                with gr.Column(scale=5, min_width=340):
                    self._ask()
                with gr.Column(scale=6, min_width=340):
                    self._results()
                    self._collect()
            self.file = gr.JSON(visible="hidden")
            self.revision = gr.Number(0, visible="hidden")  # of the desk, that the boxes show
            self._connect()
            api.register(self.blocks)

    # What is on the page

    def _ask(self) -> None:
        gr.HTML("<h2><b>1</b> Text</h2>")
        self.example = gr.Radio(list(EXAMPLES), label="Examples", elem_id="examples", elem_classes="gl-chips")
        self.text = gr.Textbox(
            label="Text", lines=4, max_lines=14, placeholder="Paste a text, or pick an example.", elem_id="text"
        )
        gr.HTML(
            '<h2><b>2</b> Entities</h2><p class="gl-hint">Drag over words to mark them; click a mark to change '
            "its type, rename or delete it. Marks may lie inside each other.</p>"
        )
        self.annotator = gr.HTML(
            pages.annotator(Session(), pages.palette([])),
            js_on_load=(HERE / "annotator.js").read_text(encoding="utf-8"),
            elem_id="annotator",
        )
        names = list(model.recognizers())
        with gr.Row(elem_classes="gl-tight"):
            self.recognizer = gr.Dropdown(
                names, value=names[0], label="Find them with", scale=4, min_width=180, elem_id="recognizer"
            )
            self.find = gr.Button("Find entities", scale=2, min_width=120, elem_id="find")
        gr.HTML(
            '<p class="gl-hint">Simple rules take capitalised words for names, and know dates and numbers. They are '
            "no model: give the types yourself.</p>"
        )
        gr.HTML("<h2><b>3</b> Relations</h2>")
        self.relation_set = gr.Radio(
            list(RELATION_SETS), label="Ready-made sets", elem_id="sets", elem_classes="gl-chips"
        )
        self.relations = gr.Textbox(
            label="Relations",
            lines=5,
            max_lines=14,
            elem_id="relations",
            placeholder="place of birth: PERSON -> CITY\nspouse: PERSON <-> PERSON\npart of",
        )
        gr.Markdown(SYNTAX, elem_classes="gl-hint")
        self.extract = gr.Button("Extract relations", variant="primary", size="lg", elem_id="extract")

    def _results(self) -> None:
        gr.HTML("<h2>Results</h2>")
        with gr.Row(elem_classes="gl-tight"):
            self.threshold = gr.Slider(
                0,
                1,
                value=0.5,
                step=0.01,
                label="Threshold: least score",
                min_width=180,
                elem_id="threshold",
                buttons=["reset"],
            )
            self.top_k = gr.Slider(
                1,
                MAX_TOP_K,
                value=1,
                step=1,
                label="At most, for each pair",
                min_width=180,
                elem_id="top-k",
                buttons=["reset"],
            )
        self.status = gr.HTML(elem_id="status")
        with gr.Tabs():
            with gr.Tab("Table"):
                self.table = gr.Dataframe(
                    headers=TABLE,
                    datatype=["str", "str", "str", "number", "str"],
                    interactive=False,
                    show_label=False,
                    wrap=True,
                    elem_id="table",
                    buttons=["copy"],
                )
            with gr.Tab("Graph"):
                self.graph = gr.HTML(elem_id="graph")
            with gr.Tab("Heat map"):
                self.heat_map = gr.HTML(elem_id="heat-map")
            with gr.Tab("Left out"):
                gr.Markdown("What does not count as a relation, and why.", elem_classes="gl-hint")
                self.left_out = gr.Dataframe(
                    headers=LEFT_OUT,
                    datatype=["str", "str", "str", "number", "str"],
                    interactive=False,
                    show_label=False,
                    wrap=True,
                    elem_id="left-out",
                    buttons=["copy"],
                )
        gr.HTML("<h2><b>4</b> Correct</h2>")
        self.review = gr.HTML(js_on_load=(HERE / "review.js").read_text(encoding="utf-8"), elem_id="review")
        with gr.Accordion("Add a missing relation", open=False, elem_id="add"):
            with gr.Row(elem_classes="gl-tight"):
                self.head = gr.Dropdown([], label="Head", min_width=140, elem_id="add-head")
                self.relation = gr.Dropdown(
                    [], label="Relation", min_width=140, allow_custom_value=True, elem_id="add-relation"
                )
                self.tail = gr.Dropdown([], label="Tail", min_width=140, elem_id="add-tail")
            self.add = gr.Button("Add relation", size="sm", elem_id="add-relation-button")
        with gr.Row(elem_classes="gl-tight"):
            self.accept_all = gr.Button("Accept all", size="sm", min_width=100, elem_id="accept-all")
            self.undo = gr.Button("Undo", size="sm", min_width=80, elem_id="undo")

    def _collect(self) -> None:
        gr.HTML("<h2><b>5</b> Collect</h2>")
        self.exhaustive = gr.Checkbox(
            True, label="The list is complete: what is not in it does not hold", elem_id="exhaustive"
        )
        with gr.Row(elem_classes="gl-tight"):
            self.save = gr.Button("Save example", variant="primary", min_width=140, elem_id="save")
            self.counter = gr.HTML(elem_id="counter")
        self.examples = gr.HTML(elem_id="saved")
        with gr.Row(elem_classes="gl-tight", visible=False) as self.saved_actions:
            self.number = gr.Number(1, label="Example", precision=0, minimum=1, min_width=90, elem_id="example-number")
            self.open = gr.Button("Open", size="sm", min_width=80, elem_id="open-example")
            self.remove = gr.Button("Remove", size="sm", min_width=80, elem_id="remove-example")
            self.remove_all = gr.Button("Remove all", size="sm", min_width=80, elem_id="remove-all")
        gr.HTML(
            '<p class="gl-hint">Download the data set, or upload one to go on with it. JSONL keeps everything and '
            "trains a model: <code>glirel train</code>.</p>"
        )
        with gr.Row(elem_classes="gl-tight"):
            self.downloads = {
                kind: gr.Button(f"↓ {kind}", size="sm", min_width=84, elem_id=f"download-{kind.lower()}")
                for kind in files.WRITERS
            }
            self.upload = gr.UploadButton(
                "↑ Upload", size="sm", min_width=84, file_types=list(files.READERS), elem_id="upload"
            )

    # What happens

    def _connect(self) -> None:
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
        everything = [self.revision, self.text, self.relations, self.threshold, self.top_k, *self.shown]

        def on(event: Any, action: Callable[..., Any], inputs: Any = (), outputs: Any = None, **options: Any) -> Any:
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

        def on_model(event: Any, work: Callable[..., None], inputs: Any = ()) -> Any:
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
            return on(asked.then, lambda desk: self._after(desk, desk.problem))

        restored = on(self.blocks.load, self._restore, [self.memory, self.data_set], everything)
        on_model(restored.then, Desk.extract_again)
        # `change` and not `input`, which a paste by the mouse does not raise.
        for typed, action, known in (
            ([self.text], Desk.type_text, lambda session: (session.text,)),
            ([self.relations], Desk.type_relations, lambda session: (session.relation_lines,)),
            ([self.threshold, self.top_k], Desk.choose, lambda session: (session.threshold, session.top_k)),
        ):
            for component in typed:
                inputs = [self.revision, *typed]
                on(component.change, self._takes_over(action, known), inputs, trigger_mode="always_last")
        on(self.example.input, self._pick_example, [self.example], everything)
        on(self.relation_set.input, self._pick_relations, [self.relation_set], everything)
        on(self.annotator.mark, self._on_mark, trigger_mode="multiple")
        on(self.annotator.relabel, self._on_relabel, trigger_mode="multiple")
        on(self.annotator.unmark, self._on_unmark, trigger_mode="multiple")
        on(self.review.decide, self._on_decide, trigger_mode="multiple")
        on(self.accept_all.click, self._does(Desk.accept_all))
        on(self.add.click, self._does(Desk.add), [self.head, self.relation, self.tail])
        on(self.save.click, self._does(Desk.save), [self.exhaustive])
        on(self.undo.click, self._undo, outputs=everything, trigger_mode="multiple")
        on(self.open.click, self._open, [self.number], everything)
        on(self.remove.click, self._does(Desk.remove_example), [self.number])
        on(self.remove_all.click, self._does(Desk.remove_all))
        on(self.upload.upload, self._upload, [self.upload], everything)
        on_model(self.extract.click, Desk.extract, [self.revision, self.text, self.relations])
        on_model(self.find.click, Desk.find_entities, [self.revision, self.text, self.recognizer])
        for kind, button in self.downloads.items():
            on(button.click, self._writes(kind), outputs=[self.file]).then(
                None, self.file, None, js=DOWNLOAD, api_visibility="private"
            )

    def _does(self, action: Callable[..., None]) -> Callable[..., list[Any]]:
        """An event that does something on the desk and shows it."""

        def event(desk: Desk, *arguments: Any) -> list[Any]:
            return self._after(desk, desk.run(action, desk, *arguments))

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

    def _pick_example(self, desk: Desk, name: str) -> list[Any]:
        return self._everything(desk, desk.run(desk.take_example, EXAMPLES[name]))

    def _pick_relations(self, desk: Desk, name: str) -> list[Any]:
        return self._everything(desk, desk.run(desk.take_relations, RELATION_SETS[name]))

    def _undo(self, desk: Desk) -> list[Any]:
        return self._everything(desk, desk.run(desk.undo))

    def _open(self, desk: Desk, number: float) -> list[Any]:
        return self._everything(desk, desk.run(desk.open_example, number))

    def _upload(self, desk: Desk, path: str) -> list[Any]:
        return self._everything(desk, desk.run(desk.upload, path))

    def _restore(self, desk: Desk, remembered: Any, examples: Any) -> list[Any]:
        return self._everything(desk, desk.run(desk.restore, remembered, examples))

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


def launch(**options: Any) -> gr.Blocks:
    """Starts the page; `options` are those of `gr.Blocks.launch`."""
    model.pipeline()
    page = Page()
    page.blocks.queue(max_size=64, default_concurrency_limit=4)
    page.blocks.launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"),
        ssr_mode=False,
        show_error=True,
        theme=THEME,
        css_paths=[HERE / "style.css"],
        max_file_size="20mb",
        footer_links=["api"],
        run_history=False,
        blocked_paths=[str(Path(__file__).resolve().parent)],
        **options,
    )
    return page.blocks


if __name__ == "__main__":
    launch()
