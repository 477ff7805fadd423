// Which hidden units a step leaves out: the hash of fastbp/reference/dropout.py, bit for bit.

const STEPS = 65536; // a draw has 16 bits

/** Probability of being left out, in 65,536ths; halves go to the even neighbour, as NumPy rounds. */
function dropThreshold(share) {
  const scaled = share * STEPS;
  const whole = Math.floor(scaled);
  const isUp = scaled - whole > 0.5 || (scaled - whole === 0.5 && whole % 2 === 1);
  return Math.min(isUp ? whole + 1 : whole, STEPS - 1);
}

/** Fill the factors of `count` rows of `inputs` of a layer: 0 where the input is dropped, else what makes up
 *  for those that are. `samples`: rows of the data. */
function fillFactors(factors, key, samples, count, inputs, threshold) {
  const kept = STEPS / (STEPS - threshold);
  for (let sample = 0; sample < count; sample++) {
    draw(key.high, key.low, samples[sample]);
    const [high, low] = [WORD[0], WORD[1]];
    const to = sample * inputs;
    for (let first = 0; first < inputs; first += 4) {
      draw(high, low, first >>> 2);
      for (let part = 0; part < 4 && first + part < inputs; part++) {
        factors[to + first + part] = quarter(part) >= threshold ? kept : 0;
      }
    }
  }
}
