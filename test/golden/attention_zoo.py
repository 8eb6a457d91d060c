"""The models of make.py that are built of attention, with the libraries' own modules: Hugging
Face's BERT, torchvision's ViT, torch.nn's Transformer and MultiheadAttention, in small
configurations. Each takes the inputs of its case and returns its outputs by name.
"""
import math

import torch
from torch import nn


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        from transformers import BertConfig, BertModel

        config = BertConfig(
            vocab_size=99, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
            max_position_embeddings=24, attn_implementation="eager",
        )
        self.model = BertModel(config)

    def state_dict(self, *args, **kwargs):
        return self.model.state_dict()

    def load_state_dict(self, state):
        return self.model.load_state_dict(state)

    def forward(self, ids, kind, mask):
        output = self.model(input_ids=ids, token_type_ids=kind, attention_mask=mask)
        return {"hidden": output.last_hidden_state, "pooled": output.pooler_output}


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        from torchvision.models import VisionTransformer

        self.model = VisionTransformer(32, 8, 2, 4, 48, 96, num_classes=10)

    def state_dict(self, *args, **kwargs):
        return self.model.state_dict()

    def load_state_dict(self, state):
        return self.model.load_state_dict(state)

    def forward(self, image):
        return {"logits": self.model(image)}


class Scores(nn.Module):
    """GPT-2's logits after every token."""

    def __init__(self):
        super().__init__()
        from transformers import GPT2Config, GPT2Model

        config = GPT2Config(vocab_size=50, n_embd=32, n_head=4, n_layer=2, n_positions=24, attn_implementation="eager")
        self.transformer = GPT2Model(config)

    def forward(self, ids):
        return {"logits": self.transformer(ids, use_cache=False)[0] @ self.transformer.wte.weight.T}


class Translator(nn.Module):
    def __init__(self, vocab=61, dim=32, heads=4, depth=2, ffn=48):
        super().__init__()
        self.source, self.target = nn.Embedding(vocab, dim), nn.Embedding(vocab, dim)
        self.transformer = nn.Transformer(dim, heads, depth, depth, ffn, dropout=0.0, batch_first=True)
        self.generator = nn.Linear(dim, vocab)

    @staticmethod
    def placed(x):
        steps, dim = x.shape[1:]
        like = {"dtype": x.dtype, "device": x.device}
        rate = torch.exp(torch.arange(0, dim, 2, **like) * (-math.log(10000.0) / dim))
        angle = torch.arange(steps, **like)[:, None] * rate
        places = torch.zeros(steps, dim, **like)
        places[:, 0::2], places[:, 1::2] = angle.sin(), angle.cos()
        return x * math.sqrt(dim) + places

    def forward(self, source_ids, mask, target_ids):
        hidden = mask == 0  # PyTorch's masks are true where nothing may look
        steps = target_ids.shape[1]
        later = torch.triu(torch.ones(steps, steps, dtype=torch.bool, device=target_ids.device), 1)
        decoded = self.transformer(
            self.placed(self.source(source_ids)), self.placed(self.target(target_ids)), tgt_mask=later,
            src_key_padding_mask=hidden, memory_key_padding_mask=hidden,
        )
        return {"logits": self.generator(decoded)}


class CrossAttention(nn.Module):
    """MultiheadAttention with three different inputs and both kinds of masks."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(24, 3, batch_first=True)

    def forward(self, query, key, value, shown, mask):
        hidden = (mask == 0) | (shown[:, None, :] == 0)
        hidden = hidden.repeat_interleave(3, 0)
        return {"y": self.attention(query, key, value, attn_mask=hidden)[0]}


CASES = {
    "bert": (Bert, ["bert.nn", "--set", "vocab=99", "--set", "dim=32", "--set", "heads=4", "--set", "depth=2",
                    "--set", "ffn=64", "--set", "max_len=24"],
             {"ids": {"shape": [3, 11], "high": 99}, "kind": {"shape": [3, 11], "high": 2},
              "mask": {"shape": [3, 11], "lengths": [11, 4, 7]}}),
    "vit": (ViT, ["vit.nn", "--set", "size=32", "--set", "patch=8", "--set", "dim=48", "--set", "heads=4",
                  "--set", "depth=2", "--set", "ffn=96", "--set", "classes=10"],
            {"image": {"shape": [2, 3, 32, 32]}}),
    "scores": (Scores, ["gpt2.nn", "--set", "vocab=50", "--set", "dim=32", "--set", "heads=4", "--set", "depth=2",
                        "--set", "max_len=24"],
               {"ids": {"shape": [2, 11], "high": 50}}),
    "translation": (Translator, ["translation.nn", "--set", "source_vocab=61", "--set", "target_vocab=61",
                                 "--set", "dim=32", "--set", "heads=4", "--set", "ffn=48", "--set", "depth=2"],
                    {"source_ids": {"shape": [2, 9], "high": 61}, "mask": {"shape": [2, 9], "lengths": [9, 5]},
                     "target_ids": {"shape": [2, 7], "high": 61}}),
    "attention": (CrossAttention, ["../test/golden/ops/attention.nn"],
                  {"query": {"shape": [2, 4, 24]}, "key": {"shape": [2, 9, 24]}, "value": {"shape": [2, 9, 24]},
                   "shown": {"shape": [2, 9], "lengths": [9, 5]},
                   "mask": {"shape": [2, 4, 9], "lengths": [[1, 9, 3, 4], [6, 2, 9, 5]]}}),
}
