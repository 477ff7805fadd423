"""An oracle for training with options, independent of the package: float64, formulas as in the papers."""

import math

import numpy as np

SQRT2 = math.sqrt(2)


def elementwise(function):
    return np.vectorize(function, otypes=[np.float64])


def logistic(z):
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def gelu(z):
    return z * (1 + math.erf(z / SQRT2)) / 2


VALUES = {
    "relu": lambda z: max(z, 0.0),
    "leaky-relu": lambda z: z if z > 0 else 0.01 * z,
    "tanh": math.tanh,
    "logistic": logistic,
    "gelu": gelu,
    "silu": lambda z: z * logistic(z),
    "identity": lambda z: z,
}
SLOPES = {
    "relu": lambda z: 1.0 if z > 0 else 0.0,
    "leaky-relu": lambda z: 1.0 if z > 0 else 0.01,
    "tanh": lambda z: math.cosh(z) ** -2,
    "logistic": lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2,
    "gelu": lambda z: (1 + math.erf(z / SQRT2)) / 2 + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
    "silu": lambda z: logistic(z) + z * logistic(z) * (1 - logistic(z)),
    "identity": lambda _: 1.0,
}


class Run:
    """Ten steps, or any number, of float64 copies of some parameters.

    options : activation
    """

    def __init__(self, weights, biases, *, activation="relu"):
        self.weights = [np.array(weight, np.float64) for weight in weights]
        self.biases = [np.array(bias, np.float64) for bias in biases]
        self.value, self.slope = elementwise(VALUES[activation]), elementwise(SLOPES[activation])

    def forward(self, x):
        inputs, slopes = [x], []
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            z = inputs[-1] @ weight + bias
            inputs.append(self.value(z))
            slopes.append(self.slope(z))
        return inputs, slopes, inputs[-1] @ self.weights[-1] + self.biases[-1]

    def gradients(self, x, labels):
        """Loss, derivatives by weights and biases, right answers."""
        inputs, slopes, logits = self.forward(x)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        target = np.eye(logits.shape[1])[labels]
        loss = -(target * np.log(p)).sum() / len(labels)
        correct = int((logits.argmax(axis=1) == labels).sum())
        delta = (p - target) / len(labels)
        d_weights, d_biases = [], []
        for layer in range(len(self.weights) - 1, -1, -1):
            d_weights.insert(0, inputs[layer].T @ delta)
            d_biases.insert(0, delta.sum(axis=0))
            if layer:
                delta = (delta @ self.weights[layer].T) * slopes[layer - 1]
        return loss, d_weights, d_biases, correct

    def train(self, images, labels, order, batch_size, rates, input_scale):
        """Losses and right answers of each step; the parameters change in place."""
        losses, counts = [], []
        for step, rate in enumerate(rates):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x = images[rows].astype(np.float64) * input_scale
            loss, d_weights, d_biases, correct = self.gradients(x, labels[rows])
            losses.append(loss)
            counts.append(correct)
            for weight, derivative in zip(self.weights, d_weights, strict=True):
                weight -= rate * derivative
            for bias, derivative in zip(self.biases, d_biases, strict=True):
                bias -= rate * derivative
        return np.array(losses), counts
