"""A thought that the template opened: its marks survive decoding, and it must be closed."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.rollout.problems import EncodedProblem, encode_problems, item_of
from reasonrl.types import Kind, Message, Problem, Status, StopReason
from reasonrl.verify import Verifier

TEMPLATE = (
    "{% for m in messages %}{{ m.content }} {% endfor %}"
    "{% if add_generation_prompt %}<think>{% endif %}"
)
WORDS = ["<eos>", "<think>", "</think>", "\\boxed{5}", "hm", "add"]


@pytest.fixture(params=[True, False], ids=["special", "plain"])
def tokenizer(request: pytest.FixtureRequest) -> ChatTokenizer:
    """A tokenizer of whole words whose marks are special tokens, or plain ones."""
    raw = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="hm"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.add_special_tokens(WORDS[:3] if request.param else WORDS[:1])
    hf = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>", chat_template=TEMPLATE)
    return ChatTokenizer(hf, where="test")


@pytest.fixture
def encoded(tokenizer: ChatTokenizer) -> EncodedProblem:
    message = Message(role="user", content="add")
    problem = Problem(id="p", prompt=(message,), answer="5", kind=Kind.MATH)
    return encode_problems([problem], tokenizer, system_prompt=None)[0]


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("hm </think> \\boxed{5} <eos>", Status.CORRECT),
        ("hm \\boxed{5} <eos>", Status.TRUNCATED),
        ("<think> hm \\boxed{5} <eos>", Status.TRUNCATED),
    ],
)
def test_only_what_follows_a_closed_thought_is_graded(
    tokenizer: ChatTokenizer, encoded: EncodedProblem, words: str, status: Status
) -> None:
    tokens = np.array([WORDS.index(word) for word in words.split()], dtype=np.int32)

    item = item_of(encoded, tokenizer.decode(tokens), StopReason.STOP)

    assert item.opens_thought
    assert "<eos>" not in item.response
    with Verifier() as verifier:
        assert verifier.verify_batch([item])[0].status is status


def test_a_prompt_without_an_open_thought_asks_for_none() -> None:
    problem = Problem(id="p", prompt=(), answer="5", kind=Kind.MATH)
    prompt = EncodedProblem(problem=problem, tokens=np.array([5], dtype=np.int32))

    assert not item_of(prompt, "\\boxed{5}", StopReason.STOP).opens_thought
