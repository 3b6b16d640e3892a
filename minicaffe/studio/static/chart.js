// A chart of curves over iterations or seconds, on a canvas: zoom, values under the pointer and by keyboard,
// logarithmic axis, smoothing, best values.  Charts of one group share what is zoomed and looked at.
// Nothing is drawn unless something changed.

import {at} from "./curve.js";
import {el} from "./dom.js";

const LEFT = 58, RIGHT = 14, TOP = 10, BOTTOM = 24, LEAST_DRAG = 6;

// Round numbers from low to high, about `count` of them.
export function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const raw = (high - low) / Math.max(count, 1), unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 5, 10].find(s => s * unit >= raw * (1 - 1e-9)) ?? 10), found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step) found.push(+v.toPrecision(12));
  return found;
}

// The same for a logarithmic axis: powers of ten, with 2 and 5 between where they are few.
export function logTicks(low, high, count) {
  const from = Math.floor(Math.log10(low)), to = Math.ceil(Math.log10(high));
  const skip = Math.max(1, Math.ceil((to - from) / Math.max(count, 1)));
  const parts = to - from <= 2 ? [1, 2, 5] : [1], found = [];
  for (let e = from; e <= to; e += skip)
    for (const p of parts) if (p * 10 ** e >= low * 0.999 && p * 10 ** e <= high * 1.001) found.push(+(p * 10 ** e).toPrecision(6));
  return found.length > 2 ? found : ticks(low, high, count);
}

export function short(value) {
  if (value === null || !Number.isFinite(value)) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2).replace("e+", "e");
  return size >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(4));
}

export class Group {
  constructor(onZoom = () => {}) {
    Object.assign(this, {charts: [], window: null, cursor: null, axis: "iteration", smoothing: 0, onZoom});
  }

  set(change) {
    Object.assign(this, change);
    if ("window" in change) this.onZoom(this.window);
    for (const chart of this.charts) chart.ask();
  }
}

export class Chart {
  // unit is written behind values; better: "low" or "high", without it there is no best value; zero: the axis
  // begins there; exact: what is never smoothed.
  constructor(host, group, {title, unit = "", better = null, zero = false, exact = false, height = 220}) {
    Object.assign(this, {host, group, title, unit, better, zero, exact, log: false, lines: new Map(), queued: false, drag: null});
    this.bests = el("span.bests");
    this.logButton = el("button.small", {type: "button", "aria-pressed": "false", onclick: () => this.setLog(!this.log)}, "log");
    this.canvas = el("canvas", {"aria-hidden": "true"});
    this.canvas.style.height = `${height}px`;
    this.plot = el("div.plot", {
      tabindex: "0", role: "group",
      "aria-label": `${title}: arrow keys read values, plus and minus zoom, Escape shows all`,
    }, this.canvas);
    this.readout = el("output.readout", {"aria-live": "polite"});
    host.classList.add("chart");
    host.replaceChildren(el("header", {}, el("h3", {}, title), this.bests, this.logButton), this.plot, this.readout);
    host.chart = this;
    group.charts.push(this);
    this.observer = new ResizeObserver(() => this.ask());
    this.observer.observe(host);
    this.listen();
  }

  // A line: {curve, label, colour: number of a colour, dots, faint}.  A key that is there is replaced.
  put(key, line) {
    this.lines.set(key, line);
    this.ask();
  }

  drop(test) {
    for (const key of [...this.lines.keys()]) if (test(key)) this.lines.delete(key);
    this.ask();
  }

  setLog(log) {
    this.log = log;
    this.logButton.setAttribute("aria-pressed", String(log));
    this.ask();
  }

  close() {
    this.observer.disconnect();
  }

