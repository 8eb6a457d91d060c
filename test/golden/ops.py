"""PyTorch's side of the models in ops/: every option of the operations that PyTorch has too."""
import torch
from torch import nn
from torch.nn import functional as F


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.grouped = nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2)
        self.depthwise = nn.Conv2d(4, 8, 3, 1, 1, 1, 4, bias=False)
        self.same = nn.Parameter(torch.zeros(3, 4, 4, 3))
        self.uneven = nn.Parameter(torch.zeros(2, 4, 2, 2))
        self.signal = nn.Conv1d(4, 6, 3, 2, 2, 2, 2)
        self.up = nn.ConvTranspose2d(4, 3, 2, 2)
        self.wide = nn.ConvTranspose2d(4, 6, (3, 4), (2, 3), (1, 2), (1, 2), 2)
        self.far = nn.ConvTranspose2d(4, 2, 3, 2, bias=False, dilation=(2, 3))
        self.near = nn.ConvTranspose2d(4, 4, 3, padding=1, groups=4)
        self.stretched = nn.ConvTranspose1d(4, 2, 5, 3, 1)

    def forward(self, x):
        row = x[:, :, 0]
        return {
            "grouped_y": self.grouped(x),
            "depthwise_y": self.depthwise(x),
            "same_y": F.conv2d(x, self.same, padding="same"),
            "uneven_y": F.conv2d(F.pad(x, (0, 1, 2, 0)), self.uneven),
            "signal_y": self.signal(row),
            "up_y": self.up(x),
            "wide_y": self.wide(x),
            "far_y": self.far(x),
            "near_y": self.near(x),
            "stretched_y": self.stretched(row),
        }


class Pools(nn.Module):
    def forward(self, x):
        row = x[:, :, 0]
        return {
            "largest": F.max_pool2d(x, (3, 2), 2, (1, 0)),
            "spread": F.max_pool2d(x, 3, 1, 1, 2),
            "rounded": F.max_pool2d(x, 2, 3, 1, ceil_mode=True),
            "mean_y": F.avg_pool2d(x, 3, 2, 1),
            "inside": F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
            "partial": F.avg_pool2d(x, 3, 2, 1, ceil_mode=True),
            "partial_inside": F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
            "signal": F.max_pool1d(row, 2),
            "global_y": x.mean((2, 3)),
            "doubled": F.interpolate(x, scale_factor=(2, 3)),
            "resized": F.interpolate(x, (5, 13)),
            "smooth": F.interpolate(x, scale_factor=2, mode="bilinear"),
            "corners": F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
            "shrunk": F.interpolate(x, (4, 5), mode="bilinear"),
            "longer": F.interpolate(row, scale_factor=2, mode="linear"),
        }


class Order(nn.Module):
    def forward(self, x, w, ids):
        v = (w @ w.T).sum(1).expand(x.shape[0], len(ids), -1)
        greatest, every = x.topk(3), x.topk(6)
        put = x.clone()
        for i, row in enumerate(ids):  # the last of equal ones wins
            put[:, row] = v[:, i]
        return {
            "sums": x.cumsum(1),
            "short_sums": x.cumsum(-1),
            "greatest": greatest.values,
            "places": greatest.indices,
            "sorted": every.values,
            "order": every.indices,
            "along": x.topk(2, 1).values,
            "put": put,
            "added": x.index_add(1, ids, v),
            "flipped": x.flip(1, 2),
            "chain": torch.einsum("bnd,de,fe->bn", x, w, w),
            "diagonal": torch.einsum("dd->d", w @ w.T),
            "hot": F.one_hot(ids, 9).float(),
        }


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.group = nn.GroupNorm(2, 4)
        self.instance, self.affine = nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, affine=True)
        self.batch = nn.BatchNorm1d(4)
        self.slope, self.slopes = nn.PReLU(), nn.PReLU(4)

    def forward(self, x):
        functions = [F.relu6, F.leaky_relu, F.elu, F.selu, F.hardsigmoid, F.hardswish, F.softplus, F.mish]
        functions += [F.silu, F.gelu, nn.GELU("tanh"), torch.sign]
        return {
            "group_y": self.group(x),
            "instance_y": self.instance(x),
            "affine_y": self.affine(x),
            "batch_y": self.batch(x[:, :, 0]),
            "batch_rows": self.batch(x[:, :, 0, 0]),
            "slope_y": self.slope(x),
            "slopes_y": self.slopes(x),
            "activations": torch.stack([f(4 * x) for f in functions]),
            "parts": F.adaptive_avg_pool2d(x, (2, 3)),
            "deviation": x.var((0, 2, 3), correction=0)[:, None],
            "spread": x.amax((0, 1, 3)) - x.amin((0, 1, 3)),
        }


