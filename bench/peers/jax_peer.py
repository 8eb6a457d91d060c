"""JAX's side of a case, where the model is short in it: the weights, inputs and reference that measure.py has written.

    python3 jax_peer.py CASE FOLDER

Prints one line of JSON; `null` where JAX is not installed or the case is not here. The time is that of one of many calls
in a row, by the clock: JAX has no events, and queues ahead.
"""
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


def models():
    import jax
    import jax.numpy as jnp
    from jax import lax

    def linear(w, name, x):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def mlp(w, x):
        x = jax.nn.relu(linear(w, "layers.0", x))
        x = jax.nn.relu(linear(w, "layers.2", x))
        return (jax.nn.softmax(linear(w, "layers.4", x)),)

    def conv(w, name, x):
        y = lax.conv_general_dilated(x, w[f"{name}.weight"], (1, 1), "VALID", dimension_numbers=("NHWC", "OIHW", "NHWC"))
        return y + w[f"{name}.bias"]

    def pool(x):
        return lax.reduce_window(x, jnp.array(-jnp.inf, x.dtype), lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def convolutions(w, image):
        x = pool(jax.nn.relu(conv(w, "conv1", image.transpose(0, 2, 3, 1))))
        x = pool(jax.nn.relu(conv(w, "conv2", x))).transpose(0, 3, 1, 2)
        return linear(w, "fc2", jax.nn.relu(linear(w, "fc1", x.reshape(x.shape[0], -1))))

    def lenet(w, image):
        return (jax.nn.log_softmax(convolutions(w, image)),)

    def cifar(w, image):
        return (convolutions(w, image),)

    def series(w, x):
        gates = x @ w["lstm.weight_ih_l0"].T + w["lstm.bias_ih_l0"] + w["lstm.bias_hh_l0"]
        recurrent = w["lstm.weight_hh_l0"].T

        def step(carry, xt):
            h, c = carry
            i, f, g, o = jnp.split(xt + h @ recurrent, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        zero = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
        (h, _), _ = lax.scan(step, (zero, zero), gates.swapaxes(0, 1))
        return (linear(w, "fc", h),)

    def norm(w, name, x):
        wide = x.astype(jnp.float32)
        mean = wide.mean(-1, keepdims=True)
        unit = (wide - mean) * lax.rsqrt(((wide - mean) ** 2).mean(-1, keepdims=True) + 1e-12)
        return unit.astype(x.dtype) * w[f"{name}.weight"] + w[f"{name}.bias"]

    attention = "cudnn" if jax.default_backend() == "gpu" else "xla"

    def bert(w, ids, kind):
        b, t = ids.shape
        at = "embeddings."
        x = w[at + "word_embeddings.weight"][ids] + w[at + "token_type_embeddings.weight"][kind]
        x = norm(w, at + "LayerNorm", x + w[at + "position_embeddings.weight"][:t])
        for i in range(12):
            at = f"encoder.layer.{i}."
            q, k, v = (linear(w, f"{at}attention.self.{n}", x).reshape(b, t, 12, 64) for n in ("query", "key", "value"))
            a = jax.nn.dot_product_attention(q, k, v, implementation=attention).reshape(b, t, 768)
            x = norm(w, at + "attention.output.LayerNorm", x + linear(w, at + "attention.output.dense", a))
            h = jax.nn.gelu(linear(w, at + "intermediate.dense", x), approximate=False)
            x = norm(w, at + "output.LayerNorm", x + linear(w, at + "output.dense", h))
        return x, jnp.tanh(linear(w, "pooler.dense", x[:, 0]))

    return {"mlp": mlp, "lenet": lenet, "seedcnn": cifar, "lstm": series, "bert": bert}


def clock(function, arguments):
    import jax

    start = time.perf_counter()
    outputs = jax.block_until_ready(function(*arguments))
    first = time.perf_counter() - start
    for _ in range(5):
        jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready([function(*arguments) for _ in range(100)])
        times.append((time.perf_counter() - start) * 10)
    return outputs, first, sorted(times)[2]


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    try:
        import jax
    except ImportError:
        return None
    import numpy as np
    from safetensors.flax import load_file

    function = models().get(name.split("_")[0])
    if function is None:
        return None
    weights, inputs, reference = (load_file(folder / f"{n}.safetensors") for n in ("weights", "inputs", "reference"))
    order = {"bert": ["ids", "kind"]}.get(name.split("_")[0], list(inputs))
    outputs, first, ms = clock(jax.jit(function), [weights, *(inputs[n] for n in order)])
    names = {"bert": ["hidden", "pooled"]}.get(name.split("_")[0], list(reference))
    difference = 0.0
    for key, found in zip(names, outputs, strict=True):
        wanted = np.asarray(reference[key], np.float64)
        difference = max(difference, float(abs(np.asarray(found, np.float64) - wanted).max() / abs(wanted).max()))
    return {"ms": ms, "first_call_s": first, "difference": difference}


if __name__ == "__main__":
    print(json.dumps(main()))
