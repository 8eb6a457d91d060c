//===- ScalarOps.cpp - Scalar operations as CUDA text -----------------------------------------===//
//
// In the table, $0 $1 $2 are operands, $t the result's type, $f the suffix of the C function for it
// ("f" for float), $u the unsigned form of the first operand's type. A name may carry a predicate
// (cmpf.olt), or say that its first operand is i1 (:i1) or what its result is (->i1, ->index); the
// most specific entry wins.
//
//===------------------------------------------------------------------------------------------===//
#include "codegen/cuda/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringMap.h"
#include <cmath>

using namespace mlir;

namespace nnc::codegen {
namespace {

struct Row {
  const char *name;
  const char *text;
  const char *identity = nullptr; ///< of reductions
};

constexpr Row Table[] = {
    {"arith.addf", "$0 + $1", "0"},
    {"arith.subf", "$0 - $1"},
    {"arith.mulf", "$0 * $1", "1"},
    {"arith.divf", "$0 / $1"},
    {"arith.remf", "fmod$f($0, $1)"},
    {"arith.negf", "-$0"},
    {"arith.maximumf", "maximum($0, $1)", "-infinity()"},
    {"arith.minimumf", "minimum($0, $1)", "infinity()"},
    {"arith.maxnumf", "fmax$f($0, $1)", "-infinity()"},
    {"arith.minnumf", "fmin$f($0, $1)", "infinity()"},

    {"arith.cmpf.false", "false"},
    {"arith.cmpf.oeq", "$0 == $1"},
    {"arith.cmpf.ogt", "$0 > $1"},
    {"arith.cmpf.oge", "$0 >= $1"},
    {"arith.cmpf.olt", "$0 < $1"},
    {"arith.cmpf.ole", "$0 <= $1"},
    {"arith.cmpf.one", "$0 < $1 || $0 > $1"},
    {"arith.cmpf.ord", "$0 == $0 && $1 == $1"},
    {"arith.cmpf.ueq", "!($0 < $1 || $0 > $1)"},
    {"arith.cmpf.ugt", "!($0 <= $1)"},
    {"arith.cmpf.uge", "!($0 < $1)"},
    {"arith.cmpf.ult", "!($0 >= $1)"},
    {"arith.cmpf.ule", "!($0 > $1)"},
    {"arith.cmpf.une", "$0 != $1"},
    {"arith.cmpf.uno", "$0 != $0 || $1 != $1"},
    {"arith.cmpf.true", "true"},

    // Unsigned: the sums, differences and products of integers wrap.
    {"arith.addi", "($t)(($u)$0 + ($u)$1)", "0"},
    {"arith.subi", "($t)(($u)$0 - ($u)$1)"},
    {"arith.muli", "($t)(($u)$0 * ($u)$1)", "1"},
    {"arith.addi->index", "$0 + $1", "0"},
    {"arith.subi->index", "$0 - $1"},
    {"arith.muli->index", "$0 * $1", "1"},
    {"arith.divsi", "$0 / $1"},
    {"arith.divui", "($t)(($u)$0 / ($u)$1)"},
    {"arith.remsi", "$0 % $1"},
    {"arith.remui", "($t)(($u)$0 % ($u)$1)"},
    {"arith.floordivsi", "floorDiv<$t>($0, $1)"},
    {"arith.ceildivsi", "ceilDiv<$t>($0, $1)"},
    {"arith.maxsi", "$0 > $1 ? $0 : $1", "lowest"},
    {"arith.minsi", "$0 < $1 ? $0 : $1", "highest"},
    {"arith.maxui", "($u)$0 > ($u)$1 ? $0 : $1"},
    {"arith.minui", "($u)$0 < ($u)$1 ? $0 : $1"},
    {"arith.andi", "($t)($0 & $1)", "-1"},
    {"arith.andi->i1", "$0 && $1", "true"},
    {"arith.ori", "($t)($0 | $1)", "0"},
    {"arith.ori->i1", "$0 || $1", "false"},
    {"arith.xori", "($t)($0 ^ $1)", "0"},
    {"arith.xori->i1", "$0 != $1", "false"},
    {"arith.shli", "($t)(($u)$0 << $1)"},
    {"arith.shrsi", "($t)($0 >> $1)"},
    {"arith.shrui", "($t)(($u)$0 >> $1)"},

    {"arith.cmpi.eq", "$0 == $1"},
    {"arith.cmpi.ne", "$0 != $1"},
    {"arith.cmpi.slt", "$0 < $1"},
    {"arith.cmpi.sle", "$0 <= $1"},
    {"arith.cmpi.sgt", "$0 > $1"},
    {"arith.cmpi.sge", "$0 >= $1"},
    {"arith.cmpi.slt:i1", "$0 && !$1"},
    {"arith.cmpi.sle:i1", "$0 || !$1"},
    {"arith.cmpi.sgt:i1", "!$0 && $1"},
    {"arith.cmpi.sge:i1", "!$0 || $1"},
    {"arith.cmpi.ult", "($u)$0 < ($u)$1"},
    {"arith.cmpi.ule", "($u)$0 <= ($u)$1"},
    {"arith.cmpi.ugt", "($u)$0 > ($u)$1"},
    {"arith.cmpi.uge", "($u)$0 >= ($u)$1"},

    {"arith.select", "$0 ? $1 : $2"},
    {"arith.extf", "($t)$0"},
    {"arith.truncf", "($t)$0"},
    {"arith.fptosi", "($t)$0"},
    {"arith.fptoui", "($t)$0"},
    {"arith.sitofp", "($t)$0"},
    {"arith.sitofp:i1", "($t)(-(int)$0)"},
    {"arith.uitofp", "($t)($u)$0"},
    {"arith.extsi", "($t)$0"},
    {"arith.extsi:i1", "($t)(-(int)$0)"},
    {"arith.extui", "($t)($u)$0"},
    {"arith.trunci", "($t)$0"},
    {"arith.trunci->i1", "($0 & 1) != 0"},
    {"arith.index_cast", "($t)$0"},
    {"arith.index_cast->index", "toIndex<$t>($0)"},
    {"arith.index_castui", "($t)$0"},

    {"math.absf", "fabs$f($0)"},
    {"math.absi", "$0 < 0 ? -$0 : $0"},
    {"math.exp", "exp$f($0)"},
    {"math.exp2", "exp2$f($0)"},
    {"math.expm1", "expm1$f($0)"},
    {"math.log", "log$f($0)"},
    {"math.log2", "log2$f($0)"},
    {"math.log10", "log10$f($0)"},
    {"math.log1p", "log1p$f($0)"},
    {"math.sqrt", "sqrt$f($0)"},
    {"math.rsqrt", "1 / sqrt$f($0)"},
    {"math.sin", "sin$f($0)"},
    {"math.cos", "cos$f($0)"},
    {"math.tan", "tan$f($0)"},
    {"math.tanh", "tanh$f($0)"},
    {"math.erf", "errorFunction($0)"},
    {"math.atan", "atan$f($0)"},
    {"math.atan2", "atan2$f($0, $1)"},
    {"math.copysign", "copysign$f($0, $1)"},
    {"math.fma", "fma$f($0, $1, $2)"},
    {"math.floor", "floor$f($0)"},
    {"math.ceil", "ceil$f($0)"},
    {"math.round", "round$f($0)"},
    {"math.roundeven", "rint$f($0)"},
    {"math.trunc", "trunc$f($0)"},
    {"math.powf", "pow$f($0, $1)"},
    {"math.fpowi", "pow$f($0, (float)$1)"},
    {"math.ipowi", "integerPower<$t>($0, $1)"},
};

const llvm::StringMap<const Row *> &rowsByName() {
  static const llvm::StringMap<const Row *> rows = [] {
    llvm::StringMap<const Row *> result;
    for (const Row &row : Table)
      result[row.name] = &row;
    return result;
  }();
  return rows;
}

const Row *findRow(Operation *op) {
  std::string name = op->getName().getStringRef().str();
  if (auto compare = dyn_cast<arith::CmpFOp>(op))
    name += "." + arith::stringifyCmpFPredicate(compare.getPredicate()).str();
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    name += "." + arith::stringifyCmpIPredicate(compare.getPredicate()).str();
  if (op->getNumResults() != 1)
    return nullptr;
  const auto &rows = rowsByName();
  if (op->getNumOperands() > 0 && op->getOperand(0).getType().isInteger(1))
    if (const Row *row = rows.lookup(name + ":i1"))
      return row;
  if (op->getResult(0).getType().isInteger(1))
    if (const Row *row = rows.lookup(name + "->i1"))
      return row;
  if (op->getResult(0).getType().isIndex())
    if (const Row *row = rows.lookup(name + "->index"))
      return row;
  return rows.lookup(name);
}

std::string unsignedText(Type type) {
  if (type.isInteger(1))
    return "bool";
  std::string text = typeText(type).value_or("int");
  if (text == "signed char")
    return "unsigned char";
  return text == "Index" ? "unsigned long long" : "unsigned " + text;
}

/// A minus sign before a negative literal or another minus would be a decrement.
std::string operandAfter(const std::string &text, const std::string &operand) {
  bool clash = !text.empty() && text.back() == '-' && !operand.empty() && operand[0] == '-';
  return clash ? "(" + operand + ")" : operand;
}

std::string floatText(double value, bool isDouble) {
  const char *suffix = isDouble ? "" : "f";
  if (std::isnan(value))
    return "notANumber()";
  if (std::isinf(value))
    return value < 0 ? "-infinity()" : "infinity()";
  // The fewest digits that read back as the same number.
  for (int digits = 1;; ++digits) {
    char text[64];
    snprintf(text, sizeof text, "%.*g", digits, value);
    bool same = isDouble ? strtod(text, nullptr) == value : strtof(text, nullptr) == (float)value;
    if (!same && digits < 17)
      continue;
    std::string result = text;
    if (result.find_first_of(".e") == std::string::npos)
      result += ".0";
    return result + suffix;
  }
}

std::string integerText(const APInt &value) {
  unsigned width = value.getBitWidth();
  if (width == 1)
    return value.isZero() ? "false" : "true";
  llvm::SmallString<24> digits;
  const char *suffix = width > 32 ? "LL" : "";
  if (width >= 32 && value.isMinSignedValue()) { // its magnitude has no literal
    (value + 1).toString(digits, 10, /*Signed=*/true);
    return ("(" + digits + suffix + " - 1)").str();
  }
  value.toString(digits, 10, /*Signed=*/true);
  return (digits + suffix).str();
}

} // namespace

std::optional<std::string> typeText(Type type) {
  if (type.isF32())
    return "float";
  if (type.isF64())
    return "double";
  if (type.isF16())
    return "f16";
  if (type.isBF16())
    return "bf16";
  if (type.isFloat8E4M3FN())
    return "f8e4m3";
  if (type.isFloat8E5M2())
    return "f8e5m2";
  if (type.isIndex())
    return "Index";
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.isUnsigned())
    return std::nullopt;
  switch (integer.getWidth()) {
  case 1:
    return "bool";
  case 8:
    return "signed char";
  case 16:
    return "short";
  case 32:
    return "int";
  case 64:
    return "long long";
  default:
    return std::nullopt;
  }
}

