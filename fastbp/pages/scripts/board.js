// The drawing board: strokes of a round pen, white on black, which can be undone one by one.

class Board {
  /** `onChange` is called after changes of the drawing, at most once per frame, and at the end of a stroke. */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { willReadFrequently: true });
    this.penWidth = 22;
    this.drawings = [[]]; // each change adds a list of strokes, so that clearing can be undone too
    this.stroke = null;
    this.pointer = null;
    this.onChange = onChange;
    this.isWaiting = false;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.extend(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, (event) => this.end(event));
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch is a dot
    this.render();
  }

  get strokes() {
    return this.drawings.at(-1);
  }

  begin(event) {
    const isOther = this.pointer !== null && event.pointerId !== this.pointer; // such as the palm
    if (isOther || event.button > 0) return;
    event.preventDefault();
    this.pointer = event.pointerId;
    try {
      this.canvas.setPointerCapture(event.pointerId); // strokes may leave the board and come back
    } catch {
      // a synthetic pointer cannot be captured
    }
    this.stroke = { width: this.penWidth, points: [this.place(event)] };
    this.drawings.push([...this.strokes, this.stroke]);
    this.changed();
  }

  extend(event) {
    if (this.stroke === null || event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length > 0 ? events : [event]) this.stroke.points.push(this.place(each));
    this.changed();
  }

  end(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.stroke = null;
    this.changed();
  }

  undo() {
    if (this.stroke !== null || this.drawings.length === 1) return;
    this.drawings.pop();
    this.changed();
  }

  clear() {
    if (this.stroke !== null || this.strokes.length === 0) return;
    this.drawings.push([]);
    this.changed();
  }

  /** Grey levels, by rows. */
  pixels() {
    const { width, height } = this.canvas;
    const colours = this.context.getImageData(0, 0, width, height).data;
    const grey = new Uint8Array(width * height);
    for (let i = 0; i < grey.length; i++) grey[i] = colours[4 * i];
    return grey;
  }

  /** How far the strokes reach, the longer of width and height, without the pen's own width. */
  extent() {
    const points = this.strokes.flatMap((stroke) => stroke.points);
    const reach = (axis) => {
      let [low, high] = [Infinity, -Infinity];
      for (const point of points) [low, high] = [Math.min(low, point[axis]), Math.max(high, point[axis])];
      return high - low;
    };
    return Math.max(reach(0), reach(1));
  }

  changed() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.render();
      this.onChange();
    });
  }

  render() {
    const { context, canvas } = this;
    context.fillStyle = "black";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = context.fillStyle = "white";
    context.lineCap = context.lineJoin = "round";
    for (const { width, points } of this.strokes) {
      const [[x, y]] = points;
      context.beginPath();
      if (points.every((point) => point[0] === x && point[1] === y)) {
        context.arc(x, y, width / 2, 0, 2 * Math.PI); // a line of no length may not show
        context.fill();
        continue;
      }
      for (const point of points) context.lineTo(...point);
      context.lineWidth = width;
      context.stroke();
    }
  }

  /** Position of an event in pixels of the board, which may be scaled on the screen. */
  place(event) {
    const shown = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - shown.left) * this.canvas.width) / shown.width,
      ((event.clientY - shown.top) * this.canvas.height) / shown.height,
    ];
  }
}
