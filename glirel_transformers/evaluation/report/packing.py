"""The scores of a text as bytes, and back: exact, and safe to read wherever they come from."""

from __future__ import annotations

import io
import json

import numpy as np

from glirel_transformers.evidence_glirel import TextContext, WindowContext
from glirel_transformers.mentions_glirel import Entity, Mention
from glirel_transformers.requests_glirel import read_relation_types
from glirel_transformers.scores_glirel import RelationScores


def pack(scores: RelationScores) -> bytes:
    """The scores of a text as bytes."""
    context = scores.context
    said = {
        "entities": [
            {"label": e.label, "index": e.index, "mentions": [m[:2] for m in e.mentions], "scores": e.scores}
            for e in scores.entities
        ],
        "threshold": scores.threshold,
        "type_thresholds": dict(scores.type_thresholds),
        "self_pairs": scores.self_pairs,
        "collapse": scores.collapse,
        "num_left_out": scores.num_left_out,
        "sentences": None if context is None else context.sentences,
        "windows": [] if context is None else [[list(w.entities), list(w.word_starts)] for w in context.windows],
    }
    file = io.BytesIO()
    arrays = {f"attention{place}": w.attention for place, w in enumerate(context.windows if context else ())}
    said_bytes = np.frombuffer(json.dumps(said, default=int).encode(), dtype=np.uint8)
    arrays |= {"said": said_bytes, "pair_index": scores.pair_index, "scores": scores.scores}
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    return file.getvalue()


def unpack(data: bytes, text: str, relation_types: object) -> RelationScores:
    """What was packed; the text and the relation types are what the key of the bytes stands for."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        said = json.loads(arrays["said"].tobytes())
        pair_index, scores = arrays["pair_index"], arrays["scores"]
        attention = [arrays[f"attention{place}"] for place in range(len(said["windows"]))]
    entities = []
    for one in said["entities"]:
        mentions = tuple(Mention(start, end, text[start:end]) for start, end in one["mentions"])
        scored = tuple((name, score) for name, score in one["scores"])
        entities.append(Entity(*mentions[0], one["label"], one["index"], mentions, scored))
    context = None
    if said["sentences"] is not None:
        windows = [WindowContext(e, a, starts) for (e, starts), a in zip(said["windows"], attention, strict=True)]
        context = TextContext(text, [(start, end) for start, end in said["sentences"]], windows)
    return RelationScores(
        text,
        entities,
        read_relation_types(relation_types),
        pair_index,
        scores,
        said["threshold"],
        said["self_pairs"],
        said["collapse"],
        context,
        num_left_out=said["num_left_out"],
        type_thresholds=said.get("type_thresholds", {}),  # which an older version did not keep, as there were none
    )
