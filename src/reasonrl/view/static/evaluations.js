// The samples of an evaluation: a list with filters, and one problem with all its samples.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { badge, element, facts, link, short, table } from "./dom.js";
import { counted, fields, loader, options, pages } from "./lists.js";

const address = (number, suite, step, problem) =>
  `run/${number}/evaluation/${suite}/${step}${problem === undefined ? "" : `/${encodeURIComponent(problem)}`}`;

export async function evaluationPage(number, suite, step) {
  const wanted = { offset: 0 };
  const list = element("div", { id: "list" });
  const load = loader(() => get(`runs/${number}/samples`, { suite, step, ...wanted }),
    (found, again) => list.replaceChildren(...listOf(number, found, wanted, again)));
  const [run, first] = await Promise.all([get(`runs/${number}`), get(`runs/${number}/samples`, { suite, step, limit: 1 })]);
  const page = element("div", {}, element("h1", {}, `${suite} at step ${step}`),
    element("p", {}, "samples at step ", first.steps.flatMap((one) => [one === step ? String(one) : link(address(number, suite, one), String(one)), " "])),
    form(first, wanted, load), list);
  await load();
  return { page, where: [[`run/${number}`, run.name], [null, `${suite}, step ${step}`]],
    step: { steps: first.steps, now: step, address: (one) => address(number, suite, one) } };
}

function form(found, wanted, load) {
  const field = fields(wanted, load);
  return element("form", { class: "filter card", onsubmit: (event) => event.preventDefault() },
    field("text", "text or problem", element("input", { type: "search", id: "search" })),
    field("status", "verdict", element("select", {}, counted(found.statuses))),
    field("order", "order", element("select", {}, options([["", "as evaluated"], ["reward:up", "lowest reward"],
      ["reward:down", "highest reward"], ["n_tokens:down", "longest first"], ["n_tokens:up", "shortest first"]]))));
}

function listOf(number, found, wanted, load) {
  const rows = found.rows.map((one) => {
    const target = address(number, found.suite, found.step, one.problem_id);
    return element("tr", { "data-address": target }, element("td", {}, link(target, one.problem_id)),
      element("td", {}, short(one.index)), element("td", {}, badge(one.status, one.reward)), element("td", {}, short(one.reward)),
      element("td", {}, short(one.n_tokens) + (one.stop === "length" ? " cut off" : "")), element("td", { class: "text" }, one.text));
  });
  return [pages(found, "samples", wanted, load), table(["problem", "sample", "verdict", "reward", "tokens", "response"], rows)];
}

export async function samplesPage(number, suite, step, id) {
  const [run, found] = await Promise.all([get(`runs/${number}`), get(`runs/${number}/samples/problem`, { suite, step, id })]);
  const first = found.samples[0];
  const steps = found.history.map((one) => one.step);
  const page = element("div", {}, element("h1", {}, id),
    facts([["suite", suite], ["step", String(step)], ["answer key", first.answer],
      ["mean reward", short(found.history.find((one) => one.step === step)?.reward)]]),
    chart({ title: "Mean reward of its samples", top: 1, series: [{ label: "reward", steps, values: found.history.map((one) => one.reward), points: true }],
      choose: (one) => { if (steps.includes(one)) location.hash = `#/${address(number, suite, one, id)}`; } }),
    element("h2", {}, "Prompt"), element("pre", {}, first.prompt),
    element("h2", {}, found.samples.length === 1 ? "One sample" : `${found.samples.length} samples`),
    element("div", { class: "members" }, found.samples.map(sample)));
  return { page, where: [[`run/${number}`, run.name], [address(number, suite, step), `${suite}, step ${step}`], [null, id]],
    step: { steps, now: step, address: (one) => address(number, suite, one, id) } };
}

function sample(one) {
  const components = Object.entries(one).filter(([name]) => name.startsWith("reward/"));
  return element("div", { class: "card" },
    element("p", {}, `sample ${one.index} `, badge(one.status, one.reward), ` reward ${short(one.reward)}, ${one.n_tokens} tokens`,
      components.map(([name, value]) => `, ${name.slice(7)} ${short(value)}`)),
    element("p", { class: "quiet" }, [one.reason, one.extracted && `read: ${one.extracted}`, one.stop === "length" && "cut off",
      one.tests?.length && `tests: ${one.tests.join(" ")}`, one.reward_notes].filter(Boolean).join(", ")),
    element("pre", {}, one.text));
}
