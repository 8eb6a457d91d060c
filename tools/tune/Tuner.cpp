#include "tools/tune/Tuner.h"

#include "codegen/plan/KernelWork.h"
#include "ir/EntryAttrs.h"
#include "ir/NNOps.h"
#include "ir/TacticAttr.h"
#include "passes/Pipelines.h"
#include "passes/TacticRules.h"
#include "runtime/format/AtomicFile.h"
#include "tools/Say.h"
#include "tools/compiler/LocalGpu.h"
#include "tools/tune/Bench.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <map>

using namespace mlir;

namespace nnc::tune {
namespace {

/// Of one kernel: the cost model is seldom wrong by more places than this.
constexpr size_t MostCandidates = 12;
/// A choice that is not faster by this much is not worth leaving the cost model for.
constexpr double LeastGain = 0.01;

/// What is measured together: one kernel with each of its tactics, or one product by the library
/// and by a kernel of our own, with what belongs to it.
struct Job {
  std::string key;
  std::vector<std::string> candidates; ///< that of the cost model first
  nn::KernelOp kernel;
  bool isProduct = false;
  double weight = 0; ///< how much of the model it is, by what it has to do
};

double multiplied(AffineExpr expr) {
  auto constant = dyn_cast<AffineConstantExpr>(expr);
  return constant ? double(constant.getValue()) : 0;
}

/// Operations, and bytes for which as many could be done.
double weightOf(nn::KernelOp kernel) {
  constexpr double OperationsPerByte = 100;
  codegen::KernelWork work = codegen::workOf(kernel);
  double weight = multiplied(work.products);
  for (AffineExpr bytes : work.reads)
    weight += multiplied(bytes) * OperationsPerByte;
  return weight;
}

class Tuner {
public:
  Tuner(syntax::SourceManager &sources, syntax::Diagnostics &diags, syntax::FileId file,
        CompileOptions options, TuneOptions how)
      : sources(sources), diags(diags), file(file), options(std::move(options)),
        how(std::move(how)) {}

  bool run() {
    start = Clock::now();
    std::optional<std::string> arch = localArchitecture();
    if (!arch)
      return fail("`--tune` needs a GPU, and there is none");
    if (!options.target.empty() && options.target != "cuda")
      return fail("`--tune` is for the target cuda");
    options.target = "cuda";
    options.archs = {*arch};
    if (!readLock() || !fixDims())
      return false;
    compilation.emplace(sources, diags, options);
    compilation->withoutData = compilation->ignoresLock = true;
    compilation->afterPhase = [&](Phase phase) {
      return phase != Phase::Prepare || keepOperations();
    };
    if (!compilation->run(file) || !formOwnKernels())
      return false;
    collect();
    return measureAll();
  }

private:
  using Clock = std::chrono::steady_clock;

  bool fail(std::string message) {
    diags.error(std::move(message));
    return false;
  }
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start).count(); }

  /// What earlier runs found stays, unless it is found anew.
  bool readLock() {
    std::error_code error;
    if (!std::filesystem::exists(how.lock, error))
      return true;
    syntax::SourceManager old; // the build reads what is written here
    std::optional<syntax::FileId> text = old.load(how.lock, diags);
    if (!text)
      return false;
    std::vector<codegen::LockMistake> mistakes;
    lock = codegen::LockFile::parse(old.text(*text), mistakes);
    for (const codegen::LockMistake &mistake : mistakes)
      diags.error(fmt::format("{}:{}: {}", how.lock, mistake.line, mistake.message));
    return mistakes.empty();
  }

