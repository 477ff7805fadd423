// The update: a step against the gradient with a rate that one chooses, and the loss before and after.

const LEAST_POWER = -4; // of ten, of the slider's rates
const MOST_POWER = 3; // further only where the slope is so small that the curve would show no step

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
    this.curve = new LossCurve(lines, choose, () => this.showCourse());
    lines.append(curveLegend());
    this.course = element("p", "about");
    lines.append(this.course);
    this.sliders.push(new RateSlider(lines, choose));
  }

  /** Show another step: new figures and a new curve. */
  show() {
    const { example, rate } = this.explained;
    const squaredLength = example.squaredLength();
    this.high = Math.max(powerOfRise(example, squaredLength), Math.ceil(Math.log10(rate)));
    this.after = example.after(rate).loss;
    this.curve.show({ example, squaredLength, low: LEAST_POWER, high: this.high, rate, after: this.after });
    this.showRate();
  }

  /** Say what the whole curve does, once it is there. */
  showCourse() {
    this.course.textContent = wordsOfCourse(this.explained.example, this.curve);
    this.explained.walk.tell();
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

/** Highest rate of the curve, as a power of ten: where the loss is above its start, if it is up to 1000. */
function powerOfRise(example, squaredLength) {
  let power = highestPower(example.loss / squaredLength);
  while (power < MOST_POWER && !isAbove(example.after(10 ** power).loss, example.loss)) power++;
  return power;
}

/** Whether a loss after an update is above that before, or no number any more. */
function isAbove(after, before) {
  return !(after <= before);
}

/** To rates at which the loss would be far below 0 if it went on falling as it begins; as a power of ten.
 *  `reach`: the rate at which it would be 0. */
function highestPower(reach) {
  const power = Number.isFinite(reach) && reach > 0 ? Math.ceil(Math.log10(100 * reach)) : 1;
  return Math.min(6, Math.max(1, power));
}

function wordsOfUpdate(before, after) {
  if (isAbove(after, before)) return "The loss rose: with this rate the step goes too far.";
  if (after === before) return "The loss did not change.";
  return `The loss fell by ${figure(before - after, 3)}.`;
}

/** Where the loss is lowest, and where it is above its start; or that it never is, and what to do. */
function wordsOfCourse(example, curve) {
  const { rise, lowest, high } = curve.course();
  const best = `The loss is lowest with a rate of about ${figure(10 ** lowest, 2)}`;
  if (rise !== null) return `${best}, and first above its start at about ${figure(10 ** rise, 2)}.`;
  const never = `Up to a rate of ${plainPower(high)}, the loss never ends above its start.`;
  if (example.count > 1) return never;
  return `${never} One sample alone is soon learnt, as no other pulls the other way. To see the loss rise, `
    + "make the page of a mini-batch: fastbp explain RUN --sample 0-31.";
}

function plainPower(power) {
  return (10 ** power).toLocaleString("en");
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
