// One data set: what it holds, counts as bars, a page of its images, suspects, its mean; or how far its making is.
import {clear, el} from "./dom.js";
import {Sample} from "./sample.js";
import {cell, load} from "./sprite.js";

const ALL = "all";

export class SetView {
  constructor(app, changed) {
    Object.assign(this, {app, changed, id: "", version: "", one: null, turn: 0, picked: "", sprite: null, sure: false});
    this.head = el("section.card.head", {"aria-label": "Data set"});
    this.counts = el("section.card.counts", {"aria-label": "Classes"});
    this.tools = el("div.line.tools");
    this.grid = el("div.grid", {role: "group", "aria-label": "Images: arrow keys move, Enter shows one"});
    this.pages = el("nav.line.pages", {"aria-label": "Pages of images"});
    this.images = el("section.card.images", {"aria-label": "Images"}, this.tools, this.grid, this.pages);
    this.sample = new Sample(app);
    this.body = el("div.body", {}, this.counts, el("div.right", {}, this.images, this.sample.node));
    this.node = el("div.set", {}, this.head, this.body);
    this.grid.onkeydown = event => this.key(event);
  }

  get path() {
    return `/api/datasets/${encodeURIComponent(this.id)}`;
  }

  // where: part, class (a number or "all"), page; or "suspects" and the kind.
  async show(one, where) {
    const same = one.id === this.id && one.version === this.version && one.status === this.one?.status;
    const address = where.join("/");
    if (same && address === this.address && one.status === "Done") return;
    const goes = one.status === "Running" && this.one?.status === "Running" && one.id === this.id;
    Object.assign(this, {one, address, sure: same && this.sure});
    if (goes) return this.advance();
    this.title();
    this.body.hidden = one.status !== "Done";
    if (one.status !== "Done") return void Object.assign(this, {id: one.id, version: ""});
    if (!same) {
      Object.assign(this, {id: one.id, version: one.version, facts: null, found: null, picked: ""});
      this.sample.close();
      for (const node of [this.tools, this.pages]) clear(node);
      for (const node of [this.counts, this.grid]) clear(node).append(el("p.hint", {role: "status"}, "Reading the data set …"));
      this.facts = await this.app.api.get(`${this.path}/classes`);
    }
    const [part, label, page] = where;
    this.part = this.facts.parts.some(p => p.name === part) ? part : this.facts.parts[0].name;
    this.kind = part === "suspects" ? label || ALL : "";
    this.label = !this.kind && label && label !== ALL ? Number(label) : null;
    this.number = this.kind ? 0 : Math.max(0, Number(page) || 0);
    this.classes();
    await this.turnTo();
  }

  called(label) {
    return this.facts.classes.find(row => row.label === label)?.name ?? String(label);
  }

  // -- the head

  title() {
    const {one} = this;
    const children = [el("div.line", {}, el("h2", {}, one.name), el("span.hint", {}, about(one)), this.buttons())];
    if (one.status === "Running") {
      children.push(el("progress", {max: 1, "aria-label": "Progress"}));
    } else if (one.error) {
      const {where, expected, got, do: remedy} = one.error;
      children.push(el("p.bad", {role: "alert"}, [where && `${where}: `, expected, got && `; got ${got}`].filter(Boolean).join("")),
        remedy ? el("p.hint", {}, remedy) : null);
    } else if (one.status === "Done") {
      children.push(this.told());
    }
    clear(this.head).append(...children.filter(Boolean));
    if (one.status === "Running") this.advance();
  }

  // How far it is; what has the focus keeps it.
  advance() {
    this.head.querySelector(".hint").textContent = about(this.one);
    const bar = this.head.querySelector("progress");
    if (this.one.progress) bar.value = this.one.progress;
    else bar.removeAttribute("value");
  }

