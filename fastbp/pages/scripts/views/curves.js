// Curves over a common x: several series, y linear or by powers of ten, a legend, figures where one points.

class Curves extends View {
  /** `format(value)` writes a value of y. */
  constructor(parent, { name, height = 210, format = brief }) {
    const legend = element("ul", "legend");
    parent.append(legend);
    super(parent, { name, height });
    this.legend = legend;
    this.format = format;
    this.readout = element("p", "readout");
    this.readout.setAttribute("aria-live", "polite");
    parent.append(this.readout);
    this.cursor = null; // x that is pointed at
    const { canvas } = this;
    canvas.tabIndex = 0;
    canvas.addEventListener("pointermove", (event) => this.point(this.valueAt(this.place(event)[0])));
    canvas.addEventListener("pointerdown", (event) => this.point(this.valueAt(this.place(event)[0])));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("keydown", (event) => this.walk(event));
  }

  /** `values`: { series: [{ name, colour, dashed, points: [[x, y], ...] }], x: name of the axis,
   *  low, high: limits of y (optional), log: whether y goes by powers of ten,
   *  marks: [{ x, name }], vertical lines (optional) }. `colour` is a custom property: "a" is --a.
   *  x never falls within a series. */
  show(values) {
    this.showLegend(values.series);
    super.show(values);
    if (this.cursor !== null) this.tell();
  }

  showLegend(series) {
    const text = series.map(({ name, colour, dashed }) => `${name} ${colour} ${dashed}`).join("\n");
    if (text === this.legendText) return;
    this.legendText = text;
    this.legend.replaceChildren(
      ...series.map(({ name, colour, dashed }) => {
        const item = element("li", "", name);
        item.prepend(element("span", `stroke ${colour}${dashed ? " dashed" : ""}`));
        return item;
      }),
    );
  }

  draw(pen, width, height, colour) {
    const frame = { left: 46, right: width - 12, top: 8, bottom: height - 34 };
    this.scaleOf(frame);
    frame.left = 10 + Math.max(...this.levels().map((y) => pen.measureText(this.format(y)).width));
    this.scaleOf(frame);
    this.drawAxes(pen, frame, colour);
    pen.save();
    pen.beginPath();
    pen.rect(frame.left, frame.top - 3, frame.right - frame.left + 3, frame.bottom - frame.top + 6);
    pen.clip();
    for (const one of this.values.series) this.drawSeries(pen, one, colour);
    pen.restore();
    if (this.cursor !== null) this.drawCursor(pen, frame, colour);
  }

  /** Limits of both axes, and what carries values to pixels. */
  scaleOf(frame) {
    const { series, log } = this.values;
    const isShown = ([, y]) => Number.isFinite(y) && (!log || y > 0);
    const points = series.flatMap((one) => one.points).filter(isShown);
    let [left, right, low, high] = [0, 0, Infinity, -Infinity];
    for (const [x, y] of points) {
      right = Math.max(right, x);
      low = Math.min(low, y);
      high = Math.max(high, y);
    }
    if (points.length === 0) [low, high] = [log ? 0.1 : 0, 1];
    [low, high] = [this.values.low ?? low, this.values.high ?? high];
    if (this.values.left !== undefined) left = this.values.left;
    if (right <= left) right = left + 1;
    if (high <= low) [low, high] = log ? [low / 2, low * 2] : [low - 0.5, low + 0.5];
    const level = log ? Math.log10 : (y) => y;
    const margin = 0.04 * (level(high) - level(low));
    const bottom = this.values.low === undefined ? level(low) - margin : level(low);
    const top = this.values.high === undefined ? level(high) + margin : level(high);
    this.limits = { left, right, bottom, top };
    this.across = (x) => frame.left + ((x - left) / (right - left)) * (frame.right - frame.left);
    this.down = (y) => frame.bottom - ((level(y) - bottom) / (top - bottom)) * (frame.bottom - frame.top);
    this.valueAt = (pixel) => left + ((pixel - frame.left) / (frame.right - frame.left)) * (right - left);
  }

  valueAt() {
    return null; // nothing is drawn yet
  }

  levels() {
    const { bottom, top } = this.limits;
    if (!this.values.log) return ticks(bottom, top, 4);
    const powers = [];
    const factors = top - bottom < 2 ? [1, 2, 5] : [1];
    const every = Math.max(1, Math.ceil((top - bottom) / 6));
    for (let power = Math.floor(bottom); power <= Math.ceil(top); power++) {
      if (power % every === 0) powers.push(...factors.map((factor) => factor * 10 ** power));
    }
    const shown = powers.filter((y) => Math.log10(y) >= bottom - 1e-9 && Math.log10(y) <= top + 1e-9);
    return shown.length >= 2 ? shown : ticks(10 ** bottom, 10 ** top, 4);
  }

