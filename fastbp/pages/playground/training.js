// The worker that trains, seen from the page: commands to it, its states, and the curves that they add up to.

class Training {
  /** `onState(state)` is called with each state, to which `curves` (all points of each network) is added. */
  constructor({ onState, onExported, onError }) {
    const source = document.getElementById("worker").textContent;
    const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    this.worker = new Worker(address);
    URL.revokeObjectURL(address);
    [this.onState, this.onExported, this.onError] = [onState, onExported, onError];
    this.curves = [];
    this.awaited = null; // choices of new networks whose first state has not come yet
    this.waiting = []; // commands until then
    this.state = null;
    this.worker.addEventListener("message", ({ data }) => this.receive(data));
    this.worker.addEventListener("error", (event) => onError(event.message));
    this.isReady = new Promise((resolve) => (this.becomeReady = resolve));
  }

  /** A command; one for new networks waits for their first state, which could not be told otherwise. */
  send(type, fields = {}) {
    if (this.awaited === null) this.worker.postMessage({ type, ...fields });
    else this.waiting.push([type, fields]);
  }

  settle() {
    this.awaited = null;
    for (const [type, fields] of this.waiting.splice(0)) this.send(type, fields);
  }

  /** New networks, from the seeds of their choices. */
  reset(networks) {
    this.waiting = [];
    this.awaited = choicesOf({ networks: networks.map((choices) => ({ choices })) });
    this.worker.postMessage({ type: "reset", networks });
  }

  receive(message) {
    if (message.type === "ready") this.becomeReady();
    else if (message.type === "state") this.take(message);
    else if (message.type === "exported") this.onExported(message);
    else if (message.type === "failed") this.fail(message.text);
  }

  take(state) {
    if (this.awaited !== null) {
      const isOld = state.running || state.networks.some(({ samples }) => samples > 0);
      if (isOld || choicesOf(state) !== this.awaited) return; // of the networks before
      this.curves = state.networks.map(() => []);
      this.settle();
    }
    state.networks.forEach(({ curve }, number) => this.curves[number].push(...(curve ?? [])));
    this.state = state;
    this.onState(state, this.curves);
  }

  /** Something could not be done, and nothing has changed. */
  fail(text) {
    this.settle();
    this.onError(text);
  }

  /** Whether no network has anything left to do. */
  get isDone() {
    return this.state !== null && this.state.networks.every(({ ended }) => ended !== null);
  }
}

/** Choices of all networks of a state as a text, to compare. */
function choicesOf({ networks }) {
  return JSON.stringify(networks.map(({ choices }) => Object.entries(choices).sort()));
}
