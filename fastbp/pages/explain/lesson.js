// The lesson: one sentence for each step, for someone who has never computed a gradient, and the step's figures.

/** Steps of a network: `target`, the card that is shown; `title`; `sentence` and `figures`, functions. */
function lessonOf(example) {
  const hasHidden = example.hidden > 0;
  return [
    PICTURE,
    ...(hasHidden ? [SUMS, ACTIVATIONS_STEP] : []),
    ...(example.hidden > 1 ? [MORE_LAYERS] : []),
    LOGITS, PROBABILITIES, LOSS, BACK_AT_LOGITS, LAST_GRADIENT,
    ...(hasHidden ? [BACK, FIRST_GRADIENT] : []),
    UPDATE, LINE, PROOF, RANDOM,
  ];
}

const PICTURE = {
  target: () => "picture",
  title: "The picture",
  sentence: ({ example, shape }) => shape
    ? `The network is given ${example.network.sizes[0]} numbers: one for each pixel, 0 for black and more for brighter ones.`
    : `The network is given ${example.network.sizes[0]} numbers.`,
  figures: ({ example, viewed, classes, label }) => {
    const pixels = rowOf(example.pass.inputs[0], viewed, example.network.sizes[0]);
    const lit = pixels.reduce((count, pixel) => count + (pixel !== 0 ? 1 : 0), 0);
    return `${lit} of them are not 0. The label says ${classes[label]}.`;
  },
};

const SUMS = {
  target: () => "hidden-0",
  title: "Sums",
  sentence: () => "Each unit multiplies every pixel by a weight of its own and adds it all up, and a bias: that is its sum, z.",
  figures: ({ example, viewed, chosen }) => {
    const { fanIn, fanOut } = example.network.layers[0];
    const z = example.pass.sums[0][viewed * fanOut + chosen[0]];
    return `${fanOut} units with ${fanIn} weights each. Unit ${chosen[0]}: z = ${figure(z)}.`;
  },
};

const ACTIVATIONS_STEP = {
  target: () => "hidden-0",
  title: "Activations",
  sentence: ({ example }) => example.activationName === "relu"
    ? "ReLU keeps a sum above 0 and replaces any other by 0: a unit is on or off for this picture."
    : `The activation function ${example.activationName} bends each sum, so that layers together can do more than one could.`,
  figures: ({ example, viewed, chosen }) => {
    const { fanOut } = example.network.layers[0];
    const at = viewed * fanOut + chosen[0];
    const state = stateOf(example, rowOf(example.pass.sums[0], viewed, fanOut));
    return `${state} Unit ${chosen[0]}: a = ${figure(example.pass.inputs[1][at])}.`;
  },
};

const MORE_LAYERS = {
  target: () => "hidden-1",
  title: "The next layer",
  sentence: () => "The next layer does the same, with the activations of the layer before in place of the pixels.",
  figures: ({ example, viewed }) => example.network.layers.slice(1, -1).map(({ fanOut }, i) => {
    const state = stateOf(example, rowOf(example.pass.sums[i + 1], viewed, fanOut));
    return `Layer ${i + 2}: ${state}`;
  }).join(" "),
};

const LOGITS = {
  target: () => "logits",
  title: "Logits",
  sentence: () => "The last layer has one unit for each class; its sums, the logits, say how much speaks for each.",
  figures: ({ example, viewed, classes }) => {
    const logits = example.logits(viewed);
    const best = logits.indexOf(Math.max(...logits));
    return `The highest is that of ${classes[best]}: ${figure(logits[best])}.`;
  },
};

const PROBABILITIES = {
  target: () => "probabilities",
  title: "Softmax",
  sentence: () => "Softmax turns logits into probabilities: all above 0, and together 1.",
  figures: ({ example, viewed, classes, label }) => {
    const p = example.probabilities(viewed);
    const best = p.indexOf(Math.max(...p));
    const right = best === label ? "which is the label" : `but the label, ${classes[label]}, has ${percentage(p[label])}`;
    return `${classes[best]} has ${percentage(p[best])}, ${right}.`;
  },
};

const LOSS = {
  target: () => "loss",
  title: "The loss",
  sentence: () => "The loss is minus the logarithm of the label's probability: near 0 if the network was sure of the label, large if it was sure of another class.",
  figures: ({ example, viewed }) => example.count === 1
    ? `The loss is ${figure(example.loss)}.`
    : `The loss is ${figure(example.loss)}, the mean of ${example.count} samples; of this one it is ${figure(example.losses[viewed])}.`,
};

