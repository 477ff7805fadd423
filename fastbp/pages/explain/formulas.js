// Formulas in MathML, with the shape of each array beneath its letter.

const MATHML = "http://www.w3.org/1998/Math/MathML";

function mathml(tag, ...children) {
  const made = document.createElementNS(MATHML, tag);
  made.append(...children);
  return made;
}

const letter = (text) => mathml("mi", text);
const sign = (text) => mathml("mo", text);
const number = (text) => mathml("mn", String(text));
const group = (...parts) => mathml("mrow", ...parts);
const under = (base, index) => mathml("msub", base, typeof index === "object" ? index : number(index));
const differential = () => {
  const d = letter("d");
  d.setAttribute("mathvariant", "normal");
  return d;
};
const transposed = (base) => mathml("msup", base, letter("T"));

/** A letter with its layer's number, such as W_1; with `d`, the derivative of the loss by it. */
function of(name, layer, d = false) {
  const base = under(letter(name), layer);
  return d ? group(differential(), base) : base;
}

/** A gap between two factors, as wide as their shapes need. */
function gap() {
  const made = mathml("mspace");
  made.setAttribute("width", "0.6em");
  return made;
}

/** An array with its shape beneath. */
function shaped(base, ...sizes) {
  const text = sizes.length === 1 ? String(sizes[0]) : sizes.join(" \u00d7 ");
  const shape = mathml("mtext", text);
  shape.setAttribute("class", "shape");
  return mathml("munder", base, shape);
}

/** A formula in a paragraph of its own, which scrolls by itself where it is too wide. */
function formula(parent, ...parts) {
  const made = mathml("math", group(...parts));
  made.setAttribute("display", "block");
  const line = element("div", "formula");
  line.append(made);
  parent.append(line);
  return line;
}

/** The sum over the samples of a mini-batch. */
function overBatch() {
  return mathml("munder", sign("\u2211"), mathml("mtext", "batch"));
}

/** z = a W + b of a layer, counted from 1. */
function sumFormula(parent, layer, { fanIn, fanOut }, count) {
  formula(
    parent,
    shaped(of("z", layer), count, fanOut), sign("="),
    shaped(of("a", layer - 1), count, fanIn), gap(), shaped(of("W", layer), fanIn, fanOut), sign("+"),
    shaped(of("b", layer), fanOut),
  );
}

function activationFormula(parent, layer, name) {
  formula(parent, of("a", layer), sign("="), mathml("mtext", name), sign("("), of("z", layer), sign(")"));
}

function softmaxFormula(parent, classes, count) {
  const power = (index) => mathml("msup", letter("e"), under(letter("z"), letter(index)));
  const sum = group(mathml("munder", sign("\u2211"), letter("c")), power("c"));
  const probability = shaped(under(letter("p"), letter("k")), count, classes);
  formula(parent, probability, sign("="), mathml("mfrac", power("k"), sum));
}

function lossFormula(parent, count) {
  const own = group(sign(MINUS), mathml("mtext", "log\u00a0"), under(letter("p"), letter("y")));
  const mean = count === 1 ? [] : [mathml("mfrac", number(1), number(count)), overBatch()];
  formula(parent, mathml("mtext", "loss"), sign("="), ...mean, own);
}

function logitsBackFormula(parent, layer, classes, count) {
  const difference = group(sign("("), letter("p"), sign(MINUS), letter("y"), sign(")"));
  const mean = count === 1 ? [] : [sign("/"), number(count)];
  formula(parent, shaped(of("z", layer, true), count, classes), sign("="), difference, ...mean);
}

/** dW = a^T dz and db, of a layer counted from 1. */
function gradientFormulas(parent, layer, { fanIn, fanOut }, count) {
  formula(
    parent,
    shaped(of("W", layer, true), fanIn, fanOut), sign("="),
    shaped(transposed(of("a", layer - 1)), fanIn, count), gap(), shaped(of("z", layer, true), count, fanOut),
  );
  const sum = count === 1 ? [] : [overBatch()];
  formula(parent, shaped(of("b", layer, true), fanOut), sign("="), ...sum, of("z", layer, true));
}

/** dz = (dz W^T of the next layer) times the slope, of a hidden layer counted from 1. */
function backFormula(parent, layer, { fanIn, fanOut }, count, name) {
  const next = shaped(of("z", layer + 1, true), count, fanOut);
  const weights = shaped(transposed(of("W", layer + 1)), fanOut, fanIn);
  const slope = name === "relu"
    ? [sign("["), of("z", layer), sign(">"), number(0), sign("]")]
    : [mathml("mtext", name), sign("\u2032"), sign("("), of("z", layer), sign(")")];
  formula(
    parent,
    shaped(of("z", layer, true), count, fanIn), sign("="),
    sign("("), next, gap(), weights, sign(")"), sign("\u2299"), ...slope,
  );
}

function updateFormulas(parent) {
  for (const name of ["W", "b"]) {
    const d = group(differential(), letter(name));
    const step = [mathml("mtext", "rate"), sign("\u00b7"), d];
    formula(parent, letter(name), sign("\u2190"), letter(name), sign(MINUS), ...step);
  }
}

function slopeFormula(parent) {
  const moved = (step) => group(sign("("), letter("w"), sign(step), letter("h"), sign(")"));
  const loss = (step) => group(mathml("mtext", "loss"), moved(step));
  const fraction = mathml("mfrac", group(loss("+"), sign(MINUS), loss(MINUS)), group(number(2), letter("h")));
  formula(parent, differential(), letter("w"), sign("\u2248"), fraction);
}
