// Trains one or two networks side by side, in small pieces, on the same order of the same rows if their seeds
// are equal: the one that has seen fewer samples goes first.

class Session {
  constructor(digits, networks) {
    if (networks.length < 1 || networks.length > 2) throw new Error("expected one or two networks");
    this.digits = digits;
    this.learners = networks.map((choices) => new Learner(digits, choices));
    this.goals = this.learners.map((learner) => learner.samples); // how many samples each is to have seen
    this.drawn = null;
    this.look = null;
  }

  get isRunning() {
    return this.learners.some((learner, number) => this.isBehind(learner, number));
  }

  /** Whether there is anything to do. */
  get isBusy() {
    return this.isRunning || this.learners.some((learner) => learner.isBusy);
  }

  isBehind(learner, number) {
    return !learner.isOver && learner.samples < this.goals[number];
  }

  run() {
    this.goals.fill(Infinity);
  }

  pause() {
    this.stop();
    this.validate();
  }

  /** One mini-batch of each. */
  step() {
    this.stop();
    for (const learner of this.learners) {
      while (learner.isBusy) learner.work();
      if (!learner.isOver) learner.work();
    }
    this.stop();
    this.validate();
  }

  /** To the end of the epoch. */
  epoch() {
    const { trainCount } = this.digits;
    this.learners.forEach(({ samples }, number) => {
      this.goals[number] = (Math.floor(samples / trainCount) + 1) * trainCount;
    });
  }

  stop() {
    this.learners.forEach(({ samples }, number) => {
      this.goals[number] = samples;
    });
  }

  /** What is shown while nothing runs belongs to the weights that are shown. */
  validate() {
    for (const learner of this.learners) if (!learner.isBusy) learner.validate();
  }

  break(order) {
    this.learner(order.network).break(order);
  }

  learner(number) {
    const learner = this.learners[number];
    if (learner === undefined) throw new Error(`network: ${number}; there is no such network`);
    return learner;
  }

  /** Work until `deadline`, in milliseconds of performance.now(), or until nothing is left to do. */
  advance(deadline) {
    while (performance.now() < deadline) {
      const learner = this.next();
      if (learner === null) return;
      learner.work();
    }
  }

  /** Whose turn it is; null: nothing is left to do. */
  next() {
    const measured = this.learners.find((learner) => learner.isBusy);
    if (measured !== undefined) return measured;
    const behind = this.learners.filter((learner, number) => this.isBehind(learner, number));
    return behind.reduce((a, b) => (a === null || b.samples < a.samples ? b : a), null);
  }

  state() {
    const networks = this.learners.map((learner, number) => {
      const isSeen = this.look === null || this.look.network === number;
      return learner.state(isSeen ? (this.look?.units ?? 64) : 0, this.drawn);
    });
    return { type: "state", running: this.isRunning, networks };
  }

  export(number) {
    const { trainer } = this.learner(number);
    return safetensorsOf(trainer.network, trainer.choices.activation, this.digits.version);
  }
}
