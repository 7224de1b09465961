"""Texts and entities in, scored relations out: [`RelationExtractor`], which runs any model.

It needs neither torch nor transformers' `Pipeline`, so that it also serves exports where torch is not installed; see
`pipeline_glirel.py` for `pipeline("relation-extraction")`, which has one of these.

Axes have one name everywhere: `words, mentions, entities, pairs, relations`. A text that is longer than the model
reads becomes several windows.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import Any, Literal, cast

import numpy as np
from transformers.models.auto.tokenization_auto import get_tokenizer_config
from transformers.utils import is_torch_available, logging

from .background_glirel import measure_background
from .calibration_glirel import calibration_of
from .configuration_glirel import GLiRELConfig
from .encoded_types_glirel import EncodedTypes, EncodesTypes, TypeCache
from .evidence_glirel import TextContext, WindowContext, read_sentences
from .finding_glirel import BatchDecoder, Findings, Search, merge_findings
from .mentions_glirel import shortened
from .options_glirel import ExtractionOptions, GroupSize
from .prompts_glirel import Prompt
from .requests_glirel import (
    Entity,
    RelationType,
    Request,
    TextError,
    check_batch_size,
    read_entity_types,
    read_relation_types,
    read_request,
    text_error,
    with_readable_names,
)
from .running_glirel import ModelLoader, ScoresPairs, check_vocabulary, load_checkpoint, place, score_function
from .scores_glirel import RelationScores, UnmetConstraint, find_unmet_constraints
from .sources_glirel import ahead, in_turn, read_inputs
from .text_glirel import Span, Words, align, find_collapse
from .tokenization_glirel import SHARED_SETTINGS, GLiRELTokenizer
from .windows_glirel import Window, group_relation_types, mentions_inside, merge_windows, split_windows

if is_torch_available():
    import torch

logger = logging.get_logger(__name__)

# How many batches of texts are read together, to batch texts of similar length: more would delay the first result.
BATCHES_SORTED_TOGETHER = 16
# How many tokens a CPU reads at once: more are not faster, leave its caches, and need more padding.
_TOKENS_ON_CPU = 1024
# For callers that alternate between a few lists of relation types.
_PROMPTS_KEPT = 16


class RelationExtractor:
    r"""Extracts relations of any types between the entities of a text, which are given or, by some models, found.

    Args:
        model: a folder or Hub repository, of a checkpoint or of an export; or a model: a
            [`GLiRELForRelationClassification`], a [`GLiRELForJointExtraction`], which finds entities as well, or one
            that takes numpy arrays, such as `ORTModelForRelationClassification`, for which torch need not be
            installed.
        tokenizer: by default the model's own; also by name.
        device: where the model runs, such as `"cuda:0"`. By default a model stays where it is, and one that is named
            is loaded to the first accelerator there is, else the CPU.
        dtype: of a model that is named: `"float32"`, `"bfloat16"` or `"float16"`; by default as its checkpoint says.
        encoded_types: relation types that the model need not read again, see
            [`GLiRELForRelationClassification.encode_relation_types`]; also the file that they were saved to.
        batch_size, options: of [`__call__`], where it is called without.

    Raises:
        TypeError: when `model` is not a model, or `tokenizer` is not a [`GLiRELTokenizer`].
        ValueError: when the tokenizer or `encoded_types` are not those of the model, or the device cannot be used.
        OSError: when there is no such folder or repository.

    Examples:
        >>> extract = RelationExtractor("checkpoints/glirel-mini")
        >>> text = "Marie Curie was born in Warsaw."
        >>> relations = extract(text, entities=["Marie Curie", "Warsaw"], relation_types=["place of birth"])
        >>> [(relation["head"]["text"], relation["relation"], relation["tail"]["text"]) for relation in relations]
        [('Marie Curie', 'place of birth', 'Warsaw')]
    """

    load_model: ModelLoader = staticmethod(load_checkpoint)
    """How models are loaded by name. `glirel_transformers.loading` puts one here that loads exports as well."""

    def __init__(
        self,
        model: ScoresPairs | str | os.PathLike[str],
        tokenizer: GLiRELTokenizer | str | os.PathLike[str] | None = None,
        *,
        device: str | int | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        encoded_types: EncodedTypes | str | os.PathLike[str] | None = None,
        batch_size: int = 1,
        **options: object,
    ):
        check_batch_size(batch_size)
        self.options = ExtractionOptions().updated(**options)
        if isinstance(model, (str, os.PathLike)):
            model = type(self).load_model(os.fspath(model), device, dtype)
        elif dtype is not None:
            raise ValueError(
                f"`dtype` is for a model that is loaded by its name: got {dtype} for a model. Convert it."
            )
        elif device is not None:
            place(model, device)
        self.model: ScoresPairs = model
        self.tokenizer = fitting_tokenizer(model, tokenizer)
        self.batch_size = batch_size
        self._types = _type_cache(model)
        if encoded_types is not None:
            self.use_types(encoded_types)
        self._score = score_function(model, self.tokenizer, self._types)
        self._prompts: dict[tuple[object, ...], list[Prompt]] = {}
        self._last_types: tuple[tuple[str, ...], list[RelationType]] = ((), [])
        self.backgrounds: dict[str, dict[str, float]] = {}  # thresholds that `background` measured, by digest

    def background(
        self,
        texts: object,
        relation_types: object = None,
        *,
        entities: object = None,
        cache: str | os.PathLike[str] | None = None,
        batch_size: int | None = None,
        **options: object,
    ) -> dict[str, dict[str, object]]:
        """Gives relation types that the model was not calibrated for a threshold, from how they score over texts.

        For models that `glirel calibrate --background` fitted a [`BackgroundRule`] to. The result is asked for in
        place of the names: `extract(text, relation_types=extract.background(texts, names))`. No annotation is read,
        and a few texts in which a type holds do no harm. What was measured is kept, by a digest of the model, the
        texts and what is asked, so that the same question is answered at once.

        Args:
            texts: with their entities, as [`__call__`] takes them: hundreds, like those that will be read.
            relation_types: as [`__call__`] takes them; by default those that the extractor was made with.
            entities: of the texts, likewise.
            cache: a file to keep thresholds in from one process to the next; written where it is missing.
            batch_size, options: of [`__call__`], such as `entity_types`. Long texts are read in windows.

        Returns:
            The relation types with their settings, and a `threshold` for each that had none, neither there nor in the
            model.

        Raises:
            OSError: when `cache` cannot be written.
            ValueError: when the model has no such rule, or no text has a pair of entities.
        """
        return measure_background(
            self, texts, relation_types, entities=entities, cache=cache, batch_size=batch_size, **options
        )

    def use_types(self, encoded: EncodedTypes | str | os.PathLike[str]) -> None:
        """Spares the model reading these relation types again.

        Raises:
            OSError: when there is no such file.
            ValueError: when they are not this model's.
        """
        if self._types is None:
            raise ValueError(
                "`encoded_types` are for models that read relation types apart from the texts; this one has "
                f"label_encoding={self.model.config.label_encoding!r}. Leave them out."
            )
        self._types.give(encoded if isinstance(encoded, EncodedTypes) else EncodedTypes.load(encoded))

    @property
    def device(self) -> object:
        """Where the model runs."""
        return getattr(self.model, "device", "cpu")

    def __call__(
        self, inputs: object, *, entities: object = None, batch_size: int | None = None, **options: object
    ) -> Any:  # noqa: ANN401  # of one text, or a list or an iterator of these: as the inputs are
        r"""Extracts relations from a text, or from many.

        Args:
            inputs: a text; a dictionary with `text`, `entities` and, where they differ from text to text,
                `relation_types` (other keys are left alone, `None` means as the call says); or a list, a generator or
                a dataset of either. A list gives a list, the others an iterator.
            entities: the entities of the text, or a list of them for each text, in any form that [`read_entities`]
                reads: spans `(start, end)` or `(start, end, label)`, dictionaries, names, or what a 🤗
                token-classification pipeline, spaCy or GLiNER gives. Half-open character spans. An entity of several
                mentions is `{"mentions": [(0, 11), (30, 33)], "label": "PERSON"}`. A surface that is given with a
                span is compared with the text.
            entity_types: for a model that finds entities, the names of the types to find, or a dictionary of names
                with settings, such as `{"person": {"threshold": 0.4, "description": "name of a human being"}}`: a
                description is what the model reads in place of the name. `entities` may then be left out, or name some
                that are known: no other entity is found where they are. Without `relation_types`, the result is the
                list of entities.
            entity_threshold: probability above which a span is an entity; by default the model's own.
            overlap: `"flat"` finds no two entities that overlap, `"nested"` none that cross.
            multi_label: whether an entity may have several types; it then has `scores` of all of them.
            adjacency_threshold: for a model with a `pair_selection`, which pairs are scored; by default its own.
            return_entities: gives `{"entities": [...], "relations": [...]}` in place of each list.
            ner: instead of `entities`, a pipeline or any callable that takes a text and returns its entities.
            relation_types: names, or a dictionary of names with settings, such as `{"place of birth": {"head":
                ["PERSON"], "tail": ["CITY"], "threshold": 0.4, "symmetric": False, "description": "where …"}}`.
                Constraints on the entities' types act before `top_k`, and where entities are found before anything is
                scored; a side that is absent admits any type.
            threshold: least probability; by default the model's own, `model.config.threshold`, or for types that it
                was calibrated for, `model.config.calibration`.
            top_k: at most that many relations for each ordered pair; by default all.
            truncation: `"error"` refuses a text that is too long next to the relation types; `"window"` reads it in
                overlapping windows, scores pairs within a window, keeps each score's best window, and warns of
                pairs that no window holds.
            alignment: `"strict"` refuses an entity that cuts a word, `"expand"` reads the whole word, and refuses
                entities that it would make one.
            return_scores: gives [`RelationScores`] in place of each list: all scores of the text, from which relations
                are then selected by any threshold and `top_k`, and which tell why the others were left out. What
                would be a warning is there as data (`num_unscored_pairs`, `unmet_constraints`, `collapse`).
            self_pairs: whether an entity may also relate to itself.
            readable_names: whether the model reads `place_of_birth`, `placeOfBirth` or `per:place_of_birth` as "place
                of birth", which scores better; results have the names that were given.
            group_size: asks for that many relation types at a time, in several passes, where all together leave too
                little room for the text; `"auto"` asks for as many as take half of the tokens that the model reads.
                Scores depend a little on which types are asked for together.
            coreference: whether entities are mentions, of which those that the model finds to be one entity are
                merged, see [`RelationScores.merge_coreferent`]. For models with a `coreference_label`.
            evidence: gives each relation its `evidence`, at most that many sentences, which its localized context
                weighs most: `{"sentence": number, "start", "end", "text", "weight": share of 1}`, for models with
                `pair_context="localized"`. Sentences are those that a text's dictionary has as `sentences`,
                half-open character spans, or else end at their marks.
            batch_size: how many windows the model reads at once, sorted by length; on a CPU, fewer of long ones. Above
                1, 16 batches of texts are read together; with an accelerator the next 16 are tokenized meanwhile,
                in a thread. The order of results is kept.

        Returns:
            For each text a list of relations by falling score: `{"head": entity, "relation": name, "tail": entity,
            "score": probability}`, where an entity has `start`, `end`, `text`, `label` and `index`, its position in
            the list given, and with several of them `mentions`. Empty without a text, without two entities or without
            a relation type.

        Raises:
            TextError: for a text of many that cannot be read, made of the error that it would raise alone; its
                `position` says which. Results before it come first.
            ValueError, TypeError: for other input that cannot be read; the message names the value and the cure.
        """
        read = read_inputs(inputs, entities)
        if isinstance(read, (str, Mapping)):
            (result,) = self.iterate([read], batch_size=batch_size, on_error="return", **options)
            if isinstance(result, TextError):
                raise result.__cause__ or result  # alone, a text has its own error
            return result
        results = self.iterate(_iterable(read), batch_size=batch_size, **options)  # type: ignore[arg-type]
        return list(results) if isinstance(read, list) else results

    def iterate(
        self,
        inputs: Iterable[object],
        *,
        batch_size: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        **options: object,
    ) -> Iterator[Any]:
        """As [`__call__`] on many texts, one result after the other, also where some cannot be read.

        Args:
            inputs: texts, or dictionaries.
            batch_size, options: as [`__call__`] takes them.
            on_error: `"return"` gives the [`TextError`] of a text that cannot be read in place of its result, and
                goes on with the next text; `"raise"` raises it, after the results before it.

        Raises:
            ValueError, TypeError: for options that do not fit, when it is called.
        """
        used = self.options.updated(**options)
        size = self.batch_size if batch_size is None else batch_size
        check_batch_size(size)
        if on_error not in ("raise", "return"):
            raise ValueError(f"`on_error` must be 'raise' or 'return': got {shortened(on_error)}.")
        if used.coreference:
            _ = self._coreference_label  # which checks that there is one
        if used.evidence is not None:
            check_gives_evidence(self.model.config)
        if used.relation_types is not None:  # for all texts: what is wrong with them is about none
            self._read_types(used.relation_types)
        if used.entity_types is not None:
            read_entity_types(used.entity_types)
            self._check_finds_entities()
        return self._results(iter(inputs), size, used, on_error == "return")

    def _results(
        self, stream: Iterator[object], batch_size: int, options: ExtractionOptions, returns_errors: bool
    ) -> Iterator[Any]:
        """Reads some batches ahead, runs windows of similar length together, and yields results in the order given."""
        # One at a time, a text need not wait for others of similar length.
        num_texts = BATCHES_SORTED_TOGETHER * batch_size if batch_size > 1 else 1
        read = partial(self._read_some, enumerate(stream), num_texts, options)
        constraints, warned = _Constraints(), set[str]()
        for texts in ahead(read) if self._tokenizes_ahead and batch_size > 1 else in_turn(read):
            readable = [text for text in texts if isinstance(text, _Text)]
            self._run(readable, batch_size, options)
            for one in readable:
                one.place_found()
            constraints.add(readable)
            for text in texts:
                if isinstance(text, TextError) and not returns_errors:
                    raise text
                yield text if isinstance(text, TextError) else self._select(text, options, warned)
        if not options.return_scores:
            for constraint in constraints.unmet():
                logger.warning(str(constraint))

    def _read_some(
        self, numbered: Iterator[tuple[int, object]], num_texts: int, options: ExtractionOptions
    ) -> Callable[[], list[_Text | TextError]] | None:
        """Reads the next texts, and gives what tokenizes them; `None` after the last."""
        texts = [self._read(item, position, options) for position, item in islice(numbered, num_texts)]
        return partial(self._tokenize, texts, options) if texts else None

    def _run(self, texts: list[_Text], batch_size: int, options: ExtractionOptions) -> None:
        """Scores the windows of all texts, and finds their entities."""
        windows = [window for text in texts for window in text.windows]
        first = [one for one in windows if one.findings is None or one.findings.follows is None]
        following = [one for one in windows if one.findings is not None and one.findings.follows is not None]
        for batch in chain(self._batches(first, batch_size), self._batches(following, batch_size)):
            features, prompts = [window.features for window in batch], [window.prompt for window in batch]
            findings = [window.findings for window in batch if window.findings is not None]
            if findings:
                self._find(batch, findings, options)
                continue
            scored = self._score(features, prompts)
            attention = [None] * len(batch) if scored.entity_attention is None else scored.entity_attention
            for window, probabilities, attended in zip(batch, scored.probabilities, attention, strict=True):
                window.take_scores(probabilities, attended)

    def _find(self, batch: list[Window], findings: list[Findings], options: ExtractionOptions) -> None:
        """Finds and scores the entities of a batch, in one pass."""
        num_words = [len(window.features["word_mask"]) for window in batch]
        decode = BatchDecoder(self.model.config, findings, num_words)
        scored = self._score(
            [window.features for window in batch],
            [window.prompt for window in batch],
            decode,
            options.adjacency_threshold,
        )
        assert scored.pair_index is not None  # a model that finds entities says which pairs it scored
        assert scored.pair_mask is not None
        attention = [None] * len(batch) if scored.entity_attention is None else scored.entity_attention
        rows = zip(batch, scored.probabilities, scored.pair_index, scored.pair_mask, attention, strict=True)
        for window, *of_window in rows:
            window.take_found(*of_window)

    def _check_finds_entities(self) -> None:
        if not self._finds_entities:
            raise ValueError(
                "`entity_types` are for models that find entities, and this one does not (entity_finder='none'). Pass "
                "`entities`, or `ner=`, a pipeline or callable that finds them."
            )

    @property
    def _finds_entities(self) -> bool:
        return getattr(self.model.config, "entity_finder", "none") != "none"

    def _read(self, item: object, position: int, options: ExtractionOptions) -> _Text | TextError:
        try:
            request = read_request(item, options.relation_types, options.ner, self._read_types, options.entity_types)
            if request.entity_types:
                self._check_finds_entities()
        except (TypeError, ValueError) as error:
            return text_error(error, position)
        if options.readable_names:
            request = replace(request, relation_types=with_readable_names(request.relation_types))
        if options.coreference and request.relation_types:
            request = replace(request, relation_types=self._with_coreference(request.relation_types))
        return _Text(request, position)

    def _with_coreference(self, relation_types: list[RelationType]) -> list[RelationType]:
        asked = any(relation.name == self._coreference_label for relation in relation_types)
        return relation_types if asked else [*relation_types, RelationType(self._coreference_label)]

    @property
    def _coreference_label(self) -> str:
        """The relation type that joins mentions of one entity.

        Raises:
            ValueError: when the model has none.
        """
        label = self.model.config.coreference_label
        if label is None:
            raise ValueError(
                "`coreference` needs a model that was trained with a `coreference_label`, such as 'SELF': this one "
                "has none. Give entities with all their mentions, or leave it out."
            )
        return label

    def _tokenize(self, texts: list[_Text | TextError], options: ExtractionOptions) -> list[_Text | TextError]:
        """Gives every text its windows; all texts are tokenized together."""
        readable = [text for text in texts if isinstance(text, _Text)]
        try:
            words: Sequence[Words | None] = self.tokenizer.read_words([text.request.text for text in readable])
        except (TypeError, ValueError):  # one of them is to blame
            words = [None] * len(readable)
        of_texts = iter(words)
        return [
            self._with_windows(text, next(of_texts), options) if isinstance(text, _Text) else text for text in texts
        ]

    def _with_windows(self, text: _Text, words: Words | None, options: ExtractionOptions) -> _Text | TextError:
        try:
            known = self.tokenizer.read_words([text.request.text])[0] if words is None else words
            self._check_clusters(text.request)
            text.words = known
            text.windows = self._windows(text, known, options)
            if options.evidence is not None:
                text.sentences = read_sentences(text.request.text, text.request.sentences)
                text.word_starts = [start for start, _ in known.char_spans]
        except (TypeError, ValueError) as error:
            return text_error(error, text.position)
        return text

    def _check_clusters(self, request: Request) -> None:
        several = next((entity for entity in request.entities if len(entity.mentions) > 1), None)
        if several is not None and not getattr(self.model, "takes_clusters", True):
            raise ValueError(
                f"`entities[{several.index}]` has {len(several.mentions)} mentions, but in this export each mention "
                "is an entity. Export the checkpoint again, or pass its mentions as entities of their own."
            )

    def _windows(self, text: _Text, words: Words, options: ExtractionOptions) -> list[Window]:
        """The windows of a text that hold at least one pair, each for every group of relation types."""
        request = text.request
        spans = text.spans = self._align(text, words, options.alignment)
        if not words.num_words or not (request.relation_types or request.entity_types):
            return []
        prompts = self._prompts_of(
            tuple(relation.wording for relation in request.relation_types),
            options.group_size,
            tuple(one.wording for one in request.entity_types) if self._finds_entities else None,
        )
        longest = max(prompts, key=lambda prompt: len(prompt.token_ids))
        room = self.tokenizer.room(longest)
        text.is_split = options.truncation == "window" and not room.fits(words, len(spans))
        starts = [start for start, _ in spans]
        places = split_windows(words, starts, longest, room) if text.is_split else [(0, words.num_words)]
        segments = None
        if text.is_split and getattr(self.model, "reads_segments", False):
            places, segments = [(0, words.num_words)], places  # encoded one by one, and then put together again
        entity_of = [number for number, entity in enumerate(request.entities) for _ in entity.mentions]
        search = self._search(request, options) if self._finds_entities else None
        windows: list[Window] = []
        for where, inside in mentions_inside(spans, places):
            mentions = [spans[m] for m in inside], [entity_of[m] for m in inside]
            windows += self._build(prompts, words, where, mentions, options.self_pairs, segments, search, request)
        return windows

    def _search(self, request: Request, options: ExtractionOptions) -> Search:
        """What is looked for in a text."""
        config = self.model.config
        threshold = config.entity_threshold if options.entity_threshold is None else options.entity_threshold
        return Search(
            request.entity_types,
            request.relation_types,
            threshold,
            options.overlap,
            options.multi_label,
            options.self_pairs,
            config.max_candidates,
        )

    def _build(
        self,
        prompts: list[Prompt],
        words: Words,
        window: Span,
        mentions: tuple[list[Span], list[int]],
        self_pairs: bool,
        segments: list[Span] | None,
        search: Search | None,
        request: Request,
    ) -> Iterator[Window]:
        """A part of a text after each prompt; `mentions` are the word spans of its mentions, and their entities.

        With `segments` it is the whole text, of which the encoder reads these word spans one by one. With `search`,
        entities are found in it.
        """
        spans, entity_of = mentions
        entities = sorted(set(entity_of))
        finds = search is not None and bool(search.entity_types)
        if not finds and len(entities) < (1 if self_pairs else 2):
            return
        number = {entity: position for position, entity in enumerate(entities)}
        first = 0
        follows: Findings | None = None
        for prompt in prompts:
            entity_numbers = [number[entity] for entity in entity_of]
            features = self.tokenizer.build(prompt, words, spans, window, entity_numbers, self_pairs, segments)
            columns = (first, first + prompt.num_relations)
            pairs = np.array(entities, dtype=np.int64)[features["pair_index"]]
            found = Window(features, prompt, window, entities, pairs, columns)
            if search is not None:
                given = [(start - window[0], end - window[0]) for start, end in spans]
                labels = [request.entities[entity].labels for entity in entities]
                found.findings = Findings(search, given, entity_numbers, labels, follows=follows)
                follows = follows or found.findings
            if finds or len(pairs):
                yield found
            first = columns[1]

    def _align(self, text: _Text, words: Words, alignment: str) -> list[Span]:
        """Word spans of mentions. Those that differ within words only are refused; if `ner` found them, noted.

        Nobody chose what a recogniser finds, and one such text of a corpus should not stop it.
        """
        request = text.request
        char_spans = [mention[:2] for entity in request.entities for mention in entity.mentions]
        places = [place for entity in request.entities for place in entity.places]
        spans = align(request.text, words, char_spans, alignment, places)
        collapse = find_collapse(request.text, words, char_spans, spans, places)
        if collapse is not None and not request.are_found:
            raise ValueError(f"{collapse}.")
        text.collapse = collapse
        return spans

    def _prompts_of(
        self, names: tuple[str, ...], group_size: GroupSize, entity_types: tuple[str, ...] | None
    ) -> list[Prompt]:
        """The prompt of each group of relation types, kept for the next text that asks for the same."""
        key = (names, group_size, entity_types)
        prompts = self._prompts.get(key)
        if prompts is None:
            groups = group_relation_types(self.tokenizer, names, group_size, entity_types) or [[]]
            prompts = [
                self.tokenizer.read_prompt(group)
                if entity_types is None
                else self.tokenizer.read_prompt(group, entity_types)
                for group in groups
            ]
            if len(self._prompts) >= _PROMPTS_KEPT:
                self._prompts.clear()
            self._prompts[key] = prompts
        return prompts

    def _read_types(self, relation_types: object) -> list[RelationType]:
        """As [`read_relation_types`]; a list of names once for all texts that ask for the same."""
        if type(relation_types) not in (list, tuple):
            return read_relation_types(relation_types)
        asked, read = self._last_types
        if asked != tuple(relation_types):  # type: ignore[arg-type]  # a list or a tuple
            read = read_relation_types(relation_types)
            self._last_types = (tuple(relation_types), read)  # type: ignore[arg-type]
        return read

    @property
    def _is_on_cpu(self) -> bool:
        return str(self.device) == "cpu"

    @property
    def _tokenizes_ahead(self) -> bool:
        """Not on a CPU: it has no time to spare, and a second thread takes OpenMP's fast barriers from the model."""
        return not self._is_on_cpu

    def _batches(self, windows: list[Window], batch_size: int) -> Iterator[list[Window]]:
        """Batches of windows of similar length; on a CPU, of no more tokens than its caches serve well."""
        limit = _TOKENS_ON_CPU if self._is_on_cpu else math.inf
        batch: list[Window] = []
        for window in sorted(windows, key=lambda window: window.num_tokens):
            if batch and (len(batch) == batch_size or (len(batch) + 1) * window.num_tokens > limit):
                yield batch
                batch = []
            batch.append(window)
        if batch:
            yield batch

    def _select(
        self, text: _Text, options: ExtractionOptions, warned: set[str]
    ) -> list[dict[str, object]] | dict[str, list[dict[str, object]]] | RelationScores:
        """Merges the windows of a text, and selects its relations; `warned` is what this call has warned of."""
        request = text.request
        pair_index, merged = merge_windows(text.windows, len(text.entities), len(request.relation_types))
        threshold = float(self.model.config.threshold)
        scores = RelationScores(
            request.text,
            text.entities,
            request.relation_types,
            pair_index,
            merged,
            threshold,
            options.self_pairs,
            text.collapse,
            text.context(),
            num_left_out=text.num_left_out,
            type_thresholds=calibration_of(self.model.config).thresholds,
        )
        if options.coreference and request.relation_types:
            scores = scores.merge_coreferent(self._coreference_label)
        if options.return_scores:
            return scores
        if text.collapse is not None and "collapse" not in warned:
            warned.add("collapse")
            logger.warning("Text %d: %s. Further texts of this kind are not named.", text.position, text.collapse)
        if text.num_left_out:
            logger.warning(
                "Text %d: %d entities beyond the likeliest %d were left out. Raise `entity_threshold`, or "
                "max_candidates in the model's configuration.",
                text.position,
                text.num_left_out,
                self.model.config.max_candidates,
            )
        if text.is_split and request.entity_types and (num_apart := text.num_apart(options.self_pairs)):
            logger.warning(
                "%d of %d ordered pairs of the entities found are in no window of %s, and were not scored.",
                num_apart,
                scores.num_pairs,
                self.tokenizer.limits,
            )
        if text.is_split and not request.entity_types and scores.num_unscored_pairs:
            logger.warning(
                "%d of %d ordered pairs are in no window of %s, or beyond the maximum pair distance, and were not "
                "scored.",
                scores.num_unscored_pairs,
                scores.num_pairs,
                self.tokenizer.limits,
            )
        if options.return_entities and scores.merged_from is not None:  # `index` is the place in the list returned
            scores = replace(scores, entities=[replace(one, index=i) for i, one in enumerate(scores.entities)])
        entities = [entity.to_dict() for entity in scores.entities]
        if not request.asks_for_relations and not options.return_entities:
            return entities
        relations = scores.select(options.threshold, options.top_k, options.evidence)
        return {"entities": entities, "relations": relations} if options.return_entities else relations


