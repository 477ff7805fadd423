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
    this.nonzero = network.layers.map(({ fanIn }) => new Nonzero(fanIn, most)); // which inputs are not 0
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
    const nonzero = pass.nonzero[number];
    nonzero.find(pass.inputs[number], count);
    dense(pass.inputs[number], nonzero, layer, sums, count);
    if (number + 1 === network.layers.length) return; // the last layer stays linear: its sums are the logits
    const outputs = pass.inputs[number + 1];
    const factor = factors?.[number + 1] ?? null;
    const length = count * layer.fanOut;
    if (factor === null) for (let i = 0; i < length; i++) outputs[i] = value(sums[i]);
    else for (let i = 0; i < length; i++) outputs[i] = value(sums[i]) * factor[i];
  });
}

/** Which inputs of each sample are not 0. Most pixels are, and many hidden units: products skip them. */
class Nonzero {
  constructor(inputs, most) {
    this.inputs = inputs;
    this.list = new Int32Array(most * inputs); // of sample s from s * inputs on, rising
    this.counts = new Int32Array(most);
    this.samples = new Int32Array(most * inputs); // the same, by inputs: of input i up to ends[i]
    this.ends = new Int32Array(inputs);
  }

  find(x, count) {
    const { inputs, list, counts } = this;
    for (let sample = 0; sample < count; sample++) {
      const start = sample * inputs;
      let place = start;
      for (let i = 0; i < inputs; i++) if (x[start + i] !== 0) list[place++] = i;
      counts[sample] = place - start;
    }
  }

  /** Sort what was found by inputs. */
  transpose(count) {
    const { inputs, list, counts, samples, ends } = this;
    ends.fill(0);
    for (let sample = 0; sample < count; sample++) {
      const [start, end] = [sample * inputs, sample * inputs + counts[sample]];
      for (let place = start; place < end; place++) ends[list[place]] += 1;
    }
    for (let i = 0, sum = 0; i < inputs; i++) {
      const found = ends[i];
      ends[i] = sum;
      sum += found;
    }
    for (let sample = 0; sample < count; sample++) {
      const [start, end] = [sample * inputs, sample * inputs + counts[sample]];
      for (let place = start; place < end; place++) samples[ends[list[place]]++] = sample;
    }
  }
}

/** sums = x W + b, for `count` rows of x. Four inputs at a time: sums are loaded and stored less often. */
function dense(x, { list, counts }, { fanIn, fanOut, weights, biases }, sums, count) {
  for (let sample = 0; sample < count; sample++) {
    const to = sample * fanOut;
    const start = sample * fanIn;
    const end = start + counts[sample];
    for (let unit = 0; unit < fanOut; unit++) sums[to + unit] = biases[unit];
    let place = start;
    for (; place + 3 < end; place += 4) {
      const [i0, i1, i2, i3] = [list[place], list[place + 1], list[place + 2], list[place + 3]];
      const [x0, x1, x2, x3] = [x[start + i0], x[start + i1], x[start + i2], x[start + i3]];
      const [r0, r1, r2, r3] = [i0 * fanOut, i1 * fanOut, i2 * fanOut, i3 * fanOut];
      for (let unit = 0; unit < fanOut; unit++) {
        sums[to + unit] +=
          x0 * weights[r0 + unit] +
          x1 * weights[r1 + unit] +
          x2 * weights[r2 + unit] +
          x3 * weights[r3 + unit];
      }
    }
    for (; place < end; place++) {
      const value = x[start + list[place]];
      const row = list[place] * fanOut;
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
