"""A multilayer perceptron as a scikit-learn classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d, validate_data

from ..backends.base import Backend
from ..callbacks import Callback
from ..network import FloatArray
from ..reference.losses import OUTPUTS, Targets
from ..training.samples import Images
from .labels import class_numbers, with_classes
from .perceptron import FLOATS, Perceptron, Score
from .samples import dense, is_surely_finite, refuse_masked

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, Perceptron):  # type: ignore[misc]
    """Multilayer perceptron for classification, trained by the compiled kernels.

    Parameters have scikit-learn's names and defaults where they mean the same. Two
    classes have one logistic output, more classes softmax outputs. y may also have the
    shape (N, C) and hold 0 and 1: labels of which any number may apply.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer, each >= 1; empty for softmax regression.
    activation : str, default="relu"
        Activation function of the hidden layers: ``"relu"``, ``"tanh"``,
        ``"logistic"``, ``"identity"`` or another name in
        `fastbp.reference.activations.ACTIVATIONS`.
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
        Fraction of the samples that is held out, 0 < fraction < 1; the
        split is stratified.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        Decay rates of the moments and numerical constant of ``"adam"``.
    n_iter_no_change : int, default=10
        Patience: epochs in a row without such an improvement, >= 1.
    max_fun : int, default=15000
        Largest number of evaluations of the loss by ``"lbfgs"``.
    dropout : float, default=0.0
        Dropout rate of the hidden layers, 0 <= dropout < 1.
    label_smoothing : float, default=0.0
        Part of each label's probability that is spread over all classes, below 1.
    class_weight : mapping, "balanced" or None, default=None
        Class weights; ``"balanced"`` makes all classes count the same.
    n_threads : int or "auto", default="auto"
        Threads of the kernels; ``"auto"`` measures which number is fastest. The weights
        have the same bits for any number.

    Attributes
    ----------
    classes_ : array of shape (C,)
        The classes, in the order of the outputs.
    coefs_, intercepts_ : list of arrays
        Views of the weights, (D, H), and biases, (H,), of each layer.
    network_ : Network
        The trained network, a `fastbp.Network`.
    loss_, best_loss_, loss_curve_ : float, float, list of float
        Training loss in nats per sample, without the penalty: of the last
        epoch, the best, of each epoch.
    validation_scores_, best_validation_score_ : list of float, float
        Accuracies on the validation samples, with ``early_stopping``.
    n_iter_, n_layers_, n_outputs_, out_activation_, t_
        As in scikit-learn.

    Notes
    -----
    float32 data are trained in float32, all others in float64. Sparse matrices are
    converted to dense ones in memory; their zeros cost nothing in the first layer.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Perceptron._parameter_constraints,
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] | int = (100,),
        activation: str = "relu",
        *,
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
        label_smoothing: float = 0.0,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
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
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

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
        """Fit the network to samples and labels.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, D)
            Samples.
        y : array of shape (N,) or (N, C)
            Labels of any kind; or 1 for each label that applies, otherwise 0.
        sample_weight : array of shape (N,), optional
            Factor of the loss of each sample; only the proportions count.
        X_val, y_val : arrays, optional
            Validation samples for ``early_stopping``, instead of a fraction of X.
        callbacks : sequence of Callback
            Called after each epoch and about ten times a second.

        Returns
        -------
        MLPClassifier
            The fitted estimator.
        """
        with self._unchanged_if_refused():
            samples, labels = self._check(X, y, reset=True)
            if not self.warm_start or not hasattr(self, "network_"):
                self._start_with(samples, LabelBinarizer().fit(labels))
            elif set(found := unique_labels(labels)) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to "
                    f"fit. Previously got {self.classes_}, `y` has {found}"
                )
            self._check_goes_on(samples)
            targets = self._encode(labels)
            weights = self._weights_of(samples, labels, sample_weight)
            validation = self._check_validation(X_val, y_val, self._check)
            watches = self._checked_callbacks(callbacks)
            held = None if validation is None else (validation[0], self._encode(validation[1]))
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
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> MLPClassifier:
        """Train one epoch on these samples, starting from the current weights.

        Parameters
        ----------
        X : array or sparse matrix of shape (N, D)
            Samples.
        y : array of shape (N,) or (N, C)
            Labels.
        classes : array of shape (C,)
            All classes that will occur; needed in the first call only.
        sample_weight : array of shape (N,), optional
            Factor of the loss of each sample.

        Returns
        -------
        MLPClassifier
            The estimator.
        """
        self._check_partial()
        with self._unchanged_if_refused():
            samples, labels = self._check(X, y, reset=not hasattr(self, "network_"))
            if not hasattr(self, "network_"):
                self._start_with(samples, self._binarizer_of(labels, classes))
            elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
                raise ValueError(
                    f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                    f"{self.classes_!r}"
                )
            self._check_goes_on(samples)
            targets = self._encode(labels)
            weights = self._weights_of(samples, labels, sample_weight)
        self._train(samples, targets, epochs=1, weights=weights, partial=True)
        return self

    def predict(self, X: ArrayLike) -> Any:
        """Return the most probable class of each sample, (N,).

        Of several labels per sample, return 1 for those with a probability above one
        half, (N, C).
        """
        logits = self._predict(X).logits
        if self.out_activation_ == "softmax":
            return self.classes_[logits.argmax(axis=1)]
        return self._binarizer.inverse_transform((logits > 0).astype(np.int64))

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return probabilities, (N, C), in the order of ``classes_``."""
        found = self._predict(X, answers=True)
        if self._is_binary:
            return self._both(found.logits, OUTPUTS[self.out_activation_].answer)
        return found.answers.astype(found.logits.dtype, copy=False)

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return logarithms of probabilities, (N, C), finite where a probability rounds
        to 0.
        """
        logits = self._predict(X).logits
        if self.out_activation_ == "softmax":
            shifted = logits - logits.max(axis=1, keepdims=True)
            return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
        return self._both(logits, _log_logistic) if self._is_binary else _log_logistic(logits)

    @property
    def _stratifies(self) -> bool:
        return not self._binarizer.y_type_.startswith("multilabel")

    @property
    def _is_binary(self) -> bool:
        """Whether one output stands for two classes, or for the only one."""
        return self.out_activation_ == "logistic" and not self._binarizer.y_type_.startswith("multilabel")

    def _both(self, logits: FloatArray, of: Any) -> NDArray[Any]:
        """Return what ``of`` makes of the second class's logit, and of the first's,
        which is its negative.
        """
        if len(self.classes_) == 1:
            return np.asarray(of(np.full_like(logits, np.inf)))
        return np.concatenate([of(-logits), of(logits)], axis=1)

    def _score_of(self, backend: Backend, samples: Images, targets: Targets) -> Score:  # noqa: ARG002
        return lambda record: record.validation_accuracy

    def _check(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[FloatArray, Any]:
        refuse_masked(X=X, y=y)
        samples, labels = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=FLOATS,
            order="C",
            ensure_all_finite=not is_surely_finite(X),
            reset=reset,
            multi_output=True,
        )
        labels = with_classes(labels)
        check_classification_targets(labels)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = column_or_1d(labels, warn=True)
        return dense(samples), labels

    def _start_with(self, samples: FloatArray, binarizer: LabelBinarizer) -> None:
        self._binarizer, self.classes_ = binarizer, binarizer.classes_
        if binarizer.y_type_ == "multiclass":
            self._start(samples, len(self.classes_), "softmax")
        else:
            self._start(samples, 1 if binarizer.y_type_ == "binary" else len(self.classes_), "logistic")

    @staticmethod
    def _binarizer_of(labels: Any, classes: ArrayLike | None) -> LabelBinarizer:
        """Return what encodes labels of these classes, from the first labels seen."""
        if classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        is_multilabel = type_of_target(labels).startswith("multilabel")
        known = LabelBinarizer().fit(labels if is_multilabel else unique_labels(classes))
        if not np.array_equal(known.classes_, unique_labels(classes)):
            raise ValueError(f"y has {len(known.classes_)} labels; expected as many as classes")
        return known

    def _encode(self, labels: Any) -> Targets:
        """Return labels as the network has them: numbers of classes, or 0 and 1 for
        each output.
        """
        several = self._binarizer.y_type_.startswith("multilabel")
        if (labels.ndim == 2) != several:
            wanted = (
                f"(N, {self.n_outputs_}), 0 or 1 for each label" if several else "(N,), one class a sample"
            )
            raise ValueError(f"y has shape {np.shape(labels)}; expected {wanted}, as in the first call")
        found = unique_labels(labels)
        if len(np.setdiff1d(found, self.classes_)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {found}."
            )
        if self.out_activation_ == "softmax":
            return class_numbers(labels, self.classes_)
        rows: FloatArray = dense(self._binarizer.transform(labels)).astype(self.network_.dtype)
        return rows

    def _weights_of(
        self, samples: FloatArray, labels: Any, sample_weight: ArrayLike | None
    ) -> NDArray[np.float64] | None:
        """Return each sample's factor, its own and its class's, None if all are 1."""
        weights = self._weights(samples, sample_weight)
        if self.class_weight is None:
            return weights
        if isinstance(self.class_weight, list) and labels.ndim == 1:
            raise ValueError("class_weight is a list; expected a mapping of classes, 'balanced' or None")
        of_class: NDArray[np.float64] = compute_sample_weight(self.class_weight, labels)
        weights = of_class if weights is None else weights * of_class
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
            raise ValueError(
                "class_weight has negative or infinite weights, or leaves no sample a weight above 0"
            )
        return weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _log_logistic(logits: FloatArray) -> NDArray[Any]:
    return np.asarray(-np.logaddexp(0, -logits))
