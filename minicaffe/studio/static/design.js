// The Design page: a net as text, graph and form.  The text is the only truth; graph and form show it, and what
// is done to them edits it, so that undo covers everything.
import * as edits from "./edits.js";
import {become, editor} from "./editor.js";
import {Form} from "./form.js";
import {Graph} from "./graph.js";
import {Palette} from "./palette.js";
import {amount, costs} from "./costs.js";
import {clear, el} from "./dom.js";
import {styled} from "./styled.js";

const CHECK_MS = 300, SAVE_MS = 1000; // after the last change
const SEVERITIES = {error: "Error", "needs data": "Needs data", warning: "Warning", advice: "Advice"};
const PHASES = {TRAIN: "train", TEST: "val", deploy: "deploy"};
const SOLVER_FIRST = ["base_lr", "lr_policy", "gamma", "stepsize", "max_iter", "momentum", "weight_decay", "type", "test_iter", "test_interval", "display", "snapshot", "random_seed", "solver_mode"];
const POLICIES = ["fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid", "cosine", "plateau"];
const SOLVERS = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW"];
const FIRST = ["digits", "train_test"]; // the template in a draft that is new: its data come with the package

let page;

export async function mount(section, app) {
  await styled("/design.css");
  section.append(el("p.opening", {role: "status"}, "Opening…"));
  const [schema, {templates}] = await Promise.all([app.api.get("/api/layers"), app.api.get("/api/templates")]);
  clear(section);
  page = new Design(section, app, schema, templates);
}

export async function show([id] = []) { await page.open(id || "net"); }

class Design {
  constructor(section, app, schema, templates) {
    Object.assign(this, {app, schema, templates, phase: "TRAIN", answer: null, id: null, shown: "net", layer: -1, version: 0});
    this.#build(section);
  }

