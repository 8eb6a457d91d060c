//===- TacticRules.cpp - What runs where, and what is worth computing twice -------------------===//
//
// cuBLASLt computes epilogue(A*B + residual + bias) in f32 and rounds once. Whatever of that the
// model asks for goes to it; nothing that would skip a rounding of the model does.
// Measured with cuBLASLt 13.1 on an H200: its relu keeps NaN, its f32 GELU is the tanh form within
// 6e-6 for |x| < 6.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/TacticRules.h"

#include "ir/Dims.h"
#include "ir/EntryAttrs.h"
#include "ir/NNOps.h"
#include "ir/TacticAttr.h"

using namespace mlir;

namespace nnc {
namespace {

/// A product of more multiplications than this is worth a launch of its own even if something
/// follows that the library cannot do; with an unknown number of rows, one of more columns or a
/// longer sum.
constexpr int64_t SmallProduct = 1'000'000'000, SmallSide = 1024;

nn::FusionRole roleOf(Operation *op) { return cast<nn::FusionInterface>(op).getFusionRole(); }

bool isPointwise(Operation *op) {
  return isa<nn::FusionInterface>(op) && roleOf(op) == nn::FusionRole::Pointwise;
}

/// Whether the value will lie in memory if somebody reads it: not a view, which is computed by its
/// readers.
bool liesInMemory(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || isa<nn::GetOp, nn::ReshapeOp>(op))
    return true;
  return isa<nn::FusionInterface>(op) && roleOf(op) != nn::FusionRole::View &&
         roleOf(op) != nn::FusionRole::Source;
}

bool isZero(Value value) {
  auto full = value.getDefiningOp<nn::FullOp>();
  auto number = full ? dyn_cast<FloatAttr>(full.getValue()) : FloatAttr();
  return number && number.getValue().isZero();
}

/// The only user of `value` if it is an `OpTy`, and the other operand.
template <typename OpTy> std::pair<OpTy, Value> matchBinaryUser(Value value) {
  if (!value.hasOneUse())
    return {};
  OpOperand &use = *value.use_begin();
  auto op = dyn_cast<OpTy>(use.getOwner());
  return {op, op ? op->getOperand(1 - use.getOperandNumber()) : Value()};
}

/// Takes additions of a bias and a residual, at most one each; returns the value after them.
Value absorbAdditions(Value value, ProductTactic &tactic,
                      llvm::function_ref<bool(Operation *)> isTaken) {
  while (true) {
    auto [add, other] = matchBinaryUser<nn::AddOp>(value);
    if (!add || isTaken(add))
      return value;
    Value bias = matchColumnVector(other);
    if (bias && !liesInMemory(bias))
      bias = {};
    if (bias && !tactic.bias)
      tactic.bias = bias;
    else if (!bias && !tactic.residual && liesInMemory(other))
      tactic.residual = other;
    else
      return value;
    tactic.absorbed.push_back(add);
    value = add.getResult();
  }
}

/// Takes the end of a sum that is rounded once: the addition of a bias, the two of them in f32, and
/// the rounding to the 16 bits of the operands; returns the value after them, or null.
Value absorbRounding(nn::MatmulOp product, ProductTactic &tactic,
                     llvm::function_ref<bool(Operation *)> isTaken) {
  std::optional<RoundedBias> end = matchRoundedBias(product);
  if (!end || !liesInMemory(end->bias) || isTaken(end->add) || isTaken(end->round))
    return {};
  tactic.bias = end->bias;
  tactic.absorbed = {end->add, end->round};
  return end->round->getResult(0);
}

Value absorbRelu(Value value, ProductTactic &tactic) {
  auto [max, other] = matchBinaryUser<nn::MaxOp>(value);
  if (!max || !isZero(other))
    return value;
  tactic.epilogue = "relu";
  tactic.absorbed.push_back(max);
  return max.getResult();
}

Value absorbGelu(Value value, ProductTactic &tactic) {
  std::optional<SmallVector<Operation *>> gelu = matchGeluTanh(value);
  if (!gelu)
    return value;
  tactic.epilogue = "gelu";
  tactic.absorbed.append(gelu->begin(), gelu->end());
  return gelu->back()->getResult(0);
}

/// The length of the sums, and the columns of the result.
std::pair<int64_t, int64_t> depthAndColumns(nn::MatmulOp product) {
  auto lhs = cast<RankedTensorType>(product.getLhs().getType());
  auto result = cast<RankedTensorType>(product.getType());
  int64_t rank = lhs.getRank();
  return {lhs.getDimSize(product.getTransposeA() ? rank - 2 : rank - 1),
          result.getDimSize(result.getRank() - 1)};
}

/// A 16-bit product whose result has rows that do not begin at multiples of 16 bytes, so that the
/// library would read and write it element by element (GPT-2 has 50257 columns), while the operands
/// have such rows.
bool isRagged(nn::MatmulOp product) {
  auto [k, n] = depthAndColumns(product);
  return product.getLhs().getType().getElementTypeBitWidth() == 16 && product.getTransposeB() &&
         !product.getTransposeA() && !ShapedType::isDynamic(n) && n > 8 && n % 8 != 0 &&
         !ShapedType::isDynamic(k) && k % 8 == 0;
}

bool isSmall(nn::MatmulOp product) {
  auto [k, n] = depthAndColumns(product);
  if (ShapedType::isDynamic(k) || ShapedType::isDynamic(n))
    return false;
  int64_t rows = 1;
  for (int64_t size : cast<RankedTensorType>(product.getType()).getShape().drop_back())
    if (ShapedType::isDynamic(size) || llvm::MulOverflow(rows, size, rows))
      return k <= SmallSide && n <= SmallSide;
  return double(rows) * double(k) * double(n) <= SmallProduct;
}

/// A 16-bit product by a matrix of weights whose operands the machine copies by itself, so that a
/// kernel of our own is as fast as the library (pipeline.cuh).
bool isCopied(nn::MatmulOp product) {
  constexpr int64_t Piece = 8; // elements
  auto lhs = cast<RankedTensorType>(product.getLhs().getType());
  auto rhs = cast<RankedTensorType>(product.getRhs().getType());
  auto [k, n] = depthAndColumns(product);
  return lhs.getElementTypeBitWidth() == 16 && rhs.getRank() == 2 && !product.getTransposeA() &&
         product.getTransposeB() && !ShapedType::isDynamic(k) && k % Piece == 0 &&
         !ShapedType::isDynamic(n) && n % Piece == 0;
}

/// Whether a kernel of our own reads the matrix as fast as memory gives it, which the library does
/// not with so few rows: of a matrix whose rows run along the depth in pieces of 16 bytes.
bool hasFewRows(nn::MatmulOp product) {
  constexpr int64_t MostRows = 4, LeastColumns = 8, LeastDepth = 64, Piece = 128;
  auto lhs = cast<RankedTensorType>(product.getLhs().getType());
  auto rhs = cast<RankedTensorType>(product.getRhs().getType());
  if (!lhs.hasStaticShape() || !rhs.hasStaticShape() || rhs.getRank() != 2 || lhs.getRank() < 2 ||
      product.getTransposeA() || !product.getTransposeB())
    return false;
  int64_t depth = rhs.getDimSize(1), bits = rhs.getElementTypeBitWidth();
  return lhs.getNumElements() <= MostRows * depth && rhs.getDimSize(0) >= LeastColumns &&
         depth >= LeastDepth && depth * bits % Piece == 0 && bits <= 32;
}

} // namespace

