"""An independent replay of recorded steps: plain transformers, and the paper's equations by hand.

Reads only the files of a run, and for the KL term the model that the run started from. Imports
nothing of the package, so that a fault of the package cannot hide in its own check.

A step is computed one group at a time: rows padded on the right, full logits, float32. The package
packs rows without padding, shares prompts and streams the head, so both differ by rounding alone.
"""

from __future__ import annotations

import json
import math
import statistics
import tomllib
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path

import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

# Each bound is about ten times what was measured on tiny. float32 has a relative rounding of 6e-8;
# sums over thousands of tokens in another order give the rest.
TOKEN_NATS = 2e-5  # a log-probability of one token
NATS = 3e-6  # means of log-probabilities and of entropies over the tokens of a step
MEAN = 1e-6  # other means over the tokens of a step: policy term, ratio, KL
NORM = 3e-5  # the gradient norm, relative
MOMENTS = 2e-5  # the first moment, relative L2
STEP = 1e-3  # the change of the weights, relative L2: where v is tiny, Adam divides by rounding
EXACT = 1e-12  # what is computed in float64 from the same numbers


@dataclass(kw_only=True)
class Findings:
    """What differs between the record of a step and its replay, in words."""

    step: int
    texts: list[str] = field(default_factory=list)

    def compare(self, what: str, recorded: object, replayed: object, bound: float = 0.0) -> None:
        """Note a difference beyond the bound; without one the values must be equal."""
        if isinstance(recorded, float) and isinstance(replayed, float) and bound:
            is_equal = abs(recorded - replayed) <= bound
        else:
            is_equal = recorded == replayed
        if not is_equal:
            text = f"step {self.step}: {what}: recorded {recorded}, replayed {replayed}"
            self.texts.append(text)


class Run:
    """The files of a run with the plain model that its weights are loaded into."""

    def __init__(self, directory: Path, start: Path) -> None:
        self.directory = directory
        config = tomllib.loads((directory / "config.toml").read_text())
        self.stages = {stage["name"]: stage for stage in config["stage"]}
        self.optimizer = config["optimizer"]
        lines = (directory / "metrics.jsonl").read_text().splitlines()
        self.metrics = [json.loads(line) for line in lines]
        self.tokenizer = AutoTokenizer.from_pretrained(directory / "model")
        self.model, self.reference = (_plain_model(path) for path in (directory / "model", start))
        self.start = {name: value.detach().clone() for name, value in _named(self.reference)}

    def point(self, step: int) -> dict[str, torch.Tensor]:
        """Return the tensors of a checkpoint; before the first step those of the start."""
        if step:
            directory = self.directory / "checkpoints" / f"step-{step:06d}"
            return {
                k: v for file in directory.glob("*.safetensors") for k, v in load_file(file).items()
            }
        zeros = {name: torch.zeros_like(value) for name, value in self.start.items()}
        return {
            **{f"weight.{name}": value for name, value in self.start.items()},
            **{f"adam.step.{name}": torch.tensor(0.0) for name in zeros},
            **{f"adam.exp_avg.{name}": value for name, value in zeros.items()},
            **{f"adam.exp_avg_sq.{name}": value for name, value in zeros.items()},
        }


def replay_step(run: Run, step: int) -> list[str]:
    """Compute a step again from the checkpoint before it; return what differs from the record."""
    found = Findings(step=step)
    line = run.metrics[step - 1]
    stage = run.stages[line["stage"]]
    path = run.directory / "rollouts" / f"step-{step:06d}.parquet"
    rows = pq.read_table(path).to_pylist()
    groups = [
        list(group) for _, group in groupby(rows, lambda row: row["rollout_id"].rpartition("/")[0])
    ]
    for group in groups:
        _check_prompt(found, run, group)
        _check_advantages(found, group)
    _check_rounds(found, groups, stage["rollout"])
    kept = [group for group in groups if any(_advantages(group))]
    found.compare("groups/kept", line["groups/kept"], len(kept))
    if kept:
        _replay_updates(found, run, line, stage, kept)
    return found.texts


# the rollouts


def _check_prompt(found: Findings, run: Run, group: list[dict]) -> None:
    """Encode the turns of a group's prompt again."""
    for row in group:
        ids = run.tokenizer.apply_chat_template(
            row["prompt_turns"], add_generation_prompt=True, return_dict=False
        )
        found.compare(f"prompt of {row['rollout_id']}", row["prompt_tokens"], ids)


def _advantages(group: list[dict]) -> list[float]:
    """Return (r - mean r) / (std r + 1e-6), eq. 2.5; equal rewards give 0."""
    rewards = [row["reward"] for row in group]
    if min(rewards) == max(rewards):
        return [0.0] * len(rewards)
    scale = statistics.stdev(rewards) + 1e-6
    return [(reward - statistics.fmean(rewards)) / scale for reward in rewards]


