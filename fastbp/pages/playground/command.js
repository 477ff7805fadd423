// The command of fastbp that trains the same network on all of the data.

// What `fastbp train` does if it is not told.
const TRAIN_DEFAULTS = {
  activation: "relu", initialization: "he", schedule: "linear", l2: 0, dropout: 0, augment: "none",
};

function commandOf(choices, settings, data) {
  const words = ["fastbp train --no-batch-norm"]; // which the page does not have
  if (data.name !== "mnist") words.push(`--data ${quoted(data.name)}`);
  for (const { key, option, kind } of settings) {
    const value = choices[key];
    if (key === "momentum") {
      if (value > 0) words.push(`--optimizer momentum:${value}`);
    } else if (key === "initialization" && value === "start") {
      continue; // says the note
    } else if (TRAIN_DEFAULTS[key] !== value) {
      words.push(`--${option} ${kind.write(value)}`);
    }
  }
  return words.join(" ");
}

/** For a shell, if need be. */
function quoted(text) {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Commands of the networks, each with a button to copy it. */
class Commands {
  constructor(parent, settings, data) {
    [this.parent, this.settings, this.data] = [parent, settings, data];
  }

  show(networks) {
    this.parent.replaceChildren(
      ...networks.map((choices, number) => {
        const text = commandOf(choices, this.settings, this.data);
        const line = element("div", "command");
        const code = element("code");
        const words = text.split(/ (?=--)/); // an option and its value stay on one line
        code.append(...words.flatMap((word, i) => [i > 0 ? " " : "", element("span", "word", word)]));
        const button = element("button", "small", "Copy");
        button.type = "button";
        button.setAttribute("aria-label", `Copy the command of ${NAMES[number]}`);
        button.addEventListener("click", () => copyText(text, button, code));
        if (networks.length > 1) line.append(element("b", COLOURS[number], NAMES[number]));
        line.append(code, button);
        return line;
      }),
      ...(networks.some(({ initialization }) => initialization === "start")
        ? [element("p", "quiet", "It starts from new weights: a run that has begun goes on with --resume.")]
        : []),
    );
  }
}

/** Copy a text and say so on the button for a while; where that is forbidden, select it to be copied. */
async function copyText(text, button, shown = null) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    if (shown) getSelection().selectAllChildren(shown);
    button.textContent = shown ? "Press Ctrl+C" : "Copy it from the address";
  }
  setTimeout(() => (button.textContent = before), 1500);
}
