"""The original package's side of the comparison; runs in the original's own environment.

python -m workers.original        serves a checkpoint, see `common.py`
python -m workers.original make FOLDER    makes the encoder and the checkpoint from FOLDER/settings.json
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from glirel import GLiREL
from loguru import logger
from transformers import DebertaV2Config
from workers.common import LOGIT_SPREAD, Worker, save_encoders, serve, threshold_above


class OriginalWorker(Worker):
    """`batch_predict_relations` on lists of words."""

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        logger.remove()
        self.model = load(Path(options["checkpoint"]), options["device"])
        if options["variant"] == "bf16":
            self.model.bfloat16()
        self.optimizer: torch.optim.Optimizer | None = None

    def predict(self, texts: list[dict[str, Any]], threshold: float) -> list[Any]:
        return self.model.batch_predict_relations(
            [text["words"] for text in texts],
            self.relation_types,
            threshold=threshold,
            ner=[self.entities(text) for text in texts],
            top_k=-1,
        )

    def in_order(self, predictions: list[Any]) -> list[list[Any]]:
        return [
            [[relation["head_pos"], relation["tail_pos"], relation["label"], relation["score"]] for relation in text]
            for text in predictions
        ]

    def threshold(self, quantile: float) -> dict[str, Any]:
        """A threshold above which `1 - quantile` of all scores lie, midway between two neighbouring ones."""
        scores = []
        for call in self.calls():
            examples = [{"tokenized_text": text["words"], "ner": self.entities(text)} for text in call]
            batch = self.model.collate_fn(examples, relation_types=self.relation_types, device=self.model.device)
            self.model.eval()
            with torch.no_grad():
                logits = self.model.compute_score(batch)[0]
            is_real = (batch["relations_idx"] != -1).all(-1).all(-1)
            scores.append(logits[is_real].float().sigmoid().cpu())
        return threshold_above(scores, quantile)

    def train_step(self, labels: list[int]) -> None:
        self.model.train()
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)
        self.optimizer.zero_grad()
        autocast = torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()
        with autocast:
            loss = self.loss(labels)
        loss.backward()
        self.optimizer.step()

    def evaluation_loss(self, labels: list[int]) -> dict[str, Any]:
        """The loss without dropout, for each (pair, relation type)."""
        self.model.eval()
        with torch.no_grad():
            total = self.loss(labels)
        return {"loss": total.item() / (2 * len(self.texts) * len(self.relation_types))}

    def loss(self, labels: list[int]) -> torch.Tensor:
        examples = []
        for text, label in zip(self.texts, labels):
            head, tail = (entity[:2] for entity in self.entities(text))
            relation = {
                "head": {"position": head},
                "tail": {"position": tail},
                "relation_text": self.relation_types[label],
            }
            examples.append({"tokenized_text": text["words"], "ner": self.entities(text), "relations": [relation]})
        batch = self.model.collate_fn(examples, relation_types=self.relation_types, device=self.model.device)
        return self.model.forward(batch)["total_loss"]

    @staticmethod
    def entities(text: dict[str, Any]) -> list[list[Any]]:
        """Inclusive ends."""
        return [[start, end - 1, "ENTITY", " ".join(text["words"][start:end])] for start, end in text["word_spans"]]


def load(folder: Path, device: str) -> GLiREL:
    return GLiREL._from_pretrained(
        model_id=str(folder),
        revision=None,
        cache_dir=None,
        force_download=False,
        proxies=None,
        resume_download=False,
        local_files_only=True,
        token=None,
        map_location=device,
    )


def make(folder: Path) -> None:
    """Makes `folder/encoder` and `folder/checkpoint` with seeded random weights."""
    settings = json.loads((folder / "settings.json").read_text())
    torch.manual_seed(settings["seed"])
    save_encoders(folder, settings, encoder=DebertaV2Config)
    encoder = folder / "encoder"
    model = GLiREL(argparse.Namespace(**settings["head"], model_name=str(encoder), device="cpu"))
    scale(model, settings)
    model.save_pretrained(folder / "checkpoint")


def scale(model: GLiREL, settings: dict[str, Any]) -> None:
    """Widens the relation types' last layer until scores are neither all alike nor all saturated."""
    examples = [{"tokenized_text": text["words"], "ner": OriginalWorker.entities(text)} for text in settings["texts"]]
    batch = model.collate_fn(examples, relation_types=settings["relation_types"], device="cpu")
    model.eval()
    with torch.no_grad():
        logits = model.compute_score(batch)[0]
        factor = LOGIT_SPREAD / logits.std()
        for parameter in model.prompt_rep_layer[-1].parameters():
            parameter.mul_(factor)


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]))
    else:
        serve(OriginalWorker)
