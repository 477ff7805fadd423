"""ONNX: the scale, the layers and the output unit as one graph that any runtime of the
format takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, FastbpError
from ..network import Network
from ..reference.activations import Operation
from .format import (
    Format,
    activation_text,
    description,
    fastbp_version,
    in_single_precision,
    input_units,
    names_as_json,
    output_units,
)

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

__all__ = ["FORMAT", "OUTPUTS", "model"]

# Of operators and file: as old as what is used allows, so that old runtimes take them
# too.
OPSET, IR_VERSION = 13, 7
LARGEST = 2**31 - 2**16  # bytes of parameters: Protocol Buffers end at 2 GB

# Name of the last layer's sums, and what is made of them; the graph gives both.
OUTPUTS: dict[str, tuple[str, list[Operation]]] = {
    "softmax": ("logits", [("Softmax", ("logits",), "probabilities", {"axis": 1})]),
    "logistic": ("logits", [("Sigmoid", ("logits",), "probabilities", {})]),
    "identity": ("values", []),
}


def model(network: Network) -> ModelProto:
    """Return the network as an ONNX model, after onnx's own check of it.

    Its input is ``inputs`` (N, D), float32, in the network's own units, any N; its
    outputs are ``logits`` and ``probabilities``, or ``values`` of a network with the
    identity as output unit; all (N, C), float32. Names of classes and features are
    lists in JSON under ``output_names`` and ``input_names`` of its metadata.

    Raises
    ------
    FastbpError : there is no onnx
    ConfigError : the network is too large for the format, or for float32
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise FastbpError("ONNX files need onnx: pip install 'fastbp[onnx]'") from error
    if 4 * network.parameter_count > LARGEST:
        raise ConfigError(
            f"{network.parameter_count:,} parameters are more than the 2 GB of an ONNX file hold; "
            "expected another format, such as --to torch"
        )
    units = f"Inputs: {input_units(network)}. Outputs: {output_units(network)}."
    if network.schema is not None:
        units += " Their names: lists in JSON, in the metadata."
    operations = _operations(network)
    tensors: dict[str, NDArray[Any]] = {"input_scale": np.array(network.input_scale, np.float32)}
    for _, inputs, _, _ in operations:
        tensors |= {
            _named(value): np.array(value, np.float32) for value in inputs if isinstance(value, float)
        }
    tensors.update(in_single_precision(network))
    graph = helper.make_graph(
        [_node(operation) for operation in operations],
        "fastbp",
        [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["N", network.inputs])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", network.classes])
            for name in _outputs(network)
        ],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    found = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastbp",
        producer_version=fastbp_version(),
        doc_string=f"{description(network)}. {units}",
    )
    helper.set_model_props(found, names_as_json(network))
    onnx.checker.check_model(found, full_check=True)
    return found


def _operations(network: Network) -> list[Operation]:
    operations: list[Operation] = [("Mul", ("inputs", "input_scale"), "scaled", {})]
    final, answers = OUTPUTS[network.output]
    units, last = "scaled", len(network.weights) - 1
    for layer in range(last + 1):
        name = f"layers.{layer}"
        sums = final if layer == last else f"{name}.sums"
        operations.append(("Gemm", (units, f"{name}.weight", f"{name}.bias"), sums, {}))
        if layer < last:
            units = f"{name}.units"
            operations += _activation(network, sums, units)
    return operations + answers


def _activation(network: Network, sums: str, units: str) -> list[Operation]:
    """Return the nodes of the activation, with the names that "z" and "a" have in this
    layer.
    """
    names = {"z": sums, "a": units}

    def local(name: str | float) -> str | float:
        return names.get(name, f"{units}.{name}") if isinstance(name, str) else name

    operations: tuple[Operation, ...] = activation_text(network, "onnx", "onnx")
    return [
        (operator, tuple(map(local, inputs)), names.get(output, f"{units}.{output}"), attributes)
        for operator, inputs, output, attributes in operations
    ]


def _named(value: str | float) -> str:
    """Return the name of an input; a constant is called by its value."""
    return value if isinstance(value, str) else f"constant.{value!r}"


def _outputs(network: Network) -> list[str]:
    sums, operations = OUTPUTS[network.output]
    return [sums, *(output for _, _, output, _ in operations)]


def _node(operation: Operation) -> NodeProto:
    from onnx import helper

    operator, inputs, output, attributes = operation
    return helper.make_node(operator, list(map(_named, inputs)), [output], name=output, **attributes)


def _build(network: Network, _stem: str) -> Mapping[str, str | bytes]:
    return {".onnx": model(network).SerializeToString(deterministic=True)}


FORMAT = Format((".onnx",), _build)
