"""What annotations call a mention, where that is not its words joined by spaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from glirel_transformers.data.schema import Mention


def named(mention: Mention, names: Iterable[object], words: Sequence[object]) -> Mention:
    """The mention with its names; as it is where its only name is its words, or none is known.

    Args:
        mention: without names.
        names: as the annotation has them: several where it lists the mention more than once.
        words: of the document.
    """
    known = tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))
    joined = " ".join(map(str, words[mention.start : mention.end]))
    return mention if known in ((), (joined,)) else replace(mention, names=known)
