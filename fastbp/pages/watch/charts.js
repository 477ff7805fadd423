// Curves of the run over its epochs: loss, accuracy, learning rate, throughput, norms of gradients.

const LAYER_COLOURS = ["a", "b", "c", "d"];
const NEAR = 0.92; // accuracy from which on the rest of the scale is empty
const [LOSS, ACCURACY, RATE, SPEED] = [1, 2, 3, 4]; // places in a point of training; in one of validation too

class Charts {
  constructor(sizes) {
    const percentage = (value) => `${Number((100 * value).toFixed(1))} %`;
    const curves = (id, name, options = {}) => new Curves(document.getElementById(id), { name, ...options });
    this.loss = curves("loss", "Loss");
    this.accuracy = curves("accuracy", "Accuracy", { format: percentage });
    this.rate = curves("rate", "Learning rate", { height: 150 });
    this.speed = curves("speed", "Throughput", { height: 150, format: thousands });
    this.norms = curves("norms", "Norm of the gradient of each layer", { height: 190 });
    this.layers = layerNames(sizes);
    this.series = {};
    this.options = Object.fromEntries(["powers", "zoom"].map((id) => [id, document.getElementById(id)]));
    this.isChosen = false; // by a person: until then the page zooms when there is something to see
    for (const option of Object.values(this.options)) option.addEventListener("change", () => this.draw());
    this.options.zoom.addEventListener("change", () => (this.isChosen = true));
  }

  show(series) {
    this.series = series;
    if (!this.isChosen) this.options.zoom.checked = column(series.validation ?? [], ACCURACY).at(-1)?.[1] > NEAR;
    this.draw();
  }

  draw() {
    const { training = [], validation = [], norms = [] } = this.series;
    const both = (place) => [
      { name: "training", colour: "a", points: column(training, place) },
      ...(validation.length > 0
        ? [{ name: "validation", colour: "b", dashed: true, points: column(validation, place) }]
        : []),
    ];
    const log = this.options.powers.checked;
    this.loss.show({ series: both(LOSS), x: "epochs", log, low: log ? undefined : 0 });
    const lowest = this.options.zoom.checked ? 0.9 : 0;
    this.accuracy.show({ series: both(ACCURACY), x: "epochs", low: lowest, high: 1 });
    const one = (name, place) => [{ name, colour: "a", points: column(training, place) }];
    this.rate.show({ series: one("learning rate", RATE), x: "epochs", low: 0 });
    this.speed.show({ series: one("samples per second", SPEED), x: "epochs", low: 0 });
    const series = this.layers.map((name, layer) => ({
      name,
      colour: LAYER_COLOURS[layer % LAYER_COLOURS.length],
      dashed: layer >= LAYER_COLOURS.length,
      points: column(norms, layer + 1),
    }));
    this.norms.show({ series, x: "epochs", log: true });
  }
}

/** The points of a curve: x and one of the values. */
function column(points, place) {
  return points.filter((point) => typeof point[place] === "number").map((point) => [point[0], point[place]]);
}

/** Names of the layers that have weights. */
function layerNames(sizes) {
  return sizes.slice(1).map((_, layer) => (layer === sizes.length - 2 ? "logits" : `hidden ${layer + 1}`));
}

/** A large number for people. */
function thousands(value) {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : brief(value);
}
