import pytest

from glirel_transformers.data import Document, Mention, Relation, is_held_out
from glirel_transformers.data.zero_shot_splits import (
    draw_types,
    part_by_hash,
    published_types,
    read_shares,
    split_by_text,
    split_by_types,
)

TYPES = {"train": ["a", "b"], "dev": ["d"], "test": ["t"]}


def document(number, *relations, **settings):
    return Document(
        ["text", str(number), "."],
        [Mention(0, 1), Mention(1, 2)],
        [Relation(0, 1, name, f"P{ord(name[0])}") for name in relations],
        **settings,
    )


DOCUMENTS = [
    document(0, "a"),
    document(1, "b"),
    document(2, "d"),
    document(3, "t"),
    document(4, "a", "t"),
    document(5, "a", "d"),
    document(6, "d", "t"),
    document(7, "a"),
    document(7, "t"),
    *(document(number) for number in range(100, 160)),
]


def types_in(part):
    return {relation.relation_type for one in part for relation in one.relations}


@pytest.mark.parametrize("mixed", ["unseen", "seen", "half", "drop"])
def test_no_type_and_no_text_is_in_two_parts(mixed):
    split = split_by_types(DOCUMENTS, TYPES, mixed=mixed)
    for part, names in TYPES.items():
        assert types_in(split.parts[part]) <= set(names)
    texts = [{one.words[1] for one in part} for part in split.parts.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    for part in split.parts.values():
        for one in part:
            before = next(d for d in DOCUMENTS if d.words == one.words and set(one.relations) <= set(d.relations))
            assert one.exhaustive == (len(one.relations) == len(before.relations))


def test_where_mixed_texts_go():
    def numbers(split, part):
        return sorted(int(one.words[1]) for one in split.parts[part] if one.relations)

    unseen = split_by_types(DOCUMENTS, TYPES)
    assert [numbers(unseen, part) for part in TYPES] == [[0, 1], [2, 5], [3, 4, 6, 7]]
    assert unseen.counts["documents left out because all of their relations were removed"] == 1  # 7, with a
    assert unseen.counts["relations of types of other parts removed"] == 4
    seen = split_by_types(DOCUMENTS, TYPES, mixed="seen")
    assert [numbers(seen, part) for part in TYPES] == [[0, 1, 4, 5, 7], [2], [3, 6]]
    dropped = split_by_types(DOCUMENTS, TYPES, mixed="drop")
    assert [numbers(dropped, part) for part in TYPES] == [[0, 1], [2], [3]]
    assert dropped.counts["documents of texts with types of several parts left out"] == 5


def test_seen_types_may_stay_in_test_which_then_stays_exhaustive():
    split = split_by_types(DOCUMENTS, TYPES, keep_seen=True)
    assert types_in(split.parts["test"]) == {"a", "t"}
    assert types_in(split.parts["train"]) == {"a", "b"}
    kept = next(one for one in split.parts["test"] if one.words[1] == "4")
    assert kept.exhaustive
    assert len(kept.relations) == 2


def test_texts_without_relations_are_shared_out():
    split = split_by_types(DOCUMENTS, TYPES)
    empty = {part: sum(not one.relations for one in documents) for part, documents in split.parts.items()}
    assert sum(empty.values()) == 60
    assert all(empty.values())


def test_what_is_known_of_entities_stays_known():
    split = split_by_types([document(1, "a", "t"), document(2, "a")], {"train": ["a"], "test": ["t"]})
    (one,) = split.parts["test"]
    assert (one.exhaustive, one.entities_exhaustive) == (False, True)


def test_a_part_without_a_document_is_refused():
    with pytest.raises(ValueError, match=r"No document is left for test: .*--mixed half"):
        split_by_types([document(1, "a", "t")], {"train": ["a"], "test": ["t"]}, mixed="seen")


def test_types_are_drawn_by_seed_alone():
    counts = {f"type {i}": i for i in range(20)}
    drawn = draw_types(counts, 5, 3, seed=7, min_count=2)
    assert drawn == draw_types(dict(reversed(counts.items())), 5, 3, seed=7, min_count=2)
    assert drawn != draw_types(counts, 5, 3, seed=8, min_count=2)
    assert [len(drawn[part]) for part in ("train", "dev", "test")] == [12, 3, 5]
    assert {"type 0", "type 1"} <= set(drawn["train"])
    assert sorted(name for names in drawn.values() for name in names) == sorted(counts)


@pytest.mark.parametrize("numbers", [(0, 0), (1, -1), (20, 0), (18, 2), (19, 0)])
def test_too_many_or_no_types_cannot_be_drawn(numbers):
    with pytest.raises(ValueError, match=r"unseen type or more|cannot be drawn"):
        draw_types({f"type {i}": i for i in range(20)}, *numbers, min_count=2)


def test_a_published_split_by_ids_and_names():
    values = {"train": {"P97": 0, "P98": 1, "P1": 2}, "eval": {"d": 0}, "test": ["P116"]}
    names, absent = published_types(values, DOCUMENTS, "rel2id.json")
    assert names == TYPES
    assert absent == ["P1"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": {"a": 0}, "tset": {}}, "It has \\['tset'\\]"),
        ({"train": {"a": 0}, "test": {"a": 0}}, "'a' is in two parts"),
        ({"train": {"a": 0}, "test": 3}, "'test' must be an object or a list"),
        ({"train": {"a": 0}, "test": {"t": 0}}, "relations of 2 types are in no part, such as"),
        ({"train": {"a": 0, "b": 1, "d": 2, "t": 3}, "test": {"P5": 0}}, "No relation of the documents"),
    ],
)
def test_other_published_splits_are_refused(values, message):
    with pytest.raises((TypeError, ValueError), match=rf"rel2id.json: .*{message}"):
        published_types(values, DOCUMENTS, "rel2id.json")


def test_ids_of_one_name_in_two_parts_are_refused():
    documents = [
        Document(["a", "b"], [Mention(0, 1), Mention(1, 2)], [Relation(0, 1, "x", relation_id)])
        for relation_id in ("P1", "P2")
    ]
    with pytest.raises(ValueError, match="'x' has ids in two parts"):
        published_types({"train": ["P1"], "test": ["P2"]}, documents, "f")


def test_a_split_by_text_keeps_the_same_text_together_and_agrees_with_what_is_held_out():
    documents = [document(number) for number in range(1000)]
    split = split_by_text(documents, {"train": 0.7, "dev": 0.1, "test": 0.2})
    sizes = [len(part) for part in split.parts.values()]
    assert sum(sizes) == 1000
    assert all(abs(size - wanted) < 60 for size, wanted in zip(sizes, (700, 100, 200)))
    assert all(is_held_out(one, 0.2) for one in split.parts["test"])
    assert part_by_hash(document(1), {"train": 0.0, "test": 1.0}) == "test"


def test_shares():
    assert read_shares("0.8/0.1/0.1") == {"train": 0.8, "dev": 0.1, "test": 0.1}
    assert read_shares("0.9/0.1") == {"train": 0.9, "test": 0.1}
    for wrong in ("", "1", "0.5/0.6", "a/b", "0.5,0.5", "1.5/-0.5", "nan/1", "0.25/0.25/0.25/0.25"):
        with pytest.raises(ValueError, match="sum to 1: got"):
            read_shares(wrong)
