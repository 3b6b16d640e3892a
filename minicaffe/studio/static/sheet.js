// An array of a layer as tiles in one picture: the value under the pointer or the cursor, pages, a histogram.
import {clear, el} from "./dom.js";
import {bars} from "./bars.js";
import {shape, short} from "./numbers.js";

const LISTED = 16; // values
const WIDE_PX = 150, HIGH_PX = 340, MOST_PX = 24; // of a sheet, and of a value in it
const TITLES = {
  bottom: "Bottom", top: "Top", weights: "Weights",
  "bottom-diff": "Gradient of the bottom", "top-diff": "Gradient of the top",
  "weights-diff": "Gradient of the weights",
};
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

export class Sheet {
  // where: {look, layer, what, item}; name: of the blob; labels: of the values of a vector; pick(place): a
  // value was clicked, at this place in the array without the batch.
  constructor(app, where, name, {labels = null, pick = null, title = null} = {}) {
    Object.assign(this, {app, where, labels, pick, page: 0, values: new Map(), cursor: null});
    this.path = `api/inspect/${where.look}/${where.layer}/${where.what}`;
    this.body = el("div.sheet-body", {}, el("p.hint", {}, "…"));
    this.shape = el("span.dim");
    title ??= name ? `${TITLES[where.what]}: ${name}` : TITLES[where.what];
    this.title = title;
    this.node = el("figure.sheet", {}, el("figcaption", {}, el("b", {}, title), " ", this.shape), this.body);
    this.load();
  }

  query(more) {
    return "?" + new URLSearchParams({item: this.where.item, page: this.page, ...more});
  }

  // Few values, or those of classes, are listed with their numbers.
  get lists() {
    return this.facts.values && (this.labels || this.facts.values.length <= LISTED);
  }

