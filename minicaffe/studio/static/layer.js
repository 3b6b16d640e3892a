// One layer on the page Inspect: formula, parameters in numbers, its arrays as tiles, forward or backward.
import {clear, el} from "./dom.js";
import {Sheet} from "./sheet.js";
import {shape, short} from "./numbers.js";

const HEAD = [
  "parameter", "shape", "norm", "gradient's norm", "rate × gradient / norm", "last update / norm",
];

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
  const click = "A click on a value of the top shows how it came about.";
  const none = "No gradient comes to this layer: it begins behind it. Choose another gradient, or step on.";
  if (!backward) node.append(el("p.hint", {}, click), worked);
  else if (!layer.backward) node.append(el("p.hint", {}, none));
  return node;
}

const last = (look, layer) => layer === look.layers.at(-1);

function arrays(layer, backward) {
  const {bottoms, params, tops} = layer;
  const named = (what, list) => list.map((one, i) => [what, i, one.name]);
  if (!backward) return [...named("bottom", bottoms), ...named("weights", params), ...named("top", tops)];
  const reached = (what, list, size) => named(what, list).filter(([, i]) => list[i][size] !== null);
  return [
    ...reached("top-diff", tops, "diff_mean_abs"),
    ...reached("weights-diff", params, "diff_norm"),
    ...reached("bottom-diff", bottoms, "diff_mean_abs"),
  ];
}

function flow(layer, backward) {
  const said = list => list.map(one => `${one.name} ${shape(one.shape)}`).join(", ") || "nothing";
  const [from, to] = [said(layer.bottoms), said(layer.tops)];
  return backward ? `Gradient: ${to} → ${from}` : `${from} → ${to}`;
}

async function explain(app, look, index, backward, card) {
  const found = await app.api.get(`api/inspect/${look}/${index}`);
  const numbers = found.numbers.map(([name, value, given]) =>
    el("li" + (given ? "" : ".dim"), {}, `${name} = ${value}`));
  const section = part => el("p", {}, el("b", {}, `${part} `), found.sections[part]);
  const parts = ["Param", "Shapes", "Backward", "Source", "Differs"].filter(part => found.sections[part]);
  clear(card).append(el("div", {},
    el("pre", {}, found.formula),
    found.filled ? [el("p.dim", {}, "With this layer's numbers:"), el("pre.filled", {}, found.filled)] : null,
    backward && found.sections.Backward ? section("Backward") : null,
    numbers.length ? el("ul.numbers", {}, ...numbers) : null,
    el("details", {}, el("summary", {}, "More about this layer"), ...parts.map(section))));
}

function parameters(looks, index) {
  const row = (param, look) => [
    looks.length > 1 ? `${param.name} (${look.title})` : param.name, shape(param.shape),
    ...[param.norm, param.diff_norm, param.step, param.update].map(value => short(value)),
  ];
  const rows = looks.flatMap(look =>
    look.layers.find(one => one.index === index).params.map(param => row(param, look)));
  const rates = looks.map(look => `${short(look.rate)} at iteration ${look.iteration}`).join(" and ");
  const note = looks.some(look => look.rate === null)
    ? "The learning rate is not known: no solver state lies beside the snapshot."
    : `The learning rate is ${rates}. The gradient is that of this one image; updates near 1/1000 of `
      + "the norm are usual.";
  return el("div.scroll", {}, el("table.numbers-table", {},
    el("thead", {}, el("tr", {}, ...HEAD.map(text => el("th", {scope: "col"}, text)))),
    el("tbody", {}, ...rows.map(([name, ...cells]) =>
      el("tr", {}, el("th", {scope: "row"}, name), ...cells.map(text => el("td", {}, text)))))),
  el("p.hint", {}, note));
}

async function showWorked(app, look, index, place, target) {
  const found = await app.api.get(`api/inspect/${look}/${index}/worked?at=${place.join(",")}`);
  const term = one => {
    const at = el("span.dim", {}, ` at ${one.name ? `${one.name} ` : ""}${one.at.join(", ")}`);
    const product = `${short(one.weight)} × ${short(one.input)} = ${short(one.product)}`;
    const share = "share" in one ? ` → ${short(one.share)}` : "";
    return el("li", {}, "product" in one ? product : short(one.input) + share, at);
  };
  const more = [];
  if (Number.isFinite(found.rest)) more.push(`${short(found.rest)} from ${found.left_out} smaller terms`);
  if (Number.isFinite(found.bias)) more.push(`${short(found.bias)} bias`);
  clear(target).append(
    el("h4", {}, `Value ${place.join(", ")} = ${short(found.value, 6)}`),
    el("p", {}, found.text),
    el("ul.terms", {}, ...found.terms.map(term), ...more.map(text => el("li", {}, text))));
}
