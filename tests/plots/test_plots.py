"""Figures: the numbers that are in them, files of every kind, and what is refused."""

import base64
import html.parser
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import clusters
import fastbp
import naive
from fastbp import cli
from fastbp.callbacks import EpochRecord
from fastbp.errors import ConfigError, FastbpError, WeightsError
from fastbp.evaluation.metrics import calibration
from fastbp.evaluation.regression import RegressionEvaluation
from fastbp.network import Network
from fastbp.plots import (
    KINDS,
    LoggedRun,
    confusion_figure,
    draw,
    history_figure,
    mistakes_figure,
    page_html,
    plot,
    reliability_figure,
    residuals_figure,
    signals_figure,
    weights_figure,
)
from fastbp.plots.confusion import confusion_panels
from fastbp.plots.labels import labels_of
from fastbp.plots.matrix import matrix_svg
from fastbp.plots.signals import measure_signals
from fastbp.recipe.defaults import IMAGES
from fastbp.recipe.settings import Settings
from fastbp.runs.history import read_history
from fastbp.runs.scores import regression_scores

FAST = {"hidden": (9,), "epochs": 3, "batch_size": 8, "backend": "numpy"}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    clusters.write_npz(tmp_path / "data.npz")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_run(name, **settings):
    result = fastbp.train("data.npz", **{**FAST, **settings})
    result.save(name)
    return result


def record(epoch, train_loss, validation_loss=float("nan")):
    return EpochRecord(epoch, train_loss, 0.5, validation_loss, 0.25, 0.1, 1.0, 0.1)


def logged(name, losses, **settings):
    history = tuple(record(epoch, *pair) for epoch, pair in enumerate(losses, start=1))
    return LoggedRun(name=name, settings=Settings(**settings) if settings else None, history=history)


def lines_of(axes):
    return [line.get_ydata().tolist() for line in axes.lines]


def texts(figure):
    found = {text.get_text() for text in figure.findobj(lambda o: hasattr(o, "get_text"))}
    return "\n".join(sorted(found))


# History


def test_history_shows_the_numbers():
    figure = history_figure([logged("run", [(0.5, 0.75), (0.25, 0.5)], seed=1)])
    loss, accuracy = figure.axes
    assert lines_of(loss) == [[0.5, 0.25], [0.75, 0.5]]
    assert lines_of(accuracy) == [[50, 50], [25, 25]]
    assert loss.get_shared_x_axes().joined(loss, accuracy)
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss, nats per sample", "accuracy, %")


def test_runs_that_differ_in_the_seed_share_a_line_and_others_are_named_by_what_differs():
    runs = [
        logged("a", [(0.5, 0.75), (0.25, 0.5)], seed=1, init="he"),
        logged("b", [(0.25, 0.25), (0.125, 0.25), (0.1, 0.1)], seed=2, init="he"),
        logged("c", [(1, 1), (1, 1)], seed=1, init="xavier"),
    ]
    figure = history_figure(runs)
    lines = lines_of(figure.axes[0])
    assert [0.375, 0.1875] in lines  # means of training losses, as far as both go
    assert [0.5, 0.375] in lines
    assert [0.25, 0.1] in lines  # the longer one goes on alone
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ["init he: mean of 2, band of all", "init xavier"]
    assert labels[2:] == ["training", "validation"]


def test_losses_that_span_much_get_a_logarithmic_axis():
    for last, scale in ((0.4, "linear"), (0.04, "log")):
        figure = history_figure([logged("run", [(1.0, 1.0), (last, last)], seed=0)])
        assert figure.axes[0].get_yscale() == scale


def test_a_run_without_validation_has_no_line_for_it():
    figure = history_figure([logged("run", [(0.5,), (0.25,)], seed=0)])
    assert lines_of(figure.axes[0]) == [[0.5, 0.25]]
    assert "validation" not in texts(figure)


def test_no_history_is_refused():
    with pytest.raises(ConfigError, match="no runs are given"):
        history_figure([])
    with pytest.raises(ConfigError, match="empty: completed no epoch"):
        history_figure([logged("empty", [])])


def test_labels():
    base = Settings()
    assert labels_of([base, base]) == ["", ""]
    both = labels_of([Settings(hidden=(8, 4), batch_size=16), Settings(hidden=(), batch_size=64)])
    assert both == ["hidden 8,4, batch 16", "hidden none, batch 64"]
    assert labels_of([Settings(threads=1), Settings(threads=2)]) == ["", ""]
    assert labels_of([Settings(stop=("early",)), Settings()]) == ["stop early:5", "no stop"]


# Figures of one network


