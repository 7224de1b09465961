"""Calibration on a development set: temperature, bias and thresholds, with figures that were not fitted to.

Every figure of "after" is cross-validated: documents are judged by what was fitted to others, and unseen types by what
was fitted to other types. What is saved is then fitted to all of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from glirel_transformers.background_glirel import background_logits, list_texts
from glirel_transformers.calibration_glirel import BackgroundRule, ScoreCalibration, calibration_of
from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.data import Document, count_entity_types, text_hash
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.pipeline_glirel import RelationExtractionPipeline

from .counts import summarize
from .deciding import (
    MAX_REFERENCES,
    QUANTILES,
    Scores,
    fit_threshold,
    fit_type_thresholds,
    fit_unseen_rule,
    shift,
)
from .extraction import evaluate_extraction, make_counts
from .joint import evaluate_joint
from .reliability import Reliability, measure_reliability
from .scaling import METHODS, Method, Scaling, fit_scaling
from .thresholds import Average, ThresholdCounts

_READ_AT = 8.0  # the temperature at which logits are read: probabilities then keep what single precision would round
_LOWEST, _HIGHEST = 1e-37, 1 - 2.0**-24
_MIN_TYPES = 3  # for what is left out to be compared with others
_TYPE_FOLDS = 10


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
        predicted_before, predicted_after: the same of predicted cells alone: the relations that users see.
        nll_by_method: cross-validated negative log-likelihood.
        decisions: micro and macro precision, recall and F1 at the thresholds of before (`"before"`), and
            cross-validated at `"one threshold"`, at thresholds `"by type"`; for types that are left out while they are
            fitted at one threshold (`"unseen"`) and at those from the background (`"unseen, background"`).
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
    predicted_before: Reliability
    predicted_after: Reliability
    nll_by_method: dict[str, float]
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
    entities: Literal["gold", "found"] | None = None,
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
    _check(method, min_examples, num_folds)
    cells = _read_cells(extract, documents, relation_types, entities, asked)
    if not 0 < int(cells.scores.is_gold.sum()) < len(cells.scores.is_gold):
        fit_scaling(cells.scores.logits, cells.scores.is_gold, "temperature")  # which says what is wrong
    folds, num_folds = _folds(documents, num_folds, seed)
    scaled, nll = _scale(cells.scores, folds, num_folds, method)
    chosen: Method = min(scaled, key=lambda name: (nll[name], METHODS.index(name)))
    scaling = fit_scaling(cells.scores.logits, cells.scores.is_gold, chosen)
    config = extract.model.config
    old = calibration_of(config)
    before = _with_logits(cells.scores, Scaling(old.temperature, old.bias)(cells.scores.logits))
    scores = _with_logits(cells.scores, scaling(cells.scores.logits))
    judge = _Judge(scores, folds, num_folds, average, min_examples, float(config.threshold))
    in_use = make_counts(extract, cells.relation_types, None).all_in_use
    predicted = {"before": before.decide(in_use), "one threshold": judge.decide(by_type=False)}
    predicted["by type"] = judge.decide(by_type=True)
    f1 = {name: scores.f1(of_cells, average) for name, of_cells in predicted.items()}
    uses_types = f1["by type"] > f1["one threshold"] if by_type is None else by_type
    threshold = fit_threshold(scores, average, float(config.threshold))
    own = fit_type_thresholds(scores, threshold, average, min_examples) if uses_types else {}
    final = predicted["by type" if own else "one threshold"]
    rule, num_background, unseen = _fit_background(extract, background, cells, judge, scaling, asked)
    predicted |= unseen
    decisions = {name: summarize(scores.count(of_cells)) for name, of_cells in predicted.items()}
    after = scaled[chosen]
    report = CalibrationReport(
        ScoreCalibration(
            scaling.temperature,
            scaling.bias,
            {cells.relation_types[number]: value for number, value in own.items()},
            rule,
        ),
        threshold,
        chosen,
        cells.relation_types,
        average,
        before=measure_reliability(before.logits, scores.is_gold),
        after=measure_reliability(after, scores.is_gold),
        predicted_before=_reliability_of(before.logits, scores.is_gold, predicted["before"]),
        predicted_after=_reliability_of(after, scores.is_gold, final),
        nll_by_method=nll,
        decisions=decisions,
        counts_before=scores.count(predicted["before"]),
        counts_after=scores.count(final),
        num_documents=len(documents),
        num_folds=num_folds,
        num_cells=len(scores.is_gold),
        num_gold=int(scores.is_gold.sum()),
        num_missed=len(scores.missed),
        num_unknown_pairs=cells.num_unknown_pairs,
        num_background_pairs=num_background,
    )
    _complete(report, min_examples, by_type, background is not None)
    return report


@dataclass
class _Read:
    """What was read of the development set, as the model gives it before anything is fitted."""

    scores: Scores
    relation_types: list[str]
    num_unknown_pairs: int
    entity_types: list[str] | None = None  # that are found


@dataclass
class _Judge:
    """Decisions about documents, or types, by thresholds that were fitted to the others."""

    scores: Scores
    folds: Tensor
    num_folds: int
    average: Average
    min_examples: int
    otherwise: float

    def decide(self, *, by_type: bool) -> Tensor:
        """Whether each cell is predicted, at one threshold or at those of the types."""
        predicted = torch.zeros_like(self.scores.is_gold)
        of_cells = self.folds[self.scores.documents.long()]
        for fold in range(self.num_folds):
            train = self.scores.of_documents(self.folds != fold)
            threshold = fit_threshold(train, self.average, self.otherwise)
            thresholds = torch.full((train.num_types,), threshold, dtype=torch.double)
            own = fit_type_thresholds(train, threshold, self.average, self.min_examples) if by_type else {}
            for number, value in own.items():
                thresholds[number] = value
            held_out = of_cells == fold
            predicted[held_out] = self.scores.decide(thresholds)[held_out]
        return predicted

    def decide_unseen(self, levels: Tensor | None) -> Tensor:
        """Likewise for types that are left out, with their levels on background texts `(quantiles, relations)`."""
        predicted = torch.zeros_like(self.scores.is_gold)
        num_types = self.scores.num_types
        num_folds = min(num_types, _TYPE_FOLDS)
        for fold in range(num_folds):
            seen = [number for number in range(num_types) if number % num_folds != fold]
            held_out = self.scores.types % num_folds == fold
            if levels is None:
                of_seen = torch.zeros(num_types, dtype=torch.bool)
                of_seen[seen] = True
                threshold, shifted = (
                    fit_threshold(self.scores.of_types(of_seen), self.average, self.otherwise),
                    self.scores,
                )
            else:
                rule = fit_unseen_rule(self.scores, seen, levels, self.average, self.otherwise)
                level = levels[QUANTILES.index(rule.quantile)]
                threshold, shifted = rule.threshold, shift(self.scores, seen[:MAX_REFERENCES], level, rule.weight)
            predicted[held_out] = (shifted.probabilities >= threshold)[held_out]
        return predicted


def _check(method: str, min_examples: int, num_folds: int) -> None:
    if method != "auto" and method not in METHODS:
        known = ", ".join(map(repr, ("auto", *METHODS)))
        raise ValueError(f"`method` must be one of {known}: got {method!r}.")
    if min_examples < 1:
        raise ValueError(f"`min_examples` must be at least 1: got {min_examples}.")
    if num_folds < 2:
        raise ValueError(f"`num_folds` must be at least 2, so that something is left to fit to: got {num_folds}.")


@contextmanager
def _uncalibrated(config: GLiRELConfig, temperature: float) -> Iterator[None]:
    """Within it, a model's probabilities are the sigmoid of its logits, divided by a temperature."""
    kept = config.calibration
    config.calibration = {"temperature": temperature}
    try:
        yield
    finally:
        config.calibration = kept


