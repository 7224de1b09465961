"""Entity recognisers for the pipeline's `ner=`: callables that take a text and return its entities.

Most models of the library are given entities; whoever has none at hand names a model here that finds them, such as a
`GLiRELForJointExtraction`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .decoding_glirel import Overlap
from .requests_glirel import EntityType, read_entity_types

EntityRecognizer = Callable[[str], list[dict[str, Any]]]

HEURISTIC = "heuristic"
DEFAULT_LABELS = ("person", "organization", "location", "date")

_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(rf"\b(?:(?:\d{{1,2}} )?(?:{_MONTH})(?: \d{{1,2}},)?(?: \d{{4}})?|(?:1[0-9]|20)\d\d)\b")
_NUMBER = re.compile(r"[$€£]?\d[\d.,]*(?:\s?%|\s(?:million|billion|thousand))?(?<![.,])")
_LINK = r"(?:\s(?:of|de|da|di|van|von|del|della|la|der)){0,2}"  # University of Paris, Leonardo da Vinci
_NAME = re.compile(rf"\b[^\W\d_a-zß-ÿ][\w’'-]*(?:{_LINK}\s[^\W\d_a-zß-ÿ][\w’'-]*)*")
# Words that are capitalised at the start of a sentence and are not names.
_FUNCTION_WORDS = frozenset(
    """
    a after all although an and as at because before both but by during each for from he her his how i if in it its
    later many most much my of on one or our she since so some such than that the their then there these they this
    those though three through to two under until we what when where which while who why with you your
    """.split()  # noqa: SIM905  # the list would take a line a word
)


def load_entity_recognizer(
    name: str,
    labels: Sequence[str] | None = None,
    device: str | int | None = None,
    *,
    entity_types: object = None,
    entity_threshold: float | None = None,
    overlap: Overlap | None = None,
    multi_label: bool = False,
) -> EntityRecognizer:
    """The entity recogniser of that name.

    Args:
        name: `"heuristic"` ([`find_capitalized_spans`]), `"spacy:en_core_web_sm"` (a spaCy pipeline, installed or a
            folder), `"gliner:owner/name"` (a GLiNER checkpoint), or the folder or Hub repository of any 🤗
            token-classification checkpoint, or of a [`GLiRELForJointExtraction`], which reads long texts in windows.
        labels: entity types to look for; only GLiNER and models of this package are asked for types, GLiNER by
            default for person, organization, location and date.
        entity_types: the same, or a dictionary with settings, as [`RelationExtractor.__call__`] takes it.
        entity_threshold, overlap, multi_label: as [`RelationExtractor.__call__`] takes them, for models of this
            package.
        device: where a 🤗 model or GLiNER runs, such as `"cuda:0"`.

    Returns:
        A callable that takes a text and returns dictionaries with `start`, `end` (half-open, in characters) and
        `label`, in the order of the text.

    Raises:
        TypeError, ValueError: when entity types are given to a recogniser that cannot be asked for them, or are not
            given to one that must be.
        ImportError: when the package is not installed.
        OSError: when there is no such model.
    """
    kind, _, rest = name.partition(":")
    types = read_entity_types(labels or []) if entity_types is None else read_entity_types(entity_types)
    if _is_ours(name):
        found = {one.name: {"threshold": one.threshold, "description": one.asked_as} for one in types}
        return _load_ours(name, found, device, entity_threshold, overlap, multi_label)
    if entity_threshold is not None or overlap is not None or multi_label or any(map(_has_settings, types)):
        raise ValueError(
            "A threshold, a description, overlap and several types are for models of this package that find entities: "
            f"{name!r} is not one. Leave them out."
        )
    labels = [one.name for one in types]
    if labels and kind != "gliner":
        raise ValueError(
            f"Only GLiNER is asked for entity types; {name!r} has types of its own. Leave the labels out."
        )
    if name == HEURISTIC:
        return find_capitalized_spans
    if kind == "spacy":
        return _load_spacy(rest)
    if kind == "gliner":
        return _load_gliner(rest, list(labels or DEFAULT_LABELS), device)
    return _load_token_classifier(name, device)


def _has_settings(one: EntityType) -> bool:
    return one.threshold is not None or one.asked_as is not None


def _is_ours(name: str) -> bool:
    """Whether a folder or Hub repository is a model of this package."""
    if name == HEURISTIC or ":" in name:
        return False
    from transformers import PreTrainedConfig

    try:
        settings, _ = PreTrainedConfig.get_config_dict(name)
    except OSError:  # which the loader of whatever it is explains
        return False
    return settings.get("model_type") == "glirel"


def _load_ours(
    name: str,
    entity_types: dict[str, dict[str, Any]],
    device: str | int | None,
    entity_threshold: float | None,
    overlap: Overlap | None,
    multi_label: bool,
) -> EntityRecognizer:
    from .loading import load_pipeline

    if not entity_types:
        raise ValueError(
            f"{name!r} finds entities of the types that it is asked for: name them, entity_types=['person', 'city'] "
            "(--entity-types person,city)."
        )
    extract = load_pipeline(name, None if device is None else str(device))
    if getattr(extract.model.config, "entity_finder", "none") == "none":
        raise ValueError(
            f"{name!r} relates entities and does not find them (entity_finder='none'). Name a model that does, or "
            "another recogniser."
        )
    found: EntityRecognizer = partial(
        extract,
        entity_types=entity_types,
        entity_threshold=entity_threshold,
        overlap=overlap or "flat",
        multi_label=multi_label,
        truncation="window",
    )
    return found


def find_capitalized_spans(text: str) -> list[dict[str, Any]]:
    """A heuristic, not a model: dates, numbers, and runs of capitalised words, labelled DATE, NUMBER and NAME.

    Common function words are taken off the beginning ("In Paris" is Paris). It knows English only, takes other words
    that begin a sentence for names, and does not tell persons from places.
    """
    found: list[tuple[int, int, str]] = []
    is_taken = bytearray(len(text))  # so that the time is linear in the length of the text
    for label, pattern in (("DATE", _DATE), ("NAME", _NAME), ("NUMBER", _NUMBER)):
        for match in pattern.finditer(text):
            start, end = _without_function_words(text, *match.span()) if label == "NAME" else match.span()
            if start < end and 1 not in is_taken[start:end]:
                is_taken[start:end] = b"\x01" * (end - start)
                found.append((start, end, label))
    return [{"start": start, "end": end, "label": label} for start, end, label in sorted(found)]


def _without_function_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without function words at its beginning and without a possessive s at its end."""
    for word in re.finditer(r"[\w’'-]+\s*", text[start:end]):
        if word[0].strip().lower() not in _FUNCTION_WORDS:
            return start + word.start(), start + len(re.sub(r"[’']s?$", "", text[start:end]))
    return end, end


