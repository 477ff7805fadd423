"""Data as the training step takes them: tables standardised, targets in one type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.samples import Dataset
from ..network import Network
from ..random import split
from ..recipe.settings import Settings
from ..recipe.standardization import Standardization
from ..reference.losses import Targets
from .samples import Images

__all__ = ["Prepared"]


class Prepared:
    """Arrays to train and to test on.

    Images stay as they are. The inputs of a table are standardised with the mean and
    deviation of the rows to train on, and so are quantities to predict.

    Parameters
    ----------
    training, testing
        Checked data, labelled.
    settings
        The seed and ``validation`` decide which rows are trained on; ``dtype``.
    consume
        Whether the inputs may be overwritten.

    Attributes
    ----------
    images, test_images : (N, D) arrays
    targets, test_targets : arrays as `fastbp.backends` takes them
        ``test_targets`` is None without labelled data to test on.
    """

    def __init__(
        self, training: Dataset, testing: Dataset | None, settings: Settings, *, consume: bool
    ) -> None:
        self._standard: Standardization | None = None
        self._dtype = np.dtype(settings.dtype)
        self._has_units = training.kind == "table"
        values = training.values if training.task == "regression" else None
        if self._has_units or values is not None:
            rows, _ = split(settings.seed, len(training.images), settings.validation)
            inputs = training.images if self._has_units else None
            self._standard = Standardization(inputs, values, rows, training.schema)
        self.images: Images = self._inputs(training, consume)
        self.targets = self._targets(training)
        self.test_images, self.test_targets = self.images, None
        if testing is not None and testing.targets is not None:
            self.test_images = self._inputs(testing, False)
            self.test_targets = self._targets(testing)

    @property
    def units(self) -> list[NDArray[np.float64]]:
        """Means and deviations of inputs and quantities; none if they stay as they
        are.
        """
        found = self._standard
        if found is None:
            return []
        return [found.mean, found.deviation, found.value_mean, found.value_deviation]

    def fold(self, network: Network) -> None:
        """Make the trained network one that takes raw inputs."""
        if self._standard is not None:
            self._standard.fold(network)

    def raw_values(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return standardised quantities in their own units."""
        if self._standard is None:
            return np.asarray(values, np.float64)
        raw: NDArray[np.float64] = values * self._standard.value_deviation + self._standard.value_mean
        return raw

    def _inputs(self, data: Dataset, consume: bool) -> Images:
        if self._standard is None or not self._has_units:
            return data.images
        consume = consume and data.images.flags.writeable
        out: NDArray[Any] = data.images if consume else np.empty(data.images.shape, self._dtype)
        self._standard.apply(data.images, out)
        return out

    def _targets(self, data: Dataset) -> Targets:
        if data.values is None:
            return data.labels_for("training")
        values = data.values
        if self._standard is not None and data.task == "regression":
            values = self._standard.values(values)
        return np.ascontiguousarray(values, self._dtype)
