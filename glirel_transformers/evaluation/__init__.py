"""Protocols that score a model on annotated documents."""

from .baselines import BASELINES, BagOfWords, Baseline, Majority, Random, SentenceEmbeddings, make_baseline
from .calibration import CalibrationReport, fit_calibration
from .classification import (
    GoldPair,
    background_scores,
    best_candidates,
    gold_pairs,
    macro_f1,
    sample_candidates,
    score_gold_pairs,
)
from .evidence import EvidenceScore, score_docred_evidence, score_evidence
from .extraction import Evaluation, evaluate_extraction, group_relation_types
from .facts import TrainFacts, fact_scores
from .few_shot import FewShot, sample_documents, sample_per_type
from .joint import JointEvaluation, count_entity_types, evaluate_joint, fit_thresholds
from .plot import plot_f1_by_threshold, plot_reliability
from .protocols import DocumentLevel, EndToEnd, Extraction, Protocol
from .reliability import Reliability, measure_reliability
from .results import Cells, EvaluationResult, ScoredDocument, Spread
from .thresholds import Fit, ThresholdCounts
from .zero_shot import Classification, ZeroShotSplit, classification_figures, read_splits

PROTOCOLS: dict[str, type[Protocol]] = {
    protocol.name: protocol for protocol in (Classification, Extraction, EndToEnd, DocumentLevel, FewShot)
}
"""Protocols by name."""

__all__ = [
    "BASELINES",
    "PROTOCOLS",
    "BagOfWords",
    "Baseline",
    "CalibrationReport",
    "Cells",
    "Classification",
    "DocumentLevel",
    "EndToEnd",
    "Evaluation",
    "EvaluationResult",
    "EvidenceScore",
    "Extraction",
    "FewShot",
    "Fit",
    "GoldPair",
    "JointEvaluation",
    "Majority",
    "Protocol",
    "Random",
    "Reliability",
    "ScoredDocument",
    "SentenceEmbeddings",
    "Spread",
    "ThresholdCounts",
    "TrainFacts",
    "ZeroShotSplit",
    "background_scores",
    "best_candidates",
    "classification_figures",
    "count_entity_types",
    "evaluate_extraction",
    "evaluate_joint",
    "fact_scores",
    "fit_calibration",
    "fit_thresholds",
    "gold_pairs",
    "group_relation_types",
    "macro_f1",
    "make_baseline",
    "measure_reliability",
    "plot_f1_by_threshold",
    "plot_reliability",
    "read_splits",
    "sample_candidates",
    "sample_documents",
    "sample_per_type",
    "score_docred_evidence",
    "score_evidence",
    "score_gold_pairs",
]
