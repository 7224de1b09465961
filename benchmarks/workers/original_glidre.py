"""GLiDRE's side of the comparison with it; runs in the original's own environment.

python -m workers.original_glidre        serves a checkpoint, see `common.py`
python -m workers.original_glidre make FOLDER    makes the encoders and the checkpoint from FOLDER/settings.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import glidre.base_model
import torch
from glidre import GLiDRE
from glidre.config import GLiDREConfig
from transformers import BertConfig, DebertaV2Config
from workers.common import LOGIT_SPREAD, Watch, Worker, mentions_of, save_encoders, serve, threshold_above


class OriginalGLiDREWorker(Worker):
    """`predict_tokenized_entities` on a list of words, one document a call: in a batch only its last one is right."""

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        self.model = load(Path(options["checkpoint"]), options["device"])
        if options["variant"] == "bf16":
            self.model.bfloat16()

    def prepare(
        self,
        texts: list[dict[str, Any]],
        relation_types: list[str],
        batch_size: int,
        keeps_types: bool = False,  # which this side cannot
    ) -> dict[str, Any]:
        return super().prepare(texts, relation_types, 1)

    def predict(self, texts: list[dict[str, Any]], threshold: float) -> list[Any]:
        return [
            self.model.predict_tokenized_entities(
                text["words"],
                self.relation_types,
                threshold=threshold,
                multi_label=True,
                mentions=entities(text),
            )
            for text in texts
        ]

    def probabilities(self) -> list[torch.Tensor]:
        """All scores of each document, `(pairs, relations)`; pairs are in row-major order, self pairs included."""
        found: list[torch.Tensor] = []
        hook = self.model.model.register_forward_hook(lambda _, __, output: found.append(output.logits[0]))
        try:
            self.predict(self.texts, 1.0)
        finally:
            hook.remove()
        return [logits.float().sigmoid().cpu() for logits in found]

    def threshold(self, quantile: float) -> dict[str, Any]:
        """A threshold above which `1 - quantile` of all scores lie."""
        return threshold_above(self.probabilities(), quantile)

    def compare(self, threshold: float) -> dict[str, Any]:
        """All scores above `threshold`, by the entities' positions: the results name entities by their spans."""
        predictions = []
        for text, scores in zip(self.texts, self.probabilities()):
            num_entities = len(text["word_spans"])
            rows, columns = (scores >= threshold).nonzero(as_tuple=True)
            values = scores[rows, columns].tolist()
            predictions.append(
                [
                    [*divmod(row, num_entities), self.relation_types[column], value]
                    for row, column, value in zip(rows.tolist(), columns.tolist(), values)
                ]
            )
        return {"predictions": predictions}

    def watch(self, watch: Watch) -> None:
        model = self.model.model
        watch.over(model.token_rep_layer.bert_layer, "forward", "encoder")
        watch.over(model.token_rep_layer.labels_encoder, "forward", "types")
        watch.over(glidre.base_model, "extract_word_embeddings", "words")
        watch.over(model.span_rep_layer, "forward", "pairs")
        watch.over(self.model.decoder, "decode", "decoding")


def entities(text: dict[str, Any]) -> list[dict[str, Any]]:
    """Entities as the original takes them, with inclusive ends."""
    return [
        {
            "id": number,
            "type": "ENTITY",
            "mentions": [
                {"start": start, "end": end - 1, "value": " ".join(text["words"][start:end])}
                for start, end in mentions_of(entity)
            ],
        }
        for number, entity in enumerate(text["word_spans"])
    ]


def load(folder: Path, device: str) -> GLiDRE:
    return GLiDRE._from_pretrained(
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
    """Makes `folder/encoder`, `folder/label_encoder` and `folder/checkpoint` with seeded random weights."""
    settings = json.loads((folder / "settings.json").read_text())
    torch.manual_seed(settings["seed"])
    save_encoders(folder, settings, encoder=DebertaV2Config, label_encoder=BertConfig)
    config = GLiDREConfig(
        model_name=str(folder / "encoder"), labels_encoder=str(folder / "label_encoder"), **settings["head"]
    )
    model = GLiDRE(config).eval()
    scale(model, settings)
    model.save_pretrained(folder / "checkpoint")


def scale(model: GLiDRE, settings: dict[str, Any]) -> None:
    """Widens the relation types' last layer until scores are neither all alike nor all saturated."""
    found: list[torch.Tensor] = []
    hook = model.model.register_forward_hook(lambda _, __, output: found.append(output.logits.flatten()))
    for text in settings["texts"]:
        model.predict_tokenized_entities(
            text["words"], settings["relation_types"], threshold=1.0, mentions=entities(text)
        )
    hook.remove()
    with torch.no_grad():
        factor = LOGIT_SPREAD / torch.cat(found).std()
        for parameter in model.model.prompt_rep_layer[-1].parameters():
            parameter.mul_(factor)


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]))
    else:
        serve(OriginalGLiDREWorker)