  async load() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches ? 1 : 0;
    try {
      this.facts = await this.app.api.get(this.path + ".json" + this.query({}));
      this.shape.textContent = shape(this.facts.shape);
      if (this.lists) return this.listed();
      const address = await this.app.api.picture(this.path + ".png" + this.query({dark}));
      this.shown(address);
    } catch (error) {
      clear(this.body).append(el("p.hint", {}, error.message));
    }
  }

  listed() {
    const {values} = this.facts;
    const rows = values.map((value, i) => ({label: this.labels?.[i] ?? String(i), value, number: i}));
    const certain = this.labels !== null && values.every(value => value >= 0 && value <= 1);
    const onpick = this.pick && (row => this.pick([row.number]));
    const list = bars(rows, {certain, onpick});
    list.classList.toggle("signed", this.facts.signed);
    clear(this.body).append(list, this.about());
  }

  shown(address) {
    const f = this.facts, [h, w] = f.tile.map(side => side * f.zoom);
    this.size = [Math.ceil(f.shown / f.columns) * (h + f.gap) + f.gap, f.columns * (w + f.gap) + f.gap];
    const room = Math.max(WIDE_PX, this.node.clientWidth - 4);
    const scales = [MOST_PX / f.zoom, room / this.size[1], HIGH_PX / this.size[0] + 0.5];
    this.scale = Math.max(1, Math.floor(Math.min(...scales)));
    const alt = `${this.title}, ${f.shown} of ${f.count} tiles`;
    this.image = el("img.tiles", {src: address, alt, draggable: "false"});
    this.image.onload = () => URL.revokeObjectURL(address);
    this.image.style.width = `${this.size[1] * this.scale}px`;
    this.mark = el("span.tile-mark", {hidden: true, "aria-hidden": "true"});
    this.output = el("output.value", {}, "point at a value");
    const label = `${this.title}: arrows go from value to value`;
    const frame = el("div.tiles-frame", {tabindex: 0, role: "group", "aria-label": label},
      el("div.tiles-hold", {}, this.image, this.mark));
    frame.onpointermove = e => this.point(e);
    frame.onkeydown = e => this.key(e);
    frame.onclick = e => { this.point(e); this.choose(); };
    clear(this.body).append(frame, this.output, this.pages(), this.about());
  }

  point(e) {
    const box = this.image.getBoundingClientRect();
    const y = (e.clientY - box.top) * this.size[0] / box.height;
    const x = (e.clientX - box.left) * this.size[1] / box.width;
    const {tile: [h, w], zoom, gap, columns, shown} = this.facts;
    const [stepY, stepX] = [h * zoom + gap, w * zoom + gap];
    const [row, column] = [Math.floor((y - gap) / stepY), Math.floor((x - gap) / stepX)];
    const r = Math.floor((y - gap - row * stepY) / zoom), c = Math.floor((x - gap - column * stepX) / zoom);
    const tile = row * columns + column, within = r >= 0 && c >= 0 && r < h && c < w;
    if (within && row >= 0 && column >= 0 && column < columns && tile < shown) this.tell([tile, r, c]);
  }

  key(e) {
    const way = ARROWS[e.key];
    if (e.key === "Enter") this.choose();
    else if (way) this.tell(this.moved(this.cursor ?? [0, 0, 0], way, !this.cursor));
    else return;
    e.preventDefault();
  }

  // To the next value; over the edge of a tile to the next tile.
  moved([tile, r, c], [dx, dy], first) {
    if (first) return [0, 0, 0];
    const [h, w] = this.facts.tile, columns = this.facts.columns;
    [r, c] = [r + dy, c + dx];
    const next = tile + (c < 0 ? -1 : c >= w ? 1 : 0) + (r < 0 ? -columns : r >= h ? columns : 0);
    if (next < 0 || next >= this.facts.shown) return this.cursor;
    return [next, (r + h) % h, (c + w) % w];
  }

  async tell(cursor) {
    this.cursor = cursor;
    const [shown, r, c] = cursor, f = this.facts, [h, w] = f.tile, z = f.zoom, tile = f.first + shown;
    const left = f.gap + (shown % f.columns) * (w * z + f.gap) + c * z;
    const top = f.gap + Math.floor(shown / f.columns) * (h * z + f.gap) + r * z;
    Object.assign(this.mark.style, {left: `${left * this.scale}px`, top: `${top * this.scale}px`,
      width: `${z * this.scale}px`, height: `${z * this.scale}px`});
    this.mark.hidden = false;
    const asked = this.path + ".json" + this.query({tile});
    if (!this.values.has(tile)) this.values.set(tile, this.app.api.get(asked));
    const {values} = await this.values.get(tile);
    if (this.cursor !== cursor) return;
    const told = (f.colour ? values : [values]).map(channel => short(channel[r][c], 6));
    this.output.textContent = `${this.said(tile, r, c)}: ${told.join(", ")}`;
  }

  said(tile, r, c) {
    const f = this.facts;
    if (f.column === "vector") return `value ${r * f.tile[1] + c}`;
    const place = `row ${r}, column ${c}`;
    if (f.column === "matrix") return place;
    if (f.row) return `${f.row} ${Math.floor(tile / f.per_row)}, ${f.column} ${tile % f.per_row}, ${place}`;
    return f.column === "image" ? `${place}, blue, green, red` : `${f.column} ${tile}, ${place}`;
  }

  choose() {
    if (!this.pick || !this.cursor) return;
    const [shown, r, c] = this.cursor, f = this.facts, tile = f.first + shown;
    if (f.column === "vector") this.pick([r * f.tile[1] + c]);
    else this.pick(f.column === "matrix" ? [r, c] : [f.colour ? 0 : tile, r, c]);
  }

  pages() {
    const f = this.facts;
    if (f.pages < 2) return "";
    const turn = by => () => { this.page += by; this.cursor = null; this.load(); };
    return el("div.row", {},
      el("button", {type: "button", disabled: f.page === 0, onclick: turn(-1)}, "Previous tiles"),
      el("span.dim", {}, `page ${f.page + 1} of ${f.pages}`),
      el("button", {type: "button", disabled: f.page === f.pages - 1, onclick: turn(1)}, "Next tiles"));
  }

  about() {
    const f = this.facts, s = f.statistics;
    if (s.min === undefined) return el("p.hint", {}, "no finite value");
    const signed = [["negative", f.low], ["middle", 0], ["positive", f.high]];
    const ends = f.signed ? signed : [["black", 0], ["white", f.high]];
    const shade = ([kind, value]) => el("span", {}, el(`i.swatch.${kind}`), short(value));
    const legend = this.lists ? "" : el("p.legend", {}, ...ends.map(shade));
    const facts = [
      ...["min", "mean", "max", "deviation"].map(name => `${name} ${short(s[name])}`),
      `${(100 * s.zeros / s.count).toFixed(1)} % are 0`,
    ];
    if (s.not_finite) facts.push(`${s.not_finite} are not finite`);
    return el("div.about", {}, legend, histogram(s.histogram), el("p.dim", {}, facts.join(" · ")));
  }
}

// How often which values occur, as columns.
export function histogram({low, high, counts}) {
  const most = Math.max(...counts, 1);
  const columns = counts.map((count, i) => {
    const height = count ? Math.max(1, 38 * count / most) : 0;
    return drawn("rect", {x: 4 * i, y: 40 - height, width: 3.4, height});
  });
  const svg = drawn("svg", {
    viewBox: `0 0 ${counts.length * 4} 40`, class: "histogram", role: "img", preserveAspectRatio: "none",
    "aria-label": `Histogram from ${short(low)} to ${short(high)}, at most ${most} in a column`,
  });
  svg.append(...columns);
  const ends = [low, high].map(value => el("span", {}, short(value)));
  return el("div.histogram-hold", {}, svg, el("div.ends", {}, ...ends));
}

function drawn(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
