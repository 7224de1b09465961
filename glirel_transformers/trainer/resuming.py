"""Which checkpoint a stopped run continues from."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

_STATE = "trainer_state.json"  # what the trainer writes last into a checkpoint


class Stopped(NamedTuple):
    """Where a run was stopped.

    Args:
        folder: the checkpoint.
        step: updates before it.
        state: content of its `trainer_state.json`.
    """

    folder: Path
    step: int
    state: dict[str, Any]


def last_whole_checkpoint(output_dir: str | os.PathLike[str] | None) -> Stopped | None:
    """The last checkpoint of a run that was written to its end, or `None`.

    A process that is stopped while it saves leaves a part of one, which the run that continues writes again.
    """
    if output_dir is None or not Path(output_dir).is_dir():
        return None
    folders = Path(output_dir).glob("checkpoint-*")
    numbered = {
        int(match[1]): folder for folder in folders if (match := re.fullmatch(r"checkpoint-(\d+)", folder.name))
    }
    for step in sorted(numbered, reverse=True):
        try:
            state = json.loads((numbered[step] / _STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return Stopped(numbered[step], step, state)
    return None
