"""From documents to batches: what is asked of each text, what of it is read, and what is right for each pair."""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

import torch
from transformers import BatchEncoding
from transformers.utils import logging

from glirel_transformers.configuration_glirel import GLiRELConfig
from glirel_transformers.data.labels import make_entity_labels, make_labels
from glirel_transformers.data.schema import Document
from glirel_transformers.evaluation.facts import entity_document
from glirel_transformers.mentions_glirel import listed
from glirel_transformers.prompts_glirel import Prompt
from glirel_transformers.text_glirel import Span, Words
from glirel_transformers.tokenization_glirel import GLiRELTokenizer
from glirel_transformers.windows_glirel import draw_window, split_windows

from .dataset import Example, as_document
from .sampling import TypeSampler

logger = logging.get_logger(__name__)


class _Asked(NamedTuple):
    """What a text is asked for, and what remains to be drawn from."""

    document: Document
    types: list[str]
    entity_types: list[str] | None  # of a model that finds entities
    prompt: Prompt
    generator: random.Random


class RelationCollator:
    r"""Makes batches of documents, with `labels`, for [`GLiRELForRelationClassification`].

    While training, each instance is asked for up to `max_relation_types` types (Section 4.2 of arXiv 2501.03172):
    those that hold in it, then negatives, drawn from all others of `relation_types`, or from those that it was
    annotated for ([`Document.annotated_relation_types`]). They are put in random order, and with probability
    `random_drop` a uniformly drawn number of them, between none and all but one, is taken out again, each type alike,
    whether it is right for the text or not. What remains is always labelled correctly.

    Where types are read apart from the texts (`label_encoding="separate"`), all texts of a batch are asked for the
    types that any of them draws: each distinct name is read once, and the types of every text are negatives of the
    others. What holds in a text is then neither limited by `max_relation_types` nor dropped, and there are at most
    `max_batch_types` in all: negatives beyond that are left out, but never what holds in a text of the batch. Where a
    text of the batch was annotated for some types alone, each is asked for its own instead.

    What is drawn depends only on `seed` and on the example's epoch and index, see [`RelationDataset`].

    Labels are 1 where a pair has a relation and 0 where it has not. They are −100, which the loss leaves out, where
    that is unknown:

    - a pair without any relation, in a document that is not exhaustive;
    - a relation that the document gives for other mentions of the same two entities, unless `by_entity`;
    - a mention and itself, where the document does not say that this may be a pair.

    Args:
        tokenizer: a [`GLiRELTokenizer`].
        relation_types: names of all types of the training set. A mapping gives each a weight, and negatives are drawn
            in proportion to it; otherwise all alike.
        max_relation_types: how many types an instance is asked for. Where more hold in it, they are drawn from.
        random_drop: probability with which types are dropped from an instance. The paper names no rate.
        seed: of everything that is drawn.
        stand_ins: for any type other wordings (synonyms, descriptions), one of which is used in its place with
            probability `stand_in_rate`.
        stand_in_rate: that probability.
        coreference_label: the type that joins mentions of one entity (Appendix A.7). Documents that know their
            entities are always asked for it, others never.
        too_long: `"error"` refuses a text that does not fit into the model along with its types. `"window"` reads a
            window of its words around one of its relations, and a warning counts the windows and the relations lost.
            Where types are read apart, it reads the whole text in segments, and nothing is lost.
        by_entity: pairs entities, each with all its mentions, in place of mentions, as `glirel evaluate --by-entity`
            does: a relation between two mentions holds between their entities. Mentions of unknown entities are
            entities.
        max_batch_types: how many types a batch is asked for where types are read apart, see above. Evaluations ask
            each text for all of `relation_types` there, if these are no more.
        drop_rate: the largest share of the types that a drop takes out.
        hard_negatives: for any type others that are easily taken for it, such as those of the nearest names. Of the
            negatives of an instance, up to `hard_negative_rate` are drawn from those of the types that hold in it.
            Names that are not in `relation_types` are never drawn.
        hard_negative_rate: that share.

    Raises:
        TypeError, ValueError: when an argument does not fit, or a text is too long.
    """

    def __init__(
        self,
        tokenizer: GLiRELTokenizer | None,
        relation_types: Iterable[str] | Mapping[str, float],
        *,
        max_relation_types: int = 25,
        random_drop: float = 0.5,
        seed: int = 0,
        stand_ins: Mapping[str, Sequence[str]] | None = None,
        stand_in_rate: float = 0.5,
        coreference_label: str | None = None,
        too_long: Literal["error", "window"] = "error",
        by_entity: bool = False,
        max_batch_types: int = 256,
        drop_rate: float = 1.0,
        hard_negatives: Mapping[str, Sequence[str]] | None = None,
        hard_negative_rate: float = 0.5,
    ) -> None:
        if tokenizer is None or not hasattr(tokenizer, "read_prompt"):
            raise TypeError(
                f"`tokenizer` must be a GLiRELTokenizer: got a {type(tokenizer).__name__}. Pass the model's own, "
                "`model.tokenizer`."
            )
        if too_long not in ("error", "window"):
            raise ValueError(f"`too_long` must be 'error' or 'window': got {too_long!r}.")
        if by_entity and coreference_label is not None:
            raise ValueError(
                f"`coreference_label` {coreference_label!r} joins mentions, and `by_entity` pairs entities. "
                "Choose one of the two."
            )
        self.sampler = TypeSampler(
            relation_types,
            max_relation_types=max_relation_types,
            random_drop=random_drop,
            stand_ins={} if stand_ins is None else stand_ins,
            stand_in_rate=stand_in_rate,
            coreference_label=coreference_label,
            max_batch_types=max_batch_types,
            drop_rate=drop_rate,
            hard_negatives=hard_negatives,
            hard_negative_rate=hard_negative_rate,
        )
        self.tokenizer = tokenizer
        self._check_wordings()
        self.seed = seed
        self.coreference_label = coreference_label
        self.too_long = too_long
        self.by_entity = by_entity
        self.with_relation_keys = False  # for the trainer's metrics; the model does not take them
        self._ignore_epoch = False
        self._num_windows = self._num_lost = 0

    @property
    def relation_types(self) -> list[str]:
        """All types that instances are asked for, but for the one that joins mentions of one entity."""
        return self.sampler.relation_types

    def check_names(self, names: Sequence[str]) -> None:
        """Checks that relation types can be asked for, before any is drawn.

        Raises:
            TypeError, ValueError: when one is no text, or the tokenizer keeps nothing of it.
        """
        self.tokenizer.read_prompt(names)

    def _check_wordings(self) -> None:
        """Checks all that an instance may be asked for: names of types, and what stands in for them."""
        types = dict.fromkeys(self.relation_types)
        if self.sampler.coreference_label is not None:
            types[self.sampler.coreference_label] = None
        self.check_names(list(types))
        stand_ins = self.sampler.stand_ins
        if unknown := [name for name in stand_ins if name not in types]:
            raise ValueError(
                f"`stand_ins` has {listed(list(map(repr, unknown)))}, which the relation types are not: nothing would "
                f"be asked for in these words. The types are {listed(list(map(repr, types)))}. Correct the name, or "
                "leave it out."
            )
        for name, wordings in stand_ins.items():
            try:
                self.check_names(list(dict.fromkeys(wordings)))
            except ValueError as error:
                raise ValueError(f"`stand_ins[{name!r}]` cannot be asked for: {error}") from error

    def reads_a_relation(self, example: Example) -> bool:
        """Whether any relation of a document is read: of a long text, some fit into the model with no window.

        Next to a relation stand the types that are drawn, or just its own where others may be dropped.
        """
        document = example.document
        if self.too_long == "error" or self._reads_types_apart or not document.relations:
            return bool(document.relations)
        types = self.sampler.for_evaluation(None).draw(document, self._generator(example))
        (words,) = self.tokenizer.read_words([document.words])
        starts = [mention.start for mention in document.mentions]
        entity_types = self.draw_entity_types(example)
        for relation, hull in zip(document.relations, _hulls(document, self.by_entity), strict=True):
            asked = [relation.relation_type] if self.sampler.random_drop else types
            prompt = self.tokenizer.read_prompt(asked, entity_types)
            room = self.tokenizer.room(prompt)
            if room.admits(room.costs(words, starts), hull):
                return True
        return False

    def for_evaluation(self, relation_types: Sequence[str] | None = None) -> RelationCollator:
        """A copy that gives every instance the same types each time: no dropping, no stand-ins, no new draw by epoch.

        Args:
            relation_types: ask every instance for exactly these. By default each keeps a draw of its own.
        """
        other = copy.copy(self)
        other.sampler, other._ignore_epoch = self.sampler.for_evaluation(relation_types), True
        return other

    def __call__(self, examples: Sequence[Example | Document | Mapping[str, Any]]) -> BatchEncoding:
        """Makes a batch of [`Example`]s (or documents, which then count from 0).

        Returns:
            What the tokenizer returns, and **labels** (`torch.LongTensor` of shape `(batch, pairs, relations)`).
        """
        numbered = [
            given if isinstance(given, Example) else Example(as_document(given), position, 0)
            for position, given in enumerate(examples)
        ]
        all_words = self.tokenizer.read_words([example.document.words for example in numbered])
        asked = self._ask(numbered)
        features = [self._tensors(one, words) for one, words in zip(asked, all_words, strict=True)]
        return self.tokenizer.pad(features)

    def draw_relation_types(self, example: Example) -> list[str]:
        """The types that an instance draws, in order; where they are read apart, those of its batch come to them."""
        return self._draw(self._document(example), self._generator(example))

    def draw_entity_types(self, example: Example) -> list[str] | None:
        """The entity types that an instance draws, of a model that finds entities; else `None`."""
        return None

    def _ask_for_entities(self, examples: Sequence[Example]) -> Sequence[list[str] | None]:
        """The entity types that each text of a batch is asked for."""
        return [self.draw_entity_types(example) for example in examples]

    @property
    def _reads_types_apart(self) -> bool:
        return self.tokenizer.label_encoding == "separate"

    def _draw(self, document: Document, generator: random.Random) -> list[str]:
        if self._reads_types_apart:
            holding, negatives = self.sampler.draw_apart(document, generator)
            return holding + negatives
        return self.sampler.draw(document, generator)

    def _ask(self, examples: Sequence[Example]) -> list[_Asked]:
        """What each text of a batch is asked for."""
        drawn_from = [(self._document(example), self._generator(example)) for example in examples]
        of_entities = self._ask_for_entities(examples)
        are_open = all(document.annotated_relation_types is None for document, _ in drawn_from)
        if self._reads_types_apart and are_open and not self._ignore_epoch:
            shared = self.sampler.share([self.sampler.draw_apart(*one) for one in drawn_from])
            wording = tuple(self.sampler.word(shared, drawn_from[0][1]))
            of_relations = [(shared, wording)] * len(drawn_from)
        else:
            drawn = [(self._draw(*one), one[1]) for one in drawn_from]
            of_relations = [(types, tuple(self.sampler.word(types, generator))) for types, generator in drawn]
        asked = []
        prompts: dict[tuple[tuple[str, ...], tuple[str, ...] | None], Prompt] = {}  # texts may be asked for the same
        for (document, generator), (types, wording), entity_types in zip(
            drawn_from, of_relations, of_entities, strict=True
        ):
            key = wording, None if entity_types is None else tuple(entity_types)
            if key not in prompts:
                prompts[key] = self.tokenizer.read_prompt(*key)
            asked.append(_Asked(document, types, entity_types, prompts[key], generator))
        return asked

    def _tensors(self, asked: _Asked, words: Words) -> dict[str, Any]:
        """One instance: what the tokenizer makes of it, and its labels."""
        document, window, segments = asked.document, None, None
        if not self.tokenizer.room(asked.prompt).fits(words, len(document.mentions)):
            document, window, segments = self._fit(asked, words)
        paired = entity_document(document) if self.by_entity else document
        tensors: dict[str, Any] = self.tokenizer.build(
            asked.prompt,
            words,
            [(mention.start, mention.end) for mention in document.mentions],
            window,
            _entity_of_mentions(document) if self.by_entity else None,
            paired.self_pairs,
            segments,
        )
        tensors["labels"] = make_labels(paired, asked.types, tensors["pair_index"])
        if asked.entity_types is not None:
            tensors["entity_labels"] = make_entity_labels(document, asked.entity_types)
        if self.with_relation_keys:
            tensors["relation_keys"] = torch.tensor([relation_key(name) for name in asked.types], dtype=torch.long)
        return tensors

    def _document(self, example: Example) -> Document:
        if self.coreference_label is None:
            return example.document
        return example.document.with_coreference(self.coreference_label)

    def _generator(self, example: Example) -> random.Random:
        epoch = 0 if self._ignore_epoch else example.epoch
        return random.Random(f"{self.seed}/{epoch}/{example.index}")

    def _fit(self, asked: _Asked, words: Words) -> tuple[Document, Span | None, list[Span] | None]:
        """What is read of a text that is too long: the document, the window, the segments; all are word spans."""
        document, prompt, mentions = asked.document, asked.prompt, asked.document.mentions
        room = self.tokenizer.room(prompt)
        if self.too_long == "error":
            needed = len(prompt.token_ids) + len(words.token_ids) + room.marker_tokens * len(mentions)
            if self._reads_types_apart:
                raise ValueError(
                    f"A text of {len(document.words)} words needs {needed} tokens, but the encoder reads "
                    f"{self.tokenizer.limits}. Pass too_long='window' to the collator, which reads it in segments."
                )
            raise ValueError(
                f"A text of {len(document.words)} words next to {prompt.num_relations} relation types "
                f"needs {needed} tokens, but the model reads {self.tokenizer.limits}. Pass too_long='window' to the "
                f"collator, or a smaller max_relation_types (the types take {len(prompt.token_ids)} of these tokens)."
            )
        if self._reads_types_apart:
            starts = [mention.start for mention in mentions]
            return document, None, split_windows(words, starts, prompt, room)
        spans = [(mention.start, mention.end) for mention in mentions]
        window = draw_window(words, spans, _hulls(document, self.by_entity), room, asked.generator)
        kept = document.within(window, self.by_entity)
        self._num_windows += 1
        self._num_lost += len(document.relations) - len(kept.relations)
        if self._num_windows in (1, 10, 100) or self._num_windows % 1000 == 0:
            logger.warning(
                "%d texts did not fit into the model so far and were read in part, without %d relations.",
                self._num_windows,
                self._num_lost,
            )
        return kept, window, None


