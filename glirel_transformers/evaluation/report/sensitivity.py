"""What scores should not depend on, order and wording of the relation types, and what they should: direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from glirel_transformers.evaluation.results import EvaluationResult, ScoredDocument
from glirel_transformers.losses_glirel import IGNORED_LABEL

from .curves import flatten, type_rows


class DirectionRow(NamedTuple):
    """How a relation type fares with head and tail swapped.

    Args:
        relation_type: its name; `None` for all together.
        num_pairs: gold relations whose reverse is scored and is not gold.
        num_mutual: gold relations whose reverse is gold too, which are left out.
        share_as_high: of `num_pairs`, how many score at least as high when swapped; half, where a model cannot tell.
        share_predicted: how many are predicted when swapped.
        score, swapped_score: mean probabilities.
    """

    relation_type: str | None
    num_pairs: int
    num_mutual: int
    share_as_high: float | None
    share_predicted: float | None
    score: float | None
    swapped_score: float | None


def direction(result: EvaluationResult) -> list[DirectionRow]:
    """All relation types together, then each that has a gold relation, in their order."""
    found = [_swapped_cells(result, one) for one in result.documents]
    columns, scores, swapped, predicted, mutual = (
        np.concatenate([part[place] for part in found]) if found else np.zeros(0) for place in range(5)
    )
    columns = columns.astype(np.int64)
    is_mutual: np.ndarray = mutual.astype(np.bool_)

    def row(name: str | None, own: np.ndarray) -> DirectionRow:
        alone = own & ~is_mutual
        number = int(alone.sum())
        if not number:
            return DirectionRow(name, 0, int((own & is_mutual).sum()), None, None, None, None)
        return DirectionRow(
            name,
            number,
            int((own & is_mutual).sum()),
            float((swapped[alone] >= scores[alone]).mean()),
            float(predicted[alone].mean()),
            float(scores[alone].mean()),
            float(swapped[alone].mean()),
        )

    all_rows = [row(name, columns == place) for place, name in enumerate(result.relation_types)]
    return [row(None, np.ones(len(columns), dtype=np.bool_)), *(r for r in all_rows if r.num_pairs or r.num_mutual)]


def _swapped_cells(result: EvaluationResult, one: ScoredDocument) -> tuple[np.ndarray, ...]:
    """Of gold cells: column, score, swapped score, whether that is predicted, and whether it is gold."""
    pairs = [(head, tail) for head, tail in one.pair_index.tolist()]
    row_of = {pair: row for row, pair in enumerate(pairs)}
    other = np.array([row_of.get((tail, head), -1) for head, tail in pairs], dtype=np.int64)
    rows, columns = np.nonzero(one.labels == 1)
    swapped = other[rows] if len(rows) else rows
    fits = (swapped >= 0) & (swapped != rows)
    rows, columns, swapped = rows[fits], columns[fits], swapped[fits]
    scores, reverse = one.probabilities[rows, columns], one.probabilities[swapped, columns]
    fits = ~np.isnan(scores) & ~np.isnan(reverse)
    predicted = result.predicted(one)[swapped, columns]
    mutual = one.labels[swapped, columns] == 1
    return columns[fits], scores[fits], reverse[fits], predicted[fits], mutual[fits]


class Shift(NamedTuple):
    """How scores differ from those of the names as they are, in their own order.

    Args:
        name: what was changed.
        num_cells: cells that were scored both times.
        num_apart: cells that were scored only once, as entities or windows differ.
        mean_change: mean distance of both probabilities.
        mean_change_of_gold: the same of gold cells alone; `None` without any.
        largest_change: the largest.
        num_flipped: cells that are predicted only once.
        share_flipped: of the cells that are predicted at all.
        micro_f1, macro_f1: with the change.
        f1: of each relation type, with the change, in the order of the original ones.
        example: a name with the change.
    """

    name: str
    num_cells: int
    num_apart: int
    mean_change: float
    mean_change_of_gold: float | None
    largest_change: float
    num_flipped: int
    share_flipped: float
    micro_f1: float
    macro_f1: float
    f1: list[float]
    example: str = ""


def compare_scores(
    name: str, base: EvaluationResult, changed: EvaluationResult, columns: Sequence[int], example: str = ""
) -> Shift:
    """The same texts, asked in another way.

    Args:
        name: what was changed.
        base: the names as they are.
        changed: the same texts with the change.
        columns: for each relation type of `base` its position in those of `changed`.
        example: a name with the change.

    Raises:
        ValueError: when the texts differ.
    """
    if len(base.documents) != len(changed.documents):
        raise ValueError(
            f"The scores are of {len(base.documents)} and of {len(changed.documents)} texts. Compare the same texts."
        )
    pairs = [_common(base, one, changed, other, columns) for one, other in zip(base.documents, changed.documents)]
    before, after, gold, flipped, predicted = (np.concatenate([part[place] for part in pairs]) for place in range(5))
    num_apart = sum(part[5] for part in pairs)
    change = np.abs(before.astype(np.float64) - after)
    rows = type_rows(flatten(changed), changed.relation_types)
    own = [rows[place] for place in columns]
    counted = [row for row in own if row.support]
    right, total = sum(row.right for row in own), sum(row.predicted + row.support for row in own)
    num_predicted = int(predicted.sum())
    return Shift(
        name,
        len(change),
        num_apart,
        float(change.mean()) if len(change) else 0.0,
        float(change[gold].mean()) if gold.any() else None,
        float(change.max(initial=0.0)),
        int(flipped.sum()),
        float(flipped.sum()) / num_predicted if num_predicted else 0.0,
        2 * right / total if total else 0.0,
        sum(row.f1 for row in counted) / len(counted) if counted else 0.0,
        [row.f1 for row in own],
        example,
    )


def _common(
    base: EvaluationResult,
    one: ScoredDocument,
    changed: EvaluationResult,
    other: ScoredDocument,
    columns: Sequence[int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """Cells of known truth that have a score both times, and how many have one only once."""
    row_of = {key: row for row, key in enumerate(_keys(other))}
    rows = [(row, row_of[key]) for row, key in enumerate(_keys(one)) if key in row_of]
    mine, theirs = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    places = np.asarray(columns, dtype=np.int64)
    before, after = one.probabilities[mine], other.probabilities[theirs][:, places]
    known = (one.labels[mine] != IGNORED_LABEL) & (other.labels[theirs][:, places] != IGNORED_LABEL)
    both = known & ~np.isnan(before) & ~np.isnan(after)
    was, then = base.predicted(one)[mine], changed.predicted(other)[theirs][:, places]
    scored = sum(int((~np.isnan(s.probabilities) & (s.labels != IGNORED_LABEL)).sum()) for s in (one, other))
    gold = one.labels[mine] == 1
    return before[both], after[both], gold[both], (was != then)[both], (was | then)[both], scored - 2 * int(both.sum())


def _keys(one: ScoredDocument) -> Iterator[tuple[object, ...]]:
    """What tells pairs apart, whichever entities there are besides."""
    ends = [(tuple(m[:2] for m in entity.mentions), entity.label) for entity in one.entities]
    return ((ends[head], ends[tail]) for head, tail in one.pair_index.tolist())


def orders(num_types: int, number: int, seed: int = 0) -> list[list[int]]:
    """Orders of the relation types other than their own: the reverse, then random ones; each once."""
    own = list(range(num_types))
    generator = np.random.default_rng(seed)
    found: list[list[int]] = []
    candidates = [own[::-1], *(generator.permutation(num_types).tolist() for _ in range(10 * number))]
    for order in candidates:
        if order != own and order not in found and len(found) < number:
            found.append(order)
    return found


def try_orders(
    ask: Callable[[list[str]], EvaluationResult], base: EvaluationResult, number: int, seed: int = 0
) -> list[Shift]:
    """Asks for the relation types in other orders.

    Args:
        ask: evaluates the same texts with relation types in the order given.
        base: in their own order.
        number: how many orders.
        seed: of the random ones.
    """
    shifts = []
    names = base.relation_types
    for place, order in enumerate(orders(len(names), number, seed)):
        changed = ask([names[one] for one in order])
        columns = [changed.relation_types.index(name) for name in names]
        shifts.append(compare_scores("reversed" if place == 0 else f"shuffled {place}", base, changed, columns))
    return shifts


def try_wordings(
    ask: Callable[[dict[str, str]], EvaluationResult], base: EvaluationResult, wordings: dict[str, dict[str, str]]
) -> list[Shift]:
    """Asks for the relation types by other names.

    Args:
        ask: evaluates the same texts with each relation type by the name given for it.
        base: with their own names.
        wordings: for each wording the name of each relation type.
    """
    shifts = []
    for title, names in wordings.items():
        changed = ask(names)
        columns = [changed.relation_types.index(names[name]) for name in base.relation_types]
        example = next(names[name] for name in base.relation_types if names[name] != name)
        shifts.append(compare_scores(title, base, changed, columns, example))
    return shifts
