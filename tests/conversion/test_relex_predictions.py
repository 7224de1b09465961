"""Entities and relations of the original GLiNER-Relex, next to those of converted checkpoints.

Known differences are mended on purpose: a span is one candidate, whatever types it may have, and no entity relates to
itself. With an adjacency that reads other candidates, the original's twins change the numbers of the others.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from relex_reference import READS_PADDING

from glirel_transformers import RelationExtractor
from glirel_transformers.conversion import convert
from glirel_transformers.finding_glirel import READ_OTHER_ENTITIES

ROOT = Path(os.environ.get("RELEX_REFERENCE", ""))
CHECKPOINTS = (
    sorted(file.parent for file in ROOT.glob("*/expected.json") if (file.parent / "gliner_config.json").is_file())
    if "RELEX_REFERENCE" in os.environ
    else []
)
# Entity threshold, adjacency threshold and relation threshold of each call, and how it decodes.
CALLS = {
    "t": ("threshold", "adjacency", 0.5, {}),
    "low": ("threshold_low", "adjacency_loose", 0.8, {}),
    "nested_multi": ("threshold", "adjacency", 0.3, {"overlap": "nested", "multi_label": True}),
    "nested": ("threshold", "adjacency_tight", 0.5, {"overlap": "nested"}),
    "t_r0.1": ("threshold", "adjacency", 0.1, {}),
    "only_t": ("threshold", None, None, {}),
    "batch_size_1": ("threshold", "adjacency", 0.5, {}),
}

pytestmark = pytest.mark.skipif(not CHECKPOINTS, reason="RELEX_REFERENCE names no folder with reference checkpoints")


def comparable(case, settings):
    """Whether ours should be the same: types without markers, and texts that the original reads whole and alone."""
    labels = [label for one in case["labels"] for label in (one if isinstance(one, list) else [one])]
    reads_padding = settings["span_mode"] in READS_PADDING or settings["fuse_layers"]
    return not any("<<" in label for label in labels) and not (reads_padding and len(case["texts"]) > 1)


def unique(names):
    return list(dict.fromkeys(names))


def for_text(names, place):
    return unique(names[place] if names and isinstance(names[0], list) else names)


def _place(entity):
    return entity["start"], entity["end"]


def predictions(result):
    """Entities `(start, end, type)` and relations `(head, relation, tail)` by character spans, with their scores."""
    entities = {}
    for entity in result["entities"]:
        scores = entity.get("scores", {entity["label"]: entity["score"]})
        entities |= {(entity["start"], entity["end"], label): score for label, score in scores.items()}
    relations = {
        (*_place(relation["head"]), relation["relation"], *_place(relation["tail"])): relation["score"]
        for relation in result["relations"]
    }
    return entities, relations


def expected_predictions(expected, place):
    listed = expected["entities"][place]
    entities = {(start, end, label): score for start, end, label, score in listed}
    relations = {
        (*listed[head][:2], name, *listed[tail][:2]): score
        for head, name, tail, score in expected["relations"][place]
        if head < len(listed) and tail < len(listed) and listed[head][:2] != listed[tail][:2]
    }
    return (
        entities,
        relations,
        len(listed) < expected["n"][place][0] or len(expected["relations"][place]) < expected["n"][place][1],
    )


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_predictions_are_those_of_the_original(folder, tmp_path):
    extract = RelationExtractor(convert(folder, tmp_path / folder.name, empty_words="skipped"))
    extract.model.config.max_candidates = 100_000  # the original has no limit
    settings = json.loads((folder / "gliner_config.json").read_text(encoding="utf-8"))
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    inputs = json.loads((ROOT / "inputs.json").read_text(encoding="utf-8"))["cases"]
    twins_matter = (
        extract.model.config.pair_selection in READ_OTHER_ENTITIES and settings["span_mode"] == "token_level"
    )
    problems, num_compared = [], 0
    for name, of_case in expected["cases"].items():
        case = inputs[name]
        if not comparable(case, settings) or name.startswith("truncated"):  # a text that is too long is an error here
            continue
        for call, of_call in of_case["predictions"].items():
            at, adjacency, relation, options = CALLS[call]
            if "entities" not in of_call:  # too many to be listed
                continue
            threshold = of_case[at]
            if adjacency is None:
                adjacency_threshold = relation = threshold
            else:
                adjacency_threshold = min(1.0, expected["thresholds"][adjacency])  # beyond, there is no pair
            results = extract(
                [
                    {
                        "text": text,
                        "entity_types": for_text(case["labels"], place),
                        "relation_types": for_text(case["relations"], place),
                    }
                    for place, text in enumerate(case["texts"])
                ],
                return_entities=True,
                entity_threshold=threshold,
                threshold=relation,
                adjacency_threshold=adjacency_threshold,
                batch_size=1 if call == "batch_size_1" else 4,
                **options,
            )
            for place, result in enumerate(results):
                ours, theirs = predictions(result), expected_predictions(of_call, place)
                for what, found, wanted in zip(("entities", "relations"), ours, theirs, strict=False):
                    if what == "relations" and (twins_matter or settings["triples_layer"] == "TuckER"):
                        continue
                    wrong = [key for key, score in wanted.items() if abs(found.get(key, -1.0) - score) > 1e-4]
                    extra = [] if theirs[2] else sorted(set(found) - set(wanted))
                    num_compared += 1
                    if wrong or extra:
                        problems.append(f"{name}.{call}[{place}] {what}: missing {wrong[:3]}, extra {extra[:3]}")
    assert not problems, "\n".join(problems)
    assert num_compared > 10
