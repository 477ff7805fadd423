// The form: every setting with a field for network A and one for B.

const NAMES = ["A", "B"];
const COLOURS = ["a", "b"];

class Form {
  /** `onChange(networks)`: called with the choices of one or two networks after a change that can be read. */
  constructor(settings, data, onChange) {
    [this.settings, this.start, this.onChange] = [settings, data.start, onChange];
    this.form = document.getElementById("choices");
    this.compare = document.getElementById("compare");
    this.problem = document.getElementById("problem");
    this.fields = [{}, {}];
    const more = element("details", "more");
    more.append(element("summary", "", "More settings"));
    const head = element("div", "setting names");
    head.append(element("span"), element("b", "a", "A"), element("b", "b", "B"));
    this.form.append(head);
    for (const setting of settings) (setting.more ? more : this.form).append(this.row(setting));
    this.form.append(more);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.compare.addEventListener("change", () => this.changed());
    const glossary = document.getElementById("glossary");
    for (const { label, words } of settings) {
      glossary.append(element("dt", "", label), element("dd", "", words));
    }
  }

  row(setting) {
    const row = element("div", `setting${setting.shared ? " shared" : ""}`);
    const label = element("label", "", setting.label);
    label.htmlFor = `a-${setting.option}`;
    label.title = setting.words;
    row.append(label);
    for (let number = 0; number < (setting.shared ? 1 : 2); number++) row.append(this.field(setting, number));
    return row;
  }

  field(setting, number) {
    const { kind } = setting;
    const field = element(kind.names ? "select" : "input", `of-${COLOURS[number]}`);
    field.id = `${COLOURS[number]}-${setting.option}`;
    if (number > 0) field.setAttribute("aria-label", `${setting.label} of B`);
    if (kind.names) field.append(...kind.names.map((name) => new Option(name, name)));
    else {
      field.type = "text";
      field.spellcheck = false;
      field.inputMode = kind.layers ? "text" : "decimal";
      field.addEventListener("keydown", (event) => this.stepField(event, setting, field));
    }
    field.addEventListener("change", () => this.changed());
    this.fields[number][setting.key] = field;
    return kind.layers ? this.withLayers(setting, field, number) : field;
  }

  /** Buttons that add a layer as wide as the last one, and take one away. */
  withLayers(setting, field, number) {
    const box = element("span", `layers of-${COLOURS[number]}`);
    const change = (edit) => {
      const widths = this.valueOf(setting, field);
      if (widths === null) return;
      const edited = edit(widths);
      if (edited.length > setting.kind.layers) return;
      field.value = setting.kind.write(edited);
      this.changed();
    };
    const buttons = [
      ["-", "Remove a layer", (widths) => widths.slice(0, -1)],
      ["+", "Add a layer", (widths) => [...widths, widths.at(-1) ?? 32]],
    ].map(([text, name, edit]) => {
      const button = element("button", "small", text);
      button.type = "button";
      button.setAttribute("aria-label", `${name}${number > 0 ? " of B" : ""}`);
      button.addEventListener("click", () => change(edit));
      return button;
    });
    box.append(field, ...buttons);
    return box;
  }

  /** Arrow keys in a field go to the next usual value. */
  stepField(event, setting, field) {
    const isUp = event.key === "ArrowUp";
    if (!isUp && event.key !== "ArrowDown") return;
    const value = this.valueOf(setting, field);
    if (value === null) return;
    event.preventDefault();
    field.value = setting.kind.write(setting.kind.step(value, isUp));
    this.changed();
  }

  valueOf(setting, field) {
    try {
      return setting.kind.read(field.value);
    } catch (error) {
      if (!(error instanceof ChoiceError)) throw error;
      return null;
    }
  }

  show(networks) {
    this.compare.checked = networks.length > 1;
    this.form.classList.toggle("compare", networks.length > 1);
    for (const { key, kind, shared } of this.settings) {
      NAMES.forEach((_, number) => {
        if (shared && number > 0) return;
        const choices = networks[number] ?? networks[0];
        const field = this.fields[number][key];
        field.value = kind.write(choices[key]);
        field.disabled = choices.initialization === "start" && (key === "hidden" || key === "activation");
        field.setAttribute("aria-invalid", "false");
      });
    }
    this.markDifferences(networks);
    this.say([]);
  }

  markDifferences([a, b]) {
    let count = 0;
    for (const { key, kind } of this.settings) {
      const differs = b !== undefined && kind.write(a[key]) !== kind.write(b[key]);
      this.fields[0][key].closest(".setting").classList.toggle("differs", differs);
      if (differs) count += 1;
    }
    const isCopy = b !== undefined && count === 0;
    document.getElementById("hint").textContent = isCopy
      ? "B is a copy of A: change something in its column."
      : "A change starts a new network.";
  }

  /** Read all fields; if one cannot be read, say so and change nothing. */
  changed() {
    const problems = [];
    const count = this.compare.checked ? 2 : 1;
    const networks = this.fields.slice(0, count).map((fields, number) => {
      const choices = {};
      for (const setting of this.settings) {
        const field = fields[setting.key];
        if (!field) continue; // shared
        const value = this.valueOf(setting, field);
        field.setAttribute("aria-invalid", String(value === null));
        const whose = count > 1 && !setting.shared ? ` of ${NAMES[number]}` : "";
        if (value === null) problems.push(problemOf(setting, field.value, whose));
        choices[setting.key] = value;
      }
      return choices;
    });
    this.say(problems);
    if (problems.length === 0) this.onChange(completed(networks, this.settings, this.start));
  }

  say(problems) {
    this.problem.textContent = problems.slice(0, 3).join(" ");
    this.problem.hidden = problems.length === 0;
  }
}
