"""The figures of a sweep: where values stand, and that any sweep can be drawn."""

import numpy as np
import pytest

from fastbp.plots.style import render
from fastbp.sweeps.figures import curve_figure, heatmap_figure, parallel_figure, ranks_figure
from fastbp.sweeps.ranks import Ranks
from fastbp.sweeps.scale import fit_scale, metric_limits, spans_decades
from fastbp.sweeps.summary import summarize
from hostile import HOSTILE
from swept import write_failure, write_grid, write_run, write_sets


def texts(figure):
    return {text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))}


def lines(figure):
    """Paths of the lines of parallel coordinates; the last two are the best, drawn again."""
    return [collection.get_paths() for collection in figure.axes[0].collections]


@pytest.mark.parametrize(
    ("levels", "is_log"),
    [
        ((8, 16, 32, 64, 128), True),
        ((0.001, 0.01, 0.1), True),
        ((1, 5, 10), False),
        ((0.1, 0.4, 0.8), False),
        ((0.0, 0.1, 10.0), False),
        ((-1.0, 1.0), False),
        (("adam", "sgd"), False),
        ((False, True), False),
    ],
)
def test_axes_are_logarithmic_where_numbers_span_decades(levels, is_log):
    assert spans_decades(levels) is is_log
    assert fit_scale(levels).is_log is is_log


def test_numbers_stand_where_they_are():
    scale = fit_scale((1, 10, 100))
    assert np.diff(scale.places) == pytest.approx([0.4, 0.4])  # a band is left at both ends
    assert scale.places[0] == pytest.approx(scale.band)
    assert [text for _, text in scale.ticks] == ["1", "10", "100"]


def test_texts_beside_an_axis_do_not_overlap():
    for levels in ((1, 2, 3, 1000), tuple(range(1, 500)), tuple(f"w{n}" for n in range(300)), (5,)):
        places = sorted(place for place, _ in fit_scale(levels).ticks)
        assert places
        assert all(0 <= place <= 1 for place in places)
        assert not np.any(np.diff(places) < 0.04)


def test_bad_results_do_not_squeeze_the_others():
    values = np.array([10.0, 97.0, 97.2, 97.4, 97.6, 98.0])
    low, high = metric_limits(values, higher_is_better=True)
    assert 95 < low < 97
    assert high == 98.0
    low, high = metric_limits(-values, higher_is_better=False)
    assert low == -98.0
    assert -97 < high < -95
    assert metric_limits(np.array([1.0, 1.0, 1.0, 1.0, 0.1]), higher_is_better=True) == (0.1, 1.0)


def test_parallel_coordinates_have_a_line_a_variant(tmp_path):
    figure = parallel_figure(summarize(write_grid(tmp_path)))
    drawn = lines(figure)
    assert [len(paths) for paths in drawn] == [12, 1, 1]
    best = drawn[-1][0].vertices
    assert best[-1].tolist() == [2.0, 1.0]  # the end of the metric's axis
    assert {"learning rate (log)", "batch size (log)", "test accuracy, %", "0.03", "128"} <= texts(figure)


def test_lines_through_one_value_lie_side_by_side_the_better_above(tmp_path):
    figure = parallel_figure(summarize(write_grid(tmp_path)))
    starts = [path.vertices[0, 1] for path in lines(figure)[0]]
    assert len(set(starts)) == 12
    gaps = np.diff(sorted(starts))
    assert sorted(np.argsort(gaps)[-3:].tolist()) == [2, 5, 8]  # four rates, three lines each
    upwards = np.argsort(starts).reshape(4, 3)  # numbers of lines, which are drawn from bad to good
    assert (np.diff(upwards, axis=1) > 0).all()


