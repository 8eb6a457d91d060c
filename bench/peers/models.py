"""The models in PyTorch. `checkpoint()` has the keys that the examples declare; `forward` takes the inputs and returns the
outputs of the example's entry point, by position, and computes neither more nor less."""
import torch
import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def checkpoint(self):
        return self.state_dict()

    def refine(self):
        """After a copy to higher precision: what is computed rather than learnt is computed anew in it."""


class Library(Model):
    """A module of a library; `pick` takes what the example returns from its result."""

    def __init__(self, module, pick=lambda result: result, dropped=(), **options):
        super().__init__()
        self.module, self.pick, self.dropped, self.options = module, pick, set(dropped), options

    def forward(self, *inputs):
        return self.pick(self.module(*inputs, **self.options))

    def checkpoint(self):
        return {k: v for k, v in self.module.state_dict().items() if k not in self.dropped}


class Bert(Model):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, ids, kind):
        result = self.model(input_ids=ids, token_type_ids=kind)
        return result.last_hidden_state, result.pooler_output

    def checkpoint(self):
        return self.model.state_dict()


class MLP(Model):
    def __init__(self, hidden=512):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
        )

    def forward(self, x):
        return self.layers(x).softmax(-1)


class MnistNet(Model):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), 1)


class CifarNet(Model):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3)
        self.fc1, self.fc2 = nn.Linear(64 * 6 * 6, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Series(Model):
    def __init__(self, features=256, hidden=1024, classes=2):
        super().__init__()
        self.lstm, self.fc = nn.LSTM(features, hidden, batch_first=True), nn.Linear(hidden, classes)

    def forward(self, x):
        return self.fc(self.lstm(x)[0][:, -1])


class Decoder(Model):
    """Llama over a cache of fixed size in plain PyTorch, so that no framework's overhead counts against it."""

    def __init__(self, depth, dim, heads, kv_heads, ffn, vocab, length, theta=500_000.0):
        super().__init__()
        self.depth, self.dim, self.heads, self.kv_heads = depth, dim, heads, kv_heads
        self.length, self.head = length, dim // heads
        self.embedding = nn.Embedding(vocab, dim)
        self.qkv = self.weights(dim + 2 * kv_heads * self.head, dim)
        self.out, self.gate_up, self.down = self.weights(dim, dim), self.weights(2 * ffn, dim), self.weights(dim, ffn)
        self.norm1 = nn.ParameterList([nn.Parameter(torch.ones(dim)) for _ in range(depth)])
        self.norm2 = nn.ParameterList([nn.Parameter(torch.ones(dim)) for _ in range(depth)])
        self.norm = nn.Parameter(torch.ones(dim))
        cache = depth, 1, kv_heads, length, self.head
        self.register_buffer("k", torch.zeros(cache))
        self.register_buffer("v", torch.zeros(cache))
        self.theta = theta
        self.register_buffer("cos", torch.zeros(length, self.head))
        self.register_buffer("sin", torch.zeros(length, self.head))
        self.refine()
        self.register_buffer("position", torch.zeros(1, dtype=torch.long))  # of the token, set by `fill`

    def weights(self, rows, columns):
        return nn.ParameterList([nn.Parameter(torch.randn(rows, columns) * 0.02) for _ in range(self.depth)])

    def refine(self):
        rate = 1.0 / self.theta ** (torch.arange(0, self.head, 2).double() / self.head)
        angle = torch.outer(torch.arange(self.length).double(), rate)
        self.cos.copy_(torch.cat([angle.cos(), angle.cos()], -1))
        self.sin.copy_(torch.cat([angle.sin(), angle.sin()], -1))

    def rotate(self, x, at):
        half = self.head // 2
        return x * self.cos[at] + torch.cat([-x[..., half:], x[..., :half]], -1) * self.sin[at]

    def split(self, x, heads):
        return x.view(1, -1, heads, self.head).transpose(1, 2)

    def forward(self, ids, at=None):
        at = self.position if at is None else at
        x = self.embedding(ids)
        shown = (torch.arange(self.length, device=ids.device)[None] <= at[:, None])[None, None]
        width = self.kv_heads * self.head
        for i in range(self.depth):
            h = F.rms_norm(x, (self.dim,), self.norm1[i], 1e-5)
            q, k, v = (h @ self.qkv[i].t()).split([self.dim, width, width], -1)
            self.k[i].index_copy_(2, at, self.rotate(self.split(k, self.kv_heads), at))
            self.v[i].index_copy_(2, at, self.split(v, self.kv_heads))
            q = self.rotate(self.split(q, self.heads), at)
            a = F.scaled_dot_product_attention(q, self.k[i], self.v[i], attn_mask=shown, enable_gqa=True)
            x = x + a.transpose(1, 2).reshape(1, -1, self.dim) @ self.out[i].t()
            gate, up = (F.rms_norm(x, (self.dim,), self.norm2[i], 1e-5) @ self.gate_up[i].t()).chunk(2, -1)
            x = x + (F.silu(gate) * up) @ self.down[i].t()
        return F.rms_norm(x[:, -1], (self.dim,), self.norm, 1e-5) @ self.embedding.weight.t()

    def fill(self, ids):
        """Puts a prompt into the cache; `forward` then decodes the token after it, over and over."""
        self(ids, torch.arange(ids.shape[1], device=ids.device))
        self.position.fill_(ids.shape[1])

    def checkpoint(self):
        kv = self.kv_heads * self.head
        keys = {"model.embed_tokens.weight": self.embedding.weight, "model.norm.weight": self.norm}
        for i in range(self.depth):
            at = f"model.layers.{i}."
            q, k, v = self.qkv[i].split([self.dim, kv, kv])
            gate, up = self.gate_up[i].chunk(2)
            keys |= {
                at + "self_attn.q_proj.weight": q, at + "self_attn.k_proj.weight": k, at + "self_attn.v_proj.weight": v,
                at + "self_attn.o_proj.weight": self.out[i], at + "mlp.gate_proj.weight": gate,
                at + "mlp.up_proj.weight": up, at + "mlp.down_proj.weight": self.down[i],
                at + "input_layernorm.weight": self.norm1[i], at + "post_attention_layernorm.weight": self.norm2[i],
            }
        return {k: v.detach() for k, v in keys.items()}


def randomize(model):
    """Norm statistics that matter and heads that are not zero; the rest as the library draws it."""
    for module in model.modules():
        if isinstance(module, nn.Linear) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.05)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
    return model.eval().requires_grad_(False)
