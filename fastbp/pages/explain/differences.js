// The proof of a gradient: the slope of the loss by central differences, from forward passes only.

/** About the cube root of the rounding error: there, what the step leaves out and what rounding leaves over are
 *  both smallest. A power of two, so that w + h and w - h are exact. */
const STEP = 2 ** -17;

class Differences {
  constructor(example) {
    this.example = example;
    this.high = new Pass(example.network, example.count);
    this.low = new Pass(example.network, example.count);
    const { slope } = example.network.activation;
    this.hasKink = Math.abs(slope(1e-9) - slope(-1e-9)) > 1e-3;
  }

  /** Gradient and slope of a parameter: of the weight from input `row` to `unit`, or of the bias if row is null.
   *  Layers count from 0. */
  of(number, row, unit) {
    const { example } = this;
    const { network, gradient } = example;
    const at = ({ weights, biases, fanOut }) => (row === null ? [biases, unit] : [weights, row * fanOut + unit]);
    const [parameters, index] = at(network.layers[number]);
    const [derivatives] = at(gradient.layers[number]);
    const value = parameters[index];
    const h = this.stepFor(number, row, value);
    const after = this.losses(number, parameters, index, value + h, this.high);
    const before = this.losses(number, parameters, index, value - h, this.low);
    // Of each sample by itself: a large loss of another sample would hide the digits of a small one.
    const difference = after.reduce((sum, loss, i) => sum + (loss - before[i]), 0);
    const [slope, derivative] = [difference / (value + h - (value - h)) / example.count, derivatives[index]];
    return {
      number, row, unit, value, h, derivative, slope,
      digits: agreement(derivative, slope), kinks: this.kinks(number), losses: [mean(before), mean(after)],
    };
  }

  /** Smaller for large inputs, which carry a step on to the sums. */
  stepFor(number, row, value) {
    let largest = 1;
    if (row !== null) {
      const { fanIn } = this.example.network.layers[number];
      const inputs = this.example.pass.inputs[number];
      for (let i = row; i < this.example.count * fanIn; i += fanIn) largest = Math.max(largest, Math.abs(inputs[i]));
    }
    const size = Math.max(1, Math.abs(value)) / largest;
    return STEP * 2 ** Math.round(Math.log2(size));
  }

  /** Losses of all samples with another value of one parameter. Layers before its own stay as they are. */
  losses(number, parameters, index, value, pass) {
    const { example } = this;
    const { network, count, classes } = example;
    pass.inputs[number].set(example.pass.inputs[number]);
    const rest = { activation: network.activation, layers: network.layers.slice(number) };
    const kept = parameters[index];
    parameters[index] = value;
    const [inputs, sums, nonzero] = [pass.inputs, pass.sums, pass.nonzero].map((arrays) => arrays.slice(number));
    forward(rest, { inputs, sums, nonzero }, count);
    parameters[index] = kept;
    return example.labels.map((label, sample) => exactLoss(rowOf(pass.logits, sample, classes), label));
  }

  /** How many units have their kink, at a sum of 0, between the two passes. */
  kinks(number) {
    if (!this.hasKink) return 0;
    let count = 0;
    for (let layer = number; layer < this.example.hidden; layer++) {
      const [high, low] = [this.high.sums[layer], this.low.sums[layer]];
      for (let i = 0; i < high.length; i++) if (high[i] > 0 !== low[i] > 0) count++;
    }
    return count;
  }
}

/** -log p[label] with all of its digits, even where p is so near to 1 that 1 - p would lose them. */
function exactLoss(logits, label) {
  let highest = -Infinity;
  for (let k = 0; k < logits.length; k++) if (k !== label) highest = Math.max(highest, logits[k] - logits[label]);
  const shift = Math.max(0, highest);
  let sum = 0; // of exp(z_k - z_label - shift) for all other classes
  for (let k = 0; k < logits.length; k++) if (k !== label) sum += Math.exp(logits[k] - logits[label] - shift);
  return shift > 0 ? shift + Math.log(sum + Math.exp(-shift)) : Math.log1p(sum);
}

/** Decimal digits to which two numbers agree, 0 to 15; Infinity if both are 0. */
function agreement(a, b) {
  if (a === b) return a === 0 ? Infinity : 15;
  const share = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
  return Math.min(15, Math.max(0, Math.floor(-Math.log10(share))));
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