def test_two_thousand_variants_are_paths_of_a_page_of_some_megabytes(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(2000):
        varied = {"learning_rate": float(rng.lognormal()), "dropout": float(rng.random())}
        write_run(tmp_path, varied, 0, 0.9 + 0.01 * rng.random() + number * 1e-9)
    figure = parallel_figure(summarize(tmp_path))
    assert len(lines(figure)[0]) == 2000
    assert len(render(figure, "svg")) < 3_000_000


def test_a_heat_map_shows_the_mean_over_all_other_settings(tmp_path):
    for rate in (0.1, 0.2, 0.3):
        for units in (10, 20):
            for activation, shift in (("relu", 0.001), ("tanh", -0.001)):
                varied = {"learning_rate": rate, "hidden": [units], "activation": activation}
                write_run(tmp_path, varied, 0, 0.5 + rate + units / 100 + shift)
    figure = heatmap_figure(summarize(tmp_path))
    axis = figure.axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("learning rate", "hidden")
    cells = axis.images[0].get_array()
    expected = [[100 * (0.5 + rate + units / 100) for rate in (0.1, 0.2, 0.3)] for units in (10, 20)]
    assert np.asarray(cells) == pytest.approx(np.array(expected))
    assert {"70.0", "100.0"} <= texts(figure)
    chosen = heatmap_figure(summarize(tmp_path), across="activation", down="hidden")
    assert chosen.axes[0].get_xlabel() == "activation"
    assert chosen.axes[0].images[0].get_array().shape == (2, 2)


def test_a_heat_map_leaves_cells_without_runs_empty(tmp_path):
    write_grid(tmp_path, seeds=1)
    for path in (tmp_path / "runs").glob("*.json"):
        if '"learning_rate": 1.0, "batch_size": 8}' in path.read_text():
            path.unlink()
    cells = heatmap_figure(summarize(tmp_path)).axes[0].images[0].get_array()
    assert cells.mask.sum() == 1


def test_one_setting_is_a_curve_with_the_deviation_over_seeds(tmp_path):
    for batch in (8, 16, 128):
        for seed, accuracy in enumerate((0.90, 0.94)):
            write_run(tmp_path, {"batch_size": batch}, seed, accuracy)
    summary = summarize(tmp_path)
    assert parallel_figure(summary) is None
    assert heatmap_figure(summary) is None
    [bars] = curve_figure(summary).axes[0].containers
    line, _, [sticks] = bars.lines
    assert line.get_xdata().tolist() == [8, 16, 128]
    assert line.get_ydata() == pytest.approx([92.0] * 3)
    low, high = sticks.get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(100 * 0.04 / 2**0.5)


def test_one_setting_on_several_data_sets_is_a_line_each(tmp_path):
    scores = {f"/{name}.csv": {"relu": 0.9, "tanh": 0.8} for name in "abc"}
    figure = curve_figure(summarize(write_sets(tmp_path, scores)))
    assert len(figure.axes[0].containers) == 3
    assert {"a.csv", "b.csv", "c.csv"} <= texts(figure)


def test_nothing_that_varies_is_not_drawn(tmp_path):
    write_run(tmp_path, {}, 0, 0.9)
    write_run(tmp_path, {}, 1, 0.9)
    summary = summarize(tmp_path)
    assert summary.variants.height == 1
    assert [draw(summary) for draw in (parallel_figure, heatmap_figure, curve_figure)] == [None] * 3


@pytest.mark.parametrize("metric", ["test_accuracy", "test_loss"])
def test_equal_results_failures_and_huge_losses_can_be_drawn(tmp_path, metric):
    for rate in (0.1, 0.2, 0.3):
        for batch in (8, 9):
            loss = 1e30 if rate == 0.3 else 0.5
            write_run(tmp_path, {"learning_rate": rate, "batch_size": batch}, 0, 0.9, test_loss=loss)
    write_failure(tmp_path, {"learning_rate": 0.4, "batch_size": 8})
    summary = summarize(tmp_path, metric)
    for draw in (parallel_figure, heatmap_figure):
        assert render(draw(summary), "png")


def test_names_are_drawn_as_they_are(tmp_path):
    for number, name in enumerate(HOSTILE):
        write_run(tmp_path, {"augment": name, "batch_size": 8 + number % 2}, 0, 0.9 + number / 1000)
    summary = summarize(tmp_path)
    for draw in (parallel_figure, heatmap_figure):
        assert render(draw(summary), "svg")


def ranked(count, difference=1.5):
    means = tuple(np.linspace(1.2, count - 0.2, count))
    return Ranks(("a", "b", "c"), tuple(f"rate {n}" for n in range(count)), means, 9.0, 4.0, 0.01, difference)


def test_mean_ranks_have_a_bar_for_each_group():
    ranks = ranked(4)
    figure = ranks_figure(ranks)
    bars = [line for line in figure.axes[0].lines if line.get_linewidth() == 4]
    ends = [line.get_xdata() for line in bars]
    assert len(bars) == len(ranks.groups()) == 3
    for (first, last), (left, right) in zip(ranks.groups(), ends, strict=True):
        assert left == pytest.approx(ranks.mean[first], abs=0.05)
        assert right == pytest.approx(ranks.mean[last], abs=0.05)
    assert "critical difference 1.50" in texts(figure)
    assert any("rate 3 (3.80)" in text for text in texts(figure))


@pytest.mark.parametrize("count", [3, 5, 20, 21, 400])
def test_the_best_of_many_ranks_are_shown(count):
    figure = ranks_figure(ranked(count, difference=2.0))
    names = [text for text in texts(figure) if "rate " in text]
    assert len(names) == min(count, 20)
    assert render(figure, "svg")
