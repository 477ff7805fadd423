// Plain words about training that goes wrong.

class Trouble {
  /** `classes`: how many there are to guess among. */
  constructor(classes) {
    this.classes = classes;
    this.place = document.getElementById("trouble");
  }

  show({ networks }) {
    const said = networks.map((network, number) => {
      const words = troubleOf(network, this.classes);
      return words && `${networks.length > 1 ? NAMES[number] : "The network"} ${words}`;
    });
    const text = said.filter(Boolean).join(" ");
    this.place.hidden = text === "";
    if (this.place.textContent !== text) this.place.textContent = text;
  }
}

/** What is wrong with a network, as the rest of a sentence about it; null if nothing is. */
function troubleOf({ choices, diverged, layers, epoch, validation, trouble }, classes) {
  if (diverged) {
    return `diverged at update ${diverged.update}: ${diverged.why}. It cannot go on from there. `
      + "Try a smaller learning rate, or another initialisation.";
  }
  const dead = layers.slice(0, -1).findIndex((layer) => layer.dead >= 1);
  const guess = 1 / classes;
  const isLost = classes > 1 && epoch >= 1 && validation?.accuracy < Math.min(2 * guess, guess + 0.1);
  if (dead >= 0 && choices.initialization === "zeros") {
    return `${epoch >= 1 ? "has learnt" : "will learn"} nothing: its weights are 0, so its hidden units are `
      + "0 and the gradient of every weight is 0. Only the biases of the last layer move.";
  }
  if (dead >= 0) {
    return `has a dead layer: all units of hidden layer ${dead + 1} are 0 for every digit. No gradient `
      + "passes them, so neither they nor what is before them can learn. Press Again to start anew; if it "
      + "happens while training, take a smaller learning rate.";
  }
  if (isLost) {
    const reads = percent(validation.accuracy);
    return `is hardly better than a guess: it reads ${reads} of the validation digits, `
      + `and guessing reads about ${percent(guess)}.${reasonOf(choices, layers)}`;
  }
  return trouble?.length ? `is in trouble. ${trouble.join(" ")}` : null;
}

/** The likely reason why nothing is learnt, if the layers show one. */
function reasonOf({ learningRate }, layers) {
  const norms = layers.map(({ gradientNorm }) => gradientNorm);
  const isFaint = (norm) => norm < 0.05 * norms.at(-1);
  // The first layer is the one that lessons speak of; another may be fainter, as it has fewer weights.
  const faintest = isFaint(norms[0]) ? norms[0] : Math.min(...norms);
  if (isFaint(faintest)) {
    const layer = norms.indexOf(faintest) + 1;
    if (faintest === 0) return ` Its gradient vanishes: in layer ${layer} it is 0.`;
    const times = brief(norms.at(-1) / faintest, 1);
    return ` Its gradient vanishes: in layer ${layer} it is ${times} times smaller than in the last one.`;
  }
  if (norms.some((norm) => norm > 1e3)) return " The gradient explodes: its weights start much too large.";
  if (learningRate < 1e-3) return " Its learning rate is very small.";
  return "";
}
