"""The runtime's C interface (runtime/nnc.h) through ctypes: torch tensors go in and come out in place."""
import ctypes as C
import pathlib

import torch

DTYPES = {
    torch.float32: 0, torch.float16: 1, torch.bfloat16: 2, torch.float64: 3, torch.int8: 4, torch.int16: 5,
    torch.int32: 6, torch.int64: 7, torch.uint8: 8, torch.bool: 9,
}


class _Device(C.Structure):
    _fields_ = [("kind", C.c_int), ("index", C.c_int)]


class _Tensor(C.Structure):
    _fields_ = [
        ("name", C.c_char_p), ("dtype", C.c_int), ("rank", C.c_size_t), ("shape", C.POINTER(C.c_int64)),
        ("data", C.c_void_p), ("device", _Device),
    ]


def _describe(tensors):
    """An array of nnc_tensor; `kept` holds what it points to."""
    array, kept = (_Tensor * len(tensors))(), []
    for slot, (name, tensor) in zip(array, tensors.items()):
        assert tensor.is_contiguous(), name
        shape = (C.c_int64 * max(tensor.dim(), 1))(*tensor.shape)
        slot.name, slot.dtype, slot.rank = name.encode(), DTYPES[tensor.dtype], tensor.dim()
        slot.shape, slot.data = shape, tensor.data_ptr()
        slot.device = _Device(int(tensor.is_cuda), tensor.get_device() if tensor.is_cuda else 0)
        kept += [tensor, shape]
    return array, kept


class Session:
    """A loaded model.bin with one session on its device."""

    def __init__(self, binaries, path):
        names = [pathlib.Path(binaries) / ".." / "lib" / "libnnc_runtime.so", pathlib.Path(binaries) / "libnnc_runtime.so"]
        found = [name for name in names if name.exists()]
        if not found:
            raise RuntimeError(f"there is no libnnc_runtime.so at {names[0]}")
        self.library = C.CDLL(str(found[0].resolve()))
        for name in ("nnc_engine_load", "nnc_session_open"):
            getattr(self.library, name).restype = C.c_void_p
        self.library.nnc_last_error.restype = C.c_char_p
        engine = self.library.nnc_engine_load(str(path).encode())
        self._check(engine)
        self.engine = C.c_void_p(engine)
        session = self.library.nnc_session_open(self.engine)
        self._check(session)
        self.session = C.c_void_p(session)

    def _check(self, ok):
        if not ok:
            raise RuntimeError(f"nnc: {self.library.nnc_last_error().decode()}")

    def call(self, entry, inputs, outputs):
        """A call with these tensors; it can be made any number of times."""
        return Call(self, entry, inputs, outputs)

    def reset(self):
        self._check(self.library.nnc_session_reset(self.session) == 0)

    def close(self):
        self.library.nnc_session_free(self.session)
        self.library.nnc_engine_free(self.engine)


class Call:
    def __init__(self, session, entry, inputs, outputs):
        self.owner = session
        ins, kept = _describe(inputs)
        outs, more = _describe(outputs)
        self.kept = kept + more
        self.arguments = [
            session.session, C.c_char_p(entry.encode()), ins, C.c_size_t(len(ins)), outs, C.c_size_t(len(outs)),
        ]

    def run(self):
        """Runs the call and waits for it."""
        self.owner._check(self.owner.library.nnc_run_into(*self.arguments) == 0)

    def queue(self):
        """Queues the call on torch's current stream."""
        stream = C.c_void_p(torch.cuda.current_stream().cuda_stream)
        self.owner._check(self.owner.library.nnc_enqueue(*self.arguments, stream) == 0)
