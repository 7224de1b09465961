"""Which spans are candidates for relations, on numpy: as `CandidateSelection` in `finder_glirel.py` on torch.

Axes: `batch, words, widths, types`; `types` are entity types here. Spans are half-open; one of width w has w + 1
words.
"""

from __future__ import annotations

import numpy as np

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.text_glirel import ordered_pairs


def select_candidates(
    logits: np.ndarray, word_mask: np.ndarray, type_mask: np.ndarray, config: GLiRELConfig, threshold: float
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The likeliest spans whose best type is above the threshold, and all their ordered pairs.

    Args:
        logits: of entities, as the model gives them.
        word_mask, type_mask: `(batch, words)` and `(batch, types)`, True where real.
        config: of the model.
        threshold: a candidate's probability is above it.

    Returns:
        `mention_word_spans`, `mention_mask`, `pair_index`, `pair_mask`; and how many candidates there were before the
        likeliest `max_candidates` were taken, `(batch,)`.
    """
    probabilities = span_probabilities(logits, config)
    num_batch, num_words, num_widths, _ = probabilities.shape
    best = np.where(type_mask[:, None, None], probabilities, -1.0).max(axis=-1, initial=-1.0)
    start, width = np.arange(num_words)[:, None], np.arange(num_widths)
    in_padding = start + width >= word_mask.sum(1)[:, None, None]
    scores = np.where(in_padding, -1.0, best).reshape(num_batch, -1)
    likely = scores > threshold
    num_candidates = likely.sum(1)
    count = min(config.max_candidates, int(num_candidates.max(initial=0)))
    ranked = np.argsort(np.where(likely, -scores, 1.0), axis=1, kind="stable")[:, :count]
    nowhere = scores.shape[1]
    place = np.sort(np.where(np.take_along_axis(likely, ranked, 1), ranked, nowhere), axis=1)  # as in the text
    mask = place < nowhere
    first, last = np.divmod(np.where(mask, place, 0), max(num_widths, 1))
    spans = np.stack([first, first + last + 1], axis=-1) * mask[..., None]
    pairs = ordered_pairs([[]] * count, max_distance=None)
    return {
        "mention_word_spans": spans,
        "mention_mask": mask,
        "pair_index": np.tile(pairs, (num_batch, 1, 1)),
        "pair_mask": mask[:, pairs[:, 0]] & mask[:, pairs[:, 1]],
    }, num_candidates


def span_probabilities(logits: np.ndarray, config: GLiRELConfig) -> np.ndarray:
    """How likely every span is an entity of each type, `(batch, words, widths, types)`."""
    with np.errstate(over="ignore"):
        probabilities: np.ndarray = 1 / (1 + np.exp(-logits))
    if config.entity_finder == "span":
        return probabilities
    starts, ends, inside = np.moveaxis(probabilities, -1, 0)
    num_words = starts.shape[1]
    num_widths = num_words if config.max_entity_width is None else config.max_entity_width
    # Behind the last word, nothing is within an entity.
    last = np.minimum(np.arange(num_words)[:, None] + np.arange(num_widths), num_words)
    of_ends, of_inside = (np.pad(part, ((0, 0), (0, 1), (0, 0)))[:, last] for part in (ends, inside))
    return np.minimum(np.minimum(starts[:, :, None], of_ends), np.minimum.accumulate(of_inside, axis=2))


__all__ = ["select_candidates", "span_probabilities"]
