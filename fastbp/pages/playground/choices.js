// The choices of one network, checked: they may come from a link that anybody wrote.

const MOST_WORK = 2e9; // products of a step, which nothing interrupts: some seconds

/** Throw an Error of one line unless a network can be made and trained by these choices. */
function checkChoices(choices, digits) {
  const { hidden, batchSize, learningRate, epochs, momentum, l2, dropout, seed } = choices;
  const most = digits.limits;
  checkName("activation", choices.activation, ACTIVATIONS);
  checkName("initialization", choices.initialization, { ...INITIALIZERS, start: null });
  checkName("schedule", choices.schedule, SCHEDULES);
  checkName("augment", choices.augment, { none: null, ...digits.augment });
  if (!Array.isArray(hidden) || hidden.length > most.layers) {
    throw new Error(`hidden: expected at most ${most.layers} numbers of units`);
  }
  for (const units of hidden) checkWhole("hidden", units, 1, most.units);
  checkWhole("batchSize", batchSize, 1, Infinity);
  checkWhole("epochs", epochs, 1, most.epochs);
  checkWork(choices, digits);
  checkWhole("seed", seed, 0, Number.MAX_SAFE_INTEGER);
  checkNumber("learningRate", learningRate, Number.MIN_VALUE, Infinity);
  checkNumber("momentum", momentum, 0, 1);
  checkNumber("l2", l2, 0, Infinity);
  checkNumber("dropout", dropout, 0, 1);
  if (choices.initialization === "start") checkStart(choices, digits);
}

function checkName(what, name, known) {
  if (!Object.hasOwn(known, name)) {
    throw new Error(`${what}: ${name} is unknown; expected one of ${Object.keys(known).join(", ")}`);
  }
}

function checkWhole(what, value, least, most) {
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const end = most < Infinity ? ` to ${most}` : " on";
    throw new Error(`${what}: ${value}; expected a whole number from ${least}${end}`);
  }
}

/** least <= value < end */
function checkNumber(what, value, least, end) {
  if (typeof value !== "number" || !(value >= least && value < end)) {
    const range = (least === 0 ? "of at least 0" : "above 0") + (end < Infinity ? ` and below ${end}` : "");
    throw new Error(`${what}: ${value}; expected a number ${range}`);
  }
}

function checkWork({ hidden, batchSize }, { pixels, classes, trainCount }) {
  const count = countOf([pixels, ...hidden, classes]);
  const most = Math.floor(MOST_WORK / count);
  if (Math.min(batchSize, trainCount) <= most) return;
  throw new Error(`batchSize: ${batchSize}; expected at most ${most} for a network of ${count} parameters`);
}

function checkStart({ hidden, activation }, { start, pixels, classes }) {
  if (start === null) throw new Error("initialization: this page has no weights of a run to start from");
  const found = `${[pixels, ...hidden, classes].join("-")}, ${activation}`;
  const wanted = `${start.sizes.join("-")}, ${start.activation}`;
  if (found !== wanted) throw new Error(`initialization: the run has ${wanted}; this network is ${found}`);
}
