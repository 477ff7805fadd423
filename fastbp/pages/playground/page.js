// The page: choices lead to networks, the worker trains them, and every state is shown.

class Playground {
  constructor(data, images) {
    [this.data, this.images] = [data, images];
    this.settings = settingsOf(data);
    this.training = new Training({
      onState: (state, curves) => this.show(state, curves),
      onExported: (message) => this.exports.answer(message),
      onError: (text) => this.fail(text),
    });
    this.form = new Form(this.settings, data, (networks) => this.choose(networks));
    this.controls = new Controls(this.training, {
      again: () => this.again(), compare: () => this.form.compare.click(),
    });
    this.charts = new Charts();
    this.lessons = new Lessonbook({
      choose: (lesson) => this.teach(lesson),
      start: () => this.controls.run(),
      leave: () => this.leaveLesson(),
    });
    this.exports = new Exports(this.training);
    const mark = (network, words) => this.charts.mark(network, words);
    this.breaker = new Breaker(this.training, data.classes.length, mark);
    this.drawn = new Drawn(this.training, data);
    const weights = new Weights(data, (network, unit) => this.breaker.choose(network, unit));
    this.panels = [
      this.controls, new Trouble(data.classes.length), weights, new Layers(), new Mistakes(data, images),
      this.drawn, this.breaker, this.exports,
    ];
    this.commands = new Commands(document.getElementById("commands"), this.settings, data);
    new Overflow(data.classes, (use) => this.takeLogits(use));
    this.listen();
  }

  listen() {
    addEventListener("hashchange", () => location.hash !== this.fragment && this.follow(location.hash));
    document.getElementById("defaults").addEventListener("click", () => {
      this.lessons.show(null);
      this.leaveLesson();
      this.choose([this.data.choices]);
    });
    const copy = document.getElementById("copy-link");
    copy.addEventListener("click", () => copyText(location.href, copy));
  }

  async start() {
    this.training.send("data", { data: this.data });
    await this.training.isReady;
    this.follow(location.hash);
  }

  /** Choices and lesson of a link. */
  follow(fragment) {
    const { networks, lesson, problems } = readFragment(fragment, this.settings, this.data.choices);
    const named = this.lessons.named(lesson);
    this.lessons.show(named);
    if (named) this.charts.set(named);
    this.choose(completed(networks, this.settings, this.data.start));
    this.form.say(problems);
  }

  /** New networks. */
  choose(networks) {
    this.networks = networks;
    this.form.show(networks);
    this.commands.show(networks);
    this.remember();
    this.again();
  }

  /** Keep the choices in the page's address. */
  remember() {
    if (!this.networks) return;
    this.fragment = fragmentOf(this.networks, this.settings, this.lessons.open?.name ?? null);
    history.replaceState(null, "", this.fragment);
  }

  /** The same networks from the start. */
  again() {
    this.charts.clearMarks();
    this.breaker.forget();
    this.training.reset(this.networks);
  }

  teach(lesson) {
    this.lessons.show(lesson);
    this.charts.set(lesson);
    this.choose(networksOfLesson(lesson).map((choices) => fitted(choices, this.settings)));
    this.lessons.offer();
  }

  leaveLesson() {
    this.charts.limit(null);
    this.remember();
  }

  show(state, curves) {
    this.charts.show(curves);
    for (const panel of this.panels) panel.show(state);
    this.lessons.showState(state);
    document.body.classList.toggle("pair-of-networks", state.networks.length > 1);
    document.body.dataset.ready = "true";
  }

  /** Logits that network A has for the digit that was drawn, or else for the first validation digit. */
  takeLogits(use) {
    const drawn = this.drawn.image;
    const row = this.data.trainCount;
    this.exports.ask(0, (bytes) => {
      const logits = logitsOf(networkIn(bytes), drawn ?? this.images.image(row));
      const label = drawn ? logits.indexOf(Math.max(...logits)) : this.images.labels[row];
      const which = drawn ? "your digit" : `a validation digit, ${this.data.classes[label]}`;
      use(logits, label, `These are network A's logits for ${which}.`);
    });
  }

  fail(text) {
    this.exports.forget();
    this.breaker.forget();
    this.form.say([`The trainer says: ${text}`]);
  }
}

const GENTLY = "(at first with a small learning rate, to keep them)";

async function startPage() {
  const element = document.getElementById("data");
  const data = JSON.parse(element.textContent);
  element.remove(); // the text is large
  const validation = data.count - data.trainCount;
  document.getElementById("about").textContent =
    `${count(data.trainCount)} images of ${data.name} to train on, ${count(validation)} to validate`
    + (data.start ? `, from the weights of ${data.start.name} ${GENTLY}` : "");
  const { length } = data.classes;
  const guess = brief(Math.log(length), 2);
  if (data.held === "unknown") {
    document.getElementById("held").textContent =
      "validation digits, which the network that you gave may have been trained on before";
  }
  const isDigits = data.classes.join("") === "0123456789";
  document.getElementById("what").textContent = isDigits
    ? "read digits"
    : `tell ${count(length)} classes of images apart`;
  document.getElementById("guess-loss").textContent = `${guess} is guessing among ${length}`;
  document.getElementById("guess-share").textContent = percent(1 / length);
  await new Playground(data, await readImages(data)).start();
}

function count(number) {
  return number.toLocaleString("en");
}

startPage();
