"""NumPy's archive: the parameters under the names of the weights file, and what else decides the outputs."""

from __future__ import annotations

import io

import numpy as np

from ..network import Network
from .format import Format, fastbp_version

__all__ = ["FORMAT", "archive"]


def archive(network: Network) -> bytes:
    """Return an npz file, readable without pickle.

    Its arrays: ``layers.<l>.weight`` (D, H) and ``layers.<l>.bias`` (H,) in the network's type; ``sizes``
    (L + 1,), int64; ``activation``, ``output`` (a name in `fastbp.reference.losses.OUTPUTS`), ``format`` and
    ``fastbp_version``, text; ``input_scale``, float64.
    """
    stream = io.BytesIO()
    np.savez(
        stream,
        allow_pickle=False,
        format=np.array("fastbp"),
        fastbp_version=np.array(fastbp_version()),
        sizes=np.array(network.sizes, np.int64),
        activation=np.array(network.activation),
        output=np.array(network.output),
        input_scale=np.array(network.input_scale),
        **dict(network.named_arrays()),
    )
    return stream.getvalue()


FORMAT = Format((".npz",), lambda network, _stem: {".npz": archive(network)})
