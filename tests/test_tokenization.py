"""GLiRELTokenizer: the exact tensors, spans, markers, padding, every error, and any text that Unicode can hold."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from tiny import ENTITIES, FAMILIES, RELATION_TYPES, TEXTS, make_base_tokenizer
from transformers import AutoTokenizer

from glirel_transformers import GLiRELTokenizer
from glirel_transformers.batches_glirel import AXES
from glirel_transformers.text_glirel import without_ignored

MARIE = "Marie Curie was born in Warsaw."
MARIE_ENTITIES = [(0, 11), (24, 30)]
MARIE_WORDS = ["Marie", "Curie", "was", "born", "in", "Warsaw", "."]
MARIE_WORD_ENTITIES = [(0, 2), (5, 6)]
TYPES = ["place of birth", "spouse"]


def make(family: str = "bert", **settings) -> GLiRELTokenizer:
    return GLiRELTokenizer.from_base(make_base_tokenizer(family), **settings)


def tokens_of(tokenizer, batch, member: int = 0) -> list[str]:
    return tokenizer.convert_ids_to_tokens(batch["input_ids"][member])


def words_of(tokenizer, batch, member: int = 0) -> list[list[str]]:
    tokens, mask = tokens_of(tokenizer, batch, member), batch["word_mask"][member]
    return [tokens[start:end] for start, end in batch["word_token_spans"][member][mask].tolist()]


def assert_same(one, other) -> None:
    assert set(one) == set(other)
    for name in one:
        assert torch.equal(one[name], other[name]), name


# Exact tensors


def test_one_text_gives_exactly_these_tensors():
    tokenizer = make()
    batch = tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES, return_tensors="pt")
    tokens = ["[CLS]", "[REL]", "place", "of", "birth", "[REL]", "spouse", "[SEP]"]
    tokens += ["marie", "curie", "was", "born", "in", "warsaw", ".", "[SEP]"]
    expected = {
        "input_ids": torch.tensor([tokenizer.convert_tokens_to_ids(tokens)]),
        "attention_mask": torch.ones(1, 16, dtype=torch.long),
        "word_token_spans": torch.tensor([[(i, i + 1) for i in range(8, 15)]]),
        "word_mask": torch.ones(1, 7, dtype=torch.bool),
        "relation_token_spans": torch.tensor([[(2, 5), (6, 7)]]),
        "relation_mask": torch.ones(1, 2, dtype=torch.bool),
        "mention_word_spans": torch.tensor([[(0, 2), (5, 6)]]),
        "mention_mask": torch.ones(1, 2, dtype=torch.bool),
        "pair_index": torch.tensor([[(0, 1), (1, 0)]]),
        "pair_mask": torch.ones(1, 2, dtype=torch.bool),
    }
    assert_same(batch, expected)
    assert {name: batch[name].dtype for name in batch} == {name: expected[name].dtype for name in expected}
    assert tokenizer.unk_token_id not in batch["input_ids"]


def test_every_tensor_has_its_axes():
    batch = make()(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    sizes = {"span": 2, "pair": 2}
    for name, tensor in batch.items():
        assert tensor.ndim == 1 + len(AXES[name])
        for axis, size in zip(AXES[name], tensor.shape[1:], strict=True):
            assert sizes.setdefault(axis, size) == size, name


def test_nothing_but_tensors_comes_back():
    batch = make()(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)  # "pt" is what None means
    assert all(isinstance(tensor, torch.Tensor) for tensor in batch.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_words_and_relation_types_are_found_in_the_tokens(family):
    tokenizer = make(family)
    batch = tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=["headquartered in", "spouse"])
    tokens = tokens_of(tokenizer, batch)
    assert tokens[0] == tokenizer.cls_token
    assert tokens[-1] == tokenizer.sep_token
    for (start, end), name in zip(
        batch["relation_token_spans"][0].tolist(), ["headquarteredin", "spouse"], strict=True
    ):
        assert tokens[start - 1] == "[REL]"
        assert "".join(tokens[start:end]).translate({ord(c): None for c in "Ġ▁#"}) == name
    last_type_end = batch["relation_token_spans"][0, -1, 1]
    assert tokens[last_type_end] == "[SEP]"
    spelled = ["".join(word).translate({ord(c): None for c in "Ġ▁#"}).lower() for word in words_of(tokenizer, batch)]
    assert spelled == [word.lower() for word in MARIE_WORDS]
    # The words tile the text without gap or overlap.
    spans = batch["word_token_spans"][0]
    assert spans[0, 0] == last_type_end + 1
    assert spans[-1, 1] == len(tokens) - 1
    assert torch.equal(spans[1:, 0], spans[:-1, 1])


@pytest.mark.parametrize("family", FAMILIES)
def test_word_lists_give_the_tensors_of_the_string(family):
    tokenizer = make(family)
    string = tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)
    batch = tokenizer([MARIE_WORDS], is_split_into_words=True, entities=[MARIE_WORD_ENTITIES], relation_types=TYPES)
    single = tokenizer(MARIE_WORDS, is_split_into_words=True, entities=MARIE_WORD_ENTITIES, relation_types=TYPES)
    assert_same(string, batch)
    assert_same(string, single)


@pytest.mark.parametrize("family", ["roberta", "modernbert", "deberta-v2"])
def test_every_word_is_read_as_within_a_text(family):
    """The first word, and a lone relation type, must get the tokens that they have after a space."""
    tokenizer = make(family)
    batch = tokenizer("born in born", entities=[(0, 4)], relation_types=["born"])
    first, _, third = words_of(tokenizer, batch)
    start, end = batch["relation_token_spans"][0, 0].tolist()
    assert first == third == tokens_of(tokenizer, batch)[start:end]
    assert len(first) == 1


def test_words_end_at_signs_and_not_at_joining_marks():
    words = make().read_words(["O'Neil's x-ray (U.S.) foo_bar cafe\u0301!"])[0]
    text = "O'Neil's x-ray (U.S.) foo_bar cafe\u0301!"
    assert [text[a:b] for a, b in words.char_spans] == [
        *("O", "'", "Neil", "'", "s", "x", "-", "ray", "(", "U", ".", "S", ".", ")", "foo_bar", "cafe\u0301", "!")
    ]  # fmt: skip


# Batches


def test_padding_fills_every_axis_on_the_right():
    tokenizer = make()
    batch = tokenizer(TEXTS, entities=ENTITIES, relation_types=RELATION_TYPES, padding=True)
    for member, (text, entities) in enumerate(zip(TEXTS, ENTITIES, strict=True)):
        alone = tokenizer(text, entities=entities, relation_types=RELATION_TYPES)
        for name, tensor in alone.items():
            region = tuple(slice(size) for size in tensor.shape[1:])
            assert torch.equal(batch[name][member][region], tensor[0]), name
            rest = torch.ones_like(batch[name][member], dtype=torch.bool)
            rest[region] = False
            fill = tokenizer.pad_token_id if name == "input_ids" else 0
            assert (batch[name][member][rest] == fill).all(), name
    assert batch["input_ids"].shape[1] > alone["input_ids"].shape[1]


@pytest.mark.parametrize("family", ["roberta", "bert"])
def test_padding_uses_the_pad_token(family):
    tokenizer = make(family)
    batch = tokenizer(TEXTS, entities=ENTITIES, relation_types=TYPES, padding="longest")
    padding = batch["input_ids"][batch["attention_mask"] == 0]
    assert len(padding)
    assert set(padding.tolist()) == {tokenizer.pad_token_id}


def test_one_list_of_types_serves_all_texts():
    tokenizer = make()
    shared = tokenizer(TEXTS, entities=ENTITIES, relation_types=TYPES, padding=True)
    repeated = tokenizer(TEXTS, entities=ENTITIES, relation_types=[TYPES] * 3, padding=True)
    assert_same(shared, repeated)


def test_each_text_may_have_its_own_types():
    tokenizer = make()
    types = [["spouse"], [], ["place of birth", "founded in", "film"]]
    batch = tokenizer(TEXTS, entities=ENTITIES, relation_types=types, padding=True)
    assert batch["relation_mask"].tolist() == [[True, False, False], [False] * 3, [True] * 3]
    for member, names in enumerate(types):
        alone = tokenizer(TEXTS[member], entities=ENTITIES[member], relation_types=names)
        real = batch["attention_mask"][member].bool()
        assert batch["input_ids"][member][real].tolist() == alone["input_ids"][0].tolist()


def test_tuples_serve_as_lists():
    tokenizer = make()
    one = tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)
    other = tokenizer((MARIE,), entities=(tuple(MARIE_ENTITIES),), relation_types=tuple(TYPES))
    assert_same(one, other)


@pytest.mark.parametrize(
    ("text", "entities", "types"),
    [
        ("", [], TYPES),
        (MARIE, [], TYPES),
        (MARIE, MARIE_ENTITIES[:1], TYPES),
        (MARIE, MARIE_ENTITIES, []),
        ("", [], []),
    ],
)
def test_what_is_absent_has_size_zero(text, entities, types):
    batch = make()(text, entities=entities, relation_types=types)
    pairs = len(entities) * (len(entities) - 1)
    assert batch["pair_index"].shape == (1, pairs, 2)
    assert batch["mention_word_spans"].shape == (1, len(entities), 2)
    assert batch["relation_token_spans"].shape == (1, len(types), 2)
    assert batch["word_token_spans"].shape == (1, 7 if text else 0, 2)
    assert all(batch[name].dtype == torch.long for name in batch if not name.endswith("_mask"))


def test_batches_with_absent_parts_are_padded():
    tokenizer = make()
    batch = tokenizer(["", MARIE], entities=[[], MARIE_ENTITIES], relation_types=TYPES, padding=True)
    assert batch["pair_mask"].tolist() == [[False, False], [True, True]]
    assert not batch["word_mask"][0].any()


@pytest.mark.parametrize("settings", [{}, {"entity_markers": True}, {"shared_relation_positions": True}])
def test_numpy_arrays_are_the_tensors(settings):
    tokenizer = make(**settings)
    inputs = {"text": TEXTS, "entities": ENTITIES, "relation_types": TYPES, "padding": True}
    tensors, arrays = tokenizer(**inputs), tokenizer(**inputs, return_tensors="np")
    assert list(arrays) == list(tensors)
    for name, array in arrays.items():
        assert isinstance(array, np.ndarray)
        assert torch.equal(torch.from_numpy(array), tensors[name]), name


def test_labels_are_padded_with_the_rest():
    tokenizer = make()
    prompt = tokenizer.read_prompt(TYPES)
    features = []
    for text, entities, value in zip(TEXTS[:2], ENTITIES[:2], (1.0, 2.0), strict=True):
        (words,) = tokenizer.read_words([text])
        feature = tokenizer.build(prompt, words, tokenizer.align(text, words, entities))
        features.append({**feature, "labels": torch.full((len(feature["pair_index"]), 2), value)})
    labels = tokenizer.pad(features)["labels"]
    assert labels.shape == (2, 6, 2)
    assert labels[0].tolist() == [[1.0, 1.0]] * 2 + [[0.0, 0.0]] * 4
    assert (labels[1] == 2).all()


# Pairs

SPREAD = "a b c d e f g h"  # words are one character wide: word i stands at character 2 i


def spread(*words: int) -> list[tuple[int, int]]:
    return [(2 * word, 2 * word + 1) for word in words]


def test_pairs_are_all_ordered_pairs_row_major():
    batch = make()(SPREAD, entities=spread(5, 0, 2), relation_types=TYPES)
    assert batch["pair_index"][0].tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]
    assert batch["mention_word_spans"][0].tolist() == [[5, 6], [0, 1], [2, 3]]  # in the order given


@pytest.mark.parametrize(
    ("distance", "expected"),
    [
        (1, []),
        (2, [[1, 2], [2, 1]]),
        (3, [[0, 2], [1, 2], [2, 0], [2, 1]]),
        (5, [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]),
        (None, [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]),
    ],
)
def test_maximum_distance_limits_both_directions(distance, expected):
    batch = make(max_pair_distance=distance)(SPREAD, entities=spread(5, 0, 2), relation_types=TYPES)
    assert batch["pair_index"][0].tolist() == expected
    directed = {tuple(pair) for pair in batch["pair_index"][0].tolist()}
    assert directed == {(tail, head) for head, tail in directed}


def test_maximum_distance_counts_words_of_the_text_and_not_markers():
    marked = make(max_pair_distance=2, entity_markers=True)
    plain = make(max_pair_distance=2)
    entities = spread(0, 1, 2, 4, 7)
    assert torch.equal(
        marked(SPREAD, entities=entities, relation_types=TYPES)["pair_index"],
        plain(SPREAD, entities=entities, relation_types=TYPES)["pair_index"],
    )


# Markers


@pytest.mark.parametrize(
    ("entities", "text", "spans"),
    [
        (spread(0, 2), "[E] a [/E] b [E] c [/E] d e f g h", [(0, 3), (4, 7)]),
        ([(0, 3), (4, 7)], "[E] a b [/E] [E] c d [/E] e f g h", [(0, 4), (4, 8)]),  # adjacent
        ([(0, 7), (2, 5)], "[E] a [E] b c [/E] d [/E] e f g h", [(0, 8), (2, 6)]),  # nested
        ([(2, 5), (0, 7)], "[E] a [E] b c [/E] d [/E] e f g h", [(2, 6), (0, 8)]),  # nested, in the other order
        ([(0, 3), (0, 5)], "[E] [E] a b [/E] c [/E] d e f g h", [(1, 5), (0, 7)]),  # same start: longer outside
        ([(0, 5), (2, 5)], "[E] a [E] b c [/E] [/E] d e f g h", [(0, 7), (2, 6)]),  # same end
        ([(0, 3), (0, 3)], "[E] [E] a b [/E] [/E] c d e f g h", [(0, 6), (1, 5)]),  # identical
        (spread(7), "a b c d e f g [E] h [/E]", [(7, 10)]),  # at the end
        ([], "a b c d e f g h", []),
    ],
    ids=["apart", "adjacent", "nested", "nested-reversed", "same-start", "same-end", "identical", "at-end", "none"],
)
def test_markers_enclose_every_mention(entities, text, spans):
    tokenizer = make(entity_markers=True)
    batch = tokenizer(SPREAD, entities=entities, relation_types=["spouse"])
    assert tokens_of(tokenizer, batch)[4:-1] == text.split()
    assert batch["mention_word_spans"][0].tolist() == [list(span) for span in spans]
    assert words_of(tokenizer, batch) == [[word] for word in text.split()]


def test_overlapping_mentions_are_enclosed_too():
    tokenizer = make(entity_markers=True)
    batch = tokenizer(SPREAD, entities=[(0, 5), (2, 7)], relation_types=["spouse"])
    assert tokens_of(tokenizer, batch)[4:-1] == ["[E]", "a", "[E]", "b", "c", "[/E]", "d", "[/E]", "e", "f", "g", "h"]
    words = words_of(tokenizer, batch)
    for (start, end), inside in zip(batch["mention_word_spans"][0].tolist(), ("abc", "bcd"), strict=True):
        assert words[start] == ["[E]"]
        assert words[end - 1] == ["[/E]"]
        assert "".join(w for (w,) in words[start:end] if "E" not in w) == inside


@pytest.mark.parametrize(
    ("entities", "text", "spans"),
    [
        ([(4, 7), (0, 3)], "[E] a b [/E] [E] c d [/E] e f g h", [(4, 8), (0, 4)]),  # as when nested
        ([(0, 7), (2, 5)], "[E] a b [E] c d [/E] [/E] e f g h", [(0, 6), (3, 7)]),  # shifted too far
        ([(0, 5), (4, 5)], "[E] a b c [E] [/E] [/E] d e f g h", [(0, 5), (4, 7)]),
        ([(0, 3), (0, 3)], "[E] a [E] b [/E] [/E] c d e f g h", [(0, 4), (2, 6)]),
        ([], "a b c d e f g h", []),
    ],
    ids=["adjacent", "nested", "nested-at-end", "identical", "none"],
)
def test_markers_in_sequence(entities, text, spans):
    """Each mention, by its start, is shifted by two words for every one before it, as in the original package."""
    tokenizer = make(entity_markers=True, marker_placement="sequential")
    batch = tokenizer(SPREAD, entities=entities, relation_types=["spouse"])
    assert tokens_of(tokenizer, batch)[4:-1] == text.split()
    assert batch["mention_word_spans"][0].tolist() == [list(span) for span in spans]
    assert words_of(tokenizer, batch) == [[word] for word in text.split()]


def test_maximum_distance_counts_markers_in_sequence():
    tokenizer = make(entity_markers=True, marker_placement="sequential", max_pair_distance=3)
    batch = tokenizer(SPREAD, entities=spread(0, 1, 3), relation_types=TYPES)
    assert batch["pair_index"][0].tolist() == [[0, 1], [1, 0]]


def test_markers_are_only_in_tokenizers_that_mark():
    assert "[E]" in make(entity_markers=True).get_vocab()
    assert "[E]" not in make().get_vocab()


# Alignment


def test_expand_widens_to_whole_words():
    tokenizer = make()
    text = "Marie Curie-Sklodowska in Warsaw"
    (words,) = tokenizer.read_words([text])
    assert tokenizer.align(text, words, [(2, 8)], "expand") == [(0, 2)]
    assert tokenizer.align(text, words, [(11, 13)], "expand") == [(2, 4)]
    assert tokenizer.align(text, words, [(5, 6 + 1)], "expand") == [(1, 2)]  # the space before a word adds nothing
    assert tokenizer.align(text, words, [(0, 5)], "expand") == tokenizer.align(text, words, [(0, 5)]) == [(0, 1)]


@pytest.mark.parametrize(
    ("span", "nearest", "surface"), [((0, 10), (0, 11), "Marie Curie"), ((1, 11), (0, 11), "Marie Curie"),
                                     ((23, 30), (24, 30), "Warsaw"), ((24, 31 - 2), (24, 30), "Warsaw")],
)  # fmt: skip
def test_a_span_that_cuts_a_word_shows_the_text_and_the_nearest_span(span, nearest, surface):
    with pytest.raises(ValueError, match="does not start and end on word boundaries") as error:
        make()(MARIE, entities=[span], relation_types=TYPES)
    message = str(error.value)
    assert f"`entities[0]` is {span}" in message
    assert f"⟦{MARIE[slice(*span)]}⟧" in message
    assert f"{nearest}, {surface!r}" in message
    assert "alignment='expand'" in message
    suggested = make()(MARIE, entities=[nearest], relation_types=TYPES)
    assert_same(make()(MARIE, entities=[span], relation_types=TYPES, alignment="expand"), suggested)


def test_the_text_around_a_wrong_span_is_cut_to_a_few_words():
    text = "filler " * 100 + "Warsaw" + " filler" * 100
    with pytest.raises(ValueError, match="boundaries") as error:
        make()(text, entities=[(700, 703)], relation_types=TYPES)
    assert "…" in str(error.value)
    assert len(str(error.value)) < 400


def test_a_span_of_nothing_but_space_is_an_error_in_either_alignment():
    for alignment in ("strict", "expand"):
        with pytest.raises(ValueError, match=r"`entities\[0\]` is \(5, 6\), which holds no word"):
            make()(MARIE, entities=[(5, 6)], relation_types=TYPES, alignment=alignment)


# Errors


@pytest.mark.parametrize("split", [False, True], ids=["string", "words"])
@pytest.mark.parametrize(
    ("span", "kind", "message"),
    [
        ((3, 3), ValueError, r"`entities\[1\]` is \(3, 3\), an empty span.*at 3 is \(3, 4\)"),
        ((4, 2), ValueError, r"`entities\[1\]` is \(4, 2\), which ends before it starts"),
        ((-2, 2), ValueError, r"`entities\[1\]` is \(-2, 2\), outside the text"),
        ((0, 99), ValueError, r"`entities\[1\]` is \(0, 99\), outside the text, which has (31 characters|7 words)"),
        ((50, 60), ValueError, r"`entities\[1\]` is \(50, 60\), outside the text"),
        ((0, 1, 2), TypeError, r"`entities\[1\]` must be \(start, end\)"),
        (3, TypeError, r"`entities\[1\]` must be \(start, end\).*got 3"),
        ("ab", TypeError, r"`entities\[1\]` must be \(start, end\).*'ab'"),
        ((0.0, 5.0), TypeError, r"`entities\[1\]` must hold two whole numbers"),
        ((False, True), TypeError, r"`entities\[1\]` must hold two whole numbers"),
        ((None, 5), TypeError, r"`entities\[1\]` must hold two whole numbers"),
    ],
)
def test_wrong_spans(span, kind, message, split):
    text, good = (MARIE_WORDS, (0, 2)) if split else (MARIE, (0, 11))
    with pytest.raises(kind, match=message):
        make()(text, entities=[good, span], relation_types=TYPES, is_split_into_words=split)


@pytest.mark.parametrize(
    ("types", "kind", "message"),
    [
        (["born in", "spouse", "born in"], ValueError, r"repeats 'born in' \(positions 0 and 2\)"),
        (["spouse", ""], ValueError, r"relation_types\[1\] is '', an empty name"),
        (["spouse", " \t"], ValueError, r"relation_types\[1\] is ' \\t', an empty name"),
        (["spouse", None], TypeError, r"relation_types\[1\] must be a string: got None"),
        ([7], TypeError, r"relation_types\[0\] must be a string: got 7, a int"),
        ("spouse", TypeError, r"`relation_types` must be a list of strings: got 'spouse'"),
        ({"spouse": {}}, TypeError, r"`relation_types` must be a list of strings"),
        ([["spouse"]], TypeError, r"relation_types\[0\] must be a string"),
        (["\u200d\u00ad"], ValueError, r"relation_types\[0\] is .* of which the tokenizer keeps nothing"),
    ],
)
def test_wrong_relation_types(types, kind, message):
    with pytest.raises(kind, match=message):
        make()(MARIE, entities=MARIE_ENTITIES, relation_types=types)


def test_a_mention_of_which_nothing_is_kept_in_a_list_of_words():
    with pytest.raises(ValueError, match=r"keeps nothing of the mention at words 1 to 2\. Leave it out"):
        make()(["Warsaw", "\u200d\u00ad"], entities=[(0, 1), (1, 2)], relation_types=["a"], is_split_into_words=True)


def test_wrong_relation_types_of_one_text_of_a_batch():
    with pytest.raises(ValueError, match="repeats 'a'"):
        make()(TEXTS, entities=ENTITIES, relation_types=[["a"], ["b"], ["a", "a"]], padding=True)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"text": TEXTS, "entities": ENTITIES[:2]}, ValueError, "`entities` has 2 lists for 3 texts"),
        ({"text": [MARIE], "entities": MARIE_ENTITIES}, ValueError, "`entities` has 2 lists for 1 texts"),
        ({"text": TEXTS[:2], "entities": MARIE_ENTITIES}, TypeError, r"`entities\[0\]` must be \(start, end\)"),
        ({"text": MARIE, "entities": [[MARIE_ENTITIES]]}, TypeError, r"`entities\[0\]\.mentions\[0\]` must hold"),
        ({"text": TEXTS, "relation_types": [TYPES] * 2}, ValueError, "`relation_types` has 2 lists for 3 texts"),
        ({"text": []}, ValueError, "The batch holds no text"),
        ({"text": 5}, TypeError, "A text must be a string: got 5"),
        ({"text": None}, TypeError, "A text must be a string: got None"),
        ({"text": [MARIE, 5], "entities": [[], []]}, TypeError, "Text 1 must be a string: got 5"),
        ({"text": [["a", "b"]], "entities": [[]]}, TypeError, r"Text 0 must be a string.*is_split_into_words=False"),
        ({"text": MARIE, "is_split_into_words": True}, TypeError, "a text must be a list of words: got 'Marie"),
        (
            {"text": [["a"], "b"], "entities": [[], []], "is_split_into_words": True},
            TypeError,
            "Text 1 must be a list",
        ),
        ({"text": [["a", 1]], "entities": [[]], "is_split_into_words": True}, TypeError, "Text 0 must be a list of"),
        ({"text": TEXTS, "entities": ["ab", [], []]}, TypeError, "The entities of text 0 must be a list"),
        ({"entities": None}, ValueError, "`entities` is missing"),
        ({"relation_types": None}, ValueError, "`relation_types` is missing"),
        ({"alignment": "nearest"}, ValueError, "`alignment` must be 'strict' or 'expand': got 'nearest'"),
        ({"padding": "max_length"}, ValueError, "`padding` must be True, 'longest' or False: got 'max_length'"),
        ({"return_tensors": "tf"}, ValueError, "`return_tensors` must be 'pt' or 'np': got 'tf'"),
        ({"truncation": True}, TypeError, r"does not take \['truncation'\]"),
        ({"max_length": 10}, TypeError, r"does not take \['max_length'\]"),
    ],
)
def test_wrong_arguments(arguments, kind, message):
    usual = {"text": MARIE, "relation_types": TYPES}
    usual["entities"] = ENTITIES if isinstance(arguments.get("text"), list) else MARIE_ENTITIES
    with pytest.raises(kind, match=message):
        make()(**{**usual, **arguments})


def test_ragged_batches_need_padding():
    with pytest.raises(ValueError, match=r"differ in their number of \w+\. Pass padding=True"):
        make()(TEXTS, entities=ENTITIES, relation_types=TYPES)


def test_equal_members_need_no_padding():
    batch = make()([MARIE, MARIE], entities=[MARIE_ENTITIES] * 2, relation_types=TYPES)
    assert batch["input_ids"].shape == (2, 16)


def test_too_long_an_input_is_an_error_and_the_limit_itself_is_not():
    tokenizer = make(model_max_length=16)  # exactly what the text and its types need
    assert tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)["input_ids"].shape == (1, 16)
    with pytest.raises(
        ValueError, match=r"The text and 3 relation types need 18 tokens but the model reads 16.*window"
    ):
        tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=[*TYPES, "film"])


def test_more_words_than_the_limit_are_an_error_and_the_limit_itself_is_not():
    make(max_words=7, entity_markers=True)(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)
    with pytest.raises(ValueError, match=r"The text has 7 words but the model reads 6\. Pass truncation='window'"):
        make(max_words=6)(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)


def test_new_tokens_are_added_in_the_order_given():
    tokenizer = make(new_tokens=("[X]", "[/E]", "[SEP]", "[REL]"))
    size = len(make_base_tokenizer("bert"))
    assert tokenizer.convert_tokens_to_ids(["[X]", "[/E]", "[SEP]", "[REL]"]) == [size, size + 1, 3, size + 2]


@pytest.mark.parametrize(("prefix_space", "token"), [(True, "Ġ"), (False, "b")])
def test_the_space_before_a_word_is_optional(prefix_space, token):
    tokenizer = make("roberta", prefix_space=prefix_space)
    batch = tokenizer(["born"], entities=[], relation_types=["x"], is_split_into_words=True)
    (start, _) = batch["word_token_spans"][0, 0].tolist()
    assert tokens_of(tokenizer, batch)[start].startswith(token)


def test_markers_count_towards_the_length():
    with pytest.raises(ValueError, match="need 20 tokens but the model reads 19"):
        make(model_max_length=19, entity_markers=True)(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)


@pytest.mark.parametrize("wrong", [None, "bert-base-cased", object()])
def test_only_fast_tokenizers_are_wrapped(wrong):
    with pytest.raises(TypeError, match="wraps a fast tokenizer"):
        GLiRELTokenizer.from_base(wrong)


# Special tokens in the input are text


# A Unigram vocabulary lists its control symbols as pieces, which it finds in what is not split at signs before.
@pytest.mark.parametrize("family", FAMILIES)
def test_special_tokens_in_texts_are_ordinary_characters(family):
    tokenizer = make(family, entity_markers=True)
    specials = ["[REL]", "[SEP]", "[E]", "[/E]", tokenizer.cls_token, tokenizer.pad_token, tokenizer.unk_token]
    text = "born " + " ".join(specials) + " in"
    batch = tokenizer(text, entities=[(0, 4), (len(text) - 2, len(text))], relation_types=["spouse", "film"])
    count = tokens_of(tokenizer, batch).count
    assert (count("[REL]"), count("[E]"), count("[/E]"), count(tokenizer.pad_token)) == (2, 2, 2, 0)
    assert sum(map(count, {tokenizer.cls_token, "[SEP]", tokenizer.sep_token})) == 3


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "deberta-v2"])
def test_special_tokens_in_relation_types_are_ordinary_characters(family):
    tokenizer = make(family)
    types = ["[REL] spouse", "a [SEP] b", tokenizer.pad_token]
    batch = tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=types)
    count = tokens_of(tokenizer, batch).count
    assert (count("[REL]"), count(tokenizer.pad_token)) == (3, 0)
    assert sum(map(count, {tokenizer.cls_token, "[SEP]", tokenizer.sep_token})) == 3


def test_control_tokens_that_a_vocabulary_finds_in_a_relation_type_are_refused():
    with pytest.raises(ValueError, match=r"relation_types\[1\] is 'a \[SEP\] b', in which .* control tokens"):
        make("deberta-v2")(MARIE, entities=MARIE_ENTITIES, relation_types=["spouse", "a [SEP] b"])


def test_relation_types_can_share_their_positions():
    tokenizer = make(shared_relation_positions=True)
    batch = tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=["place of birth", "spouse"])
    # [CLS], then [REL] place of birth and [REL] spouse from 1 on, then [SEP] and the text after the longer of them
    prompt = [0, 1, 2, 3, 4, 1, 2, 5]
    num_following = batch["input_ids"].shape[1] - len(prompt)
    assert batch["position_ids"][0].tolist() == [*prompt, *range(6, 6 + num_following)]


def test_special_tokens_in_word_lists_are_ordinary_characters():
    tokenizer = make()
    batch = tokenizer(["[REL]", "[SEP]"], is_split_into_words=True, entities=[(0, 1), (1, 2)], relation_types=["a"])
    assert tokens_of(tokenizer, batch)[4:-1] == ["[", "r", "##e", "##l", "]", "[", "s", "##e", "##p", "]"]


# The base tokenizer, saving, loading


@pytest.mark.parametrize("family", FAMILIES)
def test_the_base_tokenizer_is_left_as_it_was(family):
    base = make_base_tokenizer(family)
    before = base.backend_tokenizer.to_str()
    wrapped = GLiRELTokenizer.from_base(base, entity_markers=True)
    wrapped(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)
    assert base.backend_tokenizer.to_str() == before
    assert len(base) < len(wrapped)
    assert base.convert_tokens_to_ids("spouse") == wrapped.convert_tokens_to_ids("spouse")


@pytest.mark.parametrize("family", ["bert", "electra", "deberta-v2"])
def test_without_entities_it_is_the_tokenizer_that_it_wraps(family):
    base, wrapped = make_base_tokenizer(family), make(family)
    for arguments in ({"text": MARIE}, {"text": TEXTS, "padding": True}, {"text": MARIE, "text_pair": TEXTS[2]}):
        assert wrapped(**arguments)["input_ids"] == base(**arguments)["input_ids"]


@pytest.mark.parametrize("family", FAMILIES)
def test_auto_tokenizer_restores_it_exactly(tmp_path, family):
    tokenizer = make(family, model_max_length=111, entity_markers=True, max_pair_distance=9)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=True)
    assert type(loaded).__name__ == "GLiRELTokenizer"
    assert (loaded.model_max_length, loaded.entity_markers, loaded.max_pair_distance) == (111, True, 9)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    assert loaded.all_special_tokens == tokenizer.all_special_tokens
    arguments = {"entities": ENTITIES, "relation_types": RELATION_TYPES, "padding": True}
    assert_same(loaded(TEXTS, **arguments), tokenizer(TEXTS, **arguments))


def test_saving_a_loaded_tokenizer_changes_nothing(tmp_path):
    make("roberta", max_pair_distance=9).save_pretrained(tmp_path / "one")
    AutoTokenizer.from_pretrained(tmp_path / "one", trust_remote_code=True).save_pretrained(tmp_path / "two")
    one, two = ((tmp_path / name / "tokenizer.json").read_text() for name in ("one", "two"))
    assert json.loads(one) == json.loads(two)
    loaded = AutoTokenizer.from_pretrained(tmp_path / "two", trust_remote_code=True)
    assert (loaded.entity_markers, loaded.max_pair_distance) == (False, 9)


def test_a_saved_folder_holds_what_remote_users_need(tmp_path):
    make().save_pretrained(tmp_path)
    assert {"tokenizer.json", "tokenizer_config.json", "tokenization_glirel.py"} <= {
        f.name for f in tmp_path.iterdir()
    }
    auto_map = json.loads((tmp_path / "tokenizer_config.json").read_text())["auto_map"]
    assert "tokenization_glirel.GLiRELTokenizer" in auto_map["AutoTokenizer"]


def test_earlier_truncation_and_padding_leave_no_trace():
    """A plain call with truncation changes the backend's state; what follows must not be cut or padded by it."""
    tokenizer = make()
    expected = tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES)
    for plain in ({"truncation": True, "max_length": 4}, {"padding": "max_length", "max_length": 12}):
        tokenizer(MARIE, **plain)
        assert_same(tokenizer(MARIE, entities=MARIE_ENTITIES, relation_types=TYPES), expected)
    assert len(tokenizer(MARIE, truncation=True, max_length=4)["input_ids"]) == 4  # and plain calls still work


