"""GLiNER-Relex's side of the comparison with it; runs in the original's own environment.

python -m workers.original_relex        serves a checkpoint, see `common.py`
python -m workers.original_relex make FOLDER    makes the encoder and the checkpoint from FOLDER/settings.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from gliner import GLiNER
from transformers import DebertaV2Config
from transformers.utils import ModelOutput
from workers.common import LOGIT_SPREAD, Watch, Worker, answer_of, entity_rows, save_encoders, serve, threshold_above

ENTITY_SPREAD = LOGIT_SPREAD / 2  # the likeliest spans are far out, where a sigmoid must still tell them apart


class OriginalRelexWorker(Worker):
    """`inference` on strings, with its defaults but for the thresholds."""

    batches_itself = True

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.model = GLiNER.from_pretrained(options["checkpoint"], map_location=options["device"])
        if options["variant"] == "bf16":
            self.model.to(torch.bfloat16)
        self.entity_types: list[str] = []
        self.entity_threshold = 0.5

    def prepare(
        self,
        texts: list[dict[str, Any]],
        relation_types: list[str],
        batch_size: int,
        entity_types: Sequence[str] = ("person",),
        entity_threshold: float | None = None,
    ) -> dict[str, Any]:
        self.entity_types = list(entity_types)
        self.entity_threshold = 1.0 if entity_threshold is None else entity_threshold
        return super().prepare(texts, relation_types, batch_size)

    def predict(self, texts: list[dict[str, Any]], threshold: float) -> list[Any]:
        """Entities and relations of each text, as a pair of lists."""
        entities, relations = self.model.inference(
            [text["text"] for text in texts],
            self.entity_types,
            self.relation_types,
            threshold=self.entity_threshold,
            relation_threshold=threshold,
            batch_size=self.batch_size,
        )
        return list(zip(entities, relations))

    @property
    def scores_spans(self) -> bool:
        """Whether logits are of spans; else they are of words, as parts of them."""
        return self.model.config.span_mode != "token_level"

    def outputs(self) -> Iterator[tuple[dict[str, Any], ModelOutput, int]]:
        """Each text, with the model's output of its batch, and its place in that."""
        kept: list[ModelOutput] = []
        hook = self.model.model.register_forward_hook(lambda _, __, output: kept.append(output))
        try:
            for call in self.calls():
                self.predict(call, 1.0)
        finally:
            hook.remove()
        starts = range(0, len(self.texts), self.batch_size)
        for start, output in zip(starts, kept, strict=True):
            for place, text in enumerate(self.texts[start : start + self.batch_size]):
                yield text, output, place

    def candidate_threshold(self, num_entities: int) -> dict[str, Any]:
        """The threshold of entities at which texts have so many candidates on average, midway between two scores."""
        scores = torch.cat([self.span_scores(*found).max(-1).values.flatten() for found in self.outputs()])
        count = num_entities * len(self.texts)
        return threshold_above([scores], 1 - count / len(scores))

    def span_scores(self, text: dict[str, Any], output: ModelOutput, place: int) -> torch.Tensor:
        """How likely each span is an entity of each type, `(words, widths, types)`; 0 beyond the text."""
        num_words = len(text["words"])
        probabilities = output.logits[place, :num_words].float().sigmoid()
        if self.scores_spans:
            widths = torch.arange(probabilities.shape[1])
            is_real = torch.arange(num_words).unsqueeze(1) + widths < num_words
            return probabilities * is_real.unsqueeze(-1)
        starts, ends, inside = probabilities.unbind(-1)
        least = inside
        scores = starts.new_zeros(num_words, num_words, starts.shape[-1])
        for width in range(num_words):
            count = num_words - width
            least = torch.minimum(least[:count], inside[width:])
            scores[:count, width] = torch.minimum(torch.minimum(starts[:count], ends[width:]), least)
        return scores

    def threshold(self, quantile: float) -> dict[str, Any]:
        """A threshold above which `1 - quantile` of all relations of candidates lie."""
        return threshold_above(
            [output.rel_logits[place][output.rel_mask[place].bool()].sigmoid() for _, output, place in self.outputs()],
            quantile,
        )

    def compare(self, threshold: float) -> dict[str, Any]:
        """Logits of entities, scores of candidates' relations, candidates as half-open spans, and what a user gets."""
        predictions, candidates = [], []
        for text, output, place in self.outputs():
            spans = [(start, end + 1) for start, end in output.entity_spans[place].tolist()]
            real = output.rel_mask[place].bool()
            scores = {
                (spans[head], spans[tail]): of_pair
                for (head, tail), of_pair in zip(
                    output.rel_idx[place][real].tolist(), output.rel_logits[place][real].float().sigmoid().tolist()
                )
                # A span of two types is two candidates, and in padding there are some as well.
                if spans[head] != spans[tail] and max(spans[head][1], spans[tail][1]) <= len(text["words"])
            }
            candidates.append(sorted({span for pair in scores for span in pair}))
            rows = entity_rows(output.logits[place], len(text["words"]), self.scores_spans)
            for pair, of_pair in scores.items():
                rows += ([*pair, name, score] for name, score in zip(self.relation_types, of_pair))
            predictions.append(rows)
        answers = [answer_of(*found) for call in self.calls() for found in self.predict(call, 0.0)]
        return {"predictions": predictions, "candidates": candidates, "answers": answers}

    def watch(self, watch: Watch) -> None:
        watch.over(self.model.model.token_rep_layer, "forward", "encoder")