def _load_spacy(name: str) -> EntityRecognizer:
    try:
        import spacy
    except ImportError as error:
        raise ImportError(f"'spacy:{name}' needs spaCy, which is not installed: pip install spacy") from error
    nlp = spacy.load(name)

    def recognize(text: str) -> list[dict[str, Any]]:
        return [{"start": e.start_char, "end": e.end_char, "label": e.label_ or None} for e in nlp(text).ents]

    return recognize


def _load_gliner(name: str, labels: list[str], device: str | int | None) -> EntityRecognizer:
    try:
        from gliner import GLiNER
    except ImportError as error:
        raise ImportError(f"'gliner:{name}' needs GLiNER, which is not installed: pip install gliner") from error
    model = GLiNER.from_pretrained(name)
    if device is not None:
        model = model.to(device)

    def recognize(text: str) -> list[dict[str, Any]]:
        entities = model.predict_entities(text, labels)
        return [{"start": e["start"], "end": e["end"], "label": e["label"]} for e in entities]

    return recognize


def _load_token_classifier(name: str, device: str | int | None) -> EntityRecognizer:
    from transformers import pipeline

    run = pipeline("token-classification", model=name, aggregation_strategy="simple", device=device)
    if run.tokenizer.model_max_length < 10**6:  # else it has no limit; with one, long texts would be cut silently
        run = partial(run, stride=run.tokenizer.model_max_length // 4)

    def recognize(text: str) -> list[dict[str, Any]]:
        if not text.strip():
            return []
        return [{"start": e["start"], "end": e["end"], "label": e["entity_group"]} for e in run(text)]

    return recognize