def test_a_base_tokenizer_that_truncates_and_pads_does_not_here():
    """Many a `tokenizer.json`, as of sentence encoders, is stored with truncation and padding switched on."""
    base = make_base_tokenizer("bert")
    base.backend_tokenizer.enable_truncation(max_length=5)
    base.backend_tokenizer.enable_padding(length=12)
    wrapped = GLiRELTokenizer.from_base(base)
    assert wrapped.backend_tokenizer.truncation is None
    assert base.backend_tokenizer.truncation is not None
    arguments = {"entities": MARIE_ENTITIES, "relation_types": TYPES}
    assert_same(wrapped(MARIE, **arguments), make()(MARIE, **arguments))


# Unicode

UNICODE = [
    ("Jose\u0301 lives in A\u030angstro\u0308m", ["Jose\u0301", "A\u030angstro\u0308m"]),  # combining marks
    ("東京は日本の首都です。", ["東京", "日本", "首都"]),  # no spaces
    ("ソニーの本社は東京。", ["ソニー", "東京"]),
    ("서울은 대한민국의 수도이다", ["서울은", "대한민국의"]),
    ("👩‍🚀 flew to 🌕 with 🇵🇱!", ["👩‍🚀", "🌕", "🇵🇱"]),  # joined emoji, outside the basic plane, regional letters
    ("𝔐arie met 𠮷野 there", ["𝔐arie", "𠮷野"]),  # surrogate pairs in UTF-16
    ("Marie\u00a0Curie\u202fwas\u2009here", ["Marie\u00a0Curie", "here"]),  # no-break and thin spaces
    ("ولدت ماري كوري في وارسو.", ["ماري كوري", "وارسو"]),  # right to left
    ("נולדה בוורשה", ["נולדה", "בוורשה"]),
    ("Łódź — Kraków: “Straße” №5…", ["Łódź", "Kraków", "Straße", "№5"]),
    ("हिन्दी भारत में बोली जाती है", ["हिन्दी", "भारत"]),  # vowel signs and virama
    ("line\r\nbreak\ttab\u2028Warsaw", ["line", "tab", "Warsaw"]),
    ("\ufeffMarie knew e\u200bf", ["Marie", "knew"]),  # byte-order mark, zero-width space
]


