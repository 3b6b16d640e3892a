// Data: which data sets there are; one of them; a new one.
import {clear, el} from "./dom.js";
import {NewSet} from "./newset.js";
import {SetView, about} from "./dataset.js";

const NEW = ":new"; // in an address, in the place of an id, which has no colon
const LOOK_MS = 1000, RESTS = 4; // while nothing is made, it looks but every fourth time
let page = null;

export async function mount(section, app) {
  await new Promise(done => document.head.append(el("link", {rel: "stylesheet", href: "data.css", onload: done, onerror: done})));
  page = new Data(section, app);
}

export async function show(rest) {
  await page.show(rest);
}

export function hide() {
  page.hide();
}

class Data {
  constructor(section, app) {
    Object.assign(this, {app, sets: [], told: "", shown: "", rest: [], stop: null, rested: 0});
    this.list = el("ul.sets");
    this.fresh = new NewSet(app, () => this.look());
    this.view = new SetView(app, () => this.look());
    this.main = el("div.shown");
    section.append(
      el("section.list.card", {"aria-label": "Data sets"},
        el("div.line", {}, el("h2", {}, "Data sets"), el("a.button.primary", {href: `#data/${NEW}`}, "New data set")), this.list),
      this.main);
  }

  async show(rest) {
    this.rest = rest;
    await this.look(true);
    this.stop ??= this.app.poll(() => this.busy() || ++this.rested >= RESTS ? this.look() : null, LOOK_MS);
  }

  busy() {
    return this.sets.some(set => set.status === "Running");
  }

  hide() {
    this.stop?.();
    this.stop = null;
  }

  // Ask which sets there are, and show what has changed.
  async look(turned = false) {
    this.rested = 0;
    const {datasets, roots} = await this.app.api.get("/api/datasets"), told = JSON.stringify(datasets);
    const asked = this.rest[0] || datasets[0]?.id || NEW;
    if (!turned && told === this.told && asked === this.shown) return;
    this.told = told;
    this.sets = datasets;
    this.names(asked);
    const before = this.shown;
    this.shown = asked;
    if (asked === NEW) {
      if (before !== NEW || turned) this.put(this.fresh.node), await this.fresh.show(roots, datasets);
      return;
    }
    const one = datasets.find(set => set.id === asked);
    if (!one) return this.put(el("p.hint", {role: "status"}, `There is no data set ${asked}.`));
    this.put(this.view.node);
    await this.view.show(one, this.rest.slice(1));
  }

  put(node) {
    if (this.main.firstChild !== node) clear(this.main).append(node);
  }

  names(asked) {
    const held = this.list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    clear(this.list).append(...this.sets.map(set => el("li", {},
      el("a", {href: `#data/${encodeURIComponent(set.id)}`, "aria-current": set.id === asked ? "page" : null},
        el("b", {}, set.name), el("small", {}, about(set)),
        set.status === "Running" ? el("progress", {max: 1, value: set.progress || null, "aria-label": `${set.name}: progress`}) : null))));
    if (held) [...this.list.querySelectorAll("a")].find(link => link.getAttribute("href") === held)?.focus();
  }
}
