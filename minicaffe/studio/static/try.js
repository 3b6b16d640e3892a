// Try: draw, drop, paste or choose an image: what a net says of it; what is read of a photo of handwriting.
import {bars} from "./bars.js";
import {clear, el} from "./dom.js";
import {milliseconds, percent, shape} from "./numbers.js";
import {PEN, Pad} from "./pad.js";
import {styled} from "./styled.js";

const READER = "";
let view = null;

export async function mount(section, app) {
  await styled("try.css");
  view = new Try(section, app);
}

export async function show(rest) {
  const [run = ""] = rest;
  await view.open(run);
}

class Try {
  constructor(section, app) {
    this.app = app;
    this.image = null; // what was drawn or brought last
    this.drawn = false;
    this.net = el("select", {name: "net", onchange: () => this.run()});
    const task = (value, checked) => el("input", {
      type: "radio", name: "task", value, checked, onchange: () => this.run(),
    });
    this.task = [task("classify", true), task("read", false)];
    const brought = () => this.bring(this.file.files[0]);
    this.file = el("input", {type: "file", accept: "image/*", onchange: brought});
    this.pad = new Pad(blob => this.draw(blob));
    this.status = el("p.hint", {role: "status"});
    this.brought = el("img.brought", {alt: "The image that was brought", hidden: true});
    this.result = el("section.try-result", {"aria-label": "Result"});
    const choice = (input, text) => el("label.choice", {}, input, text);
    section.append(el("div.try", {},
      el("section.card.try-input", {"aria-label": "Image"},
        el("label.field", {}, "Net", this.net),
        el("fieldset", {}, el("legend", {}, "What to do"),
          choice(this.task[0], "Say what it is"), choice(this.task[1], "Read handwriting")),
        this.pad.node,
        el("label.field.drop", {}, "An image or a photo: choose, drop or paste it", this.file),
        this.brought),
      el("div.card", {}, this.status, this.result)));
    section.ondragover = e => e.preventDefault();
    section.ondrop = e => { e.preventDefault(); this.bring(e.dataTransfer.files[0]); };
    document.addEventListener("paste", e => {
      if (section.hidden) return;
      const file = [...e.clipboardData.files].find(one => one.type.startsWith("image/"));
      if (file) { e.preventDefault(); this.bring(file); }
    });
    this.idle();
  }

  async open(run) {
    const runs = await this.app.runs(), before = run || this.net.value;
    const reader = new Option("the package's reader of digits and signs", READER);
    this.net.replaceChildren(...runs.map(one => new Option(one.id, one.id)), reader);
    this.net.value = runs.some(one => one.id === before) ? before : READER;
  }

  idle() {
    const text = "Draw a digit, or bring an image: what the net says of it appears here.";
    clear(this.result).append(el("p.hint", {}, text));
    this.status.textContent = "";
  }

  draw(blob) {
    this.image = blob;
    this.drawn = true;
    this.brought.hidden = true;
    if (blob) this.run();
    else this.idle();
  }

  bring(file) {
    if (!file) return;
    this.image = file;
    this.drawn = false;
    if (this.brought.src) URL.revokeObjectURL(this.brought.src);
    this.brought.src = URL.createObjectURL(file);
    this.brought.hidden = false;
    this.pad.wipe();
    this.run();
  }

  async run() {
    if (!this.image) return;
    const turn = this.turn = (this.turn ?? 0) + 1, reads = this.task[1].checked;
    this.net.disabled = reads;
    this.status.textContent = "…";
    try {
      const query = new URLSearchParams({run: this.net.value, top: 5, ...(this.drawn ? {pen: PEN} : {})});
      const found = await this.app.api.post(reads ? "api/read" : `api/try?${query}`, this.image);
      if (turn !== this.turn) return;
      this.status.textContent = "";
      clear(this.result).append(...(reads ? lines(found) : SHOWN[found.kind](found)));
    } catch (error) {
      if (turn !== this.turn) return;
      this.status.textContent = error.message;
      clear(this.result);
    }
  }
}

const address = png => `data:image/png;base64,${png}`;

const SHOWN = {
  classes: found => [
    el("p.verdict", {}, el("output.first", {}, found.top[0].label)),
    bars(found.top, {certain: found.values !== "score"}),
    el("figure.seen", {}, el("img.tiles", {src: address(found.seen), alt: "What the net sees"}),
      el("figcaption", {}, `What the net sees: ${shape(found.input)}, values from `
        + found.range.map(value => value.toPrecision(3)).join(" to ")
        + (found.inverted ? ", light and dark exchanged" : ""))),
    forward(`${found.values}, the first ${found.top.length} of ${found.classes} classes`, found),
  ],
  boxes: found => [
    boxed(found),
    bars(found.things.map(one => ({label: one.label, value: one.score}))),
    forward(`${found.things.length} found`, found),
  ],
  map: found => [
    el("figure.seen", {}, el("img", {
      src: address(found.seen), alt: "The image, every pixel in the colour of its class",
    })),
    bars(found.top),
    forward("shares of the pixels", found),
  ],
};

const forward = (text, found) => el("p.dim", {}, `${text} · forward ${milliseconds(found.forward_ms)}`);

function boxed(found) {
  const [height, width] = found.size;
  const frames = found.things.map(one => {
    const [left, top, right, bottom] = one.box, share = (part, whole) => `${100 * part / whole}%`;
    return el("span.box", {style: {
      left: share(left, width), top: share(top, height),
      width: share(right - left, width), height: share(bottom - top, height),
    }}, el("span", {}, `${one.label} ${percent(one.score)}`));
  });
  const alt = `The image with ${found.things.length} boxes`;
  return el("figure.seen.boxed", {}, el("img", {src: address(found.seen), alt}), ...frames);
}

const STEPS = {
  ink: "Ink", lines: "Lines of the paper", without_lines: "Without them", written: "What is written",
  glyphs: "What the net sees", read: "What was read",
};

const counted = lines => lines === 1 ? "1 line" : `${lines} lines`;

function lines(found) {
  const character = c => el("span.character" + (c.sure ? "" : ".unsure"), {
    title: `${c.text}: ${percent(c.certainty)}, else ${c.other.text}`,
  }, c.text);
  const read = found.page.lines.map(line => el("li", {}, ...line.characters.map(character)));
  const verdict = right => right === null ? "no equation" : right ? "right" : "wrong";
  const checks = found.equations.map(({equation, right, value}) =>
    el("li", {}, `${equation}: ${verdict(right)}, ${value}`));
  const steps = [...found.steps].sort((a, b) => (b.name === "read") - (a.name === "read"));
  return [
    el("p.verdict", {}, found.text ? el("output.read", {}, found.text) : "No digits were found."),
    el("ol.lines", {"aria-label": "Lines"}, ...read),
    checks.length ? el("ul", {}, ...checks) : "",
    el("p.dim", {}, `${counted(read.length)} in ${milliseconds(found.ms)}; what is uncertain is underlined`),
    el("div.reading", {}, ...steps.map(({name, png}) => {
      const text = STEPS[name.replace(/^\d+_/, "")] ?? name;
      return el("figure", {}, el("img", {src: address(png), alt: text}), el("figcaption", {}, text));
    })),
  ];
}
