"""From documents to batches: what is asked of each text, what of it is read, and what is right for each pair."""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch
from transformers import BatchEncoding
from transformers.utils import logging

from glirel_transformers.data.labels import make_labels
from glirel_transformers.data.schema import Document
from glirel_transformers.mentions_glirel import listed
from glirel_transformers.prompts_glirel import Prompt
from glirel_transformers.text_glirel import Span, Words
from glirel_transformers.tokenization_glirel import GLiRELTokenizer
from glirel_transformers.windows_glirel import draw_window

from .dataset import Example, as_document
from .sampling import TypeSampler

logger = logging.get_logger(__name__)


class RelationCollator:
    r"""Makes batches of documents, with `labels`, for [`GLiRELForRelationClassification`].

    While training, each instance is asked for up to `max_relation_types` types (Section 4.2 of arXiv 2501.03172):
    those that hold in it, then negatives, drawn from all others of `relation_types`. They are put in random order, and
    with probability `random_drop` a uniformly drawn number of them, between none and all but one, is taken out again,
    each type alike, whether it is right for the text or not. What remains is always labelled correctly.

    What is drawn depends only on `seed` and on the example's epoch and index, see [`RelationDataset`].

    Labels are 1 where a pair has a relation and 0 where it has not. They are −100, which the loss leaves out, where
    that is unknown:

    - a pair without any relation, in a document that is not exhaustive;
    - a relation that the document gives for other mentions of the same two entities;
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
    ) -> None:
        if tokenizer is None or not hasattr(tokenizer, "read_prompt"):
            raise TypeError(
                f"`tokenizer` must be a GLiRELTokenizer: got a {type(tokenizer).__name__}. Pass the model's own, "
                "`model.tokenizer`."
            )
        if too_long not in ("error", "window"):
            raise ValueError(f"`too_long` must be 'error' or 'window': got {too_long!r}.")
        self.sampler = TypeSampler(
            relation_types,
            max_relation_types=max_relation_types,
            random_drop=random_drop,
            stand_ins={} if stand_ins is None else stand_ins,
            stand_in_rate=stand_in_rate,
            coreference_label=coreference_label,
        )
        self.tokenizer = tokenizer
        self._check_wordings()
        self.seed = seed
        self.coreference_label = coreference_label
        self.too_long = too_long
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
        if self.too_long == "error" or not document.relations:
            return bool(document.relations)
        types = self.sampler.for_evaluation(None).draw(document, self._generator(example))
        (words,) = self.tokenizer.read_words([document.words])
        starts = [mention.start for mention in document.mentions]
        for relation, hull in zip(document.relations, _hulls(document), strict=True):
            prompt = self.tokenizer.read_prompt([relation.relation_type] if self.sampler.random_drop else types)
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
        features = [self._tensors(example, words) for example, words in zip(numbered, all_words, strict=True)]
        return self.tokenizer.pad(features)

    def draw_relation_types(self, example: Example) -> list[str]:
        """The types that an instance is asked for, in order."""
        return self.sampler.draw(self._document(example), self._generator(example))

    def _tensors(self, example: Example, words: Words) -> dict[str, Any]:
        """One instance: what the tokenizer makes of it, and its labels."""
        document, generator = self._document(example), self._generator(example)
        types = self.sampler.draw(document, generator)
        prompt = self.tokenizer.read_prompt(self.sampler.word(types, generator))
        window = None
        if not self.tokenizer.room(prompt).fits(words, len(document.mentions)):
            document, window = self._fit(document, prompt, words, generator)
        spans = [(mention.start, mention.end) for mention in document.mentions]
        tensors: dict[str, Any] = self.tokenizer.build(prompt, words, spans, window, self_pairs=document.self_pairs)
        tensors["labels"] = make_labels(document, types, tensors["pair_index"])
        if self.with_relation_keys:
            tensors["relation_keys"] = torch.tensor([relation_key(name) for name in types], dtype=torch.long)
        return tensors

    def _document(self, example: Example) -> Document:
        if self.coreference_label is None:
            return example.document
        return example.document.with_coreference(self.coreference_label)

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
                f"A text of {len(document.words)} words next to {prompt.num_relations} relation types "
                f"needs {needed} tokens, but the model reads {self.tokenizer.limits}. Pass too_long='window' to the "
                f"collator, or a smaller max_relation_types (the types take {len(prompt.token_ids)} of these tokens)."
            )
        mentions = [(mention.start, mention.end) for mention in document.mentions]
        window = draw_window(words, mentions, _hulls(document), room, generator)
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


def _hulls(document: Document) -> list[Span]:
    """For each relation, the words from its head to its tail."""
    pairs = [(document.mentions[relation.head], document.mentions[relation.tail]) for relation in document.relations]
    return [(min(head.start, tail.start), max(head.end, tail.end)) for head, tail in pairs]


def relation_key(name: str) -> int:
    """A number that stands for a relation type in tensors, the same in every process."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")
