"""Lists, generators and data sets, in batches."""

from __future__ import annotations

import itertools
import threading

import datasets
import pytest
import torch
from asked import CITY, MARIE, PERSON, TYPES, assert_same_results
from tiny import ENTITIES, RELATION_TYPES, TEXTS
from transformers.pipelines.pt_utils import KeyDataset

from glirel_transformers import RelationExtractionPipeline, RelationExtractor
from glirel_transformers import extractor_glirel as extractor_module

MANY_TEXTS = [TEXTS[i % 3] for i in range(11)] + ["", "Lone word"]
MANY_ENTITIES = [ENTITIES[i % 3] for i in range(11)] + [[], [(0, 4)]]


@pytest.fixture(scope="module")
def one_by_one(extract):
    return [
        extract(text, entities=entities, relation_types=RELATION_TYPES, threshold=0.0)
        for text, entities in zip(MANY_TEXTS, MANY_ENTITIES, strict=True)
    ]


def rows() -> list[dict]:
    return [{"text": t, "entities": e} for t, e in zip(MANY_TEXTS, MANY_ENTITIES, strict=True)]


class MapDataset(torch.utils.data.Dataset):
    """As most datasets of torch: no `__iter__`, and no `IndexError` that would end one."""

    def __len__(self) -> int:
        return len(MANY_TEXTS)

    def __getitem__(self, position: int) -> dict:
        return rows()[position % len(self)]


class StreamDataset(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(rows())


def hugging_face_dataset() -> datasets.Dataset:
    as_dicts = [
        {"text": row["text"], "entities": [{"start": start, "end": end} for start, end in row["entities"]]}
        for row in rows()
    ]
    return datasets.Dataset.from_list(as_dicts)


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 4, 100])
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (rows, list),
        (lambda: tuple(rows()), list),
        (lambda: (row for row in rows()), "stream"),
        (lambda: iter(rows()), "stream"),
        (MapDataset, "stream"),
        (StreamDataset, "stream"),
        (hugging_face_dataset, "stream"),
        (lambda: hugging_face_dataset().to_iterable_dataset(), "stream"),
    ],
    ids=["list", "tuple", "generator", "iterator", "torch-map", "torch-stream", "datasets", "datasets-stream"],
)
def test_many_give_the_same_as_one_by_one(extract, one_by_one, make, kind, batch_size):
    results = extract(make(), relation_types=RELATION_TYPES, threshold=0.0, batch_size=batch_size)
    assert isinstance(results, list) == (kind is list)
    assert_same_results(list(results), one_by_one)


def test_texts_and_entities_side_by_side(extract, one_by_one):
    options = {"relation_types": RELATION_TYPES, "threshold": 0.0, "batch_size": 3}
    assert_same_results(extract(MANY_TEXTS, entities=MANY_ENTITIES, **options), one_by_one)
    assert_same_results(list(extract(iter(MANY_TEXTS), entities=iter(MANY_ENTITIES), **options)), one_by_one)
    column = KeyDataset(hugging_face_dataset(), "text")
    assert_same_results(list(extract(column, entities=MANY_ENTITIES, **options)), one_by_one)


@pytest.mark.parametrize("lists", [2, 4])
def test_streams_of_unequal_length_are_an_error(extract, lists):
    results = extract(iter(TEXTS), entities=iter((ENTITIES * 2)[:lists]), relation_types=TYPES)
    with pytest.raises(ValueError, match="`entities` has"):
        list(results)


def test_each_text_may_have_its_own_types(extract):
    inputs = [
        {"text": MARIE, "entities": [PERSON, CITY], "relation_types": ["film"]},
        {"text": MARIE, "entities": [PERSON, CITY], "relation_types": {"a": {"head": ["CITY"]}, "b": None}},
        {"text": MARIE, "entities": [PERSON, CITY]},
    ]
    results = extract(inputs, relation_types=TYPES, threshold=0.0, batch_size=3)
    names = [{relation["relation"] for relation in relations} for relations in results]
    assert names == [{"film"}, {"a", "b"}, set(TYPES)]
    assert [len(relations) for relations in results] == [2, 3, 4]
    for item, relations in zip(inputs, results, strict=True):
        assert_same_results([relations], [extract(item, relation_types=TYPES, threshold=0.0)])


def test_batches_hold_texts_of_similar_length(extract):
    shapes = []
    with extract.model.register_forward_pre_hook(
        lambda module, args, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    ):
        list(extract(rows(), relation_types=TYPES, batch_size=4))
    assert [batch for batch, _ in shapes] == [4, 4, 3]  # the two texts without a pair are never read
    lengths = [length for _, length in shapes]
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


@pytest.mark.parametrize("batch_size", [1, 2])
def test_generators_are_read_as_results_are_taken(extract, batch_size):
    read = []

    def texts():
        for number in itertools.count():  # has no end
            read.append(number)
            yield {"text": MARIE, "entities": [PERSON, CITY]}

    results = extract(texts(), relation_types=TYPES, batch_size=batch_size)
    assert len(read) <= 1  # transformers looks at the first
    assert len(list(itertools.islice(results, 3))) == 3
    assert len(read) <= (3 if batch_size == 1 else 100)


