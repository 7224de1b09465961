"""Names of a package that are loaded when they are asked for (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from importlib.util import find_spec


def loader_of(
    package: str, homes: Mapping[str, str], need_torch: Collection[str] = (), hint: str = ""
) -> Callable[[str], object]:
    """The `__getattr__` of a package.

    Args:
        package: its `__name__`.
        homes: for each name, the module in the package that defines it.
        need_torch: modules that need torch. Where it is not installed, their names are an `ImportError`.
        hint: what that error says as well.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] in need_torch and find_spec("torch") is None:
            raise ImportError(f"{name} needs torch, which is not installed: pip install torch{hint}")
        return getattr(import_module(f".{homes[name]}", package), name)

    return load
