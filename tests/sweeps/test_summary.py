"""The tables of a sweep: a row a run, a row a variant."""

import json
import statistics

import pytest

from fastbp.errors import ConfigError
from fastbp.sweeps.effects import effects, grouped, points
from fastbp.sweeps.store import Store
from fastbp.sweeps.summary import summarize, written
from fastbp.sweeps.tables import notes
from swept import write_failure, write_grid, write_run, write_sets


def variant(summary, **settings):
    rows = [r for r in summary.variants.to_dicts() if all(r[n] == v for n, v in settings.items())]
    assert len(rows) == 1, rows
    return rows[0]


def test_a_variant_has_mean_and_deviation_over_its_seeds(tmp_path):
    found = {0.1: [0.90, 0.92, 0.97], 0.3: [0.95, 0.95, 0.96]}
    for rate, accuracies in found.items():
        for seed, accuracy in enumerate(accuracies):
            write_run(tmp_path, {"learning_rate": rate}, seed, accuracy, wall_seconds=1.0 + seed)
    summary = summarize(tmp_path)
    assert summary.metric == "test_accuracy"
    assert summary.axes == ("learning_rate",)
    assert summary.runs.height == 6
    for rate, accuracies in found.items():
        row = variant(summary, learning_rate=rate)
        assert row["mean"] == pytest.approx(statistics.fmean(accuracies))
        assert row["deviation"] == pytest.approx(statistics.stdev(accuracies))
        assert (row["least"], row["greatest"]) == (min(accuracies), max(accuracies))
        assert (row["n"], row["completed"], row["diverged"], row["failed"]) == (3, 3, 0, 0)
        assert row["seconds"] == 2.0
    assert summary.variants["learning_rate"].to_list() == [0.3, 0.1]  # the best first


def test_one_seed_has_no_deviation(tmp_path):
    write_run(tmp_path, {"learning_rate": 0.1}, 0, 0.9)
    write_run(tmp_path, {"learning_rate": 0.2}, 0, 0.8)
    assert summarize(tmp_path).variants["deviation"].to_list() == [None, None]


@pytest.mark.parametrize("metric", ["test_loss", "wall_seconds", "wall-seconds"])
def test_less_of_a_loss_or_of_time_is_better(tmp_path, metric):
    for rate, loss in [(0.1, 0.5), (0.2, 0.2), (0.3, 0.9)]:
        write_run(tmp_path, {"learning_rate": rate}, 0, 0.9, test_loss=loss, wall_seconds=loss)
    summary = summarize(tmp_path, metric)
    assert summary.variants["learning_rate"].to_list() == [0.2, 0.1, 0.3]
    assert not summary.higher_is_better


def test_the_metric_is_the_first_that_the_runs_have(tmp_path):
    write_run(tmp_path, {"learning_rate": 0.1}, 0, None, validation_accuracy=0.5, r2=None)
    write_run(tmp_path, {"learning_rate": 0.2}, 0, None, validation_accuracy=0.6, r2=None)
    assert summarize(tmp_path).metric == "validation_accuracy"
    write_run(tmp_path, {"learning_rate": 0.3}, 0, None, r2=0.7, validation_loss=0.3)
    assert summarize(tmp_path).metric == "r2"
    write_run(tmp_path, {"learning_rate": 0.4}, 0, 0.8)
    assert summarize(tmp_path).metric == "test_accuracy"


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("test_accurac", "--metric 'test_accurac' is not a figure of a run; did you mean test_accuracy"),
        ("zzz", "expected one of: test_accuracy, r2"),
        ("r2", "no run has r2; they have test_accuracy, epochs_completed, wall_seconds"),
    ],
)
def test_a_metric_that_is_not_there_is_refused(tmp_path, metric, said):
    write_run(tmp_path, {"learning_rate": 0.1}, 0, 0.9)
    with pytest.raises(ConfigError, match=said):
        summarize(tmp_path, metric)


