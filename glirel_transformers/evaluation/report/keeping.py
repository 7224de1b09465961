"""Scores that are kept: each text is scored once, however often an evaluation is started.

What is kept stands under a digest of all that scores depend on: weights, tokenizer, the text, its entities, the
relation types in their order and the other options. What was changed since is scored again; nothing else is. Texts are
scored in the same batches whether or not a run was interrupted, and what was kept is exact, so that both end in the
same figures.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from glirel_transformers._version import __version__
from glirel_transformers.evaluation.classification import GoldPair, score_gold_pairs
from glirel_transformers.extractor_glirel import RelationExtractor
from glirel_transformers.running_glirel import ScoresPairs
from glirel_transformers.scores_glirel import RelationScores
from glirel_transformers.tokenization_glirel import GLiRELTokenizer

from .machine import machine_name, model_digest
from .packing import pack, unpack
from .store import ScoreStore

_BATCHES_KEPT_TOGETHER = 4
_NOT_IN_KEY = ("return_scores", "threshold", "top_k")  # which scores do not depend on


class KeepingExtractor:
    """Stands for a [`RelationExtractor`] in an evaluation, and scores no text a second time.

    Args:
        extract: the extractor.
        store: where scores are kept.
        digest: of the model, by default [`model_digest`].

    Attributes:
        num_kept: texts of this run that were scored before.
        num_scored: texts that were scored in this run.
        asked: digests of the ways in which texts were asked, in order.
    """

    def __init__(self, extract: RelationExtractor, store: ScoreStore, digest: bytes | None = None):
        self.extract, self.store = extract, store
        self.digest = model_digest(extract.model, extract.tokenizer) if digest is None else digest
        self.num_kept = self.num_scored = 0
        self.asked: list[bytes] = []
        self.desc = "score"

    @property
    def model(self) -> ScoresPairs:
        """The model."""
        return self.extract.model

    @property
    def tokenizer(self) -> GLiRELTokenizer:
        """Its tokenizer."""
        return self.extract.tokenizer

    @property
    def options(self) -> object:
        """The options of the extractor."""
        return self.extract.options

    def background(self, texts: object, relation_types: object = None, **options: Any) -> dict[str, dict[str, object]]:
        """As [`RelationExtractor.background`], whose thresholds have a file of their own."""
        return self.extract.background(texts, relation_types, **options)

    def __call__(
        self, inputs: Iterable[Mapping[str, object]], *, batch_size: int | None = None, **options: Any
    ) -> Iterator[RelationScores]:
        """As [`RelationExtractor.__call__`] with `return_scores`, of dictionaries; the longest texts are read first.

        Raises:
            ValueError: when it is not asked for scores.
        """
        if not options.get("return_scores"):
            raise ValueError("Only scores are kept: ask with return_scores=True.")
        items = list(inputs)
        size = batch_size or self.extract.batch_size
        asked = self._digest_of(options)
        self.asked.append(asked)
        keys = [hashlib.blake2b(_json(item), key=asked, digest_size=16).digest() for item in items]

        def score(places: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
            for scores in self.extract([items[place] for place in places], batch_size=size, **options):
                yield len(scores.pair_index), scores.scores.size, pack(scores)

        self._keep(keys, [len(str(item.get("text"))) for item in items], size, asked, score)
        return (self._read(key, item, options) for key, item in zip(keys, items, strict=True))

    def score_gold_pairs(
        self, pairs: Sequence[GoldPair], candidates: Sequence[Sequence[str]], batch_size: int = 32, desc: str = "score"
    ) -> list[torch.Tensor]:
        """As [`score_gold_pairs`], of pairs that are given."""
        self.desc = desc
        asked = hashlib.blake2b(_json([__version__, "gold pairs"]), key=self.digest, digest_size=32).digest()
        self.asked.append(asked)
        keys = []
        for (document, head, tail, _), names in zip(pairs, candidates, strict=True):
            spans = [(mention.start, mention.end) for mention in (document.mentions[head], document.mentions[tail])]
            said = _json([list(document.words), spans, list(names)])
            keys.append(hashlib.blake2b(said, key=asked, digest_size=16).digest())

        def score(places: Sequence[int]) -> Iterator[tuple[int, int, bytes]]:
            of_places = [candidates[place] for place in places]
            for row in score_gold_pairs(self.model, [pairs[place] for place in places], of_places, batch_size):
                yield 1, len(row), row.float().numpy().tobytes()

        self._keep(keys, [len(pair.document.words) for pair in pairs], batch_size, asked, score)
        return [torch.from_numpy(np.frombuffer(self.store.get(key), dtype=np.float32).copy()) for key in keys]

    def _digest_of(self, options: Mapping[str, Any]) -> bytes:
        """Of all that scores depend on but the text."""
        used = self.extract.options.updated(**options)
        named = {name: value for name, value in vars(used).items() if name not in _NOT_IN_KEY}
        return hashlib.blake2b(_json([__version__, named]), key=self.digest, digest_size=32).digest()

    def _keep(
        self,
        keys: Sequence[bytes],
        lengths: Sequence[int],
        batch_size: int,
        asked: bytes,
        score: Callable[[Sequence[int]], Iterable[tuple[int, int, bytes]]],
    ) -> None:
        """Scores what is not there: some batches at a time, the longest first.

        Args:
            keys: of all texts.
            lengths: of the same.
            batch_size: texts of a batch.
            asked: the way of asking.
            score: gives the number of pairs, the number of cells and the data of texts, by their places.
        """
        order = sorted(range(len(keys)), key=lambda place: -lengths[place])
        step = batch_size * _BATCHES_KEPT_TOGETHER
        with tqdm(total=len(keys), desc=self.desc, unit=" texts", leave=False, disable=None) as progress:
            for first in range(0, len(order), step):
                places = order[first : first + step]
                of_places = [keys[place] for place in places]
                if self.store.has(of_places) == set(of_places):
                    self.num_kept += len(places)
                else:
                    started = time.perf_counter()
                    found = list(score(places))
                    seconds = (time.perf_counter() - started) / len(places)
                    machine = machine_name(self.extract.device)
                    self.store.put(
                        (key, asked, machine, seconds, cells, pairs, data)
                        for key, (pairs, cells, data) in zip(of_places, found, strict=True)
                    )
                    self.num_scored += len(places)
                progress.update(len(places))

    def _read(self, key: bytes, item: Mapping[str, object], options: Mapping[str, Any]) -> RelationScores:
        types = item.get("relation_types") or options.get("relation_types")
        return unpack(self.store.get(key), str(item["text"]), types)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=False, ensure_ascii=True, default=_plain).encode()


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"Scores cannot be kept for a text with {value!r}.")
