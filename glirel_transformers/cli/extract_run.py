"""The work of `glirel extract`, once its options are checked."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from transformers.utils.logging import disable_progress_bar

from glirel_transformers.checkpoints import model_name
from glirel_transformers.files import decode_text
from glirel_transformers.formats import WRITERS, Format, Writer, once_per_pair, write_csv
from glirel_transformers.jobs import (
    Engine,
    ExtractionSettings,
    Kind,
    Outcome,
    ResumableOutput,
    Source,
    encode_types,
    find_sources,
    local_engine,
    read_chunks,
    read_items,
    render,
    stream_records,
    with_background,
    write_resumably,
)
from glirel_transformers.jobs.choices import PARTIAL
from glirel_transformers.options_glirel import GroupSize
from glirel_transformers.report import entities_table, relations_table
from glirel_transformers.requests_glirel import read_entities, read_relation_types
from glirel_transformers.scores_glirel import find_unmet_constraints

from .console import console, errors, plain
from .extract_options import ExtractOptions, OutputChoice
from .extract_report import Report, summary


def run(
    given: ExtractOptions,
    sources: list[Source],
    relation_types: object,
    entity_types: dict[str, dict[str, Any]] | None,
    chosen: OutputChoice,
) -> bool:
    """Extracts from all sources into a file, or to standard output; returns whether all of it was processed.

    Args:
        given: the options.
        sources: what is read.
        relation_types: as the pipeline takes them; `None` where each record has its own, or none are asked for.
        entity_types: that are to be found, likewise.
        chosen: the format to write.
    """
    settings = ExtractionSettings(
        relation_types=relation_types,
        entity_types=entity_types,
        entity_threshold=given.entity_threshold,
        overlap=given.overlap,
        multi_label=given.multi_label,
        adjacency_threshold=given.adjacency_threshold,
        model=given.model,
        ner=given.ner,
        ner_labels=[label.strip() for label in (given.ner_labels or "").split(",") if label.strip()] or None,
        threshold=given.threshold,
        top_k=given.top_k,
        self_pairs=given.self_pairs,
        readable_names=given.readable_names,
        coreference=given.coreference,
        group_size=_read_group_size(given.group_size),
        truncation=given.truncation,
        evidence=given.evidence,
        encoded_types=None if given.encoded_types is None else str(given.encoded_types),
        alignment=given.alignment,
        batch_size=given.batch_size,
        dtype=given.dtype,
        device=given.device,
    )
    if given.entity:
        (item,) = read_items(sources)
        text = decode_text(item.raw, item.place)
        sources = [replace(sources[0], text=text)]
        settings = replace(settings, entities=find_entities(text, given.entity))

    if given.background:
        disable_progress_bar()
        settings = _with_background(given, settings)

    def make_engine() -> Engine:
        disable_progress_bar()  # of loading weights
        if given.encoded_types is not None and not given.encoded_types.exists():
            encode_types(settings, str(given.encoded_types))
        if given.engine == "local":
            return local_engine(settings)
        from glirel_transformers.jobs.ray_engine import ray_engine

        return ray_engine(settings, given.workers or 2)

    with Report(sources, finds=settings.finds) as report:
        if given.output is not None and chosen != "table":
            outcome = _write(given, sources, settings, make_engine, given.output, chosen, report)
        else:
            outcome = _print(given, sources, settings, make_engine, chosen, report)
    _warn(settings, outcome)
    return outcome.stopped is None


def _with_background(given: ExtractOptions, settings: ExtractionSettings) -> ExtractionSettings:
    """Relation types get thresholds from the texts of --background."""
    kind: Kind | None = "documents" if given.documents else None
    sources = find_sources([str(file) for file in given.background or ()], kind, given.text_column)
    texts = [replace(source, reader=given.reader, alignment=given.alignment or "strict") for source in sources]
    cache = None if given.background_cache is None else str(given.background_cache)
    return with_background(settings, texts, cache)


def _read_group_size(given: str | None) -> GroupSize:
    if given is None:
        return None
    if given == "auto":
        return "auto"
    try:
        return int(given)
    except ValueError:
        raise ValueError(f"--group-size must be a whole number of at least 1, or auto: got {given!r}.") from None


def _writer(given: ExtractOptions, output_format: Format) -> Writer:
    """The writer of a format, as the options ask for it."""
    write = WRITERS[output_format]
    if output_format == "csv":
        return partial(write_csv, spreadsheet_safe=given.spreadsheet_safe, with_entities=_shows_entities(given))
    return (lambda records, file: write(once_per_pair(records), file)) if given.once_per_pair else write


def _shows_entities(given: ExtractOptions) -> bool:
    """Whether entities are shown next to relations: where they are asked for, or nothing else is."""
    is_alone = (
        given.relation is None and given.relations is None and bool(given.entity_types or given.entity_types_file)
    )
    return given.return_entities or is_alone


def _warn(settings: ExtractionSettings, outcome: Outcome) -> None:
    """Names a text with entities that the model cannot tell apart, and constraints that no entity of all texts meets.

    The latter are a typing error, or the names of another recogniser.
    """
    if outcome.collapse is not None:
        errors.print(f"[yellow]note:[/yellow] {plain(outcome.collapse)}")
    for unmet in find_unmet_constraints(read_relation_types(settings.relation_types or []), outcome.entity_types):
        errors.print(f"[yellow]note:[/yellow] {plain(str(unmet))}")


def _write(
    given: ExtractOptions,
    sources: list[Source],
    settings: ExtractionSettings,
    make_engine: Callable[[], Engine],
    path: Path,
    output_format: Format,
    report: Report,
) -> Outcome:
    """Writes a file. Formats other than JSON lines are written from these once all is done."""
    is_lines = output_format == "jsonl"
    records = path if is_lines else path.with_name(f"{path.name}{PARTIAL}")
    shaping = {**settings.shaping(), "on_error": given.on_error, "text_column": given.text_column}
    write = _writer(given, output_format)
    write([], io.StringIO())  # a missing package should be noticed now, not when all is done
    target = ResumableOutput(records, shaping, settings.chunk_size, given.overwrite)
    if not is_lines and not given.overwrite and path.exists() and not target.journal.exists():
        raise ValueError(f"{str(path)!r} exists already. Name another --output, or start again with --overwrite.")
    outcome = write_resumably(sources, make_engine, target, given.on_error, report)
    report.close()
    done = summary(outcome.counts, settings.finds)
    if outcome.stopped is not None:
        before = summary(replace(outcome.counts, malformed=0), settings.finds)
        errors.print(plain(f"Stopped there: {records} holds what comes before, {before}."))
        errors.print("Fix it and run the same command again to resume, or add --on-error skip or keep.")
    elif outcome.was_complete and is_lines:
        errors.print(plain(f"{path} is complete: {done}. Nothing is left to do."))
    else:
        if not is_lines:
            render(records, path, write)
            target.remove()
        errors.print(plain(f"Wrote {path}: {done}."))
    return outcome


def _print(
    given: ExtractOptions,
    sources: list[Source],
    settings: ExtractionSettings,
    make_engine: Callable[[], Engine],
    output_format: OutputChoice,
    report: Report,
) -> Outcome:
    """Writes to standard output as results arrive."""
    run = make_engine()
    start = time.perf_counter()
    records = stream_records(read_chunks(sources, settings.chunk_size), run, given.on_error, report)
    if output_format != "table":
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        _writer(given, output_format)(records, sys.stdout)
        sys.stdout.flush()
    for record in records if output_format == "table" else ():
        place = plain(":".join(str(record[name]) for name in ("source", "line") if name in record))
        if "error" in record:
            console.print(place)
            continue
        if _shows_entities(given):
            console.print(entities_table(record["entities"], place or None))
        if not settings.entities_alone:
            console.print(relations_table(record["relations"], place or None))
    report.close()
    outcome = records.outcome
    seconds = time.perf_counter() - start
    if output_format == "table" and outcome.stopped is None:
        name = plain(model_name(given.model))
        found = summary(replace(outcome.counts, texts=0), settings.finds, settings.entities_alone)
        console.print(f"{found} · {name} · {1000 * seconds:.0f} ms")
    elif len(sources) > 1 or sources[0].kind != "text":
        stopped = "" if outcome.stopped is None else "Stopped; --on-error skip or keep would continue. "
        errors.print(plain(f"{stopped}{summary(outcome.counts, settings.finds)}."))
    return outcome


def find_entities(text: str, entities: list[str]) -> list[dict[str, Any]]:
    """Finds entities given as `surface` or `surface=TYPE`; one that is given again is its next occurrence.

    Raises:
        ValueError: when the text does not hold one, or not often enough.
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