def test_confusion_holds_every_count():
    matrix = np.array([[90, 7, 0], [0, 80, 0], [13, 0, 1]])
    figure = confusion_figure(matrix, "name")
    axes = figure.axes[0]
    shown = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
    assert shown == {(0, 0): "90", (0, 1): "7", (1, 1): "80", (2, 0): "13", (2, 2): "1"}
    assert axes.get_title() == f"name: accuracy {100 * 171 / 191:.2f} %, 20 of 191 wrong"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert not confusion_figure(np.eye(62, dtype=np.int64)).axes[0].texts


def test_confusion_of_two_runs_has_two_panels_on_one_scale():
    make_run("a")
    make_run("b", seed=1, epochs=1)
    figure = draw([Path("a"), Path("b")], "confusion")
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title().split(":")[0] for axes in panels] == ["a", "b"]
    assert len({axes.images[0].get_clim() for axes in panels}) == 1
    for axes, name in zip(panels, "ab", strict=True):
        accuracy = json.loads(Path(name, "result.json").read_text())["test_accuracy"]
        right = sum(int(t.get_text()) for t in axes.texts if len(set(t.get_position())) == 1)
        assert right == round(60 * accuracy)
    make_run("c", seed=2)
    three = draw([Path("a"), Path("b"), Path("c")], "confusion")
    assert len([axes for axes in three.axes if axes.images]) == 3


def test_panels_share_the_scale_of_the_largest_count():
    figure = confusion_panels([("a", np.array([[9, 40], [0, 9]])), ("b", np.array([[9, 300], [0, 9]]))])
    assert {axes.images[0].get_clim() for axes in figure.axes if axes.images[:1]} == {(1, 300)}


def test_weights_are_those_of_the_units_with_the_largest_norm():
    network = Network((6, 3, 2), dtype="float64")
    rng = np.random.default_rng(3)
    network.weights[0][...] = rng.normal(size=(6, 3)) * [1, 9, 4]
    figure = weights_figure(network, (2, 3), count=2)
    pictures = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(pictures) == 2
    np.testing.assert_array_equal(pictures[0], network.weights[0][:, 1].reshape(2, 3))
    np.testing.assert_array_equal(pictures[1], network.weights[0][:, 2].reshape(2, 3))
    limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
    ((low, high),) = limits
    assert low == -high < 0
    with pytest.raises(WeightsError, match="images are 7x1, but the network takes 6 pixels"):
        weights_figure(network, (7, 1))


def test_mistakes_are_the_surest_first_with_both_probabilities():
    images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 4)
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [1.0, 0.0], [0.4, 0.6]])
    labels = np.array([0, 1, 0, 1, 1])
    figure = mistakes_figure(images, (2, 2), labels, probabilities, count=2)
    shown = [(axes.get_title(), axes.images[0].get_array().tolist()) for axes in figure.axes if axes.images]
    assert shown == [
        ("is 1: 0.0%\nsaid 0: 100.0%", images[3].reshape(2, 2).tolist()),
        ("is 1: 20.0%\nsaid 0: 80.0%", images[1].reshape(2, 2).tolist()),
    ]
    assert figure.get_suptitle() == "2 of 3 mistakes, most confident first (60.00 % of 5 samples)"
    assert "no mistakes in 1 samples" in texts(
        mistakes_figure(images[:1], (2, 2), labels[:1], probabilities[:1])
    )


def test_reliability_bars_are_the_accuracies():
    found = calibration([0.25, 0.75, 0.75, 1.0], [False, True, False, True], bins=4)
    figure = reliability_figure(found, "name")
    above, below = figure.axes
    bars = {round(bar.get_x(), 3): bar.get_height() for bar in above.patches}
    assert bars == {0.0: 0.0, 0.5: 0.5, 0.75: 1.0}
    assert {round(bar.get_x(), 3): bar.get_height() for bar in below.patches} == {0.0: 1, 0.5: 2, 0.75: 1}
    assert above.get_title() == f"name: expected calibration error {100 * found.ece:.2f} %"