def test_a_run_that_diverged_counts_and_a_lost_loss_comes_last(tmp_path):
    for seed, loss in enumerate((0.1, 0.1, None)):
        status = "completed" if loss else "diverged"
        write_run(tmp_path, {"learning_rate": 1.0}, seed, 0.99 if loss else 0.1, status, test_loss=loss)
        write_run(tmp_path, {"learning_rate": 0.1}, seed, 0.9, test_loss=0.5)
    row = variant(summarize(tmp_path), learning_rate=1.0)
    assert (row["n"], row["completed"], row["diverged"]) == (3, 2, 1)
    assert row["mean"] == pytest.approx((0.99 + 0.99 + 0.1) / 3)
    # The mean of what is left is lower, and yet not better.
    assert summarize(tmp_path, "test_loss").variants["learning_rate"].to_list() == [0.1, 1.0]


def test_failed_runs_are_counted_and_keep_their_error(tmp_path):
    write_run(tmp_path, {"learning_rate": 0.1}, 0, 0.9)
    write_failure(tmp_path, {"learning_rate": 0.1}, 1)
    write_failure(tmp_path, {"learning_rate": 0.2}, 0)
    summary = summarize(tmp_path)
    assert summary.counts() == {"completed": 1, "diverged": 0, "failed": 2}
    row = variant(summary, learning_rate=0.1)
    assert (row["n"], row["failed"], row["mean"]) == (1, 1, 0.9)
    assert variant(summary, learning_rate=0.2)["mean"] is None
    assert summary.variants["learning_rate"].to_list() == [0.1, 0.2]  # without a result: last
    errors = summary.runs.filter(summary.runs["status"] == "failed")["error"].to_list()
    assert errors == ["DataError: broken"] * 2


def test_only_failures_say_why(tmp_path):
    write_failure(tmp_path, {"learning_rate": 0.1})
    with pytest.raises(ConfigError, match="none of its 1 runs has a result; 1 failed: DataError: broken"):
        summarize(tmp_path)


def test_lists_are_text_in_order_of_their_size(tmp_path):
    for hidden in ([20, 10], [100], [9], []):
        write_run(tmp_path, {"hidden": hidden}, 0, 0.9)
    summary = summarize(tmp_path)
    assert summary.levels["hidden"] == ("none", "9", "100", "20,10")
    assert sorted(summary.runs["hidden"]) == ["100", "20,10", "9", "none"]


def test_numbers_stay_numbers(tmp_path):
    write_run(tmp_path, {"learning_rate": 1, "batch_norm": True, "batch_size": 8}, 0, 0.9)
    write_run(tmp_path, {"learning_rate": 0.5, "batch_norm": False, "batch_size": 100_000}, 0, 0.9)
    frame = summarize(tmp_path).runs
    kinds = [str(frame[name].dtype) for name in ("learning_rate", "batch_norm", "batch_size")]
    assert kinds == ["Float64", "Boolean", "Int64"]
    assert written(100_000) == "100000"
    assert written(0.1) == "0.1"


def test_settings_that_a_variant_does_not_name_have_the_value_it_ran_with(tmp_path):
    """As in [[list]]: one entry names the rate, the other does not."""
    write_run(tmp_path, {"optimizer": "adamw", "learning_rate": 0.001}, 0, 0.9)
    write_run(tmp_path, {"optimizer": "sgd"}, 0, 0.8)
    assert variant(summarize(tmp_path), optimizer="sgd")["learning_rate"] == 0.4


def test_what_differs_beside_the_variants_is_an_axis(tmp_path):
    """Runs of a sweep whose file was changed: 14 epochs, then 3."""
    for rate in (0.1, 0.2):
        key = write_run(tmp_path, {"learning_rate": rate}, 0, 0.9)
        path = tmp_path / "runs" / f"{key}.json"
        run = json.loads(path.read_text())
        run["key"] = key[::-1]
        run["settings"]["epochs"] = 3
        path.with_name(f"{key[::-1]}.json").write_text(json.dumps(run))
    summary = summarize(tmp_path)
    assert summary.axes == ("learning_rate", "epochs")
    assert summary.variants.height == 4


def test_what_follows_from_a_variant_is_no_axis(tmp_path):
    """The rate that is chosen for each batch size."""
    for batch, rate in [(8, 0.1), (32, 0.4)]:
        settings = {"batch_size": batch, "learning_rate": rate}
        write_run(tmp_path, {"batch_size": batch}, 0, 0.9, settings=settings)
    assert summarize(tmp_path).axes == ("batch_size",)


