"""Tables and figures from saved results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from glirel_transformers.files import replace_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = tuple[str, str, dict[str, Any]]  # a workload, an allocator, and what was measured
Cell = Callable[[dict[str, Any], str], str]  # of a row's entry, and a side

COLOURS = ["#1b6ca8", "#e07b39", "#3a9e6e", "#8d5fb3"]  # told apart without colour vision, in this order


def save_json(path: Path, content: dict[str, Any]) -> None:
    """Writes all of it or, when interrupted, nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(path) as file:
        file.write(json.dumps(content, indent=1) + "\n")


def load_json(path: Path) -> dict[str, Any]:
    """What [`save_json`] wrote; empty when there is nothing yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def replace_between_markers(path: Path, name: str, content: str) -> None:
    """Puts `content` between the lines `<!-- name: begin -->` and `<!-- name: end -->` of a Markdown file."""
    text = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{path} must hold the lines {begin!r} and {end!r} once each. Put them where the tables go.")
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    path.write_text(pattern.sub(lambda _: f"{begin}\n{content.strip()}\n{end}", text), encoding="utf-8")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is aligned left and the others right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine_line(results: dict[str, Any]) -> str:
    """The machine and the versions that the results come from, as a sentence of Markdown."""
    machine, versions = results["machine"], results["versions"]
    where = f"{machine['processor']}, {machine['cores']} cores"
    if "memory_gib" in machine:
        where += f", {machine['memory_gib']} GiB"
    if "gpu" in machine:
        where = f"{machine['gpu']} ({where})"
    what = "; ".join(
        f"{name}: torch {version['torch']}, transformers {version['transformers']}, Python {version['python']}"
        for name, version in versions.items()
    )
    return f"Measured on {results['date']} on {where}. {what[0].upper()}{what[1:]}."


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def tables_against_original(results: dict[str, Any]) -> str:
    """All tables of the comparison, as Markdown."""
    return lay_out(results, _tables_of(results))


def lay_out(results: dict[str, Any], tables: Iterable[tuple[str, list[Row], list[str], Cell]]) -> str:
    """The machine, and tables as Markdown: the title of each, its rows, its sides, and what a cell says."""
    parts = [machine_line(results)]
    for title, rows, sides, cell in tables:
        if rows:
            lines = ([name, allocator, *(cell(entry, side) for side in sides)] for name, allocator, entry in rows)
            parts += ["", title, "", markdown_table(["workload", "allocator", *sides], lines)]
    return "\n".join(parts)


def rows_of(results: dict[str, Any]) -> list[Row]:
    """Everything that was measured."""
    return [(name, key, entry) for name, entries in results["workloads"].items() for key, entry in entries.items()]


def _tables_of(results: dict[str, Any]) -> list[tuple[str, list[Row], list[str], Cell]]:
    """The tables of the comparison: title, rows, sides, and what a cell says."""
    every = rows_of(results)
    training = [row for row in every if "training" in row[0]]
    rows = [row for row in every if row not in training]
    single = [row for row in rows if row[2]["batch_size"] == 1 and row[2]["num_texts"] > 1]
    on_gpu = rows if results["machine"]["device"] == "cuda" else []
    sides = list(results["sides"])
    ours = [side for side in sides if results["sides"][side]["baseline"]]
    trained = [side for side in sides if training and side in training[0][2]["sides"]]
    rate = "Share of the rate that a large matrix product reaches in the same precision:"
    return [
        ("Texts per second, and in brackets how many times the original's:", rows, sides, speed_cell),
        ("Peak memory in MiB above what the loaded model takes (in brackets with it):", rows, sides, memory_cell),
        ("Latency in ms for one text: half of the texts are faster (in brackets 95 %):", single, sides, latency_cell),
        ("Share of the time outside the encoder:", rows, ours, _share_outside),
        (rate, on_gpu, sides, _share_of_bound),
        ("Largest difference of a score from the original's:", rows, ours, difference_cell),
        ("Training steps per second, and in brackets how many times the original's:", training, trained, speed_cell),
    ]


def speed_cell(entry: dict[str, Any], side: str) -> str:
    own = entry["sides"][side]
    ratio = own.get("compared")
    mark = "*" if own["summary"]["noisy"] else ""
    speed = number(entry["num_texts"] / own["summary"]["seconds"]) + mark
    return f"{speed} ({ratio['ratio']:.1f} ×)" if ratio else speed


def memory_cell(entry: dict[str, Any], side: str) -> str:
    memory = entry["sides"][side]["memory"]
    mark = "†" if memory["since_start"] else ""
    return f"{number(memory['peak'] - memory['loaded'])} ({number(memory['peak'])}){mark}"


def latency_cell(entry: dict[str, Any], side: str) -> str:
    own = entry["sides"][side]["latency"]
    return f"{number(1000 * own['p50'])} ({number(1000 * own['p95'])})"


def _share_outside(entry: dict[str, Any], side: str) -> str:
    return f"{100 * entry['sides'][side]['outside_encoder']:.1f} %"


def _share_of_bound(entry: dict[str, Any], side: str) -> str:
    return f"{100 * entry['sides'][side]['share_of_matrix_product_rate']:.1f} %"


def memory_share_cell(entry: dict[str, Any], side: str) -> str:
    """Memory as a share of the original's."""
    above = [own["peak"] - own["loaded"] for own in (entry["sides"][name]["memory"] for name in (side, "original"))]
    return f"{100 * above[0] / above[1]:.0f} %" if above[1] > 0 else "—"


