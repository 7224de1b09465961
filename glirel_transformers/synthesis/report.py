"""The report of a run: what was made, what was left out and why, and what it cost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from glirel_transformers.files import Json

from .annotate import Outcome
from .asking import Traffic
from .building import Findings
from .limits import Prices, Usage

_MOST_NAMES = 100


@dataclass
class Yield:
    """What was made of texts.

    Args:
        documents: how many documents were made.
        exhaustive: those of them in which a pair without a relation has none.
        mentions: how many mentions they have.
        entities: how many entities.
        relations: how many relations.
        relation_types: how often each occurs.
        entity_types: likewise.
        failed: texts of which none was made, by reason.
        pending: texts that were not asked yet.
        left_out: texts that were not to be asked, by reason.
        findings: what became of what was found.
    """

    documents: int = 0
    exhaustive: int = 0
    mentions: int = 0
    entities: int = 0
    relations: int = 0
    relation_types: Counter[str] = field(default_factory=Counter)
    entity_types: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)

    @property
    def texts(self) -> int:
        """How many texts were gone through."""
        return self.documents + sum(self.failed.values()) + self.pending

    def count(self, outcome: Outcome) -> None:
        """Counts what became of a text."""
        self.pending += outcome.status == "pending"
        if outcome.status == "failed":
            self.failed[outcome.reason] += 1
        document = outcome.document
        if document is None:
            return
        self.findings.add(outcome.findings)
        self.documents += 1
        self.exhaustive += document.exhaustive
        self.mentions += len(document.mentions)
        self.entities += len(document.entities)
        self.relations += len(document.relations)
        self.relation_types.update(relation.relation_type for relation in document.relations)
        self.entity_types.update(mention.label for mention in document.mentions if mention.label is not None)


def make_report(
    made: Yield,
    traffic: Traffic,
    usage: Usage,
    prices: Prices | None,
    settings: Mapping[str, Json],
    seconds: float,
    stopped: str | None,
) -> dict[str, Json]:
    """The report as JSON.

    Args:
        made: what was made.
        traffic: what went over the line in this run.
        usage: the tokens of all runs with this journal and model.
        prices: what they cost, if that is known.
        settings: what the run was asked to do.
        seconds: how long it took.
        stopped: why it ended before its end, if so.
    """
    cost: dict[str, Json] = {"this_run": _usage(traffic.used, prices), "all_runs": _usage(usage, prices)}
    if prices is not None and made.documents:
        total = prices.of(usage)
        cost["per_document"] = round(total / made.documents, 6)
        cost["per_relation"] = round(total / made.relations, 6) if made.relations else None
    return {
        "settings": dict(settings),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 1),
        "stopped": stopped,
        "documents": made.documents,
        "exhaustive_documents": made.exhaustive,
        "mentions": made.mentions,
        "entities": made.entities,
        "relations": made.relations,
        "num_relation_types": len(made.relation_types),
        "num_entity_types": len(made.entity_types),
        "texts_failed": _counts(made.failed),
        "texts_pending": made.pending,
        "texts_left_out": _counts(made.left_out),
        "mentions_aligned": _counts(made.findings.aligned),
        "dropped": _counts(made.findings.dropped),
        "dropped_examples": {reason: list(examples) for reason, examples in made.findings.examples.items()},
        "relation_groups": _counts(made.findings.groups),
        "corrections": _counts(made.findings.corrected),
        "requests": {
            "answered": traffic.sent,
            "from_the_journal": traffic.replayed,
            "sent_again": _counts(traffic.again),
            "repaired_answers": traffic.repaired,
            "unusable_answers": _counts(traffic.unusable),
        },
        "cost": cost,
        "relation_types": dict(made.relation_types.most_common(_MOST_NAMES)),
        "entity_types": dict(made.entity_types.most_common(_MOST_NAMES)),
    }


def _usage(usage: Usage, prices: Prices | None) -> dict[str, Json]:
    price = {} if prices is None else {"price": round(prices.of(usage), 6)}
    return {**asdict(usage), **price}


def _counts(counter: Counter[str]) -> dict[str, Json]:
    return {name: count for name, count in counter.most_common() if count}


def reject_of(outcome: Outcome) -> dict[str, Json]:
    """A text of which no document was made, as a line of the file of rejects, with the raw answers."""
    return {
        "place": outcome.passage.place,
        "text": outcome.passage.text,
        "source": outcome.passage.source,
        "pass": outcome.step,
        "reason": outcome.reason,
        "detail": outcome.detail,
        "answers": [{"text": one.text, "finish_reason": one.finish_reason} for one in outcome.replies],
    }
