// The form of a layer, or of a solver, made of the schema: every field has its type, default, choices and what
// the schema says about it.  The form keeps nothing: it shows the text, and a change of a field is an edit of it.
import {all, meant, quoted, spelled} from "./edits.js";
import {clear, el} from "./dom.js";

const NUMBER = {int: /^[-+]?(\d+|0x[0-9a-f]+)$/i, float: /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?f?$|^[-+]?(inf|nan)$/i};
const HIDDEN = new Set(["name", "type", "bottom", "top"]);

// calls: set(path, piece), values(path, pieces), remove(path), rename(name)
export class Form {
  constructor(host, schema, calls) {
    Object.assign(this, {host, schema, calls, open: new Set(), choices: {}});
  }

  empty(words) { clear(this.host).append(el("p.dim", {}, words)); }

  // `text` and a layer of it, as edits.layers gives it; `facts` are [name, value] pairs to be read.
  showLayer(text, layer, facts, actions) {
    const type = this.schema.types[layer.type], path = [];
    this.text = text;
    this.#render(() => [
      el("h3", {}, layer.name || "(no name)"),
      el("p.dim", {}, type ? type.summary : `There is no layer type ${layer.type}.`),
      el("dl.facts", {}, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      el("div.row", {}, ...actions),
      this.#group("Layer", this.schema.messages.LayerParameter.filter(field => field.name === "name" || field.name === "type").map(field => this.#field(field, layer.message, path, type))),
      this.#wires(layer),
      ...Object.keys(type?.params ?? {}).map(name => this.#message(name, this.#fieldsOf(name, type), layer.message, [name], true, type)),
      this.#details("Of every layer", "common", this.schema.common.map(name => this.#field(this.schema.messages.LayerParameter.find(field => field.name === name), layer.message, path, type))),
    ]);
  }

