// Functions that activation functions need and Math lacks.

/** 1 / (1 + exp(-z)), with an exponent that is never positive, so that nothing overflows. */
function logistic(z) {
  const power = Math.exp(-Math.abs(z));
  return (z < 0 ? power : 1) / (1 + power);
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
