"""Named endpoints for programs: `gradio_client`'s `Client(url).predict(..., api_name="/extract")`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from glirel_transformers import RelationScores
from glirel_transformers.ner import HEURISTIC
from glirel_transformers.requests_glirel import check_probability, check_top_k

from . import model

MAX_MESSAGE = 1000  # characters: messages repeat what they are about, which may be long


def extract(
    text: str,
    entities: list[Any] | dict[str, Any] | None = None,
    relation_types: list[str] | dict[str, Any] | str = "",
    threshold: float | None = None,
    top_k: int | None = None,
    entity_types: list[str] | dict[str, Any] | str | None = None,
    entity_threshold: float | None = None,
    overlap: str | None = None,
    multi_label: bool | None = None,
    return_entities: bool | None = None,
) -> list[dict[str, Any]] | dict[str, Any]:
    """Extracts relations of any types between the entities of a text, which are given or found.

    It is an error if every relation asks for entity types that no entity has. If some do, a log message says so.

    Args:
        text: the text; the server's limit is 10,000 characters unless it was started with another.
        entities: a list of {"start", "end", "label"}, half-open in characters, or of names as the text has them; or
            names by type, {"PERSON": ["Marie Curie"]}; an entity of several mentions is {"mentions": [[0, 11], [32,
            35]], "label": "PERSON"}; null lets the model find those of entity_types, and without these lets simple
            rules find capitalised spans, dates and numbers.
        relation_types: a list of names, or lines such as "place of birth: PERSON -> CITY", or an object of names with
            settings: {"place of birth": {"head": ["PERSON"], "tail": ["CITY"], "threshold": 0.4}}. At most 50.
        threshold: least probability, from 0 to 1; null takes the model's own.
        top_k: at most that many relations for each ordered pair; null for all.
        entity_types: for a model that finds entities, the types to find: a list of names, or lines, or an object of
            names with settings: {"person": {"threshold": 0.4, "description": "name of a human being"}}. Entities that
            are given as well are kept. Without relation_types the answer is the list of entities.
        entity_threshold: probability above which a span is an entity, from 0 to 1; null takes the model's own.
        overlap: "flat" (or null) finds no two entities that overlap, "nested" none that cross.
        multi_label: whether an entity may have several types; it then has "scores" of all of them.
        return_entities: answers {"entities": [...], "relations": [...]}.

    Returns:
        A list of {"head", "relation", "tail", "score"} by falling score, where head and tail have "start", "end",
        "text", "label" and "index", with several of them "mentions", and if they were found a "score".
    """
    with _errors_for_programs():
        if threshold is not None:
            check_probability(threshold, "`threshold`")
        check_top_k(top_k)
        model.check_text(text)
        given = model.find_entities(text) if entities is None and model.is_nothing(entity_types) else entities
        finding = {"entity_threshold": entity_threshold, "overlap": overlap, "multi_label": multi_label}
        scores = model.score(text, given, relation_types, entity_types, finding)
        _report_unmet_constraints(scores, are_found=not model.is_nothing(entity_types))
        found = [entity.to_dict() for entity in scores.entities]
        relations = scores.select(threshold, top_k)
        if return_entities:
            return {"entities": found, "relations": relations}
        return relations if scores.relation_types else found


def find_entities(text: str, recognizer: str = HEURISTIC) -> list[dict[str, Any]]:
    """Finds entities in a text.

    Args:
        text: the text.
        recognizer: "heuristic" (capitalised spans, dates, numbers; not a model), or one that the server offers.

    Returns:
        A list of {"start", "end", "label"}, half-open in characters.
    """
    with _errors_for_programs():
        return model.find_entities(text, recognizer)


def register(blocks: gr.Blocks) -> None:
    """Declares the endpoints within `blocks`; programs cannot call any other event, since none has a name."""
    for event in blocks.fns.values():
        event.api_name = None
    for function in (extract, find_entities):
        summary, parameters, returns = _read_docstring(function)
        known = set(blocks.fns)
        gr.api(function, api_name=function.__name__, concurrency_id="model", concurrency_limit=1)
        (event,) = (event for key, event in blocks.fns.items() if key not in known)
        names = list(parameters)
        for component, name in zip(event.inputs, names, strict=True):
            component.label = name
            component._api_info = {**component.api_info(), "additional_description": parameters[name]}
        described = "\n".join(f"- `{name}`: {parameters[name]}" for name in names)
        event.api_description = f"{summary}\n\n{described}\n\nReturns: {returns}"
        (answer,) = event.outputs
        answer.label = "answer"
        answer._api_info = {**answer.api_info(), "description": returns}


def _read_docstring(function: Callable[..., object]) -> tuple[str, dict[str, str], str]:
    """The summary, the parameters and the result; Gradio's own reader keeps only the first line of a parameter."""
    text = re.sub(r"\n {8,}", " ", inspect.getdoc(function) or "")
    summary, _, rest = text.partition("\n\nArgs:\n")
    arguments, _, returns = rest.partition("\n\nReturns:\n")
    return summary, dict(re.findall(r"^    (\w+): (.+)$", arguments, re.MULTILINE)), " ".join(returns.split())


def _report_unmet_constraints(scores: RelationScores, are_found: bool) -> None:
    """Where entities are found, a text without those of some type is no mistake."""
    unmet = scores.unmet_constraints
    if (
        unmet
        and not are_found
        and {constraint.relation for constraint in unmet} == {asked.name for asked in scores.relation_types}
    ):
        raise ValueError(f"No relation that is asked for can be found. {unmet[0]}")
    for constraint in unmet:
        gr.Warning(str(constraint), title="No entity of that type")


@contextmanager
def _errors_for_programs() -> Iterator[None]:
    """Within it, what is wrong with the input becomes an error that Gradio sends to the program."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:
        message = str(error)
        short = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"
        raise gr.Error(short, print_exception=False) from error
    except RecursionError:
        raise gr.Error("The input is nested too deeply to be read.", print_exception=False) from None
