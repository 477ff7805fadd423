// A hundred parameters for the proof, drawn at random, and what came out.

/** Up to `count` different parameters, as [layer, row or null for a bias, unit]. Gradients of 0 only where
 *  there are not enough others. Layers take turns; a tenth are biases. */
function drawParameters(layers, count) {
  const drawn = [];
  for (const isWanted of [(value) => value !== 0, (value) => value === 0]) {
    const weights = layers.map((layer) => new Urn(layer.weights, isWanted));
    const biases = layers.map((layer) => new Urn(layer.biases, isWanted));
    for (let turn = 0; drawn.length < count; turn++) {
      const left = [weights, biases].map((urns) => urns.filter((urn) => urn.size > 0));
      if (left[0].length + left[1].length === 0) break;
      const isBias = left[0].length === 0 || (turn % 10 === 9 && left[1].length > 0);
      const urns = left[isBias ? 1 : 0];
      const urn = urns[turn % urns.length];
      const number = (isBias ? biases : weights).indexOf(urn);
      const { fanOut } = layers[number];
      const index = urn.draw();
      drawn.push([number, isBias ? null : Math.floor(index / fanOut), isBias ? index : index % fanOut]);
    }
  }
  return drawn;
}

/** Places of an array whose values are wanted, to be drawn without putting back. */
class Urn {
  constructor(values, isWanted) {
    this.places = new Uint32Array(values.length);
    this.size = 0;
    values.forEach((value, place) => {
      if (isWanted(value)) this.places[this.size++] = place;
    });
  }

  draw() {
    const chosen = Math.floor(Math.random() * this.size);
    const place = this.places[chosen];
    this.places[chosen] = this.places[--this.size];
    return place;
  }
}

/** How many of all gradients are exactly 0, and why. */
function wordsOfZeros({ gradient, activationName }) {
  const { block } = gradient;
  const zero = countOf(block, (value) => value === 0);
  const [some, all] = [zero, block.length].map((count) => count.toLocaleString("en"));
  if (zero === 0) return `None of the ${all} gradients is exactly 0.`;
  const reason = activationName === "relu" ? "the input is 0, or the ReLU is off" : "the input is 0";
  const share = `${some} of ${all} gradients (${percentage(zero / block.length)}) are exactly 0: there `;
  return `${share}${reason}. The hundred are drawn from the others.`;
}

/** What came out, the agreement as a whole first. */
function summaryOf(found) {
  const kinked = found.filter(({ kinks }) => kinks > 0).length;
  const zero = found.filter(({ digits, kinks }) => digits === Infinity && kinks === 0).length;
  const rest = found.filter(({ digits, kinks }) => digits !== Infinity && kinks === 0);
  const words = rest.length === 0 ? [] : wordsOfRest(rest, found.length);
  if (zero > 0) words.push(`${zero} ${zero === 1 ? "is" : "are"} exactly 0 both ways.`);
  if (kinked > 0) words.push(`${kinked} ${kinked === 1 ? "has" : "have"} a kink within the step.`);
  return words.join(" ");
}

function wordsOfRest(rest, count) {
  const sorted = [...rest].sort((a, b) => a.digits - b.digits);
  const half = sorted[Math.floor(sorted.length / 2)].digits;
  const worst = sorted[0];
  const most = Math.max(...rest.map(({ derivative, slope }) => Math.abs(derivative - slope)));
  const largest = Math.max(...rest.map(({ derivative }) => Math.abs(derivative)));
  const sizes = `gradients of up to ${figure(largest, 2)} and slopes differ by at most ${figure(most, 2)}`;
  return [
    `${rest.length} of ${count} different parameters: ${sizes}.`,
    `Half agree to ${digitsInWords(half)} or more.`,
    `The worst, ${parameterName(worst)}, to ${digitsInWords(worst.digits)}: `
      + `its gradient is ${figure(worst.derivative, 2)}.`,
  ];
}

function digitsInWords(digits) {
  return `${digits} digit${digits === 1 ? "" : "s"}`;
}

function parameterName({ number, row, unit }) {
  return row === null ? `b${number + 1}[${unit}]` : `W${number + 1}[${row}, ${unit}]`;
}
