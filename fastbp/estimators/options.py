"""An estimator's parameters, which have scikit-learn's names, as fastbp's settings."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ConfigError
from ..recipe.settings import Settings

__all__ = ["settings_of"]


def settings_of(estimator: Any, batch: int, epochs: int, weight: float) -> Settings:
    """Return what the parameters of a fit come to; ``weight`` is the mean of the
    samples'.

    Raises
    ------
    ValueError : a name or a number is not one of fastbp's, or two parameters contradict
        each other
    """
    network = estimator.network_
    momentum = "nesterov" if estimator.nesterovs_momentum else "momentum"
    rules = {
        "adam": f"adamw:{estimator.beta_1!r},{estimator.beta_2!r},{estimator.epsilon!r}",
        "rmsprop": "rmsprop",
        "sgd": f"{momentum}:{estimator.momentum!r}" if estimator.momentum else "sgd",
        "lbfgs": "sgd",  # which has no steps
    }
    try:
        return Settings(
            hidden=network.sizes[1:-1],
            batch_size=batch,
            epochs=epochs,
            learning_rate=float(estimator.learning_rate_init),
            schedule=_schedule(estimator),
            activation=estimator.activation,
            optimizer=rules[estimator.solver],
            l2=float(estimator.alpha) / (batch * weight),
            dropout=float(estimator.dropout),
            label_smoothing=float(getattr(estimator, "label_smoothing", 0.0)),
            init=estimator.init,
            seed=estimator._seed,
            dtype=network.dtype.name,
            threads=estimator.n_threads,
        )
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _schedule(estimator: Any) -> str:
    """Return the schedule's text; scikit-learn's names count with SGD only, as
    there.
    """
    name = estimator.learning_rate
    if estimator.schedule is not None:
        if name != "constant":
            raise ValueError(
                f"learning_rate is {name!r} and schedule {estimator.schedule!r}; expected one of them"
            )
        return str(estimator.schedule)
    if estimator.solver == "sgd" and name == "invscaling":
        return f"inverse:{estimator.power_t!r}"
    if estimator.solver == "sgd" and name == "adaptive" and math.isfinite(estimator.n_iter_no_change):
        return f"plateau:0.2,{math.floor(estimator.n_iter_no_change) + 1},{estimator.tol!r},1e-6"
    return "constant"
