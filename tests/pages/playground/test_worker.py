"""The worker's protocol, through a real worker that a page under its policy starts."""

import base64
from dataclasses import replace

import numpy as np
import pytest

import fastbp
from fastbp.pages.playground.page import PAGE, Start, playground_data
from trained_here import choices_of

START = """
const [done] = arguments;
const text = document.getElementById("worker").textContent;
window.TOLD = [];
window.WAITING = null;
window.WORKER = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
WORKER.onmessage = ({ data }) => {
  TOLD.push(data);
  WAITING?.(data);
};
WORKER.onerror = (event) => TOLD.push({ type: "error", text: event.message });
window.send = (messages, isLast) => new Promise((resolve) => {
  window.WAITING = (message) => {
    if (!isLast(message)) return;
    window.WAITING = null;
    resolve(message);
  };
  for (const message of messages) WORKER.postMessage(message);
});
window.plainOf = (message) => JSON.parse(JSON.stringify(message, (_, value) =>
  value instanceof Float32Array ? Array.from(value)
    : value instanceof ArrayBuffer ? btoa(String.fromCharCode(...new Uint8Array(value))) : value));
const data = JSON.parse(document.getElementById("data").textContent);
send([{ type: "data", data }], ({ type }) => type === "ready").then(done);
"""

SEND = """
const [messages, isLast, done] = arguments;
const test = new Function("message", `return ${isLast}`);
send(messages, test).then((message) => done(plainOf(message)));
"""

QUIET = (
    "message.type !== 'state' || "
    "(!message.running && message.networks.every(({ validation }) => validation.loss !== null))"
)


class Worker:
    """A worker, and the messages that it sends."""

    def __init__(self, driver):
        self.driver = driver

    def send(self, *messages, until=QUIET):
        """Send messages; return the first answer for which `until` holds."""
        return self.driver.execute_async_script(SEND, messages, until)

    def told(self):
        """All messages since the last call."""
        return self.driver.execute_script("return plainOf(TOLD.splice(0))")