def outside_cell(entry: dict[str, Any], side: str) -> str:
    """Share of the time outside the encoder, of a side that tells its parts."""
    parts = entry["sides"][side]["parts"]
    return f"{100 * (1 - parts['encoder'] / parts['all']):.1f} %"


def parts_table(
    rows: Sequence[Row],
    sides: Sequence[str],
    parts: Sequence[str],
    more: Callable[[dict[str, Any], dict[str, float]], list[str]] | None = None,
    header: Sequence[str] = (),
) -> str:
    """Milliseconds of each part of a text, of the sides that tell them.

    Args:
        rows: what was measured.
        sides: whose parts are shown.
        parts: their names, in the order of the columns.
        more: further cells, from a row's entry and the seconds of the parts; `header` names their columns.
        header: see `more`.
    """
    lines = []
    for name, allocator, entry in rows:
        for side in sides:
            seconds = entry["sides"][side]["parts"]
            cells = [number(1000 * seconds[part] / entry["num_texts"]) for part in parts]
            lines.append([name, allocator, side, *cells, *(more(entry, seconds) if more else [])])
    return markdown_table(["workload", "allocator", "side", *parts, *header], lines)


def difference_cell(entry: dict[str, Any], side: str) -> str:
    return f"{entry['sides'][side]['largest_difference']:.1e}"


