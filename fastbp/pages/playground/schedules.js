// The learning rate of every update: the schedules of fastbp/recipe/schedules.py with the numbers that they
// have if none are given, and the plateaus of fastbp/recipe/plateau.py.

const [ONE_CYCLE_RISE, ONE_CYCLE_START, ONE_CYCLE_END] = [0.3, 1 / 25, 1 / 250000];

/** Share of the rate that update t of `total` has. */
const SCHEDULES = {
  "constant": () => 1,
  "linear": (t, total) => 1 - t / total,
  "step": (t, total) => 0.1 ** Math.floor((t * 3) / total),
  "exponential": (t, total) => 0.01 ** (t / total),
  "inverse": (t) => (t + 1) ** -0.5,
  "cosine": (t, total) => 0.5 * (1 + Math.cos((Math.PI * t) / total)),
  "one-cycle": (t, total) => {
    const done = t / total;
    if (done < ONE_CYCLE_RISE) {
      const rising = 0.5 * (1 - Math.cos((Math.PI * done) / ONE_CYCLE_RISE));
      return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * rising;
    }
    const falling = 0.5 * (1 + Math.cos((Math.PI * (done - ONE_CYCLE_RISE)) / (1 - ONE_CYCLE_RISE)));
    return ONE_CYCLE_END + (1 - ONE_CYCLE_END) * falling;
  },
  "plateau": () => 1, // of a rate that falls itself, see below
};

/** The rate that shares are of. With "plateau", it falls to a fifth whenever two epochs in a row have not
 *  lowered the validation loss by 0.0001, and training ends where it would fall below a millionth. */
class PlateauRate {
  constructor(schedule, rate) {
    this.isActive = schedule === "plateau";
    this.first = this.rate = rate;
    this.best = Infinity;
    this.idle = this.falls = 0;
  }

  /** See the validation loss after an epoch; return whether training should end. */
  observe(loss) {
    if (!this.isActive) return false;
    this.idle = this.best - loss >= 1e-4 ? 0 : this.idle + 1;
    if (loss < this.best) this.best = loss;
    if (this.idle < 2) return false;
    const fallen = this.first * 0.2 ** (this.falls + 1); // by a power: roundings of many falls do not add up
    if (fallen < 1e-6) return true;
    this.rate = fallen;
    this.falls += 1;
    this.idle = 0;
    return false;
  }
}
