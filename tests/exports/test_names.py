"""Names in exported files, whatever they hold, and raw rows of tables in all formats."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

import fastbp
from exported import compiled, expected, imported, needs_gcc, onnx_outputs, write
from fastbp.network import Network
from fastbp.schema import Feature, Schema
from hostile import HOSTILE

OUTPUTS = {"classification": "softmax", "labels": "logistic", "regression": "identity"}
COUNTS = {"softmax": "CLASSES", "logistic": "LABELS", "identity": "VALUES"}
TASKS = pytest.mark.parametrize("task", list(OUTPUTS))


def hostile(task="classification"):
    """A network all of whose inputs and outputs have a name that would like to be code."""
    features = tuple(Feature(name, "number") for name in HOSTILE)
    targets = ("t",) if task == "classification" else tuple(f"t{number}" for number in range(len(HOSTILE)))
    schema = Schema(task=task, outputs=HOSTILE, features=features, targets=targets)
    made = Network((len(HOSTILE), len(HOSTILE)), output=OUTPUTS[task], schema=schema)
    np.fill_diagonal(made.weights[0], 1)
    return made


def of_table(task):
    """A network trained on a table whose columns have large means, and raw rows for it."""
    rng = np.random.default_rng(3)
    rows = 200
    z = rng.normal(size=(rows, 2))
    red = rng.integers(0, 2, rows)
    frame = pl.DataFrame(
        {"small": 5 + 1e-2 * z[:, 0], "large": 3e3 * (1 + z[:, 1]), "colour": np.where(red, "red", "blue")}
    )
    score = z[:, 0] + red
    targets = {
        "classification": {"kind": np.where(score > 0.5, "iris", "tulip")},
        "labels": {"high": score > 0.5, "red": red == 1},
        "regression": {"price": 250_000 + 9e4 * score},
    }[task]
    options = {"hidden": 8, "epochs": 5, "learning_rate": 0.01, "seed": 1, "validation": 0}
    result = fastbp.train(frame.with_columns(**targets), target=list(targets), **options)
    inputs = np.stack([frame["small"], frame["large"], 1 - red, red], axis=1).astype(np.float32)
    return result.network, inputs


def close(found, network, inputs, share=1e-5):
    """Hold outputs to ``fastbp.predict``, within the rounding of float32."""
    wanted = fastbp.predict(network, inputs)
    scale = max(1.0, float(np.abs(wanted).max()))
    assert wanted.std() > 0.01 * scale, "the network tells rows apart"
    np.testing.assert_allclose(found, wanted, rtol=0, atol=50 * share * scale)
    np.testing.assert_allclose(found, expected(network, inputs)[1], rtol=0, atol=50 * share * scale)


# Raw rows


@TASKS
def test_onnx_takes_raw_rows(task, tmp_path):
    network, inputs = of_table(task)
    path = write(network, "onnx", tmp_path).with_suffix(".onnx")
    names = ("values",) if task == "regression" else ("logits", "probabilities")
    close(onnx_outputs(path, inputs, names)[-1], network, inputs)


@TASKS
def test_numpy_takes_raw_rows(task, tmp_path):
    network, inputs = of_table(task)
    module = imported(write(network, "numpy", tmp_path).with_suffix(".py"))
    close((module.values if task == "regression" else module.probabilities)(inputs), network, inputs)
    assert tuple(module.output_names) == network.output_names
    assert module.input_names == ["small", "large", "colour=blue", "colour=red"]


@TASKS
def test_torch_takes_raw_rows(task, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    network, inputs = of_table(task)
    module = imported(write(network, "torch", tmp_path).with_suffix(".py"))
    with torch.no_grad():
        sums = module.model(torch.tensor(inputs))
    made = {"labels": torch.sigmoid, "classification": lambda z: z.softmax(1), "regression": lambda z: z}
    close(made[task](sums).numpy(), network, inputs)
    assert module.output_names == network.output_names


ROWS = """\
#include <stdio.h>
#include "net.h"

