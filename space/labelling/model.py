"""The model behind the page, and the limits of one request: the same for visitors and for programs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from glirel_transformers import RelationExtractor, RelationScores
from glirel_transformers.files import check_strings
from glirel_transformers.loading import load_pipeline
from glirel_transformers.mentions_glirel import list_entities, shortened
from glirel_transformers.ner import HEURISTIC, EntityRecognizer, load_entity_recognizer
from glirel_transformers.relation_syntax import read_relation_lines

MAX_CHARACTERS = int(os.environ.get("GLIREL_MAX_CHARACTERS", "10000"))
MAX_RELATION_TYPES = int(os.environ.get("GLIREL_MAX_RELATION_TYPES", "50"))
MAX_ENTITIES = int(os.environ.get("GLIREL_MAX_ENTITIES", "100"))
_ONE_AT_A_TIME = Lock()


@lru_cache(maxsize=1)
def pipeline() -> RelationExtractor:
    """The extractor of `$GLIREL_MODEL`, else of the model in this repository; loaded once."""
    return load_pipeline(device=os.environ.get("GLIREL_DEVICE"), dtype=os.environ.get("GLIREL_DTYPE"))


def name() -> str:
    """The Hub's name of the model, or its folder."""
    return str(pipeline().model.name_or_path)


def num_parameters() -> int | None:
    """How many weights it has; `None` of an export."""
    count = getattr(pipeline().model, "num_parameters", None)
    return None if count is None else int(count())


def card() -> str | None:
    """The card of a model in a folder, without its front matter; `None` where it has none."""
    file = Path(name()) / "README.md"
    if not file.is_file():
        return None
    text = file.read_text(encoding="utf-8")
    return text.split("\n---\n", 1)[-1] if text.startswith("---\n") else text


def finds_entities() -> bool:
    """Whether the model finds entities; others score relations of entities that are marked."""
    return bool(getattr(pipeline().model.config, "entity_finder", "none") != "none")


def threshold() -> float:
    """The model's own threshold of relations, as the slider shows it."""
    return round(float(pipeline().model.config.threshold), 2)


def entity_threshold() -> float:
    """The model's own threshold of entities, as the slider shows it."""
    return round(float(pipeline().model.config.entity_threshold), 2)


def read_entity_lines(lines: str) -> list[str]:
    """Names of entity types, one a line or with commas between; lines that begin with `#` are skipped."""
    kept = [line for line in lines.splitlines() if not line.lstrip().startswith("#")]
    return [name.strip() for line in kept for name in line.split(",") if name.strip()]


def recognizers() -> dict[str, str]:
    """Entity recognisers that visitors may choose, by the name shown: those installed, and those `$GLIREL_NER` lists.

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


def find_entities(text: object, recognizer: object = HEURISTIC) -> list[dict[str, Any]]:
    """Entities of a text, by one of [`recognizers`].

    Raises:
        ValueError: when there is no text or it is too long, or the recogniser is not among those.
    """
    text = check_text(text)
    known = recognizers()
    name = known.get(recognizer, recognizer) if isinstance(recognizer, str) else recognizer
    if not isinstance(name, str) or name not in known.values():
        raise ValueError(f"There is no recogniser {shortened(recognizer)} here. Choose one of {list(known.values())}.")
    with _ONE_AT_A_TIME:
        return _recognizer(name)(text)


def score(
    text: object,
    entities: object,
    relation_types: object,
    entity_types: object = None,
    finding: Mapping[str, object] | None = None,
) -> RelationScores:
    """All scores of a text.

    Args:
        text: the text.
        entities: as the pipeline takes them, in a list or a dictionary of names by type; `None` where all are found.
        relation_types: as the pipeline takes them, or lines such as `place of birth: PERSON -> CITY`.
        entity_types: for a model that finds entities, those to find, as the pipeline takes them, or lines. Then there
            may be no relation types.
        finding: how they are found: options of the pipeline.

    Raises:
        ValueError, TypeError: for input that cannot be read or is beyond the limits.
    """
    text = check_text(text)
    check_strings({"entities": entities, "relation_types": relation_types, "entity_types": entity_types})
    if isinstance(relation_types, str):
        relation_types = read_relation_lines(relation_types)
    if isinstance(entity_types, str):
        entity_types = read_entity_lines(entity_types)
    options: dict[str, Any] = {}
    if not is_nothing(entity_types):
        _check_types(entity_types, "entity types")
        options = {"entity_types": entity_types, **(finding or {})}
    if not options and is_nothing(relation_types):
        raise ValueError("Name at least one relation, such as 'place of birth'.")
    if not is_nothing(relation_types):
        _check_types(relation_types, "relations")
    if entities is not None or not options:
        _check_entities(entities)
    with _ONE_AT_A_TIME:
        scores: RelationScores = pipeline()(
            text,
            entities=entities,
            relation_types=None if options and is_nothing(relation_types) else relation_types,
            truncation="window",
            alignment="expand",
            return_scores=True,
            **options,
        )
    return scores


def check_text(text: object) -> str:
    """Returns `text` if it is a string that holds something, is not too long, and can be written to a file.

    Raises:
        ValueError, TypeError: otherwise.
    """
    if text is None or (isinstance(text, str) and not text.strip()):
        raise ValueError("There is no text. Paste one, or choose an example.")
    if not isinstance(text, str):
        raise TypeError(f"The text must be a string: got {shortened(text)}.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read. Shorten it.")
    check_strings(text, "text")
    return text


def is_nothing(types: object) -> bool:
    """Whether no type is asked for."""
    return types is None or types in ({}, [], "")


def _check_types(types: object, kind: str) -> None:
    if not isinstance(types, (list, dict)):
        raise TypeError(
            f"The {kind} must be names in a list, lines in a string, or an object of names with settings: got "
            f"{shortened(types)}."
        )
    if len(types) > MAX_RELATION_TYPES:
        raise ValueError(f"At most {MAX_RELATION_TYPES} {kind} at once: got {len(types)}. Ask for fewer.")
    length = sum(len(name) for name in types if isinstance(name, str))
    if length > MAX_CHARACTERS:
        raise ValueError(
            f"The {kind}' names have {length:,} characters; at most {MAX_CHARACTERS:,} are read. Shorten them."
        )


def _check_entities(entities: object) -> None:
    try:
        listed = list_entities(entities)
    except TypeError as error:
        raise TypeError(
            f"The entities must be a list: got {shortened(entities)}. An object of names by type is read as well."
        ) from error
    mentions = [entity["mentions"] for entity in listed if isinstance(entity, dict) and "mentions" in entity]
    number = len(listed) + sum(len(m) - 1 for m in mentions if isinstance(m, list))
    if number > MAX_ENTITIES:
        raise ValueError(f"At most {MAX_ENTITIES} entities at once: got {number}. Split the text.")