@dataclass
class _Text:
    """A text on its way: what is asked of it, its position among many, and once it is tokenized, its windows."""

    request: Request
    position: int
    windows: list[Window] = field(default_factory=list)
    is_split: bool = False  # since it is too long
    collapse: str | None = None  # what `ner` found that the model cannot tell apart
    sentences: list[Span] | None = None  # where evidence is asked for
    word_starts: list[int] = field(default_factory=list)  # likewise
    words: Words | None = None
    spans: list[Span] = field(default_factory=list)  # of the mentions that are given, in words
    entities: list[Entity] = field(default_factory=list)  # given and found, once it was read

    def place_found(self) -> None:
        """Puts together what was found in its windows, once they were read."""
        self.entities = self.request.entities
        found = [(window, window.findings) for window in self.windows if window.findings is not None]
        if not found or self.words is None:
            return
        windows = [(findings, window.span) for window, findings in found]
        self.entities, places = merge_findings(
            self.request.entities, self.spans, windows, self.request.text, self.words
        )
        for (window, _), of_window in zip(found, places, strict=True):
            window.place_found(window.entities, of_window)

    def num_apart(self, self_pairs: bool) -> int:
        """How many ordered pairs of its entities no window holds."""
        apart = np.ones((len(self.entities), len(self.entities)), dtype=np.bool_)
        np.fill_diagonal(apart, self_pairs)
        for window in self.windows:
            apart[np.ix_(window.entities, window.entities)] = False
        return int(apart.sum())

    @property
    def num_left_out(self) -> int:
        """How many entities were found beyond those that are related."""
        return sum(window.findings.num_left_out for window in self.windows if window.findings is not None)

    def context(self) -> TextContext | None:
        """Where evidence is found, if it is asked for."""
        if self.sentences is None:
            return None
        windows = [
            WindowContext(window.entities, window.attention, self.word_starts[slice(*window.span)])
            for window in self.windows
            if window.attention is not None
        ]
        return TextContext(self.request.text, self.sentences, windows)