const BACK_AT_LOGITS = {
  target: () => "d-logits",
  title: "Backward begins",
  sentence: () => "Now the question turns round: how fast would the loss change with each logit? By p \u2212 y: the probability it got, less the one it should have had.",
  figures: ({ example, viewed, classes, label }) => {
    const dz = rowOf(example.gradient.dSums.at(-1), viewed, classes.length);
    return `For the label ${classes[label]}: dz = ${figure(dz[label])}. Below 0: the loss falls if this logit rises.`;
  },
};

const LAST_GRADIENT = {
  target: ({ example }) => `gradient-${example.hidden}`,
  title: "Gradient of the last layer",
  sentence: () => "A weight of the last layer multiplies one input a and adds the product to one logit; so its gradient is a times the dz of that logit.",
  figures: ({ example, chosen, classes }) => {
    const { fanIn, fanOut, weights, biases } = example.gradient.layers[example.hidden];
    const unit = chosen[example.hidden];
    const column = columnOf(weights, unit, fanIn, fanOut);
    return `Of class ${classes[unit]}, dW is largest in size at ${figure(column[furthest(column)])}, and db = ${figure(biases[unit])}.`;
  },
};

const BACK = {
  target: ({ example }) => `back-${example.hidden - 1}`,
  title: "Back through the weights",
  sentence: ({ example }) => {
    const slope = example.activationName === "relu"
      ? "where its ReLU is off, nothing passes"
      : `and then multiplied by the slope of ${example.activationName}`;
    return `A hidden unit acts on every logit, so the dz of all logits come back to it, each times the weight that it went through forward; ${slope}.`;
  },
  figures: ({ example, viewed, chosen }) => {
    const layer = example.hidden - 1;
    const { fanOut } = example.network.layers[layer];
    const dz = rowOf(example.gradient.dSums[layer], viewed, fanOut);
    const zero = dz.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);
    return `dz is 0 for ${zero} of ${fanOut} units. Unit ${chosen[layer]}: dz = ${figure(dz[chosen[layer]])}.`;
  },
};

const FIRST_GRADIENT = {
  target: () => "gradient-0",
  title: "Gradient of the first layer",
  sentence: ({ example }) => example.count === 1
    ? "The same rule gives dW of the first layer: the picture itself, times the dz of the unit. All units together are an outer product."
    : "The same rule gives dW of the first layer: each picture times the dz that it left at the unit, added up over the mini-batch.",
  figures: ({ example, chosen }) => {
    const { fanIn, fanOut, weights } = example.gradient.layers[0];
    const column = columnOf(weights, chosen[0], fanIn, fanOut);
    const zero = weights.reduce((count, value) => count + (value === 0 ? 1 : 0), 0);
    return `Unit ${chosen[0]}: dW is largest in size at ${figure(column[furthest(column)])}. `
      + `${percentage(zero / weights.length)} of the layer's dW are exactly 0.`;
  },
};

const UPDATE = {
  target: () => "update",
  title: "The update",
  sentence: () => "Every weight and bias takes a step against its gradient, all at once; the learning rate says how far. Then forward again.",
  figures: ({ example, rate }) => `With a learning rate of ${figure(rate, 3)}, the loss goes from ${figure(example.loss)} to `
    + `${figure(example.after(rate).loss)}.`,
};

const LINE = {
  target: () => "line",
  title: "How far?",
  sentence: () => "The gradient is right only for small steps: with a small rate the loss falls as promised, with a large one the step may go too far, and the loss rises.",
  figures: ({ example, rate }) => {
    const promised = example.loss - rate * example.squaredLength();
    return `With ${figure(rate, 3)}: promised ${figure(promised)}, found ${figure(example.after(rate).loss)}. `
      + "Move the slider of the update and see."
      + (example.count === 1 ? " One sample alone is learnt easily; for a mini-batch rates are too large sooner." : "");
  },
};

const PROOF = {
  target: () => "proof",
  title: "Is it right?",
  sentence: () => "Test it: make one weight a little larger, then a little smaller, run forward both times, and the slope of the loss must be the gradient.",
  figures: (explained) => verdictOf(explained.proof.found),
};

const RANDOM = {
  target: () => "random",
  title: "A hundred times",
  sentence: () => "Backpropagation gives all of these slopes in one pass backward; by differences, each weight costs two passes forward.",
  figures: ({ example }) => `This network has ${example.network.parameters.length.toLocaleString("en")} weights and biases. Check a hundred of them.`,
};
