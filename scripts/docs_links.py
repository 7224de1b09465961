"""A hook of MkDocs: links of docs/ that lead out of it, to files of the repository, lead to the repository.

On disk and on GitHub these links are relative, so that they work in a clone; the site has only docs/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\(((?:\.\./)+)([^)#\s]*)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: object) -> str:  # noqa: ANN401  # MkDocs' own
    """Called by MkDocs with the text of each page.

    Raises:
        ValueError: for a link to a file that the repository does not have.
    """
    place = Path(config["docs_dir"], page.file.src_uri).parent

    def leads_to(match: re.Match[str]) -> str:
        up, path, anchor = match.groups()
        target = (place / up / path).resolve()
        if not target.is_relative_to(_ROOT) or not target.exists():
            raise ValueError(f"{page.file.src_uri} links to {up}{path}, which is not in the repository.")
        kind = "tree" if target.is_dir() else "blob"
        return f"]({config['repo_url']}/{kind}/main/{target.relative_to(_ROOT).as_posix()}{anchor or ''})"

    return _LINK.sub(leads_to, markdown)
