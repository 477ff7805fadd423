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

/** Mean over `count` samples of -log p[label], in nats, by log-sum-exp; fills `dLogits` with (p - y) / count.
 *  Where p is near 1 at the label, 1 - p and log p keep their digits: both come from the other classes. */
function crossEntropy(logits, labels, count, classes, dLogits) {
  let loss = 0;
  for (let sample = 0; sample < count; sample++) {
    const row = sample * classes;
    let highest = -Infinity;
    for (let k = 0; k < classes; k++) highest = Math.max(highest, logits[row + k]);
    const own = logits[row + labels[sample]] - highest;
    let others = 0;
    for (let k = 0; k < classes; k++) if (k !== labels[sample]) others += Math.exp(logits[row + k] - highest);
    const sum = others + Math.exp(own);
    const logSum = own === 0 ? Math.log1p(others) : Math.log(sum);
    for (let k = 0; k < classes; k++) dLogits[row + k] = Math.exp(logits[row + k] - highest - logSum) / count;
    dLogits[row + labels[sample]] = -others / sum / count;
    loss += logSum - own;
  }
  return loss / count;
}

/** Carry the derivative of the logits, `gradient.dSums.at(-1)`, back to every parameter. */
function backward(network, pass, gradient, count, factors = null) {
  const { slope } = network.activation;
  gradient.block.fill(0);
  for (let number = network.layers.length - 1; number >= 0; number--) {
    const dSums = gradient.dSums[number];
    outerProducts(pass.inputs[number], pass.nonzero[number], dSums, gradient.layers[number], count);
    if (number === 0) return;
    const [dInputs, sums] = [gradient.dSums[number - 1], pass.sums[number - 1]];
    const factor = factors?.[number] ?? null;
    denseTransposed(dSums, network.layers[number], dInputs, count);
    const length = count * network.layers[number].fanIn;
    for (let i = 0; i < length; i++) dInputs[i] *= slope(sums[i]) * (factor === null ? 1 : factor[i]);
  }
}

/** dW = x^T dZ and db = sum of dZ, added to what is there. Four samples at a time that share an input. */
function outerProducts(x, nonzero, dSums, { fanIn, fanOut, weights, biases }, count) {
  nonzero.transpose(count);
  const { ends, samples } = nonzero;
  let place = 0;
  for (let i = 0; i < fanIn; i++) {
    const end = ends[i];
    const row = i * fanOut;
    for (; place + 3 < end; place += 4) {
      const [s0, s1, s2, s3] = [samples[place], samples[place + 1], samples[place + 2], samples[place + 3]];
      const [x0, x1, x2, x3] = [x[s0 * fanIn + i], x[s1 * fanIn + i], x[s2 * fanIn + i], x[s3 * fanIn + i]];
      const [r0, r1, r2, r3] = [s0 * fanOut, s1 * fanOut, s2 * fanOut, s3 * fanOut];
      for (let unit = 0; unit < fanOut; unit++) {
        weights[row + unit] +=
          x0 * dSums[r0 + unit] + x1 * dSums[r1 + unit] + x2 * dSums[r2 + unit] + x3 * dSums[r3 + unit];
      }
    }
    for (; place < end; place++) {
      const value = x[samples[place] * fanIn + i];
      const from = samples[place] * fanOut;
      for (let unit = 0; unit < fanOut; unit++) weights[row + unit] += value * dSums[from + unit];
    }
  }
  for (let sample = 0; sample < count; sample++) {
    for (let unit = 0; unit < fanOut; unit++) biases[unit] += dSums[sample * fanOut + unit];
  }
}

/** dX = dZ W^T. Four inputs at a time, whose sums do not wait for each other. */
function denseTransposed(dSums, { fanIn, fanOut, weights }, dInputs, count) {
  for (let sample = 0; sample < count; sample++) {
    const from = sample * fanOut;
    const to = sample * fanIn;
    let i = 0;
    for (; i + 3 < fanIn; i += 4) {
      const r0 = i * fanOut;
      const [r1, r2, r3] = [r0 + fanOut, r0 + 2 * fanOut, r0 + 3 * fanOut];
      let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
      for (let unit = 0; unit < fanOut; unit++) {
        const d = dSums[from + unit];
        sum0 += d * weights[r0 + unit];
        sum1 += d * weights[r1 + unit];
        sum2 += d * weights[r2 + unit];
        sum3 += d * weights[r3 + unit];
      }
      dInputs[to + i] = sum0;
      dInputs[to + i + 1] = sum1;
      dInputs[to + i + 2] = sum2;
      dInputs[to + i + 3] = sum3;
    }
    for (; i < fanIn; i++) {
      let sum = 0;
      for (let unit = 0; unit < fanOut; unit++) sum += dSums[from + unit] * weights[i * fanOut + unit];
      dInputs[to + i] = sum;
    }
  }
}

/** Plain SGD after a backward pass, of what has a derivative: weights whose input was 0 in all samples do not
 *  move. */
function descendNonzero(network, pass, gradient, rate) {
  network.layers.forEach(({ fanIn, fanOut, weights, biases }, number) => {
    const { weights: dWeights, biases: dBiases } = gradient.layers[number];
    const { ends } = pass.nonzero[number];
    for (let i = 0, start = 0; i < fanIn; i++) {
      const isMoved = ends[i] > start;
      start = ends[i];
      const end = isMoved ? (i + 1) * fanOut : 0;
      for (let place = i * fanOut; place < end; place++) weights[place] -= rate * dWeights[place];
    }
    descend(biases, dBiases, rate);
  });
}

/** Plain SGD: w <- w - rate dw, of all parameters. */
function descend(parameters, derivatives, rate) {
  for (let i = 0; i < parameters.length; i++) parameters[i] -= rate * derivatives[i];
}
