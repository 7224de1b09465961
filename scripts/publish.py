"""Write a trained model as a small checkpoint: weights stored in half precision, computed with in single precision.

Rounding to float16 changes scores in the third digit at most; the file is half as large. The configuration keeps
`dtype: float32`, so that the model is loaded for ordinary arithmetic, which is also the faster one on a CPU.

    python scripts/publish.py --model runs/glirel/model --output checkpoints/glirel-mini
    python scripts/publish.py --model runs/default/model --output checkpoints/glirel-small --latin --tokens 25200 \
        --texts runs/default/data/train.jsonl.xz

`--latin` leaves out the embeddings of WordPieces in other scripts than Latin and Greek, and those that BERT keeps for
nobody. Words in these scripts become [UNK]; all others score as before. `--tokens` leaves out the rarest words, which
are then read in pieces: first those that no text of `--texts` has in lower case, which are mostly names, and with
which no other word begins.
"""

from __future__ import annotations

import argparse
import json
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from glirel_transformers import GLiRELConfig
from glirel_transformers.data import read_documents
from glirel_transformers.modeling_glirel import head_for
from glirel_transformers.requests_glirel import readable_name

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


def _is_word(token: str) -> bool:
    """Whether a WordPiece is a word of several letters, for which there are pieces."""
    return len(token) > 1 and token.isalpha()


def common_words(file: Path, tokenizer: Tokenizer) -> set[str]:
    """Words that stand in lower case in the documents of a file or in their names of types, and beginnings of others.

    A word that a vocabulary does not have is read in pieces, of which the first looks like a word.
    """
    words: set[str] = set()
    for document in read_documents(file):
        names = [*(document.annotated_entity_types or ()), *(document.annotated_relation_types or ())]
        names += [one.relation_type for one in document.relations]
        words.update(document.words, *(readable_name(name).split() for name in names))
    lower = {word for word in words if word.islower()}
    pieces = (one.tokens for one in tokenizer.encode_batch(sorted(words), add_special_tokens=False))
    return lower | {found[0] for found in pieces if len(found) > 1}


def choose_tokens(
    tokens: Mapping[str, int],
    added: Collection[str],
    latin: bool,
    number: int | None,
    common: Collection[str] = (),
) -> list[str]:
    """The tokens that a vocabulary keeps, in its order.

    Args:
        tokens: with their numbers; words that are rarer have higher ones.
        added: special ones, which are kept.
        latin: whether other scripts than Latin and Greek are left out.
        number: of tokens to keep at most; the rarest words go.
        common: words that go last.
    """
    kept = [one for one in sorted(tokens, key=tokens.__getitem__) if one in added or not latin or _is_read(one)]
    words = sorted((one for one in kept if _is_word(one)), key=lambda one: (one not in common, tokens[one]))
    too_many = 0 if number is None else max(len(kept) - number, 0)
    rarest = set(words[len(words) - too_many :])
    return [one for one in kept if one not in rarest]


def shrink_vocabulary(folder: Path, latin: bool, number: int | None, common: Collection[str]) -> int:
    """Takes tokens out of a checkpoint's vocabulary and embeddings; the others keep their order and their vectors.

    Returns:
        How many were taken out.
    """
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text(encoding="utf-8"))
    added = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    tokens = tokenizer["model"]["vocab"] | added
    kept = choose_tokens(tokens, added, latin, number, common)
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
    parser.add_argument("--tokens", type=int, help="keep at most so many: the rarest words are read in pieces")
    parser.add_argument("--texts", type=Path, help="documents whose words in lower case go last")
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
    if args.latin or args.tokens is not None:
        tokenizer = Tokenizer.from_file(str(args.output / "tokenizer.json"))
        common = common_words(args.texts, tokenizer) if args.texts else ()
        print(f"{shrink_vocabulary(args.output, args.latin, args.tokens, common):,} tokens left out")
    size = sum(path.stat().st_size for path in args.output.iterdir())
    print(f"{args.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
