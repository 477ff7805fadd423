"""Help and help texts name every entry of a registry whose module is too heavy to import for them."""

import pytest
from typer.testing import CliRunner

from fastbp import cli
from fastbp.exports import FORMATS
from fastbp.logs import LOGS
from fastbp.plots import KINDS
from fastbp.recipe.distortions import PRESETS
from fastbp.studies import available


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("plot", KINDS),
        ("train", LOGS),
        ("train", PRESETS),
        ("augment", PRESETS),
        ("study", available()),
        ("export", FORMATS),
    ],
)
def test_help_names_every_entry(command, names):
    text = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "300"}).stdout
    assert [name for name in names if name not in text] == []
