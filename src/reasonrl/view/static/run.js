// One run: how it stands, what is wrong, its curves, and the ways into its rollouts.

import { get, stream } from "./api.js";
import { chart } from "./charts.js";
import { badge, duration, element, facts, link, short, table } from "./dom.js";

const CURVES = [
  ["Accuracy", 1, ["accuracy/all", "accuracy/finished"]], ["Reward", null, ["reward/mean"]],
  ["Length, tokens", null, ["rollout/mean_tokens", "rollout/max_tokens"]],
  ["Truncated", 1, ["rollout/truncated_share", "rollout/run_on_share"]],
  ["Entropy, nats", null, ["entropy/nats"]], ["Groups", null, ["groups/kept", "groups/solved", "groups/unsolved"]],
  ["Gradient norm", null, ["update/gradient_norm"]], ["Clipped share", null, ["update/clipped_share"]],
  ["KL, nats", null, ["update/kl"]], ["Sampler to learner gap, nats", null, ["update/gap_mean"]],
  ["Seconds", null, ["time/rollout_s", "time/update_s"]],
];

export async function runPage(number) {
  const [run, metrics] = await Promise.all([get(`runs/${number}`), get(`runs/${number}/metrics`)]);
  const open = (step) => { if (run.steps.includes(step)) location.hash = `#/run/${number}/step/${step}`; };
  const borders = (metrics.stage ?? []).flatMap((stage, at) => (at && stage !== metrics.stage[at - 1] ? [metrics.step[at]] : []));
  const findings = run.findings.map((one) => one.since);
  const last = run.steps.at(-1);
  const page = element("div", {},
    element("h1", {}, run.name),
    facts([["status", run.phase], ["steps", `${run.step} of ${run.total}`], ["stage", run.stage],
      ["a step takes", duration(run.step_s)], ["left", duration(run.left_s)],
      ["command", run.sessions.at(0)?.command]]),
    element("div", { id: "findings" }, run.findings.length ? run.findings.map((one) => finding(number, one))
      : element("p", { class: "card fine" }, run.step ? "The doctor found nothing wrong." : "No step has ended yet.")),
    element("p", {}, last ? [link(`run/${number}/step/${last}`, `rollouts of step ${last}`), " · ",
      link(`run/${number}/spread`, "lengths and rewards of all rollouts"), " · "] : null,
      link(`run/${number}/logs`, "logs"), " · ", link(`run/${number}/recipe`, "recipe")),
    searchForm(number),
    element("h2", {}, "Curves"),
    element("p", { class: "quiet" }, "Dotted lines are stages, red ones findings. A double click opens the rollouts of a step."),
    element("div", { class: "grid" }, curves(run, metrics).map((one) => chart({ ...one, borders, findings, choose: open }))),
    evaluations(number, run));
  return { page, where: [[`run/${number}`, run.name]], refresh: true };
}

function curves(run, metrics) {
  const shown = CURVES.map(([title, top, keys]) => ({
    title, top,
    series: keys.filter((key) => metrics[key]?.some((value) => value))
      .map((key) => ({ label: key, steps: metrics.step, values: metrics[key] })),
  })).filter((one) => one.series.length);
  const suites = new Map();
  for (const one of run.evaluations) {
    if (!one.accuracy) continue;
    const suite = suites.get(one.suite) ?? { label: one.suite, steps: [], values: [], points: true, color: suites.size + 2 };
    suite.steps.push(one.step);
    suite.values.push(one.accuracy.value);
    suites.set(one.suite, suite);
  }
  const accuracy = shown.find((one) => one.title === "Accuracy");
  if (accuracy) accuracy.series.push(...suites.values());
  return shown;
}

function finding(number, one) {
  const numbers = Object.entries(one.evidence).map(([name, value]) => `${name} ${short(value)}`).join(", ");
  return element("div", { class: `card finding${one.grave ? " grave" : ""}` },
    element("p", {}, element("b", {}, one.message), element("span", { class: "quiet" }, ` since step ${one.since}`),
      one.rollouts ? [" · ", link(`run/${number}/step/${one.rollouts}`, `rollouts of step ${one.rollouts}`)] : null),
    element("p", {}, `Likely cause: ${one.cause}.`), element("p", { class: "quiet" }, numbers),
    one.command ? element("pre", {}, one.command) : null);
}

