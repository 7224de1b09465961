"""`glirel extract`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import typer

from glirel_transformers.checkpoints import model_name
from glirel_transformers.files import check_not_an_input, check_replaceable, read_text
from glirel_transformers.formats import SUFFIXES
from glirel_transformers.jobs import Source, existing_path, find_sources
from glirel_transformers.jobs.choices import PARTIAL, PROGRESS
from glirel_transformers.relation_syntax import read_entity_type_lines, read_relation_lines

from .console import errors, errors_without_traceback, interruptible
from .extract_options import ExtractOptions, OutputChoice
from .options import takes


@takes(ExtractOptions)
def extract(given: ExtractOptions) -> None:
    """Extract relations between the entities of a text, or of a whole corpus.

    A text with its entities:

        glirel extract "Marie Curie was born in Warsaw." -e "Marie Curie=PERSON" -e Warsaw=CITY -r "place of birth"

    Texts whose entities a recogniser finds, as a graph:

        glirel extract articles/ --ner heuristic --relations relations.txt --output graph.ttl

    Texts alone, with a model that finds entities:

        glirel extract articles/ -m JOINT --entity-types person,city -r "place of birth: person -> city" -o graph.ttl

    A corpus; after an interruption, the same command resumes:

        glirel extract corpus.jsonl.gz -r "place of birth: PERSON -> CITY" -r spouse --output out.jsonl

    A line of JSON has `text`, `entities` (each with `start`, `end` and `label`; characters, half-open), and optionally
    its own `relation_types` and `entity_types`. Everything else in it is carried through. Lines with `words` and
    `mentions`, as for training and from the Space, are read as well. Tables are read with --text-column, other
    annotated documents, such as DocRED's, with --documents.

    Exit codes: 0 done (malformed lines that were skipped or kept are counted), 1 an error, 2 wrong usage, 130 Ctrl-C.
    """
    with errors_without_traceback(), interruptible(partial(_explain_how_to_resume, given.output)), _while_it_is_read():
        # All that can be checked without a model, before the seconds that torch takes.
        relation_types = _read_relations(given.relation, given.relations)
        entity_types = _read_entity_types(given.entity_types, given.entity_types_file)
        if given.documents:
            if given.input_format not in (None, "documents"):
                raise ValueError(f"--documents says how INPUT is read: leave out --input-format {given.input_format}.")
            given = replace(given, input_format="documents", truncation="window")
        if given.reader is not None and given.input_format != "documents":
            raise ValueError(f"--reader {given.reader} says how annotated documents are read: add --documents.")
        sources = find_sources(given.inputs, given.input_format, given.text_column)
        sources = [replace(source, reader=given.reader, alignment=given.alignment or "strict") for source in sources]
        _check_background(given, relation_types is not None)
        _check_together(given, sources, relation_types is not None, entity_types is not None)
        chosen = _choose_format(given, sources)
        if given.output is not None:
            check_replaceable(given.output)
            _check_output(given, given.output, sources)
        _check_writing(given, chosen)
        from .extract_run import run

        is_done = run(given, sources, relation_types, entity_types, chosen)
    if not is_done:
        raise typer.Exit(1)


def _read_relations(names: list[str] | None, file: Path | None) -> dict[str, dict[str, Any]] | None:
    """The relations given on the command line and in a file."""
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


def _read_entity_types(given: list[str] | None, file: Path | None) -> dict[str, dict[str, Any]] | None:
    """The entity types given on the command line, several at once where they have no description, and in a file."""
    if not given and file is None:
        return None
    lines = [one for value in given or [] for one in ([value] if ": " in value else value.split(","))]
    read = read_entity_type_lines(lines, comments=False)
    if file is not None:
        of_file = read_entity_type_lines(read_text(file))
        if not of_file:
            raise ValueError(f"{str(file)!r} names no entity type. Write one a line.")
        if repeated := [name for name in of_file if name in read]:
            raise ValueError(f"{str(file)!r} repeats {repeated[0]!r} of --entity-types. Ask for each type once.")
        read |= of_file
    return read


def _check_output(given: ExtractOptions, output: Path, sources: list[Source]) -> None:
    """Refuses an output that is also an input, or that the next run would take for one."""
    recognizer = (given.ner or "").removeprefix("spacy:").removeprefix("gliner:")
    read = [
        *(source.path for source in sources),
        given.relations,
        given.entity_types_file,
        *(given.background or ()),
        given.background_cache,
        model_name(given.model),
        recognizer,
    ]
    for ending in ("", PARTIAL, PROGRESS, PARTIAL + PROGRESS):
        check_not_an_input(output.with_name(output.name + ending), read)
    for name in given.inputs:
        path = existing_path(name)
        if path is not None and path.resolve() in output.resolve().parents:
            raise ValueError(f"--output {str(output)!r} is in the input folder {name!r}. Name a place outside of it.")


def _check_together(given: ExtractOptions, sources: list[Source], has_relations: bool, has_entity_types: bool) -> None:
    """Checks that it is clear what to look for, and that no option contradicts another."""
    if given.workers is not None and given.engine != "ray":
        raise ValueError("--workers are processes of --engine ray: add that, or leave --workers out.")
    has_records = any(source.kind in ("jsonl", "documents") for source in sources)
    finds = has_entity_types and given.ner is None
    if not has_relations and not has_records and not finds:
        raise ValueError("Nothing says which relations to look for: name them with -r, such as -r 'place of birth'.")
    if not has_entity_types and not has_records:
        _check_no_entity_options(given)
    if given.ner_labels and has_entity_types:
        raise ValueError("--ner-labels and --entity-types name the same with --ner: leave --ner-labels out.")
    if not given.entity:
        if given.ner is None and not has_records and not finds:
            raise ValueError(
                "Nothing says what the entities are: name them with -e, a recogniser with --ner, or, for a model that "
                "finds entities, their types with --entity-types."
            )
        return
    if len(sources) != 1 or sources[0].kind != "text":
        raise ValueError(
            "-e names the entities of one text. For more texts, put them into the lines of a .jsonl file, or let "
            "--ner find them."
        )
    if given.ner is not None:
        raise ValueError("Entities come from -e or from --ner: leave one of them out.")


def _check_background(given: ExtractOptions, has_relations: bool) -> None:
    """Checks that thresholds that are to be found are not given as well, and are of relations that are named."""
    if given.background:
        if given.threshold is not None:
            raise ValueError("--background finds thresholds, and --threshold gives one. Choose one of the two.")
        if not has_relations:
            raise ValueError("--background is for the relations that are named for all texts: name them with -r.")
    elif given.background_cache is not None:
        raise ValueError("--background-cache keeps what --background finds: add that, or leave it out.")


def _check_no_entity_options(given: ExtractOptions) -> None:
    """Refuses options for entities that are found where nothing says which."""
    options = {
        "--entity-threshold": given.entity_threshold is not None,
        "--overlap": given.overlap is not None,
        "--multi-label": given.multi_label,
    }
    if asked := [option for option, is_given in options.items() if is_given]:
        raise ValueError(f"{asked[0]} is for entities that a model finds: name their types with --entity-types.")


def _choose_format(given: ExtractOptions, sources: list[Source]) -> OutputChoice:
    output, output_format = given.output, given.output_format
    if output is None:
        is_one_text = len(sources) == 1 and sources[0].path is None and sources[0].kind == "text"
        return output_format or ("table" if is_one_text else "jsonl")
    if output_format == "table":
        raise ValueError("A table is for reading in a terminal. For --output, choose jsonl, csv, turtle or graphml.")
    chosen = output_format or SUFFIXES.get(output.suffix.lower())
    if chosen is None:
        raise ValueError(
            f"The format of {str(output)!r} is unknown: end the name in {', '.join(SUFFIXES)}, or add --format."
        )
    return chosen


def _check_writing(given: ExtractOptions, chosen: OutputChoice) -> None:
    """Checks that options of one format are not given for another."""
    if given.spreadsheet_safe and chosen != "csv":
        raise ValueError(f"--spreadsheet-safe is for csv: got {chosen}. Add --format csv, or leave it out.")
    if given.once_per_pair and chosen not in ("turtle", "graphml"):
        raise ValueError(f"--once-per-pair is for turtle and graphml: got {chosen}. Add --format, or leave it out.")


def _explain_how_to_resume(output: Path | None) -> None:
    resume = "" if output is None else " Run the same command again to resume."
    errors.print(f"\nInterrupted.{resume}")


@contextmanager
def _while_it_is_read() -> Iterator[None]:
    """Ends without an error when the reader of our output has seen enough."""
    try:
        yield
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        raise typer.Exit(0) from None
