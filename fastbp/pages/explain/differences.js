// The proof of a gradient: the slope of the loss by central differences, from forward passes only.

/** About the cube root of the rounding error: there, truncation and rounding together are smallest. A power
 *  of two, so that w + h and w - h lose little. */
const STEP = 2 ** -17;

class Differences {
  constructor(example) {
    this.example = example;
    this.high = new Pass(example.network, example.count);
    this.low = new Pass(example.network, example.count);
    this.unused = new Float64Array(example.classes);
    const { slope } = example.network.activation;
    this.hasKink = Math.abs(slope(1e-9) - slope(-1e-9)) > 1e-3;
  }

  /** Gradient and slope of a parameter of layer `number`, from 0: the weight from input `row` to `unit`, or
   *  the unit's bias if `row` is null. */
  of(number, row, unit) {
    const { example } = this;
    const { network, gradient } = example;
    const index = row === null ? unit : row * network.layers[number].fanOut + unit;
    const name = row === null ? "biases" : "weights";
    const [parameters, derivatives] = [network, gradient].map(({ layers }) => layers[number][name]);
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
    const { network, pass, labels } = this.example;
    const { fanIn } = network.layers[number];
    const inputs = row === null ? [] : labels.map((_, i) => Math.abs(pass.inputs[number][i * fanIn + row]));
    const size = Math.max(1, Math.abs(value)) / Math.max(1, ...inputs);
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
    const restOf = (arrays) => arrays.slice(number);
    const own = { inputs: restOf(pass.inputs), sums: restOf(pass.sums), nonzero: restOf(pass.nonzero) };
    forward(rest, own, count);
    parameters[index] = kept;
    return example.labels.map((label, sample) =>
      crossEntropy(rowOf(pass.logits, sample, classes), [label], 1, classes, this.unused));
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

/** Decimal digits to which two numbers agree, 0 to 15; Infinity if both are 0. */
function agreement(a, b) {
  if (a === b) return a === 0 ? Infinity : 15;
  const share = Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
  return Math.min(15, Math.max(0, Math.floor(-Math.log10(share))));
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
