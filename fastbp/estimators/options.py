"""An estimator's parameters, which have scikit-learn's names, as fastbp's settings."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from ..settings import Settings

__all__ = ["settings_of"]


def settings_of(estimator: Any, batch: int, epochs: int, weight: float) -> Settings:
    """Return what the parameters of a fit come to; ``weight`` is the mean of the samples'.

    Raises
    ------
    ValueError : a name or a number is not one of fastbp's
    """
    network = estimator.network_
    rules = {
        "adam": f"adamw:{estimator.beta_1!r},{estimator.beta_2!r},{estimator.epsilon!r}",
        "rmsprop": "rmsprop",
        "sgd": f"{'nesterov' if estimator.nesterovs_momentum else 'momentum'}:{estimator.momentum!r}",
    }
    try:
        return Settings(
            hidden=network.sizes[1:-1],
            batch_size=batch,
            epochs=epochs,
            learning_rate=float(estimator.learning_rate_init),
            schedule=estimator.schedule,
            activation=estimator.activation,
            optimizer="sgd"
            if estimator.solver == "sgd" and estimator.momentum == 0
            else rules[estimator.solver],
            l2=float(estimator.alpha) / (batch * weight),
            dropout=float(estimator.dropout),
            label_smoothing=float(estimator.label_smoothing),
            init=estimator.init,
            seed=estimator._seed,
            dtype=network.dtype.name,
            threads=estimator.n_threads,
        )
    except ConfigError as error:
        raise ValueError(str(error)) from error
