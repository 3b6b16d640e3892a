// The frame around the pages: which is shown, where the server is, which runs there are.
//   #PAGE/REST   the address of everything; the part before the first / names the page

import * as api from "./api.js";
import {clear, el} from "./dom.js";

const PAGES = ["design", "data", "train", "inspect", "try"], FIRST = "design";
const OF_A_RUN = ["train", "inspect", "try"]; // pages that show the run that is picked
const LOOK_MS = 3000, HIDDEN_MS = 10000, SAID_MS = 8000;
const STATES = {live: "live", away: "server gone", again: "reconnecting", locked: "locked"};
const byId = id => document.getElementById(id);
const modules = new Map(); // the promise of each page's module, mounted
let current = "";

// -- what pages are given

const app = {api, go, say, runs, poll, run: () => byId("run").value};

function go(hash) {
  const address = hash.startsWith("#") ? hash : `#${hash}`;
  if (address === location.hash) route();
  else location.hash = address;
}

// A line for people at the bottom of the page: kind is "good", "bad" or nothing.
function say(text, kind = "") {
  const line = el("p", {class: kind}, text);
  const close = () => line.remove();
  line.append(el("button.quiet", {type: "button", "aria-label": "Close this message", onclick: close}, "×"));
  byId("said").append(line);
  if (kind !== "bad") setTimeout(close, SAID_MS);
  while (byId("said").children.length > 4) byId("said").firstChild.remove();
}

// The runs of the workspace: [{id, name, status}].
async function runs() {
  return (await api.get("/index.json")).models;
}

// Call a function now and every so often, less often while nobody looks, until the function returned is called.
function poll(look, ms) {
  let timer, stopped = false;
  const next = async () => {
    try { await look(); } catch (error) { if (!(error instanceof api.ApiError)) throw error; }
    if (!stopped) timer = setTimeout(next, document.hidden ? Math.max(ms, HIDDEN_MS) : ms);
  };
  next();
  return () => { stopped = true; clearTimeout(timer); };
}

// -- pages

async function mounted(name) {
  if (!modules.has(name)) modules.set(name, import(`./${name}.js`).then(async page => { await page.mount(byId(name), app); return page; }));
  try {
    return await modules.get(name);
  } catch (error) {
    modules.delete(name);
    throw error;
  }
}

async function route() {
  const [page, ...rest] = location.hash.slice(1).split("/").map(decoded);
  const name = PAGES.includes(page) ? page : FIRST;
  if (current && current !== name) (await modules.get(current)?.catch(() => null))?.hide?.();
  current = name;
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · minicaffe studio`;
  picked(name, rest[0]);
  const section = byId(name);
  section.setAttribute("aria-busy", "true");
  try {
    const page = await mounted(name);
    section.querySelector(":scope > .failed")?.remove();
    if (current === name) await page.show?.(rest);
  } catch (error) {
    failed(section, error);
  }
  section.removeAttribute("aria-busy");
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function failed(section, error) {
  section.querySelector(":scope > .failed")?.remove();
  if (error.status === 401) return;
  console.warn(error);
  section.prepend(el("p.failed", {role: "alert"}, error.message, " ", el("button", {type: "button", onclick: route}, "Try again")));
}

// -- the picker of runs

let known = "";

async function look() {
  const found = await runs(), picker = byId("run"), told = JSON.stringify(found.map(run => run.id));
  byId("picker").hidden = found.length === 0;
  if (told === known) return;
  known = told;
  const before = picker.value;
  clear(picker).append(el("option", {value: ""}, "choose a run"), ...found.map(run => el("option", {value: run.id}, run.id)));
  picker.value = found.some(run => run.id === before) ? before : "";
  picked(current, location.hash.split("/")[1]);
}

function picked(page, id) {
  const picker = byId("run");
  if (OF_A_RUN.includes(page) && [...picker.options].some(option => option.value === id)) picker.value = id;
  for (const name of OF_A_RUN) {
    const link = document.querySelector(`nav a[data-page=${name}]`);
    link.href = picker.value ? `#${name}/${encodeURIComponent(picker.value)}` : `#${name}`;
  }
}

byId("run").onchange = event => {
  const page = OF_A_RUN.includes(current) ? current : "train";
  go(event.target.value ? `#${page}/${encodeURIComponent(event.target.value)}` : `#${page}`);
  picked(page, event.target.value);
};

// -- the connection

let lost = 0;

api.connection.addEventListener("change", ({detail: state}) => {
  const before = lost;
  lost = state === "away" ? lost + 1 : 0;
  const shown = state === "away" && lost < 3 ? "again" : state, pill = byId("link");
  if (pill.dataset.state !== shown) [pill.dataset.state, pill.textContent] = [shown, STATES[shown]];
  if (byId("locked").open !== (state === "locked")) state === "locked" ? byId("locked").showModal() : byId("locked").close();
  if (before && state === "live" && document.querySelector("main > section:not([hidden]) > .failed")) route();
});

byId("key").onsubmit = event => {
  event.preventDefault();
  const token = byId("token").value.trim().split("token=").pop();
  location.hash = `#token=${token}`;
  location.reload();
};

addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload(); // a new address was pasted over this one
  else route();
});
poll(look, LOOK_MS);
route();
