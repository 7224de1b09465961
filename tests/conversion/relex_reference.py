"""Checkpoints of the original GLiNER-Relex with what it computes, next to their conversion."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from glirel_transformers import GLiRELForJointExtraction
from glirel_transformers.conversion import convert
from glirel_transformers.finding_glirel import READ_OTHER_ENTITIES
from glirel_transformers.text_glirel import Words

TOLERANCE = 5e-5
# What is mended in the original, so that it cannot be compared:
# - Scores that depend on the padding of a batch: the means of these include it. Only texts without padding agree.
READS_PADDING = ("markerV1", "markerV2")
# - A scorer whose scores depend on the other triples of the batch, and which reads a wrong axis of its core.
OTHER_SCORERS = ("TuckER",)
# - Candidates in the padding of a batch: here there are none. See `Reference.is_in_text`.


class Reference:
    """A checkpoint of the original with what it makes of each case, and its conversion; collects what differs."""

    def __init__(self, folder: Path, inputs: dict, target: Path):
        self.folder = folder
        # As the original reads words of which the tokenizer keeps nothing.
        self.converted = convert(folder, target, empty_words="skipped")
        self.settings = json.loads((folder / "gliner_config.json").read_text(encoding="utf-8"))
        self.model = GLiRELForJointExtraction.from_pretrained(self.converted).float().eval()
        self.model.config.max_candidates = 10_000  # the original has no limit
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

    def tensors_of(self, name):
        """The original's tensors of a case, by their own names."""
        return {key.split(".", 1)[1]: value for key, value in self.tensors.items() if key.startswith(f"{name}.")}

    @property
    def reads_padding(self):
        """Whether the original's scores of a text depend on its padding."""
        return self.settings["span_mode"] in READS_PADDING or self.settings["fuse_layers"]

    @property
    def scores_triples_apart(self):
        """Whether the original's score of a triple is that of the triple alone, and so comparable."""
        return self.settings["triples_layer"] not in OTHER_SCORERS

    def is_in_text(self, spans, mask, num_words):
        """Which candidates are not in the padding, and whether the adjacency of these depends on those that are."""
        is_in_text = spans[..., 1] <= num_words
        is_alone = self.model.config.pair_selection not in READ_OTHER_ENTITIES
        return is_in_text, is_alone or bool((is_in_text | ~mask).all())

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
        case = self.inputs["cases"][name]
        names = [
            [given[place] if given and isinstance(given[0], list) else given for given in (case["labels"], relations)]
            for place, relations in enumerate([case["relations"]] * len(case["texts"]))
        ]
        return self.batch(case["texts"], names)

    def batch(self, texts, names):
        """A batch without entities, of texts with the names of their entity types and of their relation types."""
        tokenizer = self.model.tokenizer
        limit, tokenizer.model_max_length = tokenizer.model_max_length, 100_000
        features = []
        for text, (labels, relations) in zip(texts, names, strict=True):
            prompt = tokenizer.read_prompt(relations, labels)
            words = cut(tokenizer.read_words([text])[0], self.settings["max_len"])
            one = tokenizer.build(prompt, words, [])
            features.append(cut_tokens(one, limit) if len(one["input_ids"]) > limit else one)
        tokenizer.model_max_length = limit
        batch = tokenizer.pad(features)
        for tensor in ("mention_word_spans", "mention_mask", "pair_index", "pair_mask"):
            del batch[tensor]
        return batch

    def texts_to_compare(self, batch):
        """Positions of the texts whose scores do not depend on padding."""
        lengths = batch["attention_mask"].sum(1)
        words = batch["word_mask"].sum(1)
        return [
            place
            for place in range(len(lengths))
            if not self.reads_padding or (lengths[place] == lengths.max() and words[place] == words.max())
        ]


_READER = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import torch
from safetensors.torch import save_file
from gliner import GLiNER
from gliner.modeling import base

layer = base.TriplesScoreLayer
for line in sys.stdin:
    asked = json.loads(line)
    width = asked["width"]
    base.TriplesScoreLayer = layer if width is None else lambda mode, **_: layer(mode, dim=width)
    model = GLiNER.from_pretrained(asked["folder"], strict=True).eval()
    prepared = model.prepare_batch(asked["texts"], asked["labels"], None, asked["relations"])
    batch = model.collate_batch(prepared["input_x"], prepared["entity_types"], None, prepared["relation_types"])
    with torch.no_grad():
        output = model.run_batch(batch, threshold=asked["threshold"], adjacency_threshold=asked["adjacency"])
    found = {"input_ids": batch["input_ids"], "logits": output.logits, "rel_idx": output.rel_idx}
    found["rel_logits"] = output.rel_logits
    save_file({name: tensor.contiguous().clone() for name, tensor in found.items()}, asked["target"])
    print("DONE", flush=True)
"""


class Original:
    """The original package, in an interpreter of its own that has it.

    Args:
        python: the interpreter.
    """

    def __init__(self, python: str):
        self.process = subprocess.Popen(
            [python, "-c", _READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def run(self, target: Path, **asked):
        """What it computes of a folder in its format."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({**asked, "target": str(target)}) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.strip() == "DONE":
                return load_file(target)
        raise RuntimeError("The original package stopped: see its error above.")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def flat(names):
    """Types of all texts, whether they are given for each or for all."""
    return [name for one in names for name in (one if isinstance(one, list) else [one])]


def cut(words: Words, limit: int) -> Words:
    """The first words of a text."""
    starts = words.token_starts[: limit + 1]
    return Words(words.char_spans[:limit], words.token_ids[: starts[-1]], starts)


def cut_tokens(one, limit):
    """The features of a text of which the original reads `limit` tokens; what is behind has no vector or column."""
    last = limit - 1  # the separator at the end
    one["input_ids"] = [*one["input_ids"][:last], one["input_ids"][-1]]
    one["attention_mask"] = one["attention_mask"][:limit]
    one["word_token_spans"][one["word_token_spans"][:, 0] >= last] = 0
    one["word_token_spans"] = one["word_token_spans"].clip(max=last)
    for kind in ("entity_type", "relation"):
        spans = one[f"{kind}_token_spans"]
        spans = spans[spans[:, 0] <= last]  # whose marker is left
        start = spans[:, :1]
        one[f"{kind}_token_spans"] = np.concatenate([start, np.maximum(spans[:, 1:].clip(max=last), start + 1)], 1)
        one[f"{kind}_mask"] = one[f"{kind}_mask"][: len(spans)]
    return one


def candidates(output, place):
    """Word spans of the candidates of a text, as a set of half-open pairs."""
    spans = output.mention_word_spans[place][output.mention_mask[place]]
    return {tuple(span) for span in spans.tolist()}


def half_open(spans: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Spans whose end is inclusive, as here; (0, 0) for padding."""
    return (spans.long() + torch.tensor([0, 1])) * mask.unsqueeze(-1)
