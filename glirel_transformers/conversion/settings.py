"""Settings under two names, those of another package and those here: one list, read in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from glirel_transformers.configuration_glirel import GLiRELConfig

REQUIRED = object()
Value: TypeAlias = "str | bool | int | float | None"  # of a setting, there and here


@dataclass(frozen=True)
class Setting:
    """A setting of the other package and the field of [`GLiRELConfig`] that it becomes.

    Args:
        original: its key in the configuration file there.
        ours: the field here.
        values: each value there with its value here; `None` where they are the same.
        default: what the other package takes when the key is absent.
    """

    original: str
    ours: str
    values: Mapping[str | bool, Value] | None = None
    default: object = None

    def translate(self, original: Mapping[str, Any], config_name: str) -> Value:
        """The value here, from the content of the configuration file there.

        Raises:
            ValueError: when the other package does not know the value.
        """
        value = original.get(self.original, self.default)
        if self.values is None:
            return value
        if value is None and self.default is not REQUIRED:
            value = self.default
        if not isinstance(value, (str, bool)) or value not in self.values:
            known = ", ".join(map(repr, self.values))
            raise ValueError(f"`{self.original}` in {config_name} must be one of {known}: got {value!r}.")
        return self.values[value]

    def translate_back(self, value: Value) -> Value:
        """The value there, of a value here that has one."""
        return value if self.values is None else {ours: there for there, ours in self.values.items()}[value]


def check_counterparts(config: GLiRELConfig, settings: Iterable[Setting], always: Mapping[str, Value]) -> None:
    """Checks that the other package can express a configuration.

    Args:
        config: the configuration.
        settings: what it can choose.
        always: fields here whose value it cannot choose, with that value.

    Raises:
        ValueError: when it cannot; the message lists what has no counterpart.
    """
    problems = []
    for setting in settings:
        if setting.values is not None and (value := getattr(config, setting.ours)) not in setting.values.values():
            known = ", ".join(map(repr, setting.values.values()))
            problems.append(f"{setting.ours}={value!r} (it has counterparts of {known})")
    problems += [
        f"{name}={getattr(config, name)!r} (with these settings always {value!r})"
        for name, value in always.items()
        if getattr(config, name) != value
    ]
    if problems:
        raise ValueError(
            f"The original package has no counterpart of {'; '.join(problems)}. Only models with the original's "
            "settings can be written in its format."
        )
