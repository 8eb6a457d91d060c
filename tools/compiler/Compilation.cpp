#include "tools/compiler/Compilation.h"

#include "codegen/plan/PlanBuilder.h"
#include "frontend/syntax/Render.h"
#include "ir/NNOps.h"
#include "runtime/format/model_generated.h"
#include "tools/compiler/Checkpoint.h"
#include "tools/compiler/LocalGpu.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <chrono>
#include <fmt/format.h>

using namespace mlir;

namespace nnc {

const char *phaseName(Phase phase) {
  switch (phase) {
  case Phase::Check:
    return "check";
  case Phase::Weights:
    return "weights";
  case Phase::Optimize:
    return "optimize";
  case Phase::Prepare:
    return "prepare";
  case Phase::Kernels:
    return "kernels";
  case Phase::Assemble:
    return "assemble";
  }
  return "";
}

Compilation::Compilation(syntax::SourceManager &sources, syntax::Diagnostics &diags,
                         CompileOptions options)
    : sources(sources), diags(diags), options(std::move(options)),
      context(std::make_unique<MLIRContext>()) {}

Compilation::~Compilation() = default;

bool Compilation::fail(const Error &error) {
  diags.error(error.message);
  return false;
}

bool Compilation::run(syntax::FileId file, Phase last) {
  for (Phase phase : {Phase::Check, Phase::Weights, Phase::Optimize, Phase::Prepare, Phase::Kernels,
                      Phase::Assemble}) {
    auto start = std::chrono::steady_clock::now();
    bool done = runPhase(phase, file);
    std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    phaseTimes.push_back({phase, time.count()});
    if (!done)
      return false;
    if (phase == last)
      break;
  }
  return true;
}

bool Compilation::runPhase(Phase phase, syntax::FileId file) {
  switch (phase) {
  case Phase::Check:
    return chooseTarget() && check(file);
  case Phase::Weights:
    return loadWeights(file);
  case Phase::Optimize:
    return optimize();
  case Phase::Prepare:
    return prepare();
  case Phase::Kernels:
    return formKernels();
  case Phase::Assemble:
    return assemble();
  }
  return false;
}

/// "sm_80", "sm_90a": digits, and at most one letter.
static bool isArchitecture(llvm::StringRef arch) {
  if (!arch.consume_front("sm_"))
    return false;
  llvm::StringRef digits = arch.take_while(llvm::isDigit);
  llvm::StringRef suffix = arch.drop_front(digits.size());
  return digits.size() >= 2 && (suffix.empty() || suffix == "a" || suffix == "f");
}

/// The target and, for cuda, the architectures: the GPU's own where there is one.
bool Compilation::chooseTarget() {
  std::optional<std::string> local;
  if (options.target.empty() || (options.target == "cuda" && options.archs.empty()))
    local = localArchitecture();
  if (options.target.empty())
    options.target = local || !options.archs.empty() ? "cuda" : "cpu";
  if (options.target != "cpu" && options.target != "cuda")
    return fail({fmt::format("unknown target `{}`: expected `cpu` or `cuda`", options.target)});
  for (const std::string &arch : options.archs)
    if (!isArchitecture(arch))
      return fail({fmt::format(
          "unknown architecture `{}`: expected for example `sm_80` or `sm_90a`", arch)});
  if (options.target == "cpu" && !options.archs.empty())
    return fail({"`--arch` is for the target cuda"});
  chosenTarget = options.target == "cpu" ? Target::Cpu : Target::Cuda;
  if (chosenTarget == Target::Cuda && options.archs.empty())
    options.archs =
        local ? std::vector<std::string>{*local} : std::vector<std::string>{"sm_90a", "sm_80"};
  return true;
}

bool Compilation::check(syntax::FileId file) {
  frontend::FrontendOptions request{options.model, options.set, options.dims};
  moduleRef = frontend::emitModel(sources, file, request, diags, *context, &modelInfo);
  return moduleRef && !diags.hasErrors();
}

/// The checkpoint is --weights, else the model's own @weights beside its source; without either the
/// weights are fresh.
bool Compilation::loadWeights(syntax::FileId file) {
  std::string path = options.weights;
  if (path.empty() && modelInfo.weights) {
    llvm::SmallString<128> beside(llvm::sys::path::parent_path(sources.name(file)));
    llvm::sys::path::append(beside, modelInfo.weights->file);
    path = beside.str();
  }
  if (!path.empty()) {
    Result<LoadedCheckpoint> loaded = loadCheckpoint(*moduleRef, path, namesOf(modelInfo));
    if (!loaded)
      return fail(loaded.error());
    reportCheckpoint(loaded->report, modelInfo,
                     options.weights.empty() ? modelInfo.weights->file : path, diags);
    if (!loaded->report.isClean())
      return false;
    weights = std::move(loaded->store);
  }
  Result<void> done = codegen::initializeWeights(*moduleRef, options.seed, weights);
  return done ? true : fail(done.error());
}

bool Compilation::optimize() { return runPasses(*moduleRef, chosenTarget, buildNNPipeline); }

bool Compilation::formKernels() { return runPasses(*moduleRef, chosenTarget, buildKernelPipeline); }

/// Runs one pipeline. What a pass reports is our fault, not the user's, and says so.
bool Compilation::runPasses(ModuleOp module, Target target,
                            void (*build)(OpPassManager &, const PipelineOptions &)) {
  PassManager passes(context.get());
  build(passes, PipelineOptions{target});
  if (configurePasses)
    configurePasses(passes);
  std::string report;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && report.empty())
      report = diagnostic.str();
    return success();
  });
  if (succeeded(passes.run(module)))
    return true;
  return fail({fmt::format("internal error: {}", report.empty() ? "a pass failed" : report)});
}

