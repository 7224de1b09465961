"""`glirel extract`."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any

import typer

from glirel_transformers.loading import load_pipeline
from glirel_transformers.report import relations_table

from .console import console, errors, errors_without_traceback, plain


def extract(
    text: Annotated[str, typer.Argument(help="The text; - reads it from standard input.")],
    entity: Annotated[
        list[str],
        typer.Option(
            "--entity", "-e", help="An entity as it stands in the text, with its type: 'Marie Curie=PERSON'."
        ),
    ],
    relation: Annotated[list[str], typer.Option("--relation", "-r", help="A relation type to look for.")],
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Folder or Hub repository. [default: $GLIREL_MODEL, glirel-mini]"),
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="Least probability. [default: the model's own]")] = None,
    top_k: Annotated[int | None, typer.Option(help="At most so many relations for each ordered pair.")] = None,
    truncation: Annotated[str, typer.Option(help="'error', or 'window' for texts longer than the model.")] = "error",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Extract relations between the entities of a text."""
    text = sys.stdin.read().strip() if text == "-" else text
    with errors_without_traceback():
        entities = find_entities(text, entity)
        run = load_pipeline(model)
        start = time.perf_counter()
        relations = run(
            text,
            entities=entities,
            relation_types=relation,
            truncation=truncation,
            **{name: value for name, value in (("threshold", threshold), ("top_k", top_k)) if value is not None},
        )
        seconds = time.perf_counter() - start
    if as_json:
        print(json.dumps(relations, ensure_ascii=False, indent=2))
        return
    console.print(relations_table(relations))
    console.print(f"{len(relations)} relations · {plain(run.model.name_or_path)} · {1000 * seconds:.0f} ms")


def find_entities(text: str, entities: list[str]) -> list[dict[str, Any]]:
    """Finds entities given as `surface` or `surface=TYPE`; one that is given again is its next occurrence.

    Raises:
        ValueError: when the text does not hold one (so often).
    """
    found: list[dict[str, Any]] = []
    searched: dict[str, int] = {}
    for entity in entities:
        surface, _, label = entity.rpartition("=") if "=" in entity else (entity, "", "")
        if not surface:
            raise ValueError(f"The entity {entity!r} has no text. Write it as 'Marie Curie=PERSON' or 'Marie Curie'.")
        start = text.find(surface, searched.get(surface, 0))
        if start < 0:
            again = " so often" if surface in searched else ""
            raise ValueError(
                f"The text does not hold the entity {surface!r}{again}: it must stand there letter by letter."
            )
        searched[surface] = start + len(surface)
        found.append({"start": start, "end": start + len(surface), "label": label or None})
    for surface, end in searched.items():
        if surface in text[end:]:
            errors.print(
                f"[yellow]note:[/yellow] {plain(repr(surface))} occurs again; give it again for the next one."
            )
    return found
