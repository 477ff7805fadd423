"""The tables of docs/records/README.md and its figure, from the files of figures that records.py writes."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from fastbp.files import replace_file
from fastbp.recipe import named
from fastbp.recipe.settings import read_settings
from fastbp.sweeps.plan import label_of
from record_peers import TITLES
from report import replace_block

__all__ = [
    "ENSEMBLES",
    "PEERS",
    "draw",
    "ensembles_table",
    "peers_table",
    "read_peers",
    "recipes_table",
    "write_page",
]

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "records"
PAGE = FOLDER / "README.md"
PEERS = FOLDER / "peers.json"
ENSEMBLES = FOLDER / "ensembles.jsonl"
MARKERS = {"fastbp": "o", "pytorch": "s", "jax": "^"}
NONE_YET = "No figures yet: `python bench/records.py --peers` makes them."

Entries = dict[str, dict[str, Any]]


def write_page() -> None:
    """Write the tables and the figure."""
    peers = read_peers()
    text = replace_block(PAGE, PAGE.read_text(encoding="utf-8"), "recipes", recipes_table())
    text = replace_block(PAGE, text, "ensembles", ensembles_table(ENSEMBLES.read_text(encoding="utf-8")))
    replace_file(PAGE, replace_block(PAGE, text, "peers", peers_table(peers)))
    draw(FOLDER / "frontier.svg", peers)


def read_peers() -> Entries:
    """Return the figures of other libraries by recipe; none before they were measured."""
    if not PEERS.exists():
        return {}
    found: Entries = json.loads(PEERS.read_text(encoding="utf-8"))
    return found


def recipes_table() -> str:
    """Return the table of all recipes that were measured."""
    lines = [
        "| recipe | test accuracy, % | least, % | seconds, mean | slowest | seeds | settings |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for name, found in named.figures().items():
        settings = read_settings(named.path_of(name))
        shown = label_of({key: value for key, value in settings.items() if key != "validation"})
        lines.append(
            f"| `{name}` | {100 * found.accuracy:.2f} ± {100 * found.deviation:.2f} | "
            f"{100 * min(found.accuracies):.2f} | {fmean(found.seconds):.3g} | {max(found.seconds):.3g} | "
            f"{len(found.seconds)} | {shown} |"
        )
    machines = {f"{found.cpu}, {found.threads} cores, {found.date}" for found in named.figures().values()}
    return "\n".join([*lines, "", *sorted(machines)])


def is_current(name: str, entry: dict[str, Any]) -> bool:
    """Whether a recipe still has the settings with which the libraries trained it."""
    settings = json.loads(json.dumps(read_settings(named.path_of(name))))
    return bool(settings == entry["settings"])


def peers_table(peers: Entries) -> str:
    """Return the table of recipes by library; recipes that have changed since are named below it."""
    current = {name: entry for name, entry in peers.items() if is_current(name, entry)}
    lines = []
    if current:
        lines += [
            "| recipe | library | test accuracy, % | seconds, mean | times fastbp's | seeds | form |",
            "|---|---|---:|---:|---:|---:|---|",
        ]
    for name, entry in current.items():
        base = fmean(entry["by"]["fastbp"]["seconds"])
        for peer, found in entry["by"].items():
            accuracies, seconds = found["accuracies"], fmean(found["seconds"])
            deviation = stdev(accuracies) if len(accuracies) > 1 else 0.0
            lines.append(
                f"| `{name}` | {TITLES[peer]} | {100 * fmean(accuracies):.2f} ± {100 * deviation:.2f} | "
                f"{seconds:.3g} | {seconds / base:.2f} | {len(accuracies)} | {found.get('form', '')} |"
            )
    lines += ["", *sorted({machine_of(entry) for entry in current.values()})] if current else [NONE_YET]
    if gone := [f"`{name}`" for name in peers if name not in current]:
        lines += ["", f"Not shown, because their settings have changed since: {', '.join(gone)}."]
    return "\n".join(lines)


def ensembles_table(lines: str) -> str:
    """Return the table of ensembles, from a line of JSON for each; groups are smaller ensembles of the same
    members.
    """
    rows = [
        "| members | recipes | alone, % | together, % | groups of the same members, % | minutes | machine |",
        "|---:|---|---:|---:|---|---:|---|",
    ]
    for found in map(json.loads, lines.splitlines()):
        mean, deviation = found["alone"]
        groups = [
            f"of {size}: {', '.join(f'{100 * accuracy:.2f}' for accuracy in accuracies)}"
            for size, accuracies in found["groups"].items()
        ]
        rows.append(
            f"| {found['members']} | {', '.join(f'`{name}`' for name in found['recipes'])} | "
            f"{100 * mean:.2f} ± {100 * deviation:.2f} | **{100 * found['together']:.2f}** | "
            f"{'; '.join(groups)} | {found['seconds'] / 60:.1f} | "
            f"{found['cpu']}, {found['jobs']} at a time, {found['date']} |"
        )
    return "\n".join(rows)


def machine_of(entry: dict[str, Any]) -> str:
    """Return CPU, threads, versions and date of a measurement."""
    versions = {
        package: version
        for found in entry["by"].values()
        for package, version in found.get("versions", {}).items()
    }
    packages = ", ".join(f"{package} {version}" for package, version in versions.items())
    return f"{entry['cpu']}, {entry['threads']} cores; {packages}; {entry['date']}"


def draw(path: Path, peers: Entries) -> None:
    """Draw wrong answers over seconds, a colour a recipe with all its seeds, a marker a library.

    Other libraries are drawn beside figures of the same day only: machines differ from day to day.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fastbp"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4))

    def mark(accuracies: Any, seconds: Any, peer: str, color: str | None) -> tuple[float, float, str]:
        errors = [100 * (1 - share) for share in accuracies]
        (line,) = axes.plot(seconds, errors, ".", alpha=0.5, color=color)
        x, y = median(seconds), fmean(errors)
        axes.plot(x, y, MARKERS[peer], color=line.get_color())
        return x, y, line.get_color()

    shown = {"fastbp"}
    for name, found in named.figures().items():
        x, y, color = mark(found.accuracies, found.seconds, "fastbp", None)
        axes.annotate(name, (x, y), xytext=(-6, -12), textcoords="offset points", ha="right")
        if name in peers and is_current(name, peers[name]) and peers[name]["date"] == found.date:
            for peer, of_peer in peers[name]["by"].items():
                if peer != "fastbp":
                    mark(of_peer["accuracies"], of_peer["seconds"], peer, color)
                    shown.add(peer)
    if len(shown) > 1:
        handles = [
            axes.plot([], [], marker, color="grey", label=TITLES[peer])[0]
            for peer, marker in MARKERS.items()
            if peer in shown
        ]
        axes.legend(handles=handles, frameon=False)
    axes.set(xscale="log", yscale="log", xlabel="training time, s", ylabel="wrong test digits, %")
    ticks = (0.3, 0.4, 0.5, 0.7, 1, 1.5, 2)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.margins(x=0.15)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
