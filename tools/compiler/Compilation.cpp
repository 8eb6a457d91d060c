#include "tools/compiler/Compilation.h"

#include "codegen/ElementType.h"
#include "codegen/Quantize.h"
#include "frontend/syntax/Render.h"
#include "ir/NNOps.h"
#include "ir/Unsupported.h"
#include "runtime/SessionState.h"
#include "runtime/format/MappedFile.h"
#include "runtime/format/Plan.h"
#include "tools/compiler/Checkpoint.h"
#include "tools/compiler/LocalGpu.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <chrono>
#include <filesystem>
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
    bool done = runPhase(phase, file) && (!afterPhase || afterPhase(phase));
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
    return chooseTarget() && loadLock(file) && check(file);
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

/// `--lock`, or the file beside the model. Only code for GPUs has choices.
bool Compilation::loadLock(syntax::FileId file) {
  if (chosenTarget != Target::Cuda)
    return options.lock.empty() ? true : fail({"`--lock` is for the target cuda"});
  std::string path = options.lock;
  if (ignoresLock)
    return true;
  if (path.empty()) {
    std::error_code error;
    path = BuildTactics::pathBeside(sources.name(file));
    if (!std::filesystem::is_regular_file(path, error))
      return true;
  }
  return tactics.load(sources, diags, path, options.archs.front());
}

/// `--precision`, `--allow`.
static std::optional<frontend::Precision> precisionOf(const CompileOptions &options) {
  frontend::Precision precision;
  precision.tf32 = options.allowTf32 || options.precision == "tf32";
  if (options.precision.empty() || options.precision == "tf32")
    return precision;
  for (syntax::Elem elem : {syntax::Elem::F32, syntax::Elem::F16, syntax::Elem::BF16})
    if (options.precision == syntax::spelling(elem)) {
      precision.working = elem;
      return precision;
    }
  return std::nullopt;
}

bool Compilation::check(syntax::FileId file) {
  std::optional<frontend::Precision> precision = precisionOf(options);
  if (!precision)
    return fail({fmt::format("unknown precision `{}`: expected `f32`, `tf32`, `f16` or `bf16`",
                             options.precision)});
  frontend::FrontendOptions request;
  request.precision = *precision;
  request.model = options.model;
  request.entries = options.entries;
  request.sets = options.set;
  request.config = options.config;
  request.dims = options.dims;
  request.variants = options.variants;
  moduleRef = frontend::emitModel(sources, file, request, diags, *context, &modelInfo);
  return moduleRef && !diags.hasErrors();
}

/// The checkpoint is --weights, else the model's own @weights beside its source; without either the
/// weights are fresh.
bool Compilation::loadWeights(syntax::FileId file) {
  if (withoutData)
    return true;
  std::string path = options.weights;
  if (path.empty() && modelInfo.weights) {
    llvm::SmallString<128> beside(llvm::sys::path::parent_path(sources.name(file)));
    llvm::sys::path::append(beside, modelInfo.weights->file);
    path = beside.str();
  }
  const std::string &shown =
      options.weights.empty() && modelInfo.weights ? modelInfo.weights->file : path;
  if (!path.empty()) {
    Result<LoadedCheckpoint> loaded = loadCheckpoint(*moduleRef, path, namesOf(modelInfo));
    if (!loaded) {
      reportUnreadable(loaded.error(), modelInfo, shown, diags);
      return false;
    }
    reportCheckpoint(loaded->report, modelInfo, shown, diags);
    if (!loaded->report.isClean())
      return false;
    weights = std::move(loaded->store);
  } else if (options.externalWeights) {
    return fail({fmt::format("`--external-weights` needs a checkpoint: `{}` has fresh weights",
                             modelInfo.name)});
  }
  Result<void> done = codegen::initializeWeights(*moduleRef, options.seed, weights);
  return done ? true : fail(done.error());
}

bool Compilation::optimize() {
  if (!runPasses(*moduleRef, chosenTarget, buildNNPipeline))
    return false;
  if (withoutData)
    return true;
  Result<void> done = codegen::quantizeWeights(*moduleRef, weights);
  if (done) // constants that passes have added
    done = codegen::initializeWeights(*moduleRef, options.seed, weights);
  return done ? true : fail(done.error());
}

bool Compilation::formKernels() {
  if (chosenTarget == Target::Cuda)
    tactics.chooseProducts(*moduleRef);
  return runPasses(*moduleRef, chosenTarget, buildKernelPipeline);
}

/// The user's place that `location` names; invalid if that is in no file that was read.
static syntax::Span placeOf(syntax::SourceManager &sources, Location location) {
  FileLineColLoc position;
  location->walk([&](Location part) {
    if (!position)
      position = dyn_cast<FileLineColLoc>(part);
    return WalkResult::advance();
  });
  syntax::Diagnostics ignored;
  std::optional<syntax::FileId> file =
      position ? sources.load(position.getFilename().str(), ignored) : std::nullopt;
  if (!file || position.getLine() == 0 || position.getLine() > sources.numLines(*file))
    return {};
  syntax::Span line = sources.lineSpan(*file, position.getLine());
  while (line.begin < line.end && sources.lineCol(line).col < position.getColumn())
    ++line.begin;
  return line;
}

