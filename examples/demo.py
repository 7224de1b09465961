"""Extract entities and relations from texts of several fields with the model of this repository: `make demo`."""

from __future__ import annotations

import time

from rich.console import Console

from glirel_transformers import load_pipeline
from glirel_transformers.report import relations_table

# A text, the types of entities to find, and the types of relations between them.
TEXTS: list[tuple[str, list[str], list[str]]] = [
    (
        "Marie Curie was born in Warsaw and studied at the University of Paris.",
        ["person", "city", "university"],
        ["place of birth", "educated at", "founded by"],
    ),
    (
        "Nokia, based in Espoo, Finland, named Pekka Lundmark chief executive in 2020.",
        ["company", "city", "person", "date"],
        ["headquarters", "chief executive", "founded by"],
    ),
    (
        "Metformin is used to treat type 2 diabetes; nausea is a common side effect.",
        ["drug", "disease", "symptom"],
        ["treats", "causes side effect", "prevents"],
    ),
    (
        "The striker Ada Hegerberg left Lyon in 2024 and is coached by Jonatan Giraldez.",
        ["person", "club", "date"],
        ["plays for", "coached by", "former club"],
    ),
]


def main() -> None:
    console = Console()
    start = time.perf_counter()
    extract = load_pipeline()
    loaded = time.perf_counter()
    for text, entity_types, relation_types in TEXTS:
        found = extract(text, entity_types=entity_types, relation_types=relation_types, return_entities=True)
        console.print()
        console.print(text, highlight=False)
        console.print(f"[dim]asked for: {', '.join(entity_types)}; {', '.join(relation_types)}[/dim]", highlight=False)
        entities = ", ".join(f"{one['text']} ({one['label']})" for one in found["entities"])
        console.print(f"found: {entities}", highlight=False)
        console.print(relations_table(found["relations"]))
    done = time.perf_counter()
    model = extract.model
    size = "ONNX Runtime"  # an export shows no parameters
    if hasattr(model, "parameters"):
        size = f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f} million parameters"
    console.print(
        f"\n{model.name_or_path} ({size}, {model.device}): "
        f"loaded in {loaded - start:.1f} s, {len(TEXTS)} texts in {1000 * (done - loaded):.0f} ms",
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
