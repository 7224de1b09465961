"""Training data that language models make of texts, by the protocols of the three papers."""

from .annotate import Outcome, Plan, annotate
from .asking import Asker, AskSettings, Unanswered
from .building import Builder, Findings
from .clients import Client, Endpoint, Refused, Transient
from .estimates import Estimate, estimate
from .exclusion import Exclusion
from .limits import Budget, Halt, Pace, Prices, Usage
from .local import LocalModel
from .protocols import GROUPS, PROTOCOLS, Pass, Protocol
from .report import Yield, make_report
from .run import annotate_all
from .store import Journal, Reply
from .texts import Passage, Selection, find_inputs, read_passages

__all__ = [
    "GROUPS",
    "PROTOCOLS",
    "AskSettings",
    "Asker",
    "Budget",
    "Builder",
    "Client",
    "Endpoint",
    "Estimate",
    "Exclusion",
    "Findings",
    "Halt",
    "Journal",
    "LocalModel",
    "Outcome",
    "Pace",
    "Pass",
    "Passage",
    "Plan",
    "Prices",
    "Protocol",
    "Refused",
    "Reply",
    "Selection",
    "Transient",
    "Unanswered",
    "Usage",
    "Yield",
    "annotate",
    "annotate_all",
    "estimate",
    "find_inputs",
    "make_report",
    "read_passages",
]
