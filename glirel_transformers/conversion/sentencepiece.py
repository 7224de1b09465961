"""Fast tokenizers from SentencePiece models, with their character map.

transformers rebuilds a DeBERTa tokenizer without the map of characters that the model file holds, so that "…", "½",
"ﬁ" or a no-break space become unknown. Encoders were trained with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
_UNIGRAM = 1
_CONTROL, _USER_DEFINED = 3, 4


@dataclass(frozen=True)
class SentencePieceModel:
    """What a tokenizer needs of a model file."""

    pieces: list[tuple[str, float, int]]  # text, score, type
    unknown_id: int
    model_type: int
    character_map: bytes


def read_model(file: str | Path) -> SentencePieceModel:
    """Reads a SentencePiece model.

    Its format is a protocol buffer: message `ModelProto` of `sentencepiece_model.proto`, of which six fields matter.

    Raises:
        ValueError: when the file is something else, or truncated.
    """
    pieces, unknown_id, model_type, character_map = [], 0, _UNIGRAM, b""
    try:
        for field, value in _fields(Path(file).read_bytes()):
            if field == 1:
                piece = dict(_fields(value))
                pieces.append((piece[1].decode(), piece.get(2, 0.0), piece.get(3, 1)))
            elif field == 2:
                trainer = dict(_fields(value))
                unknown_id, model_type = trainer.get(40, 0), trainer.get(3, _UNIGRAM)
            elif field == 3:
                character_map = dict(_fields(value)).get(2, b"")
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, struct.error):
        pieces = []
    if not pieces:
        raise ValueError(
            f"{str(file)!r} is not a SentencePiece model, or it is truncated. Copy the encoder's folder again."
        )
    return SentencePieceModel(pieces, unknown_id, model_type, character_map)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values of the fields of a protocol buffer message."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        value: Any
        if kind == _VARINT:
            value, place = _varint(message, place)
        elif kind == _BYTES:
            length, place = _varint(message, place)
            value, place = message[place : place + length], place + length
            if place > len(message):
                raise ValueError("truncated")
        elif kind in (_FIXED32, _FIXED64):
            form, size = ("<f", 4) if kind == _FIXED32 else ("<d", 8)
            (value,) = struct.unpack_from(form, message, place)
            place += size
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def deberta_backend(file: str | Path, *, lowercase: bool = False, split_by_punctuation: bool = False) -> Tokenizer:
    """The fast tokenizer of a DeBERTa-v2 or -v3 encoder from its `spm.model`, without the template around an input.

    Args:
        file: the SentencePiece model.
        lowercase: `do_lower_case` of the encoder's `tokenizer_config.json`.
        split_by_punctuation: `split_by_punct` there.

    Raises:
        ValueError: when the file cannot be read or is not a unigram model.
    """
    model = read_model(file)
    if model.model_type != _UNIGRAM:
        raise ValueError(
            f"{str(file)!r} is not a unigram model, the kind that DeBERTa's are. Add a tokenizer.json to the "
            "encoder's folder."
        )
    backend = Tokenizer(models.Unigram([(text, score) for text, score, _ in model.pieces], unk_id=model.unknown_id))
    backend.add_tokens(
        [
            AddedToken(text, normalized=False, special=kind == _CONTROL)
            for text, _, kind in model.pieces
            if kind in (_CONTROL, _USER_DEFINED)
        ]
    )
    backend.normalizer = normalizers.Sequence(
        [
            *([normalizers.Lowercase()] if lowercase else []),
            normalizers.Strip(),
            *([normalizers.Precompiled(model.character_map)] if model.character_map else []),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *([pre_tokenizers.Punctuation("isolated")] if split_by_punctuation else []),
            pre_tokenizers.Metaspace(prepend_scheme="always"),
        ]
    )
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    return backend
