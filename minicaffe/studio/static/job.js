// The page of one run, or of several that are compared: live charts, commands, log, events, files.

import * as api from "./api.js";
import {Chart, Group, short} from "./chart.js";
import {speed} from "./curve.js";
import {clear, el} from "./dom.js";
import {duration, Feed} from "./feed.js";

const LIVE_MS = 200, IDLE_MS = 1000, HIDDEN_MS = 2000, LEAST_STATE_MS = 1000;
const ACTIVE = new Set(["running", "paused", "starting", "waiting"]);
const FALLS = /loss|err/i;
const MOST_LOG = 400_000; // letters on the page

export class JobView {
  // ids: the first is the run that is commanded; the others are drawn beside it.
  constructor(host, app, ids) {
    Object.assign(this, {host, app, ids, job: null, open: true, position: {log: 0, events: 0}, charts: new Map(), drawn: -1});
    this.feeds = ids.map(id => new Feed(id));
    this.group = new Group(window => this.detail(window));
    this.build();
    this.follow();
  }

  close() {
    this.open = false;
    clearTimeout(this.timer);
    this.wake?.();
    for (const chart of this.charts.values()) chart.close();
  }

  build() {
    const command = (op, label, extra = "") => el(`button${extra}`, {type: "button", onclick: () => this.command(op), "data-op": op}, label);
    this.title = el("h2", {}, this.ids[0]);
    this.state = el("span.state", {}, "…");
    this.bar = el("progress", {max: "1", value: "0", "aria-label": "progress"});
    this.progress = el("span.numbers", {}, "");
    this.trouble = el("pre.trouble", {hidden: "", role: "alert"});
    this.buttons = {
      pause: command("pause", "Pause"), resume: command("resume", "Resume"), snapshot: command("snapshot", "Snapshot"), stop: command("stop", "Stop"),
    };
    this.rate = el("input", {name: "rate", inputmode: "decimal", size: "9", autocomplete: "off", "aria-label": "learning rate to set"});
    this.rateForm = el("form.inline", {onsubmit: event => { event.preventDefault(); this.command("set_lr", Number(this.rate.value)); }},
      this.rate, el("button", {type: "submit", "data-op": "set_lr"}, "Set rate"));
    this.answer = el("output.answer", {"aria-live": "polite"});
    this.others = el("select", {"aria-label": "compare with", onchange: event => event.target.value && this.app.go(`#train/${[...this.ids, event.target.value].join(",")}`)});
    const go = (label, act) => el("button", {type: "button", onclick: act}, label);
    this.plots = el("div.plots");
    this.tabs = this.buildTabs();
    clear(this.host);
    this.host.append(
      el("div.job-head", {}, el("a.back", {href: "#train"}, "All runs"), this.title, this.state,
        el("span.spring"), go("Rename", () => this.rename()), go("Clone", () => this.app.go(`#train/clone/${this.ids[0]}`)), go("Delete", () => this.remove())),
      el("div.job-progress", {}, this.bar, this.progress),
      this.trouble,
      el("div.job-commands", {role: "group", "aria-label": "commands"}, ...Object.values(this.buttons), this.rateForm, this.answer),
      el("div.chart-tools", {role: "group", "aria-label": "charts"},
        this.choice("along", [["iteration", "iterations"], ["seconds", "seconds"]], axis => this.group.set({axis, window: null})),
        el("label", {}, "smoothing ", this.smoothing()),
        go("Show all", () => this.group.set({window: null})),
        el("label", {}, "compare ", this.others),
        el("span.hint", {}, "Drag to zoom, double click to show all.")),
      this.plots, this.tabs);
  }

  choice(label, options, chosen) {
    const select = el("select", {onchange: event => chosen(event.target.value)}, ...options.map(([value, text]) => el("option", {value}, text)));
    return el("label", {}, `${label} `, select);
  }

  smoothing() {
    return el("input", {type: "range", name: "smoothing", min: "0", max: "0.99", step: "0.01", value: "0",
      oninput: event => this.group.set({smoothing: Number(event.target.value)})});
  }

