"""One answer to one question: from the journal, or from whoever is asked, with what goes wrong on the way."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from string import Template

from .answers import Answer, AnswerError, parse_answer
from .clients import Client, Refused, Transient, count_roughly
from .limits import Budget, Halt, Pace, Stopping, Usage
from .prompts import AGAIN
from .protocols import Message, Pass
from .store import CUT_OFF, Journal, Reply, request_key

_PATIENCE = 10  # texts in a row without an answer, after which the endpoint is taken to be gone
_USELESS = 20  # texts in a row whose answers cannot be used, after which no more is paid
_LONGEST_BACKOFF = 60.0


class Unanswered(Exception):  # counted for its text, and the run goes on
    """A question without an answer that can be used.

    Args:
        reason: what reports count it under.
        detail: what is wrong, in a sentence.
        replies: what was answered, if anything.
        is_final: whether asking again gives the same; if not, a later run asks again.
    """

    def __init__(self, reason: str, detail: str, replies: Sequence[Reply] = (), is_final: bool = True) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.replies = list(replies)
        self.is_final = is_final


@dataclass(frozen=True)
class AskSettings:
    """How it is asked.

    Args:
        max_tokens: how long an answer may become; one that is cut off is asked for once more, with twice the room.
        repairs: how often the model is told what is wrong with its answer, and asked again.
        attempts: how often a request is sent while no answer comes.
        backoff: seconds before it is sent again, doubled each time; what `Retry-After` says counts more.
        longest_wait: seconds that an endpoint may ask to be left alone; if it asks for more, the run ends.
        shaping: what else shapes the answers, for the journal's keys, such as the temperature.
    """

    max_tokens: int = 2048
    repairs: int = 1
    attempts: int = 6
    backoff: float = 1.0
    longest_wait: float = 600.0
    shaping: tuple[tuple[str, str], ...] = ()


@dataclass
class Traffic:
    """What went over the line in this run. Counters are by reason.

    Args:
        sent: requests that were answered.
        used: the tokens that they took.
        replayed: answers that came from the journal.
        again: requests that were sent again.
        repaired: answers that could be used after the model was told what was wrong.
        unusable: answers that could not be used.
    """

    sent: int = 0
    used: Usage = field(default_factory=Usage)
    replayed: int = 0
    again: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    unusable: Counter[str] = field(default_factory=Counter)


class Asker:
    """Asks, and keeps every answer. Thread-safe.

    Args:
        client: whom it asks; `None` where only the journal is read.
        journal: where answers are kept, and looked for first.
        model: the name in the journal's keys.
        protocol: likewise.
        settings: how it asks.
        pace: how fast.
        budget: for how much.

    Attributes:
        traffic: what went over the line.
        stopping: set when the run is ending; then only the journal is read.
        halted: why no more is asked, if so.
        interrupted: whether that was the user's wish.
    """

    def __init__(
        self,
        client: Client | None,
        journal: Journal,
        model: str,
        protocol: str,
        settings: AskSettings | None = None,
        pace: Pace | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.traffic = Traffic()
        self.stopping = threading.Event()
        self.halted: str | None = None
        self.interrupted = False
        self._client, self._journal = client, journal
        self.model, self._protocol = model, protocol
        self._settings = settings or AskSettings()
        self._pace, self._budget = pace or Pace(), budget or Budget()
        self._lock = threading.Lock()
        self._unanswered = 0
        self._useless = 0

    def ask(self, step: Pass, messages: Sequence[Message]) -> tuple[Answer, list[Reply]]:
        """The answer to a conversation, and all that was replied until it could be used.

        Raises:
            Unanswered: when there is none that can be used.
            Stopping: when the run is ending, and the journal has none.
        """
        conversation, room = list(messages), self._settings.max_tokens
        replies: list[Reply] = []
        is_paid = False  # now, and not by a run before
        for turn in range(self._settings.repairs + 1):
            reply, is_new = self._reply(step, conversation, room)
            is_paid |= is_new
            replies.append(reply)
            try:
                answer = _read(reply, step.gives, room)
            except AnswerError as error:
                wrong = error
                with self._lock:
                    self.traffic.unusable[wrong.reason] += 1
            else:
                with self._lock:
                    self.traffic.repaired += turn > 0
                    self._useless = 0
                return answer, replies
            if wrong.reason == "filtered":
                break
            if wrong.reason == "cut off":
                room = 2 * self._settings.max_tokens
            else:
                told = Template(AGAIN).substitute(error=wrong)
                conversation += [
                    {"role": "assistant", "content": reply.text},
                    {"role": "user", "content": told},
                ]
        if is_paid:
            self._count_useless(str(wrong))
        raise Unanswered(f"answer: {wrong.reason}", str(wrong), replies)

    def key(self, step: Pass, messages: Sequence[Message]) -> str:
        """The key of a request in the journal. How long the answer may become is not in it: most are shorter."""
        return request_key(
            {
                "protocol": self._protocol,
                "pass": step.name,
                "model": self.model,
                "messages": list(messages),
                "shaping": dict(self._settings.shaping),
            }
        )

    def stop(self, reason: str | None = None) -> None:
        """Sends nothing more; `reason` says why, if it is no wish of the user's."""
        with self._lock:
            self.halted = self.halted or reason
        self.stopping.set()

    def _reply(self, step: Pass, messages: Sequence[Message], room: int) -> tuple[Reply, bool]:
        """The reply to a conversation, and whether it was sent for now."""
        key = self.key(step, messages)
        known = self._journal.get(key)
        if known is not None and known.is_known_for(room):
            with self._lock:
                self.traffic.replayed += 1
            return known, False
        if self._client is None or self.stopping.is_set():
            raise Stopping
        try:
            reply = self._request(self._client, step, messages, room, key)
        except Halt as error:
            self.stop(str(error))
            raise Stopping from error
        with self._lock:
            self._unanswered = 0
        return reply, True

    def _request(self, client: Client, step: Pass, messages: Sequence[Message], room: int, key: str) -> Reply:
        """Sends a request until it is answered."""
        expected = count_roughly(messages)
        for attempt in range(self._settings.attempts):
            reserved = self._budget.reserve(Usage(int(1.5 * expected), room))
            used: Usage | None = None
            try:
                self._pace.wait(expected + room // 4, self.stopping)
                reply = replace(client.complete(messages, step.schema, room), max_tokens=room)
                used = reply.usage
                self._keep(key, reply, step)
                self._pace.settle(expected + room // 4, used.prompt + used.completion)
                return reply
            except Transient as error:
                failure = error
            except Refused as error:
                self._count_unanswered(str(error))
                raise Unanswered("refused by the endpoint", str(error), is_final=False) from error
            finally:
                self._budget.settle(reserved, used)
            with self._lock:
                self.traffic.again[str(failure)] += attempt + 1 < self._settings.attempts
            if attempt + 1 < self._settings.attempts:
                self._wait(failure, attempt)
        self._count_unanswered(str(failure))
        raise Unanswered(f"no answer: {failure}", f"{self._settings.attempts} attempts: {failure}", is_final=False)

    def _keep(self, key: str, reply: Reply, step: Pass) -> None:
        try:
            self._journal.add(key, reply, self.model, step.name)
        except OSError as error:
            raise Halt(f"The journal {str(self._journal.path)!r} cannot be written: {error}.") from error
        with self._lock:
            self.traffic.sent += 1
            self.traffic.used += reply.usage

    def _wait(self, failure: Transient, attempt: int) -> None:
        """Waits before a request is sent again.

        Raises:
            Halt: when the endpoint asks for more time than is waited.
            Stopping: when the run is ending.
        """
        after = failure.retry_after
        if after is not None and after > self._settings.longest_wait:
            raise Halt(
                f"The endpoint ({failure}) asks to be asked again in {after:,.0f} seconds. Run the same command again "
                "then."
            )
        backoff = min(_LONGEST_BACKOFF, self._settings.backoff * 2**attempt)
        seconds = backoff * random.uniform(0.5, 1.0) if after is None else after
        if failure.is_limit or after is not None:
            self._pace.pause(seconds)  # it is meant for all requests
        if self.stopping.wait(seconds):
            raise Stopping

    def _count_unanswered(self, why: str) -> None:
        """Counts a text without an answer, and stops the run where the endpoint seems to be gone."""
        with self._lock:
            self._unanswered += 1
            is_gone = self._unanswered >= _PATIENCE
        if is_gone:
            self.stop(
                f"{_PATIENCE} texts in a row got no answer, the last one: {why}. Run the same command again once the "
                "endpoint answers."
            )

    def _count_useless(self, why: str) -> None:
        """Counts a text whose answers cannot be used, and stops the run where none can."""
        with self._lock:
            self._useless += 1
            is_in_vain = self._useless >= _USELESS
        if is_in_vain:
            self.stop(
                f"{_USELESS} texts in a row gave no document, the last one: {why} Their answers are kept with the "
                "rejected ones. Run the same command again to go on."
            )


def _read(reply: Reply, gives: Sequence[str], room: int) -> Answer:
    """The answer in a reply.

    Raises:
        AnswerError: when it cannot be used.
    """
    if reply.finish_reason == "content_filter":
        raise AnswerError("filtered", "The endpoint's filter keeps it back.")
    try:
        return parse_answer(reply.text, gives)
    except AnswerError:
        if reply.finish_reason == CUT_OFF:
            raise AnswerError("cut off", f"It is cut off after {room} tokens.") from None
        raise
