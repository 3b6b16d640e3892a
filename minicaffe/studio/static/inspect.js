// Inspect: an image on its way through a net, forward and backward; what the verdict hangs on; mistakes.
import {bars} from "./bars.js";
import {clear, el} from "./dom.js";
import {evidence} from "./evidence.js";
import {Pictures} from "./pictures.js";
import {layerView} from "./layer.js";
import {caption, matrix} from "./matrix.js";
import {short} from "./numbers.js";
import {Sheet} from "./sheet.js";
import {styled} from "./styled.js";

const TABS = {layers: "Layers", evidence: "Where it looks", mistakes: "Mistakes"};
const KINDS = {loss: "the loss", score: "a class's score", none: "nothing"};
const LABEL = -2, LIKELIEST = -1, NARROW_PX = 720;
let view = null;

export async function mount(section, app) {
  await styled("inspect.css");
  view = new Inspect(section, app);
}

export async function show(rest) {
  const [run = "", where = ""] = rest;
  await view.open(run, where);
}

class Inspect {
  constructor(section, app) {
    this.app = app;
    this.run = null;
    this.source = {sample: 0};
    this.step = 0;
    this.tab = "layers";
    this.looks = [];
    const choose = (name, change) => el("select", {name, onchange: change});
    this.snapshot = choose("snapshot", () => { this.confused = null; this.look(); });
    this.beside = choose("beside", () => this.look());
    this.kind = choose("kind", () => this.look());
    this.class = choose("class", () => this.look());
    this.kind.append(...Object.entries(KINDS).map(([value, text]) => new Option(text, value)));
    const brought = () => this.bring(this.upload.files[0]);
    this.upload = el("input", {type: "file", accept: "image/*", onchange: brought});
    this.gallery = new Pictures(app, caption, sample => this.pick({sample: sample.number}));
    this.summary = el("section.card.summary", {"aria-label": "What the net says"});
    this.panel = el("div", {id: "inspect-panel", role: "tabpanel"});
    const tab = ([key, text]) => el("button", {
      type: "button", role: "tab", id: `tab-${key}`, "aria-controls": "inspect-panel",
      onclick: () => this.turn(key),
    }, text);
    this.tabs = el("div.tabs", {role: "tablist", "aria-label": "Views"}, ...Object.entries(TABS).map(tab));
    this.tabs.onkeydown = e => this.tabKey(e);
    this.status = el("p.hint", {role: "status"});
    const field = (text, control) => el("label.field", {}, text, control);
    this.side = el("section.inspect-side.card", {"aria-label": "What is looked at"},
      el("details", {open: innerWidth > NARROW_PX}, el("summary", {}, "What is looked at"), el("div", {},
        field("Snapshot", this.snapshot), field("Beside it", this.beside), field("Gradient of", this.kind),
        field("Class", this.class), field("An image of yours", this.upload))),
      el("h2", {}, "Test data"), this.gallery.node);
    this.frame = el("div.inspect", {}, this.side,
      el("div.inspect-main", {}, this.summary, this.tabs, this.status, this.panel));
    this.empty = el("p.hint.empty", {});
    section.append(this.empty, this.frame);
    this.frame.ondragover = e => e.preventDefault();
    this.frame.ondrop = e => { e.preventDefault(); this.bring(e.dataTransfer.files[0]); };
  }

  async open(run, where) {
    if (run !== this.run) {
      Object.assign(this, {run, looks: [], step: 0, source: {sample: 0}, confused: null});
      this.frame.hidden = true;
      if (!run) return this.nothing();
      try {
        const {snapshots} = await this.app.api.get(`api/jobs/${encodeURIComponent(run)}/snapshots`);
        if (!snapshots.length) return this.tell(`Run ${run} has no snapshot: take one on the page Train.`);
        const named = s => `iteration ${s.iteration}${s.averaged ? ", averaged" : ""}`;
        const options = () => snapshots.map(s => new Option(named(s), s.name));
        this.snapshot.replaceChildren(...options());
        this.beside.replaceChildren(new Option("nothing", ""), ...options());
      } catch (error) {
        return this.tell(error.message);
      }
      this.tell("");
      this.frame.hidden = false;
      const samples = `api/jobs/${encodeURIComponent(run)}/samples`;
      const found = await this.gallery.show(samples, {snapshot: this.snapshot.value});
      if (!found) return this.tell("The run's test data is not here: bring an image of yours.", true);
      this.gallery.mark(0);
      await this.look();
    }
    const [number, sample] = String(where).match(/^sample-(\d+)$/) ?? [];
    if (number && this.source.sample !== Number(sample)) await this.pick({sample: Number(sample)});
  }

