// Random draws as functions of (seed, stream, epoch), like those of fastbp/random.py: no draw depends on what
// was drawn for another purpose before. The numbers are others than Python's.

// As in fastbp.random.Stream, and one of the page's own.
const STREAMS = { weights: 0, shuffle: 2, distort: 3, dropout: 5, breaking: 7 };

class Random {
  constructor(seed, stream, epoch) {
    mix(Math.floor(seed / 2 ** 32), seed >>> 0);
    for (const part of [stream, epoch]) draw(WORD[0], WORD[1], part);
    [this.high, this.low] = WORD;
    this.count = 0;
    this.spare = null;
  }

  /** 0 <= u < 1. */
  uniform() {
    return uniformDraw(this.high, this.low, this.count++);
  }

  /** From the normal distribution, by Box & Muller (1958), which makes two at a time. */
  normal() {
    if (this.spare !== null) {
      const spare = this.spare;
      this.spare = null;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A word of 64 bits that hashes are keyed with. */
  key() {
    draw(this.high, this.low, this.count++);
    return { high: WORD[0], low: WORD[1] };
  }

  /** A permutation of 0 .. count - 1 (Fisher & Yates; Durstenfeld 1964). */
  permutation(count) {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let last = count - 1; last > 0; last--) {
      const other = Math.floor(this.uniform() * (last + 1));
      [order[last], order[other]] = [order[other], order[last]];
    }
    return order;
  }
}
