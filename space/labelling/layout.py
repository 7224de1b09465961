"""The components of the page, from top to bottom."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from . import files, html, model
from .desk import Desk
from .examples import EXAMPLES, RELATION_SETS
from .session import Session

HERE = Path(__file__).resolve().parent
MAX_TOP_K = 10
SYNTAX = (
    "One relation per line, in any words. To admit only certain entity types, put them after a colon: "
    "`place of birth: PERSON -> CITY`. Separate several types with commas: `PERSON, ORGANIZATION`; a side left empty "
    "admits any type; `<->` means that the relation holds in both directions."
)
TABLE = ["Head", "Relation", "Tail", "Score", "Decision"]
LEFT_OUT = ["Head", "Relation", "Tail", "Score", "Why"]


ABOUT = "Mark entities, name <b>any</b> relations, and see which of them hold."
ABOUT_FINDING = "Name <b>any</b> entity types and <b>any</b> relations, and see what the text says of them."
MARKING = (
    "Drag over words to mark them; click a mark to change its type, to make it the same entity as another mark, or to "
    "delete it. Marks may lie inside each other."
)
GIVEN = "This model does not find entities: it relates those that are marked."
FOUND = (
    "This model finds entities: name their types, one a line or with commas between. What it finds is underlined with "
    "dashes and has its score. Marks by hand are kept, and so is what you change or judge a relation of."
)
OVERLAPS = [("side by side only", "flat"), ("also inside each other", "nested")]


def _forgive(slider: gr.Slider) -> None:
    """Lets the number box of a slider be emptied, or hold a number beyond its ends: the nearest counts.

    Not a class of its own, for which Gradio would write a file of types next to this one.
    """
    read = slider.preprocess

    def preprocess(payload: float | None) -> float:
        return read(slider.value if payload is None else min(max(payload, slider.minimum), slider.maximum))

    slider.preprocess = preprocess


class Layout:
    """The components.

    Args:
        finds_entities: whether the model finds entities; else what is for such models is not shown.
    """

    def __init__(self, finds_entities: bool = False) -> None:
        self.finds_entities = finds_entities
        with gr.Blocks(title="Relations in your text", delete_cache=(3600, 3600)) as self.blocks:
            self.desk = gr.State(Desk())
            # Two of them, so that the data set, which may be large, is written only when it changes.
            self.memory = gr.BrowserState(None, storage_key="glirel-labelling", secret="glirel-labelling")
            self.data_set = gr.BrowserState(None, storage_key="glirel-labelling-examples", secret="glirel-labelling")
            gr.HTML(
                '<header class="gl-header"><h1>Relations in your text</h1><p>'
                f"{ABOUT_FINDING if finds_entities else ABOUT} Correct the result, and download the data for "
                "training.</p></header>",
                js_on_load=(HERE / "tabs.js").read_text(encoding="utf-8"),
            )
            self._about()
            with gr.Row(equal_height=False, elem_classes="gl-columns"):
                with gr.Column(scale=5, min_width=340):
                    self._ask()
                with gr.Column(scale=6, min_width=340):
                    self._results()
                    self._correct()
                    self._collect()
            self.file = gr.JSON(visible="hidden")
            self.revision = gr.Number(0, visible="hidden")  # of the desk, that the boxes show

    def _about(self) -> None:
        name, card = model.name(), model.card()
        is_folder = Path(name).exists()
        shown, link = (Path(name).name, None) if is_folder else (name, f"https://huggingface.co/{name}")
        gr.HTML(html.about_model(shown, model.num_parameters(), link))
        if card is not None:
            with gr.Accordion("What it is, how good it is, and where it fails", open=False, elem_id="card"):
                gr.Markdown(card)

    def _ask(self) -> None:
        gr.HTML("<h2><b>1</b> Text</h2>")
        self.example = gr.Radio(list(EXAMPLES), label="Examples", elem_id="examples", elem_classes="gl-chips")
        self.text = gr.Textbox(
            label="Text", lines=4, max_lines=14, placeholder="Paste a text, or pick an example.", elem_id="text"
        )
        about = FOUND if self.finds_entities else f"{GIVEN} {MARKING}"
        gr.HTML(f'<h2><b>2</b> Entities</h2><p class="gl-hint" id="about-entities">{about}</p>')
        self.entity_types = gr.Textbox(
            label="Entity types",
            lines=2,
            max_lines=8,
            elem_id="entity-types",
            placeholder="PERSON, CITY\nORGANIZATION",
            visible=self.finds_entities,
        )
        if self.finds_entities:
            gr.HTML(f'<p class="gl-hint">{MARKING}</p>')
        self.annotator = gr.HTML(
            html.annotator(Session(), html.palette([])),
            js_on_load=(HERE / "annotator.js").read_text(encoding="utf-8"),
            elem_id="annotator",
        )
        if self.finds_entities:
            with gr.Accordion("How entities are found", open=False, elem_id="finding"):
                self._finding()
                self._recognizers()
        else:
            self._finding()
            self._recognizers()
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
        self.constraints = gr.HTML(visible=False, elem_id="constraints")
        words = "Find entities and relations" if self.finds_entities else "Extract relations"
        self.extract = gr.Button(words, variant="primary", size="lg", elem_id="extract")

    def _finding(self) -> None:
        shown = self.finds_entities
        self.overlap = gr.Radio(
            OVERLAPS, value="flat", label="Entities that are found lie", elem_id="overlap", visible=shown
        )
        self.multi_label = gr.Checkbox(
            False, label="An entity may have several types", elem_id="multi-label", visible=shown
        )

    def _recognizers(self) -> None:
        names = list(model.recognizers())
        with gr.Row(elem_classes="gl-tight"):
            self.recognizer = gr.Dropdown(
                names,
                value=names[0],
                label="Find them with",
                scale=4,
                min_width=180,
                elem_id="recognizer",
                visible=len(names) > 1,
            )
            self.find = gr.Button("Find entities", scale=2, min_width=120, elem_id="find")
            self.clear = gr.Button("Remove all marks", scale=2, min_width=120, elem_id="clear-marks")
        gr.HTML(
            '<p class="gl-hint">Simple rules take capitalised words for names, and recognise dates and numbers. They '
            "are not a model: set the types yourself.</p>"
        )

    def _results(self) -> None:
        gr.HTML("<h2>Results</h2>", elem_id="results")
        width = 240 if self.finds_entities else 180  # two of three sliders in a row, or two of two
        with gr.Row(elem_classes="gl-tight"):
            self.threshold = gr.Slider(
                0,
                1,
                value=model.threshold(),
                step=0.01,
                label="Threshold: lowest score",
                min_width=width,
                elem_id="threshold",
                buttons=["reset"],
            )
            self.entity_threshold = gr.Slider(
                0,
                1,
                value=model.entity_threshold() if self.finds_entities else 0.5,
                step=0.01,
                label="Entities: lowest score",
                min_width=width,
                elem_id="entity-threshold",
                visible=self.finds_entities,
                buttons=["reset"],
            )
            self.top_k = gr.Slider(
                1,
                MAX_TOP_K,
                value=1,
                step=1,
                label="At most, for each pair",
                min_width=width,
                elem_id="top-k",
                buttons=["reset"],
            )
        for slider in (self.threshold, self.entity_threshold, self.top_k):
            _forgive(slider)
        self.status = gr.HTML(elem_id="status")
        with gr.Tabs():
            with gr.Tab("Table"):
                self.table = _relations_table(TABLE, "table")
            with gr.Tab("Graph"):
                self.graph = gr.HTML(elem_id="graph")
            with gr.Tab("Heat map"):
                self.heat_map = gr.HTML(elem_id="heat-map")
            with gr.Tab("Left out"):
                gr.Markdown("What does not count as a relation, and why.", elem_classes="gl-hint")
                self.left_out = _relations_table(LEFT_OUT, "left-out")

    def _correct(self) -> None:
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
        self.complete = gr.Checkbox(
            False,
            label="The list is complete: no other relation of these names holds in this text",
            elem_id="exhaustive",
        )
        with gr.Row(elem_classes="gl-tight"):
            self.save = gr.Button("Save example", variant="primary", min_width=140, elem_id="save")
            self.counter = gr.HTML(elem_id="counter")
        with gr.Row(elem_classes="gl-tight", visible=False) as self.queue_actions:
            self.save_and_next = gr.Button("Save and next", variant="primary", min_width=140, elem_id="save-and-next")
            self.skip = gr.Button("Skip", min_width=80, elem_id="skip")
            self.queue = gr.HTML(elem_id="queue")
        self.examples = gr.HTML(elem_id="saved")
        with gr.Row(elem_classes="gl-tight", visible=False) as self.saved_actions:
            self.number = gr.Number(1, label="Example", precision=0, minimum=1, min_width=90, elem_id="example-number")
            self.open = gr.Button("Open", size="sm", min_width=80, elem_id="open-example")
            self.remove = gr.Button("Remove", size="sm", min_width=80, elem_id="remove-example")
            self.remove_all = gr.Button("Remove all", size="sm", min_width=80, elem_id="remove-all")
        gr.HTML(
            '<p class="gl-hint">Download the data set, or upload one to continue with it. JSONL keeps everything, and '
            "<code>glirel train relations.jsonl --output run</code> trains a model on it. Texts to label, one after "
            "the other, are uploaded as .txt, with an empty line between two, or as .jsonl with <code>text</code>.</p>"
        )
        with gr.Row(elem_classes="gl-tight"):
            self.downloads = {
                kind: gr.Button(f"↓ {kind}", size="sm", min_width=84, elem_id=f"download-{kind.lower()}")
                for kind in files.WRITERS
            }
            self.upload = gr.UploadButton(
                "↑ Upload", size="sm", min_width=84, file_types=list(files.READERS), elem_id="upload"
            )


def _relations_table(headers: list[str], elem_id: str) -> gr.Dataframe:
    """Head, relation, tail, score, and one more column."""
    return gr.Dataframe(
        headers=headers,
        datatype=["str", "str", "str", "number", "str"],
        interactive=False,
        show_label=False,
        wrap=True,
        column_widths=["24%", "20%", "24%", "10%", "22%"],
        elem_id=elem_id,
        buttons=["copy"],
    )