def _hulls(document: Document, by_entity: bool) -> list[Span]:
    """The words from head to tail of each relation; of two entities, where their mentions are nearest."""
    mentions_of = {m: entity for entity in document.entities for m in entity} if by_entity else {}
    hulls = []
    for relation in document.relations:
        sides = [mentions_of.get(side, [side]) for side in (relation.head, relation.tail)]
        around = [
            (min(one.start, other.start), max(one.end, other.end))
            for one, other in product(*([document.mentions[m] for m in side] for side in sides))
        ]
        hulls.append(min(around, key=lambda hull: hull[1] - hull[0]))
    return hulls


def _entity_of_mentions(document: Document) -> list[int]:
    """The entity of each mention, counted from 0."""
    number = {mention: entity for entity, mentions in enumerate(document.entities) for mention in mentions}
    return [number[mention] for mention in range(len(document.mentions))]


def pairs_entities(config: GLiRELConfig, by_entity: bool | None = None) -> bool:
    """Whether a model is trained on pairs of entities: as asked, else if it reads an entity from all its words.

    A model with a `coreference_label` finds entities itself, and is trained on pairs of mentions.
    """
    if by_entity is None:
        return config.mention_representation == "words" and config.coreference_label is None
    return by_entity


def relation_key(name: str) -> int:
    """A number that stands for a relation type in tensors, the same in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")
