"""Products in loops in f16, whose weights stay in shared memory, on the twin against numpy in f64.

    recurrence.py BIN --twin LIBRARY

The twin runs three blocks at once, so with many rows weights are brought anew in every step, with few they stay.
"""
import json
import os
import sys

import numpy as np

from scan import write_weights
from support import ROOT, Tools

SOURCE = """
@precision(f16)
model M() {
  lstm = LSTM(16, 24)
  gru = GRU(16, 24, bidirectional=true)
  rnn = RNN(16, 24)
  param w: float[48, 24]
  param v: float[24, 24]
  param u: float[4, 24, 24]

  fn memory(x: float[B, T, 16]) -> (y: float[B, T, 24]) requires B in 1..=64, T in 1..=9 {
    return lstm(x)
  }

  fn gates(x: float[B, T, 16]) -> (y: float[B, T, 48]) requires B in 1..=64, T in 1..=9 {
    return gru(x)
  }

  fn simple(x: float[B, T, 16]) -> (y: float[B, T, 24]) requires B in 1..=64, T in 1..=9 {
    return rnn(x)
  }

  ## Two products, and what is behind the first lies where its operand was.
  fn two(x: float[B, T, 24]) -> (y: float[B, T, 24]) requires B in 1..=64, T in 1..=9 {
    h = zeros([B, 24])
    y = scan xt in x axis 1 {
      a, b = split(tanh(h + xt) @ w.T, 2, axis=-1)
      h = tanh(a * b @ v.T)
      yield h
    }
    return y
  }

  ## What the kernel behind the product reads lies in several tiles.
  fn shifted(x: float[B, T, 24]) -> (y: float[B, T, 24]) requires B in 1..=64, T in 1..=9 {
    h = zeros([B, 24])
    y = scan xt in x axis 1 {
      g = h @ w.T
      h = tanh(g[:, 8:32] * g[:, :24] + xt)
      yield h
    }
    return y
  }

  ## Weights that are others in each step.
  fn changing(x: float[B, 4, 24]) -> (y: float[B, 4, 24]) requires B in 1..=64 {
    h = zeros([B, 24])
    xs = x |> rearrange("b t d -> t b d")
    y = scan xt, ut in xs, u axis 0 {
      h = tanh(h @ ut.T + xt)
      yield h
    }
    return y |> rearrange("t b d -> b t d")
  }

  ## Weights that are carried.
  fn carried(x: float[B, T, 24]) -> (y: float[B, T, 24]) requires B in 1..=64, T in 1..=9 {
    h = zeros([B, 24])
    s = v
    y = scan xt in x axis 1 {
      h = tanh(h @ s.T + xt)
      s = s * 0.5
      yield h
    }
    return y
  }

  ## What the last step carries out lies where it was stacked.
  fn last(x: float[B, T, 24]) -> (y: float[B, T + 1, 24]) requires B in 1..=64, T in 1..=9 {
    h = zeros([B, 24])
    y = scan xt in x axis 1 {
      h = tanh(h @ v.T + xt)
      yield h
    }
    return concat([y, h[:, none]], axis=1)
  }

  ## A loop within: weights of the outer one's steps.
  fn nested(x: float[B, T, 24]) -> (y: float[B, T, 24]) requires B in 1..=64, T in 1..=9 {
    h = zeros([B, 24])
    s = v
    y = scan xt in x axis 1 {
      s = s * 0.5
      z = scan k in u axis 0 {
        h = tanh(h @ s.T + xt)
        yield h
      }
      h = h @ v.T
      yield z[3]
    }
    return y
  }
}
"""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def walk(x, h, step):
    """The results of `step(xt, h)`, which gives the next h and what is kept of it."""
    kept = []
    for t in range(x.shape[1]):
        h, y = step(x[:, t], h)
        kept.append(y)
    return np.stack(kept, 1)