  #build(section) {
    const button = (label, title, onclick, kind = "") => el(`button${kind}`, {type: "button", title, onclick}, label);
    this.template = el("select", {"aria-label": "Template", onchange: () => this.#load()}, el("option", {value: ""}, "New from template…"),
      ...this.templates.flatMap(({name, title, data, nets}) => nets.map(net => el("option", {value: `${name}/${net}`, title: `${title}; ${data}`}, nets.length > 1 ? `${name} / ${net}` : name))));
    this.name = el("input", {"aria-label": "Name of the draft", size: 14, onchange: () => this.#rename()});
    this.saved = el("span.dim", {role: "status"});
    this.phases = el("div.segments", {role: "radiogroup", "aria-label": "Phase"}, ...Object.entries(PHASES).map(([phase, label]) =>
      el("label", {}, el("input", {type: "radio", name: "phase", value: phase, checked: phase === this.phase, onchange: () => { this.phase = phase; this.check(); }}), label)));
    const bar = el("div.design-bar", {role: "toolbar", "aria-label": "Design"}, this.template, this.name, this.saved, el("span.space"), this.phases,
      button("Undo", "Undo the last change (Ctrl+Z)", () => this.pane.undo()), button("Redo", "Redo (Ctrl+Shift+Z)", () => this.pane.redo()), button("Verify", "Check the net now", () => this.verify()), button("Train", "Train this net: on to the form of a run", () => this.#train(), ".primary"));

    const palette = el("div.palette"), netText = el("div"), solverText = el("div", {hidden: true});
    this.tabs = el("div.segments", {role: "radiogroup", "aria-label": "Which text"}, ...[["net", "Net"], ["solver", "Solver"]].map(([key, label]) =>
      el("label", {}, el("input", {type: "radio", name: "text", value: key, checked: key === "net", onchange: () => this.#turn(key)}), label)));
    this.verdict = el("span", {role: "status", id: "verdict"});
    this.findings = el("ul.findings", {"aria-label": "Findings"});
    const texts = el("div.pane.texts", {}, el("div.head", {}, this.tabs, this.verdict), el("div.editors", {}, netText, solverText), this.findings);
    this.net = editor(netText, {label: "Net prototxt", describedBy: "verdict", changed: () => this.#changed()});
    this.solver = editor(solverText, {label: "Solver prototxt", describedBy: "verdict", changed: () => this.#changed()});

    const canvas = el("div.canvas");
    this.search = el("input", {type: "search", placeholder: "Find a layer", "aria-label": "Find a layer", list: "layer-names", onchange: () => this.#find()});
    this.names = el("datalist", {id: "layer-names"});
    this.cost = el("div.cost", {role: "region", "aria-label": "Cost"});
    const zooms = el("div.row", {}, button("−", "Zoom out (-)", () => this.graph.zoom(0.8)), button("+", "Zoom in (+)", () => this.graph.zoom(1.25)), button("Fit", "Show all (0)", () => this.graph.fit()));
    const view = el("div.pane.view", {}, el("div.head", {}, this.search, this.names, el("span.space"), zooms), canvas, this.cost);
    this.graph = new Graph(canvas, {
      pick: item => this.#pick(item), open: item => { this.#pick(item); this.#tab("form"); this.form.host.querySelector("input, select")?.focus(); },
      remove: item => this.#remove(item), connect: (from, to) => this.#connect(from, to), drop: (type, where) => this.#drop(type, where),
      search: () => this.search.focus(), undo: () => this.pane.undo(), redo: () => this.pane.redo(),
    });
    const formHost = el("div.form", {role: "region", "aria-label": "Settings"});
    this.form = new Form(formHost, this.schema, {
      set: (path, piece) => this.#set(path, piece), values: (path, pieces) => this.#values(path, pieces), rename: name => this.#set(["name"], edits.quoted(name)),
    });
    this.form.choices = {type: Object.keys(this.schema.types)};
    const put = type => this.#drop(type, {node: this.graph.item?.node});
    const paletteView = new Palette(palette, this.schema, {put, docs: async type => (await this.app.api.get(`/api/layers/${type}`)).text});
    this.palette = paletteView;

    this.columns = el("div.design", {"data-tab": "view"}, el("div.pane.left", {}, palette), texts, view, el("div.pane.right", {}, formHost));
    const tabs = el("div.segments.design-tabs", {role: "radiogroup", "aria-label": "Part"}, ...[["left", "Layers"], ["texts", "Text"], ["view", "Graph"], ["form", "Settings"]].map(([key, label]) =>
      el("label", {}, el("input", {type: "radio", name: "part", value: key, checked: key === "view", onchange: () => this.#tab(key)}), label)));
    this.parts = tabs;
    section.append(bar, tabs, this.columns);
    section.classList.add("design-page");
  }

  get pane() { return this.shown === "net" ? this.net : this.solver; }

  #tab(key) {
    this.columns.dataset.tab = key;
    this.parts.querySelector(`[value=${key}]`).checked = true;
  }

  // Drafts

  async open(id) {
    if (this.id === id) return;
    await this.#left(); // what is unsaved belongs to the draft before
    this.id = this.name.value = id;
    this.saved.textContent = "";
    const {drafts} = await this.app.api.get("/api/drafts"), known = drafts.some(each => each.id === id);
    const draft = known ? await this.app.api.get(`/api/drafts/${id}`) : await this.#template(...FIRST);
    if (this.id !== id) return; // another was opened meanwhile
    this.#fill(draft);
    this.saved.textContent = known ? "saved" : "";
    await this.check();
    if (this.id !== id) return;
    this.columns.dataset.draft = id;
    if (this.graph.items.length) this.#pick(this.graph.items[0], false);
  }

  async #left() {
    if (this.unsaved) await this.#save();
  }

  #fill({net, solver}) {
    this.graph.view = null; // another net is seen from its beginning
    this.filling = true; // what has just been read need not be saved
    this.net.text = net;
    this.solver.text = solver;
    this.filling = false;
  }

  async #template(name, net) {
    const {solvers, nets} = this.templates.find(each => each.name === name), read = async file => (await this.app.api.get(`/api/templates/${name}/${file}`)).text;
    const solver = nets.length > 1 && net === "deploy" ? "" : solvers[0];
    const [netText, solverText] = await Promise.all([read(net), solver ? read(solver) : ""]);
    return {net: netText, solver: solverText};
  }

  async #load() {
    const [name, net] = this.template.value.split("/");
    this.template.value = "";
    if (!name) return;
    this.#fill(await this.#template(name, net));
    this.#save();
    await this.check();
    this.app.say(`${name} is in the editor; Undo brings back what was there`, "good");
  }

  #rename() {
    const id = this.name.value.trim().replace(/[^\w.-]+/g, "-").replace(/^[.]+/, "").slice(0, 64);
    if (!id || id === this.id) { this.name.value = this.id; return; }
    this.id = this.name.value = id;
    this.#save();
    this.app.go(`#design/${id}`);
  }

  async #train() {
    await this.#save();
    this.app.draft = this.id;
    this.app.go("#train/new");
  }

  async #save() {
    clearTimeout(this.saving);
    this.unsaved = false;
    try {
      await this.app.api.put(`/api/drafts/${encodeURIComponent(this.id)}`, {net: this.net.text, solver: this.solver.text});
      this.saved.textContent = "saved";
    } catch {
      this.saved.textContent = "not saved";
      this.unsaved = true;
      this.saving = setTimeout(() => this.#save(), 5 * SAVE_MS); // the server may be away for a moment
    }
  }

  #changed() {
    if (!this.id || this.filling) return;
    this.saved.textContent = "…";
    this.unsaved = true;
    clearTimeout(this.saving);
    clearTimeout(this.checking);
    this.saving = setTimeout(() => this.#save(), SAVE_MS);
    this.checking = setTimeout(() => this.check(), CHECK_MS);
  }

  // Verdicts

  async check() {
    clearTimeout(this.checking);
    const version = ++this.version, net = this.net.text, solver = this.solver.text;
    let answer;
    try {
      answer = await this.app.api.post("/api/nets/check", {text: net, phase: this.phase, ...(solver.trim() ? {solver} : {})});
    } catch (error) {
      if (version !== this.version) return;
      this.verdict.textContent = error.error ? [error.error.expected, error.error.got, error.error.do].filter(Boolean).join("; ") : error.message;
      this.verdict.className = "bad";
      return;
    }
    if (version !== this.version) return; // the text has changed meanwhile
    this.answer = answer;
    this.#verdict();
    if (!answer.graph) return;
    for (const input of this.phases.querySelectorAll("input")) {
      input.disabled = !answer.phases.includes(input.value) && input.value !== this.phase;
      input.parentElement.title = answer.absent[input.value] ?? "";
      input.checked = input.value === answer.phase;
    }
    this.phase = answer.phase;
    this.graph.show(answer.graph);
    this.graph.marks(answer.findings);
    clear(this.names).append(...this.graph.items.map(({entry}) => el("option", {value: entry.name}, entry.type)));
    this.#cost();
    this.#form();
  }

  async verify() {
    await this.check();
    this.#tab("texts");
    if (this.answer) this.app.say(this.verdict.textContent, this.answer.ok ? "good" : "bad");
  }

  #verdict() {
    const {findings, ok} = this.answer, count = severity => findings.filter(each => each.severity === severity).length;
    const said = Object.keys(SEVERITIES).filter(count).map(severity => `${count(severity)} ${severity}${count(severity) > 1 && severity !== "advice" && severity !== "needs data" ? "s" : ""}`);
    this.verdict.textContent = said.length ? said.join(", ") : "No errors";
    this.verdict.className = ok ? "good" : "bad";
    for (const [file, pane] of [["net", this.net], ["solver", this.solver]]) pane.error(findings.filter(each => each.file === file));
    clear(this.findings).append(...findings.map(each => this.#finding(each)));
  }

  #finding(finding) {
    const {severity, file, line, column, layer, message, hint, states, fixes} = finding;
    const place = line ? `${file === "solver" ? "solver, " : ""}line ${line}${column ? `:${column}` : ""}` : file === "solver" ? "solver" : "";
    const go = () => {
      this.#turn(file);
      if (line) this.pane.show(line, column || 1, column ? 1 : 0);
      if (layer) { const item = this.graph.items.find(({entry}) => entry.name === layer); if (item) this.#pick(item, false); }
    };
    const apply = fixes.map(fix => el("button.apply", {type: "button", onclick: () => this.#fix(file, fix)}, `Apply: ${fix.label}`));
    return el(`li.${severity.replace(" ", "-")}`, {}, el("button.finding", {type: "button", onclick: go}, el("b", {}, SEVERITIES[severity]), place ? ` ${place}: ` : ": ", layer ? `layer ${layer}: ` : "", message,
      states.length ? el("small.dim", {}, ` (${states.join(", ")})`) : ""), hint ? el("span.hint", {}, hint) : "", ...apply);
  }

  #fix(file, fix) {
    const pane = file === "solver" ? this.solver : this.net, text = pane.text;
    this.#edit(() => fix.op === "replace" ? edits.replaceInLine(text, fix) : fix.index < 0 ? edits.setInText(text, fix.path, fix.value) : edits.setInLayer(text, fix.index, fix.path, fix.value), pane);
    this.check();
  }

  #cost() {
    const {cost, phase} = this.answer;
    clear(this.cost).append(...costs(cost, phase, event => this.#measure(event.target)));
  }

  async #measure(button) {
    button.disabled = true;
    button.textContent = "Measuring…";
    try { await this.app.api.post("/api/nets/measure", {}); await this.check(); } catch (error) { this.app.say(error.message, "bad"); button.disabled = false; }
  }

  // Choosing

  #turn(key) {
    this.shown = key;
    this.tabs.querySelector(`[value=${key}]`).checked = true;
    this.net.host.hidden = key !== "net";
    this.solver.host.hidden = key !== "solver";
    this.#form();
  }

  #pick(item, form = true) {
    this.graph.select(item.entry.index, {reveal: !form});
    this.layer = item.entry.index;
    if (this.shown !== "net") this.#turn("net");
    if (item.entry.line) this.net.show(item.entry.line);
    this.#form();
  }

  #find() {
    const item = this.graph.items.find(({entry}) => entry.name === this.search.value);
    if (!item) return;
    this.search.value = "";
    this.#pick(item, false);
    this.graph.focus();
  }

  #form() {
    if (this.shown === "solver") {
      try {
        const text = this.solver.text;
        this.form.choices = {lr_policy: POLICIES, type: SOLVERS};
        this.form.showMessage(text, edits.parse(text), "SolverParameter", "Solver", SOLVER_FIRST);
      } catch (error) { this.form.empty(`The form waits for the text: ${error.message}.`); }
      return;
    }
    const item = this.graph.item, text = this.net.text;
    if (!item) { this.form.empty("Choose a layer in the graph, or put one there from the palette."); return; }
    if (item.entry.index < 0) { this.form.empty(`${item.entry.name} is not in the text: it is made for this phase.`); return; }
    try {
      const all = edits.layers(text), layer = all[item.entry.index];
      if (!layer || layer.name !== item.entry.name) return; // the graph is about to follow
      const {shapes, parameters, operations, tops} = item.entry;
      const facts = [...shapes.map((shape, k) => [tops[k], shape.join(" × ") || "one number"]), ...(parameters ? [["parameters", parameters.toLocaleString("en")]] : []), ...(operations ? [["multiply-adds", amount(operations)]] : [])];
      const blobs = [...new Set(all.slice(0, layer.index).flatMap(each => each.tops))];
      this.form.choices = {type: Object.keys(this.schema.types), bottom: blobs};
      this.form.showLayer(text, layer, facts, [
        el("button.quiet", {type: "button", "data-key": "docs", onclick: () => { this.#tab("left"); this.palette.find.value = layer.type; this.palette.find.dispatchEvent(new Event("input")); this.palette.list.querySelector("button.type")?.focus(); }}, "Docs"),
        el("button.quiet.danger", {type: "button", "data-key": "remove", onclick: () => this.#remove(item)}, "Remove layer"),
      ]);
    } catch (error) { this.form.empty(`The form waits for the text: ${error.message}.`); }
  }

  // Editing

  #edit(splices, pane = this.net) {
    try {
      const made = splices();
      if (!made.length) return false;
      become(pane, edits.apply(pane.text, made));
      this.#form();
      return true;
    } catch (error) {
      if (!(error instanceof edits.EditError)) throw error;
      this.app.say(`The text has to be corrected first: ${error.message}`, "bad");
      return false;
    }
  }

  #set(path, piece) {
    if (this.shown === "solver") this.#edit(() => edits.setInText(this.solver.text, path, piece), this.solver);
    else this.#edit(() => edits.setInLayer(this.net.text, this.layer, path, piece));
  }

  // All values of a repeated field, as one change.
  #values(path, pieces) {
    const pane = this.pane, step = path.at(-1), before = path.slice(0, -1);
    const change = (text, number, piece) => {
      const there = [...before, [step, number]];
      return edits.apply(text, this.shown === "solver" ? edits.setInText(text, there, piece) : edits.setInLayer(text, this.layer, there, piece));
    };
    try {
      let text = pane.text;
      pieces.forEach((piece, number) => { text = change(text, number, piece); });
      for (let last = null; last !== text;) { last = text; text = change(text, pieces.length, null); }
      become(pane, text);
      this.#form();
    } catch (error) {
      if (!(error instanceof edits.EditError)) throw error;
      this.app.say(`The text has to be corrected first: ${error.message}`, "bad");
    }
  }

  #remove(item) {
    if (item.entry.index < 0) return;
    const near = this.graph.items[this.graph.items.indexOf(item) - 1] ?? this.graph.items[1];
    if (this.#edit(() => edits.removeLayer(this.net.text, item.entry.index))) {
      this.graph.selected = near?.key ?? "";
      this.layer = near?.entry.index ?? -1;
      this.app.say(`${item.entry.name} is removed; what read it reads ${item.entry.bottoms[0] ?? "nothing"} now`, "good");
      this.check();
    }
  }

  #connect(from, to) {
    if (to.index < 0 || from.index < 0) return;
    if (from.index > to.index) { this.app.say(`${from.name} stands behind ${to.name} in the text: data flow down`, "bad"); return; }
    const blob = from.tops.find(top => !to.bottoms.includes(top)), most = this.schema.types[to.type]?.bottoms[1];
    if (blob === undefined) { this.app.say(`${to.name} reads ${from.name} already`, "bad"); return; }
    const place = most !== null && most !== undefined && to.bottoms.length >= most ? most - 1 : null; // no room: the last one goes
    if (this.#edit(() => edits.connect(this.net.text, blob, to.index, place))) this.check();
  }

  // A layer of a type onto an edge, behind a node, or at the end.
  #drop(type, {edge, node}) {
    const nodes = this.answer?.graph?.nodes ?? [], text = this.net.text;
    this.#edit(() => {
      const known = this.schema.types[type], name = edits.freeName(text, type), layers = edits.layers(text);
      const source = edge ? nodes[edge.from] : node ?? nodes.at(-1), last = source && [source, ...source.attached].at(-1);
      const blob = edge ? edge.blobs[0] : last?.tops[0], reads = known.bottoms[1] === 0 || blob === undefined ? [] : [blob];
      const made = {name, type, bottoms: reads, tops: known.tops[1] === 0 ? [] : [name], parameters: known.start};
      this.wanted = name;
      if (!reads.length) return edits.insertLayer(text, last && known.bottoms[1] === 0 && !layers.length ? -1 : lastSource(layers), made);
      if (!known.tops[1] || known.loss) return edits.insertLayer(text, layers.length - 1, made);
      const targets = edge ? [nodes[edge.to].index] : last.index < 0 ? [] : edits.readers(text, last.index).filter(([, top]) => top === blob).map(([layer]) => layer.index);
      if (known.in_place && targets.length === allReaders(layers, last?.index ?? -1, blob)) { // nobody else reads what was there before
        return edits.insertLayer(text, last.index, {...made, tops: reads});
      }
      return targets.length ? edits.insertOnEdge(text, blob, targets, made) : edits.insertLayer(text, Math.max(last?.index ?? -1, -1), made);
    });
    this.check().then(() => {
      const item = this.graph.items.find(({entry}) => entry.name === this.wanted);
      if (item) this.#pick(item, false);
    });
  }
}

const lastSource = layers => layers.findLastIndex(layer => !layer.bottoms.length);

const allReaders = (layers, from, blob) => layers.filter((layer, k) => k > from && layer.bottoms.includes(blob)).length;