def plot_against_original(
    results: dict[str, Any],
    path: Path,
    title: str = "Speed against the original package, same weights, end to end",
    readable: Callable[[str], str] | None = None,
) -> None:
    """Bars of the speed ratios by workload, a panel for each allocator; `readable` names a workload."""
    pyplot = _pyplot()
    workloads = results["workloads"]
    ours = [name for name, side in results["sides"].items() if side["baseline"]]
    allocators = [a for a in ("default", "tuned") if any(a in entry for entry in workloads.values())]
    figure, panels = pyplot.subplots(
        1, len(allocators), figsize=(5.8 * len(allocators) + 1, 0.62 * len(workloads) + 2), sharey=True, squeeze=False
    )
    titles = {"default": "glibc's default allocator", "tuned": "tuned allocator, on both sides"}
    shown = [1.0]
    for panel, allocator in zip(panels[0], allocators, strict=True):
        for position, side in enumerate(ours):
            ratios = _ratios_of(workloads, allocator, side)
            _draw_bars(panel, ratios, position, len(ours), side)
            shown += ratios.values()
        panel.axvline(1, color="black", linewidth=1.2, zorder=3)
        is_named = len(allocators) > 1 or results["machine"]["device"] == "cpu"
        panel.set_title(titles[allocator] if is_named else "", fontsize=10)
        panel.set_xlabel("times the original's speed (logarithmic scale)")
    low, high = 0.8 * min(shown), 1.5 * max(shown)
    ticks = [tick for tick in (0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200) if low <= tick <= high]
    for panel in panels[0]:
        panel.set_xscale("log")
        panel.set_xlim(low, high)
        panel.set_xticks(ticks, [str(tick) for tick in ticks])
        panel.minorticks_off()
        _show_grid(panel)
    panels[0][0].set_yticks(range(len(workloads)), [(readable or _readable)(name) for name in workloads], fontsize=9)
    panels[0][0].set_ylim(len(workloads) - 0.5, -0.5)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.suptitle(title, fontsize=13, y=0.995)
    figure.legend(handles, labels, loc="upper center", ncols=len(ours), bbox_to_anchor=(0.5, 0.965), frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 0.935))
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _ratios_of(workloads: dict[str, Any], allocator: str, side: str) -> dict[int, float]:
    """How many times the original's speed a side has, by the position of the workload, where it was measured."""
    measured = (entries.get(allocator, {}).get("sides", {}) for entries in workloads.values())
    return {row: sides[side]["compared"]["ratio"] for row, sides in enumerate(measured) if side in sides}


def _draw_bars(panel: Axes, ratios: dict[int, float], position: int, num_colours: int, label: str) -> None:
    """The bars of one colour, the `position`-th of those that share each row.

    They are from 1 on: on a logarithmic axis a bar from the edge would have a length without meaning.
    """
    height = 0.8 / num_colours
    bars = panel.barh(
        [row + (position - (num_colours - 1) / 2) * height for row in ratios],
        [ratio - 1 for ratio in ratios.values()],
        height * 0.92,
        1,
        color=COLOURS[position],
        zorder=2,
        label=label,
    )
    panel.bar_label(bars, [f"{ratio:.1f}" for ratio in ratios.values()], padding=3, fontsize=8)


def _show_grid(panel: Axes) -> None:
    panel.grid(axis="x", color="#dddddd", zorder=0)
    panel.spines[["top", "right"]].set_visible(False)


def plot_scaling(results: dict[str, Any], path: Path) -> None:
    """Time and memory against what grows, all axes logarithmic."""
    pyplot = _pyplot()
    from matplotlib import ticker

    figure, rows = pyplot.subplots(2, len(results["axes"]), figsize=(13, 7.6), sharex="col", sharey="row")
    for column, (name, axis) in enumerate(results["axes"].items()):
        values = [int(value) for value in axis["points"]]
        for position, variant in enumerate(next(iter(axis["points"].values()))):
            own = [point[variant] for point in axis["points"].values()]
            style = {"color": COLOURS[position], "marker": "osD^"[position], "markersize": 5, "label": variant}
            rows[0][column].plot(values, [1000 * one["summary"]["seconds"] for one in own], **style)
            # Less than one MiB cannot be told from nothing.
            memory = [max(1.0, one["memory"]["peak"] - one["memory"]["loaded"]) for one in own]
            rows[1][column].plot(values, memory, **style)
        fixed = " and ".join(f"{size:,} {what}" for what, size in axis["fixed"].items())
        rows[0][column].set_title(f"{name}\n(with {fixed})", fontsize=10)
        rows[1][column].set_xlabel(f"number of {name}")
        rows[1][column].set_xscale("log")
        rows[1][column].set_xticks(values, [f"{value:,}" for value in values], fontsize=8)
        rows[1][column].minorticks_off()
    rows[0][0].set_ylabel("ms for a text")
    rows[1][0].set_ylabel("peak memory in MiB\nabove the loaded model")
    for panel in rows.flat:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        panel.yaxis.set_minor_formatter(ticker.NullFormatter())
        panel.grid(color="#dddddd")
        panel.spines[["top", "right"]].set_visible(False)
    rows[0][0].legend(frameon=False)
    figure.suptitle("Cost of one text, as one thing grows", fontsize=13)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def tables_of_runtimes(results: dict[str, Any]) -> str:
    """All tables of the runtimes, as Markdown: one for each model and number of threads."""
    parts = [machine_line(results)]
    header = ["runtime", "sentences/s, batch 1", "p50 (p95), ms", "sentences/s, batch 32", "peak memory, MiB"]
    for group, batches in results["groups"].items():
        parts += ["", f"{group[0].upper()}{group[1:]}:", ""]
        rows = []
        for runtime, single in batches["batch 1"].items():
            many = batches["batch 32"][runtime]
            peak = max(single["memory"]["peak"], many["memory"]["peak"])
            rows.append([runtime, _speed_of(single), _latency_of(single), _speed_of(many), number(peak)])
        parts.append(markdown_table(header, rows))
    parts += ["", "Files, and seconds until a model is there and until its first call, with one thread:", ""]
    rows = [
        [group.split(",")[0], runtime, f"{own['bytes'] / 1e6:,.1f}", number(own["load"]), number(own["first_call"])]
        for group, batches in results["groups"].items()
        if group.endswith(" 1 thread")
        for runtime, own in batches["batch 1"].items()
    ]
    parts.append(markdown_table(["model", "runtime", "MB", "load, s", "first call, s"], rows))
    return "\n".join(parts)


