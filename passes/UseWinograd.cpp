//===- UseWinograd.cpp - 3x3 convolutions with fewer products ---------------------------------===//
//
// Winograd's filtering halves the products of a 3x3 convolution for sums of rows before and after
// (ir/Winograd.h). The window's sums depend on weights only and are prepared. Not where an image is
// small: there reading the weights takes the time, and they get larger.
//
//===------------------------------------------------------------------------------------------===//
#include "passes/Passes.h"
#include "passes/TacticRules.h"
#include "passes/WeightValues.h"

#include "ir/DeriveUtils.h"
#include "ir/Winograd.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace nnc {
#define GEN_PASS_DEF_USEWINOGRAD
#include "passes/Passes.h.inc"

namespace {

/// Sums of rows are made once per input channel and used for all output channels, and the other way
/// round.
constexpr int64_t LeastChannels = 16;
constexpr int64_t LeastColumns = 8;
constexpr int64_t LeastPixels = 64; ///< of the result, per read of the weights
/// Of a window, where the image's size is not known: those of more channels are for small images.
constexpr int64_t MostProducts = 256 * 256;

/// Whether no element of `first` is read in another place than its own before it is in memory. What
/// reads it in several places wants a buffer for all of these, and gets none where their distance
/// is not known; then elements are computed one by one, for which these sums are the wrong ones.
bool isReadInPlace(Value first) {
  SmallVector<Value> pending{first};
  llvm::DenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    for (Operation *user : value.getUsers()) {
      auto reading = dyn_cast<nn::FusionInterface>(user);
      if (!reading || isa<nn::ReshapeOp>(user))
        continue;
      switch (reading.getFusionRole()) {
      case nn::FusionRole::View:
        if (!isa<nn::TransposeOp, nn::ConcatOp>(user))
          return false;
        [[fallthrough]];
      case nn::FusionRole::Pointwise:
        llvm::append_range(pending, user->getResults());
        break;
      case nn::FusionRole::Gather:
      case nn::FusionRole::Update:
        return false;
      default: // reads memory
        break;
      }
    }
  }
  return true;
}

bool isWanted(nn::Conv2dOp conv, const WeightValues &weights) {
  auto isOne = [](int64_t number) { return number == 1; };
  RankedTensorType window = conv.getWeight().getType(), result = conv.getType();
  if (!window.getElementType().isF32() || conv.getChannelsLast() || conv.getGroups() != 1 ||
      !llvm::all_of(conv.getStrides(), isOne) || !llvm::all_of(conv.getDilation(), isOne) ||
      !weights.contains(conv.getWeight()) || isDequantized(conv.getWeight()))
    return false;
  if (window.getDimSize(2) != 3 || window.getDimSize(3) != 3 ||
      window.getDimSize(0) < LeastChannels || window.getDimSize(1) < LeastChannels)
    return false;
  int64_t rows = result.getDimSize(2), columns = result.getDimSize(3);
  if (ShapedType::isDynamic(rows) || ShapedType::isDynamic(columns))
    return window.getDimSize(0) * window.getDimSize(1) <= MostProducts &&
           isReadInPlace(conv.getResult());
  return rows > 1 && columns >= LeastColumns && rows * columns >= LeastPixels;
}

/// Rows of a tile for the fewest products; the smaller of equals, which rounds less.
int64_t chooseTile(int64_t rows) {
  if (ShapedType::isDynamic(rows))
    return 4;
  int64_t best = 2;
  auto products = [&](int64_t tile) { return llvm::divideCeil(rows, tile) * (tile + 2); };
  for (int64_t tile : {3, 4})
    if (products(tile) < products(best))
      best = tile;
  return best;
}

class Replacement : nn::Deriving {
public:
  Replacement(OpBuilder &builder, nn::Conv2dOp conv)
      : Deriving(builder, conv), conv(conv), window(nn::getDims(conv.getWeight().getType())) {}

  Value run() {
    int64_t tile = chooseTile(conv.getType().getDimSize(2));
    nn::Matrix matrix = nn::getWinogradMatrices(tile).window;
    SmallVector<AffineExpr> dims = {constant(tile + 2), window[0], window[1], window[3]};
    Value combined;
    for (int64_t row : {0, 1, 2}) {
      Value term = mul(repeatRow(row, dims), broadcast(factors(matrix, row), dims, {0}));
      combined = combined ? add(combined, term) : term;
    }
    auto made = builder.create<nn::WinogradConv2dOp>(loc, conv.getType(), conv.getInput(), combined,
                                                     tile, conv.getPadding());
    made->setDiscardableAttrs(conv->getDiscardableAttrDictionary());
    return made;
  }

private:
  /// `weight[:, :, row, :]` for every product.
  Value repeatRow(int64_t row, ArrayRef<AffineExpr> dims) {
    Value part = slice(conv.getWeight(), {constant(0), constant(0), constant(row), constant(0)},
                       {window[0], window[1], constant(1), window[3]}, {1, 1, 1, 1});
    return broadcast(transpose(part, {2, 0, 1, 3}), dims, {0, 1, 2, 3});
  }

  /// How often a row of the window is in each product.
  Value factors(const nn::Matrix &matrix, int64_t row) {
    auto one = RankedTensorType::get({1}, builder.getF32Type());
    return concat(llvm::map_to_vector(
                      matrix, [&](ArrayRef<double> product) { return full(one, product[row]); }),
                  0);
  }

  nn::Conv2dOp conv;
  SmallVector<AffineExpr> window;
};

struct UseWinograd : impl::UseWinogradBase<UseWinograd> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (!function->hasAttr(nn::kEntryAttr))
        continue;
      WeightValues weights(function);
      for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
        auto conv = dyn_cast<nn::Conv2dOp>(op);
        if (!conv || !isWanted(conv, weights))
          continue;
        OpBuilder builder(conv);
        conv.getResult().replaceAllUsesWith(Replacement(builder, conv).run());
        conv.erase();
        ++numReplaced;
      }
    }
  }
};

} // namespace
} // namespace nnc
