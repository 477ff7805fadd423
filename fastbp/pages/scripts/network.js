// A multilayer perceptron and its forward pass, in float32 or float64: whatever its parameters are.
// ACTIVATIONS, functions by name, comes from fastbp/pages/document.py.

class Network {
  /** `sizes`: inputs, units of each hidden layer, classes. `activation`: a name. `parameters`: of each layer
   *  the weights, (fan-in, fan-out) by rows, followed by the biases. `scale` multiplies the pixels. */
  constructor(sizes, activation, parameters, scale = 1) {
    this.sizes = sizes;
    this.activation = ACTIVATIONS[activation];
    this.scale = scale;
    this.parameters = parameters;
    this.layers = layersOf(sizes, parameters);
  }

  get classes() {
    return this.sizes.at(-1);
  }

  /** Probabilities of the classes, for one image of bytes. */
  probabilities(image) {
    const pass = new Pass(this, 1);
    pass.inputs[0].set(image);
    for (let i = 0; i < image.length; i++) pass.inputs[0][i] *= this.scale;
    forward(this, pass, 1);
    return softmax(pass.logits);
  }
}

/** Number of weights and biases of a network. */
function countOf(sizes) {
  let count = 0;
  for (let layer = 0; layer + 1 < sizes.length; layer++) count += (sizes[layer] + 1) * sizes[layer + 1];
  return count;
}

/** Views of a block of parameters, or of one laid out like it: weights and biases of each layer. */
function layersOf(sizes, block) {
  const layers = [];
  let offset = 0;
  for (let layer = 0; layer + 1 < sizes.length; layer++) {
    const [fanIn, fanOut] = [sizes[layer], sizes[layer + 1]];
    const bias = offset + fanIn * fanOut;
    const weights = block.subarray(offset, bias);
    layers.push({ fanIn, fanOut, weights, biases: block.subarray(bias, bias + fanOut) });
    offset = bias + fanOut;
  }
  return layers;
}

/** What a forward pass of up to `most` samples leaves behind, by rows of samples. */
class Pass {
  constructor(network, most) {
    const Floats = network.parameters.constructor;
    this.inputs = network.layers.map(({ fanIn }) => new Floats(most * fanIn)); // a, of the layer before
    this.sums = network.layers.map(({ fanOut }) => new Floats(most * fanOut)); // z
  }

  get logits() {
    return this.sums.at(-1);
  }
}

/** Fill `pass` from its first inputs, of `count` samples. `factors`, for dropout: what the inputs of each layer
 *  are multiplied by, or null; those of the first layer are multiplied already. */
function forward(network, pass, count, factors = null) {
  const { value } = network.activation;
  network.layers.forEach((layer, number) => {
    const sums = pass.sums[number];
    dense(pass.inputs[number], layer, sums, count);
    if (number + 1 === network.layers.length) return; // the last layer stays linear: its sums are the logits
    const outputs = pass.inputs[number + 1];
    const factor = factors?.[number + 1] ?? null;
    const length = count * layer.fanOut;
    if (factor === null) for (let i = 0; i < length; i++) outputs[i] = value(sums[i]);
    else for (let i = 0; i < length; i++) outputs[i] = value(sums[i]) * factor[i];
  });
}

/** sums = x W + b, for `count` rows of x. */
function dense(x, { fanIn, fanOut, weights, biases }, sums, count) {
  for (let sample = 0; sample < count; sample++) {
    const to = sample * fanOut;
    for (let unit = 0; unit < fanOut; unit++) sums[to + unit] = biases[unit];
    for (let i = 0; i < fanIn; i++) {
      const value = x[sample * fanIn + i];
      if (value === 0) continue; // most pixels, and most hidden units
      const row = i * fanOut;
      for (let unit = 0; unit < fanOut; unit++) sums[to + unit] += value * weights[row + unit];
    }
  }
}

/** Probabilities by log-sum-exp: the highest logit moves to 0 first, so that nothing overflows. */
function softmax(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const logSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
  return logits.map((logit) => Math.exp(logit - highest - logSum));
}
