// The page's images and labels, as fastbp/pages/playground/digits.py wrote them.

class Images {
  constructor(data, images, labels) {
    [this.shape, this.scale, this.start, this.augment] = [data.shape, data.scale, data.start, data.augment];
    [this.count, this.trainCount, this.classes] = [data.count, data.trainCount, data.classes.length];
    [this.version, this.limits, this.images, this.labels] = [data.version, data.limits, images, labels];
    this.pixels = data.shape[0] * data.shape[1];
  }

  /** Bytes of one image. */
  image(row) {
    return this.images.subarray(row * this.pixels, (row + 1) * this.pixels);
  }
}

async function readImages(data) {
  return new Images(data, await inflated(bytesOf(data.images)), bytesOf(data.labels));
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
