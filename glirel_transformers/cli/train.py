"""`glirel train`."""

from __future__ import annotations

from functools import partial

from .console import errors_without_traceback, interruptible
from .options import takes
from .overrides import split_overrides
from .train_options import TrainSettings
from .train_report import explain_how_to_resume, report


@takes(TrainSettings)
def train(settings: TrainSettings) -> None:
    """Train a model on annotated documents, or continue to train one.

    A document is one JSON object a line: its words, its mentions as half-open word spans, and its relations. The
    defaults are those of the GLiREL paper (Table 4). Files of DocRED and Re-DocRED are read as they are, next to their
    rel_info.json. **A stopped run resumes when the same command is given again.**

    For example:

        glirel train labelled.jsonl -o runs/mine --max-steps 100

        glirel train train.jsonl.xz -o runs/new -e microsoft/deberta-v3-small --scorer dot_norm --set dropout=0.2

        glirel train train_revised.json --eval dev_revised.json -o runs/documents --system glidre
        -e microsoft/deberta-v3-small -l BAAI/bge-small-en-v1.5 --batch-size 4 --set gradient_accumulation_steps=4

        accelerate launch -m glirel_transformers.cli train train.jsonl.xz -o runs/new
    """
    with errors_without_traceback(), interruptible(partial(explain_how_to_resume, settings.output)):
        # All that can be checked before the seconds that torch takes.
        if settings.encoder is not None and settings.model is not None:
            raise ValueError("--encoder starts a fresh model and --model continues one. Give one of the two.")
        repeats = dict(map(parse_repeat, settings.repeat or []))
        overrides = split_overrides(settings.set or [])
        from .train_run import run

        result = run(settings, overrides, repeats)
    if result.is_main_process:
        report(result)


def parse_repeat(text: str) -> tuple[str, float]:
    """A source and its factor, from `SOURCE=FACTOR`.

    Raises:
        ValueError: when it is anything else.
    """
    prefix, _, factor = text.rpartition("=")
    try:
        number = float(factor)
    except ValueError:
        number = -1
    if not prefix or not 0 <= number < float("inf"):
        raise ValueError(f"--repeat is {text!r}. Write SOURCE=FACTOR with a factor of at least 0, such as fewrel64=2.")
    return prefix, number
