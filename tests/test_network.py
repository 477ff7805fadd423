"""The parameter block and its views; the weights file there and back; and every file that must be refused."""

import copy
import json
import math
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from fastbp.errors import ConfigError, WeightsError
from fastbp.network import Network

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def filled(sizes=(5, 4, 3), dtype="float32", **options):
    network = Network(sizes, dtype=dtype, **options)
    rng = np.random.default_rng(0)
    for array in (*network.weights, *network.biases):
        array[...] = rng.normal(size=array.shape)
    return network


def same(first, second):
    """Whether two networks are alike in all but memory."""
    alike = all(
        getattr(first, name) == getattr(second, name)
        for name in ("sizes", "dtype", "activation", "output", "input_scale")
    )
    return alike and first.parameters.tobytes() == second.parameters.tobytes()


# The block


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sampled_from([2, 3, 10, 16, 17, 256, 512, 1024]),
    st.sampled_from([np.float32, np.float64]),
)
def test_layout_follows_the_rules(inner, classes, dtype):
    network = Network([*inner, classes], dtype=dtype)
    size, end = np.dtype(dtype).itemsize, 0
    assert network.parameters.ctypes.data % 64 == 0
    assert network.parameters.flags.c_contiguous
    assert (network.layout.dtype, network.layout.shape) == (np.int64, (len(inner), 5))
    for layer, (fan_in, fan_out, row, start, bias) in enumerate(network.layout.tolist()):
        assert (fan_in, fan_out) == network.sizes[layer : layer + 2]
        assert start == end
        assert row >= fan_out
        assert row * size % 64 == 0
        assert row * size % 2048 != 0
        assert row * size - fan_out * size < 64 + (64 if (row * size - 64) % 2048 == 0 else 0)
        assert start * size % 64 == bias * size % 64 == 0
        assert bias - start == math.ceil(fan_in / 4) * 4 * row
        end = bias + row
        # A view of the block, at the place that the layout says.
        weight = network.parameters[start:bias].reshape(-1, row)[:fan_in, :fan_out]
        assert network.weights[layer].shape == (fan_in, fan_out)
        assert network.weights[layer].strides == (row * size, size)
        assert network.weights[layer].ctypes.data == weight.ctypes.data
        assert network.biases[layer].shape == (fan_out,)
        assert network.biases[layer].ctypes.data == network.parameters[bias:].ctypes.data
    assert network.parameters.shape == (end,)
    assert not network.parameters.any()


def test_layout_of_known_networks():
    # 100 float32 columns take 112; 512 take 2048 bytes, which is one cache line too regular.
    assert Network((784, 100, 10)).layout.tolist() == [[784, 100, 112, 0, 87808], [100, 10, 16, 87920, 89520]]
    assert Network((3, 512, 2)).layout[0].tolist() == [3, 512, 528, 0, 2112]
    assert Network((3, 256, 2), dtype="float64").layout[0].tolist() == [3, 256, 264, 0, 1056]


@dtypes
def test_views_write_through_and_do_not_overlap(dtype):
    network = Network((5, 17, 3), dtype=dtype)
    arrays = [*network.weights, *network.biases]
    for number, array in enumerate(arrays, 1):
        array[...] = number
    assert all((array == number).all() for number, array in enumerate(arrays, 1))
    assert np.count_nonzero(network.parameters) == network.parameter_count == 5 * 17 + 17 + 17 * 3 + 3
    network.parameters[...] = 7
    assert all((array == 7).all() for array in arrays)


def test_properties():
    network = Network(np.array([6, 4, 3]), dtype=np.float64, input_scale=np.float32(0.5))
    assert (network.sizes, network.inputs, network.classes) == ((6, 4, 3), 6, 3)
    assert all(type(size) is int for size in network.sizes)
    assert (network.dtype, network.activation, network.input_scale) == (np.float64, "relu", 0.5)
    assert (
        repr(network)
        == "Network((6, 4, 3), dtype='float64', activation='relu', output='softmax', input_scale=0.5)"
    )
    assert [name for name, _ in network.named_arrays()] == [
        f"layers.{layer}.{kind}" for layer in (0, 1) for kind in ("weight", "bias")
    ]
    softmax_regression = Network((6, 3))
    assert (len(softmax_regression.weights), softmax_regression.parameter_count) == (1, 21)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_is_finite(value):
    network = filled()
    assert network.is_finite()
    network.biases[1][2] = value
    assert not network.is_finite()