  buttons() {
    const {one, app} = this, id = encodeURIComponent(one.id);
    if (one.status === "Running") {
      return el("button.danger.end", {type: "button", onclick: () => this.tell(() => app.api.post(`/datasets/${id}/abort`))}, "Abort");
    }
    if (!one.own) return null;
    const word = one.status === "Done" ? "Delete" : "Remove";
    if (!this.sure && one.status === "Done") {
      const ask = () => { this.sure = true; this.title(); this.head.querySelector("button").focus(); };
      return el("button.danger.end", {type: "button", onclick: ask}, word);
    }
    const go = async () => {
      await app.api.remove(`/datasets/${id}`);
      app.say(`${one.name} is removed.`, "good");
      app.go("#data");
    };
    return el("span.line.end", {},
      el("button.danger", {type: "button", onclick: () => this.tell(go)}, one.status === "Done" ? `Delete ${one.name} for good` : word),
      one.status === "Done" ? el("button", {type: "button", onclick: () => { this.sure = false; this.title(); }}, "Keep it") : null);
  }

  async tell(work) {
    try {
      await work();
      await this.changed();
    } catch (error) {
      this.app.say(error.message, "bad");
    }
  }

  told() {
    const {one} = this, rows = [];
    const row = (name, ...value) => rows.push(el("div", {}, el("dt", {}, name), el("dd", {}, ...value)));
    for (const [part, count] of Object.entries(one.parts)) row(part, count === null ? "images" : `${count.toLocaleString("en")} images`);
    if (one.shape) row("Images", size(one.shape));
    if (one.title) row("From", one.title);
    else if (one.from) row("From", one.from);
    if (one.licence) row("Licence", one.licence);
    if (one.mean_values?.length) {
      const spelled = values => values.map(v => v.toPrecision(4)).join(", ");
      row("Mean, deviation", `${spelled(one.mean_values)}; ${spelled(one.std_values)}`);
    }
    const source = Object.values(one.sources ?? {})[0], layer = {voc: "AnnotatedData", hdf5: "HDF5Data"}[one.kind] ?? "Data";
    const backend = one.kind === "hdf5" ? "" : ` backend: ${(one.kind ?? "idx").toUpperCase()}`;
    if (source) row(`Read by ${layer}`, el("code", {}, `source: ${JSON.stringify(source)}${backend}`));
    return el("dl.facts", {}, ...rows);
  }

  // -- classes

  link(part, label, page = 0) {
    return `#data/${encodeURIComponent(this.id)}/${encodeURIComponent(part)}/${label ?? ALL}/${page}`;
  }

  classes() {
    const {parts, classes, boxed, notes} = this.facts, what = boxed ? "Objects" : "Images";
    const most = Math.max(1, ...classes.map(row => Math.max(...Object.values(row.counts))));
    const total = row => Object.values(row.counts).reduce((sum, n) => sum + n, 0);
    const rows = [...classes];
    const body = el("tbody", {}, ...rows.map(row => el("tr", {class: row.label === this.label ? "chosen" : null},
      el("th", {scope: "row"}, el("a", {href: this.link(this.part, row.label === this.label ? null : row.label),
        "aria-current": row.label === this.label ? "true" : null}, row.name)),
      el("td.bar", {}, ...parts.map((part, k) => el("span.stack", {class: `p${k % 4}`, title: `${part.name}: ${row.counts[part.name]}`,
        style: {width: `${(100 * row.counts[part.name]) / most / (parts.length > 1 ? 1.25 : 1)}%`}}))),
      ...parts.map(part => el("td.number", {}, row.counts[part.name].toLocaleString("en"))))));
    const legend = parts.map((part, k) => el("th.number", {scope: "col"}, el("i.key", {class: `p${k % 4}`}), part.name));
    clear(this.counts).append(
      el("h3", {}, `${what} of each class`),
      el("div.scroll", {}, el("table", {},
        el("thead", {}, el("tr", {}, el("th", {scope: "col"}, "Class"), el("th", {}, el("span.unseen", {}, "Bar")), ...legend)), body)),
      notes.length ? el("ul.warn", {}, ...notes.map(note => el("li", {}, note))) : "",
      this.leftOut(), this.mean());
    if (!rows.some(total)) this.counts.append(el("p.hint", {}, "Nothing is labelled."));
  }

  leftOut() {
    const {left_out: files, remarks} = this.facts, said = Object.entries(remarks);
    if (!files.length && !said.length) return "";
    return el("details", {}, el("summary", {}, `${files.length} files left out${said.length ? ", and remarks" : ""}`),
      el("ul", {tabindex: "0"}, ...said.map(([remark, count]) => el("li", {}, `${count} images: ${remark}`)),
        ...files.map(one => el("li", {}, el("code", {}, one.file), ` ${one.reason}`))));
  }

