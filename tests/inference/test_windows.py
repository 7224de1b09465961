"""Texts that are longer than the model reads."""

from __future__ import annotations

import itertools

import pytest
from asked import TYPES, assert_same_results, found

from glirel_transformers import extractor_glirel as extractor_module
from glirel_transformers.windows_glirel import split_windows


def long_text(num_fillers: int) -> tuple[str, list[tuple[int, int]]]:
    """Names among many words, so that neighbours fit into a window and the first and the last do not."""
    words, entities, position = [], [], 0
    for number in range(num_fillers):
        word = (
            ("Marie", "Warsaw", "London")[number // 12 % 3] if number % 12 == 5 else ("of", "the", "work")[number % 3]
        )
        if number % 12 == 5:
            entities.append((position, position + len(word)))
        words.append(word)
        position += len(word) + 1
    return " ".join(words), entities


@pytest.fixture
def warnings_of_windows(caplog):
    name = extractor_module.__name__
    return lambda: [record.getMessage() for record in caplog.records if record.name == name]


def test_too_long_a_text_is_an_error_by_default(extract):
    text, entities = long_text(200)
    for options in ({}, {"truncation": "error"}):
        with pytest.raises(ValueError, match="The text and 2 relation types need 209 tokens but the model reads 128"):
            extract(text, entities=entities, relation_types=TYPES, **options)


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
def test_windows_of_a_text_that_fits_change_nothing(request, pipe_name):
    pipe = request.getfixturevalue(pipe_name)
    text, entities = long_text(60)
    options = {"entities": entities, "relation_types": TYPES, "threshold": 0.0}
    assert pipe(text, truncation="window", **options) == pipe(text, **options)


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
def test_windows_keep_the_offsets_of_the_whole_text_and_count_what_they_miss(request, pipe_name, warnings_of_windows):
    pipe = request.getfixturevalue(pipe_name)
    text, entities = long_text(300)
    relations = pipe(text, entities=entities, relation_types=TYPES, threshold=0.0, truncation="window")
    for relation in relations:
        for side in (relation["head"], relation["tail"]):
            assert (side["start"], side["end"]) == entities[side["index"]]
            assert text[side["start"] : side["end"]] == side["text"]
    cells = found(relations)
    assert len(set(cells)) == len(cells)
    pairs = {(head, tail) for head, _, tail in cells}
    total = len(entities) * (len(entities) - 1)
    assert pairs >= {(i, i + 1) for i in range(len(entities) - 1)}  # neighbours lie in some window
    assert (0, len(entities) - 1) not in pairs
    (message,) = warnings_of_windows()
    assert message.startswith(f"{total - len(pairs)} of {total} ordered pairs are in no window of 128 tokens")


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
def test_each_pair_has_the_score_of_its_best_window(request, pipe_name):
    """Against windows that are read by hand, as texts of their own."""
    pipe = request.getfixturevalue(pipe_name)
    tokenizer = pipe.tokenizer
    text, entities = long_text(200)
    (words,) = tokenizer.read_words([text])
    spans = tokenizer.align(text, words, entities)
    prompt = tokenizer.read_prompt(TYPES)
    best: dict[tuple[int, str, int], float] = {}
    windows = split_windows(words, [start for start, _ in spans], prompt, tokenizer.room(prompt))
    assert len(windows) > 1
    for begin, end in windows:
        left, right = words.char_spans[begin][0], words.char_spans[end - 1][1]
        inside = [i for i, (start, stop) in enumerate(entities) if left <= start and stop <= right]
        if len(inside) < 2:
            continue
        moved = [(entities[i][0] - left, entities[i][1] - left) for i in inside]
        for relation in pipe(text[left:right], entities=moved, relation_types=TYPES, threshold=0.0):
            (cell,) = found([relation])
            key = (inside[cell[0]], cell[1], inside[cell[2]])
            best[key] = max(best.get(key, 0.0), relation["score"])
    relations = pipe(text, entities=entities, relation_types=TYPES, threshold=0.0, truncation="window", batch_size=3)
    assert set(found(relations)) == set(best)
    for cell, relation in zip(found(relations), relations, strict=True):
        assert relation["score"] == pytest.approx(best[cell], abs=1e-5)


@pytest.mark.parametrize("pipe_name", ["extract", "marked"])
@pytest.mark.parametrize("num_words", [118, 121, 150, 333])
def test_windows_cover_the_text_overlap_and_fit(request, pipe_name, num_words):
    pipe = request.getfixturevalue(pipe_name)
    tokenizer = pipe.tokenizer
    text, entities = long_text(num_words)
    (words,) = tokenizer.read_words([text])
    spans, prompt = tokenizer.align(text, words, entities), tokenizer.read_prompt(TYPES)
    windows = split_windows(words, [start for start, _ in spans], prompt, tokenizer.room(prompt))
    assert windows[0][0] == 0
    assert windows[-1][1] == num_words
    for begin, end in windows:
        inside = [(start, stop) for start, stop in spans if begin <= start and stop <= end]
        assert tokenizer.build(prompt, words, inside, (begin, end))["input_ids"].size <= 128
    for (begin, end), (next_begin, next_end) in itertools.pairwise(windows):
        assert begin < next_begin <= end - (end - begin) // 3
        assert end < next_end


def test_windows_of_a_fitting_text_warn_of_nothing(extract, warnings_of_windows):
    text, entities = long_text(60)
    extract(text, entities=entities, relation_types=TYPES, truncation="window")
    assert warnings_of_windows() == []


def test_texts_of_many_lengths_are_windowed_in_one_batch(extract):
    texts, entities = zip(*(long_text(n) for n in (30, 200, 60, 300)), strict=True)
    options = {"relation_types": TYPES, "threshold": 0.0, "truncation": "window"}
    one_by_one = [extract(t, entities=e, **options) for t, e in zip(texts, entities, strict=True)]
    assert_same_results(extract(list(texts), entities=list(entities), batch_size=5, **options), one_by_one)


def test_relation_types_that_leave_no_room_are_an_error(extract):
    types = [f"{word} of {other}" for word in ("place", "birth", "spouse", "work", "film") for other in "abcdefgh"]
    text, entities = long_text(30)
    with pytest.raises(
        ValueError, match=r"40 relation types take .* leave no room for the word.*fewer relation types"
    ):
        extract(text, entities=entities, relation_types=types, truncation="window")


def test_a_mention_longer_than_a_window_is_counted_as_missed(extract, warnings_of_windows):
    text, _ = long_text(200)
    relations = extract(
        text, entities=[(0, len(text)), (0, 2)], relation_types=TYPES, truncation="window", threshold=0.0
    )
    assert relations == []
    (message,) = warnings_of_windows()
    assert message.startswith("2 of 2 ordered pairs")