def test_an_error_in_a_stream_comes_when_its_text_is_read(extract):
    stream = iter([{"text": MARIE, "entities": [PERSON, CITY]}, {"text": MARIE, "entities": [(0, 3)]}])
    results = extract(stream, relation_types=TYPES)
    assert isinstance(next(results), list)
    with pytest.raises(ValueError, match="word boundaries"):
        next(results)


def test_texts_are_read_ahead_by_the_caller_and_tokenized_in_a_thread(extract, monkeypatch):
    """The second group is read before the results of the first are taken, and no third."""
    readers, tokenizers = [], []
    group = extractor_module.BATCHES_SORTED_TOGETHER * 2
    read_words = extract.tokenizer.read_words

    def texts():
        while True:
            readers.append(threading.current_thread())
            yield {"text": MARIE, "entities": [PERSON, CITY]}

    def tokenize(texts):
        tokenizers.append(threading.current_thread().name)
        return read_words(texts)

    monkeypatch.setattr(RelationExtractor, "_tokenizes_ahead", True)  # as with an accelerator
    monkeypatch.setattr(extract.tokenizer, "read_words", tokenize)
    results = extract(texts(), relation_types=TYPES, batch_size=2)
    next(results)
    assert set(readers) == {threading.current_thread()}  # files, databases and the like belong to their thread
    assert len(readers) == 2 * group
    results.close()
    assert all(name.startswith("glirel-tokenizer") for name in tokenizers)


def test_no_thread_next_to_a_model_on_a_cpu(extract, monkeypatch):
    monkeypatch.setattr(extractor_module, "ahead", None)
    texts = [{"text": MARIE, "entities": [PERSON, CITY]}] * 40
    assert len(extract(texts, relation_types=TYPES, batch_size=2)) == 40


def test_the_order_of_a_dictionary_of_types_is_kept(extract):
    for names in (["spouse", "place of birth"], ["place of birth", "spouse"]):
        types = dict.fromkeys(names)
        of_dict = extract(MARIE, entities=[PERSON, CITY], relation_types=types, threshold=0.0)
        assert of_dict == extract(MARIE, entities=[PERSON, CITY], relation_types=names, threshold=0.0)


@pytest.mark.parametrize("ahead", [False, True])
def test_an_error_in_a_text_comes_after_the_results_before_it(extract, monkeypatch, ahead):
    monkeypatch.setattr(RelationExtractor, "_tokenizes_ahead", ahead)
    group = extractor_module.BATCHES_SORTED_TOGETHER * 2
    good = {"text": MARIE, "entities": [PERSON, CITY]}
    results = extract(
        iter([good] * group + [{"text": MARIE, "entities": [(0, 3)]}]), relation_types=TYPES, batch_size=2
    )
    for _ in range(group):
        assert isinstance(next(results), list)
    with pytest.raises(ValueError, match=f"Text {group}: .*word boundaries"):
        next(results)


def test_batches_on_a_cpu_hold_a_bounded_number_of_tokens(extract, monkeypatch):
    texts = rows() * 4
    expected = extract(texts, relation_types=TYPES, batch_size=16, threshold=0.0)
    monkeypatch.setattr(extractor_module, "_TOKENS_ON_CPU", 60)
    shapes = []
    with extract.model.register_forward_pre_hook(
        lambda module, args, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    ):
        bounded = extract(texts, relation_types=TYPES, batch_size=16, threshold=0.0)
    assert all(batch == 1 or batch * length <= 60 for batch, length in shapes)
    assert any(batch > 1 for batch, _ in shapes)
    assert [[r["relation"] for r in one] for one in bounded] == [[r["relation"] for r in one] for one in expected]


def test_relation_types_that_change_between_texts_are_read_again(extract):
    types = {"spouse": {"head": ["PERSON"], "tail": ["PERSON"]}}
    asked = {"entities": [PERSON, CITY], "threshold": 0.0}
    assert extract(MARIE, relation_types=types, **asked) == []
    types["spouse"]["tail"].append("CITY")
    assert len(extract(MARIE, relation_types=types, **asked)) == 1


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_one_is_an_error(extract, batch_size):
    with pytest.raises(ValueError, match=f"`batch_size` must be a whole number of at least 1: got {batch_size}"):
        extract(rows(), relation_types=TYPES, batch_size=batch_size)


def test_settings_of_the_pipeline_serve_every_call(shared_model, extract):
    pipe = RelationExtractionPipeline(shared_model, relation_types=TYPES, threshold=0.0, top_k=1, batch_size=2)
    assert pipe(MARIE, entities=[PERSON, CITY]) == extract(
        MARIE, entities=[PERSON, CITY], relation_types=TYPES, threshold=0.0, top_k=1
    )
    assert len(pipe(MARIE, entities=[PERSON, CITY], top_k=2)) == 4
    assert len(pipe(MARIE, entities=[PERSON, CITY], relation_types=["film"])) == 2
