"""Checkpoints of the original GLiNER-Relex with what it computes, next to their conversion."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from glirel_transformers import GLiRELForJointExtraction
from glirel_transformers.conversion import convert
from glirel_transformers.text_glirel import Words

TOLERANCE = 5e-5
# Settings of the original whose scores depend on the padding of a batch, which is mended: there only texts without
# padding are compared.
READS_PADDING = ("markerV1", "markerV2")


class Reference:
    """A checkpoint of the original with what it makes of each case, and its conversion; collects what differs."""

    def __init__(self, folder: Path, inputs: dict, target: Path):
        self.folder = folder
        # As the original reads words of which the tokenizer keeps nothing.
        self.converted = convert(folder, target, empty_words="skipped")
        self.settings = json.loads((folder / "gliner_config.json").read_text(encoding="utf-8"))
        self.model = GLiRELForJointExtraction.from_pretrained(self.converted).float().eval()
        self.tensors = load_file(folder / "expected.safetensors")
        self.expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        self.inputs = inputs
        self.problems: list[str] = []
        self.largest: dict[str, float] = {}
        self.num_compared: dict[str, int] = {}

    @property
    def cases(self):
        """Names of the cases that there are tensors of and whose types have no marker in them."""
        return [
            name
            for name, case in self.inputs["cases"].items()
            if f"{name}.logits" in self.tensors and not any("<<" in label for label in flat(case["labels"]))
        ]

    def compare(self, what, name, ours, theirs, tolerance=TOLERANCE):
        if ours.shape != theirs.shape:
            self.problems.append(f"{name}: the shape is {tuple(ours.shape)}, expected {tuple(theirs.shape)}")
            return
        difference = (ours.double() - theirs.double()).abs().max().item() if ours.numel() else 0.0
        self.largest[what] = max(self.largest.get(what, 0.0), difference)
        self.num_compared[what] = self.num_compared.get(what, 0) + ours.numel()
        if not difference <= tolerance:
            self.problems.append(f"{name}: differs by {difference:.2e}")

    def check(self, holds, problem):
        if not holds:
            self.problems.append(problem)

    def features(self, name):
        """The features of a case's texts, of as many words and tokens as the original reads."""
        case, tokenizer = self.inputs["cases"][name], self.model.tokenizer
        texts = case["texts"]
        limit, tokenizer.model_max_length = tokenizer.model_max_length, 100_000
        features = []
        for place, text in enumerate(texts):
            labels, relations = (
                names[place] if names and isinstance(names[0], list) else names
                for names in (case["labels"], case["relations"])
            )
            prompt = tokenizer.read_prompt(relations, labels)
            words = cut(tokenizer.read_words([text])[0], self.settings["max_len"])
            one = tokenizer.build(prompt, words, [])
            if len(one["input_ids"]) > limit:  # which the original cuts: words behind have no vector
                kept = limit - 1
                one["input_ids"] = [*one["input_ids"][:kept], one["input_ids"][-1]]
                one["attention_mask"] = one["attention_mask"][:limit]
                one["word_token_spans"][one["word_token_spans"][:, 0] >= kept] = 0
                one["word_token_spans"] = one["word_token_spans"].clip(max=kept)
            features.append(one)
        tokenizer.model_max_length = limit
        batch = tokenizer.pad(features)
        for tensor in ("mention_word_spans", "mention_mask", "pair_index", "pair_mask"):
            del batch[tensor]
        return batch

    def texts_to_compare(self, batch):
        """Positions of the texts whose scores do not depend on padding."""
        lengths = batch["attention_mask"].sum(1)
        words = batch["word_mask"].sum(1)
        reads_padding = self.settings["span_mode"] in READS_PADDING or self.settings["fuse_layers"]
        return [
            place
            for place in range(len(lengths))
            if not reads_padding or (lengths[place] == lengths.max() and words[place] == words.max())
        ]


def flat(names):
    """Types of all texts, whether they are given for each or for all."""
    return [name for one in names for name in (one if isinstance(one, list) else [one])]


def cut(words: Words, limit: int) -> Words:
    """The first words of a text."""
    starts = words.token_starts[: limit + 1]
    return Words(words.char_spans[:limit], words.token_ids[: starts[-1]], starts)


def candidates(output, place):
    """Word spans of the candidates of a text, as a set of half-open pairs."""
    spans = output.mention_word_spans[place][output.mention_mask[place]]
    return {tuple(span) for span in spans.tolist()}


def half_open(spans: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Spans whose end is inclusive, as here; (0, 0) for padding."""
    return (spans.long() + torch.tensor([0, 1])) * mask.unsqueeze(-1)
