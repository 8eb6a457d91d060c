//===- Evaluator.cpp - Elements, scopes and loads ---------------------------------------------===//
#include "codegen/cuda/Evaluator.h"

#include "codegen/cuda/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace nnc::codegen;

namespace {
/// Producers within producers: deeper than any kernel that fusion forms.
constexpr unsigned MaxNesting = 400;
/// Turns of a row's loop that are written out, so that what they load stays in registers.
constexpr int64_t MaxUnrolled = 8;
} // namespace

Evaluator::Evaluator(const KernelBody &body, IndexMath &math, CodeWriter &out)
    : math(math), out(out), sizes(body, math), body(body) {}

std::string Evaluator::fail(Operation *op, const std::string &why) {
  if (!failure)
    failure = nnc::Error{"cannot make CUDA code of " + op->getName().getStringRef().str() +
                         " in kernel \"" + body.name + "\" at " + describeLocation(op->getLoc()) +
                         ": " + why};
  return "0";
}

//===------------------------------------------------------------------------------------------===//
// Scopes and names
//===------------------------------------------------------------------------------------------===//

std::string Evaluator::freshName(const std::string &stem) {
  return stem + std::to_string(nextName++);
}

void Evaluator::openBlock(const std::string &header, bool isUniform) {
  out.open(header);
  scopes.emplace_back();
  scopes.back().uniform = isUniform;
}

AffineExpr Evaluator::declare(const std::string &name, AffineExpr extent) {
  declaredAt.push_back(out.depth());
  return math.addVariable(name, extent);
}

AffineExpr Evaluator::openLoop(const std::string &stem, AffineExpr extent, bool unrolls) {
  std::string name = freshName(stem);
  openBlock(std::string(unrolls ? "NNC_UNROLL " : "") + "for (Index " + name + " = 0; " + name +
            " < " + math.text(extent) + "; ++" + name + ")");
  return declare(name, extent);
}

AffineExpr Evaluator::openRowLoop(const std::string &stem, AffineExpr extent) {
  std::string name = freshName(stem), threads = std::to_string(row->threads);
  std::optional<int64_t> size = math.constantOf(extent);
  if (size && *size > row->threads && *size % row->threads == 0 &&
      *size / row->threads <= MaxUnrolled) {
    std::string turn = freshName("turn");
    openBlock("NNC_UNROLL for (Index " + turn + " = 0; " + turn + " < " +
              std::to_string(*size / row->threads) + "; ++" + turn + ")");
    out.line("const Index " + name + " = " + turn + " * " + threads + " + " + row->lane + ";");
  } else {
    std::string step = row->threads == 1 ? "++" + name : name + " += " + threads;
    openBlock("for (Index " + name + " = " + row->lane + "; " + name + " < " + math.text(extent) +
              "; " + step + ")");
  }
  scopes.back().uniform = false;
  return declare(name, extent);
}

int64_t Evaluator::rowVector(AffineExpr extent) const {
  std::optional<int64_t> size = math.constantOf(extent);
  if (!size || row->threads == 1)
    return 1;
  int64_t width = 8;
  while (width > 1 && (*size % width != 0 || *size / width < row->threads))
    width /= 2;
  return width;
}

AffineExpr Evaluator::openLanes(int64_t width, AheadLoads *ahead) {
  AffineExpr index = openLoop("j", math.constant(width), /*unrolls=*/true);
  lane = {cast<AffineDimExpr>(index).getPosition(), out.depth(), width, ahead};
  return index;
}

void Evaluator::closeLanes() {
  lane.reset();
  closeScope();
}

void Evaluator::closeScope(const std::string &closing) {
  scopes.pop_back();
  out.close(closing);
  commented = nullptr;
}

bool Evaluator::isKnownAt(AffineExpr expr, unsigned depth) const {
  return llvm::all_of(math.variablesOf(expr),
                      [&](unsigned variable) { return declaredAt[variable] <= depth; });
}

std::string Evaluator::define(const std::string &type, const std::string &stem,
                              const std::string &text) {
  std::string name = freshName(stem);
  out.line("const " + type + " " + name + " = " + text + ";");
  return name;
}

void Evaluator::commentOn(Operation *op) {
  if (commented == op)
    return;
  commented = op;
  std::string place = describeLocation(op->getLoc());
  if (!place.empty())
    out.comment(place);
}

//===------------------------------------------------------------------------------------------===//
// Elements
//===------------------------------------------------------------------------------------------===//

std::optional<std::string> Evaluator::findMemo(Value tensor, const IndexList &indices) const {
  for (const Scope &scope : llvm::reverse(scopes))
    for (const Memo &memo : scope.memos)
      if (memo.tensor == tensor && memo.indices == indices)
        return memo.text;
  return std::nullopt;
}

void Evaluator::remember(Value tensor, const IndexList &indices, const std::string &text) {
  scopes.back().memos.push_back({tensor, indices, text});
}

