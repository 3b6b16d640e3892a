// The confusion matrix: every cell is a button that shows its samples.
import {clear, el} from "./dom.js";
import {percent, short} from "./numbers.js";

const MOST = 40; // classes that are shown

export function matrix(found, pick) {
  const {classes, matrix: counts} = found, wrong = counts.map((row, i) => row.reduce((sum, n, j) => sum + (i === j ? 0 : n + counts[j][i]), 0));
  const order = classes.map((_, i) => i);
  const shown = classes.length <= MOST ? order : order.sort((a, b) => wrong[b] - wrong[a]).slice(0, MOST).sort((a, b) => a - b);
  const cell = (i, j) => {
    const count = counts[i][j], total = counts[i].reduce((a, b) => a + b, 0) || 1, share = count / total;
    const what = i === j ? `${count} of class ${classes[i]} are right` : `${count} of class ${classes[i]} taken for ${classes[j]}`;
    const button = el("button" + (i === j ? ".right" : count ? ".wrong" : ".none"), {type: "button", title: what, "aria-label": what,
      disabled: !count, onclick: () => pick(i, j)}, count ? String(count) : "·");
    if (count) button.style.setProperty("--share", i === j ? share : Math.min(1, 0.15 + 6 * share));
    return el("td", {}, button);
  };
  const table = el("table.matrix", {},
    el("caption", {}, "Rows: the label. Columns: what the net says."),
    el("thead", {}, el("tr", {}, el("td"), ...shown.map(j => el("th", {scope: "col", title: classes[j]}, classes[j])), el("th", {scope: "col"}, "recall"))),
    el("tbody", {}, ...shown.map(i => el("tr", {}, el("th", {scope: "row"}, classes[i]), ...shown.map(j => cell(i, j)), el("td.dim", {}, percent(found.recall[i]))))));
  const a = found.accuracy;
  return el("div", {},
    el("p", {}, el("b", {}, `Accuracy ${percent(a.value)}`), ` of ${found.samples} samples (95 %: ${percent(a.low)} to ${percent(a.high)}) · `
      + `macro F1 ${short(found.macro_f1)} · log loss ${short(found.log_loss)} · calibration error ${short(found.calibration_error)} · `
      + `${found.suspects} suspect labels`),
    ...found.notes.map(note => el("p.hint", {}, note)),
    ...(found.left_out ? [el("p.hint", {}, `${found.left_out} samples were not looked at.`)] : []),
    el("div.scroll", {}, table),
    ...(shown.length < classes.length ? [el("p.hint", {}, `The ${MOST} of ${classes.length} classes that are confused most.`)] : []));
}

export const caption = (sample, labels) => sample.predicted === undefined ? labels[sample.label] ?? "no label"
  : `${labels[sample.label]} → ${labels[sample.predicted]} ${percent(sample.certainty)}${sample.suspect ? " ?" : ""}`;