@pytest.fixture(scope="module")
def page_file(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("worker") / "page.html"
    # Without the page's own script, which would start a worker of its own.
    path.write_text(replace(PAGE, scripts=("encoding.js",)).html(data), encoding="utf-8")
    return path


@pytest.fixture
def worker(chromium, page_file):
    chromium.get(page_file.as_uri())
    chromium.execute_async_script(START)
    worker = Worker(chromium)
    assert [message["type"] for message in worker.told()] == ["ready"]
    yield worker
    chromium.execute_script("WORKER.terminate()")
    assert [entry for entry in chromium.get_log("browser") if entry["level"] == "SEVERE"] == []


def reset(worker, data, *given):
    networks = [choices_of(data, **each) for each in given or ({},)]
    return worker.send({"type": "reset", "networks": networks})


def test_the_policy_lets_the_worker_run_and_forbids_requests(worker, page_file):
    assert "worker-src blob:" in page_file.read_text(encoding="utf-8")
    script = "const done = arguments[0]; fetch('https://example.org').then(() => done(1), () => done(0))"
    assert worker.driver.execute_async_script(script) == 0
    worker.driver.get_log("browser")


def test_reset_tells_the_network_before_training(worker, data):
    state = reset(worker, data, {"hidden": [5]})
    (network,) = state["networks"]
    assert state["type"] == "state"
    assert (network["samples"], network["updates"], network["epoch"], network["ended"]) == (0, 0, 0, None)
    assert network["loss"] is None
    assert network["validation"]["loss"] > 1
    assert network["choices"] == choices_of(data, hidden=[5])
    assert network["weights"]["units"] == 5
    assert len(network["weights"]["values"]) == 5 * 784
    assert len(network["layers"]) == 2
    assert [point["updates"] for point in network["curve"]] == [0]
    assert network["learningRate"] == 0.05
    assert network["drawn"] is None


def test_step_and_epoch(worker, data):
    reset(worker, data, {"batchSize": 50}, {"batchSize": 8})
    state = worker.send({"type": "step"})
    assert [network["samples"] for network in state["networks"]] == [50, 8]
    state = worker.send({"type": "epoch"})
    assert [network["samples"] for network in state["networks"]] == [120, 120]
    assert [network["updates"] for network in state["networks"]] == [3, 15]
    state = worker.send({"type": "epoch"})
    assert [network["epochs"] for network in state["networks"]] == [2, 2]
    assert [point["validationLoss"] is not None for point in state["networks"][0]["curve"]][-1]


def test_run_goes_to_the_end_and_tells_states(worker, data):
    reset(worker, data, {"epochs": 300, "learningRate": 0.2})
    worker.told()
    state = worker.send({"type": "run"})
    told = worker.told()
    (network,) = state["networks"]
    assert (network["epochs"], network["ended"], state["running"]) == (300, "epochs", False)
    assert network["accuracy"] > 0.9
    assert all(message["type"] == "state" for message in told)
    running = [message["running"] for message in told]
    assert running == sorted(running, reverse=True)
    assert any(running)
    points = [point for message in told for point in message["networks"][0]["curve"]]
    assert [point["updates"] for point in points] == sorted({point["updates"] for point in points})
    assert points[-1]["epoch"] == 300
    assert worker.send({"type": "run"})["networks"][0]["updates"] == network["updates"]


def test_pause_keeps_what_there_is(worker, data):
    reset(worker, data, {"epochs": 1000, "hidden": [64]})
    worker.send({"type": "run"}, until="message.running && message.networks[0].updates > 20")
    state = worker.send({"type": "pause"})
    assert not state["running"]
    (network,) = state["networks"]
    assert 20 < network["updates"] < 4000
    assert network["curve"][-1]["updates"] == network["updates"]
    again = worker.send({"type": "look", "network": 0, "units": 3})["networks"][0]
    assert (again["updates"], again["weights"]["units"]) == (network["updates"], 3)


def test_two_networks_see_the_same_rows_at_the_same_time(worker, data):
    reset(worker, data, {"batchSize": 40, "epochs": 500}, {"batchSize": 1, "epochs": 500, "hidden": [100]})
    state = worker.send({"type": "run"}, until="message.networks[1].samples > 500")
    first, second = (network["samples"] for network in state["networks"])
    assert abs(first - second) <= 40
    alike = reset(worker, data, {"seed": 5}, {"seed": 5})["networks"]
    assert alike[0]["weights"] == alike[1]["weights"]
    after = worker.send({"type": "epoch"})["networks"]
    assert after[0]["validation"] == after[1]["validation"]


def test_look_chooses_whose_weights_are_told(worker, data):
    reset(worker, data, {}, {})
    first, second = worker.send({"type": "look", "network": 1, "units": 2})["networks"]
    assert (first["weights"], first["layers"]) == (None, None)
    assert (second["weights"]["units"], len(second["layers"])) == (2, 3)


def test_drawn_digit_is_classified_in_every_state(worker, data):
    reset(worker, data)
    script = """
      const done = arguments[0];
      const image = new Uint8Array(784).fill(0);
      image.fill(255, 300, 420);
      send([{ type: "draw", image }], () => true).then((message) => done(plainOf(message)));
    """
    drawn = worker.driver.execute_async_script(script)["networks"][0]["drawn"]
    assert len(drawn) == 10
    assert sum(drawn) == pytest.approx(1, abs=1e-5)
    assert worker.send({"type": "epoch"})["networks"][0]["drawn"] != drawn
    assert len(reset(worker, data, {}, {})["networks"][1]["drawn"]) == 10
    assert worker.send({"type": "draw", "image": None})["networks"][0]["drawn"] is None


def test_break_is_measured_at_once(worker, data):
    reset(worker, data, {"epochs": 100, "learningRate": 0.2})
    before = worker.send({"type": "run"})["networks"][0]
    order = {"type": "break", "network": 0, "what": "layer", "layer": 2}
    after = worker.send(order)["networks"][0]
    assert after["validation"]["loss"] == pytest.approx(np.log(10), rel=1e-5)
    assert before["validation"]["loss"] < 1.5
    assert after["curve"][-1]["validationLoss"] == after["validation"]["loss"]


def test_export_sends_a_weights_file(worker, data, tmp_path):
    reset(worker, data, {"hidden": [6]}, {"hidden": [7]})
    worker.send({"type": "epoch"})
    answer = worker.send({"type": "export", "network": 1}, until="message.type === 'exported'")
    assert answer["network"] == 1
    path = tmp_path / "weights.safetensors"
    path.write_bytes(base64.b64decode(answer["bytes"]))
    assert fastbp.load(path).sizes == (784, 7, 10)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"type": "export", "network": 1}, "network: 1; there is no such network"),
        (
            {"type": "break", "network": -1, "what": "biases", "layer": 0},
            "network: -1; there is no such network",
        ),
        ({"type": "draw", "image": [1, 2]}, "image: expected 784 bytes"),
    ],
)
def test_what_is_not_there(worker, data, message, text):
    reset(worker, data)
    assert worker.send(message) == {"type": "failed", "text": text}
    assert worker.send({"type": "step"})["networks"][0]["updates"] == 1


