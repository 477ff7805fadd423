// Backward, a card for each block, from the loss to the first layer: dz, dW and db.

class BackwardView {
  constructor(parent, explained) {
    this.explained = explained;
    const last = explained.example.hidden;
    const column = columnIn(parent);
    this.addLogits(column, last);
    this.cards = [new GradientCard(column, explained, last)];
    for (let layer = last - 1; layer >= 0; layer--) {
      const own = columnIn(parent);
      this.cards.push(new BackCard(own, explained, layer), new GradientCard(own, explained, layer));
    }
  }

  addLogits(parent, last) {
    const { example, classes } = this.explained;
    const block = card(parent, "d-logits", "Back at the logits");
    logitsBackFormula(block, last + 1, classes.length, example.count);
    this.logits = new Bars(block, { name: "Derivatives of the loss by the logits", classes, isSigned: true });
    this.words = element("p", "about");
    block.append(this.words, whyDifference());
  }

  show() {
    const { example, viewed, label, classes } = this.explained;
    const dLogits = rowOf(example.gradient.dSums.at(-1), viewed, classes.length);
    this.logits.show(dLogits, label);
    const p = example.probabilities(viewed)[label];
    const mean = example.count === 1 ? "" : `, divided by ${example.count}, as the loss is a mean`;
    const own = `For ${classes[label]}, p \u2212 y = ${figure(p)} \u2212 1${mean}`;
    this.words.textContent = `${own}: ${figure(dLogits[label])}. For all others y is 0.`;
    for (const block of this.cards) block.show();
  }
}

/** Why the derivative by a logit is p - y, for who wants to know. */
function whyDifference() {
  const made = element("details", "why");
  made.append(element("summary", "", "Why p \u2212 y?"));
  for (const text of [
    "The loss is \u2212log p of the label. As p is e^z over the sum of all e^z, that is the logarithm of "
      + "this sum, less the label's own z.",
    "Let a logit z rise a little. The logarithm of the sum rises e^z / sum times as fast: that is p. What is "
      + "taken away rises as fast as z if z is the label's, and not at all otherwise: that is y, 1 or 0.",
    "So the loss changes p \u2212 y times as fast as the logit.",
  ]) made.append(element("p", "about", text));
  return made;
}

/** dz of a hidden layer: through the weights of the next layer and the slopes of its own units. */
class BackCard {
  constructor(parent, explained, layer) {
    Object.assign(this, { explained, layer });
    const { example } = explained;
    const name = example.activationName;
    const shown = name === "relu" ? "ReLU" : name;
    const block = card(parent, `back-${layer}`, `Back through ${shown} of hidden layer ${layer + 1}`);
    const options = { nameOf: (unit) => `Unit ${unit}`, choose: (unit) => explained.chooseUnit(layer, unit) };
    backFormula(block, layer + 1, example.network.layers[layer + 1], example.count, name);
    const addCells = (words, label) => {
      block.append(element("p", "about", words));
      return new Cells(block, { ...options, name: label });
    };
    const next = layer + 2;
    const products = `dz\u00a0W\u1d40 of layer ${next}: how fast the loss changes with each unit's a`;
    const mask = "times the mask: 1 where ReLU is on, 0 where it is off";
    const slopes = name === "relu" ? mask : "times the slope at z";
    this.products = addCells(products, `dz W^T of layer ${next}`);
    this.slopes = addCells(slopes, `slopes of hidden layer ${layer + 1}`);
    this.dSums = addCells("gives dz", `dz of hidden layer ${layer + 1}`);
    this.words = element("p", "about");
    block.append(this.words);
  }

  show() {
    const { example, viewed, chosen } = this.explained;
    const { fanOut } = example.network.layers[this.layer];
    const row = (array) => rowOf(array, viewed, fanOut);
    const sums = row(example.pass.sums[this.layer]);
    const grid = { ...gridOf(fanOut), chosen: chosen[this.layer] };
    const [products, dSums] = [row(example.dOutputs(this.layer)), row(example.gradient.dSums[this.layer])];
    const slopes = sums.map(example.network.activation.slope);
    const off = offOf(example, sums);
    this.products.show({ values: products, ...grid });
    this.slopes.show({ values: slopes, ...grid, off });
    this.dSums.show({ values: dSums, ...grid, off });
    const unit = chosen[this.layer];
    const [product, slope, dSum] = [products, slopes, dSums].map((values) => figure(values[unit]));
    this.words.textContent = `Unit ${unit}: ${product} \u00d7 ${slope} = ${dSum}`;
  }
}

/** dW and db of a layer: what goes in, times dz; as an image for one unit. */
class GradientCard {
  constructor(parent, explained, layer) {
    Object.assign(this, { explained, layer });
    const { example, shape } = explained;
    const { fanIn, fanOut } = example.network.layers[layer];
    const where = layer === example.hidden ? "the output layer" : `hidden layer ${layer + 1}`;
    const block = card(parent, `gradient-${layer}`, `Gradient of ${where}`);
    gradientFormulas(block, layer + 1, { fanIn, fanOut }, example.count);
    this.chooser = new UnitChooser(block, explained, layer);
    const side = layer === 0 && shape ? 5 : 10;
    const name = (index) => inputName(index, layer, shape);
    block.append(element("p", "about", `a, what went into layer ${layer + 1}:`));
    this.inputs = new Cells(block, {
      name: `a, inputs of layer ${layer + 1}`,
      nameOf: (index) => `a, ${name(index)}`,
      side,
      isInk: layer === 0 && shape !== null,
    });
    this.factor = element("p", "about");
    block.append(this.factor);
    this.weights = new Cells(block, {
      name: `dW of one unit of layer ${layer + 1}`,
      nameOf: (index) => `dW, ${name(index)}`,
      choose: (index) => explained.chooseWeight(layer, index, explained.chosen[layer]),
      side,
    });
    this.proved = element("p", "about proved");
    block.append(this.proved, element("p", "about", "db, of all units:"));
    this.biases = new Cells(block, {
      name: `db of layer ${layer + 1}`,
      nameOf: (unit) => `db, ${layer === example.hidden ? explained.classes[unit] : `unit ${unit}`}`,
      choose: (unit) => explained.chooseWeight(layer, null, unit),
    });
  }

  show() {
    const { example, viewed, chosen, shape, classes } = this.explained;
    const { layer } = this;
    const unit = chosen[layer];
    const { fanIn, fanOut, weights, biases } = example.gradient.layers[layer];
    const grid = gridOf(fanIn, layer === 0 ? shape : null);
    const dz = example.gradient.dSums[layer][viewed * fanOut + unit];
    const who = layer === example.hidden ? `class ${classes[unit]}` : `unit ${unit}`;
    this.chooser.show(unit);
    this.inputs.show({ values: rowOf(example.pass.inputs[layer], viewed, fanIn), ...grid });
    const rest = example.count === 1 ? "" : `, and so on for all ${example.count} samples,`;
    const product = `\u00d7 dz = ${figure(dz)}${rest} gives dW of ${who}`;
    this.factor.textContent = `${product}. Choose a cell to prove it.`;
    const proved = this.explained.provedRow(layer);
    this.weights.show({ values: columnOf(weights, unit, fanIn, fanOut), ...grid, chosen: proved });
    this.proved.textContent = proved === undefined ? "" : this.explained.proof.summary();
    this.biases.show({ values: biases, ...gridOf(fanOut), chosen: unit });
  }
}