/// Runs one pipeline. A pass may find that something is not supported; what it reports otherwise is
/// our fault, not the user's, and says so.
bool Compilation::runPasses(ModuleOp module, Target target,
                            void (*build)(OpPassManager &, const PipelineOptions &)) {
  PassManager passes(context.get());
  build(passes, PipelineOptions{target});
  if (configurePasses)
    configurePasses(passes);
  std::string report;
  bool isUnsupported = false;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error || !report.empty())
      return success();
    report = diagnostic.str();
    llvm::StringRef message = report;
    isUnsupported = message.consume_front(nn::kUnsupported);
    if (isUnsupported)
      diags.error("E0590", placeOf(sources, diagnostic.getLocation()), message.str());
    return success();
  });
  if (succeeded(passes.run(module)))
    return true;
  if (isUnsupported)
    return false;
  return fail({fmt::format("internal error: {}", report.empty() ? "a pass failed" : report)});
}

/// The path of a file as seen from the folder of another; folders are followed through links, since
/// `..` is.
static std::string relativeTo(const std::string &file, const std::string &from) {
  namespace fs = std::filesystem;
  std::error_code error;
  auto folderOf = [&](const fs::path &path) {
    return fs::weakly_canonical(fs::absolute(path, error).parent_path(), error);
  };
  fs::path relative =
      (folderOf(file) / fs::path(file).filename()).lexically_relative(folderOf(from));
  return error || relative.empty() ? file : relative.string();
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
  if (withoutData) {
    function.erase();
    return true;
  }

  OwningOpRef<ModuleOp> program = ModuleOp::create(function.getLoc());
  for (Operation &op : *moduleRef->getBody())
    if (isa<nn::GlobalOp>(op) || &op == function.getOperation())
      program->push_back(op.clone());
  std::string name = function.getName().str();
  function.erase();
  if (!runPasses(*program, Target::Cpu, buildKernelPipeline))
    return false;

  Result<TensorMap> outputs = runOnce(*program, name);
  if (!outputs)
    return fail(outputs.error());
  adoptPrepared(*outputs);
  return true;
}

/// Runs a function without arguments on the cpu, on weights where they are.
Result<TensorMap> Compilation::runOnce(ModuleOp program, const std::string &function) {
  Result<Assembly> built =
      assembleModule(program, modelInfo.name, Target::Cpu, weights, options, WeightPlace::Memory);
  if (!built)
    return built.error();
  Result<format::Container> container =
      format::Container::fromMemory(built->toMemory(), modelInfo.name);
  if (!container)
    return container.error();
  auto engine = rt::EngineState::make(std::move(*container), modelInfo.name, built->given);
  if (!engine)
    return engine.error();
  auto executor = rt::EngineState::makeExecutor(*engine, Device::cpu());
  if (!executor)
    return executor.error();
  auto session = rt::SessionState::open(*engine, std::move(*executor), {});
  if (!session)
    return session.error();
  return (*session)->run(function, {});
}

void Compilation::adoptPrepared(const TensorMap &outputs) {
  for (auto global : moduleRef->getOps<nn::GlobalOp>()) {
    auto index = global->getAttrOfType<IntegerAttr>("prepared");
    if (!index)
      continue;
    auto tensor = std::make_shared<Tensor>(std::next(outputs.begin(), index.getInt())->tensor);
    codegen::WeightTensor weight;
    weight.dtype = tensor->dtype();
    weight.shape.assign(tensor->shape().begin(), tensor->shape().end());
    weight.bytes = {static_cast<const std::byte *>(tensor->data()), tensor->bytes()};
    weights.addView(global.getSymName(), std::move(weight));
    weights.keepAlive(std::move(tensor));
  }
}

/// Gives every weight memory that nobody touches.
bool Compilation::addZeros() {
  size_t most = 0;
  std::vector<std::pair<std::string, codegen::WeightTensor>> tensors;
  for (auto global : moduleRef->getOps<nn::GlobalOp>()) {
    RankedTensorType type = global.getTensorType();
    std::optional<DType> dtype = codegen::dtypeOf(type.getElementType());
    if (global.getKind() == "state" || !dtype || !type.hasStaticShape())
      continue;
    codegen::WeightTensor tensor{*dtype, type.getShape().vec(), {}};
    most = std::max(most, size_t(type.getNumElements()) * dtypeBytes(*dtype));
    tensors.emplace_back(global.getSymName().str(), std::move(tensor));
  }
  Result<format::MappedFile> zeros = format::MappedFile::anonymous(most);
  if (!zeros)
    return fail(zeros.error());
  auto memory = std::make_shared<format::MappedFile>(std::move(*zeros));
  for (auto &[name, tensor] : tensors) {
    int64_t elements = 1;
    for (int64_t size : tensor.shape)
      elements *= size;
    tensor.bytes = memory->bytes().first(size_t(elements) * dtypeBytes(tensor.dtype));
    weights.addView(name, std::move(tensor));
  }
  weights.keepAlive(std::move(memory));
  return true;
}

bool Compilation::assemble() {
  if (withoutData && !addZeros())
    return false;
  CompileOptions how = options;
  if (withoutData)
    how.archs.clear();
  Result<Assembly> built =
      assembleModule(*moduleRef, modelInfo.name, chosenTarget, weights, how,
                     options.externalWeights ? WeightPlace::External : WeightPlace::Section,
                     chosenTarget == Target::Cuda ? &tactics.book : nullptr);
  if (!built)
    return fail(built.error());
  tactics.reportUnused(sources, diags);
  product = std::move(*built);
  return true;
}

Result<void> Compilation::write(const std::string &path) const {
  format::ModelT plan = *product.plan;
  for (std::unique_ptr<format::WeightFileT> &file : plan.weight_files)
    file->path = relativeTo(file->path, path);
  return product.writer(format::packModel(plan)).write(path);
}

} // namespace nnc
