"""Documents as the original GLiDRE reads them, as tensors for a model here: what is too long is cut, not refused."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import numpy as np
import torch

WORD = re.compile(r"\w+(?:[-_]\w+)*|\S")  # of the original's text path


class Document(NamedTuple):
    """One document of `inputs.json`.

    `entities` are lists of mentions (first and last word), `ids` theirs, `relations` are `(head id, name, tail id)`.
    """

    words: list[str]
    entities: list[list[tuple[int, int]]]
    ids: list[int]
    labels: list[str]
    relations: list[tuple[int, str, int]]


def read_cases(file):
    """The documents of each case of `inputs.json`."""
    cases = json.loads(file.read_text(encoding="utf-8"))
    return {name: list(_documents(case)) for name, case in cases.items()}


def _documents(case):
    labels = list(dict.fromkeys(case["labels"]))
    if "text" in case:
        found = list(WORD.finditer(case["text"]))
        starts, ends = ({place: i for i, place in enumerate(places)} for places in zip(*(m.span() for m in found)))
        (of_text,) = case["mentions"]
        entities = [[(starts[m["start"]], ends[m["end"]]) for m in entity["mentions"]] for entity in of_text]
        yield Document([match.group() for match in found], entities, [e["id"] for e in of_text], labels, [])
        return
    for words, mentions, relations in zip(case["tokens"], case["mentions"], case["relations"], strict=True):
        entities = [[(m["start"], m["end"]) for m in entity["mentions"]] for entity in mentions]
        yield Document(words, entities, [e["id"] for e in mentions], labels, [tuple(r) for r in relations if r])


def features_of(tokenizer, document):
    """What `tokenizer.build` makes of a document, with all self pairs, cut as the original cuts it.

    Words beyond `max_words` are dropped; words whose first token is beyond `model_max_length` keep an empty span; a
    mention that starts past the end is left out, and one across it is shortened.
    """
    words = document.words[: tokenizer.max_words]
    read = tokenizer.read_words([words])[0]
    before, after = tokenizer._enclosing_token_ids
    room = tokenizer.model_max_length - len(before) - len(after)
    ids = read.token_ids[:room]
    starts = np.array(read.token_starts)
    spans = np.stack([starts[:-1], np.minimum(starts[1:], room)], axis=-1) + len(before)
    spans[(starts[:-1] >= room) | (starts[1:] == starts[:-1])] = 0
    mentions = [
        (entity, max(first, 0), min(last + 1, len(words))) if first < len(words) else (entity, 0, 0)
        for entity, of_entity in enumerate(document.entities)
        for first, last in of_entity
    ]
    num_entities = len(document.entities)
    pairs = [(head, tail) for head in range(num_entities) for tail in range(num_entities)]
    prompt = tokenizer.read_prompt(document.labels)
    return {
        "input_ids": np.array([*before, *ids, *after]),
        "attention_mask": np.ones(len(ids) + len(before) + len(after), dtype=np.int64),
        "word_token_spans": spans,
        "word_mask": np.ones(len(words), dtype=bool),
        "types": prompt.types,
        "relation_mask": np.ones(len(document.labels), dtype=bool),
        "mention_word_spans": np.array([m[1:] for m in mentions], dtype=np.int64).reshape(-1, 2),
        "mention_mask": np.array([end > 0 for _, _, end in mentions], dtype=bool),
        "mention_entity": np.array([m[0] for m in mentions], dtype=np.int64),
        "entity_mask": np.ones(num_entities, dtype=bool),
        "pair_index": np.array(pairs, dtype=np.int64).reshape(-1, 2),
        "pair_mask": np.ones(len(pairs), dtype=bool),
    }


def labels_of(document):
    """The training target, `(1, pairs, relations)`."""
    num_entities = len(document.entities)
    labels = torch.zeros(1, num_entities**2, len(document.labels))
    for head, name, tail in document.relations:
        place = document.ids.index(head) * num_entities + document.ids.index(tail)
        labels[0, place, document.labels.index(name)] = 1
    return labels


def reported_ids(document):
    """The id under which the original reports each entity: of the first that has its first mention."""
    return [
        next(i for i, others in zip(document.ids, document.entities) if mentions[0] in others) if mentions else None
        for mentions in document.entities
    ]


def decode(columns, document, threshold, multi_label, has_thresholds):
    """What the original finds, as `(head id, relation, tail id, score)`, from its columns `(pairs, columns)`."""
    probabilities = columns.float().sigmoid()
    limits = torch.full((len(columns), 1), float(threshold))
    if has_thresholds:
        limits, probabilities = probabilities[:, :1], probabilities[:, 1:]
    found = probabilities > limits
    if not multi_label:
        best = probabilities.argmax(-1, keepdim=True)
        found = found & torch.zeros_like(found).scatter(1, best, True)
    ids, num_entities = reported_ids(document), len(document.entities)
    results = []
    for pair, relation in found.nonzero().tolist():
        head, tail = ids[pair // num_entities], ids[pair % num_entities]
        if head is not None and tail is not None:
            results.append((head, document.labels[relation], tail, probabilities[pair, relation].item()))
    return results
