"""A chunk of items in, a record for each out: the one place where the model runs, whichever engine drives it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import cast

from glirel_transformers.checkpoints import model_name
from glirel_transformers.decoding_glirel import Overlap
from glirel_transformers.encoded_types_glirel import EncodesTypes
from glirel_transformers.extractor_glirel import BATCHES_SORTED_TOGETHER, RelationExtractor
from glirel_transformers.files import Json
from glirel_transformers.loading import load_pipeline
from glirel_transformers.ner import EntityRecognizer, load_entity_recognizer
from glirel_transformers.options_glirel import ExtractionOptions, GroupSize
from glirel_transformers.requests_glirel import (
    TextError,
    check_batch_size,
    read_entity_types,
    read_relation_types,
    with_readable_names,
)
from glirel_transformers.scores_glirel import RelationScores

from .choices import Alignment, Precision, Truncation
from .records import Malformed, Record, TextRequest, in_options, read_request
from .sources import Item, Source, read_items


@dataclass(frozen=True)
class ExtractionSettings:
    """What is asked of every text, and by which model.

    Args:
        relation_types: as the pipeline takes them; `None` where each record has its own.
        model: folder or Hub repository; by default that of [`load_pipeline`].
        entities: the entities of the only text.
        ner: the name of an entity recogniser for texts without entities, as [`load_entity_recognizer`] takes it.
        ner_labels: the entity types that GLiNER is asked for.
        entity_types: those that are to be found, by the model, or by `ner` where there is one.
        entity_threshold, overlap, multi_label, adjacency_threshold, threshold, top_k, truncation, self_pairs,
            readable_names, group_size, coreference, evidence, batch_size: as the pipeline takes them.
        encoded_types: file of relation types that the model need not read again.
        alignment: as the pipeline takes it; by default `"strict"`, and `"expand"` for entities that `ner` finds.
        dtype: precision of the weights; by default that of the checkpoint.
        device: where the models run; by default the first accelerator, else the CPU.

    Raises:
        ValueError, TypeError: for what the pipeline would refuse.
    """

    relation_types: object = None
    model: str | None = None
    entities: object = None
    ner: str | None = None
    ner_labels: Sequence[str] | None = None
    entity_types: object = None
    entity_threshold: float | None = None
    overlap: Overlap | None = None
    multi_label: bool = False
    adjacency_threshold: float | None = None
    threshold: float | None = None
    top_k: int | None = None
    truncation: Truncation = "error"
    alignment: Alignment | None = None
    self_pairs: bool = False
    readable_names: bool = False
    group_size: GroupSize = None
    coreference: bool = False
    evidence: int | None = None
    encoded_types: str | None = None
    batch_size: int = 32
    dtype: Precision | None = None
    device: str | None = None

    def __post_init__(self) -> None:
        read_relation_types(self.relation_types or [])
        read_entity_types(self.entity_types or [])
        check_batch_size(self.batch_size)
        _ = self.options  # which checks them
        if self.ner_labels and self.ner is None:
            raise ValueError(
                "`ner_labels` are for an entity recogniser: name one as `ner`, such as 'gliner:owner/name'."
            )

    @property
    def finds(self) -> bool:
        """Whether the model finds entities in all texts."""
        return self.entity_types is not None and self.ner is None

    @property
    def entities_alone(self) -> bool:
        """Whether nothing but entities is looked for, unless a record asks for relations itself."""
        return self.finds and self.relation_types is None

    @property
    def chunk_size(self) -> int:
        """How many items are processed together."""
        return BATCHES_SORTED_TOGETHER * self.batch_size

    @property
    def options(self) -> ExtractionOptions:
        """What the extractor is asked for, except the recogniser."""
        return ExtractionOptions(
            relation_types=self.relation_types,
            entity_types=self.entity_types if self.finds else None,
            entity_threshold=self.entity_threshold,
            overlap=self.overlap or "flat",
            multi_label=self.multi_label,
            adjacency_threshold=self.adjacency_threshold,
            threshold=self.threshold,
            top_k=self.top_k,
            truncation=self.truncation,
            alignment=self.alignment or ("strict" if self.ner is None else "expand"),
            self_pairs=self.self_pairs,
            readable_names=self.readable_names,
            group_size=self.group_size,
            coreference=self.coreference,
            evidence=self.evidence,
        )

    def shaping(self) -> dict[str, Json]:
        """The settings that shape the output, as JSON values: all but the device and what is only kept.

        Those that are `None` or `False` are left out, so that a run that was started before an option existed can be
        resumed.
        """
        settings = asdict(replace(self, model=model_name(self.model), device=None, encoded_types=None))
        shaping: dict[str, Json] = json.loads(json.dumps(settings))
        return {name: value for name, value in shaping.items() if value is not None and value is not False}


# The options that say how a text is read, and so what its pairs score.
_READING = (
    "entity_types",
    "entity_threshold",
    "overlap",
    "multi_label",
    "adjacency_threshold",
    "alignment",
    "self_pairs",
    "readable_names",
    "group_size",
)


@dataclass
class ChunkResult:
    """The result of a chunk.

    Args:
        records: for each item, in order, a record or what is wrong with it.
        num_unscored_pairs: how many entity pairs were in no window of a long text.
        collapses: for each text in which the recogniser found entities that are parts of the same words, which ones.
        entity_types: the types of all entities, to find constraints that no entity of a whole corpus meets.
        num_found: how many entities the model found.
        num_left_out: how many it found beyond those that it relates at most.
    """

    records: list[Record | Malformed]
    num_unscored_pairs: int = 0
    collapses: list[str] = field(default_factory=list)
    entity_types: set[str | None] = field(default_factory=set)
    num_found: int = 0
    num_left_out: int = 0


def encode_types(settings: ExtractionSettings, file: str) -> None:
    """Writes what the model makes of the relation types, for `settings.encoded_types` of this run and others.

    Raises:
        ValueError: when each record has relation types of its own, or the model reads them before each text.
    """
    if settings.relation_types is None:
        raise ValueError("--encoded-types keeps the relations that are named for all texts: name them with -r.")
    relation_types = read_relation_types(settings.relation_types)
    if settings.readable_names:
        relation_types = with_readable_names(relation_types)
    wordings = [relation.wording for relation in relation_types]
    if settings.finds:
        wordings += [one.wording for one in read_entity_types(settings.entity_types)]
    model = cast("EncodesTypes", load_pipeline(settings.model, settings.device, settings.dtype).model)
    model.encode_relation_types(list(dict.fromkeys(wordings))).save(file)


def with_background(
    settings: ExtractionSettings, sources: Sequence[Source], cache: str | None = None
) -> ExtractionSettings:
    """Gives relation types that the model was not calibrated for thresholds, from how they score over other texts.

    Args:
        settings: what is asked of every text.
        sources: of the background texts, with their entities, unless these are found.
        cache: a file that keeps thresholds for the next run.

    Raises:
        ValueError: when each record has relation types of its own; when a background text cannot be read, or the model
            has no rule for such thresholds.
    """
    if settings.relation_types is None:
        raise ValueError("--background is for the relations that are named for all texts: name them with -r.")
    extractor = Extractor(replace(settings, entities=None))
    return replace(settings, relation_types=extractor.background(read_items(sources), cache))


@dataclass
class Extractor:
    """Processes chunks. It loads its models when it is created.

    Args:
        settings: what is asked of every text.

    Raises:
        ValueError, TypeError, OSError, ImportError: when the settings do not fit, or a model cannot be loaded.
    """

    settings: ExtractionSettings
    _extractor: RelationExtractor = field(init=False, repr=False)
    _ner: EntityRecognizer | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        settings = self.settings
        self._extractor = load_pipeline(settings.model, settings.device, settings.dtype)
        if settings.encoded_types is not None:
            self._extractor.use_types(settings.encoded_types)
        if settings.ner is not None:
            self._ner = load_entity_recognizer(
                settings.ner,
                settings.ner_labels,
                settings.device,
                entity_types=settings.entity_types,
                entity_threshold=settings.entity_threshold,
                overlap=settings.overlap,
                multi_label=settings.multi_label,
            )
        elif settings.finds and not self._finds:
            raise ValueError(
                f"--entity-types are for models that find entities, and {self.model_name!r} does not "
                "(entity_finder='none'). Name one that does with --model, or let it find them for this model: --ner "
                "FOLDER."
            )

    @property
    def model_name(self) -> str:
        """The name of the model."""
        return str(self._extractor.model.name_or_path)

    @property
    def _finds(self) -> bool:
        return getattr(self._extractor.model.config, "entity_finder", "none") != "none"

    def __call__(self, items: Sequence[Item]) -> ChunkResult:
        """Extracts from all items together."""
        requests = [self._read(item) for item in items]
        texts = [request.to_input() for request in requests if isinstance(request, TextRequest)]
        options = replace(self.settings.options, ner=self._ner, return_scores=True)
        results = self._extractor.iterate(
            texts, batch_size=self.settings.batch_size, on_error="return", **vars(options)
        )
        result = ChunkResult([])
        for request in requests:
            if isinstance(request, Malformed):
                result.records.append(request)
                continue
            scores: RelationScores | TextError = next(results)
            if isinstance(scores, TextError):
                result.records.append(Malformed(request.item, in_options(scores.message)))
                continue
            relations = scores.select(options.threshold, options.top_k, options.evidence)
            given = scores.entities if scores.merged_from is None else scores.merged_from
            result.records.append(request.to_record(given, relations, options.self_pairs))
            if not self._finds:  # with it, an adjacency or constraints leave pairs out
                result.num_unscored_pairs += scores.num_unscored_pairs
            result.num_found += sum(bool(entity.scores) for entity in given[request.num_given :])
            result.num_left_out += scores.num_left_out
            if scores.collapse is not None:
                result.collapses.append(f"{request.item.place}: {scores.collapse}.")
            result.entity_types.update(label for entity in scores.entities for label in entity.labels or {None})
        return result

    def background(self, items: Iterable[Item], cache: str | None = None) -> dict[str, dict[str, object]]:
        """The relation types with thresholds from background texts, see [`RelationExtractor.background`].

        Raises:
            ValueError: when an item cannot be read.
        """
        requests = [self._read(item) for item in items]
        if malformed := next((one for one in requests if isinstance(one, Malformed)), None):
            cure = " Annotated documents in other formats are read with --documents."
            raise ValueError(f"--background: {malformed}{cure if malformed.item.kind == 'jsonl' else ''}")
        texts = [request.to_input() for request in requests if isinstance(request, TextRequest)]
        asked = vars(self.settings.options)
        options = {name: asked[name] for name in _READING}
        return self._extractor.background(
            texts,
            self.settings.relation_types,
            cache=cache,
            batch_size=self.settings.batch_size,
            ner=self._ner,
            **options,
        )

    def _read(self, item: Item) -> TextRequest | Malformed:
        try:
            request = read_request(item)
            if request.entities is None:
                request = replace(request, entities=self.settings.entities)
            finds = self.settings.finds or request.entity_types is not None
            if request.entities is None and self._ner is None and not finds:
                raise ValueError(
                    "It has no 'entities': add them, or name a recogniser that finds them, such as --ner heuristic."
                )
            if request.relation_types is None and self.settings.relation_types is None and not finds:
                raise ValueError("It has no 'relation_types': add them, or name relations for all texts with -r.")
        except (ValueError, TypeError) as error:
            return Malformed(item, str(error))
        return request
