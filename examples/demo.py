"""Extract relations from three texts with the model of this repository: `make demo`."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from glirel_transformers import load_pipeline
from glirel_transformers.report import relations_table

TEXTS: list[tuple[str, list[tuple[str, str]], Any]] = [
    (
        "Marie Curie was born in Warsaw and studied at the University of Paris.",
        [("Marie Curie", "PERSON"), ("Warsaw", "CITY"), ("University of Paris", "ORGANIZATION")],
        ["place of birth", "educated at", "founded by"],
    ),
    (
        "Spotify was founded in Stockholm by Daniel Ek.",
        [("Spotify", "ORGANIZATION"), ("Stockholm", "CITY"), ("Daniel Ek", "PERSON")],
        ["founded by", "headquarters location", "place of birth"],
    ),
    (
        "The Inn, a tributary of the Danube, rises in Switzerland.",
        [("Inn", "RIVER"), ("Danube", "RIVER"), ("Switzerland", "COUNTRY")],
        {"tributary": {"head": ["RIVER"], "tail": ["RIVER"]}, "country": {"tail": ["COUNTRY"]}, "author": {}},
    ),
]


def main() -> None:
    console = Console()
    start = time.perf_counter()
    extract = load_pipeline()
    loaded = time.perf_counter()
    for text, entities, relation_types in TEXTS:
        relations = extract(text, entities=entities, relation_types=relation_types, top_k=1)
        console.print()
        console.print(text, highlight=False)
        console.print(f"[dim]asked for: {', '.join(relation_types)}[/dim]", highlight=False)
        console.print(relations_table(relations))
    done = time.perf_counter()
    model = extract.model
    size = "ONNX Runtime"  # an export shows no parameters
    if hasattr(model, "parameters"):
        size = f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} million parameters"
    console.print(
        f"\n{model.name_or_path} ({size}, {model.device}): "
        f"loaded in {loaded - start:.1f} s, three texts in {1000 * (done - loaded):.0f} ms",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
