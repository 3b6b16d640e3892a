// The form of a new run: net, data, and a form over the solver's text, which is what counts.  What it comes to
// is shown beside it before anything begins: rates along the iterations, time, memory, what is wrong.

import * as api from "./api.js";
import {Chart, Group, short} from "./chart.js";
import {Curve} from "./curve.js";
import {clear, el} from "./dom.js";
import {bytes, duration} from "./feed.js";
import {read, write} from "./solver.js";

const WAIT_MS = 300;
const START = `# The form changes this text, and shows what it says.
type: "SGD"
base_lr: 0.01
momentum: 0.9
weight_decay: 0.0005
lr_policy: "step"
gamma: 0.1
`;
// Fields of the form over the text: name, what people call it, and for which policies or types it is there.
const FIELDS = [
  ["gamma", "gamma", {policies: ["step", "multistep", "exp", "inv", "sigmoid", "plateau"]}],
  ["power", "power", {policies: ["inv", "poly"]}],
  ["stepsize", "step size, iterations", {policies: ["step", "sigmoid"]}],
  ["stepvalue", "steps, iterations", {policies: ["multistep"], list: true}],
  ["min_lr", "lowest rate", {policies: ["cosine", "plateau"]}],
  ["momentum", "momentum", {not: ["AdaGrad", "RMSProp"]}],
  ["momentum2", "momentum 2", {types: ["Adam", "AdamW"]}],
  ["rms_decay", "RMS decay", {types: ["RMSProp"]}],
  ["weight_decay", "weight decay", {}],
  ["random_seed", "seed", {}],
];
const TEMPLATE = "template:";

export class RunForm {
  constructor(host, app, from) {
    Object.assign(this, {host, app, from, open: true, nets: new Map(), dirty: new Set(), asked: 0});
    this.group = new Group();
    this.build();
    this.load();
  }

  close() {
    this.open = false;
    clearTimeout(this.timer);
    this.chart.close();
  }

  build() {
    const input = (name, extra = {}) => el("input", {name, autocomplete: "off", ...extra, oninput: () => this.changed()});
    this.name = input("name", {maxlength: "60", placeholder: "named after the net"});
    this.net = el("select", {name: "net", onchange: () => this.netChosen()});
    this.netText = el("textarea.code", {name: "net_text", rows: "12", spellcheck: "false", "aria-label": "net prototxt", oninput: () => this.changed()});
    this.netBox = el("details", {}, el("summary", {}, "Text of the net"), this.netText);
    this.data = el("select", {name: "dataset", onchange: () => this.changed()});
    this.epochs = input("train_epochs", {inputmode: "decimal", value: "30"});
    this.batch = input("batch_size", {value: "64", "aria-describedby": "sweep-hint"});
    this.rates = input("learning_rate", {value: "0.01", "aria-describedby": "sweep-hint"});
    this.val = input("val_interval", {inputmode: "decimal", value: "1"});
    this.snapshot = input("snapshot_interval", {inputmode: "decimal", value: "1"});
    this.type = el("select", {name: "solver_type", onchange: () => this.typeChosen()});
    this.policy = el("select", {name: "lr_policy", onchange: () => this.edit("lr_policy", this.policy.value)});
    this.solver = el("textarea.code", {name: "solver", rows: "14", spellcheck: "false", "aria-label": "solver prototxt", oninput: () => this.fromText()});
    this.rates.addEventListener("input", () => this.edit("base_lr", first(this.rates.value)));
    this.fields = FIELDS.map(([name, label, rule]) => {
      const box = input(name);
      box.addEventListener("input", () => this.edit(name, rule.list ? box.value.split(",") : box.value));
      return {name, rule, box, row: field(label, box)};
    });
    this.start = el("button.primary", {type: "submit", form: "runform"}, "Start training");
    this.answer = el("output.answer", {"aria-live": "polite"});
    this.facts = el("dl.facts");
    this.findings = el("ul.findings", {"aria-live": "polite"});
    const card = el("section.card");
    this.chart = new Chart(card, this.group, {title: "Learning rate", height: 180});
    const form = el("form.runform", {id: "runform", onsubmit: event => { event.preventDefault(); this.submit(); }},
      el("fieldset", {}, el("legend", {}, "What"), field("name", this.name), field("net", this.net), this.netBox, field("data set", this.data)),
      el("fieldset", {}, el("legend", {}, "How"),
        el("p.hint", {id: "sweep-hint"}, "Several rates or batch sizes, separated by commas, make a sweep: a run for each."),
        el("div.grid", {}, field("epochs", this.epochs), field("batch size", this.batch), field("learning rate", this.rates), field("solver", this.type), field("rate policy", this.policy),
          ...this.fields.map(f => f.row), field("test every, epochs", this.val), field("snapshot every, epochs", this.snapshot))),
      el("details", {open: ""}, el("summary", {}, "Solver text"), this.solver));
    clear(this.host);
    this.host.append(
      el("div.job-head", {}, el("a.back", {href: "#train"}, "All runs"), el("h2", {}, this.from ? `New run, as ${this.from}` : "New run")),
      el("div.two", {}, form, el("aside.preview", {"aria-label": "what it comes to"}, card, this.facts, this.findings, el("div.job-commands", {}, this.start, this.answer))));
    this.solver.value = START;
  }

