// A net as SVG: the server says where everything stands, and plain elements show it, so every layer can be
// reached by keys, pointers, screen readers and tests.
//
// One layer at a time is a tab stop; arrows follow the edges.  An edge is dropped on, a port is dragged from.
import {clear, el} from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const STRIP = 17, LINE = 15, PADDING = 9; // px, as the server reckons with
const LONGEST = 40; // letters of a line
const READABLE = 0.7; // of letters' full size
const ZOOMS = [0.08, 4];

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const short = text => text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 20)}…${text.slice(-19)}`;

export class Graph {
  // calls: pick(item), open(item), remove(item), connect(from, to), drop(type, {edge, node}), search(), undo(), redo()
  constructor(host, calls) {
    this.host = host;
    this.calls = calls;
    this.items = []; // {key, node, entry, element}: layers in the order of the text, attached ones too
    this.edges = [];
    this.selected = "";
    this.view = null; // {x, y, scale} of the corner at the top left
    this.ground = svg("g");
    const head = svg("marker", {id: "arrow-head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto"}, svg("path", {d: "M0,1L7,4L0,7z"}));
    this.svg = svg("svg", {class: "net", role: "group", "aria-label": "Graph of the net: arrow keys follow the edges, Enter edits, Delete removes, / searches"}, svg("defs", {}, head), this.ground);
    host.append(this.svg);
    this.#pointer();
    this.svg.addEventListener("keydown", event => this.#key(event));
    new ResizeObserver(() => this.view ? this.#frame() : this.begin()).observe(host);
  }

  show(graph) {
    const first = !this.graph?.nodes.length, inside = this.svg.contains(document.activeElement), place = this.item?.entry.index;
    this.graph = graph;
    clear(this.ground);
    this.edges = graph.edges.map(edge => this.#edge(edge));
    this.items = [];
    for (const node of graph.nodes) this.#node(node);
    if (!this.#item(this.selected)) this.selected = (this.items.find(each => each.entry.index === place) ?? this.items[0])?.key ?? ""; // it has another name
    this.#mark();
    if (inside) this.#item(this.selected)?.element.focus({preventScroll: true});
    if (first || !this.view) this.begin(); else this.#frame();
  }

  // Mark the layer with this number in the text, and bring it into sight.
  select(index, {reveal = true} = {}) {
    const item = this.items.find(each => each.entry.index === index);
    if (!item) return null;
    this.selected = item.key;
    this.#mark();
    if (reveal) this.#reveal(item);
    return item;
  }

  get item() { return this.#item(this.selected); }

  focus() { this.item?.element.focus({preventScroll: true}); }

  marks(findings) {
    const worst = new Map();
    for (const {layer, severity} of findings) if (layer && worst.get(layer) !== "error") worst.set(layer, severity);
    for (const {element, entry} of this.items) {
      const severity = worst.get(entry.name);
      if (severity) element.setAttribute("data-finding", severity); else element.removeAttribute("data-finding");
    }
  }

  // All of the net, however small.
  fit() {
    const {clientWidth: w, clientHeight: h} = this.host, {width = 0, height = 0} = this.graph ?? {};
    if (!w || !h || !width) return;
    const scale = Math.min((w - 40) / width, (h - 40) / height, 1.4);
    this.view = {scale, x: (width - w / scale) / 2, y: (height - h / scale) / 2};
    this.#frame();
  }

  // Where the data come in, so that it can be read; all of a net that fits.
  begin() {
    this.fit();
    const first = this.graph?.nodes[0];
    if (!this.view || !first || this.view.scale >= READABLE) return;
    const scale = READABLE, [x, y, width] = first.box;
    this.view = {scale, x: x + width / 2 - this.host.clientWidth / 2 / scale, y: y - 20 / scale};
    this.#frame();
  }

  zoom(factor, at = null) {
    if (!this.view) return;
    const {clientWidth: w, clientHeight: h} = this.host, px = at?.x ?? w / 2, py = at?.y ?? h / 2;
    const scale = Math.min(Math.max(this.view.scale * factor, ZOOMS[0]), ZOOMS[1]), by = 1 / this.view.scale - 1 / scale;
    this.view = {scale, x: this.view.x + px * by, y: this.view.y + py * by};
    this.#frame();
  }

  #frame() {
    const {x, y, scale} = this.view;
    this.ground.setAttribute("transform", `scale(${scale}) translate(${-x},${-y})`);
  }

  #item(key) { return this.items.find(each => each.key === key); }

  #edge(edge) {
    const label = `${edge.blobs.join(", ")}`;
    const hit = svg("path", {d: edge.path, class: "hit"}), group = svg("g", {class: "edge"}, hit, svg("path", {d: edge.path, class: "line", "marker-end": "url(#arrow-head)"}));
    hit.append(svg("title"));
    hit.firstChild.textContent = label;
    this.ground.append(group);
    return Object.assign(group, {edge});
  }

  #node(node) {
    const [x, y, width, height] = node.box, group = svg("g", {class: "node", transform: `translate(${x},${y})`});
    const main = this.#entry(node, node, group);
    main.append(svg("rect", {width, height, rx: 6, class: `box ${node.kind}`}));
    const words = (text, base, kind) => {
      const line = svg("text", {x: width / 2, y: base, class: kind});
      line.textContent = short(text);
      main.append(line);
    };
    words(node.name, PADDING + 11, "name");
    node.lines.forEach((line, k) => words(line, PADDING + 11 + LINE * (k + 1), k ? "small dim" : "small"));
    const whole = svg("title");
    whole.textContent = [node.name, ...node.lines].join("\n");
    main.append(whole);
    node.attached.forEach((entry, k) => {
      const top = height - STRIP * (node.attached.length - k), strip = this.#entry(entry, node, group);
      strip.setAttribute("transform", `translate(0,${top})`);
      const line = svg("text", {x: width / 2, y: 12.5, class: "small"});
      line.textContent = short(`${entry.name}  ${entry.type}`);
      strip.append(svg("rect", {width, height: STRIP, rx: 6, class: `box ${entry.kind}`}), line);
    });
    if (node.kind !== "outside") {
      const out = svg("circle", {class: "port out", cx: width / 2, cy: height, r: 6}), into = svg("circle", {class: "port in", cx: width / 2, cy: 0, r: 5});
      Object.assign(out, {node});
      group.append(into, out);
    }
    Object.assign(group, {node});
    this.ground.append(group);
  }

  #entry(entry, node, group) {
    const said = entry === node ? [node.name, ...node.lines] : [entry.name, entry.type, `in place behind ${node.name}`];
    const element = svg("g", {class: "layer", role: "button", tabindex: -1, "aria-label": said.join(", "), "data-layer": entry.name});
    const twins = this.items.filter(each => each.entry.name === entry.name).length;
    const item = {key: `${twins}:${entry.name}`, node, entry, element};
    element.addEventListener("click", () => this.#choose(item));
    element.addEventListener("dblclick", () => this.calls.open(item));
    element.addEventListener("focus", () => { if (this.selected !== item.key) this.#choose(item, false); });
    this.items.push(item);
    group.append(element);
    return element;
  }

  #choose(item, focus = true) {
    this.selected = item.key;
    this.#mark();
    if (focus) item.element.focus({preventScroll: true});
    this.calls.pick(item);
  }

  #mark() {
    for (const {key, element} of this.items) {
      element.setAttribute("aria-pressed", String(key === this.selected));
      element.setAttribute("tabindex", key === this.selected ? 0 : -1);
    }
  }

  #reveal({node}) {
    if (!this.view) return;
    const [x, y, width, height] = node.box, {scale} = this.view, w = this.host.clientWidth / scale, h = this.host.clientHeight / scale;
    if (x < this.view.x || x + width > this.view.x + w) this.view.x = x + width / 2 - w / 2;
    if (y < this.view.y || y + height > this.view.y + h) this.view.y = y + height / 2 - h / 2;
    this.#frame();
  }

  #key(event) {
    const {key, ctrlKey, metaKey, shiftKey} = event, item = this.item;
    const keys = {
      "/": () => this.calls.search(), "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.fit(),
      Enter: () => item && this.calls.open(item), " ": () => item && this.calls.open(item),
      Delete: () => item && this.calls.remove(item), Backspace: () => item && this.calls.remove(item),
      ArrowDown: () => this.#step(item, 1), ArrowUp: () => this.#step(item, -1),
      ArrowLeft: () => this.#aside(item, -1), ArrowRight: () => this.#aside(item, 1),
      Home: () => this.#go(this.items[0]), End: () => this.#go(this.items.at(-1)),
    };
    if (ctrlKey || metaKey) {
      if (key.toLowerCase() === "z") { event.preventDefault(); shiftKey ? this.calls.redo() : this.calls.undo(); }
      if (key.toLowerCase() === "y") { event.preventDefault(); this.calls.redo(); }
      return;
    }
    if (keys[key]) { event.preventDefault(); keys[key](); }
  }

  #go(item) {
    if (!item) return;
    this.#reveal(item);
    this.#choose(item);
  }

  // Along an edge: through the layers of a node first, then to what reads it, or what it reads.
  #step(item, way) {
    if (!item) return;
    const own = this.items.filter(each => each.node === item.node), next = own[own.indexOf(item) + way];
    if (next) return this.#go(next);
    const at = this.graph.nodes.indexOf(item.node);
    const ends = this.graph.edges.filter(edge => (way > 0 ? edge.from : edge.to) === at).map(edge => this.graph.nodes[way > 0 ? edge.to : edge.from]);
    const middle = node => node.box[0] + node.box[2] / 2;
    const near = ends.sort((a, b) => Math.abs(middle(a) - middle(item.node)) - Math.abs(middle(b) - middle(item.node)))[0];
    const there = this.items.filter(each => each.node === near);
    this.#go(way > 0 ? there[0] : there.at(-1));
  }

  // To the neighbour at about the same height; where there is none, the one before or behind in the text.
  #aside(item, way) {
    if (!item) return;
    const [x, y, , height] = item.node.box;
    const beside = this.graph.nodes.filter(node => way * (node.box[0] - x) > 0 && node.box[1] < y + height && node.box[1] + node.box[3] > y);
    const next = beside.sort((a, b) => way * (a.box[0] - b.box[0]))[0];
    this.#go(next ? this.items.find(each => each.node === next) : this.items[this.items.indexOf(item) + way]);
  }

  #at(event) {
    const place = this.svg.getBoundingClientRect(), x = event.clientX - place.left, y = event.clientY - place.top;
    return {x, y, gx: this.view.x + x / this.view.scale, gy: this.view.y + y / this.view.scale};
  }

  #under(event) {
    const found = document.elementsFromPoint(event.clientX, event.clientY);
    const node = found.map(each => each.closest?.("g.node")).find(Boolean)?.node, edge = found.map(each => each.closest?.("g.edge")).find(Boolean);
    return {node, edge: node ? undefined : edge};
  }

  #pointer() {
    let last = null, from = null, line = null, moved = false;
    const pointers = new Map();
    const end = () => { pointers.clear(); last = from = null; line?.remove(); line = null; this.svg.classList.remove("wiring", "panning"); };
    this.svg.addEventListener("wheel", event => {
      event.preventDefault();
      if (this.view) this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), this.#at(event));
    }, {passive: false});
    this.svg.addEventListener("pointerdown", event => {
      if (event.button || !this.view) return;
      pointers.set(event.pointerId, event);
      moved = false;
      last = event;
      from = event.target.closest?.(".port.out")?.node ?? null;
      if (from) {
        line = svg("path", {class: "draft"});
        this.ground.append(line);
        this.svg.classList.add("wiring");
        event.preventDefault();
      }
    });
    this.svg.addEventListener("pointermove", event => {
      if (!last || !pointers.has(event.pointerId)) return;
      if (from) {
        const {gx, gy} = this.#at(event), [x, y, width, height] = from.box;
        line.setAttribute("d", `M${x + width / 2},${y + height}L${gx},${gy}`);
        this.#target(this.#under(event).node, null);
      } else if (pointers.size === 2) {
        const [a, b] = pointers.values(), before = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
        pointers.set(event.pointerId, event);
        const [c, d] = pointers.values(), after = Math.hypot(c.clientX - d.clientX, c.clientY - d.clientY);
        this.zoom(after / before, this.#at({clientX: (c.clientX + d.clientX) / 2, clientY: (c.clientY + d.clientY) / 2}));
      } else if (moved || Math.hypot(event.clientX - last.clientX, event.clientY - last.clientY) > 4) {
        if (!moved) { this.svg.setPointerCapture(event.pointerId); this.svg.classList.add("panning"); }
        moved = true;
        this.view.x -= (event.clientX - last.clientX) / this.view.scale;
        this.view.y -= (event.clientY - last.clientY) / this.view.scale;
        last = event;
        this.#frame();
      }
      pointers.set(event.pointerId, event);
    });
    this.svg.addEventListener("pointerup", event => {
      const to = from && this.#under(event).node, source = from;
      end();
      this.#target();
      if (to && to !== source) this.calls.connect(source, to);
    });
    this.svg.addEventListener("pointercancel", () => { end(); this.#target(); });
    this.svg.addEventListener("click", event => { if (moved) { event.stopPropagation(); event.preventDefault(); moved = false; } }, true);
    this.svg.addEventListener("dragover", event => {
      if (!event.dataTransfer.types.includes("application/x-layer-type")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      const {node, edge} = this.#under(event);
      this.#target(node, edge);
    });
    this.svg.addEventListener("dragleave", () => this.#target());
    this.svg.addEventListener("drop", event => {
      const type = event.dataTransfer.getData("application/x-layer-type");
      if (!type) return;
      event.preventDefault();
      const {node, edge} = this.#under(event);
      this.#target();
      this.calls.drop(type, {node, edge: edge?.edge});
    });
  }

  // Show what would be connected to, or dropped on.
  #target(node = null, edge = null) {
    for (const each of this.ground.querySelectorAll(".target")) each.classList.remove("target");
    edge?.classList.add("target");
    if (node) [...this.ground.querySelectorAll("g.node")].find(each => each.node === node)?.classList.add("target");
  }
}

// What the colours of the boxes stand for.
export const legend = kinds => el("ul.legend", {"aria-label": "Colours"}, ...kinds.map(kind => el("li", {}, el(`span.swatch.${kind}`), kind)));