Value matchColumnVector(Value value) {
  if (auto reshape = value.getDefiningOp<nn::ReshapeOp>()) { // as broadcasts to one row are written
    auto from = cast<RankedTensorType>(reshape.getInput().getType());
    auto to = cast<RankedTensorType>(reshape.getType());
    bool isRow = from.getRank() == 1 && to.getRank() > 1 && to.hasStaticShape() &&
                 to.getShape().back() == from.getDimSize(0);
    return isRow ? reshape.getInput() : Value();
  }
  auto broadcast = value.getDefiningOp<nn::BroadcastOp>();
  if (!broadcast)
    return {};
  auto from = cast<RankedTensorType>(broadcast.getInput().getType());
  auto to = cast<RankedTensorType>(broadcast.getType());
  bool isVector = from.getRank() == 1 && broadcast.getDims()[0] == to.getRank() - 1 &&
                  nn::areEqual(nn::getDim(from, 0), nn::getDim(to, to.getRank() - 1));
  return isVector ? broadcast.getInput() : Value();
}

/// The 16 bits that `value` widens, itself or a vector of which it is the columns.
static Value matchWidenedVector(Value value) {
  auto widens = [](Value value) {
    auto widening = value ? value.getDefiningOp<nn::CastOp>() : nn::CastOp();
    return widening ? widening.getInput() : Value();
  };
  Value narrow = widens(value);
  return narrow ? matchColumnVector(narrow) : widens(matchColumnVector(value));
}

