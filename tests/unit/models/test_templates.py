"""Chat templates of every sort: what they render, how they fail, and the thoughts they begin."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from reasonrl.errors import ModelError
from reasonrl.models.template import ChatForm
from reasonrl.models.tokenizer import ChatTokenizer
from reasonrl.types import Message

SPECIAL = ("[THINK]", "[/THINK]", "<|channel|>", "<|message|>", "<|end|>", "<|start|>")
PLAIN = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
OPENING = "{% if add_generation_prompt %}%s{% endif %}"
USER = Message(role="user", content="What is  2 + 3?\n")
SYSTEM = Message(role="system", content="Be brief.")


def tokenizer(own, *, special=SPECIAL, closes=False, **form) -> ChatTokenizer:
    """A tokenizer of bytes with special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={letter: n for n, letter in enumerate(letters)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<bos>", "<eos>", *special])
    ends = " <eos>" if closes else ""
    raw.post_processor = processors.TemplateProcessing(
        single=f"<bos> $A{ends}", special_tokens=[("<bos>", 256), ("<eos>", 257)]
    )
    hf = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>", chat_template=own)
    return ChatTokenizer(hf, where="test").formed(ChatForm(**form))


def text_of(made: ChatTokenizer, *turns: Message) -> str:
    return made.hf.decode(made.encode_chat(turns or (USER,)).tokens, skip_special_tokens=False)


# failures


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages }\n", "syntax error in line 1"),
        ("a\n{% for m in messages %}{{ m.content }}", "syntax error"),
        ("{{ messages[0].content }}{{ raise_exception('no tools here') }}", "refuses .*no tools"),
        ("{{ messages[0].content }}{{ mode.deep }}", "was not given: 'mode' is undefined"),
        ("{{ messages[0].content + 1 }}", "fails with TypeError"),
        ("{{ messages[0].content }}{{ 1 / 0 }}", "fails with ZeroDivisionError"),
        ("{{ messages[0].role.strip('user') }}  \n", "renders nothing"),
        ("", "no chat template"),
        ("{{ messages[-1].content[:8] }}", "leaves out text of the user turn"),
        ("{{ messages[-1].content }}", "leaves out text of the system turn.*system_prompt"),
    ],
)
def test_each_way_in_which_a_template_fails_is_named(template, said):
    with pytest.raises(ModelError, match=said):
        tokenizer(template).encode_chat((SYSTEM, USER) if "-1].content }}" in template else (USER,))


def test_a_template_that_refuses_a_turn_says_what_to_do():
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    with pytest.raises(ModelError, match=r"refuses \['system', 'user'\]: no.*model.system_prompt"):
        tokenizer(template + PLAIN).encode_chat((SYSTEM, USER))


def test_a_base_model_is_told_of_the_plain_style():
    with pytest.raises(ModelError, match=r'prompt_style = "plain".*model\.chat_template'):
        tokenizer(None)


# forms


def test_a_template_may_want_the_parts_of_a_turn():
    parts = "{% for m in messages %}{% for p in m.content %}{{ p.text }};{% endfor %}{% endfor %}"
    assert text_of(tokenizer(parts)) == USER.content + ";"


def test_named_templates_are_chosen_by_name():
    named = {"default": "d " + PLAIN, "rag": "r " + PLAIN}
    assert text_of(tokenizer(named)).startswith("d ")
    assert text_of(tokenizer(named, name="rag")).startswith("r ")
    with pytest.raises(ModelError, match=r"no file and no template.*'rug'.*default, rag"):
        tokenizer(named, name="rug")
    with pytest.raises(ModelError, match=r"several chat templates and no default.*one of rag"):
        tokenizer({"rag": PLAIN})


def test_another_template_takes_the_place_of_the_models_own(tmp_path):
    made = tokenizer(PLAIN, template="mine " + PLAIN)
    assert text_of(made).startswith("mine ")
    made.save(str(tmp_path))
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert again.chat_template == "mine " + PLAIN
    assert made.hf.chat_template == PLAIN


