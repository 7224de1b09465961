"""Tokenizer of GLiREL models: texts, mentions and relation types in; named tensors out.

Axes have one name everywhere: `batch, tokens, words, mentions, pairs, relations`. Spans are half-open, and the unit is
in the name: `char_spans` address a string, `word_spans` the words of a text, `token_spans` the encoder's input.
"""

from __future__ import annotations

import json
import re
import threading
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from transformers import BatchEncoding, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import LARGE_INTEGER
from transformers.utils import is_torch_available

if is_torch_available():
    import torch

REL_TOKEN, SEP_TOKEN = "[REL]", "[SEP]"
MARKER_TOKENS = ("[E]", "[/E]")

Span = tuple[int, int]

# Settings of the model that are the tokenizer's business as well: both must agree.
SHARED_SETTINGS = (
    "entity_markers",
    "marker_placement",
    "max_pair_distance",
    "max_words",
    "shared_relation_positions",
)

# A word is a run of letters, digits and combining marks; any other visible character, and each ideograph or kana, is
# a word of its own, so that mentions can end at hyphens, at apostrophes and within unspaced text.
_IDEOGRAPH = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff"
_MARKS = "".join(chr(c) for c in range(0x300, 0x3000) if unicodedata.category(chr(c)) in ("Mn", "Mc"))
_WORD = re.compile(rf"[{_IDEOGRAPH}]|(?:(?![{_IDEOGRAPH}])[\w{_MARKS}])+|[^\w\s]")


def split_words(text: str) -> list[Span]:
    """Half-open character spans of a text's words: what mentions are made of. Only white space is in no word."""
    return [match.span() for match in _WORD.finditer(text)]


# The axes of every tensor that the tokenizer returns; "span" is a pair (start, end), "pair" a pair (head, tail).
AXES: dict[str, tuple[str, ...]] = {
    "input_ids": ("tokens",),
    "attention_mask": ("tokens",),
    "position_ids": ("tokens",),
    "word_token_spans": ("words", "span"),
    "word_mask": ("words",),
    "relation_token_spans": ("relations", "span"),
    "relation_mask": ("relations",),
    "mention_word_spans": ("mentions", "span"),
    "mention_mask": ("mentions",),
    "pair_index": ("pairs", "pair"),
    "pair_mask": ("pairs",),
    "labels": ("pairs", "relations"),
}


# How a backend encodes is a setting of it, so that only one thread at a time may set it and encode.
_BACKEND_IN_USE = threading.RLock()


class Words(NamedTuple):
    """A text split into words, and the encoder's tokens of those words."""

    char_spans: list[Span]  # where each word stands in the string; empty when words were given
    token_ids: list[int]
    token_starts: list[int]  # of length words + 1: word i has the tokens token_starts[i]:token_starts[i + 1]


class Prompt(NamedTuple):
    """`[CLS] [REL] r1 [REL] r2 … [SEP]`, which precedes every text asked for the same relation types."""

    token_ids: list[int]
    relation_token_spans: list[Span]
    position_ids: list[int]  # of these tokens; what follows goes on counting


