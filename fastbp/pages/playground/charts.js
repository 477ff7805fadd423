// Loss and accuracy of training and validation, of one network or two, over epochs, updates or seconds.

class Charts {
  constructor() {
    this.loss = new Curves(document.getElementById("loss"), { name: "Loss" });
    const format = (value) => `${Number((100 * value).toFixed(1))} %`;
    this.accuracy = new Curves(document.getElementById("accuracy"), { name: "Accuracy", format });
    this.options = {};
    for (const id of ["across", "powers", "zoom"]) {
      this.options[id] = document.getElementById(id);
      this.options[id].addEventListener("change", () => this.draw());
    }
    this.curves = [];
    this.marks = [];
    this.most = null; // loss above which a lesson has nothing to show
  }

  show(curves) {
    this.curves = curves;
    this.draw();
  }

  /** Remember where something happened: a point of the curves and a name. */
  mark({ epoch, updates, seconds }, name) {
    this.marks.push({ epochs: epoch, updates, seconds, name });
    this.draw();
  }

  /** Show the curves as a lesson wants them. */
  set({ across = "epochs", powers = false, zoom = false, most = null }) {
    this.options.across.value = across;
    this.options.powers.checked = powers;
    this.options.zoom.checked = zoom;
    this.limit(most);
  }

  limit(most) {
    this.most = most;
    this.draw();
  }

  clearMarks() {
    this.marks = [];
  }

  draw() {
    const x = this.options.across.value;
    const key = { epochs: "epoch", updates: "updates", seconds: "seconds" }[x];
    const marks = this.marks.map((mark) => ({ x: mark[x], name: mark.name }));
    const seriesOf = (training, validation) => this.curves.flatMap((points, number) => {
      const whose = this.curves.length > 1 ? `${NAMES[number]} ` : "";
      const colour = COLOURS[number];
      return [
        { name: `${whose}training`, colour, points: pointsOf(points, key, training) },
        { name: `${whose}validation`, colour, dashed: true, points: pointsOf(points, key, validation) },
      ];
    });
    const log = this.options.powers.checked;
    const limits = log ? {} : { low: 0, high: this.most ?? undefined };
    this.loss.show({ series: seriesOf("loss", "validationLoss"), x, marks, log, ...limits });
    const low = this.options.zoom.checked ? 0.9 : 0;
    const lines = marks.map((mark) => ({ ...mark, name: "" })); // the other chart has room for names
    this.accuracy.show({ series: seriesOf("accuracy", "validationAccuracy"), x, marks: lines, low, high: 1 });
  }
}

function pointsOf(points, x, y) {
  return points.filter((point) => isNumber(point[y])).map((point) => [point[x], point[y]]);
}
