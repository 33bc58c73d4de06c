"""The model card of an export: what the model is, how it was made, how good it is, its limits.

Pure: facts in, Markdown out; every figure comes from the run's own files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reasonrl.evaluation.score import SuiteResult, by_suite, compare_suites, describe_gain, shown
from reasonrl.recipe import PromptConfig, Recipe, Stage
from reasonrl.report.drawing.scale import duration_text
from reasonrl.run.problem_sets import ProblemSet

_PICTURE = "![accuracy, entropy, length and truncation over the run](curves.svg)"
_WIDE = 0.02  # share of truncated samples above which the card warns


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """The facts that a card is made of.

    `evaluations` are the run's, at any step; `others` are evaluations of this model outside the
    run. `benchmarks` names the suites with public problems. `base` is empty where the run started
    from random weights, `hub_id` where the base is not on the hub. `needs_files`: the recipe names
    files that are not in the export. `checked` counts the answers that the export was tested on.
    """

    name: str
    base: str
    hub_id: str
    license: str
    recipe: Recipe
    steps: int
    is_finished: bool
    train_wall_s: float
    version: str
    evaluations: Sequence[SuiteResult]
    others: Sequence[SuiteResult]
    benchmarks: frozenset[str]
    data: Sequence[ProblemSet]
    needs_files: bool
    has_curves: bool
    checked: int

    @property
    def own(self) -> list[SuiteResult]:
        """Return the run's evaluations of exactly this model."""
        return [result for result in self.evaluations if result.step == self.steps]

    @property
    def new(self) -> list[SuiteResult]:
        """Return the evaluations outside the run whose question the run did not answer itself."""
        own = {_question(result) for result in self.own}
        return [result for result in self.others if _question(result) not in own]


def _question(result: SuiteResult) -> tuple[str, int, float, int]:
    return result.suite, result.k, result.temperature, result.max_new_tokens


