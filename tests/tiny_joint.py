"""A tiny model that finds entities, fitted to one text until it finds what is in it: made here, deterministic."""

from __future__ import annotations

from pathlib import Path

import torch

from glirel_transformers import GLiRELForJointExtraction
from glirel_transformers.configuration_glirel import SYSTEMS

JOINT_TEXT = "Marie Curie was born in Warsaw. She married Pierre Curie in Paris."
JOINT_ENTITIES = (("Marie Curie", "PERSON"), ("Warsaw", "CITY"), ("Pierre Curie", "PERSON"), ("Paris", "CITY"))
ENTITY_TYPES = ["PERSON", "CITY"]
JOINT_RELATIONS = {(0, 1): "place of birth", (0, 2): "spouse", (2, 0): "spouse"}
JOINT_RELATION_TYPES = ["place of birth", "spouse"]


def make_joint_model(encoder: Path, num_steps: int = 220) -> GLiRELForJointExtraction:
    """A model on the encoder of a folder; it takes some seconds."""
    torch.manual_seed(17)
    settings = {**SYSTEMS["relex"], "dropout": 0.0, "max_entity_width": 4}
    model = GLiRELForJointExtraction.from_encoder(encoder, **settings)
    starts = [JOINT_TEXT.index(surface) for surface, _ in JOINT_ENTITIES]
    spans = [(start, start + len(surface)) for start, (surface, _) in zip(starts, JOINT_ENTITIES, strict=True)]
    assert model.tokenizer is not None
    batch = model.tokenizer(JOINT_TEXT, entities=spans, entity_types=ENTITY_TYPES, relation_types=JOINT_RELATION_TYPES)
    entity_labels = torch.tensor([[[float(label == name) for name in ENTITY_TYPES] for _, label in JOINT_ENTITIES]])
    pairs = map(tuple, batch["pair_index"][0].tolist())
    labels = torch.tensor(
        [[[float(JOINT_RELATIONS.get(pair) == name) for name in JOINT_RELATION_TYPES] for pair in pairs]]
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.train()
    for step in range(num_steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / num_steps)
        optimizer.zero_grad()
        model(**batch, labels=labels, entity_labels=entity_labels).loss.backward()
        optimizer.step()
    return model.eval()
