"""Write a trained model as a small checkpoint: weights stored in half precision, computed with in single precision.

Rounding to float16 changes scores in the third digit at most; the file is half as large. The configuration keeps
`dtype: float32`, so that the model is loaded for ordinary arithmetic, which is also the faster one on a CPU.

    python scripts/publish.py --model runs/glirel/model --output checkpoints/glirel-mini
    python scripts/publish.py --model runs/default/model --output checkpoints/glirel-small --latin

`--latin` leaves out the embeddings of WordPieces in other scripts than Latin and Greek, and those that BERT keeps for
nobody. Words in these scripts become [UNK]; all others score as before.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from glirel_transformers import GLiRELConfig
from glirel_transformers.modeling_glirel import head_for

_EMBEDDINGS = "glirel.encoder.embeddings.word_embeddings.weight"
_SCRIPTS = ("LATIN", "GREEK")
_OF_ONE_MACHINE = ("is_local", "local_files_only")


def _is_read(token: str) -> bool:
    """Whether a WordPiece can stand in a text of Latin or Greek letters."""
    if token.startswith("[unused"):
        return False
    letters = [letter for letter in token.removeprefix("##") if unicodedata.category(letter).startswith("L")]
    return token.startswith("[") or all(
        letter.isascii() or unicodedata.name(letter, "").split(" ")[0] in _SCRIPTS for letter in letters
    )


def drop_other_scripts(folder: Path) -> int:
    """Takes tokens out of a checkpoint's vocabulary and embeddings; the others keep their order and their vectors.

    Returns:
        How many were taken out.
    """
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    added = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    tokens = tokenizer["model"]["vocab"] | added
    kept = [token for token in sorted(tokens, key=tokens.__getitem__) if token in added or _is_read(token)]
    place = {token: index for index, token in enumerate(kept)}
    tokenizer["model"]["vocab"] = {token: place[token] for token in kept if token in tokenizer["model"]["vocab"]}
    for one in tokenizer["added_tokens"]:
        one["id"] = place[one["content"]]
    for name, one in tokenizer["post_processor"]["special_tokens"].items():
        one["ids"] = [place[name]]
    file.write_text(json.dumps(tokenizer, ensure_ascii=False) + "\n", encoding="utf-8")

    weights = load_file(folder / "model.safetensors")
    weights[_EMBEDDINGS] = weights[_EMBEDDINGS][[tokens[token] for token in kept]].contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["encoder_config"]["vocab_size"] = len(kept)
    config["encoder_config"]["pad_token_id"] = place["[PAD]"]
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return len(tokens) - len(kept)


def main() -> None:
    """Rounds, saves, and says how large the folder is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--latin", action="store_true", help="leave out tokens of scripts other than Latin and Greek")
    args = parser.parse_args()

    head = head_for(GLiRELConfig.from_pretrained(args.model))
    model = head.from_pretrained(args.model, dtype=torch.float16)
    model.save_pretrained(args.output)
    file = args.output / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["dtype"] = config["encoder_config"]["dtype"] = "float32"
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    file = args.output / "tokenizer_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings = {name: value for name, value in settings.items() if name not in _OF_ONE_MACHINE}
    file.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if args.latin:
        print(f"{drop_other_scripts(args.output):,} tokens left out")
    size = sum(path.stat().st_size for path in args.output.iterdir())
    print(f"{args.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
