"""`glirel evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from glirel_transformers.extras import require_extra
from glirel_transformers.files import check_not_an_input, check_writable

from .console import errors_without_traceback
from .evaluate_figures import report_of, write_report
from .evaluate_options import EvaluateOptions
from .evaluate_protocols import load_reader, make_protocol, read, run_baselines
from .evaluate_report import show_all
from .evaluate_report_folder import check_report, run_report, show_written
from .options import takes

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.evaluation import EvaluationResult
    from glirel_transformers.evaluation.extraction import Reader
    from glirel_transformers.evaluation.report import Report


@takes(EvaluateOptions)
def evaluate(given: EvaluateOptions) -> None:
    """Score a model on annotated documents, by a protocol; every table says which, and which entities were given.

    By default every ordered pair of mentions is asked for every relation type, as `glirel extract` asks, in windows
    where a text is long. A decision is right when its pair and type are. Pairs that cannot be scored count as missed,
    and are counted.

    --protocol classification gives the pair, and the best of m types wins; document scores facts between entities as
    DocRED's own script does, F1 and with --train-facts Ign F1; few-shot trains on a few documents first. Files of
    DocRED and Re-DocRED are read as they are, next to their rel_info.json.

    A model that finds entities reads texts alone: triples are scored end to end, strictly (relation, spans and types
    of both ends) and by boundaries alone, and so are entities. --entities gold gives it those of DATA instead.

    --baseline measures what needs no training likewise, in the same table.

    --report writes one page with everything: figures of each type, confusions, curves, what scores depend on, errors
    with their texts, speed; with --compare next to other checkpoints. A run that was stopped goes on.

    For example:

        glirel evaluate runs/mine/model test.jsonl --top 20 --plot f1.png

        glirel evaluate runs/mine/model test.jsonl --report reports/mine --compare runs/other/model

        glirel evaluate runs/mine/model test.jsonl -r spouse -r employer --threshold 0.4 -o scores.json

        glirel evaluate runs/mine/model fewrel.jsonl --protocol classification --splits fewrel_rel2id --baseline random

        glirel evaluate runs/mine/model test_revised.json --protocol document --fit-on dev_revised.json

        glirel evaluate runs/mine/model test.jsonl --protocol few-shot --train train.jsonl --fit-on dev.jsonl
        --runs runs/few-shot
    """
    with errors_without_traceback():
        # Before anything is computed, or torch imported.
        given = given.resolved()
        if given.output is not None and given.plot is not None and given.output.resolve() == given.plot.resolve():
            raise ValueError(f"--output and --plot are the same file, {str(given.plot)!r}. Name two.")
        given.check()
        _check_written(given)
        if given.plot is not None:
            require_extra("benchmark", "matplotlib")
        check_report(given)
        results, report, written = _run(given)
    show_all(results, report, given.sort, given.top)
    if written is not None:
        show_written(given, written)


def _check_written(given: EvaluateOptions) -> None:
    """Checks that files can be written, and that none of them is read."""
    read = [given.checkpoint, *given.files, *(given.background or ())]
    for option, file in (
        ("--output", given.output),
        ("--plot", given.plot),
        ("--background-cache", given.background_cache),
    ):
        if file is not None:
            check_writable(file, option)
            check_not_an_input(file, read, option)
            read.append(file)


def _run(given: EvaluateOptions) -> tuple[list[EvaluationResult], dict[str, Any], Report | None]:
    """What was found, the model first and then others, the same as JSON values, and the report that was written."""
    from transformers.utils.logging import disable_progress_bar

    from glirel_transformers.data import is_held_out
    from glirel_transformers.evaluation import plot_f1_by_threshold

    documents = read(given, given.files)
    if given.held_out is not None:
        documents = [document for document in documents if is_held_out(document, given.held_out)]
    documents = documents[: given.limit]
    disable_progress_bar()  # of loading weights
    model = load_reader(given)
    protocol = make_protocol(given, model, documents)
    classified = _classify(given, model, documents) if given.measured_by != "classification" else None
    written = None
    if given.report is None:
        results = [protocol.run(model, documents), *run_baselines(given, protocol, documents)]
    else:
        results, written = run_report(given, protocol, model, documents)
    report = report_of(results, given, classified)
    if given.output is not None:
        write_report(given, report, results[0].counts)
    if given.plot is not None:
        counts = results[0].counts
        assert counts is not None  # check() says which protocols have a threshold
        plot_f1_by_threshold(counts, given.plot, Path(given.checkpoint).name)
    return results, report, written


def _classify(given: EvaluateOptions, model: Reader, documents: list[Document]) -> EvaluationResult | None:
    """What --candidates asks for next to the protocol."""
    if given.candidates is None:
        return None
    from glirel_transformers.evaluation import Classification

    asked = Classification(candidates=given.candidates, seeds=[0], batch_size=given.batch_size)
    return asked.run(model, documents).runs[0]
