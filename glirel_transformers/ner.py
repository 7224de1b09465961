"""Entity recognisers for the pipeline's `ner=`: callables that take a text and return its entities.

The library finds relations, not entities; whoever has none at hand names an upstream model here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

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
    name: str, labels: Sequence[str] | None = None, device: str | int | None = None
) -> EntityRecognizer:
    """The entity recogniser of that name.

    Args:
        name: `"heuristic"` ([`find_capitalized_spans`]), `"spacy:en_core_web_sm"` (a spaCy pipeline, installed or a
            folder), `"gliner:owner/name"` (a GLiNER checkpoint), or the folder or Hub repository of any 🤗
            token-classification checkpoint.
        labels: entity types to look for; only GLiNER is asked for types, by default person, organization, location
            and date.
        device: where a 🤗 model or GLiNER runs, such as `"cuda:0"`.

    Returns:
        A callable that takes a text and returns dictionaries with `start`, `end` (half-open, in characters) and
        `label`, in the order of the text.

    Raises:
        ValueError: when `labels` are given to a recogniser that cannot be asked for types.
        ImportError: when the package is not installed.
        OSError: when there is no such model.
    """
    kind, _, rest = name.partition(":")
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
