// The update: a step against the gradient with a learning rate that one chooses, and the loss before and after.

const LEAST_POWER = -4; // of ten, of the slider's rates

class UpdateView {
  constructor(parent, explained) {
    this.explained = explained;
    const block = card(parent, "update", "The update");
    updateFormulas(block);
    this.addSlider(block);
    this.table = element("table", "figures");
    block.append(this.table);
    this.words = element("p", "about");
    block.append(this.words);
    const lines = card(parent, "line", "The loss along this direction");
    lines.classList.add("wide");
    this.curve = new LossCurve(lines, (rate) => explained.setRate(rate));
    lines.append(curveLegend());
  }

  addSlider(block) {
    const { example } = this.explained;
    // To rates at which the loss would be far below 0 if it went on falling as it begins.
    const reach = example.loss / example.squaredLength();
    this.high = Math.min(6, Math.max(1, Number.isFinite(reach) && reach > 0 ? Math.ceil(Math.log10(100 * reach)) : 1));
    this.slider = Object.assign(element("input"), { type: "range", min: LEAST_POWER, max: this.high, step: 0.05 });
    this.slider.setAttribute("aria-label", "Learning rate");
    this.rate = element("output");
    this.slider.addEventListener("input", () => this.explained.setRate(10 ** Number(this.slider.value)));
    const label = element("div", "slider", "Learning rate ");
    label.append(this.slider, this.rate);
    block.append(label);
  }

  /** Show another step: new figures and a new curve. */
  show() {
    this.showRate();
    const { example, rate } = this.explained;
    this.curve.show({ example, low: LEAST_POWER, high: this.high, rate, after: this.after });
  }

  /** Show the same step with the rate that is chosen now. */
  showRate() {
    const { example, rate, viewed, label, classes } = this.explained;
    const found = example.after(rate);
    this.after = found.loss;
    this.slider.value = Math.log10(rate);
    this.slider.setAttribute("aria-valuetext", figure(rate));
    this.rate.textContent = figure(rate, 3);
    const [before, after] = [example.probabilities(viewed), softmax(rowOf(found.logits, viewed, classes.length))];
    const said = (p) => classes[p.indexOf(Math.max(...p))];
    this.table.replaceChildren(
      tableRow("th", "", "before", "after"),
      tableRow("td", example.count === 1 ? "loss" : `loss of the ${example.count}`, figure(example.loss, 5), figure(found.loss, 5)),
      tableRow("td", `p of ${classes[label]}`, percentage(before[label]), percentage(after[label])),
      tableRow("td", "most probable", said(before), said(after)),
    );
    this.table.dataset.after = found.loss;
    this.words.textContent = wordsOfUpdate(example.loss, found.loss);
    if (this.curve.values) this.curve.mark(rate, found.loss);
  }
}

function wordsOfUpdate(before, after) {
  if (!(after <= before)) return "The loss rose: with this rate the step goes too far.";
  if (after === before) return "The loss did not change.";
  return `The loss fell by ${figure(before - after, 3)}.`;
}

function curveLegend() {
  const legend = element("ul", "legend");
  for (const [classes, text] of [["a", "loss after the update"], ["b dashed", "what the gradient promises: loss \u2212 rate \u00b7 |gradient|\u00b2"]]) {
    const item = element("li", "", text);
    item.prepend(element("span", `stroke ${classes}`));
    legend.append(item);
  }
  return legend;
}

function tableRow(tag, ...texts) {
  const row = element("tr");
  texts.forEach((text, column) => {
    const cell = element(column === 0 || tag === "th" ? "th" : "td", "", text);
    cell.scope = tag === "th" ? "col" : "row";
    row.append(cell);
  });
  return row;
}
