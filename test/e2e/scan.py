"""Scans of every kind against numpy walking them step by step, at several sizes.

    scan.py BIN [--twin LIBRARY]

Without a twin on the cpu target, with one on cuda.
"""
import json
import os
import sys

import numpy as np

from support import ROOT, Tools

SOURCE = """
model M() {
  state total: float[4]
  state count: i32[]
  param w: float[3, 3] = normal(std=0.5)

  fn last(x: float[B, T, 4]) -> (y: float[B, 4]) requires B in 1..=8, T in 1..=40 {
    h = zeros([B, 4])
    scan xt in x axis 1 { h = 0.5 * h + xt }
    return h
  }

  fn all(x: float[B, T, 4]) -> (y: float[B, T, 4]) requires B in 1..=8, T in 1..=40 {
    h = zeros([B, 4])
    y = scan xt in x axis 1 {
      h = 0.5 * h + xt
      yield h
    }
    return y
  }

  fn backwards(x: float[B, T, 3]) -> (y: float[B, T, 3], h: float[B, 3])
  requires B in 1..=8, T in 1..=40 {
    h = zeros([B, 3])
    y = scan xt in x axis 1 reverse {
      h = tanh(xt + h)
      yield h * 2
    }
    return y, h
  }

  fn several(x: float[T, 3], g: float[2, T]) -> (a: float[T], b: float[3, T], s: float[3], t: float[3])
  requires T in 1..=40 {
    s = zeros([3])
    t = full([3], 1)
    p, q = scan xt, gt in x, g.T axis 0 {
      s, t = (t, s + xt * sum(gt))
      yield sum(s * xt), t
    }
    return p, q.T, s, t
  }

  fn last_axis(x: float[2, 3, T]) -> (y: float[2, 3, T]) requires T in 1..=40 {
    h = zeros([2, 3])
    y = scan xt in x axis 2 {
      h = max(h, xt)
      yield h
    }
    return y
  }

  fn nested(x: float[S, T, 3]) -> (y: float[S, T], h: float[3]) requires S in 1..=6, T in 1..=40 {
    h = zeros([3])
    y = scan row in x axis 0 {
      h = h * 0.5
      z = scan xt in row axis 0 {
        h = tanh(h @ w) + xt
        yield sum(h)
      }
      yield z
    }
    return y, h
  }

  fn product(x: float[B, T, 3]) -> (y: float[B, T, 3]) requires B in 1..=8, T in 1..=40 {
    h = full([B, 3], 0.1)
    y = scan xt in x axis 1 {
      u = relu_like(xt @ w + 0.25)
      h = tanh(u + h @ w.T)
      yield h
    }
    return y
  }

  fn steady(x: float[B, T, 3]) -> (y: float[B, T, 3]) requires B in 1..=8, T in 1..=40 {
    y = scan xt in x axis 1 {
      k = exp(w)
      yield softmax(xt @ k, axis=-1)
    }
    return y
  }

  fn stateful(x: float[T, 4]) -> (y: float[T, 4], n: i32[]) requires T in 1..=40 {
    y = scan xt in x axis 0 {
      total <- total + xt
      count <- count + 1
      yield total * 2
    }
    return y, count
  }
}

fn relu_like(x: float[...S]) -> float[...S] = max(x, 0)
"""


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def last(m, x):
    h = np.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        h = 0.5 * h + x[:, t]
    return [h]


def all_(m, x):
    h, y = np.zeros_like(x[:, 0]), []
    for t in range(x.shape[1]):
        h = 0.5 * h + x[:, t]
        y.append(h)
    return [np.stack(y, 1)]


def backwards(m, x):
    h, y = np.zeros_like(x[:, 0]), []
    for t in reversed(range(x.shape[1])):
        h = np.tanh(x[:, t] + h)
        y.insert(0, h * 2)
    return [np.stack(y, 1), h]


def several(m, x, g):
    s, t, p, q = np.zeros(3), np.ones(3), [], []
    for i in range(len(x)):
        s, t = t, s + x[i] * g[:, i].sum()
        p.append((s * x[i]).sum())
        q.append(t)
    return [np.array(p), np.stack(q, 1), s, t]


