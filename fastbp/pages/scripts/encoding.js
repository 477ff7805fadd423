// Arrays that Python wrote into the page: base64, and float16.

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** float16 (IEEE 754 binary16) to float32, by a table of all its 65,536 values. */
function widened(bytes) {
  const table = Float32Array.from({ length: 65536 }, (_, bits) => {
    const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    return sign ? -size : size;
  });
  const halves = new Uint16Array(bytes.buffer);
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) floats[i] = table[halves[i]]; // several times as fast as Float32Array.from
  return floats;
}

/** Parameters of a network, as fastbp/pages/weights.py wrote them, in an array of type `Floats`. */
function parametersOf(about, Floats) {
  const bytes = bytesOf(about.parameters);
  const stored = about.type === "float16" ? widened(bytes) : new Float32Array(bytes.buffer);
  return Floats === Float32Array ? stored : Floats.from(stored);
}
