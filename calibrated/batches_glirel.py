"""Batches: what the tokenizer is given, brought into one form, and the arrays of several texts stacked.

Axes have one name everywhere: `batch, tokens, words, mentions, entities, pairs, relations, types, segments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .text_glirel import check_relation_types

if TYPE_CHECKING:
    import torch

_Array = TypeVar("_Array", np.ndarray, "torch.Tensor")

# The axes of every tensor that the tokenizer returns; "span" is a pair (start, end), "pair" a pair (head, tail).
AXES: dict[str, tuple[str, ...]] = {
    "input_ids": ("tokens",),
    "attention_mask": ("tokens",),
    "position_ids": ("tokens",),
    "word_token_spans": ("words", "span"),
    "word_mask": ("words",),
    "segment_token_spans": ("segments", "span"),
    "segment_mask": ("segments",),
    "type_input_ids": ("types", "type tokens"),
    "type_attention_mask": ("types", "type tokens"),
    "type_states": ("types", "width"),
    "relation_index": ("relations",),
    "relation_token_spans": ("relations", "span"),
    "relation_mask": ("relations",),
    "entity_type_index": ("entity types",),
    "entity_type_token_spans": ("entity types", "span"),
    "entity_type_mask": ("entity types",),
    "mention_word_spans": ("mentions", "span"),
    "mention_mask": ("mentions",),
    "mention_entity": ("mentions",),
    "entity_mask": ("entities",),
    "pair_index": ("pairs", "pair"),
    "pair_mask": ("pairs",),
    "labels": ("pairs", "relations"),
    "entity_labels": ("mentions", "entity types"),
}
# Which of these are those of the whole batch, and so have no axis `batch`: relation types that are read on their own.
WITHOUT_BATCH = ("type_input_ids", "type_attention_mask", "type_states")
# Which of these there are only where types are read on their own, only where entities are found, and only where texts
# are long.
TYPE_TENSORS = (*WITHOUT_BATCH, "relation_index", "entity_type_index")
LABEL_TENSORS = ("labels", "entity_labels")
ENTITY_TYPE_TENSORS = ("entity_type_token_spans", "entity_type_index", "entity_type_mask")
SEGMENT_TENSORS = ("segment_token_spans", "segment_mask")
# Which of these there are only where an entity of the batch has several mentions.
CLUSTER_TENSORS = ("mention_entity", "entity_mask")
# The mask of each tensor of spans or indices: True where the member is real.
MASK_OF = {
    "word_token_spans": "word_mask",
    "segment_token_spans": "segment_mask",
    "relation_index": "relation_mask",
    "relation_token_spans": "relation_mask",
    "entity_type_index": "entity_type_mask",
    "entity_type_token_spans": "entity_type_mask",
    "mention_word_spans": "mention_mask",
    "mention_entity": "mention_mask",
    "pair_index": "pair_mask",
}
# The axis within which its spans lie, or on which its indices are positions.
ADDRESSES = {
    "word_token_spans": "tokens",
    "segment_token_spans": "tokens",
    "relation_index": "types",
    "relation_token_spans": "tokens",
    "entity_type_index": "types",
    "entity_type_token_spans": "tokens",
    "mention_word_spans": "words",
    "mention_entity": "entities",
    "pair_index": "entities",
}
_NEVER_EMPTY = "mention_word_spans"  # words and names may be without any token of their own


def fits_axis(name: str, values: _Array, size: int) -> _Array:
    """Which spans or indices of a tensor fit the axis that they address.

    Args:
        name: of the tensor, in `ADDRESSES`.
        values: numbers of shape `(batch, n, 2)` or `(batch, n)`, a numpy array or a tensor of torch.
        size: of the axis.

    Returns:
        Booleans of shape `(batch, n)`, of the same kind as `values`.
    """
    if not name.endswith("_spans"):
        fits = (values >= 0) & (values < size)
        return fits if fits.ndim == 2 else fits[..., 0] & fits[..., 1]
    start, end = values[..., 0], values[..., 1]
    return (start >= 0) & (end <= size) & ((start < end) if name == _NEVER_EMPTY else (start <= end))


def describe_misfit(name: str, size: int) -> str:
    """What a tensor must hold: the first half of an error."""
    if name.endswith("_spans"):
        return f"`{name}` must hold half-open spans within 0 and {size}"
    return f"`{name}` must address {size} {ADDRESSES[name]}"


def misfit_error(name: str, values: _Array, fits: _Array, size: int) -> ValueError:
    """The error for the first span or index that does not fit; arguments as of [`fits_axis`]."""
    batch, place = np.argwhere(~np.array(fits.tolist()))[0].tolist()
    got = f"{values[batch, place].tolist()} at position {[batch, place]}"
    return ValueError(f"{describe_misfit(name, size)}: got {got}. Use the tensors of its tokenizer.")


def as_batch(
    text: object, entities: object, relation_types: Sequence[Any], split: bool
) -> tuple[list[str | list[str]], list[list[Any]], list[list[str]]]:
    """Brings a text or a batch of them into the form of a batch, and checks that its parts fit together.

    Without `entities`, no text has any.
    """
    texts, is_single = _read_texts(text, split)
    if entities is None:
        lists: list[Any] = [[] for _ in texts]
    else:
        lists = [entities] if is_single else _as_list(entities)
    of_texts = [_as_list(spans, position) for position, spans in enumerate(lists)]
    _check_count("entities", of_texts, texts, "Give each text its own list, which may be empty.")
    types: list[Any] = [relation_types] * len(texts)
    if not is_single and relation_types and not any(isinstance(name, str) for name in relation_types):
        types = list(relation_types)
        _check_count("relation_types", types, texts, "Give one list for all texts, or one for each.")
    for names in types:
        check_relation_types(names)
    return texts, of_texts, types


def _read_texts(text: object, split: bool) -> tuple[list[Any], bool]:
    """The texts of a batch, each a string or (`split`) a list of words; and whether it was one text alone."""
    kind = "a list of words" if split else "a string"
    if not isinstance(text, Sequence) or (isinstance(text, str) and split):
        what = "With is_split_into_words a text" if split else "A text"
        raise TypeError(f"{what} must be {kind}: got {text!r}.")
    is_single = isinstance(text, str) or (split and bool(text) and _is_word_list(text))
    texts = [text] if is_single else list(text)
    if not texts:
        raise ValueError("The batch holds no text: got an empty list.")
    for position, one in enumerate(texts):
        if not (_is_word_list(one) if split else isinstance(one, str)):
            raise TypeError(f"Text {position} must be {kind}: got {one!r}. (is_split_into_words={split}.)")
    return texts, is_single


def _is_word_list(text: object) -> bool:
    return isinstance(text, Sequence) and not isinstance(text, str) and all(isinstance(word, str) for word in text)


def _as_list(entities: object, position: int | None = None) -> list[Any]:
    """The entities of a text, or the lists of them for a batch, of any iterable kind."""
    if isinstance(entities, (str, bytes, Mapping)) or not isinstance(entities, Iterable):
        whose = "The entities" if position is None else f"The entities of text {position}"
        raise TypeError(f"{whose} must be a list of (start, end): got {entities!r}.")
    return list(entities)


def _check_count(name: str, lists: Sequence[object], texts: Sequence[object], cure: str) -> None:
    if len(lists) != len(texts):
        raise ValueError(f"`{name}` has {len(lists)} lists for {len(texts)} texts. {cure}")


def flatten_entities(entities: Sequence[Any]) -> tuple[list[Any], list[int], list[str]]:
    """The mentions of all entities, the entity of each, and what errors call it.

    An entity is a span or a list of spans.
    """
    mentions: list[Any] = []
    mention_entity: list[int] = []
    places: list[str] = []
    for entity, given in enumerate(entities):
        is_cluster = isinstance(given, Sequence) and bool(given) and all(_is_pair(span) for span in given)
        spans = list(given) if is_cluster else [given]
        mentions += spans
        mention_entity += [entity] * len(spans)
        of_mentions = [f".mentions[{number}]" for number in range(len(spans))] if is_cluster else [""]
        places += [f"entities[{entity}]{of_mention}" for of_mention in of_mentions]
    return mentions, mention_entity, places


def _is_pair(span: object) -> bool:
    return isinstance(span, (Sequence, np.ndarray)) and not isinstance(span, (str, bytes)) and len(span) == 2


def by_entity(mention_entity: Sequence[int], starts: Sequence[int]) -> list[list[int]]:
    """Where the mentions of each entity start; `mention_entity` counts entities from 0 without gaps."""
    entity_starts: list[list[int]] = [[] for _ in set(mention_entity)]
    for entity, start in zip(mention_entity, starts, strict=True):
        entity_starts[entity].append(start)
    return entity_starts


def cluster_tensors(mention_entity: Sequence[int]) -> dict[str, np.ndarray]:
    """The tensors of entities of several mentions, of one text."""
    return {
        "mention_entity": np.array(mention_entity, dtype=np.int64),
        "entity_mask": np.ones(len(set(mention_entity)), dtype=np.bool_),
    }


def stack_features(
    features: Sequence[Mapping[str, np.ndarray]], pad_token_id: int, may_pad: bool
) -> dict[str, np.ndarray]:
    """Stacks the arrays of several texts, each padded on the right to its longest member.

    Raises:
        ValueError: when texts differ in length and must not be padded.
    """
    if any("mention_entity" in one for one in features):  # in the others, every mention is an entity
        features = [{**cluster_tensors(range(len(one["mention_mask"]))), **one} for one in features]
    if any("segment_mask" in one for one in features):  # the others are one segment
        features = [{**_one_segment(one), **one} for one in features]
    fills = {"input_ids": pad_token_id}
    return {name: _stack(name, [one[name] for one in features], fills.get(name, 0), may_pad) for name in features[0]}


def _one_segment(features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The segment of a text that is read whole: all its words."""
    words = features["word_token_spans"]
    span = [[words[0, 0], words[-1, 1]]] if len(words) else []
    return segment_tensors(np.array(span, dtype=np.int64).reshape(-1, 2))


