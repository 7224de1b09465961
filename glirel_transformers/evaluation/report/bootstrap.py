"""Whether a difference between two checkpoints is more than chance: a paired bootstrap over documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from glirel_transformers.evaluation.counts import precision_recall_f1
from glirel_transformers.evaluation.results import EvaluationResult
from glirel_transformers.losses_glirel import IGNORED_LABEL

_CELLS_AT_ONCE = 8_000_000  # numbers of resampled documents in memory
FIGURES = ("micro_precision", "micro_recall", "micro_f1", "macro_precision", "macro_recall", "macro_f1")


class Difference(NamedTuple):
    """A figure of two checkpoints.

    Args:
        figure: its name, such as `"micro_f1"`.
        first, second: its values.
        difference: the second minus the first.
        low, high: the 2.5th and 97.5th percentile of the difference.
        p: how often chance alone would give the difference another sign, two-sided.
    """

    figure: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float


def document_counts(result: EvaluationResult, num_documents: int | None = None) -> np.ndarray:
    """Right, predicted and gold relations of each document and type, of shape `(documents, relations, 3)`.

    The runs of a result are added up.

    Args:
        result: with cells.
        num_documents: by default as many as the positions of its texts say.
    """
    texts = [(one, scored) for one in result.walk() for scored in one.documents]
    size = 1 + max((scored.position for _, scored in texts), default=-1) if num_documents is None else num_documents
    counts = np.zeros((size, len(result.relation_types), 3), dtype=np.float64)
    places = {name: place for place, name in enumerate(result.relation_types)}
    for one, scored in texts:
        known = scored.labels != IGNORED_LABEL
        gold = scored.labels == 1
        predicted = one.predicted(scored) & known
        found = np.stack([(predicted & gold).sum(0), predicted.sum(0), gold.sum(0)], axis=-1).astype(np.float64)
        np.add.at(found[:, 2], list(scored.missed), 1)
        counts[scored.position, [places[name] for name in one.relation_types]] += found
    return counts


def figures_of(counts: np.ndarray) -> np.ndarray:
    """The `FIGURES` of counts `(…, relations, 3)`: of shape `(…, 6)`."""
    table = torch.from_numpy(counts)
    micro = precision_recall_f1(table.sum(-2))
    has_gold = (table[..., 2:] > 0).double()
    macro = (precision_recall_f1(table) * has_gold).sum(-2) / has_gold.sum(-2).clamp(min=1)
    return torch.cat([micro, macro], dim=-1).numpy()


def paired_bootstrap(first: np.ndarray, second: np.ndarray, resamples: int = 1000, seed: int = 0) -> list[Difference]:
    """Draws documents with replacement, the same for both, and compares their figures.

    p is twice the share of draws in which the difference is 0 or of the other sign, with 1 added to both counts, so
    that it is never below 2 / (resamples + 1). It agrees with the interval: p is below 0.05 where that excludes 0.

    Args:
        first, second: [`document_counts`] of both, of the same documents.
        resamples: how often all documents are drawn.
        seed: of what is drawn.

    Raises:
        ValueError: when the documents differ, or there are fewer than 2.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"The counts are of {first.shape[0]} documents and {first.shape[1]} relation types, and of "
            f"{second.shape[0]} and {second.shape[1]}. Evaluate both on the same documents and types."
        )
    if not np.array_equal(first[..., 2], second[..., 2]):
        raise ValueError("The gold relations of both differ. Evaluate both on the same documents, in the same order.")
    num_documents = len(first)
    if num_documents < 2:
        raise ValueError(f"A bootstrap over documents needs at least 2: got {num_documents}.")
    if resamples < 1:
        raise ValueError(f"`resamples` is a number of draws, at least 1: got {resamples}.")
    values = [figures_of(counts.sum(0)) for counts in (first, second)]
    observed = values[1] - values[0]
    drawn = _resampled(first, second, resamples, np.random.default_rng(seed))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    rarer = np.minimum((drawn <= 0).sum(0), (drawn >= 0).sum(0))
    p = np.minimum(2 * (1 + rarer) / (1 + resamples), 1)
    columns = zip(FIGURES, *values, observed, low, high, p, strict=True)
    return [Difference(name, *map(float, numbers)) for name, *numbers in columns]


def _resampled(first: np.ndarray, second: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """The differences of all resamples, `(resamples, figures)`."""
    num_documents = len(first)
    size = max(1, _CELLS_AT_ONCE // num_documents)
    flat = [counts.reshape(num_documents, -1) for counts in (first, second)]
    parts = []
    for start in range(0, resamples, size):
        number = min(size, resamples - start)
        chosen = generator.integers(0, num_documents, (number, num_documents))
        chosen += np.arange(number)[:, None] * num_documents
        times = np.bincount(chosen.ravel(), minlength=number * num_documents).reshape(number, num_documents)
        before, after = (figures_of((times @ counts).reshape(number, *first.shape[1:])) for counts in flat)
        parts.append(after - before)
    return np.concatenate(parts)


def holm(p_values: Sequence[float]) -> list[float]:
    """The same, corrected for their number (Holm 1979): several comparisons find something by chance more often."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, p_values[place] * (len(p_values) - rank)))
        corrected[place] = least
    return corrected