def render_card(facts: CardFacts) -> str:
    """Return the card as Markdown with the front matter that the hub reads."""
    sections = (
        _front_matter(facts),
        _head(facts),
        "## Results\n\n" + _results(facts),
        "## Training\n\n" + "\n".join(_training(facts)),
        _PICTURE if facts.has_curves else "",
        "## Data\n\n" + "\n".join(_data(facts.data)),
        "## Limits\n\n" + "\n".join(f"- {text}" for text in _limits(facts)),
        "## Licence\n\n" + _license(facts),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(facts: CardFacts) -> str:
    lines = ["---", f"license: {json.dumps(facts.license or 'unknown')}"]
    if facts.hub_id:
        lines.append(f"base_model: {json.dumps(facts.hub_id)}")
    lines += ["library_name: transformers", "pipeline_tag: text-generation"]
    lines += ["tags:", *(f"- {tag}" for tag in ("reinforcement-learning", "grpo", "reasonrl"))]
    results = [*facts.own, *facts.new]
    if results:
        lines += ["model-index:", f"- name: {json.dumps(facts.name)}", "  results:"]
    for result in results:
        lines += [
            "  - task: {type: text-generation}",
            f"    dataset: {{name: {json.dumps(result.suite)}, type: {json.dumps(result.suite)}}}",
            f"    metrics: [{{type: {_headline(result)}}}]",
        ]
    return "\n".join([*lines, "---"])


def _headline(result: SuiteResult) -> str:
    """Return the name and the value of a suite's first number, for the front matter."""
    if result.accuracy is not None:
        return f"avg@{result.k}, value: {result.accuracy.value:.4f}"
    return f"mean_reward, value: {result.reward.value:.4f}" if result.reward else "none, value: 0"


def _head(facts: CardFacts) -> str:
    start = f"from `{facts.base}`" if facts.base else "from random weights"
    recipe = facts.recipe
    turn = {"role": "user", "content": "..."}
    turns: list[dict[str, str]] = [turn]
    if recipe.model.system_prompt is not None:
        turns = [{"role": "system", "content": recipe.model.system_prompt}, turn]
    return (
        f"# {facts.name}\n\n"
        f"Trained {start} with reasonrl {facts.version}, an implementation of the method of the "
        "Skywork-OR1 report (arXiv 2505.22312): group-relative policy optimisation on verified "
        "rewards, in stages, with adaptive entropy control.\n\n"
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("PATH")\n'
        'model = AutoModelForCausalLM.from_pretrained("PATH")\n'
        f"turns = {turns!r}\n"
        f"{_encoding(recipe.model)}"
        "print(tokenizer.decode(model.generate(**ids, max_new_tokens=256)[0]))\n```\n\n"
        f"The export was loaded with plain transformers, which scored {facts.checked} of the "
        "model's answers as the training engine does."
    )


def _encoding(asked: PromptConfig) -> str:
    """Return the Python lines that turn turns into the ids of a prompt."""
    if asked.prompt_style == "plain":
        return (
            'text = "\\n\\n".join(turn["content"] for turn in turns)\n'
            'ids = tokenizer(text, return_tensors="pt")\n'
        )
    args = "".join(f"    {name}={value!r},\n" for name, value in asked.chat_template_args.items())
    return (
        "ids = tokenizer.apply_chat_template(\n"
        f'    turns, add_generation_prompt=True, return_tensors="pt"{chr(44) if args else ""}\n'
        f"{args})\n"
    )


# results


def _results(facts: CardFacts) -> str:
    if not facts.own and not facts.others:
        return "This model was not evaluated: the run has no evaluation at this step."
    first = {name: results[0] for name, results in by_suite(facts.evaluations).items()}
    pairs = [(first[result.suite], result) for result in facts.own if facts.steps > 0]
    lines = [
        "| suite | samples | before | after | pass@k after | cons@k after | truncated |",
        "|---|---|---|---|---|---|---|",
        *(_row(before, after) for before, after in pairs),
        *(_row(None, result) for result in facts.new),
        "\nIn percent: avg@k over problems with 95 % intervals clustered by problem; pass@k is the "
        "unbiased chance that at least one of k samples is right, cons@k the chance that the most "
        "frequent answer is right.",
    ]
    gains = [
        f"- {_cell(after.suite)}: {describe_gain(compare_suites(before, after))}"
        for before, after in pairs
        if before.step < after.step and before.problems
    ]
    if gains:
        lines += ["\nPaired by problem, before to after:\n", *gains]
    return "\n".join(lines)


def _row(before: SuiteResult | None, after: SuiteResult) -> str:
    setting = (
        f"{after.n_problems} x {after.k}, temperature {after.temperature:g}, "
        f"{after.max_new_tokens:,} tokens"
    )
    cells = (
        _cell(after.suite),
        setting,
        shown(before.accuracy if before and before.step < after.step else None),
        shown(after.accuracy),
        shown(after.pass_at.get(after.k)) if after.k > 1 else "-",
        shown(after.consensus),
        f"{after.truncated_share:.1%}",
    )
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Return a text that stays in its cell of a table and is not markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# how it was made


def _training(facts: CardFacts) -> Iterator[str]:
    yield "| stage | steps up to | problems x group | tokens | temperature | rate | entropy |"
    yield "|---|---|---|---|---|---|---|"
    for stage in facts.recipe.stage:
        yield f"| {' | '.join(_stage(stage))} |"
    optimizer = facts.recipe.optimizer
    yield (
        f"\n{_point(facts)} {facts.steps} steps in {duration_text(facts.train_wall_s)} of "
        f"training; seed {facts.recipe.seed}; AdamW ({optimizer.beta1:g}, {optimizer.beta2:g}), "
        f"weight decay {optimizer.weight_decay:g}, gradient norm {optimizer.max_gradient_norm:g}. "
        "The whole recipe is in `recipe.toml`; `reasonrl train recipe.toml` repeats the run"
        + (" if the files that it names lie beside it." if facts.needs_files else ".")
    )


def _point(facts: CardFacts) -> str:
    if facts.is_finished:
        return "The end of the run:"
    planned = sum(stage.steps for stage in facts.recipe.stage)
    return f"A checkpoint of the run, which plans up to {planned} steps:"


def _stage(stage: Stage) -> tuple[str, ...]:
    rollout, update, entropy = stage.rollout, stage.update, stage.entropy
    return (
        _cell(stage.name),
        str(stage.steps),
        f"{rollout.prompts_per_step} x {rollout.group_size}",
        f"{rollout.max_new_tokens:,}",
        f"{rollout.temperature:g}",
        f"{update.learning_rate:g}",
        f"{entropy.mode}, target {entropy.target_nats:g}",
    )


def _data(sets: Sequence[ProblemSet]) -> Iterator[str]:
    if not sets:
        yield "This run kept no manifest of its data."
        return
    yield "| use | problems | sources | hash |"
    yield "|---|---|---|---|"
    for problem_set in sets:
        sources = "; ".join(_source(source) for source in problem_set.sources)
        use = _cell(problem_set.use)
        yield f"| {use} | {problem_set.n} | {sources} | `{problem_set.problems}` |"
    yield (
        "\nThe hash is BLAKE2b over ids, prompts and answers; `data.json` has the sources in full. "
        "No problem text is part of this export."
    )


def _source(source: Mapping[str, object]) -> str:
    rest = ", ".join(
        f"{key}={value}" for key, value in source.items() if key not in ("type", "path")
    )
    path = str(source.get("path", "")).rpartition("/")[2]
    return _cell(" ".join(part for part in (str(source["type"]), path, rest) if part))


def _limits(facts: CardFacts) -> Iterator[str]:
    yield (
        "The model was trained for one thing: reward on the stages' problems, judged by rules. "
        "Nothing was done for safety, and nothing here measures other tasks."
    )
    yield (
        "The intervals cover the choice of problems. They do not cover the spread between training "
        "runs with other seeds."
    )
    stages = [data for data in facts.data if data.use.startswith("stage ")]
    trained = {data.problems for data in stages}
    for data in facts.data:
        if data.use.startswith("suite ") and data.problems in trained:
            yield (
                f"{data.use.capitalize()} has the problems of the training: it says nothing about "
                "unseen problems."
            )
    sources = [source for data in stages for source in data.sources]
    for name in dict.fromkeys(str(one["type"]) for one in sources if one.get("split") == "test"):
        yield f"It was trained on the test half of {name}: its scores on {name} say nothing."
    names = {result.suite for result in (*facts.own, *facts.others)}
    if not names & facts.benchmarks:
        yield "The model was not evaluated on a public benchmark."
    for result in facts.own:
        if result.truncated_share > _WIDE:
            yield (
                f"On {result.suite} {result.truncated_share:.0%} of the samples are cut off at "
                f"{result.max_new_tokens:,} tokens."
            )
    if facts.recipe.verify.unboxed:
        yield "Its answers are final numbers without a box, because training rewarded these."


def _license(facts: CardFacts) -> str:
    if not facts.license:
        return f"Not known: the licence of `{facts.base}` applies to what is derived from it."
    if not facts.base:
        return f"{facts.license}."
    return f"{facts.license}, the licence of `{facts.base}`, applies to what is derived from it."
