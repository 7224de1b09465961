"""What the default model is worth, on data that it was not trained on: the figures of its card.

- Classification: FewRel `val_wiki`, published "ori" splits; the pair is given, and the best of m unseen types wins.
- Extraction with the entities given, and from text alone: CoNLL04 test, CrossRE dev. All types of a set are asked of
  each text, and the model's own threshold decides.
- Entities: CrossNER test, each of the five domains asked for its own types.
- What scores depend on: the order of names, the direction; how far probabilities are from the truth.

    python benchmarks/default_model.py --model checkpoints/glirel-small --data data

`data` holds the normalised data sets (`eval/`, `meta/`). Intervals are the 2.5th and 97.5th percentile of 1,000 draws
of documents with replacement.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from glirel_transformers import RelationExtractor
from glirel_transformers.data import Document, read_documents
from glirel_transformers.evaluation import Classification, EndToEnd, EvaluationResult, Extraction
from glirel_transformers.evaluation.reliability import calibration_error, count_bins
from glirel_transformers.evaluation.report.bootstrap import FIGURES, document_counts, figures_of
from glirel_transformers.evaluation.report.sensitivity import direction, try_orders
from glirel_transformers.evaluation.zero_shot import read_splits

RESAMPLES = 1000
# Entity types that the sets write as abbreviations, or without spaces.
LABELS = {
    **{"Peop": "person", "Org": "organization", "Loc": "location", "Other": "other"},
    **{"politicalparty": "political party", "musicalartist": "musical artist", "musicgenre": "music genre"},
    **{"astronomicalobject": "astronomical object", "chemicalcompound": "chemical compound"},
    **{"chemicalelement": "chemical element", "literarygenre": "literary genre", "misc": "miscellaneous"},
    **{"academicjournal": "academic journal", "musicalinstrument": "musical instrument"},
    **{"programlang": "programming language"},
}
EXTRACTION = ("conll04.test", "crossre.dev")
Row = dict[str, Any]


def interval(result: EvaluationResult, figure: str, seed: int = 0) -> tuple[float, float]:
    """Of a figure of `FIGURES`, over documents."""
    counts = document_counts(result)
    generator = np.random.default_rng(seed)
    drawn = [
        figures_of(counts[generator.integers(len(counts), size=len(counts))].sum(0))[FIGURES.index(figure)]
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def row(what: str, result: EvaluationResult, name: str, figure: str | None = None) -> Row:
    """A figure of a result; with its interval where it is one of `figure` of the cells."""
    found: Row = {"what": what, "texts": len(result.documents), "value": result.figures[name]}
    if figure is not None:
        found["low"], found["high"] = interval(result, figure)
    return found


def with_readable_labels(document: Document) -> Document:
    """A document whose entity types are words."""
    return replace(
        document,
        mentions=[replace(one, label=LABELS.get(one.label or "", one.label)) for one in document.mentions],
    )


def classify(extract: RelationExtractor, data: Path, documents: list[Document], batch_size: int) -> list[Row]:
    """Macro-F1 of the best of m unseen relations."""
    splits = [one for one in read_splits(data / "meta/zeroshot_splits/fewrel_rel2id") if one.name == "ori"]
    result = Classification(splits=splits, batch_size=batch_size).run(extract, documents)
    return [row(f"FewRel, {run.row}, macro-F1", run, "macro_f1", "macro_f1") for run in result.runs]


def extract_relations(extract: RelationExtractor, name: str, documents: list[Document], batch_size: int) -> list[Row]:
    """Micro-F1 with given entities and end to end, and what scores depend on."""

    def ask(relation_types: list[str] | None = None) -> EvaluationResult:
        return Extraction(relation_types=relation_types, batch_size=batch_size).run(extract, documents)

    given = ask()
    cells = given.cells()
    scored = ~np.isnan(cells.probability)
    bins = count_bins(torch.from_numpy(cells.probability[scored]), torch.from_numpy(cells.label[scored] == 1))
    best = None if given.counts is None else given.counts.best("micro")
    swapped = direction(given)[0].share_as_high
    values = {
        "entities given, at the best threshold (sees the labels)": 0.0 if best is None else best.f1,
        "expected calibration error": calibration_error(bins),
        "largest change in another order": try_orders(ask, given, 1)[0].largest_change,
        **({} if swapped is None else {"right way round": 1 - swapped}),
    }
    rows = [
        row(f"{name}, entities given, micro-F1", given, "micro_f1", "micro_f1"),
        *({"what": f"{name}, {what}", "texts": len(documents), "value": value} for what, value in values.items()),
    ]
    alone = EndToEnd(batch_size=batch_size).run(extract, documents)
    return [
        *rows,
        row(f"{name}, from text alone, strict, micro-F1", alone, "triples_strict_micro_f1"),
        row(f"{name}, from text alone, boundaries, micro-F1", alone, "triples_boundaries_micro_f1"),
        row(f"{name}, entities, micro-F1", alone, "entities_strict_micro_f1"),
    ]


def find_entities(extract: RelationExtractor, documents: list[Document], batch_size: int) -> list[Row]:
    """Micro-F1 of each domain, and their mean."""
    domains: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        domains[document.source or ""].append(document)
    rows: list[Row] = []
    for name, texts in sorted(domains.items()):
        # A relation is asked for as well: the protocol is that of both.
        result = EndToEnd(relation_types=["related to"], batch_size=batch_size).run(extract, texts)
        rows.append(row(f"CrossNER, {name.split('_')[-1]}, entities, micro-F1", result, "entities_strict_micro_f1"))
    average = {"what": "CrossNER, mean of domains", "texts": len(documents), "value": mean(r["value"] for r in rows)}
    return [*rows, average]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds eval/ and meta/")
    parser.add_argument("--limit", type=int, help="texts of each set, for a quick look")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--output", type=Path, help="also write the figures as JSON")
    args = parser.parse_args()

    def read(name: str) -> list[Document]:
        documents = [with_readable_labels(one) for one in read_documents(args.data / f"eval/{name}.jsonl.xz")]
        return documents if args.limit is None else documents[:: max(len(documents) // args.limit, 1)][: args.limit]

    extract = RelationExtractor(args.model)
    start = time.perf_counter()
    rows = []
    for name in EXTRACTION:
        rows += extract_relations(extract, name, read(name), args.batch_size)
    if getattr(extract.model.config, "entity_finder", "none") != "none":
        rows += find_entities(extract, read("ner_crossner.test"), args.batch_size)
    rows += classify(extract, args.data, read("fewrel.val_wiki"), args.batch_size)
    table = Table("", "texts", "value", "95 %")
    for one in rows:
        span = f"{one['low']:.3f} – {one['high']:.3f}" if "low" in one else ""
        table.add_row(one["what"], f"{one['texts']:,}", f"{one['value']:.3f}", span)
    console = Console()
    console.print(table)
    console.print(f"threshold {extract.model.config.threshold:.3f}; {time.perf_counter() - start:.0f} s")
    if args.output:
        args.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