def test_runs_of_another_cpu_are_marked(tmp_path):
    for seed in range(4):
        write_run(tmp_path, {"learning_rate": 0.1}, seed, 0.9, cpu="Other" if seed == 3 else "Usual")
        write_run(tmp_path, {"learning_rate": 0.2}, seed, 0.9, host=f"host{seed}", cpu="Usual")
    write_failure(tmp_path, {"learning_rate": 0.3}, cpu=None, versions={})
    summary = summarize(tmp_path)
    marked = summary.runs.filter(summary.runs["other_machine"])
    assert marked["cpu"].to_list() == ["Other"]  # another host of the same kind is not
    assert variant(summary, learning_rate=0.1)["other_machine"] == 1
    assert variant(summary, learning_rate=0.2)["other_machine"] == 0


def test_data_sets_have_short_names_that_differ(tmp_path):
    write_sets(tmp_path, {"/a/x.csv": {"relu": 0.9}, "/b/x.csv": {"relu": 0.8}, "/b/y.csv": {"relu": 0.7}})
    assert set(summarize(tmp_path).data) == {"a/x.csv", "b/x.csv", "b/y.csv"}
    other = tmp_path / "other"
    write_sets(other, {"/a/x.csv": {"relu": 0.9}, "/b/y.csv": {"relu": 0.8}})
    assert set(summarize(other).data) == {"x.csv", "y.csv"}


def test_an_unfinished_sweep_says_what_is_missing(tmp_path):
    keys = [write_run(tmp_path, {"learning_rate": rate}, 0, 0.9) for rate in (0.1, 0.2)]
    summary = summarize(tmp_path)
    assert (summary.planned, summary.missing, summary.unplanned) == (None, 0, 0)
    Store(tmp_path).keep({"title": "Rates"}, [keys[0], "another", "and another"])
    summary = summarize(tmp_path)
    assert (summary.title, summary.planned, summary.missing, summary.unplanned) == ("Rates", 3, 2, 1)


@pytest.mark.parametrize("broken", ["", "[1", "null", "3"])
def test_a_plan_that_cannot_be_read_is_not_known(tmp_path, broken):
    write_run(tmp_path, {"learning_rate": 0.1}, 0, 0.9)
    (tmp_path / "planned.json").write_text(broken)
    (tmp_path / "sweep.toml").write_text("= =")
    summary = summarize(tmp_path)
    assert (summary.planned, summary.title) == (None, tmp_path.name)


@pytest.mark.parametrize(
    "changed",
    [
        {"test_accuracy": "high"},
        {"settings": 3},
        {"varied": None},
        {"seed": None},
        {"seed": 1 << 63},
        {"epochs": 2.5},
        {"parameters": -(1 << 63)},
        {"varied": {"learning_rate": {"low": 0.1}}},
        {"settings": {"hidden": [[5], [3]]}},
        {"cpu": [1]},
        {"error": 1},
    ],
)
def test_a_file_that_is_not_that_of_a_run_is_named(tmp_path, changed):
    key = write_run(tmp_path, {"learning_rate": 0.1}, 0, 0.9)
    path = tmp_path / "runs" / f"{key}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ConfigError, match=f"{key}.json: not the file of a run"):
        summarize(tmp_path)


def test_runs_of_data_that_have_changed_since_do_not_count(tmp_path):
    old = [write_run(tmp_path, {"learning_rate": rate}, 0, 0.1) for rate in (0.1, 0.2)]
    for key in old:  # the same settings and seed under another name, as after a change of the data
        path = tmp_path / "runs" / f"{key}.json"
        path.rename(path.with_stem("old" + key))
        path.with_stem("old" + key).write_text(
            path.with_stem("old" + key).read_text().replace(key, "old" + key)
        )
    assert summarize(tmp_path).runs.height == 2
    new = [write_run(tmp_path, {"learning_rate": 0.1}, seed, 0.9) for seed in (0, 1)]
    summary = summarize(tmp_path)
    assert (summary.runs.height, summary.replaced) == (4, 0)  # which are old is not known
    Store(tmp_path).keep({"title": "Rates"}, new)
    summary = summarize(tmp_path)
    row = variant(summary, learning_rate=0.1)
    assert (row["mean"], row["n"]) == (0.9, 2)
    assert variant(summary, learning_rate=0.2)["mean"] == 0.1  # nothing took its place
    assert (summary.unplanned, summary.replaced) == (2, 1)
    said = notes(summary)
    assert "1 runs of data that have changed since, or tested on others, do not count" in said
    assert any(line.startswith("1 of the runs are of an earlier version") for line in said)