std::string Evaluator::element(Value tensor, IndexList indices) {
  if (failure)
    return "0";
  for (AffineExpr &index : indices) {
    if (!index)
      return fail(tensor.getParentBlock()->getParentOp(), "an index or a size is not known");
    index = math.simplify(index);
  }
  if (std::optional<std::string> known = findMemo(tensor, indices))
    return *known;
  if (intercept)
    if (std::optional<std::string> text = intercept(tensor, indices))
      return *text;
  if (nesting == MaxNesting)
    return fail(tensor.getParentBlock()->getParentOp(), "producers are nested too deeply");
  ++nesting;
  std::string text = compute(tensor, indices);
  --nesting;
  remember(tensor, indices, text);
  return text;
}

std::string Evaluator::compute(Value tensor, const IndexList &indices) {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return load(argument, indices);
  Operation *op = tensor.getDefiningOp();
  return llvm::TypeSwitch<Operation *, std::string>(op)
      .Case([&](linalg::LinalgOp structuredOp) {
        return structured(structuredOp, cast<OpResult>(tensor).getResultNumber(), indices);
      })
      .Case([&](tensor::InsertSliceOp insertion) { return insert(insertion, indices); })
      .Case([&](tensor::PadOp padding) { return pad(padding, indices); })
      .Case<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, tensor::CastOp>(
          [&](Operation *moved) { return view(moved, indices); })
      // Nobody may depend on what an empty tensor holds.
      .Case([&](tensor::EmptyOp) { return std::string("0"); })
      .Case([&](arith::ConstantOp constant) {
        std::optional<std::string> text = constantText(constant.getValue());
        return text ? *text : fail(op, "only constants with one value are supported");
      })
      .Default([&](Operation *) { return fail(op, "the operation is not supported"); });
}

std::string Evaluator::load(BlockArgument argument, const IndexList &indices) {
  Operation *owner = argument.getOwner()->getParentOp();
  std::optional<std::string> type = typeText(getElementTypeOrSelf(argument.getType()));
  if (argument.getOwner() != body.block)
    return fail(owner, "a tensor comes from an inner block");
  if (!type)
    return fail(owner, "an operand has an element type that is not supported");
  std::string pointer = "in" + std::to_string(argument.getArgNumber());
  AffineExpr linear = math.linearize(indices, sizes.dimsOf(argument));
  if (std::optional<std::string> text = loadFromVector(argument, pointer, linear))
    return *text;
  return define(*type, "x", pointer + "[" + math.text(linear) + "]");
}

/// Elements base + lane of an argument, base being a multiple of the width, are one vector; so are
/// base + lane / 2, each of which holds two numbers of 4 bits.
std::optional<std::string>
Evaluator::loadFromVector(BlockArgument argument, const std::string &pointer, AffineExpr linear) {
  if (!lane)
    return std::nullopt;
  bool isConditional = llvm::any_of(llvm::drop_begin(scopes, lane->depth),
                                    [](const Scope &scope) { return !scope.condition.empty(); });
  if (isConditional)
    return std::nullopt;
  AffineExpr variable = getAffineDimExpr(lane->variable, linear.getContext());
  for (int64_t shared : {1, 2}) {
    AffineExpr base = math.simplify(linear - variable.floorDiv(shared));
    int64_t width = lane->width / shared;
    if (!llvm::is_contained(math.variablesOf(base), lane->variable) &&
        isKnownAt(base, lane->depth - 1) && math.divisorOf(base) % width == 0 && width > 1)
      return vectorAt(argument, pointer, base, width) + "[" + math.nameOf(lane->variable) +
             (shared > 1 ? " / " + std::to_string(shared) : "") + "]";
  }
  return std::nullopt;
}

/// Whether what is there is loaded before the lanes' loop, by somebody else.
bool Evaluator::isForAhead(AffineExpr base) const {
  if (!lane->ahead)
    return false;
  return llvm::all_of(math.variablesOf(base),
                      [&](unsigned variable) { return variable < lane->variable; });
}

bool Evaluator::dependsOn(AffineExpr expr, AffineExpr variable) const {
  return llvm::is_contained(math.variablesOf(expr), cast<AffineDimExpr>(variable).getPosition());
}

/// The name of a vector in the scope around the lanes.
std::string Evaluator::vectorAt(BlockArgument argument, const std::string &pointer, AffineExpr base,
                                int64_t width) {
  std::string name;
  Scope &outer = scopes[lane->depth - 1];
  for (const Memo &memo : outer.memos)
    if (memo.tensor == argument && memo.indices.size() == 1 && memo.indices[0] == base)
      name = memo.text;
  if (name.empty()) {
    name = freshName("v");
    std::string count = std::to_string(width);
    std::string value = "loadVector<" + count + ">(" + pointer + " + " + math.text(base) + ")";
    if (isForAhead(base)) {
      std::string type = *typeText(getElementTypeOrSelf(argument.getType()));
      bool isOther = lane->ahead->of && !dependsOn(base, lane->ahead->of);
      (isOther ? lane->ahead->others : lane->ahead->loads)
          .push_back({"Vector<" + type + ", " + count + ">", name, value});
      name = (isOther ? "columns." : "ahead.") + name;
    } else {
      std::vector<std::string> inner = out.suspend(lane->depth - 1);
      out.line("const auto " + name + " = " + value + ";");
      out.resume(std::move(inner));
    }
    outer.memos.push_back({argument, {base}, name});
  }
  return name;
}
