// A pad to draw on with mouse, touch, pen or keys: light strokes on a dark ground, as in MNIST.
import {el} from "./dom.js";

export const SIDE = 280, PEN = 22;
const STEP = 10, FINE = 2, REST_MS = 120;
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
const HELP = "Draw with mouse, finger or pen. With keys: arrows move the pen (Shift: finely), Space sets it "
  + "down and lifts it, Delete clears.";

export class Pad {
  // changed(blob) is told of the picture, a PNG, when the pen rests; null when the pad is empty.
  constructor(changed) {
    this.changed = changed;
    this.canvas = el("canvas", {width: SIDE, height: SIDE, tabindex: 0, role: "application",
      "aria-label": "Drawing area", "aria-describedby": "pad-help"});
    this.mark = el("span.pad-mark", {"aria-hidden": "true"});
    this.state = el("span", {role: "status"});
    this.node = el("div.pad", {},
      el("div.pad-paper", {}, this.canvas, this.mark),
      el("div.row", {},
        el("button", {type: "button", onclick: () => this.clear()}, "Clear"), this.state),
      el("p.hint#pad-help", {}, HELP));
    this.ink = this.canvas.getContext("2d", {willReadFrequently: true});
    Object.assign(this.ink, {lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: "#fff"});
    this.at = [SIDE / 2, SIDE / 2];
    this.last = null;
    this.down = false;
    this.listen();
    this.wipe();
  }

  listen() {
    const c = this.canvas;
    c.addEventListener("pointerdown", e => {
      if (e.button) return;
      c.setPointerCapture(e.pointerId);
      this.keyed = false;
      this.show();
      this.last = this.place(e);
      this.stroke(this.last, [this.last[0] + 0.1, this.last[1]]);
    });
    c.addEventListener("pointermove", e => {
      if (!this.last) return;
      const passed = e.getCoalescedEvents?.() ?? [];
      for (const p of passed.length ? passed : [e]) this.to(this.place(p));
    });
    for (const end of ["pointerup", "pointercancel"]) c.addEventListener(end, () => { this.last = null; });
    c.addEventListener("keydown", e => this.key(e));
    c.addEventListener("blur", () => { this.mark.hidden = true; });
  }

  place(e) {
    const box = this.canvas.getBoundingClientRect();
    return [(e.clientX - box.left) * SIDE / box.width, (e.clientY - box.top) * SIDE / box.height];
  }

  to(point) {
    this.stroke(this.last, point);
    this.last = point;
  }

  key(e) {
    const way = ARROWS[e.key];
    if (way) {
      const far = e.shiftKey ? FINE : STEP;
      const next = this.at.map((v, i) => Math.min(SIDE - 1, Math.max(0, v + far * way[i])));
      if (this.down) this.stroke(this.at, next);
      this.at = next;
    } else if (e.key === " ") {
      this.down = !this.down;
      if (this.down) this.stroke(this.at, [this.at[0] + 0.1, this.at[1]]);
    } else if (e.key === "Delete" || e.key === "Backspace") this.clear();
    else return;
    e.preventDefault();
    this.keyed = true;
    this.show();
  }

  show() {
    const [x, y] = this.at.map(v => `${100 * v / SIDE}%`);
    Object.assign(this.mark.style, {left: x, top: y});
    this.mark.hidden = !this.keyed || document.activeElement !== this.canvas;
    this.mark.classList.toggle("down", this.down);
    this.state.textContent = this.down ? "pen down" : "";
  }

  stroke(from, to) {
    this.ink.beginPath();
    this.ink.moveTo(...from);
    this.ink.lineTo(...to);
    this.ink.stroke();
    this.empty = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), REST_MS);
  }

  tell() {
    this.canvas.toBlob(blob => { if (!this.empty) this.changed(blob); }, "image/png");
  }

  wipe() {
    clearTimeout(this.timer);
    this.ink.fillStyle = "#000";
    this.ink.fillRect(0, 0, SIDE, SIDE);
    this.empty = true;
    this.down = false;
    this.show();
  }

  clear() {
    this.wipe();
    this.changed(null);
  }
}
