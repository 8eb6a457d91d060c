// From level 2 to the sections of a model.bin: code for every kernel, the weights that are still
// used, and the plan over both.
#include "tools/compiler/Compilation.h"

#include "codegen/ElementType.h"
#include "codegen/cuda/CodeWriter.h"
#include "codegen/cuda/LoopKernel.h"
#include "codegen/plan/PlanBuilder.h"
#include "ir/EntryAttrs.h"
#include "ir/NNOps.h"
#include "runtime/format/Hash.h"
#include "runtime/format/Plan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

#include <filesystem>
#include <fmt/format.h>

using namespace mlir;

namespace nnc {
namespace {

constexpr size_t BlobAlignment = 64;

/// Appends `bytes` to `section` at the next aligned place, which is returned.
template <typename Bytes> uint64_t append(std::vector<std::byte> &section, const Bytes &bytes) {
  section.resize((section.size() + BlobAlignment - 1) / BlobAlignment * BlobAlignment);
  uint64_t offset = section.size();
  auto view = std::as_bytes(std::span(bytes.data(), bytes.size()));
  section.insert(section.end(), view.begin(), view.end());
  return offset;
}

/// Assembles one module; members are filled in order by `run`.
class Assembler {
public:
  Assembler(ModuleOp module, std::string name, Target target, codegen::WeightStore &store,
            const CompileOptions &options, WeightPlace place, codegen::TacticBook *tactics)
      : module(module), name(std::move(name)), target(target), store(store), options(options),
        place(place), tactics(tactics) {}

  Result<Assembly> run() {
    assembly.plan = std::make_unique<format::ModelT>();
    plan().compiler = versionText();
    plan().name = name;
    plan().target = target == Target::Cpu ? format::Target::Cpu : format::Target::Cuda;
    module.walk([&](nn::KernelOp kernel) { kernels.push_back(kernel); });
    if (Result<void> done = addGlobals(); !done)
      return done.error();
    if (Result<void> done = target == Target::Cpu ? addCpuCode() : addCudaCode(); !done)
      return done.error();
    codegen::LoopLaunches launches;
    if (Result<void> done = codegen::buildEntries(module, context, plan(), launches); !done)
      return done.error();
    if (target == Target::Cuda)
      if (Result<void> done = finishCuda(launches); !done)
        return done.error();
    return std::move(assembly);
  }

private:
  format::ModelT &plan() { return *assembly.plan; }

  /// Weights and states that some entry point uses, in the order of their declaration. A param or
  /// buffer that one writes is a state that starts as the weight. A model that sets params keeps
  /// all of its weights, used or not: its checkpoints are whole.
  Result<void> addGlobals() {
    llvm::DenseSet<StringRef> used, written;
    module.walk([&](nn::GetOp get) { used.insert(get.getName()); });
    module.walk([&](nn::SetOp set) { written.insert(set.getName()); });
    for (auto function : module.getOps<func::FuncOp>())
      for (const nn::EntrySymbol &symbol : nn::getEntrySymbols(function))
        if (symbol.state)
          used.insert(symbol.state.getValue());
    auto isOfCheckpoint = [](nn::GlobalOp global) {
      return global.getKind() == "param" || global.getKind() == "buffer";
    };
    bool isTrained = llvm::any_of(module.getOps<nn::GlobalOp>(), [&](nn::GlobalOp global) {
      return global.getKind() == "param" && written.contains(global.getSymName());
    });
    for (auto global : module.getOps<nn::GlobalOp>()) {
      StringRef symbol = global.getSymName();
      if (isTrained && isOfCheckpoint(global))
        used.insert(symbol);
      bool isState = global.getKind() == "state" || written.contains(symbol);
      if (!used.contains(symbol) && !written.contains(symbol))
        continue;
      bool isStored = store.find(symbol);
      if (Result<void> done = isStored || !isState ? addWeight(global) : Result<void>(); !done)
        return done;
      if (Result<void> done = isState ? addState(global) : Result<void>(); !done)
        return done;
    }
    return {};
  }

  Result<void> addWeight(nn::GlobalOp global) {
    const codegen::WeightTensor *tensor = store.find(global.getSymName());
    if (!tensor)
      return Error{fmt::format("`{}` has no data", global.getSymName().str())};
    auto weight = std::make_unique<format::WeightT>();
    weight->name = global.getSymName().str();
    for (Attribute key : global.getKeys() ? global.getKeys()->getValue() : ArrayRef<Attribute>())
      weight->keys.push_back(cast<StringAttr>(key).str());
    weight->dtype = uint8_t(tensor->dtype);
    weight->shape = tensor->shape;
    placeWeight(*weight, *tensor);
    context.weights[global.getSymName()] = plan().weights.size();
    plan().weights.push_back(std::move(weight));
    return {};
  }

