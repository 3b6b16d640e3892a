// Images of a data set as buttons, a page at a time, from one picture.
import {clear, el} from "./dom.js";

export class Pictures {
  // caption(sample, labels): what stands below a picture; pick(sample): one was chosen; count: of a page
  constructor(app, caption, pick, count = 40) {
    Object.assign(this, {app, caption, pick, count, first: 0});
    this.list = el("ul.gallery");
    this.turn = el("div.row");
    this.node = el("div", {}, this.list, this.turn);
  }

  async show(path, query = {}, first = 0) {
    Object.assign(this, {path, query, first});
    const asked = "?" + new URLSearchParams({...query, first, count: this.count});
    try {
      const found = await this.app.api.get(path + ".json" + asked);
      const address = found.samples.length ? await this.app.api.picture(path + ".png" + asked) : "";
      if (this.address) URL.revokeObjectURL(this.address);
      this.address = address;
      this.fill(found);
      return found;
    } catch (error) {
      clear(this.turn);
      clear(this.list).append(el("li.hint", {}, error.message));
      return null;
    }
  }

  fill(found) {
    const [h, w] = found.tile;
    clear(this.list).append(...found.samples.map((sample, i) => {
      const face = el("span.face", {"aria-hidden": "true"});
      Object.assign(face.style, {
        width: `${w}px`, height: `${h}px`, backgroundImage: `url(${this.address})`,
        backgroundPosition: `-${i % found.columns * w}px -${Math.floor(i / found.columns) * h}px`,
      });
      const text = this.caption(sample, found.labels);
      return el("li", {}, el("button.picture", {
        type: "button", title: sample.name, "aria-label": `${text}, image ${sample.name}`,
        "aria-pressed": String(sample.number === this.chosen), "data-number": sample.number,
        onclick: () => { this.mark(sample.number); this.pick(sample); },
      }, face, el("span.caption", {}, text)));
    }));
    const last = this.first + found.samples.length;
    const go = by => () => this.show(this.path, this.query, this.first + by);
    clear(this.turn).append(...found.total <= this.count ? [] : [
      el("button", {type: "button", disabled: this.first === 0, onclick: go(-this.count)}, "Earlier"),
      el("span.dim", {}, `${this.first + 1} to ${last} of ${found.total}`),
      el("button", {type: "button", disabled: last >= found.total, onclick: go(this.count)}, "Later"),
    ]);
  }

  mark(number) {
    this.chosen = number;
    for (const button of this.list.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(button.dataset.number === String(number)));
  }
}
