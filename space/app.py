"""A page for labelling relations: mark entities, ask for any relations, correct what the model says, and collect.

    python space/app.py        # or `make space`

Settings are environment variables; space/README.md lists them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
sys.path.insert(0, str(Path(__file__).resolve().parent))  # for `labelling`, wherever this file is started from

import gradio as gr
from labelling import model
from labelling.page import Page

HERE = Path(__file__).resolve().parent

THEME = gr.themes.Base(
    primary_hue=gr.themes.Color(  # teal, a step darker: white on it, and it on white, can be read
        "#f0fdfa",
        "#ccfbf1",
        "#99f6e4",
        "#5eead4",
        "#2dd4bf",
        "#0f766e",
        "#0f766e",
        "#115e59",
        "#115e59",
        "#134e4a",
        "#042f2e",
        name="deep-teal",
    ),
    neutral_hue="slate",
    font=["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif"],
    font_mono=["ui-monospace", "Consolas", "Liberation Mono", "monospace"],
)


def launch(**options: Any) -> gr.Blocks:
    """Starts the page; `options` are those of `gr.Blocks.launch`."""
    model.pipeline()
    page = Page(model.finds_entities())
    page.blocks.queue(max_size=64, default_concurrency_limit=4)
    page.blocks.launch(
        server_name=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"),
        ssr_mode=False,
        show_error=True,
        theme=THEME,
        css_paths=[HERE / "labelling" / "style.css"],
        max_file_size="20mb",
        footer_links=["api"],
        run_history=False,
        blocked_paths=[str(HERE)],
        **options,
    )
    return page.blocks


if __name__ == "__main__":
    launch()
