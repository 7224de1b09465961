"""Tiny encoders, tokenizers and texts that tests share: made here, deterministic, never downloaded."""

from __future__ import annotations

import math
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, PreTrainedTokenizerFast

FAMILIES = ("bert", "roberta", "electra", "deberta-v2", "modernbert", "mpnet")
MAX_TOKENS = 128

TEXTS = [
    "Marie Curie was born in Warsaw.",
    "Ada Lovelace wrote the first program for the engine of Charles Babbage, her friend in London.",
    "Tokyo hosts Sony.",
]
ENTITIES = [
    [(0, 11), (24, 30)],  # Marie Curie, Warsaw
    [(0, 12), (55, 70), (86, 92)],  # Ada Lovelace, Charles Babbage, London
    [(0, 5), (12, 16)],  # Tokyo, Sony
]
RELATION_TYPES = ["place of birth", "spouse", "headquartered in"]

# Settings of a model, in groups that go together.
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "refined": {
        "num_pair_refinement_layers": 1,
        "num_relation_refinement_layers": 2,
        "num_refinement_heads": 4,
        "scorer": "dot_thresh",
        "subtoken_pooling": "first_last",
    },
    "lstm": {
        "use_lstm": True,
        "endpoint_projection": True,
        "scorer": "dot_norm",
        "subtoken_pooling": "mean",
        "relation_representation": "rel_token",
        "hidden_size": 24,
    },
    "marked": {
        "entity_markers": True,
        "mention_representation": "mean",
        "scorer": "concat_proj",
        "subtoken_pooling": "last",
        "relation_representation": "both",
        "max_pair_distance": 12,
    },
}

REFINED: dict[str, Any] = {
    "num_pair_refinement_layers": 1,
    "num_relation_refinement_layers": 2,
    "num_refinement_heads": 4,
}
GROUPS: dict[str, dict[str, Any]] = {
    **SETTINGS,
    # What converted checkpoints of the original package have.
    "converted": {
        **REFINED,
        "use_lstm": True,
        "endpoint_projection": True,
        "entity_markers": True,
        "marker_placement": "sequential",
        "refinement_self_attention": False,
        "refinement_feed_forward_multiplier": 1.5,
        "relation_refinement_sees_pairs": False,
        "subtoken_pooling": "sum",
        "coreference_classifier": True,
        "max_words": 60,
    },
}
# The settings with which a family's export is tested on every push: each family and each group is there once.
EXPORTED = dict(
    zip(FAMILIES, map(GROUPS.__getitem__, ("lstm", "converted", "marked", "plain", "refined", "plain")), strict=True)
)

_WORDS = (
    "the", "of", "in", "was", "born", "and", "to", "for", "place", "birth", "spouse", "marie", "curie", "warsaw",
    "tokyo", "london", "sony", "work", "found", "ed", "quarter", "head", "ada", "engine", "program", "friend", "city",
    "film",
)  # fmt: skip


def _word_piece() -> Tokenizer:
    """Lower-casing WordPiece, as BERT's and ELECTRA's: words, and single characters to spell everything else."""
    signs = "abcdefghijklmnopqrstuvwxyz0123456789.,;:!?'\"()[]/-&"
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs, *(f"##{sign}" for sign in signs), *_WORDS]
    backend = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return backend


def _byte_level(bos: str, eos: str, specials: list[str]) -> Tokenizer:
    """Byte-level BPE, as RoBERTa's and ModernBERT's: merges spell the words from left to right, after a space."""
    tokens = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = []
    for word in _WORDS:
        left = "Ġ"
        for letter in word:
            if (left, letter) not in merges:
                merges.append((left, letter))
                tokens.append(left + letter)
            left += letter
    vocabulary = {token: i for i, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocabulary, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} $B {eos}",
        special_tokens=[(bos, vocabulary[bos]), (eos, vocabulary[eos])],
    )
    return backend


