// Distorts images as fastbp/reference/distortions.py does, with the same draws, in its names: an image is
// distorted alike in any batch. The two agree to one grey level, where rounding falls differently.

const NUMBERS = {
  variant: 0, zoom: 1, stretch: 2, rotation: 4, shift: 5, shear: 7, blur: 8, squares: 16,
  field: 1 << 20, noise: 1 << 21,
}; // which numbers are drawn for what

class Distorter {
  /** `plan`: 13 numbers of each variant; `taps`: half of each one's elastic Gaussian, middle first. */
  constructor({ plan, taps }, [height, width]) {
    [this.plan, this.height, this.width] = [plan, height, width];
    this.kernels = taps.map(mirrored);
    const pixels = height * width;
    this.padded = new Float64Array((height + 3) * (width + 3)); // zeros around the image: 1 before, 2 after
    this.values = new Float64Array(pixels);
    this.down = new Float64Array(pixels);
    this.right = new Float64Array(pixels);
    this.part = new Float64Array(pixels);
  }

  /** Write a distorted image of bytes to `to` from `offset` on. `sample`: its row in the data. */
  distort(image, sample, label, key, to, offset) {
    draw(key.high, key.low, sample);
    this.state = { high: WORD[0], low: WORD[1] };
    const variant = Math.floor(this.uniform(NUMBERS.variant) * this.plan.length);
    const row = this.plan[variant];
    this.pad(image);
    const isElastic = row[7] !== 0;
    if (isElastic) {
      this.displace(this.down, 0, row[7], this.kernels[variant]);
      this.displace(this.right, 1, row[7], this.kernels[variant]);
    }
    this.resample(this.affine(row, label), isElastic);
    const sigma = row[8] + (row[9] - row[8]) * this.uniform(NUMBERS.blur);
    if (sigma >= 0.05) this.smooth(this.values, gaussian(sigma));
    if (row[10] !== 0) this.addNoise(row[10]);
    this.blacken(row[11], row[12]);
    for (let i = 0; i < this.values.length; i++) {
      to[offset + i] = Math.min(Math.max(this.values[i], 0), 255) + 0.5;
    }
  }

  uniform(number) {
    return uniformDraw(this.state.high, this.state.low, number);
  }

  eitherWay(number) {
    return 2 * this.uniform(number) - 1;
  }

  pad(image) {
    for (let y = 0; y < this.height; y++) {
      const to = (y + 1) * (this.width + 3) + 1;
      for (let x = 0; x < this.width; x++) this.padded[to + x] = image[y * this.width + x];
    }
  }

  /** Which place an output pixel (y, x) shows: [a, b, c, d, s, t], a y + b x + s down and c y + d x + t
   *  right. */
  affine(row, label) {
    const zoom = row[0] + (row[1] - row[0]) * this.uniform(NUMBERS.zoom);
    const stretches = [0, 1].map((axis) => 1 + row[2] * this.eitherWay(NUMBERS.stretch + axis));
    const [down, right] = stretches.map((stretch) => 1 / (zoom * stretch));
    const degrees = (label === 1 || label === 7 ? row[4] : row[3]) * this.eitherWay(NUMBERS.rotation);
    const angle = (degrees * Math.PI) / 180;
    const shifts = [0, 1].map((axis) => row[5] * this.eitherWay(NUMBERS.shift + axis));
    const shear = row[6] * this.eitherWay(NUMBERS.shear);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const [a, b] = [cos * down, sin * right];
    const [c, d] = [(-shear * cos - sin) * down, (-shear * sin + cos) * right];
    const middles = [(this.height - 1) / 2, (this.width - 1) / 2];
    const [y, x] = [middles[0] + shifts[0], middles[1] + shifts[1]];
    return [a, b, c, d, middles[0] - (a * y + b * x), middles[1] - (c * y + d * x)];
  }