class Borders(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.lstm, self.gru = nn.RNNCell(4, 3), nn.LSTMCell(4, 3), nn.GRUCell(4, 3)

    def forward(self, x):
        height, width = x.shape[2:]
        point, h, c = x[:, :, 0, 0], x[:, 1:, 1, 0], x[:, 1:, 2, 0]
        lstm_h, lstm_c = self.lstm(point, (h, c))
        functions = [lambda x: F.celu(x, 1.3), F.logsigmoid, F.softsign, F.tanhshrink, F.hardshrink]
        functions += [lambda x: F.softshrink(x, 0.7), lambda x: F.hardtanh(x, -1, 2), lambda x: F.threshold(x, 0.1, 20)]
        small = 1e-4 * x
        exact = [1e4 * f(small) for f in (F.elu, F.selu, F.celu, torch.expm1, torch.log1p)]
        exact += [1e6 * f(x - 15) for f in (F.softplus, F.mish)]
        return {
            "reflected": F.pad(x, (2, 0, 1, 2), "reflect"),
            "replicated": F.pad(x, (0, 4, 3, 1), "replicate"),
            "circular": F.pad(x, (2, 2, 1, 3), "circular"),
            "multiple": F.pad(x, (width % 2, 3, 0, -height % 4), value=2),
            "rolled": x.roll((1, 2, -1), (1, 2, 3)),
            "uneven": F.adaptive_avg_pool2d(x, (3, 4)),
            "peaks": F.adaptive_max_pool2d(x, (2, 3)),
            "signal": F.adaptive_avg_pool1d(x[:, :, 0], 3),
            "shuffled": F.channel_shuffle(x, 2),
            "pixels": F.pixel_shuffle(x, 2),
            "unit": F.normalize(x),
            "cosine": F.cosine_similarity(x, x.flip(2)),
            "lse": x.logsumexp(2),
            "lower": x.tril(1),
            "upper": x.triu(-1),
            "gated": F.glu(x, 1),
            "activations": torch.stack([f(4 * x) for f in functions]),
            "exact": torch.stack(exact),
            "rnn_h": self.rnn(point, h),
            "lstm_h": lstm_h,
            "lstm_c": lstm_c,
            "gru_h": self.gru(point, h),
        }


def response(x, *options):
    """Of 16 bits in f32: PyTorch has no bf16 for it on the CPU."""
    wide = x if x.dtype == torch.float64 else x.float()
    return F.local_response_norm(wide, *options).to(x.dtype)


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.over, self.plain = nn.LayerNorm([2, 6]), nn.LayerNorm(6, elementwise_affine=False)
        self.unbiased = nn.LayerNorm(6, bias=False)
        self.root = nn.RMSNorm([4, 2, 6], eps=1e-6)
        self.group = nn.GroupNorm(2, 4)
        self.instance = nn.InstanceNorm1d(4, affine=True)
        self.both = nn.Bilinear(6, 5, 3)
        options = {"dim_feedforward": 10, "batch_first": True}
        self.encoder = nn.TransformerEncoderLayer(6, 2, **options)
        self.early = nn.TransformerEncoderLayer(6, 3, activation="gelu", norm_first=True, bias=False, **options)
        self.decoder = nn.TransformerDecoderLayer(6, 2, activation=F.silu, layer_norm_eps=1e-3, **options)
        self.first = nn.TransformerDecoderLayer(6, 2, norm_first=True, **options)

    def forward(self, x, ids):
        row, rows, memory = x[:, :, 0], x[:, :, 1], x[:, 1:, 0]
        seen = torch.tensor([[True, True, False, True], [True, False, True, True]])
        causal = nn.Transformer.generate_square_subsequent_mask(4, dtype=x.dtype)
        functions = [torch.ceil, torch.trunc, torch.tan, torch.sinh, torch.cosh, torch.exp2, torch.square]
        functions += [lambda x: torch.log2(x.abs()), lambda x: torch.log10(x.abs()), torch.reciprocal]
        functions += [lambda x: F.softmin(x, 1)]
        chance, wanted = row.sigmoid(), rows.sigmoid()
        losses = [F.l1_loss(row, rows), F.smooth_l1_loss(row, rows, beta=0.7), F.huber_loss(row, rows, delta=0.4)]
        losses += [F.kl_div(chance.log(), wanted), F.kl_div(chance.log(), wanted, reduction="batchmean")]
        losses += [F.binary_cross_entropy(chance, wanted)]
        return {
            "over_y": self.over(x),
            "plain_y": self.plain(x),
            "unbiased_y": self.unbiased(x),
            "root_y": self.root(x),
            "group_3d": self.group(row),
            "group_2d": self.group(x[:, :, 0, 0]),
            "instance_y": self.instance(row),
            "response": response(x, 3, 0.3, 0.6, 1.5),
            "response_even": response(row, 2),
            "both_y": self.both(x, x[..., 1:]),
            "encoded": self.encoder(row, src_key_padding_mask=~seen),
            "early_y": self.early(row, src_mask=causal, is_causal=True),
            "decoded": self.decoder(row, memory, tgt_mask=causal, memory_key_padding_mask=~seen[:, 1:]),
            "first_y": self.first(row, memory),
            "functions_y": torch.stack([f(2 * x) for f in functions]),
            "losses": torch.stack(losses),
            "products": x.prod(1),
            "product": x.prod(-1, keepdim=True),
            "whole": x[0, 0].prod()[None],
            "any_y": (x > 1).any(1).float(),
            "all_y": (x > -1).all(-1, keepdim=True).float(),
            "every": (ids > 0).all()[None].float(),
            "some": ids.any(0).float(),
        }


def average(x, *options):
    """Of 16 bits in f32, as above."""
    wide = x if x.dtype == torch.float64 else x.float()
    return F.avg_pool3d(wide, *options).to(x.dtype)


class Volumes(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(4, 6, (3, 2, 1), (2, 1, 2), (1, 0, 1), (1, 2, 1), 2)
        self.plain = nn.Conv3d(4, 3, 3, padding=1, bias=False)
        self.batch = nn.BatchNorm3d(4)

    def forward(self, x, label, scale):
        logits, other, last = x.mean((2, 3, 4)), x.amax((2, 3, 4)), x[:, :, 0, 0, 0]
        wanted, label, wide = other.sigmoid(), label.long(), logits.to(scale.dtype)
        weight = scale.abs() + 0.5
        losses = [
            F.cross_entropy(wide, label, weight),
            F.cross_entropy(wide, label, weight, label_smoothing=0.2, ignore_index=1),
            F.nll_loss(logits.log_softmax(1).to(weight.dtype), label, weight),
            F.binary_cross_entropy_with_logits(logits, wanted),
            F.binary_cross_entropy_with_logits(wide, wanted.to(weight.dtype), pos_weight=weight),
            F.triplet_margin_loss(logits, other, last, 0.3),
            F.margin_ranking_loss(logits, other, last.sign(), 0.1),
            F.gaussian_nll_loss(logits, other, last.abs()),
            F.poisson_nll_loss(logits, wanted),
            F.gaussian_nll_loss(logits, other, last.abs(), eps=0.5),
        ]
        return {
            "conv_y": self.conv(x),
            "plain_y": self.plain(x),
            "batch_y": self.batch(x),
            "largest": F.max_pool3d(x, 2),
            "far": F.max_pool3d(x, 3, 2, 1),
            "average": average(x, (2, 2, 3), (2, 1, 3)),
            "padded": average(x, 3, 1, 1),
            "joined": x.flatten(1, 2),
            "rest": x.flatten(2),
            "products": x.cumprod(2),
            "between": x.clamp(-0.5, 0.7),
            "distance": F.pairwise_distance(logits, other),
            "losses": torch.stack([loss.to(x.dtype) for loss in losses]),
            "basis": torch.eye(3),
            "line": torch.linspace(-1, 2, 5),
        }


CASES = {
    "layers": (Layers, ["ops/layers.nn"], {"x": {"shape": [2, 4, 2, 6]}, "ids": {"shape": [5, 7], "high": 2}}),
    "borders": (Borders, ["ops/borders.nn"], {"x": {"shape": [2, 4, 5, 7]}}),
    "convolutions": (Convolutions, ["ops/convolutions.nn"], {"x": {"shape": [2, 4, 5, 6]}}),
    "pools": (Pools, ["ops/pools.nn"], {"x": {"shape": [1, 3, 9, 11]}}),
    "order": (
        Order,
        ["ops/order.nn"],
        {"x": {"shape": [2, 37, 6]}, "w": {"shape": [6, 5]}, "ids": {"shape": [7], "high": 9}},
    ),
    "norms": (Norms, ["ops/norms.nn"], {"x": {"shape": [2, 4, 2, 6]}}),
    "volumes": (
        Volumes,
        ["ops/volumes.nn"],
        {"x": {"shape": [3, 4, 5, 4, 6]}, "label": {"shape": [3], "high": 4}, "scale": {"shape": [4]}},
    ),
}
