// Files of a page on their way to the server: out of inputs and drops, in pieces that it takes.

const MOST_FILES = 200, MOST_BYTES = 32 * 2 ** 20; // of one request

// The files of an input, or of a drop with all that its folders hold: [{path, file}].
export async function gathered(from) {
  if (from instanceof FileList) return [...from].map(file => ({path: file.webkitRelativePath || file.name, file}));
  const entries = [...from.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean), found = [];
  const walk = async (entry, above) => {
    const path = above + entry.name;
    if (entry.isFile) return void found.push({path, file: await new Promise((done, failed) => entry.file(done, failed))});
    const reader = entry.createReader();
    for (;;) { // a reader hands out some at a time
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const one of some) await walk(one, `${path}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found;
}

// Send files, and tell what share of them is sent, null if that is not known; the id of the upload.
export async function send(api, files, tell) {
  if (!files.length) throw new api.ApiError({expected: "no files are chosen", do: "choose a folder or a zip"}, 0);
  const {id} = await api.post("/api/uploads"), all = files.reduce((sum, {file}) => sum + file.size, 0) || 1;
  let sent = 0;
  if (files.length === 1 && files[0].path.toLowerCase().endsWith(".zip")) {
    tell(null); // how much of one body is sent, nobody says
    await api.post(`/api/uploads/${id}/zip`, new Blob([files[0].file], {type: "application/zip"}));
    return id;
  }
  tell(0);
  for (const some of batches(files)) {
    const form = new FormData();
    form.append("paths", JSON.stringify(some.map(({path}) => path)));
    for (const {file} of some) form.append("files", file, "file");
    await api.post(`/api/uploads/${id}/files`, form);
    tell((sent += some.reduce((sum, {file}) => sum + file.size, 0)) / all);
  }
  return id;
}

export function batches(files) {
  const found = [];
  let bytes = 0;
  for (const one of files) {
    if (!found.length || found.at(-1).length >= MOST_FILES || bytes + one.file.size > MOST_BYTES) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1).push(one);
    bytes += one.file.size;
  }
  return found;
}