  async nothing() {
    const runs = await this.app.runs();
    const link = ({id}) => el("li", {}, el("a", {href: `#inspect/${encodeURIComponent(id)}`}, id));
    const text = runs.length ? "Which run? " : "There is no run yet: train a net first.";
    clear(this.empty).append(text, el("ul", {}, ...runs.map(link)));
    this.empty.hidden = false;
  }

  tell(text, keep = false) {
    this.empty.textContent = text;
    this.empty.hidden = !text;
    if (text && !keep) this.frame.hidden = true;
  }

  async pick(source) {
    this.source = source;
    this.gallery.mark(source.sample);
    await this.look();
  }

  async bring(file) {
    if (!file) return;
    try {
      const {image} = await this.app.api.post("api/inspect/images", file);
      await this.pick({image});
    } catch (error) { this.fail(error); }
  }

  fail(error) {
    this.status.textContent = error.message;
  }

  ask(changes = {}, snapshot = this.snapshot.value) {
    const target = {kind: this.kind.value, class: Number(this.class.value || LABEL)};
    return this.app.api.post("api/inspect", {run: this.run, snapshot, ...this.source, ...target, ...changes});
  }

  // Looks anew, with what is chosen on the left.
  async look() {
    const turn = this.asked = (this.asked ?? 0) + 1;
    this.status.textContent = "…";
    try {
      const beside = this.beside.value && this.beside.value !== this.snapshot.value;
      const looks = [await this.ask(), ...(beside ? [await this.ask({}, this.beside.value)] : [])];
      if (turn !== this.asked) return;
      const titles = [this.snapshot, this.beside].map(one => one.selectedOptions[0]?.text);
      looks.forEach((look, i) => { look.title = titles[i]; });
      this.looks = looks;
      this.status.textContent = "";
      this.classes(looks[0]);
      this.sum();
      await this.draw();
    } catch (error) {
      if (turn !== this.asked) return;
      if (this.kind.value !== "loss" || !/score/.test(error.error?.do ?? "")) return this.fail(error);
      this.kind.value = "score"; // the net ends in no Softmax
      await this.look();
    }
  }

  classes({labels}) {
    if (this.class.options.length === labels.length + 2) return;
    this.class.replaceChildren(new Option("the label", LABEL), new Option("the likeliest", LIKELIEST),
      ...labels.map((label, i) => new Option(label === String(i) ? label : `${i} ${label}`, i)));
  }

  sum() {
    clear(this.summary).append(...this.looks.map(look => {
      const {target, labels} = look, label = labels[target.number] ?? target.number;
      const lines = [];
      if (look.label !== null) lines.push(`Label: ${labels[look.label] ?? look.label}. `);
      if (target.kind === "loss") lines.push(`Loss for class ${label}: ${short(target.value)}.`);
      if (target.kind === "score") lines.push(`Score of class ${label}: ${short(target.value)}.`);
      const onpick = row => { this.class.value = row.number; this.look(); };
      const first = {look: look.id, layer: look.layers[0].index, what: "top", item: 0};
      const shown = {certain: look.certain, onpick, chosen: target.number};
      return el("div.says", {},
        this.looks.length > 1 ? el("h3", {}, look.title) : null,
        new Sheet(this.app, first, "", {title: "What the net sees"}).node,
        el("div", {}, el("p", {}, ...lines), bars(look.top.slice(0, 5), shown)));
    }));
  }

  turn(tab) {
    this.tab = tab;
    this.draw();
  }

