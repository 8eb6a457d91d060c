//===- Cubin.cpp - CUDA C++ text to device code -----------------------------------------------===//
#include "codegen/cuda/Cubin.h"

#include "runtime/cuda/Nvrtc.h"
#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <numeric>
#include <thread>

namespace nnc::codegen {

namespace {

/// --minimal leaves out what kernels do not use (textures, launches from kernels): less than half
/// the time.
constexpr const char *Options[] = {"--minimal", "--std=c++17"};

/// The file name in `#include "x.cuh"`; empty for any other line.
std::string_view includedFile(std::string_view line) {
  constexpr std::string_view Start = "#include \"";
  if (!line.starts_with(Start) || !line.ends_with("\""))
    return {};
  return line.substr(Start.size(), line.size() - Start.size() - 1);
}

/// The symbol of a generated source, for messages.
std::string symbolIn(std::string_view source) {
  size_t bounds = source.find("__launch_bounds__("), cluster = source.find("NNC_CLUSTER(", bounds);
  size_t paren = source.find('(', cluster == source.npos ? bounds : cluster);
  paren = paren == source.npos ? paren : source.find('(', paren + 1);
  if (paren == source.npos)
    return "kernel";
  size_t start = source.find_last_of(" \n", paren) + 1;
  return std::string(source.substr(start, paren - start));
}

std::vector<std::string> optionStrings() { return {std::begin(Options), std::end(Options)}; }

Result<std::string> compileOne(const rt::NvrtcApi &api, std::string_view source,
                               const std::string &arch, bool cached) {
  Result<rt::NvrtcOutput> output = rt::compileCuda(
      api, translationUnit(source), symbolIn(source) + ".cu", arch, optionStrings(), cached);
  if (!output)
    return output.error();
  return std::string(output->image.begin(), output->image.end());
}

/// Numbers of the sources, those that take longest first, so that no thread is left with such a one
/// at the end: the more templates the longer, then the more text.
std::vector<size_t> longestFirst(std::span<const std::string> sources) {
  std::vector<std::pair<size_t, size_t>> costs;
  for (const std::string &source : sources) {
    size_t templates = 0, at = 0;
    for (; (at = source.find("#include", at)) != std::string::npos; ++at)
      ++templates;
    costs.emplace_back(templates, source.size());
  }
  std::vector<size_t> order(sources.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return costs[a] > costs[b]; });
  return order;
}

} // namespace

std::string translationUnit(std::string_view source) {
  std::string result;
  for (size_t at = 0; at < source.size();) {
    size_t end = std::min(source.find('\n', at), source.size());
    std::string_view line = source.substr(at, end - at), file = includedFile(line);
    std::string_view text = file.empty() ? file : deviceHeader(file);
    if (text.empty())
      result += fmt::format("{}\n", line);
    else
      result += fmt::format("#line 1 \"{}\"\n{}", file, text);
    at = end + 1;
    // The lines after the last header are the generated part's own.
    bool nextIsInclude = source.substr(std::min(at, source.size())).starts_with("#include");
    if (!text.empty() && !nextIsInclude) {
      auto number = std::count(source.begin(), source.begin() + at, '\n') + 1;
      result += fmt::format("#line {} \"{}.cu\"\n", number, symbolIn(source));
    }
  }
  return result;
}

std::span<const char *const> nvrtcOptions() { return Options; }

Result<std::vector<Cubin>> compileCubins(std::span<const std::string> sources,
                                         std::span<const std::string> archs, bool cached) {
  Result<const rt::NvrtcApi *> api = rt::nvrtcApi();
  if (!api)
    return api.error();
  size_t count = sources.size() * archs.size();
  std::vector<Cubin> cubins(count);
  std::vector<std::string> errors(count);
  std::vector<size_t> order = longestFirst(sources);
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t turn = next++; turn < count; turn = next++) {
      size_t i = order[turn / archs.size()] * archs.size() + turn % archs.size();
      cubins[i].arch = archs[i % archs.size()];
      Result<std::string> bytes =
          compileOne(**api, sources[i / archs.size()], cubins[i].arch, cached);
      if (bytes)
        cubins[i].bytes = std::move(*bytes);
      else
        errors[i] = bytes.error().message;
    }
  };
  size_t threads = std::min<size_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> pool;
  for (size_t i = 1; i < threads; ++i)
    pool.emplace_back(work);
  work();
  for (std::thread &thread : pool)
    thread.join();
  for (std::string &error : errors)
    if (!error.empty())
      return nnc::Error{std::move(error)};
  return cubins;
}

Result<std::string> compilePtx(std::string_view source, std::string_view arch) {
  Result<const rt::NvrtcApi *> api = rt::nvrtcApi();
  if (!api)
    return api.error();
  std::string virtualArch(arch);
  if (virtualArch.starts_with("sm_"))
    virtualArch.replace(0, 3, "compute_");
  return compileOne(**api, source, virtualArch, /*cached=*/true);
}

} // namespace nnc::codegen
