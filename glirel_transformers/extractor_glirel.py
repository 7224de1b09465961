"""Texts and entities in, scored relations out: reading requests, windows, batches, and the selection of relations.

It needs neither torch nor transformers' `Pipeline`, so that it also serves exports where torch is not installed; see
`pipeline_glirel.py` for `pipeline("relation-extraction")`, which is the same on torch.

Axes have one name everywhere: `words, mentions, pairs, relations`. A text that is longer than the model reads becomes
several windows.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count, islice
from typing import Any, TypeVar

import numpy as np
from transformers.models.auto.tokenization_auto import get_tokenizer_config
from transformers.utils import logging

from .requests_glirel import (
    Entity,
    RelationType,
    check_batch_size,
    check_probability,
    check_top_k,
    read_entities,
    read_relation_types,
)
from .scores_glirel import RelationScores
from .tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer, Prompt, Span, Words

logger = logging.get_logger(__name__)

T = TypeVar("T")

_BATCHES_SORTED_TOGETHER = 16  # how many batches of texts are read ahead, to batch texts of like length
_TOKENS_ON_CPU = 4096  # how many tokens a CPU reads at once: more are not faster, and are padded more


@dataclass(frozen=True)
class Request:
    """One text with all that is asked of it."""

    text: str
    entities: list[Entity]
    relation_types: list[RelationType]


class RelationExtractor:
    r"""Extracts relations of any types between the given entities of a text.

    What `pipeline("relation-extraction")` gives, for a model that takes numpy arrays, such as
    `ORTModelForRelationClassification`; torch need not be installed.

    Args:
        model: takes what the tokenizer makes, as numpy arrays, and returns an object with `logits` `(batch, pairs,
            relations)`; has a `config`.
        tokenizer: by default the model's own.
        batch_size, settings: of [`__call__`], where it is called without.

    Raises:
        TypeError: when `tokenizer` is no [`GLiRELTokenizer`].
        ValueError: when it is not that of the model.

    Example:
        >>> from glirel_transformers.export import ORTModelForRelationClassification
        >>> model = ORTModelForRelationClassification.from_pretrained("exported")  # doctest: +SKIP
        >>> extract = RelationExtractor(model)  # doctest: +SKIP
    """

    tokenizer: GLiRELTokenizer

    def __init__(self, model: Any, tokenizer: Any = None, *, batch_size: int = 1, **settings: Any):
        if isinstance(model, str) or hasattr(model, "parameters"):
            raise TypeError(
                "RelationExtractor needs a model that reads numpy arrays, such as "
                f"ORTModelForRelationClassification.from_pretrained(...): got a {type(model).__name__}. For models of "
                "torch there is RelationExtractionPipeline."
            )
        self.tokenizer = self._take_tokenizer(model, tokenizer)
        self.model = model
        self._batch_size = batch_size
        self._before, _, self._after = self._sanitize_parameters(**settings)

    def __call__(self, inputs: Any, *, entities: Any = None, batch_size: int | None = None, **settings: Any) -> Any:
        r"""Extracts relations from a text, or from many.

        Args:
            inputs: a text; a dictionary with `text`, `entities` and, where they differ from text to text,
                `relation_types`; or a list, a generator or a dataset of either. A list gives a list, the others an
                iterator.
            entities: the entities of the text, or a list of them for each text: tuples `(start, end)` or
                `(start, end, label)`, dictionaries with `start`, `end` and `label`, or what a 🤗 token-classification
                pipeline, spaCy (`doc.ents`) or GLiNER gives. Half-open character spans.
            ner: instead of `entities`, a pipeline or any callable that takes a text and returns its entities.
            relation_types: names, or a dictionary of names with settings, such as `{"place of birth": {"head":
                ["PERSON"], "tail": ["CITY"], "threshold": 0.4, "symmetric": False}}`. Constraints on the entities'
                types act before `top_k`; a side that is absent admits any type.
            threshold: least probability; by default the model's own, `model.config.threshold`.
            top_k: at most so many relations for each ordered pair; by default all.
            truncation: `"error"` refuses a text that is too long beside the relation types; `"window"` reads it in
                overlapping windows, scores pairs within a window, keeps each score's best window, and warns of
                pairs that no window holds.
            alignment: `"strict"` refuses an entity that cuts a word, `"expand"` reads the whole word.
            return_scores: gives [`RelationScores`] in place of each list: all scores of the text, from which relations
                are then selected by any threshold and `top_k`, and which tell why the others were left out.
            batch_size: how many windows the model reads at once, sorted by length; on a CPU, fewer of long ones. Above
                1, 16 batches of texts are read together; beside an accelerator the next 16 are tokenized meanwhile,
                in a thread. The order of results is kept.

        Returns:
            For each text a list of relations by falling score: `{"head": entity, "relation": name, "tail": entity,
            "score": probability}`, where an entity has `start`, `end`, `text`, `label` and `index`, its position in
            the list given. Empty without a text, without two entities or without a relation type.

        Raises:
            ValueError, TypeError: for input that cannot be read; the message names the value and the cure.
        """
        inputs = read_inputs(inputs, entities)
        before, _, after = self._sanitize_parameters(**settings)
        is_alone = isinstance(inputs, (str, Mapping))
        results = self._results(
            [inputs] if is_alone else inputs,
            self._batch_size if batch_size is None else batch_size,
            {**self._before, **before},
            {**self._after, **after},
        )
        if is_alone:
            return next(results)
        return list(results) if isinstance(inputs, list) else results

    def _take_tokenizer(self, model: Any, tokenizer: Any) -> Any:
        """The tokenizer, given or named, which must be the model's; and what reads relation types with it."""
        if isinstance(tokenizer, str):
            tokenizer = load_tokenizer(tokenizer)
        tokenizer = tokenizer or getattr(model, "tokenizer", None)
        if not hasattr(tokenizer, "read_prompt"):
            raise TypeError(
                f"The pipeline needs the model's GLiRELTokenizer: got {type(tokenizer).__name__}. Load it with "
                "AutoTokenizer.from_pretrained(..., trust_remote_code=True)."
            )
        for setting in SHARED_SETTINGS:
            if getattr(tokenizer, setting) != getattr(model.config, setting):
                raise ValueError(
                    f"The tokenizer has {setting}={getattr(tokenizer, setting)!r} but the model was built with "
                    f"{getattr(model.config, setting)!r}. Use the tokenizer that was saved with the model."
                )
        self._read_prompt = lru_cache(maxsize=16)(tokenizer.read_prompt)
        self._last_relation_types: tuple[tuple[str, ...], list[RelationType]] = ((), [])
        return tokenizer

    def _sanitize_parameters(
        self,
        relation_types: Any = None,
        ner: Any = None,
        threshold: float | None = None,
        top_k: int | None = None,
        truncation: str | None = None,
        alignment: str | None = None,
        return_scores: bool | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if truncation not in (None, "error", "window"):
            raise ValueError(f"`truncation` must be 'error' or 'window': got {truncation!r}.")
        if threshold is not None:
            check_probability(threshold, "`threshold`")
        check_top_k(top_k)
        if ner is not None and not callable(ner):
            raise TypeError(f"`ner` must be callable, taking a text and returning its entities: got {ner!r}.")
        before = {"relation_types": relation_types, "ner": ner, "truncation": truncation, "alignment": alignment}
        after = {"threshold": threshold, "top_k": top_k, "return_scores": return_scores}

        def given(parameters: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in parameters.items() if value is not None}

        return given(before), {}, given(after)

    def _score(self, features: list[dict[str, np.ndarray]]) -> np.ndarray:
        """Probabilities of a batch, `(batch, pairs, relations)`."""
        logits = self.model(**self.tokenizer.pad(features, return_tensors="np")).logits
        with np.errstate(over="ignore"):  # the lowest number stands for padding, and becomes 0
            probabilities: np.ndarray = 1 / (1 + np.exp(-logits))
        return probabilities

    def _read_requests(
        self, texts: list[Any], positions: list[int | None], relation_types: Any = None, ner: Any = None
    ) -> list[Request]:
        """What is asked of each text; errors name the text by its position."""
        requests = []
        for text, position in zip(texts, positions, strict=True):
            with _naming_the_text(position):
                requests.append(_read_request(text, relation_types, ner, self._read_relation_types))
        return requests

    def _tokenize(
        self,
        requests: list[Request],
        positions: list[int | None],
        truncation: str = "error",
        alignment: str = "strict",
    ) -> list[tuple[Request, list[dict[str, Any]]]]:
        """Each text with its windows; all texts are tokenized together."""
        windows_of_texts = []
        words_of_texts = self.tokenizer.read_words([request.text for request in requests])
        for request, words, position in zip(requests, words_of_texts, positions, strict=True):
            with _naming_the_text(position):
                windows_of_texts.append((request, list(self._chunks(request, words, truncation, alignment))))
        return windows_of_texts

    def _chunks(self, request: Request, words: Words, truncation: str, alignment: str) -> Iterator[dict[str, Any]]:
        spans = self.tokenizer.align(
            request.text, words, [(entity.start, entity.end) for entity in request.entities], alignment
        )
        if len(spans) < 2 or not request.relation_types:
            return
        prompt = self._read_prompt(tuple(relation.name for relation in request.relation_types))
        too_long = not self.tokenizer.fits(prompt, words, len(spans))
        windows = self._windows(prompt, words, spans) if too_long and truncation == "window" else [None]
        seen: set[Span] = set()
        for window in windows:
            begin, end = window or (0, len(words.char_spans))
            inside = [m for m, (start, stop) in enumerate(spans) if begin <= start and stop <= end]
            features = self.tokenizer.build(prompt, words, [spans[m] for m in inside], window)
            pairs = np.array(inside, dtype=np.int64)[features["pair_index"]]
            seen.update(map(tuple, pairs.tolist()) if window else ())
            if len(pairs):
                yield {"features": features, "pairs": pairs, "num_relations": len(request.relation_types)}
        if too_long and (unseen := len(spans) * (len(spans) - 1) - len(seen)):
            logger.warning(
                "%d of %d ordered pairs are in no window of %s, or beyond the maximum pair distance, and were not "
                "scored.",
                unseen,
                len(spans) * (len(spans) - 1),
                self.tokenizer.limits,
            )

    def _read_relation_types(self, relation_types: Any) -> list[RelationType]:
        """As [`read_relation_types`]; a list of names once for all texts that ask for the same."""
        if type(relation_types) not in (list, tuple):
            return read_relation_types(relation_types)
        asked, read = self._last_relation_types
        if asked != tuple(relation_types):
            read = read_relation_types(relation_types)
            self._last_relation_types = (tuple(relation_types), read)
        return read

    def _windows(self, prompt: Prompt, words: Words, spans: list[Span]) -> list[Span]:
        """Half-open word spans that overlap by half and fit into the model beside the relation types."""
        max_words = self.tokenizer.max_words or 2 * len(words.char_spans)
        budget = self.tokenizer.model_max_length - self.tokenizer.num_tokens(prompt, Words([], [], [0]), 0)
        marker_cost = 2 if self.tokenizer.entity_markers else 0
        starts = sorted(start for start, _ in spans)
        cost = [tokens + marker_cost * bisect_left(starts, word) for word, tokens in enumerate(words.token_starts)]
        windows, begin = [], 0
        while True:
            end = min(bisect_right(cost, cost[begin] + budget) - 1, begin + max_words)
            if end <= begin:
                raise ValueError(
                    f"{len(prompt.relation_token_spans)} relation types take {len(prompt.token_ids)} of the "
                    f"{self.tokenizer.model_max_length} tokens that the model reads, and leave no room for the word "
                    f"at {words.char_spans[begin]}. Pass fewer relation types."
                )
            windows.append((begin, end))
            if end == len(cost) - 1:
                return windows
            begin = max(begin + 1, bisect_left(cost, cost[end] - budget // 2), end - max_words // 2)

    def _results(
        self, inputs: Iterable[Any], batch_size: int, before: dict[str, Any], after: dict[str, Any]
    ) -> Iterator[Any]:
        """Reads some batches ahead, runs windows of like length together, and yields results in the order given."""
        check_batch_size(batch_size)
        stream = iter(inputs)
        is_alone = isinstance(inputs, list) and len(inputs) == 1
        position = count()
        # Alone, a text need not wait for others of like length.
        num_texts = _BATCHES_SORTED_TOGETHER * batch_size if batch_size > 1 else 1
        of_requests = {name: before.get(name) for name in ("relation_types", "ner")}
        of_tokens = {name: value for name, value in before.items() if name not in of_requests}

        def read() -> Callable[[], list[tuple[Request, list[dict[str, Any]]]]] | None:
            texts = list(islice(stream, num_texts))
            positions = [None if is_alone else next(position) for _ in texts]
            requests = self._read_requests(texts, positions, **of_requests)
            return partial(self._tokenize, requests, positions, **of_tokens) if texts else None

        for windows_of_texts in _ahead(read) if self._tokenizes_ahead and batch_size > 1 else _in_turn(read):
            chunks = [chunk for _, chunks in windows_of_texts for chunk in chunks]
            for batch in self._batches(chunks, batch_size):
                probabilities = self._score([chunk.pop("features") for chunk in batch])
                for chunk, scores in zip(batch, probabilities, strict=True):
                    chunk["scores"] = scores[: len(chunk["pairs"]), : chunk["num_relations"]]
            for windows in windows_of_texts:
                yield self.postprocess(windows, **after)

    @property
    def _is_on_cpu(self) -> bool:
        return str(getattr(self.model, "device", "cpu")) == "cpu"

    @property
    def _tokenizes_ahead(self) -> bool:
        """Not on a CPU: it has no time to spare, and a second thread takes OpenMP's fast barriers from the model."""
        return not self._is_on_cpu

    def _batches(self, chunks: list[dict[str, Any]], batch_size: int) -> Iterator[list[dict[str, Any]]]:
        """Batches of windows of like length; on a CPU, of no more tokens than its caches serve well."""
        limit = _TOKENS_ON_CPU if self._is_on_cpu else math.inf
        batch: list[dict[str, Any]] = []
        for chunk in sorted(chunks, key=lambda chunk: len(chunk["features"]["input_ids"])):
            if batch and (len(batch) == batch_size or (len(batch) + 1) * len(chunk["features"]["input_ids"]) > limit):
                yield batch
                batch = []
            batch.append(chunk)
        if batch:
            yield batch

    def postprocess(
        self,
        model_outputs: tuple[Request, list[dict[str, Any]]],
        threshold: float | None = None,
        top_k: int | None = None,
        return_scores: bool = False,
    ) -> Any:
        """Merges the windows of one text, and selects its relations."""
        request, chunks = model_outputs
        pair_index, scores = _merge_windows(chunks, len(request.entities), len(request.relation_types))
        of_text = RelationScores(
            request.text, request.entities, request.relation_types, pair_index, scores, self.model.config.threshold
        )
        return of_text if return_scores else of_text.select(threshold, top_k)


def load_tokenizer(name: str) -> GLiRELTokenizer:
    """The tokenizer of a folder or Hub repository, when it is a [`GLiRELTokenizer`].

    Raises:
        OSError: when there is no such folder or repository.
        TypeError: when it is the tokenizer of another model.
    """
    found = get_tokenizer_config(name).get("tokenizer_class")
    tokenizer: GLiRELTokenizer = GLiRELTokenizer.from_pretrained(name)
    if found != GLiRELTokenizer.__name__:
        raise TypeError(f"The tokenizer of {name!r} is a {found}, and no GLiRELTokenizer. Name the model's own.")
    return tokenizer


def read_inputs(inputs: Any, entities: Any) -> Any:
    """A text or a dictionary as it is, a list of these, or an iterator of them; each with its entities."""
    if isinstance(inputs, (str, Mapping)):
        return _with_entities(inputs, entities)
    if hasattr(inputs, "__getitem__") and hasattr(inputs, "__len__") and not hasattr(inputs, "__iter__"):
        inputs = map(inputs.__getitem__, range(len(inputs)))  # datasets of torch, such as `KeyDataset`
    if isinstance(inputs, (bytes, int, float)) or not isinstance(inputs, Iterable):
        raise TypeError(f"The pipeline reads texts, dictionaries or iterables of these: got {inputs!r}.")
    if isinstance(inputs, (list, tuple)):
        if entities is not None and len(entities) != len(inputs):
            raise ValueError(
                f"`entities` has {len(entities)} lists for {len(inputs)} texts. Give each text its own list, "
                "which may be empty."
            )
        return list(inputs) if entities is None else list(map(_with_entities, inputs, entities))
    stream = iter(inputs) if entities is None else _stream_with_entities(inputs, entities)
    return (item for item in stream)


def _in_turn(read: Callable[[], Callable[[], T] | None]) -> Iterator[T]:
    """What the work that `read` gives results in, until it gives none."""
    while (work := read()) is not None:
        yield work()


def _ahead(read: Callable[[], Callable[[], T] | None]) -> Iterator[T]:
    """As [`_in_turn`], but each work is done in a thread while the results of the one before are in use.

    `read`, and so the user's iterator, runs here. What it raises comes after the results before it.
    """
    reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="glirel-tokenizer")

    def start() -> Future[T] | None:
        try:
            work = read()
        except Exception as error:  # noqa: BLE001  # raised when its turn comes
            failed: Future[T] = Future()
            failed.set_exception(error)
            return failed
        return None if work is None else reader.submit(work)

    try:
        following = start()
        while following is not None:
            results = following.result()
            following = start()
            yield results
    finally:
        reader.shutdown(wait=False)


@contextmanager
def _naming_the_text(position: int | None) -> Iterator[None]:
    """Says which text of many an error is about."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if position is None:
            raise
        raise type(error)(f"Text {position}: {error}") from error


def _with_entities(text: Any, entities: Any) -> Any:
    if entities is None:
        return text
    if isinstance(text, Mapping):
        if "entities" in text:
            raise ValueError(
                "The entities are given twice: in the dictionary and as `entities`. Leave one of them out."
            )
        return {**text, "entities": entities}
    return {"text": text, "entities": entities}


def _stream_with_entities(texts: Iterable[Any], entities: Iterable[Any]) -> Iterator[Any]:
    of_texts = iter(entities)
    for position, text in enumerate(texts):
        try:
            yield _with_entities(text, next(of_texts))
        except StopIteration:
            raise ValueError(
                f"`entities` has {position} lists, and there are more texts. Give each text its own list, which may "
                "be empty."
            ) from None
    if next(of_texts, None) is not None:
        raise ValueError("`entities` has more lists than there are texts. Give each text its own list.")


def _read_request(
    inputs: Any, relation_types: Any, ner: Any, read_types: Callable[[Any], list[RelationType]]
) -> Request:
    item = inputs if isinstance(inputs, Mapping) else {"text": inputs}
    text = item.get("text")
    if not isinstance(text, str):
        raise TypeError(f"A text must be a string, alone or as 'text' of a dictionary: got {inputs!r}.")
    if unknown := sorted(set(item) - {"text", "entities", "relation_types"}):
        raise ValueError(f"A text's dictionary has 'text', 'entities' and 'relation_types': got also {unknown}.")
    relation_types = item.get("relation_types", relation_types)
    if relation_types is None:
        raise ValueError(
            "No `relation_types`: pass the names of the relations to look for, such as ['place of birth']."
        )
    entities = item.get("entities")
    if entities is None:
        if ner is None:
            raise ValueError(
                "No `entities`: pass the entities of the text, or `ner=`, a pipeline or callable that finds them."
            )
        entities = ner(text) if text else []
    request = Request(text, read_entities(entities, text), read_types(relation_types))
    constrained = [r.name for r in request.relation_types if r.head is not None or r.tail is not None]
    if constrained and request.entities and all(entity.label is None for entity in request.entities):
        raise ValueError(
            f"Relation type {constrained[0]!r} admits certain entity types only, but no entity has a label. Pass "
            "entities as (start, end, label) or dictionaries with 'label', or drop `head` and `tail`."
        )
    return request


def _merge_windows(
    chunks: list[dict[str, Any]], num_entities: int, num_relations: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs `(pairs, 2)`, each once and row-major, and their best scores `(pairs, relations)` over all windows."""
    if not chunks:
        return np.zeros((0, 2), dtype=np.int64), np.zeros((0, num_relations), dtype=np.float32)
    if len(chunks) == 1:
        return chunks[0]["pairs"], chunks[0]["scores"]
    pairs = np.concatenate([chunk["pairs"] for chunk in chunks])
    scores = np.concatenate([chunk["scores"] for chunk in chunks])
    keys, row = np.unique(pairs[:, 0] * num_entities + pairs[:, 1], return_inverse=True)
    best = np.full((len(keys), scores.shape[1]), -1, dtype=scores.dtype)
    np.maximum.at(best, row, scores)
    return np.stack((keys // num_entities, keys % num_entities), axis=1), best


__all__ = ["RelationExtractor"]