  void placeWeight(format::WeightT &weight, const codegen::WeightTensor &tensor) {
    format::Piece piece{0, tensor.bytes, tensor.storedType(), tensor.dtype};
    weight.bytes = piece.size();
    if (place == WeightPlace::Memory) {
      if (plan().weight_files.empty())
        plan().weight_files.push_back(std::make_unique<format::WeightFileT>());
      plan().weight_files[0]->size = std::max(plan().weight_files[0]->size, weight.bytes);
      weight.file = 0;
      assembly.given.push_back(store.materialize(weight.name).bytes);
      return;
    }
    if (place == WeightPlace::External && placeOutside(weight, tensor))
      return;
    weight.offset = llvm::alignTo(weightBytes, BlobAlignment);
    weightBytes = weight.offset + weight.bytes;
    piece.offset = weight.offset;
    assembly.weights.push_back(piece);
  }

  /// Leaves a weight in its file if its numbers are there as the model reads them.
  bool placeOutside(format::WeightT &weight, const codegen::WeightTensor &tensor) {
    std::optional<codegen::WeightStore::FilePlace> found = store.locate(tensor.bytes);
    if (!found || tensor.storedType() != tensor.dtype ||
        found->offset % dtypeBytes(tensor.dtype) != 0)
      return false;
    auto [at, isNew] = fileNumbers.try_emplace(found->file, plan().weight_files.size());
    if (isNew) {
      const codegen::WeightStore::File &file = store.files()[found->file];
      auto entry = std::make_unique<format::WeightFileT>();
      entry->path = std::filesystem::absolute(file.path).lexically_normal().string();
      entry->size = file.bytes.size();
      entry->hash = format::hash(file.bytes);
      plan().weight_files.push_back(std::move(entry));
    }
    weight.file = at->second;
    weight.offset = found->offset;
    return true;
  }

  Result<void> addState(nn::GlobalOp global) {
    std::optional<DType> dtype = codegen::dtypeOf(global.getTensorType().getElementType());
    if (!dtype)
      return Error{fmt::format("the state `{}` has an element type that models cannot store",
                               global.getSymName().str())};
    auto state = std::make_unique<format::StateT>();
    state->name = global.getSymName().str();
    state->dtype = uint8_t(*dtype);
    // Sizes that depend on dimensions are the largest that entry points give them.
    state->bytes = dtypeBytes(*dtype);
    for (int64_t size : global.getTensorType().getShape()) {
      state->shape.push_back(ShapedType::isDynamic(size) ? 0 : size);
      state->bytes *= state->shape.back();
    }
    if (auto weight = context.weights.find(global.getSymName()); weight != context.weights.end())
      state->weight = weight->second;
    else if (std::optional<DictionaryAttr> init = global.getInit())
      state->value = init->getAs<FloatAttr>("value").getValueAsDouble();
    if (global.getSymName() == nn::kGenerator)
      plan().generator = static_cast<int32_t>(plan().states.size());
    context.states[global.getSymName()] = plan().states.size();
    plan().states.push_back(std::move(state));
    return {};
  }

  /// The number of the kernel with this symbol; added when it is new.
  uint32_t kernelNumber(const std::string &symbol, bool &isNew) {
    auto [place, inserted] = numbers.try_emplace(symbol, plan().kernels.size());
    isNew = inserted;
    if (inserted) {
      auto kernel = std::make_unique<format::KernelT>();
      kernel->symbol = symbol;
      plan().kernels.push_back(std::move(kernel));
    }
    return place->second;
  }

  Result<void> addCpuCode() {
    Result<codegen::CpuObject> object =
        codegen::compileForCpu(kernels, codegen::CpuOptions{options.cpu, options.cache});
    if (!object)
      return object.error();
    for (auto [kernel, code] : llvm::zip(kernels, object->kernels)) {
      bool isNew;
      context.launches[kernel.getOperation()] = {kernelNumber(code.symbol, isNew), code.grid};
    }
    append(assembly.cpuObject, object->elf);
    plan().cpu = std::make_unique<format::CpuT>();
    plan().cpu->triple = object->triple;
    plan().cpu->cpu = object->cpu;
    plan().cpu->features = fmt::format("{}", fmt::join(object->features, ","));
    return {};
  }

  Result<void> addCudaCode() {
    Result<std::vector<codegen::CudaKernel>> code = codegen::emitCuda(kernels, {tactics});
    if (!code)
      return code.error();
    plan().cuda = std::make_unique<format::CudaT>();
    for (auto [kernel, emitted] : llvm::zip(kernels, *code)) {
      bool isNew;
      uint32_t number = kernelNumber(emitted.symbol, isNew);
      context.launches[kernel.getOperation()] = {number,
                                                 emitted.grid,
                                                 emitted.block,
                                                 emitted.sharedBytes,
                                                 emitted.phaseGrid,
                                                 emitted.sharedElsewhere,
                                                 emitted.persists,
                                                 emitted.maps,
                                                 emitted.hasTable,
                                                 emitted.scratch};
      if (emitted.phase)
        phases[kernel.getOperation()] = *emitted.phase;
      if (isNew)
        addModule(number, std::move(emitted));
    }
    return {};
  }

