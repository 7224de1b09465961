"""Evaluation of extraction: counts at all thresholds, groups of relation types, and nothing excluded silently."""

import pytest
import torch

from glirel_transformers import RelationExtractionPipeline
from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import ThresholdCounts, evaluate_extraction, group_relation_types
from glirel_transformers.trainer import RelationCollator
from glirel_transformers.trainer.metrics import count_decisions, score_cells, summarize


@pytest.fixture(scope="module")
def extract(shared_model):
    return RelationExtractionPipeline(shared_model)


@pytest.fixture
def documents():
    marie = Document(
        ["Marie", "Curie", "was", "born", "in", "Warsaw", "."],
        [Mention(0, 2), Mention(5, 6)],
        [Relation(0, 1, "place of birth")],
    )
    ada = Document(
        ["Ada", "met", "a", "friend", "in", "London", "."],
        [Mention(0, 1), Mention(3, 4), Mention(5, 6)],
        [Relation(0, 1, "friend"), Relation(1, 0, "friend"), Relation(0, 1, "met")],
        exhaustive=False,
    )
    tokyo = Document(["Tokyo", "hosts", "Sony", "."], [Mention(0, 1), Mention(2, 3)], [])
    return [marie, ada, tokyo]


def random_cells(seed, num_types=3):
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.rand(200, num_types, generator=generator)
    labels = torch.randint(0, 2, (200, num_types), generator=generator)
    labels[torch.rand(200, num_types, generator=generator) < 0.2] = -100
    return probabilities, labels


def test_counts_are_those_of_each_threshold_alone():
    counts = ThresholdCounts(3, 0.3215)
    parts = [random_cells(seed) for seed in range(3)]
    for probabilities, labels in parts:
        counts.add(probabilities, labels, torch.arange(3))
    probabilities, labels = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    everything = counts.counts()
    for index in (0, 17, 320, 321, 322, 998):
        predicted = probabilities >= counts.thresholds[index]
        for number in range(3):
            known, gold = labels[:, number] != -100, labels[:, number] == 1
            expected = [(predicted[:, number] & gold).sum(), (predicted[:, number] & known).sum(), gold.sum()]
            assert everything[index, number].tolist() == expected
    at = (probabilities >= 0.3215) & (labels == 1)
    assert counts.by_type()[:, 0].tolist() == at.sum(0).tolist()


def test_averages_curve_and_best_agree():
    counts = ThresholdCounts(3, 0.5)
    counts.add(*random_cells(1), torch.arange(3))
    counts.add_unscored(2)
    averages = counts.averages()
    index = counts.thresholds.tolist().index(0.5)
    for average in ("micro", "macro"):
        assert float(counts.curve(average)[index]) == pytest.approx(averages[f"{average}_f1"])
        best = counts.best(average)
        assert best.f1 == pytest.approx(float(counts.curve(average).max()))
        assert best.f1 >= averages[f"{average}_f1"]


def test_columns_may_stand_in_any_order():
    probabilities, labels = random_cells(2)
    straight, turned = ThresholdCounts(3, 0.5), ThresholdCounts(3, 0.5)
    straight.add(probabilities, labels, torch.arange(3))
    turned.add(probabilities[:, [2, 0]], labels[:, [2, 0]], torch.tensor([2, 0]))
    turned.add(probabilities[:, [1]], labels[:, [1]], torch.tensor([1]))
    assert torch.equal(straight.counts(), turned.counts())


def test_it_agrees_with_the_metrics_of_training(extract, documents):
    """The same cells, read by the collator and by the pipeline."""
    types = ["friend", "met", "place of birth"]
    collator = RelationCollator(extract.tokenizer, types).for_evaluation(types)
    cells = score_cells(extract.model, documents, collator)
    for threshold in (0.2, 0.5, 0.6):
        result = evaluate_extraction(extract, documents, threshold=threshold)
        assert result.counts.averages() == pytest.approx(summarize(count_decisions(cells, threshold).values()))
    assert result.relation_types == ["friend", "met", "place of birth"]
    assert (result.num_documents, result.num_pairs, result.num_unscored_pairs) == (3, 2 + 6 + 2, 0)
    assert result.num_unknown_pairs == 4
    assert result.counts.by_type()[:, 2].tolist() == [2, 1, 1]


def test_types_that_are_not_asked_for_are_counted(extract, documents):
    result = evaluate_extraction(extract, documents, ["met", "spouse"])
    assert result.relation_types == ["met", "spouse"]
    assert result.num_unasked_relations == 3
    assert result.counts.by_type()[:, 2].tolist() == [1, 0]


def test_groups_hold_all_types_in_order(tokenizer):
    types = [f"relation number {i}" for i in range(40)]
    for size in ("auto", 1, 7, 100):
        groups = group_relation_types(tokenizer, types, size)
        assert [name for group in groups for name in group] == types
        if size != "auto":
            assert max(map(len, groups)) == min(size, 40)
        else:
            assert len(groups) > 1
            assert all(len(tokenizer.read_prompt(group).token_ids) <= 64 for group in groups)


def test_each_group_is_asked_for_beside_each_text(extract, documents):
    result = evaluate_extraction(extract, documents, group_size=2)
    assert result.groups == [["friend", "met"], ["place of birth"]]
    assert result.counts.by_type()[:, 2].tolist() == [2, 1, 1]


def test_relations_that_cannot_be_scored_count_as_missed(build_model, documents):
    near = RelationExtractionPipeline(build_model("bert", max_pair_distance=4))
    result = evaluate_extraction(near, documents, threshold=0.0)
    # Marie Curie and Warsaw are five words apart, and so are Ada and London: one pair each way.
    assert result.num_unscored_pairs == 4
    assert result.num_missed_relations == 1
    hits, predicted, gold = result.counts.by_type()[result.relation_types.index("place of birth")].tolist()
    assert (hits, gold) == (0, 1)
    assert predicted > 0


def test_long_texts_are_read_in_windows(extract):
    words = ["Ada", "met", "Alan", *["word"] * 400, "Ada", "met", "Alan"]
    mentions = [Mention(0, 1), Mention(2, 3), Mention(403, 404), Mention(405, 406)]
    document = Document(words, mentions, [Relation(0, 1, "met"), Relation(2, 3, "met"), Relation(0, 3, "met")])
    result = evaluate_extraction(extract, [document], threshold=0.0)
    assert result.num_unscored_pairs == 8
    assert result.num_missed_relations == 1
    assert result.counts.by_type()[0].tolist() == [2, 4, 3]


def test_nothing_to_evaluate_on_is_an_error(extract, documents):
    for texts in ([], documents[2:]):
        with pytest.raises(ValueError, match="nothing to evaluate on"):
            evaluate_extraction(extract, texts)
