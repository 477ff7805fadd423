// Choices as the fragment of a link, and back: #hidden=64&init=he, with "b-" before what differs in B.

/** `networks`: choices of one or two networks. */
function fragmentOf(networks, settings, lesson = null) {
  const [a, b] = networks;
  const fields = new URLSearchParams();
  for (const { key, option, kind } of settings) fields.set(option, kind.write(a[key]));
  if (b) fields.set("compare", "yes");
  for (const { key, option, kind, shared } of b ? settings : []) {
    if (!shared && kind.write(a[key]) !== kind.write(b[key])) fields.set(`b-${option}`, kind.write(b[key]));
  }
  if (lesson !== null) fields.set("lesson", lesson);
  return `#${fields.toString().replaceAll("%2C", ",")}`;
}

/** Read a fragment, which anyone may have written: what cannot be read is a problem, and the default counts.
 *  Returns { networks, lesson, problems }. */
function readFragment(fragment, settings, defaults) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const problems = [];
  const known = new Set(["compare", "lesson", ...settings.flatMap(({ option }) => [option, `b-${option}`])]);
  for (const name of fields.keys()) {
    if (!known.has(name)) problems.push(`The link has "${name.slice(0, 40)}", which is not a setting here.`);
  }
  const take = (before, prefix, whose) => {
    const choices = { ...before };
    for (const setting of settings) {
      const text = fields.get(prefix + setting.option);
      if (text === null) continue;
      try {
        choices[setting.key] = setting.kind.read(text);
      } catch (error) {
        if (!(error instanceof ChoiceError)) throw error;
        problems.push(`In the link, ${problemOf(setting, text, whose)}`);
      }
    }
    return choices;
  };
  const isPair = fields.has("compare") || [...fields.keys()].some((name) => name.startsWith("b-"));
  const a = take(defaults, "", isPair ? " of A" : "");
  const networks = isPair ? [a, take(a, "b-", " of B")] : [a];
  return { networks, lesson: fields.get("lesson"), problems };
}
