// nnc: compiles a model. The subcommands work on sources alone.
#include "tools/Say.h"
#include "tools/compiler/Compilation.h"
#include "tools/lsp/Server.h"
#include "tools/nnc/Commands.h"
#include "tools/nnc/Dump.h"
#include "tools/nnc/Shapes.h"
#include "tools/tune/Tuner.h"

#include "frontend/syntax/Syntax.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <fmt/format.h>

using namespace nnc;
namespace cl = llvm::cl;

namespace {

cl::OptionCategory category("nnc options");

cl::SubCommand explainCommand("explain", "Explain an error code, or what becomes of a model");
/// What chooses the code of a model, for compiling and explaining it.
cl::sub always(cl::SubCommand::getTopLevel()), explaining(explainCommand);

cl::opt<std::string> input(cl::Positional, cl::desc("model.nn"), cl::cat(category));
cl::opt<std::string> output("o", cl::desc("Output file (default: the model's name with .bin)"),
                            cl::value_desc("file"), cl::cat(category));
cl::opt<std::string> target("target", cl::desc("cuda or cpu (default: cuda where a GPU is)"),
                            always, explaining, cl::cat(category));
cl::list<std::string> archs("arch", cl::CommaSeparated, always, explaining, cl::cat(category),
                            cl::desc("GPU architectures, e.g. sm_90a,sm_80"));
cl::opt<std::string> cpu("cpu", cl::init("native"), cl::cat(category),
                         cl::desc("Processor for the target cpu, e.g. x86-64-v3"));
cl::opt<std::string> weights("weights", cl::value_desc("file.safetensors"), cl::cat(category),
                             cl::desc("Checkpoint (default: @weights, else fresh weights)"));
cl::opt<bool>
    externalWeights("external-weights", cl::cat(category),
                    cl::desc("Leave weights in the checkpoint, which model.bin refers to"));
cl::opt<std::string> model("model", cl::desc("Which model of the file"), always, explaining,
                           cl::cat(category));
cl::list<std::string> entries("entry", cl::CommaSeparated, always, explaining, cl::cat(category),
                              cl::desc("Entry points to compile (default: all)"));
cl::list<std::string> dims("dim", always, explaining, cl::cat(category),
                           cl::desc("Fix a dimension: B=64; or specialise for several: B=1,8,32"));
cl::list<std::string> sets("set", cl::desc("Set a hyperparameter: classes=10"), always, explaining,
                           cl::cat(category));
cl::opt<std::string> config("config", cl::value_desc("config.json"), always, explaining,
                            cl::cat(category),
                            cl::desc("Hyperparameters from a JSON file, by name or `as` name"));
cl::opt<bool> noCache("no-cache", cl::cat(category),
                      cl::desc("Compile everything anew and keep nothing (see NNC_CACHE_DIR)"));
cl::list<std::string> allow("allow", cl::CommaSeparated, always, explaining, cl::cat(category),
                            cl::desc("What may be less exact: tf32 (f32 products on cuda)"));
cl::opt<std::string>
    precision("precision", always, explaining, cl::cat(category),
              cl::desc("What `float` is without @precision: f32 (default), tf32, f16 or bf16"));
cl::opt<std::string>
    lock("lock", cl::value_desc("file.tune"), cl::cat(category), always, explaining,
         cl::desc("Tactics that --tune chose (default: model.tune beside model.nn)"));
cl::opt<std::string>
    tuning("tune", cl::ValueOptional, cl::value_desc("seconds"), cl::cat(category),
           cl::desc("Measure tactics on this machine's GPU first (default: 60 s)"));
cl::opt<uint64_t> seed("seed", cl::desc("Seed of fresh weights"), cl::cat(category));
cl::opt<EmitKind>
    emit("emit", cl::init(EmitKind::Bin), cl::desc("Print a level instead of writing model.bin"),
         cl::values(clEnumValN(EmitKind::Tokens, "tokens", "tokens of the source"),
                    clEnumValN(EmitKind::Ast, "ast", "syntax tree"),
                    clEnumValN(EmitKind::NN, "nn", "nn dialect, as the front end makes it"),
                    clEnumValN(EmitKind::Kernels, "kernels", "fused kernels in linalg"),
                    clEnumValN(EmitKind::Plan, "plan", "steps, buffers and memory"),
                    clEnumValN(EmitKind::Cuda, "cuda", "generated CUDA C++"),
                    clEnumValN(EmitKind::Ptx, "ptx", "PTX of the first --arch"),
                    clEnumValN(EmitKind::Bin, "bin", "model.bin (default)")),
         cl::cat(category));
cl::opt<std::string> dumpDir("dump-dir", cl::desc("Write the IR after every pass into a folder"),
                             cl::cat(category));
cl::opt<bool> timing("timing", cl::desc("Print the time of every phase"), cl::cat(category));
cl::opt<bool> printPipeline("print-pipeline", cl::desc("Print the passes that run"),
                            cl::cat(category));
cl::opt<std::string> diagnosticsStyle("diagnostics", cl::init("text"), cl::cat(category),
                                      cl::desc("text or json"), cl::sub(cl::SubCommand::getAll()));

cl::SubCommand checkCommand("check", "Check models without compiling them");
cl::SubCommand fmtCommand("fmt", "Format sources");
cl::SubCommand keysCommand("keys", "List checkpoint keys, or compare them with a file");
cl::SubCommand shapesCommand("shapes", "Show every intermediate value with its shape");
cl::SubCommand lspCommand("lsp",
                          "Serve an editor: the Language Server Protocol on stdin and stdout");
cl::SubCommand docCommand("doc", "Write the reference of a file as Markdown");
cl::list<std::string> checkFiles(cl::Positional, cl::OneOrMore, cl::desc("files"),
                                 cl::sub(checkCommand));
cl::list<std::string> fmtFiles(cl::Positional, cl::OneOrMore, cl::desc("files"),
                               cl::sub(fmtCommand));
cl::opt<bool> fmtInPlace("i", cl::desc("Edit the files"), cl::sub(fmtCommand));
cl::opt<bool> fmtCheck("check", cl::desc("Fail if a file would change"), cl::sub(fmtCommand));
cl::list<std::string> keysFiles(cl::Positional, cl::OneOrMore,
                                cl::desc("model.nn [file.safetensors]"), cl::sub(keysCommand));
cl::opt<std::string> sourceModel("model", cl::desc("Which model of the file"), cl::sub(keysCommand),
                                 cl::sub(shapesCommand));
cl::list<std::string> sourceSets("set", cl::desc("Set a hyperparameter"), cl::sub(keysCommand),
                                 cl::sub(shapesCommand));
cl::opt<std::string> shapesFile(cl::Positional, cl::Required, cl::desc("model.nn"),
                                cl::sub(shapesCommand));
cl::opt<std::string> sourceConfig("config", cl::desc("Hyperparameters from a JSON file"),
                                  cl::sub(keysCommand), cl::sub(shapesCommand));
cl::list<std::string> shapesDims("dim", cl::desc("Fix a dimension: B=64"), cl::sub(shapesCommand));
cl::opt<bool> shapesLibrary("library", cl::desc("Show the functions of the library too"),
                            cl::sub(shapesCommand));
cl::opt<std::string> docFile(cl::Positional, cl::Required,
                             cl::desc("model.nn, or std, std.vision... for the library"),
                             cl::sub(docCommand));
cl::opt<std::string> explained(cl::Positional, cl::Required, cl::desc("E0301, or model.nn"),
                               cl::sub(explainCommand));
cl::opt<bool> explainJson("json", cl::desc("Explain a model as JSON"), cl::sub(explainCommand));
cl::opt<std::string>
    explainHtml("html", cl::value_desc("file"), cl::sub(explainCommand),
                cl::desc("Write a page that shows the model before and after fusion"));
cl::opt<std::string> explainGpu("gpu", cl::init("H200"), cl::sub(explainCommand),
                                cl::desc("GPU of whose rates the floors are (default: H200)"));

/// "B=64" in two; none without a name and a value.
std::optional<std::pair<std::string, std::string>> splitPair(const std::string &text) {
  size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return std::nullopt;
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

bool addSets(const cl::list<std::string> &list, CompileOptions &options,
             syntax::Diagnostics &diags) {
  for (const std::string &text : list) {
    auto pair = splitPair(text);
    if (!pair) {
      diags.error(fmt::format("`--set {}` is not of the form name=value", text));
      return false;
    }
    options.set.push_back(*pair);
  }
  return true;
}

/// "1,8,32"; empty if it is not of that form.
std::vector<int64_t> readSizes(std::string_view text) {
  std::vector<int64_t> sizes;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    int64_t size = 0;
    auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 0)
      return {};
    sizes.push_back(size);
    if (next == end)
      return sizes;
    if (*next != ',')
      return {};
    at = next + 1;
  }
}

