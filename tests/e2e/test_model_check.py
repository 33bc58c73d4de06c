"""`reasonrl model check`: exit codes, reasons, and never a traceback."""

import json
import subprocess
import sys

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from reasonrl.models.random import build_tiny

pytestmark = pytest.mark.slow


def check(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "reasonrl", "model", "check", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


def save(directory, family="llama"):
    module, tokenizer = build_tiny(3, family=family)
    module.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def test_a_known_family_is_admitted_with_its_facts_and_distances():
    code, said = check("tiny:gemma2", "--no-ranks")
    assert code == 0
    for words in ("gemma2 (Gemma2ForCausalLM)", "<|eos|>", "QUESTION", "sequence_parallel = 1, 2"):
        assert words in said
    for way in ("packed", "cached", "plain", "exported"):
        assert f"\n  {way}" in said
    assert said.rstrip().endswith("admitted: native")


def test_an_unknown_family_is_admitted_to_the_plain_backend(tmp_path):
    tokenizer = build_tiny()[1]
    config = AutoConfig.for_model(
        "gpt2", vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=4, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    code, said = check(tmp_path)
    assert code == 0
    assert "the family gpt2 is not in the table of docs/models.md" in said
    assert said.rstrip().endswith("admitted: transformers")
    code, said = check(tmp_path, "--backend", "native")
    assert code == 1
    assert 'set model.backend = "transformers"' in said


def change_config(**changes):
    def change(directory):
        path = directory / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


REFUSED = {
    "quantised weights": (change_config(quantization_config={"quant_method": "fp8"}), "quantised"),
    "no such architecture": (change_config(model_type="no-such-thing"), "cannot load"),
    "sizes that do not fit": (change_config(num_attention_heads="four"), "cannot load"),
    "no heads": (change_config(num_attention_heads=0), "cannot load"),
    "no tokenizer": (
        lambda directory: [path.unlink() for path in directory.glob("tokenizer*")], "",
    ),
    "torn JSON": (lambda directory: (directory / "config.json").write_text("{"), "cannot load"),
    "missing weights": (
        lambda directory: (directory / "model.safetensors").unlink(), "cannot load",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_model_that_cannot_be_trained_is_refused_with_the_reason(spoil, reason, tmp_path):
    spoil(save(tmp_path))
    code, said = check(tmp_path, "--no-ranks")
    assert code == 1, said
    assert reason in said


@pytest.mark.parametrize("name", ["./nothing", "tiny:unheard", "pypi:nothing==1"])
def test_a_name_that_leads_to_no_model_is_said_so(name):
    code, said = check(name)
    assert code == 2
    assert said.startswith("error: ")


def test_a_directory_without_a_config_is_no_model(tmp_path):
    code, said = check(tmp_path)
    assert (code, "no config.json" in said) == (2, True)


def test_a_base_model_without_a_template_is_measured_with_plain_prompts(tmp_path):
    save(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    config = json.loads(path.read_text())
    config.pop("chat_template", None)
    path.write_text(json.dumps(config))
    (tmp_path / "chat_template.jinja").unlink(missing_ok=True)
    code, said = check(tmp_path, "--no-ranks")
    assert code == 0, said
    assert 'prompt_style = "plain"' in said
