// Break it: damage to a network, what it costs, and how training mends it.

const DAMAGE = [
  { what: "biases", label: "Biases to 0", done: "Biases of layer {layer} are 0" },
  { what: "layer", label: "Layer to 0", done: "Layer {layer} is 0" },
  { what: "unit", label: "Unit to 0", done: "Unit {unit} of layer {layer} is 0" },
  { what: "noise", label: "Noise on weights", done: "Noise on the weights of layer {layer}" },
  { what: "kill", label: "Kill ReLUs", done: "ReLUs of layer {layer} killed" },
];

class Breaker {
  /** `onBroken(network, words)`: called when it is known what the damage costs. */
  constructor(training, classes, onBroken) {
    [this.training, this.classes, this.onBroken] = [training, classes, onBroken];
    this.form = document.getElementById("break");
    this.said = document.getElementById("broken");
    this.pending = null; // damage whose cost is not known yet
    this.last = null;
    this.fields = {
      network: labelled(this.form, "Network", new Option("A", 0), new Option("B", 1)),
      layer: labelled(this.form, "Layer"),
      unit: numberField(this.form, "Unit", 0, 0, 511, 1),
      amount: numberField(this.form, "Amount", 0.5, 0, 5, 0.1),
    };
    const buttons = element("div", "buttons");
    this.buttons = DAMAGE.map((damage) => {
      const button = element("button", "", damage.label);
      button.type = "button";
      button.dataset.what = damage.what;
      button.addEventListener("click", () => this.damage(damage));
      buttons.append(button);
      return button;
    });
    this.form.append(buttons);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    for (const name of ["network", "layer"]) {
      this.fields[name].addEventListener("change", () => this.show(this.training.state));
    }
  }

  get network() {
    return Number(this.fields.network.value);
  }

  /** Take a unit of the first layer from its image. */
  choose(network, unit) {
    this.fields.network.value = network;
    this.fields.layer.value = 0;
    this.fields.unit.value = unit;
  }

  damage({ what, done }) {
    if (this.training.state === null) return; // there is no network yet
    const { network, fields } = this;
    const layer = Number(fields.layer.value);
    const unit = Math.round(clamped(fields.unit));
    const amount = clamped(fields.amount);
    const order = { network, what, layer, unit, amount: what === "kill" ? Math.min(1, amount) : amount };
    this.pending = { order, words: done.replace("{unit}", unit).replace("{layer}", layer + 1) };
    // Training pauses, so that one sees the damage, and the accuracy before it is that of these weights.
    if (this.training.state.running) this.training.send("pause");
    else this.goOn(this.training.state);
  }

  strike() {
    const { order } = this.pending;
    const last = this.training.curves[order.network].at(-1);
    this.pending.before = last.validationAccuracy;
    this.pending.breaks = last.breaks + 1;
    this.training.send("break", order);
  }

  forget() {
    [this.pending, this.last] = [null, null];
    this.said.textContent = "";
  }

  show(state) {
    const count = state.networks.length;
    this.fields.network.parentElement.hidden = count === 1;
    if (this.network >= count) this.fields.network.value = 0;
    this.showLayers(state.networks[this.network]);
    if (this.pending && !state.running) this.goOn(state);
    if (this.last) this.tell(state.networks[this.last.network]);
  }

  showLayers({ choices }) {
    const widths = [...choices.hidden, this.classes];
    const { layer, unit } = this.fields;
    const kindOf = (width, i) => (i < widths.length - 1 ? `hidden, ${width} units` : "output");
    const names = widths.map((width, i) => `${i + 1}: ${kindOf(width, i)}`);
    if (names.join() !== this.names) {
      this.names = names.join();
      layer.replaceChildren(...names.map((name, i) => new Option(name, i)));
    }
    unit.max = widths[Number(layer.value)] - 1;
    const isHidden = Number(layer.value) < widths.length - 1;
    this.buttons.at(-1).disabled = !(isHidden && choices.activation === "relu"); // there are none
  }

  /** Once the network has been validated: first after the pause, then after the damage. */
  goOn(state) {
    const { order, words, before, breaks = null } = this.pending;
    const network = state.networks[order.network];
    const last = this.training.curves[order.network].at(-1);
    if (last?.updates !== network.updates || !isNumber(last.validationAccuracy)) return;
    if (breaks === null) {
      this.strike();
      return;
    }
    if (last.breaks !== breaks) return; // measured before the damage
    const after = last.validationAccuracy;
    const advice = network.ended === null ? adviceOn(order, network) : OVER;
    this.last = { network: order.network, words, before, after, advice, epoch: network.epoch };
    this.pending = null;
    this.onBroken(network, words);
  }

  tell({ validation, epoch }) {
    const { network, words, before, after, advice } = this.last;
    const whose = this.training.state.networks.length > 1 ? `${NAMES[network]}, ` : "";
    const trained = epoch - this.last.epoch;
    const now = trained > 0.01
      ? `${trained.toFixed(1)} epochs later: ${percent(validation?.accuracy)}.`
      : advice;
    const cost = `validation accuracy ${percent(before)} before, ${percent(after)} after`;
    const text = `${whose}${words}: ${cost}. ${now}`;
    if (this.said.textContent !== text) this.said.textContent = text;
  }
}

const OVER = "It has trained all its epochs. To see damage mend, pause earlier or choose more epochs.";

/** What training can do about damage. A ReLU whose sum is never above 0 gets no gradient; steps that momentum
 *  keeps may move it all the same. */
function adviceOn({ what, layer, amount }, { choices }) {
  const { hidden, activation, momentum } = choices;
  const isOfReLUs = layer < hidden.length && activation === "relu" && momentum === 0;
  if (isOfReLUs && (what === "layer" || (what === "kill" && amount >= 1))) {
    return "Training cannot mend it: the whole layer is 0, and so is the slope of a ReLU there. Press Again.";
  }
  if (isOfReLUs && (what === "unit" || what === "kill")) {
    return "Press Run: what is off stays off, as the slope of a ReLU is 0 there; others may make up for it.";
  }
  return "Press Run, and see whether it mends.";
}

function labelled(form, name, ...options) {
  const label = element("label", "", `${name} `);
  const select = element("select");
  select.id = `break-${name.toLowerCase()}`;
  select.append(...options);
  label.append(select);
  form.append(label);
  return select;
}

function numberField(form, name, value, low, high, step) {
  const label = element("label", "", `${name} `);
  const field = element("input");
  field.id = `break-${name.toLowerCase()}`;
  Object.assign(field, { type: "number", min: low, max: high, step, value });
  label.append(field);
  form.append(label);
  return field;
}

/** The number in a field, within its limits. */
function clamped(field) {
  const value = Number.isFinite(field.valueAsNumber) ? field.valueAsNumber : Number(field.defaultValue);
  return Math.min(Number(field.max), Math.max(Number(field.min), value));
}