def test_arguments_reach_the_template_and_unknown_ones_are_refused():
    template = PLAIN + "{% if enable_thinking is false %}quick{% endif %}"
    assert "quick" not in text_of(tokenizer(template))
    assert text_of(tokenizer(template, args={"enable_thinking": False})).endswith("quick")
    with pytest.raises(ModelError, match=r"does not use 'thinking'.*'enable_thinking'"):
        tokenizer(template, args={"thinking": False})
    with pytest.raises(ModelError, match="does not use 'tokenize'"):
        tokenizer(template + "{# tokenize #}", args={"tokenize": True})


def test_the_time_that_a_template_prints_is_the_given_one():
    made = tokenizer(
        "{{ strftime_now('%d %b %Y %H:%M') }} " + PLAIN, time=datetime(2024, 7, 26, 9, 5)
    )
    assert made.tells_time
    assert text_of(made).startswith("26 Jul 2024 09:05 ")
    assert not tokenizer(PLAIN).tells_time


@pytest.mark.parametrize("closes", [True, False])
def test_a_plain_prompt_begins_like_any_text_and_does_not_end(closes):
    made = tokenizer(None, style="plain", closes=closes)
    assert text_of(made, SYSTEM, USER) == f"<bos>Be brief.\n\n{USER.content}"
    assert not made.tells_time


# thoughts


@pytest.mark.parametrize(
    ("opening", "is_open"),
    [
        ("<think>\n", True),
        ("<think>\nOkay, so", True),
        ("<think>\n\n</think>\n\n", False),
        ("[THINK]", True),
        ("[THINK][/THINK]", False),
        ("<|channel|>analysis<|message|>", True),
        ("", False),
    ],
)
def test_a_thought_that_the_template_opens_is_open(opening, is_open):
    made = tokenizer(PLAIN + OPENING.replace("%s", opening))
    asked = Message(role="user", content="Begin with <think> or [THINK] and 2 + 2?")
    assert made.encode_chat((asked,)).opens_thought is is_open


def test_a_prompt_that_speaks_of_thoughts_opens_none():
    asked = Message(role="user", content="Put your thought behind <think>")
    assert not tokenizer(PLAIN).encode_chat((asked,)).opens_thought


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("[THINK]hm[/THINK]5<eos>", "<think>hm</think>5"),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>5",
            "<think>hmassistant</think>5",
        ),
        ("<think>hm</think>5", "<think>hm</think>5"),
        # a vocabulary without tokens for these marks means nothing by them
        ("<seed:think>hm</seed:think>5", "<seed:think>hm</seed:think>5"),
    ],
)
def test_the_marks_of_a_thought_are_read_alike_whatever_a_model_writes(written, read):
    made = tokenizer(PLAIN)
    ids = made.hf.encode(written, add_special_tokens=False)
    assert made.decode(np.array(ids, dtype=np.int32)) == read


def test_a_recipe_may_name_marks_of_its_own():
    made = tokenizer(PLAIN, thought=("(hm", "hm)"))
    ids = made.hf.encode("(hm two and three hm) 5", add_special_tokens=False)
    assert made.decode(np.array(ids, dtype=np.int32)) == "<think> two and three </think> 5"
    opened = tokenizer(PLAIN + OPENING.replace("%s", "(hm"), thought=("(hm", "hm)"))
    assert opened.encode_chat((USER,)).opens_thought


@pytest.mark.parametrize("thought", [None, ("<idea>", "</idea>")])
def test_the_id_of_unknown_words_is_no_mark_of_a_thought(thought):
    """In a vocabulary of words every unknown mark has the id of unknown words: here the last."""
    raw = Tokenizer(models.WordLevel(vocab={"<eos>": 0, "5": 1}, unk_token="<eos>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.add_special_tokens(["<eos>"])
    hf = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<eos>", chat_template=PLAIN)
    made = ChatTokenizer(hf, where="test").formed(ChatForm(thought=thought))
    assert made.decode(np.array([1, 0], dtype=np.int32)) == "5"
