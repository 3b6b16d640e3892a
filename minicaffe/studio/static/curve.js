// One series of points that grows without end in memory that does not: when full, neighbours become one point.
// A point stands for `rows` rows of the run's metrics: y is their mean, low and high are what they reached,
// bad how many of them were not finite (y is null if all were), x and seconds those of the last, first the
// iteration of the first.

export function merged(a, b) {
  const goodA = a.rows - a.bad, goodB = b.rows - b.bad, good = goodA + goodB;
  const least = (p, q) => (p === null ? q : q === null ? p : Math.min(p, q));
  const greatest = (p, q) => (p === null ? q : q === null ? p : Math.max(p, q));
  return {
    first: a.first,
    x: b.x,
    seconds: b.seconds,
    y: good ? ((a.y ?? 0) * goodA + (b.y ?? 0) * goodB) / good : null,
    low: least(a.low, b.low),
    high: greatest(a.high, b.high),
    rows: a.rows + b.rows,
    bad: a.bad + b.bad,
  };
}

export class Curve {
  constructor(cap = 1200) {
    this.cap = cap;
    this.clear();
  }

  clear() {
    this.points = [];
    this.stride = 1; // rows of a full point
    this.version = (this.version ?? 0) + 1;
  }

  // Columns as the server answers them; what is left out says that nothing was thinned.
  add({x, y, seconds, first = x, low = y, high = y, rows = null, bad = null}) {
    for (let i = 0; i < x.length; i++) {
      const none = y[i] === null;
      this.push({
        first: first[i], x: x[i], seconds: seconds?.[i] ?? null, y: y[i], low: low[i] ?? null,
        high: high[i] ?? null, rows: rows?.[i] ?? 1, bad: bad?.[i] ?? (none ? 1 : 0),
      });
    }
    this.version++;
  }

  push(point) {
    const last = this.points.at(-1);
    if (last && last.rows + point.rows <= this.stride) this.points[this.points.length - 1] = merged(last, point);
    else this.points.push(point);
    if (this.points.length > this.cap) this.halve();
  }

  halve() {
    const next = [];
    for (let i = 0; i < this.points.length; i += 2) {
      const pair = this.points.slice(i, i + 2); // the last may be alone, and stays
      next.push(pair.length === 2 ? merged(...pair) : pair[0]);
    }
    this.points = next;
    this.stride = Math.max(2 * this.stride, ...next.map(p => p.rows));
  }

  // The best value that any row reached, and where; null if none is finite.
  best(falls) {
    let found = null;
    for (const p of this.points) {
      const value = falls ? p.low : p.high;
      if (value === null) continue;
      if (!found || (falls ? value < found.y : value > found.y)) found = {y: value, x: p.x, seconds: p.seconds};
    }
    return found;
  }

  // The running mean that gives the past the weight `weight` (0 to 1), free of the pull to its beginning.
  smoothed(weight) {
    if (!weight) return this.points.map(p => p.y);
    let sum = 0, mass = 0;
    return this.points.map(({y}) => {
      if (y === null) return null;
      sum = weight * sum + (1 - weight) * y;
      mass = weight * mass + (1 - weight);
      return sum / mass;
    });
  }

  // The place of the point that is nearest to x on an axis.
  nearest(x, axis) {
    let best = -1, least = Infinity;
    for (let i = 0; i < this.points.length; i++) {
      const away = Math.abs(at(this.points[i], axis) - x);
      if (away <= least) [best, least] = [i, away];
    }
    return best;
  }
}

export const at = (point, axis) => (axis === "seconds" ? point.seconds ?? 0 : point.x);

// How many images a second, from the iterations and seconds of a curve, over `least` seconds at a time: rows
// that come closer say more of the clock than of the speed.
export function speed(curve, batch, least = 0.5) {
  const found = new Curve(Infinity);
  let a = curve.points[0];
  for (const b of curve.points.slice(1)) {
    const took = b.seconds - a.seconds, made = b.x - a.x;
    if (b.seconds === null || a.seconds === null || took < 0 || made <= 0) {
      a = b; // it was resumed
      continue;
    }
    if (took < least) continue;
    const y = (batch * made) / took;
    found.push({first: b.x, x: b.x, seconds: b.seconds, y, low: y, high: y, rows: 1, bad: 0});
    a = b;
  }
  return found;
}
