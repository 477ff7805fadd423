"""The page of a sweep: tables, figures, failures and machines in one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import tomli_w

from ..plots.document import document, escape
from ..plots.style import render
from ..terminal.names import listed_names, short_name
from ..terminal.numbers import duration
from .effects import Effect, effects
from .figures import curve_figure, heatmap_figure, parallel_figure, ranks_figure
from .ranks import Ranks
from .scale import metric_text, metric_title
from .summary import Summary, written
from .tables import DataTable, in_words, notes, result_of, variant_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["sweep_html"]

BEST, FAILURES, RANKED = 50, 50, 100  # rows of tables
LONGEST = 40  # signs of a value
STYLE = """
.numbers { font-size: .95rem; } .numbers th, .numbers td { padding-right: 1.1rem; }
.numbers .text { text-align: left; } .numbers .best { font-weight: 700; }
.numbers td.long { white-space: normal; min-width: 16rem; overflow-wrap: anywhere; text-align: left; }
img { border-radius: 6px; background: #ffffff; max-width: 100%; height: auto; }
img.wide { min-width: 44rem; }
pre { overflow-x: auto; font-size: .9rem; background: color-mix(in srgb, var(--line) 30%, transparent);
  padding: .8rem; border-radius: 6px; }
.effects { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr));
  gap: .5rem 2.5rem; align-items: start; }
