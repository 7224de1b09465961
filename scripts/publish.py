"""Write a trained model as a small checkpoint: weights stored in half precision, computed with in single precision.

Rounding to float16 changes scores in the third digit at most; the file is half as large. The configuration keeps
`dtype: float32`, so that the model is loaded for ordinary arithmetic, which is also the faster one on a CPU.

    python scripts/publish.py --model runs/glirel/model --output checkpoints/glirel-mini
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from glirel_transformers import GLiRELConfig
from glirel_transformers.modeling_glirel import head_for


def main() -> None:
    """Rounds, saves, and says how large the folder is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()

    head = head_for(GLiRELConfig.from_pretrained(args.model))
    model = head.from_pretrained(args.model, dtype=torch.float16)
    model.save_pretrained(args.output)
    file = args.output / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["dtype"] = config["encoder_config"]["dtype"] = "float32"
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in args.output.iterdir())
    print(f"{args.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