@dtypes
@pytest.mark.parametrize(
    "duplicate", [Network.copy, copy.copy, copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))]
)
def test_copies_are_equal_and_independent(duplicate, dtype):
    network = filled(dtype=dtype, input_scale=0.25)
    other = duplicate(network)
    assert same(network, other)
    other.weights[0][...] = 9
    assert (other.parameters == 9).any()  # its views are of its own block
    assert not (network.parameters == 9).any()


def test_astype():
    network = filled((5, 300, 2), "float64", input_scale=1 / 255)
    narrow = network.astype("float32")
    assert (narrow.dtype, narrow.sizes, narrow.input_scale) == (np.float32, (5, 300, 2), 1 / 255)
    for (_, wide), (_, other) in zip(network.named_arrays(), narrow.named_arrays(), strict=True):
        assert (other == wide.astype(np.float32)).all()
    assert same(narrow.astype("float64").astype("float32"), narrow)
    network.biases[1][0] = 1e300
    assert not network.astype("float32").is_finite()


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((5,), {}, "sizes are"),
        ((), {}, "sizes are"),
        ((0, 3), {}, "sizes are"),
        ((5, 0, 3), {}, "sizes are"),
        ((5, -1, 3), {}, "sizes are"),
        ((5, 1), {}, "classes >= 2"),
        ((5, 0), {"output": "identity"}, "outputs >= 1"),
        ((5, 3), {"output": "sigmoid"}, "output is 'sigmoid'; expected one of: softmax, logistic, identity"),
        ((5.0, 3), {}, "whole numbers"),
        ("53", {}, "whole numbers"),
        ((5, 3), {"dtype": "float16"}, "dtype is 'float16'"),
        ((5, 3), {"dtype": ">f4"}, "dtype is"),
        ((5, 3), {"dtype": "nonsense"}, "dtype is 'nonsense'"),
        ((5, 3), {"dtype": None}, "dtype is None"),
        ((5, 3), {"activation": "swish"}, "activation is 'swish'"),
        ((5, 3), {"input_scale": 0}, "input_scale is 0"),
        ((5, 3), {"input_scale": -1}, "input_scale is -1"),
        ((5, 3), {"input_scale": math.nan}, "input_scale is nan"),
        ((5, 3), {"input_scale": math.inf}, "input_scale is inf"),
        ((2**62, 2**62, 2), {}, "too large"),
        ((2**60, 3), {}, "too large"),
        ((10**30, 3), {}, "too large"),
    ],
)
def test_settings_out_of_range_are_refused(sizes, options, message):
    with pytest.raises(ConfigError, match=message):
        Network(sizes, **options)


# The file


@dtypes
@pytest.mark.parametrize("sizes", [(1, 2), (5, 4, 3), (7, 16, 1, 512, 17, 2)])
def test_round_trip(tmp_path, sizes, dtype):
    network = filled(sizes, dtype, input_scale=1 / 255)
    path = tmp_path / "weights.safetensors"
    network.save(path, {"seed": "3"})
    assert same(Network.load(str(path)), network)
    assert os.listdir(tmp_path) == ["weights.safetensors"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()
    # What others read: unpadded arrays, and strings.
    tensors = load_file(path)
    assert set(tensors) == {name for name, _ in network.named_arrays()}
    for name, array in network.named_arrays():
        assert tensors[name].shape == array.shape
        assert tensors[name].tobytes() == array.tobytes()
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    version = metadata.pop("fastbp_version")
    assert version
    assert metadata == {
        "format": "fastbp",
        "sizes": ",".join(map(str, sizes)),
        "activation": "relu",
        "output": "softmax",
        "input_scale": repr(1 / 255),
        "classes": str(sizes[-1]),
        "seed": "3",
    }


@pytest.mark.parametrize("activation", ["leaky-relu", "tanh", "gelu"])
def test_activation_is_kept_in_file_copy_and_pickle(tmp_path, activation):
    network = Network((6, 4, 3), activation=activation)
    network.save(tmp_path / "w.safetensors")
    copies = [network.copy(), network.astype("float64"), pickle.loads(pickle.dumps(network))]
    for other in (Network.load(tmp_path / "w.safetensors"), *copies):
        assert other.activation == activation


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_importing_the_module_does_not_import_safetensors():
    code = "import sys, fastbp.network; sys.exit('safetensors' in sys.modules)"
    path = os.pathsep.join(filter(None, sys.path))
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, call):
    path, network = tmp_path / "weights.safetensors", filled()
    network.save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(WeightsError, match=r"weights\.safetensors: cannot be written \(No space left"):
        filled((5, 9, 3)).save(path)
    assert os.listdir(tmp_path) == ["weights.safetensors"]
    assert path.read_bytes() == before
    monkeypatch.undo()
    filled((5, 9, 3)).save(path)
    assert Network.load(path).sizes == (5, 9, 3)


