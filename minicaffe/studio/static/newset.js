// A new data set: where its images come from, how they are made alike, what it is called.
import {clear, el} from "./dom.js";
import {gathered, send} from "./sending.js";

const RESIZES = [["squash", "squash: every side for itself"], ["crop", "crop: cover, and cut what stands out"],
  ["fill", "fill: all inside, borders black"], ["half_crop", "half crop, half fill"]];
const CHANNELS = [["", "as found"], ["1", "grey"], ["3", "colour"]];
const KINDS = [["idx", "IDX: one file of pixels"], ["lmdb", "LMDB: images of any size"], ["hdf5", "HDF5"]];

export class NewSet {
  constructor(app, changed) {
    Object.assign(this, {app, changed, path: "", files: [], taken: new Set()});
    const choice = (value, text) => el("label", {},
      el("input", {type: "radio", name: "from", value, checked: value === "folder", onchange: () => this.from(value)}), text);
    this.where = el("p.path", {role: "status"});
    this.folders = el("ul.folders");
    this.browser = el("div.browser", {}, this.where, this.folders);
    const take = event => this.take(gathered(event.target.files));
    this.brought = el("p.hint", {role: "status"});
    this.drop = el("div.drop", {hidden: true},
      el("p", {}, "Drop a folder with a folder for each class, or a zip of it, or choose:"),
      el("div.line", {}, el("label", {}, "Folder ", el("input", {type: "file", webkitdirectory: true, multiple: true, onchange: take})),
        el("label", {}, "Zip or table ", el("input", {type: "file", accept: ".zip,.csv,.gz,.npz,.npy,.parquet", onchange: take}))), this.brought);
    this.drop.ondragover = event => { event.preventDefault(); this.drop.classList.add("over"); };
    this.drop.ondragleave = () => this.drop.classList.remove("over");
    this.drop.ondrop = event => this.dropped(event);
    const number = (name, attributes) => el("input", {name, type: "number", ...attributes});
    const select = (name, options) => el("select", {name}, ...options.map(([value, text]) => el("option", {value}, text)));
    const field = (text, control, hint = "") => el("label.field", {}, text, control, hint ? el("small.hint", {}, hint) : null);
    this.go = el("button.primary", {type: "submit"}, "Make data set");
    this.progress = el("progress", {max: 1, hidden: true, "aria-label": "Sent"});
    this.wrong = el("p.bad", {role: "alert"});
    this.form = el("form", {onsubmit: event => { event.preventDefault(); this.make(); }},
      el("fieldset", {}, el("legend", {}, "Where the images are"),
        el("div.line", {}, choice("folder", "In a folder of this machine"), choice("upload", "Sent from here")), this.browser, this.drop),
      el("fieldset.fields", {}, el("legend", {}, "What becomes of them"),
        field("Name", el("input", {name: "dataset_name", required: true, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", autocomplete: "off",
          title: "letters, digits, - _ and ."})),
        field("Width, pixels", number("resize_width", {min: 1, max: 4096, placeholder: "as it is"})),
        field("Height, pixels", number("resize_height", {min: 1, max: 4096, placeholder: "as it is"})),
        field("How they get there", select("resize_mode", RESIZES)),
        field("Colour", select("resize_channels", CHANNELS)),
        field("For validation, %", number("folder_pct_val", {min: 0, max: 99, value: 10, step: "any"})),
        field("For the test, %", number("folder_pct_test", {min: 0, max: 99, value: 0, step: "any"})),
        field("Stored as", select("backend", KINDS)),
        field("Seed", number("seed", {min: 0, max: 2 ** 31, value: 0}))),
      this.wrong, el("div.line", {}, this.go, this.progress));
    this.node = el("section.card.fresh", {"aria-label": "New data set"}, el("h2", {}, "New data set"), this.form);
  }

  async show(roots, sets) {
    this.taken = new Set(sets.map(set => set.id));
    this.roots = roots;
    await this.open(this.path || (roots.length === 1 ? roots[0] : ""));
  }

