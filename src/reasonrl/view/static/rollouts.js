// The rollouts of a step: a list with filters, a group side by side, a rollout token by token.

import { get } from "./api.js";
import { chart } from "./charts.js";
import { badge, element, facts, link, short, table } from "./dom.js";
import { counted, fields, loader, options, pages } from "./lists.js";

const filters = {};

export async function stepPage(number, step) {
  const run = await get(`runs/${number}`);
  const list = element("div", { id: "list" });
  const load = loader(() => get(`runs/${number}/rollouts`, { step, ...filters }),
    (found, again) => list.replaceChildren(listOf(number, found, again)));
  const first = await get(`runs/${number}/rollouts`, { step, limit: 1 });
  filters.offset = 0;
  const page = element("div", {}, element("h1", {}, `Rollouts of step ${step}`), steps(number, run, step),
    form(first, load), list);
  await load();
  return { page, where: [[`run/${number}`, run.name], [null, `step ${step}`]], step: { steps: run.steps, now: step, address: (one) => `run/${number}/step/${one}` } };
}

function steps(number, run, step) {
  const at = run.steps.indexOf(step);
  const near = [["before", run.steps[at - 1]], ["after", run.steps[at + 1]]];
  return element("p", {}, near.filter(([, one]) => one !== undefined)
    .flatMap(([name, one]) => [link(`run/${number}/step/${one}`, `the step ${name}`), " "]));
}

function form(found, load) {
  const field = fields(filters, load);
  const choice = (counts) => element("select", {}, counted(counts));
  const order = element("select", {}, options([["", "as sampled"], ["n_tokens:down", "longest first"], ["n_tokens:up", "shortest first"],
    ["reward:down", "highest reward"], ["advantage:down", "highest advantage"], ["advantage:up", "lowest advantage"]]));
  const ends = element("select", {}, options([["", "all"], ["stop", "ended by itself"], ["length", "cut off"]]));
  return element("form", { class: "filter card", onsubmit: (event) => event.preventDefault() },
    field("text", "text or problem", element("input", { type: "search", id: "search" })),
    field("status", "verdict", choice(found.statuses)), field("signal", "group", choice(found.signals)),
    field("stop", "end", ends), field("least_tokens", "tokens from", element("input", { type: "number", min: 0 })),
    field("most_tokens", "to", element("input", { type: "number", min: 0 })),
    field("least_reward", "reward from", element("input", { type: "number", step: "any" })),
    field("most_reward", "to", element("input", { type: "number", step: "any" })), field("order", "order", order));
}

function listOf(number, found, load) {
  const components = Object.keys(found.rows[0] ?? {}).filter((name) => name.startsWith("reward/"));
  const rows = found.rows.map((one) => {
    const address = `run/${number}/step/${found.step}/rollout/${encodeURIComponent(one.rollout_id)}`;
    return element("tr", { "data-address": address },
      element("td", {}, link(address, String(one.index))), element("td", {}, link(`run/${number}/problem/${encodeURIComponent(one.problem_id)}`, one.problem_id)),
      element("td", {}, badge(one.status, one.reward)), element("td", {}, short(one.reward)),
      components.map((name) => element("td", {}, short(one[name]))), element("td", {}, short(one.advantage)),
      element("td", {}, one.signal), element("td", {}, short(one.n_tokens) + (one.stop === "length" ? " cut off" : "")),
      element("td", { class: "text" }, one.text));
  });
  return element("div", {}, pages(found, "rollouts", filters, load),
    table(["", "problem", "verdict", "reward", ...components.map((name) => name.slice(7)), "advantage", "group", "tokens", "response"], rows));
}

// one rollout

const VIEWS = [
  ["logprobs", "log-probability", "low", (one, at) => one.logprobs[at]],
  ["entropies", "entropy", "high", (one, at) => one.entropies?.[at]],
  ["ratio", "learner / sampler", "far", (one, at) => one.old_logprobs && Math.exp(one.old_logprobs[at] - one.logprobs[at])],
];

function strength(kind, value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return 0;
  if (kind === "low") return Math.min(1, -value / 5);
  if (kind === "high") return Math.min(1, value / 3);
  return Math.min(1, Math.abs(Math.log(value)) * 20);
}

