"""Why extraction succeeds or fails: where the scores of related pairs lie, and those of each kind of unrelated pair.

Entities are given, every ordered pair is asked for every relation type, and a threshold decides. Of each set of data:

- F1 at the model's own threshold, at the best one for all types, and at the best one of each type (both are bounds:
  they see the labels);
- how far the typical score of a type wanders, and how much of all scores the type alone or the pair alone explains;
- of each kind of cell that does not hold, how many there are, how often one scores above a cell of the same type that
  holds, its part of the loss, and its part of what is wrongly predicted at the best threshold;
- of each type, the same in one line.

    python benchmarks/extraction.py --model checkpoints/glirel-mini --data data/eval/conll04.test.jsonl.xz \
        --data data/eval/crossre.dev.jsonl.xz --limit 400
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score, roc_auc_score

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, read_documents
from glirel_transformers.evaluation import EvaluationResult, Extraction, make_baseline
from glirel_transformers.evaluation.report.sensitivity import direction
from glirel_transformers.evaluation.results import Cells
from glirel_transformers.evaluation.thresholds import Fit, ThresholdCounts

KINDS = {
    "swapped": "the type holds with head and tail swapped",
    "another type": "another of the types holds for this pair",
    "same head": "the type holds for this head and another tail",
    "same tail": "the type holds for this tail and another head",
    "elsewhere": "the type holds between two others of this text",
    "fitting labels": "the type is not in this text, but its ends elsewhere have these labels",
    "unrelated": "the type is not in this text, and never joins these labels",
}
EPSILON = 1e-6


def kinds_of(result: EvaluationResult, cells: Cells) -> np.ndarray:
    """The kind of each cell, as a position in `KINDS`; −1 where the relation holds. The first that fits counts."""
    holding = cells.label == 1
    by_document: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)  # (document, type): pairs
    labels: dict[int, set[tuple[str | None, str | None]]] = defaultdict(set)  # of the ends of a type
    related: set[tuple[int, int, int]] = set()
    for document, head, tail, relation in zip(*(part[holding].tolist() for part in cells[:4]), strict=True):
        by_document[document, relation].add((head, tail))
        related.add((document, head, tail))
        labels[relation].add(_labels_of(result, document, head, tail))
    kinds = np.full(len(cells.label), -1)
    number_of = {name: number for number, name in enumerate(KINDS)}
    wrong = np.flatnonzero(~holding)
    for row in wrong.tolist():
        document, head, tail, relation = (int(part[row]) for part in cells[:4])
        pairs = by_document.get((document, relation), set())
        if (tail, head) in pairs:
            kind = "swapped"
        elif (document, head, tail) in related:
            kind = "another type"
        elif any(head == one for one, _ in pairs):
            kind = "same head"
        elif any(tail == other for _, other in pairs):
            kind = "same tail"
        elif pairs:
            kind = "elsewhere"
        elif _labels_of(result, document, head, tail) in labels[relation]:
            kind = "fitting labels"
        else:
            kind = "unrelated"
        kinds[row] = number_of[kind]
    return kinds


def _labels_of(result: EvaluationResult, document: int, head: int, tail: int) -> tuple[str | None, str | None]:
    mentions = result.documents[document].document.mentions
    return mentions[head].label, mentions[tail].label


def analyse(result: EvaluationResult) -> dict[str, Any]:
    """All figures of one model on one set of data."""
    cells = result.cells()
    scored = ~np.isnan(cells.probability)
    unscored = int((~scored & (cells.label == 1)).sum())
    cells = Cells(*(part[scored] for part in cells))
    kinds = kinds_of(result, cells)
    holds = kinds < 0
    probability = cells.probability.astype(np.float64).clip(EPSILON, 1 - EPSILON)
    logit = np.log(probability) - np.log1p(-probability)
    loss = -np.log(np.where(holds, probability, 1 - probability))
    assert result.counts is not None  # of this protocol
    threshold, best_f1 = result.counts.best("micro") or Fit(1.0, 0.0)
    by_type = {
        name: _type_figures(holds[chosen], probability[chosen], logit[chosen], kinds[chosen])
        for number, name in enumerate(result.relation_types)
        if (holds & (chosen := cells.relation == number)).any()
    }
    right = sum(one["oracle_right"] for one in by_type.values())
    predicted = sum(one["oracle_predicted"] for one in by_type.values())
    wrong = ~holds & (probability >= threshold)
    swapped = direction(result)[0].share_as_high
    return {
        "types": len(by_type),
        "documents": len(result.documents),
        "cells": len(holds),
        "holding": int(holds.sum()) + unscored,
        "threshold": result.threshold,
        "own_f1": result.figures["micro_f1"],
        "own_precision": result.figures["micro_precision"],
        "own_recall": result.figures["micro_recall"],
        "best_threshold": threshold,
        "best_f1": best_f1,
        "best_f1_by_type": 2 * right / (predicted + int(holds.sum()) + unscored),
        "average_precision": float(average_precision_score(holds, probability)),
        "type_means": _deviation([one["unrelated_mean"] for one in by_type.values()]),
        "explained_by_type": _explained(logit[~holds], cells.relation[~holds]),
        "explained_by_pair": _explained(logit[~holds], _pair_numbers(cells)[~holds]),
        "direction": float("nan") if swapped is None else 1 - swapped,
        "loss_of_holding": float(loss[holds].sum() / loss.sum()),
        "kinds": {
            name: {
                "share": float((kinds == number).sum() / (~holds).sum()),
                "above_holding": _above_holding(cells.relation, logit, holds, kinds == number),
                "share_of_loss": float(loss[kinds == number].sum() / loss.sum()),
                "share_of_wrong": float((wrong & (kinds == number)).sum() / max(int(wrong.sum()), 1)),
            }
            for number, name in enumerate(KINDS)
            if (kinds == number).any()
        },
        "by_type": by_type,
    }


def _type_figures(holds: np.ndarray, probability: np.ndarray, logit: np.ndarray, kinds: np.ndarray) -> dict[str, Any]:
    counts = ThresholdCounts(1, threshold=1.0)
    counts.add(torch.from_numpy(probability), torch.from_numpy(holds.astype(int)), torch.zeros(1))
    threshold, f1 = counts.best("micro") or Fit(1.0, 0.0)
    right, predicted, _ = counts.by_type(threshold)[0].tolist()
    swapped = kinds == list(KINDS).index("swapped")
    return {
        "holding": int(holds.sum()),
        "holding_mean": float(logit[holds].mean()),
        "unrelated_mean": float(logit[~holds].mean()) if (~holds).any() else float("nan"),
        "unrelated_deviation": float(logit[~holds].std()) if (~holds).any() else float("nan"),
        "swapped_mean": float(logit[swapped].mean()) if swapped.any() else float("nan"),
        "average_precision": float(average_precision_score(holds, logit)),
        "best_threshold": threshold,
        "best_f1": f1,
        "oracle_right": right,
        "oracle_predicted": predicted,
    }


def _deviation(values: list[float]) -> float:
    return float(np.nanstd(values)) if values else float("nan")


def _explained(values: np.ndarray, groups: np.ndarray) -> float:
    """The part of the variance of `values` that lies between groups."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    means = np.bincount(group, values) / sizes
    variance = values.var()
    return float((sizes * (means - values.mean()) ** 2).sum() / len(values) / variance) if variance else float("nan")


