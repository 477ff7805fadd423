// Matrices as images, side by side: the weights of each unit, blue below 0, red above, on one common scale.

const GAP = 3;

class Tiles extends View {
  /** `choose(unit)`: called when one of the images is chosen; without it, they are only looked at.
   *  `side`: about how many CSS pixels an image is wide; `least`: how many there are at least in a row.
   *  `unit`: what an image stands for. */
  constructor(parent, { name, side = 56, least = 1, choose = null, unit = "unit" }) {
    super(parent, { name });
    [this.side, this.least] = [side, least];
    this.unit = unit;
    this.choose = choose;
    this.pointed = null;
    this.chosen = null;
    this.readout = element("p", "readout");
    this.readout.setAttribute("aria-live", "polite");
    parent.append(this.readout);
    const { canvas } = this;
    canvas.tabIndex = 0;
    canvas.addEventListener("pointermove", (event) => this.point(this.unitAt(...this.place(event))));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("click", (event) => this.take(this.unitAt(...this.place(event))));
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("keydown", (event) => this.walk(event));
  }

  /** `values`: { units, height, width, values: units x (height x width) numbers by rows }, and optionally
   *  `limit`, the value at the ends of the scale, and `names`, a text for each unit. */
  show(values) {
    super.show(values);
    if (this.pointed !== null) this.tell();
  }

  /** Mark a unit as chosen, or none. */
  mark(unit) {
    this.chosen = unit;
    this.redraw();
  }

  /** Whole device pixels for each value where there is room, so that images stay sharp. */
  arrange(width) {
    const { units, height: rows, width: columns } = this.values;
    const ratio = devicePixelRatio;
    const wanted = Math.min(this.side, width / this.least - GAP) / columns;
    const scale = wanted * ratio >= 1 ? Math.floor(wanted * ratio) / ratio : wanted;
    const across = Math.max(1, Math.min(units, Math.floor((width + GAP) / (scale * columns + GAP))));
    const down = Math.ceil(units / across);
    this.grid = { scale, across, down, stepX: scale * columns + GAP, stepY: scale * rows + GAP };
  }

  heightFor(width) {
    this.arrange(width);
    return Math.ceil(this.grid.down * this.grid.stepY) + 30;
  }

  draw(pen, width, height, colour) {
    const { units, height: rows, width: columns, values } = this.values;
    const { scale, across } = this.grid;
    const limit = this.values.limit ?? scaleLimit(values);
    const table = divergingTable(colour);
    const sheet = this.sheetOf(limit, table);
    for (let unit = 0; unit < units; unit++) {
      const [x, y] = [(unit % across) * columns, Math.floor(unit / across) * rows];
      pen.drawImage(sheet, x, y, columns, rows, ...this.corner(unit), columns * scale, rows * scale);
    }
    for (const [unit, name] of [[this.chosen, "best"], [this.pointed, "text"]]) {
      if (unit === null || unit >= units) continue;
      const [x, y] = this.corner(unit);
      pen.lineWidth = 2;
      pen.strokeStyle = colour(name);
      pen.strokeRect(x - 1, y - 1, columns * scale + 2, rows * scale + 2);
    }
    drawScale(pen, height - 20, Math.min(width, 260), limit, table, colour);
  }

  /** All images side by side, a pixel for each value: to put pixels once is much faster than for each image. */
  sheetOf(limit, table) {
    const { units, height: rows, width: columns, values } = this.values;
    const { across, down } = this.grid;
    this.sheet ??= new OffscreenCanvas(1, 1);
    const { sheet } = this;
    if (sheet.width !== across * columns || sheet.height !== down * rows) {
      [sheet.width, sheet.height] = [across * columns, down * rows];
    }
    const ink = sheet.getContext("2d");
    const pixels = ink.createImageData(sheet.width, sheet.height);
    for (let unit = 0; unit < units; unit++) {
      const corner = Math.floor(unit / across) * rows * sheet.width + (unit % across) * columns;
      for (let row = 0; row < rows; row++) {
        const from = (unit * rows + row) * columns;
        const line = values.subarray(from, from + columns);
        colourValues(line, limit, table, pixels.data, corner + row * sheet.width);
      }
    }
    ink.putImageData(pixels, 0, 0);
    return sheet;
  }

