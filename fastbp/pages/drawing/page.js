// The page: shows the drawing as the networks see it, and their predictions.

// Of the board's 280 pixels. A smaller drawing, such as a dot, is a digit to no one.
const LITTLE = 20;

function startPage() {
  const data = document.getElementById("data");
  const networks = JSON.parse(data.textContent);
  data.remove(); // the text is as large as the weights themselves
  const cards = networks.map((about) => new Card(about, document.getElementById("networks")));
  const switched = document.getElementById("normalization");
  const seen = document.getElementById("seen").getContext("2d", { willReadFrequently: true });
  const said = document.getElementById("said");

  const board = new Board(document.getElementById("board"), show);

  function show() {
    const prepare = switched.checked ? normalize : downscale;
    const image = prepare(board.pixels(), board.canvas.height, board.canvas.width);
    showImage(seen, image);
    const isLittle = image !== null && board.extent() < LITTLE;
    for (const card of cards) card.show(isLittle ? null : image, isLittle);
    document.body.classList.toggle("empty", image === null);
    if (board.stroke === null) say(image === null ? "Nothing drawn" : cards.map(String).join("; "));
  }

  /** For screen readers, between strokes only: a prediction for each frame would be noise. */
  function say(text) {
    if (said.textContent !== text) said.textContent = text;
  }

  setUpTools(board, switched, show);
  show();
  document.body.dataset.ready = "true";
}

/** Shows the 28x28 pixels that the network sees, bright ink on dark. */
function showImage(context, image) {
  const pixels = context.createImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) {
    pixels.data.fill(image === null ? 0 : image[i], 4 * i, 4 * i + 3);
    pixels.data[4 * i + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
}

/** Name and prediction of a network, with a bar for each class. */
class Card {
  constructor(about, parent) {
    this.name = about.name;
    const parameters = parametersOf(about, Float64Array);
    this.network = new Network(about.sizes, about.activation, parameters, about.scale);
    const card = document.getElementById("card").content.cloneNode(true).firstElementChild;
    card.querySelector(".name").textContent = about.name;
    card.querySelector(".about").textContent = about.description;
    card.querySelector(".note").textContent = about.note;
    this.digit = card.querySelector(".digit");
    this.surety = card.querySelector(".surety");
    const bars = card.querySelector(".bars");
    bars.setAttribute("aria-label", `Probabilities of ${about.name}`);
    const classes = about.sizes.at(-1);
    this.rows = Array.from({ length: classes }, (_, label) => addRow(bars, label));
    if (classes > 12) {
      bars.classList.add("many"); // scrolls by itself, so it must be within reach of the keyboard
      bars.tabIndex = 0;
    }
    parent.append(card);
    this.card = card;
  }

  /** Shows the prediction for an image; none for null, which may stand for too little ink. */
  show(image, isLittle) {
    const probabilities = image === null ? null : this.network.probabilities(image);
    this.best = probabilities?.indexOf(Math.max(...probabilities));
    this.probability = probabilities?.[this.best];
    this.digit.textContent = probabilities ? this.best : isLittle ? "?" : "";
    this.surety.textContent = probabilities ? percent(this.probability) : isLittle ? "not sure" : "";
    this.card.dataset.predicted = probabilities ? this.best : "";
    this.rows.forEach((row, label) => showRow(row, probabilities?.[label], label === this.best));
  }

  toString() {
    const isKnown = this.probability !== undefined;
    return `${this.name}: ${isKnown ? `${this.best}, ${percent(this.probability)}` : "not sure"}`;
  }
}

function addRow(bars, label) {
  const row = document.getElementById("row").content.cloneNode(true).firstElementChild;
  row.dataset.class = label;
  row.querySelector(".label").textContent = label;
  bars.append(row);
  return row;
}

function showRow(row, probability, isBest) {
  const isKnown = probability !== undefined;
  row.dataset.probability = isKnown ? probability : "";
  row.classList.toggle("best", isBest && isKnown);
  row.querySelector(".bar").style.width = isKnown ? `${100 * probability}%` : "0";
  row.querySelector(".value").textContent = isKnown ? percent(probability) : "";
}

function percent(probability) {
  return `${(100 * probability).toFixed(1)} %`;
}

function setUpTools(board, switched, show) {
  const pen = document.getElementById("pen");
  const setPen = (width) => {
    pen.value = width; // the slider keeps it in its range
    board.penWidth = Number(pen.value);
    document.getElementById("width").textContent = pen.value;
  };
  const flip = () => {
    switched.checked = !switched.checked;
    show();
  };
  pen.addEventListener("input", () => setPen(pen.value));
  switched.addEventListener("change", show);
  document.getElementById("undo").addEventListener("click", () => board.undo());
  document.getElementById("clear").addEventListener("click", () => board.clear());

  const step = Number(pen.step);
  const keys = {
    "u": () => board.undo(),
    "c": () => board.clear(),
    "n": flip,
    "+": () => setPen(board.penWidth + step),
    "-": () => setPen(board.penWidth - step),
  };
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    const isUndo = key === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
    const isPlain = !(event.ctrlKey || event.metaKey || event.altKey);
    const action = isUndo ? keys.u : isPlain ? keys[key] : undefined;
    if (action === undefined) return;
    event.preventDefault();
    action();
  });
  setPen(board.penWidth);
}

startPage();
