"""This package's side of the comparison with GLiNER-Relex: entities and relations from raw texts; see `common.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from workers.common import Watch, entity_rows, serve
from workers.ours import OurWorker

from glirel_transformers import GLiRELForJointExtraction


class RawTextWorker(OurWorker):
    """The model on strings. Variants are those of [`OurWorker`]."""

    model_class = GLiRELForJointExtraction

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
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
        found = []
        for start in range(0, len(texts), self.batch_size):
            output = self.read([text["text"] for text in texts[start : start + self.batch_size]])
            likely = (output.logits.float().sigmoid() > threshold) & output.pair_mask.unsqueeze(-1)
            found += [own.nonzero().tolist() for own in likely]
        return found

    def read(self, texts: list[str], entities: list[list[tuple[int, int]]] | None = None) -> Any:
        batch = self.tokenizer(
            texts, entity_types=self.entity_types, relation_types=self.relation_types, entities=entities, padding=True
        ).to(self.device)
        if entities is None:
            for name in ("mention_word_spans", "mention_mask", "pair_index", "pair_mask"):
                batch.pop(name, None)
        with torch.inference_mode():
            return self.model(**batch, entity_threshold=self.entity_threshold)

    def compare(self, threshold: float, candidates: list[list[list[int]]]) -> dict[str, Any]:
        """All logits, of entities and of the relations of `candidates`, half-open word spans."""
        predictions = []
        for start in range(0, len(self.texts), self.batch_size):
            texts, own = (part[start : start + self.batch_size] for part in (self.texts, candidates))
            output = self.read(
                [text["text"] for text in texts], [char_spans(*one) for one in zip(texts, own, strict=True)]
            )
            for place, (text, spans) in enumerate(zip(texts, own, strict=True)):
                rows = entity_rows(
                    output.entity_logits[place].float(), len(text["words"]), self.model.config.entity_finder == "span"
                )
                mask = output.pair_mask[place]
                pairs = zip(output.pair_index[place][mask].tolist(), output.logits[place][mask].tolist(), strict=True)
                for (head, tail), logits in pairs:
                    rows += (
                        [spans[head], spans[tail], name, logit]
                        for name, logit in zip(self.relation_types, logits, strict=True)
                    )
                predictions.append(rows)
        return {"predictions": predictions}

    def watch(self, watch: Watch) -> None:
        """The model's stages."""
        super().watch(watch)
        glirel = self.model.glirel
        watch.over(self.model, "forward", "model")
        watch.over(glirel, "encode", "encode")
        watch.over(glirel, "find_entities", "finding entities")

    def parts(self, threshold: float) -> dict[str, Any]:
        """Seconds of a pass in each part of it, which together are `all`."""
        seconds = super().parts(threshold)["seconds"]
        parts = {
            "encoder": seconds["encoder"],
            "words and types": seconds["encode"] - seconds["encoder"],
            "finding entities": seconds["finding entities"],
            "pairs and scores": seconds["model"] - seconds["encode"] - seconds["finding entities"],
            "around the model": seconds["all"] - seconds["model"],
        }
        return {"seconds": {**parts, "all": seconds["all"]}}


def char_spans(text: dict[str, Any], word_spans: list[list[int]]) -> list[tuple[int, int]]:
    """Half-open word spans of a text as character spans."""
    starts = [0]
    for word in text["words"]:
        starts.append(starts[-1] + len(word) + 1)
    return [(starts[first], starts[end] - 1) for first, end in word_spans]


if __name__ == "__main__":
    serve(RawTextWorker)
