// The page: shows news of the run as they come.

function startPage() {
  const about = JSON.parse(document.getElementById("data").textContent);
  document.getElementById("name").textContent = about.name;
  document.getElementById("about").textContent = describe(about);
  const isRightOrWrong = about.task !== "regression";
  for (const id of ["accuracy-card", "zoom-option"]) document.getElementById(id).hidden = !isRightOrWrong;
  const state = new State(about);
  const charts = new Charts(about.sizes);
  const views = viewsOf(about);
  const news = new News({
    onNews({ facts, series }) {
      state.show(news);
      if (series.size > 0) {
        for (const id of ["curves", "pace"]) document.getElementById(id).hidden = false; // no empty axes before
        charts.show(news.series);
      }
      for (const name of facts) views[name]?.(news.facts[name]);
      document.body.dataset.version = news.version;
    },
    onConnection: (connection) => state.showConnection(connection),
  });
  charts.draw();
  news.follow();
  document.body.dataset.ready = "true";
}

function describe({ data, samples, sizes, activation, optimizer, batchSize, rate, schedule, seed }) {
  const [training, validation] = samples.map((count) => count.toLocaleString("en"));
  const held = samples[1] > 0 ? `, ${validation} for validation` : "";
  return `${data}: ${training} samples to train on${held}. ${sizes.join("-")}, ${activation}; `
    + `${optimizer}, mini-batches of ${batchSize}, learning rate ${brief(rate)}, ${schedule}; `
    + `random seed ${seed}.`;
}

/** What shows each fact that is more than a figure, by its name. */
function viewsOf({ sizes, pixels, classes }) {
  const [height, width] = pixels ?? [1, 1];
  const layers = new Layers(sizes);
  const unit = sizes.length > 2 ? "unit" : "class";
  const tiles = new Tiles(document.getElementById("weights"), { name: "Weights of the first layer", unit });
  const digits = new Digits(document.getElementById("wrong"), {
    name: "Samples that are read wrongly now", height, width, classes, empty: "No mistakes.",
  });
  return {
    gradients(found) {
      uncover("gradients-card", `of ${found.samples} training samples, ${placeOf(found)}`);
      layers.show(found);
    },
    weights(found) {
      const some = found.units < found.of ? `the first ${found.units} of ${found.of}` : `${found.of}`;
      uncover("weights-card", `${some} units, ${placeOf(found)}`);
      tiles.show({ ...found, values: widened(bytesOf(found.values)) });
    },
    mistakes(found) {
      const { wrong, asked, part } = found;
      uncover("wrong-card", `${wrong} of ${asked.toLocaleString("en")} ${part} samples, ${placeOf(found)}`);
      digits.show(digitsOf(found, height * width));
    },
  };
}

function placeOf({ place }) {
  return `after ${Number(place.toFixed(2))} epochs`;
}

function digitsOf({ rows, labels, predicted, probabilities, images }, size) {
  const bytes = bytesOf(images);
  return rows.map((row, i) => ({
    key: row,
    pixels: bytes.subarray(i * size, (i + 1) * size),
    label: labels[i],
    predicted: predicted[i],
    probability: probabilities[i],
  }));
}

/** Show a card, now that there is something in it, and where its text is of. */
function uncover(id, place) {
  const card = document.getElementById(id);
  card.hidden = false;
  card.querySelector(".place").textContent = place;
}

startPage();