int main(void)
{
    float inputs[NET_INPUTS], outputs[NET_%(count)s];
    while (fread(inputs, sizeof inputs, 1, stdin) == 1) {
        net_%(answer)s(inputs, outputs);
        fwrite(outputs, sizeof outputs, 1, stdout);
    }
    return 0;
}
"""


@needs_gcc
@TASKS
def test_c_takes_raw_rows(task, tmp_path):
    network, inputs = of_table(task)
    write(network, "c", tmp_path)
    answer = "values" if task == "regression" else "probabilities"
    program = compiled(tmp_path, ROWS % {"count": COUNTS[network.output], "answer": answer}, "-O2")
    raw = subprocess.run([program], input=inputs.tobytes(), capture_output=True, check=True).stdout
    close(np.frombuffer(raw, np.float32).reshape(len(inputs), -1), network, inputs)


@TASKS
@pytest.mark.parametrize("to", ["c", "numpy", "torch", "onnx"])
def test_texts_say_that_rows_are_raw(task, to, tmp_path):
    network, _ = of_table(task)
    stem = write(network, to, tmp_path)
    if to == "onnx":
        text = pytest.importorskip("onnx").load(stem.with_suffix(".onnx")).doc_string
    else:
        text = stem.with_suffix(".h" if to == "c" else ".py").read_text()
        assert max(map(len, text.splitlines()[:8])) <= 110
    assert "raw rows: the network standardises them itself" in text
    assert ("values, in the units of the target." in text) == (task == "regression")


# Names


@TASKS
def test_onnx_keeps_every_name(task, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    path = write(hostile(task), "onnx", tmp_path).with_suffix(".onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    kept = {entry.key: entry.value for entry in model.metadata_props}
    assert all(value.isascii() for value in kept.values())
    assert json.loads(kept["output_names"]) == list(HOSTILE)
    assert json.loads(kept["input_names"]) == list(HOSTILE)
    assert Schema.from_json(kept["schema"], inputs=len(HOSTILE), outputs=len(HOSTILE)).task == task
    assert [entry.name for entry in model.graph.input] == ["inputs"]
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["output_names"]) == list(HOSTILE)


@TASKS
def test_npz_and_the_script_keep_every_name(task, tmp_path):
    stem = write(hostile(task), "numpy", tmp_path)
    with np.load(stem.with_suffix(".npz"), allow_pickle=False) as file:
        assert json.loads(str(file["output_names"])) == list(HOSTILE)
        assert json.loads(str(file["input_names"])) == list(HOSTILE)
    assert stem.with_suffix(".py").read_text().isascii()
    module = imported(stem.with_suffix(".py"))
    assert (module.output_names, module.input_names) == (list(HOSTILE), list(HOSTILE))


def test_the_script_prints_names_that_a_terminal_does_not_obey(tmp_path):
    script = write(hostile(), "numpy", tmp_path).with_suffix(".py")
    np.save(tmp_path / "rows.npy", np.eye(len(HOSTILE), dtype=np.float32))
    command = [sys.executable, "-W", "error", script, tmp_path / "rows.npy"]
    done = subprocess.run(command, capture_output=True, check=True, env={"PYTHONIOENCODING": "utf-8"})
    lines = done.stdout.decode().split("\n")[:-1]
    assert lines == [repr(name)[1:-1] for name in HOSTILE]
    assert all(line.isprintable() for line in lines)


@TASKS
def test_torch_module_keeps_every_name(task, tmp_path):
    text = write(hostile(task), "torch", tmp_path).with_suffix(".py").read_text()
    assert text.isascii()
    compile(text, "net.py", "exec")
    [names] = [part for part in text.split("\n\n") if part.startswith("output_names")]
    found = {}
    exec(names, {}, found)  # only the assignments: there may be no torch
    assert found == {"output_names": HOSTILE, "input_names": HOSTILE}


SHOW = """\
#include <stdio.h>
#include <string.h>
#include "net.h"

int main(void)
{
    for (int i = 0; i < NET_%(count)s; i++)
        fwrite(net_output_names[i], 1, strlen(net_output_names[i]) + 1, stdout);
    for (int i = 0; i < NET_INPUTS; i++)
        fwrite(net_input_names[i], 1, strlen(net_input_names[i]) + 1, stdout);
    return 0;
}
"""


@needs_gcc
@TASKS
@pytest.mark.parametrize("flag", ["-O0", "-trigraphs"])
def test_c_keeps_every_name(task, flag, tmp_path):
    made = hostile(task)
    assert write(made, "c", tmp_path).with_suffix(".h").read_text().isascii()
    program = compiled(tmp_path, SHOW % {"count": COUNTS[made.output]}, flag)
    raw = subprocess.run([program], capture_output=True, check=True).stdout.decode()
    found = raw.split("\0")[:-1]
    assert len(found) == 2 * len(HOSTILE)
    for name, text in zip(HOSTILE * 2, found, strict=True):
        name = name.replace("\0", "\N{SYMBOL FOR NULL}")
        if len(name.encode()) > 4000:
            assert text.endswith("\N{HORIZONTAL ELLIPSIS}")
            text, name = text[:-1], name[: len(text) - 1]
        assert text == name


def test_numbered_classes_of_images_have_no_names(tmp_path):
    made = Network((4, 3), input_scale=1 / 255)
    for to, suffix in (("c", ".h"), ("torch", ".py"), ("numpy", ".py")):
        assert "_names" not in write(made, to, tmp_path, f"net_{to}").with_suffix(suffix).read_text()
    with np.load(write(made, "npz", tmp_path).with_suffix(".npz")) as file:
        assert not {"output_names", "input_names", "schema"} & set(file)
