#!/usr/bin/env python3
"""Makes the golden cases of generating models with Hugging Face's transformers: for each NAME.json
(keys, compiler options, prompt, the tokens that follow it greedily) and NAME.safetensors (the prompt's
ids and PyTorch's logits after it, computed in f64 and rounded to f32). Where sizes are not among the
options, they are in `config`, as transformers writes it.

    python3 test/golden/make_generate.py [CASE ...]     # needs torch, transformers, numpy (PyPI)
"""
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from weights import draw_all, draw_input, write_safetensors

HERE = pathlib.Path(__file__).parent
VOCAB, PROMPT, NEW, MAX_LEN = 160, 9, 64, 96

LLAMA = LlamaConfig(
    vocab_size=VOCAB, hidden_size=64, intermediate_size=112, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=MAX_LEN, rms_norm_eps=1e-5, tie_word_embeddings=False,
)
# As small Llamas since 3.1 are: frequencies scaled, heads of a size of their own, one table for both ends.
LLAMA3 = LlamaConfig(
    vocab_size=VOCAB, hidden_size=64, intermediate_size=112, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=1, head_dim=24, max_position_embeddings=MAX_LEN, rms_norm_eps=1e-5,
    tie_word_embeddings=True, attention_bias=True,
    rope_parameters={"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
                     "high_freq_factor": 4.0, "original_max_position_embeddings": 24},
)
GPT2 = GPT2Config(vocab_size=VOCAB, n_embd=64, n_head=4, n_layer=2, n_positions=MAX_LEN)

CASES = {
    # name: (model, source and options, scales of weights, without which one token wins always)
    "llama": (
        lambda: LlamaForCausalLM(LLAMA),
        ["llama.nn", "--set", f"vocab={VOCAB}", "--set", "dim=64", "--set", "ffn=112", "--set", "depth=2",
         "--set", "heads=4", "--set", "kv_heads=2", "--set", f"max_len={MAX_LEN}"],
        {},
    ),
    "llama3": (lambda: LlamaForCausalLM(LLAMA3), ["llama.nn"], {"proj.weight": 2.0}),
    "gpt2": (
        lambda: GPT2LMHeadModel(GPT2),
        ["gpt2.nn", "--set", f"vocab={VOCAB}", "--set", "dim=64", "--set", "depth=2", "--set", "heads=4",
         "--set", f"max_len={MAX_LEN}"],
        {"bias": 0.1, "wte.weight": 0.4},
    ),
}


def greedy(model, ids):
    """NEW tokens, each the most likely after all before it, without any cache."""
    tokens = []
    with torch.no_grad():
        while len(tokens) < NEW:
            logits = model(torch.cat([ids, torch.tensor([tokens], dtype=torch.long)], 1)).logits[0, -1]
            best = logits.topk(2).values
            assert best[0] - best[1] > 1e-4, "too close to call in f32: draw other weights"
            tokens.append(int(logits.argmax()))
    return tokens


def make(name, model, options, scales):
    model = model()
    config = json.loads(model.config.to_json_string()) if "--set" not in options else None
    state = model.state_dict()
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    keys = {k: [list(v.shape), "float32"] for k, v in state.items() if k not in tied}
    case = {"options": options, "inputs": ["ids"], "outputs": ["output"], "keys": keys, "scales": scales}
    case |= {"config": config} if config else {}
    model.load_state_dict({k: torch.tensor(v) for k, v in draw_all(case).items()}, strict=False)
    model.tie_weights()
    model = model.double().eval()
    ids = draw_input("ids", {"shape": [1, PROMPT], "high": VOCAB})
    prompt = torch.tensor(ids).long()
    with torch.no_grad():
        logits = model(prompt).logits[:, -1]
    write_safetensors(HERE / f"{name}.safetensors", {"ids": ids, "output": logits.numpy().astype(np.float32)})
    case |= {"prompt": ids[0].tolist(), "tokens": greedy(model, prompt)}
    (HERE / f"{name}.json").write_text(json.dumps(case) + "\n")
    print(name, case["tokens"])


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        make(name, *CASES[name])
