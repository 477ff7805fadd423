// Random bits by hashing, as fastbp/reference/distortions.py draws them, bit for bit: words of 64 bits in two
// halves of 32. Every function leaves its word in WORD, so that a draw allocates nothing.

const WORD = new Uint32Array(2); // high half, low half
const [GOLDEN_HIGH, GOLDEN_LOW] = [0x9e3779b9, 0x7f4a7c15];

/** WORD = a b, modulo 2^64. */
function multiply(aHigh, aLow, bHigh, bLow) {
  const [a1, a0, b1, b0] = [aLow >>> 16, aLow & 0xffff, bLow >>> 16, bLow & 0xffff];
  const lowest = a0 * b0;
  const [left, right] = [a0 * b1, a1 * b0];
  const middle = Math.floor(lowest / 65536) + (left & 0xffff) + (right & 0xffff);
  const carried = a1 * b1 + (left >>> 16) + (right >>> 16) + (middle >>> 16);
  WORD[1] = (lowest & 0xffff) | (middle << 16);
  WORD[0] = carried + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh);
}

/** WORD = the hash of a word: the finisher of SplitMix64 (Steele, Lea & Flood 2014). */
function mix(high, low) {
  multiply(high ^ (high >>> 30), low ^ ((low >>> 30) | (high << 2)), 0xbf58476d, 0x1ce4e5b9);
  [high, low] = [WORD[0], WORD[1]];
  multiply(high ^ (high >>> 27), low ^ ((low >>> 27) | (high << 5)), 0x94d049bb, 0x133111eb);
  [high, low] = [WORD[0], WORD[1]];
  WORD[0] = high ^ (high >>> 31);
  WORD[1] = low ^ ((low >>> 31) | (high << 1));
}

/** WORD = draw number `number` of a state: the hash of state + (number + 1) golden. */
function draw(high, low, number) {
  multiply(0, number + 1, GOLDEN_HIGH, GOLDEN_LOW);
  const sum = WORD[1] + (low >>> 0);
  mix(WORD[0] + high + (sum > 0xffffffff ? 1 : 0), sum);
}

/** A draw as 0 <= u < 1. */
function uniformDraw(high, low, number) {
  draw(high, low, number);
  return (WORD[0] * 2 ** 21 + (WORD[1] >>> 11)) / 2 ** 53;
}

/** One of the four 16-bit numbers of WORD, low first. */
function quarter(part) {
  const half = WORD[part < 2 ? 1 : 0];
  return part % 2 === 0 ? half & 0xffff : half >>> 16;
}
