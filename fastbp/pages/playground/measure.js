// What is measured of a network while it trains: validation, the digits that are wrong, and of a few digits,
// the probe, how signals and gradients look in every layer.

const [PART, PROBE, BINS, RECENT, MOST_WRONG] = [50, 100, 30, 1000, 40];

/** Loss and accuracy over about the last thousand samples: older ones fade. */
class Recent {
  constructor() {
    this.loss = this.right = this.weight = 0;
  }

  add({ count, loss, right }) {
    const share = Math.exp(-count / RECENT);
    this.loss = this.loss * share + loss * count;
    this.right = this.right * share + right;
    this.weight = this.weight * share + count;
  }

  get means() {
    if (this.weight === 0) return { loss: null, accuracy: null };
    return { loss: this.loss / this.weight, accuracy: this.right / this.weight };
  }
}

/** Goes through the validation digits, some at a time. */
class Validation {
  constructor(network, digits) {
    [this.network, this.digits] = [network, digits];
    [this.row, this.loss, this.right] = [digits.trainCount, 0, 0];
    this.pass = new Pass(network, PART);
    this.scratch = new Float32Array(PART * digits.classes);
    this.wrong = [];
  }

  get isDone() {
    return this.row === this.digits.count;
  }

  advance() {
    const { network, digits, pass } = this;
    const count = Math.min(PART, digits.count - this.row);
    const labels = digits.labels.subarray(this.row, this.row + count);
    fillInputs(pass, digits, this.row, count);
    forward(network, pass, count);
    this.loss += count * crossEntropy(pass.logits, labels, count, digits.classes, this.scratch);
    for (let sample = 0; sample < count; sample++) this.judge(sample, labels[sample]);
    this.row += count;
  }

  judge(sample, label) {
    const { classes } = this.digits;
    const predicted = highestOf(this.pass.logits, sample, classes);
    if (predicted === label) {
      this.right += 1;
      return;
    }
    const logits = this.pass.logits.subarray(sample * classes, (sample + 1) * classes);
    this.wrong.push({ row: this.row + sample, label, predicted, probability: softmax(logits)[predicted] });
  }

  get means() {
    const count = this.digits.count - this.digits.trainCount;
    return { loss: this.loss / count, accuracy: this.right / count };
  }

  /** Wrong digits, the surest first. */
  get surest() {
    return [...this.wrong].sort((a, b) => b.probability - a.probability).slice(0, MOST_WRONG);
  }
}

/** Images of consecutive rows as inputs of the first layer. */
function fillInputs(pass, digits, row, count) {
  const [scale, first] = [Math.fround(digits.scale), row * digits.pixels];
  const inputs = pass.inputs[0];
  for (let i = 0; i < count * digits.pixels; i++) inputs[i] = digits.images[first + i] * scale;
}

/** Signals and gradients of the first validation digits, without dropout and distortions. */
class Probe {
  constructor(network, digits) {
    [this.network, this.digits] = [network, digits];
    this.count = Math.min(PROBE, digits.count - digits.trainCount);
    this.labels = digits.labels.subarray(digits.trainCount, digits.trainCount + this.count);
    this.pass = new Pass(network, this.count);
    this.gradient = new Gradient(network, this.count);
  }

  /** Of each layer; the last one's activations are the logits. */
  layers() {
    const { network, pass, gradient, count } = this;
    fillInputs(pass, this.digits, this.digits.trainCount, count);
    forward(network, pass, count);
    crossEntropy(pass.logits, this.labels, count, network.classes, gradient.dSums.at(-1));
    backward(network, pass, gradient, count);
    return network.layers.map((layer, number) => this.layer(layer, number));
  }

  layer({ fanOut }, number) {
    const { network, pass, gradient, count } = this;
    const isLast = number + 1 === network.layers.length;
    const activations = isLast ? pass.logits : pass.inputs[number + 1];
    const { weights, biases } = gradient.layers[number];
    return {
      activations: histogramOf(activations),
      gradients: sizesOf(gradient.dSums[number], count),
      gradientNorm: Math.sqrt(sumOfSquares(weights) + sumOfSquares(biases)),
      ...(isLast ? { dead: 0, off: 0 } : zerosOf(activations, count, fanOut)),
    };
  }
}

/** Counts between two round numbers, which change seldom. */
function histogramOf(values) {
  let [least, most] = [0, 0];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  const bound = 2 ** Math.ceil(Math.log2(Math.max(-least, most) || 1));
  return countIn(values, least < 0 ? -bound : 0, bound);
}

/** Counts of log10 of the size of each derivative of one sample's loss; those of 0 have none. */
function sizesOf(derivatives, count) {
  const logs = [];
  for (const value of derivatives) if (value !== 0) logs.push(Math.log10(Math.abs(value) * count));
  return countIn(logs, -12, 3);
}

/** Counts of values between `low` and `high`; what lies beyond is counted at that end. */
function countIn(values, low, high) {
  const counts = new Array(BINS).fill(0);
  const factor = BINS / (high - low);
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    counts[Math.min(Math.max(Math.floor((value - low) * factor), 0), BINS - 1)] += 1;
  }
  return { low, high, counts };
}

/** Share of zeros, and of units that are 0 for every sample. */
function zerosOf(activations, count, units) {
  let [dead, off] = [0, 0];
  for (let unit = 0; unit < units; unit++) {
    let zeros = 0;
    for (let sample = 0; sample < count; sample++) if (activations[sample * units + unit] === 0) zeros += 1;
    off += zeros;
    if (zeros === count) dead += 1;
  }
  return { dead: dead / units, off: off / (units * count) };
}

function sumOfSquares(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return sum;
}

/** Weights that go into each of the first units: units x pixels. */
function weightImages(network, most) {
  const { fanIn, fanOut, weights } = network.layers[0];
  const units = Math.min(most, fanOut);
  const values = new Float32Array(units * fanIn);
  for (let i = 0; i < fanIn; i++) {
    for (let unit = 0; unit < units; unit++) values[unit * fanIn + i] = weights[i * fanOut + unit];
  }
  return { units, pixels: fanIn, values };
}
