// A digit of one's own, and what the networks take it for while they train.

// Of the board's 280 pixels. A smaller drawing, such as a dot, is a digit to no one.
const LITTLE = 20;

class Drawn {
  constructor(training, data) {
    this.training = training;
    this.square = document.getElementById("square");
    // The board makes digits of MNIST's size; images of another have none of one's own.
    this.square.closest("section").hidden = data.shape.join() !== [SIDE, SIDE].join();
    this.answers = document.getElementById("answers");
    this.classes = data.classes;
    this.image = null; // bytes, as the networks see it
    this.square.classList.add("empty");
    this.board = new Board(document.getElementById("board"), () => this.changed());
    document.getElementById("clear").addEventListener("click", () => this.board.clear());
    this.boxes = NAMES.map((name, number) => this.answerBox(name, number));
  }

  answerBox(name, number) {
    const box = element("div", `answer ${COLOURS[number]}`);
    const title = element("p", "verdict");
    const bars = element("ol", "bars");
    bars.setAttribute("role", "list");
    bars.setAttribute("aria-label", `Probabilities of network ${name}`);
    const rows = this.classes.map((label) => {
      const row = element("li", "row");
      const track = element("span", "track");
      const bar = element("span", "bar");
      const value = element("span", "value");
      track.append(bar);
      row.append(element("span", "label", label), track, value);
      bars.append(row);
      return { row, bar, value };
    });
    box.append(title, bars);
    this.answers.append(box);
    return { box, title, rows };
  }

  changed() {
    const { board } = this;
    const image = normalize(board.pixels(), board.canvas.height, board.canvas.width);
    this.square.classList.toggle("empty", image === null);
    this.image = board.extent() < LITTLE ? null : image;
    this.training.send("draw", { image: this.image });
  }

  show({ networks }) {
    this.boxes.forEach(({ box, title, rows }, number) => {
      box.hidden = number >= networks.length;
      const drawn = this.image === null ? null : networks[number]?.drawn;
      const best = drawn ? drawn.indexOf(Math.max(...drawn)) : -1;
      const whose = networks.length > 1 ? `${NAMES[number]}: ` : "";
      const answer = drawn ? `${this.classes[best] ?? "?"}, ${percent(drawn[best])}` : "no digit yet";
      title.textContent = `${whose}${answer}`;
      rows.forEach(({ row, bar, value }, label) => {
        row.classList.toggle("best", label === best);
        bar.style.width = drawn ? `${100 * drawn[label]}%` : "0";
        value.textContent = drawn ? percent(drawn[label]) : "";
      });
    });
  }
}