/// One size fixes a dimension, several ask for a variant each.
bool addDims(const cl::list<std::string> &list, CompileOptions &options,
             syntax::Diagnostics &diags) {
  for (const std::string &text : list) {
    auto pair = splitPair(text);
    std::vector<int64_t> sizes = pair ? readSizes(pair->second) : std::vector<int64_t>();
    if (sizes.empty()) {
      diags.error(fmt::format("`--dim {}` is not of the form NAME=size or NAME=size,size", text));
      return false;
    }
    bool isNew = !options.dims.count(pair->first) && !options.variants.count(pair->first);
    std::vector<int64_t> sorted = sizes;
    std::ranges::sort(sorted);
    if (!isNew || std::ranges::adjacent_find(sorted) != sorted.end()) {
      diags.error(fmt::format("`--dim {}`: {}", text,
                              isNew ? "a size is there twice"
                                    : "the sizes of a dimension stand in one option"));
      return false;
    }
    if (sizes.size() == 1)
      options.dims[pair->first] = sizes.front();
    else
      options.variants[pair->first] = std::move(sizes);
  }
  return true;
}

std::optional<CompileOptions> readOptions(syntax::Diagnostics &diags) {
  CompileOptions options;
  options.target = target;
  options.archs.assign(archs.begin(), archs.end());
  options.cpu = cpu;
  options.weights = weights;
  options.externalWeights = externalWeights;
  options.model = model;
  options.entries.assign(entries.begin(), entries.end());
  options.config = config;
  options.cache = !noCache;
  options.precision = precision;
  options.lock = lock;
  options.seed = seed;
  for (const std::string &what : allow) {
    if (what != "tf32") {
      diags.error(fmt::format("`--allow {}` is not known: expected `tf32`", what));
      return std::nullopt;
    }
    options.allowTf32 = true;
  }
  if (!addSets(sets, options, diags) || !addDims(dims, options, diags))
    return std::nullopt;
  return options;
}

