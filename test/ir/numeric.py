#!/usr/bin/env python3
"""Runs the linalg lowering of every operation on small tensors and compares the numbers.

    python3 numeric.py --libs /usr/lib/llvm-19/lib

Each case is one nn operation on constants. All are lowered by nnc-opt, bufferized and run by
upstream tools, and compared with plain Python written from the operation's definition.
"""
import argparse
import itertools
import math
import re
import struct
import subprocess
import sys

NAN, INF = math.nan, math.inf


class Tensor:
    """A shape, elements in row-major order, and an MLIR element type."""

    def __init__(self, shape, data, element="f32"):
        self.shape, self.element = list(shape), element
        self.data = [data(*index) for index in self.indices()] if callable(data) else list(data)
        assert len(self.data) == math.prod(self.shape), (self.shape, len(self.data))

    def indices(self):
        return itertools.product(*map(range, self.shape))

    def __getitem__(self, index):
        flat = 0
        for size, i in zip(self.shape, index):
            assert 0 <= i < size
            flat = flat * size + i
        return self.data[flat]

    @property
    def type(self):
        return "tensor<" + "".join(f"{size}x" for size in self.shape) + self.element + ">"

    def literal(self):
        def scalar(x):
            if self.element == "i1":
                return "true" if x else "false"
            if self.element.startswith("i"):
                return str(int(x))
            bits = struct.unpack("<I", struct.pack("<f", x))[0]
            if self.element == "bf16":
                return f"0x{bits >> 16:04X}"
            if self.element == "f16":
                return f"0x{struct.unpack('<H', struct.pack('<e', x))[0]:04X}"
            return f"0x{bits:08X}"

        def nested(shape, data):
            if not shape:
                return scalar(data[0])
            step = len(data) // shape[0] if shape[0] else 0
            return "[" + ", ".join(nested(shape[1:], data[i * step:(i + 1) * step]) for i in range(shape[0])) + "]"

        return f"dense<{nested(self.shape, self.data) if self.data else ''}> : {self.type}"


def f32(x):
    try:
        return struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return math.copysign(INF, x)


def bf16(x):
    """The nearest bf16, halves to even."""
    bits = struct.unpack("<I", struct.pack("<f", x))[0]
    bits += 0x7FFF + ((bits >> 16) & 1)
    return struct.unpack("<f", struct.pack("<I", bits & 0xFFFF0000))[0]


def ramp(*shape, element="f32", scale=0.37, shift=-1.3):
    """Different numbers without a pattern that a wrong index would hit by chance."""
    count = math.prod(shape)
    values = [f32((i * 7919 % 101) * scale / 10 + shift) for i in range(count)]
    if element == "bf16":
        values = [bf16(x) for x in values]
    if element.startswith("i"):
        values = [int(x * 5) for x in values]
    return Tensor(shape, values, element)


CASES = []


def case(op, operands, expected):
    """`op` is the operation's text with {0}, {1} for operands, and {t0}, {t1}, {r} for types."""
    CASES.append((op, operands, expected))


def mapped(function, *operands, element=None):
    first = operands[0]
    values = [function(*xs) for xs in zip(*(o.data for o in operands))]
    return Tensor(first.shape, values, element or first.element)


#===- Elementwise --------------------------------------------------------------------------------===#

