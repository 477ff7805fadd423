"""The interface of the backends, which run the arithmetic of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..network import Network
from ..recipe.step_options import PLAIN, StepOptions
from ..reference.losses import Targets
from .batches import Batches, Figures

if TYPE_CHECKING:
    from .predictor import Predictor

__all__ = ["Backend", "importing_kernels", "make_backend", "predictor_of"]


class Backend(Protocol):
    """Interface between the trainer and a backend. Callers check every array first."""

    name: str
    threads: int
    arithmetic: str  # what the last bits of results depend on, beside versions

    def warm_up(
        self,
        network: Network,
        images: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64],
        options: StepOptions = PLAIN,
    ) -> float:
        """Compile what training with these options needs, or load it from the cache.

        Returns
        -------
        float
            Seconds taken; 0 if nothing has to be compiled.
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

        Stop before the first update whose loss is not finite: the parameters and all
        state are then those that gave this loss.

        Parameters
        ----------
        images : (N, D), uint8 or float, C-contiguous
        targets : (N,), int64, 0 <= label < C, if ``network.output`` is softmax;
            otherwise (N, C), of the network's type, C-contiguous
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
        """Return mean loss and accuracy (0..1) over ``rows`` of the images, or all.

        The arrays are those of `train_steps`.
        """
        ...

    def logits(
        self, network: Network, images: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.float64]
    ) -> NDArray[np.float32] | NDArray[np.float64]:
        """Return the logits, (N, C): the sums of the last layer."""
        ...

    def close(self) -> None:
        """Release the backend's threads. The backend can be used again."""
        ...


@contextmanager
def importing_kernels() -> Iterator[None]:
    """Import what needs the compiled kernels, in words of fastbp if they refuse.

    Raises
    ------
    ConfigError : the environment asks for vectors that do not exist, or for compiled
        code from a folder that other users can change
    """
    try:
        yield
        from fastbp_kernels import check_cache

        check_cache()
    except ValueError as error:
        raise ConfigError(str(error)) from None


def make_backend(name: str, threads: int | Literal["auto"] = "auto") -> Backend:
    """Return the backend of this name; only its own modules are imported.

    Parameters
    ----------
    name : ``"numba"``, compiled kernels, or ``"numpy"``, the reference path
    threads : >= 1, or ``"auto"``: as many as pay for the network and batch at hand

    Raises
    ------
    ConfigError : there is no such backend, or the kernels cannot be imported; see
        `importing_kernels`
    """
    if name == "numpy":
        from .numpy_backend import NumpyBackend

        return NumpyBackend(1 if threads == "auto" else threads)
    if name == "numba":
        with importing_kernels():
            from .numba_backend import NumbaBackend
        return NumbaBackend(threads)
    raise ConfigError(f"backend is {name!r}; expected one of: numba, numpy")


def predictor_of(network: Network) -> Predictor:
    """Return the network's predictor by the compiled path, made when there is none.

    Raises
    ------
    WeightsError : the network's parameters were replaced
    ConfigError : its activation function has no compiled kernel, or kernels cannot be
        imported
    """
    return _compiled_path()(network)


@cache
def _compiled_path() -> Callable[[Network], Predictor]:
    """Import the compiled path when it is first used: it takes half a second."""
    with importing_kernels():
        from .predictor import predictor_of
    return predictor_of
