"""A result made by hand, small enough that every figure of a report is worked out in the tests."""

from __future__ import annotations

import numpy as np

from glirel_transformers.data import Document, Mention, Relation
from glirel_transformers.evaluation import EvaluationResult, ScoredDocument
from glirel_transformers.mentions_glirel import Entity

NAN = float("nan")
PAIRS = np.array([(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)])
# Columns: "author", "part of". A sign after a number: + gold, ? of unknown truth.
FIRST = ["0.9+ 0.1", "0.7 0.2", "0.6 0.1", "0.8 0.3+", "0.4+ 0.1", "0.1 0.2"]
SECOND = ["nan nan+", "0.2 0.95", "0.0 0.0", "0.9? 0.1?", "0.05 0.02", "0.3+ 0.1"]
NAMES = ["author", "part of"]


def scored(rows, words, position, **fields):
    cells = [row.split() for row in rows]
    probabilities = np.array([[float(cell.strip("+?")) for cell in row] for row in cells], dtype=np.float32)
    labels = np.array([[1 if "+" in cell else -100 if "?" in cell else 0 for cell in row] for row in cells], np.int8)
    text = " ".join(words)
    entities, mentions, start = [], [], 0
    for place, word in enumerate(words[:3]):
        entities.append(Entity(start, start + len(word), word, "X", place))
        mentions.append(Mention(place, place + 1, "X"))
        start += len(word) + 1
    relations = [Relation(*PAIRS[row].tolist(), NAMES[column]) for row, column in np.argwhere(labels == 1).tolist()]
    document = Document(list(words), mentions, relations, title=f"Text {position}")
    return ScoredDocument(document, text, entities, PAIRS, probabilities, labels, position=position, **fields)


def make_result(*documents, name="some/model", threshold=0.5, **fields):
    documents = documents or (scored(FIRST, ["Ann", "Bob", "Cid"], 0), scored(SECOND, ["Dee", "Eve", "<b>|", "&"], 1))
    return EvaluationResult(
        protocol="extraction",
        entities=fields.pop("entities", "gold"),
        model=name,
        relation_types=NAMES,
        figures={"micro_f1": 0.2},
        threshold=threshold,
        documents=list(documents),
        **fields,
    )
