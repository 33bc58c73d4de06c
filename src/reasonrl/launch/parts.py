"""The parts that training and evaluation have in common: the engine, the verifier, the judge.

The only module that names a concrete engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from reasonrl.config import CodeConfig, EngineConfig, OptimizerConfig, VerifyConfig
from reasonrl.engines.local import LocalEngine, OptimizerSettings
from reasonrl.models.hf import LanguageModel
from reasonrl.rollout import Answer, Judge
from reasonrl.types import Verdict
from reasonrl.verify import CodeOptions, Isolation, Verifier, VerifyItem


def local_engine(
    model: LanguageModel,
    engine: EngineConfig,
    optimizer: OptimizerConfig,
    *,
    keep_reference: bool = False,
) -> LocalEngine:
    """Return the engine that samples and learns in this process."""
    return LocalEngine(
        model,
        OptimizerSettings(
            betas=(optimizer.beta1, optimizer.beta2),
            epsilon=optimizer.epsilon,
            weight_decay=optimizer.weight_decay,
            max_gradient_norm=optimizer.max_gradient_norm,
        ),
        compute=engine.compute,
        recompute=engine.recompute,
        token_budget=engine.token_budget,
        max_rows=engine.max_rows,
        keep_reference=keep_reference,
    )


def make_verifier(config: VerifyConfig) -> Verifier:
    """Return a verifier as a recipe's `[verify]` table asks for it."""
    return Verifier(
        workers=config.workers,
        deadline_s=config.deadline_s,
        unboxed=config.unboxed,
        code=_code_options(config.code),
    )


def judge_with(verifier: Verifier) -> Judge:
    """Return the judge that the rollouts ask."""

    def judge(answers: Sequence[Answer]) -> list[Verdict]:
        return verifier.verify_batch(
            [
                VerifyItem(task=answer.task, response=answer.text, stop_reason=answer.stop)
                for answer in answers
            ]
        )

    return judge


def _code_options(config: CodeConfig) -> CodeOptions:
    settings = config.model_dump()
    return CodeOptions(**settings | {"isolation": Isolation(config.isolation)})
