"""Figures of a model on the fields that are kept out of training, with which everything is chosen.

Each field is asked for its own relations and entity types, of which most texts have few: first with its entities
given, then from texts alone.

    python examples/default_model/develop.py --model runs/default/model --data runs/default/data
    python examples/default_model/develop.py --model runs/default/model --data runs/default/data --fit

`--fit` writes into the model's `config.json` what makes its probabilities true over all fields (a temperature and a
bias), and the thresholds of relations and of entities with the best F1, for texts that it was not trained on.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from glirel_transformers import RelationExtractor
from glirel_transformers.calibration_glirel import ScoreCalibration
from glirel_transformers.data import Document, read_documents
from glirel_transformers.evaluation import EndToEnd, EvaluationResult, Extraction
from glirel_transformers.evaluation.reliability import calibration_error, count_bins
from glirel_transformers.evaluation.scaling import fit_scaling

ENTITY_THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
THRESHOLDS = np.linspace(0.01, 0.99, 99)
EPSILON = 1e-7
COLUMNS = {
    "F1": "relations, entities given, at the model's threshold",
    "best": "at the best threshold of all fields together",
    "AP": "average precision of the cells",
    "type": "of pairs that are related, those whose highest score is of a type that holds",
    "entities": "entities found, with their types, F1",
    "triples": "relations from text alone, with spans and types of both ends, F1",
}


def cells_of(result: EvaluationResult) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each cell, 0 where it was not scored, and whether it holds."""
    cells = result.cells()
    return np.nan_to_num(cells.probability.astype(np.float64)), cells.label == 1


def right_types(result: EvaluationResult) -> float:
    """The share of pairs with a relation for which a type that holds scores highest."""
    cells, (probability, holds) = result.cells(), cells_of(result)
    _, pair = np.unique(np.stack([cells.document, cells.head, cells.tail]), axis=1, return_inverse=True)
    highest, related = np.full(pair.max() + 1, -1.0), np.zeros(pair.max() + 1, bool)
    np.maximum.at(highest, pair, probability)
    np.logical_or.at(related, pair, holds)
    right = np.unique(pair[holds & (probability == highest[pair])])
    return len(right) / max(int(related.sum()), 1)


def f1(probability: np.ndarray, holds: np.ndarray, threshold: float) -> float:
    """Micro-F1 of cells."""
    predicted = probability >= threshold
    return float(2 * (predicted & holds).sum() / max(predicted.sum() + holds.sum(), 1))


def ece(probability: np.ndarray, holds: np.ndarray) -> float:
    """Expected calibration error of cells."""
    return calibration_error(count_bins(torch.from_numpy(probability), torch.from_numpy(holds)))


def measure(extract: RelationExtractor, documents: list[Document], batch_size: int) -> dict[str, EvaluationResult]:
    """Both protocols on the texts of one field."""
    relation_types, entity_types = _types(documents)
    given = Extraction(relation_types=relation_types, batch_size=batch_size)
    alone = EndToEnd(relation_types=relation_types, entity_types=entity_types, batch_size=batch_size)
    return {"given": given.run(extract, documents), "alone": alone.run(extract, documents)}


def best_threshold(probability: np.ndarray, holds: np.ndarray) -> float:
    """That of the best micro-F1 of cells."""
    return float(max(THRESHOLDS, key=lambda one: f1(probability, holds, one)))


def fit(fields: dict[str, list[Document]], model: str, batch_size: int) -> dict[str, Any]:
    """What is to stand in the configuration of a model: `calibration`, `threshold`, `entity_threshold`."""
    extract = RelationExtractor(model)
    extract.model.config.calibration = None
    found, entities = [], dict.fromkeys(ENTITY_THRESHOLDS, 0.0)
    for documents in tqdm(fields.values(), desc="fitting", unit="field"):
        relation_types, entity_types = _types(documents)
        found.append(
            cells_of(Extraction(relation_types=relation_types, batch_size=batch_size).run(extract, documents))
        )
        for threshold in ENTITY_THRESHOLDS:
            alone = EndToEnd(
                relation_types=relation_types,
                entity_types=entity_types,
                entity_threshold=threshold,
                batch_size=batch_size,
            )
            entities[threshold] += alone.run(extract, documents).figures["entities_strict_micro_f1"]
    probability, holds = (np.concatenate(parts) for parts in zip(*found, strict=True))
    logits = torch.logit(torch.from_numpy(probability), eps=EPSILON)
    scaling = fit_scaling(logits, torch.from_numpy(holds), "temperature+bias")
    calibrated = torch.sigmoid(scaling(logits)).numpy()
    measured = {
        "ece_before": ece(probability, holds),
        "ece_after": ece(calibrated, holds),
    }
    return {
        "calibration": ScoreCalibration(scaling.temperature, scaling.bias, measured=measured).to_dict(),
        "threshold": best_threshold(calibrated, holds),
        "entity_threshold": max(entities, key=lambda one: entities[one]),
    }


def _types(documents: list[Document]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    relation_types, entity_types = documents[0].annotated_relation_types, documents[0].annotated_entity_types
    assert relation_types is not None  # prepare.py writes both
    assert entity_types is not None
    return relation_types, entity_types


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with field.NAME.jsonl.xz, as prepare.py writes"
    )
    parser.add_argument("--fit", action="store_true", help="write calibration and thresholds into the model")
    parser.add_argument("--batch-size", type=int, default=8)
    args = parser.parse_args()
    files = sorted(args.data.glob("field.*.jsonl.xz"))
    if not files:
        parser.error(f"{args.data} has no field.*.jsonl.xz. Run prepare.py first.")
    fields = {file.name.split(".")[1]: list(read_documents(file)) for file in files}
    if args.fit:
        fitted = fit(fields, args.model, args.batch_size)
        file = Path(args.model) / "config.json"
        settings = json.loads(file.read_text(encoding="utf-8")) | fitted
        file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    extract = RelationExtractor(args.model)
    results = {
        name: measure(extract, documents, args.batch_size)
        for name, documents in tqdm(fields.items(), desc="measuring", unit="field")
    }
    cells = {name: cells_of(one["given"]) for name, one in results.items()}
    probability, holds = (np.concatenate(parts) for parts in zip(*cells.values(), strict=True))
    best = best_threshold(probability, holds)
    table = Table("field", *COLUMNS)
    rows = {
        name: [
            one["given"].figures["micro_f1"],
            f1(*cells[name], best),
            float(average_precision_score(cells[name][1], cells[name][0])),
            right_types(one["given"]),
            one["alone"].figures["entities_strict_micro_f1"],
            one["alone"].figures["triples_strict_micro_f1"],
        ]
        for name, one in results.items()
    }
    rows["mean of fields"] = np.mean(list(rows.values()), axis=0).tolist()
    for name, figures in rows.items():
        table.add_row(name, *(f"{figure:.3f}" for figure in figures))
    console = Console()
    console.print(table)
    for name, meaning in COLUMNS.items():
        console.print(f"[bold]{name}[/bold]: {meaning}", highlight=False)
    console.print(
        f"All cells together: average precision {average_precision_score(holds, probability):.3f}, F1 "
        f"{f1(probability, holds, best):.3f} at the best threshold {best:.2f}; expected calibration error "
        f"{ece(probability, holds):.4f}, where {holds.mean():.3f} of the cells hold",
        highlight=False,
    )


if __name__ == "__main__":
    main()
