// Buttons and keys that run the training, and the figures beside them.

class Controls {
  /** `training`: see Training; `again()`: new networks from the same choices. */
  constructor(training, { again, compare }) {
    this.training = training;
    this.again = again;
    this.runButton = document.getElementById("run");
    this.figures = document.getElementById("figures");
    this.status = document.getElementById("status");
    this.isRunning = false;
    const actions = {
      run: () => this.toggle(), step: () => this.advance("step"), epoch: () => this.advance("epoch"), again,
    };
    for (const [id, action] of Object.entries(actions)) {
      document.getElementById(id).addEventListener("click", action);
    }
    const keys = { " ": actions.run, "s": actions.step, "e": actions.epoch, "r": again, "c": compare };
    document.addEventListener("keydown", (event) => this.press(event, keys));
  }

  toggle() {
    if (this.isRunning) this.training.send("pause");
    else this.run();
  }

  run() {
    if (this.training.isDone) this.again();
    this.training.send("run");
  }

  /** One step or one epoch; what runs, stops there. */
  advance(type) {
    if (this.training.isDone) this.again();
    this.training.send(type);
  }

  press(event, keys) {
    const { target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.closest?.("input:not([type=checkbox]), select, textarea")) return; // someone is typing
    if (event.key === " " && target.closest?.("button, summary, input, a")) return; // it presses these
    const action = keys[event.key.toLowerCase()];
    if (action === undefined || (event.repeat && event.key !== "s")) return;
    event.preventDefault();
    action();
  }

  show(state) {
    this.isRunning = state.running;
    document.body.dataset.running = state.running;
    const isDone = this.training.isDone;
    this.runButton.firstElementChild.textContent = state.running ? "Pause" : isDone ? "Run again" : "Run";
    const boxes = this.figures.children;
    while (boxes.length < state.networks.length) this.figures.append(figureBox(boxes.length));
    while (boxes.length > state.networks.length) this.figures.lastElementChild.remove();
    state.networks.forEach((network, number) => showFigures(boxes[number], network));
    this.say(this.words(state));
  }

  /** What happens, in words that change seldom: they are read aloud. */
  words({ running, networks }) {
    const [{ updates, epoch, choices: { epochs } }] = networks;
    if (running) return `Training: ${counted(epochs, "epoch")} to go through.`;
    const result = networks.map(({ validation }, number) =>
      `${networks.length > 1 ? NAMES[number] : "It"} reads ${percent(validation?.accuracy)}`).join(", ");
    if (this.training.isDone) return `Done. ${result} of the validation digits correctly.`;
    if (updates === 0) return "Ready. Press Run.";
    return `Paused at epoch ${epoch.toFixed(2)}, after ${counted(updates, "update")}.`;
  }

  say(text) {
    if (this.status.textContent !== text) this.status.textContent = text;
  }
}

const FIGURES = ["validation", "loss", "epoch", "updates", "speed"];

function figureBox(number) {
  const box = element("dl", `figures ${COLOURS[number]}`);
  box.setAttribute("aria-label", `Network ${NAMES[number]}`);
  box.append(element("b", `badge ${COLOURS[number]}`, NAMES[number]));
  const names = ["validation", "training loss", "epoch", "updates", "digits/s"];
  FIGURES.forEach((key, i) => {
    const pair = element("div", key);
    const value = element("dd");
    value.dataset.figure = key;
    pair.append(element("dt", "", names[i]), value);
    box.append(pair);
  });
  return box;
}

function showFigures(box, { choices, validation, loss, epoch, updates, samplesPerSecond }) {
  const texts = {
    validation: percent(validation?.accuracy),
    loss: isNumber(loss) ? brief(loss) : "-",
    epoch: `${epoch.toFixed(1)} of ${choices.epochs}`,
    updates: updates.toLocaleString("en"),
    speed: samplesPerSecond > 0 ? Math.round(samplesPerSecond).toLocaleString("en") : "-",
  };
  for (const value of box.querySelectorAll("dd")) value.textContent = texts[value.dataset.figure];
}

/** "1 update", "2,729 updates" */
function counted(number, name) {
  return `${number.toLocaleString("en")} ${name}${number === 1 ? "" : "s"}`;
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function percent(share) {
  return isNumber(share) ? `${(100 * share).toFixed(1)} %` : "-";
}