  async load() {
    try {
      const [choices, sets, drafts] = await Promise.all([
        api.get("/api/training/choices"), this.optional("/api/datasets", "datasets"), this.optional("/api/drafts", "drafts"),
      ]);
      this.still = choices.without_momentum;
      options(this.type, choices.solver_types.map(t => [t, t]));
      options(this.policy, choices.policies.map(p => [p, p]));
      options(this.net, [
        ...drafts.map(d => [`draft:${d.id}`, `draft ${d.id}`]),
        ...choices.templates.map(t => [TEMPLATE + t, `template ${t}`]),
        ["text", "text below"],
      ]);
      options(this.data, [["", "what the net names"], ...sets.filter(s => s.status === "Done").map(s => [s.id, s.parts?.train ? `${s.id}: ${s.parts.train.toLocaleString("en")} images` : s.id])]);
      if (this.from) await this.clone();
      else {
        const wanted = this.app.draft ? `draft:${this.app.draft}` : `${TEMPLATE}digits/all_in_one`;
        if ([...this.net.options].some(o => o.value === wanted)) this.net.value = wanted;
        this.data.value = [...this.data.options].some(o => o.value === "digits") ? "digits" : "";
      }
      await this.netChosen(!this.from);
      this.fromText();
    } catch (error) {
      this.app.say(error.message, "bad");
    }
  }

  async optional(path, key) {
    try {
      const found = await api.get(path);
      return Array.isArray(found) ? found : found[key] ?? [];
    } catch {
      return [];
    }
  }

  async clone() {
    const asked = await api.get(`/clone/${encodeURIComponent(this.from)}`);
    this.name.value = asked.name ?? "";
    this.net.value = "text";
    this.netText.value = asked.net ?? "";
    this.solver.value = asked.solver ?? START;
    this.data.value = [...this.data.options].some(o => o.value === asked.dataset) ? asked.dataset : "";
    for (const [box, word] of [[this.batch, "batch_size"], [this.rates, "learning_rate"]]) box.value = asked[word] ?? "";
    for (const box of [this.epochs, this.val, this.snapshot]) box.value = ""; // the text says it
  }

  async netChosen(quiet = false) {
    const chosen = this.net.value;
    this.netBox.open = chosen === "text" && !quiet;
    if (chosen.startsWith("draft:")) {
      const draft = await api.get(`/api/drafts/${encodeURIComponent(chosen.slice(6))}`);
      this.netText.value = draft.net;
      if (draft.solver) this.solver.value = draft.solver;
    }
    this.netText.disabled = chosen !== "text";
    this.netBox.hidden = chosen.startsWith(TEMPLATE);
    this.changed();
  }

  typeChosen() {
    const type = this.type.value, momentum = read(this.solver.value, "momentum");
    if (this.still.includes(type)) this.solver.value = write(this.solver.value, "momentum", "");
    else if (!momentum) this.solver.value = write(this.solver.value, "momentum", "0.9");
    this.edit("type", type);
  }

  // A field of the form is a change of the text.
  edit(name, value) {
    const next = write(this.solver.value, name, value);
    if (next !== this.solver.value) this.solver.value = next;
    this.fromText();
  }

