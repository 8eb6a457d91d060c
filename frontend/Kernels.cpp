#include "frontend/Kernels.h"

#include "frontend/PrimitivesEmit.h"
#include "frontend/Suggest.h"

#include "ir/NNOps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace nnc::frontend {
namespace {

using Arguments = std::vector<Value>;

struct Kernel {
  std::string_view name;
  std::string_view signature; ///< for messages
  bool (*fits)(const syntax::FnStmt &fn);
  /// Emits the operation; nothing where there is no kernel for these arguments.
  std::optional<TensorValue> (*emit)(Context &context, syntax::Span span,
                                     const Arguments &arguments, const TensorValue &result);
};

//===- flash_attention ------------------------------------------------------------------------===//

bool isTensor(const syntax::Formal &formal, bool optional,
              std::initializer_list<Element> elements) {
  auto *type = formal.type->as<syntax::TensorType>();
  return type && type->optional == optional &&
         std::find(elements.begin(), elements.end(), type->elem) != elements.end();
}

bool isBool(const syntax::Formal &formal) {
  auto *type = formal.type->as<syntax::ScalarType>();
  return type && type->scalar == syntax::ScalarKind::Bool;
}

bool fitsAttention(const syntax::FnStmt &fn) {
  if (fn.params.size() != 6 || fn.results.size() > 1)
    return false;
  for (size_t i = 0; i < 3; ++i)
    if (!isTensor(fn.params[i], false, {Element::Float, Element::F32, Element::F16, Element::BF16}))
      return false;
  return isTensor(fn.params[3], true, {Element::Bool}) && isBool(fn.params[4]) &&
         isTensor(fn.params[5], false, {Element::I32, Element::I64});
}

/// What nn.attention requires of sizes, and heads that every target has room for.
bool hasKernel(const TensorValue &q, const TensorValue &k, const TensorValue &v,
               const TensorValue &result) {
  constexpr int64_t LargestHead = 256;
  if (q.rank() != 4 || k.rank() != 4 || result.shape != q.shape || v.shape != k.shape)
    return false;
  std::optional<int64_t> headSize = q.shape[3].getConstant();
  return q.element == k.element && k.element == v.element && q.element == result.element &&
         q.shape[0] == k.shape[0] && q.shape[3] == k.shape[3] && headSize && *headSize >= 1 &&
         *headSize <= LargestHead;
}

std::optional<TensorValue> emitAttention(Context &context, syntax::Span span,
                                         const Arguments &arguments, const TensorValue &result) {
  const auto &q = arguments[0].get<TensorValue>(), &k = arguments[1].get<TensorValue>();
  const auto &v = arguments[2].get<TensorValue>(), &offset = arguments[5].get<TensorValue>();
  if (!hasKernel(q, k, v, result) || offset.rank() != 0)
    return std::nullopt;
  mlir::Value mask;
  if (auto *given = arguments[3].as<TensorValue>()) {
    Shape scores = {q.shape[0], q.shape[1], q.shape[2], k.shape[2]};
    mask = given->shape == scores ? given->value
                                  : Emitter(context, span).broadcast(*given, scores).value;
  }
  bool causal = arguments[4].get<bool>();
  TensorValue made = result;
  made.value = context.builder
                   .create<nn::AttentionOp>(context.location(span), context.tensorType(result),
                                            mlir::Type(), q.value, k.value, v.value, mask,
                                            causal ? offset.value : mlir::Value(), causal)
                   .getResult();
  return made;
}

//===- All kernels ----------------------------------------------------------------------------===//

constexpr Kernel kKernels[] = {
    {"flash_attention",
     "(q: float[B, H, T, D], k: float[B, K, S, D], v: float[B, K, S, D], mask: bool[...M]?, "
     "causal: bool, offset: i32[])",
     fitsAttention, emitAttention},
};

/// The kernel that the attribute names; null after E0212.
const Kernel *findKernel(Evaluator &evaluator, const syntax::Attribute &attribute) {
  auto *name = attribute.args.size() == 1 && !attribute.args[0].isNamed()
                   ? attribute.args[0].value->as<syntax::StringExpr>()
                   : nullptr;
  if (!name) {
    evaluator.error("E0212", attribute.span, "`@kernel` takes the name of a kernel")
        .help("write it as a string: `@kernel(\"flash_attention\")`");
    return nullptr;
  }
  for (const Kernel &kernel : kKernels)
    if (kernel.name == name->value)
      return &kernel;
  syntax::Diagnostic &diag = evaluator.error("E0212", attribute.args[0].span,
                                             fmt::format("unknown kernel `{}`", name->value));
  std::vector<std::string_view> known = kernelNames();
  if (auto similar = closestName(name->value, known))
    diag.fixIt(fmt::format("`{}` has a similar name", *similar),
               {{attribute.args[0].span, fmt::format("\"{}\"", *similar)}});
  else
    diag.note(fmt::format("the kernels are `{}`", fmt::join(known, "`, `")));
  return nullptr;
}

} // namespace

std::vector<std::string_view> kernelNames() {
  std::vector<std::string_view> names;
  for (const Kernel &kernel : kKernels)
    names.push_back(kernel.name);
  return names;
}

bool checkKernel(Evaluator &evaluator, const syntax::Attribute &attribute,
                 const syntax::FnStmt &fn) {
  const Kernel *kernel = findKernel(evaluator, attribute);
  if (!kernel)
    return false;
  if (kernel->fits(fn))
    return true;
  evaluator
      .error("E0212", attribute.span,
             fmt::format("`{}` is no function for the kernel `{}`", fn.name.text, kernel->name))
      .label(fn.paramsSpan, "its parameters are others")
      .note(fmt::format("the kernel is for `{}`", kernel->signature));
  return false;
}

bool useKernel(Evaluator &evaluator, const syntax::FnStmt &fn, std::vector<Value> arguments,
               Value &result) {
  const syntax::Attribute *attribute = fn.attribute("kernel");
  if (!attribute)
    return true;
  if (!checkKernel(evaluator, *attribute, fn))
    return false;
  const Kernel *kernel = findKernel(evaluator, *attribute);
  mlir::Block *block = evaluator.context.builder.getInsertionBlock();
  mlir::Operation *lastOfBody = block->empty() ? nullptr : &block->back();
  auto *value = result.as<TensorValue>();
  std::optional<TensorValue> made =
      value ? kernel->emit(evaluator.context, fn.name.span, arguments, *value) : std::nullopt;
  if (!made)
    return true; // the body
  result = Value::tensor(std::move(*made));
  while (lastOfBody) {
    mlir::Operation *before = lastOfBody->getPrevNode();
    lastOfBody->erase();
    lastOfBody = before;
  }
  return true;
}

} // namespace nnc::frontend
