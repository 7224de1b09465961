"""A chunk of items in, a record for each out: the one place where the model runs, whatever engine drives it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from glirel_transformers.checkpoints import model_name
from glirel_transformers.extractor_glirel import BATCHES_SORTED_TOGETHER, RelationExtractor
from glirel_transformers.loading import load_pipeline
from glirel_transformers.requests_glirel import (
    TextError,
    check_batch_size,
    check_probability,
    check_top_k,
    read_relation_types,
)
from glirel_transformers.scores_glirel import RelationScores

from .choices import Alignment, Precision, Truncation
from .records import Malformed, Record, TextRequest, read_request, read_whole_entities
from .sources import Item


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
        return BATCHES_SORTED_TOGETHER * self.batch_size

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
        entity_types: of all entities, for constraints that none of a whole corpus meets.
    """

    records: list[Record | Malformed]
    num_unscored_pairs: int = 0
    entity_types: set[str | None] = field(default_factory=set)


@dataclass
class Extractor:
    """Works on chunks. It loads its models when it is made.

    Args:
        settings: what is asked of every text.

    Raises:
        ValueError, TypeError, OSError, ImportError: when the settings do not fit, or a model cannot be loaded.
    """

    settings: ExtractionSettings
    _extractor: RelationExtractor = field(init=False, repr=False)
    _ner: Any = field(init=False, repr=False, default=None)
    _options: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        settings = self.settings
        self._options = {
            "relation_types": settings.relation_types,
            "truncation": settings.truncation,
            "alignment": settings.alignment or ("strict" if settings.ner is None else "expand"),
        }
        self._extractor = load_pipeline(settings.model, settings.device, settings.dtype)
        if settings.ner is not None:
            from glirel_transformers.ner import load_entity_recognizer

            self._ner = load_entity_recognizer(settings.ner, settings.ner_labels, settings.device)

    @property
    def model_name(self) -> str:
        """What the model is called."""
        return str(self._extractor.model.name_or_path)

    def __call__(self, items: Sequence[Item]) -> ChunkResult:
        """Extracts from all items together."""
        requests = [self._read(item) for item in items]
        texts = [_for_pipeline(request) for request in requests if isinstance(request, TextRequest)]
        results = self._extractor.iterate(
            texts, batch_size=self.settings.batch_size, on_error="return", return_scores=True, **self._options
        )
        result = ChunkResult([])
        for request in requests:
            if isinstance(request, Malformed):
                result.records.append(request)
                continue
            scores: RelationScores | TextError = next(results)
            if isinstance(scores, TextError):
                result.records.append(Malformed(request.item, scores.message))
                continue
            result.records.append(request.to_record(scores.select(self.settings.threshold, self.settings.top_k)))
            result.num_unscored_pairs += scores.num_unscored_pairs
            result.entity_types.update(entity.label for entity in scores.entities)
        return result

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


def _for_pipeline(request: TextRequest) -> dict[str, Any]:
    asked = {} if request.relation_types is None else {"relation_types": request.relation_types}
    return {"text": request.text, "entities": request.entities, **asked}