  tabKey(e) {
    const way = {ArrowRight: 1, ArrowLeft: -1}[e.key], keys = Object.keys(TABS);
    if (!way) return;
    this.turn(keys[(keys.indexOf(this.tab) + way + keys.length) % keys.length]);
    document.getElementById(`tab-${this.tab}`).focus();
  }

  async draw() {
    for (const key in TABS) {
      const tab = document.getElementById(`tab-${key}`), on = key === this.tab;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
    }
    this.panel.setAttribute("aria-labelledby", `tab-${this.tab}`);
    if (!this.looks.length) return;
    try {
      if (this.tab === "layers") this.layers();
      else if (this.tab === "evidence") {
        const [look] = this.looks, {target, top} = look;
        const number = target.kind === "none" ? top[0]?.number ?? 0 : target.number;
        await evidence(this.app, this.panel, look, number, changes => this.ask(changes));
      } else await this.mistakes();
    } catch (error) { this.fail(error); }
  }

  // -- layer by layer: once through all of them, and back

  layers() {
    const {layers} = this.looks[0], n = layers.length, back = this.kind.value !== "none";
    this.step = Math.min(this.step, back ? 2 * n - 1 : n - 1);
    const position = this.step < n ? this.step : 2 * n - 1 - this.step, backward = this.step >= n;
    const move = (text, to) => el("button", {
      type: "button", disabled: to < 0 || to >= (back ? 2 * n : n), "data-move": text,
      onclick: () => this.go(to, `[data-move="${text}"]`),
    }, text);
    const way = backward ? "Backward" : "Forward";
    const where = `${way}: layer ${position + 1} of ${n}, ${layers[position].name}`;
    clear(this.panel).append(
      el("div.steps", {},
        el("div.row", {}, move("Step back", this.step - 1), move("Step on", this.step + 1),
          el("span.dim", {role: "status"}, where)),
        this.chips("Forward", "forward →", layers, layer => layer.tops[0]?.mean_abs, i => i),
        back ? this.chips("Backward", "← backward", layers, layer => layer.tops[0]?.diff_mean_abs,
          i => 2 * n - 1 - i) : ""),
      layerView(this.app, this.looks, layers[position].index, backward));
  }

  // The layers as buttons; size(layer): what the title says of its values; to(i): the step of layer i.
  chips(label, way, layers, size, to) {
    const chip = (layer, i) => el("li", {}, el("button.chip", {
      type: "button", "data-go": to(i), "aria-current": to(i) === this.step ? "step" : null,
      title: `${layer.type}, mean of the absolute values: ${short(size(layer))}`,
      onclick: () => this.go(to(i), `[data-go="${to(i)}"]`),
    }, layer.name));
    return el("ol.chips", {"aria-label": label},
      el("li.way", {"aria-hidden": "true"}, way), ...layers.map(chip));
  }

  // To another step; the button that did it keeps the focus.
  go(step, button) {
    this.step = step;
    this.layers();
    this.panel.querySelector(button)?.focus();
  }

  // -- which class is taken for which

  async mistakes() {
    const path = `api/jobs/${encodeURIComponent(this.run)}`, snapshot = this.snapshot.value;
    clear(this.panel).append(el("p.hint", {role: "status"}, "The net is held to its test data…"));
    this.confused ??= await this.app.api.get(`${path}/confusion?` + new URLSearchParams({snapshot}));
    const title = el("h3", {}, "All mistakes, the most certain first");
    const open = ({number}) => { this.tab = "layers"; this.pick({sample: number}); };
    const gallery = new Pictures(this.app, caption, open);
    const names = this.confused.classes;
    const cell = (i, j) => {
      title.textContent = i === j ? `Right: ${names[i]}, the least certain first`
        : `${names[i]} taken for ${names[j]}, the most certain first`;
      gallery.show(`${path}/mistakes`, {snapshot, true: i, predicted: j});
      title.scrollIntoView({block: "nearest"});
    };
    clear(this.panel).append(matrix(this.confused, cell), title, gallery.node,
      el("p.hint", {}, "A picture opens in the layers. “?” marks a label that may be wrong."));
    await gallery.show(`${path}/mistakes`, {snapshot});
  }
}