  from(kind) {
    this.browser.hidden = kind !== "folder";
    this.drop.hidden = kind !== "upload";
  }

  // -- a folder of this machine

  async open(path) {
    let found;
    try {
      found = path ? await this.app.api.get(`/api/folders?${new URLSearchParams({path})}`) : {path: "", folders: [], roots: this.roots};
    } catch (error) {
      this.path = "";
      this.wrong.textContent = error.message;
      return;
    }
    this.path = found.path;
    const item = (text, act, hint) => el("li", {}, el("button.quiet", {type: "button", onclick: act}, text), hint ? el("small.hint", {}, hint) : null);
    const folder = (text, to, hint) => item(text, () => this.open(to), hint);
    const rows = [];
    if (found.roots) rows.push(...found.roots.map(root => folder(root, root)));
    else {
      const up = found.above || (this.roots.length > 1 ? "" : null);
      if (up !== null) rows.push(folder("↑ above", up));
      rows.push(...found.folders.map(one => folder(one.name, `${found.path}/${one.name}`, one.images ? `${one.images} images` : "")),
        ...found.tables.map(name => item(name, () => this.choose(`${found.path}/${name}`, name), "a table")));
    }
    clear(this.folders).append(...rows);
    const classes = found.classes ? `${found.classes} class folders with images` : found.roots ? "choose a folder" : "no folders with images in it";
    clear(this.where).append(el("code", {}, found.path || "folders that may be read"), ` ${classes}`);
    this.where.classList.toggle("good", Boolean(found.classes));
    if (found.classes) this.suggest(found.path.split("/").pop());
  }

  choose(path, name) {
    this.path = path;
    clear(this.where).append(el("code", {}, path), " a table of images");
    this.suggest(name);
  }

  // A name for the data set, unless somebody has given one.
  suggest(text) {
    const {dataset_name: input} = this.form.elements;
    if (input.value && input.value !== this.suggested) return;
    const stem = text.replace(/\.[\w.]*$/, "").replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 50) || "images";
    let name = `${stem}-data`;
    for (let k = 2; this.taken.has(name); k += 1) name = `${stem}-data-${k}`;
    input.value = this.suggested = name;
  }

  // -- sent from here

  async dropped(event) {
    event.preventDefault();
    this.drop.classList.remove("over");
    this.take(await gathered(event.dataTransfer));
  }

  async take(files) {
    this.files = await files;
    const classes = new Set(this.files.map(({path}) => path.split("/").slice(0, -1).join("/")).filter(Boolean));
    const bytes = this.files.reduce((sum, {file}) => sum + file.size, 0);
    const told = `${this.files.length} files in ${classes.size} folders, ${(bytes / 2 ** 20).toFixed(1)} MiB.`;
    this.brought.textContent = this.files.length ? told : "No files.";
    if (this.files.length) this.suggest(this.files[0].path.split("/")[0]);
  }

  // -- making it

  async make() {
    const form = new FormData(this.form), asked = {}, {api, say, go} = this.app;
    for (const [name, value] of form) if (value !== "" && name !== "from") asked[name] = value;
    this.wrong.textContent = "";
    this.go.disabled = true;
    try {
      if (form.get("from") === "upload") {
        this.progress.hidden = false;
        asked.upload = await send(api, this.files, share => share === null ? this.progress.removeAttribute("value") : (this.progress.value = share));
      } else {
        asked.folder_train = this.path;
      }
      const made = await api.post("/datasets/images/classification.json", asked);
      say(`${made.name} is being made.`, "good");
      Object.assign(this, {files: [], suggested: ""});
      this.form.elements.dataset_name.value = this.brought.textContent = "";
      go(`#data/${encodeURIComponent(made.id)}`);
    } catch (error) {
      this.wrong.textContent = error.message;
      const field = this.form.elements[error.error?.field];
      if (field instanceof HTMLElement) field.focus();
    } finally {
      this.go.disabled = false;
      this.progress.hidden = true;
    }
  }
}
