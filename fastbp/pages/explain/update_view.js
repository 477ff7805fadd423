// The update: a step against the gradient with a rate that one chooses, and the loss before and after.

const LEAST_POWER = -4; // of ten, of the slider's rates

class UpdateView {
  constructor(parent, explained) {
    this.explained = explained;
    const choose = (rate) => explained.setRate(rate);
    const block = card(parent, "update", "The update");
    updateFormulas(block);
    this.sliders = [new RateSlider(block, choose)];
    this.table = element("table", "figures");
    block.append(this.table);
    this.words = element("p", "about");
    block.append(this.words);
    const lines = card(parent, "line", "The loss along this direction");
    lines.classList.add("wide");
    this.curve = new LossCurve(lines, choose);
    lines.append(curveLegend());
    this.sliders.push(new RateSlider(lines, choose));
  }

  /** Show another step: new figures and a new curve. */
  show() {
    const { example, rate } = this.explained;
    const squaredLength = example.squaredLength();
    this.high = Math.max(highestPower(example.loss / squaredLength), Math.ceil(Math.log10(rate)));
    this.after = example.after(rate).loss;
    this.curve.show({ example, squaredLength, low: LEAST_POWER, high: this.high, rate, after: this.after });
    this.showRate();
  }

  /** Show the same step with the rate that is chosen now. */
  showRate() {
    const { example, rate, viewed, label, classes } = this.explained;
    const found = example.after(rate);
    this.after = found.loss;
    for (const slider of this.sliders) slider.show(rate, this.high);
    this.curve.mark(rate, found.loss);
    const before = example.probabilities(viewed);
    const after = softmax(rowOf(found.logits, viewed, classes.length));
    const loss = example.count === 1 ? "loss" : `loss of the ${example.count}`;
    const said = (p) => classes[p.indexOf(Math.max(...p))];
    this.table.replaceChildren(
      tableRow("th", "", "before", "after"),
      tableRow("td", loss, figure(example.loss, 5), figure(found.loss, 5)),
      tableRow("td", `p of ${classes[label]}`, percentage(before[label]), percentage(after[label])),
      tableRow("td", "most probable", said(before), said(after)),
    );
    this.table.dataset.after = found.loss;
    this.words.textContent = wordsOfUpdate(example.loss, found.loss);
  }
}

/** A slider for the learning rate, by powers of ten; `choose(rate)` is called when it moves. */
class RateSlider {
  constructor(parent, choose) {
    this.input = Object.assign(element("input"), { type: "range", min: LEAST_POWER, step: 0.05 });
    this.input.setAttribute("aria-label", "Learning rate");
    this.input.addEventListener("input", () => choose(10 ** Number(this.input.value)));
    this.rate = element("output");
    const label = element("div", "slider", "Learning rate ");
    label.append(this.input, this.rate);
    parent.append(label);
  }

  show(rate, high) {
    this.input.max = high;
    this.input.value = Math.log10(rate);
    this.input.setAttribute("aria-valuetext", figure(rate, 3));
    this.rate.textContent = figure(rate, 3);
  }
}

/** To rates at which the loss would be far below 0 if it went on falling as it begins; as a power of ten.
 *  `reach`: the rate at which it would be 0. */
function highestPower(reach) {
  const power = Number.isFinite(reach) && reach > 0 ? Math.ceil(Math.log10(100 * reach)) : 1;
  return Math.min(6, Math.max(1, power));
}

function wordsOfUpdate(before, after) {
  if (!(after <= before)) return "The loss rose: with this rate the step goes too far.";
  if (after === before) return "The loss did not change.";
  return `The loss fell by ${figure(before - after, 3)}.`;
}

function curveLegend() {
  const legend = element("ul", "legend");
  const promise = "what the slope promises: loss \u2212 rate \u00b7 |gradient|\u00b2";
  for (const [classes, text] of [["a", "loss after the update"], ["b dashed", promise]]) {
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
