"""A multilayer perceptron as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted, validate_data

from ..backends import make_backend
from ..callbacks import Callback, EpochRecord
from ..errors import ConfigError
from ..initializers import initialize
from ..network import FloatArray, Network
from ..settings import Settings
from ..trainer import Trainer
from .convergence import ConvergedError, Convergence

__all__ = ["MLPClassifier"]

FLOATS = (np.float64, np.float32)
AUTO_BATCH = 200


class MLPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Multilayer perceptron, trained by the compiled kernels.

    Parameters have scikit-learn's names and defaults where they mean the same.

    Parameters
    ----------
    hidden_layer_sizes : units of each hidden layer, each >= 1; none is a softmax regression
    init : how weights start, a name in `fastbp.initializers.SCHEMES`
    batch_size : samples of a mini-batch, >= 1; ``"auto"`` is min(200, samples)
    learning_rate_init : rate of the first update, > 0
    schedule : how the rate goes on, a name in `fastbp.schedules.SCHEDULES`
    max_iter : epochs, >= 1
    random_state : seed of weights, split and shuffles
    tol : by how much the loss (the score, with ``early_stopping``) must improve to count, >= 0
    n_iter_no_change : epochs without such an improvement that are borne, >= 1
    early_stopping : keep samples back, or take those given to ``fit``, and keep the weights that
        score best on them
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
    validation_scores_, best_validation_score_ : accuracies, with ``early_stopping``; else None
    n_iter_ : epochs that were trained
    n_layers_, n_outputs_, out_activation_, t_ : as scikit-learn's

    Notes
    -----
    float32 data are trained in float32, all others in float64. Sparse matrices are taken; their zeros cost
    nothing in the first layer, but they are made dense in memory.
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 (scikit-learn's protocol)
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "init": [str],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "schedule": [str],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 1, None, closed="left"),
        ],
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
        init: str = "he",
        batch_size: int | Literal["auto"] = "auto",
        learning_rate_init: float = 0.1,
        schedule: str = "constant",
        max_iter: int = 200,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        verbose: bool = False,
        n_threads: int | Literal["auto"] = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.init = init
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.max_iter = max_iter
        self.random_state = random_state
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
        X_val, y_val : samples for validation, with ``early_stopping``, in place of a part of X
        callbacks : `fastbp.Callback`, told about every epoch
        """
        samples, targets = self._check(X, y, reset=True)
        if not self.warm_start or not hasattr(self, "network_"):
            self._start(samples, unique_labels(targets))
        encoded = self._encode(targets)
        given = None if X_val is None else self._check_validation(X_val, y_val)
        self._train(samples, encoded, given, int(self.max_iter), callbacks)
        return self

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> MLPClassifier:
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
        self._train(samples, self._encode(targets), None, 1, ())
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
        return _dense(samples), np.asarray(targets)

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
            self.network_ = Network((samples.shape[1], *hidden, len(classes)), dtype=samples.dtype)
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            initialize(self.network_, self.init, self._seed)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_loss_: float | None = np.inf
        self.best_validation_score_: float | None = None
        self.n_iter_, self.t_ = 0, 0
        self.n_layers_, self.n_outputs_, self.out_activation_ = (
            len(self.network_.sizes),
            len(classes),
            "softmax",
        )

    def _train(
        self,
        samples: FloatArray,
        targets: NDArray[np.int64],
        given: tuple[FloatArray, NDArray[np.int64]] | None,
        epochs: int,
        callbacks: Sequence[Callback],
    ) -> None:
        if samples.shape[1] != self.network_.inputs:
            raise ValueError(f"X has {samples.shape[1]} features, the network {self.network_.inputs}")
        samples = samples.astype(self.network_.dtype, copy=False)
        samples, targets, rows = self._rows(samples, targets, given, partial=epochs == 1 and not callbacks)
        count = len(rows[0])
        size = min(AUTO_BATCH, count) if self.batch_size == "auto" else min(int(self.batch_size), count)
        by_score = len(rows[1]) > 0
        patience = float(self.n_iter_no_change)
        convergence = Convergence(self.network_, tol=self.tol, patience=patience, by_score=by_score)
        try:
            settings = Settings(
                hidden=self.network_.sizes[1:-1],
                batch_size=size,
                epochs=epochs,
                learning_rate=float(self.learning_rate_init),
                schedule=self.schedule,
                init=self.init,
                seed=self._seed,
                dtype=self.network_.dtype.name,
                threads=self.n_threads,
            )
        except ConfigError as error:
            raise ValueError(str(error)) from error
        watchers = [*callbacks, *([_Lines()] if self.verbose else []), convergence]
        backend = make_backend("numba", settings.threads)
        converged = False
        try:
            trainer = Trainer(
                self.network_,
                samples,
                targets,
                settings,
                backend,
                watchers,
                rows=rows,
                first_epoch=self.n_iter_,
            )
            training = trainer.run()
            if training.status == "diverged":
                raise ValueError(f"Solver produced non-finite parameter weights: {training.message}")
        except ConvergedError:
            converged = True
        finally:
            backend.close()
        convergence.restore()
        self._note(convergence, count)
        if not converged and epochs == self.max_iter and epochs > 1:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _rows(
        self,
        samples: FloatArray,
        targets: NDArray[np.int64],
        given: tuple[FloatArray, NDArray[np.int64]] | None,
        *,
        partial: bool,
    ) -> tuple[FloatArray, NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Put samples for validation beside the others; return which rows are which."""
        every = np.arange(len(samples), dtype=np.int64)
        if not self.early_stopping or partial:
            return samples, targets, (every, every[:0])
        if given is None:
            training, held = train_test_split(
                every, test_size=self.validation_fraction, random_state=self._seed, stratify=targets
            )
            return samples, targets, (np.sort(training), np.sort(held))
        both = np.concatenate([samples, given[0].astype(samples.dtype, copy=False)])
        held = np.arange(len(samples), len(both), dtype=np.int64)
        return both, np.concatenate([targets, given[1]]), (every, held)

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
            return backend.logits(self.network_, _dense(samples).astype(self.network_.dtype, copy=False))
        finally:
            backend.close()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Lines(Callback):
    """Prints a line an epoch, as scikit-learn does."""

    def on_epoch_end(self, record: EpochRecord) -> None:
        print(f"Iteration {record.epoch}, loss = {record.train_loss:.8f}")
        if record.validation_accuracy == record.validation_accuracy:
            print(f"Validation score: {record.validation_accuracy:f}")


def _dense(samples: Any) -> FloatArray:
    """Return C-contiguous rows in native byte order."""
    array: FloatArray = samples.toarray() if sparse.issparse(samples) else samples
    return np.ascontiguousarray(array)
