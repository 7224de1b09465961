"""The options of `glirel synthesize`, in the groups in which its help shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

_TEXTS, _WHOM, _HOW, _LIMITS = "Texts", "Whom is asked", "How texts are annotated", "Speed and cost"

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Texts in quotes, .txt files, lines of JSON with 'text', annotated documents in any format that `glirel "
        "train` reads, or folders of these.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        help="File of documents to write (.jsonl, also with .gz or .xz). Next to it are the journal of all answers, "
        "from which the same command resumes, the texts that failed, and the report.",
    ),
]
ProtocolOption = Annotated[
    Literal["relations", "joint", "documents", "groups", "corrected"],
    typer.Option(
        "--protocol",
        "-p",
        help="relations: between given entities (GLiREL). joint: entities and relations together (GLiNER-Relex). "
        "documents: entities with all their mentions, then relations with evidence (GLiDRE). groups: as joint, by "
        "semantic groups. corrected: as groups, and a second pass that corrects it.",
    ),
]
UnitOption = Annotated[
    Literal["paragraph", "sentence", "line", "document"] | None,
    typer.Option(
        help="What a text of a .txt file is. [default: sentence for joint, document for documents, else paragraph]",
        rich_help_panel=_TEXTS,
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Annotate the first n texts only.", rich_help_panel=_TEXTS)]
MinWords = Annotated[int, typer.Option(min=1, help="Leave out shorter texts.", rich_help_panel=_TEXTS)]
MaxWords = Annotated[int, typer.Option(min=1, help="Leave out longer texts.", rich_help_panel=_TEXTS)]
MinEntities = Annotated[
    int,
    typer.Option(
        min=0,
        help="Leave out texts in which --ner, or the annotation, has fewer entities. At least 2 for --protocol "
        "relations.",
        rich_help_panel=_TEXTS,
    ),
]
Recognizer = Annotated[
    str | None,
    typer.Option(
        help="What finds the entities of texts that have none, as for `glirel extract`: 'heuristic', "
        "'spacy:en_core_web_sm', a checkpoint. For --protocol relations, and for --min-entities.",
        rich_help_panel=_TEXTS,
    ),
]
EntityTypes = Annotated[
    str | None,
    typer.Option("--entity-types", metavar="TYPES", help="Entity types that --ner looks for.", rich_help_panel=_TEXTS),
]
Exclude = Annotated[
    list[Path] | None,
    typer.Option(
        "--exclude",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Keep the names of relations and the texts of a benchmark out: annotated documents, a JSON list of "
        "names, or a .txt with a name a line. Repeatable.",
        rich_help_panel=_TEXTS,
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="The model's name at the endpoint, or on the Hub.", rich_help_panel=_WHOM),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="An endpoint that speaks the chat-completions protocol, such as http://localhost:8000/v1. [default: a "
        "provider of the Hub]",
        rich_help_panel=_WHOM,
    ),
]
Provider = Annotated[
    str | None, typer.Option(help="A provider of the Hub, such as together. [default: auto]", rich_help_panel=_WHOM)
]
TokenEnv = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The variable of the environment that holds the token, such as OPENAI_API_KEY. [default: for the Hub, "
        "the token that is logged in; for --base-url, none is sent]",
        rich_help_panel=_WHOM,
    ),
]
LocalModel = Annotated[
    str | None,
    typer.Option(
        help="A text-generation model of transformers on this machine instead: folder or Hub repository.",
        rich_help_panel=_WHOM,
    ),
]
Device = Annotated[str | None, typer.Option(help="Where --local-model and --ner run.", rich_help_panel=_WHOM)]
Dtype = Annotated[str | None, typer.Option(help="Precision of --local-model.", rich_help_panel=_WHOM)]
Temperature = Annotated[float, typer.Option(min=0, max=2, help="0: the likeliest answer.", rich_help_panel=_WHOM)]
Seed = Annotated[int | None, typer.Option(help="For endpoints that have one.", rich_help_panel=_WHOM)]
MaxTokens = Annotated[
    int,
    typer.Option(
        min=16,
        help="How long an answer may become. One that is cut off is asked for once more, with twice the room.",
        rich_help_panel=_WHOM,
    ),
]
Extra = Annotated[
    str | None,
    typer.Option(
        "--request",
        metavar="JSON",
        help="""Further fields of each request, such as '{"reasoning_effort": "low"}'.""",
        rich_help_panel=_WHOM,
    ),
]
Instructions = Annotated[
    str | None,
    typer.Option(help="What the model is told besides, such as the domain of the texts.", rich_help_panel=_HOW),
]
Groups = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Semantic groups for groups and corrected, one a line: 'causal: what causes what'. [default: twelve]",
        rich_help_panel=_HOW,
    ),
]
OccurrencesOption = Annotated[
    Literal["all", "first"],
    typer.Option(
        help="Where a name occurs several times: all are mentions of the one entity, or the first alone. "
        "documents: the model says which.",
        rich_help_panel=_HOW,
    ),
]
Repairs = Annotated[
    int,
    typer.Option(
        min=0, help="How often the model is told what is wrong with its answer, and asked again.", rich_help_panel=_HOW
    ),
]
Concurrency = Annotated[
    int, typer.Option(min=1, max=100, help="Requests that are under way at a time.", rich_help_panel=_LIMITS)
]
RequestsPerMinute = Annotated[
    float | None, typer.Option(min=0.01, help="Requests a minute, at most.", rich_help_panel=_LIMITS)
]
TokensPerMinute = Annotated[
    float | None,
    typer.Option(min=1, help="Tokens a minute, read and written, at most.", rich_help_panel=_LIMITS),
]
Attempts = Annotated[
    int,
    typer.Option(
        min=1,
        help="How often a request is sent while no answer comes: HTTP 429 or 5xx, a time-out, a lost connection.",
        rich_help_panel=_LIMITS,
    ),
]
Backoff = Annotated[
    float,
    typer.Option(
        min=0,
        help="Seconds before it is sent again, doubled each time; an endpoint's Retry-After counts more.",
        rich_help_panel=_LIMITS,
    ),
]
Timeout = Annotated[
    float, typer.Option(min=0.1, help="Seconds in which an answer is expected.", rich_help_panel=_LIMITS)
]
PriceIn = Annotated[
    float | None, typer.Option(min=0, help="Price of a million tokens that are read.", rich_help_panel=_LIMITS)
]
PriceOut = Annotated[
    float | None, typer.Option(min=0, help="Price of a million tokens that are written.", rich_help_panel=_LIMITS)
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget",
        min=0,
        help="Send no request that could take the cost of all runs above this, in the currency of the prices.",
        rich_help_panel=_LIMITS,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Send nothing: say how many requests there are, and what they cost.", rich_help_panel=_LIMITS
    ),
]
FromJournal = Annotated[
    bool,
    typer.Option(
        "--from-journal",
        help="Send nothing: write what the journal has answers for, such as after a change of --exclude.",
        rich_help_panel=_LIMITS,
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        dir_okay=False,
        help="The file of all answers. [default: OUTPUT.journal.jsonl]",
        rich_help_panel=_LIMITS,
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace an output that has no journal. Answers that a journal has are never asked for again.",
        rich_help_panel=_LIMITS,
    ),
]


@dataclass(frozen=True)
class SynthesizeOptions:
    """What `glirel synthesize` is given."""

    inputs: Inputs
    output: Output
    protocol: ProtocolOption = "joint"
    unit: UnitOption = None
    limit: Limit = None
    min_words: MinWords = 5
    max_words: MaxWords = 1500
    min_entities: MinEntities = 0
    ner: Recognizer = None
    entity_types: EntityTypes = None
    exclude: Exclude = None
    model: Model = None
    base_url: BaseUrl = None
    provider: Provider = None
    token_env: TokenEnv = None
    local_model: LocalModel = None
    device: Device = None
    dtype: Dtype = None
    temperature: Temperature = 0.0
    seed: Seed = None
    max_tokens: MaxTokens = 2048
    request: Extra = None
    instructions: Instructions = None
    groups: Groups = None
    occurrences: OccurrencesOption = "all"
    repairs: Repairs = 1
    concurrency: Concurrency = 8
    requests_per_minute: RequestsPerMinute = None
    tokens_per_minute: TokensPerMinute = None
    attempts: Attempts = 6
    backoff: Backoff = 1.0
    timeout: Timeout = 120.0
    price_in: PriceIn = None
    price_out: PriceOut = None
    budget: BudgetOption = None
    dry_run: DryRun = False
    from_journal: FromJournal = False
    journal: JournalFile = None
    overwrite: Overwrite = False
