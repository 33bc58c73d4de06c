"""Every field of a recipe changes something that a run records; none is accepted and ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import UnionType
from typing import Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from reasonrl.launch.train import train
from reasonrl.recipe import Recipe
from reasonrl.recipe.toml import load_recipe
from reasonrl.terminal import Console
from tests.e2e.support import RECIPES, metrics_of, rollouts_of

# Two stages of two steps each in which every mechanism has something to do.
BASE = (
    "engine.threads=1",
    "rollout.prompts_per_step=12",
    "rollout.group_size=12",
    "stage.1.steps=2",
    "stage.2.steps=2",
    "checkpoint.every=1",
)
TWO_UPDATES = ("update.minibatches=2", "update.learning_rate=0.05")
CLIP_COV = 'update.focus={type="clip-cov", share=0.5, low=0.5}'
BELOW_TARGET = ("entropy.target_nats=9",)
SUM = 'type="arithmetic", operators=["add"], max_operand=4, heldout=5'
TRAIN, SUITE = f"data.sources=[{{{SUM}}}]", f"suite.1.sources=[{{{SUM}}}]"
LONG = "rollout.max_prompt_tokens=500"
GYM = 'type="gym", task="chain_sum", size=20'


def rewards(tables: str) -> str:
    return f"reward=[{tables}]"


OVERLONG = rewards('{type="overlong", buffer=9}')

# field: the change, then what both runs need for it to matter
KNOBS: dict[str, tuple[str, ...]] = {
    "name": ('name="other"',),
    "seed": ("seed=2",),
    "model.name": (),  # test_bad_input: a model directory is trained like a named model
    "model.backend": (),  # test_families: plain transformers takes padded rows
    "model.system_prompt": ('model.system_prompt="Think."',),
    "model.prompt_style": ('model.prompt_style="plain"',),
    "model.chat_template": (),  # test_prompts: a file makes other prompts
    "model.chat_template_args": (),  # test_prompts: a template reads them
    "model.chat_time": (),  # test_prompts: a template that prints the time gets it
    "model.thought_marks": (),  # test_templates: what stands between them is not graded
    "model.stop": ('model.stop=["1"]', LONG),
    "data.sources": (TRAIN.replace("heldout=5", "heldout=6"),),
    "data.sources.type": (f"data.sources=[{{{GYM}}}]", LONG),
    "data.sources.path": (),  # test_bad_input: a missing file and a bad row are named
    "data.sources.name": (),  # test_api: rows under another name are missed
    "data.sources.operators": (TRAIN.replace('"add"', '"mul"'),),
    "data.sources.max_operand": (TRAIN.replace("4", "5"),),
    "data.sources.split": (
        TRAIN.replace("}", ', split="heldout"}'), TRAIN, "rollout.prompts_per_step=4",
    ),
    "data.sources.heldout": (TRAIN.replace("heldout=5", "heldout=7"),),
    "data.sources.task": (
        f"data.sources=[{{{GYM}}}]".replace("chain_sum", "gcd"), f"data.sources=[{{{GYM}}}]", LONG),
    "data.sources.size": (f"data.sources=[{{{GYM}0}}]", f"data.sources=[{{{GYM}}}]", LONG),
    "data.sources.seed": (f"data.sources=[{{{GYM}, seed=3}}]", f"data.sources=[{{{GYM}}}]", LONG),
    "data.sources.config": (
        f"data.sources=[{{{GYM}, config={{max_digits=1}}}}]", f"data.sources=[{{{GYM}}}]", LONG),
    "data.sources.weight": (),  # tests/unit/data/test_mixture.py
    "data.sources.fields": (),  # tests/unit/rollout/test_rows.py, as the next five
    "data.sources.answer_after": (),
    "data.sources.prompt_template": (),
    "data.sources.where": (),
    "data.sources.repository": (),
    "data.sources.revision": (),
    "data.sources.style": (),  # tests/unit/data/benchmarks/test_catalog.py, as the next three
    "data.sources.since": (),
    "data.sources.until": (),
    "data.sources.release": (),
    "data.unreadable": (),  # tests/unit/launch/test_readable.py
    "data.difficulty": (),  # its three fields: tests/unit/data/test_sampler.py, pools below
    "data.difficulty.model": (),
    "data.difficulty.minimum": (),
    "data.difficulty.maximum": (),
    "rollout.prompts_per_step": ("rollout.prompts_per_step=11",),
    "rollout.group_size": ("rollout.group_size=13",),
    "rollout.max_new_tokens": ("rollout.max_new_tokens=5",),
    "rollout.max_prompt_tokens": (),  # test_bad_input: too short a limit is refused
    "rollout.temperature": ("rollout.temperature=0.9",),
    "rollout.refill_rounds": ("rollout.refill_rounds=1", "rollout.prompts_per_step=8"),
    "update.learning_rate": ("update.learning_rate=0.01",),
    "update.minibatches": ("update.minibatches=2",),
    "update.reuse": ("update.reuse=2",),
    "update.clip_low": ("update.clip_low=0.01", *TWO_UPDATES),
    "update.clip_high": ("update.clip_high=0.01", *TWO_UPDATES),
    "update.kl_coefficient": ("update.kl_coefficient=0.5",),
    "update.truncation": ('update.truncation="mask-after"',),
    "update.warmup_steps": ("update.warmup_steps=5",),
    "update.schedule": ("update.schedule=cosine",),
    "update.advantage": ("update.advantage=rloo",),
    "update.reference": (),  # test_training_knobs: a teacher's distance is not 0
    "update.surrogate": ('update.surrogate="cispo"', *TWO_UPDATES),
    "update.focus": ('update.focus={type="high-entropy"}',),
    "update.focus.type": (CLIP_COV, 'update.focus={type="kl-cov"}', *TWO_UPDATES),
    "update.focus.share": (CLIP_COV.replace("share=0.5", "share=0.1"), CLIP_COV, *TWO_UPDATES),
    "update.focus.low": (CLIP_COV.replace("low=0.5", "low=0.1"), CLIP_COV, *TWO_UPDATES),
    "update.focus.high": (CLIP_COV.replace("}", ", high=1.5}"), CLIP_COV, *TWO_UPDATES),
    "update.focus.coefficient": (
        'update.focus={type="kl-cov", coefficient=9.0}', 'update.focus={type="kl-cov"}',
        *TWO_UPDATES,
    ),
    "update.scale_advantages": ("update.scale_advantages=false",),
    "update.average": ('update.average="limit"',),
    "update.router_loss": (
        'update.router_loss="model"', 'model.name="tiny:qwen3_moe"',
    ),
    "entropy.mode": ('entropy.mode="none"', *BELOW_TARGET),
    "entropy.target_nats": BELOW_TARGET,
    "entropy.target_share": ("entropy.target_share=0.3", 'entropy.mode="relative"'),
    "entropy.delta": ("entropy.delta=0.004", *BELOW_TARGET),
    "entropy.minimum": ("entropy.minimum=0.005", "entropy.target_nats=0.0"),
    "entropy.maximum": ("entropy.maximum=0.0005", *BELOW_TARGET),
    "entropy.initial": ("entropy.initial=0.005", *BELOW_TARGET),
    "optimizer.beta1": ("optimizer.beta1=0.5",),
    "optimizer.beta2": ("optimizer.beta2=0.5",),
    "optimizer.epsilon": ("optimizer.epsilon=0.1",),
    "optimizer.weight_decay": ("optimizer.weight_decay=10.0",),
    "optimizer.max_gradient_norm": ("optimizer.max_gradient_norm=1e-9",),
    "optimizer.type": ('optimizer.type="adamw-8bit"',),
    "optimizer.offload": (),  # tests/unit/engines/test_optimizer.py: no bit changes
    "optimizer.parameters": (  # rounds ties in another way
        'optimizer.parameters="bfloat16"', 'engine.compute="bfloat16"',
    ),
    "model.lora.rank": ("model.lora.rank=4", "model.lora.rank=16"),
    "model.lora.alpha": ("model.lora.alpha=64", "model.lora.rank=16"),
    "model.lora.frozen": ('model.lora.frozen="4bit"', "model.lora.rank=16"),
    "model.lora.targets": ('model.lora.targets=["q_proj"]', "model.lora.rank=16"),
    "engine.type": (),  # tests/cluster, as all of [engine.rollout] and [engine.learner]
    "engine.placement": (),
    "engine.sync": (),
    "engine.restarts": (),
    "engine.rollout.type": (),
    "engine.rollout.replicas": (),
    "engine.rollout.tensor_parallel": (),
    "engine.rollout.memory_share": (),  # needs a GPU
    "engine.offload": (),  # tests/unit/engines/test_turns.py; the memory needs a GPU
    "engine.rollout.timeout_s": (),
    "engine.learner.ranks": (),
    "engine.learner.sequence_parallel": (),
    "engine.learner.timeout_s": (),
    "pipeline.staleness": (),  # tests/unit/loop/test_pipelined.py, as its fellows
    "pipeline.correction": (),
    "pipeline.cap": (),
    "engine.device": (),  # needs a second device; not confirmed on a GPU
    "engine.threads": ("engine.threads=2",),
    "engine.token_budget": ("engine.token_budget=60",),
    "engine.compute": ('engine.compute="bfloat16"',),
    "engine.recompute": (),  # memory only: the gradient must not depend on it (test_gradient)
    "engine.max_rows": (),  # memory only: what is sampled must not depend on it (contract)
    "verify.workers": (),  # speed only
    "verify.deadline_s": (),  # tests/unit/verify/test_verify_pool.py
    "verify.unboxed": (),  # tests/unit/verify/test_verify_policy.py
    **dict.fromkeys(  # tests/unit/verify/test_sandbox.py
        (
            "verify.code.time_s", "verify.code.memory_mb", "verify.code.problem_s",
            "verify.code.stop_early", "verify.code.reward", "verify.code.isolation",
        ), ()),
    "verify.max_failed_share": (),  # tests/unit/test_rollout.py
    "checkpoint.every": ("checkpoint.every=4",),
    "checkpoint.best": ("checkpoint.best=train", "suite.1.every=1"),
    "checkpoint.keep": ("checkpoint.keep=1",),
    "record.tokens": (),  # test_replay_command: sums have no lists
    "doctor.stop_on": (),  # test_doctor: its rule ends a run
    "trackers": (),  # tests/unit/test_trackers.py
    "suite": ("suite=[]",),
    "suite.name": ('suite.1.name="other"',),
    "suite.sources": (SUITE.replace("4", "3"),),
    "suite.k": ("suite.1.k=3",),
    "suite.temperature": ("suite.1.temperature=0.5",),
    "suite.top_p": ("suite.1.top_p=0.5",),
    "suite.top_k": ("suite.1.top_k=2",),
    "suite.min_p": ("suite.1.min_p=0.5",),
    "suite.seed": ("suite.1.seed=2",),
    "suite.max_new_tokens": ("suite.1.max_new_tokens=3",),
    "suite.limit": ("suite.1.limit=7",),
    "suite.every": ("suite.1.every=1",),
    "stage.name": ('stage.1.name="first"',),
    "stage.steps": ("stage.1.steps=1",),
    "stage.plateau": ("stage.1.plateau={window=1, min_gain=9.0}", "stage.1.steps=4"),
    "stage.plateau.window": (
        "stage.1.plateau={window=2, min_gain=9.0}", "stage.1.plateau={window=1, min_gain=9.0}",
        "stage.1.steps=4",
    ),
    "reward": (rewards('{type="verifier"}, {type="repetition"}'),),
    "reward.type": (rewards('{type="language"}'), rewards('{type="overlong", buffer=9}')),
    "reward.name": (rewards('{type="overlong", buffer=9, name="long"}'), OVERLONG),
    "reward.weight": (rewards('{type="overlong", buffer=9, weight=0.5}'), OVERLONG),
    "reward.combine": (
        rewards('{type="verifier"}, {type="language", combine="gate"}'),
        rewards('{type="verifier"}, {type="language"}'),
    ),
    "reward.bounds": (rewards('{type="overlong", buffer=9, bounds=[-0.1, 0]}'), OVERLONG),
    "reward.buffer": (rewards('{type="overlong", buffer=3}'), OVERLONG),
    "reward.limit": (rewards('{type="overlong", buffer=9, limit=20}'), OVERLONG),
    "reward.thought": (
        rewards('{type="format", box=false, thought="optional"}'),
        rewards('{type="format", box=false}'),
    ),
    "reward.box": (
        rewards('{type="format", thought="optional", box=false}'),
        rewards('{type="format", thought="optional"}'),
    ),
    "reward.words": (rewards('{type="repetition", words=1}'), rewards('{type="repetition"}')),
    "reward.script": (
        rewards('{type="language", script="han"}'), rewards('{type="language"}'),
    ),
    "reward.function": (),  # the next four: tests/unit/reward/test_pool.py, e2e/test_own_reward.py
    "reward.batch": (),
    "reward.workers": (),
    "reward.deadline_s": (),
    # e2e/test_judge.py and unit/reward/test_judge.py
    **dict.fromkeys(
        (
            "reward.url", "reward.model", "reward.key_variable", "reward.rubric", "reward.scale",
            "reward.votes", "reward.shows_key", "reward.shows_thought", "reward.temperature",
            "reward.max_tokens", "reward.concurrency", "reward.timeout_s", "reward.attempts",
            "reward.budget",
        ),
        (),
    ),
    "reward.letters": (),  # tests/unit/reward/test_shipped.py
    "stage.plateau.min_gain": (
        "stage.1.plateau={window=1, min_gain=9.0}", "stage.1.plateau={window=1, min_gain=-9.0}",
        "stage.1.steps=4",
    ),
    "stage.optimizer_state": ('stage.2.optimizer_state="reset"',),
    "stage.entropy_state": ('stage.2.entropy_state="reset"', *BELOW_TARGET),
    "stage.drop_solved": (),  # tests/unit/loop/test_trainer.py, and the resume test runs with it
}  # fmt: skip


# tables that are knobs themselves: given or not
NAMED = {
    "data.sources",
    "data.difficulty",
    "update.focus",
    "suite",
    "reward",
    "suite.sources",
    "stage.plateau",
}


def leaves(model: type[BaseModel], at: str = "") -> Iterator[str]:
    """Yield every field of the tree by its dotted name, without the places in lists."""
    for name, field in model.model_fields.items():
        inner = list(models_in(field.annotation))
        if not inner or f"{at}{name}" in NAMED:
            yield f"{at}{name}"
        for one in inner:
            yield from leaves(one, f"{at}{name}.")


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (tuple, Union, UnionType) or hasattr(annotation, "__metadata__"):
        for part in get_args(annotation):
            yield from models_in(part)


def test_every_field_is_listed_here():
    # a stage repeats the recipe's own tables, a suite the sources
    found = {
        name
        for name in leaves(Recipe)
        if not name.startswith(
            ("stage.data", "stage.rollout", "stage.update", "stage.entropy.", "suite.sources.")
        )
    }
    assert found == KNOBS.keys()


_seen: dict[tuple[str, ...], object] = {}


def recorded(overrides: tuple[str, ...], tmp_path_factory) -> object:
    """Run the tiny recipe with overrides and return all that it wrote; runs are shared."""
    if overrides not in _seen:
        directory = tmp_path_factory.mktemp("knobs") / "run"
        train(load_recipe(RECIPES / "tiny.toml", overrides), directory, Console())
        summary = json.loads((directory / "summary.json").read_text())
        for timed in ("train_wall_s", "finished_at"):
            summary.pop(timed)
        _seen[overrides] = (
            summary,
            metrics_of(directory),
            rollouts_of(directory),
            (directory / "evaluations.jsonl").read_text() if summary["suites"] else "",
            sorted(path.name for path in (directory / "checkpoints").iterdir()),
        )
    return _seen[overrides]


@pytest.mark.slow
@pytest.mark.parametrize("knob", [name for name, change in KNOBS.items() if change])
def test_every_knob_changes_what_is_recorded(knob, tmp_path_factory):
    change, *needed = KNOBS[knob]
    before = recorded((*BASE, *needed) if change not in needed else BASE, tmp_path_factory)
    assert recorded((*BASE, *needed, change), tmp_path_factory) != before
