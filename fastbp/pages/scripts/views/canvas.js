// A canvas that is drawn anew for the theme, the device's pixels and its width; colours and text of views.

const DARK = matchMedia("(prefers-color-scheme: dark)");

/** An element with classes and text. */
function element(tag, classes = "", text = "") {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

/** What all views share. A subclass draws `this.values` and says them in words; it may set its height. */
class View {
  /** `name` says what is shown, for screen readers. The canvas becomes the last child of `parent`. */
  constructor(parent, { name, height = 200 }) {
    this.name = name;
    this.height = height;
    this.values = null;
    this.isWaiting = false;
    this.isSeen = false;
    this.canvas = element("canvas", "view");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", name);
    parent.append(this.canvas);
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
    DARK.addEventListener("change", () => this.redraw());
    new IntersectionObserver((entries) => this.see(entries.at(-1).isIntersecting), { rootMargin: "300px" })
      .observe(this.canvas);
  }

  /** What is far from the screen is not drawn before it comes near. */
  see(isSeen) {
    const isNew = isSeen && !this.isSeen;
    this.isSeen = isSeen;
    if (isNew) this.redraw();
  }

  show(values) {
    this.values = values;
    this.redraw();
  }

  /** Draw with the next frame, once, however often it is asked for. */
  redraw() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.paint();
    });
  }

  paint() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    if (width === 0 || this.values === null) return; // hidden, or nothing to show yet
    const height = this.heightFor(width);
    const ratio = devicePixelRatio;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== across || canvas.height !== down) {
      [canvas.width, canvas.height] = [across, down];
      canvas.style.height = `${height}px`;
    }
    canvas.setAttribute("aria-label", `${this.name}: ${this.words()}`);
    if (!this.isSeen) return;
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "12px system-ui, sans-serif";
    pen.imageSmoothingEnabled = false;
    this.draw(pen, width, height, themeColours());
  }

  heightFor() {
    return this.height;
  }

  /** Where an event is on the canvas, in CSS pixels. */
  place(event) {
    const shown = this.canvas.getBoundingClientRect();
    return [event.clientX - shown.left, event.clientY - shown.top];
  }
}

/** Colours of the theme: `themeColours()("line")` is the custom property --line. */
function themeColours() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

/** Red, green and blue of "#rrggbb". */
function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

// Shades on either side of 0.
const SHADES = 127;

/** Colours from --negative over --zero to --positive: red, green and blue of 2 x SHADES + 1 shades. */
function divergingTable(colour) {
  const [negative, zero, positive] = ["negative", "zero", "positive"].map((name) => channels(colour(name)));
  const table = new Uint8ClampedArray(3 * (2 * SHADES + 1));
  for (let shade = -SHADES; shade <= SHADES; shade++) {
    const end = shade < 0 ? negative : positive;
    const share = Math.abs(shade) / SHADES;
    for (let i = 0; i < 3; i++) table[3 * (shade + SHADES) + i] = zero[i] + share * (end[i] - zero[i]);
  }
  return table;
}

/** Colour `values` into RGBA pixels from pixel `first` on: `limit` and beyond are the ends of the scale, 0 its
 *  middle. */
function colourValues(values, limit, table, rgba, first = 0) {
  for (let i = 0, to = 4 * first; i < values.length; i++, to += 4) {
    const share = Math.min(1, Math.max(-1, values[i] / limit));
    const at = 3 * (SHADES + (Math.round(SHADES * share) || 0)); // what is not a number is in the middle, too
    rgba[to] = table[at];
    rgba[to + 1] = table[at + 1];
    rgba[to + 2] = table[at + 2];
    rgba[to + 3] = 255;
  }
}

/** A number for people: three digits, powers of ten where it is very large or very small. */
function brief(value, digits = 3) {
  if (value === 0) return "0";
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "infinity" : "-infinity";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(1).replace("e+", "e");
  return String(Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(size))))));
}

/** About `count` round numbers from `low` to `high`. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  if (!(rough > 0) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) * power;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}