  drawAxes(pen, frame, colour) {
    const { left, right } = this.limits;
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const y of this.levels()) {
      const at = Math.round(this.down(y)) + 0.5;
      line(pen, colour("grid"), frame.left, at, frame.right, at);
      pen.fillStyle = colour("quiet");
      pen.fillText(this.format(y), frame.left - 6, at);
    }
    pen.textBaseline = "top";
    pen.textAlign = "center";
    const room = Math.max(2, Math.floor((frame.right - frame.left) / 70));
    for (const x of ticks(left, right, room)) {
      const at = Math.round(this.across(x)) + 0.5;
      line(pen, colour("line"), at, frame.bottom, at, frame.bottom + 4);
      pen.fillStyle = colour("quiet");
      pen.fillText(brief(x, 6), at, frame.bottom + 6);
    }
    line(pen, colour("line"), frame.left, frame.bottom + 0.5, frame.right, frame.bottom + 0.5);
    pen.textAlign = "right";
    pen.fillText(this.values.x, frame.right, frame.bottom + 20);
    this.drawMarks(pen, frame, colour);
  }

  drawMarks(pen, frame, colour) {
    pen.textAlign = "left";
    for (const { x, name } of this.values.marks ?? []) {
      const at = Math.round(this.across(x)) + 0.5;
      pen.setLineDash([2, 3]);
      line(pen, colour("quiet"), at, frame.top, at, frame.bottom);
      pen.setLineDash([]);
      const isWide = at + 4 + pen.measureText(name).width > frame.right;
      pen.textAlign = isWide ? "right" : "left";
      pen.fillText(name, at + (isWide ? -4 : 4), frame.top);
    }
  }

  drawSeries(pen, { colour: name, dashed, points }, colour) {
    pen.strokeStyle = pen.fillStyle = colour(name);
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.setLineDash(dashed ? [5, 4] : []);
    pen.beginPath();
    let isDown = false;
    for (const [x, y] of points) {
      const isShown = Number.isFinite(y) && (!this.values.log || y > 0);
      if (isShown) pen[isDown ? "lineTo" : "moveTo"](this.across(x), this.down(y));
      isDown = isShown;
    }
    pen.stroke();
    pen.setLineDash([]);
    const last = points.at(-1);
    if (last && Number.isFinite(last[1])) dot(pen, this.across(last[0]), this.down(last[1]), 2.5);
  }

  drawCursor(pen, frame, colour) {
    const at = Math.round(this.across(this.cursor)) + 0.5;
    line(pen, colour("text"), at, frame.top, at, frame.bottom);
    for (const one of this.values.series) {
      const point = nearest(one.points, this.cursor);
      if (!point || !Number.isFinite(point[1])) continue;
      pen.fillStyle = colour(one.colour);
      dot(pen, this.across(point[0]), this.down(point[1]), 4);
    }
  }

  /** Point at a value of x, or at none. */
  point(x) {
    this.cursor = x === null ? null : Math.min(this.limits.right, Math.max(this.limits.left, x));
    this.tell();
    this.redraw();
  }

  tell() {
    const { series, x } = this.values;
    const said = this.cursor === null ? [] : series.map((one) => this.figure(one)).filter(Boolean);
    this.readout.textContent = said.length ? `${x} ${brief(this.cursor, 4)}: ${said.join("; ")}` : "";
  }

  figure({ name, points }) {
    const point = nearest(points, this.cursor);
    return point && `${name} ${this.format(point[1])}`;
  }

  /** Arrow keys go from point to point of the longest series, Home and End to its ends. */
  walk(event) {
    const lists = (this.values?.series ?? []).map(({ points }) => points);
    const points = lists.reduce((a, b) => (b.length > a.length ? b : a), []);
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
    if (event.key === "Escape") return this.point(null);
    if (!this.limits || points.length === 0 || !(event.key in moves)) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page may have a use for arrows of its own
    const last = points.length - 1;
    const here = this.cursor === null ? last : points.indexOf(nearest(points, this.cursor));
    const move = this.cursor === null ? 0 : moves[event.key];
    this.point(points[Math.min(last, Math.max(0, here + move))][0]);
  }

  words() {
    const said = this.values.series.filter(({ points }) => points.length > 0).map(({ name, points }) => {
      const [[x, y], [, first]] = [points.at(-1), points[0]];
      return `${name} ${this.format(y)} at ${brief(x, 4)} ${this.values.x}, first ${this.format(first)}`;
    });
    return said.join("; ") || "nothing yet";
  }
}

/** The point of a series whose x is nearest; undefined of an empty series. */
function nearest(points, x) {
  let [low, high] = [0, points.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle;
    else high = middle;
  }
  if (high <= 0) return points[0];
  return Math.abs(points[high][0] - x) < Math.abs(points[low][0] - x) ? points[high] : points[low];
}

function line(pen, colour, fromX, fromY, toX, toY) {
  pen.strokeStyle = colour;
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}

function dot(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}
