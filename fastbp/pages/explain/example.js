// The step that the page explains: one mini-batch, computed by network.js and step.js in float64.

class Example {
  constructor(data) {
    const { sizes, activation } = data.network;
    this.activationName = activation;
    this.network = new Network(sizes, activation, parametersOf(data.network, Float64Array));
    this.labels = [...data.labels];
    this.count = data.labels.length;
    this.classes = this.network.classes;
    this.pass = new Pass(this.network, this.count);
    this.gradient = new Gradient(this.network, this.count);
    const images = numbersOf(data.images, data.imageType);
    for (let i = 0; i < images.length; i++) this.pass.inputs[0][i] = images[i] * data.scale;
    forward(this.network, this.pass, this.count);
    this.learn();
  }

  get hidden() {
    return this.network.layers.length - 1;
  }

  /** Loss and backward pass for the labels as they are now. */
  learn() {
    const { network, pass, gradient, count, classes } = this;
    this.loss = crossEntropy(pass.logits, this.labels, count, classes, gradient.dSums.at(-1));
    backward(network, pass, gradient, count);
    this.dOutputsFound = [];
    this.losses = this.labels.map((label, sample) =>
      crossEntropy(this.logits(sample), [label], 1, classes, new Float64Array(classes)));
  }

  relabel(sample, label) {
    this.labels[sample] = label;
    this.learn();
  }

  logits(sample) {
    return rowOf(this.pass.logits, sample, this.classes);
  }

  probabilities(sample) {
    return softmax(this.logits(sample));
  }

  /** Derivatives of the loss by the activations of a hidden layer, of all samples: dz W^T of the next. */
  dOutputs(number) {
    if (this.dOutputsFound[number] === undefined) {
      const layer = this.network.layers[number + 1];
      const found = new Float64Array(this.count * layer.fanIn);
      denseTransposed(this.gradient.dSums[number + 1], layer, found, this.count);
      this.dOutputsFound[number] = found;
    }
    return this.dOutputsFound[number];
  }

  /** The network after an update with a learning rate, and its forward pass on the same batch. */
  after(rate) {
    const { network, count } = this;
    if (this.moved === undefined) {
      const parameters = new Float64Array(network.parameters.length);
      this.moved = new Network(network.sizes, this.activationName, parameters);
      this.movedPass = new Pass(this.moved, count);
      this.movedPass.inputs[0].set(this.pass.inputs[0]);
      this.unused = new Float64Array(count * this.classes);
    }
    this.moved.parameters.set(network.parameters);
    descend(this.moved.parameters, this.gradient.block, rate);
    forward(this.moved, this.movedPass, count);
    const { logits } = this.movedPass;
    return { loss: crossEntropy(logits, this.labels, count, this.classes, this.unused), logits };
  }

  /** The squared length of the gradient: how fast the loss falls along it, at first. */
  squaredLength() {
    let sum = 0;
    const { block } = this.gradient;
    for (let i = 0; i < block.length; i++) sum += block[i] * block[i];
    return sum;
  }

  /** The largest difference from the numbers of the reference path, as a share of the largest of an array; of
   *  losses and derivatives, of 1 if that is more. The reference path takes p - 1 and log p as they stand, to
   *  a rounding error of numbers near 1: where the network is sure, its own arrays have few digits. */
  difference(reference, rate) {
    const { pass, gradient } = this;
    const doubles = (text) => numbersOf(text, "float64");
    const pairs = [
      ...pass.sums.map((z, number) => [z, doubles(reference.sums[number])]),
      ...pass.inputs.slice(1).map((a, number) => [a, doubles(reference.outputs[number])]),
      ...gradient.dSums.map((dz, number) => [dz, doubles(reference.dSums[number]), 1]),
      ...gradient.layers.map(({ biases }, number) => [biases, doubles(reference.dBiases[number]), 1]),
      [this.losses, doubles(reference.losses), 1],
      [this.labels.flatMap((_, i) => [...this.probabilities(i)]), doubles(reference.probabilities)],
      [[this.loss, this.after(rate).loss], doubles(reference.ends), 1],
    ];
    return Math.max(...pairs.map((pair) => distance(...pair)));
  }
}

/** Numbers that Python wrote as base64. */
function numbersOf(base64, type) {
  const bytes = bytesOf(base64);
  if (type === "uint8") return bytes;
  return type === "float32" ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
}

function rowOf(array, sample, width) {
  return array.subarray(sample * width, (sample + 1) * width);
}

/** Weights into one unit, or derivatives by them. */
function columnOf(matrix, unit, fanIn, fanOut) {
  return Float64Array.from({ length: fanIn }, (_, i) => matrix[i * fanOut + unit]);
}

/** Largest difference over the length of the shorter array: a share of the largest number, or of `least`. */
function distance(mine, theirs, least = 0) {
  let [largest, size] = [0, least];
  for (let i = 0; i < theirs.length; i++) {
    size = Math.max(size, Math.abs(theirs[i]));
    if (mine[i] !== theirs[i]) largest = Math.max(largest, Math.abs(mine[i] - theirs[i]));
  }
  return size === 0 ? largest : largest / size;
}
