"""Kinds of statements. Each function draws operands from a program and adds one value to it, or adds nothing where
none fits. What it means is said a second time, in numpy."""
import math

import numpy as np

from sizes import Size
from values import shape_of

erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


# --- elementwise -------------------------------------------------------------------------------------------------

UNARY = [
    ("-{0}", np.negative), ("abs({0})", np.abs), ("atan({0})", np.arctan), ("tanh({0})", np.tanh), ("sin({0})", np.sin), ("cos({0})", np.cos),
    ("erf({0})", erf), ("exp(-abs({0}))", lambda x: np.exp(-np.abs(x))), ("sqrt(abs({0}) + 0.5)", lambda x: np.sqrt(np.abs(x) + 0.5)),
    ("rsqrt({0} * {0} + 1)", lambda x: 1 / np.sqrt(x * x + 1)), ("log(abs({0}) + 1)", lambda x: np.log(np.abs(x) + 1)),
    ("{0} ** 2", lambda x: x * x), ("relu({0})", lambda x: np.maximum(x, 0)), ("sigmoid({0})", sigmoid),
    ("silu({0})", lambda x: x * sigmoid(x)), ("gelu({0})", gelu), ("{0} |> tanh |> relu", lambda x: np.maximum(np.tanh(x), 0)),
    ("2 - {0} / 4", lambda x: 2 - x / 4), ("({0} + 1) * 0.5", lambda x: (x + 1) * 0.5), ("max({0}, 0.25)", lambda x: np.maximum(x, 0.25)),
    ("min(1, {0})", lambda x: np.minimum(1, x)), ("{0} / (1 + abs({0}))", lambda x: x / (1 + np.abs(x))),
    ("f32({0}) |> float", lambda x: x), ("stop_gradient({0})", lambda x: x), ("dropout({0}, 0.5)", lambda x: x),
]
BINARY = [
    ("{0} + {1}", np.add), ("{0} - {1}", np.subtract), ("{0} * {1}", np.multiply), ("max({0}, {1})", np.maximum),
    ("min({0}, {1})", np.minimum), ("{0} / (abs({1}) + 1)", lambda a, b: a / (np.abs(b) + 1)),
    ("({0} + {1}) / 2", lambda a, b: (a + b) / 2), ("{0} * sigmoid({1})", lambda a, b: a * sigmoid(b)),
]


def unary(p, rng):
    x = p.pick(rng)
    text, meaning = rng.choice(UNARY)
    return p.add(text.format(x.name), "float", x.shape, [x], meaning)


def binary(p, rng):
    a = p.pick(rng)
    b = p.pick(rng, shape=a.shape)
    text, meaning = rng.choice(BINARY)
    return p.add(text.format(a.name, b.name), "float", a.shape, [a, b], meaning)


def broadcast_trailing(p, rng):
    """The operand of the lower rank stretches."""
    a = p.pick(rng, least=2)
    if not a:
        return None
    count = rng.randrange(1, a.rank)
    b = next((v for v in p.shuffled(rng) if v.element == "float" and v.shape == a.shape[-count:]), None)
    if b is None:
        b = p.add(f"{a.name}[{', '.join(['0'] * (a.rank - count))}]", "float", a.shape[-count:], [a],
                  lambda x, n=a.rank - count: x[(0,) * n])
    text, meaning = rng.choice(BINARY)
    return p.add(text.format(a.name, b.name), "float", a.shape, [a, b], meaning)


def broadcast_one(p, rng):
    """A literal 1 stretches between equal ranks: an outer product, or a statistic that is taken off."""
    a = p.pick(rng, rank=1)
    b = p.pick(rng, rank=1)
    if a and b and rng.random() < 0.5:
        return p.add(f"{a.name}[:, none] * {b.name}[none, :]", "float", a.shape + b.shape, [a, b],
                     lambda x, y: x[:, None] * y[None, :])
    x = p.pick(rng, least=1)
    axis = rng.randrange(x.rank)
    name, f = rng.choice([("mean", np.mean), ("max", np.max), ("min", np.min)])
    return p.add(f"{x.name} - {name}({x.name}, axis={axis_text(rng, axis, x.rank)}, keep=true)", "float", x.shape, [x],
                 lambda v: v - f(v, axis=axis, keepdims=True))


