"""Write training texts for relation extraction from plain text, without any annotation (an inverse cloze task).

From a sentence with two names, one or two content words near them are taken away and become the relation type that
holds between the two: "Marie Curie [was born] in Warsaw" teaches that `born` fits this pair and that words taken from
other sentences do not. In some of the texts the words stay, which teaches to look for a type's own words. The names of
relations are many thousands of words, and not the few hundred of annotated corpora.

Output is the library's own JSON-lines schema. Which direction a word means is unknown here, so the reverse pair is
left out of training (`"exhaustive": false`).

    python examples/pretraining/synthesize.py --corpus "corpus/*.txt.xz" --output runs/synthetic.jsonl --limit 200000
"""

from __future__ import annotations

import argparse
import glob
import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from corpus import read_texts
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from tqdm.auto import tqdm

from glirel_transformers.data.schema import Document, Mention, Relation

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
WORD = re.compile(r"\w+|[^\w\s]")


def read_sentences(files: list[str]) -> Iterator[list[str]]:
    for document in read_texts(files):
        for sentence in SENTENCE.split(document):
            words = WORD.findall(sentence)
            if 10 <= len(words) <= 45:
                yield words


def find_names(words: list[str]) -> list[tuple[int, int]]:
    """Half-open word spans of capitalised runs, without the sentence's first word unless its run continues."""
    spans, start = [], None
    for position, word in enumerate([*words, "."]):
        if word[0].isupper() and word.lower() not in ENGLISH_STOP_WORDS:
            start = position if start is None else start
        elif start is not None:
            if start > 0 or position > 1:
                spans.append((start, position))
            start = None
    return spans


def count_words(files: list[str], limit: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for number, words in enumerate(tqdm(read_sentences(files), desc="count words", unit=" sentences", total=limit)):
        if number == limit:
            break
        counts.update(word for word in words if word.islower() and len(word) > 2)
    return counts


def choose_label(
    words: list[str], head: tuple[int, int], tail: tuple[int, int], fits: set[str]
) -> tuple[int, int] | None:
    """A content word between the names or right next to them, with its neighbour if that is one too."""
    candidates = [
        position
        for position in range(max(0, head[0] - 4), min(len(words), tail[1] + 4))
        if words[position] in fits and not (head[0] <= position < head[1] or tail[0] <= position < tail[1])
    ]
    if not candidates:
        return None
    start = random.choice(candidates)
    two = start + 1 in candidates and random.random() < 0.4
    return start, start + 1 + two


def make_document(words: list[str], fits: set[str], excluded: set[str], keep: float) -> Document | None:
    names = find_names(words)
    if len(names) < 2:
        return None
    first = random.randrange(len(names) - 1)
    head, tail = names[first], names[first + 1]
    label = choose_label(words, head, tail, fits)
    if label is None or tail[0] - head[1] > 18:
        return None
    name = " ".join(words[slice(*label)])
    if name in excluded:
        return None
    if random.random() >= keep:
        words = words[: label[0]] + words[label[1] :]
        gone = label[1] - label[0]
        head, tail = ((start - gone, end - gone) if start >= label[1] else (start, end) for start, end in (head, tail))
    mentions = [Mention(*head), Mention(*tail)]
    if random.random() < 0.5:
        relation = Relation(0, 1, name)
    else:
        relation = Relation(1, 0, name)
    return Document(words=words, mentions=mentions, relations=[relation], exhaustive=False, source="inverse cloze")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", required=True, help="glob of text files (.txt or .txt.xz)")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200_000, help="how many texts are written")
    parser.add_argument("--per-type", type=int, default=60, help="how many texts a relation type gets at most")
    parser.add_argument("--keep", type=float, default=0.3, help="share of texts that keep the words taken as type")
    parser.add_argument("--exclude", type=Path, help="JSON list of relation names that must never be a type")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    random.seed(args.seed)
    files = sorted(glob.glob(args.corpus))
    if not files:
        raise SystemExit(f"--corpus {args.corpus!r} matches no file")
    excluded = set(json.loads(args.exclude.read_text())) if args.exclude else set()
    excluded |= {word for name in excluded for word in name.split()}
    counts = count_words(files, 400_000)
    fits = {
        word
        for word, count in counts.items()
        if count >= 20 and word not in ENGLISH_STOP_WORDS and word not in excluded
    }
    uses: Counter[str] = Counter()
    with args.output.open("w", encoding="utf-8") as output:
        progress = tqdm(total=args.limit, desc="write", unit=" texts")
        for words in read_sentences(files):
            document = make_document(words, fits, excluded, args.keep)
            if document is None or uses[document.relations[0].relation_type] >= args.per_type:
                continue
            uses[document.relations[0].relation_type] += 1
            output.write(json.dumps(document.to_dict(), ensure_ascii=False) + "\n")
            progress.update()
            if progress.n >= args.limit:
                break
    print(f"{sum(uses.values()):,} texts with {len(uses):,} relation types")


if __name__ == "__main__":
    main()
