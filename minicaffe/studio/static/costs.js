// What a net costs, in the bar below the graph.
import {el} from "./dom.js";

const TAKEN = "parameters, gradients and one array of history, blobs as they are planned; what single kernels work in comes on top";

// The parts of the bar; `measure` is called to learn what the machine can do.
export function costs(cost, phase, measure) {
  if (!cost) return [el("span.dim", {}, "Shapes are not known, so costs are not.")];
  const part = (value, label, title = "") => el("span.part", {title}, el("b", {}, value), ` ${label}`);
  const ways = [`${amount(cost.forward)} forward`, cost.backward && `${amount(cost.backward)} backward`, cost.untold && `${cost.untold} layers do not tell`];
  const parts = [
    part(cost.parameters.toLocaleString("en"), `parameters (${bytes(cost.bytes.parameters)})`),
    part(amount(cost.forward + cost.backward), `multiply-adds a step of ${cost.batch}`, ways.filter(Boolean).join(", ")),
    part(bytes(cost.bytes.total), phase === "TRAIN" ? "memory to train" : "memory", TAKEN),
  ];
  if (cost.least_step_s) {
    const {flops_per_s: flops, moved_bytes_per_s: moved, threads} = cost.roof;
    const source = `As measured here, this machine does ${(flops / 1e9).toFixed(0)} GFLOP/s on ${threads} threads and moves ${(moved / 1e9).toFixed(1)} GB/s; a step takes no less than its work over that.`;
    parts.push(part(`≥ ${seconds(cost.least_step_s)}`, "a step on this CPU (measured roof)", source));
  }
  const label = cost.least_step_s ? "Measure again" : "Expected time…";
  return [...parts, el("button.quiet", {type: "button", title: "Measure what this machine can do; takes some seconds", onclick: measure}, label)];
}

export function amount(value) {
  const [unit, name] = [[1e12, " T"], [1e9, " G"], [1e6, " M"], [1e3, " k"]].find(([least]) => value >= least) ?? [1, ""];
  return `${Number((value / unit).toPrecision(3))}${name}`;
}

function bytes(value) {
  const [unit, name] = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]].find(([least]) => value >= least) ?? [1, "bytes"];
  return `${(value / unit).toFixed(value / unit < 10 ? 1 : 0)} ${name}`;
}

function seconds(value) {
  if (value >= 1) return `${value.toFixed(1)} s`;
  return value >= 1e-3 ? `${(value * 1e3).toPrecision(2)} ms` : `${(value * 1e6).toPrecision(2)} µs`;
}
