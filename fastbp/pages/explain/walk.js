// Walking through the lesson: buttons, arrow keys, the list of steps, and a place in the address, #step=5.

class Walk {
  constructor(explained) {
    this.explained = explained;
    this.steps = lessonOf(explained.example);
    this.step = 0;
    const find = (id) => document.getElementById(id);
    [this.count, this.title] = ["count", "title"].map(find);
    [this.sentence, this.figures] = ["sentence", "figures"].map(find);
    [this.previous, this.next] = ["previous", "next"].map(find);
    this.previous.addEventListener("click", () => this.go(this.step - 1));
    this.next.addEventListener("click", () => this.go(this.step + 1));
    this.list(find("steps"));
    document.addEventListener("keydown", (event) => this.press(event));
    addEventListener("hashchange", () => this.go(this.asked()));
    this.go(this.asked(), location.hash !== "");
  }

  list(parent) {
    this.entries = this.steps.map(({ title }, step) => {
      const [entry, button] = [element("li"), element("button", "", title)];
      button.type = "button";
      button.addEventListener("click", () => this.go(step));
      entry.append(button);
      parent.append(entry);
      return button;
    });
  }

  /** The step that the address asks for; the first if it asks for none. */
  asked() {
    const found = /^#step=([0-9]{1,4})$/.exec(location.hash);
    return found === null ? 0 : Number(found[1]) - 1;
  }

  /** Arrow keys walk, unless something has the focus that has a use for them. */
  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (event.target.matches("input, select, canvas, [tabindex]")) return;
    const moves = { ArrowLeft: -1, ArrowRight: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.go(this.step + moves[event.key]);
  }

  /** Show a step; `isScrolled`: and scroll to it. */
  go(step, isScrolled = true) {
    this.step = Math.min(this.steps.length - 1, Math.max(0, step));
    if (isScrolled) history.replaceState(null, "", `#step=${this.step + 1}`);
    this.entries.forEach((entry, index) => {
      if (index === this.step) entry.setAttribute("aria-current", "step");
      else entry.removeAttribute("aria-current");
    });
    for (const block of document.querySelectorAll(".card.current")) block.classList.remove("current");
    this.showEntry(this.entries[this.step]);
    const target = document.getElementById(this.steps[this.step].target(this.explained));
    target.classList.add("current");
    this.tell();
    if (isScrolled) target.scrollIntoView({ block: "start", behavior: isCalm() ? "auto" : "smooth" });
  }

  /** Scroll the list, and nothing else, to the step. */
  showEntry(entry) {
    const list = document.getElementById("list");
    const [top, bottom] = [entry.offsetTop, entry.offsetTop + entry.offsetHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
  }

  /** The step's sentence and figures, which change with the label, the unit and the rate. */
  tell() {
    const { title, sentence, figures } = this.steps[this.step];
    put(this.count, `Step ${this.step + 1} of ${this.steps.length}`);
    put(this.title, title);
    put(this.sentence, sentence(this.explained));
    put(this.figures, this.explained.isWhole ? figures(this.explained) : "");
    // Not disabled, which would take the keyboard's focus away.
    this.previous.setAttribute("aria-disabled", String(this.step === 0));
    this.next.setAttribute("aria-disabled", String(this.step + 1 === this.steps.length));
  }
}

/** Set a text only if it changes: a screen reader reads what is set. */
function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function isCalm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