def skip_empty(spans: np.ndarray) -> np.ndarray:
    """Token spans of words `(words, 2)` of which those without a token are taken for the next ones.

    As many at the end have none. For converted GLiNER-Relex checkpoints, see `empty_words` of [`GLiRELConfig`].
    """
    real = spans[spans[:, 1] > spans[:, 0]]
    shifted = np.zeros_like(spans)
    shifted[: len(real)] = real
    return shifted


def segment_tensors(spans: np.ndarray) -> dict[str, np.ndarray]:
    """The tensors of a text that is read in segments, from their token spans `(segments, 2)`."""
    return {"segment_token_spans": spans, "segment_mask": np.ones(len(spans), dtype=np.bool_)}


def stack_types(
    asked: Sequence[Sequence[tuple[int, ...]]], pad_token_id: int
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """The distinct relation types of a batch, padded to the longest, and which of them each text is asked for.

    Args:
        asked: for each text the tokens of each of its relation types.
        pad_token_id: of what reads them.

    Returns:
        `type_input_ids` and `type_attention_mask` `(types, type tokens)`; and the `relation_index` of each text.
    """
    number: dict[tuple[int, ...], int] = {}
    for of_text in asked:
        for tokens in of_text:
            number.setdefault(tokens, len(number))
    types = [np.array(tokens, dtype=np.int64) for tokens in number] or [np.zeros(0, dtype=np.int64)]
    shapes = {"type_input_ids": (types, pad_token_id), "type_attention_mask": ([np.ones_like(t) for t in types], 0)}
    stacked = {name: _stack(name, rows, fill, may_pad=True)[: len(number)] for name, (rows, fill) in shapes.items()}
    return stacked, [np.array([number[tokens] for tokens in of_text], dtype=np.int64) for of_text in asked]


def _stack(name: str, members: Sequence[np.ndarray], fill: int, may_pad: bool) -> np.ndarray:
    members = [np.asarray(member) for member in members]
    shape = tuple(max(sizes) for sizes in zip(*(member.shape for member in members), strict=True))
    if not may_pad and any(member.shape != shape for member in members):
        raise ValueError(f"The members of this batch differ in their number of {AXES[name][0]}. Pass padding=True.")
    stacked = np.full((len(members), *shape), fill, dtype=members[0].dtype)
    for row, member in zip(stacked, members, strict=True):
        row[tuple(map(slice, member.shape))] = member
    return stacked
