// Breaks a network on purpose, so that one sees what is lost and how training mends it.

const BREAKS = {
  /** Zero all biases of a layer. */
  biases: (network, { layer }) => network.layers[layer].biases.fill(0),
  /** Zero a layer's weights and biases. */
  layer: (network, { layer }) => {
    network.layers[layer].weights.fill(0);
    network.layers[layer].biases.fill(0);
  },
  /** Zero what goes into a unit, and its bias. */
  unit: (network, { layer, unit }) => {
    const { fanIn, fanOut, weights, biases } = network.layers[layer];
    for (let i = 0; i < fanIn; i++) weights[i * fanOut + unit] = 0;
    biases[unit] = 0;
  },
  /** Add normal noise to a layer's weights, `amount` times their deviation. */
  noise: (network, { layer, amount }, random) => {
    const { weights } = network.layers[layer];
    const deviation = amount * deviationOf(weights);
    for (let i = 0; i < weights.length; i++) weights[i] += deviation * random.normal();
  },
  /** Give `amount` of a layer's units a bias so negative that a ReLU is never on again. */
  kill: (network, { layer, amount }, random) => {
    const { fanOut } = network.layers[layer];
    const chosen = random.permutation(fanOut).slice(0, Math.round(amount * fanOut));
    const reach = reachOf(network, layer);
    for (const unit of chosen) network.layers[layer].biases[unit] = -2 * (1 + reach[unit]);
  },
};

/** Break a network as `order` says: { what, layer, unit, amount }. Throws an Error of one line if that names
 *  something that the network does not have. */
function breakNetwork(network, order, random) {
  const { what, layer, unit, amount } = order;
  checkName("break", what, BREAKS);
  checkWhole("layer", layer, 0, network.layers.length - 1);
  if (what === "unit") checkWhole("unit", unit, 0, network.layers[layer].fanOut - 1);
  if (what === "noise") checkNumber("amount", amount, 0, Infinity);
  if (what === "kill" && !(amount >= 0 && amount <= 1)) throw new Error(`amount: ${amount}; expected 0 to 1`);
  if (what === "kill" && layer + 1 === network.layers.length) {
    throw new Error("the last layer has no ReLUs to kill; choose a hidden layer");
  }
  BREAKS[what](network, order, random);
}

function deviationOf(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** How far from its bias each sum of a layer can come, for any image of bytes: |x| |W|, layer by layer. No
 *  activation function makes its sum larger. */
function reachOf(network, last) {
  let bounds = new Float64Array(network.sizes[0]).fill(255 * network.scale);
  for (let number = 0; ; number++) {
    const { fanIn, fanOut, weights, biases } = network.layers[number];
    const reach = new Float64Array(fanOut);
    for (let i = 0; i < fanIn; i++) {
      const row = i * fanOut;
      for (let unit = 0; unit < fanOut; unit++) reach[unit] += bounds[i] * Math.abs(weights[row + unit]);
    }
    if (number === last) return reach;
    bounds = reach.map((value, unit) => Math.max(1, value + Math.abs(biases[unit])));
  }
}
