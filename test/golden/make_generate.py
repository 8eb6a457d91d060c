#!/usr/bin/env python3
"""Makes the golden cases of generating models with Hugging Face's transformers: for each NAME.json
(keys, compiler options, prompt, the tokens that follow it greedily) and NAME.safetensors (the prompt's
ids and PyTorch's logits after it, computed in f64 and rounded to f32).

    python3 test/golden/make_generate.py      # needs torch, transformers, numpy (PyPI)
"""
import json
import pathlib

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
GPT2 = GPT2Config(vocab_size=VOCAB, n_embd=64, n_head=4, n_layer=2, n_positions=MAX_LEN)

CASES = {
    # name: (model, source and options, scales of weights, without which one token wins always)
    "llama": (
        lambda: LlamaForCausalLM(LLAMA),
        ["llama.nn", "--set", f"vocab={VOCAB}", "--set", "dim=64", "--set", "ffn=112", "--set", "depth=2",
         "--set", "heads=4", "--set", "kv_heads=2", "--set", f"max_len={MAX_LEN}"],
        {},
    ),
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
    state = model.state_dict()
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    keys = {k: [list(v.shape), "float32"] for k, v in state.items() if k not in tied}
    case = {"options": options, "inputs": ["ids"], "outputs": ["output"], "keys": keys, "scales": scales}
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
    for name, case in CASES.items():
        make(name, *case)