def test_save_refuses(tmp_path):
    network = filled()
    with pytest.raises(WeightsError, match="cannot be written"):
        network.save(tmp_path / "no" / "weights.safetensors")
    with pytest.raises(WeightsError, match="cannot be written"):
        network.save(tmp_path)
    for metadata in ({"sizes": "1,2"}, {"epoch": 3}, {3: "epoch"}):
        with pytest.raises(ConfigError, match="expected strings, under other names than"):
            network.save(tmp_path / "w", metadata)
    network.weights[1][3, 2] = np.nan
    with pytest.raises(WeightsError, match=r"layers\.1\.weight\[3, 2\] is nan"):
        network.save(tmp_path / "w")
    assert not list(tmp_path.iterdir())


def test_a_file_without_metadata_will_do(tmp_path):
    network = filled((5, 4, 3), "float64")
    path = tmp_path / "w.safetensors"
    save_file({name: np.ascontiguousarray(array) for name, array in network.named_arrays()}, path)
    loaded = Network.load(path)
    assert loaded.input_scale == 1 / 255
    network.input_scale = 1 / 255
    assert same(loaded, network)


# Files that must be refused


def raw(path, tensors, metadata=None):
    """A safetensors file by hand, for types that NumPy does not have: name -> (type, shape, bytes)."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def arrays(*shapes, dtype="float32"):
    names = [f"layers.{layer}.{kind}" for layer in range(len(shapes) // 2) for kind in ("weight", "bias")]
    return {name: np.ones(shape, dtype=dtype) for name, shape in zip(names, shapes, strict=True)}


GOOD = arrays((5, 4), (4,), (4, 3), (3,))
FILES = {
    "no tensors": ({}, "'layers.0.bias', 'layers.0.weight' is missing, it has no tensors"),
    "missing bias": ({k: v for k, v in GOOD.items() if k != "layers.1.bias"}, "'layers.1.bias' is missing"),
    "missing layer": (
        {k.replace("s.1.", "s.2."): v for k, v in GOOD.items()},
        "'layers.1.bias', 'layers.1.weight' is missing",
    ),
    "foreign names": (
        {"fc1.weight": np.ones((5, 3)), "fc1.bias": np.ones(3)},
        "it has 'fc1.bias', 'fc1.weight'",
    ),
    "extra": ({**GOOD, "epoch": np.ones(1, dtype="float32")}, "tensor 'epoch' is not known"),
    "leading zero": (
        {**GOOD, "layers.01.bias": np.ones(3, dtype="float32")},
        "'layers.01.bias' is not known",
    ),
    "huge index": (
        {**GOOD, "layers.999999999.bias": np.ones(3, dtype="float32")},
        "'layers.2.bias', 'layers.2.weight' is missing",
    ),
    "many extra": ({**GOOD, **{f"x{i}": np.ones(1) for i in range(9)}}, "'x0', 'x1', 'x2' and 6 more"),
    "newline in a name": ({**GOOD, "a\nb": np.ones(1)}, r"'a\\nb' is not known"),
    "1-D weight": (arrays((5,), (4,)), r"layers.0.weight has shape \(5,\)"),
    "3-D weight": (arrays((5, 4, 1), (4,)), r"layers.0.weight has shape \(5, 4, 1\)"),
    "no inputs": (arrays((0, 3), (3,)), r"layers.0.weight has shape \(0, 3\)"),
    "bias of another length": (arrays((5, 3), (4,)), r"layers.0.bias has shape \(4,\).*\(3,\)"),
    "2-D bias": (arrays((5, 3), (1, 3)), r"layers.0.bias has shape \(1, 3\)"),
    "no chain": (
        arrays((5, 4), (4,), (6, 3), (3,)),
        r"layers.1.weight has shape \(6, 3\); expected \(4, fan_out\)",
    ),
    "transposed": (arrays((4, 5), (4,), (3, 4), (3,)), r"layers.0.bias has shape \(4,\)"),
    "one class": (arrays((5, 1), (1,)), "the last layer has 1 output; expected at least 2 classes"),
    "mixed types": (
        {**GOOD, "layers.1.bias": np.ones(3)},
        "layers.0.bias is F32 but layers.1.bias is F64; expected one type",
    ),
    "float16": (arrays((5, 3), (3,), dtype="float16"), "layers.0.bias is F16; expected F32 or F64"),
    "integers": (arrays((5, 3), (3,), dtype="int32"), "layers.0.bias is I32"),
}
METADATA = {
    "sizes": ({"sizes": "5,9,3"}, "metadata sizes is '5,9,3'; expected '5,4,3'"),
    "sizes as text": ({"sizes": "many"}, "metadata sizes is 'many'"),
    "classes": ({"classes": "10"}, "metadata classes is '10'; expected '3'"),
    "format": ({"format": "pt"}, "metadata format is 'pt'; expected 'fastbp'"),
    "activation": ({"activation": "swish"}, "metadata activation is 'swish'; expected one of: relu"),
    "output": ({"output": "elu"}, "metadata output is 'elu'; expected one of: softmax, logistic, identity"),
    "input_scale": ({"input_scale": "bright"}, "metadata input_scale is 'bright'"),
    "input_scale nan": ({"input_scale": "nan"}, "metadata input_scale is 'nan'"),
    "input_scale 0": ({"input_scale": "0"}, "metadata input_scale is '0'"),
    "long": ({"sizes": "9" * 5000}, r"9\.\.\.; expected"),
}


def refused(path, message):
    with pytest.raises(WeightsError, match=message) as caught:
        Network.load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert "expected" in text
    assert len(text) - len(str(path)) < 400


@pytest.mark.parametrize("name", FILES)
def test_tensors_that_make_no_network_are_refused(tmp_path, name):
    tensors, message = FILES[name]
    save_file(tensors, tmp_path / "w.safetensors")
    refused(tmp_path / "w.safetensors", message)


@pytest.mark.parametrize("name", METADATA)
def test_metadata_that_disagree_are_refused(tmp_path, name):
    metadata, message = METADATA[name]
    save_file(GOOD, tmp_path / "w.safetensors", metadata)
    refused(tmp_path / "w.safetensors", message)


def test_bfloat16_is_refused(tmp_path):
    raw(
        tmp_path / "w",
        {"layers.0.weight": ("BF16", [5, 3], bytes(30)), "layers.0.bias": ("BF16", [3], bytes(6))},
    )
    refused(tmp_path / "w", "layers.0.bias is BF16; expected F32 or F64: convert the weights first")


def test_a_shape_is_not_believed_before_the_data_are_there(tmp_path):
    raw(
        tmp_path / "w",
        {"layers.0.weight": ("F32", [2**40, 3], b""), "layers.0.bias": ("F32", [3], bytes(12))},
    )
    refused(tmp_path / "w", "cannot be read")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "index"), [("layers.0.weight", (4, 1)), ("layers.1.bias", (2,))])
def test_values_that_are_not_finite_are_named(tmp_path, value, name, index):
    tensors = {key: array.copy() for key, array in GOOD.items()}
    tensors[name][index] = value
    save_file(tensors, tmp_path / "w")
    place = ", ".join(map(str, index))
    refused(
        tmp_path / "w", rf"{name}\[{place}\] is {value} \(1 such in this tensor\); expected finite numbers"
    )


def test_no_file_a_folder_and_a_pipe(tmp_path):
    refused(tmp_path / "w", "not found")
    refused(tmp_path, "is a folder")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "is not a file")
    refused(tmp_path / ("w" * 300), "cannot be read|not found")


def test_damaged_files(tmp_path):
    path = tmp_path / "w"
    filled().save(path)
    whole = path.read_bytes()
    for size in (0, 4, 8, 50, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        refused(path, "cannot be read")
    path.write_bytes(whole + b"more")
    refused(path, "cannot be read")
    for content in (b"\x1f\x8b" + bytes(100), b"not a weights file at all, but a text\n" * 9, b"\xff" * 100):
        path.write_bytes(content)
        refused(path, "cannot be read")


def test_equal_networks_have_files_of_equal_bytes(tmp_path):
    network = Network((7, 5, 3))
    contents = set()
    for number in range(8):
        network.save(tmp_path / "file", {"b": "1", "a": "2", "ä": f"{number // 8}"})
        contents.add((tmp_path / "file").read_bytes())
    assert len(contents) == 1
    assert Network.load(tmp_path / "file").sizes == (7, 5, 3)
