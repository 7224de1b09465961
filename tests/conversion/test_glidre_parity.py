"""Checkpoints and scores of the original GLiDRE in a folder outside this repository, where there is one.

The folder named by `GLIDRE_REFERENCE` holds `inputs.json`, the encoders, and a folder for each setting with
`glidre_config.json`, `pytorch_model.bin`, `expected.safetensors` and `expected.json`. Scores are compared with those
of single documents: in a batch the original gets all but the last document wrong.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
import torch
from glidre_documents import decode, features_of, labels_of, read_cases
from safetensors.torch import load_file

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.conversion import convert, revert
from glirel_transformers.losses_glirel import focal_loss
from glirel_transformers.text_glirel import split_words

ROOT = Path(os.environ.get("GLIDRE_REFERENCE", ""))
CHECKPOINTS = (
    sorted(
        file.parent for file in ROOT.glob("*/expected.safetensors") if (file.parent / "glidre_config.json").is_file()
    )
    if "GLIDRE_REFERENCE" in os.environ
    else []
)
TOLERANCE = 5e-5

pytestmark = pytest.mark.skipif(not CHECKPOINTS, reason="GLIDRE_REFERENCE names no folder with reference checkpoints")


class Reference:
    """A checkpoint of the original with what it makes of each case, and its conversion; collects what differs."""

    def __init__(self, folder, target):
        self.folder, self.converted = folder, convert(folder, target)
        self.settings = json.loads((folder / "glidre_config.json").read_text(encoding="utf-8"))
        self.model = GLiRELForRelationClassification.from_pretrained(self.converted).float().eval()
        self.tensors = load_file(folder / "expected.safetensors")
        self.results = json.loads((folder / "expected.json").read_text(encoding="utf-8"))["cases"]
        self.cases = read_cases(ROOT / "inputs.json")
        self.problems, self.largest = [], {}

    def compare(self, what, ours, name, tolerance=TOLERANCE):
        """Compares a tensor with the original's, where it gives one."""
        if name not in self.tensors:
            return
        theirs = self.tensors[name]
        if ours.shape != theirs.shape:
            self.problems.append(f"{name}: the shape is {tuple(ours.shape)}, expected {tuple(theirs.shape)}")
            return
        difference = (ours.double() - theirs.double()).abs().max().item() if ours.numel() else 0.0
        self.largest[what] = max(self.largest.get(what, 0.0), difference)
        if not difference <= tolerance:
            self.problems.append(f"{name}: differs by {difference:.2e}")

    def check(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    def run(self, batch):
        """All columns of a batch, the thresholds first where there are any, and what was seen on the way."""
        seen, form_pairs = {}, self.model.glirel.form_pairs

        def watch(entities, encoded, inputs):
            seen.update(entities=entities, encoded=encoded)
            seen["pairs"] = form_pairs(entities, encoded, inputs)
            return seen["pairs"]

        self.model.glirel.form_pairs = watch
        try:
            with torch.inference_mode():
                output = self.model(**batch)
        finally:
            del self.model.glirel.form_pairs
        thresholds = output.threshold_logits
        columns = [] if thresholds is None else [thresholds.unsqueeze(-1)]
        return torch.cat([*columns, output.logits], dim=-1), seen


@pytest.mark.parametrize("folder", CHECKPOINTS, ids=lambda folder: folder.name)
def test_a_setting(folder, tmp_path):
    reference = Reference(folder, tmp_path / "converted")
    compared = 0
    for name, documents in reference.cases.items():
        if f"{name}.logits" in reference.tensors and len(documents) == 1:
            compare_document(reference, name, documents[0])
            compared += 1
        elif len(documents) > 1:
            compare_batch(reference, name, documents)
    print(f"{folder.name}: " + ", ".join(f"{what} {value:.1e}" for what, value in reference.largest.items()))
    assert compared
    assert not reference.problems, "\n".join(reference.problems)
    check_way_back(reference, tmp_path / "back")


def compare_document(reference, name, document):
    model = reference.model
    features = features_of(model.tokenizer, document)
    batch = model.tokenizer.pad([features])
    for tensor, key in (("input_ids", "input_ids"), ("type_input_ids", "labels_input_ids")):
        if f"{name}.{key}" in reference.tensors:
            expected = reference.tensors[f"{name}.{key}"].long()
            if key == "labels_input_ids":
                expected = expected if len(batch[tensor]) == len(expected) else torch.unique(expected, dim=0)
            reference.check(torch.equal(batch[tensor], expected), f"{name}.{key}: other tokens")
    columns, seen = reference.run(batch)
    reference.compare("logits", columns, f"{name}.logits")
    compare_stages(reference, name, batch, seen)
    compare_results(reference, name, document, columns[0])
    compare_loss(reference, name, document, columns)
    compare_with_tokenizer(reference, name, document, features, columns)


def compare_batch(reference, name, documents):
    """Each document of a padded batch scores what it scores alone, there and here."""
    tokenizer = reference.model.tokenizer
    features = [features_of(tokenizer, document) for document in documents]
    together, _ = reference.run(tokenizer.pad(features))
    for place, document in enumerate(documents):
        num_pairs = len(document.entities) ** 2
        alone, _ = reference.run(tokenizer.pad([features[place]]))
        reference.compare("logits of batches", together[place : place + 1, :num_pairs], f"{name}.alone_{place}.logits")
        reference.compare("logits", alone, f"{name}.alone_{place}.logits")
        difference = (together[place, :num_pairs] - alone[0]).abs().max().item()
        reference.check(difference <= TOLERANCE, f"{name}: document {place} scores {difference:.2e} off in a batch")
        is_last = place == len(documents) - 1 and f"{name}.logits" in reference.tensors
        if is_last and reference.model.config.layer_fusion == "none":  # which reads the padding, there
            compare_results(reference, name, document, alone[0], place)


def compare_stages(reference, name, batch, seen):
    encoded, entities, pairs = seen["encoded"], seen["entities"], seen["pairs"]
    reference.compare("words", encoded.word_states, f"{name}.words_embedding")
    if encoded.word_attention is not None:
        reference.compare("attention", encoded.word_attention, f"{name}.words_attention")
    reference.compare("types", encoded.relation_states, f"{name}.prompts_embedding")
    if reference.model.glirel.fusion is None and encoded.label_states is not None:
        with torch.inference_mode():
            states = reference.model.glirel.label_encoder(
                batch["type_input_ids"],
                batch["type_attention_mask"],
                reference.model.glirel.encoder,
                reference.model.glirel.layer_fusion,
            )
        reference.compare("labels", states[batch["relation_index"][0]], f"{name}.labels_embeds")
    context = getattr(pairs, "context", None)
    with torch.inference_mode():
        states = entities.states if entities.paired is None else entities.paired
        of_words = None if context is None else context.weights(pairs.index) @ encoded.word_states
        for side, which in enumerate(("head", "tail")):
            own = states[:, pairs.index[0, :, side]]
            joined = own if of_words is None else torch.cat([own, of_words], dim=-1)
            reference.compare("entities and context", joined, f"{name}.{which}_and_context")
        reference.compare("pairs", pairs.states(), f"{name}.rel_rep")


def compare_results(reference, name, document, columns, place=0):
    expected = reference.results.get(name, {})
    has_thresholds = reference.model.config.threshold_head
    for key, threshold, multi_label in (
        ("multi_label_0.5", 0.5, True),
        ("best_0.5", 0.5, False),
        ("best_0.3", 0.3, False),
    ):
        found = expected.get(key)
        if found is None or (key != "best_0.3" and f"n_{'multi_label_0.5'}" not in expected):
            continue
        found = found if key == "best_0.3" else found[place]
        ours = decode(columns, document, threshold, multi_label, has_thresholds)
        if key == "multi_label_0.5":
            total = expected["n_multi_label_0.5"][place]
            reference.check(len(ours) == total, f"{name}.{key}: {len(ours)} relations, expected {total}")
        missing = Counter(tuple(one[:3]) for one in found) - Counter(one[:3] for one in ours)
        reference.check(not missing, f"{name}.{key}: not found {list(missing)[:5]}")
        if len(found) == len(ours):
            theirs = sorted((*one[:3], round(one[3], 4)) for one in found)
            scores = sorted((*one[:3], round(one[3], 4)) for one in ours)
            far = [(a, b) for a, b in zip(theirs, scores) if a[:3] != b[:3] or abs(a[3] - b[3]) > 2e-4]
            reference.check(not far, f"{name}.{key}: other scores {far[:3]}")


def compare_loss(reference, name, document, columns):
    expected = reference.results.get(name, {}).get("loss")
    if expected is None:
        return
    config, labels = reference.model.config, labels_of(document)
    if reference.settings.get("loss") == "afloss":  # the original counts the thresholds as a type that never holds
        labels = torch.cat([torch.zeros_like(labels[..., :1]), labels], dim=-1)
        losses = focal_loss(columns, labels, config.focal_alpha, config.focal_gamma)
        loss = losses.sum() if config.loss_reduction == "sum" else losses.mean()
    else:
        thresholds = columns[..., 0] if config.threshold_head else None
        logits = columns[..., 1:] if config.threshold_head else columns
        mask = torch.ones_like(logits, dtype=torch.bool)
        loss = reference.model.relation_loss(logits, labels, mask, thresholds)
    difference = abs(loss.item() - expected) / max(abs(expected), 1e-3)
    reference.largest["loss, relative"] = max(reference.largest.get("loss, relative", 0.0), difference)
    reference.check(difference < 1e-4, f"{name}: the loss is {loss.item()}, expected {expected}")


def compare_with_tokenizer(reference, name, document, features, columns):
    """The tokenizer makes the same tensors, of documents that it does not refuse."""
    tokenizer, spans = reference.model.tokenizer, features["word_token_spans"]
    is_whole = len(document.words) == len(spans) and len(features["input_ids"]) <= tokenizer.model_max_length
    in_mentions = [word for mentions in document.entities for a, b in mentions for word in range(a, b + 1)]
    if not is_whole or not all(document.entities) or not all(spans[word, 1] > spans[word, 0] for word in in_mentions):
        return
    entities = [[(first, last + 1) for first, last in mentions] for mentions in document.entities]
    arguments = {"relation_types": document.labels, "self_pairs": True}
    batch = tokenizer(document.words, entities=entities, is_split_into_words=True, **arguments)
    ours, _ = reference.run(batch)
    reference.check(torch.allclose(ours, columns, atol=TOLERANCE, rtol=0), f"{name}: the tokenizer's tensors differ")
    text = " ".join(document.words)
    if [text[start:end] for start, end in split_words(text)] == document.words:
        chars = split_words(text)
        entities = [[(chars[a][0], chars[b - 1][1]) for a, b in mentions] for mentions in entities]
        ours, _ = reference.run(tokenizer(text, entities=entities, **arguments))
        reference.check(torch.allclose(ours, columns, atol=TOLERANCE, rtol=0), f"{name}: as a string it differs")


def check_way_back(reference, target):
    back, folder = revert(reference.converted, target), reference.folder
    assert (back / "glidre_config.json").read_bytes() == (folder / "glidre_config.json").read_bytes()
    before, after = (torch.load(one / "pytorch_model.bin", weights_only=True) for one in (folder, back))
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) and before[name].dtype == after[name].dtype for name in before)