class GLiRELTokenizer(PreTrainedTokenizerFast):
    r"""Builds `[CLS] [REL] r1 [REL] r2 … [SEP] text [SEP]` and maps words, mentions and pairs onto it.

    Wraps any fast tokenizer (Section 3.1 and Appendix A.2 of arXiv 2501.03172); make one with [`from_base`]. Called
    without `entities` and `relation_types` it does what the tokenizer that it wraps does.

    `[REL]`, `[SEP]` and the markers have a meaning only where this class puts them. Where they occur in a text or in
    a relation type they are read as ordinary characters, or refused where the vocabulary holds them as pieces.
    """

    # No `__init__` here: `AutoTokenizer` rebuilds a remote tokenizer that has one as a plain BPE model.
    model_input_names = ["input_ids", "attention_mask"]

    @classmethod
    def from_base(
        cls,
        tokenizer: PreTrainedTokenizerFast,
        *,
        model_max_length: int | None = None,
        entity_markers: bool = False,
        marker_placement: str = "nested",
        max_pair_distance: int | None = None,
        max_words: int | None = None,
        shared_relation_positions: bool = False,
        prefix_space: bool = True,
        new_tokens: Sequence[str] | None = None,
    ) -> GLiRELTokenizer:
        """Adds what GLiREL needs to the fast tokenizer of an encoder, which is left as it was.

        Args:
            tokenizer: the fast tokenizer that belongs to the encoder.
            model_max_length: how many tokens the encoder reads. By default what `tokenizer` says.
            entity_markers: whether `[E]` and `[/E]` enclose every mention.
            marker_placement: where the markers of overlapping mentions stand, see [`GLiRELConfig`].
            max_pair_distance: limit on the words between the starts of two mentions of a pair.
            max_words: limit on the words of a text.
            shared_relation_positions: whether all relation types stand at the same positions, see [`GLiRELConfig`].
            prefix_space: whether every word is tokenized as after a space; else `tokenizer` decides.
            new_tokens: what is added to the vocabulary, in this order, unless it is there. By default `[REL]`,
                `[SEP]` and, with `entity_markers`, the markers.

        Raises:
            TypeError: when `tokenizer` is not a fast tokenizer.
        """
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise TypeError(
                f"GLiRELTokenizer wraps a fast tokenizer (`PreTrainedTokenizerFast`): got {type(tokenizer).__name__}. "
                "Load it with `AutoTokenizer.from_pretrained(...)`."
            )
        backend = _copy_of_backend(tokenizer.backend_tokenizer, prefix_space)
        names = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
        wrapped = cls(
            tokenizer_object=backend,
            model_max_length=model_max_length or tokenizer.model_max_length,
            padding_side="right",
            entity_markers=entity_markers,
            marker_placement=marker_placement,
            max_pair_distance=max_pair_distance,
            max_words=max_words,
            shared_relation_positions=shared_relation_positions,
            **{name: getattr(tokenizer, name) for name in names if getattr(tokenizer, name, None) is not None},
        )
        tokens = new_tokens or [REL_TOKEN, SEP_TOKEN, *(MARKER_TOKENS if entity_markers else ())]
        missing = [token for token in tokens if token not in wrapped.get_vocab()]
        wrapped.add_special_tokens({"extra_special_tokens": missing})
        return wrapped

    @property
    def entity_markers(self) -> bool:
        """Whether `[E]` and `[/E]` enclose every mention in the encoder's input."""
        return bool(self.init_kwargs.get("entity_markers", False))

    @property
    def marker_placement(self) -> str:
        """Where the markers of overlapping mentions stand: `"nested"` or `"sequential"`, see [`GLiRELConfig`]."""
        return str(self.init_kwargs.get("marker_placement", "nested"))

    @property
    def max_pair_distance(self) -> int | None:
        """Limit on the words between the starts of a pair's mentions, in either direction; `None` is no limit."""
        return self.init_kwargs.get("max_pair_distance")

    @property
    def max_words(self) -> int | None:
        """Limit on the words of a text, relation types and markers aside; `None` is no limit but that on tokens."""
        return self.init_kwargs.get("max_words")

    @property
    def shared_relation_positions(self) -> bool:
        """Whether all relation types stand at the same positions, so that their order cannot matter."""
        return bool(self.init_kwargs.get("shared_relation_positions", False))

    def __call__(
        self,
        text: Any = None,
        *args: Any,
        entities: Sequence[Any] | None = None,
        relation_types: Sequence[Any] | None = None,
        is_split_into_words: bool = False,
        alignment: str = "strict",
        padding: bool | str = False,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> BatchEncoding:
        r"""Encodes texts with their mentions, beside the relation types that are asked for.

        Args:
            text (`str`, `list[str]`, `list[list[str]]`): a text or a batch of texts. With `is_split_into_words`, the
                words of a text (`list[str]`) or of a batch of texts.
            entities: mentions of a text, or a list of them for each text of a batch: half-open `(start, end)` in
                characters for strings, in words with `is_split_into_words`.
            relation_types: names of any number of words: one list for all texts, or one list for each.
            alignment: `"strict"` refuses a character span that cuts a word; `"expand"` widens it to whole words.
            padding: `True` pads every axis of a batch to its longest member.
            return_tensors: `"pt"` for torch tensors, which is also what `None` means here, or `"np"` for numpy arrays
                of the same shapes, which need no torch.

        Returns:
            [`BatchEncoding`] with everything that `model(**batch)` needs:

            - **input_ids**, **attention_mask** (`torch.LongTensor` of shape `(batch, tokens)`)
            - **position_ids** (`torch.LongTensor` of shape `(batch, tokens)`), with `shared_relation_positions` only
            - **word_token_spans** (`torch.LongTensor` of shape `(batch, words, 2)`): tokens of each word
            - **relation_token_spans** (`torch.LongTensor` of shape `(batch, relations, 2)`): tokens of each relation
              type; its `[REL]` stands just before
            - **mention_word_spans** (`torch.LongTensor` of shape `(batch, mentions, 2)`): words of each mention, in
              the given order (with `entity_markers`, the markers count as words and belong to the mention)
            - **pair_index** (`torch.LongTensor` of shape `(batch, pairs, 2)`): head and tail positions on the
              `mentions` axis, all ordered pairs i ≠ j, row-major, within `max_pair_distance`
            - **word_mask**, **relation_mask**, **mention_mask**, **pair_mask** (`torch.BoolTensor`): True means real

        Raises:
            ValueError: for a span that is empty, outside the text or across a word; for relation types that are
                empty or repeated; for an input longer than `model_max_length`, or a text longer than `max_words`.
            TypeError: for values of the wrong type.
        """
        if entities is None and relation_types is None:
            with _BACKEND_IN_USE:
                return super().__call__(
                    text,
                    *args,
                    is_split_into_words=is_split_into_words,
                    padding=padding,
                    return_tensors=return_tensors,
                    **kwargs,
                )
        if args or kwargs:
            raise TypeError(
                f"With `entities` and `relation_types`, GLiRELTokenizer does not take {[*map(repr, args), *kwargs]}. "
                "Too long a text is an error here; the pipeline splits it with truncation='window'."
            )
        if padding not in (False, True, "longest", "do_not_pad"):
            raise ValueError(f"`padding` must be True, 'longest' or False: got {padding!r}.")
        _check_return_tensors(return_tensors)
        if entities is None or relation_types is None:
            name = "entities" if entities is None else "relation_types"
            raise ValueError(f"`{name}` is missing: pass both `entities` and `relation_types` (either may be empty).")

        texts, entities, relation_types = _as_batch(text, entities, relation_types, is_split_into_words)
        prompts = {types: self.read_prompt(types) for types in dict.fromkeys(map(tuple, relation_types))}
        features = []
        for one_text, words, spans, types in zip(texts, self.read_words(texts), entities, relation_types, strict=True):
            if is_split_into_words:
                spans = [check_span(span, index, len(one_text), "word") for index, span in enumerate(spans)]
            else:
                spans = self.align(one_text, words, spans, alignment)
            features.append(self.build(prompts[tuple(types)], words, spans))
        return self.pad(features, padding=padding, return_tensors=return_tensors)

    def read_words(self, texts: Sequence[str | Sequence[str]]) -> list[Words]:
        """Splits strings into words (lists of words stay as they are) and tokenizes each word on its own."""
        char_spans = [split_words(text) if isinstance(text, str) else [] for text in texts]
        words = [
            [text[start:end] for start, end in spans] if isinstance(text, str) else list(text)
            for text, spans in zip(texts, char_spans, strict=True)
        ]
        return [
            Words(spans, encoding.ids, _token_starts(encoding.word_ids, len(text_words)))
            for spans, text_words, encoding in zip(
                char_spans, words, self._encode_plain(words, is_pretokenized=True), strict=True
            )
        ]

    def read_prompt(self, relation_types: Sequence[str]) -> Prompt:
        """Tokenizes relation types into the prompt that precedes a text.

        Raises:
            TypeError: when `relation_types` is not a list of strings.
            ValueError: when a type is empty or repeated.
        """
        check_relation_types(relation_types)
        rel_token_id, sep_token_id = self.convert_tokens_to_ids([REL_TOKEN, SEP_TOKEN])
        token_ids, spans = list(self._enclosing_token_ids[0]), []
        positions = list(range(len(token_ids)))
        encodings = self._encode_plain(list(relation_types))
        for position, (name, encoding) in enumerate(zip(relation_types, encodings, strict=True)):
            if not encoding.ids:
                raise ValueError(
                    f"relation_types[{position}] is {name!r}, of which the tokenizer keeps nothing. Use a name with "
                    "letters or digits."
                )
            if control := set(encoding.ids).intersection(self._control_token_ids):
                raise ValueError(
                    f"relation_types[{position}] is {name!r}, in which this vocabulary reads the control tokens "
                    f"{self.convert_ids_to_tokens(sorted(control))}. Write the name without them."
                )
            token_ids.append(rel_token_id)
            spans.append((len(token_ids), len(token_ids) + len(encoding.ids)))
            token_ids += encoding.ids
            first = len(self._enclosing_token_ids[0]) if self.shared_relation_positions else len(positions)
            positions += range(first, first + 1 + len(encoding.ids))
        return Prompt([*token_ids, sep_token_id], spans, [*positions, max(positions, default=-1) + 1])

    def align(
        self, text: str, words: Words, char_spans: Sequence[Sequence[int]], alignment: str = "strict"
    ) -> list[Span]:
        """Turns half-open character spans of `text` into half-open word spans.

        Raises:
            ValueError: when a span is empty, outside the text, or (unless `alignment="expand"`) cuts a word.
        """
        if alignment not in ("strict", "expand"):
            raise ValueError(f"`alignment` must be 'strict' or 'expand': got {alignment!r}.")
        starts, ends = [start for start, _ in words.char_spans], [end for _, end in words.char_spans]
        word_spans = []
        for index, span in enumerate(char_spans):
            start, end = check_span(span, index, len(text), "character")
            first, last = bisect_right(ends, start), bisect_right(starts, end - 1)
            if first >= last:
                raise ValueError(
                    f"`entities[{index}]` is {(start, end)}, which holds no word: {_around(text, start, end)}."
                )
            if alignment == "strict" and (starts[first], ends[last - 1]) != (start, end):
                raise ValueError(
                    f"`entities[{index}]` is {(start, end)}, which does not start and end on word boundaries: "
                    f"{_around(text, start, end)}. The nearest valid span is {(starts[first], ends[last - 1])}, "
                    f"{text[starts[first] : ends[last - 1]]!r}; alignment='expand' takes it."
                )
            word_spans.append((first, last))
        return word_spans

    def num_tokens(self, prompt: Prompt, words: Words, num_mentions: int) -> int:
        """Length of the encoder's input for a whole text."""
        markers = 2 * num_mentions if self.entity_markers else 0
        return len(prompt.token_ids) + len(words.token_ids) + markers + len(self._enclosing_token_ids[1])

    @property
    def limits(self) -> str:
        """What the model reads at most, such as "384 words and 512 tokens"."""
        limits = {"words": self.max_words, "tokens": self.model_max_length}
        return " and ".join(
            f"{limit} {unit}" for unit, limit in limits.items() if limit is not None and limit < LARGE_INTEGER
        )

    def fits(self, prompt: Prompt, words: Words, num_mentions: int) -> bool:
        """Whether a whole text is within `model_max_length` tokens and `max_words` words."""
        num_words = len(words.token_starts) - 1
        is_short = self.max_words is None or num_words <= self.max_words
        return is_short and self.num_tokens(prompt, words, num_mentions) <= self.model_max_length

    def build(
        self, prompt: Prompt, words: Words, mention_word_spans: Sequence[Span], window: Span | None = None
    ) -> dict[str, np.ndarray]:
        """Assembles the arrays of one text, without a batch axis, for [`pad`] to stack.

        Args:
            prompt: from [`read_prompt`].
            words: from [`read_words`].
            mention_word_spans: half-open word spans, counted from the start of the text.
            window: half-open word span to read instead of the whole text; every mention must lie in it.

        Raises:
            ValueError: when the input is longer than `model_max_length`, or the text than `max_words`.
        """
        begin, end = window or (0, len(words.token_starts) - 1)
        if self.max_words is not None and end - begin > self.max_words:
            raise ValueError(
                f"The text has {end - begin} words but the model reads {self.max_words}. Pass truncation='window' to "
                "the pipeline, or a shorter text."
            )
        first_token = words.token_starts[begin]
        token_ids = words.token_ids[first_token : words.token_starts[end]]
        token_starts = [start - first_token for start in words.token_starts[begin : end + 1]]
        spans = [(start - begin, stop - begin) for start, stop in mention_word_spans]
        starts = [start for start, _ in spans]
        if self.entity_markers:
            marker_ids = self.convert_tokens_to_ids(list(MARKER_TOKENS))
            insert = _insert_in_sequence if self.marker_placement == "sequential" else _insert_markers
            token_ids, token_starts, spans = insert(token_ids, token_starts, spans, *marker_ids)
            if self.marker_placement == "sequential":  # which counts the markers between mentions
                starts = [start for start, _ in spans]
        input_ids = [*prompt.token_ids, *token_ids, *self._enclosing_token_ids[1]]
        if len(input_ids) > self.model_max_length:
            num_types = len(prompt.relation_token_spans)
            raise ValueError(
                f"The text and {num_types} relation types need {len(input_ids)} tokens but the model reads "
                f"{self.model_max_length}. Pass truncation='window' to the pipeline, or fewer relation types "
                f"(they take {len(prompt.token_ids)} of these tokens)."
            )
        boundaries = np.array(token_starts, dtype=np.int64) + len(prompt.token_ids)
        pair_index = _ordered_pairs(starts, self.max_pair_distance)
        positions = {}
        if self.shared_relation_positions:
            after = prompt.position_ids[-1] + 1
            following = range(after, after + len(input_ids) - len(prompt.token_ids))
            positions["position_ids"] = np.array([*prompt.position_ids, *following], dtype=np.int64)
        return {
            "input_ids": np.array(input_ids, dtype=np.int64),
            "attention_mask": np.ones(len(input_ids), dtype=np.int64),
            **positions,
            "word_token_spans": np.stack((boundaries[:-1], boundaries[1:]), axis=-1),
            "word_mask": np.ones(len(token_starts) - 1, dtype=np.bool_),
            "relation_token_spans": np.array(prompt.relation_token_spans, dtype=np.int64).reshape(-1, 2),
            "relation_mask": np.ones(len(prompt.relation_token_spans), dtype=np.bool_),
            "mention_word_spans": np.array(spans, dtype=np.int64).reshape(-1, 2),
            "mention_mask": np.ones(len(spans), dtype=np.bool_),
            "pair_index": pair_index,
            "pair_mask": np.ones(len(pair_index), dtype=np.bool_),
        }

    def pad(
        self, encoded_inputs: Any, padding: bool | str = True, return_tensors: str | None = None, **kwargs: Any
    ) -> BatchEncoding:
        """Stacks what [`build`] returns (with `labels` of shape `(pairs, relations)` where there are any) to a batch.

        Every axis is padded on the right to its longest member; the masks tell what is real.

        Args:
            encoded_inputs: what [`build`] returned for each text. Anything else is padded as any tokenizer does.
            padding: whether axes may be padded.
            return_tensors: `"pt"`, as `None`, or `"np"`, see [`__call__`].
            kwargs: for anything else.

        Raises:
            ImportError: when torch tensors are asked for, and torch is not installed.
            ValueError: when `padding` is false and the members differ in length.
        """
        if isinstance(encoded_inputs, Mapping) or "pair_index" not in encoded_inputs[0]:
            return super().pad(encoded_inputs, padding=padding, return_tensors=return_tensors, **kwargs)
        _check_return_tensors(return_tensors)
        batch = {}
        for name in encoded_inputs[0]:
            members = [np.asarray(features[name]) for features in encoded_inputs]
            fill = self.pad_token_id or 0 if name == "input_ids" else 0
            shape = tuple(max(sizes) for sizes in zip(*(member.shape for member in members), strict=True))
            if padding in (False, "do_not_pad") and any(member.shape != shape for member in members):
                raise ValueError(
                    f"The members of this batch differ in their number of {AXES[name][0]}. Pass padding=True."
                )
            stacked = np.full((len(members), *shape), fill, dtype=members[0].dtype)
            for row, member in zip(stacked, members, strict=True):
                row[tuple(map(slice, member.shape))] = member
            batch[name] = stacked if return_tensors == "np" else torch.from_numpy(stacked)
        return BatchEncoding(batch)

    def _encode_plain(self, texts: list[Any], is_pretokenized: bool = False) -> list[Any]:
        """Encodes without special tokens, neither added around nor recognised within the texts."""
        with _BACKEND_IN_USE:
            backend = self._whole_backend
            before, backend.encode_special_tokens = backend.encode_special_tokens, True
            try:
                return backend.encode_batch(texts, is_pretokenized=is_pretokenized, add_special_tokens=False)
            except TypeError:  # what the backend says of strings that are no Unicode names no string
                _check_unicode(texts)
                raise
            finally:
                backend.encode_special_tokens = before

    @property
    def _control_token_ids(self) -> set[int]:
        """Tokens that must not come from what a user writes; some vocabularies hold them as ordinary pieces."""
        return set(self.all_special_ids) - {self.unk_token_id}

    @property
    def _whole_backend(self) -> Any:
        """The backend, without the truncation and padding that an earlier plain call left switched on in it."""
        backend = self.backend_tokenizer
        backend.no_truncation()
        backend.no_padding()
        return backend

    @property
    def _enclosing_token_ids(self) -> tuple[list[int], list[int]]:
        """What the encoder's own template puts before and after an input, such as `[CLS]` and `[SEP]`."""
        with _BACKEND_IN_USE:
            encoding = self._whole_backend.encode("a", add_special_tokens=True)
        is_text = [not special for special in encoding.special_tokens_mask]
        first, last = is_text.index(True), len(is_text) - is_text[::-1].index(True)
        return encoding.ids[:first], encoding.ids[last:]


def check_relation_types(relation_types: Any) -> None:
    """Raises a `TypeError` or `ValueError` unless `relation_types` is a list of different, non-empty strings."""
    if isinstance(relation_types, str) or not isinstance(relation_types, Sequence):
        raise TypeError(f"`relation_types` must be a list of strings: got {relation_types!r}.")
    seen: dict[str, int] = {}
    for position, name in enumerate(relation_types):
        if not isinstance(name, str):
            raise TypeError(f"relation_types[{position}] must be a string: got {name!r}, a {type(name).__name__}.")
        if not name.strip():
            raise ValueError(f"relation_types[{position}] is {name!r}, an empty name. Remove it or name the relation.")
        if name in seen:
            raise ValueError(
                f"relation_types repeats {name!r} (positions {seen[name]} and {position}). Each type needs its own "
                "column; remove the duplicate."
            )
        seen[name] = position


def check_span(span: Any, index: int, length: int, unit: str) -> Span:
    """Returns `(start, end)` when it is a half-open, non-empty span within `length` units, else raises."""
    if not isinstance(span, Sequence) or isinstance(span, str) or len(span) != 2:
        raise TypeError(f"`entities[{index}]` must be (start, end), half-open, in {unit}s: got {span!r}.")
    if any(isinstance(bound, bool) or not hasattr(bound, "__index__") for bound in span):
        raise TypeError(f"`entities[{index}]` must hold two whole numbers: got {tuple(span)!r}.")
    start, end = (bound.__index__() for bound in span)
    if start == end:
        raise ValueError(
            f"`entities[{index}]` is ({start}, {end}), an empty span. Spans are half-open: the single {unit} at "
            f"{start} is ({start}, {start + 1})."
        )
    if start > end:
        raise ValueError(f"`entities[{index}]` is ({start}, {end}), which ends before it starts.")
    if start < 0 or end > length:
        raise ValueError(
            f"`entities[{index}]` is ({start}, {end}), outside the text, which has {length} {unit}s. Spans are "
            f"half-open and counted in {unit}s."
        )
    return start, end


def _as_batch(text: Any, entities: Any, relation_types: Any, split: bool) -> tuple[list[Any], list[Any], list[Any]]:
    """Brings a text or a batch of them into the form of a batch, and checks that its parts fit together."""
    kind = "a list of words" if split else "a string"
    if isinstance(text, str) and split:
        raise TypeError(f"With is_split_into_words a text is a list of words: got the string {text!r}.")
    if not isinstance(text, (str, Sequence)):
        raise TypeError(f"A text must be {kind}: got {text!r}.")
    single = isinstance(text, str) or (split and bool(text) and all(isinstance(word, str) for word in text))
    texts = [text] if single else list(text)
    if not texts:
        raise ValueError("The batch holds no text: got an empty list.")
    for position, one in enumerate(texts):
        fits = (
            all(isinstance(word, str) for word in one) if split and not isinstance(one, str) else isinstance(one, str)
        )
        if not fits or (split and isinstance(one, str)):
            raise TypeError(f"Text {position} must be {kind}: got {one!r}. (is_split_into_words={split}.)")
    entities = [entities] if single else list(entities)
    if len(entities) != len(texts):
        raise ValueError(
            f"`entities` has {len(entities)} lists for {len(texts)} texts. Give each text its own list, which may be "
            "empty."
        )
    for position, spans in enumerate(entities):
        if isinstance(spans, str) or not isinstance(spans, Sequence):
            raise TypeError(f"The entities of text {position} must be a list of (start, end): got {spans!r}.")
    one_for_each = not single and bool(relation_types) and not any(isinstance(t, str) for t in relation_types)
    types = list(relation_types) if one_for_each else [relation_types] * len(texts)
    if len(types) != len(texts):
        raise ValueError(
            f"`relation_types` has {len(types)} lists for {len(texts)} texts. Give one list for all texts, or one "
            "for each."
        )
    for names in types:
        check_relation_types(names)
    return texts, entities, types


def _check_return_tensors(return_tensors: Any) -> None:
    if return_tensors not in (None, "pt", "np"):
        raise ValueError(f"`return_tensors` must be 'pt' or 'np': got {return_tensors!r}.")
    if return_tensors != "np" and not is_torch_available():
        raise ImportError(
            "What is returned by default are tensors of torch, which is not installed. Pass return_tensors='np'."
        )


def _check_unicode(texts: list[Any]) -> None:
    """Raises a `ValueError` for a string with half of a surrogate pair, which no encoding can write."""
    for text in (part for one in texts for part in ([one] if isinstance(one, str) else one)):
        if half := re.search("[\ud800-\udfff]", text):
            raise ValueError(
                f"{text!r} has {half.group()!r} at {half.start()}, half of a surrogate pair, which is no character. "
                "Read the text again with its right encoding, or remove it."
            )


def _token_starts(word_ids: list[int], num_words: int) -> list[int]:
    """First token of every word, and the number of tokens: words that gave no token start where the next one does."""
    starts: list[int] = np.searchsorted(np.array(word_ids, dtype=np.int64), np.arange(num_words + 1)).tolist()
    return starts


def _ordered_pairs(mention_starts: list[int], max_distance: int | None) -> np.ndarray:
    """All ordered pairs of different mentions, row-major, `(pairs, 2)`."""
    allowed = ~np.eye(len(mention_starts), dtype=np.bool_)
    if max_distance is not None:
        starts = np.array(mention_starts, dtype=np.int64)
        allowed &= np.abs(starts[:, None] - starts[None, :]) <= max_distance
    return np.argwhere(allowed).astype(np.int64, copy=False)


def _insert_markers(
    token_ids: list[int], token_starts: list[int], spans: list[Span], open_id: int, close_id: int
) -> tuple[list[int], list[int], list[Span]]:
    """Encloses mentions in markers, which become words of their own; nested mentions nest, the longer one outside."""
    new_ids: list[int] = []
    new_starts: list[int] = []
    opened, closed = [0] * len(spans), [0] * len(spans)
    mentions = range(len(spans))
    opening = sorted(mentions, key=lambda m: (spans[m][0], -spans[m][1], m))
    closing = sorted(mentions, key=lambda m: (spans[m][1], -spans[m][0], -m))
    for word in range(len(token_starts)):
        while closing and spans[closing[0]][1] == word:
            new_starts.append(len(new_ids))
            new_ids.append(close_id)
            closed[closing.pop(0)] = len(new_starts)
        while opening and spans[opening[0]][0] == word:
            opened[opening.pop(0)] = len(new_starts)
            new_starts.append(len(new_ids))
            new_ids.append(open_id)
        if word + 1 < len(token_starts):
            new_starts.append(len(new_ids))
            new_ids += token_ids[token_starts[word] : token_starts[word + 1]]
    return new_ids, [*new_starts, len(new_ids)], list(zip(opened, closed, strict=True))


def _insert_in_sequence(
    token_ids: list[int], token_starts: list[int], spans: list[Span], open_id: int, close_id: int
) -> tuple[list[int], list[int], list[Span]]:
    """Encloses one mention after the other, by its start, each shifted by the markers that are there already.

    A mention that starts within an earlier one is shifted too far, and its markers push others on: its span then
    holds other words, and spans that were marked before do not follow.
    """
    words = [token_ids[start:end] for start, end in pairwise(token_starts)]
    marked: list[Span] = [(0, 0)] * len(spans)
    order = sorted(range(len(spans)), key=lambda m: spans[m][0])
    for shift, mention in enumerate(order):
        start, end = spans[mention][0] + 2 * shift, spans[mention][1] + 2 * shift + 2
        words.insert(start, [open_id])
        words.insert(end - 1, [close_id])
        marked[mention] = (start, end)
    starts = [0, *accumulate(map(len, words))]
    return [token for word in words for token in word], starts, marked


def _around(text: str, start: int, end: int, context: int = 20) -> str:
    """The text around a span, with the span in ⟦brackets⟧."""
    left = ("…" if start > context else "") + text[max(0, start - context) : start]
    right = text[end : end + context] + ("…" if end + context < len(text) else "")
    return repr(f"{left}⟦{text[start:end]}⟧{right}")


def _copy_of_backend(backend: Any, prefix_space: bool) -> Any:
    """A copy of `backend`; with `prefix_space` it tokenizes every word as it would within a text, after a space.

    Byte-level and SentencePiece vocabularies otherwise read a lone word as the beginning of a text.
    """
    state = json.loads(backend.to_str())
    state["truncation"] = state["padding"] = None  # nothing is cut silently, and `pad` pads
    stack = [state["pre_tokenizer"]] if prefix_space else []
    while stack:
        step = stack.pop()
        if step is None:
            continue
        stack += step.get("pretokenizers", [])
        if step["type"] == "ByteLevel":
            step["add_prefix_space"] = True
        elif step["type"] == "Metaspace":
            step["prepend_scheme"] = "always"
    return type(backend).from_str(json.dumps(state))


__all__ = ["GLiRELTokenizer"]
