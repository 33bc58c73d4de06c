// From the address behind # to a page; keys; and news of runs that are training.

import { stream } from "./api.js";
import { element, link } from "./dom.js";
import { evaluationPage, samplesPage } from "./evaluations.js";
import { overview } from "./overview.js";
import { problemPage, rolloutPage, stepPage } from "./rollouts.js";
import { logPage, recipePage, runPage, searchPage, spreadPage } from "./run.js";

const KEYS = [
  ["/", "to the search"], ["j k", "next and previous rollout of a list or group"], ["Enter", "open the chosen rollout"],
  ["[ ]", "the step before and after"], ["← →", "the token before and after"], ["u", "one level up"], ["?", "this help"],
];
const holder = document.getElementById("page");
let now = { where: [] };
let shown = 0;

async function pageOf(parts) {
  const [kind, number, what, name, also, id] = parts;
  if (kind !== "run") return overview();
  if (what === "step" && also === "rollout") return rolloutPage(number, Number(name), id);
  if (what === "step") return stepPage(number, Number(name));
  if (what === "evaluation" && id === undefined && parts.length === 5) return evaluationPage(number, name, Number(also));
  if (what === "evaluation") return samplesPage(number, name, Number(also), id);
  if (what === "problem") return problemPage(number, name);
  if (what === "search") return searchPage(number, name);
  if (what === "spread") return spreadPage(number);
  if (what === "logs") return logPage(number, name);
  if (what === "recipe") return recipePage(number);
  return runPage(number);
}

async function show({ isNews = false } = {}) {
  const parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent).filter(Boolean);
  const turn = ++shown;
  let made;
  try {
    made = await pageOf(parts);
  } catch (error) {
    made = { page: element("p", { class: "card error" }, String(error.message ?? error)), where: [[null, "error"]] };
  }
  if (turn !== shown) { made.leave?.(); return; }
  now.leave?.();
  now = made;
  const top = window.scrollY;
  holder.replaceChildren(made.page);
  document.getElementById("where").replaceChildren(link("", "runs"),
    ...made.where.map(([address, text]) => (address ? link(address, text) : element("span", {}, text))));
  document.title = made.where.length ? made.where.map(([, text]) => text).reverse().join(" · ") : "runs";
  if (isNews) window.scrollTo(0, top); else { window.scrollTo(0, 0); holder.focus({ preventScroll: true }); }
}

function move(by) {
  if (now.members) {
    const { number, step, ids } = now.members;
    const to = ids[ids.indexOf(now.members.now) + by];
    if (to) location.hash = `#/run/${number}/step/${step}/rollout/${encodeURIComponent(to)}`;
    return;
  }
  const rows = [...document.querySelectorAll("tr[data-address]")];
  const at = rows.findIndex((row) => row.classList.contains("chosen"));
  const to = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  if (!to) return;
  rows[at]?.classList.remove("chosen");
  to.classList.add("chosen");
  to.scrollIntoView({ block: "nearest" });
}

function turn(by) {
  if (!now.step) return;
  const { steps, now: step, address } = now.step;
  const to = steps[steps.indexOf(step) + by];
  if (to !== undefined) location.hash = `#/${address(to)}`;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const keys = {
    "/": () => { document.getElementById("search")?.focus(); event.preventDefault(); },
    j: () => move(1), k: () => move(-1), "[": () => turn(-1), "]": () => turn(1),
    Enter: () => { const row = document.querySelector("tr.chosen"); if (row) location.hash = `#/${row.dataset.address}`; },
    u: () => { const up = now.where.filter(([address]) => address).at(now.where.at(-1)?.[0] ? -2 : -1); location.hash = up ? `#/${up[0]}` : "#/"; },
    "?": () => document.getElementById("help").showModal(),
  };
  keys[event.key]?.();
});

document.getElementById("keys").append(...KEYS.flatMap(([key, what]) => [
  element("dt", {}, element("kbd", {}, key)), element("dd", {}, what)]));

const live = document.getElementById("live");
stream("events", {}, (message) => {
  live.textContent = "live";
  const number = Number(location.hash.split("/")[2]);
  const concerns = location.hash.startsWith("#/run/") ? message.changed.includes(number) : message.changed.length;
  if (concerns && now.refresh && !document.activeElement?.matches("input, select")) show({ isNews: true });
});
window.addEventListener("hashchange", () => show());
window.addEventListener("offline", () => { live.textContent = "offline"; });
show();
