"""Calibration on a development set: temperature, bias and thresholds, with figures that were not fitted to.

Every figure of "after" is cross-validated: documents are judged by what was fitted to others, and unseen types by what
was fitted to other types. What is saved is then fitted to all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from glirel_transformers.calibration_glirel import BackgroundRule, ScoreCalibration, calibration_of
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.data import Document
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.pipeline_glirel import RelationExtractionPipeline

from .counts import summarize
from .deciding import MAX_REFERENCES, QUANTILES, Scores, fit_threshold, fit_type_thresholds, fit_unseen_rule
from .extraction import make_counts
from .judging import Judge
from .raw_scores import EntityChoice, divide, read_background, read_background_logits, read_scores
from .reliability import Reliability, measure_reliability
from .scaling import LIMITS, METHODS, Method, Scaling, check_both, fit_scaling
from .thresholds import Average

_MIN_TYPES = 3  # for a type that is left out to be compared with several others
_FEW = 50  # relations that hold, below which chance decides most of what is fitted


@dataclass
class CalibrationReport:
    """What was fitted, and what it is worth.

    Args:
        calibration: what goes into the configuration, with `threshold`.
        threshold: of types without one of their own.
        method: of scaling scores; the one with the least cross-validated negative log-likelihood, unless it was named.
        relation_types: what was asked for.
        average: whose F1 the thresholds are best for.
        before, after: of the scores as they were, and cross-validated.
        after_unseen: of types that are left out while others are fitted to; `None` with fewer than three types.
        predicted_before, predicted_after: as `before` and `after`, of predicted cells alone: the relations that users
            see.
        nll_by_method: cross-validated negative log-likelihood of each method that was tried.
        decisions: micro and macro precision, recall and F1 at the thresholds of before (`"before"`), and
            cross-validated at `"one threshold"`, at thresholds `"by type"`; for types that are left out, at one
            threshold (`"unseen"`) and at those from the background (`"unseen, background"`).
        counts_before, counts_after: right, predicted and gold cells of each type, `(relations, 3)`.
        num_documents: texts read.
        num_folds: parts into which the different texts were divided.
        num_cells: pairs with relation types whose truth is known.
        num_gold: of these, how many hold.
        num_missed: gold relations without a score, which count as missed in decisions and nowhere else.
        num_unknown_pairs: pairs of documents that are not exhaustive and without a relation: they count nowhere.
        num_background_pairs: of the background texts.
        notes: what a reader should know.
    """

    calibration: ScoreCalibration
    threshold: float
    method: Method
    relation_types: list[str]
    average: Average
    before: Reliability
    after: Reliability
    after_unseen: Reliability | None
    predicted_before: Reliability
    predicted_after: Reliability
    nll_by_method: dict[Method, float]
    decisions: dict[str, dict[str, float]]
    counts_before: Tensor = field(repr=False)
    counts_after: Tensor = field(repr=False)
    num_documents: int = 0
    num_folds: int = 0
    num_cells: int = 0
    num_gold: int = 0
    num_missed: int = 0
    num_unknown_pairs: int = 0
    num_background_pairs: int = 0
    notes: list[str] = field(default_factory=list)

    def apply(self, config: GLiRELConfig) -> None:
        """Puts what was fitted into a model's configuration."""
        config.calibration = self.calibration.to_dict()
        config.threshold = self.threshold


