// Words for numbers and their places.

const MINUS = "\u2212";

/** A number in a few digits, with a real minus sign. */
function figure(value, digits = 4) {
  return brief(value, digits).replaceAll("-", MINUS);
}

/** A number with all of the digits that are compared in a proof. */
function digitsOf(value) {
  const text = value === 0 ? "0" : value.toExponential(12);
  return text.replace(/e[+]0$/, "").replace("e+", "e").replaceAll("-", MINUS);
}

function percentage(probability) {
  const text = (100 * probability).toFixed(probability > 0.001 && probability < 0.999 ? 1 : 2);
  if (text === "100.00" && probability < 1) return "> 99.99 %";
  return text === "0.00" && probability > 0 ? "< 0.01 %" : `${text} %`;
}

/** Rows and columns in which `count` numbers are shown: those of the picture, or a strip of some rows. */
function gridOf(count, shape = null) {
  if (shape !== null) return { height: shape[0], width: shape[1] };
  const width = count <= 20 ? count : Math.ceil(Math.sqrt(3.2 * count) / 4) * 4;
  return { height: Math.ceil(count / width), width };
}

/** What an input of a layer is called: of the first layer a pixel, of others a unit of the layer before. */
function inputName(index, number, shape) {
  if (number > 0) return `unit ${index} of layer ${number}`;
  if (shape === null) return `input ${index}`;
  return `pixel in row ${Math.floor(index / shape[1])}, column ${index % shape[1]}`;
}

function countOf(values, test) {
  return values.reduce((count, value) => count + (test(value) ? 1 : 0), 0);
}

/** Index of the value that lies furthest from 0. */
function furthest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (Math.abs(values[i]) > Math.abs(values[best])) best = i;
  return best;
}