std::string outputPath() {
  if (!output.empty())
    return output;
  return emit == EmitKind::Bin ? llvm::sys::path::stem(input).str() + ".bin" : "-";
}

void printTimes(const Compilation &compilation) {
  double total = 0;
  for (const Compilation::PhaseTime &time : compilation.times()) {
    say(stderr, "{:<10} {:8.1f} ms\n", phaseName(time.phase), time.milliseconds);
    total += time.milliseconds;
  }
  say(stderr, "{:<10} {:8.1f} ms\n", "total", total);
}

/// Tokens and tree need no compilation.
std::optional<std::string> syntaxText(syntax::SourceManager &sources, syntax::FileId file,
                                      syntax::Diagnostics &diags) {
  if (emit == EmitKind::Tokens)
    return syntax::dumpTokens(sources, syntax::lex(sources, file));
  std::unique_ptr<syntax::File> tree = syntax::parseFile(sources, file, diags);
  return tree && !diags.hasErrors() ? std::optional(syntax::dumpAst(sources, *tree)) : std::nullopt;
}

void configurePasses(mlir::PassManager &passes) {
  mlir::applyDefaultTimingPassManagerCLOptions(passes);
  (void)mlir::applyPassManagerCLOptions(passes);
  if (printPipeline) {
    passes.printAsTextualPipeline(llvm::errs());
    llvm::errs() << "\n";
  }
}

/// `--tune`: writes the lock file that the build then takes its choices from.
bool tuneFirst(syntax::SourceManager &sources, syntax::Diagnostics &diags, syntax::FileId file,
               CompileOptions &options) {
  tune::TuneOptions how;
  llvm::StringRef seconds(tuning);
  if (!seconds.empty() && (seconds.getAsDouble(how.seconds) || !(how.seconds > 0))) {
    diags.error(fmt::format("`--tune={}` is not a number of seconds", tuning.getValue()));
    return false;
  }
  how.lock = options.lock.empty() ? BuildTactics::pathBeside(input) : options.lock;
  if (!tune::tuneModel(sources, diags, file, options, how))
    return false;
  options.target = "cuda";
  options.lock = how.lock;
  return true;
}

