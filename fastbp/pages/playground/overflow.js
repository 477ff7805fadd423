// What overflow was: softmax and cross-entropy in float32, by the formula as it stands and by log-sum-exp.

const F = Math.fround; // to the nearest float32
const START = [7, -1, 0.5, 2, -2, 0, 3, 1, -0.5, 1.5]; // as a network that has learnt a little

/** Logits to begin with, for as many classes. */
function startOf(classes) {
  return Array.from({ length: classes }, (_, k) => START[k % START.length] - Math.floor(k / START.length));
}

/** The formulas of fastbp/reference/step.py in float32, for one sample: exponentials, probabilities, losses.
 *  `label`: the class that is right. */
function softmaxBothWays(logits, label) {
  const z = logits.map(F);
  const exponentials = z.map((value) => F(Math.exp(value)));
  const sum = exponentials.reduce((total, value) => F(total + value), 0);
  const naive = exponentials.map((value) => F(value / sum));
  const highest = Math.max(...z);
  const logSum = F(Math.log(z.reduce((total, value) => F(total + F(Math.exp(F(value - highest)))), 0)));
  const logs = z.map((value) => F(F(value - highest) - logSum));
  // As NumPy has it, every class counts in both terms: 0 x log 0 is not a number.
  const twoTerms = naive.map((p, k) => {
    const y = k === label ? 1 : 0;
    return F(F(y * log(p)) + F((1 - y) * log(F(1 - p))));
  });
  return {
    z, exponentials, naive, stable: logs.map((value) => F(Math.exp(value))),
    naiveLoss: F(-log(naive[label])),
    twoTermLoss: F(-twoTerms.reduce((total, value) => F(total + value), 0)),
    stableLoss: F(-logs[label]),
  };
}

function log(p) {
  return F(Math.log(p));
}

class Overflow {
  /** `askLogits(use)`: calls `use(logits, label, words)` with those of a digit by the current network. */
  constructor(classes, askLogits) {
    [this.classes, this.logits] = [classes, startOf(classes.length)];
    this.label = this.logits.indexOf(Math.max(...this.logits));
    const parent = document.getElementById("overflowing");
    this.addInputs(parent, askLogits);
    this.table = element("table", "numbers");
    const scroll = element("div", "scroll");
    scroll.append(this.table);
    this.verdict = element("p", "verdict");
    this.verdict.setAttribute("role", "status");
    parent.append(scroll, this.verdict);
    this.show();
  }

  addInputs(parent, askLogits) {
    const form = element("div", "options");
    this.scale = element("input");
    Object.assign(this.scale, { type: "range", min: 0, max: 3, step: 0.01, value: 0, id: "scale" });
    const label = element("label", "wide", "logits times ");
    label.htmlFor = "scale";
    this.times = element("output");
    this.times.htmlFor = "scale";
    label.append(this.times, this.scale);
    this.typed = element("input");
    const value = this.logits.join(" ");
    Object.assign(this.typed, { type: "text", id: "logits", value, spellcheck: false });
    const typed = element("label", "wide", "logits ");
    typed.append(this.typed);
    this.right = element("select");
    this.right.append(...this.classes.map((name, k) => new Option(name, k)));
    const right = element("label", "", "right class ");
    right.append(this.right);
    const take = element("button", "", "Take those of network A");
    take.type = "button";
    take.id = "take-logits";
    take.addEventListener("click", () => askLogits((logits, is, words) => this.take(logits, is, words)));
    form.append(label, typed, right, take);
    this.problem = element("p", "problem");
    this.problem.setAttribute("role", "alert");
    this.problem.hidden = true;
    parent.append(form, this.problem);
    this.scale.addEventListener("input", () => this.show());
    this.typed.addEventListener("change", () => this.read());
    this.right.addEventListener("change", () => this.read());
  }

  take(logits, label, words) {
    [this.logits, this.label] = [logits, label];
    this.typed.value = logits.map((value) => brief(value)).join(" ");
    this.source = words;
    this.show();
  }

  /** Logits that were typed. */
  read() {
    const logits = this.typed.value.split(/[\s,;]+/).filter(Boolean).map(Number);
    const isGood = logits.length === this.classes.length && logits.every(Number.isFinite);
    this.problem.hidden = isGood;
    const wanted = `${this.classes.length} numbers, such as ${startOf(this.classes.length).join(" ")}`;
    this.problem.textContent = isGood ? "" : `These are not logits; expected ${wanted}.`;
    this.typed.setAttribute("aria-invalid", String(!isGood));
    if (!isGood) return;
    [this.logits, this.label, this.source] = [logits, Number(this.right.value), ""];
    this.show();
  }

  show() {
    const times = 10 ** Number(this.scale.value);
    this.times.textContent = brief(times);
    this.right.value = this.label;
    const found = softmaxBothWays(this.logits.map((value) => value * times), this.label);
    const rows = [headings("class", "z", "exp(z)", "p, naive", "p, log-sum-exp")];
    found.z.forEach((z, k) => {
      const cells = [found.exponentials[k], found.naive[k], found.stable[k]];
      rows.push(rowOf(this.classes[k], [z, ...cells], k === this.label));
    });
    rows.push(rowOf("loss", ["", "", found.naiveLoss, found.stableLoss], false));
    rows.push(rowOf("two-term loss", ["", "", found.twoTermLoss, ""], false));
    this.table.replaceChildren(...rows);
    const text = `${this.source ? `${this.source} ` : ""}${verdictOf(found)}`;
    if (this.verdict.textContent !== text) this.verdict.textContent = text;
  }
}

function headings(...texts) {
  const row = element("tr");
  row.append(...texts.map((text) => {
    const cell = element("th", "", text);
    cell.scope = "col";
    return cell;
  }));
  return row;
}

function rowOf(name, values, isRight) {
  const row = element("tr", isRight ? "right" : "");
  const head = element("th", "", isRight ? `${name} (right)` : name);
  head.scope = "row";
  row.append(head, ...values.map((value) => {
    const isLost = typeof value === "number" && !Number.isFinite(value);
    return element("td", isLost ? "lost" : "", value === "" ? "" : brief(value));
  }));
  return row;
}

/** What is lost, and why. */
function verdictOf({ exponentials, naive, naiveLoss, twoTermLoss, stableLoss }) {
  const exact = `Log-sum-exp has the loss, ${brief(stableLoss)}.`;
  if (exponentials.some((value) => value === Infinity)) {
    return "exp(z) is above 3.4e38, the largest float32, and becomes infinity; infinity / infinity is not a "
      + `number. ${exact}`;
  }
  if (exponentials.every((value) => value === 0)) {
    return "Every exp(z) is below 1.4e-45, the smallest float32, and becomes 0; 0 / 0 is not a number. "
      + exact;
  }
  if (!Number.isFinite(naiveLoss)) {
    return `The probability of the right class is rounded to 0, and its logarithm is -infinity. ${exact}`;
  }
  if (!Number.isFinite(twoTermLoss)) {
    return "A probability is rounded to 1. The two-term loss, -y log p - (1 - y) log(1 - p) summed over the "
      + "classes, takes the logarithm of 1 - 1 = 0 and is lost just when the network is sure. That is what "
      + `most likely filled the report's tables with "overflow". ${exact}`;
  }
  if (naive.some((p) => p === 1)) return `One probability is rounded to 1. ${exact}`;
  return "All columns agree. Move the slider to the right.";
}
