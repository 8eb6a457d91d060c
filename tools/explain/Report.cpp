#include "tools/explain/Explanation.h"
#include "tools/explain/Page.h"

#include "runtime/format/PlanText.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

/// "conv2d + add + max".
std::string operationsText(const Entry &entry, const Step &step) {
  std::string text;
  for (unsigned number : step.operations)
    text += (text.empty() ? "" : " + ") + entry.operations[number].op;
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
          {"steps", std::move(steps)}};
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