std::optional<RoundedBias> matchRoundedBias(nn::MatmulOp product) {
  auto [add, other] = matchBinaryUser<nn::AddOp>(product.getResult());
  if (!product.isWide() || !add || !add->hasOneUse())
    return std::nullopt;
  auto round = dyn_cast<nn::CastOp>(*add->user_begin());
  Value bias = matchWidenedVector(other);
  Type element = product.getLhs().getType().getElementType();
  if (!round || !bias || round.getType().getElementType() != element ||
      getElementTypeOrSelf(bias) != element)
    return std::nullopt;
  return RoundedBias{add, bias, round};
}

bool isCheap(Operation *op) { return isPointwise(op) && !op->hasTrait<nn::Costly>(); }

/// One view of a chain that is read by strides. `anyAxis`: the last one too may be moved or
/// repeated.
static bool givesStrides(Operation *op, bool anyAxis) {
  auto last = [](auto list) { return int64_t(list.size()) - 1; };
  if (auto transpose = dyn_cast<nn::TransposeOp>(op))
    return anyAxis || transpose.getPermutation().back() == last(transpose.getPermutation());
  if (auto broadcast = dyn_cast<nn::BroadcastOp>(op)) {
    auto from = cast<RankedTensorType>(broadcast.getInput().getType());
    auto to = cast<RankedTensorType>(broadcast.getType());
    return anyAxis ||
           (from.getRank() > 0 && broadcast.getDims().back() == to.getRank() - 1 &&
            nn::areEqual(nn::getDim(from, from.getRank() - 1), nn::getDim(to, to.getRank() - 1)));
  }
  auto slice = dyn_cast<nn::SliceOp>(op);
  return slice && (anyAxis || slice.getStep().back() == 1) &&
         llvm::all_of(slice.getStart().getResults(),
                      [](AffineExpr start) { return nn::getConstant(start).has_value(); });
}

bool isReadByStrides(Operation *view, bool anyAxis) {
  Operation *op = view;
  while (op && isa<nn::FusionInterface>(op) && !isa<nn::ReshapeOp>(op) &&
         roleOf(op) == nn::FusionRole::View) {
    if (!givesStrides(op, anyAxis))
      return false;
    op = op->getOperand(0).getDefiningOp();
  }
  return op != view && (!op || isa<nn::GetOp>(op) || !isa<nn::FusionInterface>(op) ||
                        roleOf(op) != nn::FusionRole::Source);
}

