"""Tensors under two names, those of another package and those here: one list of rules, read in both directions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rule:
    """A tensor of the other package and its counterpart, or counterparts.

    Several are always equal parts along one axis, so that `chunk` and `cat` undo each other bit for bit.

    Args:
        original: its name there. `{rest}` stands for anything, any other `{placeholder}` for one part of a name.
        ours: its names here; more than one where it is split.
        axis: the axis along which it is split.
    """

    original: str
    ours: tuple[str, ...]
    axis: int = 0

    def names_of(self, original: str) -> tuple[str, ...] | None:
        """The names here of the tensor that has the name `original` there; `None` when the rule is for others."""
        match = _pattern(self.original).fullmatch(original)
        return tuple(name.format(**match.groupdict()) for name in self.ours) if match else None

    def original_of(self, name: str) -> str | None:
        """The reverse of [`names_of`], from one name."""
        for ours in self.ours:
            if match := _pattern(ours).fullmatch(name):
                return self.original.format(**match.groupdict())
        return None


def _pattern(template: str) -> re.Pattern[str]:
    pattern = re.escape(template).replace(r"\{rest\}", "(?P<rest>.+)")
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\w+)", pattern))


def same(original: str, ours: str) -> Rule:
    """A tensor that is only renamed."""
    return Rule(original, (ours,))


def concat_feed_forward(original: str, ours: str) -> list[Rule]:
    """A network over two concatenated vectors: the columns of its first layer belong to the one or to the other."""
    return [
        Rule(f"{original}.0.weight", (f"{ours}.left.weight", f"{ours}.right.weight"), axis=1),
        same(f"{original}.0.bias", f"{ours}.left.bias"),
        same(f"{original}.3.{{kind}}", f"{ours}.output.{{kind}}"),
    ]


def layer_fusion(original: str, ours: str) -> list[Rule]:
    """What mixes the layers of an encoder, in GLiDRE and in GLiNER."""
    names = {"squeeze": "squeeze", "W1": "inner", "W2": "weights", "output_projection": "output"}
    return [same(f"{original}.{there}.{{kind}}", f"{ours}.{here}.{{kind}}") for there, here in names.items()]


@dataclass(frozen=True)
class Renaming:
    """All tensors of a package.

    Args:
        package: its name, for errors.
        rules: in the order of its state dictionary.
        unused: matches names of its tensors that have no counterpart here and are kept aside.
        cure: what to do when tensors do not fit, the end of an error.
    """

    package: str
    rules: tuple[Rule, ...]
    unused: re.Pattern[str]
    cure: str

    def originals(self, names: Iterable[str]) -> dict[str, Rule]:
        """The tensors there that make up `names` here, in the order of the rules, each with its rule.

        Raises:
            ValueError: when a name has no counterpart.
        """
        found: dict[str, tuple[int, Rule]] = {}
        unknown = []
        for name in names:
            matches = ((rule.original_of(name), place, rule) for place, rule in enumerate(self.rules))
            original, place, rule = next((match for match in matches if match[0] is not None), (None, 0, None))
            if original is None or rule is None:
                unknown.append(name)
            else:
                found.setdefault(original, (place, rule))
        if unknown:
            raise ValueError(f"These weights have no counterpart in {self.package}: {list_names(unknown)}.")
        return {name: rule for name, (_, rule) in sorted(found.items(), key=lambda item: item[1][0])}

    def to_ours(
        self, original: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Renames and splits the tensors of a checkpoint of the other package.

        Args:
            original: its state dictionary.
            shapes: names and shapes of all tensors that the model here has.

        Returns:
            The model's state dictionary; and what the checkpoint has in addition, under its own names.

        Raises:
            ValueError: when tensors are missing, left over, or of other shapes. The message lists them.
        """
        rules = self.originals(shapes)
        unused = {
            name: tensor for name, tensor in original.items() if name not in rules and self.unused.fullmatch(name)
        }
        parts_of = {name: rule.names_of(name) or () for name, rule in rules.items()}
        expected = {
            name: _whole_shape(shapes[parts_of[name][0]], rule.axis, len(parts_of[name]))
            for name, rule in rules.items()
        }
        self._check(original, expected, unused)
        ours: dict[str, Tensor] = {}
        for name, rule in rules.items():
            names, whole = parts_of[name], original[name]
            parts = (whole,) if len(names) == 1 else whole.chunk(len(names), dim=rule.axis)
            ours.update(zip(names, (part.contiguous() for part in parts), strict=True))
        return ours, unused

    def to_original(self, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The reverse of [`to_ours`]: the other package's state dictionary, in its order."""
        original = {}
        for name, rule in self.originals(ours).items():
            parts = [ours[part] for part in rule.names_of(name) or ()]
            original[name] = parts[0] if len(parts) == 1 else torch.cat(parts, dim=rule.axis)
        return original

    def _check(
        self,
        original: Mapping[str, Tensor],
        expected: Mapping[str, tuple[int, ...]],
        unused: Mapping[str, Tensor],
    ) -> None:
        problems = {
            "Missing": [name for name in expected if name not in original],
            "Unexpected": [name for name in original if name not in expected and name not in unused],
            "Of another shape": [
                f"{name} {tuple(original[name].shape)}, expected {shape}"
                for name, shape in expected.items()
                if name in original and tuple(original[name].shape) != shape
            ],
        }
        listed = [f"{what} ({len(names)}): {list_names(names)}." for what, names in problems.items() if names]
        if listed:
            raise ValueError(
                "The checkpoint's weights are not those that its settings and its encoder call for. "
                f"{' '.join(listed)} {self.cure}"
            )


def _whole_shape(part: torch.Size, axis: int, num_parts: int) -> tuple[int, ...]:
    """The shape of a tensor from that of its equal parts."""
    return tuple(size * num_parts if place == axis else size for place, size in enumerate(part))


def list_names(names: list[str], limit: int = 20) -> str:
    """`names` in one line; of very many the first, and how many more."""
    more = f"; and {len(names) - limit} more" if len(names) > limit else ""
    return "; ".join(names[:limit]) + more