  /// Adds the kernels that run whole loops, and compiles all.
  Result<void> finishCuda(const codegen::LoopLaunches &launches) {
    auto stepOf = [&](const format::StepT &step) -> codegen::LoopStep {
      auto launch = launches.find(&step);
      if (launch == launches.end() || !phases.count(launch->second.kernel))
        return {};
      return {&phases[launch->second.kernel], launch->second.grid};
    };
    for (const std::unique_ptr<format::EntryT> &entry : plan().entries)
      for (const std::unique_ptr<format::StepT> &step : entry->steps)
        if (format::LoopT *loop = step->what.AsLoop())
          addLoopKernel(*entry, *step, *loop, stepOf);
    for (const char *option : codegen::nvrtcOptions())
      plan().cuda->options.push_back(option);
    return addImages(sources);
  }

  void addLoopKernel(const format::EntryT &entry, const format::StepT &step, format::LoopT &loop,
                     llvm::function_ref<codegen::LoopStep(const format::StepT &)> stepOf) {
    constexpr const char *Mark = "@symbol@";
    std::string title = step.name + " " + format::locationText(step.location.get());
    std::optional<std::string> source = codegen::emitLoopKernel(entry, loop, Mark, title, stepOf);
    if (!source)
      return;
    auto [known, isNew] = loopKernels.try_emplace(codegen::withoutComments(*source));
    if (isNew) {
      codegen::CudaKernel kernel;
      unsigned number = loopKernels.size();
      do
        kernel.symbol = fmt::format("nnc_loop_{}", number++);
      while (numbers.count(kernel.symbol));
      kernel.source = source->replace(source->find(Mark), std::strlen(Mark), kernel.symbol);
      kernel.block = {loop.threads, 1, 1};
      bool added;
      known->second = kernelNumber(kernel.symbol, added);
      addModule(known->second, std::move(kernel));
    }
    loop.kernel = static_cast<int32_t>(known->second);
  }

  void addModule(uint32_t number, codegen::CudaKernel kernel) {
    plan().kernels[number]->cuda_module = plan().cuda->modules.size();
    plan().kernels[number]->early = kernel.startsEarly;
    plan().kernels[number]->tactic = kernel.tactic;
    sources.push_back(kernel.source);
    auto cudaModule = std::make_unique<format::CudaModuleT>();
    cudaModule->symbol = kernel.symbol;
    std::string unit = codegen::translationUnit(kernel.source);
    cudaModule->source = format::Blob(append(assembly.source, unit), unit.size());
    plan().cuda->modules.push_back(std::move(cudaModule));
    assembly.cudaKernels.push_back(std::move(kernel));
  }

  /// Without architectures the source alone is carried; it is compiled when the model is loaded.
  Result<void> addImages(std::span<const std::string> sources) {
    if (options.archs.empty())
      return {};
    Result<std::vector<codegen::Cubin>> cubins =
        codegen::compileCubins(sources, options.archs, options.cache);
    if (!cubins)
      return cubins.error();
    for (auto [index, cubin] : llvm::enumerate(*cubins)) {
      auto image = std::make_unique<format::ImageT>();
      image->arch = cubin.arch;
      image->blob = format::Blob(append(assembly.cubins, cubin.bytes), cubin.bytes.size());
      plan().cuda->modules[index / options.archs.size()]->images.push_back(std::move(image));
    }
    return {};
  }

  ModuleOp module;
  std::string name; ///< of the model
  Target target;
  codegen::WeightStore &store;
  const CompileOptions &options;
  WeightPlace place;
  codegen::TacticBook *tactics;
  Assembly assembly;
  std::vector<nn::KernelOp> kernels;
  codegen::PlanContext context;
  llvm::StringMap<uint32_t> numbers;
  std::vector<std::string> sources; ///< by cuda module
  llvm::DenseMap<Operation *, codegen::CudaPhase> phases;
  llvm::StringMap<uint32_t> loopKernels;        ///< kernels by their source
  size_t weightBytes = 0;                       ///< of the section
  llvm::DenseMap<size_t, uint32_t> fileNumbers; ///< of the store's files in the plan
};

} // namespace

Result<Assembly> assembleModule(ModuleOp module, const std::string &name, Target target,
                                codegen::WeightStore &store, const CompileOptions &options,
                                WeightPlace place, codegen::TacticBook *tactics) {
  return Assembler(module, name, target, store, options, place, tactics).run();
}

format::ContainerWriter Assembly::writer(std::span<const std::byte> planBytes) const {
  format::ContainerWriter writer;
  writer.add(format::section::Plan, planBytes);
  writer.add(format::section::Weights, weights, 4096);
  if (!cpuObject.empty())
    writer.add(format::section::Cpu, cpuObject);
  if (!cubins.empty())
    writer.add(format::section::Cubins, cubins);
  if (!source.empty())
    writer.add(format::section::Source, source);
  return writer;
}

std::vector<std::byte> Assembly::toMemory() const {
  std::vector<std::byte> planBytes = format::packModel(*plan);
  return writer(planBytes).toMemory();
}

} // namespace nnc