def _pair_numbers(cells: Cells) -> np.ndarray:
    return np.unique(np.stack([cells.document, cells.head, cells.tail], 1), axis=0, return_inverse=True)[1]


def _above_holding(types: np.ndarray, logit: np.ndarray, holds: np.ndarray, chosen: np.ndarray) -> float:
    """How often a chosen cell scores above one of its type that holds: 1 less the area under the ROC curve."""
    areas, weights = [], []
    for number in np.unique(types[chosen]):
        mine = types == number
        one, other = mine & holds, mine & chosen
        if one.any() and other.any():
            both = one | other
            areas.append(1 - roc_auc_score(holds[both], logit[both]))
            weights.append(int(other.sum()))
    return float(np.average(areas, weights=weights)) if areas else float("nan")


def show(console: Console, name: str, figures: dict[str, Any], most_types: int) -> None:
    """Prints the tables of one set of data."""
    console.print(f"\n[bold]{name}[/bold]: {figures['holding']:,} of {figures['cells']:,} cells hold")
    table = Table("", "value")
    for label, value in (
        (f"F1 at its own threshold, {figures['threshold']:.3f}", figures["own_f1"]),
        (f"F1 at the best threshold, {figures['best_threshold']:.3f}", figures["best_f1"]),
        ("F1 at the best threshold of each type", figures["best_f1_by_type"]),
        ("average precision", figures["average_precision"]),
        ("deviation of the mean logit of types, where they do not hold", figures["type_means"]),
        ("variance of logits explained by the type", figures["explained_by_type"]),
        ("variance of logits explained by the pair", figures["explained_by_pair"]),
        ("right way round", figures["direction"]),
        ("loss of cells that hold", figures["loss_of_holding"]),
    ):
        table.add_row(label, f"{value:.3f}")
    console.print(table)
    table = Table("does not hold", "cells", "above one that holds", "of the loss", "of what is wrong")
    for kind, one in figures["kinds"].items():
        table.add_row(
            kind, *(f"{one[key]:.1%}" for key in ("share", "above_holding", "share_of_loss", "share_of_wrong"))
        )
    console.print(table)
    table = Table("type", "holds", "mean logit", "swapped", "not", "± ", "AP", "threshold", "F1")
    ranked = sorted(figures["by_type"].items(), key=lambda item: -item[1]["holding"])
    for type_name, one in ranked[:most_types]:
        columns = ("holding_mean", "swapped_mean", "unrelated_mean", "unrelated_deviation")
        table.add_row(
            type_name,
            str(one["holding"]),
            *(f"{one[key]:.1f}" for key in columns),
            *(f"{one[key]:.2f}" for key in ("average_precision", "best_threshold", "best_f1")),
        )
    console.print(table)


def read(paths: list[str], limit: int | None) -> dict[str, list[Document]]:
    """The documents of each file, at most `limit` of them, evenly spread."""
    data = {}
    for path in paths:
        documents = list(read_documents(path))
        step = max(len(documents) // limit, 1) if limit else 1
        data[Path(path).name.removesuffix(".xz").removesuffix(".jsonl")] = documents[::step][:limit]
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a checkpoint, or baseline:NAME")
    parser.add_argument("--data", action="append", required=True, help="a file of documents; may be repeated")
    parser.add_argument("--limit", type=int, help="documents of each file, evenly spread")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--types", type=int, default=25, help="how many types are shown")
    parser.add_argument("--output", type=Path, help="also write all figures as JSON")
    args = parser.parse_args()
    is_baseline = args.model.startswith("baseline:")
    model = make_baseline(args.model.removeprefix("baseline:")) if is_baseline else RelationExtractor(args.model)
    console = Console(width=120)
    found = {}
    for name, documents in read(args.data, args.limit).items():
        found[name] = analyse(Extraction(batch_size=args.batch_size).run(model, documents))
        show(console, name, found[name], args.types)
    if args.output:
        args.output.write_text(json.dumps({"model": args.model, "data": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
