// The server's routes.  The token comes in the address's fragment, which no request carries, and stays here.

const KEY = "minicaffe studio token", WAIT_MS = 60000;
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given) {
  localStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname);
}

// Told of every answer and every silence: "live", "away" (no server) or "locked" (no token, or a wrong one).
export const connection = new EventTarget();

function tell(state) {
  connection.dispatchEvent(new CustomEvent("change", {detail: state}));
}

// What the server refused: .error has where, expected, got, do; .status is 0 if there was no answer.
export class ApiError extends Error {
  constructor(error, status) {
    const {where = "", expected = "", got = "", do: remedy = ""} = error;
    super([where && `${where}: `, expected, got && `; got ${got}`, remedy && `. ${remedy[0].toUpperCase()}${remedy.slice(1)}`].join(""));
    this.error = error;
    this.status = status;
  }
}

// The answer to a request, whatever it holds.  A body that is no Blob, form or text goes out as JSON.
export async function ask(method, path, body, {signal} = {}) {
  const headers = {authorization: `Bearer ${localStorage.getItem(KEY) ?? ""}`};
  if (body !== undefined && !(body instanceof Blob || body instanceof FormData || typeof body === "string" || ArrayBuffer.isView(body))) {
    headers["content-type"] = "application/json";
    body = JSON.stringify(body);
  }
  const late = AbortSignal.timeout(body instanceof FormData || body instanceof Blob ? WAIT_MS * 60 : WAIT_MS);
  let answer;
  try {
    answer = await fetch(path, {method, headers, body, signal: signal ? AbortSignal.any([signal, late]) : late});
  } catch (error) {
    if (signal?.aborted) throw error;
    tell("away");
    throw new ApiError({expected: "the server does not answer", do: "start minicaffe studio again"}, 0);
  }
  tell(answer.status === 401 ? "locked" : "live");
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new ApiError(told.error ?? {expected: `the server answered ${answer.status}`}, answer.status);
}

const json = async (...request) => (await ask(...request)).json();

export const get = (path, options) => json("GET", path, undefined, options);
export const post = (path, body = {}, options) => json("POST", path, body, options);
export const put = (path, body = {}, options) => json("PUT", path, body, options);
export const remove = (path, options) => json("DELETE", path, undefined, options);

// The address of a picture, for an <img>; whoever asks revokes it when it is shown no more.
export async function picture(path, body, options) {
  const answer = await ask(body === undefined ? "GET" : "POST", path, body, options);
  return URL.createObjectURL(await answer.blob());
}

// Offer an answer as a file to keep.
export async function save(path, name) {
  const address = await picture(path), link = document.createElement("a");
  Object.assign(link, {href: address, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