def _check_advantages(found: Findings, group: list[dict]) -> None:
    advantages = _advantages(group)
    for row, advantage in zip(group, advantages, strict=True):
        what = row["rollout_id"]
        found.compare(f"advantage of {what}", row["advantage"], advantage, EXACT)
        found.compare(f"kept {what}", row["signal"] == "kept", any(advantages))
        found.compare(f"masked {what}", row["masked"], False)


def _check_rounds(found: Findings, groups: list[list[dict]], rollout: dict) -> None:
    """Count what each round of refills asked for: as many problems as groups were missing."""
    rounds = [
        list(of_round)
        for _, of_round in groupby(groups, lambda group: group[0]["rollout_id"].split("/")[0])
    ]
    missing = rollout["prompts_per_step"]
    for number, of_round in enumerate(rounds, start=1):
        found.compare(f"groups of round {number}", len(of_round), missing)
        missing -= sum(any(_advantages(group)) for group in of_round)
    is_over = len(rounds) == 1 + rollout["refill_rounds"] or missing == 0
    found.compare("rounds are over", True, is_over)


# the updates


def _replay_updates(
    found: Findings, run: Run, line: dict, stage: dict, kept: list[list[dict]]
) -> None:
    before, after = run.point(found.step - 1), run.point(found.step)
    _load(run.model, before)
    tokens_N = sum(len(row["tokens"]) for group in kept for row in group)
    with torch.no_grad():
        old = [_scores(run.model, group)[0] for group in kept]
        ref = [_scores(run.reference, group)[0] for group in kept]
    for group, scores in zip(kept, old, strict=True):
        sampled = torch.tensor([x for row in group for x in row["logprobs"]])
        gap = float((sampled - scores).abs().max())
        found.compare(f"logprobs of {group[0]['rollout_id']}: largest gap", gap, 0.0, TOKEN_NATS)
    entropy = -float(torch.cat(old).double().mean())
    alpha = _replay_control(found, run, line, stage["entropy"], entropy)
    update, rate = stage["update"], stage["update"]["learning_rate"]
    sums = dict.fromkeys(("policy", "kl", "ratio", "clipped", "full"), 0.0)
    norms, moments = [], {k: v.clone() for k, v in before.items() if k.startswith("adam.")}
    for first, last in _parts(len(kept), update["minibatches"]):
        parts = zip(kept[first:last], old[first:last], ref[first:last], strict=True)
        norms.append(_take_update(run, list(parts), alpha, update, rate, sums, moments))
    found.compare("update/tokens", line["update/tokens"], tokens_N)
    found.compare("update/n", line["update/n"], len(norms))
    found.compare("update/learning_rate", line["update/learning_rate"], rate)
    means = {name: value / tokens_N for name, value in sums.items()}
    has_kl = update["kl_coefficient"] > 0
    found.compare("update/policy", line["update/policy"], means["policy"], MEAN)
    found.compare("update/kl", line["update/kl"], means["kl"] if has_kl else 0.0, MEAN)
    found.compare("update/ratio_mean", line["update/ratio_mean"], means["ratio"], MEAN)
    # A ratio that lies on a bound may fall on either side.
    found.compare(
        "update/clipped_share", line["update/clipped_share"], means["clipped"], 1 / tokens_N
    )
    found.compare("entropy/full_nats", line["entropy/full_nats"], means["full"], NATS)
    norm = statistics.fmean(norms)
    found.compare("update/gradient_norm", line["update/gradient_norm"], norm, NORM * norm)
    _compare_points(found, run.model, before, after, moments)


def _replay_control(found: Findings, run: Run, line: dict, control: dict, entropy: float) -> float:
    """Return alpha_k; compare it, e_k and the controller's next state (eq. 3.2)."""
    last = run.metrics[found.step - 2] if found.step > 1 else {}
    c = last.get("entropy/c", control["initial"])
    c = min(max(c, control["minimum"]), control["maximum"])
    target, is_report = control["target_nats"], control["mode"] == "report"
    is_open = entropy <= target if is_report else last.get("entropy/gate_open", True)
    alpha = c if is_open else 0.0
    if is_report:
        sign, opens = (entropy < target) - (entropy > target), entropy <= target
    else:
        sign, opens = (1 if entropy < target else -1), entropy < target
    moved = min(max(c + sign * control["delta"], control["minimum"]), control["maximum"])
    found.compare("entropy/nats", line["entropy/nats"], entropy, NATS)
    found.compare("entropy/alpha", line["entropy/alpha"], alpha, EXACT)
    found.compare("entropy/c", line["entropy/c"], moved, EXACT)
    found.compare("entropy/gate_open", line["entropy/gate_open"], opens)
    return alpha


def _parts(n_groups: int, minibatches: int) -> list[tuple[int, int]]:
    """Return the first and last group of each minibatch; none is empty."""
    n = min(minibatches, n_groups)
    return list(pairwise(round(part * n_groups / n) for part in range(n + 1)))


