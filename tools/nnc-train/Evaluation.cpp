#include "tools/nnc-train/Evaluation.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace nnc;
using namespace nnc::train;
using nnc::format::EntryT;
using nnc::format::ExprOp;
using nnc::format::ModelT;
using nnc::format::PortT;

namespace {

bool isInteger(DType type) { return type == DType::I32 || type == DType::I64; }

/// The input that gets the class of each example.
const BoundInput *labelOf(const Dataset &data, const Binding &binding) {
  const BoundInput *only = nullptr;
  size_t count = 0;
  for (const BoundInput &input : binding.inputs) {
    if (!isInteger(input.dtype) || !input.shape.empty())
      continue;
    if (data.fields()[input.field].name == "label")
      return &input;
    only = &input;
    ++count;
  }
  return count == 1 ? only : nullptr;
}

/// How many classes an output has; 0 if it has none.
size_t classesOf(const EntryT &entry) {
  if (entry.outputs.size() != 1 || entry.outputs[0]->shape.size() != 2)
    return 0;
  const PortT &port = *entry.outputs[0];
  auto type = static_cast<DType>(port.dtype);
  const std::vector<format::ExprNode> &size = entry.exprs[port.shape[1]]->nodes;
  bool isFloat = type == DType::F32 || type == DType::F16 || type == DType::BF16;
  bool isNumber = size.size() == 1 && size[0].op() == ExprOp::Const && size[0].value() > 1;
  return isFloat && isNumber ? static_cast<size_t>(size[0].value()) : 0;
}

/// The inputs of the entry among those of eval_step; nothing if one is not there.
std::optional<std::vector<std::pair<std::string, std::string>>>
matchInputs(const EntryT &entry, const Dataset &data, const Binding &binding,
            const BindingOptions &options) {
  BindingOptions own = options;
  std::erase_if(own.fields, [&](const auto &item) {
    return std::ranges::none_of(entry.inputs, [&](auto &port) { return port->name == item.first; });
  });
  std::erase_if(own.dims, [&](const auto &item) {
    return std::ranges::none_of(entry.dims, [&](auto &dim) { return dim->name == item.first; });
  });
  Result<Binding> bound = bindInputs(data, entry, own);
  if (!bound)
    return std::nullopt;
  std::vector<std::pair<std::string, std::string>> inputs;
  for (const BoundInput &input : bound->inputs) {
    auto same = std::ranges::find_if(binding.inputs, [&](const BoundInput &other) {
      return other.field == input.field && other.dtype == input.dtype && other.shape == input.shape;
    });
    if (same == binding.inputs.end())
      return std::nullopt;
    inputs.emplace_back(input.name, same->name);
  }
  return inputs;
}

} // namespace

std::optional<Classifier> train::findClassifier(const ModelT &model, const Dataset &data,
                                                const Binding &binding,
                                                const BindingOptions &options) {
  const BoundInput *label = labelOf(data, binding);
  std::optional<Classifier> found;
  for (const std::unique_ptr<EntryT> &entry : model.entries) {
    bool isStep = entry->name == "train_step" || entry->name == "eval_step";
    size_t classes = classesOf(*entry);
    if (!label || isStep || !entry->variant.empty() || classes == 0)
      continue;
    auto inputs = matchInputs(*entry, data, binding, options);
    if (inputs && (!found || entry->name == "forward"))
      found = Classifier{entry->name, std::move(*inputs), label->name, classes};
  }
  return found;
}

Result<void> train::checkLabels(const Dataset &data, const Binding &binding,
                                const Classifier &classifier) {
  auto label = std::ranges::find(binding.inputs, classifier.label, &BoundInput::name);
  if (label == binding.inputs.end())
    return {};
  ImageTransform none;
  int64_t value = 0;
  Target target = {DType::I64, {}, std::as_writable_bytes(std::span(&value, 1)), none, nullptr};
  for (size_t example = 0; example < data.size(binding.length); ++example) {
    if (Result<void> read = data.read(example, label->field, target); !read)
      return read;
    if (value < 0 || static_cast<size_t>(value) >= classifier.classes)
      return Error{
          fmt::format("{}: the label of example {} is {}, but `{}` tells {} classes apart, "
                      "0 to {}",
                      data.name(), example, value, classifier.entry, classifier.classes,
                      classifier.classes - 1)};
  }
  return {};
}

/// Adds the guesses for one batch.
static Result<void> classify(Session &session, const Classifier &classifier, const Batch &batch,
                             Confusion &confusion) {
  TensorMap inputs;
  for (const auto &[name, from] : classifier.inputs)
    inputs.add(name, batch.tensors[from]);
  Result<TensorMap> logits = session.run(classifier.entry, inputs);
  if (!logits)
    return logits.error();
  return confusion.add(logits->begin()->tensor, batch.tensors[classifier.label]);
}

Result<std::optional<Evaluation>> train::evaluate(Session &session, Loader &loader,
                                                  const std::optional<Classifier> &classifier,
                                                  const volatile std::sig_atomic_t &isStopped) {
  Evaluation evaluation;
  if (classifier)
    evaluation.confusion.emplace(classifier->classes);
  while (!isStopped) {
    Result<std::optional<Batch>> batch = loader.next();
    if (!batch)
      return batch.error();
    if (!*batch)
      return std::optional(std::move(evaluation));
    Result<TensorMap> outputs = session.run("eval_step", (*batch)->tensors);
    if (!outputs)
      return outputs.error();
    evaluation.means.add(*outputs, (*batch)->count);
    if (classifier)
      if (Result<void> done = classify(session, *classifier, **batch, *evaluation.confusion); !done)
        return done.error();
  }
  return std::optional<Evaluation>();
}

std::string train::reportJson(const Evaluation &evaluation, const std::vector<std::string> &names) {
  using Json = nlohmann::ordered_json;
  Json report;
  report["examples"] = evaluation.means.examples();
  for (const Scalar &scalar : evaluation.means.values())
    report[scalar.name] = scalar.value;
  if (const std::optional<Confusion> &confusion = evaluation.confusion) {
    report["accuracy"] = confusion->accuracy();
    for (size_t i = 0; i < confusion->size(); ++i) {
      report["classes"].push_back({{"name", i < names.size() ? names[i] : std::to_string(i)},
                                   {"precision", confusion->precision(i)},
                                   {"recall", confusion->recall(i)},
                                   {"f1", confusion->f1(i)},
                                   {"examples", confusion->support(i)}});
      Json row = Json::array();
      for (size_t guess = 0; guess < confusion->size(); ++guess)
        row.push_back(confusion->at(i, guess));
      report["confusion"].push_back(std::move(row));
    }
  }
  return report.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}
