"""Reports of an evaluation: what a model gets right and wrong, how sure it is, and what its scores depend on."""

from .bootstrap import Difference, document_counts, figures_of, holm, paired_bootstrap
from .content import Checkpoint, Example, Report, make_report
from .curves import average_precision, calibration, flatten, precision_recall, thresholds, type_rows
from .decisions import ERROR_KINDS, MEANINGS, Confusion, Decision, confusion, decide
from .keeping import KeepingExtractor
from .machine import machine_name, model_digest
from .running import Reported, ReportSettings, evaluate_with_report, renamed
from .sensitivity import DirectionRow, Shift, compare_scores, direction, try_orders, try_wordings
from .store import ScoreStore, Speed
from .wording import Wordings, make_wordings, read_paraphrases
from .writing import write_report

__all__ = [
    "ERROR_KINDS",
    "MEANINGS",
    "Checkpoint",
    "Confusion",
    "Decision",
    "Difference",
    "DirectionRow",
    "Example",
    "KeepingExtractor",
    "Report",
    "ReportSettings",
    "Reported",
    "ScoreStore",
    "Shift",
    "Speed",
    "Wordings",
    "average_precision",
    "calibration",
    "compare_scores",
    "confusion",
    "decide",
    "direction",
    "document_counts",
    "evaluate_with_report",
    "figures_of",
    "flatten",
    "holm",
    "machine_name",
    "make_report",
    "make_wordings",
    "model_digest",
    "paired_bootstrap",
    "precision_recall",
    "read_paraphrases",
    "renamed",
    "thresholds",
    "try_orders",
    "try_wordings",
    "type_rows",
    "write_report",
]