def elementwise():
    x = Tensor([2, 6], [0.5, -0.5, 2.5, -1.5, 0.0, 3.25, -7.75, 1.0, 1e-3, -40.0, 0.1, 9.0])
    positive = mapped(lambda a: abs(a) + 0.25, x)
    unary = {
        "neg": lambda a: -a, "abs": abs, "exp": math.exp, "sin": math.sin, "cos": math.cos,
        "atan": math.atan, "tanh": math.tanh, "erf": math.erf, "floor": math.floor, "round": round,
    }
    for name, function in unary.items():
        case(f"nn.{name} {{0}} : {{r}}", [x], mapped(function, x))
    for name, function in {"log": math.log, "sqrt": math.sqrt, "rsqrt": lambda a: a ** -0.5}.items():
        case(f"nn.{name} {{0}} : {{r}}", [positive], mapped(function, positive))
    y = Tensor([2, 6], [1.5, 2.0, -2.0, 0.5, 3.0, -3.25, 2.0, 1.0, 7.0, -3.0, -0.3, 2.0])
    binary = {
        "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b, "floordiv": lambda a, b: math.floor(a / b),
        "mod": lambda a, b: a % b, "max": max, "min": min,
    }
    for name, function in binary.items():
        case(f"nn.{name} {{0}}, {{1}} : {{r}}", [x, y], mapped(function, x, y))
    case("nn.pow {0}, {1} : {r}", [positive, y], mapped(lambda a, b: a ** b, positive, y))
    # Sixteen bits: computed in f32, rounded once.
    a, b = ramp(3, 5, element="bf16"), ramp(3, 5, element="bf16", scale=0.61)
    case("nn.add {0}, {1} : {r}", [a, b], mapped(lambda p, q: bf16(f32(p + q)), a, b))
    case("nn.tanh {0} : {r}", [a], mapped(lambda p: bf16(f32(math.tanh(p))), a))
    nans = Tensor([4], [NAN, 1.0, NAN, -INF]), Tensor([4], [1.0, NAN, NAN, INF])
    case("nn.max {0}, {1} : {r}", nans, Tensor([4], [NAN, NAN, NAN, INF]))
    case("nn.min {0}, {1} : {r}", nans, Tensor([4], [NAN, NAN, NAN, -INF]))


def integers():
    least = -2 ** 31
    a = Tensor([2, 4], [7, -7, 7, -7, 5, least, least, 0], "i32")
    b = Tensor([2, 4], [2, 2, -2, -2, 0, -1, 3, 5], "i32")
    case("nn.floordiv {0}, {1} : {r}", [a, b], Tensor([2, 4], [3, -4, -4, 3, 0, least, -715827883, 0], "i32"))
    case("nn.mod {0}, {1} : {r}", [a, b], Tensor([2, 4], [1, 1, -1, -1, 0, 0, 1, 0], "i32"))
    case("nn.neg {0} : {r}", [b], mapped(lambda p: -p, b))
    case("nn.abs {0} : {r}", [b], mapped(abs, b))
    for name, function in {"add": lambda p, q: p + q, "sub": lambda p, q: p - q, "max": max, "min": min,
                           "mul": lambda p, q: p * q}.items():
        c = mapped(lambda p: p + 3, b)
        case(f"nn.{name} {{0}}, {{1}} : {{r}}", [b, c], mapped(function, b, c))


def comparisons():
    x, y = Tensor([5], [1.0, 2.0, 3.0, NAN, NAN]), Tensor([5], [2.0, 2.0, 2.0, 2.0, NAN])
    i, j = Tensor([3], [-1, 0, 5], "i8"), Tensor([3], [0, 0, 0], "i8")
    p, q = Tensor([4], [0, 0, 1, 1], "i1"), Tensor([4], [0, 1, 0, 1], "i1")
    table = {
        "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b,
        "le": lambda a, b: a <= b, "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
    }
    for name, function in table.items():
        for left, right in ((x, y), (i, j), (p, q)):
            case(f"nn.cmp {name} {{0}}, {{1}} : {{t0}}", [left, right], mapped(function, left, right, element="i1"))
    case("nn.and {0}, {1} : {r}", [p, q], mapped(lambda a, b: a & b, p, q))
    case("nn.or {0}, {1} : {r}", [p, q], mapped(lambda a, b: a | b, p, q))
    case("nn.not {0} : {r}", [p], mapped(lambda a: 1 - a, p))
    u, v = ramp(4), ramp(4, scale=0.9)
    case("nn.select {0}, {1}, {2} : {r}", [q, u, v], Tensor([4], [v.data[0], u.data[1], v.data[2], u.data[3]]))


def casts():
    def cast(source, data, target):
        case("nn.cast {0} : {t0} -> {r}", [source], Tensor(source.shape, data, target))

    x = Tensor([6], [1.75, -1.75, 0.0, -0.0, 100.5, 3.0])
    cast(x, [1, -1, 0, 0, 100, 3], "i32")
    cast(x, [1, -1, 0, 0, 100, 3], "i8")
    cast(x, [1, 1, 0, 0, 1, 1], "i1")
    cast(Tensor([3], [1.00390625, 1.01171875, NAN]), [1.0, 1.015625, NAN], "bf16")
    cast(Tensor([2], [1.00048828125, 65504.0]), [1.0, 65504.0], "f16")
    cast(Tensor([2], [1.0, 0.0], "bf16"), [1, 0], "i64")
    cast(Tensor([2], [3.140625, -2.5], "bf16"), [3.140625, -2.5], "f16")
    i = Tensor([4], [-1, 300, 127, 0], "i32")
    cast(i, [-1, 44, 127, 0], "i8")
    cast(i, [-1, 300, 127, 0], "i64")
    cast(i, [-1.0, 300.0, 127.0, 0.0], "f32")
    cast(i, [-1.0, 300.0, 127.0, 0.0], "bf16")
    cast(i, [1, 1, 1, 0], "i1")
    b = Tensor([2], [1, 0], "i1")
    cast(b, [1, 0], "i8")
    cast(b, [1.0, 0.0], "f32")
    cast(b, [1.0, 0.0], "f16")


