#include "codegen/Quantize.h"

#include "ir/NNOps.h"
#include "runtime/format/Half.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

using namespace mlir;

namespace nnc::codegen {
namespace {

/// The globals that one weight becomes.
struct Parts {
  nn::GlobalOp values, scales, zeros;
};

/// Quantizes one weight: first what each cell holds, then every element.
class Quantizer {
public:
  Quantizer(const WeightTensor &weight, DictionaryAttr rule, RankedTensorType scales)
      : weight(weight), runs(scales.getShape().vec()),
        isFloat(rule.getAs<StringAttr>("element").getValue() == "f8e4m3"),
        isPacked(rule.getAs<StringAttr>("element").getValue() == "i4"), isShifted(rule.get("zero")),
        highest(isPacked ? 7 : 127) {
    if (auto size = rule.getAs<IntegerAttr>("group"))
      group = size.getInt();
    cells.resize(scales.getNumElements());
  }

  void run() {
    forEachRow([&](int64_t, std::span<const float> row, const auto &cellOf) {
      for (size_t i = 0; i < row.size(); ++i) {
        Cell &cell = cells[cellOf(i)];
        cell.low = std::min(cell.low, row[i]);
        cell.high = std::max(cell.high, row[i]);
      }
    });
    for (Cell &cell : cells)
      choose(cell);
    int64_t length = weight.shape.back(), stored = isPacked ? (length + 1) / 2 : length;
    int64_t rows = length == 0 ? 0 : count() / length;
    values.resize(rows * stored);
    forEachRow([&](int64_t number, std::span<const float> row, const auto &cellOf) {
      std::byte *out = values.data() + number * stored;
      for (size_t i = 0; i < row.size(); ++i) {
        uint8_t bits = quantize(row[i], cells[cellOf(i)]);
        if (isPacked)
          out[i / 2] |= std::byte(i % 2 ? bits << 4 : bits & 15);
        else
          out[i] = std::byte(bits);
      }
    });
  }

  std::vector<std::byte> values;

  std::vector<std::byte> numbersOf(bool ofZeros) const {
    std::vector<std::byte> bytes(cells.size() * sizeof(float));
    for (size_t i = 0; i < cells.size(); ++i)
      std::memcpy(bytes.data() + i * sizeof(float), ofZeros ? &cells[i].zero : &cells[i].scale,
                  sizeof(float));
    return bytes;
  }

private:
  struct Cell {
    float low = 0, high = 0; ///< 0 is always inside
    float scale = 1, zero = 0;
  };

  int64_t count() const {
    int64_t product = 1;
    for (int64_t size : weight.shape)
      product *= size;
    return product;
  }

  /// The place of an index among the runs of its axis.
  int64_t runOf(size_t axis, int64_t index) const {
    if (runs[axis] == 1)
      return 0;
    return runs[axis] == weight.shape[axis] ? index : index / group;
  }

  /// Calls `visit(number, floats, cellOf)` for every row along the last axis.
  template <typename Visit> void forEachRow(Visit visit) const {
    size_t last = weight.shape.size() - 1;
    int64_t length = weight.shape[last];
    std::vector<float> row(length);
    std::vector<int64_t> index(last);
    size_t rowBytes = length * dtypeBytes(weight.storedType());
    for (int64_t number = 0, rows = length == 0 ? 0 : count() / length; number < rows; ++number) {
      format::convertFloats(weight.storedType(), weight.bytes.data() + number * rowBytes,
                            DType::F32, row.data(), length);
      int64_t base = 0;
      for (size_t axis = 0; axis < last; ++axis)
        base = base * runs[axis] + runOf(axis, index[axis]);
      base *= runs[last];
      visit(number, std::span<const float>(row),
            [&](size_t i) { return size_t(base + runOf(last, int64_t(i))); });
      for (size_t axis = last; axis-- > 0 && ++index[axis] == weight.shape[axis];)
        index[axis] = 0;
    }
  }

  void choose(Cell &cell) const {
    float largest = std::max(-cell.low, cell.high);
    float range = isFloat ? largest / 448 : largest / highest;
    if (isShifted)
      range = (cell.high - cell.low) / (2 * highest + 1);
    if (range > 0 && std::isfinite(range))
      cell.scale = range;
    if (isShifted)
      cell.zero =
          std::clamp(std::nearbyint(-(highest + 1) - cell.low / cell.scale), -highest - 1, highest);
  }

  uint8_t quantize(float value, const Cell &cell) const {
    float scaled = value / cell.scale;
    if (isFloat)
      return format::f8e4m3FromFloat(std::clamp(scaled, -448.0f, 448.0f));
    float lowest = isShifted ? -highest - 1 : -highest;
    float rounded = std::clamp(std::nearbyint(scaled) + cell.zero, lowest, highest);
    return std::isnan(rounded) ? 0 : uint8_t(int8_t(rounded));
  }

  const WeightTensor &weight;
  std::vector<int64_t> runs;
  int64_t group = 1;
  bool isFloat, isPacked, isShifted;
  float highest;
  std::vector<Cell> cells;
};

Result<void> quantizeOne(StringRef symbol, const Parts &parts, WeightStore &store) {
  const WeightTensor *weight = store.find(symbol);
  if (!weight || !format::isConvertibleFloat(weight->storedType()) || weight->shape.empty())
    return Error{fmt::format("`{}` has no floats to quantize", symbol.str())};
  nn::GlobalOp values = parts.values, scales = parts.scales, zeros = parts.zeros;
  auto rule = values->getAttrOfType<DictionaryAttr>("quantized").getAs<DictionaryAttr>("rule");
  Quantizer quantizer(*weight, rule, scales.getTensorType());
  quantizer.run();
  auto add = [&](nn::GlobalOp part, DType dtype, std::vector<std::byte> bytes) {
    WeightTensor tensor{dtype, part.getTensorType().getShape().vec(), {}};
    store.addOwned(part.getSymName(), tensor, std::move(bytes));
  };
  bool isFloat = isa<FloatType>(values.getTensorType().getElementType());
  add(values, isFloat ? DType::F8E4M3 : DType::I8, std::move(quantizer.values));
  add(scales, DType::F32, quantizer.numbersOf(/*ofZeros=*/false));
  if (zeros)
    add(zeros, DType::F32, quantizer.numbersOf(/*ofZeros=*/true));
  return {};
}

} // namespace

Result<void> quantizeWeights(ModuleOp module, WeightStore &store) {
  llvm::MapVector<StringAttr, Parts> weights;
  for (auto global : module.getOps<nn::GlobalOp>()) {
    auto what = global->getAttrOfType<DictionaryAttr>("quantized");
    if (!what)
      continue;
    Parts &parts = weights[what.getAs<FlatSymbolRefAttr>("of").getAttr()];
    StringRef part = what.getAs<StringAttr>("part").getValue();
    (part == "values" ? parts.values : part == "scales" ? parts.scales : parts.zeros) = global;
  }
  for (auto &[symbol, parts] : weights)
    if (Result<void> done = quantizeOne(symbol.getValue(), parts, store); !done)
      return done;
  return {};
}

} // namespace nnc::codegen
