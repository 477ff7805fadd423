// Validation digits that a network reads wrongly now.

class Mistakes {
  /** `images`: see images.js */
  constructor(data, images) {
    this.images = images;
    this.total = data.count - data.trainCount;
    this.count = document.getElementById("wrong-count");
    const parent = document.getElementById("wrong");
    this.views = NAMES.map((name, number) => {
      const box = element("div", "mistakes");
      const title = element("b", `badge ${COLOURS[number]}`, name);
      box.append(title);
      parent.append(box);
      const [height, width] = data.shape;
      const words = { name: `Read wrongly by network ${name}`, classes: data.classes, empty: "No mistakes." };
      return { box, title, digits: new Digits(box, { ...words, height, width }) };
    });
  }

  show({ networks }) {
    this.count.textContent = networks.map(({ wrongCount }, number) => {
      const whose = networks.length > 1 ? `${NAMES[number]} ` : "";
      return `${whose}${count(wrongCount)} of ${count(this.total)}`;
    }).join(", ");
    this.views.forEach(({ box, title, digits }, number) => {
      const wrong = networks[number]?.wrong;
      box.hidden = !wrong;
      title.hidden = networks.length === 1;
      if (wrong) digits.show(wrong.slice(0, networks.length > 1 ? 16 : 24).map((one) => this.digitOf(one)));
    });
  }

  digitOf({ row, label, predicted, probability }) {
    return { key: row, pixels: this.images.image(row), label, predicted, probability };
  }
}
