"""Files of searches: what they may hold, and what is said of mistakes in one line."""

import pytest

import clusters
from fastbp.errors import ConfigError
from fastbp.sweeps.search import read_search
from fastbp.sweeps.search.plan import SEED
from fastbp.sweeps.space import Choice, Range
from searching import SPACE, write


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clusters.write_npz(tmp_path / "clusters.npz")


def test_a_file_is_read(tmp_path):
    search = read_search(
        write(
            SPACE + "hidden = [[8], [16, 16], []]\nbatch_size = { low = 4, high = 128 }\n"
            "[search]\ntrials = 7\nseed = 3\nmetric = 'loss'\n"
        )
    )
    assert (search.name, search.title, search.trials, search.seed) == ("space", "Clusters", 7, 3)
    assert search.metric == "loss"
    assert search.space["hidden"] == Choice(([8], [16, 16], []))
    assert search.space["batch_size"] == Range(4, 128, log=False, whole=True)
    assert search.given["data"] == str(tmp_path / "clusters.npz")
    assert "hidden" not in search.given, "what is searched is not shared"
    settings = search.settings({"hidden": [16, 16], "learning_rate": 0.1, "batch_size": 8}, "images")
    assert (settings.hidden, settings.seed, settings.threads) == ((16, 16), SEED, 1)


def test_options_have_defaults_and_those_of_the_command_come_first():
    assert read_search(write()).trials == 50
    assert read_search(write(SPACE + "[search]\ntrials = 7\n"), trials=9).trials == 9
    assert read_search(write()).metric == "auto"


def test_searches_are_the_same_or_not(tmp_path):
    first = read_search(write()).identity
    assert read_search(write(SPACE + "[search]\ntrials = 9\n")).identity == first
    for text in (
        SPACE.replace("1e-6", "1e-5"),
        SPACE.replace("epochs = 4", "epochs = 5"),
        SPACE + "dropout = [0.0, 0.1]\n",
        SPACE + "[search]\nseed = 1\n",
    ):
        assert read_search(write(text)).identity != first
    clusters.write_npz(tmp_path / "clusters.npz", samples=204)
    assert read_search(write()).identity != first, "other data under the same name"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sapce]\nlearning_rate = [1]\n", "sapce is not a key of a search; did you mean space?"),
        ("[settings]\nepochs = 3\n", "has no [space]; expected settings with"),
        ("space = 3\n", "space is 3; expected a table"),
        ("search = 3\n[space]\nl2 = [0.1]\n", "search is 3; expected [search] with trials, seed, metric"),
        (
            "[space]\nlearning_rat = [1]\n",
            "learning_rat in [space] is not a setting; did you mean learning_rate?",
        ),
        ("[space]\nseed = [1]\n", "seed in [space]: a sweep sets it"),
        (
            "[space]\nlearning_rate = 0.1\n",
            "learning_rate in [space] is 0.1; expected a list of values, or {",
        ),
        ("[space]\nlearning_rate = []\n", "learning_rate in [space] is []; expected a list"),
        ("[space]\nlearning_rate = { low = 2, high = 1 }\n", "expected numbers low < high"),
        ("[space]\nlearning_rate = { low = 0, high = 1.0, log = true }\n", "has low 0 with log"),
        ("[space]\nlearning_rate = [0.1, 0.2, 0.1]\n", "learning_rate in [space] has 0.1 twice"),
        ("[space]\ndata = ['a', 'b']\n", "data in [space]: all trials need the same data"),
        ("[space]\nvalidation = [0.1, 0.2]\n", "validation in [space]: all trials need the same data"),
        ("[space]\nl2 = [0.1]\n[search]\ntrials = 0\n", "trials is 0; expected a whole number, 1 or more"),
        ("[space]\nl2 = [0.1]\n[search]\nseed = -1\n", "seed in [search] is -1; expected a whole number"),
        (
            "[space]\nl2 = [0.1]\n[search]\nmetric = 'f1'\n",
            "metric in [search] is 'f1'; expected one of: auto",
        ),
        (
            "[space]\nl2 = [0.1]\n[search]\npruner = 'x'\n",
            "pruner is not an option of [search]; expected one of",
        ),
        ("[space\n", "not a TOML file"),
    ],
)
def test_mistakes_are_told(text, said):
    with pytest.raises(ConfigError) as error:
        read_search(write(text))
    assert str(error.value).startswith("space.toml: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("dropout = [0.1, 1.5]", "dropout 1.5 in [space]: dropout is 1.5; expected"),
        ("dropout = { low = -1.0, high = 0.5 }", "dropout -1 in [space]: dropout is -1"),
        ("optimizer = ['sgd', 'adams']", "optimizer adams in [space]: optimizer is 'adams'"),
        ("epochs = [0, 3]", "epochs 0 in [space]: epochs is 0; expected 1 or more"),
    ],
)
def test_values_that_suit_nothing_are_found_before_the_first_trial(entry, said):
    with pytest.raises(ConfigError) as error:
        read_search(write(f"[space]\n{entry}\n")).check("images")
    assert said in str(error.value)


def test_values_that_suit_some_others_are_left_to_the_trials():
    """A run cannot restore its best epoch and average its weights in every combination."""
    text = "[space]\noptimizer = ['sgd', 'adam']\nl2 = [0.0, 0.01]\n"
    read_search(write(text)).check("images")


def test_a_search_needs_validation_data():
    search = read_search(write("[settings]\nvalidation = 0\n[space]\nl2 = [0.0, 0.1]\n"))
    with pytest.raises(ConfigError, match="validation is 0, and a search compares trials by it"):
        search.check("images")