std::optional<std::string> constantText(Attribute value) {
  if (auto splat = dyn_cast<SplatElementsAttr>(value))
    return constantText(splat.getSplatValue<Attribute>());
  if (auto number = dyn_cast<FloatAttr>(value)) {
    std::string text = floatText(number.getValueAsDouble(), number.getType().isF64());
    bool isSmall = number.getType().getIntOrFloatBitWidth() < 32;
    return isSmall ? *typeText(number.getType()) + "(" + text + ")" : text;
  }
  if (auto number = dyn_cast<IntegerAttr>(value))
    return number.getType().isIndex() ? std::to_string(number.getInt())
                                      : integerText(number.getValue());
  return std::nullopt;
}

std::optional<std::string> scalarText(Operation *op, ArrayRef<std::string> operands) {
  const Row *row = findRow(op);
  std::optional<std::string> type;
  if (row)
    type = typeText(op->getResult(0).getType());
  if (!type)
    return std::nullopt;
  std::string result;
  for (const char *c = row->text; *c; ++c) {
    if (*c != '$') {
      result += *c;
    } else if (*++c == 't') {
      result += *type;
    } else if (*c == 'f') {
      result += *type == "double" ? "" : "f";
    } else if (*c == 'u') {
      result += unsignedText(op->getOperand(0).getType());
    } else {
      result += operandAfter(result, operands[*c - '0']);
    }
  }
  bool isSmall = isa<FloatType>(op->getResult(0).getType()) &&
                 op->getResult(0).getType().getIntOrFloatBitWidth() < 32;
  bool rounds = isSmall && result.rfind("(" + *type + ")", 0) != 0 && !isa<arith::SelectOp>(op);
  return rounds ? *type + "(" + result + ")" : result;
}