/// The attention of which `part`, which nothing else reads, is a result, perhaps transposed.
static Operation *findAttention(Value part) {
  auto transpose = part.getDefiningOp<nn::TransposeOp>();
  if (transpose && !isWrittenByStrides(transpose))
    return nullptr;
  Value result = transpose ? transpose.getInput() : part;
  Operation *maker = part.hasOneUse() ? result.getDefiningOp() : nullptr;
  bool isAnchor = maker && isa<nn::FusionInterface>(maker) && isAttention(roleOf(maker));
  return isAnchor ? maker : nullptr;
}

bool areWrittenSideBySide(ValueRange parts, int64_t axis) {
  Operation *attention = findAttention(parts.front());
  auto type = cast<RankedTensorType>(parts.front().getType());
  return attention && axis != type.getRank() - 1 &&
         llvm::all_of(parts, [&](Value part) { return findAttention(part) == attention; });
}

bool isWrittenByStrides(Operation *op) {
  if (auto concat = dyn_cast<nn::ConcatOp>(op))
    return areWrittenSideBySide(concat.getInputs(), concat.getAxis());
  auto transpose = dyn_cast<nn::TransposeOp>(op);
  Operation *maker = transpose ? transpose.getInput().getDefiningOp() : nullptr;
  return maker && isa<nn::FusionInterface>(maker) && isAttention(roleOf(maker)) &&
         transpose.getInput().hasOneUse() && givesStrides(op, /*anyAxis=*/false);
}

bool isOfFewRows(nn::MatmulOp product) {
  Type left = product.getLhs().getType().getElementType();
  auto given = product->getAttrOfType<StringAttr>(nn::kTacticAttr);
  return hasFewRows(product) && isa<FloatType>(left) &&
         left == product.getRhs().getType().getElementType() &&
         left.getIntOrFloatBitWidth() >= 16 && !isDequantized(product.getLhs()) &&
         !isDequantized(product.getRhs()) && (!given || given == "kernel");
}

bool isDequantized(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isa<nn::TransposeOp, nn::SliceOp, nn::BroadcastOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return isa_and_nonnull<nn::DequantizeOp>(op) &&
         llvm::all_of(op->getOperands(),
                      [](Value operand) { return operand.getDefiningOp<nn::GetOp>(); });
}

/// Not in a loop, before which it is dequantized once.
static bool isReadAsStored(OpOperand &use) {
  return isDequantized(use.get()) &&
         use.get().getDefiningOp()->getBlock() == use.getOwner()->getBlock();
}

/// Images of few channels that a convolution reads element by element, through a transposition of
/// what lies in memory.
static bool isReadThrough(OpOperand &use) {
  constexpr int64_t ChannelsPerLoad = 8;
  auto conv = dyn_cast<nn::Conv2dOp>(use.getOwner());
  auto view = use.get().getDefiningOp<nn::TransposeOp>();
  if (!conv || !view || use.getOperandNumber() != 0 || !conv.getChannelsLast())
    return false;
  auto type = cast<RankedTensorType>(view.getType());
  bool isNarrow = type.getDimSize(3) < ChannelsPerLoad && type.getElementTypeBitWidth() == 16;
  return isNarrow && liesInMemory(view.getInput());
}

bool needsMemory(OpOperand &use) {
  Operation *op = use.getOwner();
  if (!isa<nn::FusionInterface>(op) || isa<nn::ReshapeOp>(op))
    return true;
  switch (roleOf(op)) {
  case nn::FusionRole::Contraction:
  case nn::FusionRole::Convolution:
    return !isReadAsStored(use) && !isReadThrough(use);
  case nn::FusionRole::Window:
  case nn::FusionRole::Scatter:
    return true;
  case nn::FusionRole::Gather:
    return use.getOperandNumber() == 0 && !isReadAsStored(use);
  case nn::FusionRole::Update:
    return use.getOperandNumber() == 0;
  case nn::FusionRole::Attention:
  case nn::FusionRole::AttentionGrad: {
    // Of masks and of numbers per row single elements are read; an offset is a scalar.
    auto type = cast<RankedTensorType>(use.get().getType());
    Operation *view = use.get().getDefiningOp();
    bool anyAxis = type.getElementType().isInteger(1) || type.getRank() == 3;
    return !view || type.getRank() == 0 || !isReadByStrides(view, anyAxis);
  }
  default:
    return false;
  }
}

