// The samples of an evaluation: a list with filters, and one problem with all its samples.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { badge, element, facts, link, short, table } from "./dom.js";

const address = (number, suite, step, problem) =>
  `run/${number}/evaluation/${suite}/${step}${problem === undefined ? "" : `/${encodeURIComponent(problem)}`}`;

export async function evaluationPage(number, suite, step) {
  const wanted = { offset: 0 };
  const list = element("div", { id: "list" });
  let asked = 0;
  const load = async () => {
    const turn = ++asked;
    const found = await get(`runs/${number}/samples`, { suite, step, ...wanted });
    if (turn === asked) list.replaceChildren(...listOf(number, found, wanted, load));
  };
  const [run, first] = await Promise.all([get(`runs/${number}`), get(`runs/${number}/samples`, { suite, step, limit: 1 })]);
  const page = element("div", {}, element("h1", {}, `${suite} at step ${step}`),
    element("p", {}, "samples at step ", first.steps.flatMap((one) => [one === step ? String(one) : link(address(number, suite, one), String(one)), " "])),
    form(first, wanted, load), list);
  await load();
  return { page, where: [[`run/${number}`, run.name], [null, `${suite}, step ${step}`]],
    step: { steps: first.steps, now: step, address: (one) => address(number, suite, one) } };
}

function form(found, wanted, load) {
  const field = (name, label, input) => {
    input.name = name;
    input.addEventListener("change", () => { wanted[name] = input.value; wanted.offset = 0; load(); });
    return element("label", {}, label, input);
  };
  const options = (pairs) => pairs.map(([value, text]) => element("option", { value }, text));
  const verdicts = Object.entries(found.statuses).map(([name, n]) => [name, `${name} (${n})`]);
  return element("form", { class: "filter card", onsubmit: (event) => event.preventDefault() },
    field("text", "text or problem", element("input", { type: "search", id: "search" })),
    field("status", "verdict", element("select", {}, options([["", "all"], ...verdicts]))),
    field("order", "order", element("select", {}, options([["", "as evaluated"], ["reward:up", "lowest reward"],
      ["reward:down", "highest reward"], ["n_tokens:down", "longest first"], ["n_tokens:up", "shortest first"]]))));
}

function listOf(number, found, wanted, load) {
  const move = (by) => () => { wanted.offset = Math.max(0, wanted.offset + by); load(); };
  const end = found.offset + found.rows.length;
  const rows = found.rows.map((one) => {
    const target = address(number, found.suite, found.step, one.problem_id);
    return element("tr", { "data-address": target }, element("td", {}, link(target, one.problem_id)),
      element("td", {}, short(one.index)), element("td", {}, badge(one.status, one.reward)), element("td", {}, short(one.reward)),
      element("td", {}, short(one.n_tokens) + (one.stop === "length" ? " cut off" : "")), element("td", { class: "text" }, one.text));
  });
  return [element("p", { id: "count" }, `${found.total} samples`, found.total ? `, ${found.offset + 1} to ${end}` : "", " ",
    found.offset ? element("button", { onclick: move(-100) }, "earlier") : null, " ",
    end < found.total ? element("button", { onclick: move(100) }, "later") : null),
  table(["problem", "sample", "verdict", "reward", "tokens", "response"], rows)];
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
