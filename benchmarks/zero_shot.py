"""Macro-F1 of relation classification: unseen relations of FewRel, and seen relations on held-out sentences.

Unseen: FewRel `val_wiki`, m = 5, 10, 15 relations of the published "ori" splits. The gold pair is given and the best
of the m relation types is the prediction. Besides the plain scores, the table shows them less each type's mean score
over sentences of the training set (`--background`), which is known before any test sentence.

Seen: held-out sentences of the training mixture's FewRel relations; the gold type competes with 24 others.

    python benchmarks/zero_shot.py --model checkpoints/glirel-mini --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from glirel_transformers import GLiRELForRelationClassification
from glirel_transformers.data import is_held_out, read_documents
from glirel_transformers.evaluation import (
    GoldPair,
    background_scores,
    best_candidates,
    gold_pairs,
    macro_f1,
    sample_candidates,
    score_gold_pairs,
)

NUM_CANDIDATES = 25
FEWREL = "fewrel64"  # start of the training mixture's source name of FewRel's 64 training relations


def relation_names(file: Path) -> dict[str, str]:
    """Names of the Wikidata properties that a file in the normalised format holds."""
    with lzma.open(file, "rt") as lines:
        relations = [relation for line in lines for relation in json.loads(line)["relations"]]
    return {relation["relation_id"]: relation["relation_text"] for relation in relations}


def evaluate_unseen(
    model: GLiRELForRelationClassification, args: argparse.Namespace, background: list[GoldPair]
) -> dict:
    pairs = gold_pairs(read_documents(args.data / "eval/fewrel.val_wiki.jsonl.xz"))
    names = relation_names(args.data / "eval/fewrel.val_wiki.jsonl.xz")
    results = {}
    for m in (5, 10, 15):
        split = json.loads((args.data / f"meta/zeroshot_splits/fewrel_rel2id/fewrel_rel2id_{m}_ori.json").read_text())
        types = [names[relation_id] for relation_id in split["test"]]
        chosen = [pair for pair in pairs if pair.relation_type in types]
        if args.limit:
            random.Random(0).shuffle(chosen)
            chosen = chosen[: args.limit]
        scores = score_gold_pairs(model, chosen, [types] * len(chosen), args.batch_size, desc=f"m = {m}")
        prior = background_scores(model, background, types, args.batch_size)
        candidates = [types] * len(chosen)
        results[f"unseen, m = {m}"] = {
            "sentences": len(chosen),
            "macro_f1": macro_f1(chosen, best_candidates(candidates, scores)),
            "macro_f1_less_background": macro_f1(chosen, best_candidates(candidates, [row - prior for row in scores])),
        }
    return results


def evaluate_seen(model: GLiRELForRelationClassification, args: argparse.Namespace, held_out: list[GoldPair]) -> dict:
    num_types = len({pair.relation_type for pair in held_out})
    candidates = sample_candidates(held_out, NUM_CANDIDATES)
    scores = score_gold_pairs(model, held_out, candidates, args.batch_size, desc="seen")
    return {
        f"seen, {num_types} relations, best of {NUM_CANDIDATES}": {
            "sentences": len(held_out),
            "macro_f1": macro_f1(held_out, best_candidates(candidates, scores)),
        }
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds train/, eval/ and meta/")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--background", type=int, default=256, help="training sentences for each type's mean score")
    parser.add_argument("--limit", type=int, help="test sentences of each split, for a quick look")
    parser.add_argument("--output", type=Path, help="also write the results as JSON")
    args = parser.parse_args()

    model = GLiRELForRelationClassification.from_pretrained(args.model)
    fewrel = [
        document
        for document in read_documents(args.data / "train/train_permissive.jsonl.xz")
        if (document.source or "").startswith(FEWREL)
    ]
    held_out = gold_pairs(document for document in fewrel if is_held_out(document))
    trained_on = gold_pairs(document for document in fewrel if not is_held_out(document))
    background = random.Random(0).sample(trained_on, min(args.background, len(trained_on)))

    start = time.perf_counter()
    results = evaluate_unseen(model, args, background) | evaluate_seen(model, args, held_out)
    table = Table("protocol", "sentences", "macro-F1", "less background")
    for name, figures in results.items():
        corrected = figures.get("macro_f1_less_background")
        table.add_row(
            name,
            f"{figures['sentences']:,}",
            f"{figures['macro_f1']:.3f}",
            "" if corrected is None else f"{corrected:.3f}",
        )
    Console().print(table)
    print(f"{time.perf_counter() - start:.0f} s")
    if args.output:
        args.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