  listen() {
    const {plot, group} = this;
    const x = event => this.fromPixel(event.clientX - this.canvas.getBoundingClientRect().left);
    plot.addEventListener("pointerdown", event => {
      if (event.button) return;
      plot.setPointerCapture(event.pointerId);
      this.drag = {from: x(event), pixel: event.clientX};
    });
    plot.addEventListener("pointermove", event => {
      if (this.drag) this.drag.to = x(event);
      group.set({cursor: x(event)});
    });
    plot.addEventListener("pointerleave", () => group.set({cursor: null}));
    plot.addEventListener("pointerup", event => {
      const drag = this.drag;
      this.drag = null;
      if (!drag || Math.abs(event.clientX - drag.pixel) < LEAST_DRAG) return;
      const to = x(event);
      group.set({window: [Math.min(drag.from, to), Math.max(drag.from, to)]});
    });
    plot.addEventListener("pointercancel", () => { this.drag = null; });
    plot.addEventListener("dblclick", () => group.set({window: null}));
    plot.addEventListener("blur", () => group.set({cursor: null}));
    plot.addEventListener("keydown", event => {
      const key = event.key;
      if (key === "ArrowLeft" || key === "ArrowRight") this.step(key === "ArrowRight" ? 1 : -1, event.shiftKey ? 10 : 1);
      else if (key === "Home" || key === "End") this.step(key === "End" ? 1 : -1, Infinity);
      else if (key === "+" || key === "=") this.zoom(0.5);
      else if (key === "-") this.zoom(2);
      else if (key === "Escape" && group.window) group.set({window: null});
      else return;
      event.preventDefault();
    });
  }

  // Move the cursor over the points of the line that has the most.
  step(sign, count) {
    const {axis, cursor} = this.group;
    const line = [...this.lines.values()].map(l => this.shown(l)).sort((a, b) => b.points.length - a.points.length)[0];
    if (!line?.points.length) return;
    const [x0, x1] = this.range();
    const inside = line.points.map((_, i) => i).filter(i => at(line.points[i], axis) >= x0 && at(line.points[i], axis) <= x1);
    if (!inside.length) return;
    const here = cursor === null ? (sign > 0 ? inside[0] - 1 : inside.at(-1) + 1) : line.nearest(cursor, axis);
    const next = Math.max(inside[0], Math.min(inside.at(-1), here + sign * Math.min(count, line.points.length)));
    this.group.set({cursor: at(line.points[next], axis)});
  }

  zoom(factor) {
    const [x0, x1] = this.range(), centre = this.group.cursor ?? (x0 + x1) / 2, all = this.extent();
    const low = Math.max(all[0], centre - (centre - x0) * factor), high = Math.min(all[1], centre + (x1 - centre) * factor);
    this.group.set({window: low <= all[0] && high >= all[1] ? null : [low, high]});
  }

  // What is drawn of a line: what was fetched for the window, or all that is held.
  shown(line) {
    return this.group.window && line.detail ? line.detail : line.curve;
  }

  extent() {
    let low = Infinity, high = -Infinity;
    for (const chart of this.group.charts) // so that all charts stand above each other
      for (const {curve} of chart.lines.values()) {
        if (!curve.points.length) continue;
        low = Math.min(low, at(curve.points[0], this.group.axis));
        high = Math.max(high, at(curve.points.at(-1), this.group.axis));
      }
    return low <= high ? [low, high === low ? low + 1 : high] : [0, 1];
  }

  range() {
    return this.group.window ?? this.extent();
  }

  toPixel(x) {
    const [x0, x1] = this.span;
    return LEFT + ((x - x0) / (x1 - x0 || 1)) * (this.width - LEFT - RIGHT);
  }

  fromPixel(pixel) {
    const [x0, x1] = this.span ?? [0, 1];
    return x0 + ((pixel - LEFT) / (this.width - LEFT - RIGHT)) * (x1 - x0);
  }

  ask() {
    if (this.queued) return;
    this.queued = true;
    requestAnimationFrame(() => {
      this.queued = false;
      if (this.host.isConnected) this.draw();
    });
  }

