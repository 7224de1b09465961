"""A chunk of items in, a record for each out: the one place where the model runs, whatever engine drives it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from glirel_transformers.checkpoints import model_name
from glirel_transformers.loading import load_pipeline
from glirel_transformers.requests_glirel import check_batch_size, check_probability, check_top_k, read_relation_types

from .records import Malformed, Record, TextRequest, read_request, read_whole_entities
from .sources import Item

BATCHES_IN_A_CHUNK = 16  # so many the pipeline reads together, to batch texts of like length

Alignment = Literal["strict", "expand"]
Truncation = Literal["error", "window"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class ExtractionSettings:
    """What is asked of every text, and by which model.

    Args:
        relation_types: as the pipeline takes them; `None` where each record has its own.
        model: folder or Hub repository; by default as [`load_pipeline`] says.
        entities: of the one text there is.
        ner: name of an entity recogniser for texts without entities, as [`load_entity_recognizer`] takes it.
        ner_labels: entity types that GLiNER is asked for.
        threshold, top_k, truncation, batch_size: as the pipeline takes them.
        alignment: as the pipeline takes it; by default `"strict"`, and `"expand"` for entities that `ner` finds.
        dtype: precision of the weights; by default as the checkpoint says.
        device: where the models run; by default the first accelerator there is, else the CPU.

    Raises:
        ValueError, TypeError: for what the pipeline would refuse.
    """

    relation_types: Any = None
    model: str | None = None
    entities: Any = None
    ner: str | None = None
    ner_labels: Sequence[str] | None = None
    threshold: float | None = None
    top_k: int | None = None
    truncation: Truncation = "error"
    alignment: Alignment | None = None
    batch_size: int = 32
    dtype: Precision | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        read_relation_types(self.relation_types or [])
        if self.threshold is not None:
            check_probability(self.threshold, "`threshold`")
        check_top_k(self.top_k)
        check_batch_size(self.batch_size)
        if self.ner_labels and self.ner is None:
            raise ValueError(
                "`ner_labels` are for an entity recogniser: name one as `ner`, such as 'gliner:owner/name'."
            )

    @property
    def chunk_size(self) -> int:
        """How many items are worked on together."""
        return BATCHES_IN_A_CHUNK * self.batch_size

    def shaping(self) -> dict[str, Any]:
        """The settings that shape what comes out, as JSON values: all but the device."""
        settings = asdict(replace(self, model=model_name(self.model), device=None))
        del settings["device"]
        return json.loads(json.dumps(settings))


@dataclass
class ChunkResult:
    """What became of a chunk.

    Args:
        records: a record, or what is wrong, for each item in order.
        num_unscored_pairs: how many entity pairs were in no window of a long text.
    """

    records: list[Record | Malformed]
    num_unscored_pairs: int = 0


@dataclass
class Extractor:
    """Works on chunks. It loads its models when it is made.

    Args:
        settings: what is asked of every text.

    Raises:
        ValueError, TypeError, OSError, ImportError: when the settings do not fit, or a model cannot be loaded.
    """

    settings: ExtractionSettings
    _pipeline: Any = field(init=False, repr=False)
    _ner: Any = field(init=False, repr=False, default=None)
    _options: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self._options = {
            "relation_types": settings.relation_types,
            "threshold": settings.threshold,
            "top_k": settings.top_k,
            "truncation": settings.truncation,
            "alignment": settings.alignment or ("strict" if settings.ner is None else "expand"),
        }
        try:
            self._pipeline = load_pipeline(settings.model, settings.device, settings.dtype)
        except (RuntimeError, AssertionError) as error:  # what torch raises for a device that it does not have
            if settings.device is None:
                raise
            reason = str(error).splitlines()[0]
            raise ValueError(f"The device {settings.device!r} cannot be used: {reason}") from error
        if settings.ner is not None:
            from glirel_transformers.ner import load_entity_recognizer

            self._ner = load_entity_recognizer(settings.ner, settings.ner_labels, settings.device)

    @property
    def model_name(self) -> str:
        """What the model is called."""
        return str(self._pipeline.model.name_or_path)

    def __call__(self, items: Sequence[Item]) -> ChunkResult:
        """Extracts from all items together."""
        requests = [self._read(item) for item in items]
        with _counting_unscored_pairs() as unscored:
            try:
                relations = self._run(requests)
            except (ValueError, TypeError):
                checked = [self._check(request) for request in requests]
                if checked == requests:  # no item is to blame
                    raise
                requests = checked
                unscored.clear()
                relations = self._run(requests)
        found = iter(relations)
        records: list[Record | Malformed] = [
            request if isinstance(request, Malformed) else request.to_record(next(found)) for request in requests
        ]
        return ChunkResult(records, sum(unscored))

    def _read(self, item: Item) -> TextRequest | Malformed:
        try:
            request = read_request(item)
            if request.entities is None:
                found = read_whole_entities(self._find_entities(request.text), request.text)
                request = replace(request, entities=found)
            if request.relation_types is None and self.settings.relation_types is None:
                raise ValueError("It has no 'relation_types': add them, or name relations for all texts with -r.")
        except (ValueError, TypeError) as error:
            return Malformed(item, str(error))
        return request

    def _find_entities(self, text: str) -> Any:
        if self.settings.entities is not None:
            return self.settings.entities
        if self._ner is None:
            raise ValueError(
                "It has no 'entities': add them, or name a recogniser that finds them, such as --ner heuristic."
            )
        return self._ner(text) if text.strip() else []

    def _run(self, requests: Sequence[TextRequest | Malformed]) -> list[list[dict[str, Any]]]:
        texts = [_for_pipeline(request) for request in requests if isinstance(request, TextRequest)]
        return self._pipeline(texts, batch_size=self.settings.batch_size, **self._options)

    def _check(self, request: TextRequest | Malformed) -> TextRequest | Malformed:
        """The request, or what the pipeline finds wrong with it."""
        if isinstance(request, Malformed):
            return request
        options = {name: self._options[name] for name in ("relation_types", "truncation", "alignment")}
        try:
            for _ in self._pipeline.preprocess(_for_pipeline(request), **options):
                pass
        except (ValueError, TypeError) as error:
            return Malformed(request.item, str(error))
        return request


def _for_pipeline(request: TextRequest) -> dict[str, Any]:
    asked = {} if request.relation_types is None else {"relation_types": request.relation_types}
    return {"text": request.text, "entities": request.entities, **asked}


@contextmanager
def _counting_unscored_pairs() -> Iterator[list[int]]:
    """Counts what the pipeline would warn of text by text: on a corpus, one figure says more than 1,000 lines."""
    counts: list[int] = []

    def count(record: logging.LogRecord) -> bool:
        is_about_windows = "in no window" in str(record.msg) and isinstance(record.args, tuple)
        if is_about_windows:
            counts.append(int(record.args[0]))  # type: ignore[index, arg-type]
        return not is_about_windows

    logger = logging.getLogger("glirel_transformers.extractor_glirel")
    logger.addFilter(count)
    try:
        yield counts
    finally:
        logger.removeFilter(count)