#===- Sources and movements ----------------------------------------------------------------------===#

def movements():
    case("nn.full 2.5 : f32 -> {r}", [], Tensor([2, 3], [2.5] * 6))
    case("nn.iota {{axis = 1}} : {r}", [], Tensor([2, 3], lambda i, j: j, "i64"))
    case("nn.iota {{axis = -1}} : {r}", [], Tensor([2, 3, 2], lambda i, j, k: i * 6 + j * 2 + k, "i64"))
    case("nn.iota {{axis = -1}} : {r}", [], Tensor([], [0], "i32"))
    case("nn.size affine_map<() -> (42)> : {r}", [], Tensor([], [42], "i32"))
    x = ramp(2, 3, 4)
    for shape in ([6, 4], [2, 12], [24], [3, 8], [4, 3, 2], [1, 2, 3, 1, 4], [2, 3, 2, 2]):
        case("nn.reshape {0} : {t0} -> {r}", [x], Tensor(shape, x.data))
    case("nn.reshape {0} : {t0} -> {r}", [Tensor([1, 1], [5.0])], Tensor([], [5.0]))
    case("nn.reshape {0} : {t0} -> {r}", [Tensor([], [5.0])], Tensor([1, 1], [5.0]))
    case("nn.transpose {0} {{permutation = array<i64: 2, 0, 1>}} : {t0} -> {r}", [x],
         Tensor([4, 2, 3], lambda k, i, j: x[i, j, k]))
    case("nn.broadcast {0} {{dims = array<i64: 1, 2, 4>}} : {t0} -> {r}", [x],
         Tensor([2, 2, 3, 2, 4], lambda a, i, j, b, k: x[i, j, k]))
    row = ramp(2, 1, 3)
    case("nn.broadcast {0} {{dims = array<i64: 0, 1, 2>}} : {t0} -> {r}", [row],
         Tensor([2, 4, 3], lambda i, j, k: row[i, 0, k]))
    case("nn.broadcast {0} {{dims = array<i64>}} : {t0} -> {r}", [Tensor([], [7.0])], Tensor([2, 2], [7.0] * 4))
    a, b, c = ramp(2, 1), ramp(2, 3, scale=0.2), ramp(2, 2, scale=0.8)
    case("nn.concat {0}, {1}, {2} {{axis = 1}} : {t0}, {t1}, {t2} -> {r}", [a, b, c],
         Tensor([2, 6], lambda i, j: a[i, 0] if j == 0 else b[i, j - 1] if j < 4 else c[i, j - 4]))
    case("nn.slice {0} start affine_map<() -> (1, 0, 1)> step [1, 2, 2] : {t0} -> {r}", [x],
         Tensor([1, 2, 2], lambda i, j, k: x[1 + i, 2 * j, 1 + 2 * k]))
    case("nn.pad {0} {{low = array<i64: 1, 0>, high = array<i64: 0, 2>, value = 9.0 : f32}} : {t0} -> {r}", [b],
         Tensor([3, 5], lambda i, j: b[i - 1, j] if i >= 1 and j < 3 else 9.0))


def gathers():
    table = ramp(5, 3)
    ids = Tensor([2, 2], [4, 0, -3, 99], "i32")
    nearest = Tensor([2, 2], [4, 0, 0, 4])
    case("nn.gather {0}, {1} {{axis = 0}} : {t0}, {t1} -> {r}", [table, ids],
         Tensor([2, 2, 3], lambda i, j, k: table[int(nearest[i, j]), k]))
    one = Tensor([2], [2, 1], "i64")
    case("nn.gather {0}, {1} {{axis = 1}} : {t0}, {t1} -> {r}", [table, one],
         Tensor([5, 2], lambda i, j: table[i, one[j,]]))
    case("nn.gather {0}, {1} {{axis = 0}} : {t0}, {t1} -> {r}", [table, Tensor([], [3], "i64")],
         Tensor([3], lambda k: table[3, k]))


