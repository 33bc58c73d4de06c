// What every list with filters has: fields that ask again, pages of a hundred, and only the newest answer.

import { element } from "./dom.js";

const PAGE = 100;

export function options(pairs) {
  return pairs.map(([value, text]) => element("option", { value }, text));
}

export function counted(counts) {
  return options([["", "all"], ...Object.entries(counts).map(([name, n]) => [name, `${name} (${n})`])]);
}

export function fields(wanted, load) {
  return (name, label, input) => {
    input.name = name;
    input.value = wanted[name] ?? "";
    input.addEventListener("change", () => { wanted[name] = input.value; wanted.offset = 0; load(); });
    return element("label", {}, label, input);
  };
}

export function loader(ask, show) {
  let asked = 0;
  return async function load() {
    const turn = ++asked;
    const found = await ask();
    if (turn === asked) show(found, load); // else an answer to a later question is there already
  };
}

export function pages(found, noun, wanted, load) {
  const move = (by) => () => { wanted.offset = Math.max(0, wanted.offset + by); load(); };
  const end = found.offset + found.rows.length;
  return element("p", { id: "count" }, `${found.total} ${noun}`, found.total ? `, ${found.offset + 1} to ${end}` : "", " ",
    found.offset ? element("button", { onclick: move(-PAGE) }, "earlier") : null, " ",
    end < found.total ? element("button", { onclick: move(PAGE) }, "later") : null);
}
