"""The protocols by which the three papers had language models make training data, as data.

| protocol | paper | requests for a text |
|---|---|---|
| `relations` | GLiREL, 3.6 and A.4 | relations of every pair of given entities |
| `joint` | GLiNER-Relex, 3.8, stage 1 | entities and relations together |
| `documents` | GLiDRE, 2.5 and A.1 | entities with all their mentions; then relations between them |
| `groups` | GLiNER-Relex, 3.8, stage 2, first pass | entities and relations, looked for by semantic groups |
| `corrected` | GLiNER-Relex, 3.8, stage 2 | the same, and then a pass that corrects it |

The prompts are our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Literal

from . import prompts
from .prompts import GROUPS, Schema

ProtocolName = Literal["relations", "joint", "documents", "groups", "corrected"]
Message = dict[str, str]


@dataclass(frozen=True)
class Pass:
    """One request for a text.

    Args:
        name: what the journal and the report call it.
        system: what the model is told for all texts.
        user: what it is asked, with `$text`, `$sentences`, `$entities`, `$draft` and `$groups` to be filled in.
        schema: the JSON schema of its answer.
    """

    name: str
    system: str
    user: str
    schema: Schema

    @property
    def gives(self) -> Sequence[str]:
        """What its answer holds: `entities`, `relations` or both."""
        return tuple(self.schema["properties"])

    def messages(self, values: Mapping[str, str], instructions: str | None = None) -> list[Message]:
        """The conversation that asks for it.

        Args:
            values: what is filled into the prompts.
            instructions: what the model is told besides, such as which domain the texts are of.
        """
        system = Template(self.system).safe_substitute(values)
        if instructions:
            system = f"{system}\n\n{instructions}"
        return [
            {"role": "system", "content": system},
            {"role": "user", "content": Template(self.user).safe_substitute(values)},
        ]


@dataclass(frozen=True)
class Protocol:
    """How training data is made of a text.

    Args:
        name: what users call it.
        paper: where it comes from.
        passes: the requests for a text, in order; each knows what the one before found.
        needs_entities: whether the entities of a text are given.
        by_sentence: whether mentions are told apart by their sentences, and relations have evidence.
        unit: what a text of a `.txt` file is by default.
    """

    name: ProtocolName
    paper: str
    passes: tuple[Pass, ...]
    needs_entities: bool = False
    by_sentence: bool = False
    unit: Literal["paragraph", "sentence", "document"] = "paragraph"


_GROUPED = Pass("extraction by groups", prompts.GROUPS_SYSTEM, prompts.GROUPS_USER, prompts.GROUPS_SCHEMA)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "relations",
            "GLiREL (arXiv 2501.03172), 3.6 and A.4",
            (Pass("relations", prompts.RELATIONS_SYSTEM, prompts.RELATIONS_USER, prompts.RELATIONS_SCHEMA),),
            needs_entities=True,
        ),
        Protocol(
            "joint",
            "GLiNER-Relex (arXiv 2605.10108), 3.8, stage 1",
            (Pass("entities and relations", prompts.JOINT_SYSTEM, prompts.JOINT_USER, prompts.JOINT_SCHEMA),),
            unit="sentence",
        ),
        Protocol(
            "documents",
            "GLiDRE (arXiv 2508.00757), 2.5 and A.1",
            (
                Pass("entities", prompts.CLUSTERS_SYSTEM, prompts.CLUSTERS_USER, prompts.CLUSTERS_SCHEMA),
                Pass("relations", prompts.FACTS_SYSTEM, prompts.FACTS_USER, prompts.FACTS_SCHEMA),
            ),
            by_sentence=True,
            unit="document",
        ),
        Protocol("groups", "GLiNER-Relex (arXiv 2605.10108), 3.8, stage 2, first pass", (_GROUPED,)),
        Protocol(
            "corrected",
            "GLiNER-Relex (arXiv 2605.10108), 3.8, stage 2",
            (
                _GROUPED,
                Pass("correction", prompts.CORRECTION_SYSTEM, prompts.CORRECTION_USER, prompts.GROUPS_SCHEMA),
            ),
        ),
    )
}
"""Protocols by name."""


def groups_as_text(groups: Mapping[str, str]) -> str:
    """Semantic groups as prompts show them."""
    return "\n".join(f"- {name}: {meaning}" if meaning else f"- {name}" for name, meaning in groups.items())


__all__ = ["GROUPS", "PROTOCOLS", "Message", "Pass", "Protocol", "ProtocolName", "groups_as_text"]
