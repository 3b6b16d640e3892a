// One image: its values under the pointer, what is known of it, and what training makes of it.
import {clear, el} from "./dom.js";
import {cell, load} from "./sprite.js";

const WAIT_MS = 350, SIDE_PX = 224;
// Changes that a box adds: the message they stand in, and their line.
const CHANGES = [
  ["mirror", "transform", "mirror: true"],
  ["rotation, shift and scale", "augment", "affine { rotation: 15 translation: 0.1 scale_min: 0.9 scale_max: 1.1 }"],
  ["random crop", "augment", "crop { area_min: 0.6 }"],
  ["elastic", "augment", "elastic { alpha: 8 sigma: 3 }"],
  ["blur", "augment", "blur { sigma_max: 1 }"],
  ["brightness", "augment", "brightness { min: 0.7 max: 1.3 }"],
  ["contrast", "augment", "contrast { min: 0.7 max: 1.3 }"],
  ["saturation", "augment", "saturation { min: 0.5 max: 1.5 }", 3],
  ["hue", "augment", "hue { min: -20 max: 20 }", 3],
  ["noise", "augment", "noise { std: 10 }"],
  ["erased pieces", "augment", "erase { probability: 0.5 area_min: 0.05 area_max: 0.2 }"],
];

export class Sample {
  constructor(app) {
    Object.assign(this, {app, turn: 0, timer: 0, sprite: null, pixels: null, at: [0, 0]});
    this.title = el("h3");
    this.canvas = el("canvas", {tabindex: "0", role: "img"});
    this.readout = el("output.value", {"aria-live": "polite"});
    this.facts = el("dl.facts");
    this.boxes = el("div.changes", {role: "group", "aria-label": "Random changes"});
    const area = (name, rows) => el("textarea", {name, rows, spellcheck: "false", oninput: () => this.later()});
    [this.transform, this.augment] = [area("transform", 2), area("augment", 4)];
    this.count = el("input", {type: "number", min: 1, max: 24, value: 8, oninput: () => this.later()});
    this.seed = el("input", {type: "number", min: 0, max: 2 ** 31, value: 1, oninput: () => this.later()});
    this.seen = el("div.cells.seen");
    this.wrong = el("p.bad", {role: "alert"});
    this.note = el("p.hint", {hidden: true}, "Samples are shown without their boxes.");
    this.node = el("section.card.sample", {"aria-label": "One image", hidden: true},
      el("div.line", {}, this.title, el("button.quiet.end", {type: "button", "aria-label": "Close this image", onclick: () => this.close()}, "×")),
      el("div.one", {}, el("figure", {}, this.canvas, el("figcaption", {}, this.readout)), this.facts),
      el("h3", {}, "What training sees"), this.boxes,
      el("div.texts", {}, el("label", {}, "transform_param", this.transform), el("label", {}, "augment_param", this.augment)),
      el("div.line", {}, el("label", {}, "Samples ", this.count), el("label", {}, "Seed ", this.seed)),
      this.wrong, this.seen, this.note);
    this.canvas.onpointermove = event => this.point(event);
    this.canvas.onpointerleave = () => this.read(null);
    this.canvas.onkeydown = event => this.key(event);
    this.canvas.onfocus = () => this.read(this.at);
    this.canvas.onblur = () => this.read(null);
  }

  close() {
    this.node.hidden = true;
    this.turn += 1;
  }

  // image: {part, index, labels}; called: the name of a label.
  async show(path, version, image, called, boxed) {
    const turn = ++this.turn, query = new URLSearchParams({part: image.part, index: image.index, v: version});
    Object.assign(this, {path, version, image});
    try {
      const [told, url] = await Promise.all([this.app.api.get(`${path}/image?${query}`), this.app.api.picture(`${path}/image.png?${query}`)]);
      const picture = new Image();
      picture.src = url;
      await picture.decode().finally(() => URL.revokeObjectURL(url));
      if (turn !== this.turn) return;
      this.node.hidden = false;
      this.note.hidden = !boxed;
      this.told = told;
      this.tell(told, called);
      this.draw(picture);
      this.choices(told.shape[0]);
      this.node.scrollIntoView({block: "nearest"});
      await this.samples();
    } catch (error) {
      if (turn === this.turn) this.app.say(error.message, "bad");
    }
  }

