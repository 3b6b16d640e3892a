// Numbers, shares, shapes and sizes as people read them.
export function short(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  const plain = size >= 1e-3 && size < 1e6;
  return plain ? String(Number(value.toPrecision(digits))) : value.toExponential(digits - 2);
}

// Never rounded to what it is not: 100 % is certain, 0 % impossible.
export function percent(value) {
  if (value === null || value === undefined) return "–";
  if (value > 0 && value < 0.0005) return "< 0.1 %";
  if (value < 1 && value >= 0.9995) return "> 99.9 %";
  return `${(100 * value).toFixed(1)} %`;
}

export const shape = extents => extents.join(" × ") || "1";

export function milliseconds(ms) {
  if (ms < 1) return `${(1000 * ms).toFixed(0)} µs`;
  return ms < 1000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`;
}