class _Constraints:
    """The constraints and the entity types of all texts of a call: only together they tell what can never be met."""

    def __init__(self) -> None:
        self._labels: set[str | None] = set()
        self._types: dict[object, RelationType] = {}

    def add(self, texts: Iterable[_Text]) -> None:
        for text in texts:
            self._labels.update(label for entity in text.entities for label in entity.labels or {None})
            for relation in text.request.relation_types:
                if relation.is_constrained:
                    self._types[relation.name, relation.head, relation.tail] = relation

    def unmet(self) -> list[UnmetConstraint]:
        return find_unmet_constraints(self._types.values(), self._labels)


def _iterable(inputs: object) -> Iterable[object]:
    assert isinstance(inputs, Iterable)  # as `read_inputs` gives it
    return inputs


def check_gives_evidence(config: GLiRELConfig) -> None:
    """Raises a `ValueError` unless a model tells what its entities attend to, word by word."""
    if (context := getattr(config, "pair_context", "none")) != "localized":
        raise ValueError(
            "`evidence` is what the localized context of a pair weighs most, and this model has none: "
            f"pair_context={context!r}. Use a model with pair_context='localized', such as a GLiDRE checkpoint."
        )
    if config.entity_markers or config.shared_words != "kept":
        raise ValueError(
            "`evidence` needs a model that reads the words of a text and nothing else, and the same entity in every "
            f"pair: this one has entity_markers={config.entity_markers} and shared_words={config.shared_words!r}."
        )


