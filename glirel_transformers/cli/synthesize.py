"""`glirel synthesize`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from glirel_transformers.files import check_not_an_input, check_replaceable, check_writable, plain_suffix

from .console import errors, errors_without_traceback, interruptible
from .options import takes
from .synthesize_options import SynthesizeOptions

REJECTS, REPORT, JOURNAL = ".rejects.jsonl", ".report.json", ".journal.jsonl"


@takes(SynthesizeOptions)
def synthesize(given: SynthesizeOptions) -> None:
    """Have a language model annotate texts, as the papers made their training data.

    With an endpoint that speaks the chat-completions protocol (vLLM, llama.cpp, OpenAI, …):

        glirel synthesize texts.txt -o train.jsonl --base-url http://localhost:8000/v1 -m Qwen/Qwen3-32B

    First, what it would send and cost:

        glirel synthesize texts/ -o train.jsonl -m MODEL --price-in 0.1 --price-out 0.4 --dry-run

    Relations between given entities, without the names and texts of a benchmark:

        glirel synthesize documents.jsonl -o train.jsonl -p relations -m MODEL --exclude benchmark.jsonl

    **A stopped run resumes when the same command is given again**, whatever stopped it: every answer is in the journal
    next to the output, and none is paid twice.

    Exit codes: 0 done (texts that failed are counted), 1 an error or stopped early, 2 wrong usage, 130 Ctrl-C.
    """
    with errors_without_traceback(), interruptible(partial(_explain_how_to_resume, given.output)):
        _check(given)
        from .synthesize_run import run

        is_done, is_interrupted = run(given)
    if not is_done:
        raise typer.Exit(130 if is_interrupted else 1)


def beside(output: Path, suffix: str) -> Path:
    """A file next to the output, such as `train.jsonl.report.json`."""
    return output.with_name(f"{output.name}{suffix}")


def _check(given: SynthesizeOptions) -> None:
    """All that can be checked before the seconds that torch takes."""
    _check_model(given)
    if (given.price_in is None) != (given.price_out is None):
        raise ValueError("--price-in and --price-out are given together: a request has both kinds of tokens.")
    if given.budget is not None and given.price_in is None:
        raise ValueError("--budget needs --price-in and --price-out, the prices of a million tokens.")
    if given.groups is not None and given.protocol not in ("groups", "corrected"):
        raise ValueError(f"--groups is for --protocol groups and corrected: got {given.protocol}.")
    if given.min_words > given.max_words:
        raise ValueError(f"--min-words is {given.min_words}, which is more than --max-words, {given.max_words}.")
    if given.entity_types is not None and given.ner is None:
        raise ValueError("--entity-types are what --ner looks for: add that, or leave --entity-types out.")
    if given.dry_run and given.from_journal:
        raise ValueError("--dry-run writes nothing and --from-journal writes. Give one of the two.")
    _check_output(given)


def _check_model(given: SynthesizeOptions) -> None:
    """Checks that it is clear whom to ask."""
    if given.local_model is not None:
        for option, value in (
            ("--model", given.model),
            ("--base-url", given.base_url),
            ("--provider", given.provider),
        ):
            if value is not None:
                raise ValueError(f"--local-model runs on this machine: leave {option} out.")
    elif given.model is None:
        raise ValueError("Nothing says whom to ask: name a model with -m, or one on this machine with --local-model.")
    if given.base_url is not None:
        if not given.base_url.startswith(("http://", "https://")):
            raise ValueError(f"--base-url is {given.base_url!r}. Give an address, such as http://localhost:8000/v1.")
        if given.provider is not None:
            raise ValueError(
                "--base-url is an endpoint of your own and --provider one of the Hub. Give one of the two."
            )


def _check_output(given: SynthesizeOptions) -> None:
    """Checks that the files can be written, and that none is an input."""
    output = given.output
    if plain_suffix(output) != ".jsonl":
        raise ValueError(f"--output {str(output)!r} is written as JSON lines: end its name in .jsonl.")
    journal = given.journal or beside(output, JOURNAL)
    for path, option in ((output, "--output"), (journal, "--journal")):
        check_replaceable(path, option)
        check_writable(path, option)
    for path in (output, journal, beside(output, REJECTS), beside(output, REPORT)):
        check_not_an_input(path, [*given.inputs, *(given.exclude or []), given.groups])
    if output.exists() and not journal.exists() and not given.overwrite and not given.dry_run:
        raise ValueError(
            f"{str(output)!r} exists already, and has no journal of a run to resume. Name another --output, or add "
            "--overwrite."
        )
    for name in given.inputs:
        if Path(name).is_dir() and Path(name).resolve() in output.resolve().parents:
            raise ValueError(f"--output {str(output)!r} is in the input folder {name!r}. Name a place outside of it.")


def _explain_how_to_resume(output: Path) -> None:
    errors.print(f"\nInterrupted. {beside(output, JOURNAL)} has all answers; run the same command again to resume.")
