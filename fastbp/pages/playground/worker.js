// The worker: commands of the page in, states out. It works in pieces of CHUNK milliseconds, between which it
// takes commands, and tells a state every STATE milliseconds, or less often where states are slow.

const [CHUNK, STATE, MOST_SHARE] = [25, 100, 0.03];

let digits = null;
let session = null;
let isScheduled = false;
let nextState = 0; // time, in milliseconds
const spent = { states: 0, all: 0 }; // milliseconds, while there was work

// Timers of 0 ms wait for 4; a message to oneself does not.
const { port1, port2 } = new MessageChannel();
port1.onmessage = () => {
  isScheduled = false;
  reporting(work);
};

const COMMANDS = {
  reset: ({ networks }) => {
    const { drawn = null, look = null } = session ?? {};
    session = Object.assign(new Session(digits, networks), { drawn, look });
  },
  run: () => session.run(),
  pause: () => session.pause(),
  step: () => session.step(),
  epoch: () => session.epoch(),
  break: (order) => session.break(order),
  draw: ({ image }) => {
    const { pixels } = digits;
    if (image !== null && image.length !== pixels) throw new Error(`image: expected ${pixels} bytes`);
    session.drawn = image;
  },
  look: (look) => {
    session.look = look;
  },
  export: ({ network }) => {
    const bytes = session.export(network);
    postMessage({ type: "exported", network, bytes }, [bytes]);
  },
};

onmessage = ({ data: message }) => reporting(() => obey(message));

async function obey(message) {
  if (message.type === "data") {
    digits = await readImages(message.data);
    postMessage({ type: "ready" });
    return;
  }
  if (!Object.hasOwn(COMMANDS, message.type)) throw new Error(`${message.type}: no such command`);
  if (digits === null) throw new Error("there are no data yet");
  if (session === null && message.type !== "reset") throw new Error("there are no networks yet");
  COMMANDS[message.type](message);
  if (message.type === "export") return;
  nextState = 0;
  schedule();
}

function work() {
  const start = performance.now();
  session.advance(start + CHUNK);
  const trained = performance.now();
  if (!session.isBusy || trained >= nextState) tell(trained);
  const now = performance.now();
  spent.all += now - start;
  if (session.isBusy) schedule();
}

function tell(start) {
  const state = { ...session.state(), statesShare: spent.all > 0 ? spent.states / spent.all : 0 };
  const buffers = state.networks.flatMap(({ weights }) => (weights === null ? [] : [weights.values.buffer]));
  postMessage(state, buffers);
  const now = performance.now();
  spent.states += now - start;
  nextState = Math.max(start + STATE, now + (now - start) / MOST_SHARE);
}

function schedule() {
  if (isScheduled) return;
  isScheduled = true;
  port2.postMessage(null);
}

/** Do something; what goes wrong is told to the page in one line. */
async function reporting(action) {
  try {
    await action();
  } catch (error) {
    postMessage({ type: "failed", text: error.message });
  }
}