function evaluations(number, run) {
  const known = new Set(run.samples.map(([suite, step]) => `${suite} ${step}`));
  if (!run.evaluations.length) return element("p", { class: "quiet" }, "No evaluation yet.");
  return element("div", {}, element("h2", {}, "Evaluations"), table(
    ["suite", "samples", "score", "95 % interval", "truncated", "tokens"],
    run.evaluations.map((one) => element("tr", {}, element("td", {}, one.suite),
      element("td", {}, known.has(`${one.suite} ${one.step}`)
        ? link(`run/${number}/evaluation/${one.suite}/${one.step}`, `step ${one.step}`) : `step ${one.step}`),
      element("td", {}, short(one.accuracy?.value)), element("td", {}, (one.accuracy?.ci95 ?? []).map(short).join(" to ")),
      element("td", {}, short(one.truncated_share)), element("td", {}, short(one.mean_tokens))))));
}

function searchForm(number) {
  const words = element("input", { type: "search", id: "search", name: "q", placeholder: "text in any response", "aria-label": "search all responses" });
  return element("form", { class: "filter", onsubmit: (event) => {
    event.preventDefault();
    if (words.value) location.hash = `#/run/${number}/search/${encodeURIComponent(words.value)}`;
  } }, element("label", {}, "search the whole run", words), element("button", {}, "search"));
}

export async function searchPage(number, text) {
  const run = await get(`runs/${number}`);
  const count = element("span", { id: "hits" }, "searching");
  const body = element("tbody", {});
  let hits = 0;
  const stop = stream(`runs/${number}/search`, { q: text }, (one) => {
    if (one.searched) { count.textContent = `${hits} hits down to step ${one.searched}`; return; }
    hits += 1;
    if (hits <= 500) body.append(element("tr", {},
      element("td", {}, link(`run/${number}/step/${one.step}/rollout/${encodeURIComponent(one.rollout_id)}`, `step ${one.step}`)),
      element("td", {}, badge(one.status, one.reward)), element("td", {}, one.problem_id),
      element("td", { class: "text" }, one.before, element("mark", {}, one.hit), one.after)));
  }, () => { count.textContent = `${hits} hits${hits > 500 ? ", the first 500 are shown" : ""}`; });
  const page = element("div", {}, element("h1", {}, `"${text}"`), element("p", {}, count),
    element("div", { class: "card scroll" }, element("table", {}, body)));
  return { page, where: [[`run/${number}`, run.name], [null, "search"]], leave: stop };
}

export async function spreadPage(number) {
  const [run, spread] = await Promise.all([get(`runs/${number}`), get(`runs/${number}/columns`)]);
  const titles = { n_tokens: "Length, tokens", reward: "Reward", advantage: "Advantage" };
  const labels = ["least", "a quarter", "half", "three quarters", "most"];
  const page = element("div", {}, element("h1", {}, "All rollouts of the run"),
    element("p", { class: "quiet" }, "Of every step, the values that all, a quarter, a half and three quarters of its rollouts reach."),
    element("div", { class: "grid" }, Object.entries(titles).map(([name, title]) => chart({
      title, series: labels.map((label, place) => ({ label, steps: spread.step, values: spread[name].map((row) => row?.[place]) })),
    }))));
  return { page, where: [[`run/${number}`, run.name], [null, "all rollouts"]] };
}

export async function logPage(number, name) {
  const run = await get(`runs/${number}`);
  const names = run.logs;
  const shown = name ?? names[0];
  const log = shown ? await get(`runs/${number}/log`, { name: shown }) : { text: "this run has no logs" };
  const page = element("div", {}, element("h1", {}, "Logs"),
    element("p", {}, names.flatMap((one) => [link(`run/${number}/logs/${encodeURIComponent(one)}`, one), " "])),
    element("pre", { class: "log", tabindex: 0 }, log.text || "empty"));
  return { page, where: [[`run/${number}`, run.name], [null, shown ?? "logs"]] };
}

export async function recipePage(number) {
  const run = await get(`runs/${number}`);
  return { page: element("div", {}, element("h1", {}, "Recipe"), element("pre", {}, run.recipe_text)),
    where: [[`run/${number}`, run.name], [null, "recipe"]] };
}
