// Trains one network, a mini-batch at a time: what fastbp/reference/general_step.py does with the options
// that the page offers, in float32.

class Trainer {
  constructor(digits, choices) {
    checkChoices(choices, digits);
    [this.digits, this.choices] = [digits, choices];
    this.network = networkOf(digits, choices);
    this.batchSize = Math.min(choices.batchSize, digits.trainCount);
    this.steps = Math.ceil(digits.trainCount / this.batchSize); // of an epoch
    this.updates = this.samples = 0; // so far
    this.ended = null; // or why there is no further step
    this.diverged = null;
    this.plateau = new PlateauRate(choices.schedule, choices.learningRate);
    this.pass = new Pass(this.network, this.batchSize);
    this.gradient = new Gradient(this.network, this.batchSize);
    this.velocity = choices.momentum > 0 ? new Float32Array(this.network.parameters.length) : null;
    this.levels = Float32Array.from({ length: 256 }, (_, level) => level * Math.fround(digits.scale));
    this.prepareDropout();
    this.prepareDistortion();
  }

  prepareDropout() {
    const { sizes } = this.network;
    this.threshold = dropThreshold(this.choices.dropout);
    this.factors = null;
    if (this.threshold === 0 || sizes.length === 2) return;
    this.factors = sizes.slice(0, -1).map((inputs, layer) =>
      layer === 0 ? null : new Float32Array(this.batchSize * inputs),
    );
  }

  prepareDistortion() {
    const preset = this.digits.augment[this.choices.augment] ?? null;
    this.distorter = preset && new Distorter(preset, this.digits.shape);
    this.distorted = preset && new Uint8Array(this.batchSize * this.digits.pixels);
  }

  /** Epochs that are complete. */
  get epochs() {
    return Math.floor(this.updates / this.steps);
  }

  /** Whether the last step ended an epoch. */
  get isEpochEnd() {
    return this.updates > 0 && this.updates % this.steps === 0;
  }

  /** Learning rate of the next update. */
  get learningRate() {
    const total = this.choices.epochs * this.steps;
    return this.plateau.rate * SCHEDULES[this.choices.schedule](Math.min(this.updates, total - 1), total);
  }

  /** Draw what an epoch needs: its order, and the keys of its distortions and of each layer's dropout. */
  beginEpoch(epoch) {
    const { seed } = this.choices;
    this.order = new Random(seed, STREAMS.shuffle, epoch).permutation(this.digits.trainCount);
    this.distortKey = new Random(seed, STREAMS.distort, epoch).key();
    const random = new Random(seed, STREAMS.dropout, epoch);
    this.dropKeys = this.network.layers.map(() => random.key());
  }

  /** Make one update, if training has not ended. Returns what it saw before: samples, loss, right ones. */
  step() {
    if (this.ended !== null) return null;
    const within = this.updates % this.steps;
    if (within === 0) this.beginEpoch(this.epochs);
    const first = within * this.batchSize;
    const rows = this.order.subarray(first, Math.min(first + this.batchSize, this.order.length));
    const { network, pass, gradient } = this;
    const count = rows.length;
    const labels = this.gather(rows);
    this.drop(rows);
    forward(network, pass, count, this.factors);
    const loss = crossEntropy(pass.logits, labels, count, network.classes, gradient.dSums.at(-1));
    if (!Number.isFinite(loss)) {
      this.diverge(loss);
      return null;
    }
    backward(network, pass, gradient, count, this.factors);
    this.update(this.learningRate);
    this.updates += 1;
    this.samples += count;
    if (this.updates === this.choices.epochs * this.steps) this.ended = "epochs";
    return { count, loss, right: rightOf(pass.logits, labels, count, network.classes) };
  }

  /** Put a batch into the first layer's inputs, distorted if asked to; return its labels. */
  gather(rows) {
    const { digits, levels, distorter } = this;
    const { pixels } = digits;
    const inputs = this.pass.inputs[0];
    const labels = new Uint8Array(rows.length);
    rows.forEach((row, sample) => {
      labels[sample] = digits.labels[row];
      const to = sample * pixels;
      let [from, image] = [row * pixels, digits.images];
      if (distorter !== null) {
        distorter.distort(digits.image(row), row, labels[sample], this.distortKey, this.distorted, to);
        [from, image] = [to, this.distorted];
      }
      for (let i = 0; i < pixels; i++) inputs[to + i] = levels[image[from + i]];
    });
    return labels;
  }

  drop(rows) {
    this.factors?.forEach((factors, layer) => {
      const inputs = this.network.sizes[layer];
      if (factors) fillFactors(factors, this.dropKeys[layer], rows, rows.length, inputs, this.threshold);
    });
  }

  /** m <- mu m + g, w <- w - rate m, where g of a weight, not of a bias, has l2 w added. */
  update(rate) {
    const { momentum, l2 } = this.choices;
    const { network, gradient, velocity } = this;
    if (l2 > 0) {
      network.layers.forEach(({ weights }, layer) => decay(weights, gradient.layers[layer].weights, l2));
    }
    if (velocity !== null) accumulate(velocity, gradient.block, momentum);
    if (velocity === null && l2 === 0) descendNonzero(network, this.pass, gradient, rate);
    else descend(network.parameters, velocity ?? gradient.block, rate);
  }

  /** Tell the validation loss after an epoch. */
  endEpoch(validationLoss) {
    if (this.plateau.observe(validationLoss) && this.ended === null) this.ended = "plateau";
  }

  diverge(loss) {
    const update = this.updates + 1;
    const what = Number.isNaN(loss) ? "not a number" : "infinite";
    this.diverged = { update, why: `the loss of update ${update} is ${what}; try a smaller learning rate` };
    this.ended = "diverged";
  }
}

/** A network with its initial weights, or those of the run that the page came with. */
function networkOf(digits, { hidden, activation, initialization, seed }) {
  const sizes = [digits.pixels, ...hidden, digits.classes];
  if (initialization === "start") {
    const parameters = parametersOf(digits.start, Float32Array);
    return new Network(sizes, activation, Float32Array.from(parameters), digits.scale);
  }
  const network = new Network(sizes, activation, new Float32Array(countOf(sizes)), digits.scale);
  initialize(network, initialization, seed);
  return network;
}

/** g <- g + l2 w */
function decay(weights, derivatives, l2) {
  for (let i = 0; i < weights.length; i++) derivatives[i] += l2 * weights[i];
}

/** m <- mu m + g */
function accumulate(velocity, derivatives, momentum) {
  for (let i = 0; i < velocity.length; i++) velocity[i] = momentum * velocity[i] + derivatives[i];
}

/** Class with the highest logit of a sample; of equal ones the first, as of NumPy's argmax. */
function highestOf(logits, sample, classes) {
  const row = sample * classes;
  let best = 0;
  for (let k = 1; k < classes; k++) if (logits[row + k] > logits[row + best]) best = k;
  return best;
}

function rightOf(logits, labels, count, classes) {
  let right = 0;
  for (let sample = 0; sample < count; sample++) {
    if (highestOf(logits, sample, classes) === labels[sample]) right += 1;
  }
  return right;
}
