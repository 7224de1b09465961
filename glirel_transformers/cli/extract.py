"""`glirel extract`."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import typer
from transformers.utils.logging import disable_progress_bar

from glirel_transformers.files import read_text
from glirel_transformers.formats import SUFFIXES, WRITERS, Format
from glirel_transformers.jobs import (
    Engine,
    ExtractionSettings,
    OnError,
    Outcome,
    ResumableOutput,
    Source,
    existing_path,
    find_sources,
    local_engine,
    read_chunks,
    read_items,
    render,
    stream_records,
    write_resumably,
)
from glirel_transformers.relation_syntax import read_relation_lines
from glirel_transformers.report import relations_table
from glirel_transformers.requests_glirel import read_entities, read_relation_types
from glirel_transformers.scores_glirel import find_unmet_constraints

from . import extract_options as options
from .console import console, errors, errors_without_traceback, interruptible, plain
from .extract_report import Report, counted, summary


def extract(
    inputs: options.Inputs,
    entity: options.Entities = None,
    relation: options.Relations = None,
    relations: options.RelationsFile = None,
    ner: options.Recognizer = None,
    ner_labels: options.RecognizerLabels = None,
    threshold: options.Threshold = None,
    top_k: options.TopK = None,
    truncation: options.TruncationOption = "error",
    alignment: options.AlignmentOption = None,
    input_format: options.InputFormat = None,
    output_format: options.OutputFormat = None,
    output: options.OutputFile = None,
    overwrite: options.Overwrite = False,
    on_error: options.OnErrorOption = "stop",
    model: options.Model = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    batch_size: options.BatchSize = 32,
    engine: options.EngineOption = "local",
    workers: options.Workers = None,
) -> None:
    """Extract relations between the entities of a text, or of a whole corpus.

    A text with its entities:

        glirel extract "Marie Curie was born in Warsaw." -e "Marie Curie=PERSON" -e Warsaw=CITY -r "place of birth"

    Texts whose entities a recogniser finds, as a graph:

        glirel extract articles/ --ner heuristic --relations relations.txt --output graph.ttl

    A corpus; the same command again goes on where it was broken off:

        glirel extract corpus.jsonl.gz -r "place of birth: PERSON -> CITY" -r spouse --output out.jsonl

    A line of JSON has `text`, `entities` (each with `start`, `end` and `label`; characters, half-open), and optionally
    its own `relation_types`. All else in it is carried through. Lines with `words` and `mentions`, as for training
    and from the Space, are read as well.

    Exit codes: 0 done (malformed lines that were skipped or kept are counted), 1 an error, 2 wrong usage, 130 Ctrl-C.
    """
    with errors_without_traceback(), interruptible(partial(_explain_how_to_go_on, output)), _while_it_is_read():
        settings = ExtractionSettings(
            relation_types=_read_relations(relation, relations),
            model=model,
            ner=ner,
            ner_labels=[label.strip() for label in ner_labels.split(",") if label.strip()] if ner_labels else None,
            threshold=threshold,
            top_k=top_k,
            truncation=truncation,
            alignment=alignment,
            batch_size=batch_size,
            dtype=dtype,
            device=device,
        )
        if workers is not None and engine != "ray":
            raise ValueError("--workers are processes of --engine ray: say that as well, or leave them out.")
        sources = find_sources(inputs, input_format)
        _check_against_output(sources, inputs, output)
        sources, settings = _with_entities(sources, settings, entity)

        def make_engine() -> Engine:
            disable_progress_bar()  # of loading weights
            if engine == "local":
                return local_engine(settings)
            from glirel_transformers.jobs.ray_engine import ray_engine

            return ray_engine(settings, workers or 2)

        chosen = _choose_format(output_format, output, sources)
        with Report(sources) as report:
            if output is not None and chosen != "table":
                outcome = _write(sources, settings, make_engine, output, chosen, on_error, overwrite, report)
            else:
                outcome = _print(sources, settings, make_engine, chosen, on_error, report)
        _warn_of_constraints(settings, outcome)
    if outcome.stopped is not None:
        raise typer.Exit(1)


def _warn_of_constraints(settings: ExtractionSettings, outcome: Outcome) -> None:
    """Names constraints that no entity of all texts meets: a typing error, or another recogniser's names."""
    for unmet in find_unmet_constraints(read_relation_types(settings.relation_types or []), outcome.entity_types):
        errors.print(f"[yellow]note:[/yellow] {plain(str(unmet))}")


def _read_relations(names: list[str] | None, file: Path | None) -> Any:
    if not names and file is None:
        return None  # each record may have its own
    read = read_relation_lines(names or [], comments=False)
    if file is not None:
        of_file = read_relation_lines(read_text(file))
        if not of_file:
            raise ValueError(f"{str(file)!r} names no relation. Write one a line.")
        if repeated := [name for name in of_file if name in read]:
            raise ValueError(f"{str(file)!r} repeats {repeated[0]!r} of -r. Ask for each relation once.")
        read |= of_file
    return read


def _check_against_output(sources: list[Source], inputs: list[str], output: Path | None) -> None:
    """Refuses to read what is being written."""
    if output is None:
        return
    target = output.resolve()
    for source in sources:
        if source.path is not None and source.path.resolve() == target:
            raise ValueError(f"{str(output)!r} is an input. Name another --output.")
    for name in inputs:
        path = existing_path(name)
        if path is not None and path.resolve() in target.parents:
            raise ValueError(
                f"--output {str(output)!r} lies in the input folder {name!r}. Name a place outside of it."
            )