@pytest.mark.parametrize("family", ["bert", "roberta", "deberta-v2"])
@pytest.mark.parametrize(("text", "surfaces"), UNICODE, ids=[text[:8] for text, _ in UNICODE])
def test_offsets_count_characters_in_any_script(family, text, surfaces):
    tokenizer = make(family)
    entities = [(text.index(surface), text.index(surface) + len(surface)) for surface in surfaces]
    (words,) = tokenizer.read_words([text])
    batch = tokenizer(text, entities=entities, relation_types=TYPES)
    for (first, last), surface in zip(batch["mention_word_spans"][0].tolist(), surfaces, strict=True):
        assert text[words.char_spans[first][0] : words.char_spans[last - 1][1]] == surface
    assert all(not character.isspace() or not any(a <= i < b for a, b in words.char_spans)
               for i, character in enumerate(text))  # fmt: skip
    covered = sum(b - a for a, b in words.char_spans)
    assert covered == sum(not character.isspace() for character in text)  # nothing is lost
    if family == "roberta":  # every byte has a token: the text can be read back from the tokens of its words
        ids = batch["input_ids"][0]
        for (start, end), (a, b) in zip(batch["word_token_spans"][0].tolist(), words.char_spans, strict=True):
            assert (
                tokenizer.decode(ids[start:end], clean_up_tokenization_spaces=False).strip()
                == without_ignored(text[a:b]).strip()
            )


