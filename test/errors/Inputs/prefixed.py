"""Makes a checkpoint of zeros whose keys are those of `nnc keys` (on stdin) behind a prefix.

    nnc keys model.nn | prefixed.py PREFIX OUT.safetensors

The data are a hole in the file, so that it costs no space.
"""
import json
import math
import re
import struct
import sys

prefix, path = sys.argv[1:]
header, offset = {}, 0
for key, shape in re.findall(r"^(\S+) +float\[([\d, ]*)\]", sys.stdin.read(), re.MULTILINE):
    sizes = [int(size) for size in shape.split(",") if size.strip()]
    end = offset + 4 * math.prod(sizes)
    header[prefix + key] = {"dtype": "F32", "shape": sizes, "data_offsets": [offset, end]}
    offset = end
text = json.dumps(header).encode()
with open(path, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    file.truncate(8 + len(text) + offset)