  showMessage(text, root, message, title, first) {
    const fields = this.schema.messages[message].filter(field => !field.fork);
    this.text = text;
    const of = list => list.map(field => this.#field(field, root, [], null));
    this.#render(() => [
      this.#group(title, of(first.map(name => fields.find(field => field.name === name)).filter(Boolean))),
      this.#details("More settings", "more", of(fields.filter(field => !first.includes(field.name) && field.kind !== "message"))),
    ]);
  }

  #render(parts) {
    const before = document.activeElement, key = this.host.contains(before) ? before.dataset.key : "", top = this.host.scrollTop;
    clear(this.host).append(...parts());
    this.host.scrollTop = top;
    if (key) [...this.host.querySelectorAll("[data-key]")].find(each => each.dataset.key === key)?.focus({preventScroll: true});
  }

  #fieldsOf(name, type) {
    return this.schema.messages[type.params[name]].filter(field => !field.fork || type.reads.includes(`${name}.${field.name}`));
  }

  #group(title, rows) { return el("fieldset", {}, el("legend", {}, title), ...rows); }

  #details(title, key, rows, open = false) {
    const made = el("details", {}, el("summary", {"data-key": `fold ${key}`}, title), ...rows);
    made.open = open || this.open.has(key);
    made.addEventListener("toggle", () => made.open ? this.open.add(key) : this.open.delete(key));
    return made;
  }

  // A message: fields that are set, then those that usually are, then the rest folded.
  #message(title, fields, parent, path, wide, type) {
    const value = at(parent, path.slice(-1)[0]);
    const set = field => value && all(value, field.name).length > 0, key = path.flat().join(".");
    const usual = fields.filter((field, k) => set(field) || (wide && k < 4 && field.kind !== "message"));
    const rest = fields.filter(field => !usual.includes(field));
    const row = field => this.#field(field, value, path, type);
    const folded = rest.length ? [this.#details(usual.length ? `${rest.length} more` : `${rest.length} settings`, key, rest.map(row))] : [];
    return this.#group(title, [...usual.map(row), ...folded]);
  }

  #field(field, message, path, type) {
    const found = message ? all(message, field.name) : [], here = [...path, field.name], key = here.flat().join(".");
    if (field.kind === "message") return this.#messages(field, message, found, path, type);
    const texts = found.map(({value}) => spelled(this.text, value));
    const control = this.#control(field, texts, here, key);
    const clearing = found.length && !HIDDEN.has(field.name)
      ? el("button.quiet", {type: "button", title: `remove ${field.name}`, "aria-label": `Remove ${field.name}`, "data-key": `remove ${key}`, onclick: () => field.repeated ? this.calls.values(here, []) : this.calls.set(here, null)}, "×") : "";
    const label = el("label", {title: field.note ?? ""}, el("span", {}, field.name), control);
    if (field.note) control.title = field.note;
    return el(`div.field${found.length ? ".set" : ""}`, {}, label, clearing);
  }

  #control(field, texts, path, key) {
    const attributes = {"data-key": key, name: key}, shown = fallback(field);
    if (!field.repeated && (field.kind === "bool" || field.kind === "enum")) {
      const values = field.kind === "bool" ? ["true", "false"] : field.values;
      const now = texts[0] ?? "", options = [el("option", {value: ""}, shown ? `${shown} (default)` : "not set"), ...values.map(value => el("option", {value}, value))];
      if (now && !values.includes(now)) options.push(el("option", {value: now}, now));
      const select = el("select", {...attributes, onchange: () => this.calls.set(path, select.value || null)}, ...options);
      select.value = now;
      return select;
    }
    const list = this.choices[key] ? {list: this.#list(key)} : {};
    const said = texts.map(text => field.kind === "string" ? meant(text) : text);
    const input = el("input", {...attributes, ...list, autocomplete: "off", spellcheck: false, value: said.join(", "), placeholder: field.repeated ? `${shown ? `${shown}, ` : ""}one or more, with commas` : shown});
    const commit = () => this.#commit(field, input, said.join(", "), path);
    input.addEventListener("change", commit);
    return input;
  }

  // A list of known values, such as types of layers and names of data.
  #list(key) {
    const id = `known-${key.replace(/\W/g, "-")}`;
    document.getElementById(id)?.remove();
    document.body.append(el("datalist", {id}, ...this.choices[key].map(value => el("option", {value}))));
    return id;
  }

  #commit(field, input, before, path) {
    const text = input.value.trim();
    if (text === before) return;
    const words = field.repeated ? text.split(/\s*,\s*|\s+/).filter(Boolean) : text ? [text] : [];
    const wrong = NUMBER[field.kind] && words.find(word => !NUMBER[field.kind].test(word));
    input.setCustomValidity(wrong ? `${field.name} takes ${field.kind === "int" ? "whole numbers" : "numbers"}; got ${wrong}` : "");
    input.setAttribute("aria-invalid", String(Boolean(wrong)));
    if (wrong) { input.reportValidity(); return; }
    const pieces = words.map(word => field.kind === "string" ? quoted(word) : word);
    if (field.repeated) this.calls.values(path, pieces);
    else if (field.name === "name" && path.length === 1 && text) this.calls.rename(text);
    else this.calls.set(path, pieces[0] ?? null);
  }

  // Messages in a message: one, or any number.
  #messages(field, message, found, path, type) {
    const fields = this.schema.messages[field.message] ?? [], key = [...path, field.name].flat().join(".");
    if (!field.repeated) {
      const count = found.length ? all(found[0].value, "").length : 0;
      const rows = fields.filter(each => !each.fork).map(each => this.#field(each, found[0]?.value, [...path, field.name], type));
      return this.#details(found.length ? field.name : `${field.name} (not set)`, `message ${key}`, rows, found.length > 0 && count < 6);
    }
    const parts = found.map(({value}, number) => this.#group(`${field.name} ${number + 1}`, [
      ...fields.filter(each => !each.fork).map(each => this.#field(each, value, [...path, [field.name, number]], type)),
      el("button.quiet", {type: "button", "data-key": `drop ${key} ${number}`, onclick: () => this.calls.set([...path, [field.name, number]], null)}, `Remove ${field.name} ${number + 1}`),
    ]));
    const more = el("button.quiet", {type: "button", "data-key": `add ${key}`, onclick: () => { this.open.add(`message ${key}`); this.calls.set([...path, [field.name, found.length]], "{ }"); }}, `Add ${field.name}`);
    return this.#details(`${field.name}${found.length ? ` (${found.length})` : ""}`, `message ${key}`, [...parts, more], false);
  }

  // What a layer reads and makes.
  #wires(layer) {
    const row = (name, words) => this.#field({name, kind: "string", repeated: true}, layer.message, [], null, words);
    return this.#group("Blobs", [row("bottom"), row("top")]);
  }
}

const at = (message, step) => message && (Array.isArray(step) ? all(message, step[0])[step[1]]?.value : all(message, step).at(-1)?.value);

const fallback = ({default: value, kind}) => value === undefined ? "" : kind === "string" ? String(value) : String(value);
