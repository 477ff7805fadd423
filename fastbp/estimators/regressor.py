"""A multilayer perceptron as a scikit-learn regressor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d, validate_data

from ..backends.base import Backend
from ..callbacks import Callback
from ..network import FloatArray
from ..reference.losses import Targets
from .perceptron import FLOATS, Perceptron, Score
from .samples import dense

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """Multilayer perceptron that fits values by least squares, trained by the compiled kernels.

    Parameters have scikit-learn's names and defaults where they mean the same.

    Parameters
    ----------
    hidden_layer_sizes : units of each hidden layer, each >= 1; none is a linear regression
    activation : of hidden units: ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"``, and the other
        names in `fastbp.reference.activations.ACTIVATIONS`
    loss : ``"squared_error"``, the only one
    solver : ``"adam"``, ``"sgd"`` or ``"rmsprop"``; ``"lbfgs"`` for a few hundred samples, by SciPy
    alpha : L2 penalty, >= 0; a mini-batch of B samples adds ``alpha / (2 B) sum(w**2)`` to its mean loss
    init : how weights start, a name in `fastbp.recipe.initializers.SCHEMES`
    batch_size : samples of a mini-batch, >= 1; ``"auto"`` is min(200, samples)
    learning_rate : of ``"sgd"``: ``"constant"``; ``"invscaling"``, by ``(updates + 1)**-power_t``; or
        ``"adaptive"``: divided by 5 whenever the fit would otherwise have converged, until it is 1e-6
    learning_rate_init : rate of the first update, > 0
    power_t : of ``"invscaling"``, >= 0
    schedule : how the rate goes on with any solver, as in `fastbp.recipe.schedules.learning_rates`; None for
        ``learning_rate``
    max_iter : epochs, >= 1
    shuffle : visit the samples in another order each epoch
    random_state : seed of weights, split and shuffles
    tol : by how much the loss (the score, with ``early_stopping``) must improve to count, >= 0
    verbose : print a line an epoch
    warm_start : go on from the weights of the last fit
    momentum, nesterovs_momentum : of ``"sgd"``, 0 <= momentum < 1
    early_stopping : keep samples back, or take those given to ``fit``; keep the weights that are best on them
    validation_fraction : part of the samples that is kept back, 0 < part < 1
    beta_1, beta_2, epsilon : of ``"adam"``
    n_iter_no_change : epochs without such an improvement that are borne, >= 1; falls on plateaus restart it
    max_fun : of ``"lbfgs"``: most evaluations of the loss
    dropout : part of the hidden units that each step leaves out, 0 <= dropout < 1
    n_threads : of the kernels, or ``"auto"``; the weights have the same bits for any number

    Attributes
    ----------
    coefs_, intercepts_ : views of the weights, (D, H) and (H,) for each layer
    network_ : `fastbp.Network`
    loss_, best_loss_, loss_curve_ : training loss, half the mean squared error, without the penalty: of the
        last epoch, the best, all
    validation_scores_, best_validation_score_ : coefficients of determination, with ``early_stopping``
    n_iter_, n_layers_, n_outputs_, out_activation_, t_ : as scikit-learn's

    Notes
    -----
    float32 data are trained in float32, all others in float64. Sparse matrices are taken; their zeros cost
    nothing in the first layer, but they are made dense in memory.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Perceptron._parameter_constraints,
        "loss": [StrOptions({"squared_error"})],
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (100,),
        activation: str = "relu",
        *,
        loss: str = "squared_error",
        solver: str = "adam",
        alpha: float = 1e-4,
        init: str = "xavier-uniform",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        schedule: str | None = None,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
        dropout: float = 0.0,
        n_threads: int | Literal["auto"] = "auto",
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            alpha=alpha,
            init=init,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            schedule=schedule,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dropout=dropout,
            n_threads=n_threads,
        )
        self.loss = loss

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> MLPRegressor:
        """Train.

        Parameters
        ----------
        X : (N, D), dense or sparse
        y : (N,), or (N, K) for K values at once
        sample_weight : (N,), factors of each sample's loss; only their proportions count
        X_val, y_val : samples for validation, with ``early_stopping``, in place of a part of X
        callbacks : `fastbp.Callback`, told about every epoch; their losses are sums over the K values
        """
        samples, values = self._check(X, y, reset=True)
        if not self.warm_start or not hasattr(self, "network_"):
            self._begin(samples, values)
        validation = self._check_validation(X_val, y_val, self._check)
        weights = self._weights(samples, sample_weight)
        self._fit(
            samples,
            values,
            epochs=int(self.max_iter),
            weights=weights,
            validation=None if validation is None else (validation[0], self._rows(validation[1])),
            callbacks=callbacks,
        )
        return self

    @available_if(lambda self: self._check_solver())  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> MLPRegressor:
        """Train one epoch on these samples, and go on from where the last call left the weights."""
        self._check_partial()
        first = not hasattr(self, "network_")
        samples, values = self._check(X, y, reset=first)
        if first:
            self._begin(samples, values)
        self._fit(samples, values, epochs=1, weights=self._weights(samples, sample_weight), partial=True)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the values, (N,), or (N, K) if there were K of them."""
        values = self._logits(X)
        return values[:, 0] if self._is_flat else values

    def _score_of(self, backend: Backend, samples: FloatArray, targets: Targets) -> Score:
        def score(_record: Any) -> float:
            values = backend.logits(self.network_, samples)
            # Weights that overflow make no score, which is no reason to stop yet: they may not be kept.
            return float(r2_score(targets, values)) if np.isfinite(values).all() else np.nan

        return score

    def _check(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[FloatArray, NDArray[Any]]:
        samples, values = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=FLOATS,
            order="C",
            reset=reset,
            multi_output=True,
            y_numeric=True,
        )
        if values.ndim == 2 and values.shape[1] == 1:
            values = column_or_1d(values, warn=True)
        return dense(samples), np.asarray(values)

    def _begin(self, samples: FloatArray, values: NDArray[Any]) -> None:
        self._is_flat = values.ndim == 1
        self._start(samples, 1 if self._is_flat else values.shape[1], "identity")

    def _fit(self, samples: FloatArray, values: NDArray[Any], **options: Any) -> None:
        rows = self._rows(values)
        if rows.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {rows.shape[1]} values a sample; expected {self.n_outputs_}, as before")
        self._train(samples, rows, **options)

    @property
    def _loss_scale(self) -> float:
        return 1 / self.n_outputs_

    def _rows(self, values: NDArray[Any]) -> FloatArray:
        rows = values.reshape(len(values), -1)
        return np.ascontiguousarray(rows, self.network_.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
