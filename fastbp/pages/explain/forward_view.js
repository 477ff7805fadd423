// Forward, a card for each block: the picture, each hidden layer, logits, probabilities, loss.

class ForwardView {
  constructor(parent, explained) {
    this.explained = explained;
    this.addPicture(parent);
    const { layers } = explained.example.network;
    this.hidden = layers.slice(0, -1).map((_, layer) => new HiddenCard(parent, explained, layer));
    const last = columnIn(parent);
    this.addLogits(last);
    this.addProbabilities(last);
    this.addLoss(last);
  }

  addPicture(parent) {
    const { example, shape } = this.explained;
    const pixels = example.network.sizes[0];
    const block = card(parent, "picture", shape ? "The picture" : "The sample");
    const what = mathml("mtext", shape ? "pixels" : "inputs");
    formula(block, shaped(of("a", 0), example.count, pixels), sign("="), what);
    this.picture = new Cells(block, {
      name: "The picture",
      nameOf: (index) => capital(inputName(index, 0, shape)),
      side: 8,
      isInk: shape !== null,
    });
    block.append(element("p", "about", shape
      ? `${shape[0]} \u00d7 ${shape[1]} = ${pixels} pixels, row by row. Each is one input of the network.`
      : `${pixels} inputs.`));
  }

  addLogits(parent) {
    const { example, classes } = this.explained;
    const last = example.hidden;
    const block = card(parent, "logits", `Output layer: ${classes.length} logits`);
    sumFormula(block, last + 1, example.network.layers[last], example.count);
    this.logits = new Bars(block, { name: "Logits", classes, isSigned: true });
    this.unit = new UnitWeights(block, this.explained, last);
  }

  addProbabilities(parent) {
    const { example, classes } = this.explained;
    const block = card(parent, "probabilities", "Softmax: probabilities");
    softmaxFormula(block, classes.length, example.count);
    this.probabilities = new Bars(block, { name: "Probabilities", classes });
  }

  addLoss(parent) {
    const block = card(parent, "loss", "The loss");
    lossFormula(block, this.explained.example.count);
    this.loss = element("p", "large");
    this.lossWords = element("p", "about");
    block.append(this.loss, this.lossWords);
  }

  show() {
    const { example, viewed, shape, label } = this.explained;
    const pixels = rowOf(example.pass.inputs[0], viewed, example.network.sizes[0]);
    this.picture.show({ values: pixels, ...gridOf(pixels.length, shape) });
    for (const block of this.hidden) block.show();
    this.logits.show(example.logits(viewed), label);
    this.unit.show();
    const probabilities = example.probabilities(viewed);
    this.probabilities.show(probabilities, label);
    this.loss.textContent = figure(example.loss, 6);
    this.loss.dataset.value = example.loss;
    const own = `\u2212log ${figure(probabilities[label], 6)} = ${figure(example.losses[viewed], 6)}`;
    this.lossWords.textContent = example.count === 1
      ? `${own} nats, for the label ${this.explained.classes[label]}.`
      : `This sample: ${own}. The large number is the mean of the ${example.count} samples.`;
  }
}

/** A hidden layer: its sums, what its units put out, and the weights of one unit. */
class HiddenCard {
  constructor(parent, explained, layer) {
    Object.assign(this, { explained, layer });
    const { example } = explained;
    const { fanOut } = example.network.layers[layer];
    const block = card(parent, `hidden-${layer}`, `Hidden layer ${layer + 1}: ${fanOut} units`);
    const options = { nameOf: (unit) => `Unit ${unit}`, choose: (unit) => explained.chooseUnit(layer, unit) };
    sumFormula(block, layer + 1, example.network.layers[layer], example.count);
    this.sums = new Cells(block, { ...options, name: `z, sums of hidden layer ${layer + 1}` });
    activationFormula(block, layer + 1, example.activationName);
    this.outputs = new Cells(block, { ...options, name: `a, activations of hidden layer ${layer + 1}` });
    this.words = element("p", "about");
    block.append(this.words);
    this.unit = new UnitWeights(block, explained, layer);
  }