#===- Reductions, products, windows --------------------------------------------------------------===#

def reductions():
    x = ramp(3, 4, 5)
    functions = {"sum": sum, "mean": lambda v: sum(v) / len(v), "max": max, "min": min}
    for name, function in functions.items():
        case(f"nn.reduce {name} {{0}} {{{{axes = array<i64: 1>}}}} : {{t0}} -> {{r}}", [x],
             Tensor([3, 5], lambda i, k: function([x[i, j, k] for j in range(4)])))
        case(f"nn.reduce {name} {{0}} {{{{axes = array<i64: 0, 1, 2>}}}} : {{t0}} -> {{r}}", [x],
             Tensor([], [function(x.data)]))
    many = Tensor([300], [1.0] * 300, "bf16")
    case("nn.reduce sum {0} {{axes = array<i64: 0>}} : {t0} -> {r}", [many], Tensor([], [300.0], "bf16"))
    i = ramp(3, 4, element="i32")
    for name, function in (("sum", sum), ("max", max), ("min", min)):
        case(f"nn.reduce {name} {{0}} {{{{axes = array<i64: 0>}}}} : {{t0}} -> {{r}}", [i],
             Tensor([4], lambda c: function([i[r, c] for r in range(3)]), "i32"))
    nans = Tensor([2, 3], [1.0, NAN, 2.0, -INF, -INF, -INF])
    case("nn.reduce max {0} {{axes = array<i64: 1>}} : {t0} -> {r}", [nans], Tensor([2], [NAN, -INF]))
    case("nn.reduce mean {0} {{axes = array<i64: 0>}} : {t0} -> {r}", [Tensor([0, 2], [])], Tensor([2], [NAN, NAN]))
    places = Tensor([4, 4], [3, 7, 7, 1, NAN, 1, NAN, 9, -INF, -INF, -INF, -INF, 2, 2, 1, 1])
    case("nn.argreduce max {0} {{axis = 1}} : {t0} -> {r}", [places], Tensor([4], [1, 0, 0, 0], "i32"))
    case("nn.argreduce min {0} {{axis = 1}} : {t0} -> {r}", [places], Tensor([4], [3, 0, 0, 2], "i32"))
    case("nn.argreduce max {0} {{axis = 0}} : {t0} -> {r}", [i],
         Tensor([4], lambda c: max(range(3), key=lambda r: (i[r, c], -r)), "i32"))


def softmaxes():
    x = ramp(3, 5, scale=3.0)
    exps = Tensor(x.shape, lambda i, j: math.exp(x[i, j] - max(x[i, k] for k in range(5))))
    case("nn.softmax {0} {{axis = 1}} : {r}", [x],
         Tensor([3, 5], lambda i, j: exps[i, j] / sum(exps[i, k] for k in range(5))))
    case("nn.log_softmax {0} {{axis = 1}} : {r}", [x],
         Tensor([3, 5], lambda i, j: math.log(exps[i, j] / sum(exps[i, k] for k in range(5)))))
    case("nn.softmax {0} {{axis = 0}} : {r}", [x],
         Tensor([3, 5], lambda i, j: math.exp(x[i, j]) / sum(math.exp(x[k, j]) for k in range(3))))
    large = Tensor([3], [1000.0, 1000.0, -INF])
    case("nn.softmax {0} {{axis = 0}} : {r}", [large], Tensor([3], [0.5, 0.5, 0.0]))


