"""Sentences of a document, and the ones that show a relation."""

from __future__ import annotations

from collections.abc import Sequence

from glirel_transformers.text_glirel import Span


def check_sentences(sentences: Sequence[Span], num_words: int) -> None:
    """Checks that sentences follow each other within a text. One may be empty: the others keep their numbers.

    Raises:
        ValueError: when one is out of range, or begins before the one before it ends.
    """
    before = 0
    for index, (start, end) in enumerate(sentences):
        if not before <= start <= end <= num_words:
            raise ValueError(
                f"`sentences[{index}]` is ({start}, {end}) in a text of {num_words} words, after a sentence that ends "
                f"at {before}. Sentences are half-open word spans, one after the other."
            )
        before = end


def check_evidence(evidence: Sequence[int], num_sentences: int, where: str) -> None:
    """Checks that the evidence of a relation, `where`, are numbers of sentences, each once.

    Args:
        evidence: the numbers.
        num_sentences: of the document; 0 where its sentences are not known.
        where: the relation, in errors.

    Raises:
        ValueError: when they are not.
    """
    for number in evidence:
        if number < 0 or 0 < num_sentences <= number:
            raise ValueError(
                f"`{where}` has the evidence {list(evidence)}, where {number} is not a sentence of the document. "
                f"Sentences are counted from 0{f' to {num_sentences - 1}' if num_sentences else ''}."
            )
    if len(set(evidence)) < len(evidence):
        raise ValueError(f"`{where}` has the evidence {list(evidence)}, which repeats a sentence. Name each once.")
