"""Label Studio's tasks, one JSON array: documents as annotations, or as predictions, which annotators correct.

Positions are UTF-16 code units, as its text areas count, and each region has its text, by which any version and any
reader can tell. Tags are called `label`, `text` as in [`labeling_config`].
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any
from xml.sax.saxutils import quoteattr

from glirel_transformers.data.readers.units import to_utf16
from glirel_transformers.data.schema import Document
from glirel_transformers.files import open_to_write

from .format import OTHER_TYPES, TEXTS, Writer, said_of

FROM_NAME, TO_NAME = "label", "text"
MODEL = "glirel-transformers"


def labeling_config(relation_types: Iterable[str], entity_types: Iterable[str]) -> str:
    """The labelling interface of a project, in Label Studio's XML, for documents that are imported into it.

    Args:
        relation_types: names of relations.
        entity_types: names of entity types.
    """
    relations = "".join(f"    <Relation value={quoteattr(name)}/>\n" for name in dict.fromkeys(relation_types))
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in dict.fromkeys(entity_types))
    return (
        f"<View>\n  <Relations>\n{relations}  </Relations>\n"
        f'  <Labels name="{FROM_NAME}" toName="{TO_NAME}">\n{labels}  </Labels>\n'
        f'  <Text name="{TO_NAME}" value="$text"/>\n</View>\n'
    )


def to_task(document: Document, is_predicted: bool = False) -> dict[str, Any]:
    """The task of a document.

    Args:
        document: the document.
        is_predicted: whether it is a prediction, with scores where they are known. What is predicted says nothing of
            other pairs, so that `exhaustive` is left out.
    """
    text, mentions = document.to_text()
    result = [*_regions(document, text, mentions), *_relations(document)]
    data = {
        **document.extra,
        "text": text,
        **said_of(document, exhaustive=not is_predicted),
    }
    if not is_predicted:
        return {"data": data, "annotations": [{"result": result}]}
    scores = [relation.score for relation in document.relations if relation.score is not None]
    score = {"score": round(fmean(scores), 6)} if scores else {}
    return {"data": data, "predictions": [{"model_version": MODEL, **score, "result": result}]}


def _regions(document: Document, text: str, mentions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    spans = [(mention["start"], mention["end"]) for mention in mentions]
    return [
        {
            "id": f"m{position}",
            "from_name": FROM_NAME,
            "to_name": TO_NAME,
            "type": "labels",
            "value": {
                "start": start,
                "end": end,
                "text": text[slice(*span)],
                "labels": [] if mention.label is None else [mention.label],
            },
            **({} if mention.score is None else {"score": mention.score}),
        }
        for position, (mention, span, (start, end)) in enumerate(
            zip(document.mentions, spans, to_utf16(text, spans), strict=True)
        )
    ]


def _relations(document: Document) -> list[dict[str, Any]]:
    return [
        {
            "type": "relation",
            "from_id": f"m{relation.head}",
            "to_id": f"m{relation.tail}",
            "direction": "right",
            "labels": [relation.relation_type],
            **({} if relation.score is None else {"score": relation.score}),
        }
        for relation in document.relations
    ]


def _write(is_predicted: bool, path: Path, documents: Iterable[Document]) -> int:
    """Writes one array of tasks, a task a line, and returns how many there were."""
    count = 0
    with open_to_write(path) as file:
        file.write("[")
        for count, document in enumerate(documents, start=1):
            task = json.dumps(to_task(document, is_predicted), ensure_ascii=False)
            file.write(f"{',' if count > 1 else ''}\n{task}")
        file.write("\n]\n")
    return count


_HOLDS = frozenset(
    (
        TEXTS,
        OTHER_TYPES,
        "mentions without a type",
        "scores",
        "sources",
        "titles",
        "texts with relations that are not exhaustive",
        "texts whose entities are known to be exhaustive or not",
        "further fields",
    )
)
LABEL_STUDIO = Writer("label-studio", "Label Studio's tasks with annotations", partial(_write, False), _HOLDS)
LABEL_STUDIO_PREDICTIONS = Writer(
    "label-studio-predictions", "Label Studio's tasks with predictions, to be corrected", partial(_write, True), _HOLDS
)
