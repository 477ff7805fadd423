// Digits side by side: each with its label, what it was taken for, and the probability of that.

class Digits {
  /** `classes`: names of the classes. `empty`: what is said where there is no digit to show. */
  constructor(parent, { name, height = 28, width = 28, classes = null, empty = "None" }) {
    [this.height, this.width, this.classes] = [height, width, classes];
    this.list = element("ol", "digits");
    this.list.setAttribute("role", "list");
    this.list.setAttribute("aria-label", name);
    this.empty = element("p", "quiet", empty);
    this.items = [];
    parent.append(this.list, this.empty);
  }

  /** `digits`: a list of { key, pixels: bytes by rows, label, predicted, probability }; a digit with the same
   *  `key` as before is not drawn anew. */
  show(digits) {
    while (this.items.length < digits.length) this.add();
    while (this.items.length > digits.length) this.items.pop().item.remove();
    digits.forEach((digit, i) => this.showOne(this.items[i], digit));
    this.empty.hidden = digits.length > 0;
  }

  add() {
    const item = element("li");
    const canvas = element("canvas");
    [canvas.width, canvas.height] = [this.width, this.height];
    canvas.setAttribute("role", "img");
    const text = element("span");
    const [was, taken] = [element("b", "label"), element("b", "taken")];
    const share = element("small", "quiet");
    text.append(was, " as ", taken);
    item.append(canvas, text, share);
    this.list.append(item);
    this.items.push({ item, canvas, was, taken, share, key: null });
  }

  showOne(parts, { key, pixels, label, predicted, probability }) {
    const [was, taken] = [this.nameOf(label), this.nameOf(predicted)];
    const share = `${(100 * probability).toFixed(0)} %`;
    parts.was.textContent = was;
    parts.taken.textContent = taken;
    parts.share.textContent = share;
    parts.canvas.setAttribute("aria-label", `${was}, taken for ${taken} at ${share}`);
    if (parts.key === key) return;
    parts.key = key;
    const pen = parts.canvas.getContext("2d");
    const image = pen.createImageData(this.width, this.height);
    for (let i = 0; i < pixels.length; i++) {
      image.data.fill(pixels[i], 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    }
    pen.putImageData(image, 0, 0);
  }

  nameOf(label) {
    return this.classes?.[label] ?? String(label);
  }
}