  draw() {
    const width = (this.width = this.plot.clientWidth), height = this.canvas.clientHeight, ratio = devicePixelRatio || 1;
    this.writeBests();
    if (width < 100) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio))
      Object.assign(this.canvas, {width: Math.round(width * ratio), height: Math.round(height * ratio)});
    const ink = this.canvas.getContext("2d"), style = getComputedStyle(this.host);
    const colour = name => style.getPropertyValue(name).trim();
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, width, height);
    this.span = this.range();
    const scale = this.scale(height);
    this.grid(ink, colour, scale, height);
    ink.save();
    ink.beginPath();
    ink.rect(LEFT, 0, width - LEFT - RIGHT, height - BOTTOM + 1);
    ink.clip();
    for (const line of this.lines.values()) this.line(ink, colour, scale, line, height);
    if (this.drag?.to !== undefined) {
      const [a, b] = [this.toPixel(this.drag.from), this.toPixel(this.drag.to)];
      ink.fillStyle = colour("--chart-select");
      ink.fillRect(Math.min(a, b), TOP, Math.abs(b - a), height - TOP - BOTTOM);
    }
    ink.restore();
    this.read(ink, colour, scale, height);
  }

  // From values to pixels, over what is seen in the window.
  scale(height) {
    let low = Infinity, high = -Infinity;
    const [x0, x1] = this.span;
    for (const line of this.lines.values())
      for (const p of this.shown(line).points) {
        const x = at(p, this.group.axis);
        if (p.low === null || x < x0 || x > x1) continue;
        const least = this.log && p.low <= 0 ? (p.y > 0 ? p.y : null) : p.low;
        if (least !== null) low = Math.min(low, least);
        if (p.high !== null && (!this.log || p.high > 0)) high = Math.max(high, p.high);
      }
    if (!(low <= high)) [low, high] = this.log ? [0.1, 1] : [0, 1];
    const f = this.log ? Math.log10 : v => v;
    let a = f(low), b = f(high);
    if (this.zero && !this.log) a = Math.min(a, 0);
    const margin = b > a ? 0.05 * (b - a) : Math.abs(a) * 0.05 || 0.5;
    [a, b] = [this.zero && a === 0 ? 0 : a - margin, b + margin];
    const room = height - TOP - BOTTOM;
    const y = v => (this.log && v <= 0 ? height - BOTTOM + 9 : TOP + room - ((f(v) - a) / (b - a)) * room);
    const marks = this.log ? logTicks(10 ** a, 10 ** b, room / 34) : ticks(a, b, room / 38);
    return {y, marks};
  }

  grid(ink, colour, {y, marks}, height) {
    ink.font = "11px system-ui, sans-serif";
    ink.strokeStyle = colour("--chart-grid");
    ink.fillStyle = colour("--chart-ink");
    ink.lineWidth = 1;
    ink.beginPath();
    ink.textAlign = "right";
    const step = marks.length > 1 ? Math.min(...marks.slice(1).map((mark, i) => mark - marks[i])) : 1;
    const places = Math.min(8, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))); // so that no two look alike
    for (const mark of marks) {
      const p = Math.round(y(mark)) + 0.5;
      ink.moveTo(LEFT, p);
      ink.lineTo(this.width - RIGHT, p);
      const text = this.log || places > 4 ? short(mark) : mark.toLocaleString("en", {minimumFractionDigits: places, maximumFractionDigits: places});
      ink.fillText(text, LEFT - 6, p + 4);
    }
    ink.textAlign = "center";
    for (const mark of ticks(...this.span, (this.width - LEFT) / 90)) {
      const p = Math.round(this.toPixel(mark)) + 0.5;
      ink.moveTo(p, TOP);
      ink.lineTo(p, height - BOTTOM);
      const text = this.group.axis === "seconds" ? `${mark.toLocaleString("en")} s` : mark.toLocaleString("en");
      ink.fillText(text, Math.min(p, this.width - RIGHT - ink.measureText(text).width / 2), height - 7);
    }
    ink.stroke();
  }

  line(ink, colour, {y}, line, height) {
    const curve = this.shown(line), {points} = curve, {axis, smoothing} = this.group;
    const [x0, x1] = this.span, tint = colour(`--curve-${line.colour % 8}`);
    let from = points.findIndex(p => at(p, axis) >= x0), to = points.length;
    if (from < 0) return;
    from = Math.max(0, from - 1);
    while (to > from + 1 && at(points[to - 2], axis) > x1) to--;
    const px = i => this.toPixel(at(points[i], axis));
    const trace = (value, reverse = false, begun = false) => {
      let open = begun;
      for (let k = from; k < to; k++) {
        const i = reverse ? from + to - 1 - k : k, v = value(i);
        if (v === null) { open = begun; continue; }
        if (open) ink.lineTo(px(i), y(v)); else ink.moveTo(px(i), y(v));
        open = true;
      }
    };
    ink.strokeStyle = ink.fillStyle = tint;
    ink.lineJoin = "round";
    if (points.some((p, i) => i >= from && i < to && p.low !== p.high)) { // how far the merged rows reach
      ink.globalAlpha = 0.18;
      ink.beginPath();
      for (let i = from; i < to; i++) {
        const p = points[i];
        if (p.low === null) continue;
        const half = Math.max(0.75, i + 1 < to ? (px(i + 1) - px(i)) / 2 : 0.75);
        const top = y(p.high);
        ink.rect(px(i) - half, top, 2 * half, Math.max(1, y(p.low) - top));
      }
      ink.fill();
    }
    const smooth = smoothing && !line.dots && !this.exact ? curve.smoothed(smoothing) : null;
    ink.globalAlpha = smooth ? 0.3 : 1;
    ink.lineWidth = smooth ? 1 : 1.6;
    ink.setLineDash(line.dashed ? [5, 4] : []);
    ink.beginPath();
    trace(i => points[i].y);
    ink.stroke();
    if (smooth) {
      ink.globalAlpha = 1;
      ink.lineWidth = 2;
      ink.beginPath();
      trace(i => smooth[i]);
      ink.stroke();
    }
    ink.setLineDash([]);
    ink.globalAlpha = 1;
    ink.beginPath();
    for (let i = from; i < to; i++) {
      const p = points[i], lonely = (points[i - 1]?.y ?? null) === null && (points[i + 1]?.y ?? null) === null;
      if (p.y !== null && (line.dots || lonely)) { ink.moveTo(px(i) + 2.6, y(p.y)); ink.arc(px(i), y(p.y), 2.6, 0, 7); }
    }
    ink.fill();
    ink.fillStyle = colour("--chart-bad");
    for (let i = from; i < to; i++) if (points[i].bad) ink.fillRect(px(i) - 1.5, height - BOTTOM - 8, 3, 8); // not finite
    if (this.better && line.best !== false) {
      const best = line.curve.best(this.better === "low");
      if (best) {
        ink.strokeStyle = tint;
        ink.lineWidth = 1.5;
        ink.beginPath();
        ink.arc(this.toPixel(axis === "seconds" ? best.seconds : best.x), y(best.y), 5, 0, 7);
        ink.stroke();
      }
    }
  }

  // The values at the cursor, drawn as dots and written below.
  read(ink, colour, {y}, height) {
    const {cursor, axis} = this.group;
    if (cursor === null) {
      this.say(this.legend());
      return;
    }
    const p = this.toPixel(cursor);
    if (p >= LEFT && p <= this.width - RIGHT) {
      ink.strokeStyle = colour("--chart-ink");
      ink.globalAlpha = 0.5;
      ink.beginPath();
      ink.moveTo(p, TOP);
      ink.lineTo(p, height - BOTTOM);
      ink.stroke();
      ink.globalAlpha = 1;
    }
    const parts = [];
    for (const line of this.lines.values()) {
      const curve = this.shown(line), i = curve.nearest(cursor, axis);
      if (i < 0) continue;
      const point = curve.points[i];
      if (point.y !== null) {
        ink.fillStyle = colour(`--curve-${line.colour % 8}`);
        ink.beginPath();
        ink.arc(this.toPixel(at(point, axis)), y(point.y), 4, 0, 7);
        ink.fill();
      }
      const place = axis === "seconds" ? `${short(point.seconds)} s` : point.x.toLocaleString("en");
      const spread = point.rows > 1 && point.low !== null ? ` (${short(point.low)} to ${short(point.high)})` : "";
      parts.push(this.entry(line, `${line.label} at ${place}: ${short(point.y)}${this.unit}${spread}`));
    }
    this.say(parts);
  }

  // Only what changed: a screen reader reads it.
  say(parts) {
    const text = parts.map(part => part.textContent).join("\n");
    if (text === this.said) return;
    this.said = text;
    this.readout.replaceChildren(...parts);
  }

  legend() {
    return [...this.lines.values()].filter(line => line.curve.points.length).map(line => this.entry(line, line.label));
  }

  entry(line, text) {
    return el(`span.key.curve-${line.colour % 8}${line.dashed ? ".dashed" : ""}`, {}, el("i", {"aria-hidden": "true"}), text);
  }

  writeBests() {
    const parts = [];
    if (this.better)
      for (const line of this.lines.values()) {
        const best = line.best === false ? null : line.curve.best(this.better === "low");
        if (best) parts.push(`${this.lines.size > 1 ? `${line.label}: ` : ""}best ${short(best.y)}${this.unit} at ${best.x.toLocaleString("en")}`);
      }
    const text = parts.slice(0, 3).join(" · ");
    if (this.bests.textContent !== text) this.bests.textContent = text;
  }
}
