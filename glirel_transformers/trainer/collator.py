"""From documents to batches: which relation types an instance is asked for, and what is right for each pair."""

from __future__ import annotations

import copy
import hashlib
import heapq
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from transformers import BatchEncoding
from transformers.utils import logging

from glirel_transformers.data.labels import make_labels
from glirel_transformers.data.schema import Document
from glirel_transformers.prompts_glirel import Prompt
from glirel_transformers.text_glirel import Span, Words
from glirel_transformers.windows_glirel import draw_window

from .dataset import Example, as_document

logger = logging.get_logger(__name__)


class RelationCollator:
    r"""Makes batches of documents, with `labels`, for [`GLiRELForRelationClassification`].

    While training, each instance is asked for up to `max_relation_types` types (Section 4.2 of arXiv 2501.03172):
    those that hold in it, then negatives, drawn from all others of `relation_types`. They are put in random order, and
    with probability `random_drop` a uniformly drawn number of them, between none and all but one, is taken out again,
    each type alike, be it right or wrong for the text. What is left is labelled correctly in any case.

    What is drawn depends only on `seed` and on the example's epoch and index, see [`RelationDataset`].

    Labels are 1 where a pair has a relation and 0 where it has not. They are −100, which the loss leaves out, where
    that is unknown:

    - a pair without any relation, in a document that is not exhaustive;
    - a relation that the document gives for other mentions of the same two entities.

    Args:
        tokenizer: a [`GLiRELTokenizer`].
        relation_types: names of all types of the training set. A mapping gives each a weight, and negatives are drawn
            in proportion to it; otherwise all alike.
        max_relation_types: how many types an instance is asked for. Where more hold in it, they are drawn from.
        sample: `False` asks every instance for exactly `relation_types`, in their order, and draws nothing.
        shuffle: whether the types are put in random order. If not, right ones stand first.
        random_drop: probability with which types are dropped from an instance. The paper names no rate.
        seed: of everything that is drawn.
        stand_ins: for any type other wordings (synonyms, descriptions), one of which is used in its place with
            probability `stand_in_rate`.
        stand_in_rate: that probability.
        coreference_label: the type that joins mentions of one entity (Appendix A.7). Documents that know their
            entities are always asked for it, others never.
        too_long: `"error"` refuses a text that does not fit into the model beside its types. `"window"` reads a
            window of its words around one of its relations, and a warning counts the windows and the relations lost.

    Raises:
        ValueError: when an argument does not fit, or a text is too long.
    """

    def __init__(
        self,
        tokenizer: Any,
        relation_types: Iterable[str] | Mapping[str, float],
        *,
        max_relation_types: int = 25,
        sample: bool = True,
        shuffle: bool = True,
        random_drop: float = 0.5,
        seed: int = 0,
        stand_ins: Mapping[str, Sequence[str]] | None = None,
        stand_in_rate: float = 0.5,
        coreference_label: str | None = None,
        too_long: str = "error",
    ) -> None:
        if isinstance(relation_types, str):
            raise TypeError(f"`relation_types` must be a list of names, or a mapping: got {relation_types!r}.")
        if max_relation_types < 1:
            raise ValueError(f"`max_relation_types` must be at least 1: got {max_relation_types}.")
        for name, rate in (("random_drop", random_drop), ("stand_in_rate", stand_in_rate)):
            if not 0 <= rate <= 1:
                raise ValueError(f"`{name}` is a probability, from 0 to 1: got {rate}.")
        if too_long not in ("error", "window"):
            raise ValueError(f"`too_long` must be 'error' or 'window': got {too_long!r}.")
        self.tokenizer = tokenizer
        weights = dict(relation_types) if isinstance(relation_types, Mapping) else dict.fromkeys(relation_types, 1.0)
        if wrong := [name for name, weight in weights.items() if not 0 < weight < math.inf]:
            raise ValueError(
                f"The weight of {wrong[0]!r} in `relation_types` must be a finite number above 0: got "
                f"{weights[wrong[0]]}."
            )
        self.relation_types = [name for name in weights if name != coreference_label]
        self._weights = [weights[name] for name in self.relation_types]
        self._cumulative_weights = list(accumulate(self._weights))
        self.max_relation_types = max_relation_types
        self.sample = sample
        self.shuffle = shuffle
        self.random_drop = random_drop
        self.seed = seed
        self.stand_ins = _checked_stand_ins(stand_ins or {})
        self.stand_in_rate = stand_in_rate
        self.coreference_label = coreference_label
        self.too_long = too_long
        self.with_relation_keys = False  # for the trainer's metrics; the model does not take them
        self._ignore_epoch = False
        self._num_windows = self._num_lost = 0

    def for_evaluation(self, relation_types: Sequence[str] | None = None) -> RelationCollator:
        """A copy that gives every instance the same types each time: no dropping, no stand-ins, no new draw by epoch.

        Args:
            relation_types: ask every instance for exactly these. By default each keeps a draw of its own.
        """
        other = copy.copy(self)
        other.random_drop, other.stand_ins, other._ignore_epoch = 0.0, {}, True
        if relation_types is not None:
            other.sample, other.relation_types = False, list(relation_types)
        return other

    def __call__(self, examples: Sequence[Any]) -> BatchEncoding:
        """Makes a batch of [`Example`]s (or documents, which then count from 0).

        Returns:
            What the tokenizer returns, and **labels** (`torch.LongTensor` of shape `(batch, pairs, relations)`).
        """
        instances = []
        for position, given in enumerate(examples):
            example = given if isinstance(given, Example) else Example(as_document(given), position, 0)
            document = example.document
            if self.coreference_label is not None:
                document = document.with_coreference(self.coreference_label)
            generator = self._generator(example)
            types = self.choose_relation_types(document, generator)
            instances.append((document, types, self._wordings(types, document, generator), generator))
        all_words = self.tokenizer.read_words([document.words for document, *_ in instances])
        features = []
        for (document, types, wordings, generator), words in zip(instances, all_words, strict=True):
            prompt = self.tokenizer.read_prompt(wordings)
            spans = [(mention.start, mention.end) for mention in document.mentions]
            window = None
            if not self.tokenizer.room(prompt).fits(words, len(spans)):
                document, window = self._fit(document, prompt, words, generator)
                spans = [(mention.start, mention.end) for mention in document.mentions]
            tensors = self.tokenizer.build(prompt, words, spans, window, self_pairs=document.self_pairs)
            tensors["labels"] = make_labels(document, types, tensors["pair_index"])
            if self.with_relation_keys:
                tensors["relation_keys"] = torch.tensor([relation_key(name) for name in types], dtype=torch.long)
            features.append(tensors)
        return self.tokenizer.pad(features)

    def choose_relation_types(self, document: Document, generator: random.Random) -> list[str]:
        """The types that an instance is asked for, in order."""
        if not self.sample:
            return list(self.relation_types)
        fixed = []
        if self.coreference_label is not None and any(mention.entity is not None for mention in document.mentions):
            fixed = [self.coreference_label]
        holding = dict.fromkeys(relation.relation_type for relation in document.relations)
        positives = [name for name in holding if name != self.coreference_label]
        room = max(self.max_relation_types - len(fixed), 0)
        if len(positives) > room:
            positives = generator.sample(positives, room)
        types = fixed + positives + self._draw_negatives(room - len(positives), holding, generator)
        # The decisions are drawn whether or not they are heeded, so that options do not change each other's draws.
        order = generator.sample(range(len(types)), len(types))
        drops, share = generator.random() < self.random_drop, generator.random()
        if self.shuffle:
            types = [types[i] for i in order]
        if drops and types:
            keep = set(generator.sample(range(len(types)), 1 + int(share * len(types))))
            types = [name for i, name in enumerate(types) if i in keep]
        return types

    def _draw_negatives(self, number: int, excluded: Iterable[str], generator: random.Random) -> list[str]:
        excluded = set(excluded)
        if number >= len(self.relation_types) - len(excluded.intersection(self.relation_types)):
            return [name for name in self.relation_types if name not in excluded]
        chosen: dict[str, None] = {}
        for _ in range(
            10 * number
        ):  # drawing again what was drawn before is cheaper than weighing all of a large pool
            if len(chosen) == number:
                break
            name = generator.choices(self.relation_types, cum_weights=self._cumulative_weights)[0]
            if name not in excluded:
                chosen[name] = None
        if len(chosen) < number:  # a few types have nearly all the weight: the exact draw (Efraimidis and Spirakis)
            keys = [
                (math.log(1 - generator.random()) / weight, name)
                for name, weight in zip(self.relation_types, self._weights, strict=True)
                if name not in excluded and name not in chosen
            ]
            chosen |= dict.fromkeys(name for _, name in heapq.nlargest(number - len(chosen), keys))
        return list(chosen)

    def _wordings(self, types: Sequence[str], document: Document, generator: random.Random) -> list[str]:
        """Each type's name or a stand-in for it, all different."""
        used = set(types)
        wordings = []
        for name in types:
            wording = name
            if self.stand_ins.get(name) and generator.random() < self.stand_in_rate:
                wording = generator.choice(self.stand_ins[name])
            wording = name if wording in used else wording
            used.add(wording)
            wordings.append(wording)
        return wordings

    def _generator(self, example: Example) -> random.Random:
        epoch = 0 if self._ignore_epoch else example.epoch
        return random.Random(f"{self.seed}/{epoch}/{example.index}")

    def _fit(
        self, document: Document, prompt: Prompt, words: Words, generator: random.Random
    ) -> tuple[Document, Span]:
        """The part of a text that fits: the document without the rest, and the window, a half-open word span."""
        room = self.tokenizer.room(prompt)
        if self.too_long == "error":
            needed = len(prompt.token_ids) + len(words.token_ids) + room.marker_tokens * len(document.mentions)
            raise ValueError(
                f"A text of {len(document.words)} words next to {len(prompt.relation_token_spans)} relation types "
                f"needs {needed} tokens, but the model reads {self.tokenizer.limits}. Pass too_long='window' to the "
                f"collator, or a smaller max_relation_types (the types take {len(prompt.token_ids)} of these tokens)."
            )
        mentions = [(mention.start, mention.end) for mention in document.mentions]
        hulls = [
            (min(mentions[r.head][0], mentions[r.tail][0]), max(mentions[r.head][1], mentions[r.tail][1]))
            for r in document.relations
        ]
        window = draw_window(words, mentions, hulls, room, generator)
        kept = document.within(window)
        self._num_windows += 1
        self._num_lost += len(document.relations) - len(kept.relations)
        if self._num_windows in (1, 10, 100) or self._num_windows % 1000 == 0:
            logger.warning(
                "%d texts did not fit into the model so far and were read in part, without %d relations.",
                self._num_windows,
                self._num_lost,
            )
        return kept, window


def _checked_stand_ins(stand_ins: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Stand-ins as lists of names: of a string, single letters would be drawn."""
    if not isinstance(stand_ins, Mapping):
        raise TypeError(f"`stand_ins` must be a dictionary of lists of names: got a {type(stand_ins).__name__}.")
    for name, wordings in stand_ins.items():
        if isinstance(wordings, (str, bytes)) or not isinstance(wordings, Sequence):
            raise TypeError(
                f"`stand_ins[{name!r}]` must be a list of other wordings: got {wordings!r}. Write [{wordings!r}]."
            )
        if wrong := [wording for wording in wordings if not isinstance(wording, str) or not wording.strip()]:
            raise ValueError(f"`stand_ins[{name!r}]` must hold names of relation types: got also {wrong[0]!r}.")
    return {name: list(wordings) for name, wordings in stand_ins.items()}


def relation_key(name: str) -> int:
    """A number that stands for a relation type in tensors, the same in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")
