"""An oracle for the step of training, independent of the package: loops over Python floats (float64).

Weights are (D, H) matrices, biases (H,) vectors, images (N, D): arrays or nested lists, never written to.
"""

import math


def forward(weights, biases, sample):
    """Inputs of each layer, and the logits, of one sample."""
    inputs = [list(sample)]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        outputs = []
        for unit in range(len(bias)):
            total = bias[unit]
            for k in range(len(weight)):
                total += inputs[-1][k] * weight[k][unit]
            outputs.append(total)
        if layer < len(weights) - 1:
            inputs.append([value if value > 0 else 0.0 for value in outputs])
    return inputs, outputs


def sample_loss(logits, label):
    """-log softmax(logits)[label]."""
    highest = max(logits)
    total = math.fsum(math.exp(value - highest) for value in logits)
    return math.log(total) + highest - logits[label]


def loss_and_gradients(weights, biases, batch, labels):
    """Mean loss, its derivatives by every weight and bias, and the number of correct predictions."""
    d_weights = [[[0.0] * len(row) for row in weight] for weight in weights]
    d_biases = [[0.0] * len(bias) for bias in biases]
    losses, correct = [], 0
    for sample, label in zip(batch, labels, strict=True):
        inputs, logits = forward(weights, biases, sample)
        losses.append(sample_loss(logits, label))
        correct += logits.index(max(logits)) == label
        highest = max(logits)
        total = math.fsum(math.exp(value - highest) for value in logits)
        delta = [math.exp(value - highest) / total for value in logits]
        delta[label] -= 1.0
        for layer in range(len(weights) - 1, -1, -1):
            below = []
            for k in range(len(inputs[layer])):
                for unit in range(len(delta)):
                    d_weights[layer][k][unit] += inputs[layer][k] * delta[unit] / len(labels)
                back = math.fsum(weights[layer][k][unit] * delta[unit] for unit in range(len(delta)))
                below.append(back if inputs[layer][k] > 0 else 0.0)
            for unit in range(len(delta)):
                d_biases[layer][unit] += delta[unit] / len(labels)
            delta = below
    return math.fsum(losses) / len(labels), d_weights, d_biases, correct


def train(weights, biases, images, labels, order, batch_size, rates, input_scale):
    """SGD over the batches of ``order``: new weights, new biases, loss and correct count of each batch."""
    weights = [[[float(value) for value in row] for row in weight] for weight in weights]
    biases = [[float(value) for value in bias] for bias in biases]
    losses, counts = [], []
    for step, rate in enumerate(rates):
        rows = [int(row) for row in order[step * batch_size : (step + 1) * batch_size]]
        batch = [[float(pixel) * input_scale for pixel in images[row]] for row in rows]
        chosen = [int(labels[row]) for row in rows]
        loss, d_weights, d_biases, correct = loss_and_gradients(weights, biases, batch, chosen)
        losses.append(loss)
        counts.append(correct)
        for weight, d_weight in zip(weights, d_weights, strict=True):
            for row, d_row in zip(weight, d_weight, strict=True):
                for unit in range(len(row)):
                    row[unit] -= float(rate) * d_row[unit]
        for bias, d_bias in zip(biases, d_biases, strict=True):
            for unit in range(len(bias)):
                bias[unit] -= float(rate) * d_bias[unit]
    return weights, biases, losses, counts
