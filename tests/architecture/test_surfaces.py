"""What others import from the package changes on purpose: in this file and in CHANGELOG.md."""

from __future__ import annotations

import ast
from collections import defaultdict

import reasonrl.recipe
import reasonrl.verify
from tests.conftest import REPOSITORY

SOURCE = REPOSITORY / "src" / "reasonrl"
TREES = {
    path.relative_to(SOURCE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(SOURCE.rglob("*.py"))
}

VERIFY = """
    DEFAULT_DEADLINE_S CodeOptions Explanation Isolation Rung Verifier VerifyItem VerifyReport
    averify explain verify verify_batch verify_file
"""

RECIPE = """
    NAME ArithmeticSource Benchmark CheckpointConfig ClipCov CodeBenchmark CodeConfig DataConfig
    DifficultyFilter EngineBase EngineConfig EntropyConfig EvalRecipe FileSource Focus
    FunctionsSource GivenSource GymSource HighEntropy KlCov LearnerRanks LiveCodeBench
    InProcessVllm LocalEngineConfig LoraConfig
    MathBenchmark ModelConfig OptimizerConfig OwnModule PipelineConfig Plateau RayEngineConfig
    Recipe RolloutConfig RolloutReplicas Settings Source Stage Strict Suite UpdateConfig
    VerifyConfig check_test_halves eval_recipe_of source_labels test_halves
    ChoiceReward Component FormatReward FunctionReward HubSource LanguageReward LengthReward
    JudgeReward OverlongReward PromptConfig RepetitionReward Reward VerifierReward
"""


def test_the_surface_of_verify_is_frozen():
    assert set(reasonrl.verify.__all__) == set(VERIFY.split())


def test_the_surface_of_recipe_is_frozen():
    assert set(reasonrl.recipe.__all__) == set(RECIPE.split())


def test_what_a_surface_lists_is_there():
    for module in (reasonrl.verify, reasonrl.recipe):
        assert len(set(module.__all__)) == len(module.__all__)
        assert not [name for name in module.__all__ if not hasattr(module, name)]


def test_a_public_class_name_means_one_class():
    homes = defaultdict(list)
    for path, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path)
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}


def test_every_module_says_what_it_does():
    assert not [path for path, tree in TREES.items() if not ast.get_docstring(tree)]
