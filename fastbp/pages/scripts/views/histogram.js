// Histograms over a common axis: the first filled, others as outlines over it.

class Histogram extends View {
  /** `powers`: whether x is a base-10 logarithm, and is written as a power of ten. */
  constructor(parent, { name, height = 96, powers = false }) {
    super(parent, { name, height });
    this.powers = powers;
  }

  /** `values`: { series: [{ name, colour, low, high, counts }] }, and optionally `low` and `high`, the limits
   *  of x. Each histogram is drawn as shares of its own sum. */
  draw(pen, width, height, colour) {
    const frame = { left: 4, right: width - 4, top: 4, bottom: height - 20 };
    const series = this.values.series.filter((one) => Number.isFinite(one.low) && Number.isFinite(one.high));
    let low = this.values.low ?? Math.min(...series.map((one) => one.low));
    let high = this.values.high ?? Math.max(...series.map((one) => one.high));
    if (series.length === 0) [low, high] = [0, 1];
    if (high <= low) [low, high] = [low - 0.5, low + 0.5];
    const across = (x) => frame.left + ((x - low) / (high - low)) * (frame.right - frame.left);
    this.drawAxis(pen, frame, across, ticks(low, high, Math.max(2, Math.floor(width / 75))), colour);
    const shares = series.map(({ counts }) => sharesOf(counts));
    const most = Math.max(1e-9, ...shares.flat());
    const down = (share) => frame.bottom - (share / most) * (frame.bottom - frame.top);
    series.forEach((one, number) => {
      const path = outline(one, shares[number], across, down);
      pen.strokeStyle = pen.fillStyle = colour(one.colour);
      pen.lineWidth = 1.5;
      pen.globalAlpha = number === 0 ? 0.45 : 0;
      pen.fill(path);
      pen.globalAlpha = 1;
      pen.stroke(path);
    });
  }

  drawAxis(pen, frame, across, at, colour) {
    line(pen, colour("line"), frame.left, frame.bottom + 0.5, frame.right, frame.bottom + 0.5);
    pen.textBaseline = "top";
    pen.textAlign = "center";
    pen.fillStyle = colour("quiet");
    for (const x of at) {
      const text = this.powers ? powerOfTen(x) : brief(x);
      const half = pen.measureText(text).width / 2;
      const place = Math.min(frame.right - half, Math.max(frame.left + half, across(x)));
      line(pen, colour("line"), across(x), frame.bottom, across(x), frame.bottom + 3);
      pen.fillText(text, place, frame.bottom + 5);
    }
  }

  words() {
    return this.values.series.map((one) => `${one.name} ${this.middleOf(one)}`).join("; ") || "nothing yet";
  }

  /** Where the middle half of the values lies, in words. */
  middleOf({ low, high, counts }) {
    const shares = sharesOf(counts);
    const edge = (part) => {
      let sum = 0;
      const bin = shares.findIndex((share) => (sum += share) >= part);
      return low + ((Math.max(bin, 0) + 0.5) / counts.length) * (high - low);
    };
    if (!shares.some((share) => share > 0)) return "no values";
    const say = (x) => (this.powers ? brief(10 ** x, 2) : brief(x, 2));
    return `mostly from ${say(edge(0.25))} to ${say(edge(0.75))}`;
  }
}

function sharesOf(counts) {
  let sum = 0;
  for (const count of counts) sum += count;
  return Array.from(counts, (count) => (sum > 0 ? count / sum : 0));
}

function outline({ low, high, counts }, shares, across, down) {
  const path = new Path2D();
  const edge = (bin) => across(low + (bin / counts.length) * (high - low));
  path.moveTo(edge(0), down(0));
  shares.forEach((share, bin) => {
    path.lineTo(edge(bin), down(share));
    path.lineTo(edge(bin + 1), down(share));
  });
  path.lineTo(edge(counts.length), down(0));
  return path;
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function powerOfTen(x) {
  if (!Number.isInteger(x)) return brief(10 ** x, 2);
  const digits = Array.from(String(Math.abs(x)), (digit) => RAISED[digit]).join("");
  return `10${x < 0 ? "⁻" : ""}${digits}`;
}