  buildTabs() {
    this.log = el("pre.log", {tabindex: "0", "aria-label": "log"});
    this.events = el("ol.events");
    this.solver = el("pre", {tabindex: "0", "aria-label": "solver"});
    this.net = el("pre", {tabindex: "0", "aria-label": "net"});
    this.notes = el("textarea", {"aria-label": "notes", rows: "6", placeholder: "What you want to remember of this run"});
    this.notes.addEventListener("change", () => this.tell({notes: this.notes.value}));
    const panes = [["Log", this.log], ["Events", this.events], ["Solver", this.solver], ["Net", this.net], ["Notes", this.notes]];
    return el("div.tabs", {}, ...panes.map(([name, pane], i) => {
      const details = el("details", {name: "job-files"}, el("summary", {}, name), pane);
      if (i === 0) details.open = true;
      return details;
    }));
  }

  // -- following the run

  async follow() {
    let looked = 0;
    while (this.open) {
      let wait = IDLE_MS;
      try {
        const now = performance.now();
        if (now - looked >= LEAST_STATE_MS) {
          looked = now;
          await this.look();
        }
        const active = ACTIVE.has(this.job?.state);
        await Promise.all(this.feeds.map((feed, i) => (i === 0 || feed.version === 0 || active ? feed.update() : null)));
        if (!this.open) return;
        this.show();
        await Promise.all([this.readLog(), this.readEvents()]);
        wait = this.job?.state === "running" ? LIVE_MS : IDLE_MS;
      } catch (error) {
        if (error.status === 404 && this.open) return this.gone();
        wait = IDLE_MS; // the connection pill tells of a server that is gone; it may come back
      }
      if (document.hidden) wait = HIDDEN_MS;
      await new Promise(done => {
        this.wake = done;
        this.timer = setTimeout(done, wait);
      });
    }
  }

  async look() {
    const before = this.job;
    this.job = await api.get(this.path());
    if (!this.open) return;
    if (!before) await this.offer();
    if (!before || before.notes !== this.job.notes) if (document.activeElement !== this.notes) this.notes.value = this.job.notes;
    for (const [pane, text] of [[this.solver, this.job.solver_text], [this.net, this.job.net_text]]) if (pane.textContent !== text) pane.textContent = text;
    const {state} = this.job;
    this.title.textContent = this.job.name;
    this.state.textContent = state;
    this.state.dataset.state = state;
    this.trouble.hidden = !this.job.error;
    this.trouble.textContent = this.job.error ?? "";
    const lives = state === "running" || state === "paused";
    this.buttons.pause.disabled = state !== "running";
    this.buttons.resume.disabled = state === "running" || state === "starting" || state === "waiting";
    this.buttons.snapshot.disabled = !lives;
    this.buttons.stop.disabled = !lives && state !== "waiting";
    this.rateForm.querySelector("button").disabled = this.rate.disabled = !lives;
  }

  path(more = "") {
    return `/api/jobs/${encodeURIComponent(this.ids[0])}${more}`;
  }

  show() {
    const feed = this.feeds[0], {job} = this, last = feed.last;
    const iteration = Math.max(job.iteration ?? 0, last?.x ?? 0), total = job.max_iter || 0;
    this.bar.value = total ? Math.min(1, iteration / total) : 0;
    const pace = feed.pace(), parts = [`${iteration.toLocaleString("en")} of ${total.toLocaleString("en")} iterations`];
    if (pace && job.state === "running") {
      const left = (total - iteration) / pace;
      const end = new Date(Date.now() + 1000 * left).toLocaleTimeString("en-GB", {hour: "2-digit", minute: "2-digit"});
      parts.push(`${duration(left)} left, done at ${end}`);
      parts.push(job.batch ? `${short(pace * job.batch)} images/s` : `${short(pace)} iterations/s`);
    }
    if (last?.seconds && job.state !== "running") parts.push(`trained ${duration(last.seconds)}`);
    if (job.best) parts.push(`best ${job.best.name} ${short(job.best.value)} at ${job.best.iteration.toLocaleString("en")}`);
    this.progress.textContent = parts.join(" · ");
    const rate = feed.curves.get("train/lr")?.points.at(-1)?.y;
    if (rate && document.activeElement !== this.rate && !this.rate.value) this.rate.placeholder = short(rate);
    const version = this.feeds.reduce((sum, f) => sum + f.version, 0);
    if (version === this.drawn) return;
    this.drawn = version;
    this.draw();
  }