  show() {
    const { example, viewed, chosen } = this.explained;
    const { fanOut } = example.network.layers[this.layer];
    const sums = rowOf(example.pass.sums[this.layer], viewed, fanOut);
    const outputs = rowOf(example.pass.inputs[this.layer + 1], viewed, fanOut);
    const grid = { ...gridOf(fanOut), chosen: chosen[this.layer] };
    this.sums.show({ values: sums, ...grid });
    this.outputs.show({ values: outputs, ...grid, off: offOf(example, sums) });
    this.words.textContent = stateOf(example, sums);
    this.unit.show();
  }
}

/** Which units are off, as a function of their number; null where the activation function has no "off". */
function offOf(example, sums) {
  return example.activationName === "relu" ? (unit) => sums[unit] <= 0 : null;
}

function stateOf(example, sums) {
  const slopes = sums.map(example.network.activation.slope);
  const under = countOf(slopes, (slope) => Math.abs(slope) < 0.05); // of ReLU, exactly 0
  const state = example.activationName === "relu" ? "off (crossed out)" : "flat, with a slope below 0.05";
  return `${under} of ${sums.length} units are ${state}.`;
}

/** The unit that one chose in a layer: its sum term by term, and its weights as an image. */
class UnitWeights {
  constructor(parent, explained, layer) {
    Object.assign(this, { explained, layer });
    const { shape } = explained;
    this.chooser = new UnitChooser(parent, explained, layer);
    this.words = element("p", "about");
    parent.append(this.words);
    this.weights = new Cells(parent, {
      name: `Weights into one unit of layer ${layer + 1}`,
      nameOf: (index) => `W, ${inputName(index, layer, shape)}`,
      choose: (index) => explained.chooseWeight(layer, index, explained.chosen[layer]),
      side: layer === 0 && shape ? 6 : 14,
    });
  }

  show() {
    const { example, viewed, chosen, shape } = this.explained;
    const { layer } = this;
    const unit = chosen[layer];
    const { fanIn, fanOut, weights, biases } = example.network.layers[layer];
    const column = columnOf(weights, unit, fanIn, fanOut);
    const inputs = rowOf(example.pass.inputs[layer], viewed, fanIn);
    const products = column.map((weight, i) => weight * inputs[i]);
    const most = furthest(products);
    const sum = example.pass.sums[layer][viewed * fanOut + unit];
    this.chooser.show(unit);
    const [bias, rest] = [figure(biases[unit]), figure(sum - biases[unit])];
    const [factor, weight] = [figure(inputs[most]), figure(column[most])];
    const article = layer === 0 && shape !== null ? "the " : "";
    const largest = `${factor} \u00d7 ${weight}, of ${article}${inputName(most, layer, shape)}`;
    this.words.textContent = `z = b + \u2211 a W = ${bias} + ${rest} = ${figure(sum)}. `
      + `The largest product a W is ${largest}. All weights W of this unit:`;
    const proved = this.explained.provedRow(layer);
    this.weights.show({ values: column, ...gridOf(fanIn, layer === 0 ? shape : null), chosen: proved });
  }
}

/** Chooses a unit of a hidden layer by its number, or a class by its name. */
class UnitChooser {
  constructor(parent, explained, layer) {
    const { example, classes } = explained;
    const { fanOut } = example.network.layers[layer];
    const isClass = layer === example.hidden;
    const label = element("label", "chooser", isClass ? "Logit of class " : "Unit ");
    this.input = isClass ? selectOf(classes) : element("input");
    if (!isClass) Object.assign(this.input, { type: "number", min: 0, max: fanOut - 1, step: 1 });
    this.input.addEventListener("change", () => {
      const unit = Math.min(fanOut - 1, Math.max(0, Math.round(Number(this.input.value))));
      explained.chooseUnit(layer, unit);
    });
    label.append(this.input);
    parent.append(label);
  }

  show(unit) {
    this.input.value = String(unit);
  }
}

function selectOf(names) {
  const made = element("select");
  names.forEach((name, index) => {
    const option = element("option", "", name);
    option.value = String(index);
    made.append(option);
  });
  return made;
}

/** A block of the page with a heading; `id` is where the lesson finds it. */
function card(parent, id, title) {
  const block = element("article", "card");
  block.id = id;
  block.append(element("h3", "", title));
  parent.append(block);
  return block;
}

/** A place for cards that belong together, one below the other. */
function columnIn(parent) {
  const made = element("div", "column");
  parent.append(made);
  return made;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
