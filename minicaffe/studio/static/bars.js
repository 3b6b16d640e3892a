// Values with names as bars, each with its number.
import {el} from "./dom.js";
import {percent, short} from "./numbers.js";

// rows: [{label, value, note?}].  certain: values are certainties, from 0 to 1.
export function bars(rows, {certain = true, onpick = null, chosen = null} = {}) {
  const most = certain ? 1 : Math.max(...rows.map(row => Math.abs(row.value ?? 0)), 1e-30);
  return el("ol.bars", {}, ...rows.map((row, i) => {
    const fill = el("span.bar-fill" + (row.value < 0 ? ".negative" : ""));
    fill.style.width = `${100 * Math.min(1, Math.abs(row.value ?? 0) / most)}%`;
    const inside = [
      el("span.bar-label", {title: row.label}, row.label), el("span.bar-way", {"aria-hidden": "true"}, fill),
      el("span.bar-value", {}, certain ? percent(row.value) : short(row.value)),
    ];
    if (!onpick) return el("li", {}, ...inside);
    const pressed = String(chosen === (row.number ?? i));
    const click = () => onpick(row, i);
    const button = {type: "button", "aria-pressed": pressed, onclick: click};
    return el("li", {}, el("button.bar", button, ...inside));
  }));
}
