"""`glirel data split`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from glirel_transformers.files import check_not_an_input, read_json_object

from .console import console, counted, errors, errors_without_traceback, plain
from .data_options import ReadingOptions
from .options import takes

if TYPE_CHECKING:
    from glirel_transformers.data import Document
    from glirel_transformers.data.zero_shot_splits import Split

_BY_TYPE, _BY_TEXT = "Zero-shot: by relation types", "By text"

Folder = Annotated[
    Path,
    typer.Option(
        "--output", "-o", file_okay=False, help="Folder for train.jsonl, dev.jsonl, test.jsonl, manifest.json."
    ),
]
Unseen = Annotated[
    int | None,
    typer.Option(
        "--unseen", min=1, metavar="M", help="Draw m relation types that are in test alone.", rich_help_panel=_BY_TYPE
    ),
]
DevUnseen = Annotated[
    int,
    typer.Option(
        "--dev-unseen", min=0, metavar="N", help="And n further ones for dev alone.", rich_help_panel=_BY_TYPE
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Of the draw.", rich_help_panel=_BY_TYPE)]
MinCount = Annotated[
    int,
    typer.Option(
        "--min-count",
        min=1,
        help="Draw only types with n relations or more; the others are in train.",
        rich_help_panel=_BY_TYPE,
    ),
]
Rel2Id = Annotated[
    Path | None,
    typer.Option(
        "--rel2id",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A published split: JSON with 'train', 'eval' and 'test', each with ids or names of relation types.",
        rich_help_panel=_BY_TYPE,
    ),
]
Mixed = Annotated[
    Literal["unseen", "seen", "half", "drop"],
    typer.Option(
        "--mixed",
        help="A text with types of several parts goes to the part of its unseen ones (unseen), to train (seen), to "
        "either by a hash (half), or is left out (drop). Relations of other parts' types are removed, and the "
        "document is then not exhaustive.",
        rich_help_panel=_BY_TYPE,
    ),
]
KeepSeen = Annotated[
    bool,
    typer.Option(
        "--keep-seen",
        help="Keep relations of train's types in dev and test. Then evaluate with -r for each unseen type.",
        rich_help_panel=_BY_TYPE,
    ),
]
Ratio = Annotated[
    str | None,
    typer.Option(
        "--ratio",
        metavar="A/B/C",
        help="Shares of train, dev and test, such as 0.8/0.1/0.1, by a hash of each text. Two are train and test.",
        rich_help_panel=_BY_TEXT,
    ),
]


@dataclass(frozen=True, kw_only=True)
class SplitOptions(ReadingOptions):
    """What `glirel data split` is given."""

    output: Folder
    unseen: Unseen = None
    dev_unseen: DevUnseen = 0
    seed: Seed = 42
    min_count: MinCount = 1
    rel2id: Rel2Id = None
    mixed: Mixed = "unseen"
    keep_seen: KeepSeen = False
    ratio: Ratio = None

    def check(self) -> None:
        """Checks that one way to split is chosen.

        Raises:
            ValueError: when none or several are, or an option is of another way.
        """
        ways = {"--unseen": self.unseen, "--rel2id": self.rel2id, "--ratio": self.ratio}
        chosen = [name for name, value in ways.items() if value is not None]
        if len(chosen) != 1:
            raise ValueError(
                f"One of --unseen, --rel2id and --ratio says how to split: got {' and '.join(chosen) or 'none'}."
            )
        of_draw = {"--dev-unseen": self.dev_unseen != 0, "--min-count": self.min_count != 1, "--seed": self.seed != 42}
        of_types = {"--mixed": self.mixed != "unseen", "--keep-seen": self.keep_seen}
        for name, is_given in {**of_draw, **of_types}.items():
            if is_given and (self.ratio is not None or (self.rel2id is not None and name in of_draw)):
                raise ValueError(f"{name} has no effect with {chosen[0]}. Leave it out.")


@takes(SplitOptions)
def split(given: SplitOptions) -> None:
    """Split documents into train, dev and test: by relation types, as zero-shot evaluations do, or by text.

    All documents with the same text are in one part. With --unseen or --rel2id no two parts share a relation type,
    and train has no relation of an unseen one. manifest.json says which types are where, how many documents and
    relations, and what was removed.

    For example:

        glirel data split all.jsonl --unseen 15 --dev-unseen 5 --seed 42 -o splits/m15-42

        glirel data split val_wiki.json --rel2id fewrel_rel2id_10_40.json -o splits/m10-40

        glirel data split all.jsonl --ratio 0.8/0.1/0.1 -o splits/text
    """
    with errors_without_traceback():
        given.check()
        check_not_an_input(given.output, [*given.data, given.rel2id, given.relation_names])
        from glirel_transformers.data import write_documents

        documents = list(given.documents())
        if not documents:
            raise ValueError("There is nothing to split: the files hold no document.")
        result, about = _split(given, documents)
        given.output.mkdir(parents=True, exist_ok=True)
        for part, chosen in result.parts.items():
            file = given.output / f"{part}.jsonl"
            if chosen:
                write_documents(file, chosen)
            else:
                file.unlink(missing_ok=True)  # of a split before
        manifest = {**about, **_manifest(given, result, len(documents))}
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (given.output / "manifest.json").write_text(f"{text}\n", encoding="utf-8")
        _show(given, result)


def _split(given: SplitOptions, documents: list[Document]) -> tuple[Split, dict[str, Any]]:
    """The split, and how it was made."""
    from glirel_transformers.data import count_relation_types
    from glirel_transformers.data.zero_shot_splits import (
        draw_types,
        published_types,
        read_shares,
        split_by_text,
        split_by_types,
    )

    if given.ratio is not None:
        shares = read_shares(given.ratio)
        return split_by_text(documents, shares), {"by": "text", "shares": shares}
    about: dict[str, Any] = {"by": "relation types", "mixed": given.mixed, "keep_seen": given.keep_seen}
    if given.rel2id is not None:
        place = f"--rel2id {given.rel2id}"
        types, absent = published_types(read_json_object(given.rel2id), documents, place)
        about |= {"rel2id": given.rel2id.name, "absent": absent}
    else:
        assert given.unseen is not None  # `check` says so
        counts = count_relation_types(documents)
        drawn = {"seed": given.seed, "min_count": given.min_count}
        types = draw_types(counts, given.unseen, given.dev_unseen, **drawn)
        about |= drawn
    return split_by_types(documents, types, mixed=given.mixed, keep_seen=given.keep_seen), about


def _manifest(given: SplitOptions, result: Split, number: int) -> dict[str, Any]:
    from glirel_transformers._version import __version__
    from glirel_transformers.data import count_relation_types

    parts = {}
    for part, documents in result.parts.items():
        counts = count_relation_types(documents)
        parts[part] = {
            "documents": len(documents),
            "without_relations": sum(not document.relations for document in documents),
            "exhaustive": sum(document.exhaustive for document in documents),
            "relations": counts.total(),
            "relation_types": result.types.get(part, sorted(counts)),
            "relations_by_type": dict(counts),
        }
    return {
        "files": [file.name for file in given.data],
        "documents": number,
        "parts": parts,
        "removed": dict(result.counts),
        "glirel_transformers": __version__,
    }


def _show(given: SplitOptions, result: Split) -> None:
    table = Table("part")
    for name in ("documents", "relations", "relation types"):
        table.add_column(name, justify="right")
    for part, documents in result.parts.items():
        types = {relation.relation_type for document in documents for relation in document.relations}
        relations = sum(len(document.relations) for document in documents)
        table.add_row(part, f"{len(documents):,}", f"{relations:,}", f"{len(types):,}")
    console.print(table)
    for reason, count in result.counts.items():
        if count:
            errors.print(f"[yellow]note:[/yellow] {count:,} {reason}")
    for part in ("dev", "test"):
        if names := result.types.get(part):
            console.print(plain(f"Unseen, in {part} alone: {', '.join(names)}"))
    _warn_of_resemblance(result)
    empty = [part for part, documents in result.parts.items() if not documents]
    written = counted(3 - len(empty), "file") + " and manifest.json"
    console.print(plain(f"Wrote {written} to {given.output}." + (f" No {' or '.join(empty)}." if empty else "")))


def _warn_of_resemblance(result: Split) -> None:
    """Says which unseen types resemble one of train, so that they are not quite unseen."""
    from glirel_transformers.data.relation_words import Resemblance

    unseen = [*result.types.get("dev", ()), *result.types.get("test", ())]
    for name, other, kind in Resemblance().pairs(unseen, result.types.get("train", ())):
        how = {"synonym": "is a synonym of", "inverse": "is the inverse of"}.get(kind, "resembles")
        errors.print(f"[yellow]note:[/yellow] {plain(f'{name!r}, which is unseen, {how} {other!r} in train.')}")
