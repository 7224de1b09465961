"""The folder of a report: what is in it, and whether one can be written. Imported before torch is."""

from __future__ import annotations

import os
from pathlib import Path

from .extras import require_extra

SCORES = "scores.sqlite"
PACKAGES = ("jinja2", "matplotlib")
"""What reports need, of the extra `benchmark`."""
_OWN = {SCORES, "report.json"}


def check_report_folder(folder: str | os.PathLike[str], option: str = "--report") -> Path:
    """Makes the folder of a report, before anything is computed.

    Args:
        folder: a new one, an empty one, or one that has a report, which is replaced.
        option: what errors call it.

    Raises:
        ImportError: when a package is missing that reports need.
        OSError: when it cannot be made.
        ValueError: when it has other files.
    """
    require_extra("benchmark", *PACKAGES)
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OSError(f"{option} {str(folder)!r} is a file. A report is a folder: name a new one.")
    there = {file.name for file in folder.iterdir()} if folder.exists() else set()
    if there and not there & _OWN:
        raise ValueError(
            f"{option} {str(folder)!r} has files that are not a report's, such as {min(there)!r}. Name a new folder."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SCORES).touch()
    except OSError as error:
        raise OSError(f"{option} {str(folder)!r} cannot be made: {error.strerror or error}.") from error
    return folder