  /** One axis of an elastic field: uniform noise for every pixel, smoothed, times alpha. */
  displace(field, axis, alpha, kernel) {
    const fours = Math.ceil(this.width / 4);
    const first = NUMBERS.field + axis * this.height * fours;
    for (let y = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++) {
        if (x % 4 === 0) draw(this.state.high, this.state.low, first + y * fours + (x >>> 2));
        field[y * this.width + x] = (quarter(x % 4) + 0.5) / 32768 - 1;
      }
    }
    this.smooth(field, kernel);
    for (let i = 0; i < field.length; i++) field[i] *= alpha;
  }

  /** Smooth in place, along columns and then along rows; zeros outside. */
  smooth(values, kernel) {
    const { height, width, part } = this;
    convolve(values, part, kernel, height, width, width, 1);
    convolve(part, values, kernel, width, height, 1, width);
  }

  /** Values at the places of the affine map, and of the elastic field if there is one. */
  resample([a, b, c, d, s, t], isElastic) {
    const { height, width, padded, values, down, right } = this;
    const row = width + 3;
    for (let y = 0, i = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i++) {
        let placeY = a * y + b * x + s + 1;
        let placeX = c * y + d * x + t + 1;
        if (isElastic) {
          placeY += down[i];
          placeX += right[i];
        }
        placeY = Math.min(Math.max(placeY, 0), height + 1);
        placeX = Math.min(Math.max(placeX, 0), width + 1);
        const [top, left] = [Math.floor(placeY), Math.floor(placeX)];
        const [below, beside] = [placeY - top, placeX - left];
        const at = top * row + left;
        const upper = padded[at] * (1 - beside) + padded[at + 1] * beside;
        const lower = padded[at + row] * (1 - beside) + padded[at + row + 1] * beside;
        values[i] = upper * (1 - below) + lower * below;
      }
    }
  }

  /** Nearly normal noise: sums of four uniform numbers of 16 bits, whose deviation is 65536 / sqrt(3). */
  addNoise(deviation) {
    const factor = (deviation * Math.sqrt(3)) / 65536;
    for (let i = 0; i < this.values.length; i++) {
      draw(this.state.high, this.state.low, NUMBERS.noise + i);
      this.values[i] += factor * (quarter(0) + quarter(1) + quarter(2) + quarter(3) - 131070);
    }
  }

  blacken(count, largest) {
    const side = Math.min(largest, this.height, this.width);
    for (let number = 0; number < count; number++) {
      const top = Math.floor(this.uniform(NUMBERS.squares + 2 * number) * (this.height - side + 1));
      const left = Math.floor(this.uniform(NUMBERS.squares + 2 * number + 1) * (this.width - side + 1));
      for (let y = top; y < top + side; y++) {
        this.values.fill(0, y * this.width + left, y * this.width + left + side);
      }
    }
  }
}

/** A whole kernel of half of it, without the zeros at its ends. */
function mirrored(half) {
  let radius = half.length - 1;
  while (radius > 0 && half[radius] === 0) radius--;
  return Float64Array.from({ length: 2 * radius + 1 }, (_, i) => half[Math.abs(i - radius)]);
}

/** A Gaussian of 7 pixels. */
function gaussian(sigma) {
  const kernel = mirrored([0, 1, 2, 3].map((distance) => Math.exp(-0.5 * (distance / sigma) ** 2)));
  const sum = kernel.reduce((a, b) => a + b, 0);
  return kernel.map((value) => value / sum);
}

/** Convolve `lines` lines of `length` values: neighbours are `step` apart, lines `between`. */
function convolve(from, to, kernel, length, lines, step, between) {
  const radius = (kernel.length - 1) / 2;
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < length; i++) {
      const [first, last] = [Math.max(0, i - radius), Math.min(length - 1, i + radius)];
      let sum = 0;
      for (let other = first; other <= last; other++) {
        sum += from[line * between + other * step] * kernel[other - i + radius];
      }
      to[line * between + i * step] = sum;
    }
  }
}