def _unigram() -> Tokenizer:
    """Unigram over Metaspace, as DeBERTa-v3's: scored pieces, unknown characters, spaces collapsed."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"()[]/-&"
    pieces = [("[PAD]", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[UNK]", 0.0), ("▁", -4.0)]
    pieces += [(letter, -6.0) for letter in letters]
    pieces += [(f"▁{word}", -5.0) for word in _WORDS]
    backend = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return backend


def make_base_tokenizer(family: str) -> PreTrainedTokenizerFast:
    """A fast tokenizer of the kind that the family's encoders have."""
    names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"}
    if family in ("bert", "electra"):
        backend = _word_piece()
    elif family == "deberta-v2":
        backend = _unigram()
    elif family in ("roberta", "mpnet"):
        backend = _byte_level("<s>", "</s>", ["<s>", "<pad>", "</s>", "<unk>"])
        names = {"bos": "<s>", "eos": "</s>", "pad": "<pad>", "unk": "<unk>", "cls": "<s>", "sep": "</s>"}
    else:
        backend = _byte_level("[CLS]", "[SEP]", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=MAX_TOKENS,
        model_input_names=["input_ids", "attention_mask"],
        **{f"{name}_token": token for name, token in names.items()},
    )


def make_encoder_config(family: str, **settings: Any) -> Any:
    """Two layers of width 32. Weights are far larger than is usual, so that every input leaves its mark."""
    tokenizer = make_base_tokenizer(family)
    common = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": MAX_TOKENS + (2 if family in ("roberta", "mpnet") else 0),
        "initializer_range": 0.3,
    }
    of_family: dict[str, dict[str, Any]] = {
        "electra": {"embedding_size": 16},
        "deberta-v2": {
            "relative_attention": True,
            "position_buckets": 16,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
            "type_vocab_size": 0,
        },
        "modernbert": {
            "cls_token_id": tokenizer.cls_token_id,
            "sep_token_id": tokenizer.sep_token_id,
            "bos_token_id": tokenizer.cls_token_id,
            "eos_token_id": tokenizer.sep_token_id,
            "local_attention": 16,
            "global_attn_every_n_layers": 2,
        },
    }
    return AutoConfig.for_model(family, **{**common, **of_family.get(family, {}), **settings})


def fill_with_noise(model: torch.nn.Module) -> None:
    """Sets every weight to noise computed from its position, not drawn: the same on every machine and in every torch.

    Norms stay near the identity, and matrices keep the size of what passes them.
    """
    with torch.no_grad():
        for place, (name, parameter) in enumerate(sorted(model.named_parameters())):
            steps = torch.arange(parameter.numel(), dtype=torch.float64)
            noise = (torch.sin(steps * 12.9898 + place * 78.233) * 43758.5453).frac().reshape(parameter.shape)
            if parameter.ndim > 1:
                noise = noise * math.sqrt(3 / parameter.shape[1])
            elif "norm" in name.lower() and name.endswith("weight"):
                noise = 1 + 0.2 * noise
            parameter.copy_(noise)


def spread_scores(model: Any) -> None:
    """Weights behind the encoder with which the scores of a model that finds entities lie on both sides of 0.5."""
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            if parameter.ndim > 1 and not name.startswith("glirel.encoder."):
                parameter.copy_(torch.randn(parameter.shape, generator=draw) * 1.4 / math.sqrt(parameter.shape[1]))
        batch = model.tokenizer(
            TEXTS, entities=ENTITIES, entity_types=["person", "city"], relation_types=RELATION_TYPES, padding=True
        )
        base = model.glirel
        if (mentions := getattr(base.mention_representation, "feed_forward", None)) is not None:
            output = base(**batch)
            mentions.output.bias -= output.mention_states[output.mention_mask].mean(0)
        output = base(**batch)
        if (pairs := getattr(base.pair_representation, "feed_forward", None)) is not None:
            pairs.output.bias -= output.pair_states[output.pair_mask].mean(0)
        if model.config.entity_finder == "token":
            of_words = output.entity_logits[output.word_mask]
            base.entity_finder.output.bias -= of_words.flatten(0, 1).median(0).values
