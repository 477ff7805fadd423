"""bench/recipe.py: the README's first numbers and the guide's, from made-up runs."""

from pathlib import Path

import pytest

from fastbp.runs.machine import cpu_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="recipe")
def _recipe(script):
    return script("recipe")


def made_up(recipe):
    lines = ["epoch 14/14  loss 0.5000  as made up", "test accuracy 12.35 %, as made up"]
    return {
        "auto": [recipe.Run(lines, 12.345, 1.25), recipe.Run([], 13.5, 2.5), recipe.Run([], 13.0, 9.0)],
        "1": [recipe.Run([], 12.345, 7.0)] * 3,
    }


def test_only_the_numbers_change(recipe):
    before = [(ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "docs/guide/train.md")]
    readme, guide = recipe.pages(made_up(recipe), *before)
    assert "it classifies 12.9 % of MNIST's test" in readme
    assert "after 2.5 s of training on two cores." in " ".join(readme.split())
    for line in made_up(recipe)["auto"][0].lines:
        assert f"\n    {line}\n" in readme
    said = " ".join(guide.split())
    assert "is 12.35 to 13.50 % (12.35, 13.50 and 13.00 % with random seeds 0 to 2)." in said
    assert f"2.5 s on two cores ({cpu_name()}), 7.0 s on one." in said
    for old, new in zip(before, (readme, guide), strict=True):
        gone, come = (set(a.splitlines()) - set(b.splitlines()) for a, b in ((old, new), (new, old)))
        assert len(gone) < 8
        assert max(map(len, come)) <= 88


def test_a_page_without_the_passage_is_refused(recipe):
    with pytest.raises(SystemExit, match="expected one passage"):
        recipe.rewrite("other words", "fastbp trains", "it classifies", "")