  tell(told, called) {
    const names = told.labels.map(called).join(", ") || "none";
    this.title.textContent = `${names}: image ${told.index} of ${told.part}`;
    const row = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));
    const [channels, height, width] = told.shape, n = value => String(+value.toPrecision(4));
    clear(this.facts).append(row("Class", names), row("Size", `${width} × ${height}, ${channels === 1 ? "grey" : `${channels} channels`}`),
      row("Values", `${n(told.least)} to ${n(told.most)}`), row("Mean, deviation", `${n(told.mean)}, ${n(told.deviation)}`));
    if (told.name) this.facts.append(row("Name", told.name));
    if (told.boxes.length) this.facts.append(row("Boxes", told.boxes.map(box => box.name).join(", ")));
  }

  // -- its values

  draw(picture) {
    const [w, h] = [picture.naturalWidth, picture.naturalHeight], {canvas} = this;
    Object.assign(canvas, {width: w, height: h});
    const scale = Math.max(w, h) < SIDE_PX ? Math.floor(SIDE_PX / Math.max(w, h)) : Math.min(1, (2 * SIDE_PX) / Math.max(w, h));
    canvas.style.width = `${Math.round(w * scale)}px`;
    canvas.style.imageRendering = scale >= 1 ? "pixelated" : "auto";
    const pen = canvas.getContext("2d", {willReadFrequently: true});
    pen.drawImage(picture, 0, 0);
    this.pixels = pen.getImageData(0, 0, w, h);
    this.at = [Math.floor(h / 2), Math.floor(w / 2)];
    canvas.setAttribute("aria-label", `${this.title.textContent}: arrow keys read its values`);
    this.outline(pen, w, h);
    this.read(null);
  }

  outline(pen, w, h) {
    pen.lineWidth = Math.max(1, Math.round(Math.max(w, h) / SIDE_PX));
    for (const {label, corners: [x0, y0, x1, y1]} of this.told.boxes) {
      pen.strokeStyle = `hsl(${(label * 137) % 360} 90% 55%)`;
      pen.strokeRect(x0 * w, y0 * h, (x1 - x0) * w, (y1 - y0) * h);
    }
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect(), {width, height} = this.canvas;
    const place = (offset, size, count) => Math.min(count - 1, Math.max(0, Math.floor((offset / size) * count)));
    this.read([place(event.clientY - box.top, box.height, height), place(event.clientX - box.left, box.width, width)]);
  }

  key(event) {
    const step = {ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1]}[event.key];
    if (!step) return;
    event.preventDefault();
    const {width, height} = this.canvas, held = (value, count) => Math.min(count - 1, Math.max(0, value));
    this.at = [held(this.at[0] + step[0], height), held(this.at[1] + step[1], width)];
    this.read(this.at);
  }

  // Say the value at a place [row, column]; null: how to have one said.
  read(place) {
    if (!place || !this.pixels) {
      this.readout.textContent = "Point at a pixel to read its value.";
      return;
    }
    const [row, column] = place, at = 4 * (row * this.pixels.width + column), [r, g, b] = this.pixels.data.slice(at, at + 3);
    const own = value => Math.round((value * this.told.white) / 255);
    const value = this.told.shape[0] === 1 ? own(r) : `red ${own(r)}, green ${own(g)}, blue ${own(b)}`;
    this.readout.textContent = `row ${row}, column ${column}: ${value}`;
  }

  // -- what training makes of it

  choices(channels) {
    const fitting = CHANGES.filter(([, , , needs]) => !needs || needs === channels);
    clear(this.boxes).append(...fitting.map(([name, where, line]) => el("label", {}, el("input", {type: "checkbox",
      checked: this[where].value.includes(line), onchange: event => this.change(where, line, event.target.checked)}), name)));
  }

  change(where, line, on) {
    const area = this[where], kept = area.value.split("\n").filter(one => one.trim() && one !== line);
    area.value = [...kept, ...(on ? [line] : [])].join("\n");
    this.later(0);
  }

  later(ms = WAIT_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.samples(), ms);
  }

  async samples() {
    const turn = this.turn, n = Number(this.count.value) || 8, {image, version} = this;
    const query = new URLSearchParams({part: image.part, index: image.index, n, seed: this.seed.value || 0,
      transform: this.transform.value, augment: this.augment.value, v: version});
    try {
      const sprite = await load(this.app.api, `${this.path}/augmented.png?${query}`, n + 1, n + 1);
      if (turn !== this.turn) return sprite.close();
      this.sprite?.close();
      this.sprite = sprite;
      this.wrong.textContent = "";
      clear(this.seen).append(...Array.from({length: n + 1}, (_, k) => el("figure", {}, cell(sprite, k, {least: 84, most: 112}),
        el("figcaption", {}, k ? `epoch ${k}` : "as it is"))));
    } catch (error) {
      if (turn === this.turn) this.wrong.textContent = error.message;
    }
  }
}
