"""A multilayer perceptron as data: layer sizes, one flat block of parameters, views of
it, and its file.
"""

from __future__ import annotations

import math
import operator
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import lazy
from .errors import ConfigError, FastbpError, WeightsError, one_line, printable
from .files import replace_file, tensors_file
from .reference.activations import ACTIVATIONS
from .reference.losses import OUTPUTS
from .schema import Schema

__all__ = ["FloatArray", "Network", "lay_out"]

FloatArray: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register
CACHE_STRIDE = 2048  # bytes: rows this far apart share few cache sets, so that a column evicts itself
FOREIGN_INPUT_SCALE = 1 / 255  # of a weights file that does not say: most learnt from bytes scaled to 0..1

_FLOATS = {"F32": "float32", "F64": "float64"}  # safetensors' names
_TENSOR = re.compile(r"layers\.(0|[1-9][0-9]{0,8})\.(weight|bias)")


class Network:
    """The layer sizes and parameters of a multilayer perceptron.

    Parameters
    ----------
    sizes : iterable of int
        Inputs, units of each hidden layer, outputs; each >= 1, softmax outputs >= 2.
    dtype : float32 or float64
        Type of all parameters.
    activation : str
        Activation function of the hidden layers, a name in
        `fastbp.reference.activations.ACTIVATIONS`. The last layer is linear: its
        outputs are logits.
    output : {"softmax", "logistic", "identity"}
        What becomes of the logits, and with which loss they are trained:
        ``"softmax"`` for classes of which one applies, ``"logistic"`` for labels of
        which any number may apply, ``"identity"`` for values.
    input_scale : float
        Factor of each input before the first layer, finite and > 0.
    schema : Schema, optional
        What inputs and outputs mean; None if they are pixels and numbered classes.

    Attributes
    ----------
    parameters : array of shape (P,)
        All layers in one block, aligned to 64 bytes, zero at first. Write through it or
        through the views; its padding must stay zero.
    layout : int64 array of shape (L, 5)
        Fan-in, fan-out, row, weight offset and bias offset of each layer, in elements.
    weights, biases : tuple of arrays
        Views of ``parameters``, (D, H) and (H,) for each layer.
    predictor : object or None
        What predictions keep between calls.

    Raises
    ------
    ConfigError
        A size, dtype, activation, output or scale is out of its range, or memory is
        too small.

    Examples
    --------
    >>> network = Network((784, 100, 10), input_scale=1 / 255)
    >>> network.weights[0].shape, network.biases[1].shape, network.parameter_count
    ((784, 100), (10,), 79510)
    """

    predictor: Any

    def __init__(
        self,
        sizes: Iterable[int],
        *,
        dtype: DTypeLike = "float32",
        activation: str = "relu",
        output: str = "softmax",
        input_scale: float = 1.0,
        schema: Schema | None = None,
    ) -> None:
        if not isinstance(output, str) or output not in OUTPUTS:
            raise ConfigError(f"output is {output!r}; expected one of: {', '.join(OUTPUTS)}")
        self.output = output
        self.sizes = _checked_sizes(sizes, output)
        self.dtype = _checked_dtype(dtype)
        if not isinstance(activation, str) or activation not in ACTIVATIONS:
            raise ConfigError(f"activation is {activation!r}; expected one of: {', '.join(ACTIVATIONS)}")
        self.activation = activation
        try:
            self.input_scale = float(input_scale)
        except (TypeError, ValueError, OverflowError):
            self.input_scale = math.nan
        if not (math.isfinite(self.input_scale) and self.input_scale > 0):
            raise ConfigError(f"input_scale is {input_scale!r}; expected a finite number above 0")
        if schema is not None and not isinstance(schema, Schema):
            raise ConfigError(f"schema is {schema!r}; expected a Schema, or None")
        try:
            self.layout, count = lay_out(self.sizes, self.dtype.itemsize)
            self.parameters = _aligned_zeros(count, self.dtype)
        except (MemoryError, OverflowError, ValueError) as error:
            raise ConfigError(f"sizes {_joined(self.sizes)}: too large for this machine's memory") from error
        self._block_shape = self.parameters.shape
        self.schema = schema
        self.weights, self.biases = self.views(self.parameters)

    def __setattr__(self, name: str, value: Any) -> None:
        # What predictions keep between calls holds for these attributes: see
        # backends/predictor.py. Values of parameters may change at any time.
        super().__setattr__(name, value)
        super().__setattr__("predictor", None)

    def keep(self, predictor: object) -> None:
        """Keep what predictions use between calls, until an attribute is replaced."""
        super().__setattr__("predictor", predictor)

    @property
    def _options(self) -> dict[str, Any]:
        return {
            "activation": self.activation,
            "output": self.output,
            "input_scale": self.input_scale,
            "schema": self.schema,
        }

    @property
    def inputs(self) -> int:
        """Length of a sample."""
        return self.sizes[0]

    @property
    def classes(self) -> int:
        """Length of the output, whatever it stands for."""
        return self.sizes[-1]

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs: those of the data, or numbers from 0."""
        return self.schema.outputs if self.schema else tuple(map(str, range(self.classes)))

    @property
    def parameter_count(self) -> int:
        """Weights and biases, without padding."""
        return sum(array.size for array in (*self.weights, *self.biases))

    def views(self, block: FloatArray) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Return views of the weights and of the biases in a block like
        ``parameters``.
        """
        weights = tuple(
            block[start:end].reshape(-1, row)[:fan_in, :fan_out]
            for fan_in, fan_out, row, start, end in self.layout.tolist()
        )
        biases = tuple(block[start : start + fan_out] for _, fan_out, _, _, start in self.layout.tolist())
        return weights, biases

    def predict(self, images: ArrayLike | Mapping[str, Any]) -> NDArray[np.float64]:
        """Predict with the current parameters; see `fastbp.predict`.

        Parameters
        ----------
        images : (N, D) or (N, height, width) array
            Images like those of the training; a single image is one sample. Or a
            frame, or columns by name, for a network trained on a table.

        Returns
        -------
        (N, C) array of float64
            Probabilities of the classes, or what ``output`` stands for.

        Raises
        ------
        DataError
            The images have another dtype or range than those of the training.
        WeightsError
            The images have another number of pixels than the network has inputs, or
            ``parameters`` was replaced.
        """
        probabilities: NDArray[np.float64] = lazy.prediction().predict(self, images)
        return probabilities

    def check_parameters(self) -> None:
        """Check that ``parameters`` is still the block that the network was made with.

        Code that reads the block by ``layout`` calls it first: another array may be too
        short, and ``weights`` and ``biases`` would not see what is written to it.

        Raises
        ------
        WeightsError
            ``parameters`` was replaced by another array, or ``activation`` or
            ``output`` by a name that is not known.
        """
        if self.activation not in ACTIVATIONS or self.output not in OUTPUTS:
            raise WeightsError(
                f"the network has activation {self.activation!r} and output {self.output!r}; expected "
                f"activation to be one of: {', '.join(ACTIVATIONS)}; output one of: {', '.join(OUTPUTS)}"
            )
        block, first = self.parameters, self.weights[0]
        is_block = (
            isinstance(block, np.ndarray)
            and block.base is not None
            and block.base is first.base
            and block.shape == self._block_shape
            and block.dtype == self.dtype
            and block.flags.c_contiguous
        )
        if not is_block:
            raise WeightsError(
                f"network.parameters was replaced by {_short(described(block))}; expected the block that the "
                "network was made with: write into it, network.parameters[...] = values"
            )

    def is_finite(self) -> bool:
        """Whether no parameter is NaN or infinite."""
        return bool(np.isfinite(self.parameters).all())

    def extreme(self) -> tuple[int, float]:
        """Return the layer, from 0, whose parameters went furthest, and how far.

        That is the first layer which holds NaN or infinity, if there is one; otherwise
        the layer of the parameter that is largest by its absolute value.
        """
        largest = [
            float(np.maximum(np.abs(weight).max(), np.abs(bias).max()))
            for weight, bias in zip(self.weights, self.biases, strict=True)
        ]
        broken = [layer for layer, value in enumerate(largest) if not math.isfinite(value)]
        layer = broken[0] if broken else int(np.argmax(largest))
        return layer, largest[layer]

    def copy(self) -> Network:
        """Return a copy with its own memory."""
        return self.astype(self.dtype)

    def astype(self, dtype: DTypeLike) -> Network:
        """Return a copy of another dtype; values too large for it become infinite."""
        other = Network(self.sizes, dtype=dtype, **self._options)
        with np.errstate(over="ignore"):
            for (_, target), (_, source) in zip(other.named_arrays(), self.named_arrays(), strict=True):
                target[...] = source
        return other

    def named_arrays(self) -> Iterator[tuple[str, FloatArray]]:
        """Yield names and views in order: ``("layers.0.weight", view)``, ..."""
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            yield f"layers.{index}.weight", weight
            yield f"layers.{index}.bias", bias

    def save(self, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
        """Write a safetensors file, complete or not at all; replace an existing file.

        Parameters
        ----------
        path : str or Path
            File to write, in an existing folder.
        metadata : mapping of str to str, optional
            Stored beside the network's own (``format``, ``fastbp_version``, ``sizes``,
            ``activation``, ``output``, ``input_scale``, ``classes``, ``schema``).

        Raises
        ------
        WeightsError
            A parameter is not finite, or the file cannot be written.
        ConfigError
            The metadata are not strings, or use a name of the network's own.
        """
        path = Path(path)
        own = {
            "format": "fastbp",
            "fastbp_version": _version(),
            "sizes": _joined(self.sizes),
            "activation": self.activation,
            "output": self.output,
            "input_scale": repr(float(self.input_scale)),
            "classes": str(self.classes),
        }
        if self.schema is not None:
            own["schema"] = self.schema.to_json()
        if metadata is not None and not isinstance(metadata, Mapping):
            raise ConfigError(f"metadata are {metadata!r}; expected a mapping of strings, or None")
        reserved = (*own, "schema")
        for key, value in (metadata or {}).items():
            if not (isinstance(key, str) and isinstance(value, str)) or key in reserved:
                found = _short(f"{key!r}: {value!r}")
                raise ConfigError(
                    f"metadata {found}; expected strings, under other names than {', '.join(own)}"
                )
        _check_finite(path, self.named_arrays())
        # safetensors writes an array's memory as it lies, so a view has to be made
        # contiguous first.
        tensors = {name: np.ascontiguousarray(array) for name, array in self.named_arrays()}
        try:
            replace_file(path, tensors_file(tensors, {**(metadata or {}), **own}))
        except FastbpError as error:
            raise WeightsError(str(error)) from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a file that `save` or another program wrote, and check all of it.

        Without metadata, the sizes come from the tensors, the hidden layers are ReLU,
        the output is softmax, and ``input_scale`` is 1/255 (set the attribute if the
        network was trained on inputs that were not scaled).

        Raises
        ------
        WeightsError
            The file is missing, damaged, of another layout or type, holds NaN or
            infinity, or contradicts its own metadata.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        try:
            if not path.is_file():
                found = "is a folder" if path.is_dir() else "is not a file" if path.exists() else "not found"
                _refuse(path, found, "a safetensors file, such as weights.safetensors of a run")
            with safe_open(path, framework="np") as file:
                slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
                shapes = {name: tuple(entry.get_shape()) for name, entry in slices.items()}
                dtypes = {name: str(entry.get_dtype()) for name, entry in slices.items()}
                sizes = _chained_sizes(path, shapes)
                dtype = _single_dtype(path, dtypes)
                options = _checked_metadata(path, file.metadata() or {}, sizes)
                network = cls(sizes, dtype=dtype, **options)
                for name, array in network.named_arrays():
                    array[...] = file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            reason = _short(one_line(error))
            raise WeightsError(
                f"{printable(path)}: cannot be read ({reason}); expected a whole safetensors file"
            ) from error
        _check_finite(path, network.named_arrays())
        return network

    def summary(self) -> str:
        """Return a table of the layers with their parameters and FLOP, to be printed.

        FLOP are those of the forward pass of one sample: 2 for each weight.
        """
        text: str = lazy.display().network_summary(self)
        return text

    def __repr__(self) -> str:
        options = f"activation={self.activation!r}, output={self.output!r}"
        scale = f"input_scale={float(f'{self.input_scale:.4g}')}"
        return f"Network({self.sizes}, dtype={self.dtype.name!r}, {options}, {scale})"

    def _repr_html_(self) -> str:
        text: str = lazy.display().network_html(self)
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        # Copied member by member, the views would no longer be views of the block.
        return _rebuilt, (self.sizes, self.dtype.name, self._options, self.parameters)


def _rebuilt(sizes: tuple[int, ...], dtype: str, options: dict[str, Any], parameters: FloatArray) -> Network:
    network = Network(sizes, dtype=dtype, **options)
    network.parameters[...] = parameters
    return network


def _checked_sizes(sizes: Iterable[int], output: str) -> tuple[int, ...]:
    try:
        given = tuple(sizes)
        checked = tuple(operator.index(size) for size in given)
    except TypeError:
        raise ConfigError(f"sizes are {sizes!r}; expected whole numbers") from None
    least = OUTPUTS[output].least
    if len(checked) < 2 or min(checked[:-1]) < 1 or checked[-1] < least:
        outputs = "classes" if output == "softmax" else "outputs"
        raise ConfigError(
            f"sizes are {given!r}; expected inputs >= 1, hidden units >= 1 ..., {outputs} >= {least}"
        )
    return checked


def _checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        checked = np.dtype(dtype)
    except (TypeError, ValueError):
        checked = np.dtype(object)
    if dtype is None or checked not in (
        np.dtype(np.float32),
        np.dtype(np.float64),
    ):  # NumPy's None is float64
        raise ConfigError(f"dtype is {dtype!r}; expected float32 or float64")
    return checked


def lay_out(sizes: tuple[int, ...], itemsize: int) -> tuple[NDArray[np.int64], int]:
    """Return where each layer lies in the block, and the block's length in elements.

    By the rules in docs/architecture.md; see `Network.layout`.
    """
    table, offset = [], 0
    for fan_in, fan_out in pairwise(sizes):
        row_bytes = _ceil(fan_out * itemsize, ALIGNMENT)
        if row_bytes % CACHE_STRIDE == 0:
            row_bytes += ALIGNMENT
        row = row_bytes // itemsize
        bias = offset + _ceil(fan_in, 4) * row
        table.append((fan_in, fan_out, row, offset, bias))
        offset = bias + row
    return np.array(table, dtype=np.int64), offset


def _ceil(number: int, step: int) -> int:
    return -(-number // step) * step


def _aligned_zeros(count: int, dtype: np.dtype[Any]) -> FloatArray:
    size = count * dtype.itemsize
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    block: FloatArray = raw[start : start + size].view(dtype)
    return block


def described(value: object) -> str:
    """Return an array's shape and type, or another value as Python writes it."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return repr(value)


def _joined(sizes: Iterable[int]) -> str:
    return ",".join(map(str, sizes))


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fastbp")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"


def _refuse(path: Path, found: str, expected: str) -> NoReturn:
    raise WeightsError(f"{printable(path)}: {one_line(found)}; expected {expected}")


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 3} more" if len(ordered) > 3 else ""
    return ", ".join(_short(repr(name)) for name in ordered[:3]) + more


def _check_finite(path: Path, arrays: Iterable[tuple[str, FloatArray]]) -> None:
    for name, array in arrays:
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            index = tuple(bad[0].tolist())
            place = f"{name}[{', '.join(map(str, index))}]"
            _refuse(path, f"{place} is {array[index]} ({len(bad)} such in this tensor)", "finite numbers")


def _chained_sizes(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Sizes that the tensors' names and shapes agree on."""
    depth = len({match[1] for match in map(_TENSOR.fullmatch, shapes) if match})
    names = {f"layers.{layer}.{kind}" for layer in range(depth or 1) for kind in ("weight", "bias")}
    if missing := names - set(shapes):
        found = f"it has {_listed(shapes)}" if shapes else "it has no tensors"
        _refuse(path, f"tensor {_listed(missing)} is missing, {found}", "layers.0.weight, layers.0.bias, ...")
    if extra := set(shapes) - names:
        _refuse(path, f"tensor {_listed(extra)} is not known", "only layers.0.weight, layers.0.bias, ...")
    sizes: list[int] = []
    for layer in range(depth):
        name = f"layers.{layer}.weight"
        shape, bias = shapes[name], shapes[f"layers.{layer}.bias"]
        if len(shape) != 2 or min(shape) < 1:
            _refuse(path, f"{name} has shape {shape}", "(fan_in, fan_out), both at least 1")
        if sizes and shape[0] != sizes[-1]:
            _refuse(
                path, f"{name} has shape {shape}", f"({sizes[-1]}, fan_out), to follow the layer before it"
            )
        if bias != shape[1:]:
            _refuse(path, f"layers.{layer}.bias has shape {bias}", f"{shape[1:]}, to match {name} {shape}")
        sizes = [*(sizes or shape[:1]), shape[1]]
    return tuple(sizes)


def _single_dtype(path: Path, dtypes: Mapping[str, str]) -> str:
    (first, kind), *others = sorted(dtypes.items())
    for name, other in ((first, kind), *others):
        if other not in _FLOATS:
            _refuse(path, f"{name} is {other}", "F32 or F64: convert the weights first")
        if other != kind:
            _refuse(path, f"{first} is {kind} but {name} is {other}", "one type for all tensors")
    return _FLOATS[kind]


def _checked_metadata(path: Path, metadata: Mapping[str, str], sizes: tuple[int, ...]) -> dict[str, Any]:
    """Options of `Network` that the metadata give, after comparing the rest with the
    tensors.
    """
    expected = {"format": "fastbp", "sizes": _joined(sizes), "classes": str(sizes[-1])}
    for key, value in expected.items():
        if metadata.get(key, value) != value:
            _refuse(
                path, f"metadata {key} is {_short(repr(metadata[key]))}", f"{value!r}, as its tensors are"
            )
    activation = metadata.get("activation", "relu")
    if activation not in ACTIVATIONS:
        _refuse(
            path, f"metadata activation is {_short(repr(activation))}", f"one of: {', '.join(ACTIVATIONS)}"
        )
    output = metadata.get("output", "softmax")
    if output not in OUTPUTS:
        _refuse(path, f"metadata output is {_short(repr(output))}", f"one of: {', '.join(OUTPUTS)}")
    if sizes[-1] < OUTPUTS[output].least:
        _refuse(path, f"the last layer has {sizes[-1]} output", "at least 2 classes")
    text = metadata.get("input_scale", repr(FOREIGN_INPUT_SCALE))
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not (math.isfinite(scale) and scale > 0):
        _refuse(path, f"metadata input_scale is {_short(repr(text))}", "a finite number above 0")
    return {
        "activation": activation,
        "output": output,
        "input_scale": scale,
        "schema": _checked_schema(path, metadata.get("schema"), output, sizes),
    }


def _checked_schema(path: Path, text: str | None, output: str, sizes: tuple[int, ...]) -> Schema | None:
    if text is None:
        return None
    try:
        schema = Schema.from_json(text, inputs=sizes[0], outputs=sizes[-1])
    except WeightsError as error:
        raise WeightsError(f"{printable(path)}: {one_line(error)}") from None
    if schema.output != output:
        _refuse(path, f"metadata schema is for {schema.task}", f"one for {output} outputs")
    return schema
