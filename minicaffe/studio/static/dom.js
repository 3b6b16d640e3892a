// Elements.  Texts become text nodes: what a name holds is never taken for markup.

// el("button.primary#go", {type: "button", onclick}, "Go", ...).  Functions and booleans are set as properties
// where there are such, style is an object; null and undefined are left out, here and among the children.
export function el(spec, attributes, ...children) {
  if (attributes instanceof Node || typeof attributes !== "object" || attributes === null || Array.isArray(attributes)) {
    children.unshift(attributes);
    attributes = {};
  }
  const [, name, rest] = /^([\w-]+)(.*)$/.exec(spec), node = document.createElement(name);
  for (const [, mark, word] of rest.matchAll(/([.#])([\w-]+)/g)) mark === "." ? node.classList.add(word) : (node.id = word);
  for (const [key, value] of Object.entries(attributes)) set(node, key, value);
  node.append(...flat(children));
  return node;
}

function set(node, key, value) {
  if (value === null || value === undefined) return;
  if (key === "style") for (const [name, one] of Object.entries(value)) node.style.setProperty(name, one);
  else if (typeof value === "function" || (typeof value === "boolean" && key in node)) node[key] = value;
  else if (typeof value === "boolean" && !key.startsWith("aria-")) node.toggleAttribute(key, value);
  else if (key === "class") node.classList.add(...String(value).split(/\s+/).filter(Boolean));
  else node.setAttribute(key, value);
}

const flat = children => children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false);

// The same node without its children.
export function clear(node) {
  node.replaceChildren();
  return node;
}
