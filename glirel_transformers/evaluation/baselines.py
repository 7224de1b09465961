"""What needs no training for relations: any model has to be better. All run offline.

Each scores pairs of a text against relation types, as a model does, for the protocols whose entities are given. Scores
are between 0 and 1, but are not probabilities: to extract with them, a threshold is to be fitted on other documents.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from glirel_transformers.checkpoints import naming_the_missing
from glirel_transformers.data import Document, count_relation_types
from glirel_transformers.extras import require_extra
from glirel_transformers.mentions_glirel import Entity, read_entities
from glirel_transformers.requests_glirel import read_relation_types, readable_name
from glirel_transformers.scores_glirel import RelationScores
from glirel_transformers.text_glirel import ordered_pairs

from .classification import GoldPair

_TEXTS = 256  # read at once, when texts come one by one


class TextPairs(NamedTuple):
    """A text, and the surfaces of the head and the tail of each of its pairs."""

    text: str
    pairs: list[tuple[str, str]]


class Baseline(ABC):
    """Scores pairs of a text against relation types; called as a [`RelationExtractor`] is with `return_scores=True`.

    Args:
        threshold: from which a relation counts as predicted, unless an evaluation is given another.
    """

    name: ClassVar[str]

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold

    def fit(self, documents: Sequence[Document]) -> None:  # noqa: B027  # most need nothing
        """Sees the documents that it may learn from. Labels are read by `majority` alone."""

    @abstractmethod
    def score(self, texts: Sequence[TextPairs], relation_types: Sequence[str]) -> list[np.ndarray]:
        """For each text the scores of its pairs, an array of float32, of shape `(pairs, relations)`."""

    def __call__(
        self,
        items: Iterable[Mapping[str, Any]],
        *,
        relation_types: Sequence[str],
        self_pairs: bool | None = False,
        **_: object,
    ) -> Iterator[RelationScores]:
        """All scores of texts with entities, `{"text": …, "entities": …}`, in order; nothing is too long."""
        asked, waiting = read_relation_types(relation_types), []
        for item in items:
            waiting.append((item["text"], read_entities(item["entities"], item["text"])))
            if len(waiting) == _TEXTS:
                yield from self._read(waiting, asked, bool(self_pairs))
                waiting = []
        yield from self._read(waiting, asked, bool(self_pairs))

    def _read(
        self, texts: Sequence[tuple[str, list[Entity]]], asked: list[Any], self_pairs: bool
    ) -> Iterator[RelationScores]:
        indices = [
            np.asarray(ordered_pairs([[place] for place in range(len(entities))], None, self_pairs)).reshape(-1, 2)
            for _, entities in texts
        ]
        pairs = [
            TextPairs(text, [(entities[head].text, entities[tail].text) for head, tail in index.tolist()])
            for (text, entities), index in zip(texts, indices, strict=True)
        ]
        scores = self.score(pairs, [relation_type.name for relation_type in asked]) if pairs else []
        for (text, entities), index, of_text in zip(texts, indices, scores, strict=True):
            yield RelationScores(text, entities, asked, index, of_text, self.threshold, self_pairs)

    def score_gold_pairs(self, pairs: Sequence[GoldPair], candidates: Sequence[Sequence[str]]) -> list[Tensor]:
        """Scores of each pair's candidate relation types, as [`score_gold_pairs`] gives those of a model."""
        types = list(dict.fromkeys(name for names in candidates for name in names))
        column_of = {name: column for column, name in enumerate(types)}
        texts = []
        for pair in pairs:
            text, places = pair.document.to_text()
            ends = (text[places[end]["start"] : places[end]["end"]] for end in (pair.head, pair.tail))
            texts.append(TextPairs(text, [(next(ends), next(ends))]))
        scores = self.score(texts, types)
        return [
            torch.from_numpy(row[0, [column_of[name] for name in names]])
            for row, names in zip(scores, candidates, strict=True)
        ]


