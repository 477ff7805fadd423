"""Figures and pages of runs on tables: names of classes, which are never formulas or HTML."""

import html.parser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import fastbp
from fastbp.callbacks import EpochRecord
from fastbp.errors import ConfigError, WeightsError
from fastbp.network import Network
from fastbp.plots import confusion_figure, draw, mistakes_figure, page_html, plot, reliability_figure
from fastbp.plots.history import LoggedRun, history_figure
from fastbp.plots.matrix import matrix_svg
from fastbp.plots.samples import as_trained, labelled_samples
from fastbp.plots.style import render
from fastbp.terminal.names import short_names
from hostile import HOSTILE

KINDS = {"setosa": 0, "versicolor": 1, "virginica, a flower": 2}
FAST = {"hidden": (9,), "epochs": 3, "backend": "numpy", "learning_rate": 0.05, "target": "kind"}


def record(epoch, accuracy=0.5):
    return EpochRecord(epoch, 1.0 / epoch, accuracy, float("nan"), float("nan"), 0.1, 1.0, 0.1)


def frame(rows=120, names=tuple(KINDS)):
    rng = np.random.default_rng(2)
    length, width = rng.normal(5, 1, rows), rng.normal(300, 50, rows)
    place = np.digitize(length + (width - 300) / 50, [4.5, 5.5])
    return pl.DataFrame({"length": length, "width": width, "kind": np.array(names)[place]})


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame().write_csv("data.csv")


def make_run(name="run", **settings):
    result = fastbp.train("data.csv", **{**FAST, **settings})
    result.save(name)
    return result


def ticks(axes):
    return [text.get_text() for text in axes.get_xticklabels()]


def test_confusion_of_a_table_has_names():
    make_run("a")
    make_run("b", seed=1)
    names = short_names(list(KINDS), 20)
    assert ticks(draw([Path("a")], "confusion").axes[0]) == names
    panels = [axes for axes in draw([Path("a"), Path("b")], "confusion").axes if axes.images]
    assert [ticks(axes) for axes in panels] == [names, names]
    assert sum(int(text.get_text()) for text in panels[0].texts) == 120


def test_runs_of_other_classes_do_not_share_a_figure():
    make_run("a")
    frame(names=("x", "y", "z")).write_csv("other.csv")
    fastbp.train("other.csv", **FAST).save("b")
    with pytest.raises(WeightsError, match="other classes"):
        draw([Path("a"), Path("b")], "confusion", "data.csv")
    with pytest.raises(WeightsError, match="other columns or classes"):
        draw([Path("a"), Path("b")], "signals", "data.csv")


@pytest.mark.parametrize("kind", ["weights", "mistakes"])
def test_what_only_images_have_is_refused_in_one_line(kind):
    make_run()
    with pytest.raises(ConfigError) as caught:
        plot([Path("run")], kind)
    assert str(caught.value).startswith(f"--kind {kind} shows images, but the run is on a table; expected ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["history", "confusion", "reliability", "signals", "page"])
def test_other_kinds_work_on_a_table(kind):
    make_run()
    assert plot([Path("run")], kind).stat().st_size > 1000


def test_signals_are_those_of_standardised_rows():
    result = make_run(dtype="float64")
    raw = labelled_samples([result.network], "data.csv", "signals")
    [network], rows = as_trained([result.network], raw)
    np.testing.assert_allclose(rows.images.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(rows.images.std(axis=0), 1, atol=1e-5)
    ours = fastbp.predict(network, rows.images, backend="numpy")
    theirs = fastbp.predict(result.network, raw.images, backend="numpy")
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.ptp(theirs) > 0.5


def test_history_of_quantities_has_no_accuracy():
    history = tuple(record(epoch, float("nan")) for epoch in (1, 2, 3))
    figure = history_figure([LoggedRun(name="run", settings=None, history=history)])
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss"]


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.names = set(), [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_of_a_run_on_a_table():
    make_run()
    text = page_html("run")
    page = Page(text)
    assert page.texts.count("versicolor") >= 3  # the matrix twice, and the scores
    assert page.texts.count("virginica, a flower") >= 1
    for title in ("Training", "Confusion matrix", "Classes", "Calibration", "Signals", "Settings"):
        assert title in page.texts
    assert "First layer" not in page.texts
    assert "row, from 0" in page.texts  # mistakes as rows, not as images


# Hostile names


def evaluation_matrix():
    matrix = np.eye(len(HOSTILE), dtype=np.int64) * 5
    matrix[0, 1:] = 1
    return matrix


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_names_in_a_figure_are_not_formulas(kind):
    figure = confusion_figure(evaluation_matrix(), r"$\frac{$ and $x$", HOSTILE)
    assert render(figure, kind)  # a formula that is not one would raise
    from matplotlib import cbook

    shown = [text.get_text() for axes in figure.axes[:1] for text in axes.get_xticklabels()]
    assert len(set(shown)) == len(HOSTILE)
    assert not any(cbook.is_math_text(text) for text in [*shown, figure.axes[0].get_title()])
    assert r"\$x^2\$" in shown


def test_titles_are_not_formulas():
    from matplotlib import cbook

    found = fastbp.test(Network((1, 2)), (np.ones((3, 1), np.float32), np.array([0, 1, 0])))
    history = tuple(record(epoch) for epoch in (1, 2))
    figures = [
        reliability_figure(found.calibration, "$a$"),
        history_figure([LoggedRun(name="$a$\x1b", settings=None, history=history)]),
        history_figure([LoggedRun(name=name, settings=None, history=history) for name in ("$a$", "$b$")]),
        mistakes_figure(
            np.ones((2, 4)), (2, 2), np.array([0, 1]), np.array([[0, 1.0], [1, 0]]), classes=("$a$", "$b$")
        ),
    ]
    for figure in figures:
        texts = [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]
        mine = [text for text in texts if "a" in text and "$" in text and "default" not in text]
        assert mine
        assert not any(cbook.is_math_text(text) for text in mine)
        render(figure, "svg")


def test_names_in_a_matrix_of_a_page_are_text():
    for start in range(0, len(HOSTILE), 18):
        names = HOSTILE[start : start + 18]
        text = matrix_svg(np.eye(len(names), dtype=np.int64), names)
        page = Page(text)
        assert page.tags == {"svg", "text", "rect"}
        assert not {name for name in page.names if name.startswith("on")}
        assert text.replace("\n", "").isprintable()
        assert set(short_names(names, 16)) <= set(page.texts)
