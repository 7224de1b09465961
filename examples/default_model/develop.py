"""Figures of a model on the fields that are kept out of training, with which everything is chosen.

Each field is asked for its own relations and entity types, of which most texts have few: first with its entities
given, then from texts alone.

    python examples/default_model/develop.py --model runs/default/model --data runs/default/data
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import average_precision_score
from tqdm import tqdm

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, read_documents
from glirel_transformers.evaluation import EndToEnd, EvaluationResult, Extraction

COLUMNS = {
    "F1": "relations, entities given, at the model's threshold",
    "best": "at the best threshold of all fields together",
    "AP": "average precision of the cells",
    "entities": "entities found, with their types, F1",
    "triples": "relations from text alone, with spans and types of both ends, F1",
}


def cells_of(result: EvaluationResult) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each cell, 0 where it was not scored, and whether it holds."""
    cells = result.cells()
    return np.nan_to_num(cells.probability.astype(np.float64)), cells.label == 1


def f1(probability: np.ndarray, holds: np.ndarray, threshold: float) -> float:
    """Micro-F1 of cells."""
    predicted = probability >= threshold
    return float(2 * (predicted & holds).sum() / max(predicted.sum() + holds.sum(), 1))


def calibration_error(probability: np.ndarray, holds: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: how far a probability is from the share that holds, on average over cells."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    members = [place == one for one in range(bins)]
    return float(
        sum(one.sum() * abs(probability[one].mean() - holds[one].mean()) for one in members if one.any())
        / len(probability)
    )


def measure(extract: RelationExtractor, documents: list[Document], batch_size: int) -> dict[str, EvaluationResult]:
    """Both protocols on the texts of one field."""
    relation_types, entity_types = documents[0].annotated_relation_types, documents[0].annotated_entity_types
    given = Extraction(relation_types=relation_types, batch_size=batch_size)
    alone = EndToEnd(relation_types=relation_types, entity_types=entity_types, batch_size=batch_size)
    return {"given": given.run(extract, documents), "alone": alone.run(extract, documents)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with field.NAME.jsonl.xz, as prepare.py writes"
    )
    parser.add_argument("--batch-size", type=int, default=8)
    args = parser.parse_args()
    files = sorted(args.data.glob("field.*.jsonl.xz"))
    if not files:
        parser.error(f"{args.data} has no field.*.jsonl.xz. Run prepare.py first.")
    extract = RelationExtractor(args.model)
    results = {
        file.name.split(".")[1]: measure(extract, list(read_documents(file)), args.batch_size)
        for file in tqdm(files, unit="field")
    }
    cells = {name: cells_of(one["given"]) for name, one in results.items()}
    probability, holds = (np.concatenate(parts) for parts in zip(*cells.values(), strict=True))
    thresholds = np.linspace(0.01, 0.99, 99)
    best = max(thresholds, key=lambda one: f1(probability, holds, one))
    table = Table("field", *COLUMNS)
    rows = {
        name: [
            one["given"].figures["micro_f1"],
            f1(*cells[name], best),
            float(average_precision_score(cells[name][1], cells[name][0])),
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
        f"{calibration_error(probability, holds):.4f}, where {holds.mean():.3f} of the cells hold",
        highlight=False,
    )


if __name__ == "__main__":
    main()
