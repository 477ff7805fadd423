"""The runs that follow from the file of a sweep."""

import os
from pathlib import Path

import pytest

from fastbp.errors import ConfigError
from fastbp.recipe.settings import Settings
from fastbp.sweeps.keys import key_of
from fastbp.sweeps.plan import label_of, plan, read_sweep

GRID = """
title = "A  title"
seeds = 2
[settings]
epochs = 3
[grid]
hidden = [[8], [16, 8]]
learning_rate = [0.1, 0.2, 0.3]
[[list]]
batch_size = 16
[[list]]
batch_size = 32
l2 = 0.01
"""


def written(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_every_combination_once_and_seeds_in_the_outer_loop(tmp_path):
    sweep = read_sweep(written(tmp_path, GRID))
    assert (sweep.name, sweep.title, sweep.seeds) == ("own", "A title", 2)
    assert sweep.axes == ("hidden", "learning_rate", "batch_size", "l2")
    assert len(sweep.variants) == 12
    runs = list(plan(sweep, {"mnist": "images"}).values())
    assert [run.settings.seed for run in runs] == [0] * 12 + [1] * 12
    assert len({run.key for run in runs}) == 24
    first = runs[0].settings
    assert first == Settings(
        epochs=3, hidden=(8,), learning_rate=0.1, batch_size=16, batch_norm=True, threads=1
    )
    assert all(run.key == key_of(run.settings) for run in runs)
    assert label_of(sweep.variants[-1].varied) == "hidden 16,8, learning_rate 0.3, batch_size 32, l2 0.01"


def test_random_draws_depend_on_their_number_alone(tmp_path):
    text = "[random]\ndraws = {n}\nlearning_rate = {{ low = 0.01, high = 1, log = true }}\n"
    few, many = (read_sweep(written(tmp_path, text.format(n=n))) for n in (5, 9))
    assert [v.varied for v in few.variants] == [v.varied for v in many.variants[:5]]
    assert len({v.varied["learning_rate"] for v in many.variants}) == 9
    other = read_sweep(written(tmp_path, text.format(n=5).replace("draws", "seed = 1\ndraws")))
    assert other.variants[0].varied != few.variants[0].varied


def test_equal_variants_run_once(tmp_path):
    sweep = read_sweep(written(tmp_path, "seeds = 1\n[grid]\nbatch_size = [32, 16, 32]\n"))
    assert [v.varied["batch_size"] for v in sweep.variants] == [32, 16]
    # A variant that says what is the default is the same run as one that does not.
    listed = read_sweep(written(tmp_path, "seeds = 1\n[[list]]\nbatch_size = 32\n[[list]]\nepochs = 6\n"))
    assert len(listed.variants) == 2
    assert len(plan(listed, {})) == 1


def test_what_runs_are_tested_on_is_part_of_them(tmp_path):
    for name, content in {"a.csv": "x\n1\n", "b.csv": "x\n2\n", "copy.csv": "x\n1\n"}.items():
        (tmp_path / name).write_text(content)
    text = 'seeds = 1\n[grid]\ntest = ["a.csv", "b.csv", "copy.csv"]\n'
    before = plan(read_sweep(written(tmp_path, text)), {})
    assert [Path(run.settings.test).name for run in before.values()] == ["a.csv", "b.csv"]
    (tmp_path / "b.csv").write_text("x\n34\n")
    after = plan(read_sweep(written(tmp_path, text)), {})
    assert len(before.keys() & after.keys()) == 1


def test_a_key_follows_the_contents_of_files_and_not_their_folder(tmp_path):
    data, recipe = tmp_path / "rows.csv", tmp_path / "moves.toml"
    data.write_text("x\n1\n")
    recipe.write_text("shift = 1\n")
    settings = Settings(data=str(data), augment=str(recipe))
    first = key_of(settings)
    recipe.write_text("shift = 2\n")  # as long as before
    os.utime(recipe, ns=(1, 1))
    second = key_of(settings)
    data.write_text("x\n2\n")
    os.utime(data, ns=(1, 1))
    assert len({first, second, key_of(settings)}) == 3


def test_a_key_follows_what_is_in_the_folders_of_a_folder(tmp_path):
    for number in (0, 1):
        (tmp_path / "data" / "train" / str(number)).mkdir(parents=True)
        (tmp_path / "data" / "train" / str(number) / "a.png").write_bytes(b"image")
    (tmp_path / "data" / "labels.csv").write_text("a")
    settings = Settings(data=str(tmp_path / "data"))
    before = key_of(settings)
    (tmp_path / "data" / "train" / "1" / "a.png").rename(tmp_path / "data" / "train" / "1" / "b.png")
    moved = key_of(settings)
    (tmp_path / "data" / "train" / "1" / "b.png").write_bytes(b"other image")
    assert len({before, moved, key_of(settings)}) == 3


def test_a_run_has_the_number_of_its_first_variant(tmp_path):
    text = "seeds = 1\n[[list]]\nbatch_size = 32\n[[list]]\nepochs = 6\n"
    (run,) = plan(read_sweep(written(tmp_path, text)), {}).values()
    assert run.variant == 0


def test_defaults_are_those_of_the_kind_of_data(tmp_path):
    (tmp_path / "rows.csv").write_text("x\n")
    sweep = read_sweep(written(tmp_path, 'seeds = 1\n[settings]\ndata = "rows.csv"\n'))
    path = str(tmp_path / "rows.csv")
    assert sweep.data == (path,)
    (run,) = plan(sweep, {path: "table"}).values()
    assert (run.settings.optimizer, run.settings.data) == ("adamw", path)


def test_several_data_sets_are_an_axis(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep = read_sweep(written(tmp_path, "[grid]\nbatch_size = [1, 2]\n"), data=("mnist", "b.npz"), seeds=7)
    assert sweep.axes == ("data", "batch_size")
    assert sweep.data == ("mnist", str(tmp_path / "b.npz"))
    assert sweep.seeds == 7


def test_data_of_the_command_replace_those_of_every_table(tmp_path):
    text = """
    [settings]
    data = "a.npz"
    [[list]]
    data = "b.npz"
    batch_size = 1
    [[list]]
    data = "c.npz"
    batch_size = 2
    [random]
    draws = 2
    data = ["d.npz"]
    l2 = [0.1, 0.2]
    """
    sweep = read_sweep(written(tmp_path, text), data=("mnist",))
    assert sweep.data == ("mnist",)
    assert "npz" not in repr(sweep.source)
    assert sweep.axes == ("batch_size", "l2")
    grid = written(tmp_path, '[grid]\nl2 = [0.1, 0.2]\ndata = ["e.npz", "f.npz"]\n')
    assert read_sweep(grid, data=("mnist",)).axes == ("l2",)
    assert read_sweep(grid, data=("mnist", "digits.npz")).data[0] == "mnist"
    assert "e.npz" not in repr(read_sweep(grid, data=("mnist", "digits.npz")).source)


def test_data_of_the_command_are_where_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    sweep = read_sweep(written(tmp_path, "[grid]\nbatch_size = [1, 2]\n"), data=("b.npz",))
    assert sweep.data == (str(tmp_path / "here" / "b.npz"),)
    sweep = read_sweep(written(tmp_path, '[settings]\ndata = "b.npz"\ntest = "t.npz"\n'))
    assert sweep.data == (str(tmp_path / "b.npz"),)
    assert sweep.variants[0].given["test"] == str(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[grids]\n", "own.toml: grids is not a key of a sweep; did you mean grid"),
        (
            "[grid]\nlearning_rat = [1]\n",
            "learning_rat in .grid. is not a setting; did you mean learning_rate",
        ),
        (
            "[settings]\nmomentum = 0.8\n",
            r"momentum in .settings. is not a setting; expected one of: data, .* optimizer, (?!.*threads)",
        ),
        ("[grid]\nseed = [1]\n", "seed in .grid.: a sweep sets it for each run; remove it"),
        ("[settings]\nthreads = 2\n", "threads in .settings.: a sweep sets it"),
        ("[grid]\nl2 = {low = 0, high = 1}\n", r"l2 in \[grid\] is a range; expected a list"),
        ("[random]\nl2 = [1]\n", "random has no draws"),
        ("[random]\ndraws = 0\n", "draws is 0; expected a whole number, 1 or more"),
        ("seeds = true\n", "seeds is True"),
        ("list = 3\n", "list is 3; expected"),
        (
            "[grid]\n"
            + "".join(f"{n} = {list(range(1, 101))}\n" for n in ("batch_size", "epochs", "l2", "l1")),
            "l1",
        ),
    ],
)
def test_what_is_not_a_sweep(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read_sweep(written(tmp_path, text))


def test_too_many_combinations_are_refused_before_they_are_made(tmp_path):
    names = ("batch_size", "epochs", "l2", "momentum")
    hundred = list(range(1, 101))
    text = "[grid]\n" + "".join(f"{n} = {hundred}\n" for n in names[:3]) + "weight_decay = [0, 1]\n"
    with pytest.raises(ConfigError, match="2,000,000 combinations; expected at most 1,000,000"):
        read_sweep(written(tmp_path, text))


def test_as_many_combinations_as_are_allowed_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr("fastbp.sweeps.plan.MOST_RUNS", 6)
    six = "[grid]\nbatch_size = [1, 2]\nepochs = [1, 2, 3]\n"
    assert len(read_sweep(written(tmp_path, six), seeds=1).variants) == 6
    with pytest.raises(ConfigError, match="8 combinations; expected at most 6"):
        read_sweep(written(tmp_path, six.replace("[1, 2, 3]", "[1, 2, 3, 4]")))


def test_too_many_seeds_are_refused_before_they_are_made(tmp_path):
    path = written(tmp_path, "[grid]\nbatch_size = [1, 2]\n")
    assert read_sweep(path, seeds=500_000).seeds == 500_000
    with pytest.raises(ConfigError, match=r"own.toml: has 1,000,002 runs over 500,001 seeds; expected at"):
        read_sweep(path, seeds=500_001)


def test_settings_that_contradict_each_other_name_the_variant(tmp_path):
    sweep = read_sweep(written(tmp_path, "[settings]\nbatch_norm = true\n[grid]\nbatch_size = [8, 1]\n"))
    with pytest.raises(ConfigError, match=r"own\.toml: batch_size 1: batch_norm normalises"):
        plan(sweep, {})
