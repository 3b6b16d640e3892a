// The confusion matrix: every cell is a button that shows its samples.
import {clear, el} from "./dom.js";
import {percent, short} from "./numbers.js";

const MOST = 40; // classes that are shown

export function matrix(found, pick) {
  const {classes, matrix: counts} = found, shown = chosen(counts);
  const cell = (i, j) => {
    const count = counts[i][j], total = counts[i].reduce((a, b) => a + b, 0) || 1, share = count / total;
    const what = `${count} of class ${classes[i]} ` + (i === j ? "are right" : `taken for ${classes[j]}`);
    const kind = i === j ? ".right" : count ? ".wrong" : ".none";
    const button = el(`button${kind}`, {
      type: "button", title: what, "aria-label": what, disabled: !count, onclick: () => pick(i, j),
    }, count ? String(count) : "·");
    if (count) button.style.setProperty("--share", i === j ? share : Math.min(1, 0.15 + 6 * share));
    return el("td", {}, button);
  };
  const table = el("table.matrix", {},
    el("caption", {}, "Rows: the label. Columns: what the net says."),
    el("thead", {}, el("tr", {},
      el("td"), ...shown.map(j => el("th", {scope: "col", title: classes[j]}, classes[j])),
      el("th", {scope: "col"}, "recall"))),
    el("tbody", {}, ...shown.map(i => el("tr", {},
      el("th", {scope: "row"}, classes[i]), ...shown.map(j => cell(i, j)),
      el("td.dim", {}, percent(found.recall[i]))))));
  const a = found.accuracy;
  return el("div", {},
    el("p", {}, el("b", {}, `Accuracy ${percent(a.value)}`),
      ` of ${found.samples} samples (95 %: ${percent(a.low)} to ${percent(a.high)}) · `
      + `macro F1 ${short(found.macro_f1)} · log loss ${short(found.log_loss)} · `
      + `calibration error ${short(found.calibration_error)} · ${found.suspects} suspect labels`),
    ...found.notes.map(note => el("p.hint", {}, note)),
    ...(found.left_out ? [el("p.hint", {}, `${found.left_out} samples were not looked at.`)] : []),
    el("div.scroll", {}, table),
    shown.length < classes.length
      ? el("p.hint", {}, `The ${MOST} of ${classes.length} classes that are confused most.`) : null);
}

// The classes that are shown: all, or of many those that are confused most.
function chosen(counts) {
  const all = counts.map((_, i) => i);
  if (all.length <= MOST) return all;
  const wrong = all.map(i => all.reduce((sum, j) => sum + (i === j ? 0 : counts[i][j] + counts[j][i]), 0));
  return all.sort((a, b) => wrong[b] - wrong[a]).slice(0, MOST).sort((a, b) => a - b);
}

export function caption(sample, labels) {
  if (sample.predicted === undefined) return labels[sample.label] ?? "no label";
  const doubt = sample.suspect ? " ?" : "";
  return `${labels[sample.label]} → ${labels[sample.predicted]} ${percent(sample.certainty)}${doubt}`;
}
