// Pictures that come many in one PNG, in rows of equal cells.
import {el} from "./dom.js";

const LEAST_PX = 56, MOST_PX = 96; // the larger side of a cell as it is shown

// The sprite at an address of the server: {url, columns, rows, width, height of a cell}.  close() gives its memory back.
export async function load(api, path, columns, count) {
  const url = await api.picture(path), image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
  const rows = Math.max(1, Math.ceil(count / columns));
  return {url, columns, rows, width: image.naturalWidth / columns, height: image.naturalHeight / rows,
    close: () => URL.revokeObjectURL(url)};
}

// One of its cells.  Small images are enlarged pixel by pixel.
export function cell(sprite, number, {least = LEAST_PX, most = MOST_PX} = {}) {
  const {url, columns, rows, width, height} = sprite, larger = Math.max(width, height);
  const scale = larger > most ? most / larger : Math.max(1, Math.ceil(least / larger));
  const share = (place, count) => `${count > 1 ? (place / (count - 1)) * 100 : 0}%`;
  return el("span.picture", {"aria-hidden": "true", style: {
    "background-image": `url("${url}")`,
    "background-size": `${columns * 100}% ${rows * 100}%`,
    "background-position": `${share(number % columns, columns)} ${share(Math.floor(number / columns), rows)}`,
    width: `${Math.round(width * scale)}px`,
    "aspect-ratio": `${width} / ${height}`,
    "image-rendering": scale >= 1 ? "pixelated" : "auto",
  }});
}