def _read_cells(
    extract: RelationExtractor | RelationExtractionPipeline,
    documents: Sequence[Document],
    relation_types: Sequence[str] | None,
    entities: Literal["gold", "found"] | None,
    asked: dict[str, Any],
) -> _Read:
    config = extract.model.config
    finds = getattr(config, "entity_finder", "none") != "none"
    if entities == "found" and not finds:
        raise ValueError(
            "Entities can be 'found' by a model that finds them only, and this one does not (entity_finder='none'). "
            "Leave it out: those of the documents are given."
        )
    counts: ThresholdCounts
    labels: list[str] | None = None
    with _uncalibrated(config, _READ_AT):
        if finds and entities != "gold":
            if asked.get("by_entity") or asked.get("self_pairs"):
                raise ValueError("Entities that are found are compared by their spans: pass entities='gold' as well.")
            options = {name: value for name, value in asked.items() if name not in ("by_entity", "self_pairs")}
            options["entity_types"] = options.get("entity_types") or list(count_entity_types(documents))
            joint = evaluate_joint(extract, documents, relation_types, **options)
            counts, types, num_unknown = joint.triples["strict"], joint.relation_types, joint.num_unknown_pairs
            labels = joint.entity_types
        else:
            options = {name: value for name, value in asked.items() if name != "entity_types"}
            given = evaluate_extraction(extract, documents, relation_types, **options)
            counts, types, num_unknown = given.counts, given.relation_types, given.num_unknown_pairs
    cells = counts.cells()
    probabilities = cells.probabilities.double().clamp(_LOWEST, _HIGHEST)
    logits = _READ_AT * (probabilities.log() - (-probabilities).log1p())
    scores = Scores(logits, cells.is_gold, cells.types, cells.documents, cells.missed, len(types))
    return _Read(scores, types, num_unknown, labels)