def last_axis(m, x):
    return [np.maximum(np.maximum.accumulate(x, 2), 0)]


def nested(m, x):
    h, y = np.zeros(3), []
    for row in x:
        h, z = h * 0.5, []
        for xt in row:
            h = np.tanh(h @ m["w"]) + xt
            z.append(h.sum())
        y.append(z)
    return [np.array(y), h]


def product(m, x):
    h, y = np.full_like(x[:, 0], 0.1), []
    for t in range(x.shape[1]):
        h = np.tanh(np.maximum(x[:, t] @ m["w"] + 0.25, 0) + h @ m["w"].T)
        y.append(h)
    return [np.stack(y, 1)]


def steady(m, x):
    return [softmax(x @ np.exp(m["w"]))]


def stateful(m, x):
    return [2 * np.cumsum(x, 0), np.array(len(x))]


# entry, reference, shapes of the inputs by name
CASES = [
    ("last", last, {"x": "B T 4"}),
    ("all", all_, {"x": "B T 4"}),
    ("backwards", backwards, {"x": "B T 3"}),
    ("several", several, {"x": "T 3", "g": "2 T"}),
    ("last_axis", last_axis, {"x": "2 3 T"}),
    ("nested", nested, {"x": "S T 3"}),
    ("product", product, {"x": "B T 3"}),
    ("steady", steady, {"x": "B T 3"}),
    ("stateful", stateful, {"x": "T 4"}),
]
NAMES = {"several": ["a", "b", "s", "t"], "backwards": ["y", "h"], "nested": ["y", "h"], "stateful": ["y", "n"]}


def check(tools, model, entry, reference, shapes, sizes, m, tolerance):
    random = np.random.RandomState(len(entry) + sizes["T"])
    arguments, inputs = [], []
    for name, shape in shapes.items():
        shape = [sizes.get(part) or int(part) for part in shape.split()]
        value = random.standard_normal(shape).astype(np.float32)
        np.save(tools.at / f"{name}.npy", value)
        arguments += ["--input", f"{name}={name}.npy"]
        inputs.append(value.astype(np.float64))
    outputs = NAMES.get(entry, ["y"])
    for name in outputs:
        arguments += ["--output", f"{name}=out-{name}.npy"]
    tools.passes("nnc-run", model, "--entry", entry, *arguments)
    for name, wanted in zip(outputs, reference(m, *inputs), strict=True):
        found = np.load(tools.at / f"out-{name}.npy")
        if found.shape != wanted.shape or not np.allclose(found, wanted, tolerance["rtol"], tolerance["atol"]):
            tools.expect(f"{entry} of {sizes}: {name}", found.tolist(), wanted.tolist())


def main():
    target = "cuda" if "--twin" in sys.argv else "cpu"
    if target == "cuda":
        os.environ["NNC_CUDA_TWIN"] = sys.argv[sys.argv.index("--twin") + 1]
    tools = Tools(sys.argv[1])
    tolerance = json.loads((ROOT / "test/tolerances.json").read_text())["twin_f32" if target == "cuda" else "cpu_f32"]
    m = {"w": np.random.RandomState(0).standard_normal((3, 3)) * 0.5}
    (tools.at / "m.nn").write_text(SOURCE)
    write_weights(tools.at / "w.safetensors", m)
    m = {k: v.astype(np.float32).astype(np.float64) for k, v in m.items()}
    options = ["--arch", "sm_80"] if target == "cuda" else []
    tools.passes("nnc", "m.nn", "--target", target, *options, "--weights", "w.safetensors", "-o", "m.bin")
    for entry, reference, shapes in CASES:
        for sizes in ({"B": 1, "T": 1, "S": 1}, {"B": 3, "T": 2, "S": 2}, {"B": 8, "T": 19, "S": 3}):
            check(tools, "m.bin", entry, reference, shapes, sizes, m, tolerance)
    tools.finish()


def write_weights(path, tensors):
    from support import safetensors_bytes

    packed = {k: (v.shape, v.astype(np.float32).ravel().tolist(), "<f4") for k, v in tensors.items()}
    path.write_bytes(safetensors_bytes(packed))


if __name__ == "__main__":
    main()
