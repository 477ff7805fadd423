// The list of lessons, and the one that is open.

class Lessonbook {
  /** `choose(lesson)`: called when one is chosen, `start()`: when its training is to begin, `leave()`: when
   *  it is closed. */
  constructor({ choose, start, leave }) {
    this.panel = document.getElementById("lesson");
    this.buttons = new Map();
    const list = document.getElementById("lessons");
    for (const lesson of LESSONS) {
      const button = element("button", "link", lesson.title);
      button.type = "button";
      button.dataset.lesson = lesson.name;
      button.addEventListener("click", () => choose(lesson));
      this.buttons.set(lesson.name, button);
      const item = element("li");
      item.append(button);
      list.append(item);
    }
    this.begin = document.getElementById("begin");
    this.begin.addEventListener("click", start);
    document.getElementById("leave").addEventListener("click", () => {
      this.show(null);
      leave();
    });
    this.open = null;
  }

  /** Lead to the text, which one reads first, and to the button below it. */
  offer() {
    this.begin.parentElement.hidden = false;
    this.begin.focus({ preventScroll: true });
    document.getElementById("curves").scrollIntoView();
  }

  /** Once training has begun, there is nothing to start. */
  showState({ running, networks }) {
    const hasBegun = running || networks.some(({ updates }) => updates > 0);
    if (hasBegun && document.activeElement === this.begin) {
      document.getElementById("run").focus({ preventScroll: true });
    }
    this.begin.parentElement.hidden = hasBegun;
  }

  named(name) {
    return LESSONS.find((lesson) => lesson.name === name) ?? null;
  }

  show(lesson) {
    this.open = lesson;
    this.panel.hidden = lesson === null;
    for (const [name, button] of this.buttons) {
      button.setAttribute("aria-current", String(name === lesson?.name));
    }
    if (lesson === null) return;
    this.panel.querySelector("h2").textContent = lesson.title;
    this.panel.querySelector(".text").textContent = lesson.text;
    this.panel.querySelector(".look span").textContent = lesson.look;
    this.panel.querySelector("details p").textContent = lesson.report;
  }
}

/** Choices of a lesson's networks. */
function networksOfLesson({ a, b }) {
  const first = { ...BASE, ...a };
  return b ? [first, { ...first, ...b }] : [first];
}
