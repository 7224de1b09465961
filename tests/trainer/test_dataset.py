from collections import Counter

import pytest

from glirel_transformers.data import Document, Mention, Relation, load_documents, write_documents
from glirel_transformers.trainer import RelationDataset, RelationSampler


def document(length, *types):
    relations = [Relation(0, 1, name) for name in types]
    return Document(["word"] * length, [Mention(0, 1), Mention(1, 2)], relations)


@pytest.fixture
def dataset():
    frequent = [document(2 + i % 7, "often") for i in range(40)]
    both = [document(9, "often", "rare") for _ in range(3)]
    return RelationDataset([*frequent, *both, *(document(5, "rare") for _ in range(4)), document(4)])


def order(sampler, epoch):
    sampler.dataset.set_epoch(epoch)
    return list(sampler)


def test_an_epoch_visits_everything_once_in_an_order_of_its_own(dataset):
    sampler = RelationSampler(dataset, seed=1)
    first, second = order(sampler, 0), order(sampler, 1)
    assert sorted(first) == sorted(second) == list(range(48))
    assert first != second
    assert order(sampler, 0) == first
    assert order(RelationSampler(dataset, seed=2), 0) != first


def test_no_type_dominates_and_the_length_is_the_same_in_every_epoch(dataset):
    sampler = RelationSampler(dataset, max_per_relation=10)
    seen = set()
    for epoch in range(6):
        indices = order(sampler, epoch)
        assert len(indices) == len(set(indices)) == len(sampler)
        counts = Counter(r.relation_type for i in indices for r in dataset[i].document.relations)
        assert counts["rare"] >= 7 - 2  # the order's last few may give way, so that all epochs have one length
        assert counts["often"] <= 10 + 3 + 2  # documents with a rare type come along, whatever else they hold
        seen.update(indices)
    assert len(seen) > 30


def test_texts_of_like_length_stand_together(dataset):
    sampler = RelationSampler(dataset, group_by_length=4)
    indices = order(sampler, 3)
    assert sorted(indices) == list(range(48))
    lengths = [len(dataset[i].document.words) for i in indices]
    spread = [max(lengths[i : i + 4]) - min(lengths[i : i + 4]) for i in range(0, 48, 4)]
    assert sum(spread) <= 9
    assert lengths != sorted(lengths, reverse=True)


def test_a_short_batch_stays_at_the_end():
    dataset = RelationDataset([document(2 + i) for i in range(10)])
    indices = order(RelationSampler(dataset, group_by_length=4), 0)
    assert sorted(indices) == list(range(10))
    assert sorted(len(dataset[i].document.words) for i in indices[-2:]) == [2, 3]


def test_a_cap_below_one_is_refused(dataset):
    with pytest.raises(ValueError, match="`max_per_relation` must be at least 1, or None: got 0"):
        RelationSampler(dataset, max_per_relation=0)


def test_rows_of_a_datasets_dataset_become_documents(dataset, tmp_path):
    documents = [example.document for example in dataset]
    write_documents(tmp_path / "documents.jsonl", documents)
    rows = RelationDataset.wrap(load_documents(tmp_path / "documents.jsonl"))
    assert [example.document for example in rows] == documents
    assert RelationDataset.wrap(rows) is rows
