"""GLiDRE's few-shot protocol (arXiv 2508.00757, Section 3.2): training on 1, 5, 10, … documents, five times each.

    python examples/documents/few_shot.py --train train_revised.json --dev dev_revised.json --test test_revised.json \
        --model runs/pretrained/model --output runs/few-shot

Five fixed subsets of the training documents: those of a seed are the first n of one shuffled list, so that each holds
the smaller ones. With `--numbers 0 …` the model is also measured as it is. What is finished is not done again.
"""

from __future__ import annotations

from protocol import arguments, run_protocol, run_script


def main() -> None:
    parser = arguments("GLiDRE's few-shot protocol.", max_steps=None, eval_steps=100)
    parser.add_argument(
        "--numbers", type=int, nargs="+", default=[1, 5, 10, 50, 100, 500, 1000], help="of training documents"
    )
    given = parser.parse_args()
    run_protocol(given, given.numbers)


if __name__ == "__main__":
    run_script(main)
