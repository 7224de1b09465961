"""The options of `glirel extract`, in the groups in which its help shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from glirel_transformers.formats import Format
from glirel_transformers.jobs import Alignment, Kind, OnError, Precision, Truncation

OutputChoice = Literal["table", Format]

_WHAT, _FILES, _MODEL, _MANY = "Entities and relations", "Input and output", "Model", "Many texts"

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Texts in quotes, files, folders (all .txt and .jsonl below, tables with --text-column), or - for "
        "standard input.",
    ),
]
Entities = Annotated[
    list[str] | None,
    typer.Option(
        "--entity",
        "-e",
        help="An entity of the one text given, as the text has it, with its type: 'Marie Curie=PERSON'.",
        rich_help_panel=_WHAT,
    ),
]
Relations = Annotated[
    list[str] | None,
    typer.Option(
        "--relation",
        "-r",
        help="A relation to look for, alone or with the entity types that it admits: "
        "'place of birth: PERSON -> CITY', 'spouse: PERSON <-> PERSON'.",
        rich_help_panel=_WHAT,
    ),
]
RelationsFile = Annotated[
    Path | None, typer.Option(help="A file of such relations, one a line.", rich_help_panel=_WHAT)
]
Recognizer = Annotated[
    str | None,
    typer.Option(
        help="What finds the entities of texts that have none: 'heuristic' (capitalised words, dates, numbers), "
        "'spacy:en_core_web_sm', 'gliner:owner/name', any 🤗 token-classification checkpoint, or a model of ours that "
        "finds entities, with --entity-types.",
        rich_help_panel=_WHAT,
    ),
]
RecognizerLabels = Annotated[
    str | None,
    typer.Option(help="Entity types that GLiNER looks for: 'person, city'.", rich_help_panel=_WHAT),
]
EntityTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--entity-types",
        metavar="TYPES",
        help="Entity types to find, for models that find entities, or for --ner: 'person,city'; with a threshold or a "
        "description one at a time, 'city > 0.4', 'drug: name of a medicine'. Repeatable. Entities that are given are "
        "kept. Without relations: entities alone.",
        rich_help_panel=_WHAT,
    ),
]
EntityTypesFile = Annotated[
    Path | None, typer.Option(help="A file of such entity types, one a line.", rich_help_panel=_WHAT)
]
EntityThreshold = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="Probability above which a span is an entity. [default: the model's own]",
        rich_help_panel=_WHAT,
    ),
]
OverlapOption = Annotated[
    Literal["flat", "nested"] | None,
    typer.Option(help="Whether entities may be nested. [default: flat]", rich_help_panel=_WHAT),
]
MultiLabel = Annotated[
    bool, typer.Option("--multi-label", help="An entity may have several types.", rich_help_panel=_WHAT)
]
AdjacencyThreshold = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="For models with a pair_selection: which pairs are scored. [default: the model's own]",
        rich_help_panel=_WHAT,
    ),
]
ReturnEntities = Annotated[
    bool,
    typer.Option(
        "--return-entities",
        help="Show entities next to relations also in tables and csv; the other formats always have them.",
        rich_help_panel=_WHAT,
    ),
]
Threshold = Annotated[
    float | None, typer.Option(help="Least probability. [default: the model's own]", rich_help_panel=_WHAT)
]
Background = Annotated[
    list[Path] | None,
    typer.Option(
        "--background",
        metavar="FILE",
        exists=True,
        help="Texts with entities, read as INPUT is: relations that the model was not calibrated for get thresholds "
        "from how they score there (see glirel calibrate). Repeatable.",
        rich_help_panel=_WHAT,
    ),
]
BackgroundCache = Annotated[
    Path | None,
    typer.Option(
        "--background-cache",
        metavar="FILE",
        dir_okay=False,
        help="Keep these thresholds for the next run; written where it is missing.",
        rich_help_panel=_WHAT,
    ),
]
TopK = Annotated[
    int | None,
    typer.Option(help="At most n relations for each ordered pair of entities. [default: all]", rich_help_panel=_WHAT),
]
SelfPairs = Annotated[
    bool,
    typer.Option("--self-pairs", help="An entity may also relate to itself.", rich_help_panel=_WHAT),
]
Coreference = Annotated[
    bool,
    typer.Option(
        "--coreference",
        help="Merge entities that the model finds to be mentions of one, and relate those. For models with a "
        "coreference label.",
        rich_help_panel=_WHAT,
    ),
]
ReadableNames = Annotated[
    bool,
    typer.Option(
        "--readable-names",
        help="Let the model read place_of_birth, placeOfBirth or per:place_of_birth as 'place of birth', which scores "
        "better; the output has your names.",
        rich_help_panel=_WHAT,
    ),
]
GroupSizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Ask for n relations at a time, where all together leave too little room for the text; auto: for as many "
        "as take half of what the model reads. [default: all at once]",
        rich_help_panel=_WHAT,
    ),
]
TruncationOption = Annotated[
    Truncation,
    typer.Option(
        help="A text longer than the model reads is an error, or is read in overlapping windows.",
        rich_help_panel=_WHAT,
    ),
]
AlignmentOption = Annotated[
    Alignment | None,
    typer.Option(
        help="An entity that cuts a word is an error (strict), or is the whole word (expand). "
        "[default: strict; expand with --ner]",
        rich_help_panel=_WHAT,
    ),
]
Documents = Annotated[
    bool,
    typer.Option(
        "--documents",
        help="INPUT are annotated documents in any format that `glirel train` reads, such as DocRED's: relate their "
        "entities, each with all its mentions. Implies --truncation window.",
        rich_help_panel=_FILES,
    ),
]
Reader = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="NAME",
        help="With --documents: their format, such as docred or fewrel. [default: guessed, and said]",
        rich_help_panel=_FILES,
    ),
]
Evidence = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Add to each relation the n sentences that count most for it, with their weights; for models with a "
        "localized context.",
        rich_help_panel=_WHAT,
    ),
]
InputFormat = Annotated[
    Kind | None,
    typer.Option(
        help="Read files and standard input as one text, one text a line, one JSON object a line, a table (with "
        "--text-column), or annotated documents (--documents). [default: jsonl for .jsonl and .ndjson, table for .csv "
        "and .tsv, also with .gz or .xz; else text]",
        rich_help_panel=_FILES,
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column of tables (.csv, .tsv) that holds the texts, one a row. --ner finds their entities; the "
        "other columns are carried through.",
        rich_help_panel=_FILES,
    ),
]
OutputFormat = Annotated[
    OutputChoice | None,
    typer.Option(
        "--format",
        "-f",
        help="graphml holds the whole graph in memory; the others are written as results arrive. [default: from "
        "the name of --output; else table for a text on the command line or from standard input, jsonl for files]",
        rich_help_panel=_FILES,
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write (.jsonl, .csv, .ttl, .graphml). An interrupted run resumes there.",
        rich_help_panel=_FILES,
    ),
]
SpreadsheetSafe = Annotated[
    bool,
    typer.Option(
        "--spreadsheet-safe",
        help="In csv, put an apostrophe before cells that a spreadsheet would run as a formula: those that begin with "
        "= + - @, a tab or a line break.",
        rich_help_panel=_FILES,
    ),
]
OncePerPair = Annotated[
    bool,
    typer.Option(
        "--once-per-pair",
        help="In turtle and graphml, write a relation once for each pair of entities (by text and type), with the "
        "number of its mentions, and with the score and the place of the best. Held in memory.",
        rich_help_panel=_FILES,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start the output again.", rich_help_panel=_FILES)]
OnErrorOption = Annotated[
    OnError,
    typer.Option(
        help="A malformed text, line or row ends the run with exit code 1 (stop), is left out (skip), or is kept "
        "in the output with its place and the error (keep). Each is reported with file and line, and counted.",
        rich_help_panel=_FILES,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="Folder or Hub repository. [default: $GLIREL_MODEL, else glirel-small]",
        rich_help_panel=_MODEL,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, cuda:1, mps, … [default: an accelerator, else cpu]", rich_help_panel=_MODEL),
]
Dtype = Annotated[
    Precision | None,
    typer.Option(help="Precision of the weights. [default: that of the checkpoint]", rich_help_panel=_MODEL),
]
EncodedTypesFile = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False,
        help="Keep what the model made of the relations in this file, and read it from there the next time; for "
        "models that read them apart from the texts.",
        rich_help_panel=_MODEL,
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        help="Texts that the model reads at once. Work is done in chunks of 16 batches.",
        min=1,
        rich_help_panel=_MODEL,
    ),
]
EngineOption = Annotated[
    Literal["local", "ray"],
    typer.Option(
        help="Work in this process, or with Ray Data in several (pip install 'glirel-transformers[ray]'): on this "
        "machine, or on the cluster that $RAY_ADDRESS names. The output is the same.",
        rich_help_panel=_MANY,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Processes with --engine ray, each with a model of its own. [default: 2]", min=1, rich_help_panel=_MANY
    ),
]


@dataclass(frozen=True)
class ExtractOptions:
    """What `glirel extract` is given."""

    inputs: Inputs
    entity: Entities = None
    relation: Relations = None
    relations: RelationsFile = None
    ner: Recognizer = None
    ner_labels: RecognizerLabels = None
    entity_types: EntityTypes = None
    entity_types_file: EntityTypesFile = None
    entity_threshold: EntityThreshold = None
    overlap: OverlapOption = None
    multi_label: MultiLabel = False
    adjacency_threshold: AdjacencyThreshold = None
    return_entities: ReturnEntities = False
    threshold: Threshold = None
    background: Background = None
    background_cache: BackgroundCache = None
    top_k: TopK = None
    self_pairs: SelfPairs = False
    readable_names: ReadableNames = False
    coreference: Coreference = False
    group_size: GroupSizeOption = None
    truncation: TruncationOption = "error"
    evidence: Evidence = None
    alignment: AlignmentOption = None
    documents: Documents = False
    reader: Reader = None
    input_format: InputFormat = None
    text_column: TextColumn = None
    output_format: OutputFormat = None
    output: OutputFile = None
    spreadsheet_safe: SpreadsheetSafe = False
    once_per_pair: OncePerPair = False
    overwrite: Overwrite = False
    on_error: OnErrorOption = "stop"
    model: Model = None
    device: Device = None
    dtype: Dtype = None
    encoded_types: EncodedTypesFile = None
    batch_size: BatchSize = 32
    engine: EngineOption = "local"
    workers: Workers = None
