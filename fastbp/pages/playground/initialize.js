// Initial weights by every scheme of fastbp/recipe/initializers.py, which explains them. A scheme fills the
// weights of a layer, given fan-in and fan-out of it, and inputs and outputs of the network.

const INITIALIZERS = {
  "he": (random, layer, weights) => fillNormal(random, weights, Math.sqrt(2 / layer.fanIn)),
  "xavier": (random, layer, weights) =>
    fillNormal(random, weights, Math.sqrt(2 / (layer.fanIn + layer.fanOut))),
  "xavier-uniform": (random, layer, weights) => {
    const bound = Math.sqrt(6 / (layer.fanIn + layer.fanOut));
    fillUniform(random, weights, -bound, bound);
  },
  "lecun": (random, layer, weights) => fillNormal(random, weights, 1 / Math.sqrt(layer.fanIn)),
  "orthogonal": fillOrthogonal,
  "zeros": (_random, _layer, weights) => weights.fill(0),
  "uniform": (random, _layer, weights) => fillUniform(random, weights, 0, 1),
  "report-he": (random, layer, weights) => fillNormal(random, weights, 2 / Math.sqrt(layer.fanIn)),
  "report-xavier": (random, layer, weights) =>
    fillNormal(random, weights, 2 / Math.sqrt(layer.fanIn + layer.fanOut)),
  "report-he-network": (random, layer, weights) => fillNormal(random, weights, 2 / Math.sqrt(layer.inputs)),
  "report-xavier-network": (random, layer, weights) =>
    fillNormal(random, weights, 2 / Math.sqrt(layer.inputs + layer.outputs)),
};

/** Draw all weights of a network; biases become 0. */
function initialize(network, scheme, seed) {
  const [inputs, outputs] = [network.sizes[0], network.classes];
  network.layers.forEach(({ fanIn, fanOut, weights, biases }, number) => {
    const random = new Random(seed, STREAMS.weights, number);
    INITIALIZERS[scheme](random, { fanIn, fanOut, inputs, outputs }, weights);
    biases.fill(0);
  });
}

function fillNormal(random, weights, deviation) {
  for (let i = 0; i < weights.length; i++) weights[i] = deviation * random.normal();
}

function fillUniform(random, weights, low, high) {
  for (let i = 0; i < weights.length; i++) weights[i] = low + (high - low) * random.uniform();
}

/** Orthogonal columns (rows, if there are more of them) of length sqrt(2), uniformly among such: normal
 *  vectors, each freed of the part along those before it, twice, as rounding leaves some of it the first
 *  time. */
function fillOrthogonal(random, { fanIn, fanOut }, weights) {
  const [length, count] = [Math.max(fanIn, fanOut), Math.min(fanIn, fanOut)];
  const vectors = [];
  for (let number = 0; number < count; number++) {
    const vector = Float64Array.from({ length }, () => random.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const before of vectors) subtract(vector, before, product(vector, before));
    }
    const norm = Math.sqrt(product(vector, vector));
    for (let i = 0; i < length; i++) vector[i] /= norm;
    vectors.push(vector);
  }
  for (let row = 0; row < fanIn; row++) {
    for (let column = 0; column < fanOut; column++) {
      const value = fanIn < fanOut ? vectors[row][column] : vectors[column][row];
      weights[row * fanOut + column] = Math.SQRT2 * value;
    }
  }
}

function product(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function subtract(vector, other, share) {
  for (let i = 0; i < vector.length; i++) vector[i] -= share * other[i];
}
