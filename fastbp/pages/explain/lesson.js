// The lesson: a sentence for each step, for someone who never computed a gradient, and the step's figures.

/** Steps of a network: `target`, the card that is shown; `title`; `sentence` and `figures`, functions. */
function lessonOf(example) {
  const hasHidden = example.hidden > 0;
  return [
    PICTURE,
    ...(hasHidden ? [SUMS, OUTPUTS] : []),
    ...(example.hidden > 1 ? [NEXT_LAYER] : []),
    LOGITS, PROBABILITIES, LOSS, LOGITS_BACK, LAST_GRADIENT,
    ...(hasHidden ? [BACK, FIRST_GRADIENT] : []),
    UPDATE, LINE, PROOF, RANDOM,
  ];
}

const PICTURE = {
  target: () => "picture",
  title: "The picture",
  sentence: ({ example, shape }) => {
    const pixels = shape === null ? "" : ": one for each pixel, 0 for black and more for brighter ones";
    return `The network is given ${example.network.sizes[0]} numbers${pixels}.`;
  },
  figures: ({ example, viewed, classes, label }) => {
    const pixels = rowOf(example.pass.inputs[0], viewed, example.network.sizes[0]);
    return `${countOf(pixels, (pixel) => pixel !== 0)} of them are not 0. The label says ${classes[label]}.`;
  },
};

const SUMS = {
  target: () => "hidden-0",
  title: "Sums",
  sentence: () => "Each unit multiplies every input by a weight of its own and adds it all up, with a bias: "
    + "that is its sum, z.",
  figures: ({ example, viewed, chosen }) => {
    const { fanIn, fanOut } = example.network.layers[0];
    const z = example.pass.sums[0][viewed * fanOut + chosen[0]];
    return `${fanOut} units with ${fanIn} weights each. Unit ${chosen[0]}: z = ${figure(z)}.`;
  },
};

const OUTPUTS = {
  target: () => "hidden-0",
  title: "Activations",
  sentence: ({ example }) => example.activationName === "relu"
    ? "ReLU keeps a sum above 0 and replaces any other by 0: a unit is on or off for this picture."
    : `The function ${example.activationName} is applied to each sum: what comes out is the activation, a.`,
  figures: ({ example, viewed, chosen }) => {
    const { fanOut } = example.network.layers[0];
    const a = example.pass.inputs[1][viewed * fanOut + chosen[0]];
    const state = stateOf(example, rowOf(example.pass.sums[0], viewed, fanOut));
    return `${state} Unit ${chosen[0]}: a = ${figure(a)}.`;
  },
};

const NEXT_LAYER = {
  target: () => "hidden-1",
  title: "The next layer",
  sentence: () => "The next layer does the same, with the activations of the layer before as its inputs.",
  figures: ({ example, viewed }) => {
    const states = example.network.layers.slice(1, -1).map(({ fanOut }, i) => {
      const sums = rowOf(example.pass.sums[i + 1], viewed, fanOut);
      return `Layer ${i + 2}: ${stateOf(example, sums)}`;
    });
    return states.join(" ");
  },
};

const LOGITS = {
  target: () => "logits",
  title: "Logits",
  sentence: () => "The last layer has a unit for each class; its sum, a logit, says how much speaks for it.",
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
    const own = `but the label, ${classes[label]}, has ${percentage(p[label])}`;
    return `${classes[best]} has ${percentage(p[best])}, ${best === label ? "which is the label" : own}.`;
  },
};

const LOSS = {
  target: () => "loss",
  title: "The loss",
  sentence: () => "The loss is one number for how wrong the network is: minus the logarithm of the label's "
    + "probability. A probability near 1 gives a loss near 0, and one near 0 a large loss.",
  figures: ({ example, viewed }) => {
    const loss = `The loss is ${figure(example.loss)}`;
    if (example.count === 1) return `${loss}.`;
    const own = `of this one it is ${figure(example.losses[viewed])}`;
    return `${loss}, the mean of ${example.count} samples; ${own}.`;
  },
};

const LOGITS_BACK = {
  target: () => "d-logits",
  title: "Backward begins",
  sentence: () => "Now the question turns round: how fast would the loss change if a logit rose a little? "
    + "That is its dz, and it is p \u2212 y, where y is 1 for the label and 0 for the others: what it got, "
    + "less what it should have got.",
  figures: ({ example, viewed, classes, label }) => {
    const dz = rowOf(example.gradient.dSums.at(-1), viewed, classes.length)[label];
    const meaning = dz < 0 ? "Below 0: if this logit rises, the loss falls" : "Nothing is left to learn";
    return `For the label ${classes[label]}: dz = ${figure(dz)}. ${meaning}.`;
  },
};