MISTAKES = [
    ([{"type": "fly"}], "fly: no such command"),
    ([{"type": "toString"}], "toString: no such command"),
    ([{"type": "run"}], "there are no networks yet"),
    ([{"type": "reset", "networks": []}], "expected one or two networks"),
]


@pytest.mark.parametrize(("messages", "text"), MISTAKES)
def test_what_cannot_be_done_is_told(worker, messages, text):
    assert worker.send(*messages) == {"type": "failed", "text": text}


HOSTILE = [
    ({"hidden": [10**9]}, "hidden: 1000000000; expected a whole number from 1 to 1000"),
    ({"hidden": [1] * 9}, "hidden: expected at most 8 numbers of units"),
    ({"hidden": "64"}, "hidden: expected at most 8 numbers of units"),
    ({"activation": "<img src=x>"}, "activation: <img src=x> is unknown; expected one of relu,"),
    ({"activation": "constructor"}, "activation: constructor is unknown"),
    ({"initialization": "start"}, "initialization: this page has no weights of a run to start from"),
    ({"augment": "__proto__"}, "augment: __proto__ is unknown; expected one of none, report"),
    ({"schedule": None}, "schedule: null is unknown"),
    ({"batchSize": 0}, "batchSize: 0; expected a whole number from 1 on"),
    ({"epochs": 1.5}, "epochs: 1.5; expected a whole number from 1 to 1000"),
    ({"learningRate": 0}, "learningRate: 0; expected a number above 0"),
    ({"learningRate": "1"}, "learningRate: 1; expected a number above 0"),
    ({"momentum": 1}, "momentum: 1; expected a number of at least 0 and below 1"),
    ({"l2": -1}, "l2: -1; expected a number of at least 0"),
    ({"dropout": 1}, "dropout: 1; expected a number of at least 0 and below 1"),
    ({"seed": -1}, "seed: -1; expected a whole number from 0"),
]


def test_a_step_that_would_take_minutes_is_refused(worker, digits):
    images = np.zeros((20_000, 4), np.uint8)
    many = replace(digits, shape=(2, 2), images=images, labels=np.zeros(20_000, np.int64), train_count=19_000)
    data = playground_data(many)
    worker.send({"type": "data", "data": data}, until="message.type === 'ready'")
    choices = choices_of(data, hidden=[1000] * 2, batchSize=3000)
    answer = worker.send({"type": "reset", "networks": [choices]})
    text = "batchSize: 3000; expected at most 1968 for a network of 1016010 parameters"
    assert answer == {"type": "failed", "text": text}
    reset(worker, data, {"hidden": [2], "batchSize": 10**9})


def test_choices_of_a_hostile_link_change_nothing(worker, data):
    before = reset(worker, data)["networks"][0]
    for given, text in HOSTILE:
        answer = worker.send({"type": "reset", "networks": [choices_of(data, **given)]})
        assert answer["type"] == "failed"
        assert answer["text"].startswith(text)
    after = worker.send({"type": "look", "network": 0, "units": 64})["networks"][0]
    assert after["choices"] == before["choices"]


def test_training_starts_from_a_runs_weights(worker, digits):
    given = (digits.images.reshape(-1, 28, 28), digits.labels)
    run = fastbp.train(given, hidden=(20,), epochs=1, activation="tanh", progress=False)
    data = playground_data(digits, Start("<b>runs/own</b>", run.network))
    assert data["choices"]["initialization"] == "start"
    choices = choices_of(data, hidden=data["choices"]["hidden"])
    worker.send({"type": "data", "data": data}, until="message.type === 'ready'")
    state = worker.send({"type": "reset", "networks": [choices]})
    images = np.array(state["networks"][0]["weights"]["values"], np.float32).reshape(20, 784)
    np.testing.assert_array_equal(images, run.network.weights[0].T)
    for given in ({"hidden": [21]}, {"activation": "relu"}):
        answer = worker.send({"type": "reset", "networks": [{**choices, **given}]})
        assert answer["text"].startswith("initialization: the run has 784-20-10, tanh; this network is 784-2")


def test_commands_are_taken_while_it_trains(worker, data):
    reset(worker, data, {"epochs": 1000, "hidden": [100, 100], "augment": "ciresan"})
    worker.send({"type": "run"}, until="message.running")
    script = """
      const done = arguments[0];
      const before = TOLD.length;
      const answers = [];
      let left = 8;
      const next = () => send([{ type: "look", network: 0, units: left }], ({ networks }) =>
        networks[0].weights.units === left).then((message) => {
          answers.push(message.running);
          left -= 1;
          if (left > 0) next();
          else done([answers, TOLD.length - before]);
        });
      next();
    """
    answers, states = worker.driver.execute_async_script(script)
    assert answers == [True] * 8
    assert 8 <= states <= 24
