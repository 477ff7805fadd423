// A bar and a number for each class: from 0 to the right for probabilities, to both sides for signed numbers.

class Bars {
  /** `choose(class)`: called when a row is chosen, if it may be. */
  constructor(parent, { name, classes, isSigned = false }) {
    this.isSigned = isSigned;
    const list = element("ol", `bars${isSigned ? " signed" : ""}`);
    list.setAttribute("role", "list");
    list.setAttribute("aria-label", name);
    if (classes.length > 12) {
      list.classList.add("many"); // scrolls by itself, so it must be within reach of the keyboard
      list.tabIndex = 0;
    }
    this.rows = classes.map((text) => barRow(list, text));
    parent.append(list);
  }

  /** `marked`: the class in bold. */
  show(values, marked) {
    const size = this.isSigned ? values.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1 : 1;
    this.rows.forEach(({ row, bar, value }, index) => {
      const share = Math.abs(values[index]) / size;
      row.classList.toggle("best", index === marked);
      bar.classList.toggle("negative", values[index] < 0);
      bar.style.width = `${(this.isSigned ? 50 : 100) * share}%`;
      if (this.isSigned) bar.style.marginLeft = values[index] < 0 ? `${50 - 50 * share}%` : "50%";
      value.textContent = this.isSigned ? figure(values[index]) : percentage(values[index]);
      row.dataset.value = values[index];
    });
  }
}

function barRow(list, text) {
  const row = element("li", "row");
  const [label, track, bar, value] = ["label", "track", "bar", "value"].map((name) => element("span", name));
  label.textContent = text;
  track.append(bar);
  row.append(label, track, value);
  list.append(row);
  return { row, bar, value };
}