def _with_entities(
    sources: list[Source], settings: ExtractionSettings, entities: list[str] | None
) -> tuple[list[Source], ExtractionSettings]:
    """The one text, read, and its entities found in it. Checks that something says what to look for."""
    has_records = any(source.kind == "jsonl" for source in sources)
    if settings.relation_types is None and not has_records:
        raise ValueError("Nothing says which relations to look for: name them with -r, such as -r 'place of birth'.")
    if not entities:
        if settings.ner is None and not has_records:
            raise ValueError("Nothing says what the entities are: name them with -e, or a recogniser with --ner.")
        return sources, settings
    if len(sources) != 1 or sources[0].kind != "text":
        raise ValueError(
            "-e names the entities of one text. For more texts, put them into the lines of a .jsonl file, or let "
            "--ner find them."
        )
    if settings.ner is not None:
        raise ValueError("Entities come from -e or from --ner: leave one of them out.")
    (item,) = read_items(sources)
    text = item.raw.decode("utf-8")
    return [replace(sources[0], text=text)], replace(settings, entities=find_entities(text, entities))


def _choose_format(
    output_format: Literal["table", Format] | None, output: Path | None, sources: list[Source]
) -> Literal["table", Format]:
    if output is None:
        is_one_text = len(sources) == 1 and sources[0].path is None and sources[0].kind == "text"
        return output_format or ("table" if is_one_text else "jsonl")
    if output_format == "table":
        raise ValueError("A table is for reading on a terminal. For --output, choose jsonl, csv, turtle or graphml.")
    chosen = output_format or SUFFIXES.get(output.suffix.lower())
    if chosen is None:
        raise ValueError(
            f"The name {str(output)!r} tells no format: end it in {', '.join(SUFFIXES)}, or say --format."
        )
    return chosen


def _write(
    sources: list[Source],
    settings: ExtractionSettings,
    make_engine: Callable[[], Engine],
    path: Path,
    output_format: Format,
    on_error: OnError,
    overwrite: bool,
    report: Report,
) -> Outcome:
    """Writes a file. Other formats than JSON lines are written from these when all is done."""
    is_lines = output_format == "jsonl"
    records = path if is_lines else path.with_name(f"{path.name}.partial.jsonl")
    shaping = {**settings.shaping(), "on_error": on_error}
    WRITERS[output_format]([], io.StringIO())  # what it needs should be missed now, not when all is done
    target = ResumableOutput(records, shaping, settings.chunk_size, overwrite)
    if not is_lines and not overwrite and path.exists() and not target.journal.exists():
        raise ValueError(f"{str(path)!r} is there already. Name another --output, or begin anew with --overwrite.")
    outcome = write_resumably(sources, make_engine, target, on_error, report)
    report.close()
    done = summary(outcome.counts)
    if outcome.stopped is not None:
        before = summary(replace(outcome.counts, malformed=0))
        errors.print(plain(f"Stopped there: {records} has what comes before, {before}."))
        errors.print("Mend it and go on with the same command, or go on with --on-error skip or keep.")
    elif outcome.was_complete and is_lines:
        errors.print(plain(f"{path} is complete: {done}. Nothing is left to do."))
    else:
        if not is_lines:
            render(records, path, output_format)
            target.remove()
        errors.print(plain(f"Wrote {path}: {done}."))
    return outcome


def _print(
    sources: list[Source],
    settings: ExtractionSettings,
    make_engine: Callable[[], Engine],
    output_format: Literal["table", Format],
    on_error: OnError,
    report: Report,
) -> Outcome:
    """Writes to standard output as results come."""
    run = make_engine()
    start = time.perf_counter()
    records = stream_records(read_chunks(sources, settings.chunk_size), run, on_error, report)
    if output_format != "table":
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        WRITERS[output_format](records, sys.stdout)
        sys.stdout.flush()
    for record in records if output_format == "table" else ():
        place = ":".join(str(record[name]) for name in ("source", "line") if name in record)
        console.print(
            plain(place) if "error" in record else relations_table(record["relations"], plain(place) or None)
        )
    report.close()
    outcome = records.outcome
    seconds = time.perf_counter() - start
    if output_format == "table" and outcome.stopped is None:
        name = settings.shaping()["model"]
        console.print(f"{counted(outcome.counts.relations, 'relation')} · {plain(name)} · {1000 * seconds:.0f} ms")
    elif len(sources) > 1 or sources[0].kind != "text":
        stopped = "" if outcome.stopped is None else "Stopped; --on-error skip or keep goes on. "
        errors.print(plain(f"{stopped}{summary(outcome.counts)}."))
    return outcome


def _explain_how_to_go_on(output: Path | None) -> None:
    go_on = "" if output is None else " Run the same command again to go on."
    errors.print(f"\nInterrupted.{go_on}")


@contextmanager
def _while_it_is_read() -> Iterator[None]:
    """Ends without an error when who reads our output has seen enough."""
    try:
        yield
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise typer.Exit(0) from None


def find_entities(text: str, entities: list[str]) -> list[dict[str, Any]]:
    """Finds entities given as `surface` or `surface=TYPE`; one that is given again is its next occurrence.

    Raises:
        ValueError: when the text does not hold one (so often).
    """
    named: list[object] = []
    for entity in entities:
        surface, _, label = entity.rpartition("=") if "=" in entity else (entity, "", "")
        if not surface:
            raise ValueError(f"The entity {entity!r} has no text. Write it as 'Marie Curie=PERSON' or 'Marie Curie'.")
        named.append((surface, label or None))
    found = read_entities(named, text)
    for surface in dict.fromkeys(entity.text for entity in found):
        last = max(entity.end for entity in found if entity.text == surface)
        if surface in text[last:]:
            errors.print(
                f"[yellow]note:[/yellow] {plain(repr(surface))} occurs again; give it again for the next one."
            )
    return [{"start": entity.start, "end": entity.end, "label": entity.label} for entity in found]
