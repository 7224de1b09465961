"""The model behind the page and the limits of what it is asked, the same for visitors and for the API."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any

from glirel_transformers import RelationScores
from glirel_transformers.loading import load_pipeline
from glirel_transformers.ner import HEURISTIC, EntityRecognizer, load_entity_recognizer
from glirel_transformers.relation_syntax import read_relation_lines

MAX_CHARACTERS = int(os.environ.get("GLIREL_MAX_CHARACTERS", "10000"))
MAX_RELATION_TYPES = int(os.environ.get("GLIREL_MAX_RELATION_TYPES", "50"))
MAX_ENTITIES = int(os.environ.get("GLIREL_MAX_ENTITIES", "100"))
_ONE_AT_A_TIME = Lock()


@lru_cache(maxsize=1)
def pipeline() -> Any:
    """The pipeline of `$GLIREL_MODEL`, else of the model in this repository; loaded once."""
    return load_pipeline(device=os.environ.get("GLIREL_DEVICE"), dtype=os.environ.get("GLIREL_DTYPE"))


def recognizers() -> dict[str, str]:
    """Entity recognisers that visitors may choose, by the name shown: what is installed, and what `$GLIREL_NER` lists.

    `$GLIREL_NER` is a list of names as [`load_entity_recognizer`] takes them, with commas between.
    """
    names = {}
    for name in filter(None, map(str.strip, os.environ.get("GLIREL_NER", "").split(","))):
        names[name] = name
    if importlib.util.find_spec("spacy"):
        from spacy.util import get_installed_models

        names |= {f"spaCy {model}": f"spacy:{model}" for model in get_installed_models()}
    return names | {"Simple rules (not a model)": HEURISTIC}


@lru_cache(maxsize=4)
def _recognizer(name: str) -> EntityRecognizer:
    return load_entity_recognizer(name)


def find_entities(text: str, recognizer: str = HEURISTIC) -> list[dict[str, Any]]:
    """Entities of a text, by one of [`recognizers`].

    Raises:
        ValueError: when the text is too long or the recogniser is not among those.
    """
    check_text(text)
    known = recognizers()
    name = known.get(recognizer, recognizer)
    if name not in known.values():
        raise ValueError(f"There is no recogniser {recognizer!r} here. Choose one of {list(known.values())}.")
    with _ONE_AT_A_TIME:
        return _recognizer(name)(text)


def score(text: str, entities: Sequence[Any], relation_types: Any) -> RelationScores:
    """All scores of a text.

    Args:
        text: the text.
        entities: as the pipeline takes them.
        relation_types: as the pipeline takes them, or lines such as `place of birth: PERSON -> CITY`.

    Raises:
        ValueError, TypeError: for input that cannot be read or is beyond the limits.
    """
    check_text(text)
    if isinstance(relation_types, str):
        relation_types = read_relation_lines(relation_types)
    if not isinstance(relation_types, (Sequence, Mapping)) or not relation_types:
        raise ValueError("Name at least one relation, such as 'place of birth'.")
    if len(relation_types) > MAX_RELATION_TYPES:
        raise ValueError(f"At most {MAX_RELATION_TYPES} relations at once: got {len(relation_types)}. Ask for fewer.")
    if not isinstance(entities, Sequence) or isinstance(entities, str):
        raise TypeError(f"The entities must be a list: got {entities!r}.")
    if len(entities) > MAX_ENTITIES:
        raise ValueError(f"At most {MAX_ENTITIES} entities at once: got {len(entities)}. Split the text.")
    with _ONE_AT_A_TIME:
        return pipeline()(
            text,
            entities=list(entities),
            relation_types=relation_types,
            truncation="window",
            alignment="expand",
            return_scores=True,
        )


def check_text(text: Any) -> None:
    """Raises a `ValueError` unless `text` is a string that holds something and is not too long."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError("There is no text. Paste one, or choose an example.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} here. Shorten it.")
