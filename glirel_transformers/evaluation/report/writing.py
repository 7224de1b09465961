"""The files of a report."""

from __future__ import annotations

import json
import os
from pathlib import Path

from glirel_transformers.evaluation.results import EvaluationResult
from glirel_transformers.files import replace_atomically
from glirel_transformers.formats.lines import to_json
from glirel_transformers.report_folder import check_report_folder

from .content import Report, example, to_json_values
from .decisions import decide


def write_report(report: Report, folder: str | os.PathLike[str], result: EvaluationResult | None = None) -> list[Path]:
    """Writes a report: `report.json`, `report.md`, `report.html`, `plots/` and, with a result, `errors.jsonl`.

    Args:
        report: what it says.
        folder: where it goes.
        result: of which all errors are written, one a line.

    Returns:
        The files.
    """
    from .html import to_html
    from .markdown import to_markdown
    from .plots import draw_all, save_pictures, to_svg

    folder = check_report_folder(folder)
    figures = draw_all(report)
    save_pictures(figures, folder / "plots")
    svgs = {name: to_svg(name, figure) for name, figure in figures.items() if name != "confusion"}  # a table there
    contents = {
        "report.json": json.dumps(report.to_dict(), indent=2, ensure_ascii=False) + "\n",
        "report.md": to_markdown(report, figures),
        "report.html": to_html(report, svgs),
    }
    for name, text in contents.items():
        with replace_atomically(folder / name) as file:
            file.write(text)
    if result is not None:
        _write_errors(result, folder / "errors.jsonl")
    written = [*contents, *(["errors.jsonl"] if result is not None else [])]
    return [*(folder / name for name in written), *(folder / "plots" / f"{name}.png" for name in figures)]


def _write_errors(result: EvaluationResult, path: Path) -> None:
    """All errors, one a line, with the whole text."""
    first = next(result.walk())
    with replace_atomically(path) as file:
        for one in decide(first):
            if one.kind is not None:
                record = to_json_values(example(first, one))
                record["text"] = first.documents[one.document].text
                del record["pieces"]
                file.write(f"{to_json(record)}\n")