def memory(m, x):
    def step(xt, state):
        h, c = state
        i, f, g, o = np.split(xt @ m["lstm.weight_ih_l0"].T + m["lstm.bias_ih_l0"] + m["lstm.bias_hh_l0"]
                              + h @ m["lstm.weight_hh_l0"].T, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        return (h, c), h

    zeros = np.zeros((len(x), 24))
    return walk(x, (zeros, zeros), step)


def gates(m, x):
    def side(x, end):
        def step(xt, h):
            r, z, n = np.split(xt @ m["gru.weight_ih_l0" + end].T + m["gru.bias_ih_l0" + end], 3, -1)
            r_h, z_h, n_h = np.split(h @ m["gru.weight_hh_l0" + end].T + m["gru.bias_hh_l0" + end], 3, -1)
            z = sigmoid(z + z_h)
            h = (1 - z) * np.tanh(n + sigmoid(r + r_h) * n_h) + z * h
            return h, h

        return walk(x, np.zeros((len(x), 24)), step)

    return np.concatenate([side(x, ""), side(x[:, ::-1], "_reverse")[:, ::-1]], -1)


def simple(m, x):
    def step(xt, h):
        h = np.tanh(xt @ m["rnn.weight_ih_l0"].T + m["rnn.bias_ih_l0"] + m["rnn.bias_hh_l0"] + h @ m["rnn.weight_hh_l0"].T)
        return h, h

    return walk(x, np.zeros((len(x), 24)), step)


def two(m, x):
    def step(xt, h):
        a, b = np.split(np.tanh(h + xt) @ m["w"].T, 2, -1)
        h = np.tanh(a * b @ m["v"].T)
        return h, h

    return walk(x, np.zeros((len(x), 24)), step)


def shifted(m, x):
    def step(xt, h):
        g = h @ m["w"].T
        h = np.tanh(g[:, 8:32] * g[:, :24] + xt)
        return h, h

    return walk(x, np.zeros((len(x), 24)), step)


def last(m, x):
    def step(xt, h):
        h = np.tanh(h @ m["v"].T + xt)
        return h, h

    y = walk(x, np.zeros((len(x), 24)), step)
    return np.concatenate([y, y[:, -1:]], 1)


def changing(m, x):
    def step(xt, state):
        h, t = state
        h = np.tanh(h @ m["u"][t].T + xt)
        return (h, t + 1), h

    return walk(x, (np.zeros((len(x), 24)), 0), step)


def carried(m, x):
    def step(xt, state):
        h, s = state
        h = np.tanh(h @ s.T + xt)
        return (h, s * 0.5), h

    return walk(x, (np.zeros((len(x), 24)), m["v"]), step)


def nested(m, x):
    def step(xt, state):
        h, s = state
        s = s * 0.5
        for _ in range(4):
            h = np.tanh(h @ s.T + xt)
        return (h @ m["v"].T, s), h

    return walk(x, (np.zeros((len(x), 24)), m["v"]), step)


# entry, reference, features, products whose weights stay, those that the kernel behind them joins
CASES = [
    ("memory", memory, 16, 1, 1),
    ("gates", gates, 16, 2, 2),
    ("simple", simple, 16, 1, 0),
    ("two", two, 24, 2, 0),
    ("shifted", shifted, 24, 1, 0),
    ("changing", changing, 24, 0, 0),
    ("carried", carried, 24, 0, 0),
    ("last", last, 24, 1, 0),
    ("nested", nested, 24, 1, 0),
]


def draw(random, shape):
    return (random.standard_normal(shape) * 0.3).astype(np.float16).astype(np.float64)


def weights():
    random = np.random.RandomState(0)
    m = {"w": draw(random, (48, 24)), "v": draw(random, (24, 24)), "u": draw(random, (4, 24, 24))}
    for name, parts, ends in [("lstm", 4, [""]), ("gru", 3, ["", "_reverse"]), ("rnn", 1, [""])]:
        for end in ends:
            for kind, shape in [("weight_ih", (parts * 24, 16)), ("weight_hh", (parts * 24, 24)),
                                ("bias_ih", (parts * 24,)), ("bias_hh", (parts * 24,))]:
                m[f"{name}.{kind}_l0{end}"] = draw(random, shape)
    return m


def main():
    os.environ["NNC_CUDA_TWIN"] = sys.argv[sys.argv.index("--twin") + 1]
    tools = Tools(sys.argv[1])
    most = json.loads((ROOT / "test/tolerances.json").read_text())["loops_f16"]["distance"]
    m = weights()
    (tools.at / "m.nn").write_text(SOURCE)
    write_weights(tools.at / "w.safetensors", m)
    arguments = ["m.nn", "--target", "cuda", "--arch", "sm_80", "--weights", "w.safetensors"]
    tools.passes("nnc", *arguments, "-o", "m.bin")
    for entry, reference, features, stay, joined in CASES:
        text = tools.passes("nnc", *arguments, "--entry", entry, "--emit=cuda", out=None)
        tools.expect(f"tiles of {entry}", (text.count("using Tile = ResidentTile<"), text.count("  eachOfTile<")), (stay, joined))
        for rows, steps in (1, 1), (10, 4), (40, 4):
            x = draw(np.random.RandomState(rows), (rows, steps if entry != "changing" else 4, features)) * 3
            np.save(tools.at / "x.npy", x.astype(np.float32))
            tools.passes("nnc-run", "m.bin", "--entry", entry, "--input", "x=x.npy", "--output", "y=y.npy")
            found, wanted = np.load(tools.at / "y.npy").astype(np.float64), reference(m, x)
            distance = np.linalg.norm(found - wanted) / np.linalg.norm(wanted)
            tools.expect(f"{entry} of {rows} rows, {distance:.2g} away", bool(distance <= most), True)
    tools.finish()


if __name__ == "__main__":
    main()
