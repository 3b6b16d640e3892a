// A solver's prototxt as text: its outermost fields read and changed in place, every other letter kept.

const TOKEN = /\s+|#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[{}<>:,;[\]]|[^\s#"'{}<>:,;[\]]+/g;
const TEXTS = new Set(["type", "lr_policy", "regularization_type", "snapshot_prefix", "net"]);

// Every outermost field with one value: its name, the value, where field and value lie in the text.
export function fields(text) {
  const tokens = [...text.matchAll(TOKEN)].filter(t => !/^(\s|#)/.test(t[0]));
  const found = [];
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    const word = tokens[i][0];
    if (word === "{" || word === "<") depth++;
    else if (word === "}" || word === ">") depth--;
    else if (depth === 0 && /^\w+$/.test(word) && tokens[i + 1]?.[0] === ":" && tokens[i + 2]) {
      const value = tokens[i + 2], raw = value[0];
      if (raw === "{" || raw === "<") continue;
      found.push({
        name: word,
        value: /^["']/.test(raw) ? raw.slice(1, -1) : raw,
        start: tokens[i].index,
        valueStart: value.index,
        end: value.index + raw.length,
      });
      i += 2;
    }
  }
  return found;
}

// The value of a field, those of a repeated one joined by commas; "" if it is not set.
export function read(text, name) {
  return fields(text).filter(f => f.name === name).map(f => f.value).join(", ");
}

// The text with a field set to a value, to several if it is a list, or without it if the value is "".
export function write(text, name, value) {
  const values = (Array.isArray(value) ? value : [value]).map(v => String(v).trim()).filter(v => v !== "");
  const spelled = values.map(v => (TEXTS.has(name) ? `"${v.replace(/[\\"\n]/g, "")}"` : v));
  const there = fields(text).filter(f => f.name === name);
  for (const spare of there.slice(spelled.length).reverse()) text = without(text, spare);
  there.slice(0, spelled.length).reverse().forEach((f, k, all) => {
    text = text.slice(0, f.valueStart) + spelled[all.length - 1 - k] + text.slice(f.end);
  });
  const more = spelled.slice(there.length).map(v => `${name}: ${v}`);
  if (!more.length) return text;
  if (there.length) { // beside the last of its kind
    const last = fields(text).filter(f => f.name === name).at(-1);
    return `${text.slice(0, last.end)}\n${more.join("\n")}${text.slice(last.end)}`;
  }
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${more.join("\n")}\n`;
}

// A field and its value taken out, and its line where nothing else stands there.
function without(text, field) {
  const from = text.lastIndexOf("\n", field.start - 1) + 1;
  const next = text.indexOf("\n", field.end);
  const to = next < 0 ? text.length : next;
  const before = text.slice(from, field.start), after = text.slice(field.end, to);
  if (before.trim() === "" && (after.trim() === "" || after.trim().startsWith("#")))
    return text.slice(0, from) + text.slice(next < 0 ? to : to + 1);
  return text.slice(0, field.start).trimEnd() + (before.trim() ? " " : "") + text.slice(field.end).replace(/^[ \t]+/, "");
}
