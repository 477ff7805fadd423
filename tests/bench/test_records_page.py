"""bench/records_page.py: tables and figure of the records, from made-up measurements of libraries."""

import json

import pytest

from fastbp.recipe import named
from fastbp.recipe.settings import read_settings

NAME = "mnist-98"


@pytest.fixture(name="page")
def _page(script):
    return script("records_page")


def entries():
    settings = json.loads(json.dumps(read_settings(named.path_of(NAME))))
    by = {
        "fastbp": {"accuracies": [0.98, 0.99], "seconds": [1.0, 3.0]},
        "jax": {
            "accuracies": [0.97, 0.97],
            "seconds": [8.0, 9.0],
            "form": "as made up",
            "versions": {"jax": "9.8"},
        },
    }
    about = {"cpu": "Made-up CPU", "threads": 3, "date": "2031-02-03"}
    return {NAME: {**about, "settings": settings, "by": by}}


def test_the_table_of_libraries(page):
    lines = page.peers_table(entries()).splitlines()
    assert lines[2:] == [
        f"| `{NAME}` | fastbp | 98.50 ± 0.71 | 2 | 1.00 | 2 |  |",
        f"| `{NAME}` | JAX | 97.00 ± 0.00 | 8.5 | 4.25 | 2 | as made up |",
        "",
        "Made-up CPU, 3 cores; jax 9.8; 2031-02-03",
    ]


def test_figures_of_other_settings_are_not_shown(page):
    old = entries()
    old[NAME]["settings"]["epochs"] += 1
    table = page.peers_table(old)
    assert page.NONE_YET in table
    assert f"settings have changed since: `{NAME}`." in table
    assert "|" not in table


def test_the_figure_has_a_legend_if_there_are_libraries(page, tmp_path):
    sizes = []
    today, another = entries(), entries()  # machines differ from day to day
    today[NAME]["date"] = named.figures()[NAME].date
    for number, found in enumerate((another, today)):
        file = tmp_path / f"{number}.svg"
        page.draw(file, found)
        text = file.read_text(encoding="utf-8")
        assert ("<!-- JAX -->" in text) == (found is today)
        assert "<!-- PyTorch -->" not in text
        assert f"<!-- {NAME} -->" in text
        sizes.append(len(text))
    assert sizes[0] < sizes[1]


def test_the_page_has_what_is_in_the_files(page):
    """Recipes and figures are in the repository; the tables are made from them."""
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.recipes_table() in text
    assert page.ensembles_table(page.ENSEMBLES.read_text(encoding="utf-8")).strip() in text
    assert page.peers_table(page.read_peers()).strip() in text


def test_the_table_of_ensembles(page):
    found = {
        "recipes": ["one", "two"],
        "first": 0,
        "members": 5,
        "alone": [0.981, 0.0012],
        "groups": {"2": [0.982, 0.983]},
        "together": 0.9876,
        "seconds": 90.0,
        "cpu": "Made-up CPU",
        "jobs": 3,
        "date": "2031-02-03",
    }
    assert page.ensembles_table(json.dumps(found) + "\n").splitlines()[2:] == [
        "| 5 | `one`, `two` | 98.10 ± 0.12 | **98.76** | of 2: 98.20, 98.30 | 1.5 | "
        "Made-up CPU, 3 at a time, 2031-02-03 |"
    ]
