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


WORD = 2**64 - 1


def splitmix(place):
    """The output of SplitMix64 at a place of its counter."""
    z = place & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def kept(key, sample, unit, p):
    """1 or 0: 16 bits of the hash of the hash of the sample, a quarter of it for each of four units."""
    state = splitmix(key + (sample + 1) * 0x9E3779B97F4A7C15)
    word = splitmix(state + (unit // 4 + 1) * 0x9E3779B97F4A7C15)
    return int((word >> (16 * (unit % 4))) % 65536 >= p * 65536)


class Run:
    """Ten steps, or any number, of float64 copies of some parameters.

    Parameters
    ----------
    rule : name and numbers of the update: ("momentum", 0.9)
    drop : probabilities of the inputs of each layer, multiples of 1 / 65536, and a key for each
    sample_weights : of all images
    output : of the last layer, with its loss
    batch_norm : normalise hidden units
    """

    def __init__(
        self,
        weights,
        biases,
        *,
        activation="relu",
        rule=("sgd",),
        l2=0.0,
        weight_decay=0.0,
        clip_value=math.inf,
        clip_norm=math.inf,
        max_norm=math.inf,
        average=0.0,
        smoothing=0.0,
        sample_weights=None,
        drop=None,
        output="softmax",
        batch_norm=False,
    ):
        self.batch_norm = batch_norm
        self.running = [(np.zeros(len(b)), np.ones(len(b))) for b in biases[:-1]]
        self.output = output
        self.smoothing, self.sample_weights, self.drop = smoothing, sample_weights, drop
        self.weights = [np.array(weight, np.float64) for weight in weights]
        self.biases = [np.array(bias, np.float64) for bias in biases]
        self.rule, *self.numbers = rule
        self.l2, self.weight_decay, self.average = l2, weight_decay, average
        self.clip_value, self.clip_norm, self.max_norm = clip_value, clip_norm, max_norm
        self.first = [np.zeros_like(p) for p in self.parameters]
        self.second = [np.zeros_like(p) for p in self.parameters]
        self.mean = [p.copy() for p in self.parameters]
        self.t = 0
        self.value, self.slope = elementwise(VALUES[activation]), elementwise(SLOPES[activation])

    @property
    def parameters(self):
        return [*self.weights, *self.biases]

    def factors(self, layer, rows, units):
        """What dropout multiplies the inputs of a layer by."""
        if self.drop is None or rows is None:
            return 1.0
        p, key = self.drop[0][layer], self.drop[1][layer]
        return np.array([[kept(key, row, unit, p) / (1 - p) for unit in range(units)] for row in rows])

    def forward(self, x, rows=None):
        inputs, slopes = [x * self.factors(0, rows, x.shape[1])], []
        for layer, (weight, bias) in enumerate(zip(self.weights[:-1], self.biases[:-1], strict=True)):
            z = inputs[-1] @ weight
            if self.batch_norm and rows is not None:
                z = self.normalize(layer, z)
            z = z + bias
            factors = self.factors(layer + 1, rows, len(bias))
            inputs.append(self.value(z) * factors)
            slopes.append(self.slope(z) * factors)
        return inputs, slopes, inputs[-1] @ self.weights[-1] + self.biases[-1]

    def normalize(self, layer, z):
        """z^ of each unit, its derivatives by all samples' z, and what is remembered of mean and variance."""
        n = len(z)
        mean, variance = z.mean(axis=0), z.var(axis=0)
        deviation = np.sqrt(variance + 1e-5)
        values = (z - mean) / deviation
        self.jacobians.append(
            [(np.eye(n) - 1 / n - np.outer(v, v) / n) / s for v, s in zip(values.T, deviation, strict=True)]
        )
        if n > 1:
            gain, (m, v) = max(0.1, 1 / (self.t + 1)), self.running[layer]
            self.running[layer] = (1 - gain) * m + gain * mean, (1 - gain) * v + gain * z.var(axis=0, ddof=1)
        return values

    def gradients(self, x, labels, rows):
        """Loss, derivatives by weights and biases, right answers."""
        self.jacobians = []
        inputs, slopes, logits = self.forward(x, [int(row) for row in rows])
        w = np.ones(len(labels)) if self.sample_weights is None else self.sample_weights[rows]
        losses, delta, correct = getattr(self, self.output)(logits, labels)
        loss, delta = (w * losses).sum() / len(labels), w[:, None] * delta / len(labels)
        d_weights, d_biases = [], []
        for layer in range(len(self.weights) - 1, -1, -1):
            d_biases.insert(0, delta.sum(axis=0))
            if self.batch_norm and layer < len(self.weights) - 1:
                delta = np.einsum("iu,uij->ju", delta, self.jacobians[layer])
            d_weights.insert(0, inputs[layer].T @ delta)
            if layer:
                delta = (delta @ self.weights[layer].T) * slopes[layer - 1]
        return loss, d_weights, d_biases, correct

    def softmax(self, logits, labels):
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        classes = logits.shape[1]
        target = (1 - self.smoothing) * np.eye(classes)[labels] + self.smoothing / classes
        correct = int((logits.argmax(axis=1) == labels).sum())
        return -(target * np.log(p)).sum(axis=1), p - target, correct

    def logistic(self, logits, targets):
        p = elementwise(logistic)(logits)
        target = (1 - self.smoothing) * targets + self.smoothing / 2
        correct = sum(all((p[n] > 0.5) == (targets[n] > 0.5)) for n in range(len(p)))
        return -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum(axis=1), p - target, correct

    def identity(self, values, targets):
        return ((values - targets) ** 2).sum(axis=1) / 2, values - targets, 0

    def train(self, images, labels, order, batch_size, rates, input_scale):
        """Losses and right answers of each step; the parameters change in place."""
        losses, counts = [], []
        for step, rate in enumerate(rates):
            rows = order[step * batch_size : (step + 1) * batch_size]
            x = images[rows].astype(np.float64) * input_scale
            loss, d_weights, d_biases, correct = self.gradients(x, labels[rows], rows)
            losses.append(loss)
            counts.append(correct)
            self.update([*d_weights, *d_biases], rate)
        return np.array(losses), counts

    def update(self, gradients, rate):
        self.t += 1
        norm = math.sqrt(sum((g**2).sum() for g in gradients))
        if norm > self.clip_norm:
            gradients = [g * self.clip_norm / norm for g in gradients]
        for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
            g = np.maximum(np.minimum(g, self.clip_value), -self.clip_value)
            is_weight = p.ndim == 2
            start = p.copy()
            if is_weight:
                g = g + self.l2 * p
            p -= rate * self.direction(g, m, v)
            if is_weight:
                p -= rate * self.weight_decay * start
                for unit in range(p.shape[1]):
                    length = math.sqrt((p[:, unit] ** 2).sum())
                    if length > self.max_norm:
                        p[:, unit] *= self.max_norm / length
        decay = min(self.average, (1 + self.t) / (10 + self.t))
        self.mean = [decay * a + (1 - decay) * p for a, p in zip(self.mean, self.parameters, strict=True)]

    def direction(self, g, m, v):
        """What the rate is multiplied with; the state changes in place."""
        if self.rule == "sgd":
            return g
        if self.rule in ("momentum", "nesterov"):
            (mu,) = self.numbers
            m[...] = mu * m + g
            return m if self.rule == "momentum" else g + mu * m
        if self.rule == "rmsprop":
            rho, epsilon = self.numbers
            v[...] = rho * v + (1 - rho) * g**2
            return g / (np.sqrt(v) + epsilon)
        beta1, beta2, epsilon = self.numbers
        m[...] = beta1 * m + (1 - beta1) * g
        v[...] = beta2 * v + (1 - beta2) * g**2
        return m / (1 - beta1**self.t) / (np.sqrt(v / (1 - beta2**self.t)) + epsilon)