  mean() {
    const hold = el("div.mean");
    const shown = el("details", {ontoggle: async () => {
      if (!shown.open || hold.childElementCount) return;
      try {
        const told = await this.app.api.get(`${this.path}/mean`);
        const sprite = await load(this.app.api, `${this.path}/mean.png?v=${this.version}`, 1, 1);
        hold.append(cell(sprite, 0, {least: 112, most: 224}), el("p.hint", {}, `The mean of ${told.of}. `,
          `Mean values: ${told.means.map(v => v.toPrecision(4)).join(", ")}${told.means.length === 3 ? " (blue, green, red)" : ""}.`));
      } catch (error) {
        hold.append(el("p.bad", {}, error.message));
      }
    }}, el("summary", {}, "Mean image"), hold);
    return shown;
  }

  // -- images

  async turnTo() {
    const turn = ++this.turn, {api} = this.app;
    this.toolbar();
    try {
      if (this.kind) {
        clear(this.grid).append(el("p.hint", {role: "status"}, "Looking at all images …"));
        this.found ??= await api.get(`${this.path}/suspects`);
        if (turn !== this.turn) return;
        this.toolbar();
        return await this.suspects(turn);
      }
      const query = new URLSearchParams({part: this.part, page: this.number, v: this.version});
      if (this.label !== null) query.set("class", this.label);
      const page = await api.get(`${this.path}/images?${query}`);
      const sprite = page.images.length ? await load(api, `${this.path}/images.png?${query}`, page.columns, page.images.length) : null;
      if (turn !== this.turn) return void sprite?.close();
      this.fill(page, sprite);
    } catch (error) {
      if (turn === this.turn) clear(this.grid).append(el("p.bad", {role: "alert"}, error.message)), clear(this.pages);
    }
  }

  toolbar() {
    const pick = (text, value, options, change) => el("label", {}, text, el("select", {onchange: event => change(event.target.value)},
      ...options.map(([key, name]) => el("option", {value: key, selected: String(key) === String(value)}, name))));
    const {parts, classes} = this.facts, go = (part, label) => this.app.go(this.link(part, label));
    const tools = [];
    if (parts.length > 1) tools.push(pick("Part ", this.part, parts.map(p => [p.name, p.name]), part => go(part, this.label)));
    tools.push(pick("Class ", this.label ?? ALL, [[ALL, "all"], ...classes.map(row => [row.label, row.name])], label => go(this.part, label)));
    tools.push(el("a.button.end", {href: this.kind ? this.link(this.part, null) : `#data/${encodeURIComponent(this.id)}/suspects`},
      this.kind ? "All images" : "Suspect images"));
    clear(this.tools).append(...tools);
  }

  fill(page, sprite) {
    this.hold(sprite);
    clear(this.grid).append(...page.images.map((image, k) => this.button(image, sprite, k)));
    if (!page.images.length) this.grid.append(el("p.hint", {role: "status"}, "No images of this class in this part."));
    this.rove();
    const {number} = this, last = Math.max(0, page.pages - 1);
    const step = (text, to, off) => off ? el("span.hint", {}, text) : el("a.button", {href: this.link(this.part, this.label, to)}, text);
    clear(this.pages).append(step("‹ Before", number - 1, number === 0),
      el("span", {role: "status"}, `page ${Math.min(number, last) + 1} of ${last + 1}, ${page.total.toLocaleString("en")} images`),
      step("Next ›", number + 1, number >= last));
  }

  hold(sprite) {
    this.sprite?.close();
    this.sprite = sprite;
  }

  button(image, sprite, number, word = "") {
    const names = image.labels.map(label => this.called(label)).join(", ") || "none";
    const key = `${image.part}:${image.index}`;
    return el("button.cell", {type: "button", tabindex: "-1", "aria-pressed": String(key === this.picked), "data-key": key,
      "aria-label": `${names}${word && ` ${word}`}: image ${image.index} of ${image.part}`, title: `${names}: image ${image.index} of ${image.part}`,
      onclick: event => this.pick(image, event.currentTarget)},
    cell(sprite, number), el("small", {}, names), word ? el("small", {}, word) : null);
  }

  rove() {
    const cells = [...this.grid.querySelectorAll(".cell")];
    (cells.find(one => one.getAttribute("aria-pressed") === "true") ?? cells[0])?.setAttribute("tabindex", "0");
  }

