# How lit runs the tests below this folder. Paths of this build come from lit.site.cfg.py.
import os
import pathlib

import lit.formats

config.name = "nnc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".nn", ".test"]
# Not tests themselves: what tests read, and what GoogleTest and libFuzzer build.
config.excludes = ["Inputs", "golden", "unit", "fuzz"]
config.test_source_root = config.source_root + "/test"
config.test_exec_root = config.build_root + "/test"

bin = config.build_root + "/bin"
config.environment["PATH"] = os.pathsep.join(
    [bin, config.llvm_tools, config.environment.get("PATH", "")]
)
# Not the user's: entries of other builds have no effect on tests.
config.environment["NNC_CACHE_DIR"] = config.build_root + "/test/cache"
for name in ("NNC_CUDA_TWIN", "CUDA_VISIBLE_DEVICES", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions += [
    ("%python", config.python),
    ("%nnc-bin", bin),
    ("%root", config.source_root),
    ("%build", config.build_root),
    ("%twin", config.build_root + "/lib/libnnc_twin.so"),
    ("%mlir-libs", config.llvm_libs),
]

# What this machine has, for REQUIRES.
if any(pathlib.Path("/dev").glob("nvidia[0-9]*")):
    config.available_features.add("gpu")
for folder in ("lib64", "lib"):
    if any((pathlib.Path(config.cuda_include).parent / folder).glob("libnvrtc.so*")):
        config.available_features.add("nvrtc")
if pathlib.Path(config.build_root + "/lib/libnnc_twin.so").exists():
    config.available_features.add("twin")
if config.sanitize:
    config.available_features.add("asan")
