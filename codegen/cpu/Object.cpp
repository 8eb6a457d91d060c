//===- Object.cpp - LLVM IR to an ELF object ------------------------------===//

#include "codegen/cpu/Lower.h"

#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/Transforms/InstCombine/InstCombine.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/IndVarSimplify.h"
#include "llvm/Transforms/Scalar/LICM.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/SimplifyCFG.h"
#include "llvm/Transforms/Vectorize/LoopVectorize.h"

#include <mutex>

using namespace nnc;
using namespace nnc::codegen;

extern "C" {
void LLVMInitializeX86TargetInfo();
void LLVMInitializeX86Target();
void LLVMInitializeX86TargetMC();
void LLVMInitializeX86AsmPrinter();
}

std::string codegen::getTargetTriple() { return "x86_64-unknown-linux-gnu"; }

static std::string featureString(const CpuFeatures &features) {
  std::string result;
  for (const std::string &name : features.features)
    result += (result.empty() ? "+" : ",+") + name;
  return result;
}

static Result<std::unique_ptr<llvm::TargetMachine>> makeMachine(const CpuFeatures &features) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  std::string message;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(getTargetTriple(), message);
  if (!target)
    return Error{"LLVM was built without x86: " + message};
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  // The base is x86-64 and not the cpu's name, so that no extension is used that is not recorded.
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      getTargetTriple(), "x86-64", featureString(features), options, llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default));
}

static void setAttributes(llvm::Module &module, const CpuFeatures &features) {
  std::string bits = std::to_string(features.vectorBytes * 8);
  for (llvm::Function &function : module) {
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", "x86-64");
    function.addFnAttr("tune-cpu", features.cpu);
    function.addFnAttr("target-features", featureString(features));
    function.addFnAttr("prefer-vector-width", bits);
    function.addFnAttr("min-legal-vector-width", bits);
  }
}

/// A short pipeline: vectors and unrolling are already as they should be, so that what remains is
/// to hoist and simplify addresses, and to vectorize loops that had to be emitted for scalars. The
/// default pipeline of O3 takes five times as long for code of the same speed.
static llvm::ModulePassManager makePipeline() {
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()),
                                                       /*UseMemorySSA=*/true));
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::IndVarSimplifyPass()));
  passes.addPass(llvm::LoopVectorizePass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::EarlyCSEPass());
  passes.addPass(llvm::SimplifyCFGPass());
  llvm::ModulePassManager all;
  all.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  return all;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder passes(&machine);
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(graphs);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, graphs, modules);
  makePipeline().run(module, modules);
}

/// The functions that the code generator added calls of are known only in the object; those that
/// the IR calls are checked here.
static Result<void> checkCalls(const llvm::Module &module) {
  for (const llvm::Function &function : module) {
    if (!function.isDeclaration() || function.isIntrinsic() || function.use_empty())
      continue;
    bool isKnown = false;
#define NNC_CPU_EXTERN(symbol, type, address) isKnown |= function.getName() == #symbol;
#include "runtime/cpu/Externs.def"
#undef NNC_CPU_EXTERN
    if (!isKnown)
      return Error{"the cpu target made a call of '" + function.getName().str() +
                   "', which the runtime does not offer"};
  }
  return {};
}

Result<std::string> codegen::emitObject(llvm::Module &module, const CpuFeatures &features) {
  Result<std::unique_ptr<llvm::TargetMachine>> machine = makeMachine(features);
  if (!machine)
    return machine.error();
  module.setTargetTriple(getTargetTriple());
  module.setDataLayout((*machine)->createDataLayout());
  setAttributes(module, features);
  optimize(module, **machine);
  if (Result<void> calls = checkCalls(module); !calls)
    return calls.error();
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager emission;
  if ((*machine)->addPassesToEmitFile(emission, stream, nullptr, llvm::CodeGenFileType::ObjectFile))
    return Error{"LLVM cannot emit objects for " + getTargetTriple()};
  emission.run(module);
  return std::string(bytes.begin(), bytes.end());
}
