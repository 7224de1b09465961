"""Annotates many texts at once, and gives what becomes of them in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from .annotate import Outcome, Plan, annotate
from .asking import Asker
from .texts import Passage

_AHEAD = 16  # texts that each worker may be ahead of the one that is waited for


def annotate_all(passages: Iterable[Passage], plan: Plan, asker: Asker, concurrency: int = 8) -> Iterator[Outcome]:
    """What becomes of each text, in order.

    When no more can be asked (`asker.halted`), or the run is to end (`asker.stop()`), the rest of the texts is still
    gone through: those whose answers the journal has are made, and the others are `pending`. So what a run gives
    depends on its texts and the journal alone.

    Args:
        passages: the texts, which are read as they are needed.
        plan: how they are annotated.
        asker: who asks.
        concurrency: how many are asked for at a time.
    """
    waiting: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="synthesize") as workers:
        try:
            for passage in passages:
                waiting.append(workers.submit(annotate, passage, plan, asker))
                if len(waiting) >= concurrency * _AHEAD:
                    yield from _next(waiting, asker)
            while waiting:
                yield from _next(waiting, asker)
        except (
            BaseException
        ):  # whoever takes the outcomes is done with them, or an error of ours: nothing more is paid
            asker.stop()
            for future in waiting:
                future.cancel()
            raise


def _next(waiting: deque[Future[Outcome]], asker: Asker) -> Iterator[Outcome]:
    """The outcome of the first text. Ctrl-C ends the asking, and not the going through what is there."""
    while True:
        try:
            outcome = waiting[0].result()
        except KeyboardInterrupt:
            if asker.stopping.is_set():
                raise
            asker.interrupted = True
            asker.stop()
            continue
        waiting.popleft()
        yield outcome
        return
