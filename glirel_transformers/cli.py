"""The console script `glirel`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from .report import relations_table

app = typer.Typer(help="Zero-shot relation extraction.", no_args_is_help=True, add_completion=False)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)

EMBEDDED_MODEL = Path(__file__).resolve().parents[1] / "checkpoints" / "glirel-mini"


@app.callback()
def main() -> None:
    """Zero-shot relation extraction."""  # a callback keeps `extract` a sub-command while it is the only one


@app.command()
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
    try:
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
    except (ValueError, TypeError, OSError) as error:
        _errors.print(f"[bold red]error:[/bold red] {_plain(str(error))}")
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(relations, ensure_ascii=False, indent=2))
        return
    console = Console()
    console.print(relations_table(relations))
    console.print(f"{len(relations)} relations · {run.model.name_or_path} · {1000 * seconds:.0f} ms", highlight=False)


@app.command("convert")
def convert_checkpoint(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Folder or Hub repository to read.")],
    target: Annotated[Path, typer.Argument(metavar="DST", help="Folder to write.")],
    encoder: Annotated[
        str | None,
        typer.Option(help="Folder or Hub repository of the encoder. [default: what the checkpoint names]"),
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Write the original package's format instead.")] = False,
) -> None:
    """Convert a checkpoint of the original glirel package, or write one."""
    from transformers.utils import logging

    from .conversion import convert, revert

    logging.disable_progress_bar()
    try:
        (revert if reverse else convert)(source, target, encoder=encoder)
    except (ValueError, TypeError, OSError) as error:
        _errors.print(f"[bold red]error:[/bold red] {_plain(str(error))}")
        raise typer.Exit(1) from None
    Console(highlight=False, soft_wrap=True).print(_plain(f"Wrote {target}."))


def load_pipeline(model: str | None = None) -> Any:
    """The pipeline of `model`, else of `$GLIREL_MODEL`, else of the model in this repository.

    Raises:
        OSError: when there is no such model.
    """
    from transformers.utils import logging

    from .modeling_glirel import GLiRELForRelationClassification
    from .pipeline_glirel import RelationExtractionPipeline

    name = model or os.environ.get("GLIREL_MODEL") or str(EMBEDDED_MODEL)
    if not Path(name).is_dir():
        if name == str(EMBEDDED_MODEL):
            raise OSError(
                "The embedded model comes with the repository only. Name a model with --model or $GLIREL_MODEL."
            )
        if name.startswith((".", "/", "~")) or name.count("/") != 1:
            raise OSError(f"There is no folder {name!r}. Name a folder, or a Hub repository as 'owner/name'.")
    logging.disable_progress_bar()
    return RelationExtractionPipeline(GLiRELForRelationClassification.from_pretrained(name))


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
            _errors.print(
                f"[yellow]note:[/yellow] {_plain(repr(surface))} occurs again; give it again for the next one."
            )
    return found


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    app()
