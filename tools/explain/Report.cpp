#include "tools/explain/Explanation.h"
#include "tools/explain/Page.h"

#include "runtime/format/PlanText.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <span>

namespace nnc::explain {
namespace {

using Json = nlohmann::ordered_json;

/// "1 step", "2 steps".
std::string counted(size_t count, const char *what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string bytesText(double bytes) { return format::bytesText(uint64_t(bytes)); }

/// "B = 64, T = 128".
std::string sizesText(const Entry &entry) {
  std::string text;
  for (const auto &[name, size] : entry.sizes)
    text += fmt::format("{}{} = {}", text.empty() ? " at " : ", ", name, size);
  return text;
}

/// Of long lists only what comes first is said in text.
constexpr size_t MaxListed = 32, MaxValues = 10;

/// "conv2d + add + max".
std::string operationsText(const Entry &entry, const Step &step) {
  std::string text;
  for (size_t i = 0; i < std::min(step.operations.size(), MaxListed); ++i)
    text += (text.empty() ? "" : " + ") + entry.operations[step.operations[i]].op;
  if (step.operations.size() > MaxListed)
    text += fmt::format(" and {} more", step.operations.size() - MaxListed);
  return text;
}

std::string workText(const Step &step) {
  std::string operations = format::countText(step.work.products + step.work.operations);
  return fmt::format("reads {}, writes {}, {} operation{}: at least {:.4f} ms, bound by {}",
                     bytesText(step.work.read), bytesText(step.work.written), operations,
                     operations == "1" ? "" : "s", step.floor.milliseconds,
                     format::boundName(step.floor.bound));
}

void writeStep(std::string &out, const Entry &entry, unsigned index) {
  const Step &step = entry.steps[index];
  std::string indent(5 + 2 * step.depth, ' ');
  auto line = [&](const std::string &text) {
    if (!text.empty())
      out += indent + text + "\n";
  };
  out += fmt::format("{:>{}}  {}{}{}\n", index + 1, 3 + 2 * step.depth, step.name,
                     step.location.empty() ? "" : "  ", step.location);
  line(operationsText(entry, step));
  std::string how;
  for (const std::string *part : {&step.anchor, &step.layout})
    how += part->empty() ? "" : (how.empty() ? "" : ", ") + *part;
  std::string code = step.kind == "product" ? step.tactic : step.symbol;
  if (step.kind == "kernel" && !step.tactic.empty())
    code += " by " + step.tactic;
  code += step.launch.empty() ? "" : (code.empty() ? "" : ", ") + step.launch;
  if (step.kind == "loop")
    code = "loop " + code;
  line(how + (how.empty() ? "" : ": ") + code);
  line(workText(step));
  for (const std::string &refused : step.refused)
    line("not with " + refused);
}

std::string othersText(size_t all, const char *what) {
  return all <= MaxValues ? "" : fmt::format("     and {} more {}\n", all - MaxValues, what);
}

void writeValues(std::string &out, const Entry &entry, const std::vector<Kept> &values,
                 bool saysReaders) {
  for (const Kept &value : std::span(values).first(std::min(values.size(), MaxValues))) {
    out += fmt::format("     {}  {}  {}", bytesText(value.bytes), value.type, value.name);
    if (saysReaders)
      out += fmt::format(", for {}", entry.steps[value.readers.front()].name);
    if (saysReaders && value.readers.size() > 1)
      out += fmt::format(" and {} more", value.readers.size() - 1);
    out += "\n";
  }
  out += othersText(values.size(), "that are no larger");
}

double sizeOf(const std::vector<Kept> &values) {
  double bytes = 0;
  for (const Kept &value : values)
    bytes += value.bytes;
  return bytes;
}

/// What a training step keeps and computes again.
void writeMemory(std::string &out, const Entry &entry) {
  if (entry.atPeak.empty())
    return;
  out += fmt::format("  kept for the backward pass: {}, {}\n", counted(entry.kept.size(), "value"),
                     bytesText(sizeOf(entry.kept)));
  writeValues(out, entry, entry.kept, true);
  out += fmt::format("  computed again by the backward pass: {}\n",
                     counted(entry.recomputed.size(), "operation"));
  for (size_t i = 0; i < std::min(entry.recomputed.size(), MaxValues); ++i) {
    const auto &[operation, step] = entry.recomputed[i];
    out += fmt::format("     {}  {}, in {}\n", entry.operations[operation].name,
                       entry.operations[operation].type, entry.steps[step].name);
  }
  out += othersText(entry.recomputed.size(), "operations");
  out +=
      fmt::format("  most intermediate values at once: {} at step {}, {}; the largest\n",
                  bytesText(entry.peakBytes), entry.peakStep + 1, entry.steps[entry.peakStep].name);
  writeValues(out, entry, entry.atPeak, false);
}

Json jsonOf(const ModelOp &operation) {
  return {{"op", operation.op},           {"name", operation.name},
          {"source", operation.location}, {"type", operation.type},
          {"layout", operation.layout},   {"inputs", operation.inputs},
          {"sources", operation.sources}, {"role", operation.role}};
}

Json jsonOf(const Step &step) {
  Json tensors = Json::array();
  for (const Tensor &tensor : step.tensors)
    tensors.push_back({{"name", tensor.name},
                       {"type", tensor.type},
                       {"bytes", tensor.bytes},
                       {"written", tensor.isWritten}});
  return {{"kind", step.kind},
          {"name", step.name},
          {"symbol", step.symbol},
          {"anchor", step.anchor},
          {"tactic", step.tactic},
          {"launch", step.launch},
          {"layout", step.layout},
          {"source", step.location},
          {"operations", step.operations},
          {"refused", step.refused},
          {"tensors", std::move(tensors)},
          {"inputs", step.inputs},
          {"depth", step.depth},
          {"times", step.times},
          {"bytes_read", step.work.read},
          {"bytes_written", step.work.written},
          {"products", step.work.products},
          {"arithmetic", step.work.operations},
          {"floor_milliseconds", step.floor.milliseconds},
          {"bound", format::boundName(step.floor.bound)}};
}

Json jsonOf(const std::vector<Kept> &values) {
  Json list = Json::array();
  for (const Kept &value : values)
    list.push_back({{"name", value.name},
                    {"type", value.type},
                    {"bytes", value.bytes},
                    {"step", value.step},
                    {"readers", value.readers}});
  return list;
}

/// Of a training step.
Json memoryOf(const Entry &entry) {
  Json recomputed = Json::array();
  for (const auto &[operation, step] : entry.recomputed)
    recomputed.push_back({{"operation", operation}, {"step", step}});
  return {{"kept", jsonOf(entry.kept)},
          {"recomputed", std::move(recomputed)},
          {"peak_step", entry.peakStep},
          {"peak_bytes", entry.peakBytes},
          {"at_peak", jsonOf(entry.atPeak)}};
}

Json jsonOf(const Entry &entry) {
  Json sizes = Json::object(), operations = Json::array(), steps = Json::array();
  for (const auto &[name, size] : entry.sizes)
    sizes[name] = size;
  for (const ModelOp &operation : entry.operations)
    operations.push_back(jsonOf(operation));
  for (const Step &step : entry.steps)
    steps.push_back(jsonOf(step));
  return {{"entry", entry.name},
          {"variant", entry.variant},
          {"sizes", std::move(sizes)},
          {"floor_milliseconds", entry.floor()},
          {"operations", std::move(operations)},
          {"steps", std::move(steps)},
          {"memory", entry.atPeak.empty() ? Json() : memoryOf(entry)}};
}

Json jsonOf(const Explanation &explanation) {
  Json entries = Json::array();
  for (const Entry &entry : explanation.entries)
    entries.push_back(jsonOf(entry));
  return {{"model", explanation.model},     {"target", explanation.target},
          {"gpu", explanation.rates->name}, {"measured_rates", explanation.rates->isMeasured},
          {"entries", std::move(entries)},  {"code", explanation.code}};
}

/// Invalid UTF-8, which names of files may hold, is replaced.
std::string dump(const Json &json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void replaceAll(std::string &text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

} // namespace

std::string toText(const Explanation &explanation) {
  std::string out =
      fmt::format("{} for {}; floors on {} ({})\n", explanation.model, explanation.target,
                  explanation.rates->name,
                  explanation.rates->isMeasured ? "measured rates" : "rates of its data sheet");
  for (const Entry &entry : explanation.entries) {
    out += fmt::format("\n{}{}: {} in {}, at least {:.4f} ms\n", entry.name, sizesText(entry),
                       counted(entry.operations.size(), "operation"),
                       counted(entry.steps.size(), "step"), entry.floor());
    for (unsigned index = 0; index < entry.steps.size(); ++index)
      writeStep(out, entry, index);
    writeMemory(out, entry);
  }
  return out;
}

std::string toJson(const Explanation &explanation) { return dump(jsonOf(explanation), 1) + "\n"; }

std::string toHtml(const Explanation &explanation) {
  std::string data = dump(jsonOf(explanation), -1);
  replaceAll(data, "<", "\\u003c"); // nothing in a string ends the script
  std::string page(pageFile("page.html"));
  replaceAll(page, "/*style*/", pageFile("page.css"));
  replaceAll(page, "/*script*/",
             std::string(pageFile("layout.js")) + std::string(pageFile("page.js")));
  std::string title = explanation.model;
  replaceAll(page, "<!--title-->", title);
  page.replace(page.find("/*data*/"), std::string_view("/*data*/").size(), data);
  return page;
}

} // namespace nnc::explain