  corner(unit) {
    const { across, stepX, stepY } = this.grid;
    return [(unit % across) * stepX + 1.5, Math.floor(unit / across) * stepY + 1.5];
  }

  unitAt(x, y) {
    if (!this.grid) return null;
    const column = Math.floor(x / this.grid.stepX);
    const unit = Math.floor(y / this.grid.stepY) * this.grid.across + column;
    return column < this.grid.across && unit >= 0 && unit < this.values.units ? unit : null;
  }

  point(unit) {
    if (unit === this.pointed) return;
    this.pointed = unit;
    this.canvas.style.cursor = unit !== null && this.choose ? "pointer" : "";
    this.tell();
    this.redraw();
  }

  take(unit) {
    if (unit === null || !this.choose) return;
    this.mark(unit);
    this.choose(unit);
  }

  tell() {
    this.readout.textContent = this.pointed === null ? "" : this.wordsOf(this.pointed);
  }

  wordsOf(unit) {
    const [low, high] = rangeOf(this.of(unit));
    const name = this.values.names?.[unit] ?? `${this.unit} ${unit}`;
    return `${name}: ${brief(low)} to ${brief(high)}`;
  }

  of(unit) {
    const size = this.values.height * this.values.width;
    return this.values.values.subarray(unit * size, (unit + 1) * size);
  }

  /** Arrow keys go from image to image; Enter or space chooses. */
  walk(event) {
    if (!this.grid || event.ctrlKey || event.altKey || event.metaKey) return;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.grid.across, ArrowDown: this.grid.across };
    if (event.key in moves) {
      const next = this.pointed === null ? (this.chosen ?? 0) : this.pointed + moves[event.key];
      if (next >= 0 && next < this.values.units) this.point(next);
    } else if (event.key === "Enter" || event.key === " ") {
      if (!this.choose) return;
      this.take(this.pointed);
    } else return;
    event.preventDefault();
    event.stopPropagation(); // the page may have a use for space of its own
  }

  words() {
    const [low, high] = rangeOf(this.values.values);
    return `${this.values.units} images of ${this.values.height} by ${this.values.width}, `
      + `values ${brief(low)} to ${brief(high)}`;
  }
}

/** The scale of colours with its figures, as a bar. */
function drawScale(pen, y, width, limit, table, colour) {
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.fillStyle = colour("quiet");
  const [low, high] = [`-${brief(limit)}`, `+${brief(limit)}`];
  pen.fillText(low, 0, y + 6);
  const left = pen.measureText(low).width + 6;
  const right = width - pen.measureText(high).width - 6;
  pen.fillText(high, right + 6, y + 6);
  for (let x = Math.ceil(left); x < right; x++) {
    const at = 3 * Math.round(((x - left) / (right - left)) * 2 * SHADES);
    pen.fillStyle = `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
    pen.fillRect(x, y, 1, 12);
  }
  line(pen, colour("quiet"), (left + right) / 2, y, (left + right) / 2, y + 12);
}

/** The size that 99.5 % of the values do not exceed: a few extremes would leave all else pale. */
function scaleLimit(values) {
  const every = Math.max(1, Math.floor(values.length / 5000)); // enough to know the share
  const sizes = [];
  for (let i = 0; i < values.length; i += every) {
    if (Number.isFinite(values[i])) sizes.push(Math.abs(values[i]));
  }
  sizes.sort((a, b) => a - b);
  return sizes[Math.floor(0.995 * (sizes.length - 1))] || sizes.at(-1) || 1;
}

function rangeOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
