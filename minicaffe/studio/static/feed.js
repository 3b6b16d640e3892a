// The metrics of one run as curves, fetched as they grow.  The position in the file is the whole state: after
// a lost connection, a restart of the server or a night it goes on where it was.

import * as api from "./api.js";
import {Curve} from "./curve.js";

export class Feed {
  constructor(id) {
    Object.assign(this, {id, run: "", after: 0, curves: new Map(), version: 0});
  }

  // Fetch what is new; whether anything was.
  async update() {
    const path = `/api/jobs/${encodeURIComponent(this.id)}/metrics`;
    const answer = await api.get(`${path}?after=${this.after}&run=${encodeURIComponent(this.run)}`);
    if (answer.run !== this.run || answer.after !== this.after) {
      this.curves.clear(); // another run, or points that count no longer
      this.version++;
    }
    this.run = answer.run;
    this.after = answer.next;
    const names = Object.keys(answer.series);
    for (const name of names) {
      if (!this.curves.has(name)) this.curves.set(name, new Curve());
      this.curves.get(name).add(answer.series[name]);
    }
    if (names.length) this.version++;
    return names.length > 0;
  }

  // The same for a window of iterations, in as many points as fit, without keeping it.
  async window(first, last) {
    const path = `/api/jobs/${encodeURIComponent(this.id)}/metrics`;
    const {series} = await api.get(`${path}?first=${Math.max(0, Math.floor(first))}&last=${Math.ceil(last)}`);
    return new Map(Object.entries(series).map(([name, columns]) => {
      const curve = new Curve(Infinity);
      curve.add(columns);
      return [name, curve];
    }));
  }

  get last() {
    return this.curves.get("train/loss")?.points.at(-1) ?? null;
  }

  // Whether some point stands for several rows, so that a window can show more.
  get thinned() {
    return [...this.curves.values()].some(curve => curve.points.some(point => point.rows > 1));
  }

  // Iterations a second over the latest part of training.
  pace(seconds = 20) {
    const points = this.curves.get("train/loss")?.points ?? [], last = points.at(-1);
    if (!last) return null;
    const since = points.findLast(p => p.seconds !== null && last.seconds - p.seconds >= seconds) ?? points[0];
    const took = last.seconds - since.seconds;
    return took > 0 ? (last.x - since.x) / took : null;
  }
}

// Seconds for people.
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "unknown";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

export function bytes(count) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let k = 0;
  while (count >= 1000 && k < units.length - 1) { count /= 1000; k++; }
  return `${count >= 100 || k === 0 ? Math.round(count) : count.toPrecision(3)} ${units[k]}`;
}
