// The loss along the direction of the update, over the learning rate, by powers of ten.

const POINTS = 61;
const WORK = 12; // ms a frame for the points of the curve, so that the page stays quick

class LossCurve extends View {
  /** `choose(rate)`: called when a rate is chosen on the curve; `tell()`: when it has all of its points. */
  constructor(parent, choose, tell) {
    super(parent, { name: "Loss after the update, over the learning rate", height: 230 });
    this.choose = choose;
    this.tell = tell;
    this.canvas.addEventListener("click", (event) => this.take(event));
  }

  /** `values`: { example, squaredLength: of its gradient, low, high: powers of ten of the rate, rate, after:
   *  the loss with it }. */
  show(values) {
    super.show(values);
    this.points = [];
    this.turn = (this.turn ?? 0) + 1;
    this.compute(this.turn);
  }

  /** Mark another rate on the same curve. */
  mark(rate, after) {
    Object.assign(this.values, { rate, after });
    this.redraw();
  }

  /** Add points for some milliseconds, and go on later, unless another curve was asked for. */
  compute(turn) {
    if (turn !== this.turn) return;
    const { example, low, high } = this.values;
    const end = performance.now() + WORK;
    while (this.points.length < POINTS && performance.now() < end) {
      const power = low + ((high - low) * this.points.length) / (POINTS - 1);
      this.points.push([power, example.after(10 ** power).loss]);
    }
    this.redraw();
    if (this.points.length < POINTS) setTimeout(() => this.compute(turn), 0);
    else this.tell();
  }

  get isWhole() {
    return this.points.length === POINTS;
  }

  /** Powers of ten of the rate: `rise`, the first with a loss above that before, null if there is none;
   *  `lowest`, that of the lowest loss; `high`, the last. */
  course() {
    const { example, high } = this.values;
    const rise = this.points.find(([, after]) => isAbove(after, example.loss))?.[0] ?? null;
    return { rise, lowest: this.lowest()[0], high };
  }

  lowest() {
    return this.points.reduce((a, b) => (b[1] < a[1] ? b : a), this.points[0] ?? [0, NaN]);
  }

  draw(pen, width, height, colour) {
    const { example, squaredLength, low, high, rate, after } = this.values;
    const frame = { left: 52, right: width - 18, top: 10, bottom: height - 36 };
    const top = this.top();
    const across = (power) => frame.left + ((power - low) / (high - low)) * (frame.right - frame.left);
    const down = (loss) => frame.bottom - (loss / top) * (frame.bottom - frame.top);
    Object.assign(this, { frame });
    this.drawAxes(pen, frame, across, down, top, colour);
    pen.save();
    pen.beginPath();
    pen.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
    pen.clip();
    const promised = this.points.map(([power]) => [power, example.loss - 10 ** power * squaredLength]);
    trace(pen, [[low, example.loss], [high, example.loss]], across, down, colour("line"), [2, 3]);
    trace(pen, promised, across, down, colour("b"), [6, 4]);
    trace(pen, this.points, across, down, colour("a"), []);
    pen.restore();
    const at = across(Math.log10(rate));
    trace(pen, [[Math.log10(rate), 0], [Math.log10(rate), top]], across, down, colour("text"), [1, 3]);
    pen.fillStyle = colour("text");
    pen.beginPath();
    pen.arc(at, down(Math.min(top, Number.isFinite(after) ? after : top)), 5, 0, 2 * Math.PI);
    pen.fill();
  }

  /** The highest loss of the axis: more than the loss was before, but not all of an explosion. */
  top() {
    const { loss } = this.values.example;
    const highest = Math.max(0, ...this.points.map(([, after]) => (Number.isFinite(after) ? after : 0)));
    return Math.max(1.25 * loss, Math.min(1.05 * highest, 3 * loss)) || 1;
  }

  drawAxes(pen, frame, across, down, top, colour) {
    const { low, high } = this.values;
    pen.fillStyle = colour("quiet");
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const loss of ticks(0, top, 4)) {
      const y = down(loss);
      pen.fillText(brief(loss), frame.left - 6, y);
      pen.fillStyle = colour("grid");
      pen.fillRect(frame.left, y, frame.right - frame.left, 1);
      pen.fillStyle = colour("quiet");
    }
    pen.textAlign = "center";
    pen.textBaseline = "top";
    const every = Math.ceil((high - low) / Math.max(2, Math.floor((frame.right - frame.left) / 55)));
    for (let power = low; power <= high; power += every) {
      pen.fillText(powerName(power), across(power), frame.bottom + 6);
    }
    pen.textAlign = "right";
    pen.fillText("learning rate", frame.right, frame.bottom + 21);
  }

  take(event) {
    const { low, high } = this.values;
    const [x] = this.place(event);
    const share = (x - this.frame.left) / (this.frame.right - this.frame.left);
    this.choose(10 ** (low + (high - low) * Math.min(1, Math.max(0, share))));
  }

  words() {
    const { example, rate, after } = this.values;
    const best = this.lowest();
    return `${figure(example.loss)} before; ${figure(after)} with a rate of ${figure(rate)}; `
      + `lowest ${figure(best[1])} with a rate of ${figure(10 ** best[0], 2)}`;
  }
}

/** A power of ten for an axis. */
function powerName(power) {
  return Math.abs(power) > 4 ? `1e${power}` : String(Number((10 ** power).toPrecision(3)));
}

function trace(pen, points, across, down, colour, dashes) {
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.setLineDash(dashes);
  pen.beginPath();
  let isDown = false;
  for (const [power, loss] of points) {
    const isShown = Number.isFinite(loss);
    if (isShown) pen[isDown ? "lineTo" : "moveTo"](across(power), Math.max(-1e4, Math.min(1e4, down(loss))));
    isDown = isShown;
  }
  pen.stroke();
  pen.setLineDash([]);
}