def _folds(documents: Sequence[Document], num_folds: int, seed: int) -> tuple[Tensor, int]:
    """The fold of each document, and how many there are; the same text is always in one fold."""
    hashes = [text_hash(document) for document in documents]
    texts = sorted(set(hashes))
    if len(texts) < 2:
        raise ValueError(
            f"The {len(documents)} documents have {len(texts)} different texts, and at least 2 are needed: figures "
            "are measured on texts that were not fitted to. Give more documents."
        )
    random.Random(seed).shuffle(texts)
    num_folds = min(num_folds, len(texts))
    fold_of = {text: place % num_folds for place, text in enumerate(texts)}
    return torch.tensor([fold_of[text] for text in hashes]), num_folds


def _scale(
    scores: Scores, folds: Tensor, num_folds: int, method: Method | Literal["auto"]
) -> tuple[dict[Method, Tensor], dict[str, float]]:
    """By method, each document's logits scaled as is best for the others, and their negative log-likelihood."""
    of_cells = folds[scores.documents.long()]
    tried = METHODS if method == "auto" else (method,)
    scaled: dict[Method, Tensor] = {name: scores.logits.clone() for name in tried}
    for fold in range(num_folds):
        held_out = of_cells == fold
        train = scores.of_documents(folds != fold)
        for name, logits in scaled.items():
            logits[held_out] = fit_scaling(train.logits, train.is_gold, name)(logits[held_out])
    return scaled, {name: measure_reliability(logits, scores.is_gold).nll for name, logits in scaled.items()}


def _with_logits(scores: Scores, logits: Tensor) -> Scores:
    return Scores(logits, scores.is_gold, scores.types, scores.documents, scores.missed, scores.num_types)


def _reliability_of(logits: Tensor, is_gold: Tensor, chosen: Tensor) -> Reliability:
    return measure_reliability(logits[chosen], is_gold[chosen])


