// The proof: one weight or bias by choice, or a hundred at random.

const SOME = 100;

class ProofView {
  constructor(parent, explained) {
    this.explained = explained;
    this.differences = new Differences(explained.example);
    const block = card(parent, "proof", "Proof of a gradient");
    slopeFormula(block);
    this.addChoice(block);
    this.table = element("table", "figures");
    this.words = element("p", "verdict");
    block.append(this.table, this.words);
    this.addSome(card(parent, "random", "A hundred at random"));
  }

  addChoice(block) {
    const { network } = this.explained.example;
    const names = network.layers.flatMap(({ fanIn, fanOut }, layer) => [
      `W of layer ${layer + 1}, ${fanIn} \u00d7 ${fanOut}`, `b of layer ${layer + 1}, ${fanOut}`,
    ]);
    this.array = selectOf(names);
    const place = () => Object.assign(element("input"), { type: "number", min: 0, step: 1 });
    [this.row, this.unit] = [place(), place()];
    const row = element("div", "choice");
    for (const [text, input] of [["Array ", this.array], ["Row ", this.row], ["Column ", this.unit]]) {
      const label = element("label", "chooser", text);
      label.append(input);
      row.append(label);
      input.addEventListener("change", () => this.take());
    }
    block.append(row);
    this.place = element("p", "about");
    block.append(this.place);
  }

  addSome(block) {
    this.zeros = element("p", "about");
    const about = "The smaller a gradient is, the fewer digits differences have: they subtract two losses "
      + "that are nearly equal, and are wrong by about as much for a tiny slope as for a large one.";
    block.append(this.zeros, element("p", "about", about));
    this.button = element("button", "", `Check ${SOME} at random`);
    this.button.type = "button";
    this.button.addEventListener("click", () => this.checkSome());
    this.result = element("p", "verdict");
    this.result.setAttribute("role", "status");
    this.list = element("div", "scrolled");
    this.list.tabIndex = 0;
    this.list.setAttribute("role", "region");
    this.list.setAttribute("aria-label", "Each of the weights that were checked");
    this.list.hidden = true;
    block.append(this.button, this.result, this.list);
  }

  /** Read the choice from its fields. */
  take() {
    const array = Number(this.array.value);
    const { fanIn, fanOut } = this.explained.example.network.layers[array >> 1];
    const within = (input, size) => Math.min(size - 1, Math.max(0, Math.round(Number(input.value)) || 0));
    const row = array % 2 === 1 ? null : within(this.row, fanIn);
    this.explained.chooseWeight(array >> 1, row, within(this.unit, fanOut));
  }

  show() {
    const { example, weight, shape } = this.explained;
    const { layer, row, unit } = weight;
    const { fanIn, fanOut } = example.network.layers[layer];
    this.array.value = String(2 * layer + (row === null ? 1 : 0));
    this.row.disabled = row === null;
    this.row.value = row === null ? "" : String(row);
    [this.row.max, this.unit.max] = [fanIn - 1, fanOut - 1];
    this.unit.value = String(unit);
    this.place.textContent = row === null
      ? `The bias of unit ${unit} of layer ${layer + 1}`
      : `The weight from ${inputName(row, layer, shape)} to unit ${unit} of layer ${layer + 1}`;
    this.found = this.differences.of(layer, row, unit);
    this.showFound(this.found);
    this.zeros.textContent = wordsOfZeros(example);
  }

  /** What came out, in a line. */
  summary() {
    const { derivative, slope } = this.found;
    const figures = `dw = ${figure(derivative, 8)}, by differences ${figure(slope, 8)}`;
    return `${this.place.textContent}: ${figures}. ${this.words.textContent}`;
  }

  showFound({ value, h, derivative, slope, losses, ...found }) {
    const rows = [
      ["its value w", digitsOf(value)],
      ["dw, by backpropagation", digitsOf(derivative)],
      ["slope, by central differences", digitsOf(slope)],
      [`loss at w \u2212 h, h = ${figure(h, 2)}`, digitsOf(losses[0])],
      ["loss at w + h", digitsOf(losses[1])],
    ];
    this.table.replaceChildren(...rows.map((texts) => tableRow("td", ...texts)));
    this.words.textContent = verdictOf(found);
  }

  /** Check parameters drawn at random, some of them a frame. */
  checkSome() {
    const found = [];
    const drawn = drawParameters(this.explained.example.gradient.layers, SOME);
    const turn = (this.turn = (this.turn ?? 0) + 1);
    this.list.hidden = true;
    const go = () => {
      if (turn !== this.turn) return;
      const end = performance.now() + WORK;
      while (found.length < drawn.length && performance.now() < end) {
        found.push(this.differences.of(...drawn[found.length]));
      }
      const isDone = found.length === drawn.length;
      this.result.textContent = isDone ? summaryOf(found) : `${found.length} of ${drawn.length} ...`;
      if (!isDone) return void setTimeout(go, 0);
      this.some = found;
      this.list.replaceChildren(tableOf(found));
      this.list.hidden = false;
    };
    go();
  }

  /** What was found out belongs to another label now. */
  forget() {
    this.turn = (this.turn ?? 0) + 1;
    this.result.textContent = "";
    this.list.hidden = true;
  }
}

function verdictOf({ digits, kinks }) {
  const change = `A kink lies within the step (${kinks} of the sums change sign)`;
  const kink = kinks === 0 ? "" : ` ${change}: there the loss has no slope.`;
  if (digits === Infinity) return `Both are exactly 0.${kink}`;
  return `They agree to ${digitsInWords(digits)}.${kink}`;
}

function tableOf(found) {
  const table = element("table", "figures");
  table.append(tableRow("th", "parameter", "gradient", "difference", "digits"));
  for (const { number, row, unit, derivative, slope, digits, kinks } of found) {
    const said = `${digits === Infinity ? "both 0" : digits}${kinks > 0 ? ", kink" : ""}`;
    const [name, apart] = [parameterName({ number, row, unit }), figure(slope - derivative, 2)];
    table.append(tableRow("td", name, figure(derivative, 3), apart, said));
  }
  return table;
}
