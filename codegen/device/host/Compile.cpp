// Device source to a host library: by the clang that built this.
#include "codegen/device/host/HostHeaders.h"
#include "codegen/device/host/Twin.h"

#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <spawn.h>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

extern char **environ;

using namespace nnc;
namespace fs = std::filesystem;

namespace {

constexpr const char *Flags[] = {"-x",      "c++", "-std=c++20",      "-O2",       "-fPIC",
                                 "-shared", "-w",  "-fno-exceptions", "-fno-rtti", "-Wl,-Bsymbolic",
                                 "-lm"};

std::string compilerPath() {
  const char *chosen = std::getenv("NNC_TWIN_CXX");
  return chosen ? chosen : NNC_TWIN_COMPILER;
}

void replaceInclude(std::string &text, std::string_view name) {
  std::string line = fmt::format("#include \"{}\"", name);
  size_t at = text.find(line);
  if (at != std::string::npos)
    text.replace(at, line.size(), twin::hostHeader(name));
}

bool isWord(char c) { return isalnum(static_cast<unsigned char>(c)) || c == '_'; }

struct Kernel {
  std::string name;
  std::string cluster = "1"; ///< blocks of one
};

/// The functions marked __global__: their names are what stands before their parameters.
std::vector<Kernel> kernelsOf(std::string_view text) {
  constexpr std::string_view Mark = "extern \"C\" __global__", Cluster = "NNC_CLUSTER";
  std::vector<Kernel> kernels;
  for (size_t at = text.find(Mark); at != text.npos; at = text.find(Mark, at + 1)) {
    Kernel kernel;
    size_t paren = text.find('(', at);
    while (paren != text.npos) {
      std::string_view before = text.substr(0, paren);
      if (before.ends_with(Cluster))
        kernel.cluster = text.substr(paren + 1, text.find(')', paren) - paren - 1);
      else if (!before.ends_with("__launch_bounds__"))
        break;
      paren = text.find('(', paren + 1);
    }
    if (paren == text.npos)
      break;
    size_t begin = paren;
    while (begin > 0 && isWord(text[begin - 1]))
      --begin;
    kernel.name = text.substr(begin, paren - begin);
    kernels.push_back(kernel);
  }
  return kernels;
}

/// Whether the twin stands for a GPU other than Hopper's, as its driver says (test/twin).
bool isElsewhere() {
  const char *capability = std::getenv("NNC_TWIN_CAPABILITY");
  return capability && std::string_view(capability) != "90";
}

/// The source with the host half in place, and an entry per kernel that unpacks its parameters.
std::string hostSource(std::string_view source) {
  std::string text = (isElsewhere() ? "#define NNC_TWIN_ELSEWHERE\n" : "") + std::string(source);
  replaceInclude(text, "host/twin.h");
  replaceInclude(text, "host/state.h");
  for (const Kernel &kernel : kernelsOf(source))
    text += fmt::format("extern \"C\" void nncTwinEntry_{0}(void **params) {{\n"
                        "  nncTwinInvoke(&{0}, params);\n}}\n"
                        "extern \"C\" unsigned nncTwinSizes_{0}(const unsigned long **sizes) {{\n"
                        "  return nncTwinSizes(&{0}, sizes);\n}}\n"
                        "extern \"C\" unsigned nncTwinCluster_{0}() {{ return {1}; }}\n",
                        kernel.name, kernel.cluster);
  return text;
}

/// A folder that belongs to this user alone: libraries from it are executed.
Result<fs::path> cacheFolder() {
  const char *chosen = std::getenv("NNC_TWIN_CACHE");
  std::error_code failed;
  fs::path temporary = fs::temp_directory_path(failed);
  fs::path folder = chosen ? fs::path(chosen) : temporary / fmt::format("nnc-twin-{}", getuid());
  mkdir(folder.c_str(), 0700);
  struct stat status{};
  if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != getuid() ||
      (status.st_mode & 022) != 0)
    return Error{
        fmt::format("the twin's cache {} is not a folder of this user's alone", folder.string())};
  return folder;
}

std::string readFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

/// Runs the compiler on `input`; its messages go to `log`.
int runCompiler(const fs::path &input, const fs::path &output, const fs::path &log) {
  std::string compiler = compilerPath();
  std::vector<std::string> arguments{compiler};
  arguments.insert(arguments.end(), std::begin(Flags), std::end(Flags));
  arguments.insert(arguments.end(), {"-o", output.string(), input.string()});
  std::vector<char *> pointers;
  for (std::string &argument : arguments)
    pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  int failed = posix_spawnp(&child, compiler.c_str(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = -1;
  if (failed || waitpid(child, &status, 0) < 0)
    return -1;
  return status;
}

} // namespace

Result<std::string> twin::compile(std::string_view source) {
  std::string text = hostSource(source);
  Result<fs::path> folder = cacheFolder();
  if (!folder)
    return folder.error();
  XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  std::string stem = fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  fs::path library = *folder / (stem + ".so");
  if (std::string known = readFile(library); !known.empty())
    return known;

  fs::path work = *folder / (stem + "-XXXXXX");
  std::string pattern = work.string();
  if (!mkdtemp(pattern.data()))
    return Error{fmt::format("cannot make {}: {}", pattern, strerror(errno))};
  work = pattern;
  std::ofstream(work / "kernel.cu") << text;
  int status = runCompiler(work / "kernel.cu", work / "kernel.so", work / "log");
  std::string log = readFile(work / "log");
  std::error_code failed;
  if (status == 0)
    fs::rename(work / "kernel.so", library, failed); // others may do the same at the same time
  std::string image = status == 0 && !failed ? readFile(library) : "";
  fs::remove_all(work, failed);
  if (image.empty())
    return Error{fmt::format("{} cannot compile this for the host\n{}", compilerPath(), log)};
  return image;
}