bool hasTwoTactics(nn::MatmulOp product) {
  return isa<FloatType>(product.getType().getElementType()) && !isDequantized(product.getLhs()) &&
         !isDequantized(product.getRhs()) && !product->getParentOfType<nn::ScanOp>() &&
         (!product.isWide() || matchRoundedBias(product));
}

std::string productKey(nn::MatmulOp product) {
  Operation *entry = product->getParentOp();
  while (entry && !entry->hasAttr(nn::kDimsAttr))
    entry = entry->getParentOp();
  SmallVector<AffineExpr> typical; // as code generation takes them
  for (const nn::EntrySymbol &symbol :
       entry ? nn::getEntrySymbols(entry) : SmallVector<nn::EntrySymbol>())
    typical.push_back(getAffineConstantExpr(
        std::min(symbol.high, std::max<int64_t>(symbol.low, 64)), product.getContext()));
  auto sizesOf = [&](Value value) {
    SmallVector<int64_t> sizes;
    for (AffineExpr dim : nn::getDims(cast<RankedTensorType>(value.getType())))
      sizes.push_back(nn::getConstant(dim.replaceSymbols(typical)).value_or(64));
    return sizes;
  };
  SmallVector<int64_t> lhs = sizesOf(product.getLhs()), result = sizesOf(product.getResult());
  bool isShared = cast<RankedTensorType>(product.getRhs().getType()).getRank() == 2;
  int64_t depth = lhs[lhs.size() - (product.getTransposeA() ? 2 : 1)], batch = 1;
  for (int64_t size : ArrayRef(result).drop_back(2))
    batch *= size;
  int64_t rows = result[result.size() - 2] * (isShared ? batch : 1);
  std::string text;
  llvm::raw_string_ostream out(text);
  out << "product " << (product->hasAttr(nn::kTf32Attr) ? "tf32" : "");
  if (!product->hasAttr(nn::kTf32Attr))
    out << product.getLhs().getType().getElementType();
  out << " " << rows << "x" << result.back() << "x" << depth;
  if (!isShared && batch != 1)
    out << " x" << batch;
  out << " " << (product.getTransposeA() ? "t" : "n") << (product.getTransposeB() ? "t" : "n");
  return text;
}

ProductTactic chooseProduct(nn::MatmulOp product, Target target,
                            llvm::function_ref<bool(Operation *)> isTaken) {
  ProductTactic tactic;
  auto type = cast<RankedTensorType>(product.getType());
  if (target != Target::Cuda || !isa<FloatType>(type.getElementType()) ||
      isDequantized(product.getLhs()) || isDequantized(product.getRhs()))
    return tactic;
  auto given = product->getAttrOfType<StringAttr>(nn::kTacticAttr);
  if (given ? given == "kernel" : hasFewRows(product) || isRagged(product))
    return tactic;
  tactic.library = true;
  Value value = product.getResult();
  bool isNarrow = product.getLhs().getType().getElementTypeBitWidth() == 16;
  if (product.isWide())
    value = absorbRounding(product, tactic, isTaken);
  else if (!isNarrow)
    value = absorbAdditions(value, tactic, isTaken);
  if (!value)
    return ProductTactic(); // the library would round too early
  bool hasBias = isNarrow && tactic.bias;
  Value activated = absorbRelu(value, tactic); // commutes with rounding
  if (activated == value && !isNarrow)
    activated = absorbGelu(value, tactic);
  bool moreFollows = hasBias || llvm::all_of(activated.getUsers(), [&](Operation *user) {
                       return isPointwise(user) && !isTaken(user);
                     });
  if (moreFollows && !given && (isSmall(product) || isCopied(product)))
    return ProductTactic();
  return tactic;
}

} // namespace nnc
