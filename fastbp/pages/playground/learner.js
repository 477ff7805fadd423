// One network that learns: its trainer, what is measured on the way, and what a page is told of it.

class Learner {
  constructor(digits, choices) {
    this.digits = digits;
    this.trainer = new Trainer(digits, choices);
    this.probe = new Probe(this.trainer.network, digits);
    this.recent = new Recent();
    this.seconds = 0; // of training alone
    this.curve = []; // points that were not told yet
    this.eighth = this.breaks = 0;
    this.validated = { loss: null, accuracy: null };
    this.wrong = { surest: [], count: 0 };
    this.validate();
  }

  get samples() {
    return this.trainer.samples;
  }

  get isOver() {
    return this.trainer.ended !== null;
  }

  /** Whether validation digits have to be looked at before the next update. */
  get isBusy() {
    return this.validation !== null;
  }

  /** Look at the validation digits anew; a point of the curve follows. */
  validate() {
    this.validation = new Validation(this.trainer.network, this.digits);
  }

  /** Do the next small piece of work: some validation digits, or an update. */
  work() {
    if (this.validation !== null) this.goOnValidating();
    else this.learn();
  }

  learn() {
    const start = performance.now();
    const seen = this.trainer.step();
    this.seconds += (performance.now() - start) / 1000;
    if (seen === null) return;
    this.recent.add(seen);
    this.measure();
  }

  /** A point of the curve each eighth of an epoch; with validation at each end, and thrice in the first. */
  measure() {
    const { updates, steps, isEpochEnd } = this.trainer;
    const eighth = Math.floor((8 * updates) / steps);
    if (eighth === this.eighth) return;
    this.eighth = eighth;
    if (isEpochEnd || eighth === 1 || eighth === 2 || eighth === 4) this.validate();
    else this.addPoint({ loss: null, accuracy: null });
  }

  goOnValidating() {
    this.validation.advance();
    if (!this.validation.isDone) return;
    this.validated = this.validation.means;
    this.wrong = { surest: this.validation.surest, count: this.validation.wrong.length };
    this.validation = null;
    this.addPoint(this.validated);
    const { trainer } = this;
    if (!trainer.isEpochEnd || this.judged === trainer.updates) return;
    this.judged = trainer.updates; // a broken network is validated again
    trainer.endEpoch(this.validated.loss);
  }

  addPoint({ loss: validationLoss, accuracy: validationAccuracy }) {
    const { updates } = this.trainer;
    const means = this.recent.means;
    const { breaks } = this;
    this.curve.push({ ...this.progress, updates, breaks, ...means, validationLoss, validationAccuracy });
  }

  get progress() {
    return { epoch: this.samples / this.digits.trainCount, seconds: this.seconds };
  }

  /** Break it as `order` says, and see what is left. */
  break(order) {
    const random = new Random(this.trainer.choices.seed, STREAMS.breaking, this.breaks);
    breakNetwork(this.trainer.network, order, random);
    this.breaks += 1;
    this.recent = new Recent(); // what it held was of the whole network
    this.validate();
  }

  /** What the page shows. `units`: of how many the weights are told; 0: neither weights nor layers are. */
  state(units, drawn) {
    const { trainer } = this;
    const { choices, updates, epochs, diverged, ended, network } = trainer;
    const layers = this.probe.layers();
    return {
      choices,
      ...this.progress,
      ...this.recent.means,
      samples: this.samples,
      updates,
      epochs,
      samplesPerSecond: this.seconds > 0 ? this.samples / this.seconds : 0,
      learningRate: trainer.learningRate,
      curve: this.curve.splice(0),
      validation: this.validated,
      diverged,
      ended,
      trouble: this.trouble(layers),
      weights: units > 0 ? weightImages(network, units) : null,
      layers: units > 0 ? layers : null,
      wrong: this.wrong.surest,
      wrongCount: this.wrong.count,
      drawn: drawn === null ? null : network.probabilities(drawn),
    };
  }

  /** Why it may be learning nothing, in sentences: a run that learns nothing should say so. */
  trouble(layers) {
    const found = this.trainer.diverged === null ? [] : [`Training has ended: ${this.trainer.diverged.why}.`];
    layers.forEach(({ dead, gradientNorm }, number) => {
      const name = `layer ${number + 1}`;
      const share = dead === 1 ? "All" : `${Math.round(100 * dead)} % of`;
      if (dead > 0.5) found.push(`${share} units of ${name} are 0 for every digit: they learn nothing.`);
      if (gradientNorm === 0) found.push(`The gradient of ${name} is 0: its weights do not change.`);
    });
    const { loss } = this.recent.means;
    const guess = Math.log(this.digits.classes);
    if (this.trainer.epochs > 0 && loss > 0.99 * guess) {
      found.push(`After a whole epoch the loss is not below that of a guess, ${guess.toFixed(2)}.`);
    }
    return found;
  }
}
