"""A gradient checker: central differences in float64, every parameter, signed; and problems that suit it."""

import itertools

import numpy as np

STEP = 1e-6
MARGIN = 1e-4  # a hundred steps: no ReLU changes sides while a parameter moves by one


def check_gradients(loss, gradients, parameters, *, rtol=1e-6, atol=1e-8):
    """Raise AssertionError unless ``gradients`` are the derivatives of ``loss()`` by ``parameters``.

    Each element of each parameter is moved by +-STEP in place, and put back. The difference quotient is off
    by about 1e-12 (truncation) and 1e-10 (rounding of a loss of order 1), far below ``atol``.

    loss : function of nothing that reads ``parameters``
    gradients, parameters : float64 arrays, pairwise of one shape
    """
    assert len(gradients) == len(parameters) > 0
    for number, (gradient, parameter) in enumerate(zip(gradients, parameters, strict=True)):
        assert parameter.dtype == np.float64, "differences in float32 say nothing"
        assert gradient.shape == parameter.shape, f"array {number}: {gradient.shape} for {parameter.shape}"
        largest = 0.0
        for index in np.ndindex(parameter.shape):
            numeric = central_difference(loss, parameter, index)
            claimed = gradient[index]
            largest = max(largest, abs(numeric))
            # Written so that NaN fails.
            assert abs(claimed - numeric) <= atol + rtol * abs(numeric), (
                f"array {number} {index}: {claimed} claimed, {numeric} measured"
            )
        assert largest > 100 * atol, f"array {number}: all derivatives vanish, so nothing has been checked"


def central_difference(loss, parameter, index):
    kept = parameter[index]
    try:
        parameter[index] = kept + STEP
        above = loss()
        parameter[index] = kept - STEP
        below = loss()
    finally:
        parameter[index] = kept
    return (above - below) / (2 * STEP)


def gradients_by_step(step, parameters):
    """What an SGD step of rate 1, ``step()``, took away from ``parameters``, which are then put back."""
    before = [parameter.copy() for parameter in parameters]
    step()
    taken = [old - parameter for old, parameter in zip(before, parameters, strict=True)]
    for parameter, old in zip(parameters, before, strict=True):
        parameter[...] = old
    return taken


def problem(sizes, batch, seed=0):
    """Float64 weights, biases (none zero), a batch and labels on which differences and derivatives agree.

    Draws again until every hidden pre-activation is at least MARGIN from 0, where ReLU has no derivative, and
    until some sample reaches the output through every layer.
    """
    for attempt in itertools.count():
        rng = np.random.default_rng([seed, attempt])
        pairs = list(itertools.pairwise(sizes))
        weights = [rng.normal(size=pair) * np.sqrt(2 / pair[0]) for pair in pairs]
        biases = [rng.normal(size=pair[1]) * 0.5 for pair in pairs]
        x = rng.uniform(0.05, 1, size=(batch, sizes[0]))
        labels = rng.integers(0, sizes[-1], size=batch)
        hidden = preactivations(weights, biases, x)
        reached = np.all([(z > 0).any(axis=1) for z in hidden], axis=0).any() if hidden else True
        if reached and all(np.abs(z).min() > MARGIN for z in hidden):
            return weights, biases, x, labels
    raise AssertionError("unreachable")


def preactivations(weights, biases, x):
    """What goes into each ReLU."""
    found = []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        found.append(x @ weight + bias)
        x = np.maximum(found[-1], 0)
    return found