def fit_calibration(
    extract: RelationExtractor | RelationExtractionPipeline,
    documents: Sequence[Document],
    relation_types: Sequence[str] | None = None,
    *,
    method: Method | Literal["auto"] = "auto",
    average: Average = "micro",
    min_examples: int = 20,
    by_type: bool | None = None,
    background: object = None,
    num_folds: int = 5,
    seed: int = 0,
    entities: EntityChoice | None = None,
    **asked: Any,
) -> CalibrationReport:
    """Fits temperature, bias and thresholds to annotated documents that the model was not trained on.

    The model is left as it was: [`CalibrationReport.apply`] puts what was fitted into its configuration.

    Args:
        extract: of the model.
        documents: the development set.
        relation_types: what is asked for; by default all types that occur in `documents`, the most frequent first.
        method: how scores are scaled; `"auto"` takes what calibrates unseen documents best.
        average: whose F1 the thresholds are to be best for, `"micro"` or `"macro"`.
        min_examples: how many scored gold relations a type needs for a threshold of its own.
        by_type: whether types get thresholds of their own; by default where their cross-validated F1 is higher.
        background: texts with entities, as [`RelationExtractor.background`] takes them; gives a rule for unseen types,
            where it makes the F1 of types that are left out higher.
        num_folds: into how many parts the different texts are divided.
        seed: of how they are divided.
        entities: where they come from; by default `"found"` for a model that finds entities, else `"gold"`.
        asked: other options of [`evaluate_extraction`], such as `by_entity`, or of [`evaluate_joint`].

    Raises:
        ValueError: when there is nothing to fit to: a single text, no relation that holds, or no pair without.
    """
    _check(method, min_examples, num_folds, average)
    folds, num_folds = divide(documents, num_folds, seed)
    raw = read_scores(extract, documents, relation_types, entities, asked)
    if background is not None and len(raw.relation_types) < _MIN_TYPES:
        raise ValueError(
            f"A rule for unseen types is judged by types that are left out: it needs at least {_MIN_TYPES} types, got "
            f"{len(raw.relation_types)}. Ask for more, or leave the background out."
        )
    logits, is_gold = raw.scores.logits, raw.scores.is_gold
    if method != "none":
        _check_parts(is_gold, folds[raw.scores.documents.long()], num_folds)
    judge = Judge(raw.scores, folds, num_folds, average, min_examples, float(extract.model.config.threshold))
    scaled = {name: judge.scale(name) for name in (METHODS if method == "auto" else (method,))}
    nll = {name: measure_reliability(of_method, is_gold).nll for name, of_method in scaled.items()}
    chosen = min(nll, key=lambda name: (nll[name], METHODS.index(name)))
    scaling = fit_scaling(logits, is_gold, chosen)
    old = calibration_of(extract.model.config)
    before = replace(raw.scores, logits=Scaling(old.temperature, old.bias)(logits))
    fitted = judge.with_logits(scaling(logits))
    thresholds = _decide(fitted, before, make_counts(extract, raw.relation_types, None).all_in_use, by_type)
    rule, num_background = None, 0
    if background is not None:
        of_background = read_background_logits(extract, background, raw, asked)
        num_background = len(of_background)
        rule = _fit_rule(fitted, thresholds, scaling(torch.from_numpy(of_background)), raw.relation_types)
    has_unseen = len(raw.relation_types) >= _MIN_TYPES
    report = CalibrationReport(
        ScoreCalibration(*scaling, {raw.relation_types[n]: value for n, value in thresholds.own.items()}, rule),
        thresholds.common,
        chosen,
        raw.relation_types,
        average,
        before=measure_reliability(before.logits, is_gold),
        after=measure_reliability(scaled[chosen], is_gold),
        after_unseen=measure_reliability(judge.scale_unseen(chosen), is_gold) if has_unseen else None,
        predicted_before=_of(before.logits, is_gold, thresholds.predicted["before"]),
        predicted_after=_of(scaled[chosen], is_gold, thresholds.final),
        nll_by_method=nll,
        decisions={name: summarize(raw.scores.count(cells)) for name, cells in thresholds.predicted.items()},
        counts_before=raw.scores.count(thresholds.predicted["before"]),
        counts_after=raw.scores.count(thresholds.final),
        num_documents=len(documents),
        num_folds=num_folds,
        num_cells=len(is_gold),
        num_gold=int(is_gold.sum()),
        num_missed=len(raw.scores.missed),
        num_unknown_pairs=raw.num_unknown_pairs,
        num_background_pairs=num_background,
    )
    report.calibration = replace(report.calibration, measured=_measured(report))
    report.notes = list(_notes(report, min_examples, by_type, background is not None))
    return report


def _check(method: str, min_examples: int, num_folds: int, average: str) -> None:
    if method != "auto" and method not in METHODS:
        known = ", ".join(map(repr, ("auto", *METHODS)))
        raise ValueError(f"`method` must be one of {known}: got {method!r}.")
    if average not in ("micro", "macro"):
        raise ValueError(f"`average` must be 'micro' or 'macro': got {average!r}.")
    if min_examples < 1:
        raise ValueError(f"`min_examples` must be at least 1: got {min_examples}.")
    if num_folds < 2:
        raise ValueError(f"`num_folds` must be at least 2, so that something is left to fit to: got {num_folds}.")


def _check_parts(is_gold: Tensor, part_of: Tensor, num_folds: int) -> None:
    """Checks that something is left to fit to wherever one part of the documents is judged.

    Raises:
        ValueError: when all that holds is in one part, or all that does not.
    """
    check_both(is_gold)
    for holds, what in ((True, "hold"), (False, "do not hold")):
        parts = part_of[is_gold == holds]
        if bool((parts == parts[0]).all()):
            raise ValueError(
                f"Nothing can be cross-validated: all pairs with types that {what} ({len(parts):,}) are in one of the "
                f"{num_folds} parts of the documents, and nothing is left to fit to where that part is judged. Give "
                "more documents with relations."
            )


