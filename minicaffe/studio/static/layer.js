// One layer on the page Inspect: formula, parameters in numbers, and its arrays as tiles, forward or backward.
import {clear, el} from "./dom.js";
import {Sheet} from "./sheet.js";
import {shape, short} from "./numbers.js";

// looks: one look, or two side by side, each an answer of POST /api/inspect with `title`.
export function layerView(app, looks, index, backward) {
  const layer = looks[0].layers.find(one => one.index === index);
  const worked = el("div.worked", {role: "status"});
  const node = el("article.layer", {},
    el("h3", {}, layer.name, " ", el("span.dim", {}, layer.type)),
    el("p.flow", {}, flow(layer, backward)));
  const formula = el("section.card.formula", {"aria-label": "Formula"});
  node.append(formula, ...(layer.params.length ? [parameters(looks, index)] : []));
  explain(app, looks[0].id, index, backward, formula);
  const sheets = el("div.sheets");
  node.append(sheets);
  for (const [what, item, name] of arrays(layer, backward)) {
    const labels = last(looks[0], layer) && what.startsWith("top") ? looks[0].labels : null;
    sheets.append(...looks.map((look, i) => {
      const pick = what === "top" ? place => showWorked(app, look.id, index, place, worked) : null;
      const title = looks.length > 1 ? `${name ?? ""} (${look.title})` : name;
      return new Sheet(app, {look: look.id, layer: index, what, item}, title, {labels, pick}).node;
    }));
  }
  if (looks.length > 1) sheets.classList.add("two");
  if (!backward) node.append(el("p.hint", {}, "A click on a value of the top shows how it came about."), worked);
  if (backward && !layer.backward)
    node.append(el("p.hint", {}, "No gradient comes to this layer: it begins behind it. Choose another gradient, or step on."));
  return node;
}

const last = (look, layer) => layer === look.layers.at(-1);

function arrays(layer, backward) {
  const named = (what, list) => list.map((one, i) => [what, i, one.name]);
  if (!backward) return [...named("bottom", layer.bottoms), ...named("weights", layer.params), ...named("top", layer.tops)];
  const some = list => list.map((one, i) => [one, i]).filter(([one]) => one.diff_mean_abs !== null);
  const diffs = (what, list) => some(list).map(([one, i]) => [what, i, one.name]);
  const learned = layer.params.map((one, i) => [one, i]).filter(([one]) => one.diff_norm !== null);
  return [...diffs("top-diff", layer.tops), ...learned.map(([one, i]) => ["weights-diff", i, one.name]), ...diffs("bottom-diff", layer.bottoms)];
}

function flow(layer, backward) {
  const said = list => list.map(one => `${one.name} ${shape(one.shape)}`).join(", ") || "nothing";
  return backward ? `Gradient: ${said(layer.tops)} → ${said(layer.bottoms)}` : `${said(layer.bottoms)} → ${said(layer.tops)}`;
}

async function explain(app, look, index, backward, card) {
  const found = await app.api.get(`api/inspect/${look}/${index}`);
  const numbers = found.numbers.map(([name, value, given]) => el("li" + (given ? "" : ".dim"), {}, `${name} = ${value}`));
  clear(card).append(
    el("pre", {}, found.formula),
    ...(found.filled ? [el("p.dim", {}, "With this layer's numbers:"), el("pre.filled", {}, found.filled)] : []),
    ...(backward && found.sections.Backward ? [el("p", {}, el("b", {}, "Backward "), found.sections.Backward)] : []),
    ...(numbers.length ? [el("ul.numbers", {}, ...numbers)] : []),
    el("details", {}, el("summary", {}, "More about this layer"),
      ...["Param", "Shapes", "Backward", "Source", "Differs"].filter(part => found.sections[part])
        .map(part => el("p", {}, el("b", {}, `${part} `), found.sections[part]))));
}

function parameters(looks, index) {
  const head = ["parameter", "shape", "norm", "gradient's norm", "rate × gradient / norm", "last update / norm"];
  const rows = looks.flatMap(look => look.layers.find(one => one.index === index).params.map(param => [
    looks.length > 1 ? `${param.name} (${look.title})` : param.name, shape(param.shape), short(param.norm), short(param.diff_norm),
    short(param.step), short(param.update),
  ]));
  const rates = looks.map(look => `${short(look.rate)} at iteration ${look.iteration}`).join(" and ");
  const note = looks.some(look => look.rate === null) ? "The learning rate is not known: no solver state lies beside the snapshot."
    : `The learning rate is ${rates}. The gradient is that of this one image; `
      + "updates near 1/1000 of the norm are usual.";
  return el("div.scroll", {}, el("table.numbers-table", {},
    el("thead", {}, el("tr", {}, ...head.map(text => el("th", {scope: "col"}, text)))),
    el("tbody", {}, ...rows.map(([name, ...cells]) => el("tr", {}, el("th", {scope: "row"}, name), ...cells.map(text => el("td", {}, text)))))),
  el("p.hint", {}, note));
}

async function showWorked(app, look, index, place, target) {
  const found = await app.api.get(`api/inspect/${look}/${index}/worked?at=${place.join(",")}`);
  const term = one => {
    const at = el("span.dim", {}, ` at ${one.name ? `${one.name} ` : ""}${one.at.join(", ")}`);
    if ("product" in one) return el("li", {}, `${short(one.weight)} × ${short(one.input)} = ${short(one.product)}`, at);
    return el("li", {}, short(one.input), ...("share" in one ? [` → ${short(one.share)}`] : []), at);
  };
  const more = [
    ...(found.rest === null || found.rest === undefined ? [] : [el("li", {}, `${short(found.rest)} from ${found.left_out} smaller terms`)]),
    ...(found.bias === null || found.bias === undefined ? [] : [el("li", {}, `${short(found.bias)} bias`)]),
  ];
  clear(target).append(
    el("h4", {}, `Value ${place.join(", ")} = ${short(found.value, 6)}`),
    el("p", {}, found.text), el("ul.terms", {}, ...found.terms.map(term), ...more));
}