  // Charts: the loss, every other output of tests, the rate, images a second.
  draw() {
    this.feeds.forEach((feed, k) => {
      const of = this.feeds.length > 1 ? `${feed.id}: ` : "";
      for (const [name, curve] of feed.curves) {
        const [kind, ...rest] = name.split("/"), output = rest.at(-1), tested = kind !== "train";
        const colour = 2 * k + (tested ? 1 : 0), net = kind === "test0" ? "test" : kind;
        if (name === "train/lr") this.chart("Learning rate", {exact: true, zero: true}).put(name + k, {curve, label: `${of}rate`, colour, name});
        else if (name === "train/loss") this.chart("Loss", {better: "low"}).put(name + k, {curve, label: `${of}training`, colour, name});
        else if (FALLS.test(output) && tested) this.chart("Loss", {better: "low"}).put(name + k, {curve, label: `${of}${net} ${output}`, colour, dots: true, dashed: this.feeds.length > 1, name});
        else if (tested) {
          const title = output[0].toUpperCase() + output.slice(1);
          this.chart(title, {better: FALLS.test(output) ? "low" : "high"}).put(name + k, {curve, label: `${of}${net}`, colour, dots: true, name});
        } else if (!FALLS.test(output)) this.chart(output, {better: "high"}).put(name + k, {curve, label: `${of}training`, colour, name});
      }
      const loss = feed.curves.get("train/loss");
      if (loss && k === 0 && (this.job.batch || 0)) this.chart("Images per second", {unit: " images/s", zero: true}).put(`speed${k}`, {curve: speed(loss, this.job.batch), label: `${of}speed`, colour: 2 * k});
    });
    const order = ["Loss", "Accuracy"], last = ["Learning rate", "Images per second"];
    const place = title => (order.includes(title) ? order.indexOf(title) : last.includes(title) ? 100 + last.indexOf(title) : 50);
    const sorted = [...this.charts.entries()].sort((a, b) => place(a[0]) - place(b[0]));
    sorted.forEach(([, chart], i) => { if (this.plots.children[i] !== chart.host) this.plots.insertBefore(chart.host, this.plots.children[i] ?? null); });
  }

  chart(title, options) {
    if (!this.charts.has(title)) {
      const host = el("section.card", {"data-chart": title});
      this.plots.append(host);
      this.charts.set(title, new Chart(host, this.group, {title, ...options}));
    }
    return this.charts.get(title);
  }

  // In a window, what was thinned is fetched anew.
  async detail(window) {
    this.asked = window;
    const all = this.group.axis !== "iteration" || !window || !this.feeds.some(feed => feed.thinned);
    const found = all ? [] : await Promise.all(this.feeds.map(feed => feed.window(...window).catch(() => new Map())));
    if (this.asked !== window) return; // another one since
    for (const chart of this.charts.values()) {
      for (const [key, line] of chart.lines) line.detail = found[Number(/\d+$/.exec(key)?.[0] ?? 0)]?.get(line.name) ?? null;
      chart.ask();
    }
  }

  async readLog() {
    const answer = await api.get(this.path(`/log?after=${this.position.log}`));
    if (answer.after !== this.position.log) this.log.textContent = "";
    this.position.log = answer.next;
    if (!answer.text) return;
    const bottom = this.log.scrollTop + this.log.clientHeight >= this.log.scrollHeight - 20;
    if (answer.skipped) this.log.append(`… ${answer.skipped.toLocaleString("en")} bytes before\n`);
    this.log.append(answer.text);
    if (this.log.textContent.length > MOST_LOG) this.log.textContent = this.log.textContent.slice(-MOST_LOG / 2);
    if (bottom) this.log.scrollTop = this.log.scrollHeight;
  }