@dataclass
class _Thresholds:
    """Thresholds that were fitted, and decisions by name: those of before, and cross-validated ones."""

    common: float
    own: dict[int, float]
    predicted: dict[str, Tensor]

    @property
    def final(self) -> Tensor:
        """The cross-validated decisions at what is saved."""
        return self.predicted["by type" if self.own else "one threshold"]


def _decide(judge: Judge, before: Scores, in_use: Tensor, by_type: bool | None) -> _Thresholds:
    """Fits thresholds to calibrated scores; types get their own where that helps, or `by_type` says so."""
    scores, average = judge.scores, judge.average
    predicted = {"before": before.decide(in_use)}
    predicted |= {"one threshold": judge.decide(by_type=False), "by type": judge.decide(by_type=True)}
    is_higher = scores.f1(predicted["by type"], average) > scores.f1(predicted["one threshold"], average)
    common = fit_threshold(scores, average, judge.otherwise)
    own: dict[int, float] = {}
    if is_higher if by_type is None else by_type:
        own = fit_type_thresholds(scores, common, average, judge.min_examples)
    if scores.num_types >= _MIN_TYPES:
        predicted["unseen"] = judge.decide_unseen()
    return _Thresholds(common, own, predicted)


def _fit_rule(
    judge: Judge, thresholds: _Thresholds, background: Tensor, relation_types: Sequence[str]
) -> BackgroundRule | None:
    """The rule for unseen types, where it helps; adds the decisions about them.

    Args:
        judge: of calibrated scores.
        thresholds: what was decided.
        background: calibrated logits of the types over background texts, `(pairs, relations)`.
        relation_types: their names.
    """
    levels = torch.from_numpy(np.quantile(background.numpy(), QUANTILES, axis=0))
    thresholds.predicted["unseen, background"] = judge.decide_unseen(levels)
    without, with_rule = (
        judge.scores.f1(thresholds.predicted[name], judge.average) for name in ("unseen", "unseen, background")
    )
    fit = fit_unseen_rule(judge.scores, range(len(relation_types)), levels, judge.average, judge.otherwise)
    if not fit.weight or with_rule <= without or not 0 < fit.threshold < 1:
        return None
    return BackgroundRule(fit.threshold, fit.weight, fit.quantile, tuple(relation_types[:MAX_REFERENCES]))


def _of(logits: Tensor, is_gold: Tensor, chosen: Tensor) -> Reliability:
    return measure_reliability(logits[chosen], is_gold[chosen])


def _measured(report: CalibrationReport) -> dict[str, float]:
    """The figures that a configuration keeps, for the model card."""
    after = report.decisions["by type" if report.calibration.thresholds else "one threshold"]
    measured: dict[str, float] = {"num_documents": report.num_documents, "num_folds": report.num_folds}
    for name in ("ece", "brier", "nll"):
        measured |= {f"{name}_before": getattr(report.before, name), f"{name}_after": getattr(report.after, name)}
    for name in ("micro_f1", "macro_f1"):
        measured |= {f"{name}_before": report.decisions["before"][name], f"{name}_after": after[name]}
    return measured


def _notes(report: CalibrationReport, min_examples: int, by_type: bool | None, has_background: bool) -> Iterator[str]:
    """What a reader should know."""
    if report.num_gold < _FEW:
        yield (
            f"Only {report.num_gold:,} relations that hold were fitted to: on other texts, thresholds and figures may "
            "be far off. Hundreds are needed."
        )
    if report.calibration.temperature in LIMITS:
        yield (
            f"The temperature is at its limit, {report.calibration.temperature:g}: the scores of these documents are "
            "always right, or say nothing. Check that the relation types are those of the model's language and kind."
        )
    if not report.calibration.thresholds:
        has_enough = bool((report.counts_before[:, 2] >= min_examples).any())
        why = "were not asked for" if by_type is False else "do not make the cross-validated F1 higher"
        why = why if has_enough else f"need {min_examples} examples of a type (--min-examples), which none has"
        yield f"No thresholds of types are kept: they {why}."
    if has_background and report.calibration.background is None:
        yield "No rule for unseen types is kept: it does not make the F1 of types that are left out higher."
    if report.num_unknown_pairs:
        yield (
            f"{report.num_unknown_pairs:,} pairs of documents that are not exhaustive have no relation; whether one "
            "holds is unknown. Probabilities are then of pairs that have some relation, and too high for others."
        )
    if report.num_missed:
        yield (
            f"{report.num_missed:,} gold relations have no score, and count as missed: they are between entities that "
            "were not paired or not found."
        )


__all__ = ["CalibrationReport", "fit_calibration", "read_background"]