def test_signals_are_those_of_the_oracle():
    """Activations and gradients of the textbook, against loops over Python floats."""
    data = clusters.dataset(samples=11, pixels=5, classes=3)
    network = Network((5, 4, 3), dtype="float64", input_scale=1 / 255)
    rng = np.random.default_rng(5)
    for weight in network.weights:
        weight[...] = rng.normal(size=weight.shape)
    passing, back = measure_signals(network, data.images, data.labels)
    batch = (data.images / 255).tolist()
    _, d_weights, _, _ = naive.loss_and_gradients(
        [w.tolist() for w in network.weights],
        [b.tolist() for b in network.biases],
        batch,
        data.labels.tolist(),
    )
    hidden = np.array(
        [naive.forward([w.tolist() for w in network.weights], [[0] * 4, [0] * 3], row)[0][1] for row in batch]
    )
    assert [spread.name for spread in passing] == ["inputs", "hidden 1", "logits"]
    assert passing[1].rms == pytest.approx(np.sqrt(np.mean(hidden**2)), rel=1e-12)
    assert passing[1].zeros == pytest.approx(np.mean(hidden == 0))
    assert passing[1].quantiles[2] == pytest.approx(np.median(hidden[hidden > 0]), rel=1e-12)
    for spread, gradient in zip(back, d_weights, strict=True):
        assert spread.rms == pytest.approx(np.sqrt(np.mean(np.square(gradient))), rel=1e-9)
    figure = signals_figure({"one": network, "all zero": Network((5, 4, 3))}, data.images, data.labels)
    assert "all 0" in texts(figure)
    assert len(figure.axes) == 4


# Predicted quantities


def quantities(count=50):
    rng = np.random.default_rng(0)
    values = rng.normal(0, [1, 100], (count, 2))
    guess = values + rng.normal(0, [0.1, 30], (count, 2))
    scores = regression_scores(values, guess, ("$a$", "b"))
    return RegressionEvaluation(
        data="rows", names=("$a$", "b"), predicted=guess, values=values, scores=scores
    )


def test_residuals_are_true_minus_predicted():
    found = quantities()
    figure = residuals_figure(found)
    for number in range(2):
        left, right = figure.axes[2 * number : 2 * number + 2]
        true, guess = found.values[:, number], found.predicted[:, number]
        points, rests = left.lines[1], right.lines[1]
        np.testing.assert_array_equal(points.get_xdata(), true)
        np.testing.assert_array_equal(points.get_ydata(), guess)
        np.testing.assert_array_equal(rests.get_xdata(), guess)
        np.testing.assert_array_equal(rests.get_ydata(), true - guess)
    assert f"R2 {found.scores.targets[1].r2:.4f}" in texts(figure)
    assert r"true \$a\$" in texts(figure)  # no formula
    figure.savefig(io.BytesIO())


def test_of_many_points_some_are_drawn():
    count = len(residuals_figure(quantities(20_000)).axes[0].lines[1].get_xdata())
    assert 2500 <= count <= 5000


def test_residuals_of_a_run():
    rng = np.random.default_rng(0)
    X = rng.normal(0, 3, (60, 2))
    fastbp.train((X, X @ [1.5, 2.5]), hidden=(8,), epochs=3, backend="numpy").save("values")
    with pytest.raises(FastbpError, match=r"in memory"):
        draw([Path("values")], "residuals")
    make_run("run")
    with pytest.raises(WeightsError, match="expected a network that predicts quantities"):
        draw([Path("run")], "residuals")


# Files


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("page", "residuals")])
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_every_kind_is_written_and_the_same_bytes_twice(here, kind, suffix):
    make_run("run")
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    written = plot([Path("run")], kind, here / f"a.{suffix}")
    content = written.read_bytes()
    assert content.startswith(start)
    assert len(content) > 2000
    assert plot([Path("run")], kind, here / f"b.{suffix}").read_bytes() == content


def test_where_a_file_goes_when_nothing_is_said():
    make_run("run")
    make_run("other", seed=1)
    assert plot([Path("run")]) == Path("run/history.png")
    assert plot([Path("run/weights.safetensors")], "weights", data="data.npz") == Path("run/weights.png")
    assert plot([Path("run"), Path("other")]) == Path("history.png")
    assert plot([Path("run")], "page") == Path("run/page.html")


