// Where a verdict comes from: the gradient of a class's score by the image; what covering parts of it does.
import {clear, el} from "./dom.js";
import {percent, short} from "./numbers.js";
import {Sheet} from "./sheet.js";

const SIDE_PX = 224;

// ask(changes): the look with other fields, see inspect.js
export async function evidence(app, node, look, number, ask) {
  const of = await ask({kind: "score", class: number});
  const label = look.labels[number] ?? number;
  const first = {look: of.id, layer: of.layers[0].index, item: 0};
  const title = () => el("figcaption", {}, el("b", {}, "Occlusion map"));
  const covered = el("figure.sheet", {}, title(), el("p.hint", {}, "…"));
  clear(node).append(
    el("p", {}, `Of class ${label}, whose score is ${short(of.target.value)}:`),
    el("div.pair.two", {},
      new Sheet(app, {...first, what: "top"}, "", {title: "What the net sees"}).node,
      new Sheet(app, {...first, what: "top-diff"}, "", {title: "Input gradient"}).node,
      covered),
    el("p.hint", {}, "The input gradient: where it is orange, a brighter pixel raises the score; where it is "
      + "blue, it lowers it."));
  const found = await app.api.get(`api/inspect/${of.id}/occlusion?class=${number}`);
  clear(covered).append(
    title(), heat(found),
    el("p.dim", {}, `A square of ${found.patch} × ${found.patch} pixels was moved over the image in steps `
      + `of ${found.step}. Uncovered: ${said(look, found.before)}; at the worst place: `
      + `${said(look, found.least)}.`));
}

const said = (look, value) => look.certain ? percent(value) : short(value);

// The darker, the more the class loses where that place is covered.
function heat({map, drop}) {
  const [rows, columns] = [map.length, map[0].length];
  const zoom = Math.max(1, Math.floor(SIDE_PX / Math.max(rows, columns)));
  const canvas = el("canvas.tiles", {width: columns, height: rows, role: "img",
    "aria-label": "How much the class loses where a part of the image is covered"});
  const pen = canvas.getContext("2d"), picture = pen.createImageData(columns, rows);
  const most = Math.max(drop, 1e-12);
  map.flat().forEach((value, i) => {
    const share = Math.min(1, Math.max(0, value / most));
    picture.data.set([255 - 30 * share, 246 - 170 * share, 235 - 220 * share, 255], 4 * i);
  });
  pen.putImageData(picture, 0, 0);
  Object.assign(canvas.style, {width: `${columns * zoom}px`, height: `${rows * zoom}px`});
  return canvas;
}
