"""Reading .safetensors with numpy alone, 16-bit floats included."""
import json

import numpy as np

DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "I8": np.int8,
          "BOOL": np.bool_, "BF16": np.uint16}  # fmt: skip


def read_raw(path):
    """{name: (dtype, array)} of a file; what numpy has no type for as unsigned integers."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__":
            first, last = (start + offset for offset in entry["data_offsets"])
            values = np.frombuffer(data[first:last], DTYPES.get(entry["dtype"], np.uint8))
            tensors[name] = (entry["dtype"], values.reshape(entry["shape"]))
    return tensors


def read_safetensors(path):
    """{name: array}; BF16 as float32."""
    widen = lambda bits: (bits.astype(np.uint32) << 16).view(np.float32)  # noqa: E731
    return {name: widen(a) if dtype == "BF16" else a for name, (dtype, a) in read_raw(path).items()}