std::optional<CombinedForm> combinedForm(Operation *op) {
  if (op->getNumResults() != 1 || !op->getResult(0).getType().isF32())
    return std::nullopt;
  if (auto extension = dyn_cast<arith::ExtFOp>(op)) {
    auto rounding = extension.getIn().getDefiningOp<arith::TruncFOp>();
    Type type = extension.getIn().getType();
    if (rounding && rounding.getIn().getType().isF32() && (type.isF16() || type.isBF16()))
      return CombinedForm{"rounded<" + *typeText(type) + ">", rounding.getIn()};
    return std::nullopt;
  }
  if (!isa<arith::AddFOp>(op))
    return std::nullopt;
  for (unsigned i : {0U, 1U}) {
    Operation *before = op->getOperand(i).getDefiningOp();
    if (!before || !before->hasOneUse() || !matchPattern(op->getOperand(1 - i), m_OneFloat()))
      continue;
    if (isa<math::ErfOp>(before))
      return CombinedForm{"errorFunctionAndOne", before->getOperand(0)};
    if (isa<math::TanhOp>(before))
      return CombinedForm{"tanhAndOne", before->getOperand(0)};
  }
  return std::nullopt;
}

std::optional<std::string> identityText(Operation *op) {
  const Row *row = findRow(op);
  if (!row || !row->identity)
    return std::nullopt;
  std::string identity = row->identity;
  Type type = op->getResult(0).getType();
  if (auto integer = dyn_cast<IntegerType>(type)) {
    if (identity == "lowest")
      return integerText(APInt::getSignedMinValue(integer.getWidth()));
    if (identity == "highest")
      return integerText(APInt::getSignedMaxValue(integer.getWidth()));
    if (integer.getWidth() == 1)
      return identity == "true" ? "true" : "false";
    return integerText(APInt(integer.getWidth(), std::stoll(identity), /*isSigned=*/true));
  }
  if (identity == "0" || identity == "1")
    return floatText(identity == "1", type.isF64());
  return identity;
}

std::string nameStem(Operation *op) {
  StringRef name = op->getName().stripDialect();
  if (name.size() > 3 && (name.ends_with("f") || name.ends_with("i")) && name != "erf")
    name = name.drop_back(name.ends_with("si") || name.ends_with("ui") ? 2 : 1);
  std::string stem;
  for (char c : name)
    if (isalpha(c))
      stem += c;
  return stem;
}

} // namespace nnc::codegen