class Random(Baseline):
    """A number between 0 and 1, drawn for each pair and type; the same for the same words and seed, in any order."""

    name = "random"

    def __init__(self, seed: int = 0, threshold: float = 0.5) -> None:
        super().__init__(threshold)
        self.seed = seed

    def score(self, texts: Sequence[TextPairs], relation_types: Sequence[str]) -> list[np.ndarray]:
        """See [`Baseline.score`]."""
        place = np.argsort(np.argsort(list(relation_types)))
        return [
            np.array(
                [
                    self._generator(one.text, head, tail, number).random(len(place), dtype=np.float32)[place]
                    for number, (head, tail) in enumerate(one.pairs)
                ],
                dtype=np.float32,
            ).reshape(len(one.pairs), len(place))
            for one in texts
        ]

    def _generator(self, *words: object) -> np.random.Generator:
        digest = hashlib.blake2b(repr((self.seed, *words)).encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "big"))


class Majority(Baseline):
    """How frequent a type is among the relations of the documents that it was fitted on, whatever a text says."""

    name = "majority"

    def __init__(self, threshold: float = 0.5) -> None:
        super().__init__(threshold)
        self._shares: dict[str, float] = {}

    def fit(self, documents: Sequence[Document]) -> None:
        """Counts relation types."""
        counts = count_relation_types(documents)
        total = max(counts.total(), 1)
        self._shares = {name: count / total for name, count in counts.items()}

    def score(self, texts: Sequence[TextPairs], relation_types: Sequence[str]) -> list[np.ndarray]:
        """See [`Baseline.score`]."""
        row = np.array([self._shares.get(name, 0.0) for name in relation_types], dtype=np.float32)
        return [np.broadcast_to(row, (len(one.pairs), len(row))).copy() for one in texts]


class BagOfWords(Baseline):
    """The cosine of a text's words and a relation type's, weighted by tf-idf. It does not look at the pair.

    How rare a word is comes from the texts that it was fitted on, without their annotation, or else from those that
    are scored together.
    """

    name = "bag-of-words"

    def __init__(self, threshold: float = 0.5) -> None:
        super().__init__(threshold)
        require_extra("train", "sklearn")
        self._vectorizer: Any = None

    def fit(self, documents: Sequence[Document]) -> None:
        """Counts in how many texts each word is."""
        self._vectorizer = _fitted_tfidf([document.to_text()[0] for document in documents])

    def score(self, texts: Sequence[TextPairs], relation_types: Sequence[str]) -> list[np.ndarray]:
        """See [`Baseline.score`]."""
        vectorizer = self._vectorizer or _fitted_tfidf([one.text for one in texts])
        names = vectorizer.transform([readable_name(name) for name in relation_types])
        cosines = (vectorizer.transform([one.text for one in texts]) @ names.T).toarray().astype(np.float32)
        return [np.repeat(row[None], len(one.pairs), 0) for row, one in zip(cosines.clip(0, 1), texts, strict=True)]


def _fitted_tfidf(texts: Sequence[str]) -> Any:  # noqa: ANN401  # scikit-learn has no types
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", sublinear_tf=True).fit(texts)


