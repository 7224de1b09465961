"""Two computations at the same time, on a CPU, where neither can use more than one of its cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

_workers: dict[int, ThreadPoolExecutor] = {}  # by process: a thread does not survive a fork


def compute_both(one: Callable[[], Tensor], other: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
    """What two functions give, the first of which runs in a thread of its own; no gradient flows through that."""
    process = os.getpid()
    if process not in _workers:
        _workers[process] = ThreadPoolExecutor(1, thread_name_prefix="glirel")
    # A thread inherits neither.
    mode = torch.inference_mode if torch.is_inference_mode_enabled() else torch.no_grad

    def run() -> Tensor:
        with mode():
            return one()

    first = _workers[process].submit(run)
    second = other()
    return first.result(), second