def choose(p, rng):
    """`where` on what is the same bits everywhere."""
    c = p.pick(rng, exact=True)
    if not c:
        return None
    a, b = p.pick(rng, shape=c.shape), p.pick(rng, shape=c.shape)
    op, f = rng.choice([(">", np.greater), ("<=", np.less_equal), ("!=", np.not_equal), (">=", np.greater_equal)])
    other = rng.choice([b.name, "0"])
    return p.add(f"where({c.name} {op} 0.25, {a.name}, {other})", "float", c.shape, [c, a, b],
                 lambda c, a, b: np.where(f(c, 0.25), a, b if other != "0" else 0.0))


def logic(p, rng):
    c = p.pick(rng, exact=True)
    if not c:
        return None
    a = p.pick(rng, shape=c.shape)
    return p.add(f"where({c.name} > -1 and not ({c.name} > 0.5 or {c.name} == 0), {a.name}, -{a.name})", "float", c.shape, [c, a],
                 lambda c, a: np.where((c > -1) & ~((c > 0.5) | (c == 0)), a, -a))


# --- integers ----------------------------------------------------------------------------------------------------

INTEGERS = [
    ("{0} + 3", lambda x: x + 3), ("{0} * 2 - 1", lambda x: x * 2 - 1), ("{0} // 3", lambda x: x // 3), ("{0} % 5", lambda x: x % 5),
    ("-{0} // 2", lambda x: -x // 2), ("(1 - {0}) % 4", lambda x: (1 - x) % 4), ("max({0}, 2)", lambda x: np.maximum(x, 2)),
    ("abs({0} - 4)", lambda x: np.abs(x - 4)), ("min({0}, {0} % 3)", lambda x: np.minimum(x, x % 3)),
]


def integers(p, rng):
    x = p.pick(rng, element="i32")
    if not x or rng.random() < 0.2:
        size = Size.of(rng.choice(p.dims + [3, 5]))
        return p.add(f"arange({size})", "i32", (size,), [], lambda sizes: np.arange(size.at(sizes), dtype=np.int32), exact=True, sized=True)
    text, meaning = rng.choice(INTEGERS)
    return p.add(text.format(x.name), "i32", x.shape, [x], meaning, exact=True)


def from_integers(p, rng):
    x = p.pick(rng, element="i32")
    if not x:
        return None
    if rng.random() < 0.3:
        return p.add(f"float(one_hot({x.name} % 4, 4))", "float", x.shape + shape_of(4), [x], lambda v: np.eye(4)[v % 4], exact=True)
    return p.add(f"float({x.name}) * 0.125", "float", x.shape, [x], lambda v: v * 0.125, exact=True)


def best(p, rng):
    x = p.pick(rng, exact=True, least=1)
    if not x:
        return None
    axis = rng.randrange(x.rank)
    name, f = rng.choice([("argmax", np.argmax), ("argmin", np.argmin)])
    return p.add(f"{name}({x.name}, axis={axis_text(rng, axis, x.rank)})", "i32", x.shape[:axis] + x.shape[axis + 1:], [x],
                 lambda v: f(v, axis=axis).astype(np.int32), exact=True)


def look_up(p, rng):
    ids = p.pick(rng, element="i32", most=2)
    if not ids:
        return None
    rows, width = rng.choice([4, 7]), rng.choice([3, 8])
    if rng.random() < 0.5:
        name, w = p.weight(rng, (rows, width), "{}.weight", f"Embedding({rows}, {width})")
        return p.add(f"{name}(abs({ids.name}) % {rows})", "float", ids.shape + shape_of(width), [ids], lambda v: w[np.abs(v) % rows], exact=True)
    name, w = p.weight(rng, (rows, width), "{}")
    return p.add(f"gather({name}, {ids.name} % {width}, axis=1)", "float", shape_of(rows) + ids.shape, [ids],
                 lambda v: np.take(w, v % width, axis=1), exact=True)


# --- reductions --------------------------------------------------------------------------------------------------

REDUCTIONS = [("sum", np.sum), ("mean", np.mean), ("max", np.max), ("min", np.min), ("var", np.var)]


def axis_text(rng, axis, rank):
    return str(axis if rng.random() < 0.5 else axis - rank)


def reduction(p, rng):
    x = p.pick(rng, least=1)
    name, f = rng.choice(REDUCTIONS)
    keep = rng.random() < 0.3
    axes = sorted(rng.sample(range(x.rank), rng.choice([1, 1, min(2, x.rank)])))
    shape = tuple(s if i not in axes else Size.of(1) for i, s in enumerate(x.shape) if keep or i not in axes)
    listed = axis_text(rng, axes[0], x.rank) if len(axes) == 1 else f"({', '.join(map(str, axes))})"
    text = f"{name}({x.name}, axis={listed}{', keep=true' if keep else ''})"
    return p.add(text, "float", shape, [x], lambda v: f(v, axis=tuple(axes), keepdims=keep), exact=x.exact and name in ("max", "min"))


def pattern_reduction(p, rng):
    x = p.pick(rng, least=1, most=4)
    letters = "abcd"[:x.rank]
    kept = [c for c in letters if rng.random() < 0.5]
    rng.shuffle(kept)
    name, f = rng.choice([("mean", np.mean), ("max", np.max), ("sum", np.sum)])
    dropped = tuple(i for i, c in enumerate(letters) if c not in kept)
    left = [c for c in letters if c in kept]
    text = f'{x.name} |> reduce("{" ".join(letters)} -> {" ".join(kept)}", {name})'
    return p.add(text, "float", tuple(x.shape[letters.index(c)] for c in kept), [x],
                 lambda v: np.transpose(f(v, axis=dropped) if dropped else v, [left.index(c) for c in kept]))


def soft(p, rng):
    x = p.pick(rng, least=1)
    axis = rng.randrange(x.rank)
    name = rng.choice(["softmax", "log_softmax"])
    text = f"{name}({x.name}, axis={axis_text(rng, axis, x.rank)})"
    return p.add(text, "float", x.shape, [x],
                 lambda v: softmax(v, axis) if name == "softmax" else np.log(softmax(v, axis)))


# --- views -------------------------------------------------------------------------------------------------------


def letters_text(letters):
    return " ".join(letters)


def permute(p, rng):
    x = p.pick(rng, least=2, any_element=True)
    if not x:
        return None
    if rng.random() < 0.25:
        return p.add(f"{x.name}.T", x.element, x.shape[:-2] + (x.shape[-1], x.shape[-2]), [x], lambda v: np.swapaxes(v, -1, -2), exact=x.exact)
    order = rng.sample(range(x.rank), x.rank)
    letters = "abcde"[:x.rank]
    text = f'{x.name} |> rearrange("{letters_text(letters)} -> {letters_text(letters[i] for i in order)}")'
    return p.add(text, x.element, tuple(x.shape[i] for i in order), [x], lambda v: np.transpose(v, order), exact=x.exact)


def merge(p, rng):
    x = p.pick(rng, least=2, any_element=True)
    if not x:
        return None
    axis = rng.randrange(x.rank - 1)
    names = list("abcde"[:x.rank])
    swapped = rng.random() < 0.3
    pair = [names[axis + 1], names[axis]] if swapped else names[axis:axis + 2]
    right = names[:axis] + [f"({pair[0]} {pair[1]})"] + names[axis + 2:]
    shape = x.shape[:axis] + (x.shape[axis] * x.shape[axis + 1],) + x.shape[axis + 2:]

    def meaning(v):
        v = np.swapaxes(v, axis, axis + 1) if swapped else v
        return v.reshape(v.shape[:axis] + (v.shape[axis] * v.shape[axis + 1],) + v.shape[axis + 2:])

    return p.add(f'rearrange({x.name}, "{letters_text(names)} -> {letters_text(right)}")', x.element, shape, [x], meaning, exact=x.exact)


def unmerge(p, rng):
    candidates = [(v, i, n) for v in p.pool for i, s in enumerate(v.shape) for n in (2, 3, 4) if s.divided(n) and v.rank < 5]
    if not candidates:
        return None
    x, axis, n = rng.choice(candidates)
    names = list("abcde"[:x.rank])
    inner = rng.random() < 0.5
    pair = ["k", "z"] if inner else ["z", "k"]
    group = f"({pair[0]} {pair[1]})"
    left = names[:axis] + [group] + names[axis + 1:]
    right = names[:axis] + pair + names[axis + 1:]
    rest = x.shape[axis].divided(n)
    sizes = (Size.of(n), rest) if inner else (rest, Size.of(n))
    shape = x.shape[:axis] + sizes + x.shape[axis + 1:]

    def meaning(v):
        m = v.shape[axis] // n
        return v.reshape(v.shape[:axis] + ((n, m) if inner else (m, n)) + v.shape[axis + 1:])

    text = f'{x.name} |> rearrange("{letters_text(left)} -> {letters_text(right)}", k={n})'
    return p.add(text, x.element, shape, [x], meaning, exact=x.exact)


def repeat(p, rng):
    x = p.pick(rng, most=3)
    names = list("abcd"[:x.rank])
    at = rng.randrange(x.rank + 1)
    right = names[:at] + ["2"] + names[at:]
    return p.add(f'{x.name} |> repeat("{letters_text(names)} -> {letters_text(right)}")', "float", x.shape[:at] + shape_of(2) + x.shape[at:], [x],
                 lambda v: np.repeat(np.expand_dims(v, at), 2, axis=at), exact=x.exact)


def index(p, rng):
    x = p.pick(rng, least=1, any_element=True)
    if not x:
        return None
    items, slices, shape = [], [], []
    for size in x.shape:
        n = size.constant
        kind = rng.choice(["all", "all", "first", "last", "part", "step", "new"])
        if kind == "new" and x.rank < 4:
            items.append("none")
            slices.append(None)
            shape.append(Size.of(1))
        if kind == "first":
            items.append("0")
            slices.append(0)
        elif kind == "last":
            items.append("-1")
            slices.append(-1)
        elif kind == "part" and n and n >= 3:
            low, high = rng.choice([(1, None), (None, -1), (1, n - 1), (0, 2)])
            items.append(f"{'' if low is None else low}:{'' if high is None else high}")
            slices.append(slice(low, high))
            shape.append(Size.of(len(range(n)[low:high])))
        elif kind == "step" and n and n >= 2:
            items.append("::2")
            slices.append(slice(None, None, 2))
            shape.append(Size.of((n + 1) // 2))
        else:
            items.append(":")
            slices.append(slice(None))
            shape.append(size)
    return p.add(f"{x.name}[{', '.join(items)}]", x.element, tuple(shape), [x], lambda v: v[tuple(slices)], exact=x.exact)


def join(p, rng):
    a = p.pick(rng, least=1)
    axis = rng.randrange(a.rank)
    fits = [v for v in p.pool if v.element == "float" and v.rank == a.rank
            and all(v.shape[i] == a.shape[i] for i in range(a.rank) if i != axis)]
    parts = [a] + [rng.choice(fits) for _ in range(rng.randrange(1, 3))]
    shape = list(a.shape)
    for part in parts[1:]:
        shape[axis] = shape[axis] + part.shape[axis]
    text = f"concat([{', '.join(v.name for v in parts)}], axis={axis_text(rng, axis, a.rank)})"
    return p.add(text, "float", tuple(shape), parts, lambda *v: np.concatenate(v, axis), exact=all(v.exact for v in parts))


def pile(p, rng):
    a = p.pick(rng, most=3)
    b = p.pick(rng, shape=a.shape)
    axis = rng.randrange(a.rank + 1)
    return p.add(f"stack([{a.name}, {b.name}, {a.name}], axis={axis})", "float", a.shape[:axis] + shape_of(3) + a.shape[axis:], [a, b],
                 lambda x, y: np.stack([x, y, x], axis), exact=a.exact and b.exact)


def part(p, rng):
    candidates = [(v, i, n) for v in p.pool if v.element == "float" for i, s in enumerate(v.shape) for n in (2, 3) if s.divided(n)]
    if not candidates:
        return None
    x, axis, n = rng.choice(candidates)
    shape = x.shape[:axis] + (x.shape[axis].divided(n),) + x.shape[axis + 1:]
    if rng.random() < 0.5:
        k = rng.randrange(n)
        return p.add(f"split({x.name}, {n}, axis={axis_text(rng, axis, x.rank)})[{k}]", "float", shape, [x],
                     lambda v: np.split(v, n, axis)[k], exact=x.exact)
    return p.add(f"concat([h * 2 for h in split({x.name}, {n}, axis={axis})], axis={axis})", "float", x.shape, [x], lambda v: v * 2, exact=x.exact)


def edge(p, rng):
    x = p.pick(rng, least=1, most=4)
    widths = [(rng.randrange(3), rng.randrange(3)) for _ in x.shape]
    shape = tuple(s + (a + b) for s, (a, b) in zip(x.shape, widths))
    value = rng.choice(["", ", value=0.5"])
    listed = ", ".join(f"({a}, {b})" for a, b in widths)
    return p.add(f"pad({x.name}, [{listed}]{value})", "float", shape, [x],
                 lambda v: np.pad(v, widths, constant_values=0.5 if value else 0.0), exact=x.exact)


def turn(p, rng):
    x = p.pick(rng, least=1)
    axis = rng.randrange(x.rank)
    return p.add(f"flip({x.name}, axis={axis})", "float", x.shape, [x], lambda v: np.flip(v, axis), exact=x.exact)


def resize(p, rng):
    x = p.pick(rng, least=2, most=4)
    if not x:
        return None
    axis = rng.randrange(x.rank - 1)
    shape = x.shape[:axis] + (x.shape[axis] * x.shape[axis + 1],) + x.shape[axis + 2:]
    return p.add(f"reshape({x.name}, [{', '.join(map(str, shape))}])", "float", shape, [x],
                 lambda v: v.reshape(v.shape[:axis] + (-1,) + v.shape[axis + 2:]) if v.size else v, exact=x.exact)


def spread(p, rng):
    x = p.pick(rng, most=3)
    n = Size.of(rng.choice(p.dims + [2]))
    return p.add(f"broadcast({x.name}, [{', '.join(map(str, (n, *x.shape)))}])", "float", (n, *x.shape), [x],
                 lambda v, sizes: np.broadcast_to(v, (n.at(sizes), *v.shape)), exact=x.exact, sized=True)


# --- products ----------------------------------------------------------------------------------------------------


def product(p, rng):
    x = p.pick(rng, least=1, last_constant=True, most=4)
    if not x:
        return None
    d, n = x.shape[-1].constant, rng.choice([1, 2, 5, 16])
    if rng.random() < 0.5 and x.rank >= 2:
        bias = rng.random() < 0.7
        name, w = p.weight(rng, (n, d), "{}.weight", f"Linear({d}, {n}{'' if bias else ', bias=false'})")
        b = p.more_weight(rng, f"{name}.bias", (n,)) if bias else np.zeros(n)
        call = rng.choice([f"{name}({x.name})", f"{x.name} |> {name}", f"{x.name} |> {name} |> tanh"])
        f = np.tanh if call.endswith("tanh") else lambda y: y
        return p.add(call, "float", x.shape[:-1] + shape_of(n), [x], lambda v: f(v @ w.T + b))
    if x.rank < 2:
        return None
    transposed = rng.random() < 0.5
    name, w = p.weight(rng, (n, d) if transposed else (d, n), "{}")
    return p.add(f"{x.name} @ {name}{'.T' if transposed else ''}", "float", x.shape[:-1] + shape_of(n), [x],
                 lambda v: v @ (w.T if transposed else w))


def self_product(p, rng):
    x = p.pick(rng, least=2, most=4)
    if not x:
        return None
    y = p.pick(rng, shape=x.shape)
    if rng.random() < 0.5:
        return p.add(f"({x.name} @ {y.name}.T) * 0.25", "float", x.shape[:-1] + (x.shape[-2],), [x, y],
                     lambda a, b: (a @ np.swapaxes(b, -1, -2)) * 0.25)
    return p.add(f"{x.name}.T @ tanh({y.name})", "float", x.shape[:-2] + (x.shape[-1], x.shape[-1]), [x, y],
                 lambda a, b: np.swapaxes(a, -1, -2) @ np.tanh(b))


def contraction(p, rng):
    x = p.pick(rng, rank=3)
    if not x:
        return None
    y = p.pick(rng, shape=x.shape)
    pattern, axes = rng.choice([("a b c, a d c -> a b d", "abc,adc->abd"), ("a b c, a b d -> a d c", "abc,abd->adc"), ("a b c, a b c -> a c", "abc,abc->ac"),
                                ("a b c, d b c -> a d", "abc,dbc->ad")])
    size = dict(zip("abc", x.shape))
    size["d"] = x.shape["abc".index({"abc,adc->abd": "b", "abc,abd->adc": "c", "abc,abc->ac": "a", "abc,dbc->ad": "a"}[axes])]
    shape = tuple(size[c] for c in axes.split("->")[1])
    return p.add(f'einsum("{pattern}", {x.name}, {y.name}) * 0.25', "float", shape, [x, y], lambda a, b: np.einsum(axes, a, b) * 0.25)


def convolution(p, rng):
    x = p.pick(rng, rank=4, image=True)
    if not x:
        return None
    n, c, h, w = x.shape
    c, h, w = c.constant, h.constant, w.constant
    groups = rng.choice([1, 1, c])
    k, out = rng.choice([k for k in (1, 2, 3) if k <= min(h, w)]), groups * rng.choice([1, 2, 3])
    stride, padding = rng.choice([1, 1, 2]), rng.choice([0, 1])
    name, weight = p.weight(rng, (out, c // groups, k, k), "{}.weight",
                            f"Conv2d({c}, {out}, {k}, stride={stride}, padding={padding}, groups={groups})")
    bias = p.more_weight(rng, f"{name}.bias", (out,))
    sizes = [(s + 2 * padding - k) // stride + 1 for s in (h, w)]

    def meaning(v):
        v = np.pad(v, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        result = np.zeros((v.shape[0], out, *sizes))
        for i in range(k):
            for j in range(k):
                window = v[:, :, i:i + (sizes[0] - 1) * stride + 1:stride, j:j + (sizes[1] - 1) * stride + 1:stride]
                for g in range(groups):
                    a, b = c // groups, out // groups
                    result[:, g * b:(g + 1) * b] += np.einsum("bchw,oc->bohw", window[:, g * a:(g + 1) * a], weight[g * b:(g + 1) * b, :, i, j])
        return result + bias[:, None, None]

    return p.add(f"{x.name} |> {name}", "float", (n, *shape_of(out, *sizes)), [x], meaning)


def pool(p, rng):
    x = p.pick(rng, rank=4, image=True)
    if not x or min(x.shape[2].constant, x.shape[3].constant) < 2:
        return None
    kind = rng.choice(["max", "avg"])
    sizes = [s.constant // 2 for s in x.shape[2:]]

    def meaning(v):
        v = v[:, :, :sizes[0] * 2, :sizes[1] * 2].reshape(*v.shape[:2], sizes[0], 2, sizes[1], 2)
        return v.max((3, 5)) if kind == "max" else v.mean((3, 5))

    return p.add(f"{x.name} |> {kind}_pool(2)", "float", x.shape[:2] + shape_of(*sizes), [x], meaning, exact=x.exact and kind == "max")


def attend(p, rng):
    """The prelude's attention: grouped heads, causal, masked."""
    x = p.pick(rng, rank=4, last_constant=True)
    if not x:
        return None
    y, z = p.pick(rng, shape=x.shape), p.pick(rng, shape=x.shape)
    causal = rng.random() < 0.5
    heads = x.shape[1].constant
    one = heads and heads > 1 and rng.random() < 0.5  # one head of keys and values for all
    k, v = (f"{y.name}[:, 0:1]", f"{z.name}[:, 0:1]") if one else (y.name, z.name)

    def meaning(q, k, v):
        if one:
            k, v = (np.repeat(t[:, :1], q.shape[1], axis=1) for t in (k, v))
        s = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
        if causal:
            s = np.where(np.tril(np.ones(s.shape[-2:], bool)), s, -np.inf)
        return softmax(s, -1) @ v

    text = f"attention({x.name}, {k}, {v}{', causal=true' if causal else ''})"
    return p.add(text, "float", x.shape, [x, y, z], meaning)


# --- modules -----------------------------------------------------------------------------------------------------


def norm(p, rng):
    x = p.pick(rng, least=2, last_constant=True)
    if not x or x.shape[-1].constant < 2:
        return None
    d = x.shape[-1].constant
    kind = rng.choice(["LayerNorm", "RMSNorm"])
    name, w = p.weight(rng, (d,), "{}.weight", f"{kind}({d}, eps=0.1)")
    if kind == "RMSNorm":
        return p.add(f"{name}({x.name})", "float", x.shape, [x], lambda v: v / np.sqrt((v * v).mean(-1, keepdims=True) + 0.1) * w)
    b = p.more_weight(rng, f"{name}.bias", (d,))
    return p.add(f"{name}({x.name})", "float", x.shape, [x],
                 lambda v: (v - v.mean(-1, keepdims=True)) / np.sqrt(v.var(-1, keepdims=True) + 0.1) * w + b)


def block(p, rng):
    """A list of layers, called as a sequence or walked by a loop."""
    x = p.pick(rng, least=2, last_constant=True, most=4)
    if not x:
        return None
    d, count = x.shape[-1].constant, rng.choice([2, 3])
    name, w = p.weight(rng, (d, d), "{}.0.weight", f"[Linear({d}, {d}, bias=false) for _ in 0..{count}]")
    weights = [w] + [p.more_weight(rng, f"{name}.{i}.weight", (d, d)) for i in range(1, count)]
    looped = rng.random() < 0.5

    def meaning(v):
        for each in weights:
            v = np.tanh(v @ each.T) + v if looped else v @ each.T
        return v

    if not looped:
        return p.add(f"{x.name} |> {name}", "float", x.shape, [x], meaning)
    new = p.fresh()
    lines = f"{new} = {x.name}\n    for layer in {name} {{ {new} = ({new} |> layer |> tanh) + {new} }}"
    return p.add(lines, "float", x.shape, [x], meaning, whole=new)


def remember(p, rng):
    """A state that starts at its initial value, written whole or in part and read before and after."""
    x = p.pick(rng, least=2, most=3, last_constant=True)
    if not x:
        return None
    d, start = x.shape[-1].constant, rng.choice([0, 2])
    name = p.state(f"float[{d}]", start)
    axes = tuple(range(x.rank - 1))
    mean = f"mean({x.name}, axis={axes[0] if len(axes) == 1 else axes})"
    new = p.fresh()
    part = d >= 3 and rng.random() < 0.5

    def meaning(v):
        before = np.full(d, float(start))
        after = before * 0.5 + v.mean(axes)
        if part:
            after = np.concatenate([before[:1], after[1:d - 1], before[d - 1:]])
        return v * before + after

    if part:
        update = f"{name}[1 : {d - 1}] <- {name}[1 : {d - 1}] * 0.5 + ({mean})[1 : {d - 1}]"
    else:
        update = f"{name} <- {name} * 0.5 + {mean}"
    lines = f"{new} = {x.name} * {name}\n    {update}\n    {new} = {new} + {name}"
    return p.add(lines, "float", x.shape, [x], meaning, whole=new)


def loop(p, rng):
    """A scan: carried values, a product with a weight in the body, what is yielded stacked; both directions."""
    x = p.pick(rng, least=2, most=4)
    if not x:
        return None
    axis = rng.randrange(x.rank)
    rest = x.shape[:axis] + x.shape[axis + 1:]
    backwards, final = rng.random() < 0.4, rng.random() < 0.3
    d = rest[-1].constant
    weight = None
    if d and rng.random() < 0.5:
        name, weight = p.weight(rng, (d, d), "{}")
    h, c, item, new = (p.fresh() for _ in range(4))
    step = f"{h} @ {name}.T + {item}" if weight is not None else f"{h} * 0.5 + {item}"
    lines = "\n    ".join([
        f"{h} = zeros([{', '.join(map(str, rest))}])", f"{c} = {h}",
        f"{new} = scan {item} in {x.name} axis {axis}{' reverse' if backwards else ''} {{",
        f"  {c} = {c} + {h}", f"  {h} = tanh({step})", f"  yield {h} + 0.25 * {item}", "}",
        *([f"{new} = {h} - {c}"] if final else [])])

    def meaning(v):
        state, total, made = np.zeros(v.shape[:axis] + v.shape[axis + 1:]), 0, [None] * v.shape[axis]
        for i in reversed(range(v.shape[axis])) if backwards else range(v.shape[axis]):
            each = np.take(v, i, axis)
            total = total + state
            state = np.tanh((state @ weight.T if weight is not None else state * 0.5) + each)
            made[i] = state + 0.25 * each
        return state - total if final else np.stack(made, axis)

    return p.add(lines, "float", rest if final else x.shape, [x], meaning, whole=new)


def function(p, rng):
    """A function of the file, with a pack, a default and a branch at build time."""
    x = p.pick(rng)
    name = f"{p.name}{p.fresh()}"
    flag = rng.choice(["true", "false"])
    p.declare(name, f"fn {name}(x: float[...S], scale: float = 0.5, twice: bool = false) -> float[...S] {{\n"
                    f"  y = x * scale\n  if twice {{ y = y + y }}\n  return tanh(y)\n}}")
    return p.add(f"{x.name} |> {name}(twice={flag})", "float", x.shape, [x],
                 lambda v: np.tanh(v * (1.0 if flag == "true" else 0.5)), declares=[name])


KINDS = [
    unary, unary, unary, binary, binary, binary, broadcast_trailing, broadcast_trailing, broadcast_one, choose, logic, integers, integers, from_integers,
    best, look_up, reduction, reduction, pattern_reduction, soft, permute, permute, merge, unmerge, repeat, index, index, join, pile, part,
    edge, turn, resize, spread, product, product, self_product, contraction, attend, convolution, convolution, pool, norm, block, remember, loop, loop, function,
]
