// The palette: all types of layers by group, with their docs, to be dragged onto the graph or put behind the
// chosen layer.
import {clear, el} from "./dom.js";

const GROUPS = {source: "Data and inputs", vision: "Convolution and images", pooling: "Pooling", linear: "Linear", neuron: "Activations", norm: "Normalisation", shape: "Shape", loss: "Losses and measures", recurrent: "Recurrent", detection: "Detection", sink: "Ends", user: "Code of your own"};
const OPEN = new Set(["vision", "pooling", "neuron"]);

// calls: put(type), docs(type) -> promise of the text
export class Palette {
  constructor(host, schema, calls) {
    Object.assign(this, {schema, calls});
    this.find = el("input", {type: "search", placeholder: "Search layers", "aria-label": "Search layers", oninput: () => this.#list()});
    this.list = el("div.types");
    this.docs = el("div.docs", {role: "region", "aria-label": "About the layer type", tabindex: 0}, el("p.dim", {}, "What a layer does is shown here. Click puts it behind the chosen layer; drag it onto an edge of the graph to put it there."));
    host.append(this.find, this.list, this.docs);
    this.find.addEventListener("keydown", event => {
      if (event.key === "ArrowDown") { event.preventDefault(); this.list.querySelector("button.type")?.focus(); }
    });
    this.list.addEventListener("keydown", event => this.#key(event));
    this.#list();
  }

  focus() { this.find.focus(); this.find.select(); }

  #list() {
    const wanted = this.find.value.trim().toLowerCase(), groups = new Map();
    const fits = ([name, type]) => !wanted || name.toLowerCase().includes(wanted) || type.summary.toLowerCase().includes(wanted);
    const rank = ([name]) => name.toLowerCase().startsWith(wanted) ? 0 : name.toLowerCase().includes(wanted) ? 1 : 2;
    const found = Object.entries(this.schema.types).filter(fits).sort((a, b) => rank(a) - rank(b));
    for (const [name, type] of found) groups.set(type.group, [...groups.get(type.group) ?? [], [name, type]]);
    const order = wanted ? [...groups.keys()] : Object.keys(GROUPS).filter(group => groups.has(group));
    clear(this.list).append(...order.map(group => {
      const made = el("details", {}, el("summary", {}, el(`span.swatch.${group}`), `${GROUPS[group] ?? group} (${groups.get(group).length})`), ...groups.get(group).map(each => this.#type(...each)));
      made.open = Boolean(wanted) || OPEN.has(group);
      return made;
    }));
    if (!found.length) this.list.append(el("p.dim", {}, "No layer of this name."));
  }

  #type(name, type) {
    const put = () => this.calls.put(name);
    const button = el("button.type", {type: "button", draggable: true, title: `${type.summary}\nClick: put behind the chosen layer. Drag: onto an edge of the graph.`, onclick: put, onfocus: () => this.#about(name), onmouseenter: () => this.#about(name)},
      el("b", {}, name), type.origin === "Caffe" ? "" : el("small", {}, type.origin.split(" ")[0]));
    button.addEventListener("dragstart", event => {
      event.dataTransfer.setData("application/x-layer-type", name);
      event.dataTransfer.effectAllowed = "copy";
    });
    return button;
  }

  async #about(name) {
    if (this.about === name) return;
    this.about = name;
    const type = this.schema.types[name], counts = ([least, most]) => least === most ? `${least}` : most === null ? `${least} or more` : `${least} to ${most}`;
    clear(this.docs).append(el("h3", {}, name), el("p.dim", {}, `bottoms ${counts(type.bottoms)} · tops ${counts(type.tops)}${type.in_place ? " · may run in place" : ""} · ${type.origin === "Caffe" || type.origin === "minicaffe" ? type.origin : `from ${type.origin.split(" ").slice(0, 3).join(", ")}`}`), el("pre", {}, type.summary));
    const text = await this.calls.docs(name);
    if (this.about === name) this.docs.lastChild.textContent = text;
  }

  #key(event) {
    const way = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (!way) return;
    const all = [...this.list.querySelectorAll("button.type, summary")].filter(each => each.matches("summary") || each.parentElement.open);
    const next = all[all.indexOf(document.activeElement) + way];
    event.preventDefault();
    (next ?? (way < 0 ? this.find : all.at(-1))).focus();
  }
}
