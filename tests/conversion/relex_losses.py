"""Losses of the original GLiNER-Relex on its training example, from what a conversion computes."""

from __future__ import annotations

from dataclasses import replace

import torch

from glirel_transformers.joint_losses_glirel import TARGETS, JointLosses
from glirel_transformers.losses_glirel import RelationLoss

# The original takes logarithms of a probability in single precision, and of nothing smaller.
_LOWEST = 1e-6

LOSSES = {
    "alpha0.75_gamma0": RelationLoss("focal", 0.75, 0.0, 1.0, 1.0, "sum"),
    "alpha0.75_gamma2": RelationLoss("focal", 0.75, 2.0, 1.0, 1.0, "sum"),
    "default_mean": RelationLoss("bce", 0.75, 0.0, 1.0, 1.0, "sum"),
}


def compare_losses(reference):
    """Compares targets and losses, and adds to the problems of the reference."""
    example, train, model = reference.inputs["training"], reference.tensors_of("train"), reference.model
    batch = reference.batch(example["texts"], [(example["types"], example["rels"])] * len(example["texts"]))
    mentions, entity_labels = _gold(example)
    batch |= {"mention_word_spans": mentions[..., :2], "mention_mask": mentions[..., 2].bool()}
    if "adj_matrix" in train:
        real = train["adj_matrix"].bool()
    else:  # all ordered pairs
        real = batch["mention_mask"].unsqueeze(1) & batch["mention_mask"].unsqueeze(2)
        real = real & ~torch.eye(real.shape[1], dtype=torch.bool)
    batch["pair_index"], batch["pair_mask"] = _pairs(real)
    outputs = model.glirel(**batch, scorer=model.pair_scorer)
    _compare_targets(reference, outputs, train["labels"], entity_labels)
    labels = train["rel_matrix"][:, : batch["pair_index"].shape[1]]
    limited = replace(
        outputs,
        scores=torch.logit(outputs.scores.sigmoid(), _LOWEST),
        entity_logits=torch.logit(outputs.entity_logits.sigmoid(), _LOWEST),
        adjacency=None,
    )
    for name, loss in LOSSES.items():
        expected = reference.expected["losses"][name]
        parts = JointLosses.of(model.config, loss, limited, labels, entity_labels)
        found = {"entity": parts.entities, "relation": parts.relations}
        if outputs.adjacency is not None:
            found["adjacency"] = _adjacency_loss(loss, outputs, train["adj_matrix"])
        if name == "default_mean":
            counts = _counts(outputs, model.config.entity_finder)
            found = {part: value / count for (part, value), count in zip(found.items(), counts, strict=True)}
        if reference.scores_triples_apart:
            weights = {part: getattr(model.config, f"{part}_loss_weight") for part in found}
            found["total"] = torch.stack([value * weights[part] for part, value in found.items()]).sum()
        else:
            del found["relation"]
        for part, value in found.items():
            scale = max(1.0, abs(expected[part]))
            reference.compare("losses", f"{name} {part}", value / scale, torch.tensor(expected[part] / scale))


def _gold(example):
    """The entities of all texts in the original's order, `(batch, mentions, (start, end, is real))`; their labels."""
    entities = [sorted(of_text, key=lambda entity: entity[:2]) for of_text in example["ner"]]
    size = max(map(len, entities))
    mentions, labels = torch.zeros(len(entities), size, 3).long(), torch.zeros(len(entities), size, 3)
    for text, of_text in enumerate(entities):
        for place, (start, end, kind) in enumerate(of_text):
            mentions[text, place] = torch.tensor([start, end + 1, 1])
            labels[text, place, example["types"].index(kind)] = 1
    return mentions, labels


def _pairs(real):
    """The pairs of a matrix of booleans, row-major, and their mask."""
    rows = [matrix.nonzero() for matrix in real]
    size = max(map(len, rows))
    index, mask = torch.zeros(len(rows), size, 2).long(), torch.zeros(len(rows), size).bool()
    for text, pairs in enumerate(rows):
        index[text, : len(pairs)], mask[text, : len(pairs)] = pairs, True
    return index, mask


def _compare_targets(reference, outputs, theirs, entity_labels):
    config = reference.model.config
    ours = TARGETS[config.entity_finder](
        entity_labels, outputs.mention_word_spans, outputs.mention_mask, outputs.entity_logits
    )
    theirs = theirs.view(ours.shape)
    for text, num_words in enumerate(outputs.word_mask.sum(1).tolist()):
        if config.entity_finder == "token":
            reference.compare("targets", f"targets[{text}]", ours[text, :num_words], theirs[text, :num_words])
            continue
        for width in range(min(ours.shape[2], num_words)):
            cells = (text, slice(num_words - width), width)
            reference.compare("targets", f"targets[{text}] of {width + 1} words", ours[cells], theirs[cells])


def _adjacency_loss(loss, outputs, targets):
    """Over all cells, with the diagonal, and with every pair that was sampled as a neighbour: not what we train."""
    real = outputs.entity_mask.unsqueeze(1) & outputs.entity_mask.unsqueeze(2)
    return loss(torch.logit(outputs.adjacency, _LOWEST).unsqueeze(-1), targets.unsqueeze(-1), real.unsqueeze(-1))


def _counts(outputs, finder):
    """What the original divides by, where it takes means: of spans, not the number of cells."""
    num_types, num_relations = outputs.entity_type_mask.sum(1), outputs.relation_mask.sum(1)
    num_words, num_widths = outputs.word_mask.sum(1), outputs.entity_logits.shape[2]
    if finder == "token":
        yield (num_words * num_types).sum()
    else:
        yield sum(max(num - width, 0) for num in num_words.tolist() for width in range(num_widths))
    yield (outputs.pair_mask.sum(1) * num_relations).sum()
    if outputs.adjacency is not None:
        yield (outputs.entity_mask.sum(1) ** 2).sum()
