// Inside of the networks: weights of the first layer as images, signals and gradients of each layer.

/** `choose(network, unit)`: called when the image of a unit is chosen. */
class Weights {
  constructor(data, choose) {
    this.shape = data.shape;
    this.parent = document.getElementById("weights");
    this.views = NAMES.map((name, number) => {
      const figure = element("figure");
      const title = element("b", `badge ${COLOURS[number]}`, name);
      figure.append(title);
      this.parent.append(figure);
      const options = { name: `Weights of the first layer of network ${name}`, least: 6 };
      const tiles = new Tiles(figure, { ...options, choose: (unit) => choose(number, unit) });
      return { figure, title, tiles };
    });
  }

  show({ networks }) {
    this.parent.classList.toggle("single", networks.length === 1);
    this.views.forEach(({ figure, title, tiles }, number) => {
      const weights = networks[number]?.weights;
      figure.hidden = !weights;
      title.hidden = networks.length === 1;
      if (!weights) return;
      const [height, width] = this.shape;
      tiles.show({ units: weights.units, height, width, values: weights.values });
    });
  }
}

/** A row for each layer: histograms of both networks, and the share of dead units. */
class Layers {
  constructor() {
    this.parent = document.getElementById("layers");
    this.rows = [];
  }

  show({ networks }) {
    const most = Math.max(...networks.map(({ layers }) => layers.length));
    while (this.rows.length < most) this.rows.push(this.add(this.rows.length));
    while (this.rows.length > most) this.rows.pop().row.remove();
    const scale = commonScale(networks.flatMap(({ layers }) => layers.map(({ gradients }) => gradients)));
    this.rows.forEach((row, layer) => this.showRow(row, layer, networks, scale));
  }

  add(layer) {
    const row = element("div", "layer");
    const title = element("h3");
    const [signals, slopes] = [element("figure"), element("figure")];
    const dead = element("div", "deaths");
    if (layer === 0) {
      signals.append(element("span", "quiet", "activations"));
      slopes.append(element("span", "quiet", "sizes of gradients"));
    }
    row.append(title, signals, slopes, dead);
    this.parent.append(row);
    const [name, height] = [`of layer ${layer + 1}`, 74];
    return {
      row, title, dead,
      activations: new Histogram(signals, { name: `Activations ${name}`, height }),
      gradients: new Histogram(slopes, { name: `Sizes of gradients ${name}`, height, powers: true }),
    };
  }

  showRow({ title, dead, activations, gradients }, layer, networks, scale) {
    const present = networks.map(({ layers }, number) => ({ ...layers[layer], number, count: layers.length }))
      .filter(({ count }) => layer < count);
    const isLast = present.every(({ count }) => layer + 1 === count);
    title.textContent = isLast ? "Logits" : `Hidden ${layer + 1}`;
    const seriesOf = (key) => present.filter((one) => one[key]).map((one) => {
      return { name: `network ${NAMES[one.number]}`, colour: COLOURS[one.number], ...one[key] };
    });
    activations.show({ series: seriesOf("activations") });
    gradients.show({ series: seriesOf("gradients"), ...scale });
    dead.replaceChildren(...present.filter((one) => isNumber(one.dead)).map(deathBar));
    dead.hidden = isLast;
  }
}

/** Share of dead units of a layer as a bar with words. */
function deathBar({ dead, off, number }) {
  const box = element("div", COLOURS[number]);
  const track = element("span", "track");
  const bar = element("span", "bar");
  bar.style.width = `${100 * dead}%`;
  track.append(bar);
  box.append(element("span", "", `${(100 * dead).toFixed(0)} % of units dead`), track);
  if (off > 0) box.append(element("small", "quiet", `${(100 * off).toFixed(0)} % of outputs 0`));
  return box;
}

// Share of the values at either end that may lie beyond the scale.
const BEYOND = 0.01;

/** One scale, whole powers of ten, on which nearly all that the histograms count has room. */
function commonScale(histograms) {
  let [low, high] = [0, -6];
  for (const { low: start, high: end, counts } of histograms) {
    const width = (end - start) / counts.length;
    const shares = sharesOf(counts);
    const first = firstAbove(shares);
    if (first < 0) continue; // it counts nothing
    low = Math.min(low, Math.floor(start + first * width));
    high = Math.max(high, Math.ceil(end - firstAbove(shares.reverse()) * width));
  }
  return high > low ? { low, high } : { low: -6, high: 0 };
}

function firstAbove(shares) {
  let sum = 0;
  return shares.findIndex((share) => (sum += share) > BEYOND);
}
