// Backpropagation: loss, backward pass and update of fastbp/reference/step.py, in its names, for float32 or
// float64. Arrays have a row for each sample; d... is the derivative of the loss by what follows.

/** Derivatives that a backward pass of up to `most` samples leaves behind. */
class Gradient {
  constructor(network, most) {
    const Floats = network.parameters.constructor;
    this.dSums = network.layers.map(({ fanOut }) => new Floats(most * fanOut)); // dZ of each layer
    this.block = new Floats(network.parameters.length); // dW and db, laid out like the parameters
    this.layers = layersOf(network.sizes, this.block);
  }
}

/** Mean over `count` samples of -log p[label], in nats, by log-sum-exp; fills `dLogits` with (p - y) / count. */
function crossEntropy(logits, labels, count, classes, dLogits) {
  let loss = 0;
  for (let sample = 0; sample < count; sample++) {
    const row = sample * classes;
    let highest = -Infinity;
    for (let k = 0; k < classes; k++) highest = Math.max(highest, logits[row + k]);
    let sum = 0;
    for (let k = 0; k < classes; k++) sum += Math.exp(logits[row + k] - highest);
    const logSum = Math.log(sum);
    for (let k = 0; k < classes; k++) {
      const p = Math.exp(logits[row + k] - highest - logSum);
      dLogits[row + k] = (p - (k === labels[sample] ? 1 : 0)) / count;
    }
    loss += logSum - (logits[row + labels[sample]] - highest);
  }
  return loss / count;
}

/** Carry the derivative of the logits, `gradient.dSums.at(-1)`, back to every parameter. */
function backward(network, pass, gradient, count, factors = null) {
  const { slope } = network.activation;
  gradient.block.fill(0);
  for (let number = network.layers.length - 1; number >= 0; number--) {
    const dSums = gradient.dSums[number];
    outerProducts(pass.inputs[number], dSums, gradient.layers[number], count);
    if (number === 0) return;
    const [dInputs, sums] = [gradient.dSums[number - 1], pass.sums[number - 1]];
    const factor = factors?.[number] ?? null;
    denseTransposed(dSums, network.layers[number], dInputs, count);
    const length = count * network.layers[number].fanIn;
    for (let i = 0; i < length; i++) dInputs[i] *= slope(sums[i]) * (factor === null ? 1 : factor[i]);
  }
}

/** dW = x^T dZ and db = sum of dZ, added to what is there. */
function outerProducts(x, dSums, { fanIn, fanOut, weights, biases }, count) {
  for (let sample = 0; sample < count; sample++) {
    const from = sample * fanOut;
    for (let i = 0; i < fanIn; i++) {
      const value = x[sample * fanIn + i];
      if (value === 0) continue;
      const row = i * fanOut;
      for (let unit = 0; unit < fanOut; unit++) weights[row + unit] += value * dSums[from + unit];
    }
    for (let unit = 0; unit < fanOut; unit++) biases[unit] += dSums[from + unit];
  }
}

/** dX = dZ W^T. */
function denseTransposed(dSums, { fanIn, fanOut, weights }, dInputs, count) {
  for (let sample = 0; sample < count; sample++) {
    const from = sample * fanOut;
    for (let i = 0; i < fanIn; i++) {
      const row = i * fanOut;
      let sum = 0;
      for (let unit = 0; unit < fanOut; unit++) sum += dSums[from + unit] * weights[row + unit];
      dInputs[sample * fanIn + i] = sum;
    }
  }
}

/** Plain SGD: w <- w - rate dw, of all parameters. */
function descend(parameters, derivatives, rate) {
  for (let i = 0; i < parameters.length; i++) parameters[i] -= rate * derivatives[i];
}
