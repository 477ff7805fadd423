// What one chooses for a network: each setting declared once, with limits, words and how it is written.

class ChoiceError extends Error {}

/** Whole units of each hidden layer: "64,32", or "none". */
function widthsWithin({ layers, units }) {
  return {
    layers,
    expected: `numbers of units such as 64,32 (at most ${layers} layers of at most ${units}), or none`,
    read(text) {
      if (text.trim() === "" || text.trim().toLowerCase() === "none") return [];
      const words = text.split(/[,\s]+/).filter(Boolean);
      const widths = words.map((word) => (/^\d+$/.test(word) ? Number(word) : NaN));
      const fit = widths.length <= layers && widths.every((width) => width >= 1 && width <= units);
      if (!fit) throw new ChoiceError();
      return widths;
    },
    write: (widths) => (widths.length ? widths.join(",") : "none"),
    /** Up doubles the widths, down halves them. */
    step: (widths, up) => widths.map((width) => clamp(Math.round(up ? width * 2 : width / 2), 1, units)),
  };
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function oneOf(names) {
  return {
    names,
    expected: `one of ${names.join(", ")}`,
    read(text) {
      if (!names.includes(text)) throw new ChoiceError();
      return text;
    },
    write: (name) => name,
  };
}

/** A number from `low` to `high`; `steps`: values to which the arrow keys go. */
function numberFrom(low, high, { whole = false, steps }) {
  return {
    low, high, steps,
    expected: `a ${whole ? "whole " : ""}number from ${low} to ${high}`,
    read(text) {
      const value = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : NaN;
      if (!(value >= low && value <= high) || (whole && !Number.isInteger(value))) throw new ChoiceError();
      return value;
    },
    write: (value) => String(value),
    step(value, up) {
      const next = up ? steps.find((each) => each > value) : steps.findLast((each) => each < value);
      return next ?? value;
    },
  };
}

const POWERS = [-5, -4, -3, -2, -1, 0, 1, 2];
const RATES = POWERS.flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)));
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const SHARES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/** Every setting, in the order of the form. `shared`: the same for both networks; `more`: seldom changed. */
function settingsOf(data) {
  const { activation, initialization, schedule, augment } = data.names;
  const schemes = [...initialization, ...(data.start ? ["start"] : [])];
  return [
    { key: "hidden", option: "hidden", label: "Hidden layers", kind: widthsWithin(data.limits),
      words: "Units of each hidden layer, as in 64,32. With none, the pixels lead straight to the classes." },
    { key: "activation", option: "activation", label: "Activation", kind: oneOf(activation),
      words: "Function that a unit puts its sum through. relu cuts off what is below 0." },
    { key: "initialization", option: "init", label: "Initialisation", kind: oneOf(schemes),
      words: "How the weights are drawn before training. he suits relu; start takes a run's weights." },
    { key: "batchSize", option: "batch-size", label: "Mini-batch size",
      kind: numberFrom(1, data.trainCount, { whole: true, steps: SIZES }),
      words: "Digits whose mean gradient makes one update of the weights." },
    { key: "learningRate", option: "learning-rate", label: "Learning rate",
      kind: numberFrom(1e-9, 1000, { steps: RATES }),
      words: "Length of a step down the gradient, at the start." },
    { key: "schedule", option: "schedule", label: "Schedule", kind: oneOf(schedule),
      words: "How the learning rate changes. linear falls to 0 at the end." },
    { key: "epochs", option: "epochs", label: "Epochs", shared: true,
      kind: numberFrom(1, data.limits.epochs, { whole: true, steps: [1, 2, 5, 10, 20, 30, 50, 100, 200] }),
      words: "Passes over all training digits." },
    { key: "momentum", option: "momentum", label: "Momentum", more: true,
      kind: numberFrom(0, 0.999, { steps: [...SHARES, 0.95, 0.99] }),
      words: "Share of the last step that the next one keeps." },
    { key: "l2", option: "l2", label: "L2 penalty", more: true,
      kind: numberFrom(0, 10, { steps: [0, ...RATES.slice(0, 15)] }),
      words: "Pulls every weight towards 0, in proportion to it." },
    { key: "dropout", option: "dropout", label: "Dropout", more: true,
      kind: numberFrom(0, 0.95, { steps: SHARES }),
      words: "Share of the hidden units that each step leaves out." },
    { key: "augment", option: "augment", label: "Distortions", more: true, kind: oneOf(augment),
      words: "Training digits are shifted, rotated and bent anew in each epoch." },
    { key: "seed", option: "seed", label: "Random seed", more: true, shared: true,
      kind: numberFrom(0, 2 ** 32 - 1, { whole: true, steps: Array.from({ length: 100 }, (_, i) => i) }),
      words: "The same seed gives the same numbers again." },
  ];
}

/** Choices that fit together: B shares what is shared, and a run's weights bring their own shape. */
function completed(networks, settings, start) {
  const shared = settings.filter((setting) => setting.shared).map(({ key }) => [key, networks[0][key]]);
  return networks.map((choices) => {
    const whole = { ...choices, ...Object.fromEntries(shared) };
    if (whole.initialization !== "start") return whole;
    return { ...whole, hidden: start.sizes.slice(1, -1), activation: start.activation };
  });
}

/** Choices of a lesson with what these data do not offer replaced: a mini-batch has at most all digits. */
function fitted(choices, settings) {
  const fit = (value, { names, high = Infinity }) => {
    if (names) return names.includes(value) ? value : names[0];
    return typeof value === "number" ? Math.min(value, high) : value;
  };
  return Object.fromEntries(settings.map(({ key, kind }) => [key, fit(choices[key], kind)]));
}

/** What is wrong with a text, in one line for people. */
function problemOf(setting, text, whose) {
  const shown = text.length > 40 ? `${text.slice(0, 40)} ...` : text;
  return `${setting.label}${whose} is "${shown}"; expected ${setting.kind.expected}.`;
}