def products():
    def dot(a, b, shape, left, right, count):
        return Tensor(shape, lambda *at: sum(a[left(at, k)] * b[right(at, k)] for k in range(count)))

    a, b = ramp(3, 4), ramp(4, 5, scale=0.5)
    case("nn.matmul {0}, {1} : {t0}, {t1} -> {r}", [a, b],
         dot(a, b, [3, 5], lambda at, k: (at[0], k), lambda at, k: (k, at[1]), 4))
    at, bt = ramp(4, 3), ramp(5, 4)
    case("nn.matmul {0}, {1} {{transpose_a, transpose_b}} : {t0}, {t1} -> {r}", [at, bt],
         dot(at, bt, [3, 5], lambda p, k: (k, p[0]), lambda p, k: (p[1], k), 4))
    deep, batch = ramp(2, 3, 4), ramp(2, 4, 2)
    case("nn.matmul {0}, {1} : {t0}, {t1} -> {r}", [deep, b],
         dot(deep, b, [2, 3, 5], lambda p, k: (p[0], p[1], k), lambda p, k: (k, p[2]), 4))
    case("nn.matmul {0}, {1} : {t0}, {t1} -> {r}", [deep, batch],
         dot(deep, batch, [2, 3, 2], lambda p, k: (p[0], p[1], k), lambda p, k: (p[0], k, p[2]), 4))
    i, j = ramp(2, 3, element="i32"), ramp(3, 2, element="i32")
    whole = dot(i, j, [2, 2], lambda p, k: (p[0], k), lambda p, k: (k, p[1]), 3)
    case("nn.matmul {0}, {1} : {t0}, {t1} -> {r}", [i, j], Tensor([2, 2], whole.data, "i32"))
    p, q = ramp(2, 3, element="bf16"), ramp(3, 2, element="bf16")
    half = dot(p, q, [2, 2], lambda at, k: (at[0], k), lambda at, k: (k, at[1]), 3)
    case("nn.matmul {0}, {1} : {t0}, {t1} -> {r}", [p, q], Tensor([2, 2], [bf16(f32(v)) for v in half.data], "bf16"))


