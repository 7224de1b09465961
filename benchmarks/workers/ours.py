"""This package's side of the comparison: `pipeline("relation-extraction")` on strings; see `common.py`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from transformers import pipeline
from transformers.utils import logging
from workers.common import Watch, Worker, serve

import glirel_transformers  # noqa: F401 - registers the task
from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.heads_glirel import GLiRELHead

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class OurWorker(Worker):
    """Variants are `eager fp32`, `eager bf16`, `optimized fp32` and `optimized bf16`."""

    batches_itself = True
    model_class: type[GLiRELHead] = GLiRELForRelationClassification

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        model = self.load()
        self.model = model
        self.tokenizer = model.tokenizer
        self.extract = pipeline("relation-extraction", model=model, tokenizer=model.tokenizer, device=self.device)
        self.optimizer: torch.optim.Optimizer | None = None

    def load(self) -> GLiRELHead:
        """The model as the variant says."""
        kind, dtype = self.options["variant"].split()
        model = self.model_class.from_pretrained(self.options["checkpoint"]).to(self.device)
        if kind == "optimized":
            model = model.optimize_for_inference(dtype=None if dtype == "fp32" else DTYPES[dtype])
        elif dtype != "fp32":
            model = model.to(DTYPES[dtype])
        return model

    def predict(self, texts: list[dict[str, Any]], threshold: float) -> list[Any]:
        items = [{"text": text["text"], "entities": text["char_spans"]} for text in texts]
        settings = {"relation_types": self.relation_types, "threshold": threshold}
        if self.batch_size == 1:
            return [self.extract(item, **settings) for item in items]
        return self.extract(items, batch_size=self.batch_size, **settings)

    def in_order(self, predictions: list[Any]) -> list[list[Any]]:
        return [
            [_in_words(text["word_spans"], relation) for relation in relations]
            for text, relations in zip(self.texts, predictions, strict=True)
        ]

    def watch(self, watch: Watch) -> None:
        watch.over(self.model.glirel.encoder, "forward", "encoder")

    def operations(self, threshold: float) -> dict[str, Any]:
        """Floating-point operations of the workload's matrix products, and the device's best rate of them."""
        from torch.utils.flop_counter import FlopCounterMode

        with FlopCounterMode(display=False) as counter:
            for call in self.calls():
                self.predict(call, threshold)
        rates = {}
        for name, dtype in DTYPES.items():
            size = 8192 if self.device.type == "cuda" else 2048
            left = torch.ones(size, size, dtype=dtype, device=self.device)
            seconds = []
            for _ in range(5):
                start = self.now()
                left @ left
                seconds.append(self.now() - start)
            rates[name] = 2 * size**3 / min(seconds)
        return {"operations": counter.get_total_flops(), "rates": rates}

    def profile(self, threshold: float, rows: int) -> dict[str, Any]:
        """A table of where the time of one pass goes, by torch's profiler."""
        activities = [torch.profiler.ProfilerActivity.CPU]
        if self.device.type == "cuda":
            activities.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=activities) as profiler:
            for call in self.calls():
                self.predict(call, threshold)
        order = f"self_{self.device.type}_time_total"
        return {"table": profiler.key_averages().table(sort_by=order, row_limit=rows, max_name_column_width=60)}

    def train_step(self, labels: list[int]) -> None:
        self.model.train()
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5, fused=True)  # as GLiRELTrainer does
        self.optimizer.zero_grad()
        autocast = torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()
        with autocast:
            loss = self.loss(labels)
        loss.backward()
        self.optimizer.step()

    def evaluation_loss(self, labels: list[int]) -> dict[str, Any]:
        """The loss without dropout, which is a mean over (pair, relation type)."""
        self.model.eval()
        with torch.no_grad():
            return {"loss": self.loss(labels).item()}

    def loss(self, labels: list[int]) -> torch.Tensor:
        batch = self.tokenizer(
            [text["text"] for text in self.texts],
            entities=[text["char_spans"] for text in self.texts],
            relation_types=self.relation_types,
            padding=True,
            return_tensors="pt",
        ).to(self.device)
        targets = torch.zeros(len(labels), 2, len(self.relation_types), device=self.device)
        targets[torch.arange(len(labels)), 0, torch.tensor(labels)] = 1
        return self.model(**batch, labels=targets).loss


def _in_words(spans: list[list[int]], relation: dict[str, Any]) -> list[Any]:
    head, tail = (spans[relation[side]["index"]] for side in ("head", "tail"))
    return [head, tail, relation["relation"], relation["score"]]


if __name__ == "__main__":
    serve(OurWorker)