def _fit_background(
    extract: RelationExtractor | RelationExtractionPipeline,
    texts: object,
    cells: _Read,
    judge: _Judge,
    scaling: Scaling,
    asked: dict[str, Any],
) -> tuple[BackgroundRule | None, int, dict[str, Tensor]]:
    """The rule for unseen types, if one is asked for and helps; the pairs read, and decisions about unseen types."""
    types = cells.relation_types
    if len(types) < _MIN_TYPES:
        if texts is not None:
            raise ValueError(
                f"A rule for unseen types is judged by types that are left out: it needs documents with relations of "
                f"at least {_MIN_TYPES} types, got {len(types)}. Give others, or leave the background out."
            )
        return None, 0, {}
    found = {"unseen": judge.decide_unseen(None)}
    if texts is None:
        return None, 0, found
    extractor = extract if isinstance(extract, RelationExtractor) else extract.extractor
    options = {name: asked[name] for name in ("batch_size", "overlap") if asked.get(name) is not None}
    options |= {"group_size": asked.get("group_size") or "auto", "entity_types": cells.entity_types}
    with _uncalibrated(extractor.model.config, _READ_AT):
        logits = _READ_AT * background_logits(extractor, list_texts(texts), types, **options)
    quantiles = np.quantile(logits, QUANTILES, axis=0) / scaling.temperature + scaling.bias
    levels = torch.from_numpy(quantiles)
    found["unseen, background"] = judge.decide_unseen(levels)
    f1 = {name: judge.scores.f1(predicted, judge.average) for name, predicted in found.items()}
    fit = fit_unseen_rule(judge.scores, range(len(types)), levels, judge.average, judge.otherwise)
    if not fit.weight or f1["unseen, background"] <= f1["unseen"] or not 0 < fit.threshold < 1:
        return None, len(logits), found
    rule = BackgroundRule(fit.threshold, fit.weight, fit.quantile, tuple(types[:MAX_REFERENCES]))
    return rule, len(logits), found


def _complete(report: CalibrationReport, min_examples: int, by_type: bool | None, has_background: bool) -> None:
    """Adds what was measured to the calibration, and what a reader should know."""
    after = report.decisions["by type" if report.calibration.thresholds else "one threshold"]
    measured: dict[str, float] = {"num_documents": report.num_documents, "num_folds": report.num_folds}
    for name in ("ece", "brier", "nll"):
        measured |= {f"{name}_before": getattr(report.before, name), f"{name}_after": getattr(report.after, name)}
    for name in ("micro_f1", "macro_f1"):
        measured |= {f"{name}_before": report.decisions["before"][name], f"{name}_after": after[name]}
    calibration = report.calibration
    report.calibration = ScoreCalibration(
        calibration.temperature, calibration.bias, calibration.thresholds, calibration.background, measured
    )
    if not calibration.thresholds:
        num_enough = int((report.counts_before[:, 2] >= min_examples).sum())
        why = "were not asked for" if by_type is False else "do not make the cross-validated F1 higher"
        why = why if num_enough else f"need {min_examples} examples of a type (--min-examples), which none has"
        report.notes.append(f"No thresholds of types are kept: they {why}.")
    if has_background and calibration.background is None:
        report.notes.append(
            "No rule for unseen types is kept: with the background, the F1 of types that are left out is not higher."
        )
    if report.num_unknown_pairs:
        report.notes.append(
            f"{report.num_unknown_pairs:,} pairs of documents that are not exhaustive have no relation; whether one "
            "holds is unknown. Probabilities are then of pairs that have some relation, and too high for others."
        )
    if report.num_missed:
        report.notes.append(
            f"{report.num_missed:,} gold relations have no score, and count as missed: they are between entities that "
            "were not paired or not found."
        )


def read_background(documents: Sequence[Document], finds: bool = False) -> list[dict[str, Any]]:
    """Documents as background texts: with their entities, unless a model finds them; relations are not read."""
    texts = [document.to_text() for document in documents]
    return [{"text": text} if finds else {"text": text, "entities": entities} for text, entities in texts]


__all__ = ["CalibrationReport", "fit_calibration", "read_background"]
