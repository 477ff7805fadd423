"""One step of training as sums over indices, written anew in float64: the oracle of `fastbp explain`."""

import math

import numpy as np

ERF, NORMAL = np.vectorize(math.erf), 1 / math.sqrt(2 * math.pi)


def logistic(z):
    return 1 / (1 + np.exp(-z))


def silu_slope(z):
    share = logistic(z)
    return share + z * share * (1 - share)


FORMULAS = {
    "relu": (lambda z: np.where(z > 0, z, 0.0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky-relu": (lambda z: np.where(z > 0, z, z / 100), lambda z: np.where(z > 0, 1.0, 0.01)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "logistic": (logistic, lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "gelu": (
        lambda z: z * (1 + ERF(z / math.sqrt(2))) / 2,
        lambda z: (1 + ERF(z / math.sqrt(2))) / 2 + z * NORMAL * np.exp(-z * z / 2),
    ),
    "silu": (lambda z: z * logistic(z), silu_slope),
    "identity": (lambda z: z, np.ones_like),
}


def forward(weights, biases, x, activation):
    """Inputs and sums of each layer."""
    value, _ = FORMULAS[activation]
    inputs, sums = [x], []
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        sums.append(np.einsum("si,ij->sj", inputs[-1], weight) + bias)
        if layer + 1 < len(weights):
            inputs.append(value(sums[-1]))
    return inputs, sums


def losses(logits, labels):
    """-log p[label] of each row, as log(1 + sum over the others of exp(z - z[label])), with all digits."""
    rows = zip(logits, labels, strict=True)
    return np.array([np.logaddexp(0, np.logaddexp.reduce(np.delete(z - z[k], k))) for z, k in rows])


def one_step(weights, biases, x, labels, activation, rate):
    """Every number of a step of plain SGD, by the names that the page has for them."""
    weights, biases = ([np.asarray(a, np.float64) for a in arrays] for arrays in (weights, biases))
    inputs, sums = forward(weights, biases, x, activation)
    count = len(labels)
    p = np.exp(sums[-1] - sums[-1].max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    d_logits = p.copy()
    for row, label in enumerate(labels):
        d_logits[row, label] = -math.fsum(np.delete(p[row], label))  # p - 1, with all digits
    d_z = [d_logits / count]
    slope = FORMULAS[activation][1]
    for layer in range(len(weights) - 2, -1, -1):
        d_z.insert(0, np.einsum("sj,ij->si", d_z[0], weights[layer + 1]) * slope(sums[layer]))
    d_weights = [np.einsum("si,sj->ij", a, d) for a, d in zip(inputs, d_z, strict=True)]
    d_biases = [np.einsum("sj->j", d) for d in d_z]
    moved = [
        [old - rate * new for old, new in zip(*pair, strict=True)]
        for pair in ((weights, d_weights), (biases, d_biases))
    ]
    after = losses(forward(*moved, x, activation)[1][-1], labels).mean()
    own = losses(sums[-1], labels)
    return {
        "inputs": inputs,
        "sums": sums,
        "p": p,
        "losses": own,
        "loss": own.mean(),
        "d_z": d_z,
        "d_weights": d_weights,
        "d_biases": d_biases,
        "after": after,
    }


def close(found, expected, bound=1e-12):
    """Check numbers to a share of the largest of their array."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(
        np.asarray(found).reshape(expected.shape),
        expected,
        rtol=0,
        atol=bound * max(np.abs(expected).max(), 1e-300),
    )
