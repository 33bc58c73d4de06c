"""Families that nobody prepared: what `reasonrl model check` says about three that chance draws.

    python -m benchmarks.unprepared COMMIT
    python -m benchmarks.unprepared --all

Three of the causal language models that transformers can load and that are not in the table of
`models/families.py`, drawn by `random.Random(COMMIT)`. Each gets a random model of its family, as
small as its config lets it be, beside a tokenizer of bytes. With --all every such family is asked,
which takes an hour.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from benchmarks.common import Row, report
from reasonrl.models.families import FAMILIES
from reasonrl.models.random import build_tiny, roughen

_SMALL = {
    64: ("hidden_size", "d_model", "n_embd", "dim", "embedding_size", "attention_hidden_size",
         "word_embed_proj_dim", "lru_width", "dim_model", "emb_dim", "model_dim"),
    128: ("intermediate_size", "ffn_dim", "n_inner", "d_ff", "ffn_hidden_size", "encoder_ffn_dim",
          "decoder_ffn_dim", "feed_forward_size", "shared_expert_intermediate_size", "dim_ff"),
    32: ("moe_intermediate_size", "q_lora_rank", "kv_lora_rank", "expert_intermediate_size",
         "expert_ffn_hidden_size", "mamba_d_state", "state_size", "time_step_rank"),
    16: ("head_dim", "qk_nope_head_dim", "v_head_dim", "attention_head_size", "kv_channels",
         "linear_key_head_dim", "linear_value_head_dim", "mamba_headdim", "mamba_d_head",
         "v_head_size", "qk_head_dim", "attention_head_dim", "linear_head_dim", "dim_head",
         "qk_rope_head_dim"),
    8: ("rotary_dim",),
    4: ("num_attention_heads", "n_head", "num_heads", "n_heads", "encoder_attention_heads",
        "decoder_attention_heads", "num_local_experts", "num_experts", "n_routed_experts",
        "linear_num_value_heads", "mamba_n_heads", "mamba_num_heads", "num_expert"),
    2: ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers",
        "decoder_layers", "num_key_value_heads", "num_experts_per_tok", "linear_num_key_heads",
        "num_kv_heads", "moe_topk", "moe_k", "first_k_dense_replace_"),
    1: ("n_group", "topk_group", "n_shared_experts", "mamba_n_groups", "first_k_dense_replace"),
    512: ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len",
          "context_length", "max_seq_length"),
}  # fmt: skip
"""Sizes of a small model, and the keys of configs that mean a size of this kind."""


_MOST = 50_000_000  # parameters


def save_small(family: str, directory: Path) -> None:
    """Save a small random model of a family beside a tokenizer of bytes."""
    tokenizer = build_tiny()[1]
    own = AutoConfig.for_model(family)
    text = own.get_text_config()
    keys = {
        key: size for size, names in _SMALL.items() for key in names
        if isinstance(getattr(text, key, None), int)
    }  # fmt: skip
    ends = {
        "bos_token_id": None,
        "pad_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = AutoConfig.for_model(
        text.model_type, vocab_size=len(tokenizer), is_decoder=True, **ends, **keys
    )
    with torch.device("meta"):
        outline = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    parameters = sum(parameter.numel() for parameter in outline.parameters())
    if parameters > _MOST:
        raise ValueError(f"{parameters / 1e6:.0f}M parameters by keys that are not known here")
    torch.manual_seed(0)
    module = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    roughen(module, seed=1)
    module.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def row_of(family: str) -> Row:
    """Return what the check says about a family: its exit code, its backend, its last line."""
    with tempfile.TemporaryDirectory() as place:
        try:
            save_small(family, Path(place))
        except Exception as error:  # noqa: BLE001  (any family may fail in any way)
            first = str(error).partition("\n")[0][:80]
            return {"family": family, "exit code": "-", "says": f"no small model: {first}"}
        command = [sys.executable, "-m", "reasonrl", "model", "check", place, "--no-ranks"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    lines = (done.stdout + done.stderr).strip().splitlines()
    print("\n".join([f"== {family}", *lines]), file=sys.stderr)
    return {"family": family, "exit code": done.returncode, "says": lines[-1].replace(place, "DIR")}


def main() -> None:
    """Ask about three families, or about all, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", nargs="?", default="")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    others = sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - set(FAMILIES))
    drawn = others if options.all else random.Random(options.commit).sample(others, 3)
    report([row_of(family) for family in drawn], None)


if __name__ == "__main__":
    main()
