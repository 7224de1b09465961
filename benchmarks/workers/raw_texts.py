"""This package's side of the comparison with GLiNER-Relex: entities and relations from raw texts; see `common.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from workers.common import Watch, answer_of, entity_rows, serve
from workers.ours import OurWorker

from glirel_transformers import GLiRELForJointExtraction
from glirel_transformers.finding_glirel import BatchDecoder
from glirel_transformers.outputs_glirel import GLiRELJointExtractionOutput


class RawTextWorker(OurWorker):
    """`pipeline("relation-extraction")` on strings. Variants are those of [`OurWorker`]."""

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
        """Entities and relations of each text."""
        strings = [text["text"] for text in texts]
        return self.extract(
            strings[0] if self.batch_size == 1 else strings,
            batch_size=self.batch_size,
            entity_types=self.entity_types,
            relation_types=self.relation_types,
            entity_threshold=self.entity_threshold,
            threshold=threshold,
            return_entities=True,
        )

    def read(self, texts: list[dict[str, Any]], word_spans: list[list[list[int]]]) -> GLiRELJointExtractionOutput:
        """What the model makes of texts with entities that are given."""
        batch = self.tokenizer(
            [text["text"] for text in texts],
            entity_types=self.entity_types,
            relation_types=self.relation_types,
            entities=[char_spans(*one) for one in zip(texts, word_spans, strict=True)],
            padding=True,
        ).to(self.device)
        with torch.inference_mode():
            return self.model(**batch)

    def compare(self, threshold: float, candidates: list[list[list[int]]]) -> dict[str, Any]:
        """Logits of entities, scores of the relations of `candidates`, half-open spans, and what a user gets."""
        predictions: list[list[Any]] = []
        for start in range(0, len(self.texts), self.batch_size):
            texts, own = (part[start : start + self.batch_size] for part in (self.texts, candidates))
            output = self.read(texts, own)
            for place, (text, spans) in enumerate(zip(texts, own, strict=True)):
                rows = entity_rows(
                    output.entity_logits[place].float(), len(text["words"]), self.model.config.entity_finder == "span"
                )
                mask = output.pair_mask[place]
                scores = output.logits[place][mask].float().sigmoid()
                for (head, tail), of_pair in zip(
                    output.pair_index[place][mask].tolist(), scores.tolist(), strict=True
                ):
                    rows += (
                        [spans[head], spans[tail], name, score]
                        for name, score in zip(self.relation_types, of_pair, strict=True)
                    )
                predictions.append(rows)
        answers = [text for call in self.calls() for text in self.answer(call)]
        return {"predictions": predictions, "answers": [answer_of(**own) for own in answers]}

    def answer(self, texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What a user gets of each text, with all relations."""
        found = self.predict(texts, 0.0)
        return [found] if self.batch_size == 1 else found

    def watch(self, watch: Watch) -> None:
        """The model's stages."""
        super().watch(watch)
        glirel = self.model.glirel
        watch.over(self.model, "forward", "model")
        watch.over(glirel, "encode", "encode")
        watch.over(glirel, "form_spans", "spans and scores")
        watch.over(glirel, "find_entities", "spans and scores")
        watch.over(BatchDecoder, "__call__", "decoding")

    def parts(self, threshold: float) -> dict[str, Any]:
        """Seconds of a pass in each part of it, which together are `all`."""
        seconds = super().parts(threshold)["seconds"]
        encoder, encode, spans, decoding, model = (
            seconds[name] for name in ("encoder", "encode", "spans and scores", "decoding", "model")
        )
        parts = {
            "encoder": encoder,
            "words and types": encode - encoder,
            "spans and scores": spans,
            "decoding": decoding,
            "pairs and scores": model - encode - spans - decoding,
            "around the model": seconds["all"] - model,
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
