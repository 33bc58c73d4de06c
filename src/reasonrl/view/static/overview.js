// All runs: how each stands, what is wrong with it, and the chosen ones over one another.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { duration, element, link, short, table } from "./dom.js";

const CURVES = [
  ["accuracy/all", "Accuracy", 1], ["reward/mean", "Reward", null], ["entropy/nats", "Entropy, nats", null],
  ["rollout/mean_tokens", "Length, tokens", null], ["rollout/truncated_share", "Truncated", 1],
  ["update/gradient_norm", "Gradient norm", null],
];
const MOST = 6;
let chosen = null;

export async function overview() {
  const runs = await get("runs");
  if (chosen === null) chosen = new Set(runs.slice(0, MOST).map((_, number) => number));
  const curves = element("div", { class: "grid", id: "overlay" });
  const page = element("div", {},
    element("h1", {}, `${runs.length} ${runs.length === 1 ? "run" : "runs"}`),
    table(["", "run", "status", "steps", "step takes", "left", "what is wrong"],
      runs.map((run, number) => row(run, number, curves))),
    element("h2", {}, "Over one another"), curves);
  await draw(curves);
  return { page, where: [], refresh: true };
}

function row(run, number, curves) {
  const box = element("input", {
    type: "checkbox", "aria-label": `show ${run.name} in the curves`, checked: chosen.has(number),
    onchange: (event) => {
      if (event.target.checked) chosen.add(number); else chosen.delete(number);
      draw(curves);
    },
  });
  return element("tr", {}, element("td", {}, box),
    element("td", {}, run.phase === "unreadable" ? run.name : link(`run/${number}`, run.name)),
    element("td", {}, run.phase), element("td", {}, `${short(run.step)} of ${short(run.total)}`),
    element("td", {}, duration(run.step_s)), element("td", {}, duration(run.left_s)),
    element("td", { class: "text" }, run.error ?? (run.warnings.join("\n") || "nothing found")));
}

async function draw(holder) {
  const numbers = [...chosen].sort((a, b) => a - b).slice(0, MOST);
  const names = (await get("runs")).map((run) => run.name);
  const columns = await Promise.all(numbers.map((number) => get(`runs/${number}/metrics`).catch(() => ({}))));
  holder.replaceChildren(...CURVES.map(([key, title, top]) => chart({
    title, top,
    series: numbers.map((number, place) => ({
      label: names[number], color: place, steps: columns[place].step ?? [], values: columns[place][key] ?? [],
    })).filter((one) => one.values.length),
  })));
}
