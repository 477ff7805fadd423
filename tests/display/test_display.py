"""What the prompt and notebooks show of networks and results."""

import html.parser
import math
import pickle
import re
import sys

import numpy as np
import pytest

import clusters
import fastbp
from fastbp.callbacks import EpochRecord
from fastbp.display.curves import curves_svg
from fastbp.display.html import table
from fastbp.display.text import text_table
from fastbp.errors import ConfigError, FastbpError
from fastbp.network import Network
from fastbp.runs.history import History

NAN = float("nan")
VOID = {"line", "path", "circle"}  # elements of SVG that close themselves


def record(epoch, loss=0.25, accuracy=0.9241, validation=0.95):
    return EpochRecord(epoch, loss, accuracy, loss + 0.1, validation, 0.1 / epoch, 0.5, 0.01)


@pytest.fixture(scope="module")
def result():
    data = clusters.arrays(100, classes=3)
    return fastbp.train(data, hidden=(9,), epochs=3, batch_size=8, backend="numpy", seed=5)


class Page(html.parser.HTMLParser):
    """Elements, attributes and text; fails where elements are not nested."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes += attrs

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.text.append(text)


def checked_page(text):
    """Parse what a notebook shows: no script, nothing loaded, colours of both themes."""
    page = Page(text)
    assert not {"script", "style", "link", "img", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    styles = [value for name, value in page.attributes if name == "style"]
    # Text has the colour of the page around; backgrounds let it shine through.
    assert not re.search(r"(?<!-)color: (?!inherit)|background: (?!none|rgba)", ";".join(styles))
    return page


def test_the_history_is_a_sequence_of_records_that_reads_as_a_table():
    history = History([record(1), record(2, 0.125, 0.97512)])
    assert isinstance(history, tuple)
    assert history[-1].train_accuracy == 0.97512
    assert history == (record(1), record(2, 0.125, 0.97512))
    assert repr(history).splitlines() == [
        "History of 2 epochs",
        "       training  training  validation  validation  learning",
        "epoch      loss  accuracy        loss    accuracy      rate  seconds",
        "    1    0.2500   92.41 %      0.3500     95.00 %       0.1      0.5",
        "    2    0.1250   97.51 %      0.2250     95.00 %      0.05      0.5",
    ]
    assert repr(history[:0]) == "History of no epoch"
    assert isinstance(history[1:], History)
    assert repr(history[1:]).startswith("History of 1 epoch\n")
    assert pickle.loads(pickle.dumps(history)) == history


def test_a_table_leaves_out_what_has_no_value_and_the_middle_of_many_epochs():
    history = History(EpochRecord(n, 1.0, NAN, NAN, NAN, 0.1, 1.0, 0.0) for n in range(1, 1001))
    lines = repr(history).splitlines()
    assert lines[0] == "History of 1,000 epochs"
    assert "accuracy" not in repr(history)
    assert "validation" not in repr(history)
    assert len(lines) == 24
    assert [line.split()[0] for line in lines[-2:]] == ["999", "1000"]
    assert len(curves_svg(history)) < 10_000


def test_a_history_becomes_a_frame_of_either_library(monkeypatch):
    history = History([record(1), record(2, validation=NAN)])
    frame = history.to_frame()
    assert type(frame).__module__.startswith("polars")
    assert frame["epoch"].to_list() == [1, 2]
    assert frame["train_loss"].to_list() == [0.25, 0.25]
    assert frame.columns == list(EpochRecord.__dataclass_fields__)
    assert history[:0].to_frame().schema == frame.schema
    with pytest.raises(ConfigError, match="library is 'arrow'; expected polars or pandas"):
        history.to_frame("arrow")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(FastbpError, match=r'^to_frame\("pandas"\) needs pandas: pip install pandas$'):
        history.to_frame("pandas")


def test_a_history_becomes_a_frame_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = History([record(1), record(2)]).to_frame("pandas")
    assert isinstance(frame, pandas.DataFrame)
    assert frame.dtypes.astype(str).tolist() == ["int64"] + ["float64"] * 7
    assert frame["epoch"].tolist() == [1, 2]


def test_curves_lie_where_their_values_are():
    values = [0.0, 0.5, 1.0]
    svg = curves_svg([EpochRecord(n + 1, v, v, NAN, NAN, 0.1, 1.0, 0.0) for n, v in enumerate(values)])
    page = Page(svg)
    paths = [value for name, value in page.attributes if name == "d"]
    assert len(paths) == 2  # without validation, one in either diagram
    for path in paths:
        points = [tuple(map(float, point.split())) for point in re.split("[ML]", path)[1:]]
        x, y = zip(*points, strict=True)
        assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
        assert y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)
        assert y[0] > y[2]  # down is up in SVG
    assert "validation" not in page.text
    assert page.text.count("epoch") == 2


def test_curves_are_broken_where_values_are_not_finite_and_logarithmic_if_they_span_much():
    svg = curves_svg([record(n, loss) for n, loss in enumerate((100.0, 10.0, math.inf, 0.1, 0.01), start=1)])
    path = re.search(r' d="([^"]*)"', svg)[1]
    assert path.count("M") == 2
    heights = [float(point.split()[1]) for point in re.split("[ML]", path)[1:]]
    steps = -np.diff(heights)
    assert steps[0] == pytest.approx(steps[2], abs=0.2)
    assert steps[0] == pytest.approx(steps[1] / 2, abs=0.2)
    assert "nan" not in svg
    assert "inf" not in svg


def test_no_curve_without_values_and_a_dot_for_one_epoch():
    assert curves_svg([]) == ""
    assert curves_svg([EpochRecord(1, NAN, NAN, NAN, NAN, 0.1, 1.0, 0.0)]) == ""
    assert curves_svg([record(1)]).count("<circle") == 4


def test_a_network_is_summed_up():
    network = Network((784, 100, 10), input_scale=1 / 255)
    assert repr(network.summary()) == str(network.summary())
    lines = str(network.summary()).splitlines()
    assert lines[1].split() == ["layer", "inputs", "units", "activation", "parameters", "FLOP"]
    assert lines[2].split() == ["1", "784", "100", "relu", "78,500", "156,800"]
    assert lines[3].split() == ["2", "100", "10", "softmax", "1,010", "2,000"]
    assert lines[4].split() == ["total", "79,510", "158,800"]
    assert {"78,500", "158,800"} <= set(checked_page(network._repr_html_()).text)
    assert len(repr(network)) < 120


def test_a_result_shows_its_figures(result):
    page = checked_page(result._repr_html_())
    text = "".join(page.text)
    assert "completed: " in text
    assert f"{100 * result.history[-1].validation_accuracy:.2f} %" in page.text
    assert repr(result.settings) in text
    assert "hidden=(9,), epochs=3, batch_size=8" in text
    assert page.tags.count("svg") == 1
    assert len(repr(result)) < 160
    assert repr(result.training).startswith("Training(completed, 3 epochs in ")
    checked_page(result.history._repr_html_())


def test_a_result_is_drawn(result):
    figure = result.plot()
    assert len(figure.axes) == 2
    [training, validation] = figure.axes[0].lines
    assert training.get_ydata().tolist() == [r.train_loss for r in result.history]
    assert validation.get_ydata().tolist() == [r.validation_loss for r in result.history]
    assert figure._repr_png_().startswith(b"\x89PNG")  # without pyplot
    untrained = fastbp.train(clusters.arrays(100, classes=3), hidden=(4,), epochs=0, backend="numpy")
    with pytest.raises(ConfigError, match="completed no epoch"):
        untrained.plot()
    checked_page(untrained._repr_html_())


def test_an_evaluation_shows_the_confusion_matrix(result):
    images, labels = clusters.arrays(100, classes=3)
    evaluation = fastbp.test(result.network, (images, np.roll(labels, 1)))
    page = checked_page(evaluation._repr_html_())
    cells = [text for text in page.text if text.isdecimal()]
    for count in evaluation.matrix.ravel().tolist():
        assert not count or str(count) in cells
    assert f"{100 * evaluation.accuracy:.2f} %" in "".join(page.text)
    assert len(repr(evaluation)) < 120
    assert len(repr(evaluation.calibration)) < 80
    assert len(repr(evaluation.report)) < 80
    unlabelled = fastbp.test(result.network, {"images": images})
    assert "without labels" in checked_page(unlabelled._repr_html_()).text[-1]


def test_many_classes_show_the_worst_confusions():
    network = Network((4, 30))
    evaluation = fastbp.test(network, (np.ones((60, 4), np.float32), np.arange(60) % 30))
    text = checked_page(evaluation._repr_html_()).text
    assert "Most frequent confusions" in text
    assert text.count("2") >= 10


def test_text_is_escaped():
    assert Page(table(["<b>"], [["a & <script>"]])).text == ["<b>", "a & <script>"]
    data = fastbp.Dataset(np.ones((4, 4), np.uint8), np.arange(4) % 2, (2, 2), 2, "<script>&")
    evaluation = fastbp.test(Network((4, 2), input_scale=1 / 255), data)
    assert "<script>&: " in "".join(checked_page(evaluation._repr_html_()).text)


def test_settings_show_what_differs_from_the_defaults():
    assert repr(fastbp.Settings()) == "Settings(learning_rate=0.4)"  # automatic
    changed = fastbp.Settings(hidden=(8,), learning_rate=0.4, stop="patience:2")
    assert repr(changed) == "Settings(hidden=(8,), learning_rate=0.4, stop=('patience:2',))"
    assert eval(repr(changed), {"Settings": fastbp.Settings}) == changed


def test_tables_of_text_align():
    assert text_table(["a\nb", "name"], [["1", "x"], ["22", "y"]]).splitlines() == [
        " a",
        " b  name",
        " 1     x",
        "22     y",
    ]
    assert text_table(["a", "b"], [["long", "1"]], left=1) == "a     b\nlong  1"
