//===- Passes.td - Passes over the nn dialect and its kernels ---------------------------------===//
//
// Every pass of the compiler between the front end and code generation, in the order of
// Pipelines.cpp. One pass, one file, named for the verb.
//
//===------------------------------------------------------------------------------------------===//
#ifndef NNC_PASSES_TD
#define NNC_PASSES_TD

include "mlir/Pass/PassBase.td"

def NameLocations : Pass<"nn-name-locations", "::mlir::ModuleOp"> {
  let summary = "Turn call-site locations left by inlining into module paths";
  let description = [{
    The inliner wraps locations as `callsite(callee at caller)`. Everything later (kernel names,
    comments in generated code, profiles) reads `NameLoc(path, source)`, so the paths of the calls
    are joined with dots, outermost first. The source is the innermost position in the file of the
    outermost call, so that ops of the library point to the user's call:
    `callsite("conv1"("prelude/linear.nn":7:3) at "layers.2"("m.nn":9:4))` becomes
    `"layers.2.conv1"("m.nn":9:4)`.

    Ops of a call whose location is `fused<"remat">[..]` get the attribute `nn.remat = "call"`.
  }];
}

def NumberDraws : Pass<"nn-number-draws", "::mlir::ModuleOp"> {
  let summary = "Turn draws from the session's generator into functions of their place";
  let description = [{
    Each `nn.draw` of an entry point becomes an `nn.random` whose operands no other has: the seed and
    the number of the call come from the state `random numbers`, which the session writes before
    each call; the stream is the place of the draw in the entry point; the counter is that of the
    element, counted over all steps of the scans around it. Streams are globals of kind `const`, so
    that equal layers stay equal kernels.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numDraws", "num-draws", "Draws numbered">];
}

def AlignProducts : Pass<"nn-align-products", "::mlir::ModuleOp"> {
  let summary = "Lengthen rows of 16-bit products that are differentiated to whole 16 bytes";
  let description = [{
    `nn.matmul %x, %w` of N columns, N many and not a multiple of 8, becomes a slice of the product
    with `%w` padded by zeros. For cuda, in entry points with a gradient.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numAligned", "num-aligned", "Products with longer rows">];
}

def Differentiate : Pass<"nn-differentiate", "::mlir::ModuleOp"> {
  let summary = "Replace gradients by the operations that compute them";
  let description = [{
    `%g = nn.gradient %loss wrt(%w)` becomes a backward pass: from the loss backwards, every operation
    that depends on a `wrt` value through floats turns the gradient of its result into those of its
    operands (`DerivativeInterface`). All reads of one global are one value to it. An operation
    without a derivative is an error. `nn.stop_gradient` lets nothing pass and is dropped.

    Operations with one attribute `nn.remat` are computed again for the backward pass, as a whole,
    from what they read from elsewhere, through `nn.barrier`. Without it all that the backward pass
    reads is saved, but for what kernels compute again where they read it.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numGradients", "num-gradients", "Backward passes made">];
}

def HoistInvariants : Pass<"nn-hoist-invariants", "::mlir::ModuleOp"> {
  let summary = "Move out of scans what is the same in every iteration";
  let description = [{
    An op of a body whose operands come from outside and whose attributes do not mention the counter
    moves before the scan, out of inner scans first.
  }];
  let statistics = [Statistic<"numHoisted", "num-hoisted", "Ops moved out of scans">];
}

def BatchSteps : Pass<"nn-batch-steps", "::mlir::ModuleOp"> {
  let summary = "Compute products of all steps of a scan before it";
  let description = [{
    A product that reads the steps of a sequence and weights, but nothing carried, is computed once
    for all steps, with what each step computes before it (a norm, an embedding) and elementwise
    after it (a bias): `nn.slice %x` at the counter, `nn.matmul` becomes `nn.matmul` of all of `%x`
    before the scan, and in the body a slice of its result.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numBatched", "num-batched", "Values computed for all steps">];
}

def QuantizeWeights : Pass<"nn-quantize-weights", "::mlir::ModuleOp"> {
  let summary = "Replace weights that the model wants quantized by their stored form";
  let description = [{
    A `nn.global` with the attribute `quant = {element = "i4", group = 128 : i64, zero = true,
    act = "i8"}` (the last three may be absent) gives globals of kind `const` for its values, scales
    and zeros, with `quantized = {of = @w, part = "values" | "scales" | "zeros", ...}`, and readers
    get `nn.dequantize` of these. Which axis is the input's follows from the products that read the
    weight: scales hold per output channel and per group along the input axis. With `act`, the other
    operand of those products is rounded to that element, with one dynamic scale per row.

    Casts of params that are stored in fewer bits become `nn.dequantize` too, so that their readers
    compute them.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numQuantized", "num-quantized", "Weights quantized">];
}

def FoldBatchNorm : Pass<"nn-fold-batch-norm", "::mlir::ModuleOp"> {
  let summary = "Fold per-channel scale and shift by weights into the convolution before them";
  let description = [{
    An affine function per output channel whose factors depend on weights only is moved into the
    weight and the bias of the `nn.conv2d` or `nn.matmul` that it follows:
    `conv(x, w) * s + t` becomes `conv(x, w * s) + t`. Chains of `add sub mul div neg` and of casts
    are collected as one function `s * y + t`, so the order in which a batch norm is written does
    not matter. Only f32 is folded: with 16 bits the new weight would be rounded where the model is
    not.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numFolded", "num-folded", "Chains folded into their anchor">];
}

def ChooseLayouts : Pass<"nn-choose-layouts", "::mlir::ModuleOp"> {
  let summary = "Put channels last where convolutions read them together";
  let description = [{
    Convolutions of 16-bit and f32 images without groups become NHWC, with weights OHWI and channels
    padded with zeros to a multiple of 8 or 4; elementwise ops, pools, grouped convolutions, concatenations of
    channels and reductions between them follow, and gradients of their weights read both images as
    they lie. For cuda; transposed weights are prepared at compile time by the passes that follow.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numConvolutions", "num-convolutions", "Convolutions made NHWC">];
}

def CutWeightGrads : Pass<"nn-cut-weight-grads", "::mlir::ModuleOp"> {
  let summary = "Cut long sums of convolutions' weights' gradients into parts";
  let description = [{
    `nn.conv2d_weight_grad` becomes one with as many parts as fill a GPU, and the sum of these, in
    f32. For cuda.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numCut", "num-cut", "Sums cut into parts">];
}

def ExpandWeightGrads : Pass<"nn-expand-weight-grads", "::mlir::ModuleOp"> {
  let summary = "Make convolutions of gradients of convolutions' weights";
  let description = [{
    `nn.conv2d_weight_grad %x, %dy` becomes the `nn.conv2d` of %x with %dy as its window, batch and
    channels exchanged. For the cpu.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
}

def MergeProducts : Pass<"nn-merge-products", "::mlir::ModuleOp"> {
  let summary = "Make one product of those with weights that hold the heads of attention";
  let description = [{
    `reshape(x @ q + bq)`, `reshape(x @ k + bk)`, `reshape(x @ v + bv)`, where each reshape cuts the
    columns into heads of one size, become slices of `reshape(x @ concat(q, k, v) + concat(bq, bk,
    bv))`. For cuda; the weights are joined at compile time by the passes that follow.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numMerged", "num-merged", "Products merged">];
}

def UseWinograd : Pass<"nn-use-winograd", "::mlir::ModuleOp"> {
  let summary = "Do 3x3 convolutions with fewer products";
  let description = [{
    `nn.conv2d` of f32 images with known 3x3 windows, without strides, dilation and groups, becomes
    `nn.winograd_conv2d` where its image is large enough that products take the time and not the
    combined weights, which are prepared at compile time by the passes that follow. For the cpu.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numReplaced", "num-replaced", "Convolutions replaced">];
}

def TransposeWeights : Pass<"nn-transpose-weights", "::mlir::ModuleOp"> {
  let summary = "Lay out 16-bit weights of products with their rows along the depth";
  let description = [{
    `nn.matmul %x, %w` with a weight `[K, N]` becomes `nn.matmul %x, transpose(%w) {transpose_b}`.
    For cuda; the transposition is done at compile time by the pass that follows.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numTransposed", "num-transposed", "Weights transposed">];
}

def HoistConstants : Pass<"nn-hoist-constants", "::mlir::ModuleOp"> {
  let summary = "Move what depends on weights only to a function that runs at compile time";
  let description = [{
    Maximal subgraphs that read nothing but `param`, `buffer` and constants, and that do not make
    the weights much larger, move to `func.func @prepare() -> (...) attributes {nn.prepare}`.
    Result `i` becomes a `nn.global` of kind `const` with the attribute `prepared = i`, which the
    entry points read with `nn.get`. Globals that no entry point reads any more stay, with the
    attribute `unused`. With nothing to hoist there is no `@prepare`.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect", "::mlir::func::FuncDialect"];
  let statistics = [Statistic<"numHoisted", "num-hoisted", "Values prepared at compile time">];
}

def FormKernels : Pass<"nn-form-kernels", "::mlir::ModuleOp"> {
  let summary = "Group the ops of every entry point into kernels";
  let description = [{
    Fuses producers and consumers around at most one anchor (see passes/README.md for the rules)
    and outlines each group as an isolated `nn.kernel`. For the cuda target, products that cuBLASLt
    does best become `nn.gemm`. Afterwards an entry point holds only `nn.kernel`, `nn.gemm`,
    `nn.get`, `nn.reshape` and `return`. A neighbour that was not fused is recorded, with the
    reason, in the attribute `nn.refused` of the kernel.
  }];
  let options = [
    Option<"target", "target", "::nnc::Target", "::nnc::Target::Cpu", "Machine to form kernels for",
           [{::llvm::cl::values(
               clEnumValN(::nnc::Target::Cpu, "cpu", "x86-64"),
               clEnumValN(::nnc::Target::Cuda, "cuda", "NVIDIA GPUs, with cuBLASLt"))}]>
  ];
  let dependentDialects = ["::nnc::nn::NNDialect"];
  let statistics = [Statistic<"numKernels", "num-kernels", "Kernels formed">,
                    Statistic<"numGemms", "num-gemms", "Library products formed">];
}

def LowerToLinalg : Pass<"nn-lower-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower the ops inside kernels to linalg, tensor, arith and math";
  let description = [{
    Each op lowers itself through `LinalgLoweringInterface`. Inside a kernel all types lose their
    encoding; operands and results of the kernel keep it.
  }];
  let options = [
    Option<"functions", "functions", "bool", "false",
           "Lower the ops of functions too, not only those in kernels">
  ];
  let dependentDialects = ["::nnc::nn::NNDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SimplifyKernels : Pass<"nn-simplify-kernels", "::mlir::ModuleOp"> {
  let summary = "Fuse and clean up linalg inside kernels";
  let description = [{
    Elementwise `linalg.generic` ops are fused into their consumers, except where an expensive
    producer would be computed several times; reshapes are folded into their neighbours; unused
    operands, results and fills disappear.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def PlaceStates : Pass<"nn-place-states", "::mlir::ModuleOp"> {
  let summary = "Write what states become over what they were";
  let description = [{
    A kernel without reductions whose result a `nn.set` stores gets the attribute `nn.in_place`
    (ir/KernelAttrs.h) where each element of the result is computed from the same element of the old
    value alone. Other readers of the old value are put before it. Where they must come after it,
    nothing changes, and the plan copies.
  }];
  let options = [
    Option<"target", "target", "::nnc::Target", "::nnc::Target::Cpu", "Machine that code is for",
           [{::llvm::cl::values(
               clEnumValN(::nnc::Target::Cpu, "cpu", "x86-64"),
               clEnumValN(::nnc::Target::Cuda, "cuda", "NVIDIA GPUs"))}]>
  ];
  let dependentDialects = ["::nnc::nn::NNDialect"];
}

def JoinLaunches : Pass<"nn-join-launches", "::mlir::ModuleOp"> {
  let summary = "Let independent small kernels run in one launch";
  let description = [{
    Elementwise kernels of fixed sizes that read only what is there from the beginning are put side by
    side and get one number as the attribute `nn.launch` (ir/KernelAttrs.h). So do those, and
    reductions of whole tensors to numbers, whose results only `nn.set` and `return` read, and those
    for which only such wait, level by level. For cuda.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
}

def JoinNeighbours : Pass<"nn-join-neighbours", "::mlir::ModuleOp"> {
  let summary = "Let small elementwise kernels that follow each other run in one launch";
  let description = [{
    Elementwise kernels of fixed sizes and few elements with nothing but other names of values between
    them, none of which waits for another or writes what another reads, are put side by side and get
    one number as the attribute `nn.launch` (ir/KernelAttrs.h). For cuda.
  }];
  let dependentDialects = ["::nnc::nn::NNDialect"];
}

def VerifyKernels : Pass<"nn-verify-kernels", "::mlir::ModuleOp"> {
  let summary = "Check what code generation relies on";
  let description = [{
    Entry points hold only what level 2 of docs/internals.md names; kernels hold only linalg,
    tensor, arith and math on types without encoding, at most one anchor besides row reductions, and
    symbols that exist.
  }];
}

#endif // NNC_PASSES_TD
