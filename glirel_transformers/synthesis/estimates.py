"""What a run would send and cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .annotate import Plan, given_entities, prompt_values
from .asking import Asker
from .clients import count_roughly
from .limits import Usage
from .protocols import Message
from .store import Journal
from .texts import Passage

_ANSWER_PER_TEXT = 1.5  # tokens of an answer for each of its text: a guess, until a journal has some
_ANSWER_AT_LEAST = 40


@dataclass
class Estimate:
    """What a run would send.

    Args:
        texts: how many texts would be annotated.
        requests: how many requests would be sent, if each answer can be used.
        known: how many of the first requests the journal has answers to.
        usage: the tokens that they would take.
        first: the first conversation.
    """

    texts: int = 0
    requests: int = 0
    known: int = 0
    usage: Usage = field(default_factory=lambda: Usage(is_estimated=True))
    first: list[Message] | None = None


def estimate(passages: Iterable[Passage], plan: Plan, asker: Asker, journal: Journal) -> Estimate:
    """What annotating texts would send; what later passes are asked is guessed from the first.

    Args:
        passages: the texts.
        plan: how they are annotated.
        asker: who would ask.
        journal: what was answered before.
    """
    result = Estimate()
    for passage in passages:
        result.texts += 1
        entities = given_entities(passage) if plan.protocol.needs_entities else []
        if plan.protocol.needs_entities and len(entities) < 2:
            continue
        sentences: list[tuple[int, int]] = [(0, len(passage.text))] if plan.protocol.by_sentence else []
        values = prompt_values(passage.text, sentences, entities, plan.groups)
        answer = _ANSWER_AT_LEAST + int(_ANSWER_PER_TEXT * count_roughly([{"content": passage.text}]))
        for number, step in enumerate(plan.protocol.passes):
            messages = step.messages(values, plan.instructions)
            result.first = result.first or messages
            if number == 0 and asker.key(step, messages) in journal:
                result.known += 1
                continue
            asked = count_roughly(messages) + (answer if number else 0)  # later passes are shown the answer before
            result.requests += 1
            result.usage += Usage(asked, answer, is_estimated=True)
    return result
