"""`glirel calibrate`."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glirel_transformers.checkpoints import check_changeable, check_new_folder
from glirel_transformers.extras import require_extra
from glirel_transformers.files import check_not_an_input, check_writable

from .calibrate_options import CalibrateOptions
from .calibrate_report import figures_of, show_calibration
from .console import console, errors_without_traceback, plain
from .options import takes
from .reading import read_files

if TYPE_CHECKING:
    from glirel_transformers.evaluation.calibration import CalibrationReport


@takes(CalibrateOptions)
def calibrate(given: CalibrateOptions) -> None:
    """Fit a model's probabilities and thresholds to annotated documents, and save them with it.

    Scores are divided by a temperature (and moved by a bias, where that calibrates better), so that of the relations
    scored 0.7 seven in ten hold. The order of scores stays as it is. Then the best threshold is found: one for all
    types, others for types with enough examples, and with --background a rule for types that nobody has seen.

    The figures of "after" are cross-validated: each document is judged by what was fitted to others.

    `glirel extract`, `glirel evaluate`, the pipeline and exports use what is saved. An export, such as one that was
    quantized, can be calibrated too.

    For example:

        glirel calibrate runs/mine/model dev.jsonl

        glirel calibrate runs/mine/model dev.jsonl -o runs/mine/calibrated --plot reliability.png

        glirel calibrate runs/mine/model dev.jsonl --background news.jsonl --in-place
    """
    with errors_without_traceback():
        given.check()
        _check_files(given)
        report = _run(given)
        show_calibration(report)
        if given.report is not None:
            settings = {"settings": asdict(given), **figures_of(report)}
            text = json.dumps(settings, indent=2, ensure_ascii=False, default=str)
            given.report.write_text(f"{text}\n", encoding="utf-8")
        if given.output is None and not given.in_place:
            console.print("Nothing was saved: --output FOLDER writes a calibrated copy, --in-place CHECKPOINT itself.")
            return
        from glirel_transformers.evaluation.calibrated import save_calibrated

        folder = save_calibrated(given.checkpoint, report, given.output)
        console.print(plain(f"The calibrated model is in {folder}."))


def _check_files(given: CalibrateOptions) -> None:
    """Checks, before anything is computed or torch imported, what will be written."""
    read = [given.checkpoint, *given.dev, *(given.background or ())]
    for option, file in (("--plot", given.plot), ("--report", given.report)):
        if file is not None:
            check_writable(file, option)
            check_not_an_input(file, read, option)
    if given.plot is not None:
        if given.report is not None and given.plot.resolve() == given.report.resolve():
            raise ValueError(f"--plot and --report are the same file, {str(given.plot)!r}. Name two.")
        require_extra("benchmark", "matplotlib")
    if given.output is None and not given.in_place:
        return
    if given.output is not None:
        check_new_folder(given.output, given.checkpoint)
    else:
        check_changeable(given.checkpoint)


def _run(given: CalibrateOptions) -> CalibrationReport:
    from transformers.utils.logging import disable_progress_bar

    from glirel_transformers.evaluation import plot_reliability
    from glirel_transformers.evaluation.calibration import fit_calibration, read_background
    from glirel_transformers.loading import load_pipeline

    read = partial(read_files, reader=given.reader, exhaustive=given.exhaustive, alignment=given.alignment)
    documents = read(given.dev)
    disable_progress_bar()  # of loading weights
    extract = load_pipeline(given.checkpoint, given.device, given.dtype)
    finds = getattr(extract.model.config, "entity_finder", "none") != "none" and given.entities != "gold"
    background = None if not given.background else read_background(read(given.background), finds)
    asked: dict[str, Any] = {"group_size": given.group_size, "batch_size": given.batch_size}
    if finds:
        named = [name.strip() for value in given.entity_types or () for name in value.split(",") if name.strip()]
        asked |= {"entity_types": named or None, "overlap": given.overlap}
    elif given.entity_types or given.overlap:
        raise ValueError("--entity-types and --overlap are for models that find entities, and this one does not.")
    if given.self_pairs or given.by_entity:
        asked |= {"self_pairs": given.self_pairs or None, "by_entity": given.by_entity}
    report = fit_calibration(
        extract,
        documents,
        given.relation,
        method=given.method,
        average=given.metric,
        min_examples=given.min_examples,
        by_type=given.by_type,
        background=background,
        num_folds=given.folds,
        seed=given.seed,
        entities=given.entities,
        **asked,
    )
    if given.plot is not None:
        plot_reliability(report.before, report.after, given.plot, Path(given.checkpoint).name)
    return report
