"""Protocols that score a model on annotated documents."""

from .calibration import CalibrationReport, fit_calibration
from .evidence import EvidenceScore, score_docred_evidence, score_evidence
from .extraction import Evaluation, evaluate_extraction, group_relation_types
from .facts import TrainFacts, fact_scores
from .joint import JointEvaluation, count_entity_types, evaluate_joint, fit_thresholds
from .plot import plot_f1_by_threshold, plot_reliability
from .protocols import (
    GoldPair,
    background_scores,
    best_candidates,
    gold_pairs,
    macro_f1,
    sample_candidates,
    score_gold_pairs,
)
from .reliability import Reliability, measure_reliability
from .thresholds import Fit, ThresholdCounts

__all__ = [
    "CalibrationReport",
    "Evaluation",
    "EvidenceScore",
    "Fit",
    "GoldPair",
    "JointEvaluation",
    "Reliability",
    "ThresholdCounts",
    "TrainFacts",
    "background_scores",
    "best_candidates",
    "count_entity_types",
    "evaluate_extraction",
    "evaluate_joint",
    "fact_scores",
    "fit_calibration",
    "fit_thresholds",
    "gold_pairs",
    "group_relation_types",
    "macro_f1",
    "measure_reliability",
    "plot_f1_by_threshold",
    "plot_reliability",
    "sample_candidates",
    "score_docred_evidence",
    "score_evidence",
    "score_gold_pairs",
]