def _speed_of(own: dict[str, Any]) -> str:
    mark = "*" if own["summary"]["noisy"] else ""
    return f"{number(own['num_texts'] / own['summary']['seconds'])}{mark} ({own['compared']['ratio']:.2f} ×)"


def _latency_of(own: dict[str, Any]) -> str:
    return f"{number(1000 * own['latency']['p50'])} ({number(1000 * own['latency']['p95'])})"


def plot_runtimes(results: dict[str, Any], path: Path) -> None:
    """Bars of how many times the baseline's speed each runtime has, a panel for each model and batch size."""
    pyplot = _pyplot()
    groups = results["groups"]
    models = list(dict.fromkeys(group.rsplit(",", 1)[0] for group in groups))
    batches = list(next(iter(groups.values())))
    figure, panels = pyplot.subplots(
        len(batches), len(models), figsize=(5.6 * len(models) + 1.6, 7.6), sharey=True, sharex=True, squeeze=False
    )
    for column, model in enumerate(models):
        own_groups = [group for group in groups if group.rsplit(",", 1)[0] == model]
        for row, batch in enumerate(batches):
            panel = panels[row][column]
            for position, group in enumerate(own_groups):
                entries = {name: own for name, own in groups[group][batch].items() if name != results["baseline"]}
                ratios = {place: own["compared"]["ratio"] for place, own in enumerate(entries.values())}
                _draw_bars(panel, ratios, position, len(own_groups), group.rsplit(", ", 1)[1])
                panel.set_yticks(range(len(entries)), list(entries), fontsize=9)
                panel.set_ylim(len(entries) - 0.5, -0.5)
            panel.axvline(1, color="black", linewidth=1.2, zorder=3)
            panel.set_title(f"{model}, {batch}", fontsize=10)
            _show_grid(panel)
            if row == len(batches) - 1:
                panel.set_xlabel(f"times the speed of {results['baseline']}")
    panels[0][0].legend(frameon=False, loc="lower right")
    figure.suptitle("The same model on different runtimes, end to end", fontsize=13)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _readable(name: str) -> str:
    match = re.fullmatch(r"([a-z-]+)(\d*)-m(\d+)-b(\d+)", name)
    if not match:
        raise ValueError(f"A workload is named like 'document100-m10-b1': got {name!r}. Rename it.")
    kind, entities, relations, batch = match.groups()
    what = f"{kind}, {entities} entities" if entities else kind.replace("-", " ")
    return f"{what},\n{relations} types, batch {batch}"


def _pyplot() -> ModuleType:
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            "The figures need matplotlib. Install it with: pip install --constraint constraints.txt "
            '--editable ".[benchmark]"'
        ) from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
