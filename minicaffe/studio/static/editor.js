// An editor of prototxt over a plain textarea: undo, input methods and screen readers are the browser's own.
//
// The textarea's letters are transparent; behind it the visible lines are drawn in colour, so a text of any
// length costs the same.  Whoever wants another editor keeps these members:
//
//   text                     the whole text; setting it can be undone
//   lines(first, last)       some of its lines, counted from 1, as one text
//   replaceLines(first, last, text)   one step of undo; the focus stays where it is
//   show(line, column, length)        scroll there and select, without taking the focus
//   error(list)              marks at lines: [{line, column, severity, message}]
//   undo(), redo()           as the keys do
//
// and call `changed(text)` after every change, whoever made it.
import {el} from "./dom.js";

export const LINE = 19; // px, as in design.css
const MOST_TYPED = 40; // lines that a browser inserts in reasonable time: it takes milliseconds for each
const AROUND = 6; // lines that are drawn beyond what is seen
const WORDS = /(?<comment>#.*)|(?<string>"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)|(?<number>(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?f?\b)|(?<bool>\b(?:true|false)\b)|(?<enum>\b[A-Z][A-Z_0-9]+\b)|(?<message>\w+(?=\s*:?\s*[{<]))|(?<field>\w+(?=\s*:))/g;

function coloured(line) {
  const parts = [];
  let at = 0;
  for (const found of line.matchAll(WORDS)) {
    const [kind] = Object.entries(found.groups).find(([, word]) => word !== undefined);
    parts.push(line.slice(at, found.index), el(`span.${kind}`, {}, found[0]));
    at = found.index + found[0].length;
  }
  return [...parts, line.slice(at)];
}

export function editor(host, {label, describedBy = "", changed}) {
  const gutter = el("div.gutter", {"aria-hidden": "true"}), ink = el("div.ink", {"aria-hidden": "true"});
  const area = el("textarea", {"aria-label": label, "aria-describedby": describedBy, spellcheck: false, wrap: "off", autocomplete: "off", autocapitalize: "off"});
  host.classList.add("editor");
  host.append(gutter, el("div.page", {}, ink, area));
  let lines = [""], marks = new Map();

  function draw() {
    const first = Math.max(0, Math.floor(area.scrollTop / LINE) - AROUND);
    const last = Math.min(lines.length, Math.ceil((area.scrollTop + area.clientHeight) / LINE) + AROUND);
    const numbers = [], rows = [];
    for (let k = first; k < last; k++) {
      const mark = marks.get(k + 1), kind = mark ? `.${mark.severity}` : "";
      numbers.push(el(`div${kind}`, mark ? {title: mark.message, "data-line": k + 1} : {"data-line": k + 1}, String(k + 1)));
      rows.push(el(`div${kind}`, {}, ...coloured(lines[k])));
    }
    gutter.replaceChildren(el("div.roll", {}, ...numbers));
    ink.replaceChildren(el("div.roll", {}, ...rows));
    const down = first * LINE - area.scrollTop;
    gutter.firstChild.style.transform = `translateY(${down}px)`;
    ink.firstChild.style.transform = `translate(${-area.scrollLeft}px, ${down}px)`;
  }

  function taken() {
    lines = area.value.split("\n");
    draw();
    changed(area.value);
  }

  const startOf = line => {
    let at = 0;
    for (let k = 0; k < Math.min(line - 1, lines.length); k++) at += lines[k].length + 1;
    return at;
  };

  // Do something that only the focused textarea can, and give the focus back.
  function focused(work) {
    const before = document.activeElement, {scrollTop, scrollLeft} = area;
    area.focus({preventScroll: true});
    if (document.activeElement === area) work(); // else it is hidden, and a command would reach another
    if (before === document.body) area.blur();
    else if (before !== area && before?.isConnected) before.focus({preventScroll: true});
    Object.assign(area, {scrollTop, scrollLeft});
  }

  function put(from, to, piece) {
    const value = area.value.slice(0, from) + piece + area.value.slice(to);
    if (value === area.value) return;
    const long = piece.split("\n").length > MOST_TYPED;
    if (!long) {
      focused(() => {
        area.setSelectionRange(from, to);
        document.execCommand(piece ? "insertText" : "delete", false, piece);
      });
    }
    if (area.value !== value) { // it is long, or not shown and takes no commands: a step that we undo ourselves
      past.push({before: area.value, after: value});
      become(value);
    }
  }

  function become(value) {
    const {scrollTop, scrollLeft} = area;
    area.value = value;
    Object.assign(area, {scrollTop, scrollLeft});
    taken();
  }

  // Steps of ours are undone where they are the last; all others are the browser's.
  function step(from, to, side, command) {
    const own = from.at(-1);
    if (own && area.value === own[side === "before" ? "after" : "before"]) {
      to.push(from.pop());
      become(own[side]);
    } else focused(() => document.execCommand(command));
  }
  const past = [], ahead = [];
  const undo = () => step(past, ahead, "before", "undo"), redo = () => step(ahead, past, "after", "redo");

  area.addEventListener("keydown", event => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase(), back = key === "z" && !event.shiftKey;
    if (back || key === "y" || key === "z") {
      event.preventDefault();
      if (back) undo(); else redo();
    }
  });
  area.addEventListener("input", taken);
  area.addEventListener("scroll", draw);
  area.addEventListener("keydown", event => {
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.isComposing) return;
    const {selectionStart: at, selectionEnd: end} = area, line = area.value.slice(area.value.lastIndexOf("\n", at - 1) + 1, at);
    event.preventDefault();
    document.execCommand("insertText", false, `\n${/^[ \t]*/.exec(line)[0]}${/[{<]\s*$/.test(line) ? "  " : ""}`);
    if (end !== at) area.selectionEnd = area.selectionStart;
  });
  new ResizeObserver(draw).observe(area);

  return {
    host,
    get text() { return area.value; },
    set text(text) { put(0, area.value.length, text); },
    lines: (first, last) => lines.slice(first - 1, last).join("\n"),
    replaceLines(first, last, text) { put(startOf(first), startOf(last) + lines[last - 1].length, text); },
    show(line, column = 1, length = 0) {
      const at = startOf(line) + column - 1;
      area.setSelectionRange(at, at + length);
      const top = (line - 1) * LINE;
      if (top < area.scrollTop + LINE || top > area.scrollTop + area.clientHeight - 4 * LINE) area.scrollTop = top - area.clientHeight / 3;
      draw();
    },
    error(list) {
      marks = new Map();
      for (const each of list) if (each.line && !(marks.get(each.line)?.severity === "error")) marks.set(each.line, each);
      area.setAttribute("aria-invalid", String(list.some(each => each.severity === "error")));
      draw();
    },
    undo,
    redo,
    focus() { area.focus(); },
  };
}

// Bring an editor's text to another, as one change of the lines that differ.
export function become(pane, text) {
  const before = pane.text.split("\n"), after = text.split("\n");
  let head = 0, tail = 0;
  const most = Math.min(before.length, after.length);
  while (head < most && before[head] === after[head]) head++;
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  if (head === before.length && head === after.length) return;
  let first = head, last = before.length - tail, lines = after.slice(head, after.length - tail);
  if (first === last || !lines.length) { // lines are replaced by lines: take a neighbour along
    if (first > 0) lines = [before[--first], ...lines];
    else if (last < before.length) lines = [...lines, before[last++]];
  }
  pane.replaceLines(first + 1, last, lines.join("\n"));
}
