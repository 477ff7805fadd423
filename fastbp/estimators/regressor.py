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
from ..training.samples import Images
from .perceptron import FLOATS, Perceptron, Score
from .samples import dense, is_surely_finite, refuse_masked

__all__ = ["MLPRegressor"]


class MLPRegressor(RegressorMixin, Perceptron):  # type: ignore[misc]
    """Multilayer perceptron for regression by least squares, trained by the kernels.

    Parameters have scikit-learn's names and defaults where they mean the same.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer, each >= 1; empty for linear regression.
    activation : str, default="relu"
        Activation function of the hidden layers: ``"relu"``, ``"tanh"``,
        ``"logistic"``, ``"identity"`` or another name in
        `fastbp.reference.activations.ACTIVATIONS`.
    loss : {"squared_error"}, default="squared_error"
        The only loss.
    solver : {"adam", "sgd", "rmsprop", "lbfgs"}, default="adam"
        Optimizer. ``"lbfgs"``, by SciPy, suits a few hundred samples.
    alpha : float, default=0.0001
        L2 penalty, >= 0: a mini-batch of B samples adds ``alpha / (2 B) sum(w**2)`` to
        its mean loss.
    init : str, default="xavier-uniform"
        Weight initialisation, a name in `fastbp.recipe.initializers.SCHEMES`.
    batch_size : int or "auto", default="auto"
        Samples of a mini-batch, >= 1; ``"auto"`` is ``min(200, samples)``.
    learning_rate : {"constant", "invscaling", "adaptive"}, default="constant"
        Learning-rate schedule of ``"sgd"``. ``"invscaling"`` multiplies by
        ``(updates + 1)**-power_t``. ``"adaptive"`` divides by 5 whenever the fit would
        otherwise have converged, until the learning rate is 1e-6.
    learning_rate_init : float, default=0.001
        Initial learning rate, > 0.
    power_t : float, default=0.5
        Exponent of ``"invscaling"``, >= 0.
    schedule : str or None, default=None
        Learning-rate schedule for any solver except ``"lbfgs"``, a name in
        `fastbp.recipe.schedules` with its numbers; None for ``learning_rate``.
    max_iter : int, default=200
        Largest number of epochs, >= 1.
    shuffle : bool, default=True
        Visit the samples in another order in each epoch.
    random_state : int, RandomState instance or None, default=None
        Random seed of weights, validation split, shuffles and dropout.
    tol : float, default=0.0001
        Smallest improvement that counts, >= 0: of the training loss, or with
        ``early_stopping`` of the validation score.
    verbose : bool, default=False
        Print one line per epoch.
    warm_start : bool, default=False
        Start from the weights of the previous fit.
    momentum : float, default=0.9
        Momentum of ``"sgd"``, 0 <= momentum < 1.
    nesterovs_momentum : bool, default=True
        Use Nesterov's momentum.
    early_stopping : bool, default=False
        Hold out validation samples, or use those given to ``fit``; stop when their
        score no longer improves, and keep the best weights.
    validation_fraction : float, default=0.1
        Fraction of the samples that is held out, 0 < fraction < 1.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Decay rates of the moments and numerical constant of ``"adam"``.
    n_iter_no_change : int, default=10
        Patience: epochs in a row without such an improvement, >= 1.
    max_fun : int, default=15000
        Largest number of evaluations of the loss by ``"lbfgs"``.
    dropout : float, default=0.0
        Dropout rate of the hidden layers, 0 <= dropout < 1.
    n_threads : int or "auto", default="auto"
        Threads of the kernels; ``"auto"`` measures which number is fastest. The weights
        have the same bits for any number.

    Attributes
    ----------
    coefs_, intercepts_ : list of arrays
        Views of the weights, (D, H), and biases, (H,), of each layer.
    network_ : Network
        The trained network, a `fastbp.Network`.
    loss_, best_loss_, loss_curve_ : float, float, list of float
        Training loss, half the mean squared error, without the penalty: of the last
        epoch, the best, of each epoch.
    validation_scores_, best_validation_score_ : list of float, float Coefficients of
        determination on the validation samples, with ``early_stopping``.
    n_iter_, n_layers_, n_outputs_, out_activation_, t_
        As in scikit-learn.

    Notes
    -----
    float32 data are trained in float32, all others in float64. Sparse matrices are
    converted to dense ones in memory; their zeros cost nothing in the first layer.
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
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
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
        """Fit the network to samples and values.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, D)
            Samples.
        y : array of shape (N,) or (N, K)
            Values, K of them per sample.
        sample_weight : array of shape (N,), optional
            Factor of the loss of each sample; only the proportions count.
        X_val, y_val : arrays, optional
            Validation samples for ``early_stopping``, instead of a fraction of X.
        callbacks : sequence of Callback
            Called after each epoch and about ten times a second. Losses are sums
            over the K values.

        Returns
        -------
        MLPRegressor
            The fitted estimator.
        """
        with self._unchanged_if_refused():
            samples, values = self._check(X, y, reset=True)
            if not self.warm_start or not hasattr(self, "network_"):
                self._begin(samples, values)
            self._check_goes_on(samples)
            targets = self._rows(values)
            weights = self._weights(samples, sample_weight)
            validation = self._check_validation(X_val, y_val, self._check)
            watches = self._checked_callbacks(callbacks)
            held = None if validation is None else (validation[0], self._rows(validation[1]))
        self._train(
            samples,
            targets,
            epochs=int(self.max_iter),
            weights=weights,
            validation=held,
            callbacks=watches,
        )
        return self

    @available_if(lambda self: self._check_solver())  # type: ignore[untyped-decorator]
    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> MLPRegressor:
        """Train one epoch on these samples, starting from the current weights."""
        self._check_partial()
        with self._unchanged_if_refused():
            samples, values = self._check(X, y, reset=not hasattr(self, "network_"))
            if not hasattr(self, "network_"):
                self._begin(samples, values)
            self._check_goes_on(samples)
            targets, weights = self._rows(values), self._weights(samples, sample_weight)
        self._train(samples, targets, epochs=1, weights=weights, partial=True)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the values, (N,), or (N, K) if there were K of them."""
        values = self._predict(X).logits
        return values[:, 0] if self._is_flat else values

    def _score_of(self, backend: Backend, samples: Images, targets: Targets) -> Score:
        def score(_record: Any) -> float:
            values = backend.logits(self.network_, samples)
            # Weights that overflow make no score, which is no reason to stop yet: they
            # may not be kept.
            return float(r2_score(targets, values)) if np.isfinite(values).all() else np.nan

        return score

    def _check(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[FloatArray, NDArray[Any]]:
        refuse_masked(X=X, y=y)
        samples, values = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=FLOATS,
            order="C",
            ensure_all_finite=not is_surely_finite(X),
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

    @property
    def _loss_scale(self) -> float:
        return 1 / self.n_outputs_

    def _rows(self, values: NDArray[Any]) -> FloatArray:
        rows = values.reshape(len(values), -1)
        if rows.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {rows.shape[1]} values a sample; expected {self.n_outputs_}, as before")
        return np.ascontiguousarray(rows, self.network_.dtype)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