def _type_cache(model: ScoresPairs) -> TypeCache | None:
    """What keeps the relation types that a model read, where it reads them apart from the texts."""
    if getattr(model.config, "label_encoding", "joint") != "separate":
        return None
    version = getattr(model, "types_version", lambda: None)
    return TypeCache(cast("EncodesTypes", model), version)


def load_tokenizer(name: str | os.PathLike[str]) -> GLiRELTokenizer:
    """The tokenizer of a folder or Hub repository, when it is a [`GLiRELTokenizer`].

    Raises:
        OSError: when there is no such folder or repository.
        TypeError: when it is the tokenizer of another model.
    """
    found = get_tokenizer_config(name).get("tokenizer_class")
    tokenizer: GLiRELTokenizer = GLiRELTokenizer.from_pretrained(name)
    if found != GLiRELTokenizer.__name__:
        raise TypeError(f"The tokenizer of {str(name)!r} is a {found}, not a GLiRELTokenizer. Name the model's own.")
    return tokenizer


def fitting_tokenizer(
    model: ScoresPairs, tokenizer: GLiRELTokenizer | str | os.PathLike[str] | None
) -> GLiRELTokenizer:
    """The tokenizer, given or named, which must be the model's."""
    if not callable(model) or not hasattr(model, "config"):
        raise TypeError(
            "RelationExtractor needs the name of a model, or a model, such as "
            f"GLiRELForRelationClassification.from_pretrained(...): got a {type(model).__name__}."
        )
    if isinstance(tokenizer, (str, os.PathLike)):
        tokenizer = load_tokenizer(tokenizer)
    tokenizer = tokenizer or getattr(model, "tokenizer", None)
    if tokenizer is None or not hasattr(tokenizer, "read_prompt"):
        raise TypeError(
            f"RelationExtractor needs the model's GLiRELTokenizer: got {type(tokenizer).__name__}. Load it with "
            "AutoTokenizer.from_pretrained(..., trust_remote_code=True)."
        )
    for setting in SHARED_SETTINGS:
        asked = getattr(model.config, setting, getattr(GLiRELConfig, setting))
        if getattr(tokenizer, setting) != asked:
            raise ValueError(
                f"The tokenizer has {setting}={getattr(tokenizer, setting)!r} but the model was built with "
                f"{asked!r}. Use the tokenizer that was saved with the model."
            )
    is_another = tokenizer is not getattr(model, "tokenizer", None)
    if is_another:
        check_vocabulary(tokenizer, model.config, tokenizer.name_or_path)
    return tokenizer


__all__ = ["RelationExtractor"]