  /// Open dimensions get the sizes that the cost model takes for them: 64 where their ranges allow.
  bool fixDims() {
    Compilation probe(sources, diags, options);
    probe.ignoresLock = true;
    if (!probe.run(file, Phase::Check))
      return false;
    std::string fixed;
    for (auto function : probe.module().getOps<func::FuncOp>()) {
      if (!function->hasAttr(nn::kEntryAttr))
        continue;
      for (const nn::EntrySymbol &symbol : nn::getEntrySymbols(function)) {
        int64_t size = std::min(symbol.high, std::max<int64_t>(symbol.low, 64));
        if (symbol.kind == nn::SymbolKind::Dim &&
            options.dims.try_emplace(symbol.name.str(), size).second)
          fixed += fmt::format("{}{} = {}", fixed.empty() ? "" : ", ", symbol.name.str(), size);
      }
    }
    options.variants.clear();
    if (!fixed.empty())
      say("tuned at {}: say `--dim` for other sizes\n", fixed);
    return true;
  }

  bool runPass(ModuleOp module, void (*build)(OpPassManager &, const PipelineOptions &)) {
    PassManager passes(module.getContext());
    build(passes, PipelineOptions{Target::Cuda});
    std::string report;
    ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &diagnostic) {
      report = diagnostic.str();
      return success();
    });
    return succeeded(passes.run(module)) || fail("internal error: " + report);
  }

  /// The model before fusion, in which every product is to be a kernel of our own.
  bool keepOperations() {
    operations = OwningOpRef<ModuleOp>(compilation->module().clone());
    operations->walk([&](nn::MatmulOp product) {
      auto isTaken = [](Operation *) { return false; };
      if (!hasTwoTactics(product))
        return;
      rule.try_emplace(productKey(product), chooseProduct(product, Target::Cuda, isTaken).library);
      product->setAttr(nn::kTacticAttr, StringAttr::get(product.getContext(), "kernel"));
    });
    return true;
  }

  /// Kernels of nn ops, and the same lowered.
  bool formOwnKernels() {
    lowered = OwningOpRef<ModuleOp>(operations->clone());
    auto form = [](OpPassManager &passes, const PipelineOptions &how) {
      passes.addPass(createKernelFormation(how));
    };
    return runPass(*operations, form) && runPass(*lowered, buildKernelPipeline);
  }

  void collect() {
    addTiles(compilation->module());
    addTiles(*lowered);
    addProducts();
    std::ranges::sort(jobs, [](const Job &a, const Job &b) {
      return std::tuple(a.isProduct, -a.weight, a.key) < std::tuple(b.isProduct, -b.weight, b.key);
    });
  }

  /// Kernels of which the code generator can choose tiles.
  void addTiles(ModuleOp module) {
    std::vector<nn::KernelOp> kernels;
    module.walk([&](nn::KernelOp kernel) {
      if (!kernel->getParentOfType<nn::ScanOp>())
        kernels.push_back(kernel);
    });
    codegen::TacticBook book;
    if (!codegen::emitCuda(kernels, {&book}))
      return; // the build says why
    for (const auto &[key, decision] : book.decisions()) {
      bool isKnown = std::ranges::find(jobs, key, &Job::key) != jobs.end();
      if (isKnown || decision.candidates.size() < 2)
        continue;
      Job job{key, decision.candidates, cast<nn::KernelOp>(decision.op)};
      job.candidates.resize(std::min(job.candidates.size(), MostCandidates));
      if (decision.candidates.back() == "tiles" && job.candidates.back() != "tiles")
        job.candidates.back() = "tiles";
      job.weight = weightOf(job.kernel) * decision.count;
      jobs.push_back(std::move(job));
    }
  }

  std::vector<std::string> byRule(const std::string &key) const {
    return rule.at(key) ? std::vector<std::string>{"library", "kernel"}
                        : std::vector<std::string>{"kernel", "library"};
  }

  void addProducts() {
    operations->walk([&](nn::KernelOp kernel) {
      for (auto product : kernel->getRegion(0).front().getOps<nn::MatmulOp>()) {
        if (!product->hasAttr(nn::kTacticAttr) || kernel.isUpdate())
          continue;
        std::string key = productKey(product);
        if (std::ranges::find(jobs, key, &Job::key) == jobs.end())
          jobs.push_back({key, byRule(key), kernel, true});
        return;
      }
    });
  }

  bool measureAll() {
    say("{:<56}  {:<34}  {:>9}  {:<34}  {:>9}\n", "kernel", "by the cost model", "us",
        "measured best", "us");
    size_t done = 0;
    for (Job &job : jobs) {
      if (done > 0 && elapsed() > how.seconds)
        break;
      if (!measure(job))
        return false;
      ++done;
    }
    if (!dropUnused(done))
      return false;
    if (done < jobs.size())
      say("{} of {} kernels measured in {:.0f} s: say `--tune={:.0f}` for all\n", done, jobs.size(),
          elapsed(), elapsed() * double(jobs.size()) / double(done) + 1);
    if (jobs.empty())
      say("no kernel has several tactics\n");
    return true;
  }

  /// Tiles of a product that the library does better help nobody.
  bool dropUnused(size_t done) {
    const std::string &arch = options.archs.front();
    Compilation replay(sources, diags, options);
    replay.withoutData = true;
    replay.useLock(lock, arch);
    if (!replay.run(file))
      return false;
    for (size_t i = 0; i < done; ++i)
      if (!replay.tacticBook().isUsed(jobs[i].key))
        lock.erase(jobs[i].key, arch);
    return writeLock();
  }

  bool writeLock() {
    Result<void> written = format::writeFile(how.lock, lock.text());
    return written ? true : fail(written.error().message);
  }

  /// The candidates as a module that is ready for code generation.
  bool build(Job &job, CandidateModule &candidates) {
    for (const std::string &tactic : job.candidates)
      if (job.isProduct)
        candidates.addOperations(job.kernel, tactic);
      else
        candidates.addKernel(job.kernel, tactic);
    return !job.isProduct || runPass(candidates.module(), buildKernelPipeline);
  }

  bool measure(Job &job) {
    CandidateModule candidates(job.kernel.getContext());
    if (!build(job, candidates))
      return false;
    std::string gpu;
    codegen::TacticBook best(lock, options.archs.front()); // tiles that were measured before
    Result<std::vector<Timing>> timings =
        timeCandidates(candidates.module(), options, job.isProduct ? &best : &own, gpu);
    if (!timings) {
      diags.warning(fmt::format("`{}` is not measured: {}", job.key, timings.error().message));
      return true;
    }
    return keepBest(job, *timings, gpu);
  }

  bool keepBest(const Job &job, const std::vector<Timing> &timings, const std::string &gpu) {
    size_t best = 0;
    for (size_t i = 1; i < timings.size(); ++i) {
      if (!timings[i].failure.empty())
        diags.warning(fmt::format("`{}` by {} is not used: it {}", job.key, job.candidates[i],
                                  timings[i].failure));
      else if (timings[i].milliseconds < timings[best].milliseconds)
        best = i;
    }
    if (timings[best].milliseconds > timings[0].milliseconds * (1 - LeastGain))
      best = 0;
    say("{:<56}  {:<34}  {:>9.2f}  {:<34}  {:>9.2f}\n", job.key, job.candidates[0],
        timings[0].milliseconds * 1e3, best ? job.candidates[best] : "the same",
        timings[best].milliseconds * 1e3);
    lock.set({job.key, options.archs.front(), gpu, job.candidates[best],
              timings[best].milliseconds * 1e3});
    return writeLock();
  }

  syntax::SourceManager &sources;
  syntax::Diagnostics &diags;
  syntax::FileId file;
  CompileOptions options;
  TuneOptions how;
  Clock::time_point start;
  codegen::LockFile lock;
  codegen::TacticBook own; ///< of candidates, whose attributes say what they are
  std::optional<Compilation> compilation;
  OwningOpRef<ModuleOp> operations, lowered; ///< of the compilation's context
  std::map<std::string, bool> rule; ///< by product: whether the library does it unless asked
  std::vector<Job> jobs;
};

} // namespace

bool tuneModel(syntax::SourceManager &sources, syntax::Diagnostics &diags, syntax::FileId file,
               const CompileOptions &options, const TuneOptions &how) {
  return Tuner(sources, diags, file, options, how).run();
}

} // namespace nnc::tune
