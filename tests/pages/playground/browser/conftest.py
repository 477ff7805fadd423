"""The playground with two thousand of MNIST's digits, in a browser."""

import pytest

from fastbp.pages.playground import playground_page
from played import Played, some_digits


@pytest.fixture(scope="session")
def playground(tmp_path_factory):
    path = tmp_path_factory.mktemp("playground") / "page.html"
    path.write_text(playground_page(some_digits()), encoding="utf-8")
    return path


@pytest.fixture
def blank(page):  # the other fixture looks at the console and the screen afterwards
    return Played(page.driver)


@pytest.fixture
def play(blank, playground):
    blank.open(playground, "#hidden=16&epochs=3&augment=none&learning-rate=0.2")
    return blank
