"""How fast requests are sent, and how much they may cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


class Halt(Exception):  # not an error of one text: the whole run ends in order
    """Why no more requests are sent. What was answered is kept, and the same command goes on from there."""


class Stopping(Exception):
    """A request is not sent, because the run is ending."""


@dataclass(frozen=True)
class Usage:
    """How many tokens a request took.

    Args:
        prompt: those that were read.
        completion: those that were written.
        is_estimated: whether the endpoint did not say so.
    """

    prompt: int = 0
    completion: int = 0
    is_estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.is_estimated or other.is_estimated,
        )


@dataclass(frozen=True)
class Prices:
    """What a million tokens cost.

    Args:
        prompt: those that are read.
        completion: those that are written.
    """

    prompt: float
    completion: float

    def of(self, usage: Usage) -> float:
        """What a usage costs."""
        return (usage.prompt * self.prompt + usage.completion * self.completion) / 1e6


class Pace:
    """Spaces out requests so that no minute has more of them, or of their tokens, than is allowed. Thread-safe.

    Args:
        requests: how many may be sent a minute; `None` for any number.
        tokens: how many tokens they may take a minute, read and written.
        clock: tells the time, in seconds.
    """

    def __init__(
        self,
        requests: float | None = None,
        tokens: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds_each = 0.0 if requests is None else 60 / requests
        self._seconds_per_token = 0.0 if tokens is None else 60 / tokens
        self._clock = clock
        self._lock = threading.Lock()
        self._next_request = self._next_token = self._paused_until = clock()

    def wait(self, tokens: int, stopping: threading.Event) -> None:
        """Waits for the turn of a request.

        Args:
            tokens: how many it will take, as far as is known.
            stopping: set when the run is ending.

        Raises:
            Stopping: when the run is ending.
        """
        with self._lock:
            turn = max(self._clock(), self._next_request, self._next_token)
            self._next_request = turn + self._seconds_each
            self._next_token = turn + tokens * self._seconds_per_token
        while (left := max(turn, self._paused_until) - self._clock()) > 0:
            if stopping.wait(left):
                break
        if stopping.is_set():
            raise Stopping

    def settle(self, expected: int, used: int) -> None:
        """Takes note of how many tokens a request took."""
        with self._lock:
            self._next_token += (used - expected) * self._seconds_per_token

    def pause(self, seconds: float) -> None:
        """Sends nothing for some seconds."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)


class Budget:
    """Admits requests only while their cost, at worst, keeps within a budget. Thread-safe.

    Args:
        limit: how much may be spent; `None` for any amount.
        prices: what tokens cost.
        spent: how much was spent by earlier runs.

    Attributes:
        spent: how much has been spent.
    """

    def __init__(self, limit: float | None = None, prices: Prices | None = None, spent: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        self._prices = prices
        self._reserved = 0.0
        self._changed = threading.Condition()

    def reserve(self, most: Usage) -> float:
        """Sets aside what a request may cost, once there is room for it.

        Args:
            most: how many tokens it takes at most.

        Returns:
            What was set aside, for [`settle`].

        Raises:
            Halt: when the budget does not suffice for it.
        """
        if self._prices is None or self.limit is None:
            return 0.0
        cost = self._prices.of(most)
        with self._changed:
            while self.spent + self._reserved + cost > self.limit:
                if not self._reserved:
                    raise Halt(
                        f"The budget of {self.limit:g} is reached: {self.spent:.4f} is spent, and the next request "
                        f"may cost up to {cost:.4f}. Give a larger --budget to go on."
                    )
                self._changed.wait()  # a request that is on its way may cost less than was set aside
            self._reserved += cost
        return cost

    def settle(self, reserved: float, used: Usage | None) -> None:
        """Replaces what was set aside by what was used; `None` where no answer came."""
        with self._changed:
            self._reserved = max(0.0, self._reserved - reserved)
            if abs(self._reserved) < 1e-12:
                self._reserved = 0.0
            if self._prices is not None and used is not None:
                self.spent += self._prices.of(used)
            self._changed.notify_all()
