"""Packages that only some functions need, and the extras that install them."""

from __future__ import annotations

from importlib.util import find_spec


def require_extra(extra: str, *packages: str) -> None:
    """Checks that packages are installed, without importing them.

    Args:
        extra: of this distribution, which installs them.
        packages: names as they are imported.

    Raises:
        ImportError: when one is not; the message names the extra.
    """
    if missing := [package for package in packages if find_spec(package) is None]:
        # The extra brings torch: where that was left out on purpose, the packages alone.
        what = " ".join(missing) if find_spec("torch") is None else f"'glirel-transformers[{extra}]'"
        raise ImportError(
            f"This needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed. Run: "
            f"pip install {what}"
        )
