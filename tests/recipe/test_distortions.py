"""What may happen to images: presets and files, their ranges, and the command that shows them."""

import numpy as np
import pytest
from typer.testing import CliRunner

from fastbp import cli, train
from fastbp.data.dataset import load_training
from fastbp.errors import ConfigError
from fastbp.recipe.distortions import PRESETS, Variant, make_distortion, read_variants
from fastbp_kernels import distort_rows, make_distorter

TWO = """
[[variants]]
rotation = 10

[[variants]]
zoom = [0.9, 1.1]
squares = 2
square = 3
"""


def fastbp(*arguments):
    result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_found_by_name(name):
    assert read_variants(name) == PRESETS[name]


def test_none_is_nothing():
    assert read_variants("none") == ()


def test_a_file_of_variants(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TWO, encoding="utf-8")
    assert read_variants(str(path)) == (Variant(rotation=10), Variant(zoom=(0.9, 1.1), squares=2, square=3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[variants]]\nspin = 3", "spin of variant 1 is unknown; expected one of: zoom, stretch, rotation"),
        ("[[variants]]\nrotation = 181", "variant 1: rotation is 181; expected a number from 0 to 180"),
        ("[[variants]]\nrotation = true", "variant 1: rotation is True; expected a number"),
        ("[[variants]]\nrotation = nan", "variant 1: rotation is nan; expected a number"),
        (
            "[[variants]]\n[[variants]]\nzoom = 1.1",
            "variant 2: zoom is 1.1; expected two numbers, lowest and",
        ),
        ("[[variants]]\nzoom = [1.1, 0.9]", r"variant 1: zoom is \[1.1, 0.9\]; expected the lowest first"),
        ("[[variants]]\nsquares = 1.5", "variant 1: squares is 1.5; expected a whole number from 0 to 64"),
        ("variants = 3", r"expected \[\[variants\]\] tables, and nothing else"),
        ("variants = []", r"expected \[\[variants\]\] tables, and nothing else"),
        ("variants = [3]", "variant 1 is 3; expected a table"),
        ("other = 1\n[[variants]]", r"expected \[\[variants\]\] tables, and nothing else"),
        ("[[variants", "not a TOML file"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"mine.toml: .*{message}") as caught:
        read_variants(str(path))
    assert "\n" not in str(caught.value)


def test_unknown_presets_and_missing_files():
    with pytest.raises(ConfigError, match=r"augment is 'eastic'; expected one of: none, report, affine"):
        read_variants("eastic")
    with pytest.raises(ConfigError, match=r"missing.toml: cannot be read"):
        read_variants("missing.toml")


def test_squares_must_fit():
    with pytest.raises(ConfigError, match="squares of 6 pixels do not fit into images of 5x9"):
        make_distortion([Variant(squares=1, square=6)], (5, 9))


def test_images_that_are_no_pictures_are_refused():
    with pytest.raises(Exception, match=r"images are 5, float32; augment affine distorts images of height"):
        train((np.zeros((20, 5), np.float32), np.arange(20) % 2), augment="affine", epochs=1, validation=0)


def test_distorted_training_differs_and_repeats():
    images = np.random.default_rng(0).integers(0, 256, (64, 49), dtype=np.uint8)
    labels = np.arange(64) % 4
    settings = {"hidden": 5, "epochs": 2, "batch_size": 7, "validation": 0.2, "seed": 3}
    plain, once, again = (
        train((images, labels), **settings, augment=augment).network.parameters.tobytes()
        for augment in ("none", "affine", "affine")
    )
    assert once == again != plain


@pytest.mark.parametrize("preset", ["report", "elastic"])
def test_the_preview_is_drawn(tmp_path, preset):
    path = tmp_path / "preview.png"
    result = fastbp("augment", preset, "--preview", path)
    assert result.exit_code == 0, result.output
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "PRESET none distorts nothing; expected another preset, or a .toml file"),
        (
            ["eastic"],
            f"augment is 'eastic'; expected one of: none, {', '.join(PRESETS)}",
        ),
        (["affine", "--preview", "x.gif"], "x.gif: ends in .gif; expected .png, .svg, .pdf for a preview"),
    ],
)
def test_mistakes_of_the_command_are_one_line(arguments, message):
    result = fastbp("augment", *arguments)
    assert result.exit_code == 2
    assert f"fastbp: error: {message}" in result.output.replace("\n", " ")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_do_not_cut_digits_off(name):
    """On a larger canvas nothing gets lost: what lies outside of the 28 x 28 there is cut off here."""
    training, _ = load_training("mnist")
    count, side, edge = 3000, 56, 14
    large = np.zeros((count, side, side), np.uint8)
    large[:, edge:-edge, edge:-edge] = training.images[:count].reshape(-1, 28, 28)
    distortion = make_distortion(PRESETS[name], (side, side)).at(0, 0)
    out = np.zeros((count, side * side), np.uint8)
    distorter = make_distorter(distortion.plan, distortion.taps, distortion.key, distortion.shape, out)
    distort_rows(large.reshape(count, -1), training.labels[:count], np.arange(count), distorter)
    ink = out.reshape(count, side, side).astype(float)
    lost = 1 - ink[:, edge:-edge, edge:-edge].sum(axis=(1, 2)) / ink.sum(axis=(1, 2))
    assert (lost > 0.02).mean() < 0.025
    assert (lost > 0.05).mean() < 0.007
    assert np.median(lost) == 0