export async function rolloutPage(number, step, id) {
  const [run, one, members] = await Promise.all([get(`runs/${number}`),
    get(`runs/${number}/rollout`, { step, id }), get(`runs/${number}/group`, { step, id })]);
  const detail = element("p", { id: "token", class: "quiet", role: "status" }, "Point at a token, or move with the arrow keys.");
  const tokens = element("div", { class: "tokens card", id: "tokens", tabindex: 0, "aria-label": "the response, token by token" });
  const versions = versionsOf(one);
  let shown = -1;
  const show = (at) => {
    if (at < 0 || at >= one.pieces.length) return;
    tokens.children[shown]?.classList.remove("shown");
    shown = at;
    tokens.children[at].classList.add("shown");
    const parts = VIEWS.map(([, label, , take]) => [label, take(one, at)]).filter(([, value]) => Number.isFinite(value));
    detail.textContent = `token ${at}: ${JSON.stringify(one.pieces[at])}, ${parts.map(([label, value]) => `${label} ${short(value)}`).join(", ")}, `
      + `advantage ${short(one.advantage)}, version ${versions[at]}`;
  };
  const paint = (kind, take, name) => {
    [...tokens.children].forEach((span, at) => {
      const share = Math.round(100 * strength(kind, take(one, at)));
      span.style.background = share ? `color-mix(in srgb, var(--${name}) ${share}%, transparent)` : "";
    });
  };
  tokens.append(...one.pieces.map((piece, at) => element("span", { onmouseenter: () => show(at) }, piece || "·")));
  tokens.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) { show(shown + by); event.preventDefault(); }
  });
  const known = VIEWS.filter(([, , , take]) => Number.isFinite(take(one, 0)));
  const choose = element("select", { "aria-label": "what colours the tokens", onchange: (event) => {
    const [, , kind, take] = known[event.target.value];
    paint(kind, take, "orange");
  } }, known.map(([, label], at) => element("option", { value: at }, label)));
  if (known.length) paint(known[0][2], known[0][3], "orange");
  const page = element("div", {}, element("h1", {}, one.problem_id),
    facts([["rollout", one.rollout_id], ["verdict", badge(one.status, one.reward)], ["why", one.reason], ["read", one.extracted],
      ["answer key", one.answer], ["reward", short(one.reward)], ["advantage", short(one.advantage)], ["group", one.signal],
      ["tokens", short(one.n_tokens ?? one.tokens.length)], ["end", one.stop === "length" ? "cut off" : "ended by itself"],
      ...Object.entries(one).filter(([name]) => name.startsWith("reward/")).map(([name, value]) => [name, short(value)]),
      ["notes", one.reward_notes]]),
    element("p", {}, link(`run/${number}/problem/${encodeURIComponent(one.problem_id)}`, "this problem over the run")),
    element("h2", {}, "Prompt"), element("pre", {}, (one.prompt_turns ?? []).map((turn) => `${turn.role}: ${turn.content}`).join("\n\n") || one.prompt),
    element("h2", {}, "Response, token by token"), element("p", {}, "colour: ", choose), tokens, detail,
    element("h2", {}, `The group, ${members.length} rollouts`), group(number, step, members, id));
  return { page, where: [[`run/${number}`, run.name], [`run/${number}/step/${step}`, `step ${step}`], [null, String(one.index)]],
    members: { number, step, ids: members.map((member) => member.rollout_id), now: id } };
}

function versionsOf(one) {
  const versions = new Array(one.tokens.length).fill(one.version);
  for (let at = 0; at + 1 < (one.updates?.length ?? 0); at += 2) versions.fill(one.updates[at + 1], one.updates[at]);
  return versions;
}

function group(number, step, members, id) {
  return element("div", { class: "members" }, members.map((one) => element("div", { class: "card" },
    element("p", {}, link(`run/${number}/step/${step}/rollout/${encodeURIComponent(one.rollout_id)}`, `${one.index}${one.rollout_id === id ? " (this)" : ""}`), " ",
      badge(one.status, one.reward), ` advantage ${short(one.advantage)}`),
    element("p", { class: "quiet" }, [one.reason, one.extracted && `read: ${one.extracted}`, one.stop === "length" && "cut off"].filter(Boolean).join(", ")),
    element("pre", {}, one.text))));
}

export async function problemPage(number, id) {
  const [run, lines] = await Promise.all([get(`runs/${number}`), get(`runs/${number}/problem`, { id })]);
  const rows = lines.map((one) => element("tr", {},
    element("td", {}, link(`run/${number}/step/${one.step}/rollout/${encodeURIComponent(one.rollout_id)}`, `step ${one.step}`)),
    element("td", {}, short(one.reward)), element("td", {}, one.signal), element("td", {}, `${one.truncated} of ${one.rollouts}`),
    element("td", {}, Object.entries(one.statuses).map(([name, n]) => `${name} ${n}`).join(", "))));
  const page = element("div", {}, element("h1", {}, id), element("p", { class: "quiet" }, `drawn in ${lines.length} steps`),
    chart({ title: "Mean reward of its rollouts", top: 1, series: [{ label: "reward", steps: lines.map((one) => one.step), values: lines.map((one) => one.reward), points: true }] }),
    table(["", "mean reward", "group", "cut off", "verdicts"], rows));
  return { page, where: [[`run/${number}`, run.name], [null, "problem"]] };
}
