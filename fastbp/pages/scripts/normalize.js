// Normalises a drawing to 28x28, in the steps of fastbp/digits/preprocess.py, which explains them.

const SIDE = 28;
const MIDDLE = 14;
const BOX = 20;
const FAINT = 16;
const LEAST = 24;
const TIE = 1e-6;

/** The digit cropped, its longer side 20 pixels, centred by mass: 784 bytes. null without ink. */
function normalize(pixels, height, width) {
  const bright = ink(pixels, height, width);
  if (bright === null) return null;
  const { top, left, bottom, right } = inkBox(bright, height, width);
  const box = cutOut(bright, width, top, left, bottom, right);
  const [boxHeight, boxWidth] = [bottom - top, right - left];
  const long = Math.max(boxHeight, boxWidth);
  const rows = Math.max(1, roundHalfUp((BOX * boxHeight) / long));
  const columns = Math.max(1, roundHalfUp((BOX * boxWidth) / long));
  const small = averageAreas(box, boxHeight, boxWidth, rows, columns);
  const rowMass = new Float64Array(rows);
  const columnMass = new Float64Array(columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      rowMass[y] += small[y * columns + x];
      columnMass[x] += small[y * columns + x];
    }
  }
  const [down, across] = [place(rowMass), place(columnMass)];
  const image = new Uint8Array(SIDE * SIDE);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      image[(down + y) * SIDE + across + x] = roundHalfUp(small[y * columns + x]);
    }
  }
  return image;
}

/** The whole drawing scaled to 28x28, neither cropped nor centred. null without ink. */
function downscale(pixels, height, width) {
  const bright = ink(pixels, height, width);
  if (bright === null) return null;
  const long = Math.max(height, width);
  const [top, left] = [Math.floor((long - height) / 2), Math.floor((long - width) / 2)];
  const square = new Float64Array(long * long);
  for (let y = 0; y < height; y++) {
    square.set(bright.subarray(y * width, (y + 1) * width), (top + y) * long + left);
  }
  return Uint8Array.from(averageAreas(square, long, long, SIDE, SIDE), roundHalfUp);
}

/** Grey levels 0..255, ink bright, the brightest 255. null without ink. */
function ink(pixels, height, width) {
  const grey = new Float64Array(pixels);
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y++) {
    const isEdge = y === 0 || y === height - 1;
    for (let x = 0; x < width; x += isEdge ? 1 : Math.max(1, width - 1)) {
      sum += grey[y * width + x];
      count += 1;
    }
  }
  const isLight = sum / count > 127.5;
  let brightest = 0;
  for (let i = 0; i < grey.length; i++) {
    if (isLight) grey[i] = 255 - grey[i];
    brightest = Math.max(brightest, grey[i]);
  }
  if (brightest < LEAST) return null;
  const scale = 255 / brightest;
  return grey.map((value) => value * scale);
}

function inkBox(bright, height, width) {
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (bright[y * width + x] < FAINT) continue;
      top = Math.min(top, y);
      left = Math.min(left, x);
      bottom = Math.max(bottom, y + 1);
      right = Math.max(right, x + 1);
    }
  }
  return { top, left, bottom, right };
}

function cutOut(image, width, top, left, bottom, right) {
  const box = new Float64Array((bottom - top) * (right - left));
  for (let y = top; y < bottom; y++) {
    box.set(image.subarray(y * width + left, y * width + right), (y - top) * (right - left));
  }
  return box;
}

/** Mean over areas of equal size: (height, width) to (rows, columns). */
function averageAreas(image, height, width, rows, columns) {
  const low = new Float64Array(rows * width);
  for (const [row, y, share] of shares(height, rows)) {
    for (let x = 0; x < width; x++) low[row * width + x] += share * image[y * width + x];
  }
  const small = new Float64Array(rows * columns);
  for (const [column, x, share] of shares(width, columns)) {
    for (let row = 0; row < rows; row++) small[row * columns + column] += share * low[row * width + x];
  }
  return small;
}

/** Share of each of `count` pixels in cells of equal size: a list of [cell, pixel, share]. */
function shares(count, cells) {
  const size = count / cells;
  const list = [];
  for (let cell = 0; cell < cells; cell++) {
    const start = cell * size;
    const end = start + size;
    for (let pixel = Math.floor(start); pixel < Math.min(count, Math.ceil(end)); pixel++) {
      const overlap = Math.min(end, pixel + 1) - Math.max(start, pixel);
      if (overlap > 0) list.push([cell, pixel, overlap / size]);
    }
  }
  return list;
}

/** Start of a side that centres its mass in pixel 14, as near as possible. */
function place(mass) {
  let [moment, sum] = [0, 0];
  mass.forEach((value, i) => {
    moment += value * i;
    sum += value;
  });
  return Math.min(Math.max(roundHalfUp(MIDDLE - moment / sum), 0), SIDE - mass.length);
}

function roundHalfUp(value) {
  return Math.floor(value + 0.5 + TIE);
}
