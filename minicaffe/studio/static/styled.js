// A page's own rules, loaded when the page is first shown.
export function styled(address) {
  return new Promise(done => {
    const link = Object.assign(document.createElement("link"), {rel: "stylesheet", href: address});
    link.onload = link.onerror = done;
    document.head.append(link);
  });
}