def make(folder: Path) -> None:
    """Makes `folder/encoder` and `folder/checkpoint` with seeded random weights."""
    settings = json.loads((folder / "settings.json").read_text())
    torch.manual_seed(settings["seed"])
    save_encoders(folder, settings, encoder=DebertaV2Config)
    model = GLiNER.from_config({"model_name": str(folder / "encoder"), **settings["head"]})
    model.save_pretrained(folder / "checkpoint", safe_serialization=True)
    worker = OriginalRelexWorker({"checkpoint": str(folder / "checkpoint"), "device": "cpu", "variant": "fp32"})
    scale(worker, settings)
    worker.model.save_pretrained(folder / "checkpoint", safe_serialization=True)


def scale(worker: OriginalRelexWorker, settings: dict[str, Any]) -> None:
    """Changes layers until scores are neither all alike nor all saturated, and differ within each text.

    Otherwise nearly all candidates of all texts would be in one of them.
    """
    request = {name: settings[name] for name in ("relation_types", "entity_types")}
    model = worker.model.model
    worker.prepare(settings["texts"], batch_size=1, **request)
    if worker.scores_spans:
        center(worker, model.span_rep_layer.span_rep_layer.out_project[-1])
        entities = model.prompt_rep_layer[-1]
    else:
        center(worker, model.scorer.proj_token)
        entities = model.scorer.out_mlp[-1]
    worker.prepare(settings["texts"][:16], batch_size=1, **request)
    widen(entities, ENTITY_SPREAD, [output.logits for _, output, _ in worker.outputs()])
    threshold = worker.candidate_threshold(settings["num_entities"])["threshold"]
    worker.prepare(settings["texts"][:16], batch_size=1, entity_threshold=threshold, **request)
    logits = [output.rel_logits[output.rel_mask.bool()] for _, output, _ in worker.outputs()]
    widen(model.pair_rep_layer[-1], LOGIT_SPREAD, logits)


def widen(layer: torch.nn.Linear, spread: float, logits: Sequence[torch.Tensor]) -> None:
    """Gives logits that are linear in what a layer gives a standard deviation."""
    factor = spread / torch.cat([own.flatten() for own in logits]).std()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(factor)


def center(worker: OriginalRelexWorker, layer: torch.nn.Linear) -> None:
    """Takes the mean of each of the worker's texts out of what a layer gives, and gives it a deviation of 1."""
    found: list[torch.Tensor] = []
    hook = layer.register_forward_hook(lambda _, __, states: found.append(states.flatten(0, -2)))
    list(worker.outputs())
    hook.remove()
    means = torch.stack([states.mean(0) for states in found])
    directions = torch.linalg.svd(means, full_matrices=False).Vh
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter -= directions.T @ (directions @ parameter)
        widen(layer, 1.0, [states - states @ directions.T @ directions for states in found])


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]))
    else:
        serve(OriginalRelexWorker)