  async readEvents() {
    const answer = await api.get(this.path(`/events?after=${this.position.events}`));
    if (answer.after !== this.position.events) clear(this.events);
    this.position.events = answer.next;
    for (const event of answer.events) this.events.append(el("li", {"data-event": event.event}, told(event)));
  }

  // -- commands

  async command(op, value) {
    this.answer.className = "answer";
    this.answer.textContent = `${op}: given, waiting for the run …`;
    try {
      const answer = await api.post(this.path("/control"), value === undefined ? {op} : {op, value});
      this.answer.textContent = answer.ok === null ? `${op}: ${answer.note}` : told(answer);
      if (answer.ok) this.answer.classList.add("ok");
      if (op === "set_lr") this.rate.value = "";
    } catch (error) {
      this.answer.classList.add("bad");
      this.answer.textContent = error.message;
    }
    await this.look().catch(() => {});
    this.wake?.();
  }

  async tell(change) {
    try {
      await api.put(`/jobs/${encodeURIComponent(this.ids[0])}`, change);
      this.app.say("Saved", "good");
      await this.look();
    } catch (error) {
      this.app.say(error.message, "bad");
    }
  }

  rename() {
    const input = el("input", {value: this.job?.name ?? this.ids[0], "aria-label": "new name", maxlength: "200"});
    const back = () => { form.replaceWith(this.title); };
    const form = el("form.inline", {onsubmit: async event => { event.preventDefault(); back(); await this.tell({name: input.value}); }},
      input, el("button", {type: "submit"}, "Save name"), el("button", {type: "button", onclick: back}, "Cancel"));
    form.addEventListener("keydown", event => { if (event.key === "Escape") back(); });
    this.title.replaceWith(form);
    input.select();
  }

  async remove() {
    if (!confirm(`Delete ${this.job?.name ?? this.ids[0]} with its snapshots and metrics?`)) return;
    try {
      await api.remove(`/jobs/${encodeURIComponent(this.ids[0])}`);
      this.app.say(`${this.ids[0]} is deleted`, "good");
      this.app.go("#train");
    } catch (error) {
      this.app.say(error.message, "bad");
    }
  }

  gone() {
    this.close();
    clear(this.host);
    this.host.append(el("p", {}, `There is no run ${this.ids[0]}. `, el("a", {href: "#train"}, "All runs")));
  }

  // Runs that can be drawn beside this one.
  async offer() {
    const {jobs} = await api.get("/api/jobs");
    const more = jobs.filter(job => !this.ids.includes(job.id) && job.state !== "waiting");
    this.others.replaceChildren(el("option", {value: ""}, more.length ? "choose a run" : "no other run"), ...more.map(job => el("option", {value: job.id}, job.name)));
  }
}

// An event as a sentence.
export function told(event) {
  const at = event.iteration === undefined ? "" : ` at iteration ${event.iteration.toLocaleString("en")}`;
  const time = event.time ? `${new Date(1000 * event.time).toLocaleTimeString("en-GB")} ` : "";
  switch (event.event) {
    case "control": {
      const value = event.value === undefined ? "" : ` ${short(event.value)}`;
      return `${time}${event.command}${value}: ${event.ok ? "done" : event.error}${at}${event.repeated ? " (again, after the resume)" : ""}`;
    }
    case "snapshot": return `${time}snapshot${at}: ${String(event.path).split("/").at(-1)}`;
    case "end": return `${time}${event.state}${at}${event.error ? `: ${event.error}` : ""}`;
    case "resumed": return "resume: the run goes on where its newest snapshot is";
    case "withdrawn": return "stop: the run will not begin";
    default: return `${time}${String(event.event).replaceAll("_", " ")}${at}${event.error ? `: ${event.error}` : ""}`;
  }
}