def test_a_copy_of_a_file_under_another_name_is_named(tmp_path):
    key = write_run(tmp_path, {"learning_rate": 0.1}, 0, 0.9)
    path = tmp_path / "runs" / f"{key}.json"
    path.with_stem("copy").write_text(path.read_text())
    with pytest.raises(ConfigError, match=r"copy.json: cannot be read .not the file of a run"):
        summarize(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="has no runs of a sweep"):
        summarize(tmp_path)


def test_effects_are_means_by_value_and_the_largest_comes_first(tmp_path):
    summary = summarize(write_grid(tmp_path))
    first, second = effects(summary)
    assert (first.setting, second.setting) == ("learning_rate", "batch_size")
    assert first.share > 0.99
    assert second.share == 0.0
    level = first.levels[2]
    assert (level.name, level.variants) == ("0.3", 3)
    runs = summary.runs.filter(summary.runs["learning_rate"] == 0.3)["test_accuracy"]
    assert level.mean == pytest.approx(statistics.fmean(runs))
    assert level.best == pytest.approx(0.97 - 8e-6 + 5e-5)


def test_one_combination_that_diverges_is_not_the_only_effect(tmp_path):
    write_grid(tmp_path, batches=(8, 16, 32, 64, 128))
    write_run(tmp_path, {"learning_rate": 0.03, "batch_size": 8}, 0, 0.1, "diverged")
    assert effects(summarize(tmp_path))[0].share > 0.4  # 0.003 if it counted in full


def test_many_numbers_become_ranges(tmp_path):
    for number in range(60):
        write_run(tmp_path, {"dropout": number / 100, "l2": number % 2}, 0, 0.9 + number / 1000)
    found = {effect.setting: effect for effect in effects(summarize(tmp_path))}
    levels = found["dropout"].levels
    assert [level.variants for level in levels] == [10] * 6
    assert levels[0].name == "0 to 0.09"
    assert found["dropout"].share > 0.9


def test_values_on_several_data_sets_are_differences_from_their_means(tmp_path):
    easy, hard = {"relu": 0.99, "tanh": 0.97}, {"relu": 0.55, "tanh": 0.51}
    summary = summarize(write_sets(tmp_path, {"/a.csv": easy, "/b.csv": hard}))
    rows = {row["activation"]: row["value"] for row in points(summary).to_dicts()}
    assert rows == {"relu": pytest.approx(0.015), "tanh": pytest.approx(-0.015)}


def test_a_variant_that_was_only_tried_on_hard_data_is_not_bad_for_it(tmp_path):
    scores = {"/a.csv": {"relu": 0.99, "tanh": 0.97}, "/b.csv": {"relu": 0.5}}
    frame = points(summarize(write_sets(tmp_path, scores)))
    values = dict(zip(frame["activation"], frame["value"], strict=True))
    assert values == {"relu": pytest.approx(0.005), "tanh": pytest.approx(-0.01)}


def test_a_run_that_lacks_the_metric_without_divergence_costs_no_place(tmp_path):
    write_run(tmp_path, {"learning_rate": 0.1}, 0, 0.9)
    write_run(tmp_path, {"learning_rate": 0.1}, 1, None)
    write_run(tmp_path, {"learning_rate": 0.2}, 0, 0.8)
    assert summarize(tmp_path).variants["learning_rate"].to_list() == [0.1, 0.2]


@pytest.mark.parametrize(("count", "names"), [(12, 12), (13, 6)])
def test_a_dozen_numbers_stay_and_more_become_ranges(count, names):
    levels = [rate / 100 for rate in range(1, count + 1)]
    places, found = grouped(levels, levels)
    assert len(found) == names
    assert len(set(places.tolist())) == names
