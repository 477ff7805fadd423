"""The playground with data that are not ten kinds of digits."""

import numpy as np
import pytest

from fastbp.pages.playground import PlaygroundDigits, playground_page

CLASSES = 40

TROUBLE = """
const [network] = seen.training.state.networks;
const layers = [{ dead: 0, gradientNorm: 1 }];
const validation = { accuracy: arguments[0] };
return troubleOf({ ...network, layers, epoch: 1, validation, trouble: [] }, CLASSES);
"""


@pytest.fixture
def noise(tmp_path):
    """Pages of noise, 3 by 3 pixels, with fewer samples than lessons have in a mini-batch."""
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (90, 9)).astype(np.uint8), np.arange(90) % CLASSES
    names = tuple(map(str, range(CLASSES)))
    digits = PlaygroundDigits("noise", (3, 3), names, images, labels, np.arange(90), 72)
    path = tmp_path / "page.html"
    path.write_text(playground_page(digits), encoding="utf-8")
    return path


def test_words_know_how_many_classes_there_are(blank, noise):
    blank.open(noise, "#epochs=1")
    blank.command("e")
    trouble = TROUBLE.replace("CLASSES", str(CLASSES))
    assert "guessing reads about 2.5 %" in blank.run(trouble, 0.01)
    assert blank.run(trouble, 0.15) is None  # six times as good as a guess
    two = TROUBLE.replace("CLASSES", "2")
    assert "guessing reads about 50.0 %" in blank.run(two, 0.5)
    assert blank.run(TROUBLE.replace("CLASSES", "1"), 1) is None
    assert blank.text("#guess-share") == "2.5 %"
    assert blank.text("#guess-loss") == "3.7 is guessing among 40"
    assert "60,000" not in blank.text("#command-title")
    assert "learns to tell 40 classes of images apart by" in blank.text("header p")


def test_links_of_lessons_are_read_again(blank, noise):
    blank.open(noise)
    for name in blank.run("return LESSONS.map(({ name }) => name)"):
        blank.click(f"[data-lesson={name}]")
        blank.click("#begin")
        blank.until("window.seen?.training.awaited === null && seen.training.state.networks[0].updates > 0")
        assert not blank.find("#problem").is_displayed(), name
        blank.open(noise, blank.run("return location.hash"))
        assert not blank.find("#problem").is_displayed(), blank.text("#problem")
