"""NumPy's archive: the parameters under the names of the weights file, and what else
decides the outputs.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from ..network import Network
from .format import Format, fastbp_version, names_as_json

__all__ = ["FORMAT", "archive"]


def archive(network: Network) -> bytes:
    """Return an npz file, readable without pickle.

    Its arrays: ``layers.<l>.weight`` (D, H) and ``layers.<l>.bias`` (H,) in the
    network's type; ``sizes`` (L + 1,), int64; ``activation``, ``output`` (a name in
    `fastbp.reference.losses.OUTPUTS`), ``format`` and ``fastbp_version``, text;
    ``input_scale``, float64. With names of classes or features also ``output_names``,
    ``input_names`` and ``schema``, text that holds JSON.
    """
    stream = io.BytesIO()
    # NumPy before 2.2 has no allow_pickle here; there is no object among the arrays.
    named: dict[str, Any] = dict(network.named_arrays())
    named |= {key: np.array(text) for key, text in names_as_json(network).items()}
    np.savez(
        stream,
        format=np.array("fastbp"),
        fastbp_version=np.array(fastbp_version()),
        sizes=np.array(network.sizes, np.int64),
        activation=np.array(network.activation),
        output=np.array(network.output),
        input_scale=np.array(network.input_scale),
        **named,
    )
    return stream.getvalue()


FORMAT = Format((".npz",), lambda network, _stem: {".npz": archive(network)})
