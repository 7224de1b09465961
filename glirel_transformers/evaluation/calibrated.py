"""Folders of calibrated models: a checkpoint, or an export, with other settings and the same weights."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from huggingface_hub import snapshot_download

from glirel_transformers.card_glirel import add_calibration
from glirel_transformers.checkpoints import check_changeable, check_new_folder, naming_the_missing
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.export.folder import written_whole
from glirel_transformers.files import read_json_object, replace_atomically
from glirel_transformers.hub_glirel import copy_code

from .calibration import CalibrationReport

_CONFIG = "config.json"


def save_calibrated(checkpoint: str, report: CalibrationReport, target: str | os.PathLike[str] | None = None) -> Path:
    """Writes what was fitted into a copy of a checkpoint or an export, or into itself.

    In `config.json`, `calibration` and `threshold` are replaced and nothing else; the copies of the code are brought
    up to date, as older ones know no calibration; the model card gains a section. Weights are not touched.

    Args:
        checkpoint: folder or Hub repository.
        report: what was fitted.
        target: the folder to write, which must be new or empty; `None` writes into `checkpoint` itself.

    Returns:
        The folder that was written.

    Raises:
        OSError: when it cannot be written, or is not empty.
    """
    if target is None:
        check_changeable(checkpoint)
        _write(Path(checkpoint), report)
        return Path(checkpoint)
    folder = Path(target)
    check_new_folder(folder, checkpoint)
    if Path(checkpoint).is_dir():
        source = Path(checkpoint)
    else:
        with naming_the_missing(checkpoint):
            source = Path(snapshot_download(checkpoint))
    with written_whole(folder.resolve()) as new:
        shutil.copytree(source, new, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".git"))
        _write(new, report)
    return folder


def _write(folder: Path, report: CalibrationReport) -> None:
    settings = read_json_object(folder / _CONFIG)
    settings |= {"calibration": report.calibration.to_dict(), "threshold": report.threshold}
    config = GLiRELConfig.from_dict(dict(settings))  # which checks it
    copy_code(folder)
    add_calibration(folder, config)
    with replace_atomically(folder / _CONFIG) as file:
        file.write(json.dumps(settings, indent=2, sort_keys=True) + "\n")


__all__ = ["save_calibrated"]
