"""GLiDRE's few-shot protocol (arXiv 2508.00757, Section 3.2): training on 1, 5, 10, … documents, five times each.

    python examples/documents/few_shot.py --train train_revised.json --dev dev_revised.json --test test_revised.json \
        --model runs/pretrained/model --output runs/few-shot

Five fixed subsets of the training documents: those of a seed are the first n of one shuffled list, so that each holds
the smaller ones. With `--numbers 0 …` the model is also measured as it is. What is finished is not done again.
"""

from __future__ import annotations

import random

from protocol import Protocol, arguments, run_script


def updates(number: int, batch_size: int, accumulate: int) -> int:
    """Updates of the original for so many documents: epochs = min(30000 // n, 1000), and what they take."""
    batches = -(-number // batch_size)
    return max(batches * min(30_000 // number, 1000) // accumulate, 1)


def main() -> None:
    parser = arguments("GLiDRE's few-shot protocol.", max_steps=None, eval_steps=100)
    parser.add_argument(
        "--numbers", type=int, nargs="+", default=[1, 5, 10, 50, 100, 500, 1000], help="of training documents"
    )
    given = parser.parse_args()
    protocol = Protocol(given, "documents")
    if too_many := [number for number in given.numbers if not 0 <= number <= len(protocol.train)]:
        raise ValueError(f"--numbers has {too_many[0]}, but --train has {len(protocol.train)} documents.")
    for number in given.numbers:
        for seed in given.seeds if number else given.seeds[:1]:
            order = list(range(len(protocol.train)))
            random.Random(f"few-shot/{seed}").shuffle(order)
            steps = updates(number, given.batch_size, given.accumulate) if number else 0
            steps = steps if given.max_steps is None else min(steps, given.max_steps)
            protocol.run(str(number), seed, [protocol.train[place] for place in order[:number]], steps)
    protocol.show()


if __name__ == "__main__":
    run_script(main)
