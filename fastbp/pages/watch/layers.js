// Gradients of each layer by its weights: histogram of their sizes, norm, zeros, and units that are silent.

const DECADE = Math.log10(2); // a bin is a power of two wide

class Layers {
  constructor(sizes) {
    const parent = document.getElementById("layers");
    this.rows = layerNames(sizes).map((name) => {
      const row = element("div", "layer");
      const text = element("div");
      const title = element("h3", "", name[0].toUpperCase() + name.slice(1));
      const figures = element("small");
      text.append(title, figures);
      const figure = element("figure");
      row.append(text, figure);
      parent.append(row);
      const histogram = new Histogram(figure, { name: `Gradient of ${name}`, height: 74, powers: true });
      return { figures, histogram };
    });
  }

  show({ layers }) {
    const histograms = layers.map(({ low, counts }) => {
      return { name: "sizes", colour: "a", low: low * DECADE, high: (low + counts.length) * DECADE, counts };
    });
    const scale = commonScale(histograms);
    this.rows.forEach(({ figures, histogram }, i) => {
      figures.textContent = wordsOf(layers[i]);
      histogram.show({ series: layers[i].counts.length > 0 ? [histograms[i]] : [], ...scale });
    });
  }
}

function wordsOf({ norm, zeros, silent }) {
  const said = [`norm ${norm === null ? "not finite" : brief(norm)}`];
  if (zeros >= 0.005) said.push(`${(100 * zeros).toFixed(0)} % are 0`);
  if (silent !== undefined) said.push(`${(100 * silent).toFixed(0)} % silent`);
  return said.join(", ");
}

// Share of the values at either end that may lie beyond the scale.
const BEYOND = 0.02;

/** One scale, whole powers of ten, on which nearly all that the histograms count has room. */
function commonScale(histograms) {
  let [low, high] = [Infinity, -Infinity];
  for (const histogram of histograms) {
    const shares = sharesOf(histogram.counts);
    const width = (histogram.high - histogram.low) / shares.length;
    const first = firstAbove(shares);
    if (first < 0) continue; // it counts nothing
    low = Math.min(low, Math.floor(histogram.low + first * width));
    high = Math.max(high, Math.ceil(histogram.high - firstAbove(shares.reverse()) * width));
  }
  return high > low ? { low, high } : { low: -6, high: 0 };
}

function firstAbove(shares) {
  let sum = 0;
  return shares.findIndex((share) => (sum += share) > BEYOND);
}