class Parser(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.images, self.headings, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "img":
            self.images.append(values)
        for name in ("src", "href"):
            assert values.get(name, "data:").startswith(("data:", "#")), (
                "the page is to need nothing beside it"
            )

    def handle_data(self, data):
        self.text += data


def test_a_page_has_everything_in_it():
    result = make_run("<b>run")
    page = page_html("<b>run")
    parser = Parser()
    parser.feed(page)
    assert "<b>run" in parser.text
    for heading in ("Training", "Confusion matrix", "Calibration", "Mistakes", "First layer", "Signals"):
        assert heading in parser.text
    assert f"{100 * result.test_accuracy:.2f} %" in parser.text
    assert len(parser.images) == 4
    assert page.count("<svg") == 2 + 2 + 1  # curves, the marks of their legend, confusion matrix
    for image in parser.images:
        kind, content = re.fullmatch(r"data:image/(png|svg\+xml);base64,(.+)", image["src"]).groups()
        decoded = base64.b64decode(content)
        assert decoded.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
        assert image.get("alt")


def test_a_page_begins_with_what_it_shows_and_ends_with_settings():
    make_run("<b>run", l2=0.5)
    page = page_html("<b>run")
    assert "<h1>Run &lt;b&gt;run: 20-9-4 network on data.npz</h1>" in page
    assert page.index("<svg") < page.index("<table") < page.index("Settings</h2>")
    own, defaults = page[page.index("Settings</h2>") :].split("<details>")
    assert "<th>l2</th><td>0.5</td>" in own
    assert "<th>hidden</th><td>9</td>" in own
    assert "<th>schedule</th>" in defaults
    assert "<th>schedule</th>" not in own
    assert "default-src 'none'; style-src 'sha256-" in page
    assert not re.search(r"\b0\.\d{4}</td>", page.split("Classes</h2>")[1].split("<figure>")[0])


def test_defaults_on_a_page_are_those_for_images():
    make_run("usual", **IMAGES)
    page = page_html("usual")
    own, defaults = page[page.index("Settings</h2>") :].split("<details>")
    for name in IMAGES:
        assert f"<th>{name.replace('_', ' ')}</th>" in defaults
        assert f"<th>{name.replace('_', ' ')}</th>" not in own


def test_a_matrix_on_a_page_holds_every_count():
    matrix = np.array([[90, 7, 0], [0, 80, 0], [13, 0, 1]])
    cells = re.findall(
        r'<rect class="(\w+)" x="(\d+)" y="(\d+)".*?<text class="\S+" x="\S+" y="\S+">(\d+)<',
        matrix_svg(matrix),
    )
    shown = {(int(y) // 30 - 1, int(x) // 30 - 1): (int(count), kind) for kind, x, y, count in cells}
    assert {place: count for place, (count, _) in shown.items()} == {
        (0, 0): 90,
        (0, 1): 7,
        (1, 1): 80,
        (2, 0): 13,
        (2, 2): 1,
    }
    assert [shown[i, i][1] for i in range(3)] == ["right"] * 3
    assert shown[2, 0][1] == "m4"  # the most
    assert shown[0, 1][1] < "m4"


def test_history_comes_back_as_it_was_written():
    result = make_run("run")
    assert repr(read_history("run")) == repr(result.history)


@pytest.mark.parametrize("content", ["", "epoch\n", "a,b\n1,2\n", None])
def test_a_damaged_history_is_refused(content):
    make_run("run")
    path = Path("run/history.csv")
    text = path.read_text()
    path.write_text(text.replace("\n2,", "\n3,", 1) if content is None else content)
    with pytest.raises(ConfigError, match=r"history\.csv: line"):
        read_history("run")


# The command


def fastbp_plot(*arguments, code=0):
    result = CliRunner().invoke(cli.app, ["plot", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr)
    return result.stdout if code == 0 else result.stderr


def test_the_command_says_what_it_wrote():
    make_run("run")
    assert fastbp_plot("run") == "run/history.png\n"
    assert fastbp_plot("run", "--kind", "confusion", "--out", "c.svg") == "c.svg\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--kind", "pie"], "kind is 'pie'; expected one of: history, confusion"),
        (["run", "--out", "a.gif"], "a.gif: ends in .gif; expected .png, .svg, .pdf for history"),
        (["run", "--kind", "page", "--out", "a.png"], "expected .html for page"),
        (["run", "run", "--kind", "weights"], "--kind weights shows one run, but 2 are given"),
        (["none"], "none/history.csv: cannot be read"),
        (["none", "--kind", "weights"], "none: not found"),
        (["run", "--kind", "page", "--show"], "--show cannot open --kind page"),
        (["run", "--show"], "cannot open a window"),
        (
            ["run", "--kind", "confusion", "--data", "bare.npz"],
            "has no labels; expected labelled data for --kind confusion",
        ),
    ],
)
def test_mistakes_are_one_line(here, monkeypatch, arguments, message):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    make_run("run")
    np.savez(here / "bare.npz", images=clusters.arrays(9)[0])
    text = fastbp_plot(*arguments, code=2)
    assert re.fullmatch(r"fastbp: error: [^\n]+\n", text), text
    assert message in text


def test_pyplot_stays_out_unless_a_window_is_asked_for():
    make_run("run")
    code = (
        "import sys; from pathlib import Path; from fastbp.plots import plot; plot([Path('run')]);"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_json_of_a_run_is_in_its_page():
    make_run("run", stop=("patience:1",))
    summary = json.loads(Path("run/result.json").read_text())
    page = page_html("run")
    assert str(summary["samples_trained"]) in page.replace(",", "")