const LAST_GRADIENT = {
  target: ({ example }) => `gradient-${example.hidden}`,
  title: "Gradient of the last layer",
  sentence: () => "A weight multiplies one input a and adds the product to one sum; so if the weight rises, "
    + "the sum rises a times as fast, and the loss changes a times dz as fast: that is its gradient, dW.",
  figures: ({ example, chosen, classes }) => {
    const { fanIn, fanOut, weights, biases } = example.gradient.layers[example.hidden];
    const unit = chosen[example.hidden];
    const column = columnOf(weights, unit, fanIn, fanOut);
    const largest = figure(column[furthest(column)]);
    const bias = `Its db, as a bias has 1 for a: ${figure(biases[unit])}`;
    return `Of class ${classes[unit]}, the largest dW is ${largest}. ${bias}.`;
  },
};

const BACK = {
  target: ({ example }) => `back-${example.hidden - 1}`,
  title: "Back through the weights",
  sentence: ({ example }) => {
    const slope = example.activationName === "relu"
      ? "Where its ReLU is off, nothing passes: a small change of its sum leaves its output at 0"
      : `All of it is multiplied by the slope of ${example.activationName} at its sum`;
    return "A hidden unit acts on every sum of the next layer. So the dz of all of these come back to it, "
      + `each times the weight in between. ${slope}.`;
  },
  figures: ({ example, viewed, chosen }) => {
    const layer = example.hidden - 1;
    const { fanOut } = example.network.layers[layer];
    const dz = rowOf(example.gradient.dSums[layer], viewed, fanOut);
    const zero = countOf(dz, (value) => value === 0);
    const unit = chosen[layer];
    return `dz is 0 for ${zero} of ${fanOut} units. Unit ${unit}: dz = ${figure(dz[unit])}.`;
  },
};

const FIRST_GRADIENT = {
  target: () => "gradient-0",
  title: "Gradient of the first layer",
  sentence: ({ example }) => {
    const one = "the picture itself, times the dz of the unit. For all units, that is an outer product";
    const many = "each picture times the dz that it left at the unit, added up over the mini-batch";
    return `The same rule gives dW of the first layer: ${example.count === 1 ? one : many}.`;
  },
  figures: ({ example, chosen }) => {
    const { fanIn, fanOut, weights } = example.gradient.layers[0];
    const column = columnOf(weights, chosen[0], fanIn, fanOut);
    const zero = countOf(weights, (value) => value === 0);
    return `The largest dW of unit ${chosen[0]} is ${figure(column[furthest(column)])}. `
      + `Of all dW of the layer, ${percentage(zero / weights.length)} are exactly 0.`;
  },
};

const UPDATE = {
  target: () => "update",
  title: "The update",
  sentence: () => "Every weight and bias takes a step against its gradient, all at once; the learning rate "
    + "says how far. Then forward again.",
  figures: ({ example, rate, update }) => `With a learning rate of ${figure(rate, 3)}, the loss goes from `
    + `${figure(example.loss)} to ${figure(update.after)}.`,
};

const LINE = {
  target: () => "line",
  title: "How far?",
  sentence: ({ update }) => {
    const small = "The gradient is the slope here, and a small step does what it promises. But the loss is "
      + "no straight line";
    if (!update.curve.isWhole) return `${small}.`;
    const { rise, high } = update.curve.course();
    const never = `Here it never ends above its start, up to a rate of ${plainPower(high)}.`;
    if (rise === null) return `${small}. ${never}`;
    return `${small}: with a rate of ${figure(10 ** rise, 2)}, the step goes too far, and the loss rises.`;
  },
  figures: ({ example, rate, update }) => {
    const promised = example.loss - rate * update.curve.values.squaredLength;
    const broken = promised < 0 ? ", though no loss is below 0" : "";
    const found = `With ${figure(rate, 3)}, the slope promises ${figure(promised)}${broken}; the loss is `
      + `${figure(update.after)}. `;
    if (!update.curve.isWhole || update.curve.course().rise !== null) return `${found}Move the slider.`;
    return example.count === 1 ? `${found}To see it rise, take a mini-batch: --sample 0-31.` : found;
  },
};

const PROOF = {
  target: () => "proof",
  title: "Is it right?",
  sentence: () => "Test it: make one weight a little larger, then a little smaller, run forward both times, "
    + "and the slope of the loss must be the gradient.",
  figures: ({ proof }) => verdictOf(proof.found),
};

const RANDOM = {
  target: () => "random",
  title: "A hundred times",
  sentence: () => "One pass backward gives all of these slopes; by differences, each weight alone costs two "
    + "passes forward.",
  figures: ({ example }) => {
    const count = example.network.parameters.length.toLocaleString("en");
    return `This network has ${count} weights and biases. Check a hundred, drawn at random.`;
  },
};