/// Compiles and writes what was asked for; false after errors, which are in `diags`.
bool compileModel(syntax::SourceManager &sources, syntax::Diagnostics &diags) {
  std::optional<CompileOptions> options = readOptions(diags);
  if (!options)
    return false;
  std::optional<syntax::FileId> file = sources.load(input, diags);
  if (!file)
    return false;
  auto report = [&](const Result<void> &done) {
    if (!done)
      diags.error(done.error().message);
    return bool(done);
  };
  if (tuning.getNumOccurrences() && !tuneFirst(sources, diags, *file, *options))
    return false;
  std::optional<Phase> last = phaseOf(emit);
  if (!last) {
    std::optional<std::string> text = syntaxText(sources, *file, diags);
    return text && report(writeText(outputPath(), *text));
  }

  Compilation compilation(sources, diags, *options);
  compilation.configurePasses = configurePasses;
  PassDumps dumps;
  if (!dumpDir.empty() && !report(dumpPasses(compilation, dumpDir, dumps)))
    return false;
  bool done = compilation.run(*file, *last);
  if (dumps.failure)
    done = report(*dumps.failure);
  if (timing)
    printTimes(compilation);
  if (!done)
    return false;
  if (emit == EmitKind::Bin)
    return report(compilation.write(outputPath()));
  Result<std::string> text = emitText(compilation, emit, *options);
  if (!text) {
    diags.error(text.error().message);
    return false;
  }
  return report(writeText(outputPath(), *text));
}

/// `nnc explain`: of a code, or of a model with the options that it is compiled with.
bool explainEither(syntax::SourceManager &sources, syntax::Diagnostics &diags) {
  if (!explained.ends_with(".nn"))
    return explainCodeText(explained, diags);
  std::optional<CompileOptions> options = readOptions(diags);
  return options && explainModelFile(sources, diags, explained, *options,
                                     {explainJson, explainHtml, explainGpu});
}

bool runCommand(syntax::SourceManager &sources, syntax::Diagnostics &diags) {
  if (diagnosticsStyle != "text" && diagnosticsStyle != "json") {
    diags.error(fmt::format("unknown style `{}` of --diagnostics: expected `text` or `json`",
                            diagnosticsStyle.getValue()));
    return false;
  }
  if (checkCommand)
    return checkSources(sources, diags, {checkFiles.begin(), checkFiles.end()});
  if (fmtCommand)
    return formatSources(sources, diags, {fmtFiles.begin(), fmtFiles.end()}, fmtInPlace, fmtCheck);
  if (explainCommand)
    return explainEither(sources, diags);
  if (docCommand)
    return documentSource(sources, diags, docFile);
  if (keysCommand || shapesCommand) {
    CompileOptions options;
    options.model = sourceModel;
    options.config = sourceConfig;
    if (!addSets(sourceSets, options, diags) || !addDims(shapesDims, options, diags))
      return false;
    if (keysCommand)
      return listKeys(sources, diags, {keysFiles.begin(), keysFiles.end()}, options);
    return printShapes(sources, diags, shapesFile, options, shapesLibrary);
  }
  if (input.empty()) {
    diags.error("no model: `nnc model.nn -o model.bin`, or see `nnc --help`");
    return false;
  }
  return compileModel(sources, diags);
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  std::signal(SIGXFSZ, SIG_IGN); // a limit on the size of files is an error of write()
  cl::SetVersionPrinter([](llvm::raw_ostream &out) { out << "nnc " << versionText() << "\n"; });
  mlir::registerAsmPrinterCLOptions();
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "nnc: a graph compiler for neural nets\n");

  if (lspCommand)
    return lsp::serve(stdin, stdout, versionText());
  syntax::SourceManager sources;
  syntax::Diagnostics diags;
  bool done = runCommand(sources, diags);
  if (Result<void> written = flushOutput(); !written) {
    diags.error(written.error().message);
    done = false;
  }
  syntax::RenderOptions style;
  style.color = syntax::wantsColor(stderr);
  style.json = diagnosticsStyle == "json";
  say(stderr, "{}", syntax::render(sources, diags, style));
  return done ? 0 : 1;
}