def windows():
    def conv(x, w, strides, padding, dilation, groups):
        (_, c, height, width), (outs, per, kh, kw) = x.shape, w.shape
        oh = (height + padding[0] + padding[1] - dilation[0] * (kh - 1) - 1) // strides[0] + 1
        ow = (width + padding[2] + padding[3] - dilation[1] * (kw - 1) - 1) // strides[1] + 1

        def element(n, o, y, z):
            total = 0.0
            for ch, i, j in itertools.product(range(per), range(kh), range(kw)):
                row = y * strides[0] + i * dilation[0] - padding[0]
                column = z * strides[1] + j * dilation[1] - padding[2]
                if 0 <= row < height and 0 <= column < width:
                    total += x[n, o // (outs // groups) * per + ch, row, column] * w[o, ch, i, j]
            return total

        return Tensor([x.shape[0], outs, oh, ow], element)

    def last(x):
        n, c, height, width = x.shape
        return Tensor([n, height, width, c], lambda n, y, z, c: x[n, c, y, z])

    def array(values):
        return "array<i64: " + ", ".join(map(str, values)) + ">"

    for strides, padding, dilation, groups in (
        ([1, 1], [0, 0, 0, 0], [1, 1], 1), ([2, 1], [1, 2, 0, 3], [1, 2], 1), ([1, 2], [1, 1, 1, 1], [1, 1], 2),
    ):
        x, w = ramp(2, 4, 5, 6), ramp(6, 4 // groups, 3, 2, scale=0.6)
        case(f"nn.conv2d {{0}}, {{1}} {{{{strides = {array(strides)}, padding = {array(padding)}, "
             f"dilation = {array(dilation)}, groups = {groups}}}}} : {{t0}}, {{t1}} -> {{r}}",
             [x, w], conv(x, w, strides, padding, dilation, groups))
        case(f"nn.conv2d {{0}}, {{1}} {{{{strides = {array(strides)}, padding = {array(padding)}, "
             f"dilation = {array(dilation)}, groups = {groups}, channels_last}}}} : {{t0}}, {{t1}} -> {{r}}",
             [last(x), last(w)], last(conv(x, w, strides, padding, dilation, groups)))

    def pool(x, kernel, strides, padding, dilation, combine, outside):
        oh = (x.shape[2] + padding[0] + padding[1] - dilation[0] * (kernel[0] - 1) - 1) // strides[0] + 1
        ow = (x.shape[3] + padding[2] + padding[3] - dilation[1] * (kernel[1] - 1) - 1) // strides[1] + 1

        def element(n, c, y, z):
            values = []
            for i, j in itertools.product(range(kernel[0]), range(kernel[1])):
                row = y * strides[0] + i * dilation[0] - padding[0]
                column = z * strides[1] + j * dilation[1] - padding[2]
                inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
                values.append(x[n, c, row, column] if inside else outside)
            return combine(values)

        return Tensor([*x.shape[:2], oh, ow], element)

    x = ramp(1, 2, 5, 7)
    for kernel, strides, padding, dilation in (
        ([2, 2], [2, 2], [0, 0, 0, 0], [1, 1]), ([3, 2], [1, 3], [1, 0, 1, 1], [1, 1]),
        ([2, 3], [2, 1], [0, 2, 1, 1], [2, 2]),
    ):
        text = (f"{{{{kernel = {array(kernel)}, strides = {array(strides)}, padding = {array(padding)}, "
                f"dilation = {array(dilation)}}}}} : {{t0}} -> {{r}}")
        window = kernel, strides, padding, dilation
        case(f"nn.pool2d max {{0}} {text}", [x], pool(x, *window, max, -INF))
        case(f"nn.pool2d max {{0}} {text}".replace("kernel =", "channels_last, kernel ="), [last(x)],
             last(pool(x, *window, max, -INF)))
        case(f"nn.pool2d sum {{0}} {text}", [x], pool(x, *window, sum, 0.0))
        case(f"nn.pool2d avg {{0}} {text}", [x], pool(x, *window, lambda v: sum(v) / len(v), 0.0))


def attention(query, key, value, mask=None, causal=False, offset=0):
    """The definition, with rows that see nothing as NaN."""
    batch, heads, queries, size = query.shape
    group = heads // key.shape[1]
    result = []
    for b, h, t in itertools.product(range(batch), range(heads), range(queries)):
        scores = []
        for j in range(key.shape[2]):
            score = sum(query[b, h, t, d] * key[b, h // group, j, d] for d in range(size)) / math.sqrt(size)
            seen = (mask is None or mask[b, h, t, j]) and (not causal or t + offset >= j)
            scores.append(score if seen else -INF)
        highest = max(scores, default=0)
        weights = [math.exp(s - highest) if highest != -INF else NAN for s in scores]
        for d in range(size):
            result.append(sum(w * value[b, h // group, j, d] for j, w in enumerate(weights)) / (sum(weights) or 1))
    return Tensor(query.shape, result)


def attentions():
    q, k, v = ramp(2, 4, 3, 5), ramp(2, 2, 6, 5, scale=0.23), ramp(2, 2, 6, 5, scale=0.51)
    case("nn.attention {0}, {1}, {2} : ({t0}, {t1}, {t2}) -> {r}", [q, k, v], attention(q, k, v))
    mask = Tensor([2, 4, 3, 6], [i % 5 != 2 for i in range(144)], "i1")
    case("nn.attention {0}, {1}, {2} mask {3} : ({t0}, {t1}, {t2}, {t3}) -> {r}", [q, k, v, mask],
         attention(q, k, v, mask))
    for offset in (0, 2, -1):
        place = Tensor([], [offset], "i32")
        case("nn.attention {0}, {1}, {2} offset {3} {{causal}} : ({t0}, {t1}, {t2}, {t3}) -> {r}", [q, k, v, place],
             attention(q, k, v, causal=True, offset=offset))


def philox(counter, call, stream, seed):
    """Four words of Philox 4x32-10, as in the paper."""
    words = [counter % 2 ** 32, counter >> 32, call % 2 ** 32, stream]
    key = [seed % 2 ** 32, seed >> 32 & 0xFFFFFFFF]
    for _ in range(10):
        first, second = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
        words = [second >> 32 ^ words[1] ^ key[0], second % 2 ** 32, first >> 32 ^ words[3] ^ key[1], first % 2 ** 32]
        key = [(key[0] + 0x9E3779B9) % 2 ** 32, (key[1] + 0xBB67AE85) % 2 ** 32]
    return words


def random_numbers():
    # The known answers of the authors (kat_vectors of Random123); the last are the digits of pi.
    ones = 2 ** 32 - 1
    known = [
        ((0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2 ** 64 - 1, ones, ones, 2 ** 64 - 1), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        ((0x85A308D3243F6A88, 0x13198A2E, 0x03707344, 0x299F31D0A4093822),
         (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ]
    for (counter, call, stream, seed), words in known:
        assert tuple(philox(counter, call, stream, seed)) == words
        signed = [number - 2 ** 64 if number >= 2 ** 63 else number for number in (counter, seed, call, stream)]
        operands = [Tensor([1], [number], "i64") for number in signed]
        case("nn.random bits {0}, {1}, {2}, {3} : {t0} -> {r}", operands, Tensor([1], [words[0] >> 8], "i32"))
    counters = Tensor([7], [0, 1, 2, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, 123456789], "i64")
    for seed, call, stream in (0, 0, 0), (1234567890123456789, 2 ** 32 + 7, 3), (-5, 1, 2 ** 31 + 9):
        operands = [counters] + [Tensor([7], [number] * 7, "i64") for number in (seed, call, stream)]
        words = [philox(c, call, stream, seed % 2 ** 64) for c in counters.data]
        text = "{0}, {1}, {2}, {3} : {t0} -> {r}"
        case(f"nn.random bits {text}", operands, Tensor([7], [w[0] >> 8 for w in words], "i32"))
        normal = [
            math.sqrt(-2 * math.log((2 * w[0] + 1) / 2 ** 33)) * math.cos(2 * math.pi * w[1] / 2 ** 32) for w in words
        ]
        case(f"nn.random normal {text}", operands, Tensor([7], normal))


#===- Running ------------------------------------------------------------------------------------===#

PIPELINE = [
    "-one-shot-bufferize=bufferize-function-boundaries", "-convert-linalg-to-loops", "-expand-strided-metadata",
    "-lower-affine", "-convert-scf-to-cf", "-arith-expand=include-bf16", "-convert-math-to-llvm",
    "-convert-math-to-libm", "-finalize-memref-to-llvm", "-convert-arith-to-llvm", "-convert-index-to-llvm",
    "-convert-func-to-llvm", "-convert-cf-to-llvm", "-reconcile-unrealized-casts",
]


def write_case(number, op, operands, expected):
    types = {f"t{i}": operand.type for i, operand in enumerate(operands)}
    lines = [f"  %c{i} = arith.constant {operand.literal()}" for i, operand in enumerate(operands)]
    text = op.format(*(f"%c{i}" for i in range(len(operands))), r=expected.type, **types)
    lines.append(f"  %result = {text}")
    printed = Tensor(expected.shape, expected.data).type
    if expected.element == "f32":
        lines.append(f"  return %result : {printed}")
    else:
        lines.append(f"  %wide = nn.cast %result : {expected.type} -> {printed}")
        lines.append(f"  return %wide : {printed}")
    return f"func.func private @case{number}() -> {printed} {{\n" + "\n".join(lines) + "\n}\n", printed


def write_main(types):
    lines = ["func.func private @printMemrefF32(tensor<*xf32>)", "func.func @main() {"]
    for number, printed in enumerate(types):
        lines.append(f"  %r{number} = call @case{number}() : () -> {printed}")
        lines.append(f"  %u{number} = tensor.cast %r{number} : {printed} to tensor<*xf32>")
        lines.append(f"  call @printMemrefF32(%u{number}) : (tensor<*xf32>) -> ()")
    return "\n".join(lines) + "\n  return\n}\n"


def pipe(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[:4000]}")
    return done.stdout


def run(libs):
    written = [write_case(number, *entry) for number, entry in enumerate(CASES)]
    module = pipe(["nnc-opt", "--nn-lower-to-linalg=functions"], "".join(text for text, _ in written))
    end = module.rindex("}")
    module = module[:end] + write_main([printed for _, printed in written]) + module[end:]
    module = pipe(["mlir-opt", *PIPELINE], module)
    libraries = ",".join(f"{libs}/libmlir_{name}_utils.so" for name in ("runner", "c_runner", "float16"))
    return pipe(["mlir-cpu-runner", "-e", "main", "-entry-point-result=void", f"-shared-libs={libraries}"], module)


def agree(a, b):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    # Six digits are printed.
    return a == b or abs(a - b) <= 1e-5 * max(1.0, abs(b))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--libs", required=True, help="folder of libmlir_runner_utils.so")
    for group in (elementwise, integers, comparisons, casts, movements, gathers, reductions, softmaxes, products,
                  windows, attentions, random_numbers):
        group()
    printed = re.split(r"Unranked Memref[^\n]*\n", run(parser.parse_args().libs))[1:]
    wrong = 0
    for (op, operands, expected), text in zip(CASES, printed, strict=True):
        found = [float(word) for word in re.findall(r"-?(?:nan|inf|[\d.]+(?:e[-+]?\d+)?)", text)]
        if len(found) != len(expected.data) or not all(map(agree, found, expected.data)):
            wrong += 1
            print(f"{op}\n  operands {[o.literal() for o in operands]}\n  expected {expected.data}\n  found    {found}")
    print(f"{len(CASES) - wrong} of {len(CASES)} cases agree")
    return wrong != 0


if __name__ == "__main__":
    sys.exit(main())
