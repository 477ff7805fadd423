"""A multilayer perceptron as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..backends import make_backend
from ..callbacks import Callback
from ..errors import ConfigError
from ..initializers import initialize
from ..network import FloatArray, Network
from ..optimizers import Optimizer
from ..reference_activations import ACTIVATIONS
from ..trainer import Trainer, make_optimizer
from .convergence import ConvergedError, Convergence, Lines
from .options import settings_of
from .samples import dense, hold_back

__all__ = ["MLPClassifier"]

FLOATS = (np.float64, np.float32)
AUTO_BATCH = 200


class MLPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Multilayer perceptron, trained by the compiled kernels.

    Parameters have scikit-learn's names and defaults where they mean the same.

    Parameters
    ----------
    hidden_layer_sizes : units of each hidden layer, each >= 1; none is a softmax regression
    activation : of hidden units: ``"relu"``, ``"tanh"``, ``"logistic"``, ``"identity"``, and the other
        names in `fastbp.reference_activations.ACTIVATIONS`
    solver : ``"adam"``, ``"sgd"`` or ``"rmsprop"``
    alpha : L2 penalty, >= 0; a mini-batch of B samples adds ``alpha / (2 B) sum(w**2)`` to its mean loss
    init : how weights start, a name in `fastbp.initializers.SCHEMES`
    batch_size : samples of a mini-batch, >= 1; ``"auto"`` is min(200, samples)
    learning_rate_init : rate of the first update, > 0
    schedule : how the rate goes on, as in `fastbp.schedules.learning_rates`; ``"plateau"`` is "adaptive"
    max_iter : epochs, >= 1
    random_state : seed of weights, split and shuffles
    momentum, nesterovs_momentum : of ``"sgd"``, 0 <= momentum < 1
    beta_1, beta_2, epsilon : of ``"adam"``
    dropout : part of the hidden units that each step leaves out, 0 <= dropout < 1
    label_smoothing : part of each label's probability that is spread over all classes, below 1
    class_weight : weights by class, ``"balanced"``, or None for 1
    tol : by how much the loss (the score, with ``early_stopping``) must improve to count, >= 0
    n_iter_no_change : epochs without such an improvement that are borne, >= 1; falls on plateaus restart it
    early_stopping : keep samples back, or take those given to ``fit``; keep the weights that are best on them
    validation_fraction : part of the samples that is kept back, stratified, 0 < part < 1
    warm_start : go on from the weights of the last fit
    verbose : print a line an epoch
    n_threads : of the kernels, or ``"auto"``; the weights have the same bits for any number

    Attributes
    ----------
    classes_ : (C,)
    coefs_, intercepts_ : views of the weights, (D, H) and (H,) for each layer
    network_ : `fastbp.Network`
    loss_, best_loss_, loss_curve_ : training loss in nats per sample: of the last epoch, the best, all
    validation_scores_, best_validation_score_ : accuracies, with ``early_stopping``
    n_iter_, n_layers_, n_outputs_, out_activation_, t_ : as scikit-learn's

    Notes
    -----
    float32 data are trained in float32, all others in float64. Sparse matrices are taken; their zeros cost
    nothing in the first layer, but they are made dense in memory.
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 (scikit-learn's protocol)
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"adam", "sgd", "rmsprop"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "init": [str],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "schedule": [str],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Real, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "n_threads": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (100,),
        *,
        activation: str = "relu",
        solver: str = "adam",
        alpha: float = 1e-4,
        init: str = "xavier-uniform",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float = 0.001,
        schedule: str = "constant",
        max_iter: int = 200,
        random_state: Any = None,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        verbose: bool = False,
        n_threads: int | Literal["auto"] = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.init = init
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.max_iter = max_iter
        self.random_state = random_state
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.verbose = verbose
        self.n_threads = n_threads

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
    ) -> MLPClassifier:
        """Train.

        Parameters
        ----------
        X : (N, D), dense or sparse
        y : (N,), labels of any kind
        sample_weight : (N,), factors of each sample's loss; only their proportions count
        X_val, y_val : samples for validation, with ``early_stopping``, in place of a part of X
        callbacks : `fastbp.Callback`, told about every epoch
        """
        samples, targets = self._check(X, y, reset=True)
        if not self.warm_start or not hasattr(self, "network_"):
            self._start(samples, unique_labels(targets))
        encoded = self._encode(targets)
        given = None if X_val is None else self._check_validation(X_val, y_val)
        weights = self._weights(samples, targets, sample_weight)
        self._train(samples, encoded, given, int(self.max_iter), callbacks, weights)
        return self

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> MLPClassifier:
        """Train one epoch on these samples, and go on from where the last call left the weights.

        Parameters
        ----------
        classes : all classes there will be; needed in the first call only
        """
        first = not hasattr(self, "network_")
        samples, targets = self._check(X, y, reset=first)
        if first:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self._start(samples, unique_labels(classes))
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        weights = self._weights(samples, targets, sample_weight)
        self._train(samples, self._encode(targets), None, 1, (), weights, partial=True)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the likeliest class of each sample, (N,)."""
        best = np.argmax(self._logits(X), axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return probabilities, (N, C), in the order of ``classes_``."""
        logits = self._logits(X)
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return logarithms of probabilities, (N, C), also of those that are 0 when rounded."""
        logits = self._logits(X)
        shifted = logits - logits.max(axis=1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))

    @property
    def coefs_(self) -> list[FloatArray]:
        """Weights of each layer, (D, H)."""
        return list(self.network_.weights)

    @property
    def intercepts_(self) -> list[FloatArray]:
        """Biases of each layer, (H,)."""
        return list(self.network_.biases)

    def _check(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[FloatArray, NDArray[Any]]:
        samples, targets = validate_data(
            self, X, y, accept_sparse="csr", dtype=FLOATS, order="C", reset=reset, y_numeric=False
        )
        check_classification_targets(targets)
        return dense(samples), np.asarray(targets)

    def _check_validation(self, X: ArrayLike, y: ArrayLike | None) -> tuple[FloatArray, NDArray[np.int64]]:
        if y is None or not self.early_stopping:
            raise ValueError("X_val needs y_val, and early_stopping=True")
        samples, targets = self._check(X, y, reset=False)
        return samples, self._encode(targets)

    def _encode(self, targets: NDArray[Any]) -> NDArray[np.int64]:
        unknown = np.setdiff1d(targets, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has labels {unknown.tolist()!r}, which are none of {self.classes_.tolist()!r}"
            )
        return np.searchsorted(self.classes_, targets).astype(np.int64)

    def _start(self, samples: FloatArray, classes: NDArray[Any]) -> None:
        """Make a network of these sizes."""
        if len(classes) < 2:
            raise ValueError(f"The number of classes has to be greater than one; got {len(classes)} class")
        self.classes_ = classes
        hidden = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object)).ravel().tolist()
        try:
            sizes = samples.shape[1], *hidden, len(classes)
            self.network_ = Network(sizes, dtype=samples.dtype, activation=self.activation)
            self._optimizer: Optimizer | None = None
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            initialize(self.network_, self.init, self._seed)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_loss_: float | None = np.inf
        self.best_validation_score_: float | None = None
        self.n_iter_, self.t_ = 0, 0
        self.n_layers_, self.n_outputs_ = len(self.network_.sizes), len(classes)
        self.out_activation_ = "softmax"

    def _weights(
        self, samples: FloatArray, targets: NDArray[Any], sample_weight: ArrayLike | None
    ) -> NDArray[np.float64] | None:
        """Return each sample's factor, None if all are 1."""
        if sample_weight is None and self.class_weight is None:
            return None
        weights = np.asarray(_check_sample_weight(sample_weight, samples, dtype=np.float64))
        if weights.min() < 0 or weights.sum() == 0:
            raise ValueError("sample_weight must be 0 or more, and not all 0")
        if self.class_weight is not None:
            weights = weights * compute_sample_weight(self.class_weight, targets)
        return weights

    def _train(
        self,
        samples: FloatArray,
        targets: NDArray[np.int64],
        given: tuple[FloatArray, NDArray[np.int64]] | None,
        epochs: int,
        callbacks: Sequence[Callback],
        weights: NDArray[np.float64] | None,
        *,
        partial: bool = False,
    ) -> None:
        if samples.shape[1] != self.network_.inputs:
            raise ValueError(f"X has {samples.shape[1]} features, the network {self.network_.inputs}")
        samples = samples.astype(self.network_.dtype, copy=False)
        part = self.validation_fraction if self.early_stopping and not partial else 0.0
        samples, targets, rows = hold_back(samples, targets, given, part, self._seed)
        mean = 1.0
        if weights is not None:
            # So that a weight of 2 is the sample twice: mean loss and penalty are by the sum of weights.
            mean = float(weights.mean())
            weights = np.concatenate([weights / mean, np.ones(len(samples) - len(weights))])
        count = len(rows[0])
        batch = min(AUTO_BATCH, count) if self.batch_size == "auto" else min(int(self.batch_size), count)
        settings = settings_of(self, batch, epochs, mean)
        if self._optimizer is None or not partial:
            self._optimizer = make_optimizer(self.network_, settings)
        convergence = Convergence(
            self.network_,
            settings.schedule,
            tol=self.tol,
            patience=float(self.n_iter_no_change),
            by_score=len(rows[1]) > 0,
        )
        backend = make_backend("numba", settings.threads)
        try:
            trainer = Trainer(
                self.network_,
                samples,
                targets,
                settings,
                backend,
                [*callbacks, *([Lines()] if self.verbose else []), convergence],
                sample_weights=weights,
                rows=rows,
                first_epoch=self.n_iter_,
                optimizer=self._optimizer,
            )
            training = trainer.run()
            if training.status == "diverged":
                raise ValueError(f"Solver produced non-finite parameter weights: {training.message}")
            converged = training.stop is not None
        except ConvergedError:
            converged = True
        finally:
            backend.close()
        convergence.restore()
        self._note(convergence, count)
        if not converged and not partial:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _note(self, convergence: Convergence, count: int) -> None:
        """Keep what the fit has shown."""
        self.loss_curve_ = [*self.loss_curve_, *convergence.losses]
        self.n_iter_ += len(convergence.losses)
        self.t_ += len(convergence.losses) * count
        self.loss_ = self.loss_curve_[-1]
        if self.early_stopping and convergence.scores:
            self.validation_scores_ = [*(self.validation_scores_ or []), *convergence.scores]
            self.best_validation_score_ = max(self.validation_scores_)
            self.best_loss_ = None
        elif self.best_loss_ is not None:
            self.best_loss_ = min(self.best_loss_, convergence.best_loss)

    def _logits(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self, "network_")
        samples = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, order="C", reset=False)
        backend = make_backend("numba", self.n_threads)
        try:
            rows = dense(samples).astype(self.network_.dtype, copy=False)
            return backend.logits(self.network_, rows)
        finally:
            backend.close()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
