import pytest

from glirel_transformers.data import Document, Mention, Relation, count_relation_types, is_held_out


def document(text):
    return Document(text.split(), [], [])


def test_the_share_is_about_right_and_grows_with_it():
    documents = [document(f"text number {i}") for i in range(2000)]
    small = {i for i, one in enumerate(documents) if is_held_out(one, 0.05)}
    large = {i for i, one in enumerate(documents) if is_held_out(one, 0.2)}
    assert 60 < len(small) < 140
    assert small < large


def test_case_spacing_and_annotation_do_not_matter():
    for i in range(100):
        plain = document(f"Text number {i} .")
        other = Document(["text", "number", str(i)], [Mention(0, 1), Mention(1, 2)], [Relation(0, 1, "r")])
        assert is_held_out(plain, 0.5) == is_held_out(other, 0.5)


def test_a_share_beyond_the_whole_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1: got 5"):
        is_held_out(document("a"), 5)


def test_counts_come_most_frequent_first():
    mentions = [Mention(0, 1), Mention(1, 2)]
    one = Document(["a", "b"], mentions, [Relation(0, 1, "y"), Relation(1, 0, "x"), Relation(1, 0, "y")])
    assert list(count_relation_types([one, one]).items()) == [("y", 4), ("x", 2)]
