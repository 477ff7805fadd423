// Numbers as coloured cells: a strip or an image, with the number of the cell that is pointed at.

class Cells extends View {
  /** `nameOf(index)`: what a cell is called. `choose(index)`: called when a cell is chosen, if it may be.
   *  `side`: at most so many CSS pixels for a cell. `isInk`: shades of grey for 0 and above, no colours. */
  constructor(parent, { name, nameOf, choose = null, side = 20, isInk = false }) {
    const block = element("div", "cells");
    parent.append(block);
    super(block, { name });
    Object.assign(this, { nameOf, choose, side, isInk, pointed: null });
    this.readout = element("p", "readout");
    block.append(this.readout);
    const { canvas } = this;
    canvas.tabIndex = 0;
    canvas.addEventListener("pointermove", (event) => this.point(this.cellAt(event)));
    canvas.addEventListener("pointerdown", (event) => {
      event.preventDefault(); // the keyboard's focus stays where it is, so that arrow keys still walk
      this.point(this.cellAt(event));
    });
    canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.point(null));
    canvas.addEventListener("click", (event) => this.take(this.cellAt(event)));
    canvas.addEventListener("focus", () => this.point(this.pointed ?? this.values?.chosen ?? 0));
    canvas.addEventListener("blur", () => this.point(null));
    canvas.addEventListener("keydown", (event) => this.move(event));
  }

  /** `values`: { values, height, width }, and optionally `chosen`, a cell, and `off(index)`, whether it is
   *  crossed out. */
  show(values) {
    super.show(values);
    [this.low, this.high] = [Infinity, -Infinity];
    for (const value of values.values) {
      this.low = Math.min(this.low, value);
      this.high = Math.max(this.high, value);
    }
    this.limit = Math.max(Math.abs(this.low), Math.abs(this.high)) || 1;
    this.tell();
  }

  heightFor(width) {
    this.cell = Math.min(this.side, (width - 2) / this.values.width);
    return Math.ceil(this.cell * this.values.height) + 2;
  }

  draw(pen, width, height, colour) {
    const { values, height: rows, width: columns, off, chosen } = this.values;
    const { cell } = this;
    const image = new OffscreenCanvas(columns, rows);
    const ink = image.getContext("2d");
    const pixels = ink.createImageData(columns, rows);
    if (this.isInk) greyValues(values, this.limit, pixels.data);
    else colourValues(values, this.limit, divergingTable(colour), pixels.data);
    ink.putImageData(pixels, 0, 0);
    pen.translate(1, 1);
    pen.drawImage(image, 0, 0, columns * cell, rows * cell);
    if (off) this.crossOut(pen, off, colour("quiet"));
    pen.strokeStyle = colour("line");
    pen.lineWidth = 1;
    if (values.length === rows * columns) pen.strokeRect(0, 0, columns * cell, rows * cell);
    for (const [index, name] of [[chosen, "best"], [this.pointed, "text"]]) {
      if (index === undefined || index === null) continue;
      pen.lineWidth = 2;
      pen.strokeStyle = colour(name);
      const [x, y] = [(index % columns) * cell, Math.floor(index / columns) * cell];
      pen.strokeRect(x - 0.5, y - 0.5, cell + 1, cell + 1);
    }
  }

  /** A stroke through each cell that is off. */
  crossOut(pen, off, colour) {
    const { cell } = this;
    const margin = 0.3 * cell;
    pen.strokeStyle = colour;
    pen.lineWidth = Math.max(0.7, cell / 14);
    pen.beginPath();
    for (let index = 0; index < this.values.values.length; index++) {
      if (!off(index)) continue;
      const [x, y] = [(index % this.values.width) * cell, Math.floor(index / this.values.width) * cell];
      pen.moveTo(x + margin, y + cell - margin);
      pen.lineTo(x + cell - margin, y + margin);
    }
    pen.stroke();
  }

  cellAt(event) {
    const [x, y] = this.place(event);
    const [column, row] = [Math.floor((x - 1) / this.cell), Math.floor((y - 1) / this.cell)];
    const { width, values } = this.values;
    const index = row * width + column;
    return column >= 0 && column < width && row >= 0 && index < values.length ? index : null;
  }

  point(index) {
    if (index === this.pointed) return;
    this.pointed = index;
    this.canvas.style.cursor = index !== null && this.choose ? "pointer" : "";
    this.tell();
    this.redraw();
  }

  take(index) {
    if (index !== null) this.choose?.(index);
  }

  /** Arrow keys go from cell to cell, Enter chooses, Escape gives the arrow keys back to the walk. */
  move(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { width } = this.values;
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width };
    if (event.key in moves) {
      const next = (this.pointed ?? 0) + moves[event.key];
      if (next >= 0 && next < this.values.values.length) this.point(next);
      announce(this.readout.textContent);
    } else if (event.key === "Enter" || event.key === " ") this.take(this.pointed);
    else if (event.key === "Escape") this.canvas.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  tell() {
    if (this.values === null) return;
    const { values, off } = this.values;
    const at = this.pointed;
    this.readout.textContent = at === null || at >= values.length
      ? `${figure(this.low)} to ${figure(this.high)}`
      : `${this.nameOf(at)}: ${figure(values[at], 6)}${off?.(at) ? ", off" : ""}`;
  }

  words() {
    return `${this.values.values.length} numbers, ${figure(this.low)} to ${figure(this.high)}`;
  }
}

/** Grey levels for values from 0 to `limit`, bright on dark. */
function greyValues(values, limit, rgba) {
  for (let i = 0; i < values.length; i++) {
    rgba.fill(Math.round(255 * Math.min(1, Math.max(0, values[i] / limit))), 4 * i, 4 * i + 3);
    rgba[4 * i + 3] = 255;
  }
}
