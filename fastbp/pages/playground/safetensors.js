// A network as a file of weights that fastbp reads: safetensors, with the names and metadata of
// fastbp/network.py.

/** The file's bytes. Throws an Error of one line if a parameter is not finite: no file has such. */
function safetensorsOf(network, activation, version) {
  if (!network.parameters.every(Number.isFinite)) {
    throw new Error("cannot be exported: a weight is infinite or not a number");
  }
  const about = { __metadata__: metadataOf(network, activation, version) };
  const header = JSON.stringify({ ...about, ...tensorsOf(network) });
  const text = new TextEncoder().encode(header.padEnd(Math.ceil(header.length / 8) * 8));
  const bytes = new Uint8Array(8 + text.length + 4 * network.parameters.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  network.parameters.forEach((value, i) => view.setFloat32(8 + text.length + 4 * i, value, true));
  return bytes.buffer;
}

function metadataOf({ sizes, scale, classes }, activation, version) {
  return {
    format: "fastbp",
    fastbp_version: version,
    sizes: sizes.join(","),
    activation,
    output: "softmax",
    input_scale: String(scale),
    classes: String(classes),
  };
}

/** Where each tensor lies: in the order of the parameters, which the file has as they are. */
function tensorsOf({ layers }) {
  const tensors = {};
  let start = 0;
  const add = (name, shape, length) => {
    tensors[name] = { dtype: "F32", shape, data_offsets: [4 * start, 4 * (start + length)] };
    start += length;
  };
  layers.forEach(({ fanIn, fanOut }, number) => {
    add(`layers.${number}.weight`, [fanIn, fanOut], fanIn * fanOut);
    add(`layers.${number}.bias`, [fanOut], fanOut);
  });
  return tensors;
}