/// Compiles `func @prepare` for the cpu, runs it in this process and keeps its results as the
/// weights of the globals that name them.
bool Compilation::prepare() {
  func::FuncOp function;
  for (auto candidate : moduleRef->getOps<func::FuncOp>())
    if (candidate->hasAttr("nn.prepare"))
      function = candidate;
  if (!function)
    return true;

  OwningOpRef<ModuleOp> program = ModuleOp::create(function.getLoc());
  for (Operation &op : *moduleRef->getBody())
    if (isa<nn::GlobalOp>(op) || &op == function.getOperation())
      program->push_back(op.clone());
  std::string name = function.getName().str();
  function.erase();
  if (!runPasses(*program, Target::Cpu, buildKernelPipeline))
    return false;

  Result<Assembly> built = assembleModule(*program, modelInfo.name, Target::Cpu, weights, options);
  if (!built)
    return fail(built.error());
  Result<std::vector<std::byte>> bytes = built->toMemory();
  if (!bytes)
    return fail(bytes.error());
  Result<Engine> engine = Engine::fromMemory(*bytes);
  if (!engine)
    return fail(engine.error());
  auto session = engine->session();
  if (!session)
    return fail(session.error());
  auto outputs = session->run(name, {});
  if (!outputs)
    return fail(outputs.error());
  return adoptPrepared(*outputs);
}

bool Compilation::adoptPrepared(const TensorMap &outputs) {
  for (auto global : moduleRef->getOps<nn::GlobalOp>()) {
    auto index = global->getAttrOfType<IntegerAttr>("prepared");
    if (!index)
      continue;
    const Tensor &tensor = std::next(outputs.begin(), index.getInt())->tensor;
    auto *data = static_cast<const std::byte *>(tensor.data());
    codegen::WeightTensor weight;
    weight.dtype = tensor.dtype();
    weight.shape.assign(tensor.shape().begin(), tensor.shape().end());
    weights.addOwned(global.getSymName(), weight, {data, data + tensor.bytes()});
  }
  return true;
}

bool Compilation::assemble() {
  Result<Assembly> built =
      assembleModule(*moduleRef, modelInfo.name, chosenTarget, weights, options);
  if (!built)
    return fail(built.error());
  product = std::move(*built);
  return true;
}

} // namespace nnc
