import random

import pytest

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.data.duplicates import SameTexts, SharedRuns, placed


def document(text, *relations):
    words = text.split()
    return Document(words, [Mention(0, 1), Mention(1, 2)], [Relation(0, 1, name) for name in relations])


def test_case_spacing_and_signs_do_not_count():
    texts = SameTexts()
    assert texts.add(placed(document("Ada met Alan .", "met"), "line 1")) is None
    assert texts.add(placed(document("ada MET alan", "met"), "line 2"))[1:] == ("line 1", "same")
    assert texts.add(placed(document("Ada met Alan", "knows"), "line 3"))[1:] == ("line 1", "same text")
    assert texts.find(placed(document("Ada met Bob"), "line 4")) is None


def test_texts_without_letters_are_not_all_the_same():
    texts = SameTexts()
    assert texts.add(placed(document("! !"), "1")) is None
    assert texts.add(placed(document("? ?"), "2")) is None
    assert texts.add(placed(document("! !"), "3")) is not None


def runs(length, *texts):
    found = SharedRuns(length)
    for number, text in enumerate(texts, start=1):
        found.add(document(text), str(number))
    return found


def test_shared_runs_of_words():
    mine = runs(
        4, "x y one two three four z", "ONE , Two three-four . q", "one two three five", "one two three five !"
    )
    assert [tuple(row) for row in mine.within()] == [("2", "1", "shared words")]
    theirs = runs(4, "nothing of it here", "and one two three four")
    assert [row[:2] for row in mine.shared_with(theirs)] == [("1", "2"), ("2", "2")]
    assert not list(mine.shared_with(runs(4)))
    assert not list(runs(4, "a b", "a b c d").within())
    with pytest.raises(ValueError, match="at least 1 word: got 0"):
        SharedRuns(0)


def test_the_same_pairs_are_found_as_by_comparing_all_runs():
    chance = random.Random(5)
    texts = [" ".join(chance.choice("abcdefgh") for _ in range(chance.randint(2, 12))) for _ in range(60)]

    def of(text):
        words = text.split()
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    for position, row in enumerate(sorted(runs(5, *texts).within(), key=lambda row: int(row.where))):
        assert position < 60
        assert of(texts[int(row.where) - 1]) & of(texts[int(row.other) - 1])
    expected = {
        str(i + 1)
        for i in range(60)
        if any(of(texts[i]) & of(texts[j]) and texts[i] != texts[j] for j in range(60) if j < i)
    }
    assert {row.where for row in runs(5, *texts).within()} == expected
    halves = runs(5, *texts[:30]).shared_with(runs(5, *texts[30:]))
    crossing = {str(i + 1) for i in range(30) if any(of(texts[i]) & of(one) and texts[i] != one for one in texts[30:])}
    assert {row.where for row in halves} == crossing
