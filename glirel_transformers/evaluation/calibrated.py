"""Folders of calibrated models: a checkpoint, or an export, with other settings and the same weights."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from huggingface_hub import snapshot_download

from glirel_transformers.card_glirel import add_calibration
from glirel_transformers.checkpoints import naming_the_missing
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.export.folder import written_whole
from glirel_transformers.files import read_json_object, replace_atomically
from glirel_transformers.hub_glirel import copy_code

from .calibration import CalibrationReport

_CONFIG = "config.json"


def check_target(checkpoint: str, target: Path) -> None:
    """Checks, before anything is computed, that a folder can be written.

    Raises:
        OSError: when it is a file, or a folder that is not empty.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        what = "is not empty" if target.is_dir() else "is a file"
        raise OSError(f"--output {str(target)!r} {what}. Name a new folder; nothing is written over.")
    if Path(checkpoint).is_dir() and Path(checkpoint).resolve() in target.resolve().parents:
        raise OSError(f"--output {str(target)!r} is in the checkpoint {checkpoint!r}. Name a folder outside of it.")


def check_in_place(checkpoint: str) -> None:
    """Checks that a checkpoint can be changed where it is.

    Raises:
        OSError: when it is not a folder, or may not be written to.
    """
    if not Path(checkpoint).is_dir():
        raise OSError(
            f"--in-place changes a folder, and {checkpoint!r} is a Hub repository. Name a folder to write: --output."
        )
    if not os.access(checkpoint, os.W_OK) or not os.access(Path(checkpoint) / _CONFIG, os.W_OK):
        raise OSError(f"--in-place: {checkpoint!r} cannot be written. Name a folder to write: --output.")


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
        check_in_place(checkpoint)
        _write(Path(checkpoint), report)
        return Path(checkpoint)
    folder = Path(target)
    check_target(checkpoint, folder)
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


__all__ = ["check_in_place", "check_target", "save_calibrated"]
