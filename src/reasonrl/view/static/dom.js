// Elements from plain data. Text is set as text and never parsed: a model may have written it.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function link(address, text, attributes = {}) {
  return element("a", { href: `#/${address}`, ...attributes }, text);
}

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return element("dl", { class: "facts" },
    shown.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

export function table(head, rows) {
  return element("div", { class: "card scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, head.map((name) => element("th", {}, name)))),
    element("tbody", {}, rows)));
}

export function short(value) {
  if (value === null || value === undefined) return "-";
  if (typeof value !== "number") return String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function badge(status, reward) {
  const kind = reward === null ? "none" : reward > 0 ? "good" : "bad";
  return element("span", { class: `badge ${kind}` }, status ?? "no verdict");
}