.effects h3 { margin: 1rem 0 .2rem; font-size: 1rem; overflow-wrap: anywhere; }
@media (max-width: 30rem) {
  .numbers { font-size: .85rem; } .numbers th, .numbers td { padding-right: .6rem; }
}
/* Figures are drawn on white. Turned around in hue, colours keep theirs. */
@media (prefers-color-scheme: dark) { img { filter: invert(.92) hue-rotate(180deg); } }
"""


def sweep_html(summary: Summary, asked: Mapping[str, Any] | None = None) -> str:
    """Return the page of a sweep.

    Parameters
    ----------
    summary : of its runs
    asked : the sweep as a table of TOML, if that is known
    """
    parts = [
        f"<h1>{escape(summary.title)}</h1>",
        *_lead(summary),
        *(f"<p>{escape(note)}.</p>" for note in notes(summary)),
        *_across_data(summary),
        *_best(summary),
        *_figures(summary),
        *_effects(summary),
        *_failures(summary),
        *_machines(summary),
        *_asked(asked),
    ]
    return document(summary.title, parts, STYLE)


def _lead(summary: Summary) -> Iterator[str]:
    """Yield the best variant, in words."""
    rows = summary.variants.head(1).to_dicts()
    if summary.data or rows[0]["mean"] is None:
        return
    result = result_of(summary, rows[0])
    label = in_words(summary.axes, rows[0])
    title = metric_title(summary).split(",")[0]
    which = f" with {label}" if label else ""
    yield f'<p class="lead">{escape(f"Best {title}: {result}{which}.")}</p>'


def _result(summary: Summary, row: Mapping[str, Any]) -> tuple[str, str]:
    """Return mean, and deviation if there is one."""
    if row["mean"] is None:
        return "no result", ""
    deviation = row["deviation"]
    if deviation is None:
        return metric_text(summary, row["mean"]), ""
    if summary.metric.endswith("_accuracy"):
        return f"{100 * row['mean']:.2f}", f"\u00b1 {100 * deviation:.2f} %"
    return metric_text(summary, row["mean"]), f"\u00b1 {metric_text(summary, deviation)}"


def _best(summary: Summary) -> Iterator[str]:
    """Yield the table of variants, the best of each data set first."""
    import polars as pl

    sets = max(1, len(summary.data))
    each = max(3, BEST // sets)
    frame = summary.variants
    shown = frame if not summary.data else frame.filter(pl.int_range(pl.len()).over("data") < each)
    heads, rows = variant_table(summary, shown.head(each * sets))
    of_each = " of each data set" if summary.data else ""
    cut = f"The best {each:,}{of_each}, of {frame.height:,} variants. " if len(rows) < frame.height else ""
    yield f"<h2>Variants</h2><p>{cut}Mean and standard deviation over random seeds.</p>"
    # The result first: a narrow screen shows the first columns.
    settings = range(len(summary.axes))
    order = [len(settings), len(settings) + 1, *settings, *range(len(settings) + 2, len(heads))]
    placed = [[row[place] for place in order] for row in (heads, *rows)]
    yield _table(placed[0], placed[1:], range(2, 2 + len(settings)))


def _across_data(summary: Summary) -> Iterator[str]:
    """Yield the table of data sets and variants, and whether variants differ."""
    if not summary.data:
        return
    found = DataTable(summary)
    yield "<h2>Data sets</h2>"
    yield from (f"<p>{escape(line)}.</p>" for line in found.verdict())
    if isinstance(found.ranks, Ranks):
        yield _image(ranks_figure(found.ranks), "Mean ranks", "Blue bars join variants that do not differ.")
    more = f" The best {RANKED} of {len(found.rows):,} variants." if len(found.rows) > RANKED else ""
    unit = escape(metric_title(summary, compared=False))
    yield f"<p>{unit}, mean over random seeds; bold: the best of a data set.{more}</p>"
    yield _table(found.heads, found.rows[:RANKED], range(1))


def _figures(summary: Summary) -> Iterator[str]:
    several = (
        " With several data sets, values are means of the differences from each data set's mean."
        * bool(summary.data)
    )
    figure = curve_figure(summary)
    if figure is not None:
        yield _image(figure, "The setting", "Mean and standard deviation over random seeds.")
    figure = parallel_figure(summary)
    if figure is not None:
        caption = (
            "A line for each variant, from its settings to its result; the best is orange. "
            "Lines through one value lie side by side, the better above."
        )
        yield _image(figure, "All variants", caption + several)
    figure = heatmap_figure(summary)
    if figure is not None:
        caption = "The two settings with the largest effects; mean over all others. Grey: no runs."
        yield _image(figure, "Two settings", caption + several)


def _image(figure: Figure, title: str, caption: str) -> str:
    content = base64.b64encode(render(figure, "svg", 110)).decode()
    # A narrow screen shows a part of a wide figure, to be moved.
    wide = ' class="wide"' if figure.get_figwidth() > 7.5 else ""
    image = f'<img{wide} alt="{escape(title)}" src="data:image/svg+xml;base64,{content}">'
    return (
        f"<figure><h2>{escape(title)}</h2><figcaption><p>{escape(caption)}</p></figcaption>\n"
        f'<div class="scroll">{image}</div></figure>'
    )


def _effects(summary: Summary) -> Iterator[str]:
    found = effects(summary)
    if not found:
        return
    yield (
        "<h2>What each setting does</h2><p>Mean and best of the variants with a value, whatever their other "
        "settings. The share is that of the variance between variants which the setting alone explains "
        "(epsilon squared); very bad results count no more than bad ones.</p>"
    )
    yield f'<div class="effects">{"".join(_effect(summary, effect) for effect in found)}</div>'


def _effect(summary: Summary, effect: Effect) -> str:
    share = "" if effect.share is None else f": {100 * effect.share:.0f} %"
    heads = ["value", "mean", "best", "variants"]
    means = [level.mean for level in effect.levels]
    top = max(means) if summary.higher_is_better else min(means)
    rows = [
        [
            short_name(level.name, LONGEST),
            ("*" if level.mean == top and len(means) > 1 else "") + _compared(summary, level.mean),
            _compared(summary, level.best),
            f"{level.variants:,}",
        ]
        for level in effect.levels
    ]
    name = effect.setting.replace("_", " ")
    return f"<section><h3>{escape(name)}{share}</h3>{_table(heads, rows, range(1))}</section>"


def _compared(summary: Summary, value: float) -> str:
    return metric_text(summary, value, compared=True)


def _failures(summary: Summary) -> Iterator[str]:
    """Yield runs that failed or diverged, and why; those of a variant in one row."""
    import polars as pl

    frame = summary.runs.filter(pl.col("status") != "completed")
    if not frame.height:
        return
    why = pl.coalesce("error", "message").fill_null("").alias("why")
    found = (
        frame.group_by(*summary.axes, "status", why, maintain_order=True)
        .agg(pl.col("seed"))
        .sort("status", descending=True, maintain_order=True)
    )
    yield "<h2>Runs that failed or diverged</h2>"
    if found.height > FAILURES:
        yield f"<p>The first {FAILURES} of {found.height:,} variants.</p>"
    rows = [
        [
            *(short_name(written(row[name]), LONGEST) for name in summary.axes),
            listed_names([str(seed) for seed in row["seed"]], 8),
            row["status"],
            row["why"],
        ]
        for row in found.head(FAILURES).iter_rows(named=True)
    ]
    heads = [*(name.replace("_", " ") for name in summary.axes), "seeds", "status", "why"]
    yield _table(heads, rows, range(len(heads)), long=True)


def _machines(summary: Summary) -> Iterator[str]:
    """Yield where the runs were made: runs and time by CPU and versions."""
    import polars as pl

    kinds = ["cpu", "fastbp", "numpy", "numba"]
    frame = summary.runs.group_by(kinds, maintain_order=True).agg(
        pl.len().alias("runs"), pl.col("host").n_unique().alias("hosts"), pl.col("wall_seconds").sum()
    )
    rows = [
        [
            *(row[name] or "unknown" for name in kinds),
            f"{row['hosts']:,}",
            f"{row['runs']:,}",
            duration(row["wall_seconds"]),
        ]
        for row in frame.sort("runs", descending=True).iter_rows(named=True)
    ]
    yield "<h2>Machines</h2>"
    yield _table(["CPU", "fastbp", "NumPy", "Numba", "hosts", "runs", "time on one thread"], rows, range(1))


def _asked(asked: Mapping[str, Any] | None) -> Iterator[str]:
    if asked:
        lines = "\n".join(escape(line) for line in tomli_w.dumps(asked).splitlines())
        yield f"<details><summary>The sweep</summary><pre>{lines}</pre></details>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: range, *, long: bool = False) -> str:
    """Return a table with some columns of text; a cell with ``*`` is bold.

    ``long``: the last column is text of any length.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        found = []
        for column, cell in enumerate(cells):
            kinds = ["text"] * (column in texts) + ["long"] * (long and column == len(cells) - 1)
            is_best = tag == "td" and column not in texts and cell.startswith("*")
            kinds += ["best"] * is_best
            mark = f' class="{" ".join(kinds)}"' if kinds else ""
            found.append(f"<{tag}{mark}>{escape(cell.removeprefix('*') if is_best else cell)}</{tag}>")
        return f"<tr>{''.join(found)}</tr>\n"

    body = "".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table class="numbers">\n{line(heads, "th")}{body}</table></div>'
