"""The work of `glirel synthesize`, once its options are checked."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from glirel_transformers.data import Document
from glirel_transformers.files import Json, open_to_write, parse_json, read_text, replace_atomically
from glirel_transformers.ner import EntityRecognizer, load_entity_recognizer
from glirel_transformers.synthesis import (
    GROUPS,
    PROTOCOLS,
    Asker,
    AskSettings,
    Budget,
    Client,
    Endpoint,
    Exclusion,
    Journal,
    LocalModel,
    Pace,
    Passage,
    Plan,
    Prices,
    Selection,
    Usage,
    Yield,
    annotate_all,
    estimate,
    find_inputs,
    make_report,
    read_passages,
)
from glirel_transformers.synthesis.annotate import given_entities
from glirel_transformers.synthesis.clients import read_token
from glirel_transformers.synthesis.report import reject_of

from .console import counted, errors, plain
from .synthesize import JOURNAL, REJECTS, REPORT, beside
from .synthesize_options import SynthesizeOptions
from .synthesize_report import Report, print_estimate, print_report


def run(given: SynthesizeOptions) -> tuple[bool, bool]:
    """Annotates all texts; returns whether all were asked, and whether the user ended it."""
    exclusion = _read_exclusions(given.exclude or [])
    plan = Plan(
        PROTOCOLS[given.protocol], given.instructions, _read_groups(given.groups), given.occurrences, exclusion
    )
    selection = Selection(given.unit or plan.protocol.unit, given.min_words, given.max_words, exclusion)
    journal_path = given.journal or beside(given.output, JOURNAL)
    with Journal(journal_path, read_only=given.dry_run or given.from_journal) as journal:
        if journal.torn:
            errors.print(
                f"[yellow]note:[/yellow] The journal's last line was incomplete, {journal.torn} bytes of an answer "
                "that was being written when a run was killed. It was cut off."
            )
        passages = _passages(given, selection, plan)
        if given.dry_run:
            asker = _asker(given, journal, None)
            print_estimate(estimate(passages, plan, asker, journal), selection.left_out, given, _prices(given))
            return True, False
        asker = _asker(given, journal, None if given.from_journal else _client(given))
        return _annotate(given, plan, selection, passages, asker, journal)


def _annotate(
    given: SynthesizeOptions,
    plan: Plan,
    selection: Selection,
    passages: Iterable[Passage],
    asker: Asker,
    journal: Journal,
) -> tuple[bool, bool]:
    made = Yield(left_out=selection.left_out)
    start = time.perf_counter()
    before = len(journal)
    concurrency = 1 if given.local_model is not None else given.concurrency
    with (
        open_to_write(given.output) as output,
        open_to_write(beside(given.output, REJECTS)) as rejects,
        Report(made, asker, _prices(given), _total(given, selection)) as report,
    ):
        if before:
            report.say(f"Resuming: the journal has {counted(before, 'answer')}.")
        for outcome in annotate_all(passages, plan, asker, concurrency):
            made.count(outcome)
            if outcome.document is not None:
                output.write(json.dumps(outcome.document.to_dict(), ensure_ascii=False) + "\n")
            elif outcome.status == "failed":
                rejects.write(json.dumps(reject_of(outcome), ensure_ascii=False) + "\n")
            report.update()
    stopped = "interrupted" if asker.interrupted else asker.halted
    usage = journal.usage.get(asker.model, Usage())
    seconds = time.perf_counter() - start
    summary = make_report(made, asker.traffic, usage, _prices(given), _settings(given), seconds, stopped)
    with replace_atomically(beside(given.output, REPORT)) as file:
        json.dump(summary, file, ensure_ascii=False, indent=1)
    print_report(made, asker, usage, _prices(given), given.output)
    if not made.texts:
        raise ValueError("No text was annotated: the inputs hold none, or all were left out.")
    if not made.documents and stopped is None:
        raise ValueError(
            f"No text became a document; {beside(given.output, REJECTS)} says why, with all answers. Try another "
            "model, more --max-tokens, or --instructions."
        )
    return not made.pending and stopped is None, asker.interrupted


def _total(given: SynthesizeOptions, selection: Selection) -> int | None:
    """How many texts there are, for the bar; `None` where a recogniser decides, or nobody sees it."""
    if given.ner is not None or given.min_entities or given.protocol == "relations" or not errors.is_terminal:
        return None
    counting = replace(selection, left_out=Counter())
    texts = counting.choose(read_passages(find_inputs(given.inputs), counting.unit))
    return sum(1 for _ in islice(texts, given.limit))


def _passages(given: SynthesizeOptions, selection: Selection, plan: Plan) -> Iterator[Passage]:
    """The texts that are annotated, with entities where these are needed."""
    sources = find_inputs(given.inputs)
    recognize = None
    if given.ner is not None:
        types = [name.strip() for name in (given.entity_types or "").split(",") if name.strip()]
        recognize = load_entity_recognizer(given.ner, device=given.device, entity_types=types or None)
    least = max(given.min_entities, 2 if plan.protocol.needs_entities else 0)
    chosen = 0
    for passage in selection.choose(read_passages(sources, selection.unit)):
        if least and passage.document is None:
            if recognize is None:
                raise ValueError(
                    f"{passage.place}: It has no entities, which --protocol relations and --min-entities need. Name "
                    "what finds them with --ner, such as --ner heuristic; or ask for them with --protocol joint."
                )
            passage = _with_entities(passage, recognize)
        if least and len(given_entities(passage)) < least:
            selection.left_out["too few entities"] += 1
            continue
        if given.limit is not None and chosen == given.limit:
            return
        chosen += 1
        yield passage


def _with_entities(passage: Passage, recognize: EntityRecognizer) -> Passage:
    """The text with the entities that a recogniser finds, those that cut words left out."""
    from glirel_transformers.synthesis.alignment import Aligner

    aligner = Aligner(passage.text)
    found = [one for one in recognize(passage.text) if aligner.is_whole((one["start"], one["end"]))]
    entities = [{"start": one["start"], "end": one["end"], "label": one.get("label")} for one in found]
    return replace(passage, document=Document.from_text(passage.text, entities, [], exhaustive=False))


def _read_exclusions(files: Iterable[Path]) -> Exclusion:
    exclusion = Exclusion()
    for file in files:
        names, texts = exclusion.read(file)
        errors.print(plain(f"Excluded by {file}: {counted(names, 'relation name')}, {counted(texts, 'text')}."))
    return exclusion


def _read_groups(file: Path | None) -> dict[str, str]:
    if file is None:
        return dict(GROUPS)
    lines = [line.strip() for line in read_text(file).splitlines()]
    pairs = [line.partition(":") for line in lines if line and not line.startswith("#")]
    if not pairs:
        raise ValueError(f"{str(file)!r} names no group. Write one a line, such as 'causal: what causes what'.")
    return {name.strip(): meaning.strip() for name, _, meaning in pairs}


def _prices(given: SynthesizeOptions) -> Prices | None:
    if given.price_in is None or given.price_out is None:
        return None
    return Prices(given.price_in, given.price_out)


def _extra(given: SynthesizeOptions) -> dict[str, Json]:
    """The further fields of requests."""
    value = parse_json(given.request, "--request") if given.request else {}
    if not isinstance(value, dict):
        raise ValueError(f"--request must be a JSON object: got {given.request!r}.")
    return value


def _client(given: SynthesizeOptions) -> Client:
    if given.local_model is not None:
        return LocalModel(given.local_model, given.device, given.dtype, given.temperature, given.seed)
    return Endpoint(
        str(given.model),
        base_url=given.base_url,
        provider=given.provider,
        token=read_token(given.token_env),
        timeout=given.timeout,
        temperature=given.temperature,
        seed=given.seed,
        extra=_extra(given),
        note=lambda text: errors.print(f"[yellow]note:[/yellow] {plain(text)}"),
    )


def _asker(given: SynthesizeOptions, journal: Journal, client: Client | None) -> Asker:
    model = str(given.local_model or given.model)
    prices = _prices(given)
    spent = prices.of(journal.usage.get(model, Usage())) if prices is not None else 0.0
    shaping = {"temperature": given.temperature, "seed": given.seed, "request": _extra(given)}
    settings = AskSettings(
        max_tokens=given.max_tokens,
        repairs=given.repairs,
        attempts=given.attempts,
        backoff=given.backoff,
        shaping=tuple((name, json.dumps(value, sort_keys=True)) for name, value in shaping.items()),
    )
    pace = Pace(given.requests_per_minute, given.tokens_per_minute)
    return Asker(client, journal, model, given.protocol, settings, pace, Budget(given.budget, prices, spent))


def _settings(given: SynthesizeOptions) -> dict[str, Json]:
    """What the report says of how the documents were made; an address without what it may hold of a password."""
    address = None if given.base_url is None else urlsplit(given.base_url).netloc.rpartition("@")[2]
    return {
        "protocol": given.protocol,
        "paper": PROTOCOLS[given.protocol].paper,
        "model": given.local_model or given.model,
        "endpoint": address,
        "provider": given.provider,
        "inputs": [os.fspath(name) for name in given.inputs],
        "exclude": [os.fspath(file) for file in given.exclude or []],
        "occurrences": given.occurrences,
        "temperature": given.temperature,
        "max_tokens": given.max_tokens,
    }
