// The page: one step of backpropagation, and what one chose to look at.

class Explained {
  constructor(data) {
    this.classes = data.classes;
    this.shape = data.shape;
    this.example = new Example(data);
    this.rate = data.rate;
    this.viewed = 0;
    this.chosen = this.example.network.layers.map((_, layer) => this.liveliest(layer));
    this.weight = this.heaviest();
    this.isWhole = false;
    const find = (id) => document.getElementById(id);
    this.forward = new ForwardView(find("forward"), this);
    this.backward = new BackwardView(find("backward"), this);
    this.update = new UpdateView(find("after"), this);
    this.proof = new ProofView(find("proofs"), this);
    this.forward.show();
    this.walk = new Walk(this);
  }

  /** What can wait until there is something to see. */
  finish(data) {
    this.isWhole = true;
    this.showRest();
    this.difference = this.example.difference(data.reference, data.rate);
    this.walk.tell();
  }

  get label() {
    return this.example.labels[this.viewed];
  }

  /** The unit with most to see: the largest dz; of the last layer the label's. */
  liveliest(layer) {
    if (layer === this.example.hidden) return this.label;
    const { fanOut } = this.example.network.layers[layer];
    return furthest(rowOf(this.example.gradient.dSums[layer], this.viewed, fanOut));
  }

  /** The input whose weight into the chosen unit of a layer is proved; undefined if it is another's. */
  provedRow(layer) {
    const { weight } = this;
    return weight.layer === layer && weight.unit === this.chosen[layer] ? weight.row : undefined;
  }

  /** The weight of the first layer's chosen unit whose gradient is largest. */
  heaviest() {
    const { fanIn, fanOut, weights } = this.example.gradient.layers[0];
    const unit = this.chosen[0];
    return { layer: 0, row: furthest(columnOf(weights, unit, fanIn, fanOut)), unit };
  }

  chooseUnit(layer, unit) {
    this.chosen[layer] = unit;
    this.forward.show();
    if (this.isWhole) this.backward.show();
    this.walk.tell();
  }

  chooseWeight(layer, row, unit) {
    this.weight = { layer, row, unit };
    this.chosen[layer] = unit;
    this.proof.show();
    this.forward.show();
    this.backward.show();
    this.walk.tell();
    announce(`${this.proof.place.textContent}. ${this.proof.words.textContent}`);
  }

  setRate(rate) {
    this.rate = rate;
    this.update.showRate();
    this.walk.tell();
  }

  view(sample) {
    this.viewed = sample;
    this.showEverything();
    this.walk.tell();
  }

  relabel(label) {
    this.example.relabel(this.viewed, label);
    this.proof.forget();
    this.showEverything();
    this.walk.tell();
  }

  showEverything() {
    this.forward.show();
    this.showRest();
  }

  showRest() {
    this.proof.show();
    this.backward.show();
    this.update.show();
  }
}

/** For screen readers, what was chosen outside of the lesson. */
function announce(text) {
  put(document.getElementById("said"), text);
}

function startPage() {
  const place = document.getElementById("data");
  const data = JSON.parse(place.textContent);
  place.remove(); // the text is as large as the weights themselves
  const put = (id, text) => (document.getElementById(id).textContent = text);
  put("name", data.network.name);
  put("about", data.network.description);
  put("note", data.network.note);
  put("samples", data.title);
  const explained = new Explained(data);
  addChoices(explained, data);
  performance.mark("first view");
  requestAnimationFrame(() => setTimeout(() => {
    explained.finish(data);
    put("checked", wordsOfCheck(explained.difference));
    document.body.dataset.ready = "true";
    performance.mark("ready");
  }));
  return explained;
}

function wordsOfCheck(difference) {
  const exactly = difference === 0
    ? "they are equal to the last bit"
    : `they differ by at most ${figure(difference, 1)} of the largest number of an array, or of 1 where `
      + "losses and derivatives are smaller";
  return `This page computes all numbers itself, in float64. Beside those of fastbp's own code, ${exactly}.`;
}

/** Which sample of a mini-batch is viewed, and what its label is taken to be. */
function addChoices(explained, data) {
  const label = document.getElementById("label");
  const sample = document.getElementById("sample");
  label.append(...selectOf(data.classes).childNodes);
  sample.append(...selectOf(data.names).childNodes);
  sample.value = "0"; // options that are moved may be chosen
  document.getElementById("which").hidden = data.names.length === 1;
  const showLabel = () => {
    label.value = String(explained.label);
    const own = data.labels[explained.viewed];
    const said = explained.label === own ? "" : `in the data: ${data.classes[own]}`;
    document.getElementById("own").textContent = said;
  };
  label.addEventListener("change", () => {
    explained.relabel(Number(label.value));
    showLabel();
  });
  sample.addEventListener("change", () => {
    explained.view(Number(sample.value));
    showLabel();
  });
  showLabel();
}

const explained = startPage();
