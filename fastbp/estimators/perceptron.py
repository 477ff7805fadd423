"""What classifier and regressor share: parameters in scikit-learn's names, and a fit by
the trainer.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..backends.base import Backend, make_backend, predictor_of
from ..callbacks import Callback, EpochRecord, checked_callbacks
from ..data.mapped import watched
from ..errors import ConfigError
from ..network import FloatArray, Network, described
from ..recipe.initializers import initialize
from ..recipe.optimizers import Optimizer
from ..recipe.settings import Settings
from ..reference.activations import ACTIVATIONS
from ..reference.losses import Targets
from ..training.samples import Images, Samples
from ..training.trainer import Trainer, make_optimizer
from ..training.trouble import LEAST_UPDATES, Evidence, huge_values, nothing_learnt
from .convergence import ConvergedError, Convergence, Ending
from .options import settings_of
from .quasi_newton import Limits, minimize_loss
from .samples import dense, hold_back, refuse_masked
from .unfinished import SHOWN, RunningFit, UnfinishedFit

if TYPE_CHECKING:
    from ..backends.batches import Prediction

__all__ = ["FLOATS", "Perceptron"]

FLOATS = (np.float64, np.float32)
AUTO_BATCH = 200
Score = Callable[[EpochRecord], float]


class Perceptron(BaseEstimator, ABC):  # type: ignore[misc]
    """Multilayer perceptron behind scikit-learn's interface; see the classes that can
    be used.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "solver": [StrOptions({"adam", "sgd", "rmsprop", "lbfgs"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "init": [str],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "schedule": [str, None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Real, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_threads": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    }

    hidden_layer_sizes: Sequence[int] | int
    activation: str
    solver: str
    alpha: float
    init: str
    batch_size: int | Literal["auto"]
    learning_rate: str
    learning_rate_init: float
    power_t: float
    schedule: str | None
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: bool
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: int
    max_fun: int
    dropout: float
    n_threads: int | Literal["auto"]

    def __init__(self, **parameters: Any) -> None:
        """Keep the parameters as they are given, as scikit-learn wants it; ``fit``
        checks them.
        """
        for name, value in parameters.items():
            setattr(self, name, value)

    @property
    def coefs_(self) -> list[FloatArray]:
        """Weights of each layer, (D, H)."""
        return list(self.network_.weights)

    @property
    def intercepts_(self) -> list[FloatArray]:
        """Biases of each layer, (H,)."""
        return list(self.network_.biases)

    @property
    def _stratifies(self) -> bool:
        """Whether a validation split keeps the proportions of the classes."""
        return False

    @property
    def _loss_scale(self) -> float:
        """What the trainer's loss, a sum over outputs, is multiplied by."""
        return 1.0

    @abstractmethod
    def _score_of(self, backend: Backend, samples: Images, targets: Targets) -> Score:
        """Return what an epoch is judged by on these samples, with
        ``early_stopping``.
        """

    def _start(self, samples: FloatArray, outputs: int, output: str) -> None:
        """Make a network of these sizes, and forget what an earlier fit has shown."""
        try:
            sizes = samples.shape[1], *self._hidden(), outputs
            self.network_ = Network(sizes, dtype=samples.dtype, activation=self.activation, output=output)
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            initialize(self.network_, self.init, self._seed)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        self._optimizer: Optimizer | None = None
        self._unfinished: UnfinishedFit | None = None
        self._epochs = 0
        self.n_layers_, self.n_outputs_, self.out_activation_ = len(sizes), outputs, output
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_loss_: float | None = None if self.early_stopping else np.inf
        self.best_validation_score_: float | None = None
        self.t_ = 0

    @contextmanager
    def _unchanged_if_refused(self) -> Iterator[None]:
        """Leave the estimator as it was if its arguments turn out to be wrong half-way
        through checking them.

        Otherwise a refused ``fit`` would leave the number of features of the refused X
        beside the network of an earlier one.
        """
        before = dict(vars(self))
        try:
            yield
        except Exception:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _hidden(self) -> list[int]:
        sizes: list[int] = np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object)).ravel().tolist()
        return sizes

    def _weights(self, samples: FloatArray, sample_weight: ArrayLike | None) -> NDArray[np.float64] | None:
        """Return each sample's factor, None if all are 1."""
        if sample_weight is None:
            return None
        refuse_masked(sample_weight=sample_weight)
        weights = np.asarray(_check_sample_weight(sample_weight, samples, dtype=np.float64))
        if weights.min() < 0 or not weights.any():
            raise ValueError("sample_weight must be 0 or more, and not all 0")
        with np.errstate(over="ignore"):
            if not np.isfinite(weights.sum()):
                raise ValueError("sample_weight has an infinite sum; expected smaller weights")
        return weights

    def _train(
        self,
        samples: FloatArray,
        targets: Targets,
        *,
        epochs: int,
        weights: NDArray[np.float64] | None,
        validation: tuple[FloatArray, Targets] | None = None,
        callbacks: Sequence[Callback] = (),
        partial: bool = False,
    ) -> None:
        samples = samples.astype(self.network_.dtype, copy=False)
        part = self.validation_fraction if self.early_stopping else 0.0
        samples, targets, rows = hold_back(samples, targets, validation, part, self._seed, self._stratifies)
        mean, count = 1.0, len(rows[0])
        if weights is not None:
            # So that a weight of 2 is the sample twice: mean loss and penalty are by
            # the sum of weights.
            mean = float(weights.mean())
            weights = np.concatenate([weights / mean, np.ones(len(samples) - len(weights))])
        if self.solver == "lbfgs":
            self._minimize(samples[rows[0]], targets[rows[0]], weights, mean)
            return
        settings = settings_of(self, self._batch(count), epochs, mean)
        kept = Samples(
            images=samples,
            targets=targets,
            rows=rows[0],
            validation_rows=rows[1],
            weights=weights,
            shuffles=self.shuffle,
        )
        unfinished, self._unfinished = self._unfinished, None
        if partial or unfinished is None or not unfinished.goes_on_as(settings, kept, self.network_):
            unfinished = None
        if self._optimizer is None or not partial:
            self._optimizer = make_optimizer(self.network_, settings)
        converged, convergence = self._run(kept, settings, callbacks, unfinished, partial=partial)
        convergence.restore()
        self._note(convergence, count)
        self._warn_of_trouble(kept, settings)
        if not converged and not partial:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({epochs}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _run(
        self,
        samples: Samples,
        settings: Settings,
        callbacks: Sequence[Callback],
        unfinished: UnfinishedFit | None,
        *,
        partial: bool,
    ) -> tuple[bool, Convergence]:
        """Train by mini-batches, or go on with it; return whether that came to an end
        of its own, and what it has shown.
        """
        if unfinished is not None:
            self.__dict__.update(unfinished.shown)
        backend, held = make_backend("numba", settings.threads), samples.validation_rows
        convergence = Convergence(
            self.network_,
            settings.schedule,
            tol=self.tol,
            patience=float(self.n_iter_no_change) if self._ends_on_plateaus else math.inf,
            score=self._score_of(backend, samples.images[held], samples.targets[held]) if len(held) else None,
            scale=self._loss_scale,
            prints=bool(self.verbose),
        )
        trainer = Trainer(
            self.network_,
            samples,
            settings,
            backend,
            [convergence, *callbacks, Ending(convergence)],
            first_epoch=self._epochs,
            optimizer=self._optimizer,
        )
        running = RunningFit(
            trainer=trainer, convergence=convergence, shown={name: getattr(self, name) for name in SHOWN}
        )
        try:
            if unfinished is not None:
                convergence.go_on(unfinished.seen)
                trainer.resume(unfinished.state)
            self._running: RunningFit | None = running
            training = trainer.run()
        except ConvergedError:
            return True, convergence
        finally:
            self._running = None
            backend.close()
        if training.status == "interrupted" and not partial:
            self._unfinished = running.unfinished()
        if training.status == "diverged":
            convergence.diverged(training.message)
        elif training.status == "interrupted":
            warnings.warn("Training interrupted by user.", stacklevel=5)
        return training.stop is not None or training.status == "interrupted", convergence

    def _warn_of_trouble(self, samples: Samples, settings: Settings) -> None:
        """Warn of a classifier that is at chance, or has run away.

        Values to predict may be of any size, and so may what predicts them.
        """
        updates = self.n_iter_ * math.ceil(len(samples.rows) / settings.batch_size)
        if self.out_activation_ == "identity" or updates < LEAST_UPDATES:
            return
        evidence = Evidence(samples=samples, settings=settings, network=self.network_, updates=updates)
        for check in (huge_values, nothing_learnt):
            if (line := check(evidence)) is not None:
                warnings.warn(line, ConvergenceWarning, stacklevel=4)

    @property
    def _ends_on_plateaus(self) -> bool:
        """Whether a loss that stands still ends the fit; with an adaptive rate the rate
        falls instead.
        """
        return not (self.learning_rate == "adaptive" and self.solver == "sgd" and self.schedule is None)

    def _batch(self, count: int) -> int:
        if self.batch_size == "auto":
            return min(AUTO_BATCH, count)
        if self.batch_size > count:
            warnings.warn(
                f"batch_size is {self.batch_size}, more than the {count} samples: it is taken for {count}",
                stacklevel=4,
            )
        return min(int(self.batch_size), count)

    def _minimize(
        self, samples: FloatArray, targets: Targets, weights: NDArray[np.float64] | None, mean: float
    ) -> None:
        """Fit by L-BFGS, which sees all samples at once."""
        settings = settings_of(self, len(samples), self.max_iter, mean)
        found = minimize_loss(
            self.network_,
            samples,
            targets,
            None if weights is None else weights[: len(samples)],
            l2=settings.l2,
            smoothing=settings.label_smoothing,
            limits=Limits(self.max_iter, self.max_fun, self.tol),
        )
        self.loss_, self.n_iter_ = self._loss_scale * found.loss, found.iterations
        if not self.network_.is_finite():
            raise ValueError("Solver produced non-finite parameter weights: expected smaller values in X")
        if not found.converged:
            warnings.warn(
                f"lbfgs failed to converge: {found.message} Expected larger max_iter, max_fun, or scaled X.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _note(self, convergence: Convergence, count: int) -> None:
        """Keep what the fit has shown."""
        self.loss_curve_ = [*self.loss_curve_, *convergence.losses]
        self.n_iter_ = len(convergence.losses)
        self._epochs += self.n_iter_
        self.t_ += self.n_iter_ * count
        self._no_improvement_count = convergence.idle
        if convergence.losses:
            self.loss_ = self.loss_curve_[-1]
        if convergence.scores:
            self.validation_scores_ = [*(self.validation_scores_ or []), *convergence.scores]
            self.best_validation_score_ = max(convergence.best_score, self.best_validation_score_ or -np.inf)
        if self.best_loss_ is not None:
            self.best_loss_ = min(self.best_loss_, convergence.best_loss)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds; in the middle of a fit, what it needs to go
        on.
        """
        running: RunningFit | None = vars(self).get("_running")
        if running is None:
            state: dict[str, Any] = super().__getstate__()
            return state
        interrupted = type(self).__new__(type(self))
        interrupted.__dict__.update(vars(self), _running=None, _unfinished=running.unfinished())
        interrupted._note(running.convergence, len(running.trainer.samples.rows))
        return interrupted.__getstate__()

    def _check_validation(
        self, X: ArrayLike | None, y: ArrayLike | None, check: Callable[..., tuple[FloatArray, Any]]
    ) -> tuple[FloatArray, Any] | None:
        """Return validation samples and what ``check`` makes of them, None for none."""
        if X is None and y is None:
            return None
        if X is None or y is None or not self.early_stopping:
            raise ValueError("X_val needs y_val, and early_stopping=True")
        return check(X, y, reset=False)

    def _check_network(self, features: int) -> None:
        """Raise ValueError if ``network_`` was replaced by one for other inputs or
        outputs.
        """
        network = self.network_
        if (network.inputs, network.sizes[-1], network.output) != (
            features,
            self.n_outputs_,
            self.out_activation_,
        ):
            raise ValueError(
                f"X has {features} features, the estimator {self.n_outputs_} {self.out_activation_} "
                f"outputs, but network_ takes {network.inputs} features and has {network.sizes[-1]} "
                f"{network.output} outputs; expected the network that this estimator was fitted with"
            )

    def _check_goes_on(self, samples: FloatArray) -> None:
        """Raise ValueError if the parameters, or the data, ask for another network than
        there is.
        """
        network, hidden = self.network_, self._hidden()
        known = list(network.sizes[1:-1])
        if samples.shape[1] != network.inputs:
            raise ValueError(
                f"X has {samples.shape[1]} features, but the network to go on with takes {network.inputs}; "
                "expected as many, or warm_start=False"
            )
        self._check_network(samples.shape[1])
        if (hidden, self.activation) != (known, network.activation):
            raise ValueError(
                f"hidden_layer_sizes and activation are {hidden} and {self.activation!r}, but those of the "
                f"network to go on with {known} and {network.activation!r}; expected the same, or "
                "warm_start=False"
            )
        if self.solver == "lbfgs" and self.dropout:
            raise ValueError("dropout needs a solver by mini-batches, which lbfgs is not; expected dropout=0")

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit needs a solver by mini-batches, which lbfgs is not")
        return True

    @staticmethod
    def _checked_callbacks(callbacks: Sequence[Callback]) -> tuple[Callback, ...]:
        try:
            return checked_callbacks(callbacks)
        except ConfigError as error:
            raise ValueError(str(error)) from error

    def _check_partial(self) -> None:
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")

    def _predict(self, X: ArrayLike, *, answers: bool = False) -> Prediction:
        """Check samples, and return logits, and what they stand for if ``answers``."""
        if self._is_plain(X):
            found = self._forward(watched(np.asarray(X)), answers=answers, checks=True)
            if found.is_finite:
                return found
        check_is_fitted(self, "network_")
        refuse_masked(X=X)
        samples = validate_data(self, X, accept_sparse="csr", dtype=FLOATS, order="C", reset=False)
        return self._forward(dense(samples), answers=answers)

    def _is_plain(self, X: ArrayLike) -> bool:
        """Return whether X is an array that scikit-learn's checks would leave as it is,
        as far as its type and shape go. They take ten times as long as a prediction.
        """
        known = vars(self)
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and len(X) > 0
            and X.dtype in FLOATS
            and X.shape[1] == known.get("n_features_in_")
            and "network_" in known
            and "feature_names_in_" not in known
        )

    def _forward(self, rows: FloatArray, *, answers: bool, checks: bool = False) -> Prediction:
        self._check_network(rows.shape[1])
        network = self.network_
        return predictor_of(network).predict(
            rows.astype(network.dtype, copy=False),
            network.input_scale,
            self._threads(),
            answers=answers,
            checks=checks,
        )

    def _validate_params(self) -> None:
        for name, value in self.get_params(deep=False).items():
            if isinstance(value, int) and abs(value) >= 1 << 63:
                raise ValueError(f"{name} is a whole number of more than 64 bits; expected a smaller one")
        super()._validate_params()

    def _threads(self) -> int | Literal["auto"]:
        """Return the number of threads, which may have changed since `fit`."""
        threads: Any = self.n_threads
        is_number = isinstance(threads, int | np.integer) and not isinstance(threads, bool) and threads >= 1
        if not is_number and not (isinstance(threads, str) and threads == "auto"):
            raise ValueError(
                f"n_threads is {described(threads)}; expected 'auto' or a whole number from 1 on"
            )
        return "auto" if isinstance(threads, str) else int(threads)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
