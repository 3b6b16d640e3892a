// Train: the list of runs, the form of a new one, the page of one (job.js).
//   #train   #train/new   #train/clone/ID   #train/ID   #train/ID,OTHER

import * as api from "./api.js";
import {short} from "./chart.js";
import {clear, el} from "./dom.js";
import {JobView} from "./job.js";
import {RunForm} from "./runform.js";

const NS = "http://www.w3.org/2000/svg", LOOK_MS = 1000, HIDDEN_MS = 2000;
let page, app, view = null, timer = 0, shown = false;

export async function mount(section, given) {
  [page, app] = [section, given];
  const sheet = el("link", {rel: "stylesheet", href: "/train.css"});
  await new Promise(done => {
    sheet.onload = sheet.onerror = done;
    document.head.append(sheet);
  });
}

export function show(rest) {
  const [first, second] = (Array.isArray(rest) ? rest : String(rest ?? "").split("/")).map(decodeURIComponent);
  leave();
  shown = true;
  clear(page);
  const host = el("div.train");
  page.append(host);
  if (!first) return list(host);
  if (first === "new" || first === "clone") view = new RunForm(host, app, first === "clone" ? second : null);
  else view = new JobView(host, app, first.split(","));
}

export function hide() {
  leave();
  shown = false;
}

function leave() {
  clearTimeout(timer);
  view?.close?.();
  view = null;
}

// -- the list

function list(host) {
  const rows = el("tbody"), chosen = new Set();
  const compare = el("button", {type: "button", disabled: "", onclick: () => app.go(`#train/${[...chosen].join(",")}`)}, "Compare");
  const none = el("p.hint", {hidden: ""}, "No run yet. A new run begins here; runs started by ", el("code", {}, "minicaffe train --run"), " in this folder appear by themselves.");
  const head = ["", "run", "state", "progress", "best", "loss", "started"].map(name => el("th", {scope: "col"}, name || el("span.unseen", {}, "compare")));
  host.append(
    el("div.job-head", {}, el("h2", {}, "Runs"), el("span.spring"), compare, el("a.button.primary", {href: "#train/new"}, "New run")),
    el("div.scroll", {tabindex: "0", role: "region", "aria-label": "runs"}, el("table.runs", {}, el("thead", {}, el("tr", {}, ...head)), rows)), none);
  const known = new Map();
  const own = (view = {open: true, close() { this.open = false; }});
  async function look() {
    try {
      const {jobs} = await api.get("/api/jobs");
      if (!own.open) return;
      none.hidden = jobs.length > 0;
      for (const [id, row] of known) if (!jobs.some(job => job.id === id)) { row.remove(); known.delete(id); chosen.delete(id); }
      jobs.forEach((job, i) => {
        if (!known.has(job.id)) known.set(job.id, newRow(job, chosen, compare));
        const row = known.get(job.id);
        fill(row, job);
        if (rows.children[i] !== row) rows.insertBefore(row, rows.children[i] ?? null);
      });
    } catch { /* the connection pill tells; the next look may find it again */ }
    if (own.open && shown) timer = setTimeout(look, document.hidden ? HIDDEN_MS : LOOK_MS);
  }
  look();
}

function newRow(job, chosen, compare) {
  const box = el("input", {type: "checkbox", "aria-label": `compare ${job.id}`, onchange: () => {
    box.checked ? chosen.add(job.id) : chosen.delete(job.id);
    compare.disabled = chosen.size < 2;
    compare.textContent = chosen.size ? `Compare ${chosen.size}` : "Compare";
  }});
  return el("tr", {"data-run": job.id}, el("td", {}, box), el("td.name"), el("td.state"), el("td.progress"), el("td.best"), el("td.spark"), el("td.started"));
}

function fill(row, job) {
  const [, name, state, progress, best, spark, started] = row.children;
  const text = JSON.stringify(job);
  if (row.told === text) return; // so that nothing that has the focus is replaced
  row.told = text;
  const focused = name.contains(document.activeElement);
  name.replaceChildren(el("a", {href: `#train/${encodeURIComponent(job.id)}`}, job.name), ...(job.name === job.id ? [] : [el("small", {}, job.id)]));
  if (focused) name.firstChild.focus();
  state.replaceChildren(el("span.state", {"data-state": job.state}, job.state));
  state.title = job.error ?? "";
  progress.textContent = job.max_iter ? `${job.iteration.toLocaleString("en")} of ${job.max_iter.toLocaleString("en")}` : "";
  best.textContent = job.best ? `${job.best.name} ${short(job.best.value)} at ${job.best.iteration.toLocaleString("en")}` : "";
  spark.replaceChildren(...(job.spark.length > 1 ? [sparkline(job.spark)] : []));
  started.textContent = job.started ? job.started.slice(0, 16).replace("T", " ") : "";
}

// The loss in a line of text's height.
function sparkline(values) {
  const good = values.filter(v => v !== null), low = Math.min(...good), high = Math.max(...good);
  const point = (v, i) => `${((100 * i) / (values.length - 1)).toFixed(1)},${(22 - (20 * (v - low)) / (high - low || 1)).toFixed(1)}`;
  const svg = document.createElementNS(NS, "svg"), line = document.createElementNS(NS, "polyline");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("class", "sparkline");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `loss from ${short(values[0])} to ${short(values.at(-1))}`);
  line.setAttribute("points", values.map((v, i) => (v === null ? "" : point(v, i))).join(" "));
  svg.append(line);
  return svg;
}