class SentenceEmbeddings(Baseline):
    """The cosine of what is said of a pair and a relation type's name, both embedded by an encoder of sentences.

    An embedding is the mean of an encoder's outputs, of length 1. What is said of a pair is the text's embedding, plus
    the mean of those of the two entities' words with half its weight: the text alone would say the same of all its
    pairs. A cosine below 0 counts as 0. Of a text that is longer than the encoder reads, parts that follow each other
    are read, and the mean is of all of them.

    Macro-F1 of all-MiniLM-L6-v2 on FewRel's published splits, m = 5 / 10 / 15: 0.80 / 0.67 / 0.54, and 0.78 / 0.59 /
    0.49 with `entity_weight=0`, the text alone.

    Args:
        encoder: folder or Hub repository, such as `sentence-transformers/all-MiniLM-L6-v2`.
        device: where it runs, such as `"cuda:0"`; by default the first accelerator there is, else the CPU.
        batch_size: texts read at once.
        entity_weight: of the entities, where the text has 1.
        threshold: as of all baselines.

    Raises:
        OSError: when there is no such encoder.
    """

    name = "sentence-embeddings"

    def __init__(
        self,
        encoder: str,
        device: str | None = None,
        batch_size: int = 64,
        entity_weight: float = 0.5,
        threshold: float = 0.5,
    ) -> None:
        from transformers import AutoModel, AutoTokenizer

        super().__init__(threshold)
        with naming_the_missing(encoder):
            self.tokenizer = AutoTokenizer.from_pretrained(encoder)
            self.encoder = AutoModel.from_pretrained(encoder, dtype=torch.float32).eval()
        self.entity_weight = entity_weight
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self.encoder.to(device or accelerator or "cpu")
        self.batch_size = batch_size
        self._known: dict[str, Tensor] = {}

    def score(self, texts: Sequence[TextPairs], relation_types: Sequence[str]) -> list[np.ndarray]:
        """See [`Baseline.score`]."""
        names = self.embed([readable_name(name) for name in relation_types])
        of_texts = self.embed([one.text for one in texts])
        surfaces = list(dict.fromkeys(surface for one in texts for pair in one.pairs for surface in pair))
        of_entities = dict(zip(surfaces, self.embed(surfaces), strict=True)) if self.entity_weight else {}
        scores = []
        for of_text, one in zip(of_texts, texts, strict=True):
            pairs = of_text.repeat(len(one.pairs), 1)
            if of_entities and one.pairs:
                ends = torch.stack([of_entities[head] + of_entities[tail] for head, tail in one.pairs])
                pairs = pairs + self.entity_weight * torch.nn.functional.normalize(ends, dim=-1)
            scores.append((torch.nn.functional.normalize(pairs, dim=-1) @ names.T).clamp(0, 1).numpy())
        return scores

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Embeddings of length 1, `(texts, hidden)`; each text is read once."""
        missing = sorted(set(texts) - self._known.keys(), key=len)
        starts = range(0, len(missing), self.batch_size)
        for first in tqdm(starts, desc="embed", unit="batch", leave=False, disable=None if len(starts) > 1 else True):
            batch = missing[first : first + self.batch_size]
            self._known.update(zip(batch, self._read_batch(batch), strict=True))
        return torch.stack([self._known[text] for text in texts]) if texts else torch.zeros(0, 0)

    @torch.inference_mode()
    def _read_batch(self, texts: Sequence[str]) -> Tensor:
        parts = self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=min(self.tokenizer.model_max_length, self.encoder.config.max_position_embeddings),
            return_overflowing_tokens=True,
            return_tensors="pt",
        )
        text_of = parts.pop("overflow_to_sample_mapping")
        parts = parts.to(self.encoder.device)
        mask = parts["attention_mask"].unsqueeze(-1).float()
        sums = (self.encoder(**parts).last_hidden_state.float() * mask).sum(1).cpu()
        counts = mask.sum(1).cpu()
        total = torch.zeros(len(texts), sums.shape[1]).index_add(0, text_of, sums)
        number = torch.zeros(len(texts), 1).index_add(0, text_of, counts)
        return torch.nn.functional.normalize(total / number, dim=-1)


BASELINES: dict[str, type[Baseline]] = {
    baseline.name: baseline for baseline in (BagOfWords, SentenceEmbeddings, Random, Majority)
}
"""Baselines by name."""


def make_baseline(name: str, *, embeddings: str | None = None, seed: int = 0, device: str | None = None) -> Baseline:
    """A baseline by its name.

    Args:
        name: one of [`BASELINES`].
        embeddings: for `sentence-embeddings`, folder or Hub repository of its encoder.
        seed: for `random`.
        device: for `sentence-embeddings`, where the encoder runs.

    Raises:
        ValueError: when there is no such baseline, or `embeddings` is missing or not wanted.
    """
    if name not in BASELINES:
        raise ValueError(f"There is no baseline {name!r}. Name one of {', '.join(BASELINES)}.")
    if (embeddings is not None) != (name == SentenceEmbeddings.name):
        if embeddings is None:
            raise ValueError(
                "The baseline sentence-embeddings needs an encoder of sentences: give its folder or Hub repository, "
                "such as --embeddings sentence-transformers/all-MiniLM-L6-v2."
            )
        raise ValueError(f"--embeddings is for the baseline sentence-embeddings, and not for {name}. Leave it out.")
    if embeddings is not None:
        return SentenceEmbeddings(embeddings, device)
    return Random(seed) if name == Random.name else BASELINES[name]()