def _take_update(
    run: Run,
    parts: list[tuple[list[dict], torch.Tensor, torch.Tensor]],
    alpha: float,
    update: dict,
    rate: float,
    sums: dict[str, float],
    moments: dict[str, torch.Tensor],
) -> float:
    """Take one step of AdamW on eq. 3.1; add to the sums, return the gradient's norm."""
    tokens_N = sum(len(old) for _, old, _ in parts)
    run.model.zero_grad()
    for group, old, ref in parts:
        logprobs, entropy = _scores(run.model, group)
        advantages = zip(_advantages(group), group, strict=True)
        a = torch.tensor([value for value, row in advantages for _ in row["tokens"]])
        ratio = (logprobs - old).exp()
        bounded = ratio.clamp(1 - update["clip_low"], 1 + update["clip_high"])
        policy = torch.minimum(ratio * a, bounded * a)
        delta = ref - logprobs
        k3 = delta.exp() - delta - 1
        objective = policy + alpha * entropy - update["kl_coefficient"] * k3
        (-objective.sum() / tokens_N).backward()
        sums["policy"] += float(policy.detach().double().sum())
        sums["kl"] += float(k3.detach().double().sum())
        sums["ratio"] += float(ratio.detach().double().sum())
        sums["clipped"] += float((bounded * a < ratio * a).sum())
        sums["full"] += float(entropy.detach().double().sum())
    return _adamw(run.model, run.optimizer, rate, moments)


def _adamw(
    model: torch.nn.Module, optimizer: dict, rate: float, moments: dict[str, torch.Tensor]
) -> float:
    """Clip the gradient, step, and return the norm before the clip."""
    norm = math.sqrt(sum(float(p.grad.double().square().sum()) for _, p in _named(model)))
    scale = min(1.0, optimizer["max_gradient_norm"] / (norm + 1e-6))
    beta1, beta2 = optimizer["beta1"], optimizer["beta2"]
    with torch.no_grad():
        for name, weight in _named(model):
            gradient = weight.grad * scale
            n, m, v = (moments[f"adam.{part}.{name}"] for part in ("step", "exp_avg", "exp_avg_sq"))
            n += 1
            m.mul_(beta1).add_(gradient, alpha=1 - beta1)
            v.mul_(beta2).add_(gradient.square(), alpha=1 - beta2)
            m_hat, v_hat = m / (1 - beta1 ** int(n)), v / (1 - beta2 ** int(n))
            weight.mul_(1 - rate * optimizer["weight_decay"])
            weight.sub_(rate * m_hat / (v_hat.sqrt() + optimizer["epsilon"]))
    return norm


def _compare_points(
    found: Findings,
    model: torch.nn.Module,
    before: dict[str, torch.Tensor],
    after: dict[str, torch.Tensor],
    moments: dict[str, torch.Tensor],
) -> None:
    """Compare the weights and moments after a step with those of its checkpoint."""
    off = moved = m_off = m_all = 0.0
    for name, weight in _named(model):
        target = after[f"weight.{name}"]
        off += float((weight.detach() - target).double().square().sum())
        moved += float((before[f"weight.{name}"] - target).double().square().sum())
        m_target = after[f"adam.exp_avg.{name}"]
        m_off += float((moments[f"adam.exp_avg.{name}"] - m_target).double().square().sum())
        m_all += float(m_target.double().square().sum())
        found.compare(
            f"Adam's step of {name}",
            float(after[f"adam.step.{name}"]),
            float(moments[f"adam.step.{name}"]),
        )
    found.compare("tensors", sorted(after), sorted(before))
    found.compare("weights: distance of the step", math.sqrt(off / moved), 0.0, STEP)
    found.compare("first moments: distance", math.sqrt(m_off / m_all), 0.0, MOMENTS)


# the plain model


def _plain_model(path: Path) -> torch.nn.Module:
    model = AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    # A token that pads in some other program is a token like any other in a prompt.
    model.model.embed_tokens.padding_idx = None
    return model


def _named(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    return list(model.named_parameters())


def _load(model: torch.nn.Module, point: dict[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, weight in _named(model):
            weight.copy_(point[f"weight.{name}"])


def _scores(model: torch.nn.Module, group: list[dict]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log-probabilities and entropies of a group's sampled tokens, rollout by rollout."""
    rows = [row["prompt_tokens"] + row["tokens"] for row in group]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    logits = model(input_ids=ids, attention_mask=mask).logits.float()
    logprobs = logits.log_softmax(-1)
    entropies = -(logprobs.exp() * logprobs).sum(-1)
    chosen, full = [], []
    for number, row in enumerate(group):
        first = len(row["prompt_tokens"]) - 1
        at = torch.arange(first, first + len(row["tokens"]))
        chosen.append(logprobs[number, at, torch.tensor(row["tokens"])])
        full.append(entropies[number, at])
    return torch.cat(chosen), torch.cat(full)
