"""Precision, recall and F1 of thresholded scores, batch by batch, and the threshold that is best for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor
from transformers import BatchEncoding, EvalPrediction

from glirel_transformers.calibration_glirel import calibration_of
from glirel_transformers.evaluation.counts import count_decisions, summarize
from glirel_transformers.evaluation.thresholds import Average, ThresholdCounts
from glirel_transformers.heads_glirel import GLiRELHead
from glirel_transformers.losses_glirel import IGNORED_LABEL

from .collator import RelationCollator
from .dataset import Documents, RelationDataset
from .entity_metrics import EntityCounts, averages

_GRID = tuple(tenth / 10 for tenth in range(1, 10))


class HasThreshold(Protocol):
    """A model's configuration, of which metrics read one field."""

    threshold: float


class RelationMetrics:
    """Counts over batches, for `Trainer(compute_metrics=…)` with `batch_eval_metrics=True`.

    Every (pair, relation type) cell is a decision. Micro averages count all decisions alike; macro averages are means
    over the relation types that occur in the gold. `best_micro_f1` is the micro F1 at the best of the thresholds 0.1,
    0.2, …, 0.9: what a checkpoint is worth before a threshold is fitted. Where the model finds entities, there are
    also precision, recall and F1 of these (`entity_f1`).

    Args:
        config: the model's configuration, whose `threshold` is used.
    """

    def __init__(self, config: HasThreshold) -> None:
        self.config = config
        self._counts: dict[int, Tensor] = {}
        self._grid = torch.zeros(len(_GRID), 3, dtype=torch.double)
        self._entities: Tensor | None = None

    def __call__(self, prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        """Adds a batch; with `compute_result`, returns the metrics and starts again.

        Args:
            prediction: what [`GLiRELTrainer`] passes: logits, and labels with relation keys, all `(batch, cells)`, and
                with right, found and gold entities `(batch, 3)` of a model that finds them.
            compute_result: whether this batch is the last one.
        """
        labels, relation_keys, *entities = (torch.as_tensor(ids) for ids in prediction.label_ids)
        known = labels != IGNORED_LABEL
        logits = torch.as_tensor(prediction.predictions)[known].float()
        probabilities = calibration_of(self.config).apply(logits).sigmoid()
        keys, types = relation_keys[known].unique(return_inverse=True)
        counts = count_decisions(probabilities, labels[known] == 1, types, len(keys), self.config.threshold)
        for key, row in zip(keys.tolist(), counts.cpu(), strict=True):
            self._counts[key] = self._counts.get(key, 0) + row
        one_type = torch.zeros_like(types)
        for row, threshold in zip(self._grid, _GRID, strict=True):
            row += count_decisions(probabilities, labels[known] == 1, one_type, 1, threshold)[0].cpu()
        for counted in entities:
            self._entities = counted.sum(0).cpu() + (0 if self._entities is None else self._entities)
        if not compute_result:
            return {}
        best = max(summarize([row])["micro_f1"] for row in self._grid)
        metrics = {**summarize(self._counts.values()), "best_micro_f1": best}
        if self._entities is not None:
            metrics |= averages(self._entities)
        self._counts, self._grid, self._entities = {}, torch.zeros_like(self._grid), None
        return metrics


def fit_threshold(
    model: GLiRELHead,
    documents: Documents,
    collator: RelationCollator,
    *,
    average: Average = "micro",
    batch_size: int = 32,
) -> dict[str, float]:
    """Finds the decision threshold with the best F1 on held-out documents and stores it in `model.config.threshold`.

    It is found as `glirel evaluate` finds it: see [`ThresholdCounts.best`]. Where the model finds entities, and the
    documents know theirs, `model.config.entity_threshold` is fitted too, to the F1 of what is found; that of relations
    is fitted with the right entities.

    Args:
        model: a model; it is left in the mode that it was in.
        documents: documents that it was not trained on.
        collator: which relation types they are asked for; its [`~RelationCollator.for_evaluation`] is used.
        average: `"micro"` or `"macro"`.
        batch_size: documents read at once.

    Returns:
        The metrics at the new threshold, and the `threshold`; likewise `entity_f1`, … and `entity_threshold`. Where no
        relation holds in the documents, there are only the latter.

    Raises:
        ValueError: when no relation holds in `documents` and no entity is found, or `average` is neither of the two.
    """
    entities = EntityCounts()
    counts = score_documents(model, documents, collator, batch_size, entities)
    metrics: dict[str, float] = {}
    if (of_entities := entities.best()) is not None:
        model.config.entity_threshold = of_entities.threshold
        metrics = {**entities.averages(of_entities.threshold), "entity_threshold": of_entities.threshold}
    fit = counts.best(average)
    if fit is None and not metrics:
        raise ValueError(
            "A threshold cannot be fitted: no relation holds in these documents, or none of a type that is asked for."
        )
    if fit is not None:
        model.config.threshold = fit.threshold
        metrics |= {**counts.averages(fit.threshold), "threshold": fit.threshold}
    return metrics


@torch.inference_mode()
def score_documents(
    model: GLiRELHead,
    documents: Documents,
    collator: RelationCollator,
    batch_size: int = 32,
    entities: EntityCounts | None = None,
) -> ThresholdCounts:
    """All cells whose truth is known, of all types that are asked for in any document.

    What is found of entities is added to `entities`, where these are asked for.
    """
    collator = collator.for_evaluation()
    collator.with_relation_keys = True
    was_training = model.training
    model.eval()
    empty = torch.zeros(0, dtype=torch.long)
    try:
        cells = [(torch.zeros(0), empty, empty), *_score(model, _batches(documents, collator, batch_size), entities)]
    finally:
        model.train(was_training)
    probabilities, labels, keys = map(torch.cat, zip(*cells, strict=True))
    numbers, types = keys.unique(return_inverse=True)
    counts = ThresholdCounts(len(numbers), model.config.threshold)
    counts.add(probabilities, labels, types)
    return counts


def _score(
    model: GLiRELHead, batches: Iterable[BatchEncoding], entities: EntityCounts | None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Probabilities, labels and relation keys of the cells of each batch whose truth is known, `(cells,)` each."""
    for batch in batches:
        keys = batch.pop("relation_keys")
        labels = mask_labels(batch)
        outputs = model(**batch.to(model.device))
        logits = calibration_of(model.config).apply(outputs.decision_logits.float().cpu())
        if entities is not None and "entity_labels" in batch:
            assert model.glirel.entity_finder is not None  # what is found has labels
            entities.add(model.glirel.entity_finder, outputs.entity_logits, batch)
        known = labels != IGNORED_LABEL
        yield logits[known].sigmoid(), labels[known], keys.unsqueeze(1).expand_as(labels)[known]


def mask_labels(batch: Mapping[str, Tensor]) -> Tensor:
    """The `labels` of a batch with padding set to −100, `(batch, pairs, relations)`."""
    real = batch["pair_mask"].unsqueeze(2) & batch["relation_mask"].unsqueeze(1)
    return batch["labels"].masked_fill(~real, IGNORED_LABEL)


def _batches(documents: Documents, collator: RelationCollator, batch_size: int) -> Iterator[BatchEncoding]:
    dataset = RelationDataset.wrap(documents)
    order = sorted(range(len(dataset)), key=lambda i: len(dataset[i].document.words))
    for first in range(0, len(order), batch_size):
        yield collator([dataset[i] for i in order[first : first + batch_size]])
