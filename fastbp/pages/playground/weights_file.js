// A file of weights that the worker has exported: read again, and saved by the browser.

/** The network in a safetensors file as safetensors.js writes it: parameters in order, in float32. */
function networkIn(bytes) {
  const length = Number(new DataView(bytes).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
  const { sizes, activation, input_scale: scale } = header.__metadata__;
  const parameters = new Float32Array(bytes.slice(8 + length));
  return new Network(sizes.split(",").map(Number), activation, parameters, Number(scale));
}

/** Logits of one image of bytes. */
function logitsOf(network, image) {
  const pass = new Pass(network, 1);
  image.forEach((level, i) => (pass.inputs[0][i] = level * network.scale));
  forward(network, pass, 1);
  return Array.from(pass.logits);
}

function saveFile(bytes, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Asks the worker for weights, and gives each answer to who asked first. */
class Exports {
  constructor(training) {
    this.training = training;
    this.asked = [];
    this.parent = document.getElementById("exports");
    this.buttons = NAMES.map((name, number) => {
      const button = element("button", "", `Save the weights of ${name}`);
      button.type = "button";
      button.addEventListener("click", () => this.save(number));
      this.parent.append(button);
      return button;
    });
  }

  ask(network, use) {
    this.asked.push(use);
    this.training.send("export", { network });
  }

  answer({ bytes }) {
    this.asked.shift()?.(bytes);
  }

  /** The worker could not: nobody waits any more. */
  forget() {
    this.asked = [];
  }

  save(network) {
    const { hidden } = this.training.state.networks[network].choices;
    const name = ["fastbp", COLOURS[network], ...(hidden.length ? hidden : ["softmax"])].join("-");
    this.ask(network, (bytes) => saveFile(bytes, `${name}.safetensors`));
  }

  show({ networks }) {
    this.buttons.forEach((button, number) => (button.hidden = number >= networks.length));
    this.buttons[0].textContent = `Save the weights${networks.length > 1 ? " of A" : ""}`;
  }
}