  key(event) {
    const cells = [...this.grid.querySelectorAll(".cell")], at = cells.indexOf(document.activeElement);
    if (at < 0) return;
    const left = cells[at].getBoundingClientRect().left, below = cells.findIndex((one, k) => k > at && Math.abs(one.getBoundingClientRect().left - left) < 2);
    const row = below > 0 ? below - at : cells.length;
    const to = {ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, Home: 0, End: cells.length - 1}[event.key];
    if (to === undefined || !cells[to]) return;
    event.preventDefault();
    cells[at].tabIndex = -1;
    cells[to].tabIndex = 0;
    cells[to].focus();
  }

  async pick(image, button) {
    this.picked = `${image.part}:${image.index}`;
    for (const one of this.grid.querySelectorAll(".cell")) one.setAttribute("aria-pressed", String(one === button));
    await this.sample.show(this.path, this.version, image, label => this.called(label), this.facts.boxed);
  }

  async suspects(turn) {
    const {groups, looked_at: looked, of} = this.found, all = groups.flatMap(group => group.images);
    clear(this.pages).append(el("span", {role: "status"}, `${looked.toLocaleString("en")} of ${of.toLocaleString("en")} images were looked at.`));
    const asker = await this.asker(), sprites = [];
    if (turn !== this.turn) return;
    for (const group of groups) {
      const query = new URLSearchParams({of: group.images.map(i => `${i.part}:${i.index}`).join(","), v: this.version});
      sprites.push(await load(this.app.api, `${this.path}/images.png?${query}`, 10, group.images.length));
      if (turn !== this.turn) return void sprites.forEach(sprite => sprite.close());
    }
    this.hold({close: () => sprites.forEach(sprite => sprite.close())});
    const word = image => image.says === undefined ? image.part : `${this.called(image.says)} ${(100 * image.sure).toFixed(0)} %`;
    clear(this.grid).append(...(groups.length ? [] : [el("p.good", {}, "Nothing is suspect: no copies, no blank images, no unusual sizes.")]),
      ...groups.map((group, k) => el("section.suspect", {},
        el("h3", {}, `${group.title}: ${group.count.toLocaleString("en")}`), el("p.hint", {}, group.why),
        el("div.cells", {}, ...group.images.map((image, n) => this.button(image, sprites[k], n, word(image)))))), asker);
    if (all.length) this.rove();
  }

  // A trained net may be asked which labels it doubts.
  async asker() {
    const runs = this.facts.boxed ? [] : await this.app.runs();
    if (!runs.length) return el("p.hint", {}, "Train a net, and it says here which labels it doubts.");
    const choice = el("select", {}, ...runs.map(run => el("option", {value: run.id}, run.id)));
    const ask = async event => {
      event.currentTarget.disabled = true;
      try {
        const group = await this.app.api.get(`${this.path}/doubts?${new URLSearchParams({run: choice.value})}`);
        if (!group.count) this.app.say(`${choice.value} doubts none of ${group.looked_at} labels.`, "good");
        this.found.groups = [...this.found.groups.filter(one => one.kind !== group.kind), ...(group.count ? [group] : [])];
      } catch (error) {
        this.app.say(error.message, "bad");
      }
      await this.turnTo();
    };
    return el("div.line", {}, el("label", {}, "Labels that are doubted by the net of ", choice), el("button", {type: "button", onclick: ask}, "Ask it"));
  }
}

// A line about a data set.
export function about(set) {
  if (set.status === "Running") return `${set.stage ?? "starting"}${set.total ? ` ${set.done} of ${set.total}` : ""}`;
  if (set.status !== "Done") return set.status === "Abort" ? "aborted" : "failed";
  const count = Object.values(set.parts ?? {}).reduce((sum, n) => sum + (n ?? 0), 0);
  const images = count ? `${count.toLocaleString("en")} images` : "images";
  return [images, set.classes && `${set.classes} classes`, size(set.shape)].filter(Boolean).join(" · ");
}

// How large images are, in words: 28 × 28, grey.
export function size(shape) {
  if (!shape?.length) return "";
  const [channels, height, width] = shape;
  return `${width} × ${height} ${channels === 1 ? "grey" : channels === 3 ? "colour" : `with ${channels} channels`}`;
}
