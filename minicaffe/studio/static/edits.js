// Edits of prototxt text: what graph and forms change, as the fewest characters that say it.
//
// `parse` makes a tree of fields that knows where everything stands; nothing is interpreted and nothing lost.
// Every edit returns splices, [{start, end, text}] in the order of the text, which `apply` carries out: all
// characters outside of them stay, comments and layout too.

const TOKEN = /#[^\n]*|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'|[{}<>[\]:,;]|[\w.+-]+|\S/gs;
const CLOSING = {"{": "}", "<": ">", "[": "]"};

export class EditError extends Error {}

// A field: {name, start, end, after, values, listed}; `end` is behind its last value and `after` behind the
// comma or semicolon that may follow.  A value: {start, end} and, if it is a message, {open, close, fields}.
// A message: {fields, open, close}; that of the whole text opens at -1 and closes at the text's length.
export function parse(text) {
  const tokens = [...text.matchAll(TOKEN)].filter(token => token[0][0] !== "#").map(token => ({word: token[0], at: token.index}));
  let next = 0;
  const peek = () => tokens[next]?.word;
  const fail = what => { throw new EditError(`line ${lineAt(text, tokens[next]?.at ?? text.length)}: ${what}`); };
  const take = word => { if (peek() !== word) fail(`expected ${word}`); return tokens[next++].at; };

  function fields(closing) {
    const found = [];
    while (next < tokens.length && peek() !== closing) found.push(field());
    return found;
  }

  function field() {
    const {word: name, at: start} = tokens[next];
    if (!/^[A-Za-z_]/.test(name)) fail(`expected the name of a field, got ${name}`);
    next++;
    const colon = peek() === ":" && take(":") >= 0;
    const listed = colon && peek() === "[";
    const values = [];
    let end;
    if (listed) {
      take("[");
      while (peek() !== "]") {
        values.push(value());
        if (peek() === ",") take(","); else if (peek() !== "]") fail("expected , or ]");
      }
      end = take("]") + 1;
    } else {
      if (!colon && peek() !== "{" && peek() !== "<") fail(`expected a value for ${name}`);
      values.push(value());
      end = values[0].end;
    }
    const after = peek() === "," || peek() === ";" ? take(peek()) + 1 : end;
    return {name, start, end, after, values, listed};
  }

  function value() {
    const token = tokens[next];
    if (!token) fail("expected a value");
    if (token.word === "{" || token.word === "<") {
      const open = take(token.word), inside = fields(CLOSING[token.word]);
      const close = take(CLOSING[token.word]);
      return {start: open, end: close + 1, open, close, fields: inside};
    }
    if (/^[{}<>[\]:,;]$/.test(token.word)) fail(`expected a value, got ${token.word}`);
    let end = tokens[next++].at + token.word.length;
    if (token.word === "-" && next < tokens.length) end = tokens[next].at + tokens[next++].word.length;
    if (/^["']/.test(token.word)) while (/^["']/.test(peek() ?? "")) end = tokens[next].at + tokens[next++].word.length;
    return {start: token.at, end};
  }

  const found = fields(null);
  if (next < tokens.length) fail(`nothing is open for ${peek()}`);
  return {fields: found, open: -1, close: text.length};
}

export const apply = (text, splices) => splices.reduceRight((done, {start, end, text: piece}) => done.slice(0, start) + piece + done.slice(end), text);

// The change as whole lines: {first, last, text}, from line `first` to line `last`, counted from 1.
export function asLines(text, splices) {
  const start = text.lastIndexOf("\n", splices[0].start - 1) + 1;
  let end = text.indexOf("\n", splices.at(-1).end);
  if (end < 0) end = text.length;
  const moved = splices.map(splice => ({...splice, start: splice.start - start, end: splice.end - start}));
  return {first: lineAt(text, start), last: lineAt(text, end), text: apply(text.slice(start, end), moved)};
}

export const lineAt = (text, at) => text.slice(0, at).split("\n").length;

export const quoted = word => `"${word.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;

const ESCAPES = {n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v"};
// What a spelled text means; of anything else the spelling.
export function meant(spelled) {
  if (!/^["']/.test(spelled)) return spelled;
  const parts = spelled.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/gs) ?? [];
  return parts.map(part => part.slice(1, -1).replace(/\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)/gs, (_, code) =>
    /^[0-7]/.test(code) ? String.fromCharCode(parseInt(code, 8)) : /^x./.test(code) ? String.fromCharCode(parseInt(code.slice(1), 16)) : ESCAPES[code] ?? code)).join("");
}

// All values of a repeated field, or the one of another: [{field, value}].
export const all = (message, name) => message.fields.filter(field => field.name === name).flatMap(field => field.values.map(value => ({field, value})));
export const spelled = (text, value) => text.slice(value.start, value.end);
export const texts = (text, message, name) => all(message, name).map(({value}) => meant(spelled(text, value)));

// The layers of a net, in order: {index, name, type, bottoms, tops, line, lastLine, field, message}.
export function layers(text, root = parse(text)) {
  const found = root.fields.filter(field => field.name === "layer" || field.name === "layers");
  return found.flatMap(field => field.values.map(message => ({field, message}))).map(({field, message}, index) => {
    if (!message.fields) throw new EditError("a layer is a message in braces");
    const of = name => texts(text, message, name);
    return {
      index, field, message, name: of("name")[0] ?? "", type: of("type")[0] ?? "", bottoms: of("bottom"), tops: of("top"),
      line: lineAt(text, field.start), lastLine: lineAt(text, field.end),
    };
  });
}

export function layerAt(text, index) {
  const layer = layers(text)[index];
  if (!layer) throw new EditError(`the text has no layer ${index}`);
  return layer;
}

const lineStart = (text, at) => text.lastIndexOf("\n", at - 1) + 1;
const blankBefore = (text, at) => /^[ \t]*$/.test(text.slice(lineStart(text, at), at));
const indentAt = (text, at) => /^[ \t]*/.exec(text.slice(lineStart(text, at)))[0];
const insert = (at, piece) => [{start: at, end: at, text: piece}];

// A field behind another: on a line of its own if that has one.
function behind(text, field, piece) {
  const rest = /^[ \t]*(?:#[^\n]*)?(\n|$)/.exec(text.slice(field.after));
  if (rest && blankBefore(text, field.start)) {
    const at = field.after + rest[0].length, indent = indentAt(text, field.start);
    return insert(at, rest[1] ? `${indent}${piece}\n` : `\n${indent}${piece}`);
  }
  return insert(field.after, ` ${piece}${/^[\s}>,;]|^$/.test(text.slice(field.after, field.after + 1)) ? "" : " "}`);
}

// A field at the end of a message.
function atEnd(text, message, piece) {
  if (message.open < 0) {
    const needs = text.length && !text.endsWith("\n") ? "\n" : "";
    return insert(text.length, `${needs}${piece}\n`);
  }
  if (blankBefore(text, message.close)) {
    const last = message.fields.at(-1);
    const indent = last && blankBefore(text, last.start) ? indentAt(text, last.start) : `${indentAt(text, message.close)}  `;
    return insert(lineStart(text, message.close), `${indent}${piece}\n`);
  }
  const end = text.slice(0, message.close).trimEnd().length;
  return insert(end, ` ${piece}${end === message.close ? " " : ""}`);
}

// A field, with the line that it has to itself.
function without(text, field) {
  const rest = /^[ \t]*(\n|$)/.exec(text.slice(field.after));
  if (rest && blankBefore(text, field.start)) {
    return [{start: lineStart(text, field.start), end: field.after + rest[0].length, text: ""}];
  }
  let start = field.start;
  const joins = /^[\s}>\]]|^$/.test(text.slice(field.after, field.after + 1));
  if (joins && !blankBefore(text, start)) while (/[ \t]/.test(text[start - 1] ?? "")) start--;
  return [{start, end: field.after, text: ""}];
}

function withoutValue(text, {field, value}) {
  if (!field.listed || field.values.length === 1) return without(text, field);
  const place = field.values.indexOf(value);
  if (place) return [{start: field.values[place - 1].end, end: value.end, text: ""}];
  return [{start: value.start, end: field.values[1].start, text: ""}];
}

const written = (name, piece) => piece.startsWith("{") ? `${name} ${piece}` : `${name}: ${piece}`;

// Set the field that `path` leads to: names, or [name, number] of one value of a repeated field, which one more
// than there are makes another.  `piece` is the value as it is spelled; null removes the field.
export function set(text, message, path, piece) {
  const [step, ...rest] = path, [name, place] = Array.isArray(step) ? step : [step, null];
  const found = all(message, name), old = place === null ? found.at(-1) : found[place];
  if (rest.length) {
    if (old) return set(text, old.value, rest, piece);
    if (piece === null) return [];
    const inner = rest.reduceRight((inside, each) => `{ ${written(Array.isArray(each) ? each[0] : each, inside)} }`, piece);
    return add(text, message, name, inner);
  }
  if (piece === null) return old ? withoutValue(text, old) : [];
  if (old) return spelled(text, old.value) === piece ? [] : [{start: old.value.start, end: old.value.end, text: piece}];
  return add(text, message, name, piece);
}

// Add a value to a repeated field, behind those that there are, or a field that is not there yet.
export function add(text, message, name, piece) {
  const last = all(message, name).at(-1)?.field ?? message.fields.findLast(field => field.name === name);
  if (last?.listed) {
    return last.values.length ? insert(last.values.at(-1).end, `, ${piece}`) : insert(last.end - 1, piece);
  }
  if (last) return behind(text, last, written(name, piece));
  const near = ORDER.slice(0, ORDER.indexOf(name)).reverse().map(each => message.fields.findLast(field => field.name === each)).find(Boolean);
  return ORDER.includes(name) && near ? behind(text, near, written(name, piece)) : atEnd(text, message, written(name, piece));
}
const ORDER = ["name", "type", "bottom", "top"]; // how these follow each other in a layer

export const setInLayer = (text, index, path, piece) => set(text, layerAt(text, index).message, path, piece);
export const setInText = (text, path, piece) => set(text, parse(text), path, piece);

// A line's piece by another, as a fix says it; line and column count from 1.
export function replaceInLine(text, {line, column, length, text: piece}) {
  const start = text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
  return [{start, end: start + length, text: piece}];
}

// How a new layer is written; `parameters` is what stands in its last line, such as "pooling_param { ... }".
export function spellLayer({name, type, bottoms, tops, parameters}) {
  const lines = [`name: ${quoted(name)}`, `type: ${quoted(type)}`, ...bottoms.map(each => `bottom: ${quoted(each)}`), ...tops.map(each => `top: ${quoted(each)}`)];
  return `layer {\n${[...lines, ...(parameters ? [parameters] : [])].map(line => `  ${line}\n`).join("")}}`;
}

// A name that no layer and no blob has: that of the type in small letters, and a number.
export function freeName(text, type) {
  const taken = new Set(layers(text).flatMap(layer => [layer.name, ...layer.tops, ...layer.bottoms]));
  const short = {Convolution: "conv", InnerProduct: "ip", Pooling: "pool", SoftmaxWithLoss: "loss", BatchNorm: "bn"}[type] ?? type.toLowerCase();
  for (let number = 1; ; number++) if (!taken.has(`${short}${number}`)) return `${short}${number}`;
}

// A layer behind number `index`; -1 is in front of all, where the net has layers, or at the end.
export function insertLayer(text, index, layer) {
  const there = layers(text), piece = spellLayer(layer);
  if (!there.length) return atEnd(text, parse(text), piece);
  if (there.some(each => each.field.listed)) throw new EditError("layers in one list are edited in the text");
  if (index < 0) {
    let at = there[0].field.start;
    if (!blankBefore(text, at)) return insert(at, `${piece}\n`);
    at = lineStart(text, at);
    for (let above = lineStart(text, at - 1); at > 0 && /^[ \t]*#/.test(text.slice(above, at)); above = lineStart(text, at - 1)) at = above;
    return insert(at, `${piece}\n`);
  }
  const {field} = there[index], rest = /^[ \t]*(?:#[^\n]*)?(\n|$)/.exec(text.slice(field.after));
  if (!rest) return insert(field.after, `\n${piece}\n`);
  return insert(field.after + rest[0].length, rest[1] ? `${piece}\n` : `\n${piece}\n`);
}

// Splices of one text, from several edits of it, in order; those at one place stay in the order given.
const together = (...edits) => edits.flat().sort((a, b) => a.start - b.start);

// A layer between a blob and those of its readers that are numbered in `targets`: they read what it makes.
export function insertOnEdge(text, blob, targets, layer) {
  const there = layers(text), first = Math.min(...targets);
  const rewired = targets.flatMap(target => rewire(text, there[target], blob, layer.tops[0]));
  return together(insertLayer(text, first - 1, layer), rewired);
}

const rewire = (text, layer, from, to) => from === to ? [] : all(layer.message, "bottom")
  .filter(({value}) => meant(spelled(text, value)) === from)
  .map(({value}) => ({start: value.start, end: value.end, text: quoted(to)}));

// Those that read a top of layer `index`, before another layer makes a blob of that name: [[layer, name]].
export function readers(text, index) {
  const there = layers(text), found = [];
  for (const name of there[index].tops) {
    for (const layer of there.slice(index + 1)) {
      if (layer.bottoms.includes(name)) found.push([layer, name]);
      if (layer.tops.includes(name) && !layer.bottoms.includes(name)) break;
    }
  }
  return found;
}

// Remove a layer; those that read its first top read its first bottom instead, if it has one.
export function removeLayer(text, index) {
  const there = layers(text), layer = there[index], from = layer.tops[0], to = layer.bottoms[0];
  if (layer.field.listed) throw new EditError("layers in one list are edited in the text");
  const twin = there.some(each => each.index !== index && each.tops.includes(from) && !each.bottoms.includes(from));
  const behind = to === undefined || from === to || twin ? [] : readers(text, index).filter(([, name]) => name === from).map(([reader]) => reader);
  const rewired = behind.flatMap(reader => rewire(text, reader, from, to));
  const renamed = behind.filter(reader => reader.tops.includes(from)).flatMap(reader => retop(text, reader, from, to)); // in place
  return together(without(text, layer.field), rewired, renamed);
}

const retop = (text, layer, from, to) => all(layer.message, "top")
  .filter(({value}) => meant(spelled(text, value)) === from)
  .map(({value}) => ({start: value.start, end: value.end, text: quoted(to)}));

// Let layer `target` read a blob: as bottom number `place`, or as one more.
export function connect(text, blob, target, place = null) {
  const layer = layerAt(text, target);
  return place === null ? add(text, layer.message, "bottom", quoted(blob)) : set(text, layer.message, [["bottom", place]], quoted(blob));
}

export const disconnect = (text, target, place) => set(text, layerAt(text, target).message, [["bottom", place]], null);
