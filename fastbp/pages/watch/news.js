// News of the run: asks the server that the page came from, again and again, and adds up what it says.

const RETRY = 500; // milliseconds after a question that failed
const SLOW_RETRY = 5000; // when the run's process seems to be gone
const GONE = 6000; // of failing questions after which it does
const SILENCE = 30000; // after which a question has failed; the server answers within ten seconds

class News {
  /** `onNews(news)` is called when something is new, `onConnection(state)` with "lost", "gone" or "back". */
  constructor({ onNews, onConnection }) {
    [this.onNews, this.onConnection] = [onNews, onConnection];
    this.client = String(crypto.getRandomValues(new Uint32Array(1))[0]); // tells this page from others
    this.version = 0;
    this.facts = {}; // by name: the value that was told last
    this.series = {}; // by name: points
    this.hasEnded = false;
    this.lostSince = null;
    this.question = null;
    document.addEventListener("visibilitychange", () => this.question?.abort()); // and ask anew
  }

  async follow() {
    while (!this.hasEnded) {
      this.question = new AbortController();
      const isHidden = document.hidden;
      try {
        this.take(await this.ask(isHidden));
        this.found();
      } catch (error) {
        if (document.hidden === isHidden) await this.lost(error);
      }
    }
    this.question = new AbortController();
    this.ask(false).catch(() => {}); // says that the end was heard: the run waits for that, for a moment
  }

  /** What is newer than what is known. The server waits for it; if nobody sees the page, for the end. */
  async ask(isHidden) {
    const silence = setTimeout(() => this.question.abort(), SILENCE);
    try {
      const address = `news?client=${this.client}&since=${this.version}&hidden=${isHidden ? 1 : 0}`;
      const answer = await fetch(address, { signal: this.question.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      return await answer.json();
    } finally {
      clearTimeout(silence);
    }
  }

  take({ version, end, facts, series }) {
    this.version = version;
    Object.assign(this.facts, facts);
    for (const [name, { whole, points }] of Object.entries(series)) {
      this.series[name] = whole ? points : [...(this.series[name] ?? []), ...points];
    }
    this.hasEnded = end;
    this.onNews({ facts: new Set(Object.keys(facts)), series: new Set(Object.keys(series)) });
  }

  found() {
    if (this.lostSince === null) return;
    this.lostSince = null;
    this.onConnection("back");
  }

  async lost() {
    this.lostSince ??= performance.now();
    const isGone = performance.now() - this.lostSince > GONE;
    this.onConnection(isGone ? "gone" : "lost");
    await new Promise((resolve) => setTimeout(resolve, isGone ? SLOW_RETRY : RETRY));
  }
}
