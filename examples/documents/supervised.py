"""GLiDRE's supervised protocol (arXiv 2508.00757, Section 3.2): training on all documents, with five seeds.

    python examples/documents/supervised.py --train train_revised.json --dev dev_revised.json \
        --test test_revised.json --model runs/pretrained/model --output runs/supervised

What is finished is not done again.
"""

from __future__ import annotations

from protocol import arguments, run_protocol, run_script


def main() -> None:
    parser = arguments("GLiDRE's supervised protocol.", max_steps=10_000, eval_steps=500)
    run_protocol(parser.parse_args(), ["all"], takes_all_steps=True)


if __name__ == "__main__":
    run_script(main)