  // And the form shows what the text says, but for the field in which somebody types.
  fromText() {
    const text = this.solver.value, put = (box, value) => { if (box !== document.activeElement && box.value !== value) box.value = value; };
    put(this.type, read(text, "type") || "SGD");
    put(this.policy, read(text, "lr_policy"));
    if (!this.rates.value.includes(",")) put(this.rates, read(text, "base_lr"));
    for (const {name, rule, box, row} of this.fields) {
      put(box, read(text, name));
      row.hidden = !fits(rule, this.policy.value, this.type.value) && !box.value;
    }
    this.changed();
  }

  changed() {
    clearTimeout(this.timer);
    if (this.open) this.timer = setTimeout(() => this.preview(), WAIT_MS);
  }

  body() {
    const body = {solver: this.solver.value, learning_rate: this.rates.value, batch_size: this.batch.value, dataset: this.data.value, name: this.name.value};
    for (const box of [this.epochs, this.val, this.snapshot]) if (box.value.trim()) body[box.name] = box.value;
    if (this.net.value.startsWith(TEMPLATE)) body.template = this.net.value.slice(TEMPLATE.length);
    else body.net = this.netText.value;
    return body;
  }

  // The rates at once, then what takes longer to find out.
  async preview() {
    const number = ++this.asked, body = this.body(), late = () => number !== this.asked || !this.open; // a later question is on its way
    try {
      const rough = await api.post("/api/training/preview", {...body, estimate: false});
      if (late()) return;
      this.showRuns(rough);
      const whole = await api.post("/api/training/preview", body);
      if (!late()) this.showCost(whole);
    } catch (error) {
      if (!late()) this.refused(error);
    }
  }

  showRuns({runs}) {
    this.chart.drop(() => true);
    const rates = new Set();
    runs.forEach((run, i) => {
      if (rates.has(run.rates.y[0])) return; // batch sizes alone differ
      rates.add(run.rates.y[0]);
      const curve = new Curve(Infinity);
      curve.add(run.rates);
      this.chart.put(i, {curve, label: run.name ? run.name.replace(/^_/, "") : "rate", colour: i});
    });
    this.start.textContent = runs.length > 1 ? `Start ${runs.length} runs` : "Start training";
    this.start.disabled = false;
    this.findings.replaceChildren();
  }

  showCost(answer) {
    const count = answer.runs.length, known = value => (value === undefined || value === null ? null : value);
    const time = known(answer.total_s) && `about ${duration(answer.total_s)}${count > 1 ? " each" : ""}, ${short(1000 * answer.step_s)} ms an iteration`;
    const rows = [
      ["runs", String(count)],
      ["iterations", answer.runs[0].max_iter.toLocaleString("en")],
      ["images of an epoch", known(answer.samples || null)?.toLocaleString("en")],
      ["parameters", known(answer.parameters)?.toLocaleString("en")],
      ["memory", known(answer.bytes) && `about ${bytes(answer.bytes)}`],
      ["time", time && `${time}${answer.measured_in ? `, as in ${answer.measured_in}` : " by its work; a small net takes longer"}`],
    ];
    this.facts.replaceChildren(...rows.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value ?? "not known")]));
    const shown = answer.findings.filter(f => f.rule !== "extension");
    this.findings.replaceChildren(...shown.map(f => el(`li.${f.severity === "error" ? "bad" : "note"}`, {}, `${f.severity}: ${f.layer ? `layer ${f.layer}: ` : ""}${f.what}${f.remedy ? ` (${f.remedy})` : ""}`)));
    this.start.disabled = answer.findings.some(f => f.severity === "error");
  }

  refused(error) {
    this.findings.replaceChildren(el("li.bad", {}, error.message));
    this.facts.replaceChildren();
    this.start.disabled = error.status !== undefined && error.status < 500;
  }

  async submit() {
    this.start.disabled = true;
    this.answer.textContent = "starting …";
    try {
      const made = await api.post("/models/images/classification.json", this.body());
      this.app.go(made.job_ids.length > 1 ? "#train" : `#train/${encodeURIComponent(made.id)}`);
    } catch (error) {
      this.answer.textContent = "";
      this.refused(error);
      this.start.disabled = false;
    }
  }
}

const first = text => text.split(",")[0].trim();
const field = (label, box) => el("label.field", {}, el("span", {}, label), box);
const options = (select, pairs) => select.replaceChildren(...pairs.map(([value, text]) => el("option", {value}, text)));
const fits = (rule, policy, type) => (!rule.policies || rule.policies.includes(policy)) && (!rule.types || rule.types.includes(type)) && !rule.not?.includes(type);
