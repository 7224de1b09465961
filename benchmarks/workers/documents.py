"""This package's side of the comparison with GLiDRE: documents with entities of several mentions; see `common.py`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from torch import Tensor
from workers.common import Watch, mentions_of, serve
from workers.ours import OurWorker

from glirel_transformers import RelationExtractor
from glirel_transformers.pairs_glirel import PairContext


class DocumentWorker(OurWorker):
    """`RelationExtractor` on strings. Variants are those of [`OurWorker`]."""

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.keeps_types = True
        self.extractor = RelationExtractor(self.model)

    def prepare(
        self, texts: list[dict[str, Any]], relation_types: list[str], batch_size: int, keeps_types: bool = True
    ) -> dict[str, Any]:
        self.keeps_types = keeps_types
        return super().prepare(texts, relation_types, batch_size)

    def predict(self, texts: list[dict[str, Any]], threshold: float) -> list[Any]:
        """Scores self pairs as well, as the original always does."""
        return self._extract(texts, threshold=threshold)

    def _extract(self, texts: list[dict[str, Any]], **options: Any) -> list[Any]:
        items = [
            {
                "text": text["text"],
                "entities": [{"mentions": [tuple(span) for span in mentions_of(own)]} for own in text["char_spans"]],
            }
            for text in texts
        ]
        # Another extractor knows nothing of the calls before.
        extractor = self.extractor if self.keeps_types else RelationExtractor(self.model)
        return extractor(
            items, relation_types=self.relation_types, self_pairs=True, batch_size=self.batch_size, **options
        )

    def compare(self, threshold: float) -> dict[str, Any]:
        """All scores from `threshold` on, by the entities' positions."""
        predictions = []
        for call in self.calls():
            for found in self._extract(call, return_scores=True):
                rows, columns = (found.scores >= threshold).nonzero()
                predictions.append(
                    [
                        [
                            *found.pair_index[row].tolist(),
                            self.relation_types[column],
                            float(found.scores[row, column]),
                        ]
                        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
                    ]
                )
        return {"predictions": predictions}

    def watch(self, watch: Watch) -> None:
        """The model's stages; those of the context, which is made in portions, one by one."""
        super().watch(watch)
        glirel = self.model.glirel
        watch.over(self.model, "encode_relation_types", "types")
        watch.over(glirel, "forward", "model")
        watch.over(glirel, "encode", "encode")
        watch.over(glirel, "represent_entities", "entities")
        if glirel.pair_context is None:
            return

        def weights_made(context: PairContext, weights: Tensor) -> None:
            # The product of equation 6 is made once more, to know its time, which is then no part of the pass.
            start = watch.now()
            weights @ context.words
            watch.seconds["context product"] += watch.now() - start

        def context_made(context: PairContext) -> None:
            watch.over(context, "weights", "context weights", lambda weights: weights_made(context, weights))
            watch.over(context, "ends", "context ends")

        watch.over(glirel.pair_context, "forward", "context entities", context_made)

    def parts(self, threshold: float) -> dict[str, Any]:
        """Seconds of a pass in each part of it, which together are `all`."""
        seconds = defaultdict(float, super().parts(threshold)["seconds"])
        product = seconds["context product"]  # made once in the pass, and once more to know its time
        equations_5_6 = seconds["context weights"] + product
        equations_7_8 = seconds["context ends"] - product - equations_5_6 + seconds["context entities"]
        whole, model = seconds["all"] - product, seconds["model"] - product
        parts = {
            "encoder": seconds["encoder"],
            "types": seconds["types"],
            "words and entities": seconds["encode"] - seconds["encoder"] + seconds["entities"],
            "equations 5 and 6": equations_5_6,
            "equations 7 and 8": equations_7_8,
        }
        parts["pairs and scores"] = model - sum(own for name, own in parts.items() if name != "types")
        parts["around the model"] = whole - model - seconds["types"]
        return {"seconds": {**parts, "all": whole}}


if __name__ == "__main__":
    serve(DocumentWorker)
