"""The two ways to run the arithmetic of training, behind one interface."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..network import Network
from ..recipe.distortions import Distortion
from ..recipe.step_options import PLAIN, StepOptions
from ..reference.losses import Targets
from .batches import Batches, Figures

__all__ = ["Backend", "make_backend"]


class Backend(Protocol):
    """What the trainer asks of a path. Every array is checked before it gets here."""

    name: str
    threads: int

    def warm_up(
        self,
        network: Network,
        images: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64],
        distortion: Distortion | None = None,
    ) -> float:
        """Compile what a run on this network and these images needs, or load it from the cache.

        Returns
        -------
        seconds that it took; 0 where nothing has to be compiled
        """
        ...

    def train_steps(
        self,
        network: Network,
        images: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64],
        targets: Targets,
        batches: Batches,
        options: StepOptions = PLAIN,
    ) -> Figures:
        """Run one update for each mini-batch, in place on ``network.parameters``.

        Parameters
        ----------
        images : (N, D), uint8 or float, C-contiguous
        targets : (N,), int64, 0 <= label < C, if ``network.output`` is softmax; otherwise
            (N, C), of the network's type, C-contiguous
        batches : which rows, in which order, at which learning rates
        options : what is done beyond plain SGD; distortions need uint8 images
        """
        ...

    def evaluate(
        self,
        network: Network,
        images: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64],
        targets: Targets,
        rows: NDArray[np.int64] | None = None,
    ) -> tuple[float, float]:
        """Mean loss and accuracy (0..1) over ``rows`` of the images, or all of them; see `train_steps`."""
        ...

    def logits(
        self, network: Network, images: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]
    ) -> NDArray[np.float32] | NDArray[np.float64]:
        """Outputs of the last layer's sums, before softmax or the logistic function, (N, C)."""
        ...

    def close(self) -> None:
        """Let the backend's threads go. It may be used again afterwards."""
        ...


def make_backend(name: str, threads: int | Literal["auto"] = "auto") -> Backend:
    """Return the backend of this name; only its own modules are imported.

    Parameters
    ----------
    name : ``"numba"``, compiled kernels, or ``"numpy"``, the reference path
    threads : >= 1, or ``"auto"``: as many as pay for the network and batch at hand

    Raises
    ------
    ConfigError : there is no such backend
    """
    if name == "numpy":
        from .numpy_backend import NumpyBackend

        return NumpyBackend(1 if threads == "auto" else threads)
    if name == "numba":
        from .numba_backend import NumbaBackend

        return NumbaBackend(threads)
    raise ConfigError(f"backend is {name!r}; expected one of: numba, numpy")
