// The forward pass of a multilayer perceptron in float64: 784 bytes to the probabilities of the classes.
// ACTIVATIONS, functions by name, comes from fastbp/drawing/page.py.

class Network {
  /** `about` is what fastbp/drawing/weights.py wrote: sizes, activation, scale, type, and in base64 each
   *  layer's weights, (fan-in, fan-out) by rows, followed by its biases. */
  constructor(about) {
    this.sizes = about.sizes;
    this.activation = ACTIVATIONS[about.activation];
    this.scale = about.scale;
    const bytes = bytesOf(about.parameters);
    this.parameters = about.type === "float16" ? widened(bytes) : new Float32Array(bytes.buffer);
  }

  probabilities(image) {
    let values = Float64Array.from(image, (pixel) => pixel * this.scale);
    let offset = 0;
    for (let layer = 0; layer + 1 < this.sizes.length; layer++) {
      const [fanIn, fanOut] = [this.sizes[layer], this.sizes[layer + 1]];
      const isLast = layer + 2 === this.sizes.length;
      const sums = dense(values, this.parameters, offset, fanOut);
      values = isLast ? sums : sums.map(this.activation);
      offset += (fanIn + 1) * fanOut;
    }
    return softmax(values);
  }
}

/** x W + b, where W and then b lie at `offset`. */
function dense(inputs, parameters, offset, fanOut) {
  const bias = offset + inputs.length * fanOut;
  const sums = Float64Array.from(parameters.subarray(bias, bias + fanOut));
  inputs.forEach((value, i) => {
    if (value === 0) return; // most pixels, and most hidden units
    const row = offset + i * fanOut;
    for (let unit = 0; unit < fanOut; unit++) sums[unit] += value * parameters[row + unit];
  });
  return sums;
}

/** Probabilities by log-sum-exp: the highest logit moves to 0 first, so that nothing overflows. */
function softmax(logits) {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const logSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
  return logits.map((logit) => Math.exp(logit - highest - logSum));
}

/** Complementary error function (Abramowitz & Stegun 1964, 7.1.6 and 7.1.14), to 1e-15. */
function erfc(x) {
  if (x < 0) return 2 - erfc(-x);
  if (x > 27) return 0; // below the smallest number
  const gauss = Math.exp(-x * x) / Math.sqrt(Math.PI);
  if (x < 2.5) {
    let sum = x;
    for (let n = 1, term = x; term > 1e-17 * sum; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - 2 * gauss * sum;
  }
  let fraction = x;
  for (let n = 80; n > 0; n--) fraction = x + n / 2 / fraction;
  return gauss / fraction;
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** float16 (IEEE 754 binary16) to float32, by a table of all its 65,536 values. */
function widened(bytes) {
  const table = Float32Array.from({ length: 65536 }, (_, bits) => {
    const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    return sign ? -size : size;
  });
  return Float32Array.from(new Uint16Array(bytes.buffer), (bits) => table[bits]);
}