def test_words_of_which_the_tokenizer_keeps_nothing_have_empty_spans():
    tokenizer = make()
    batch = tokenizer("a \u200d b", entities=[(0, 1), (4, 5)], relation_types=["spouse"])
    assert words_of(tokenizer, batch) == [["a"], [], ["b"]]


@pytest.mark.parametrize("text", ["a\x00b", "\U0010ffff", "\ufffd"])
def test_odd_characters_are_read(text):
    batch = make()(text, entities=[], relation_types=["spouse"])
    assert batch["input_ids"].shape[1] >= 5


def test_half_a_surrogate_pair_is_an_error():
    with pytest.raises((UnicodeError, TypeError, ValueError)):
        make()("\ud800 lone", entities=[], relation_types=["spouse"])


@pytest.mark.parametrize(("text", "types"), [("\ud800 def", ["x"]), ("a def", ["born \udfff"])])
def test_half_a_surrogate_pair_is_named(text, types):
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        make()(text, entities=[(2, 5)], relation_types=types)


@pytest.mark.parametrize("settings", [{}, {"entity_markers": True}, {"max_words": 5}])
def test_pipelines_of_folders_saved_before_find_what_they_ask(settings):
    """With this package installed, transformers loads a folder's own pipeline and this tokenizer."""
    tokenizer = make(**settings)
    prompt, (words,) = tokenizer.read_prompt(TYPES), tokenizer.read_words([MARIE])
    assert tokenizer.fits(prompt, words, 2) == (tokenizer.max_words is None)
    if tokenizer.max_words is None:
        built = tokenizer.build(prompt, words, tokenizer.align(MARIE, words, MARIE_ENTITIES))
        assert tokenizer.num_tokens(prompt, words, 2) == len(built["input_ids"])
