"""Starts workers, each in its own interpreter, and measures them in turn."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environment import BENCHMARKS, CACHE, clean_environment, our_environment
from measuring import Measurement, fastest_calibration, is_clean

# glibc by default gives large blocks back to the system at once and asks for them again, page by page.
ALLOCATORS = {
    "default": {},
    "tuned": {
        "MALLOC_MMAP_THRESHOLD_": str(2**32),
        "MALLOC_TRIM_THRESHOLD_": str(2**36),
        "MALLOC_TOP_PAD_": str(2**28),
    },
}
MOST_ROUNDS = 3  # times the wanted number of rounds: at most that many are run to get enough clean ones


@dataclass(frozen=True)
class Side:
    """One way of answering the same requests.

    Args:
        name: how it is called in the results.
        module: the worker's module.
        python: its interpreter.
        checkpoint: what it loads.
        variant: how the worker runs it.
        baseline: the side that its speed is compared with; empty for a baseline itself.
    """

    name: str
    module: str
    python: str
    checkpoint: Path
    variant: str
    baseline: str = ""


class WorkerProcess:
    """A worker, which answers [`ask`] by calling its method of that name."""

    def __init__(self, side: Side, device: str, allocator: str):
        self.side = side
        environment = clean_environment() if side.module.startswith("workers.original") else our_environment()
        logs = CACHE / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"{side.name.replace(' ', '-')}.txt"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [side.python, "-m", side.module],
                env={**environment, **ALLOCATORS[allocator]},
                cwd=BENCHMARKS,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._send({"checkpoint": str(side.checkpoint), "device": device, "variant": side.variant})

    def wait_until_loaded(self) -> dict[str, Any]:
        """The versions that the worker runs with."""
        return self._receive("loading")

    def ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        self._send({"method": method, **arguments})
        return self._receive(method)

    def _send(self, request: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):  # it has ended: reading says so
            print(json.dumps(request), file=self.process.stdin, flush=True)

    def _receive(self, doing: str) -> dict[str, Any]:
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"the worker ended with code {self.process.wait()}"}
        if "error" in answer:
            raise RuntimeError(
                f"{self.side.name!r} failed while {doing!r}: {answer['error']}. The end of {self.log}:\n"
                f"{self.log.read_text()[-3000:]}"
            )
        return answer

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def workers_of(sides: Sequence[Side], device: str, allocator: str) -> Iterator[dict[str, WorkerProcess]]:
    """A loaded worker for each side, by name."""
    workers: dict[str, WorkerProcess] = {}
    try:
        for side in sides:
            workers[side.name] = WorkerProcess(side, device, allocator)
        for worker in workers.values():
            worker.wait_until_loaded()
        yield workers
    except BaseException:
        for worker in workers.values():
            worker.process.kill()  # it may be in the middle of something long
        raise
    finally:
        for worker in workers.values():
            worker.close()


def measure_in_turn(
    workers: dict[str, WorkerProcess], method: str, arguments: dict[str, Any], repetitions: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    """Measures all sides in turn, round by round, until each has clean measurements enough.

    Args:
        workers: the sides, by name.
        method, arguments: what the workers measure.
        repetitions: how many clean measurements of each side are wanted; at most `MOST_ROUNDS` times as many rounds
            are run.
        seconds: after so long, two clean measurements of each side are enough.

    Returns:
        For each side its answers, round by round.
    """
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in workers}
    start = time.monotonic()
    for _ in range(MOST_ROUNDS * repetitions):
        for name, worker in workers.items():
            answers[name].append(worker.ask(method, **arguments))
        measurements = {name: as_measurements(own) for name, own in answers.items()}
        reference = fastest_calibration([one for own in measurements.values() for one in own])
        fewest = min(sum(is_clean(one, reference) for one in own) for own in measurements.values())
        is_late = time.monotonic() - start > seconds
        if fewest >= (min(2, repetitions) if is_late else repetitions) or time.monotonic() - start > 3 * seconds:
            break
    return answers


def as_measurements(answers: Sequence[dict[str, Any]]) -> list[Measurement]:
    return [Measurement(answer["seconds"], answer["before"], answer["after"]) for answer in answers]


def note(text: str) -> None:
    """Prints a line of progress without disturbing the progress bar."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
