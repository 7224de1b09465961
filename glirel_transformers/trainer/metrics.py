"""Precision, recall and F1 of thresholded scores, batch by batch, and the threshold that is best for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import EvalPrediction

from glirel_transformers.evaluation.counts import summarize
from glirel_transformers.losses_glirel import IGNORED_LABEL

from .collator import RelationCollator
from .dataset import RelationDataset


class Cells(NamedTuple):
    """All (pair, relation type) cells whose truth is known, as tensors of shape `(cells,)`."""

    probabilities: Tensor
    labels: Tensor
    relation_keys: Tensor


class RelationMetrics:
    """Counts over batches, for `Trainer(compute_metrics=…)` with `batch_eval_metrics=True`.

    Every (pair, relation type) cell is a decision. Micro averages count all decisions alike; macro averages are means
    over the relation types that occur in the gold.

    Args:
        config: the model's configuration, whose `threshold` is used.
    """

    def __init__(self, config: Any) -> None:
        self.config = config
        self._counts: dict[int, Tensor] = {}

    def __call__(self, prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        """Adds a batch; with `compute_result`, returns the metrics and begins anew.

        Args:
            prediction: what [`GLiRELTrainer`] passes: logits, and labels with relation keys, all `(batch, cells)`.
            compute_result: whether this batch is the last one.
        """
        labels, relation_keys = (torch.as_tensor(ids) for ids in prediction.label_ids)
        logits = torch.as_tensor(prediction.predictions)
        known = labels != IGNORED_LABEL
        cells = Cells(logits[known].float().sigmoid(), labels[known], relation_keys[known])
        for key, counts in count_decisions(cells, self.config.threshold).items():
            self._counts[key] = self._counts.get(key, 0) + counts
        if not compute_result:
            return {}
        metrics = summarize(self._counts.values())
        self._counts = {}
        return metrics


def count_decisions(cells: Cells, threshold: float) -> dict[int, Tensor]:
    """True positives, predicted and gold cells of each relation type, `(3,)` each, by its key."""
    keys, index = cells.relation_keys.unique(return_inverse=True)
    predicted, gold = cells.probabilities >= threshold, cells.labels == 1
    kinds = torch.stack([predicted & gold, predicted, gold], dim=-1).double()
    counts = torch.zeros(len(keys), 3, dtype=torch.double, device=kinds.device).index_add_(0, index, kinds)
    return dict(zip(keys.tolist(), counts.cpu(), strict=True))


def fit_threshold(
    model: Any,
    documents: Any,
    collator: RelationCollator,
    *,
    average: str = "micro",
    batch_size: int = 32,
    max_candidates: int = 500,
) -> dict[str, float]:
    """Finds the decision threshold with the best F1 on held-out documents and stores it in `model.config.threshold`.

    F1 is best at a score of a right cell, so these are what is tried: all, or `max_candidates` quantiles of them.
    The threshold is put midway between that score and the next lower one.

    Args:
        model: a `GLiRELForRelationClassification`; it is left in the mode that it was in.
        documents: documents that it was not trained on.
        collator: which relation types they are asked for; its [`~RelationCollator.for_evaluation`] is used.
        average: `"micro"` or `"macro"`.
        batch_size: documents read at once.
        max_candidates: how many thresholds are tried at most.

    Returns:
        The metrics at the new threshold, and the `threshold`.

    Raises:
        ValueError: when no relation holds in `documents`, or `average` is neither of the two.
    """
    if average not in ("micro", "macro"):
        raise ValueError(f"`average` must be 'micro' or 'macro': got {average!r}.")
    cells = score_cells(model, documents, collator, batch_size)
    candidates = cells.probabilities[cells.labels == 1].unique()
    if not len(candidates):
        raise ValueError(
            "A threshold cannot be fitted: no relation holds in these documents, or none of a type that is asked for."
        )
    if len(candidates) > max_candidates:
        candidates = candidates[torch.linspace(0, len(candidates) - 1, max_candidates).long()]

    def score(threshold: float) -> float:
        return summarize(count_decisions(cells, threshold).values())[f"{average}_f1"]

    best = max(candidates.tolist(), key=score)
    lower = cells.probabilities[cells.probabilities < best]
    threshold = (best + float(lower.max())) / 2 if len(lower) else best / 2
    model.config.threshold = threshold
    return {**summarize(count_decisions(cells, threshold).values()), "threshold": threshold}


@torch.inference_mode()
def score_cells(model: Any, documents: Any, collator: RelationCollator, batch_size: int = 32) -> Cells:
    """Probabilities of all cells whose truth is known."""
    collator = collator.for_evaluation()
    collator.with_relation_keys = True
    was_training = model.training
    model.eval()
    parts = []
    for batch in _batches(documents, collator, batch_size):
        keys = batch.pop("relation_keys")
        labels = mask_labels(batch)
        logits = model(**batch.to(model.device)).logits.float().cpu()
        known = labels != IGNORED_LABEL
        parts.append(Cells(logits[known].sigmoid(), labels[known], keys.unsqueeze(1).expand_as(labels)[known]))
    model.train(was_training)
    empty = Cells(torch.zeros(0), torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    return Cells(*(torch.cat(tensors) for tensors in zip(*(parts or [empty]), strict=True)))


def mask_labels(batch: Mapping[str, Tensor]) -> Tensor:
    """The `labels` of a batch with padding set to −100, `(batch, pairs, relations)`."""
    real = batch["pair_mask"].unsqueeze(2) & batch["relation_mask"].unsqueeze(1)
    return batch["labels"].masked_fill(~real, IGNORED_LABEL)


def _batches(documents: Any, collator: RelationCollator, batch_size: int) -> Iterator[Any]:
    dataset = RelationDataset.wrap(documents)
    order = sorted(range(len(dataset)), key=lambda i: len(dataset[i].document.words))
    for first in range(0, len(order), batch_size):
        yield collator([dataset[i] for i in order[first : first + batch_size]])
