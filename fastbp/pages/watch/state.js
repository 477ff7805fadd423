// How the run is doing: what it does now, how far it is, its latest figures, and what looks like trouble.

const STATES = {
  starting: ["Starting", "The run reads its data and makes its network."],
  compiling: ["Preparing the kernels", "The first run of a version compiles them; that takes some seconds."],
  training: ["Training", ""],
  completed: ["Finished", ""],
  interrupted: ["Interrupted", ""],
  diverged: ["Diverged", ""],
  failed: ["Ended", ""],
};
const WAITING = "The curves begin with the run's first figures.";
// In the order in which they are shown, whichever is known first.
const FIGURES = [
  "epoch", "loss", "training", "validation", "validation loss", "lowest validation loss", "learning rate",
  "samples/s", "left",
];
const CONNECTIONS = {
  back: "",
  lost: "No answer from the run. Trying again ...",
  gone: "The run's process is gone, and did not say how it ended. The page shows what was known last.",
};
const BETWEEN = 20000; // milliseconds between two sentences for screen readers

class State {
  constructor(about) {
    this.about = about;
    this.parts = Object.fromEntries(
      ["state", "what", "more", "progress", "figures", "connection", "trouble", "said"].map((id) => {
        return [id, document.getElementById(id)];
      }),
    );
    this.figures = Object.fromEntries(FIGURES.map((name) => [name, this.figureBox(name)]));
    this.toldAt = -Infinity;
    this.doing = "starting";
  }

  show({ facts, series }) {
    const { status = { state: "starting" }, progress, warnings = [] } = facts;
    const isOver = !["starting", "compiling", "training"].includes(status.state);
    const [what, hint] = STATES[status.state] ?? [status.state, ""];
    const isEmpty = Object.keys(series).length === 0;
    const now = isOver ? endOf(status, what) : [hint, isEmpty ? WAITING : ""].filter(Boolean).join(" ");
    this.parts.state.className = status.state;
    this.parts.what.textContent = what;
    this.parts.more.textContent = now;
    this.showFigures(progress, series, isOver);
    this.showTrouble(warnings);
    const isNew = this.doing !== status.state;
    this.doing = status.state;
    const goesOn = isOver && /^[a-z]/.test(now) ? "" : ".";
    this.say(isNew, `${what}${goesOn} ${isOver ? now : this.latest(series)}`);
    const share = Math.round(100 * this.parts.progress.value);
    document.title = `${status.state === "training" ? `${share} %` : what} - ${this.about.name}`;
  }

  showFigures(progress, { training = [], validation = [] }, isOver) {
    const place = Math.max(progress?.place ?? 0, training.at(-1)?.[0] ?? 0);
    this.parts.progress.max = 1;
    this.parts.progress.value = this.about.epochs > 0 ? place / this.about.epochs : 1;
    const [now, held] = [training.at(-1) ?? [], validation.at(-1) ?? []];
    const best = validation.reduce((least, point) => (least && least[1] <= point[1] ? least : point), null);
    this.figure("epoch", `${Math.max(1, Math.ceil(place))} of ${this.about.epochs}`);
    this.figure("loss", isNumber(now[LOSS]) ? brief(now[LOSS]) : "");
    this.figure("training", share(now[ACCURACY]));
    if (isNumber(held[ACCURACY])) this.figure("validation", share(held[ACCURACY]));
    else if (isNumber(held[LOSS])) this.figure("validation loss", brief(held[LOSS]));
    if (validation.length > 1) this.figure("lowest validation loss", `${brief(best[1])}, epoch ${best[0]}`);
    this.figure("learning rate", isNumber(progress?.rate) && !isOver ? brief(progress.rate) : "");
    const speed = progress?.speed ?? now[SPEED];
    this.figure("samples/s", isNumber(speed) ? thousands(speed) : "");
    this.figure("left", isNumber(progress?.left) && !isOver ? duration(progress.left) : "");
  }

  figureBox(name) {
    const box = element("div", name.startsWith("validation") ? "validation" : "");
    const value = element("dd");
    box.hidden = true;
    box.append(element("dt", "", name), value);
    this.parts.figures.append(box);
    return { box, value };
  }

  /** Show a figure by its name; none for an empty text. */
  figure(name, text) {
    const { box, value } = this.figures[name];
    box.hidden = text === "";
    value.textContent = text;
  }

  showTrouble(warnings) {
    this.parts.trouble.hidden = warnings.length === 0;
    const list = this.parts.trouble.querySelector("ul");
    if (list.childElementCount === warnings.length) return;
    list.replaceChildren(...warnings.map((warning) => element("li", "", warning)));
  }

  showConnection(state) {
    this.parts.connection.hidden = state === "back";
    if (this.parts.connection.textContent !== CONNECTIONS[state]) {
      this.parts.connection.textContent = CONNECTIONS[state];
    }
    if (state !== "gone") return;
    this.parts.state.className = "gone";
    this.parts.what.textContent = "Gone";
    document.title = `Gone - ${this.about.name}`;
  }

  latest({ training = [], validation = [] }) {
    const kind = validation.length > 0 ? "validation" : "training";
    const point = (validation.length > 0 ? validation : training).at(-1);
    if (!point) return "";
    const isShare = isNumber(point[ACCURACY]);
    const figure = isShare ? `accuracy ${share(point[ACCURACY])}` : `loss ${brief(point[LOSS])}`;
    return `Epoch ${Math.floor(point[0])} of ${this.about.epochs}, ${kind} ${figure}.`;
  }

  /** For screen readers: what changes all the time would be noise. */
  say(isNew, text) {
    if (!isNew && performance.now() - this.toldAt < BETWEEN) return;
    this.toldAt = performance.now();
    this.parts.said.textContent = text;
  }
}

/** How a run ended, after the word that stands before it: "Interrupted" "in epoch 3 of 9; kept in run." */
function endOf({ message, keptIn }, what) {
  const text = [message, keptIn ? `kept in ${keptIn}` : ""].filter(Boolean).join("; ");
  if (text.toLowerCase().startsWith(`${what.toLowerCase()} `)) return `${text.slice(what.length + 1)}.`;
  return text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "";
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

function share(value) {
  return isNumber(value) ? `${(100 * value).toFixed(2)} %` : "";
}

function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
