"""Tokenizer of GLiREL models: texts, entities and relation types in; named tensors out.

Axes have one name everywhere: `batch, tokens, words, mentions, entities, pairs, relations`. Spans are half-open, and
the unit is in the name: `char_spans` address a string, `word_spans` the words of a text, `token_spans` the encoder's
input.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from tokenizers import Tokenizer
from transformers import BatchEncoding, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import LARGE_INTEGER
from transformers.utils import is_torch_available

from .batches_glirel import (
    as_batch,
    by_entity,
    cluster_tensors,
    flatten_entities,
    segment_tensors,
    skip_empty,
    stack_features,
    stack_types,
)
from .prompts_glirel import ENTITY_TYPES, RELATION_TYPES, Part, Prompt, Room, build_prompt
from .text_glirel import (
    MARKERS,
    Span,
    Words,
    align,
    check_alignment,
    check_relation_types,
    check_span,
    check_unicode,
    count_tokens,
    find_collapse,
    ordered_pairs,
    split_words,
    with_tokens,
    without_ignored,
)

if is_torch_available():
    import torch

if TYPE_CHECKING:
    from tokenizers import Encoding

REL_TOKEN, SEP_TOKEN, ENT_TOKEN = "[REL]", "[SEP]", "[ENT]"
MARKER_TOKENS = ("[E]", "[/E]")
# What stands before each type in a prompt, by its part, and what ends the prompt.
PROMPT_TOKENS = {ENTITY_TYPES: ENT_TOKEN, RELATION_TYPES: REL_TOKEN, "end": SEP_TOKEN}
# Reads relation types for an encoder of their own.
LABEL_TOKENIZER_FILE = "label_tokenizer.json"

# Settings of the model that are the tokenizer's business as well: both must agree.
SHARED_SETTINGS = (
    "label_encoding",
    "entity_markers",
    "marker_placement",
    "max_pair_distance",
    "max_words",
    "shared_relation_positions",
    "type_attention",
    "entity_finder",
    "prompt_separators",
    "word_splitting",
    "empty_words",
)

# How a backend encodes is a setting of it, so that only one thread at a time may set it and encode.
_BACKEND_IN_USE = threading.RLock()


class GLiRELTokenizer(PreTrainedTokenizerFast):
    r"""Builds `[CLS] [REL] r1 [REL] r2 … [SEP] text [SEP]` and maps words, mentions and pairs onto it.

    Wraps any fast tokenizer (Section 3.1 and Appendix A.2 of arXiv 2501.03172); make one with [`from_base`]. Called
    without `entities` and `relation_types` it does what the tokenizer that it wraps does. For a model that finds
    entities, their types stand first: `[CLS] [ENT] e1 … [REL] r1 … [SEP] text [SEP]`.

    `[REL]`, `[SEP]` and the markers have a meaning only where this class puts them. Where they occur in a text or in
    a relation type they are read as ordinary characters, or refused where the vocabulary holds them as pieces.
    """

    # No `__init__` here: `AutoTokenizer` rebuilds a remote tokenizer that has one as a plain BPE model.
    model_input_names = ["input_ids", "attention_mask"]
    vocab_files_names: ClassVar[dict[str, str]] = {
        "tokenizer_file": "tokenizer.json",
        "label_tokenizer_file": LABEL_TOKENIZER_FILE,
    }
    _label_tokenizer: Tokenizer | None = None

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
        type_attention: str = "all",
        label_encoding: str = "joint",
        label_tokenizer: PreTrainedTokenizerFast | None = None,
        entity_finder: str = "none",
        prompt_separators: str = "last",
        word_splitting: str = "unicode",
        empty_words: str = "kept",
        prompt_tokens: Mapping[str, str] | None = None,
        prefix_space: bool = True,
        new_tokens: Sequence[str] | None = None,
        reads_format_characters: bool = False,
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
            type_attention: what a type attends to while it is read, see [`GLiRELConfig`].
            label_encoding: `"separate"` reads relation types apart from the text, see [`GLiRELConfig`].
            label_tokenizer: the fast tokenizer of the encoder that reads them; by default `tokenizer`.
            entity_finder, prompt_separators, word_splitting, empty_words: see [`GLiRELConfig`].
            prompt_tokens: what stands before each of the `"entity_types"` and `"relations"` of a prompt, and what is
                at its `"end"`. By default `[ENT]`, `[REL]` and `[SEP]`.
            prefix_space: whether every word is tokenized as after a space; else `tokenizer` decides.
            new_tokens: what is added to the vocabulary, in this order, unless it is there. By default the prompt's,
                unless types are read apart, and the markers with `entity_markers`.
            reads_format_characters: whether soft hyphens, zero-width spaces and marks of direction are tokenized too,
                for checkpoints that were trained that way; else they are left out.

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
            type_attention=type_attention,
            label_encoding=label_encoding,
            **({"reads_format_characters": True} if reads_format_characters else {}),
            **({"prompt_tokens": dict(prompt_tokens)} if prompt_tokens is not None else {}),
            entity_finder=entity_finder,
            prompt_separators=prompt_separators,
            word_splitting=word_splitting,
            empty_words=empty_words,
            **{name: getattr(tokenizer, name) for name in names if getattr(tokenizer, name, None) is not None},
        )
        if label_tokenizer is not None:
            wrapped._read_types_with(label_tokenizer)
        of_parts = [RELATION_TYPES, "end", *([ENTITY_TYPES] if wrapped.finds_entities else [])]
        of_prompt = [wrapped.prompt_tokens[part] for part in of_parts] if label_encoding == "joint" else []
        tokens = [*of_prompt, *(MARKER_TOKENS if entity_markers else ())] if new_tokens is None else new_tokens
        missing = [token for token in tokens if token not in wrapped.get_vocab()]
        wrapped.add_special_tokens({"extra_special_tokens": missing})
        return wrapped

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> GLiRELTokenizer:
        """As [`PreTrainedTokenizerFast.from_pretrained`], with what reads relation types on their own, if anything."""
        tokenizer: GLiRELTokenizer = super().from_pretrained(*args, **kwargs)
        file = tokenizer.init_kwargs.pop("label_tokenizer_file", None)
        if file is not None:
            tokenizer._label_tokenizer = Tokenizer.from_file(str(file))
        return tokenizer

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """As [`PreTrainedTokenizerFast.save_pretrained`], with what reads relation types on their own, if anything."""
        if self._label_tokenizer is not None:
            Path(save_directory).mkdir(parents=True, exist_ok=True)
            self._label_tokenizer.save(str(Path(save_directory, LABEL_TOKENIZER_FILE)))
        saved: tuple[str, ...] = super().save_pretrained(save_directory, *args, **kwargs)
        return saved

    def _read_types_with(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Lets a fast tokenizer, which is left as it was, read relation types for an encoder of their own."""
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise TypeError(
                f"`label_tokenizer` must be a fast tokenizer (`PreTrainedTokenizerFast`): got "
                f"{type(tokenizer).__name__}. Load it with `AutoTokenizer.from_pretrained(...)`."
            )
        self._label_tokenizer = _copy_of_backend(tokenizer.backend_tokenizer, prefix_space=False)
        limit = tokenizer.model_max_length
        self.init_kwargs["label_pad_token_id"] = tokenizer.pad_token_id or 0
        self.init_kwargs["label_max_length"] = limit if limit < LARGE_INTEGER else None

    @property
    def label_encoding(self) -> str:
        """Where relation types are read: `"joint"`, before the text, or `"separate"`, each on its own."""
        return str(self.init_kwargs.get("label_encoding", "joint"))

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
        """Limit on the words between the starts of a pair's mentions, in either direction; `None`: no limit."""
        return self.init_kwargs.get("max_pair_distance")

    @property
    def max_words(self) -> int | None:
        """Limit on the words of a text, relation types and markers aside; `None` leaves only the limit on tokens."""
        return self.init_kwargs.get("max_words")

    @property
    def entity_finder(self) -> str:
        """How the model finds entities, see [`GLiRELConfig`]; `"none"` where it does not."""
        return str(self.init_kwargs.get("entity_finder", "none"))

    @property
    def finds_entities(self) -> bool:
        """Whether entity types can be asked for."""
        return self.entity_finder != "none"

    @property
    def prompt_separators(self) -> str:
        """Where separators stand in a prompt: `"last"` or `"each"`, see [`GLiRELConfig`]."""
        return str(self.init_kwargs.get("prompt_separators", "last"))

    @property
    def prompt_tokens(self) -> dict[str, str]:
        """What stands before each type in a prompt, by its part, and at the prompt's end."""
        return dict(self.init_kwargs.get("prompt_tokens", PROMPT_TOKENS))

    @property
    def word_splitting(self) -> str:
        """What a word of a string is: `"unicode"` or `"ascii_hyphens"`, see [`GLiRELConfig`]."""
        return str(self.init_kwargs.get("word_splitting", "unicode"))

    @property
    def empty_words(self) -> str:
        """What becomes of words without a token: `"kept"` or `"skipped"`, see [`GLiRELConfig`]."""
        return str(self.init_kwargs.get("empty_words", "kept"))

    @property
    def shared_relation_positions(self) -> bool:
        """Whether all relation types stand at the same positions, so that their order cannot matter."""
        return bool(self.init_kwargs.get("shared_relation_positions", False))

    @property
    def type_attention(self) -> str:
        """What a type attends to while it is read: `"all"`, `"own"` or `"one_way"`, see [`GLiRELConfig`]."""
        return str(self.init_kwargs.get("type_attention", "all"))

    def __call__(
        self,
        text: str | Sequence[str] | Sequence[Sequence[str]] | None = None,
        *args: object,
        entities: Sequence[Any] | None = None,
        relation_types: Sequence[Any] | None = None,
        entity_types: Sequence[str] | None = None,
        is_split_into_words: bool = False,
        alignment: str = "strict",
        self_pairs: bool = False,
        padding: bool | str = False,
        return_tensors: str | None = None,
        **kwargs: object,
    ) -> BatchEncoding:
        r"""Encodes texts with their entities, next to the relation types that are asked for.

        Args:
            text (`str`, `list[str]`, `list[list[str]]`): a text or a batch of texts. With `is_split_into_words`, the
                words of a text (`list[str]`) or of a batch of texts.
            entities: entities of a text, or a list of them for each text of a batch: half-open `(start, end)` in
                characters for strings, in words with `is_split_into_words`. An entity of several mentions is a list
                of such spans.
            relation_types: names of any number of words: one list for all texts, or one list for each.
            entity_types: names of the entity types that the model is to find, for all texts. Then `entities` may be
                left out, and so may `relation_types`.
            alignment: `"strict"` refuses a character span that cuts a word; `"expand"` widens it to whole words.
            self_pairs: whether each entity is also paired with itself.
            padding: `True` pads every axis of a batch to its longest member.
            return_tensors: `"pt"` for torch tensors, which is also what `None` means here, or `"np"` for numpy arrays
                of the same shapes, which need no torch.

        Returns:
            [`BatchEncoding`] with everything that `model(**batch)` needs:

            - **input_ids**, **attention_mask** (`torch.LongTensor` of shape `(batch, tokens)`)
            - **position_ids** (`torch.LongTensor` of shape `(batch, tokens)`), with `shared_relation_positions` only
            - **word_token_spans** (`torch.LongTensor` of shape `(batch, words, 2)`): tokens of each word
            - **relation_token_spans** (`torch.LongTensor` of shape `(batch, relations, 2)`): tokens of each relation
              type; its `[REL]` stands just before. With `label_encoding="separate"` there are instead
              **type_input_ids**, **type_attention_mask** (`torch.LongTensor` of shape `(types, tokens)`), the distinct
              relation types of the batch, and **relation_index** (`torch.LongTensor` of shape `(batch, relations)`),
              which of them each text is asked for
            - **entity_type_token_spans** (`torch.LongTensor` of shape `(batch, entity types, 2)`), or
              **entity_type_index** `(batch, entity types)`, likewise, and **entity_type_mask**; with `entity_types`
              only
            - **mention_word_spans** (`torch.LongTensor` of shape `(batch, mentions, 2)`): words of each mention, in
              the given order (with `entity_markers`, the markers count as words and belong to the mention)
            - **mention_entity** (`torch.LongTensor` of shape `(batch, mentions)`), **entity_mask** (`torch.BoolTensor`
              of shape `(batch, entities)`): only where an entity of the batch has several mentions, the entity of
              each; otherwise each mention is an entity
            - **pair_index** (`torch.LongTensor` of shape `(batch, pairs, 2)`): head and tail positions on the
              `entities` axis, all ordered pairs i ≠ j, row-major, within `max_pair_distance`
            - **word_mask**, **relation_mask**, **mention_mask**, **pair_mask** (`torch.BoolTensor`): True means real

        Raises:
            ValueError: for a span that is empty, outside the text or across a word; for different mentions that
                `alignment="expand"` makes one; for relation types that are empty or repeated; for an input longer
                than `model_max_length`, or a text longer than `max_words`.
            TypeError: for values of the wrong type.
        """
        if entities is None and relation_types is None and entity_types is None:
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
                "A text that is too long is an error here; the pipeline splits it with truncation='window'."
            )
        if padding not in (False, True, "longest", "do_not_pad"):
            raise ValueError(f"`padding` must be True, 'longest' or False: got {padding!r}.")
        _check_return_tensors(return_tensors)
        check_alignment(alignment)
        finds = entity_types is not None and entities is None
        if entity_types is not None:
            relation_types = [] if relation_types is None else relation_types
        elif entities is None or relation_types is None:
            name = "entities" if entities is None else "relation_types"
            raise ValueError(f"`{name}` is missing: pass both `entities` and `relation_types` (either may be empty).")

        texts, of_texts, types = as_batch(text, entities, relation_types, is_split_into_words)
        prompts = {names: self.read_prompt(names, entity_types) for names in dict.fromkeys(map(tuple, types))}
        features = []
        for one_text, words, given, names in zip(texts, self.read_words(texts), of_texts, types, strict=True):
            spans, mention_entity, places = flatten_entities(given)
            if isinstance(one_text, str):
                spans = self.align(one_text, words, spans, alignment, places)
            else:
                placed = zip(spans, places, strict=True)
                spans = [check_span(span, place, len(one_text), "word") for span, place in placed]
            prompt = prompts[tuple(names)]
            features.append(self.build(prompt, words, spans, mention_entity=mention_entity, self_pairs=self_pairs))
        batch = self.pad(features, padding=padding, return_tensors=return_tensors)
        if finds:  # by the model
            for name in ("mention_word_spans", "mention_mask", "pair_index", "pair_mask"):
                del batch[name]
        return batch

    def read_words(self, texts: Sequence[str | Sequence[str]]) -> list[Words]:
        """Splits strings into words (lists of words stay as they are) and tokenizes each word on its own."""
        splitting = self.word_splitting
        char_spans = [split_words(text, splitting) if isinstance(text, str) else [] for text in texts]
        words = [
            [text[start:end] for start, end in spans] if isinstance(text, str) else list(text)
            for text, spans in zip(texts, char_spans, strict=True)
        ]
        encodings = self._encode_plain(
            [list(map(self._read_part_of, of_text)) for of_text in words], is_pretokenized=True
        )
        return [
            Words(spans, encoding.ids, count_tokens([w for w in encoding.word_ids if w is not None], len(text_words)))
            for spans, text_words, encoding in zip(char_spans, words, encodings, strict=True)
        ]

    def _read_part_of(self, word: str) -> str:
        """What is tokenized of a word, or of a relation type."""
        return word if self.init_kwargs.get("reads_format_characters") else without_ignored(word)

    def read_prompt(self, relation_types: Sequence[str], entity_types: Sequence[str] | None = None) -> Prompt:
        """Tokenizes types into the prompt that precedes a text.

        Args:
            relation_types: that are asked for.
            entity_types: that are to be found, where the model does; `None` where entities are given.

        Raises:
            TypeError: when types are not lists of strings.
            ValueError: when a type is empty or repeated; when the model does not find entities.
        """
        check_relation_types(relation_types)
        if entity_types is not None:
            if not self.finds_entities:
                raise ValueError(
                    "`entity_types` are for models that find entities, and this one does not (entity_finder='none'). "
                    "Pass `entities`."
                )
            check_relation_types(entity_types, "entity_types")
        opening, _ = self._enclosing_token_ids
        if self.label_encoding == "separate":
            return Prompt(
                opening,
                list(range(len(opening))),
                {},
                tuple(relation_types),
                self._read_types_apart(relation_types, "relation_types"),
                tuple(entity_types or ()),
                None if entity_types is None else self._read_types_apart(entity_types, "entity_types"),
            )
        names = {RELATION_TYPES: relation_types}
        if self.finds_entities:
            names = {ENTITY_TYPES: entity_types or (), **names}
        marker_ids = dict(
            zip(self.prompt_tokens, self.convert_tokens_to_ids([*self.prompt_tokens.values()]), strict=True)
        )
        calls = {RELATION_TYPES: "relation_types", ENTITY_TYPES: "entity_types"}
        parts = {part: Part(marker_ids[part], self._read_names(names[part], calls[part])) for part in names}
        return build_prompt(
            names,
            opening,
            parts,
            marker_ids["end"],
            shared_positions=self.shared_relation_positions,
            separates_parts=self.prompt_separators == "each",
            text_stands_apart=self.type_attention == "one_way",
        )

    def _read_names(self, names: Sequence[str], where: str) -> list[list[int]]:
        """The tokens of each type in a prompt; `where` is what errors call the list."""
        control_ids = self._control_token_ids
        read = []
        encodings = self._encode_plain(list(map(self._read_part_of, names)))
        for position, (name, encoding) in enumerate(zip(names, encodings, strict=True)):
            if not encoding.ids:
                raise ValueError(
                    f"{where}[{position}] is {name!r}, of which the tokenizer keeps nothing. Use a name with letters "
                    "or digits."
                )
            if control := control_ids.intersection(encoding.ids):
                raise ValueError(
                    f"{where}[{position}] is {name!r}, in which this vocabulary reads the control tokens "
                    f"{self.convert_ids_to_tokens(sorted(control))}. Write the name without them."
                )
            read.append(encoding.ids)
        return read

    def _read_types_apart(self, types: Sequence[str], where: str) -> list[tuple[int, ...]]:
        """The tokens of each type, read on its own with the special tokens of the encoder that reads it."""
        with _BACKEND_IN_USE:
            backend = self._whole_backend if self._label_tokenizer is None else self._label_tokenizer
            before, backend.encode_special_tokens = backend.encode_special_tokens, True
            try:
                encodings = backend.encode_batch(list(map(self._read_part_of, types)))
            finally:
                backend.encode_special_tokens = before
        for position, (name, encoding) in enumerate(zip(types, encodings, strict=True)):
            if all(encoding.special_tokens_mask):
                raise ValueError(
                    f"{where}[{position}] is {name!r}, of which the tokenizer keeps nothing. Use a name with letters "
                    "or digits."
                )
            limit = self.init_kwargs.get("label_max_length")
            if limit is not None and len(encoding.ids) > limit:
                raise ValueError(
                    f"{where}[{position}] needs {len(encoding.ids)} tokens but what reads relation types reads "
                    f"{limit}: {name[:60]!r}… Use a shorter name."
                )
        return [tuple(encoding.ids) for encoding in encodings]

    def stack_types(self, types: Sequence[tuple[int, ...]]) -> dict[str, np.ndarray]:
        """Relation types that are read apart, by their tokens in a [`Prompt`], all different, as a batch.

        Returns:
            `type_input_ids` and `type_attention_mask`, `(types, tokens)` each.
        """
        return stack_types([types], self._label_pad_token_id)[0]

    @property
    def _label_pad_token_id(self) -> int:
        return int(self.init_kwargs.get("label_pad_token_id", self.pad_token_id or 0))

    @property
    def label_vocabulary(self) -> str:
        """What reads relation types on their own, as JSON: how it tokenizes them."""
        backend = self._whole_backend if self._label_tokenizer is None else self._label_tokenizer
        return str(backend.to_str())

    def room(self, prompt: Prompt) -> Room:
        """How much of a text fits next to a prompt."""
        enclosing = len(prompt.token_ids) + len(self._enclosing_token_ids[1])
        return Room(self.model_max_length - enclosing, self.max_words, 2 if self.entity_markers else 0)

    # Folders that were saved before there was `room` bring a pipeline that asks these two.

    def fits(self, prompt: Prompt, words: Words, num_mentions: int) -> bool:
        """As [`Room.fits`]."""
        return self.room(prompt).fits(words, num_mentions)

    def num_tokens(self, prompt: Prompt, words: Words, num_mentions: int) -> int:
        """Length of the encoder's input for a whole text."""
        room = self.room(prompt)
        return self.model_max_length - room.tokens + len(words.token_ids) + room.marker_tokens * num_mentions

    @property
    def limits(self) -> str:
        """What the model reads at most, such as "384 words and 512 tokens"."""
        limits = {"words": self.max_words, "tokens": self.model_max_length}
        return " and ".join(
            f"{limit} {unit}" for unit, limit in limits.items() if limit is not None and limit < LARGE_INTEGER
        )

    def align(
        self,
        text: str,
        words: Words,
        char_spans: Sequence[Sequence[int]],
        alignment: str = "strict",
        places: Sequence[str] | None = None,
    ) -> list[Span]:
        """Turns half-open character spans of `text` into half-open word spans; errors call them by their `places`.

        Raises:
            ValueError: when a span is empty, outside the text, or (unless `alignment="expand"`) cuts a word; when two
                different spans become the same words.
        """
        word_spans = align(text, words, char_spans, alignment, places)
        if (what := find_collapse(text, words, char_spans, word_spans, places)) is not None:
            raise ValueError(f"{what}.")
        return word_spans

    def build(
        self,
        prompt: Prompt,
        words: Words,
        mention_word_spans: Sequence[Span],
        window: Span | None = None,
        mention_entity: Sequence[int] | None = None,
        self_pairs: bool = False,
        segments: Sequence[Span] | None = None,
    ) -> dict[str, Any]:
        """Assembles the arrays of one text, without a batch axis, for [`pad`] to stack.

        Args:
            prompt: from [`read_prompt`].
            words: from [`read_words`].
            mention_word_spans: half-open word spans, counted from the start of the text.
            window: half-open word span to read instead of the whole text; every mention must lie in it.
            mention_entity: the entity of each mention, counted from 0 without gaps; by default each is an entity.
            self_pairs: whether each entity is also paired with itself.
            segments: half-open word spans, which overlap and cover a text that is longer than the model reads. Only
                with `label_encoding="separate"`.

        Returns:
            `input_ids`, `attention_mask` `(tokens,)`, `word_token_spans` `(words, 2)`, `relation_token_spans`
            `(relations, 2)` (or `types`, the tokens of each type that is read apart), `mention_word_spans`
            `(mentions, 2)`, `pair_index` `(pairs, 2)`, all of int64; `word_mask` `(words,)`, `relation_mask`
            `(relations,)`, `mention_mask` `(mentions,)`, `pair_mask` `(pairs,)`, boolean. With
            `shared_relation_positions` also `position_ids` `(tokens,)`; where an entity has several mentions also
            `mention_entity` `(mentions,)` and `entity_mask` `(entities,)`; with `segments` also `segment_token_spans`
            `(segments, 2)` and `segment_mask` `(segments,)`.

        Raises:
            ValueError: when the input is longer than `model_max_length`, or the text than `max_words`; when the
                tokenizer keeps nothing of a mention.
        """
        begin, end = window or (0, words.num_words)
        token_ids, token_starts = self._read_window(words, begin, end, may_be_long=segments is not None)
        whole = [with_tokens(span, words) for span in mention_word_spans]
        spans = [(start - begin, stop - begin) for start, stop in whole]
        starts = [start for start, _ in spans]
        if self.entity_markers:
            token_ids, token_starts, spans = self._insert_markers(token_ids, token_starts, spans)
            if self.marker_placement == "sequential":  # which counts the markers between mentions
                starts = [start for start, _ in spans]
        input_ids = [*prompt.token_ids, *token_ids, *self._enclosing_token_ids[1]]
        if segments is None:
            self._check_length(prompt, len(input_ids))
        entities = list(range(len(spans))) if mention_entity is None else list(mention_entity)
        boundaries = np.array(token_starts, dtype=np.int64) + len(prompt.token_ids)
        word_token_spans = np.stack((boundaries[:-1], boundaries[1:]), axis=-1)
        if self.empty_words == "skipped":
            word_token_spans = skip_empty(word_token_spans)
        pair_index = ordered_pairs(by_entity(entities, starts), self.max_pair_distance, self_pairs)
        return {
            "input_ids": np.array(input_ids, dtype=np.int64),
            "attention_mask": np.ones(len(input_ids), dtype=np.int64),
            **self._positions(prompt, len(input_ids)),
            "word_token_spans": word_token_spans,
            "word_mask": np.ones(len(token_starts) - 1, dtype=np.bool_),
            **self._relations(prompt),
            "relation_mask": np.ones(prompt.num_relations, dtype=np.bool_),
            **self._entity_types(prompt),
            "mention_word_spans": np.array(spans, dtype=np.int64).reshape(-1, 2),
            "mention_mask": np.ones(len(spans), dtype=np.bool_),
            **({} if entities == list(range(len(spans))) else cluster_tensors(entities)),
            **({} if segments is None else segment_tensors(_token_spans(boundaries, segments))),
            "pair_index": pair_index,
            "pair_mask": np.ones(len(pair_index), dtype=np.bool_),
        }

    def _relations(self, prompt: Prompt) -> dict[str, Any]:
        """Where the relation types are: before the text, or read on their own, of which [`pad`] makes tensors."""
        if prompt.types is not None:
            return {"types": prompt.types}
        return {"relation_token_spans": np.array(prompt.relation_token_spans, dtype=np.int64).reshape(-1, 2)}

    def _entity_types(self, prompt: Prompt) -> dict[str, Any]:
        """Where the entity types are, of a model that finds entities; see [`_relations`]."""
        if not self.finds_entities:
            return {}
        mask = {"entity_type_mask": np.ones(len(prompt.entity_types), dtype=np.bool_)}
        if prompt.types is not None:
            return {"entity_types": prompt.entity_type_tokens or [], **mask}
        spans = np.array(prompt.entity_type_token_spans, dtype=np.int64).reshape(-1, 2)
        return {"entity_type_token_spans": spans, **mask}

    def _read_window(
        self, words: Words, begin: int, end: int, may_be_long: bool = False
    ) -> tuple[list[int], list[int]]:
        """The tokens of the words from `begin` to `end`, and where each word starts in them, with a final end."""
        if self.max_words is not None and end - begin > self.max_words and not may_be_long:
            raise ValueError(
                f"The text has {end - begin} words but the model reads {self.max_words}. Pass truncation='window' to "
                "the pipeline, or a shorter text."
            )
        first_token = words.token_starts[begin]
        token_ids = words.token_ids[first_token : words.token_starts[end]]
        return token_ids, [start - first_token for start in words.token_starts[begin : end + 1]]

    def _insert_markers(
        self, token_ids: list[int], token_starts: list[int], spans: list[Span]
    ) -> tuple[list[int], list[int], list[Span]]:
        """Tokens, starts of words and mentions with a marker before and after each mention, as words of their own."""
        marker_ids = self.convert_tokens_to_ids(list(MARKER_TOKENS))
        return MARKERS[self.marker_placement](token_ids, token_starts, spans, *marker_ids)

    def _positions(self, prompt: Prompt, num_tokens: int) -> dict[str, np.ndarray]:
        if not self.shared_relation_positions:
            return {}
        after = prompt.position_ids[-1] + 1
        following = range(after, after + num_tokens - len(prompt.token_ids))
        return {"position_ids": np.array([*prompt.position_ids, *following], dtype=np.int64)}

    def _check_length(self, prompt: Prompt, num_tokens: int) -> None:
        """Raises a `ValueError` that names the cure when an input is longer than the model reads."""
        if num_tokens <= self.model_max_length:
            return
        of_prompt = len(prompt.token_ids)
        if prompt.types is not None:
            raise ValueError(
                f"The text needs {num_tokens} tokens but the model reads {self.model_max_length}. Pass "
                "truncation='window' to the pipeline, or a shorter text."
            )
        if self.room(prompt).tokens < 1:
            num_types = prompt.num_relations + len(prompt.entity_types)
            raise ValueError(
                f"{prompt.asked} alone need {of_prompt} tokens but the model reads "
                f"{self.model_max_length}, which holds about {num_types * self.model_max_length // (of_prompt + 1)} "
                "of them without a text. Pass fewer, or let the pipeline ask for them in groups: group_size=…"
            )
        fewer = "fewer types" if prompt.entity_types else "fewer relation types"
        raise ValueError(
            f"The text and {prompt.asked} need {num_tokens} tokens but the model reads "
            f"{self.model_max_length}. Pass truncation='window' to the pipeline, or {fewer} "
            f"(they take {of_prompt} of these tokens)."
        )

    def pad(
        self,
        encoded_inputs: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        padding: bool | str = True,
        return_tensors: str | None = None,
        **kwargs: object,
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
        may_pad = padding in (True, "longest")
        read_apart = {"types": "relation_index", "entity_types": "entity_type_index"}
        arrays = [{name: value for name, value in one.items() if name not in read_apart} for one in encoded_inputs]
        types: dict[str, np.ndarray] = {}
        if kinds := [kind for kind in read_apart if kind in encoded_inputs[0]]:
            asked = [one[kind] for kind in kinds for one in encoded_inputs]
            types, index = stack_types(asked, self._label_pad_token_id)
            places = iter(index)
            for kind in kinds:
                arrays = [{**one, read_apart[kind]: next(places)} for one in arrays]
        batch = {**stack_features(arrays, self.pad_token_id or 0, may_pad), **types}
        if return_tensors == "np":
            return BatchEncoding(batch)
        return BatchEncoding({name: torch.from_numpy(stacked) for name, stacked in batch.items()})

    def _encode_plain(self, texts: Sequence[str | Sequence[str]], is_pretokenized: bool = False) -> list[Encoding]:
        """Encodes without special tokens, neither added around nor recognised within the texts."""
        with _BACKEND_IN_USE:
            backend = self._whole_backend
            before, backend.encode_special_tokens = backend.encode_special_tokens, True
            try:
                return backend.encode_batch(texts, is_pretokenized=is_pretokenized, add_special_tokens=False)
            except TypeError:  # what the backend says of strings that are no Unicode names no string
                check_unicode(texts)
                raise
            finally:
                backend.encode_special_tokens = before

    @property
    def _control_token_ids(self) -> set[int]:
        """Tokens that must not come from what a user writes; some vocabularies hold them as ordinary pieces."""
        return set(self.all_special_ids) - {self.unk_token_id}

    @property
    def _whole_backend(self) -> Tokenizer:
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


def _token_spans(boundaries: np.ndarray, word_spans: Sequence[Span]) -> np.ndarray:
    """Half-open token spans `(spans, 2)` of half-open word spans; `boundaries` are the starts of words, and an end."""
    return boundaries[np.array(word_spans, dtype=np.int64).reshape(-1, 2)]


def _check_return_tensors(return_tensors: object) -> None:
    if return_tensors not in (None, "pt", "np"):
        raise ValueError(f"`return_tensors` must be 'pt' or 'np': got {return_tensors!r}.")
    if return_tensors != "np" and not is_torch_available():
        raise ImportError(
            "What is returned by default are tensors of torch, which is not installed. Pass return_tensors='np'."
        )


def _copy_of_backend(backend: Tokenizer, prefix_space: bool) -> Tokenizer:
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
