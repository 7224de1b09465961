"""The figures of a report, each worked out by hand on the result in `reported.py`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reported import FIRST, NAMES, PAIRS, make_result, scored

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import ScoredDocument, measure_reliability
from glirel_transformers.evaluation.report import (
    average_precision,
    calibration,
    compare_scores,
    confusion,
    decide,
    direction,
    document_counts,
    figures_of,
    flatten,
    holm,
    make_report,
    paired_bootstrap,
    precision_recall,
    thresholds,
    try_orders,
    type_rows,
)
from glirel_transformers.evaluation.report import bootstrap as bootstrap_module
from glirel_transformers.evaluation.report.curves import FlatCells
from glirel_transformers.mentions_glirel import Entity


@pytest.fixture(scope="module")
def result():
    return make_result()


def cells_of(probability, is_gold, unscored=0):
    size = len(probability)
    none = np.zeros(1, dtype=np.int64)
    return FlatCells(
        np.array(probability, dtype=np.float32),
        np.array(is_gold, dtype=bool),
        np.zeros(size, dtype=np.int32),
        none + unscored,
        none,
        none,
        np.ones(size, dtype=bool),
    )


def test_every_gold_relation_and_every_prediction_is_told_once(result):
    told = [
        (one.kind, one.document, one.head.text, one.tail.text, one.gold, one.predicted, one.score, one.gold_score)
        for one in decide(result)
    ]
    assert sorted(told, key=repr) == sorted(
        [
            (None, 0, "Ann", "Bob", 0, 0, pytest.approx(0.9), pytest.approx(0.9)),
            ("wrong_direction", 0, "Cid", "Ann", 0, 0, pytest.approx(0.7), pytest.approx(0.4)),
            ("wrong_direction", 0, "Bob", "Ann", None, 0, pytest.approx(0.6), None),
            ("wrong_type", 0, "Bob", "Cid", 1, 0, pytest.approx(0.8), pytest.approx(0.3)),
            ("not_scored", 1, "Dee", "Eve", 1, None, None, None),
            ("below_threshold", 1, "<b>|", "Eve", 0, None, pytest.approx(0.3), pytest.approx(0.3)),
            ("spurious", 1, "Dee", "<b>|", None, 1, pytest.approx(0.95), None),
        ],
        key=repr,
    )


def test_rows_of_the_confusion_add_up_to_the_support_and_columns_to_what_is_predicted(result):
    found = confusion(list(decide(result)), NAMES)
    assert found.rows == ["author", "part of", "none"]
    assert found.columns == ["author", "part of", "swapped", "none", "not scored"]
    assert found.counts.tolist() == [[1, 0, 1, 1, 0], [1, 0, 0, 0, 1], [1, 1, 0, 0, 0]]
    rows = type_rows(flatten(result), NAMES)
    assert found.counts[:2].sum(1).tolist() == [row.support for row in rows]
    assert (found.counts[:, :2].sum(0) + found.counts[:2, 2]).tolist() == [row.predicted for row in rows]
    assert found.most_frequent(1) == [("author", "swapped", 1)]
    assert len(found.most_frequent()) == 6


def test_figures_of_each_type(result):
    author, part = type_rows(flatten(result), NAMES)
    assert (author.support, author.predicted, author.right) == (3, 4, 1)
    assert (author.precision, author.recall, author.f1) == pytest.approx((1 / 4, 1 / 3, 2 / 7))
    assert author.average_precision == pytest.approx((1 + 2 / 5 + 3 / 6) / 3)
    assert (part.support, part.predicted, part.right, part.f1) == (2, 1, 0, 0)
    assert part.average_precision == pytest.approx(1 / 2 * 1 / 2)  # one of two has a score, behind a wrong one
    assert average_precision(np.zeros(0, dtype=bool), np.zeros(0)) is None
    assert average_precision(np.zeros(2, dtype=bool), np.ones(2)) is None
    assert average_precision(np.zeros(2, dtype=bool), np.ones(2), num_unscored=1) == 0


def test_they_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(1)
    is_gold = generator.random(500) < 0.2
    probability = np.round(np.clip(generator.normal(0.3 + 0.3 * is_gold, 0.2), 0, 1), 2).astype(np.float32)
    order = np.argsort(-probability)
    cells = cells_of(probability[order], is_gold[order])
    expected = metrics.average_precision_score(is_gold, probability)
    assert average_precision(cells.is_gold, cells.probability) == pytest.approx(expected)
    curve = precision_recall(cells)
    points = list(zip(*metrics.precision_recall_curve(is_gold, probability)[:2], strict=True))
    for point in zip(curve.precision, curve.recall, strict=True):
        assert any(point == pytest.approx(other) for other in points)
    found = thresholds(cells)
    for place in (0, 24, 49, 98):
        predicted = probability >= np.float32(found.threshold[place])
        assert found.micro[place] == pytest.approx(metrics.f1_score(is_gold, predicted))


def test_a_curve_ends_at_the_recall_that_can_be_reached(result):
    curve = precision_recall(flatten(result))
    assert curve.recall[-1] == pytest.approx(4 / 5)
    assert curve.recall == sorted(curve.recall)
    assert (curve.threshold[0], curve.precision[0], curve.recall[0]) == (pytest.approx(0.95), 0, 0)
    assert curve.average_precision == pytest.approx((1 / 2 + 2 / 6 + 4 / 8 + 4 / 8) / 5)  # both of 0.3 come together


def test_calibration_error(result):
    found = calibration(cells_of([0.95, 0.15, 0.15, 0.05], [1, 0, 1, 0]), 10)
    assert found.error == found.error_of_best == pytest.approx((0.05 + 2 * 0.35 + 0.05) / 4)
    assert [one.num_cells for one in found.bins] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found.bins[1].share_right == 0.5
    assert found.bins[2].probability is None
    assert calibration(cells_of([1.0], [1])).bins[-1].num_cells == 1
    assert calibration(cells_of([], [])).error is None
    best = calibration(flatten(result), 10).error_of_best
    # Of the pairs that are known and scored: 0.9+ 0.7 0.6 0.8 0.4+ 0.2, 0.95 0.0 0.05 0.3+
    by_bin = [2 * abs((0.9 + 0.95) / 2 - 1 / 2), 0.7, 0.6, 0.8, 1 - 0.4, 0.2, 0.0 + 0.05, 1 - 0.3]
    assert best == pytest.approx(sum(by_bin) / 10)


def test_the_calibration_error_is_that_of_glirel_calibrate(result):
    cells = flatten(result)
    measured = measure_reliability(torch.from_numpy(cells.probability).logit(1e-7), torch.from_numpy(cells.is_gold))
    found = calibration(cells)
    assert found.error == pytest.approx(measured.ece, abs=1e-6)
    assert len(found.bins) == len(measured.bins) == 15


def test_the_best_threshold_counts_what_has_no_score(result):
    found = thresholds(flatten(result))
    assert found.best_micro.f1 == pytest.approx(2 * 4 / (8 + 5))  # down to 0.3: 4 right, 8 predicted, 5 gold
    assert len(found.threshold) == len(found.micro) == len(found.macro) == 99
    assert found.micro[49] == pytest.approx(2 * 1 / (5 + 5))


def test_direction(result):
    everything, author, part = direction(result)
    assert everything.relation_type is None
    assert (everything.num_pairs, everything.share_as_high, everything.share_predicted) == (4, 0.5, 0.75)
    assert (author.num_pairs, author.share_as_high) == (3, pytest.approx(2 / 3))
    assert author.score == pytest.approx((0.9 + 0.4 + 0.3) / 3)
    assert author.swapped_score == pytest.approx((0.6 + 0.7 + 0.9) / 3)
    assert (part.num_pairs, part.share_as_high, part.num_mutual) == (1, 0, 0)


def test_relations_that_hold_both_ways_tell_nothing_about_direction():
    rows = ["0.9+ 0.1", "0 0", "0.2+ 0.1", "0 0", "0 0", "0 0"]
    everything, author = direction(make_result(scored(rows, ["Ann", "Bob", "Cid"], 0)))
    assert (author.num_pairs, author.num_mutual, author.share_as_high) == (0, 2, None)
    assert everything.num_mutual == 2


def test_entities_that_were_not_found_and_spans_that_are_none():
    document = Document(
        ["Ann", "met", "Bob", "in", "Rome"],
        [Mention(0, 1, "X"), Mention(2, 3, "X"), Mention(4, 5, "X")],
        [Relation(0, 1, "author"), Relation(0, 2, "part of")],
    )
    entities = [Entity(0, 3, "Ann", "X", 0), Entity(8, 11, "Bob", "X", 1), Entity(4, 7, "met", "X", 2)]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0, 0], [0, 0], [0, 0], [0, 0]], dtype=np.float32)
    labels = np.array([[1, 0], *[[0, 0]] * 5], dtype=np.int8)
    one = ScoredDocument(document, document.to_text()[0], entities, PAIRS, probabilities, labels, missed=(1,))
    result = make_result(one, entities="found")
    found = {decision.kind: decision for decision in decide(result)}
    assert set(found) == {None, "wrong_entity", "entity_missed"}
    assert (found["wrong_entity"].head.text, found["wrong_entity"].tail.text) == ("Ann", "met")
    missed = found["entity_missed"]
    assert (missed.head.found, missed.tail.found, missed.tail.text, missed.gold) == (True, False, "Rome", 1)
    assert type_rows(flatten(result), NAMES)[1].support == 1
    assert make_report(result).confusion.counts.tolist() == [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 1, 0, 0, 0]]


def test_the_best_of_each_pair_is_predicted_where_that_is_the_protocol():
    result = make_result(scored(FIRST, ["Ann", "Bob", "Cid"], 0), decision="best", threshold=None)
    report = make_report(result)
    assert report.thresholds is None
    assert sum(row.predicted for row in report.rows) == 6


def test_a_shift_is_measured_where_both_have_scores(result):
    changed = make_result(
        scored(["0.4+ 0.1", *FIRST[1:]], ["Ann", "Bob", "Cid"], 0),
        make_result().documents[1],
    )
    changed.relation_types = ["part_of", "the author"]
    for one in changed.documents:
        for name in ("probabilities", "labels"):
            object.__setattr__(one, name, getattr(one, name)[:, ::-1])
    shift = compare_scores("other names", result, changed, [1, 0])
    assert (shift.num_cells, shift.num_apart, shift.num_flipped) == (20, 0, 1)
    assert shift.largest_change == pytest.approx(0.5)
    assert shift.mean_change == pytest.approx(0.5 / 20)
    assert shift.mean_change_of_gold == pytest.approx(0.5 / 4)
    assert shift.share_flipped == pytest.approx(1 / 5)
    assert shift.f1 == [0, 0]
    assert shift.micro_f1 == 0
    with pytest.raises(ValueError, match="of 2 and of 1 texts"):
        compare_scores("x", result, make_result(result.documents[0]), [0, 1])


def test_each_order_is_tried_once(result):
    asked = []

    def ask(names):
        asked.append(names)
        changed = make_result(*result.documents)
        changed.relation_types = names
        return changed

    shifts = try_orders(ask, result, number=5)
    assert asked == [["part of", "author"]]  # two types have no other
    assert shifts[0].name == "reversed"
    assert shifts[0].largest_change == pytest.approx(0.8)  # the columns were not swapped with the names


def test_counts_of_documents_and_their_figures(result):
    counts = document_counts(result)
    assert counts.tolist() == [[[1, 4, 2], [0, 0, 1]], [[0, 0, 1], [0, 1, 1]]]
    micro = (1 / 5, 1 / 5, 1 / 5)
    macro = (1 / 8, 1 / 6, 1 / 7)
    assert figures_of(counts.sum(0)) == pytest.approx([*micro, *macro])


def test_a_bootstrap_draws_the_same_documents_for_both(monkeypatch):
    generator = np.random.default_rng(3)
    gold = generator.integers(0, 4, (30, 2))
    first, second = (
        np.stack([right := generator.binomial(gold, share), right + generator.integers(0, 2, (30, 2)), gold], -1)
        for share in (0.4, 0.7)
    )
    first, second = first.astype(float), second.astype(float)
    found = paired_bootstrap(first, second, resamples=50, seed=7)
    drawn = np.random.default_rng(7).integers(0, 30, (50, 30))
    naive = np.array([figures_of(second[one].sum(0)) - figures_of(first[one].sum(0)) for one in drawn])
    micro = found[2]
    assert micro.figure == "micro_f1"
    assert (micro.low, micro.high) == pytest.approx(tuple(np.quantile(naive[:, 2], [0.025, 0.975])))
    assert micro.difference == pytest.approx(micro.second - micro.first)
    other = min((naive[:, 2] <= 0).sum(), (naive[:, 2] >= 0).sum())
    assert micro.p == pytest.approx(2 * (1 + other) / 51)
    monkeypatch.setattr(bootstrap_module, "_CELLS_AT_ONCE", 100)
    assert paired_bootstrap(first, second, resamples=50, seed=7) == [pytest.approx(one) for one in found]


def test_what_is_equal_is_chance_and_what_is_always_better_is_not():
    right = np.tile([1.0, 1.0, 1.0], (20, 1, 1))
    wrong = np.tile([0.0, 1.0, 1.0], (20, 1, 1))
    equal, better = paired_bootstrap(right, right, 99)[2], paired_bootstrap(wrong, right, 99)[2]
    assert (equal.difference, equal.low, equal.high, equal.p) == (0, 0, 0, 1)
    assert (better.difference, better.low, better.high, better.p) == (1, 1, 1, 0.02)


def test_a_bootstrap_refuses_what_cannot_be_compared():
    counts = np.ones((3, 1, 3))
    with pytest.raises(ValueError, match="of 3 documents and 1 relation types, and of 2 and 1"):
        paired_bootstrap(counts, counts[:2])
    with pytest.raises(ValueError, match="gold relations of both differ"):
        paired_bootstrap(counts, counts * 2)
    with pytest.raises(ValueError, match="at least 2: got 1"):
        paired_bootstrap(counts[:1], counts[:1])
    with pytest.raises(ValueError, match="at least 1: got 0"):
        paired_bootstrap(counts, counts, 0)


def test_correction_for_several_comparisons():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
